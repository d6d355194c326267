"""Draw a report's plots, again if need be: `python benches/plots.py [FOLDER] [--format png]`."""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotting import BLACK, BUILT_IN, GREY, OURS, SERIES, finish, legend, present, save, spread
from processes import BEYOND

Report = dict[str, Any]
Table = dict[str, Any]
#: Workloads in the order they are shown, the store's own and those of applications.
STORE = {
    "P1": "P1: get,\na str",
    "P2": "P2: set,\nkey present",
    "P3": "P3: set, new key,\nfull at 500",
    "P3b": "P3b: set, new key,\nfull at 10,000",
    "P7": "P7: get,\na small dict",
    "P8": "P8: get, a list\nof 100 dicts",
    "P8-10k": "P8-10k: get, a list\nof 10,000 dicts",
}
APPLICATION = {
    "P11": "P11: cache.get\nin an application",
    "P6": "P6: memoize,\nhit",
    "P4": "P4: cached view,\nhit",
    "P5": "P5: the same,\nby query string",
    "P9": "P9: the same,\na Response",
    "P10-str": "P10: whole request,\na str",
    "P10-list": "P10: whole request,\na list of 100 dicts",
}
WHISKERS = "Markers: medians; whiskers: 10th to 90th percentile."


def tables(report: Report, prefix: str = "") -> dict[str, Table]:
    """Return the tables whose keys start with a prefix, by key."""
    return {table["key"]: table for table in report["tables"] if table["key"].startswith(prefix)}


def workload(axes: Axes, place: int, table: Table) -> None:
    """Draw one workload as a band: a product below the other."""
    rows = list(present(table))
    for at, (series, row) in enumerate(rows):
        height = place - 0.38 + 0.76 * (at + 0.5) / len(rows)
        axes.errorbar(
            row["median"],
            height,
            xerr=spread([row]),
            linestyle="",
            elinewidth=1.2,
            label=series.name,
            **series.look(),
        )
    ours = next((row["median"] for series, row in rows if series.ours), None)
    theirs = next((row["median"] for series, row in rows if series.name.startswith("SimpleCache")), None)
    if ours and theirs:
        ratio = theirs / ours
        axes.text(
            1.01,
            place,
            f"{ratio:,.{0 if ratio >= 10 else 1}f}x",
            transform=axes.get_yaxis_transform(),
            va="center",
            color=OURS,
            weight="bold",
        )


def workloads(axes: Axes, shown: dict[str, Table], labels: dict[str, str]) -> None:
    """Draw workloads below one another on a logarithmic axis."""
    for place, key in enumerate(labels):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", zorder=0)
        if key in shown:
            workload(axes, place, shown[key])
    axes.set_xscale("log")
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), list(labels.values()))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("ns per call, logarithmic (less is better)")


def speed(report: Report) -> Figure | None:
    """Draw the cost of a call, by workload and product."""
    found = tables(report)
    parts = [
        (title, {key: label for key, label in labels.items() if key in found})
        for title, labels in (
            ("The store", STORE),
            ("The application", APPLICATION),
        )
    ]
    parts = [part for part in parts if part[1]]
    if not parts:
        return None
    rows = max(len(labels) for _, labels in parts)
    figure = Figure(figsize=(5.2 * len(parts), 1.9 + 0.95 * rows), layout="constrained")
    for axes, (title, labels) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        workloads(axes, found, labels)
        axes.set_title(title, loc="left")
    legend(figure, figure.axes, 4)
    text = (
        f"{WHISKERS} At the right: how many times faster than SimpleCache. The peers' decorators are on "
        "plain functions, as they know no requests; the peers hand out the cached object itself."
    )
    return finish(figure, report, text)


