"""The long run works and notices what it is there for; the report that is kept is of one that passed."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

SOAK = Path(__file__).resolve().parents[1] / "benches" / "soak"
LIMIT = 120


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_run_of_seconds_reports(tmp_path):
    """Served, loaded, reloaded, sampled, reported; too short to judge memory, and says so."""
    command = [sys.executable, str(SOAK / "run.py"), "--minutes=0.1", "--into", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False, env=os.environ)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert (tmp_path / "report.txt").read_text() + "\n" == run.stdout
    assert "resident memory over the second half" in run.stdout
    assert "NOT FLAT" not in run.stdout
    summary = json.loads((tmp_path / "report.json").read_text())
    assert summary["passed"]
    assert summary["requests"] > 20
    assert len(summary["reloads"]) > 0
    assert summary["counters"]["hits"] > 0
    assert "</svg>" in (tmp_path / "report.svg").read_text()


@pytest.fixture
def soak(monkeypatch):
    """Import the long run's modules by name, and leave no trace of them behind."""
    names = ["record", "summary", "verdict", "machine"]
    before = {name: sys.modules.pop(name, None) for name in names}
    for folder in (SOAK, SOAK.parent):
        monkeypatch.syspath_prepend(str(folder))
    modules = {name: __import__(name) for name in names}
    yield type("Soak", (), modules)
    for name in names:
        del sys.modules[name]
        if before[name] is not None:
            sys.modules[name] = before[name]


def memory(growth, seconds=300):
    """Return samples of 50 MiB with noise, dips and a spike, and so many bytes of growth a second."""
    random = Random(1)
    noise = [random.gauss(0, 100_000) - (8 << 20) * (at % 50 == 0) for at in range(seconds)]
    noise[seconds // 2] += 64 << 20
    return [(float(at), (50 << 20) + noise[at] + growth * at) for at in range(seconds)]


@pytest.mark.parametrize(
    ("growth", "flat"),
    [(0, True), (1_000, True), (10_000, False), (-10_000, True)],
)
def test_flat_is_flat_and_a_leak_is_none(soak, growth, flat):
    """A leak of 10 kB a second shows through dips, a spike and noise; a cache that shrinks is no leak."""
    verdict = soak.verdict.judge(memory(growth))
    assert verdict.flat is flat
    assert math.isclose(verdict.growth, 299 * growth, abs_tol=60_000)
    assert soak.verdict.judge(memory(growth)[:30]).flat is None


def seen(soak, growth=0, **changes):
    """Return the record of a run of 600 seconds with one worker."""
    record = soak.record.Record(600, 1, {}, master=1)
    record.memory = [
        soak.record.Memory(at, process, int(value)) for at, value in memory(growth, 600) for process in (1, 2)
    ]
    stats = dict.fromkeys(soak.summary.HAPPENED, 1)
    record.counters = [soak.record.Counters(1.0, 2, stats | changes.pop("stats", {}))]
    record.requests = [soak.record.Request(at / 10, 0.001) for at in range(100)]
    for name, value in changes.items():
        setattr(record, name, value)
    return record


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({}, None),
        ({"growth": 10_000}, "the memory of worker 1 is not flat"),
        ({"errors": [(3.0, "WrongAnswerError: not mine")]}, "at 3.0 s: WrongAnswerError: not mine"),
        ({"lost": [12.0], "reloads": [10.0]}, None),
        ({"lost": [50.0], "reloads": [10.0]}, "at 50.0 s a connection was lost"),
        ({"stats": {"evictions": 0}}, "there were no evictions"),
    ],
)
def test_what_is_wrong_fails_the_run(soak, changes, complaint):
    summary = soak.summary.summarise(seen(soak, **changes))
    assert summary["passed"] is (complaint is None)
    assert complaint is None or any(complaint in one for one in summary["complaints"])
    assert soak.summary.text_of(summary).startswith("FAILED" if complaint else "passed")


def test_the_kept_report_passed():
    """The repository's report is of a run of at least ten minutes that passed."""
    summary = json.loads((SOAK / "report.json").read_text())
    assert summary["passed"]
    assert summary["minutes"] >= 10
    assert all(one["flat"] for one in summary["memory of the second half"].values())
