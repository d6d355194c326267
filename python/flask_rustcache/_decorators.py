"""What ``Cache.cached`` returns, and what it keeps out of the cache."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.sansio.response import Response

from ._native import CachedFunction, CacheFront, _fill_returned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class CachedView(CachedFunction):
    """A decorated function: native on a plain hit, Flask-Caching's own decorated function otherwise.

    It has the name, the documentation, the signature and the attributes of the function it wraps, binds as a
    method, and is pickled and copied as a function is: by its name, and not at all.
    """

    def __init__(
        self,
        cache: CacheFront,
        inner: Any,
        key_prefix: str | None,
        query_string: bool = False,
        single_flight: bool | None = None,
    ) -> None:
        """Wraps what ``flask_caching.Cache.cached`` made of a function."""
        functools.update_wrapper(self, inner.uncached)
        self._show("uncached", "cache_timeout", "make_cache_key")

    def _show(self, *names: str) -> None:
        # Where functools.wraps copies a function's attributes from; access goes by the properties.
        for name in names:
            self.__dict__[name] = getattr(self._inner, name)

    @property
    def uncached(self) -> Callable[..., Any]:
        """The function that was decorated."""
        function: Callable[..., Any] = self._inner.uncached
        return function

    @uncached.setter
    def uncached(self, function: Callable[..., Any]) -> None:
        self._inner.uncached = function
        self._show("uncached")

    @property
    def cache_timeout(self) -> Any:
        """Seconds, a ``timedelta``, or None for the default; read at each miss."""
        return self._inner.cache_timeout

    @cache_timeout.setter
    def cache_timeout(self, timeout: Any) -> None:
        self._inner.cache_timeout = timeout
        self._show("cache_timeout")

    @property
    def make_cache_key(self) -> Callable[..., str]:
        """Makes the key; may be replaced, and is then asked at each call."""
        function: Callable[..., str] = self._inner.make_cache_key
        return function

    @make_cache_key.setter
    def make_cache_key(self, function: Callable[..., str]) -> None:
        self._give_up()
        self._inner.make_cache_key = function
        self._show("make_cache_key")

    def __reduce__(self) -> str:
        """By name, as a function."""
        name: str = self.__dict__["__qualname__"]
        return name

    def __repr__(self) -> str:
        """Says what it wraps."""
        return f"<cached {self.uncached!r}>"


class PrivateFilter:
    """A ``response_filter`` that keeps one visitor's response from being served to another.

    Args:
        stores_private: Whether the filter is turned off; asked at each miss.
        function: The decorated function, for the warning.
        also: The user's own filter, or None.
    """

    def __init__(
        self,
        stores_private: Callable[[], bool],
        function: Callable[..., Any],
        also: Callable[..., Any] | None,
    ) -> None:
        """Filters for one decorated function."""
        self._stores_private, self._function, self._also = stores_private, function, also
        self._warned = False

    def __call__(self, value: Any) -> bool:
        """Whether to store what the function returned; asked right before it is stored."""
        if self._also is not None and not self._also(value):
            return False
        if not self._stores_private() and _is_private(value):
            self._warn_once()
            return False
        _fill_returned()
        return True

    def _warn_once(self) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{self._function.__qualname__} returned a response with Set-Cookie, or Cache-Control:"
            " private or no-store, which is not cached; leave the function uncached, or set"
            " CACHE_STORE_PRIVATE = True if every visitor may get it",
            stacklevel=3,
        )


def _is_private(value: Any) -> bool:
    """Whether a view's return value says that it is for one visitor only."""
    if isinstance(value, Response):
        return _headers_are_private(value.headers)
    if isinstance(value, tuple) and value:
        return _is_private(value[0]) or any(_part_is_private(part) for part in value[1:])
    return False


def _part_is_private(part: Any) -> bool:
    """What follows the body in a tuple: a status, or headers in one of the forms that Flask takes."""
    if not isinstance(part, (Headers, dict, list, tuple)):
        return False
    try:
        return _headers_are_private(Headers(part))
    except (AttributeError, TypeError, ValueError):
        # No headers: a function that is no view may return any tuple.
        return False


def _headers_are_private(headers: Headers) -> bool:
    if "Set-Cookie" in headers:
        return True
    directives: Iterable[str] = ",".join(headers.getlist("Cache-Control")).split(",")
    names = {directive.partition("=")[0].strip().lower() for directive in directives}
    return not names.isdisjoint({"private", "no-store"})
