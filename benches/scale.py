"""P1 and P3 from 500 to 1,000,000 entries: the cost must stay flat but for the processor's caches."""

import random
from collections.abc import Iterator
from typing import Any

import values
from contestants import Contestant
from measure import Lane, compile_loop, cycling
from report import Table
from workloads import (
    Field,
    WrongAnswerError,
    check_full,
    cycling_lane,
    empty_loop,
    eviction_lane,
    fifo_lane,
    fill,
    nop_lanes,
    tabulate,
)

SIZES = (500, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (500, 2_000)
# Keys read in turns: too many for the nearest processor caches, drawn evenly from the whole.
SAMPLE = 20_000


def copies(keys: list[str], bound: int) -> list[str]:
    """Return equal but separate keys in random order.

    An application builds its key for each request: it is in the processor's cache, and it is never
    the very object that was stored, which a dict would recognise without looking at it.
    """
    picked = random.Random(bound).sample(keys, min(bound, SAMPLE))
    return ["".join(key) for key in picked]


def full(contestant: Contestant, bound: int) -> tuple[Any, list[str]]:
    """Return a cache at its bound, keys and values its own, and keys to read in random order."""
    cache, keys = contestant.make(bound), values.keys(bound)
    fill(contestant, cache, ((key, values.text(number)) for number, key in enumerate(keys)))
    check_full(contestant, cache, bound)
    picked = copies(keys, bound)
    for key in picked:
        if contestant.read(cache, key) != values.text(int(key.rpartition("/")[2])):
            raise WrongAnswerError(f"{contestant.name}: lost {key!r} of {bound}")
    return cache, picked


def at_size(field: Field, bound: int) -> Iterator[Table]:
    """Measure P1, then P3, on the same full caches of one size."""
    reads, writes = [empty_loop(values.keys(400))], [empty_loop(values.keys(400))]
    for one in field.contestants:
        cache, keys = full(one, bound)
        reads.append(cycling_lane(one, one.get, cache, keys))
        writes.append(eviction_lane(one, cache))
        if one.name == "RustCache":
            reads += nop_lanes(cache, keys)
            writes += nop_lanes(cache, keys)
    plain = {key: values.text(number) for number, key in enumerate(values.keys(bound))}
    keys = copies(list(plain), bound)
    reads.append(Lane("dict.get", cycling(compile_loop("c.get(k)"), plain, keys, None, None)))
    table = tabulate(f"P1@{bound}", f"get, random order, {bound:,} entries", reads, field)
    table.remarks.append("by equal keys that are not the stored objects, as applications have them")
    yield table
    del reads, plain
    writes.append(fifo_lane(bound))
    table = tabulate(f"P3@{bound}", f"set of fresh keys, full at {bound:,}", writes, field)
    if bound >= 100_000:
        table.remarks.append("SimpleCache scans and sorts everything: a few calls are one sample")
    yield table


def scale(field: Field) -> Iterator[Table]:
    """Measure P1 and P3 at every size, two tables each."""
    for bound in QUICK_SIZES if field.settings.quick else SIZES:
        yield from at_size(field, bound)
