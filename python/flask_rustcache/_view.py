"""``RustCache._cache``: what code and tests that look into a SimpleCache find there."""

from __future__ import annotations

import time
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, NoReturn

from ._native import Store

if TYPE_CHECKING:
    from .backend import RustCache


class CacheView(MutableMapping[Any, tuple[float, Any]]):
    """The live entries as a mapping from key to ``(expires, bytes)``.

    ``expires`` is in the seconds of the cache's clock (``time.time()`` in production), 0 for an entry
    that never expires. ``bytes`` is what the cache's serializer makes of the value, computed when it is
    asked for. Reading counts as no hit. Iterating works on the keys as they were when it began, so the
    cache may change meanwhile. The view keeps its cache alive.

    What it does is done natively, whatever a subclass of the cache overrides: a ``delete`` that was written
    for SimpleCache may be made of this view, as may ``clear`` and ``__len__``, and the keys are those that
    are stored.
    """

    def __init__(self, cache: RustCache) -> None:
        """Looks into ``cache``."""
        self._of = cache

    def __getitem__(self, key: Any) -> tuple[float, Any]:
        """The pair of a live entry; raises ``KeyError`` if there is none."""
        entry = Store._entry(self._of, key)
        if entry is None:
            raise KeyError(key)
        left, dumped, value = entry
        clock = time.time if self._of.clock is None else self._of.clock
        expires = 0 if left is None else clock() + left
        return expires, value if dumped else self._of.serializer.dumps(value)

    def __setitem__(self, key: Any, value: object) -> NoReturn:
        """Always raises ``TypeError``: entries are made by the cache's ``set``."""
        raise TypeError("_cache is a view of the native store; use the cache's set(key, value, timeout)")

    def __delitem__(self, key: Any) -> None:
        """Deletes from the cache; raises ``KeyError`` if there is no live entry."""
        if not Store.delete(self._of, key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        """Whether there is a live entry."""
        return Store._entry(self._of, key) is not None

    def __iter__(self) -> Iterator[Any]:
        """The keys of the live entries."""
        return iter(Store._keys(self._of))

    def __len__(self) -> int:
        """How many live entries there are."""
        return Store.__len__(self._of)

    def items(self) -> _Items:
        """The live entries as pairs; one that goes while they are iterated over is left out."""
        return _Items(self)

    def values(self) -> _Values:
        """The ``(expires, bytes)`` of the live entries; as with ``items``."""
        return _Values(self)

    def copy(self) -> dict[Any, tuple[float, Any]]:
        """The live entries as they are now, in a dict."""
        return dict(self.items())

    def clear(self) -> None:
        """Empties the cache."""
        Store.clear(self._of)

    def pop(self, key: Any, *default: Any) -> Any:
        """The pair of a live entry, which goes; the default, where there is none (any more)."""
        pair = self.get(key)
        # In any case: a value that is under way is not wanted, either.
        if Store.delete(self._of, key) and pair is not None:
            return pair
        if default:
            return default[0]
        raise KeyError(key)

    def __repr__(self) -> str:
        """The keys only: values may be large, and computing them costs."""
        return f"<CacheView of {Store._keys(self._of)!r}>"


class _Items(ItemsView[Any, tuple[float, Any]]):
    """The pairs of the entries that are still there when their turn comes."""

    _mapping: CacheView

    def __iter__(self) -> Iterator[tuple[Any, tuple[float, Any]]]:
        for key in self._mapping:
            pair = self._mapping.get(key)
            if pair is not None:
                yield key, pair


class _Values(ValuesView[tuple[float, Any]]):
    """The values of the same."""

    _mapping: CacheView

    def __iter__(self) -> Iterator[tuple[float, Any]]:
        return (pair for _, pair in self._mapping.items())
