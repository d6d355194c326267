"""Tables of medians, and how they are printed and kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
        reference: row that the column "faster" compares with; lower figures are better.
        floor: row that shows about the least such a call can cost, or None.
        remarks: printed under the table.
    """

    key: str
    title: str
    unit: str
    rows: list[Row]
    reference: str = "SimpleCache"
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
        """Return everything measured, for `--json`."""
        rows = [
            {
                "name": row.name,
                "median": row.median,
                "p10": row.percentile(10),
                "p90": row.percentile(90),
                "samples": row.samples,
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
    head = ["contestant", "median", "p10", "p90", f"{table.reference} /", "/ floor", "note"]
    lines = [
        [
            row.name,
            figure(row.median),
            figure(row.percentile(10)),
            figure(row.percentile(90)),
            times(table.ratio(table.reference, row.name)),
            times(table.ratio(row.name, table.floor) if table.floor else None),
            row.note,
        ]
        for row in table.rows
    ]
    parts = [
        f"{table.key}: {table.title}  [{table.unit}, {repeats} repeats]",
        columns(head, lines, left={0, 6}),
    ]
    if table.floor:
        parts.append(f"  floor: {table.floor}")
    parts += [f"  {remark}" for remark in table.remarks]
    return "\n".join(parts) + "\n"
