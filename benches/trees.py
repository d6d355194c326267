"""P7 and P8: reads of dicts and lists, the first time and hot."""

import marshal
import pickle
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

import values
from contestants import Contestant
from measure import Lane, compile_loop, cycling, interleave
from report import Table
from workloads import Field, check_answers, cycling_lane, fill

PICKLE, MARSHAL = "pickle.loads", "marshal.loads"
# Read before the clock starts, so that what is called hot is: prototypes are made at the second hit.
WARM_READS = 4


@dataclass(frozen=True)
class Shape:
    """One kind of value.

    Attributes:
        key: the table's short name.
        title: what a value is.
        make: builds the value of a number.
        hot: keys that are read again and again.
        cold: keys that are read once or twice in a new cache, one sample.
    """

    key: str
    title: str
    make: Any
    hot: int
    cold: int


SHAPES = {
    shape.key: shape
    for shape in (
        Shape("P7", "get of {id, name, price, tags}", values.article, hot=100, cold=400),
        Shape("P8", "get of a list of 100 such dicts", values.listing, hot=16, cold=200),
        Shape(
            "P8-10k",
            "get of a list of 10,000 such dicts",
            lambda number: values.listing(number, 10_000),
            hot=1,
            cold=3,
        ),
    )
}


def hot_lane(contestant: Contestant, wanted: dict[str, Any]) -> Lane:
    """Return the lane that reads the same few keys for ever."""
    cache = contestant.make(500)
    fill(contestant, cache, iter(wanted.items()))
    for _ in range(WARM_READS):
        check_answers(contestant, cache, wanted)
    return cycling_lane(contestant, contestant.get, cache, list(wanted))


def cold_lane(contestant: Contestant, wanted: dict[str, Any], before: int) -> Lane:
    """Return the lane that fills a new cache, reads it `before` times, and times one more read."""
    loop, keys, lock = compile_loop(contestant.get, **contestant.names), list(wanted), Lock()

    def run(ops: int) -> float:
        cache = contestant.make(500)
        fill(contestant, cache, iter(wanted.items()))
        for _ in range(before):
            for key in keys:
                cache.get(key)
        return loop(cache, keys, None, 1, lock, time.perf_counter_ns) / ops

    which = ("first hit", "second hit")[before]
    return Lane(f"{contestant.name}, {which}", run, "a new entry each time", ops=len(keys))


def floor_lanes(wanted: dict[str, Any]) -> list[Lane]:
    """Return what pickle and marshal take for the same values, found in a dict."""
    lanes = []
    for name, module, protocol in ((PICKLE, pickle, pickle.HIGHEST_PROTOCOL), (MARSHAL, marshal, 4)):
        blobs = {key: module.dumps(value, protocol) for key, value in wanted.items()}
        loop = compile_loop("loads(c[k])", loads=module.loads)
        lanes.append(Lane(name, cycling(loop, blobs, list(wanted), None, None), "of the same value"))
    return lanes


def read_trees(field: Field, shape: Shape) -> Table:
    """Read values of one shape: hot by everyone, new ones by the caches that isolate."""
    many = {key: shape.make(number) for number, key in enumerate(values.keys(shape.cold))}
    few = {key: shape.make(number) for number, key in enumerate(values.keys(shape.hot))}
    lanes = []
    for one in field.contestants:
        lanes.append(hot_lane(one, few))
        if one.isolated:
            # Only ours changes at the second hit, where it may make its prototype.
            times = (0, 1) if one.name == "RustCache" else (0,)
            lanes += [cold_lane(one, many, before) for before in times]
    rows = interleave(lanes + floor_lanes(few), field.settings)
    remarks = [
        "hot unless said otherwise; freeing the answer is part of the call, for everyone",
        "the loop's own few nanoseconds are included, for everyone",
    ]
    return Table(shape.key, shape.title, "ns per call", rows, floor=MARSHAL, remarks=remarks)
