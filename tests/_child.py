"""Running Python where it may hang or crash: in a process of its own, with a time limit."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

LIMIT = 20
"""Seconds that a child may take: many times what it needs, on a busy machine."""


def run_child(code: str, *arguments: str, limit: float = LIMIT) -> str:
    """Run a snippet with this interpreter; fails the test unless it ends well, silently and in time.

    Args:
        code: The snippet; it may be indented.
        arguments: What it finds in ``sys.argv[1:]``.
        limit: Seconds after which it shows where each of its threads is, and is ended.

    Returns:
        What it printed.
    """
    # The child tells where it hangs before the time limit ends it.
    watch = f"import faulthandler as _f; _f.dump_traceback_later({limit}, exit=True)\n"
    command = [sys.executable, "-X", "faulthandler", "-c", watch + textwrap.dedent(code), *arguments]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=limit + 10, check=False
        )
    except subprocess.TimeoutExpired as expired:
        pytest.fail(f"still running after {limit + 10} s\n{expired.stdout}\n{expired.stderr}")
    if child.returncode or child.stderr:
        pytest.fail(f"exit code {child.returncode}\n{child.stdout}\n{child.stderr}")
    return child.stdout
