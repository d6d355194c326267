"""Measure RustCache side by side with SimpleCache and its peers: `python benches/run.py --help`."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import aims
import apart
import contestants
import crowd
import hits
import machine
import memo
import processes
import threads
import trees
import views
import workloads
from measure import Settings
from report import Grid, Report, Table
from scale import scale
from workloads import Field

REPORT = Path(__file__).resolve().parent / "report"
QUICK = Settings(repeats=3, target_ns=500_000, quick=True)
METHOD = """\
method: every contestant has a compiled loop of its own, calling as an application does
  (cache.get(key)); it is warmed up, its answers are checked, its sample length is settled; then
  all contestants are sampled in turns, {repeats} rounds of about {target:g} ms each, the first of a round
  moving on by one. P1 and P2 use the same str keys again (hash known), P3 new ones made before
  the clock starts. P4, P5 and P9 call the decorated view in a request context, P6 and P11 run in an
  app context, P10 copies a prepared environ for each request. The peers' decorators know no
  requests: they are on plain functions. A crowd is 32 threads, each time for a key not asked for
  before. Garbage collection is off while sampling. Shown: median, 10th and 90th percentile;
  "SimpleCache /" is how many times faster than SimpleCache, "/ floor" how many times the floor's
  cost. Smaller figures are better, but for hit ratios. Memory and collections are measured in
  processes of their own.
"""

SECTIONS: dict[str, Callable[[Field], Iterable[Table | Grid]]] = {
    "P1": lambda field: [workloads.read(field)],
    "P2": lambda field: [workloads.overwrite(field)],
    "P3": lambda field: [workloads.evict(field, "P3", 500)],
    "P3b": lambda field: [workloads.evict(field, "P3b", 10_000)],
    "P4": lambda field: [views.text_view(field)],
    "P5": lambda field: [views.query_view(field)],
    "P6": lambda field: [memo.calls(field)],
    "P7": lambda field: [trees.read_trees(field, trees.SHAPES["P7"])],
    "P8": lambda field: [trees.read_trees(field, trees.SHAPES["P8"])],
    "P8-10k": lambda field: [trees.read_trees(field, trees.SHAPES["P8-10k"])],
    "P9": lambda field: [views.response_view(field)],
    "P10": views.requests,
    "P11": lambda field: [views.proxy(field)],
    "fills": memo.fills,
    "crowd": crowd.crowds,
    "scale": scale,
    "threads": threads.crowded,
    "apart": apart.tables,
    "memory": processes.memory,
    "gc": lambda field: [processes.collections(field)],
    "import": lambda field: [processes.imports(field)],
    "hits": hits.hits,
    "policies": hits.policies,
}


def sections(text: str) -> list[str]:
    """Return the names in a comma-separated list, in the order they run.

    Raises:
        argparse.ArgumentTypeError: one of them is not a section.
    """
    asked = {name.strip() for name in text.split(",")}
    if unknown := asked - set(SECTIONS):
        known = ", ".join(SECTIONS)
        raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}; there are {known}")
    return [name for name in SECTIONS if name in asked]


def options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test: the numbers mean nothing")
    parser.add_argument("--only", type=sections, default=list(SECTIONS), metavar="P1,P3")
    parser.add_argument("--repeats", type=int, default=Settings.repeats, help="samples of each contestant")
    where = (
        "where the report goes; by default benches/report for a full run, nowhere for a part or a quick one"
    )
    parser.add_argument("--report", type=Path, metavar="FOLDER", help=where)
    asked = parser.parse_args()
    if asked.report is None and asked.only == list(SECTIONS) and not asked.quick:
        asked.report = REPORT
    return asked


def head(settings: Settings) -> dict[str, Any]:
    """Return what the figures were measured on, with what and how."""
    method = METHOD.format(repeats=settings.repeats, target=settings.target_ns / 1e6)
    if settings.quick:
        method += "QUICK: a smoke test of the benchmark; these numbers mean nothing.\n"
    return {"machine": machine.describe(), "versions": contestants.versions(), "method": method}


def preamble(head: dict[str, Any], missing: list[str]) -> Iterator[str]:
    """Yield the lines that say what follows was measured on, with what and how."""
    for label, text in head["machine"].items():
        yield f"{label}: {text}"
    yield "versions: " + ", ".join(f"{name} {at}" for name, at in head["versions"].items())
    yield head["method"]
    yield from missing


def write(report: Report, folder: Path) -> None:
    """Write and draw a report."""
    folder.mkdir(parents=True, exist_ok=True)
    found = report.write_figures(folder / "report.json", {"aims": aims.judge(report.tables)})
    try:
        # Not before: what is not loaded while others are measured is in nobody's way.
        plots = importlib.import_module("plots")
    except ImportError as error:
        report.say(f"the plots are left out: {error}")
    else:
        for sentence in plots.draw(found, folder):
            report.say(sentence)
    report.write_text(folder / "report.txt")


def main() -> None:
    """Measure and print; write and draw the report if there is to be one."""
    asked = options()
    settings = QUICK if asked.quick else Settings(repeats=asked.repeats)
    present, missing = contestants.gather()
    report = Report(head(settings))
    report.say("\n".join(preamble(report.head, missing)))
    for name in asked.only:
        for found in SECTIONS[name](Field(present, settings)):
            report.add(found)
        contestants.close()
    report.say(aims.render(report.tables))
    if asked.report:
        write(report, asked.report)


if __name__ == "__main__":
    # A fixed seed, so that two runs lay out their dicts alike; it has to be set before the start.
    if "PYTHONHASHSEED" in os.environ:
        main()
    else:
        seeded = os.environ | {"PYTHONHASHSEED": "0"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=seeded, check=False).returncode)
