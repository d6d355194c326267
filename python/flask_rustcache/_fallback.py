"""What the native verbs do when a subclass overrides the methods that they are made of.

cachelib's own code serves for most of them; these are the ones that SimpleCache makes atomic with its lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import RustCache


def add(cache: RustCache, key: Any, value: Any, timeout: Any) -> bool:
    """``add`` by the cache's own ``has`` and ``set``; atomic among ``add``, ``inc`` and ``dec``."""
    with cache._lock:
        if cache.has(key):
            return False
        return bool(cache.set(key, value, timeout))


def arithmetic(cache: RustCache, key: Any, delta: Any, sign: int) -> Any:
    """``inc`` and ``dec`` by the cache's own ``get`` and ``set``; atomic among the same callers."""
    with cache._lock:
        value = cache.get(key)
        old = 0 if value is None else value
        new = old + delta if sign > 0 else old - delta
        return new if cache.set(key, new) else None
