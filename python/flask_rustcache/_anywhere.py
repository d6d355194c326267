"""``cached`` and ``memoize`` with no ``Cache`` object in hand: each call finds the present application's."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app

from . import _compat, _config
from ._cache import Cache
from ._decorated import Options
from ._fork import looked_up, made_once
from ._groups import frozen
from ._keyed import KeyedFunction, KeyedView
from ._memoized import is_all_told
from ._views import ViewOptions
from .backend import RustCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import _typing
    from ._typing import Tags, Timeout


class CurrentCache(Cache):
    """Stands for the only cache of whichever application is present; without one, for the process's."""

    def __init__(self) -> None:
        """Belongs to no application."""
        super().__init__()
        self._serve_any()

    @property
    def _process_wide(self) -> RustCache:
        backend: RustCache = self._made_once("_process_wide", RustCache)
        return backend

    @property
    def _no_app(self) -> Flask:
        app: Flask = self._made_once("_no_app", lambda: Flask(__name__))
        return app

    def _made_once(self, name: str, make: Callable[[], Any]) -> Any:
        """What was made at the first use."""
        return made_once(vars(self), name, make)

    @property
    def app(self) -> Flask:  # type: ignore[override]  # there it is set, here it is found
        """The present application, or one that nobody knows."""
        if not current_app:
            return self._no_app
        present: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        return present

    def _owner(self) -> Any:
        caches = (looked_up(current_app.extensions, "cache") or {}) if current_app else {}
        return next(iter(caches), self)

    def _find_backend(self) -> Any:
        """What the native half asks for where there is not just one cache."""
        if not current_app:
            return self._process_wide
        caches = looked_up(current_app.extensions, "cache") or {}
        if len(caches) == 1:
            return next(iter(caches.values()))
        if caches:
            raise RuntimeError(
                f"the application {current_app.name!r} has {len(caches)} caches: say which one,"
                " as in @cached(60, cache=cache)"
            )
        raise RuntimeError(
            f"the application {current_app.name!r} has no cache: set one up with Cache(app)"
            " or cache.init_app(app), from flask_rustcache or flask_caching"
        )

    def _settings(self) -> _config.Settings:
        owner = self._owner()
        if owner is not self and isinstance(owner, Cache):
            return owner._settings()
        return _config.Settings.read(self.app.config)

    def _call_fn(  # type: ignore[override]  # by position only, as in Cache
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        if not current_app and inspect.iscoroutinefunction(fn):
            return asyncio.run(fn(*args, **kwargs))
        return super()._call_fn(fn, *args, **kwargs)


CURRENT = CurrentCache()


def cached(  # noqa: PLR0913  # the options of Cache.cached
    timeout: Timeout = None,
    *,
    unless: Callable[..., Any] | None = None,
    forced_update: Callable[..., Any] | None = None,
    is_stale: Callable[..., Any] | None = None,
    response_filter: Callable[..., Any] | None = None,
    query_string: bool = False,
    cache_none: bool = False,
    make_cache_key: Callable[..., Any] | None = None,
    cache: Cache | None = None,
    single_flight: bool | None = None,
    tags: Tags = None,
) -> _typing.KeyedCachedDecorator:
    """Decorates a view, or any function, to be cached in the present application's cache.

    The application is looked for at each call, so the module of a view need not import the one that makes the
    application. Without an application there is one cache for the process.

    An entry's key holds the function's module and qualified name and all arguments, ``self`` and ``cls`` by
    their ``__caching_id__()`` or ``repr``. Where the function is the view that a request was dispatched to,
    the request's method and path take the place of ``self`` and ``cls``; only GET and HEAD are cached, each
    apart. Responses that say that they are private are not stored: see :class:`Cache`. An ``HTTPException``
    is stored and raised again; any other exception is raised, and nothing is stored.

    Args:
        timeout: Seconds (int or float) or a ``timedelta``; 0 never expires, None (the default) stands for the
            cache's default timeout.
        unless: Called with the function and the arguments, or with none; True lets the call pass by the
            cache.
        forced_update: Called with the arguments, or with none; True runs the function and stores anew.
        is_stale: Called with the cached value (and the arguments); True does the same.
        response_filter: Called with the value, or an ``HTTPException``'s response; it is stored
            if the answer is true.
        query_string: Whether a request's query arguments count, in any order. Default False.
        cache_none: Whether None is stored and served. Default False.
        make_cache_key: Makes the key from the arguments; then no method and path are looked at.
        cache: The ``flask_rustcache.Cache`` to use, for applications with several.
        single_flight: Whether concurrent misses of a key wait for one of them to run the function. None (the
            default) leaves it to ``CACHE_SINGLE_FLIGHT``.
        tags: What the entries can be let go by (see :func:`delete_tag`): an iterable of str, or a callable
            that is given the arguments of the call and returns one, asked at each miss before the function
            runs. Default None: no tags.

    Returns:
        A decorator. What it returns has, beside what ``Cache.cached`` adds, ``key(*args, **kwargs)``,
        ``delete(*args, **kwargs)`` and ``clear()``.

    Raises:
        TypeError: If ``cache`` is no ``flask_rustcache.Cache``, ``tags`` are none, or the decorator is used
            without parentheses.
        RuntimeError: If Flask-Caching is older than 2.5.
    """
    _check(timeout, cache, "cached")
    options = Options(
        unless, forced_update, is_stale, response_filter, cache_none, single_flight, frozen(tags)
    )
    view = ViewOptions("", query_string, make_cache_key, None, False)
    kind = "asked" if callable(make_cache_key) else "scoped by query" if query_string else "scoped"

    def decorator(function: Callable[..., Any]) -> Any:
        of = cache or CURRENT
        accept = view.filter_for(of, function, response_filter)
        inner = _inner(function, timeout)
        plan = options.plan(kind, raises=True)
        decorated = KeyedView(of, function, inner, plan, options)
        return decorated._with(view, accept)._bind_inner(make_cache_key)

    return cast("_typing.KeyedCachedDecorator", decorator)


def memoize(  # noqa: PLR0913  # the options of Cache.memoize
    timeout: Timeout = None,
    *,
    unless: Callable[..., Any] | None = None,
    forced_update: Callable[..., Any] | None = None,
    is_stale: Callable[..., Any] | None = None,
    response_filter: Callable[..., Any] | None = None,
    cache_none: bool = False,
    args_to_ignore: list[str] | None = None,
    cache: Cache | None = None,
    single_flight: bool | None = None,
    tags: Tags = None,
) -> _typing.KeyedMemoizedDecorator:
    """Decorates a function to be cached by its arguments, requests or not; otherwise as :func:`cached`.

    Args:
        timeout: As for :func:`cached`, as are those that are not told of here.
        unless: As there.
        forced_update: As there.
        is_stale: As there.
        response_filter: As there.
        cache_none: As there.
        args_to_ignore: The names of parameters that do not count. Default None.
        cache: As there.
        single_flight: As there.
        tags: As there.

    Returns:
        A decorator. What it returns has, beside what ``Cache.memoize`` adds, ``key(*args, **kwargs)``,
        ``delete(*args, **kwargs)`` and ``clear()``.

    Raises:
        TypeError: If ``cache`` is no ``flask_rustcache.Cache``, ``tags`` are none, or the decorator is used
            without parentheses.
        RuntimeError: If Flask-Caching is older than 2.5.
    """
    _check(timeout, cache, "memoize")
    options = Options(
        unless, forced_update, is_stale, response_filter, cache_none, single_flight, frozen(tags)
    )

    def decorator(function: Callable[..., Any]) -> Any:
        inner = _inner(function, timeout)
        # A cache that is given may have functions memoized by its own decorator, with other keys.
        is_shared = cache is None and not args_to_ignore and is_all_told(function)
        plan = options.plan("call", forces_first=True, shares_keys=is_shared)
        decorated = KeyedFunction(cache or CURRENT, function, inner, plan, options)
        return decorated._bind_inner(None, args_to_ignore)

    return cast("_typing.KeyedMemoizedDecorator", decorator)


def delete_tag(tag: str, *, cache: Cache | None = None) -> int:
    """Removes all entries that carry a tag from the present application's cache.

    Args:
        tag: What was given to ``tags=``, or one of it.
        cache: As for :func:`cached`. Default None: the present application's only cache, or the process's.

    Returns:
        How many live entries went.

    Raises:
        TypeError: If ``tag`` is no str, or ``cache`` no ``flask_rustcache.Cache``.
        RuntimeError: If the cache is no ``RustCache``, or the application has none, or several.
    """
    _check_cache(cache)
    return (cache or CURRENT).delete_tag(tag)


def delete_prefix(prefix: str, *, cache: Cache | None = None) -> int:
    """Removes all entries whose str keys begin so; see ``RustCache.delete_prefix`` for what that costs.

    Args:
        prefix: What keys begin with; the empty one means all str keys.
        cache: As for :func:`delete_tag`.

    Returns:
        How many live entries went.

    Raises:
        TypeError: If ``prefix`` is no str, or ``cache`` no ``flask_rustcache.Cache``.
        RuntimeError: As for :func:`delete_tag`.
    """
    _check_cache(cache)
    return (cache or CURRENT).delete_prefix(prefix)


def _inner(function: Callable[..., Any], timeout: Any) -> Any:
    """What answers where nothing is native, and holds the attributes; ``_bind_inner`` completes it."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return attributes.answer(args, kwargs)

    attributes: Any = inner
    attributes.uncached = function
    attributes.cache_timeout = timeout
    attributes.make_cache_key = None
    return inner


def _check(timeout: Any, cache: Any, name: str) -> None:
    if not _compat.is_known():
        raise RuntimeError(
            f"flask_rustcache.{name} needs Flask-Caching 2.5: upgrade, or use the decorators of a Cache"
        )
    if callable(timeout):
        raise TypeError(f"{name} needs parentheses: @{name}() or @{name}(60)")
    _check_cache(cache)


def _check_cache(cache: Any) -> None:
    if cache is not None and not isinstance(cache, Cache):
        raise TypeError(
            f"cache= must be a flask_rustcache.Cache, got {type(cache).__name__};"
            " from flask_rustcache import Cache"
        )
