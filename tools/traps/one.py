"""Runs one probe of one cache in this process: python one.py A1 cachebox. The exit code is the verdict."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

PASSED, FAILED, NOT_APPLICABLE = 0, 3, 4
FILES = ("probes_locks", "probes_entries", "probes_calls", "probes_views")


def collect() -> dict[str, object]:
    """Import all probes; return them by trap."""
    for file in FILES:
        importlib.import_module(file)
    return dict(importlib.import_module("probing").PROBES)


def main(trap: str, name: str) -> int:
    """Run it, print what went wrong, return the exit code."""
    if trap == "C10":
        # It has to come before whatever uses locks and threads.
        importlib.import_module("gevent.monkey").patch_all()
    caches = importlib.import_module("caches")
    try:
        collect()[trap](caches.MAKERS[name]())  # type: ignore[operator]
    except caches.NotApplicableError:
        return NOT_APPLICABLE
    except BaseException as error:
        print(f"{type(error).__name__}: {error}"[:200])
        return FAILED
    return PASSED


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if sys.argv[1] != "B3":
        # Whatever threads and locks the probe left behind, it has been judged.
        os._exit(code)
    sys.exit(code)
