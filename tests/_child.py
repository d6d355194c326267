"""Tests that may hang or crash: each in a process of its own, with a time limit.

``@in_child`` on a test runs its body in a fresh interpreter, where every warning is an error. The test
fails unless that process ends in time, with exit code 0 and nothing on its standard error.
"""

from __future__ import annotations

import ast
import faulthandler
import functools
import gc
import importlib
import os
import signal
import subprocess
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
"""Is this interpreter one without a global lock?"""

mortal_functions = pytest.mark.skipif(
    FREE_THREADED and sys.version_info < (3, 14),
    reason="free-threaded CPython 3.13 keeps functions and classes for ever once there was a second thread",
)

SCALE = int(os.environ.get("SERVERS_SCALE", "1"))
"""How many times as much the tests of servers and forks do; `make servers` sets it."""

LIMIT = 30 * SCALE
"""Seconds that a child may take: many times what any needs, as the machine may be busy."""


def in_child(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test's body in a child; arguments (of a parametrised test) must be literals."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        file = sys.modules[test.__module__].__file__
        run_child(__file__, str(file), test.__name__, repr(arguments))

    return run


def run_child(*command: str) -> str:
    """Run this interpreter with a command line.

    Args:
        command: What comes after the interpreter's name and the options.

    Returns:
        What it printed on its standard output.
    """
    options = ["-X", "faulthandler", "-W", "error"]
    environment = dict(os.environ, PYTHONFAULTHANDLER="1")
    try:
        child = subprocess.run(
            [sys.executable, *options, *command],
            capture_output=True,
            text=True,
            timeout=LIMIT + 5,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as expired:
        pytest.fail(f"it hangs at its end\n{expired.stdout}\n{expired.stderr}")
    if child.returncode or child.stderr:
        pytest.fail(f"exit code {child.returncode}\n{child.stdout}\n{child.stderr}")
    return child.stdout


def main(file: str, name: str, arguments: str) -> None:
    """Run the body of a test function. It is called in the child."""
    # Where it hangs is shown before it is ended.
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    # The name that pytest gives to the tests' folder: relative imports and pickling go by it.
    package = types.ModuleType("tests")
    package.__path__ = [str(Path(file).parent)]
    sys.modules["tests"] = package
    module = importlib.import_module(f"tests.{Path(file).stem}")
    # Where the tests run in the background, a shell has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Nothing made so far needs collecting, and each of the many collections is quicker for it.
    gc.collect()
    gc.freeze()
    getattr(module, name).__wrapped__(**ast.literal_eval(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
