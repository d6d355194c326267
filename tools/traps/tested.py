"""Finds the tests of each trap, by what the tests' own documentation says.

A docstring that begins with names ("C6, C9: ..."), or says "Trap A1" or "Traps C1 to C5 and C7", claims
them: of a function, that test; of a module, the whole file. Rust's doc comments count alike.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from catalogue import NAME, ROOT, TRAPS

NAMES = r"(?:[A-CE-K]\d{1,2}(?:, | and | to |, and )?)+"
CLAIM = re.compile(rf"\A{NAMES}(?=[:.])|\b[Tt]raps? (?P<named>{NAMES})")
RANGE = re.compile(r"([A-K])(\d+) to \1(\d+)")
DOC = re.compile(r"((?:^[ \t]*///[^\n]*\n)+)(?:^[ \t]*#\[[^\n]*\n)*^[ \t]*(?:pub )?fn (\w+)", re.M)

Tests = dict[str, list[str]]


def claims(text: str) -> set[str]:
    """Return the traps that a docstring claims to test."""
    found: set[str] = set()
    for match in CLAIM.finditer(text):
        names = match["named"] or match[0]
        found.update(NAME.findall(names))
        for letter, first, last in RANGE.findall(names):
            found.update(f"{letter}{number}" for number in range(int(first), int(last) + 1))
    return found


def _python(file: Path) -> Iterator[tuple[str, set[str]]]:
    tree = ast.parse(file.read_text("utf-8"))
    whole = claims(" ".join((ast.get_docstring(tree) or "").split()))
    single: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            told = claims(" ".join((ast.get_docstring(node) or "").split()))
            single |= told
            yield f"{file.stem}::{node.name}", told
    # The file as a whole stands for what no single test of it names.
    yield file.stem, whole - single


def _rust(file: Path) -> Iterator[tuple[str, set[str]]]:
    for doc, name in DOC.findall(file.read_text("utf-8")):
        text = " ".join(line.strip().removeprefix("///").strip() for line in doc.splitlines())
        yield f"{file.relative_to(ROOT)}::{name}", claims(text)


def tests() -> Tests:
    """Return the tests of each trap. A name of a test is its file's, and its function's after ``::``."""
    found: Tests = {trap: [] for trap in TRAPS}
    folder = ROOT / "tests"
    python = chain.from_iterable(map(_python, sorted(folder.glob("test_*.py"))))
    rust = chain.from_iterable(
        map(_rust, [*sorted(folder.rglob("*.rs")), *sorted((ROOT / "src").rglob("*test*.rs"))])
    )
    for name, told in chain(python, rust):
        for trap in told & set(TRAPS):
            found[trap].append(name)
    return found


def exists(name: str) -> bool:
    """Tell whether a test is still there."""
    place, _, function = name.partition("::")
    file = ROOT / place if place.endswith(".rs") else ROOT / "tests" / f"{place}.py"
    return file.exists() and (
        not function or bool(re.search(rf"\b(def|fn) {function}\b", file.read_text("utf-8")))
    )
