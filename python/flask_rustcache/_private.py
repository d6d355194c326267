"""What is kept out of the cache: responses that say that they are for one visitor or one request only."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.sansio.response import Response

from ._decorated import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


#: What answers ``Range``, ``If-None-Match`` and the like (RFC 9110): an answer to that request alone.
_CONDITIONAL = {206, 304, 412, 416}


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
        return True

    def _warn_once(self) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"{name_of(self._function)} returned a response with Set-Cookie, or Cache-Control:"
            " private or no-store, or with a status that answers one request's conditions (206, 304,"
            " 412 or 416), which is not cached; leave the function uncached, or set"
            " CACHE_STORE_PRIVATE = True if every visitor may get it",
            stacklevel=3,
        )


def _is_private(value: Any) -> bool:
    """Whether a view's return value says that it is for one visitor, or one request, only."""
    if isinstance(value, Response):
        return value.status_code in _CONDITIONAL or _headers_are_private(value.headers)
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
