"""What is published: the source distribution, the licences that go along, and what needs no test runner."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ._child import run_child

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools"


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout whose files could be listed")
def test_the_source_distribution_is_the_checkout(tmp_path):
    """All that is in the repository, tests and lock file included, and nothing else."""
    output_of(sys.executable, "-m", "maturin", "sdist", "--out", str(tmp_path))
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    listed = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    assert names == {name for name in listed if (ROOT / name).is_file()} | {"PKG-INFO"}


def test_the_licences_of_linked_crates_are_up_to_date():
    """A new crate, or one with another licence text, calls for `make third-party`."""
    output_of(sys.executable, str(TOOLS / "third_party.py"), "--check")


def test_the_crates_are_looked_at_for_all_wheels_that_are_built():
    targets = re.findall(r'"(\w+-[a-z]+-[a-z-]+)"', (TOOLS / "third_party.py").read_text("utf-8"))
    assert targets == re.findall(r'"(\w+-[a-z]+-[a-z-]+)"', (ROOT / "deny.toml").read_text("utf-8"))
    assert len(targets) == len(set(targets)) == 7


def test_one_python_of_each_version_is_found():
    paths = output_of(sys.executable, str(TOOLS / "pythons.py")).split()
    tell = "import sys; print(sys.version_info[1])"
    versions = [int(output_of(path, "-c", tell)) for path in paths]
    assert versions == sorted(set(versions))
    later = output_of(sys.executable, str(TOOLS / "pythons.py"), "3.12").split()
    assert later == [path for path, version in zip(paths, versions, strict=True) if version > 11]


def test_the_clock_moved_by_hand_needs_no_pytest():
    """The wheel does not bring pytest along: the README's example runs without it."""
    run_child(
        "-c", "import sys; sys.modules['pytest'] = None; from flask_rustcache.testing import ManualClock"
    )


UNDER_A_TOOL = """
from flask_rustcache import RustCache
cache = RustCache()
cache.set("key", "value", timeout=60)
assert cache.get("key") == "value"
"""


@pytest.mark.skipif(not shutil.which("valgrind"), reason="no valgrind here")
def test_it_runs_under_valgrind():
    """Tools that look into a process may leave it without the kernel's own page of code (the vDSO)."""
    output_of("valgrind", "--tool=none", "--error-exitcode=1", sys.executable, "-c", UNDER_A_TOOL)
