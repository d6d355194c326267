"""The table of traps in docs/testing.md: made here, and read here by the test of the document."""

from __future__ import annotations

import re
from typing import Any

from caches import OURS
from catalogue import ROOT, TRAPS
from tested import Tests

DOCUMENT = ROOT / "docs" / "testing.md"
START, END = "<!-- traps -->\n", "<!-- end -->"
#: Tests that a row names.
SHOWN = 2


def _tests(names: list[str]) -> str:
    # Those of the traps' own files first, and a whole file only where no test of it is named.
    order = sorted(names, key=lambda name: (not name.startswith("test_traps"), "::" not in name))
    more = f" and {len(order) - SHOWN} more" if len(order) > SHOWN else ""
    return ", ".join(f"`{name}`" for name in order[:SHOWN]) + more


def _peers(verdicts: dict[str, Any] | None) -> tuple[str, str]:
    if verdicts is None:
        return "no probe", ""
    peers = {name: verdict.word for name, verdict in verdicts.items() if name != OURS}
    bad = [f"{name} {word}" for name, word in peers.items() if word in ("fails", "hangs", "crashes")]
    good = [name for name, word in peers.items() if word == "passes"]
    return ", ".join(bad) or "none", ", ".join(good)


def block(setting: str, tests: Tests, found: dict[str, dict[str, Any]]) -> str:
    """Return the text that stands between the marks."""
    lines = [setting, "", "| trap | what | tests | fails | passes |", "|---|---|---|---|---|"]
    for trap, what in TRAPS.items():
        bad, good = _peers(found.get(trap))
        lines.append(f"| {trap} | {what} | {_tests(tests[trap])} | {bad} | {good} |")
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Put the text between the marks of the document."""
    document = DOCUMENT.read_text("utf-8")
    before, rest = document.split(START)
    _, after = rest.split(END, 1)
    DOCUMENT.write_text(before + START + text + END + after, "utf-8")


def rows() -> dict[str, list[str]]:
    """Return the tests that the document's table names, by trap."""
    text = DOCUMENT.read_text("utf-8").split(START)[1].split(END)[0]
    cells = [line.split(" | ") for line in text.splitlines() if re.match(r"\| [A-K]\d+ \|", line)]
    return {row[0].removeprefix("| "): re.findall(r"`(\w[\w/.:]*)`", row[2]) for row in cells}
