"""What a forked process has to make new: what threads held and led which are no more.

The native store needs nothing of this: its locks are free whenever a thread can fork (see ``src/lib.rs``).
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

from ._native import _forget_fills

_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock() -> Any:
    """A ``threading.RLock`` (as patched by gevent, where it is) that is free again in a forked child."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _free_locks() -> None:
    for lock in list(_locks):
        # gevent's lock has no such method, and no threads that could be lost.
        reinit = getattr(lock, "_at_fork_reinit", None)
        if reinit is not None:
            reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_locks)
    os.register_at_fork(after_in_child=_forget_fills)
