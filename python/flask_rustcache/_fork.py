"""What a forked process has to make new: what threads held and led which are no more.

The native store needs nothing of this: its locks are free whenever a thread can fork (see ``src/lib.rs``).

Nor may what threads share be behind a lock that an object of Python's has where there is no global one:
nobody can free that in a child. On CPython 3.13 sets take theirs for anything, weak references for a hash,
dicts to be written, for ``get`` and ``setdefault``, and even for ``[]`` if another thread made the key there,
which is neither the very same object nor interned.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from ._native import _forget_fills

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

K = TypeVar("K")
V = TypeVar("V")

_locks: weakref.WeakSet[Any] = weakref.WeakSet()


def looked_up(shared: Mapping[K, V], key: K) -> V | None:
    """What ``shared.get(key)`` says, without a lock."""
    try:
        return shared[key]
    except KeyError:
        return None


def made_once(shared: MutableMapping[K, V], key: K, make: Callable[[], V]) -> V:
    """What is there; else what ``make`` makes. Of two threads at once, one comes first.

    Nobody waits for another, as in ``functools.cached_property`` up to 3.11; and later nobody locks.
    """
    try:
        return shared[key]
    except KeyError:
        own: Any = sys.intern(key) if isinstance(key, str) and type(key) is str else key
        return shared.setdefault(own, make())


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
