"""Tables of medians, grids of single figures, and how they are printed and kept."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import Row


@dataclass
class Table:
    """The result of one workload.

    Attributes:
        key: its short name, as in `--only`.
        title: what was done.
        unit: what the figures are, for example "ns per call".
        rows: one per contestant.
        reference: row that the others' ratios compare with, None where a ratio says nothing.
        floor: row that shows about the least such a call can cost, or None.
        remarks: printed under the table.
    """

    key: str
    title: str
    unit: str
    rows: list[Row]
    reference: str | None = "SimpleCache"
    floor: str | None = None
    remarks: list[str] = field(default_factory=list)

    def median(self, name: str) -> float | None:
        """Return the median of the row called `name`, None if it did not take part."""
        return next((row.median for row in self.rows if row.name == name), None)

    def ratio(self, above: str, below: str) -> float | None:
        """Return the median of `above` divided by that of `below`, None if either is absent."""
        top, bottom = self.median(above), self.median(below)
        return None if top is None or not bottom else top / bottom

    def as_dict(self) -> dict[str, Any]:
        """Return everything measured, for the report."""
        rows = [
            {
                "name": row.name,
                "median": row.median,
                "p10": row.percentile(10),
                "p90": row.percentile(90),
                "samples": [float(f"{sample:.6g}") for sample in row.samples],
                "note": row.note,
            }
            for row in self.rows
        ]
        kept = {name: getattr(self, name) for name in ("key", "title", "unit", "reference")}
        return kept | {"floor": self.floor, "remarks": self.remarks, "rows": rows}


def figure(value: float) -> str:
    """Return a figure with as many digits as mean anything: 1.07, 57.3, 8,260, 1,200,000."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}"


def times(ratio: float | None) -> str:
    """Return a ratio as text, a dash where there is none."""
    if ratio is None:
        return "-"
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.2f}x"


def columns(head: Sequence[str], lines: Iterable[Sequence[str]], left: set[int]) -> str:
    """Align cells: the columns in `left` to the left, all others to the right."""
    everything = [list(head), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return ("  " + "  ".join(padded)).rstrip()

    return "\n".join(map(line, everything))


def render(table: Table) -> str:
    """Return a table as text, its remarks under it."""
    repeats = max((len(row.samples) for row in table.rows), default=0)
    shown = {"median": [figure(row.median) for row in table.rows]}
    for percent in (10, 90):
        shown[f"p{percent}"] = [figure(row.percentile(percent)) for row in table.rows]
    if table.reference:
        against = table.reference
        shown[f"{against} /"] = [times(table.ratio(against, row.name)) for row in table.rows]
    if table.floor:
        shown["/ floor"] = [times(table.ratio(row.name, table.floor)) for row in table.rows]
    names, notes = [row.name for row in table.rows], [row.note for row in table.rows]
    lines = zip(names, *shown.values(), notes, strict=True)
    parts = [
        f"{table.key}: {table.title}  [{table.unit}, {repeats} repeats]",
        columns(["contestant", *shown, "note"], lines, left={0, len(shown) + 1}),
    ]
    if table.floor:
        parts.append(f"  floor: {table.floor}")
    parts += [f"  {remark}" for remark in table.remarks]
    return "\n".join(parts) + "\n"


@dataclass
class Grid:
    """Figures that were found once each, a line for each case.

    Attributes:
        key: its short name, as in `--only`.
        title: what was done.
        unit: what the figures are.
        names: who was compared.
        rows: the figures of each case, in the names' order.
        recorded: the loads among the cases that are recorded traffic.
        remarks: printed under it.
    """

    key: str
    title: str
    unit: str
    names: list[str] = field(default_factory=list)
    rows: dict[str, list[float]] = field(default_factory=dict)
    recorded: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def render(self) -> str:
        """Return the grid as text, its remarks under it."""
        lines = [[case, *(f"{value:.2f}" for value in values)] for case, values in self.rows.items()]
        parts = [f"{self.key}: {self.title}  [{self.unit}]"]
        if lines:
            parts.append(columns(["", *self.names], lines, left={0}))
        return "\n".join(parts + [f"  {remark}" for remark in self.remarks]) + "\n"


class Report:
    """What one run says and finds, and the folder that it is written to."""

    def __init__(self, head: dict[str, Any]) -> None:
        """Start a report.

        Args:
            head: what the run was made on, with what and how.
        """
        self.head = head
        self.said: list[str] = []
        self.tables: dict[str, Table] = {}
        self.grids: dict[str, Grid] = {}

    def say(self, text: str) -> None:
        """Print a text, and keep it."""
        print(text, flush=True)
        self.said.append(text)

    def add(self, found: Table | Grid) -> None:
        """Print what was measured, and keep it."""
        if isinstance(found, Table):
            self.tables[found.key] = found
            self.say(render(found))
        else:
            self.grids[found.key] = found
            self.say(found.render())

    def as_dict(self) -> dict[str, Any]:
        """Return everything measured."""
        tables = [table.as_dict() for table in self.tables.values()]
        return self.head | {"tables": tables, "grids": [vars(grid) for grid in self.grids.values()]}

    def write_figures(self, path: Path, more: dict[str, Any]) -> dict[str, Any]:
        """Write everything measured, and `more`, as JSON; return it."""
        found = self.as_dict() | more
        text = json.dumps(found, indent=1)
        # A line for each row of figures, not for each figure.
        text = re.sub(r"\[\s+([^][{}\"]+?)\s+\]", lambda one: f"[{' '.join(one[1].split())}]", text)
        path.write_text(text + "\n")
        return found

    def write_text(self, path: Path) -> None:
        """Write what was said."""
        path.write_text("\n".join(self.said) + "\n")
