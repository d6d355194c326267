"""What the probes share. A probe is a few lines that a cache passes, fails, or never comes back from.

Each runs in a process of its own (one.py), so it may leave anything behind. Some wait for real time, as
the peers have no clock to be moved. ``SimpleCache`` counts whole seconds: hence more than two for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from caches import Peer

Probe = Callable[[Peer], None]
PROBES: dict[str, Probe] = {}
EXPIRY = 2.2
FAILED = 3


def probe(trap: str) -> Callable[[Probe], Probe]:
    """Register a probe under the trap's name."""

    def register(function: Probe) -> Probe:
        PROBES[trap] = function
        return function

    return register


def parallel(*jobs: Callable[[], Any]) -> None:
    """Run the jobs in threads of their own until all have ended."""
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Key:
    """A key that can be watched, and whose code runs a hook."""

    hook: Callable[[], Any] | None = None
    armed = ""

    def run(self, place: str) -> None:
        """Run the hook, unless it is running."""
        if Key.armed == place and Key.hook is not None:
            Key.armed = ""
            Key.hook()
            Key.armed = place

    def __hash__(self) -> int:
        """Return the same for all, so that they are compared."""
        self.run("hash")
        return 7

    def __eq__(self, other: object) -> bool:
        """Compare by identity, after the hook."""
        self.run("eq")
        return self is other

    def __del__(self) -> None:
        """Run the hook."""
        self.run("del")