def scale(report: Report) -> Figure | None:
    """Draw the cost of a call by the number of entries."""
    found = {prefix: tables(report, f"{prefix}@") for prefix in ("P1", "P3")}
    if not all(found.values()):
        return None
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    titles = ("P1: get, keys in random order", "P3: set of a new key, the cache full")
    for axes, title, shown in zip(figure.subplots(1, 2), titles, found.values(), strict=True):
        sizes = sorted((int(key.partition("@")[2]), table) for key, table in shown.items())
        for series in SERIES + BUILT_IN:
            points = [(size, row) for size, table in sizes if (row := series.find(table))]
            if points:
                axes.errorbar(
                    [size for size, _ in points],
                    [row["median"] for _, row in points],
                    yerr=spread([row for _, row in points]),
                    label=series.name,
                    elinewidth=1,
                    linewidth=2.6 if series.ours else 1.2,
                    **series.look(),
                )
        axes.set(
            xscale="log", yscale="log", xlabel="entries in the cache", ylabel="ns per call (less is better)"
        )
        axes.set_xticks([size for size, _ in sizes], [f"{size:,}" for size, _ in sizes], minor=False)
        axes.minorticks_off()
        axes.grid()
        axes.set_title(title, loc="left")
    legend(figure, figure.axes, 5)
    return finish(figure, report, WHISKERS + " Values: str of 200 characters.")


