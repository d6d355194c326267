"""What is kept out of the cache: responses that say that they are for one visitor or one request only."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from numbers import Number
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.sansio.response import Response

from ._decorated import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.exceptions import HTTPException

#: What answers ``Range``, ``If-None-Match`` and the like (RFC 9110): an answer to that request alone.
_CONDITIONAL = (206, 304, 412, 416)

#: Of the tuples that a view may return.
_LENGTHS = (2, 3)


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


def answers_without_request(error: HTTPException) -> bool:
    """Whether an exception has a response for whoever asks, as Flask-Caching's code does."""
    try:
        error.get_response()
    except Exception:
        return False
    return True


def _is_private(value: Any) -> bool:
    """Whether a view's return value says that it is for one visitor, or one request, only."""
    if isinstance(value, tuple) and value:
        # No view's body is a tuple itself: those of other functions may nest as deep as they like.
        is_private = _status_is_conditional(value) or _tuple_has_private_headers(value)
        return is_private or _response_is_private(value[0])
    return _response_is_private(value)


def _response_is_private(value: Any) -> bool:
    if not isinstance(value, Response):
        return False
    return value.status_code in _CONDITIONAL or _headers_are_private(value.headers)


def _status_is_conditional(value: tuple[Any, ...]) -> bool:
    """Whether the second part of a tuple is such a status, in any form that Flask takes."""
    if len(value) not in _LENGTHS or isinstance(value[0], Number):
        # No answer: a function that is no view may return any tuple.
        return False
    status = value[1]
    if isinstance(status, bytes | bytearray):
        status = status.decode("latin-1")
    if isinstance(status, str):
        status = status.strip().partition(" ")[0]
        return status in map(str, _CONDITIONAL)
    return isinstance(status, int) and status in _CONDITIONAL


def _tuple_has_private_headers(value: tuple[Any, ...]) -> bool:
    """Whether headers follow the body: in one of a few forms, or, in the third place, in any."""
    known: list[Any] = [part for part in value[1:] if isinstance(part, Headers | Mapping | list | tuple)]
    if not known and len(value) == max(_LENGTHS) and isinstance(value[1], int | str | bytes | None):
        if isinstance(value[2], Iterator):
            # It cannot be looked at without being used up.
            return True
        known = [value[2]] if isinstance(value[2], Iterable) else []
    return any(_part_is_private(part) for part in known)


def _part_is_private(part: Any) -> bool:
    try:
        return _headers_are_private(Headers(part))
    except Exception:
        # No headers: a function that is no view may return any tuple.
        return False


def _headers_are_private(headers: Headers) -> bool:
    if "Set-Cookie" in headers:
        return True
    directives: Iterable[str] = ",".join(headers.getlist("Cache-Control")).split(",")
    names = {directive.partition("=")[0].strip().lower() for directive in directives}
    return not names.isdisjoint({"private", "no-store"})
