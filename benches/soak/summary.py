"""What a run comes to: figures, and the verdict."""

from dataclasses import asdict
from itertools import pairwise
from statistics import quantiles
from typing import Any

import machine
from record import Record
from verdict import MEBIBYTE, SHARE, SHORTEST, judge

PERCENTILES = (50, 90, 99, 99.9)
#: Seconds after a reload in which a connection may end without an answer, as its worker ends.
GRACE = 15
#: What the load must have brought about, or the run shows nothing.
HAPPENED = ("hits", "misses", "evictions", "expirations", "removals")


def percentiles(values: list[float]) -> dict[str, float]:
    """Return the percentiles of at least two values."""
    cuts = quantiles(values, n=1000, method="inclusive")
    return {f"p{share:g}": cuts[round(share * 10) - 1] for share in PERCENTILES}


def totals(record: Record) -> dict[str, int]:
    """Return the counters' last values, summed over all workers there were."""
    last = {sample.process: sample.stats for sample in record.counters}
    names = sorted({name for stats in last.values() for name in stats})
    return {name: sum(stats.get(name, 0) for stats in last.values()) for name in names}


def hit_ratios(record: Record) -> list[tuple[float, float]]:
    """Return the share of reads that were hits, between two looks at the same worker."""
    ratios = []
    for process in sorted({sample.process for sample in record.counters}):
        own = [sample for sample in record.counters if sample.process == process]
        for before, after in pairwise(own):
            hits, misses = (after.stats[name] - before.stats[name] for name in ("hits", "misses"))
            if hits + misses:
                ratios.append((after.at, hits / (hits + misses)))
    return sorted(ratios)


def memory_of(record: Record) -> dict[str, list[tuple[float, float]]]:
    """Return the samples of each process, the master first, then workers as they came."""
    series: dict[int, list[tuple[float, float]]] = {}
    for sample in record.memory:
        series.setdefault(sample.process, []).append((sample.at, float(sample.resident)))
    workers = [process for process in series if process != record.master]
    named = {"master": series[record.master]}
    return named | {f"worker {at}": series[process] for at, process in enumerate(workers, 1)}


def verdicts(record: Record) -> dict[str, dict[str, Any]]:
    """Judge those processes that were there all through the second half."""
    found = {}
    for name, points in memory_of(record).items():
        half = [point for point in points if point[0] >= record.seconds / 2]
        if len(half) > 1 and points[0][0] <= record.seconds / 2 and half[-1][0] >= record.memory[-1].at:
            found[name] = asdict(judge(half))
    return found


def complaints(record: Record, memory: dict[str, dict[str, Any]], counted: dict[str, int]) -> list[str]:
    """Return what is wrong, a sentence each."""
    wrong = [f"at {at:.1f} s: {text}" for at, text in record.errors]
    for at in record.lost:
        if not any(0 <= at - reload <= GRACE for reload in record.reloads):
            wrong.append(f"at {at:.1f} s a connection was lost, and no reload was near")
    wrong += [f"the memory of {name} is not flat" for name, one in memory.items() if one["flat"] is False]
    if record.seconds >= 2 * SHORTEST:
        if memory.keys() <= {"master"}:
            wrong.append("no worker was there through the second half")
        absent = [name for name in HAPPENED if not counted.get(name)]
        wrong += [f"there were no {name}: the load is not what it should be" for name in absent]
    return wrong


def summarise(record: Record) -> dict[str, Any]:
    """Return the figures of a run, and whether it passed."""
    memory, counted = verdicts(record), totals(record)
    wrong = complaints(record, memory, counted)
    reads = counted["hits"] + counted["misses"]
    return {
        "passed": not wrong,
        "complaints": wrong,
        "machine": machine.describe(),
        "minutes": record.seconds / 60,
        "requests": len(record.requests),
        "requests per second": len(record.requests) / record.seconds,
        "errors": len(record.errors),
        "reloads": record.reloads,
        "connections lost at reloads, and repeated": len(record.lost),
        "latency in seconds": percentiles([request.seconds for request in record.requests]),
        "hit ratio": counted["hits"] / reads if reads else None,
        "counters": counted,
        "memory of the second half": memory,
        "settings": record.settings,
    }


def text_of(summary: dict[str, Any]) -> str:
    """Return a summary for people."""
    lines = [
        "passed" if summary["passed"] else "FAILED",
        *(f"  {one}" for one in summary["complaints"][:50]),
        "",
    ]
    lines += [f"{label}: {text}" for label, text in summary["machine"].items()]
    lines += [f"{label}: {text}" for label, text in summary["settings"].items()]
    plain = (
        "minutes",
        "requests",
        "requests per second",
        "errors",
        "connections lost at reloads, and repeated",
    )
    lines += ["", *(f"{label}: {summary[label]:,.6g}" for label in plain)]
    lines.append("reloads at seconds: " + ", ".join(f"{at:.0f}" for at in summary["reloads"]))
    lines.append(f"hit ratio: {summary['hit ratio'] or 0:.3f}")
    shares = (f"{name} {seconds * 1e3:.1f} ms" for name, seconds in summary["latency in seconds"].items())
    lines.append("latency: " + ", ".join(shares))
    lines.append(
        "counters of all workers: " + ", ".join(f"{k} {v:,}" for k, v in summary["counters"].items())
    )
    lines.append(f"\nresident memory over the second half; {SHARE:.0%} or 1 MiB of growth are allowed:")
    words = {True: "flat", False: "NOT FLAT", None: "too short to tell"}
    for name, one in summary["memory of the second half"].items():
        middle, growth, allowed = (one[key] / MEBIBYTE for key in ("median", "growth", "allowed"))
        said = f"median {middle:.1f} MiB, growth {growth:+.2f} MiB of {allowed:.2f} allowed"
        lines.append(f"  {name}: {said}: {words[one['flat']]}")
    return "\n".join(lines) + "\n"
