"""The versions of memoized functions: what makes all their entries be forgotten at once.

Flask-Caching keeps a random version per function, and one per instance of a method, under keys of their own,
and makes them part of each entry's key. Ours are kept beside the store (``src/py/store/records.rs``), where
no other traffic can evict them, and take their entries along when they go.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from typing import TYPE_CHECKING, Any

import flask_caching
from flask_caching.utils import function_namespace

from ._native import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from ._memoized import MadeKey

#: Different functions of one name that are told apart; of more, the oldest are forgotten.
_MOST_CODES = 64


class Versions(flask_caching.Cache):
    """The part of ``Cache`` that knows of versions."""

    #: The functions of each name, in the order in which they came, and what to call the next.
    _codes: dict[str, dict[CodeType, int]]
    _numbers: dict[str, Iterator[int]]
    _is_plain: Callable[[], bool]

    def _memoize_version(  # type: ignore[override]  # the rest is in `more`
        self, f: Any, args: Any = None, reset: bool = False, delete: bool = False, **more: Any
    ) -> Any:
        backend = self._records()
        if backend is None:
            return super()._memoize_version(f, args=args, reset=reset, delete=delete, **more)
        if not (reset or delete):
            name, records, versions = self._find_versions(f, args, more.get("args_to_ignore"))
            if more.get("refresh"):
                self._keep(records, more.get("timeout", 0))
            return name, versions
        name, instance = self._names(f, args, more.get("args_to_ignore"))
        dropped = backend._drop_version(self._memvname(name if instance is None else instance))
        if dropped and reset and instance is None:
            backend._add_version(self._memvname(name), self._memoize_make_version_hash(), False)
        return name, None

    def _find_versions(
        self, f: Any, args: Any, args_to_ignore: list[str] | None
    ) -> tuple[str, tuple[str, ...], str]:
        """The function's name, the keys of its version records, and their versions in one."""
        name, instance = self._names(f, args, args_to_ignore)
        records = [self._memvname(name)]
        versions = [self._version(records[0], False)]
        if instance is not None:
            records.append(self._memvname(instance))
            versions.append(self._version(records[1], True))
        return name, tuple(records), "".join(versions)

    def _version(self, record: str, of_instance: bool) -> str:
        backend: Any = self.cache
        version = backend._version(record)
        if version is None:
            # Of two callers at once one comes first, and both get its version.
            version = backend._add_version(record, self._memoize_make_version_hash(), of_instance)
        return str(version)

    def _end_unused_version(self, f: Any, args: tuple[Any, ...]) -> None:
        """A key was made of a call that may have no entry: then its instance has no record either."""
        _, instance = self._names(f.uncached, self._ensure_self_arg(f, args), None)
        if instance is not None:
            self._end_unused((self._memvname(instance),))

    def _end_unused(self, records: tuple[str, ...]) -> None:
        """An instance's record lives as long as one of its entries: if there is none, it goes."""
        backend = self._records()
        if backend is not None:
            for record in records:
                backend._drop_unused_version(record)

    def _keep_versions(self, made: MadeKey, timeout: Any) -> None:
        """Has the records of an entry that was just stored live as long as it."""
        self._keep(made.records, timeout)

    def _keep(self, records: tuple[str, ...], timeout: Any) -> None:
        backend: Any = self.cache
        for record in records:
            version = backend._version(record)
            if version is not None:
                backend._keep_version(record, version, timeout)

    def _records(self) -> Store | None:
        """The backend, if it keeps the records beside the store; else Flask-Caching's way is taken."""
        backend: Any = self.cache
        return backend if isinstance(backend, Store) and self._is_plain() and backend._is_plain() else None

    def _names(self, f: Any, args: Any, args_to_ignore: list[str] | None) -> tuple[str, str | None]:
        """What the versions of the function and of the instance are called."""
        name, instance = function_namespace(f, args=args)
        mark = self._mark(f, name)
        if instance is None or "self" in (args_to_ignore or ()):
            return name + mark, None
        return name + mark, instance + mark

    def _mark(self, f: Any, name: str) -> str:
        """What tells a function from others of the same name; nothing for the first of them."""
        code = getattr(inspect.unwrap(f), "__code__", None)
        if code is None:
            return ""
        codes = self._codes.setdefault(name, {})
        number = codes.get(code)
        if number is None:
            number = codes.setdefault(code, next(self._numbers.setdefault(name, itertools.count())))
            if number == 1:
                _warn_of_same_name(f, name)
            if len(codes) > _MOST_CODES:
                codes.pop(next(iter(codes)), None)
        return f"#{number}" if number else ""


def _warn_of_same_name(f: Any, name: str) -> None:
    warnings.warn(
        f"another function than before is memoized under the name {name}; the two are kept apart,"
        " but give them names (__qualname__) of their own, which `delete_memoized` knows them by, too",
        stacklevel=8,
    )
