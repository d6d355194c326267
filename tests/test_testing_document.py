"""docs/testing.md tells the truth: every trap has a test, and the table names tests that exist.

The peers are not run here; `make traps` does that, and writes the table.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TRAPS = Path(__file__).parents[1] / "tools" / "traps"
MODULES = ("catalogue", "tested", "table", "caches")


@pytest.fixture
def tools(monkeypatch):
    """Import the tool's modules by name, and leave no trace of them behind."""
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    monkeypatch.syspath_prepend(str(TRAPS))
    yield {name: __import__(name) for name in MODULES}
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module


def test_every_trap_has_a_test(tools):
    """By name, in the docstring of a test."""
    assert [trap for trap, names in tools["tested"].tests().items() if not names] == []


def test_the_list_of_traps_is_the_whole_list(tools):
    """Where the list that it was made from is at hand."""
    assert tools["catalogue"].differences() == []


def test_the_table_names_every_trap_and_existing_tests(tools):
    rows = tools["table"].rows()
    assert list(rows) == list(tools["catalogue"].TRAPS)
    assert [trap for trap, names in rows.items() if not names] == []
    gone = [name for names in rows.values() for name in names if not tools["tested"].exists(name)]
    assert gone == [], "run `make traps`"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("C6, C9: both.", {"C6", "C9"}),
        ("Traps C1 to C3 and K7, K8: some.", {"C1", "C2", "C3", "K7", "K8"}),
        ("It is in the midst of it (trap A1).", {"A1"}),
        ("K10.", {"K10"}),
        ("The encoding of é is C3 A9.", set()),
    ],
)
def test_what_a_docstring_claims(tools, text, named):
    assert tools["tested"].claims(text) == named


def probe(trap):
    """Run one probe on RustCache; return the exit code and what it printed."""
    command = [sys.executable, str(TRAPS / "one.py"), trap, "RustCache"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("trap", ["I2", "H1", "K1"])
def test_a_probe_runs(trap):
    """RustCache passes."""
    assert probe(trap) == (0, "")


def test_a_probe_that_does_not_exist_fails():
    """So a verdict that none was made for is not taken for a pass."""
    assert probe("A99")[0] == 3
