"""What is measured in child processes: memory per entry, collections, import time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import contestants
from contestants import Contestant
from measure import Row
from report import Table
from workloads import Field

BENCHES = Path(__file__).resolve().parent
# A child takes seconds; one that hangs must not hang the run.
TIME_LIMIT = 120
# DESIGN.md's default of CACHE_PROTOTYPE_BYTES, which hits may use up on top of the compact form.
PROTOTYPE_BYTES = 16 << 20
LISTS, QUICK_LISTS = 10_000, 200
STRINGS, QUICK_STRINGS = 100_000, 5_000
HITS = 2
FULL, READ, READ_FULL = ", full", ", after two hits each", ", full, after two hits each"
BEYOND = "RustCache, the same less 16 MiB"
EMPTY = "RustCache, empty"


@dataclass(frozen=True)
class Case:
    """One row whose samples are made by children.

    Attributes:
        name: the row's name.
        arguments: the script in this folder, then what it is told.
        note: what the reader must know to compare it.
    """

    name: str
    arguments: tuple[str | int, ...]
    note: str = ""


def run(arguments: tuple[str | int, ...]) -> float:
    """Run one of this folder's scripts in a new interpreter and return the figure it prints.

    Raises:
        subprocess.SubprocessError: the child failed or took too long.
    """
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIME_LIMIT, cwd=BENCHES)
    return float(json.loads(done.stdout))


def in_turns(cases: list[Case], repeats: int) -> tuple[list[Row], list[str]]:
    """Run all cases once, then all again, and so on; a failing case is left out and told.

    Returns:
        The rows, and one sentence per case that failed.
    """
    rows = {case.name: Row(case.name, [], case.note) for case in cases}
    failed: dict[str, str] = {}
    for _ in range(repeats):
        for case in cases:
            if case.name in failed:
                continue
            try:
                rows[case.name].samples.append(run(case.arguments))
            except subprocess.CalledProcessError as error:
                last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
                failed[case.name] = f"{case.name} is left out: {' '.join(last)}"
            except subprocess.TimeoutExpired:
                failed[case.name] = f"{case.name} is left out: no answer in {TIME_LIMIT} s"
    return [row for name, row in rows.items() if name not in failed], list(failed.values())


def memory_cases(present: list[Contestant], kind: str, entries: int) -> list[Case]:
    """Return a case per contestant, and one that reads, too, where reading may add to memory."""
    cases = []
    for one in present:
        script = ("child.py", "memory", one.name, kind, entries)
        cases.append(Case(one.name, (*script, 0), one.note))
        if kind == "lists" and one.isolated:
            cases.append(Case(one.name + READ, (*script, HITS)))
    return cases


def beyond_the_budget(rows: list[Row], entries: int) -> list[Row]:
    """Return a row of what hits leave in memory apart from the prototype budget, if measured."""
    share = PROTOTYPE_BYTES / entries
    note = f"the prototype budget is {share:,.0f} bytes of each entry"
    return [
        Row(BEYOND, [sample - share for sample in row.samples], note)
        for row in rows
        if row.name == "RustCache" + READ
    ]


def memory(field: Field) -> Iterator[Table]:
    """Measure the bytes an entry adds to the resident set, never read and after two hits."""
    quick = field.settings.quick
    for kind, what, entries in (
        ("str", "a 200-character str", QUICK_STRINGS if quick else STRINGS),
        ("lists", "the list of P8", QUICK_LISTS if quick else LISTS),
    ):
        floors, _ = contestants.gather(contestants.FLOORS)
        cases = memory_cases(field.contestants + floors, kind, entries)
        rows, remarks = in_turns(cases, repeats=1 if quick else 3)
        if kind == "lists":
            rows += beyond_the_budget(rows, entries)
        remarks.append("growth of the resident set: key included, values fresh, no bound on entries")
        remarks.append("where there has to be a bound (theine), it is the number of entries")
        remarks.append("never read unless said otherwise")
        title = f"{entries:,} times {what}"
        yield Table(f"memory-{kind}", title, "bytes per entry", rows, remarks=remarks)


def collection_cases(present: list[Contestant], entries: int) -> list[Case]:
    """Return the empty cache first, then the full ones."""
    names = [one.name for one in present]
    first = "RustCache" if "RustCache" in names else "SimpleCache"
    script = ("child.py", "collection")
    cases = [Case(f"{first}, empty", (*script, first, "lists", 0, 0))]
    for one in present:
        # By reference all are alike to the collector: one of them shows it.
        if one.isolated or one.name == "cachebox LRUCache":
            cases.append(Case(one.name + FULL, (*script, one.name, "lists", entries, 0), one.note))
    if "RustCache" in names:
        cases.append(Case("RustCache" + READ_FULL, (*script, "RustCache", "lists", entries, HITS)))
    return cases


def collections(field: Field) -> Table:
    """Measure `gc.collect()` with P8 lists cached against an empty cache."""
    quick = field.settings.quick
    entries = QUICK_LISTS if quick else LISTS
    cases = collection_cases(field.contestants, entries)
    rows, remarks = in_turns(cases, repeats=1 if quick else 9)
    remarks.append("a new process per sample; a sample is the median of five collections")
    title = f"gc.collect() with {entries:,} lists of P8 cached"
    reference = cases[0].name
    return Table("gc", title, "ns per collection", rows, reference=reference, remarks=remarks)


def imports(field: Field) -> Table:
    """Measure the first import of the package, of Flask-Caching and of Flask alone."""
    modules = ["flask", "flask_caching"]
    if any(one.name == "RustCache" for one in field.contestants):
        modules.append("flask_rustcache")
    cases = [Case(name, ("first_import.py", name)) for name in modules]
    rows, remarks = in_turns(cases, repeats=1 if field.settings.quick else 9)
    remarks.append("flask_caching imports flask; flask_rustcache imports both")
    title = "first import in a new interpreter"
    return Table("import", title, "ns", rows, reference="flask_caching", remarks=remarks)
