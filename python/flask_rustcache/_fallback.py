"""What the native verbs do when a subclass overrides the methods that they are made of.

cachelib's own code serves for most of them; these are the ones that SimpleCache makes atomic with its lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachelib import BaseCache

from ._native import _frozen_tags

if TYPE_CHECKING:
    from .backend import RustCache


def add(cache: RustCache, key: Any, value: Any, timeout: Any, tags: Any = None) -> bool:
    """``add`` by the cache's own ``has`` and ``set``; atomic among ``add``, ``inc`` and ``dec``."""
    with cache._lock:
        if cache.has(key):
            return False
        return bool(cache.set(key, value, timeout, **_tagged(tags)))


def set_many(cache: RustCache, mapping: Any, timeout: Any, tags: Any) -> Any:
    """``set_many`` by the cache's own ``set``; cachelib's, but for the tags."""
    if tags is None:
        return BaseCache.set_many(cache, mapping, timeout)
    tagged = _tagged(tags)
    return [key for key, value in mapping.items() if cache.set(key, value, timeout, **tagged)]


def _tagged(tags: Any) -> dict[str, Any]:
    """An argument that a ``set`` need not know where nobody gives it."""
    return {} if tags is None else {"tags": _frozen_tags(tags)}


def arithmetic(cache: RustCache, key: Any, delta: Any, sign: int) -> Any:
    """``inc`` and ``dec`` by the cache's own ``get`` and ``set``; atomic among the same callers."""
    with cache._lock:
        value = cache.get(key)
        old = 0 if value is None else value
        new = old + delta if sign > 0 else old - delta
        return new if cache.set(key, new) else None
