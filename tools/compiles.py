"""Looks whether the extension compiles for CPythons that are promised and not here, free-threaded ones too.

PyO3 has another part of the C API for each version, so that what compiles for one need not for the next. It
is told what there would be instead of looking for an interpreter: nothing is linked, and nothing runs. Part
of `make lint`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pythons

#: The first version without a global lock that the PyO3 in the lock file serves.
FIRST_FREE_THREADED = 14
CONFIG = """\
implementation=CPython
version={version}
shared=false
pointer_width=64
build_flags={flags}
suppress_build_script_link_lines=true
"""
COMMAND = ("cargo", "clippy", "--locked", "--lib", "--features", "python", "--", "-D", "warnings")


def main() -> None:
    """Goes through what is absent, and stops where something does not compile."""
    here = {python.version for python in pythons.found()}
    for version in pythons.wanted():
        if version not in here:
            check(version, "")
        if int(version.partition(".")[2]) >= FIRST_FREE_THREADED:
            check(version, "Py_GIL_DISABLED")


def check(version: str, flags: str) -> None:
    """Has clippy look at the extension as it would be built for such an interpreter."""
    print(f"== CPython {version}{'t' if flags else ''}, which is not here", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyo3.txt"
        config.write_text(CONFIG.format(version=version, flags=flags), "utf-8")
        # A folder of its own: the build for the interpreter that is here need not begin anew.
        target = pythons.ROOT / "target" / "promised"
        told = {"PYO3_CONFIG_FILE": str(config), "CARGO_TARGET_DIR": str(target)}
        subprocess.run(COMMAND, cwd=pythons.ROOT, env=os.environ | told, check=True)


if __name__ == "__main__":
    main()
