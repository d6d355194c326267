"""What ``Cache`` does to many entries at once, and to lifetimes: the backend's methods, where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask_caching
from flask_caching.backends.nullcache import NullCache

from ._native import Store, _frozen_tags

if TYPE_CHECKING:
    from ._typing import Tags, Timeout


class Groups(flask_caching.Cache):
    """The part of ``Cache`` that Flask-Caching has no names for.

    A ``NullCache``, which holds nothing, counts as an empty cache; it looks at no arguments.
    """

    def delete_tag(self, tag: str) -> int:
        """Removes all entries that carry a tag, and has none under way stored; how many live ones there were.

        Raises ``TypeError`` if the tag is no str, ``RuntimeError`` if the backend is no ``RustCache``.
        """
        backend = store_of(self, "delete_tag()")
        return 0 if backend is None else backend.delete_tag(tag)

    def delete_prefix(self, prefix: str) -> int:
        """Removes all entries with str keys that begin so; otherwise as :meth:`delete_tag`."""
        backend = store_of(self, "delete_prefix()")
        return 0 if backend is None else backend.delete_prefix(prefix)

    def ttl(self, key: Any) -> float | None:
        """The seconds (float) that an entry has left; None if it never expires. Reads no value.

        Raises ``KeyError`` if there is no live entry, ``RuntimeError`` if the backend is no ``RustCache``.
        """
        backend = store_of(self, "ttl()")
        if backend is None:
            raise KeyError(key)
        return backend.ttl(key)

    def touch(self, key: Any, timeout: Timeout = None) -> bool:
        """Gives an entry a new lifetime from now on, and leaves its value; False if there is none.

        The timeout is as for ``set``: seconds or a ``timedelta``, 0 for ever, None (the default) the cache's
        default; with a negative one the entry goes. Raises ``TypeError`` or ``ValueError`` for what is no
        timeout, ``RuntimeError`` if the backend is no ``RustCache``.
        """
        backend = store_of(self, "touch()")
        return False if backend is None else backend.touch(key, timeout)


def store_of(cache: Any, what: str) -> Store | None:
    """A cache's native backend; None if it has one that holds nothing. Any other is a ``RuntimeError``."""
    backend = cache.cache
    if isinstance(backend, Store):
        return backend
    if isinstance(backend, NullCache):
        return None
    raise RuntimeError(
        f"{what} needs a RustCache, and this cache is a {type(backend).__name__}; set"
        ' CACHE_TYPE = "flask_rustcache.RustCache"'
    )


def frozen(tags: Tags) -> Tags:
    """Tags as a decorator keeps them. Raises ``TypeError`` if they are none."""
    return tags if tags is None or callable(tags) else _frozen_tags(tags)
