"""``Cache``: Flask-Caching's, with native hits for decorated views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask_caching
from werkzeug.exceptions import HTTPException

from . import _compat, _config
from ._decorated import Options
from ._fork import looked_up
from ._groups import Groups, frozen
from ._keyed import KeyedMethod, keyed_of
from ._memoized import KeyOptions, MemoizedFunction
from ._native import CacheFront
from ._private import answers_without_request
from ._versions import Versions
from ._views import CachedView, ViewOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask_caching import _AnyMemoizedFunction

    from . import _typing
    from ._typing import P, R, Tags, Timeout


class Cache(CacheFront, Versions, Groups, flask_caching.Cache):
    """``flask_caching.Cache`` with the same parameters, methods and behaviour, but faster where it can be.

    What :meth:`cached` and :meth:`memoize` return answers hits natively, whatever their options, as long as
    the backend is a ``RustCache`` and no method that they go through is overridden or patched. Everything
    else goes to Flask-Caching's own code.

    Concurrent misses of a key run the function once: the first caller leads, the others wait for it, at
    most ``CACHE_FILL_TIMEOUT`` seconds (default 10), and look again. ``CACHE_SINGLE_FLIGHT = False``
    turns this off. A value whose key is deleted, or set anew, while it is being made goes to its caller
    and is not stored.

    A response that carries ``Set-Cookie``, or ``Cache-Control: private`` or ``no-store``, or that answers one
    request's conditions (206, 304, 412, 416), is returned and not stored, with one warning per function;
    ``CACHE_STORE_PRIVATE = True`` stores it, as Flask-Caching does.

    Args:
        app: The application, or None to call ``init_app`` later.
        with_jinja2_ext: Whether templates get the ``{% cache %}`` tag. Default True.
        config: Settings that win over the application's. Default None.
    """

    def __init__(
        self,
        app: Flask | None = None,
        with_jinja2_ext: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        """Makes a cache, and sets it up for ``app`` if that is given; see the class."""
        self._first_of_name = {}
        self._others_of_name = {}
        self._methods_run: dict[str, dict[str, None]] = {}
        super().__init__(app, with_jinja2_ext, config)

    def init_app(self, app: Flask, config: dict[str, Any] | None = None) -> None:
        """Sets the cache up for an application; see ``flask_caching.Cache.init_app``.

        Raises:
            ValueError: If a setting is out of range; the message names the key and the fix.
            TypeError: If a setting is of the wrong type; the message names the key.
        """
        # What is no dict, Flask-Caching refuses.
        own = config if isinstance(config, dict) else {}
        given = {**app.config, **(self.config or {}), **own}
        _check_what_upstream_reads(given)
        settings = _config.Settings.read(given)
        super().init_app(app, config)
        app.extensions.setdefault(_EXTENSION, {})[self] = settings

    def _settings(self) -> _config.Settings:
        """What the present application, or the one that was set up last, says of the decorators."""
        app = _compat.present_app() or self.app
        settings: _config.Settings | None = looked_up(looked_up(app.extensions, _EXTENSION) or {}, self)
        # None where somebody put the backend into its place by hand.
        return _config.Settings.read(app.config) if settings is None else settings

    # By position only: an argument of the function may be called `fn`.

    def _call_fn(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return self.app.ensure_sync(fn)(*args, **kwargs)

    def _outcome(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """What a view returned, or the `HTTPException` that it raised."""
        try:
            return self._call_fn(fn, *args, **kwargs)
        except HTTPException as error:
            return error

    def _call_fn_or_exception(  # type: ignore[override]
        self, fn: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """The same for Flask-Caching's code, which asks an exception for its response before storing it."""
        outcome = self._outcome(fn, *args, **kwargs)
        if isinstance(outcome, HTTPException) and not answers_without_request(outcome):
            raise outcome
        return outcome

    def _owner(self) -> Any:
        """Whose signals are sent."""
        return self

    def delete_memoized(self, f: _AnyMemoizedFunction, *args: Any, **kwargs: Any) -> None:
        """Forgets all values of a memoized function, or that of one call; see Flask-Caching's.

        One that the package's own ``memoize`` or ``cached`` made is forgotten in the cache that it goes by.
        """
        own = keyed_of(f)
        if own is None:
            super().delete_memoized(f, *args, **kwargs)
        elif args or kwargs:
            # Its own instance may be given, too.
            is_given = isinstance(own, KeyedMethod) and bool(args) and args[0] is own.__self__
            own.delete(*args[is_given:], **kwargs)
        else:
            own.clear()

    def delete_memoized_verhash(self, f: _AnyMemoizedFunction, *args: Any) -> None:
        """Forgets a memoized function's version, and with it its values; see Flask-Caching's."""
        own = keyed_of(f)
        if own is None:
            super().delete_memoized_verhash(f, *args)
        else:
            own.clear()

    def inc(self, key: Any, delta: Any = 1) -> Any:
        """Adds to a value, atomically; see the backend's ``inc``."""
        return self.cache.inc(key, delta)

    def dec(self, key: Any, delta: Any = 1) -> Any:
        """Subtracts from a value, atomically; see the backend's ``dec``."""
        return self.cache.dec(key, delta)

    def cached(  # noqa: PLR0913, PLR0917  # Flask-Caching's parameters
        self,
        timeout: Timeout = None,
        key_prefix: str | Callable[[], str] = "view/%s",
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        query_string: bool = False,
        hash_method: Callable[..., Any] | None = None,
        cache_none: bool = False,
        make_cache_key: Callable[..., Any] | None = None,
        source_check: bool | None = None,
        response_hit_indication: bool | None = False,
        *,
        single_flight: bool | None = None,
        tags: Tags = None,
    ) -> Callable[[Callable[P, R]], _typing.CachedFunction[P, R]]:
        """Decorates a view, or any function, to be cached; see ``flask_caching.Cache.cached``.

        ``single_flight`` says whether concurrent misses of a key wait for one of them to run the function;
        None (the default) leaves it to ``CACHE_SINGLE_FLIGHT``.

        ``tags`` is what the entries can be let go by (see :meth:`delete_tag`): an iterable of str, or a
        callable that is given the arguments of the call and returns one; it is asked at each miss, before the
        function runs. It needs a ``RustCache``: on another backend a call raises ``RuntimeError``. Raises
        ``TypeError`` if it is none of these. Default None: no tags.
        """
        upstream: Callable[..., Any] = super().cached
        view = ViewOptions(
            key_prefix, query_string, make_cache_key, source_check, response_hit_indication, hash_method
        )
        options = Options(
            unless, forced_update, is_stale, response_filter, cache_none, single_flight, frozen(tags)
        )
        # Flask-Caching 2.4 has no `is_stale`, and a default of its own for the other.
        given = {"is_stale": is_stale, "hash_method": hash_method}
        newer = {name: value for name, value in given.items() if value is not None}

        def decorator(function: Callable[..., Any]) -> Any:
            accept = view.filter_for(self, function, response_filter)
            inner = upstream(
                timeout=timeout,
                key_prefix=key_prefix,
                unless=unless,
                forced_update=forced_update,
                response_filter=accept,
                query_string=query_string,
                cache_none=cache_none,
                make_cache_key=make_cache_key,
                source_check=source_check,
                response_hit_indication=response_hit_indication,
                **newer,
            )(function)
            plan = view.plan(options) if _compat.is_known() else options.plan(None)
            return CachedView(self, function, inner, plan, options)._with(view, accept)

        return decorator

    def memoize(  # noqa: PLR0913, PLR0917  # Flask-Caching's parameters
        self,
        timeout: Timeout = None,
        make_name: Callable[[str], str] | None = None,
        unless: Callable[..., Any] | None = None,
        forced_update: Callable[..., Any] | None = None,
        is_stale: Callable[..., Any] | None = None,
        response_filter: Callable[..., Any] | None = None,
        hash_method: Callable[..., Any] | None = None,
        cache_none: bool = False,
        source_check: bool | None = None,
        args_to_ignore: list[str] | None = None,
        *,
        single_flight: bool | None = None,
        tags: Tags = None,
    ) -> Callable[[Callable[P, R]], _typing.MemoizedFunction[P, R]]:
        """Decorates a function to be cached by its arguments; see ``flask_caching.Cache.memoize``.

        ``single_flight`` and ``tags`` are as for :meth:`cached`.
        """
        upstream: Callable[..., Any] = super().memoize
        keys = KeyOptions(make_name, hash_method, source_check, args_to_ignore)
        options = Options(
            unless, forced_update, is_stale, response_filter, cache_none, single_flight, frozen(tags)
        )
        given = {"is_stale": is_stale, "hash_method": hash_method}
        newer = {name: value for name, value in given.items() if value is not None}

        def decorator(function: Callable[..., Any]) -> Any:
            inner = upstream(
                timeout=timeout,
                make_name=make_name,
                unless=unless,
                forced_update=forced_update,
                response_filter=response_filter,
                cache_none=cache_none,
                source_check=source_check,
                args_to_ignore=args_to_ignore,
                **newer,
            )(function)
            kind = keys.kind() if _compat.is_known() else None
            plan = options.plan(kind, forces_first=True, shares_keys=keys.are_shared(function))
            return MemoizedFunction(self, function, inner, plan, options)._with(keys)

        return decorator


#: Where the settings of an application's caches are kept.
_EXTENSION = "flask_rustcache"


def _check_what_upstream_reads(config: dict[str, Any]) -> None:
    """Checks what Flask-Caching reads before it asks the backend, with errors that name no setting."""
    try:
        options = dict(config.get("CACHE_OPTIONS") or {})
    except Exception:
        raise TypeError("CACHE_OPTIONS must be a dict of arguments for the backend") from None
    if not isinstance(config.get("CACHE_ARGS", []), list | tuple):
        raise TypeError("CACHE_ARGS must be a list of arguments for the backend")
    _check_timeout(options.get("default_timeout", config.get("CACHE_DEFAULT_TIMEOUT")))


def _check_timeout(value: Any) -> None:
    if isinstance(value, str):
        try:
            int(value)
        except ValueError:
            raise ValueError(
                f"CACHE_DEFAULT_TIMEOUT must be a whole number of seconds, got {value[:80]!r};"
                " use 300 for five minutes, 0 for no expiry"
            ) from None
