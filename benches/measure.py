"""Timing: tight loops, calibrated, warmed up and interleaved.

Every contestant of a table gets a loop of its own, compiled from its own source, because CPython
specialises bytecode in place: a loop shared by two caches would run either of them badly.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Loop = Callable[..., int]
Run = Callable[[int], float]

LOOP = """
def loop(c, keys, v, cycles, lock, clock):
    start = clock()
    for _ in range(cycles):
        for k in keys:
            {body}
    return clock() - start
"""
# Fresh keys are made beforehand: this many are enough for one sample, more would only use memory.
MOST_FRESH = 50_000


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure.

    Attributes:
        repeats: samples per contestant, taken in turns.
        target_ns: aimed length of one sample, nanoseconds.
        quick: True for a smoke test, whose numbers mean nothing.
    """

    repeats: int = 15
    target_ns: int = 15_000_000
    quick: bool = False


@dataclass
class Row:
    """The samples of one contestant in one table.

    Attributes:
        name: the contestant.
        samples: one figure per repeat, in the table's unit.
        note: what the reader must know to compare it.
    """

    name: str
    samples: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        """The middle sample, in the table's unit."""
        return statistics.median(self.samples)

    def percentile(self, percent: int) -> float:
        """Return the sample that `percent` per cent of the samples do not exceed."""
        ordered = sorted(self.samples)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass
class Lane:
    """One contestant at the start of one workload.

    Attributes:
        name: the contestant.
        run: makes about the asked number of calls, returns nanoseconds per call.
        note: what the reader must know to compare it.
        ops: calls per sample; 0 (the default) lets `calibrate` choose.
        most: the most calls `calibrate` may choose, 10,000,000 by default.
    """

    name: str
    run: Run
    note: str = ""
    ops: int = 0
    most: int = 10_000_000


def compile_loop(body: str, **names: Any) -> Loop:
    """Return a fresh timed loop around `body`, as timeit would build it.

    Args:
        body: statements that may use `c` (the cache), `k` (the key), `v` (a value) and `lock`.
        **names: further global names for the body.

    Returns:
        A function `(c, keys, v, cycles, lock, clock)` that returns the clock's ticks taken.
    """
    indented = body.replace("\n", "\n            ")
    namespace = dict(names)
    exec(compile(LOOP.format(body=indented), f"<loop {body!r}>", "exec"), namespace)
    loop: Loop = namespace["loop"]
    return loop


def cycling(loop: Loop, cache: Any, keys: Sequence[Any], value: Any, lock: Any) -> Run:
    """Return a `Lane.run` that goes round the same keys again and again."""

    def run(ops: int) -> float:
        cycles = max(1, ops // len(keys))
        return loop(cache, keys, value, cycles, lock, time.perf_counter_ns) / (cycles * len(keys))

    return run


def always_fresh(loop: Loop, cache: Any, keys: Iterator[str], value: Any, lock: Any) -> Run:
    """Return a `Lane.run` that takes new keys each time, made before the clock starts."""

    def run(ops: int) -> float:
        fresh = [next(keys) for _ in range(ops)]
        return loop(cache, fresh, value, 1, lock, time.perf_counter_ns) / ops

    return run


def calibrate(lane: Lane, target_ns: int) -> None:
    """Warm a lane up and settle how many calls one sample of it makes."""
    if lane.ops:
        lane.run(lane.ops)
        return
    ops = 1
    while True:
        # The quicker of two: a call may be one in a million, at which a table grows.
        per_call = max(min(lane.run(ops), lane.run(ops)), 0.1)
        wanted = min(lane.most, max(1, int(target_ns / per_call)))
        if wanted <= 2 * ops:
            break
        ops = min(wanted, ops * 8)
    lane.ops = wanted


@contextmanager
def collector_off() -> Iterator[None]:
    """Keep garbage collections out of the samples, as timeit does."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def interleave(lanes: Iterable[Lane], settings: Settings) -> list[Row]:
    """Measure all lanes in turns, so that a slow moment of the machine hits each of them.

    The starting lane moves on by one each round: nobody always follows the same neighbour.

    Args:
        lanes: the contestants.
        settings: repeats and the length of a sample.

    Returns:
        One row per lane, nanoseconds per call.
    """
    lanes = list(lanes)
    rows = [Row(lane.name, [], lane.note) for lane in lanes]
    with collector_off():
        for lane in lanes:
            calibrate(lane, settings.target_ns)
        for turn in range(settings.repeats):
            for place in range(len(lanes)):
                at = (turn + place) % len(lanes)
                rows[at].samples.append(lanes[at].run(lanes[at].ops))
    return rows


def subtract(rows: list[Row], baseline: str) -> float:
    """Take the median of the row `baseline` off every other row, in place, and drop that row.

    Returns:
        What was taken off, in the rows' unit.
    """
    empty = next(row for row in rows if row.name == baseline)
    rows.remove(empty)
    for row in rows:
        row.samples = [sample - empty.median for sample in row.samples]
    return empty.median
