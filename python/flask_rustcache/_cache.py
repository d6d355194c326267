"""``Cache``: Flask-Caching's, with native hits for decorated views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask_caching

from . import _compat, _config
from ._decorators import CachedView, PrivateFilter
from ._native import CacheFront

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask


class Cache(CacheFront, flask_caching.Cache):
    """``flask_caching.Cache`` with the same parameters, methods and behaviour, but faster where it can be.

    A hit of a view decorated with :meth:`cached` is answered natively where that is provably the same:
    the backend is a ``RustCache``; the decorator has no option but ``timeout``, ``key_prefix`` (a str),
    ``query_string``, ``hash_method``, ``cache_none`` and ``response_filter``; nothing is overridden or
    patched; signals and source checks are off; and the application is not in debug mode. Everything
    else, every miss included, goes through Flask-Caching's own code.

    Concurrent misses of a key run the function once: the first caller leads, the others wait for it, at
    most ``CACHE_FILL_TIMEOUT`` seconds (default 10), and look again. ``CACHE_SINGLE_FLIGHT = False``
    turns this off. A value whose key is deleted, or set anew, while it is being made goes to its caller
    and is not stored.

    A response that carries ``Set-Cookie``, or ``Cache-Control: private`` or ``no-store``, is returned and not
    stored, with one warning per function; ``CACHE_STORE_PRIVATE = True`` stores it, as Flask-Caching does.

    Args:
        app: The application, or None to call ``init_app`` later.
        with_jinja2_ext: Whether templates get the ``{% cache %}`` tag. Default True.
        config: Settings that win over the application's. Default None.
    """

    _store_private: bool = False
    _single_flight: bool = True
    _fill_timeout: float = 10.0

    def init_app(self, app: Flask, config: dict[str, Any] | None = None) -> None:
        """Sets the cache up for an application; see ``flask_caching.Cache.init_app``.

        Raises:
            ValueError: If a setting is out of range; the message names the key and the fix.
            TypeError: If a setting is of the wrong type; the message names the key.
        """
        settings = {**app.config, **(self.config or {}), **(config or {})}
        _check_timeout(settings.get("CACHE_DEFAULT_TIMEOUT"))
        self._store_private = _config.flag(settings.get("CACHE_STORE_PRIVATE", False), "CACHE_STORE_PRIVATE")
        self._single_flight = _config.flag(settings.get("CACHE_SINGLE_FLIGHT", True), "CACHE_SINGLE_FLIGHT")
        self._fill_timeout = _config.seconds(settings.get("CACHE_FILL_TIMEOUT", 10), "CACHE_FILL_TIMEOUT")
        super().init_app(app, config)

    def inc(self, key: Any, delta: Any = 1) -> Any:
        """Adds to a value, atomically; see the backend's ``inc``."""
        return self.cache.inc(key, delta)

    def dec(self, key: Any, delta: Any = 1) -> Any:
        """Subtracts from a value, atomically; see the backend's ``dec``."""
        return self.cache.dec(key, delta)

    def cached(  # noqa: PLR0913, PLR0917  # Flask-Caching's parameters
        self,
        timeout: Any = None,
        key_prefix: Any = "view/%s",
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
    ) -> Any:
        """Decorates a view, or any function, to be cached; see ``flask_caching.Cache.cached``.

        ``single_flight`` says whether concurrent misses of a key wait for one of them to run the function;
        None (the default) leaves it to ``CACHE_SINGLE_FLIGHT``.
        """
        upstream = super().cached
        special = unless or forced_update or is_stale or make_cache_key or source_check
        plain = not (special or response_hit_indication or callable(key_prefix)) and _compat.is_known()

        # Flask-Caching 2.4 has no `is_stale`, and a default of its own for the other.
        given = {"is_stale": is_stale, "hash_method": hash_method}
        newer = {name: value for name, value in given.items() if value is not None}

        def decorator(function: Callable[..., Any]) -> CachedView:
            inner = upstream(
                timeout=timeout,
                key_prefix=key_prefix,
                unless=unless,
                forced_update=forced_update,
                response_filter=PrivateFilter(lambda: self._store_private, function, response_filter),
                query_string=query_string,
                cache_none=cache_none,
                make_cache_key=make_cache_key,
                source_check=source_check,
                response_hit_indication=response_hit_indication,
                **newer,
            )(function)
            prefix = key_prefix if plain else None
            return CachedView(self, inner, prefix, bool(query_string), single_flight)

        return decorator


def _check_timeout(value: Any) -> None:
    if isinstance(value, str):
        try:
            int(value)
        except ValueError:
            raise ValueError(
                f"CACHE_DEFAULT_TIMEOUT must be a whole number of seconds, got {value!r};"
                " use 300 for five minutes, 0 for no expiry"
            ) from None
