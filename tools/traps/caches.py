"""The caches that are probed: each behind the same few calls, and set up as its manual proposes.

Where a cache has a form that runs a function once for many callers, its decorator is used in that form.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition
from typing import Any

from flask import Flask

Function = Callable[..., Any]
LIFETIME = 300
# Holders of caches that must outlive a probe, as an application's do.
_kept: list[Any] = []


class NotApplicableError(Exception):
    """The cache does not offer what the trap is about."""


@dataclass
class Store:
    """A cache by keys. Of the timeouts None is the default, and 0 is never."""

    raw: Any
    get: Callable[[Hashable], Any]
    set: Callable[..., Any]
    delete: Callable[[Hashable], Any]
    size: Callable[[], int]

    def clear(self) -> None:
        """Remove everything."""
        self.raw.clear()


@dataclass
class Peer:
    """One cache.

    Attributes:
        name: as shown in the table.
        package: distribution it comes from.
        store: makes a store for a number of entries.
        memo: decorates a plain function; returns it, and what forgets all its values.
        setup: what was probed, for the reader.
        flask: whether it has views, requests and keys of its own for Flask.
        copies: whether values are copied.
        native: whether time is read outside of Python.
        coroutines: whether its decorator is made for coroutine functions as well.
    """

    name: str
    package: str
    store: Callable[[int], Store]
    memo: Callable[[Function], tuple[Function, Function]]
    setup: str
    flask: Callable[..., tuple[Flask, Any]] | None = None
    copies: bool = False
    native: bool = True
    coroutines: bool = True

    def app(self, **config: Any) -> tuple[Flask, Any]:
        """Return an application, and its cache. The cache must be one of Flask's."""
        if self.flask is None:
            raise NotApplicableError
        return self.flask(**config)

    def pages(self) -> tuple[Flask, Callable[[Function], Function]]:
        """Return an application and a decorator for its views; of a plain cache, that for functions."""
        if self.flask is None:
            app = Flask("pages")
            return app, lambda view: self.memo(view)[0]
        app, cache = self.flask()
        return app, cache.cached(LIFETIME)


def _flask(name: str, package: str, kind: str, module: str) -> Peer:
    def build(**config: Any) -> tuple[Flask, Any]:
        app = Flask("pages")
        app.config.update({"CACHE_TYPE": kind, "CACHE_DEFAULT_TIMEOUT": LIFETIME, "SECRET_KEY": "k"} | config)
        cache = importlib.import_module(module).Cache(app)
        _kept.append(app)
        return app, cache

    def store(bound: int) -> Store:
        app, cache = build(CACHE_THRESHOLD=bound)
        raw = app.extensions["cache"][cache]
        _kept.clear()
        return Store(raw, raw.get, raw.set, raw.delete, lambda: len(raw._cache))

    def memo(function: Function) -> tuple[Function, Function]:
        _, cache = build()
        return cache.memoize(LIFETIME)(function), cache.clear

    return Peer(name, package, store, memo, f"{kind}, {module}.Cache", flask=build, copies=True, native=False)


def _cachebox() -> Peer:
    cachebox = importlib.import_module("cachebox")

    def store(bound: int) -> Store:
        raw = cachebox.VTTLCache(bound)

        def put(key: Hashable, value: Any, timeout: float | None = None) -> None:
            raw.insert(key, value, {None: LIFETIME, 0: None}.get(timeout, timeout))

        return Store(raw, raw.get, put, raw.pop, lambda: len(raw))

    def memo(function: Function) -> tuple[Function, Function]:
        raw = cachebox.TTLCache(500, LIFETIME)
        return cachebox.cached(raw)(function), raw.clear

    return Peer("cachebox", "cachebox", store, memo, "VTTLCache; cached(TTLCache)")


def _moka() -> Peer:
    moka = importlib.import_module("moka_py")

    def store(bound: int) -> Store:
        raw = moka.Moka(bound)

        def put(key: Hashable, value: Any, timeout: float | None = None) -> None:
            raw.set(key, value, {None: LIFETIME, 0: None}.get(timeout, timeout))

        return Store(raw, raw.get, put, raw.remove, raw.count)

    def memo(function: Function) -> tuple[Function, Function]:
        decorated = moka.cached(500, ttl=LIFETIME, wait_concurrent=True)(function)
        return decorated, decorated.cache_clear

    return Peer("moka-py", "moka-py", store, memo, "Moka; cached(wait_concurrent=True)")


def _theine() -> Peer:
    theine = importlib.import_module("theine")

    def store(bound: int) -> Store:
        raw = theine.Cache(bound)

        def put(key: Hashable, value: Any, timeout: float | None = None) -> None:
            seconds = {None: LIFETIME, 0: None}.get(timeout, timeout)
            raw.set(key, value, None if seconds is None else timedelta(seconds=seconds))

        return Store(raw, lambda key: raw.get(key)[0], put, raw.delete, lambda: len(raw))

    def memo(function: Function) -> tuple[Function, Function]:
        decorate = theine.Memoize(500, timedelta(seconds=LIFETIME))
        return decorate(function), decorate.cache.clear

    return Peer("theine", "theine", store, memo, "Cache; Memoize")


def _cachetools() -> Peer:
    cachetools = importlib.import_module("cachetools")

    def store(bound: int) -> Store:
        raw = cachetools.TTLCache(bound, LIFETIME)

        def put(key: Hashable, value: Any, timeout: float | None = None) -> None:
            if timeout is not None:
                raise NotApplicableError
            raw[key] = value

        return Store(raw, raw.get, put, lambda key: raw.pop(key, None), lambda: len(raw))

    def memo(function: Function) -> tuple[Function, Function]:
        raw, condition = cachetools.TTLCache(500, LIFETIME), Condition()

        def forget() -> None:
            with condition:
                raw.clear()

        return cachetools.cached(raw, condition=condition)(function), forget

    setup = "TTLCache without a lock; cached(TTLCache, condition=Condition())"
    return Peer("cachetools", "cachetools", store, memo, setup, native=False, coroutines=False)


OURS = "RustCache"
MAKERS: dict[str, Callable[[], Peer]] = {
    OURS: lambda: _flask(OURS, "flask-rustcache", "flask_rustcache.RustCache", "flask_rustcache"),
    "SimpleCache": lambda: _flask("SimpleCache", "Flask-Caching", "SimpleCache", "flask_caching"),
    "cachebox": _cachebox,
    "moka-py": _moka,
    "theine": _theine,
    "cachetools": _cachetools,
}
