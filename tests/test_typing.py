"""The decorators' types: ``tests/typing/api.py`` under mypy and pyright, both at their strictest."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ._child import FREE_THREADED

HERE = Path(__file__).parent / "typing"
LIMIT = 300
"""Seconds that a checker may take: many times what it needs, as the machine may be busy."""


def check(directory: Path, *command: str) -> str:
    """Run a checker as a child process.

    Args:
        directory: Where it runs.
        command: A module to run, and its arguments.

    Returns:
        What it printed; the test fails unless it found no error.
    """
    # Else pyright asks the package index for its latest version, to say so if there is a newer one.
    environment = dict(os.environ, PYRIGHT_PYTHON_IGNORE_WARNINGS="1")
    child = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


@pytest.mark.skipif(FREE_THREADED and find_spec("mypy") is None, reason="no mypy for this interpreter")
def test_mypy_sees_the_functions_own_signatures(tmp_path):
    # Away from the checkout, mypy finds the installed package and no configuration.
    output = check(tmp_path, "mypy", "--strict", f"--cache-dir={tmp_path}", str(HERE / "api.py"))
    assert output.startswith("Success: no issues found in 1 source file")


def test_pyright_sees_the_functions_own_signatures():
    # It reads the `pyrightconfig.json` of the directory it runs in.
    output = check(HERE, "pyright", "--pythonpath", sys.executable)
    assert "0 errors, 0 warnings" in output
