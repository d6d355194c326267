"""P1 and P2 with 1, 2 and 8 threads at once, each its own loop over the same keys."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Barrier, Lock, Thread
from typing import Any

import values
from contestants import Contestant
from measure import Lane, compile_loop, interleave
from report import Table
from workloads import Field, check_answers, check_set, fill

CROWDS = (1, 2, 8)
# Several of the interpreter's 5 ms turns, so that changing hands is part of the figure.
SAMPLE_NS = 40_000_000


def together(work: Callable[[int], object], threads: int) -> int:
    """Run `work(number)` in that many threads at once.

    Returns:
        Nanoseconds from the first start to the last end.
    """
    gate = Barrier(threads)
    times: list[tuple[int, int]] = []

    def body(number: int) -> None:
        gate.wait()
        start = time.perf_counter_ns()
        work(number)
        times.append((start, time.perf_counter_ns()))

    crowd = [Thread(target=body, args=(number,)) for number in range(threads)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    return max(end for _, end in times) - min(start for start, _ in times)


def crowd_lane(contestant: Contestant, body: str, wanted: dict[str, Any], threads: int) -> Lane:
    """Return the lane of one statement run by many threads; all their calls are counted."""
    cache, keys, lock, value = contestant.make(500), list(wanted), Lock(), values.text(0)
    fill(contestant, cache, iter(wanted.items()))
    check_answers(contestant, cache, wanted)
    loops = [compile_loop(body, **contestant.names) for _ in range(threads)]

    def run(ops: int) -> float:
        cycles = max(1, ops // (len(keys) * threads))
        clock = time.perf_counter_ns
        taken = together(lambda at: loops[at](cache, keys, value, cycles, lock, clock), threads)
        return taken / (cycles * len(keys) * threads)

    return Lane(contestant.name, run, contestant.note)


def crowded(field: Field) -> Iterator[Table]:
    """Measure P1 and P2 with each number of threads."""
    wanted = {key: values.text(number) for number, key in enumerate(values.keys(400))}
    target = field.settings.target_ns if field.settings.quick else SAMPLE_NS
    settings = replace(field.settings, target_ns=target, repeats=min(9, field.settings.repeats))
    for one in field.contestants:
        check_set(one)
    for name, verb in (("P1", "get"), ("P2", "set")):
        for threads in CROWDS:
            lanes = [crowd_lane(one, getattr(one, verb), wanted, threads) for one in field.contestants]
            rows = interleave(lanes, settings)
            title = f"{verb} of a 200-character str, {threads} thread{'s' * (threads > 1)}"
            yield Table(f"{name}x{threads}", title, "ns of wall clock per call", rows)
