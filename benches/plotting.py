"""How the plots look: one colour and one marker for each product, and what was measured on under each."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which are told apart with any kind of colour vision.
OURS, BLACK, BLUE, SKY = "#D55E00", "#000000", "#0072B2", "#56B4E9"
GREEN, PURPLE, YELLOW, ORANGE, GREY = "#009E73", "#CC79A7", "#F0E442", "#E69F00", "#999999"

matplotlib.rcParams.update(
    {
        # The same figures make the same file, whose text is text.
        "svg.hashsalt": "flask-rustcache",
        "svg.fonttype": "none",
        # Verdana is as wide, where the first is not installed.
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana"],
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
    }
)


@dataclass(frozen=True)
class Series:
    """One product in every plot.

    Attributes:
        name: in the legend.
        rows: what it is called in the tables.
        colour: of its markers and lines.
        marker: its form.
        hollow: True for a product's second form.
    """

    name: str
    rows: tuple[str, ...]
    colour: str
    marker: str
    hollow: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is to stand out."""
        return self.colour == OURS

    def look(self) -> dict[str, Any]:
        """Return the options that matplotlib draws it with."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markerfacecolor": "white" if self.hollow else self.colour,
            "markersize": 8 if self.ours else 5.5,
            "zorder": 4 if self.ours else 3,
        }

    def find(self, table: dict[str, Any]) -> dict[str, Any] | None:
        """Return this product's row of a table, None if it did not take part."""
        return next((row for row in table["rows"] if row["name"] in self.rows), None)


def plain(*decorators: str) -> tuple[str, ...]:
    """Return the tables' names of decorators on a plain function."""
    return tuple(f"{name}, plain function" for name in decorators)


SERIES = (
    Series("RustCache", ("RustCache", "RustCache, both"), OURS, "D"),
    Series("RustCache under Flask-Caching's decorators", ("RustCache, backend only",), OURS, "D", True),
    Series("SimpleCache, Flask-Caching", ("SimpleCache",), BLACK, "s"),
    Series("cachebox TTLCache", ("cachebox TTLCache", *plain("cachebox.cached TTLCache")), BLUE, "o"),
    Series("cachebox LRUCache", ("cachebox LRUCache", *plain("cachebox.cached LRUCache")), BLUE, "o", True),
    Series("moka-py", ("moka-py Moka", *plain("moka_py.cached")), GREEN, "^"),
    Series("theine", ("theine Cache", *plain("theine.Memoize")), PURPLE, "v"),
    Series(
        "cachetools TTLCache",
        ("cachetools TTLCache + Lock", *plain("cachetools.cached TTLCache + Lock")),
        SKY,
        "P",
    ),
    Series("cachetools LRUCache", plain("cachetools.cached LRUCache + Lock"), SKY, "P", True),
    Series(
        "functools.lru_cache",
        (
            'lru_cache hit, (1, "a")',
            "lru_cache hit, no arguments",
            "lru_cache hit, the query",
            "functools.lru_cache",
            *plain("functools.lru_cache"),
        ),
        GREY,
        "X",
    ),
)
#: What Python's own types take, for scale.
BUILT_IN = (
    Series("dict.get", ("dict.get",), GREY, "."),
    Series("OrderedDict, FIFO by hand", ("OrderedDict, FIFO by hand",), GREY, "."),
)


def present(
    table: dict[str, Any], series: Iterable[Series] = SERIES
) -> Iterator[tuple[Series, dict[str, Any]]]:
    """Yield each product that takes part in a table, with its row."""
    for one in series:
        if row := one.find(table):
            yield one, row


def spread(rows: list[dict[str, Any]]) -> list[list[float]]:
    """Return how far the 10th and the 90th percentile are from the median, as matplotlib wants it."""
    return [[row["median"] - row["p10"] for row in rows], [row["p90"] - row["median"] for row in rows]]


def legend(figure: Figure, axes: Iterable[Axes], columns: int) -> None:
    """Put one legend for all axes under the figure's title; each product stands in it once."""
    handles = {}
    for one in axes:
        for handle, name in zip(*one.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    order = {one.name: place for place, one in enumerate(SERIES)}
    names = sorted(handles, key=lambda name: order.get(name, len(order)))
    figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=columns)


def caption(report: dict[str, Any], method: str) -> str:
    """Return what stands under a plot: what it shows, and what it was measured on."""
    machine, versions = report["machine"], report["versions"]
    if "QUICK" in report["method"]:
        method = "SMOKE TEST, these numbers mean nothing. " + method
    installed = ", ".join(f"{name} {at}" for name, at in versions.items() if at != "not installed")
    where = f"{machine['machine']}; {machine['system']}; {machine['python']}, {machine['build']}"
    return f"{method} Measured on {machine['date']}, load {machine['load']}. {where}; {installed}."


def finish(figure: Figure, report: dict[str, Any], method: str) -> Figure:
    """Return the figure with its caption."""
    # About as many characters as fit at this size: a letter takes 0.6 of its height.
    width = int(figure.get_figwidth() * 72 / (0.56 * 6.5))
    text = textwrap.fill(caption(report, method), width)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=6.5, color="#444444")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the file's name says in which format."""
    options: dict[str, Any] = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 110}
    figure.savefig(path, facecolor="white", **options)
