"""Writes THIRD-PARTY-LICENSES.txt: whose code the wheels hold beside our own, and on what terms.

The Rust crates linked into the extension all offer the MIT licence, which asks that its text and the
copyright notice go along. Usage: python tools/third_party.py [--check]; with --check it writes nothing,
and fails if the file is out of date.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "THIRD-PARTY-LICENSES.txt"
# What .github/workflows/wheels.yml builds for.
TARGETS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
HEAD = """\
The wheels of flask-rustcache hold, compiled into the extension module, the Rust crates listed here, and
Rust's standard library (Copyright The Rust Project Developers). All are used under the MIT licence, whose
texts follow. Written by tools/third_party.py.
"""
LINE = "-" * 100


def document() -> str:
    """The file's text: the crates by licence text, since many share one."""
    by_text: dict[str, list[str]] = {}
    for crate in linked_crates():
        by_text.setdefault(licence(crate), []).append(crate["name"])
    parts = [f"{LINE}\n{', '.join(names)}\n\n{text}\n" for text, names in by_text.items()]
    return "\n".join([HEAD, *parts])


def linked_crates() -> list[dict[str, Any]]:
    """The crates linked into the extension on any of the targets, by name."""
    answer = metadata()
    packages = {package["id"]: package for package in answer["packages"]}
    nodes = {node["id"]: node for node in answer["resolve"]["nodes"]}
    root = answer["resolve"]["root"]
    seen, waiting = {root}, [root]
    while waiting:
        linked = {dep["pkg"] for dep in nodes[waiting.pop()]["deps"] if is_linked(dep, packages[dep["pkg"]])}
        waiting += linked - seen
        seen |= linked
    return sorted((packages[name] for name in seen - {root}), key=lambda package: package["name"])


def is_linked(dependency: dict[str, Any], package: dict[str, Any]) -> bool:
    """Whether a dependency is part of the outcome: none for tests or the build, and no procedural macro."""
    normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
    return normal and not any("proc-macro" in target["kind"] for target in package["targets"])


def metadata() -> dict[str, Any]:
    """What cargo knows of the dependencies."""
    platforms = [f"--filter-platform={target}" for target in TARGETS]
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--features=python", *platforms]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def licence(crate: dict[str, Any]) -> str:
    """The text of a crate's MIT licence, with its copyright notice."""
    files = sorted(Path(crate["manifest_path"]).parent.iterdir())
    for file in files:
        if file.name.upper().startswith("LICENSE-MIT"):
            lines = file.read_text("utf-8").strip().splitlines()
            return "\n".join(line.rstrip() for line in lines)
    sys.exit(f"{crate['name']} ({crate['license']}) has no LICENSE-MIT: see its terms, and tell this tool")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        FILE.write_text(document(), "utf-8", newline="\n")
    elif FILE.read_text("utf-8") != document():
        sys.exit(f"{FILE.name} is out of date: run `make third-party`")