def bars(axes: Axes, rows: list[tuple[str, str, Table | None]]) -> None:
    """Draw a bar for each product, from the top down: its name, colour and row."""
    for place, (_, colour, row) in enumerate(rows):
        if row:
            axes.barh(
                place,
                row["median"],
                xerr=spread([row]),
                color=colour,
                height=0.72,
                error_kw={"elinewidth": 1, "capsize": 2},
            )
            axes.annotate(
                f"{row['median']:,.{1 if row['median'] < 100 else 0}f}",
                (row["p90"], place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                weight="bold" if colour == OURS else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
            )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.margins(x=0.22)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    # Axes that share their products with others have no labels of their own.
    for label, (_, colour, _) in zip(axes.get_yticklabels(), rows, strict=False):
        label.set(color=colour if colour == OURS else BLACK, weight="bold" if colour == OURS else "normal")


def colour_of(name: str) -> str:
    """Return the colour of the product that a row belongs to."""
    for series in SERIES:
        if name.split(",", maxsplit=1)[0].split(maxsplit=1)[0] == series.rows[0].split(",")[0].split()[0]:
            return series.colour
    return GREY


def limits(report: Report) -> dict[str, float]:
    """Return what could be served at best of each load, as far as the simulator says."""
    grids = [grid for grid in report["grids"] if grid["rows"]]
    return {case: values[-1] for grid in grids for case, values in grid["rows"].items()}


def hits(report: Report) -> Figure | None:
    """Draw the hit ratio through each product's Python API, a panel for each load."""
    found = list(tables(report, "hits-").values())
    if not found:
        return None
    names = [row["name"] for row in found[0]["rows"]]
    medians = [{row["name"]: row["median"] for row in table["rows"]} for table in found]
    names.sort(key=lambda name: (colour_of(name) != OURS, -sum(one[name] for one in medians)))
    across = min(3, len(found))
    down = math.ceil(len(found) / across)
    figure = Figure(figsize=(3.2 + 2.1 * across, 1 + 3.6 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flatten()
    for unused in panels[len(found) :]:
        unused.remove()
    best = limits(report)
    for axes, table in zip(panels, found, strict=False):
        by_name = {row["name"]: row for row in table["rows"]}
        bars(axes, [(name, colour_of(name), by_name.get(name)) for name in names])
        load, _, entries = table["key"].removeprefix("hits-").partition("@")
        if limit := best.get(f"{load}, {entries}"):
            axes.axvline(limit, color=BLACK, linestyle=":", linewidth=1, zorder=1)
        axes.set_title(f"{load}, {int(entries):,} entries", loc="left")
        axes.set_xlabel("% served")
    text = (
        "Percent of requests served, cache-aside (more is better), through each one's own Python API; median "
        "of new caches. web07, multi3 and cloudphysics are recorded traffic; a loop goes round 1,011 keys."
    )
    if best:
        text += " Dotted: the most that can be served, by the simulator."
    return finish(figure, report, text)


#: Policies of the simulator as lines: colour and style.
LINES = {
    "ours": (OURS, "-"),
    "S3-FIFO": ("#0072B2", "-"),
    "W-TLFU cl.": ("#009E73", "-"),
    "W-TLFU 1%": ("#009E73", "--"),
    "TinyLFU": ("#009E73", ":"),
    "ARC": ("#CC79A7", "-"),
    "SIEVE": ("#56B4E9", "-"),
    "FIFO": (GREY, "--"),
    "LRU": (BLACK, "-"),
}


def policies(report: Report) -> Figure | None:
    """Draw how far each policy is above LRU, a panel for each load, by the number of entries."""
    grid = next((grid for grid in report["grids"] if grid["rows"]), None)
    if grid is None:
        return None
    loads: dict[str, dict[int, dict[str, float]]] = {}
    for case, values in grid["rows"].items():
        load, _, entries = case.rpartition(", ")
        loads.setdefault(load, {})[int(entries)] = dict(zip(grid["names"], values, strict=True))
    recorded = {load: sizes for load, sizes in loads.items() if load in grid["recorded"]}
    shown = recorded or loads
    figure = Figure(figsize=(3.7 * len(shown), 5), layout="constrained")
    for axes, (load, sizes) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True
    ):
        for policy, (colour, style) in LINES.items():
            above = [ratios[policy] - ratios["LRU"] for ratios in sizes.values()]
            axes.plot(
                list(sizes),
                above,
                color=colour,
                linestyle=style,
                label=policy,
                marker=".",
                linewidth=3 if policy == "ours" else 1.4,
                zorder=4 if policy == "ours" else 3,
            )
        axes.set(xscale="log", xlabel="entries in the cache", ylabel="percentage points above LRU")
        axes.set_xticks(list(sizes), [f"{size:,}" for size in sizes], rotation=60)
        axes.minorticks_off()
        axes.grid()
        axes.set_title(load, loc="left")
    legend(figure, figure.axes, 9)
    return finish(
        figure,
        report,
        "Difference of hit ratios to LRU's, by the simulator (more is better); no chance in it.",
    )


def memory(report: Report) -> Figure | None:
    """Draw what an entry adds to the resident set."""
    found = list(tables(report, "memory-").values())
    if not found:
        return None
    figure = Figure(figsize=(6 * len(found), 4.4), layout="constrained")
    for axes, table in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
        measured = [row for row in table["rows"] if row["name"] != BEYOND]
        rows = sorted(measured, key=lambda row: row["median"])
        bars(axes, [(row["name"], colour_of(row["name"]), row) for row in rows])
        axes.set_title(table["title"], loc="left")
        axes.set_xlabel("bytes of resident memory per entry (less is better)")
    text = (
        "Growth of the resident set of a process of its own, key included, median, 10th to 90th percentile."
    )
    return finish(figure, report, text)


PLOTS: dict[str, Callable[[Report], Figure | None]] = {
    "speed": speed,
    "scale": scale,
    "hits": hits,
    "policies": policies,
    "memory": memory,
}


def draw(report: Report, folder: Path, form: str = "svg") -> list[str]:
    """Draw every plot that there are figures for; an old one that there are none for goes.

    Args:
        report: what a report.json holds.
        folder: where the plots go.
        form: svg or png.

    Returns:
        One sentence for each plot that is left out.
    """
    left_out = []
    for name, plot in PLOTS.items():
        path = folder / f"{name}.{form}"
        path.unlink(missing_ok=True)
        if figure := plot(report):
            save(figure, path)
        else:
            left_out.append(f"{path.name} is left out: its figures were not measured")
    return left_out


def main() -> None:
    """Draw the plots of a report again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent / "report")
    parser.add_argument("--format", choices=("svg", "png"), default="svg")
    asked = parser.parse_args()
    report = json.loads((asked.folder / "report.json").read_text())
    print("\n".join(draw(report, asked.folder, asked.format)))


if __name__ == "__main__":
    main()
