"""P1 to P3b: reads, overwrites and evictions of 200-character strings."""

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import values
from contestants import Contestant
from measure import (
    MOST_FRESH,
    Lane,
    Settings,
    always_fresh,
    compile_loop,
    cycling,
    interleave,
    subtract,
)
from report import Table

EMPTY = "empty loop"
NOP, NOP1 = "RustCache._nop()", "RustCache._nop1(k)"
DICT_GET, DICT_SET, FIFO = "dict.get", "dict[k] = v", "OrderedDict, FIFO by hand"


class WrongAnswerError(Exception):
    """A contestant does not do what it is timed for: its figure would mean nothing."""


def put(contestant: Contestant, cache: Any, key: str, value: Any) -> None:
    """Store one value by the contestant's own statement."""
    exec(contestant.set, {**contestant.names, "c": cache, "k": key, "v": value, "lock": Lock()})


def check_answers(contestant: Contestant, cache: Any, wanted: dict[str, Any]) -> None:
    """Raise WrongAnswerError unless each key answers with its value, isolated if that is said."""
    for key, value in wanted.items():
        got = contestant.read(cache, key)
        if got != value:
            raise WrongAnswerError(f"{contestant.name}: {key!r} gave {got!r:.80}")
        if contestant.isolated and isinstance(value, list | dict) and got is value:
            raise WrongAnswerError(f"{contestant.name}: {key!r} is not isolated")


def check_set(contestant: Contestant) -> None:
    """Raise WrongAnswerError unless a value stored, then overwritten, is read back each time."""
    cache = contestant.make(500)
    for number in range(3):
        put(contestant, cache, "checked", values.text(number))
        check_answers(contestant, cache, {"checked": values.text(number)})


def fill(contestant: Contestant, cache: Any, pairs: Iterator[tuple[str, Any]]) -> None:
    """Store all pairs in a compiled loop: up to a million of them."""
    body = contestant.set.replace("\n", "\n    ")
    namespace = {**contestant.names, "c": cache, "pairs": pairs, "lock": Lock()}
    exec(f"for k, v in pairs:\n    {body}", namespace)


def check_full(contestant: Contestant, cache: Any, bound: int) -> None:
    """Raise WrongAnswerError unless the cache holds its bound (or a few more, where that is its way)."""
    size = contestant.size(cache)
    if not bound * 0.9 <= size <= bound + contestant.more + contestant.late:
        raise WrongAnswerError(f"{contestant.name}: holds {size} of {bound}")


@dataclass
class Field:
    """What the workloads are run with.

    Attributes:
        contestants: who takes part.
        settings: how thoroughly to measure.
    """

    contestants: list[Contestant]
    settings: Settings


def empty_loop(keys: Sequence[str]) -> Lane:
    """Return the lane that measures the loop itself."""
    return Lane(EMPTY, cycling(compile_loop("pass"), None, keys, None, None))


def cycling_lane(contestant: Contestant, body: str, cache: Any, keys: Sequence[str]) -> Lane:
    """Return the lane that runs one statement over the same keys again and again."""
    run = cycling(compile_loop(body, **contestant.names), cache, keys, values.text(1_000), Lock())
    return Lane(contestant.name, run, contestant.note)


def nop_lanes(cache: Any, keys: Sequence[str]) -> list[Lane]:
    """Return the lanes of the empty native methods, none where there are none to call."""
    bodies = {NOP: ("_nop", "c._nop()"), NOP1: ("_nop1", "c._nop1(k)")}
    return [
        Lane(name, cycling(compile_loop(body), cache, keys, None, None), "an empty native method")
        for name, (method, body) in bodies.items()
        if hasattr(cache, method)
    ]


