"""The plot of a run: memory, hit ratio, latency, requests and errors, over its time."""

from pathlib import Path
from statistics import fmean, quantiles

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # the drawing back end is chosen first
from matplotlib.axes import Axes
from record import Record
from verdict import MEBIBYTE

#: Parts of the run that are drawn as one point each, where there are more samples.
POINTS = 120

Series = list[tuple[float, float]]


def parts(series: Series, seconds: float) -> list[tuple[float, list[float]]]:
    """Return the values of each part of the time, with the middle of it."""
    width = seconds / POINTS
    found: dict[int, list[float]] = {}
    for at, value in series:
        found.setdefault(int(at / width), []).append(value)
    return [((part + 0.5) * width / 60, values) for part, values in sorted(found.items())]


def draw_memory(axes: Axes, memory: dict[str, Series], seconds: float) -> None:
    """Draw a line for each process."""
    for name, series in memory.items():
        shown = [(at, fmean(values) / MEBIBYTE) for at, values in parts(series, seconds)]
        axes.plot(*zip(*shown, strict=True), label=name, linewidth=1)
    axes.set_ylabel("resident MiB")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6, ncols=6)


def draw_ratio(axes: Axes, ratios: Series, seconds: float) -> None:
    """Draw the hit ratio of all workers."""
    shown = [(at, fmean(values)) for at, values in parts(ratios, seconds)]
    axes.plot(*zip(*shown, strict=True), linewidth=1)
    axes.set_ylabel("hit ratio")
    axes.set_ylim(0, 1)


def draw_latency(axes: Axes, record: Record) -> None:
    """Draw percentiles of each part of the time."""
    series = [(request.at, request.seconds * 1e3) for request in record.requests]
    cut = [(at, quantiles(values, n=100)) for at, values in parts(series, record.seconds) if len(values) > 1]
    for share in (50, 90, 99):
        points = [(at, cuts[share - 1]) for at, cuts in cut]
        axes.plot(*zip(*points, strict=True), label=f"p{share}", linewidth=1)
    axes.set_ylabel("latency, ms")
    axes.set_yscale("log")
    axes.legend(fontsize=6, ncols=3)


def draw_rate(axes: Axes, record: Record) -> None:
    """Draw requests per second, errors and lost connections."""
    width = record.seconds / POINTS
    ended = parts([(request.at, 1.0) for request in record.requests], record.seconds)
    axes.plot([at for at, _ in ended], [len(ones) / width for _, ones in ended], linewidth=1)
    for label, times, colour in (
        ("errors", [at for at, _ in record.errors], "red"),
        ("connections lost and repeated", record.lost, "orange"),
    ):
        axes.plot(
            [at / 60 for at in times], [0] * len(times), "x", color=colour, label=f"{label}: {len(times)}"
        )
    axes.set_ylabel("requests per second")
    axes.legend(fontsize=6)


def draw(record: Record, memory: dict[str, Series], ratios: Series, file: Path) -> None:
    """Write the plot; dotted lines are reloads."""
    figure, rows = pyplot.subplots(4, sharex=True, figsize=(9, 10), layout="constrained")
    draw_memory(rows[0], memory, record.seconds)
    draw_ratio(rows[1], ratios, record.seconds)
    draw_latency(rows[2], record)
    draw_rate(rows[3], record)
    rows[3].set_xlabel("minutes; dotted: reloads")
    for axes in rows:
        for at in record.reloads:
            axes.axvline(at / 60, color="grey", linestyle=":", linewidth=0.8)
    # Neither the date nor random identifiers: the same run is the same file.
    matplotlib.rcParams["svg.hashsalt"] = "soak"
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
