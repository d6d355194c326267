"""The native half of the package. `RustCache` is built on `Store`; use that."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Self

from typing_extensions import disjoint_base

__all__ = ["CacheFront", "CachedFunction", "Store", "_fill_returned", "_forget_fills", "_frozen_tags"]

@disjoint_base
class Store:
    """Cachelib's verbs over a store written in Rust.

    Keys are any hashable objects; str is the fast path. A timeout is in seconds (int or float) or a
    `timedelta`: 0 means for ever, None the store's `default_timeout`, and with a negative one nothing is
    stored and the key's old value is gone. Every verb raises `TypeError` for an unhashable key.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def get(self, key: Any) -> Any:
        """The value, the caller's own, or None if there is no live entry. Raises what unpickling raises."""
    def set(
        self,
        key: Any,
        value: Any,
        timeout: float | dt.timedelta | None = None,
        *,
        tags: Iterable[str] | None = None,
    ) -> bool:
        """Stores a value; True, or False if it is larger than the whole store may be.

        `tags` are what the entry can be let go by, besides its key: see `delete_tag`. They take the place of
        those of an entry that is there; None is none.

        Raises what pickling raises for a value that cannot be stored (the old value stays), `TypeError`
        or `ValueError` for a timeout that is none, `TypeError` for tags that are no iterable of str, or are
        one str.
        """
    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | dt.timedelta | None = None,
        *,
        tags: Iterable[str] | None = None,
    ) -> bool:
        """Stores a value if there is no live entry, atomically; True if it did. Raises as `set` does."""
    def has(self, key: Any) -> bool:
        """Whether there is a live entry. Counts as neither hit nor miss."""
    def delete(self, key: Any) -> bool:
        """Removes an entry; True if there was a live one."""
    def clear(self) -> bool:
        """Removes every entry; True."""
    def get_many(self, *keys: Any) -> list[Any]:
        """A value or None for each key, in order."""
    def get_dict(self, *keys: Any) -> dict[Any, Any]:
        """Each key with its value or None."""
    def set_many(
        self,
        mapping: Mapping[Any, Any],
        timeout: float | dt.timedelta | None = None,
        *,
        tags: Iterable[str] | None = None,
    ) -> list[Any]:
        """Stores each item in turn; the keys stored, all but those of values that are too large.

        Raises as `set` does, at the first item that fails.
        """
    def delete_many(self, *keys: Any) -> list[Any]:
        """Removes each key; the keys that are absent afterwards, those never there included."""
    def delete_tag(self, tag: str) -> int:
        """Removes all entries that carry a tag; how many there were.

        Fills under way that would store another end: their values go to their callers only. Takes time in
        proportion to what it removes.
        """
    def delete_prefix(self, prefix: str) -> int:
        """Removes all entries with str keys that begin so; how many there were.

        The empty prefix removes all with str keys. Fills under way for such keys end. The first call puts
        all keys in order; from then on it takes time in proportion to what it removes, and storing takes
        longer: see `docs/groups.md`.
        """
    def ttl(self, key: Any) -> float | None:
        """The seconds that an entry has left; None if it never expires. Counts as neither hit nor miss.

        Raises `KeyError` if there is no live entry.
        """
    def touch(self, key: Any, timeout: float | dt.timedelta | None = None) -> bool:
        """Gives an entry a new lifetime from now on; False if there is no live one.

        The value and the tags stay, and nothing is counted. A timeout is as for `set`: with a negative one
        the entry goes.
        """
    def inc(self, key: Any, delta: Any = 1) -> Any:
        """Adds `delta` to the value, atomically; the new value.

        A missing, expired or None value counts as 0. An entry that is there keeps the lifetime it has
        left; a new one gets the default. Raises what `+` raises. Counts as a read.
        """
    def dec(self, key: Any, delta: Any = 1) -> Any:
        """Subtracts; otherwise as `inc`."""
    def __contains__(self, key: Any, /) -> bool: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def stats(self) -> dict[str, int]:
        """The counters, true now.

        `entries`, `bytes` (what they take), `bytes_limit` (0: none), `records` (of memoized functions),
        `hits`, `misses`, `insertions` (values stored), `replacements` (of those, in place of a live value),
        `evictions` (to make room), `evictions_by_bytes` (of those, for want of bytes and not of entries),
        `refusals` (values larger than that limit), `expirations`, `removals` (asked for), `coalesced`
        (misses answered by another caller's fill), `prototype_bytes` (taken by hot containers, besides
        `bytes`) and `prototype_bytes_limit`.
        """
    def purge_expired(self) -> int:
        """Gives the memory of every expired entry back now; how many there were."""
    def _configure(self, max_entries: int, max_bytes: int, shards: int, prototype_bytes: int) -> None: ...
    def _set_max_entries(self, max_entries: int) -> None: ...
    def _set_jitter(self, share: float) -> None: ...
    def _max_entries(self) -> int: ...
    def _keys(self) -> list[Any]: ...
    def _entry(self, key: Any) -> tuple[float | None, bool, Any] | None: ...
    def _is_plain(self) -> bool: ...
    def _version(self, key: str) -> str | None: ...
    def _add_version(self, key: str, version: str, of_instance: bool) -> str: ...
    def _keep_version(self, key: str, timeout: Any) -> None: ...
    def _drop_version(self, key: str) -> bool: ...
    def _remove_tag(self, tag: str) -> None: ...
    def _drop_unused_version(self, key: str) -> None: ...
    def _validate(self) -> None: ...
    def _nop(self) -> None: ...
    def _nop1(self, _key: Any) -> None: ...

@disjoint_base
class CacheFront:
    """The native half of `flask_rustcache.Cache`; use that."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def _serve_any(self) -> None: ...
    def _is_plain(self) -> bool: ...
    @property
    def cache(self) -> Any:
        """The backend of the present application, or of the one that was set up last.

        Raises `AttributeError` or `KeyError` where the cache was never set up for it.
        """

@disjoint_base
class CachedFunction:
    """The native half of what the decorators return; use that."""

    def __new__(
        cls,
        cache: CacheFront,
        function: Any,
        inner: Any,
        plan: Any,
        _options: Any = None,
    ) -> Self: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...
    @property
    def _inner(self) -> Any: ...
    @property
    def _function(self) -> Any: ...
    @property
    def _of(self) -> Any: ...
    def _ask_for_keys(self) -> None: ...
    def _sees(self, view: object, answers: bool) -> None: ...

def _fill_returned(key: Any, yes: bool = True) -> None: ...
def _forget_fills() -> None: ...
def _frozen_tags(tags: Any) -> tuple[str, ...]: ...
