"""Upstream's own suites, unmodified, pass with RustCache in SimpleCache's place, and Cache in Cache's.

How the swap is made, and why it is only a swap: tests/conformance/README.md.
"""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).resolve().parent
SDISTS = HERE.parent / ".cache" / "sdists"

# Seconds. The suites take about a second each, since no sleep is real; a hang must still end.
RUN_LIMIT = 300
DOWNLOAD_LIMIT = 300

# The reasons upstream gives when there is no server (or no client for one), or an older Python.
EXCUSED = re.compile(r"redis|pylibmc|memcached|Python 3\.14", re.IGNORECASE)


@dataclass(frozen=True)
class Upstream:
    """A source distribution, the tests of it that we run, and what they came to when they passed.

    Attributes:
        name: The distribution's name on the package index.
        release: Its version.
        sha256: Of the ``.tar.gz``, in hexadecimal.
        tests: Path of the tests, from the distribution's root.
        passed: How many passed on Python 3.11 with no server running: the least we accept.
        built: The least number of RustCaches made by such a run.
        slept: Seconds slept for expiries, which must have reached our clock instead.
    """

    name: str
    release: str
    sha256: str
    tests: str
    passed: int
    built: int
    slept: float

    @property
    def folder(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.release}"


CACHELIB = Upstream(
    name="cachelib",
    release="0.17.0",
    sha256="f3c7dc8d3c1132ab699681ffdf8a52d341d9425ac1401c538cf0b1d87b1677c8",
    tests="tests/test_simple_cache.py",
    passed=60,
    built=60,
    slept=20,
)
FLASK_CACHING = Upstream(
    name="flask-caching",
    release="2.5.1",
    sha256="f75b451fde3faac0e278da72263818134deca8c4ba6bb07b9b3b238991368dae",
    tests="tests",
    passed=211,
    built=178,
    slept=0,
)

# The least number of our Caches made by a run of Flask-Caching's suite with cache_plugin.
CACHES_BUILT = 176


@dataclass(frozen=True)
class Outcome:
    """What a child run's JUnit report says."""

    passed: int
    bad: list[str]
    skips: list[str]
    properties: dict[str, str]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def download(upstream: Upstream, folder: str) -> Path:
    """Fetch the source distribution through pip, so from whichever index pip is set up for."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", upstream.name, "--dest", folder]
    command += [f"{upstream.name}=={upstream.release}"]
    fetched = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT)
    assert fetched.returncode == 0, f"pip could not fetch {upstream.folder}:\n{fetched.stderr}"
    return Path(folder) / f"{upstream.folder}.tar.gz"


def source_distribution(upstream: Upstream) -> Path:
    """Give the checked archive, fetched on the first run of a checkout only."""
    kept = SDISTS / f"{upstream.folder}.tar.gz"
    if not (kept.exists() and digest(kept) == upstream.sha256):
        SDISTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=SDISTS) as folder:
            fetched = download(upstream, folder)
            assert digest(fetched) == upstream.sha256, f"{fetched.name} is not the one we pinned"
            fetched.replace(kept)
    return kept


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as packed:
        # Early 3.11s lack the filters. What is unpacked was checked against its pinned digest.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        packed.extractall(folder)


def child_environment() -> dict[str, str]:
    """Give this process's environment without what would steer the child's pytest.

    ``CI`` goes because upstream's fixtures then fail, instead of skipping, without a server.
    """
    kept = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST_")}
    paths = [str(HERE / "conformance"), kept.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run_suite(upstream: Upstream, folder: Path, plugins: list[str]) -> tuple[Outcome, str]:
    """Run the unpacked suite in a child process and give its outcome and its output."""
    report = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", upstream.tests]
    command += [option for plugin in plugins for option in ("-p", plugin)]
    command += [f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"]
    command += ["-o", f"cache_dir={folder / 'pytest_cache'}"]
    # No test needs pytest-asyncio; where installed, it warns at start, an error to both suites.
    command += ["-p", "no:asyncio"]
    run = subprocess.run(
        command,
        check=False,
        cwd=folder / upstream.folder,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT,
    )
    output = run.stdout + run.stderr
    assert report.exists(), output
    return read_report(report), output


def read_report(report: Path) -> Outcome:
    """Sort the cases of a JUnit report into passed, skipped and everything else."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    passed, bad, skips = 0, [], []
    for case in suite.iter("testcase"):
        skipped = case.find("skipped")
        if skipped is not None:
            skips.append(skipped.get("message", ""))
        elif case.find("failure") is not None or case.find("error") is not None:
            bad.append(f"{case.get('classname')}::{case.get('name')}")
        else:
            passed += 1
    properties = {p.get("name", ""): p.get("value", "") for p in suite.iter("property")}
    return Outcome(passed, bad, skips, properties)


def skip_unless_installed(upstream: Upstream) -> None:
    """Skip where another minor release is installed: its behaviour is another suite's business."""
    installed = version(upstream.name).split(".")[:2]
    if installed != upstream.release.split(".")[:2]:
        pytest.skip(f"{upstream.name} {'.'.join(installed)} is installed, not {upstream.release}")


def check_suite_passes(upstream: Upstream, folder: Path, plugins: list[str]) -> dict[str, str]:
    """Run the suite with some of our classes swapped in, and give what was built."""
    skip_unless_installed(upstream)
    unpack(source_distribution(upstream), folder)
    outcome, output = run_suite(upstream, folder, plugins)

    assert not outcome.bad, output
    assert outcome.passed >= upstream.passed, output
    assert not [reason for reason in outcome.skips if not EXCUSED.search(reason)], output
    return outcome.properties


def check_only_rustcache_was_built(upstream: Upstream, built: dict[str, str]) -> None:
    assert int(built["built RustCache"]) >= upstream.built
    assert int(built["built SimpleCache"]) == 0
    assert float(built["moved seconds"]) == upstream.slept


@pytest.mark.parametrize("upstream", [CACHELIB, FLASK_CACHING], ids=lambda u: u.folder)
def test_upstream_suite_passes_on_rustcache(upstream: Upstream, tmp_path: Path):
    """The suite passes, in full, and what it exercised was RustCache alone."""
    built = check_suite_passes(upstream, tmp_path, ["plugin"])
    check_only_rustcache_was_built(upstream, built)
    assert "built Cache" not in built


def test_upstream_suite_passes_with_our_cache_on_rustcache(tmp_path: Path):
    """The suite passes with both of our classes under upstream's names."""
    built = check_suite_passes(FLASK_CACHING, tmp_path, ["plugin", "cache_plugin"])
    check_only_rustcache_was_built(FLASK_CACHING, built)
    assert int(built["built Cache"]) >= CACHES_BUILT


def test_upstream_suite_passes_with_our_cache_on_upstreams_backends(tmp_path: Path):
    """The suite passes where the backend is none of ours: everything goes through upstream's code."""
    built = check_suite_passes(FLASK_CACHING, tmp_path, ["cache_plugin"])
    assert "built RustCache" not in built
    assert int(built["built Cache"]) >= CACHES_BUILT
