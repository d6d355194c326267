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


def test_quick_run_names_every_contestant_and_prints_figures(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, str(RUN), "--quick", "--only", "P1", "--json", str(kept)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # Set here, the run need not start itself again: the limit then ends all there is to end.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0, done.stderr
    for name in CONTESTANTS:
        # Peers are optional in a test environment; the report says who is left out.
        row = rf"^ +{re.escape(name)} +[\d,.]+ +[\d,.]+ +[\d,.]+ "
        assert re.search(row, done.stdout, re.M) or f"{name} is left out" in done.stdout, name
    assert "P1: times faster than SimpleCache" in done.stdout
    (table,) = json.loads(kept.read_text())["tables"]
    medians = {row["name"]: row["median"] for row in table["rows"]}
    assert medians["SimpleCache"] > 0
    assert medians["RustCache"] > 0
