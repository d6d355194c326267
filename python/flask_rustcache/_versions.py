"""The versions of memoized functions: what makes all their entries be forgotten at once.

Flask-Caching keeps a random version per function, and one per instance of a method, under keys of their own,
and makes them part of each entry's key. Ours are kept beside the store (``src/py/store/records.rs``), where
no other traffic can evict them, and take their entries along when they go.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import sys
import warnings
from types import CodeType
from typing import TYPE_CHECKING, Any

import flask_caching
from flask_caching.utils import function_namespace

from ._fork import looked_up, made_once
from ._native import CachedFunction, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: By the code, and the name of its file. Not by weak references: to hash one is to lock it (see ``_fork``).
_DIGESTS: dict[CodeType, dict[str, str]] = {}

#: More code than this is some that is made without end.
_MOST_DIGESTS = 10_000

#: More wrappers around each other than these are one that makes itself anew.
_MOST_LAYERS = 1000


class Versions(flask_caching.Cache):
    """The part of ``Cache`` that knows of versions."""

    #: The code of the function that came first under each name, and those of the others.
    _first_of_name: dict[str, str]
    _others_of_name: dict[str, dict[str, None]]
    _is_plain: Callable[[], bool]

    def _memoize_version(  # type: ignore[override]  # the rest is in `more`
        self, f: Any, args: Any = None, reset: bool = False, delete: bool = False, **more: Any
    ) -> Any:
        backend = self._records()
        if backend is None:
            return super()._memoize_version(f, args=args, reset=reset, delete=delete, **more)
        if not (reset or delete):
            refresh = bool(more.get("refresh"))
            name, records, versions = self._find_versions(f, args, more.get("args_to_ignore"), refresh)
            if refresh:
                self._keep_versions(records, more.get("timeout", 0))
            return name, versions
        name, instance = self._names(f, args, more.get("args_to_ignore"))
        for mark in self._marks_of(f, name):
            self._drop_versions(backend, name + mark, instance and instance + mark, reset)
        return name, None

    def _drop_versions(self, backend: Store, name: str, instance: str | None, reset: bool) -> None:
        record = self._memvname(name if instance is None else instance)
        dropped = Store._drop_version(backend, record)
        if dropped and reset and instance is None:
            Store._add_version(backend, record, self._memoize_make_version_hash(), False)
        version = Store._version(backend, self._memvname(name))
        if instance is not None and version is not None:
            # What somebody put under its keys by hand, whether there was a record or not.
            Store._remove_tag(backend, version + _derived(version, record))

    def _find_versions(
        self, f: Any, args: Any, args_to_ignore: list[str] | None, keep: bool = True
    ) -> tuple[str, tuple[str, ...], str]:
        """The function's name, the keys of its version records, and their versions in one.

        An instance's record is made only if it is to be kept: it lives as long as one of its entries.
        """
        name, instance = self._names(f, args, args_to_ignore)
        mark = self._mark(f, name)
        name, instance = name + mark, instance and instance + mark
        backend: Any = self.cache
        record = self._memvname(name)
        version = Store._version(backend, record)
        if version is None:
            # Of two callers at once one comes first, and both get its version.
            version = Store._add_version(backend, record, self._memoize_make_version_hash(), False)
        if instance is None:
            return name, (record,), version
        own = self._memvname(instance)
        own_version = Store._version(backend, own)
        if own_version is None:
            # The same until the function has a new one: what is deleted is gone, not only out of sight.
            own_version = _derived(version, own)
            if keep:
                own_version = Store._add_version(backend, own, own_version, True)
        return name, (record, own), version + own_version

    def _end_unused(self, records: tuple[str, ...]) -> None:
        """An instance's record lives as long as one of its entries: if there is none, it goes."""
        backend = self._records()
        if backend is not None:
            for record in records:
                Store._drop_unused_version(backend, record)

    def _keep_versions(self, records: tuple[str, ...], timeout: Any) -> None:
        """Has the records of an entry that was just stored live as long as it."""
        backend: Any = self.cache
        for record in records:
            Store._keep_version(backend, record, timeout)

    def _records(self) -> Store | None:
        """The backend, if it keeps the records beside the store; else Flask-Caching's way is taken."""
        backend: Any = self.cache
        return (
            backend if isinstance(backend, Store) and self._is_plain() and Store._is_plain(backend) else None
        )

    def _names(self, f: Any, args: Any, args_to_ignore: list[str] | None) -> tuple[str, str | None]:
        """What the versions of the function and of the instance are called."""
        name, instance = function_namespace(f, args=args)
        return name, None if "self" in (args_to_ignore or ()) else instance

    def _mark(self, f: Any, name: str) -> str:
        """What tells a function from others of the same name; nothing for the first of them."""
        own = digest_of(f)
        if made_once(self._first_of_name, name, lambda: own) == own:
            return ""
        is_told = looked_up(self._others_of_name, name) is not None
        others: dict[str, None] = made_once(self._others_of_name, name, dict)
        made_once(others, own, lambda: None)
        if not is_told:
            _warn_of_same_name(name)
        return f"#{own}"

    def _marks_of(self, f: Any, name: str) -> list[str]:
        """The mark of the function that is meant; those of all that have its name if it is none of them."""
        own, others = digest_of(f), looked_up(self._others_of_name, name) or {}
        if own in others:
            return [f"#{own}"]
        is_first = looked_up(self._first_of_name, name) in {None, own}
        return [""] if is_first else ["", *(f"#{other}" for other in list(others))]


