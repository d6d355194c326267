"""Two threads that read different keys of one cache, beside both calling an empty native method of it.

Without a global lock both have to count their references to the one object, so that is the floor. It differs
from object to object by where each comes to lie in memory: the samples go through several caches.
"""

import sys
import time
from collections.abc import Iterator
from itertools import cycle

import values
from flask_rustcache import RustCache
from measure import Lane, compile_loop, interleave
from report import Table
from threads import together
from workloads import Field

THREADS, CACHES, ENTRIES = 2, 8, 10_000
EMPTY, GET = "empty native method of it", "RustCache"


def keys_of(thread: int, many: int) -> list[str]:
    """Return the keys of one thread: always as many in all, however many different ones."""
    return [f"thread {thread} key {number % many}" for number in range(100)]


def filled(many: int) -> RustCache:
    """Return a cache that holds the keys of all threads."""
    cache = RustCache(threshold=ENTRIES)
    for thread in range(THREADS):
        cache.set_many({key: values.text(number) for number, key in enumerate(keys_of(thread, many))})
    return cache


def lane(name: str, body: str, caches: list[RustCache], many: int) -> Lane:
    """Return the lane of one statement, run by all threads at once, on one cache after the other."""
    loops = [compile_loop(body) for _ in range(THREADS)]
    keys, turns = [keys_of(thread, many) for thread in range(THREADS)], cycle(caches)

    def run(ops: int) -> float:
        cache, cycles = next(turns), max(1, ops // (100 * THREADS))
        taken = together(
            lambda at: loops[at](cache, keys[at], None, cycles, None, time.perf_counter_ns),
            THREADS,
        )
        return taken / (cycles * 100 * THREADS)

    return Lane(name, run)


def tables(field: Field) -> Iterator[Table]:
    """Measure one key for each thread, and a hundred. Nothing where there is a global lock."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    for many in (1, 100):
        caches = [filled(many) for _ in range(CACHES)]
        lanes = [lane(EMPTY, "c._nop1(k)", caches, many), lane(GET, "c.get(k)", caches, many)]
        rows = interleave(lanes, field.settings)
        title = f"get by {THREADS} threads, {many} key{'s' * (many > 1)} each of its own"
        yield Table(f"apart-{many}", title, "ns of wall clock per call", rows)