def tabulate(key: str, title: str, lanes: list[Lane], field: Field, floor: str | None = None) -> Table:
    """Measure lanes of which one is the empty loop, and take the loop's cost off the others.

    Args:
        key: the table's short name.
        title: what is done.
        lanes: the contestants.
        field: its settings say how thoroughly to measure.
        floor: the lane to compare with; by default the nearest floor of the store's own calls.
    """
    rows = interleave(lanes, field.settings)
    loop = subtract(rows, EMPTY)
    names = [row.name for row in rows]
    floors = (floor,) if floor else (NOP1, DICT_GET, DICT_SET, FIFO)
    floor = next((one for one in floors if one in names), None)
    remark = f"the loop itself, {loop:.1f} ns, is subtracted"
    return Table(key, title, "ns per call", rows, floor=floor, remarks=[remark])


def read(field: Field) -> Table:
    """P1: `get` of a 200-character str, 400 keys in a cache for 500."""
    wanted = {key: values.text(number) for number, key in enumerate(values.keys(400))}
    keys = list(wanted)
    lanes = [empty_loop(keys)]
    for one in field.contestants:
        cache = one.make(500)
        fill(one, cache, iter(wanted.items()))
        check_answers(one, cache, wanted)
        lanes.append(cycling_lane(one, one.get, cache, keys))
        if one.name == "RustCache":
            lanes += nop_lanes(cache, keys)
    lanes.append(Lane(DICT_GET, cycling(compile_loop("c.get(k)"), wanted, keys, None, None)))
    return tabulate("P1", "get of a 200-character str, 400 keys", lanes, field)


def overwrite(field: Field) -> Table:
    """P2: `set` of a 200-character str under a key that is present."""
    wanted = {key: values.text(number) for number, key in enumerate(values.keys(400))}
    keys, value = list(wanted), values.text(1_000)
    lanes = [empty_loop(keys)]
    for one in field.contestants:
        check_set(one)
        cache = one.make(500)
        fill(one, cache, iter(wanted.items()))
        lanes.append(cycling_lane(one, one.set, cache, keys))
        if one.name == "RustCache":
            lanes += nop_lanes(cache, keys)
    lanes.append(Lane(DICT_SET, cycling(compile_loop("c[k] = v"), dict(wanted), keys, value, None)))
    return tabulate("P2", "set of a 200-character str, key present", lanes, field)


def filled(contestant: Contestant, bound: int) -> Any:
    """Return a cache that holds its bound of fresh 200-character str, checked."""
    cache = contestant.make(bound)
    # One more than the bound: SimpleCache starts to evict only beyond it.
    fill(contestant, cache, ((key, values.text(len(key))) for key in values.keys(bound + 1)))
    check_full(contestant, cache, bound)
    return cache


def eviction_lane(contestant: Contestant, cache: Any) -> Lane:
    """Return the lane that stores fresh keys in a full cache."""
    loop = compile_loop(contestant.set, **contestant.names)
    run = always_fresh(loop, cache, values.fresh_keys(), values.text(0), Lock())
    return Lane(contestant.name, run, contestant.note, most=MOST_FRESH)


def fifo_lane(bound: int) -> Lane:
    """Return the lane that keeps a bound with nothing but a type of Python's own."""
    ordered = OrderedDict(zip(values.keys(bound), itertools.repeat("x"), strict=False))
    loop = compile_loop("c[k] = v\nc.popitem(last=False)")
    run = always_fresh(loop, ordered, values.fresh_keys(), values.text(0), None)
    return Lane(FIFO, run, most=MOST_FRESH)


def evict(field: Field, key: str, bound: int) -> Table:
    """P3 and P3b: `set` of fresh keys in a cache that is full at `bound` entries."""
    keys = values.keys(400)
    lanes = [empty_loop(keys)]
    for one in field.contestants:
        check_set(one)
        cache = filled(one, bound)
        lanes.append(eviction_lane(one, cache))
        if one.name == "RustCache":
            lanes += nop_lanes(cache, keys)
    lanes.append(fifo_lane(bound))
    return tabulate(key, f"set of fresh keys, full at {bound:,}", lanes, field)