def _derived(version: str, record: str) -> str:
    digest = hashlib.sha256(f"{version}{record}".encode("utf-8", "surrogatepass")).digest()
    return base64.b64encode(digest)[:6].decode("ascii")


def layers_of(function: Any) -> Iterator[Any]:
    """A function, and what it is wrapped around, as told by ``functools.wraps``."""
    seen: dict[int, Any] = {}
    while function is not None and id(function) not in seen and len(seen) < _MOST_LAYERS:
        seen[id(function)] = function
        yield function
        function = getattr(function, "__wrapped__", None)


def digest_of(function: Any, whole: bool = False) -> str:
    """What equal code has in common, in any process; empty for what has no code.

    The code of wrappers counts. Of decorators that are stacked the innermost one's function counts, which
    Flask-Caching knows all of them by, unless the ``whole`` is asked for.
    """
    codes: list[CodeType] = []
    for layer in layers_of(function):
        if isinstance(layer, CachedFunction) and not whole:
            codes.clear()
        code = getattr(layer, "__code__", None)
        if isinstance(code, CodeType):
            codes.append(code)
    # Tools that generate wrappers give each a file name of its own.
    digests = [_digest(code, code is codes[-1]) for code in codes]
    return digests[0] if len(digests) == 1 else _hashed("".join(digests)) if digests else ""


def _digest(code: CodeType, tells_place: bool) -> str:
    # Code objects are equal if they differ in their files alone.
    if len(_DIGESTS) > _MOST_DIGESTS:
        _DIGESTS.clear()
    known, place = made_once(_DIGESTS, code, dict), code.co_filename if tells_place else ""
    return made_once(known, place, lambda: _hashed(_described(code, tells_place)))


def _hashed(text: str) -> str:
    return sys.intern(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8])


def _described(part: Any, tells_place: bool) -> str:
    """Code and its constants as text."""
    describe = functools.partial(_described, tells_place=tells_place)
    if isinstance(part, CodeType):
        names = (part.co_names, part.co_varnames, part.co_freevars, part.co_cellvars)
        counts = (part.co_argcount, part.co_posonlyargcount, part.co_kwonlyargcount, part.co_flags)
        file = part.co_filename if tells_place else ""
        place = (file, part.co_firstlineno, part.co_code, *names, *counts)
        return f"{place!r}({', '.join(map(describe, part.co_consts))})"
    if isinstance(part, frozenset):
        return repr(sorted(map(describe, part)))
    if isinstance(part, tuple):
        return f"({', '.join(map(describe, part))})"
    return repr(part)


def _warn_of_same_name(name: str) -> None:
    warnings.warn(
        f"another function than before is cached under the name {name}; the two are kept apart,"
        " but give them names (__qualname__) of their own, which `delete_memoized` knows them by, too",
        stacklevel=8,
    )
