"""One measurement in a process of its own: `python child.py JOB ARGUMENTS`, the answer as JSON.

Memory and collections depend on everything else a process holds, so each case gets a fresh one.
"""

import gc
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import contestants
import values
import workloads


def resident() -> int:
    """Return this process's resident set, bytes.

    Raises:
        OSError: the system has neither /proc nor ps.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
        return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024


def build(name: str, kind: str, entries: int, reads: int) -> Any:
    """Return a cache, if it can be without a bound, that holds fresh values, each read `reads` times."""
    kinds: dict[str, Callable[[int], Any]] = {"str": values.text, "lists": values.listing}
    make = kinds[kind]
    contestant = (contestants.FIELD | contestants.FLOORS)[name]()
    cache = contestant.make(math.inf if contestant.boundless else entries)
    keys = values.keys(entries)
    workloads.fill(contestant, cache, ((key, make(number)) for number, key in enumerate(keys)))
    for _ in range(reads):
        for key in keys:
            contestant.read(cache, key)
    if contestant.size(cache) != entries:
        raise workloads.WrongAnswerError(f"{name}: holds {contestant.size(cache)} of {entries}")
    for number in (0, entries - 1) if entries else ():
        workloads.check_answers(contestant, cache, {keys[number]: make(number)})
    return cache


def memory(name: str, kind: str, entries: int, reads: int) -> float:
    """Return what one entry adds to the resident set, its key included, bytes."""
    build(name, kind, 20, reads)
    gc.collect()
    before = resident()
    cache = build(name, kind, entries, reads)
    gc.collect()
    taken = resident() - before
    del cache
    return taken / entries


def collection(name: str, kind: str, entries: int, reads: int) -> float:
    """Return the median time of five full collections with the cache filled, nanoseconds."""
    # Everyone's modules, so that the cases differ by the cache's content alone.
    contestants.gather()
    gc.disable()
    cache = build(name, kind, entries, reads)
    gc.collect()
    taken = []
    for _ in range(5):
        start = time.perf_counter_ns()
        gc.collect()
        taken.append(time.perf_counter_ns() - start)
    del cache
    return sorted(taken)[2]


def main(arguments: Sequence[str]) -> None:
    """Do the job named on the command line and print its figure."""
    jobs: dict[str, Callable[..., float]] = {"memory": memory, "collection": collection}
    name, kind, entries, reads = arguments[1:]
    print(json.dumps(jobs[arguments[0]](name, kind, int(entries), int(reads))))


if __name__ == "__main__":
    main(sys.argv[1:])
