"""Runs the probes of the traps on this cache and on its peers, and writes the table of docs/testing.md.

Run by `make traps`. It fails if a trap has no test, if a probe fails on RustCache, or if the list of traps
has changed. ARGS="--only C6,K1" runs some probes and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import catalogue
import one
import table
import tested
from caches import MAKERS, OURS

#: Seconds. What passes takes a few at most, the start of Python included.
LIMIT = 20
JOBS = 2


@dataclass(frozen=True)
class Verdict:
    """How one probe of one cache ended: passes, fails, hangs, crashes or does not apply; and why."""

    word: str
    why: str = ""


def judge(trap: str, name: str) -> Verdict:
    """Run one probe of one cache in a process of its own."""
    command = [sys.executable, str(Path(one.__file__)), trap, name]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        output, _ = child.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        # With the children that it has forked.
        os.killpg(child.pid, 9)
        child.communicate()
        return Verdict("hangs")
    why = output.strip().splitlines()[-1] if output.strip() else ""
    words = {one.PASSED: "passes", one.FAILED: "fails", one.NOT_APPLICABLE: "-"}
    crash = Verdict("crashes", f"exit code {child.returncode}")
    return Verdict(words[child.returncode], why) if child.returncode in words else crash


def run(traps: list[str]) -> dict[str, dict[str, Verdict]]:
    """Run the probes of some traps, print each verdict as it comes, and return them by trap and cache."""
    pairs = [(trap, name) for trap in traps for name in MAKERS]
    found: dict[str, dict[str, Verdict]] = {trap: {} for trap in traps}
    with ThreadPoolExecutor(JOBS) as pool:
        for (trap, name), verdict in zip(pairs, pool.map(lambda pair: judge(*pair), pairs), strict=True):
            found[trap][name] = verdict
            print(f"{trap:4} {name:12} {verdict.word:8} {verdict.why}", flush=True)
    return found


def setting() -> str:
    """Return what the verdicts are of: the day, the machine's Python, the peers' versions and their setup."""
    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"{day}, {platform.python_implementation()} {platform.python_version()}, {platform.system()}:",
        "",
    ]
    for make in MAKERS.values():
        peer = make()
        also = f", cachelib {version('cachelib')}" if peer.package == "Flask-Caching" else ""
        lines.append(f"* {peer.name}: {peer.package} {version(peer.package)}{also} ({peer.setup})")
    return "\n".join(lines)


def complaints(tests: tested.Tests, found: dict[str, dict[str, Verdict]]) -> list[str]:
    """Return what must not be."""
    bad = [f"{trap} has no test" for trap, names in tests.items() if not names]
    bad += [f"{trap} is in one list of traps only" for trap in catalogue.differences()]
    for trap, verdicts in found.items():
        ours = verdicts[OURS]
        if ours.word not in ("passes", "-"):
            bad.append(f"{trap}: RustCache {ours.word}: {ours.why}")
    return bad


def main() -> int:
    """Run the probes, write the table if all of them ran, and tell what must not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="traps, with commas between them")
    only = parser.parse_args().only
    probes = one.collect()
    chosen = only.split(",") if only else [trap for trap in catalogue.TRAPS if trap in probes]
    # A peer that is not installed ends the run here: it must not look like one that fails.
    heading, tests = setting(), tested.tests()
    print(heading)
    found = run(chosen)
    if not only:
        table.write(table.block(heading, tests, found))
    bad = complaints(tests, found)
    print("\n".join(bad) or f"{len(chosen)} probes, {len(catalogue.TRAPS)} traps: each has a test")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
