"""What is measured in child processes: memory per entry, collections, import time."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import child
from contestants import Contestant
from measure import Row
from report import Table
from workloads import Field

# DESIGN.md's default of CACHE_PROTOTYPE_BYTES, which hits may use up on top of the compact form.
PROTOTYPE_BYTES = 16 << 20
LISTS, QUICK_LISTS = 10_000, 200
STRINGS, QUICK_STRINGS = 100_000, 5_000
HITS = 2
READ, FULL, EMPTY = ", after two hits each", ", full", "RustCache, empty"
READ_FULL = ", full, after two hits each"


@dataclass(frozen=True)
class Case:
    """One row whose samples are made by children.

    Attributes:
        name: the row's name.
        job: what the child does (see child.py).
        arguments: what the child is told.
        note: what the reader must know to compare it.
    """

    name: str
    job: str
    arguments: tuple[Any, ...]
    note: str = ""


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
                rows[case.name].samples.append(child.run(case.job, *case.arguments))
            except subprocess.CalledProcessError as error:
                last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
                failed[case.name] = f"{case.name} is left out: {' '.join(last)}"
            except subprocess.TimeoutExpired:
                failed[case.name] = f"{case.name} is left out: no answer in {child.TIME_LIMIT} s"
    return [row for name, row in rows.items() if name not in failed], list(failed.values())


def memory_cases(contestants: list[Contestant], kind: str, entries: int) -> list[Case]:
    """Return a case per contestant, and one that reads, too, where reading may add to memory."""
    cases = []
    for one in contestants:
        cases.append(Case(one.name, "memory", (one.name, kind, entries, 0), one.note))
        if kind == "lists" and one.isolated:
            told = (one.name, kind, entries, HITS)
            note = "prototype budget included" if one.name == "RustCache" else ""
            cases.append(Case(one.name + READ, "memory", told, note))
    return cases


def memory(field: Field) -> Iterator[Table]:
    """Measure the bytes an entry adds to the resident set, never read and after two hits."""
    quick = field.settings.quick
    for kind, title, entries in (
        ("str", "a 200-character str", QUICK_STRINGS if quick else STRINGS),
        ("lists", "the list of P8", QUICK_LISTS if quick else LISTS),
    ):
        cases = memory_cases(field.contestants, kind, entries)
        rows, remarks = in_turns(cases, repeats=1 if quick else 3)
        remarks.append("growth of the resident set, key included, values fresh, never read, no bound")
        if kind == "lists":
            share = PROTOTYPE_BYTES / entries
            remarks.append(f"the prototype budget of 16 MiB is {share:,.0f} bytes of each entry")
        yield Table(f"memory-{kind}", f"{entries:,} x {title}", "bytes per entry", rows, remarks=remarks)


def collections(field: Field) -> Table:
    """Measure `gc.collect()` with P8 lists cached against an empty cache."""
    quick = field.settings.quick
    entries = QUICK_LISTS if quick else LISTS
    cases = []
    for one in field.contestants:
        # By reference all are alike to the collector: one of them shows it.
        if one.isolated or one.name == "cachebox LRUCache":
            told = (one.name, "lists", entries, 0)
            cases.append(Case(one.name + FULL, "collection", told, one.note))
    names = [one.name for one in field.contestants]
    reference = EMPTY if "RustCache" in names else "SimpleCache, empty"
    cases.insert(0, Case(reference, "collection", (reference.split(",")[0], "lists", 0, 0)))
    if "RustCache" in names:
        told = ("RustCache", "lists", entries, HITS)
        cases.append(Case("RustCache" + READ_FULL, "collection", told))
    rows, remarks = in_turns(cases, repeats=1 if quick else 9)
    remarks.append("a new process per sample; a sample is the median of five collections")
    title = f"gc.collect() with {entries:,} lists of P8 cached"
    return Table("gc", title, "ns per collection", rows, reference=reference, remarks=remarks)


def imports(field: Field) -> Table:
    """Measure the first import of the package, of Flask-Caching and of Flask alone."""
    modules = ["flask", "flask_caching"]
    if any(one.name == "RustCache" for one in field.contestants):
        modules.append("flask_rustcache")
    cases = [Case(name, "importing", (name,)) for name in modules]
    rows, remarks = in_turns(cases, repeats=1 if field.settings.quick else 9)
    remarks.append("flask_caching imports flask; flask_rustcache imports both")
    title = "first import in a new interpreter"
    return Table("import", title, "ns", rows, reference="flask_caching", remarks=remarks)
