"""The benchmark runs and reports; whether its numbers are good is no test's business."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "benches" / "run.py"
CONTESTANTS = (
    "SimpleCache",
    "RustCache",
    "cachebox LRUCache",
    "cachebox TTLCache",
    "moka-py Moka",
    "cachetools TTLCache + Lock",
)
DECORATORS = {
    "cachebox.cached TTLCache, plain function": "cachebox",
    "moka_py.cached, plain function": "moka-py",
    "cachetools.cached TTLCache + Lock, plain function": "cachetools",
}
SETUPS = ("SimpleCache", "RustCache, backend only", "RustCache, both")


def quick(sections: str, kept: Path) -> tuple[str, dict[str, dict[str, float]]]:
    """Make a quick run; return what it printed, and the medians of each table."""
    done = subprocess.run(
        [sys.executable, str(RUN), "--quick", "--only", sections, "--json", str(kept)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # Set here, the run need not start itself again: the limit then ends all there is to end.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr
    tables = json.loads(kept.read_text())["tables"]
    return done.stdout, {
        table["key"]: {row["name"]: row["median"] for row in table["rows"]} for table in tables
    }


def test_quick_run_names_every_contestant_and_prints_figures(tmp_path: Path) -> None:
    printed, tables = quick("P1", tmp_path / "bench.json")
    for name in CONTESTANTS:
        # Peers are optional in a test environment; the report says who is left out.
        row = rf"^ +{re.escape(name)} +[\d,.]+ +[\d,.]+ +[\d,.]+ "
        assert re.search(row, printed, re.M) or f"{name} is left out" in printed, name
    assert "P1: times faster than SimpleCache" in printed
    assert tables["P1"]["SimpleCache"] > 0
    assert tables["P1"]["RustCache"] > 0


def test_quick_run_measures_every_way_to_write_an_application(tmp_path: Path) -> None:
    printed, tables = quick("P4,P5,P6,P9,P10,P11", tmp_path / "bench.json")
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
    printed, tables = quick("fills,crowd", tmp_path / "bench.json")
    assert set(tables["fills-view"]) == {"single_flight=False", "single_flight=True"}
    for key in ("crowd-view", "crowd-memoize", "crowd-busy"):
        assert tables[key].keys() >= set(SETUPS), key
        # No crowd can be answered before the function has run once.
        assert all(ratio > 0.5 for ratio in tables[key].values()), key
    assert re.search(r"RustCache, both .* ran once$", printed, re.M)
