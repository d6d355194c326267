"""Builds the source distribution and a wheel for each CPython that is found, and tries them all.

Each wheel goes into new virtual environments where no compiler and no cargo is on the PATH, one for each
interpreter of its version; the source distribution into one more, built by pip in one go. There, the
README's examples run. Run by `make wheels`; what is built is in dist/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pythons

ROOT = pythons.ROOT
DIST = ROOT / "dist"
PACKAGE = ROOT / "python" / "flask_rustcache"


def main() -> None:
    """Builds, tries, and says which versions are absent."""
    found = pythons.found()
    build(found)
    for python in found:
        [wheel] = DIST.glob(f"*-cp{python.version.replace('.', '')}-*.whl")
        check_contents(wheel)
        smoke(python, wheel, builds=False)
    [sdist] = DIST.glob("*.tar.gz")
    smoke(found[0], sdist, builds=True)
    for file in sorted(DIST.iterdir()):
        print(f"dist/{file.name}")
    absent = set(pythons.wanted()) - {python.version for python in found}
    for version in sorted(absent):
        print(f"CPython {version} is not here: no wheel (.github/workflows/wheels.yml builds one)")


def build(found: list[pythons.Python]) -> None:
    """Fills dist/ anew. maturin looks at the symbols and gives the oldest manylinux tag that they allow."""
    shutil.rmtree(DIST, ignore_errors=True)
    maturin = [sys.executable, "-m", "maturin"]
    run([*maturin, "sdist", "--out", str(DIST)])
    interpreters = [python.path for python in pythons.firsts(found)]
    run([*maturin, "build", "--release", "--locked", "--out", str(DIST), "--interpreter", *interpreters])


def check_contents(wheel: Path) -> None:
    """A wheel holds the package's files, one native module, the licences, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    about = wheel.name.rsplit("-", 3)[0] + ".dist-info"
    sources = {
        f"flask_rustcache/{file.name}"
        for file in PACKAGE.iterdir()
        if file.suffix in {".py", ".pyi", ".typed"}
    }
    licences = {f"{about}/licenses/{name}" for name in ("LICENSE", "THIRD-PARTY-LICENSES.txt")}
    required = sources | licences | {f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    others = {name for name in names - required if not name.startswith(f"{about}/sboms/")}
    missing = required - names
    native = len(others) == 1 and others.pop().startswith("flask_rustcache/_native.")
    if missing or not native:
        sys.exit(f"{wheel.name}: missing {sorted(missing)}, and beyond them {sorted(names - required)}")


def smoke(python: pythons.Python, artefact: Path, *, builds: bool) -> None:
    """Installs into a new environment and runs the README's examples there, with every warning an error."""
    print(f"== {artefact.name} on {python.path}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run([python.path, "-m", "venv", folder])
        programs = f"{folder}/bin"
        path = f"{programs}{os.pathsep}{os.environ['PATH']}" if builds else programs
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
            "PATH": path
        }
        options = [] if builds else ["--only-binary", ":all:"]
        run([f"{programs}/python", "-m", "pip", "install", "--quiet", *options, str(artefact)], environment)
        run([f"{programs}/python", "-I", "-W", "error", str(ROOT / "tools" / "smoke.py")], environment)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Runs a command in the project's root; its failure ends all."""
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
