"""The benchmark runs and reports; whether its numbers are good is no test's business."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

BENCHES = Path(__file__).resolve().parents[1] / "benches"
CONTESTANTS = (
    "SimpleCache",
    "RustCache",
    "cachebox LRUCache",
    "cachebox TTLCache",
    "moka-py Moka",
    "theine Cache",
    "cachetools TTLCache + Lock",
)
DECORATORS = {
    "cachebox.cached TTLCache, plain function": "cachebox",
    "moka_py.cached, plain function": "moka-py",
    "theine.Memoize, plain function": "theine",
    "cachetools.cached TTLCache + Lock, plain function": "cachetools",
}
SETUPS = ("SimpleCache", "RustCache, backend only", "RustCache, both")


def bench(script: str, *arguments: str) -> str:
    """Run one of the benchmark's programs; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(BENCHES / script), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        # Set here, the run need not start itself again: the limit then ends all there is to end.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def quick(sections: str, folder: Path) -> tuple[str, dict[str, dict[str, float]]]:
    """Make a quick run; return what it printed, and the medians of each table."""
    printed = bench("run.py", "--quick", "--only", sections, "--report", str(folder))
    tables = json.loads((folder / "report.json").read_text())["tables"]
    return printed, {table["key"]: {row["name"]: row["median"] for row in table["rows"]} for table in tables}


def words(plot: bytes) -> str:
    """Return all that is written on a plot."""
    return " ".join(text.strip() for text in ElementTree.fromstring(plot).itertext())


def test_quick_run_names_every_contestant_and_prints_figures(tmp_path: Path) -> None:
    printed, tables = quick("P1", tmp_path)
    for name in CONTESTANTS:
        # Peers are optional in a test environment; the report says who is left out.
        row = rf"^ +{re.escape(name)} +[\d,.]+ +[\d,.]+ +[\d,.]+ "
        assert re.search(row, printed, re.M) or f"{name} is left out" in printed, name
    assert "P1: times faster than SimpleCache" in printed
    assert tables["P1"]["SimpleCache"] > 0
    assert tables["P1"]["RustCache"] > 0


def test_quick_run_measures_every_way_to_write_an_application(tmp_path: Path) -> None:
    printed, tables = quick("P4,P5,P6,P9,P10,P11", tmp_path)
    assert list(tables) == ["P4", "P5", "P6", "P9", "P10-str", "P10-list", "P11"]
    for key, medians in tables.items():
        assert medians.keys() > set(SETUPS), key
        # Less than nothing would mean that a call cost less than the empty loop.
        assert all(medians[name] > 0 for name in SETUPS), key
    for aim in ("P4: times a lru_cache hit", "P6: times a lru_cache hit"):
        assert aim in printed
    for key in ("P4", "P5", "P6", "P9", "P10-str"):
        for name, package in DECORATORS.items():
            assert name in tables[key] or re.search(rf"^{package} .* is left out", printed, re.M), (key, name)


def test_quick_run_measures_fills_and_crowds(tmp_path: Path) -> None:
    printed, tables = quick("fills,crowd", tmp_path)
    assert set(tables["fills-view"]) == {"single_flight=False", "single_flight=True"}
    for key in ("crowd-view", "crowd-memoize", "crowd-busy"):
        assert tables[key].keys() >= set(SETUPS), key
        # No crowd can be answered before the function has run once. How long that takes is certain
        # where it waits; where it computes, other programs may have slowed the one down and not the other.
        least = 0 if key == "crowd-busy" else 0.5
        assert all(ratio > least for ratio in tables[key].values()), key
    assert re.search(r"RustCache, both .* ran once$", printed, re.M)


def test_a_report_has_all_its_parts_and_is_drawn_alike_again(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    printed, tables = quick("P1,P4,scale,memory,hits,policies", folder)
    assert (folder / "report.txt").read_text() == printed
    report = json.loads((folder / "report.json").read_text())
    assert report.keys() == {"machine", "versions", "method", "tables", "grids", "aims"}
    assert all(row.keys() >= {"median", "p10", "p90", "samples"} for row in report["tables"][0]["rows"])
    assert tables["hits-loop 1011@500"]["RustCache"] > tables["hits-loop 1011@500"]["functools.lru_cache"]
    assert tables["memory-str"]["RustCache"] > 200

    plots = {plot.stem: plot.read_bytes() for plot in folder.glob("*.svg")}
    simulated = {"policies"} if shutil.which("cargo") else set()
    assert plots.keys() == {"speed", "scale", "hits", "memory"} | simulated
    for name, plot in plots.items():
        # A plot says what was measured on what, and that a smoke test shows nothing.
        said = words(plot)
        assert report["machine"]["date"] in said, name
        assert "SMOKE TEST" in said, name
        assert ("ours" if name == "policies" else "RustCache") in said, name

    bench("plots.py", str(folder))
    assert {plot.stem: plot.read_bytes() for plot in folder.glob("*.svg")} == plots, "not drawn alike"


def test_a_part_of_the_benchmark_leaves_the_report_alone() -> None:
    kept = {path: path.read_bytes() for path in (BENCHES / "report").iterdir()}
    bench("run.py", "--quick", "--only", "import")
    assert {path: path.read_bytes() for path in (BENCHES / "report").iterdir()} == kept


def test_one_slow_call_does_not_settle_the_length_of_a_sample() -> None:
    """Else what is timed is single calls, all of them on cold memory: a table that grew made it so."""
    code = """
from measure import Lane, calibrate
figures = iter([84e6])
lane = Lane("grows once", lambda ops: next(figures, 100))
calibrate(lane, 15_000_000)
print(lane.ops)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHES, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 150_000
