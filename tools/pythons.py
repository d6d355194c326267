"""Which CPythons this machine has: those that the package is built for and tested on.

Usage: python tools/pythons.py [FIRST]. Prints one path for each version from FIRST (else 3.11) on, in order.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PLACES = ["/usr/bin", "/usr/local/bin", *map(str, sorted(Path.home().glob(".pyenv/versions/*/bin")))]
# Debian has Pythons that cannot make virtual environments, and ensurepip tells. Free-threaded ones are apart.
PROBE = """
import ensurepip, sys, sysconfig
assert sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print("%d.%d" % sys.version_info[:2])
"""


class Python(NamedTuple):
    """An interpreter that serves."""

    version: str
    path: str


def found() -> list[Python]:
    """All that serve, oldest version first; of one version, in the order of the places."""
    candidates = [path for place in PLACES for path in Path(place).glob("python3.*")]
    named = [path for path in candidates if path.name.removeprefix("python3.").isdigit()]
    distinct = {path.resolve(): path for path in reversed(named)}
    pythons = [
        Python(version, str(path)) for path in reversed(distinct.values()) if (version := _probe(path))
    ]
    return sorted((python for python in pythons if python.version in wanted()), key=_age)


def firsts(pythons: list[Python]) -> list[Python]:
    """The first of each version."""
    return list({python.version: python for python in reversed(pythons)}.values())[::-1]


def wanted() -> list[str]:
    """The versions that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [name.rpartition(" ")[2] for name in project["classifiers"] if "Language :: Python :: 3." in name]
    return sorted(names, key=_number)


def _probe(path: Path) -> str:
    answer = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _age(python: Python) -> int:
    return _number(python.version)


def _number(version: str) -> int:
    return int(version.partition(".")[2])


if __name__ == "__main__":
    first = _number(sys.argv[1] if len(sys.argv) > 1 else "3.11")
    print(*[python.path for python in firsts(found()) if _age(python) >= first], sep="\n")
