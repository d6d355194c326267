"""What ``Cache.cached`` returns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from flask import g, request
from flask_caching import CachedResponse
from werkzeug.exceptions import HTTPException

from ._compat import cache_view_hit, cache_view_miss, hashes_plainly
from ._decorated import LOGGER, Decorated, Options, Plan, joined, name_of
from ._fork import made_once
from ._private import PrivateFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Response

    from ._cache import Cache


#: Methods whose answers may serve each other.
_READING = ("GET", "HEAD")
_ALL_METHODS = (*_READING, "POST", "PUT", "PATCH", "DELETE")


class ViewOptions(NamedTuple):
    """What only views are decorated with."""

    key_prefix: Any
    query_string: bool
    make_cache_key: Callable[..., Any] | None
    source_check: bool | None
    response_hit_indication: bool | None
    hash_method: Any = None

    def plan(self, options: Options) -> Plan:
        """What follows from them for the native half."""
        asked = callable(self.key_prefix) or callable(self.make_cache_key) or self.source_check
        asked = asked or (self.query_string and not hashes_plainly(self.hash_method))
        # What `%` makes of anything but a plain text, or that it cannot, is Python's to say.
        asked = asked or type(self.key_prefix) is not str or not _is_plain_text(self.key_prefix)
        kind = "asked" if asked else "query" if self.query_string else "view"
        return options.plan(
            kind,
            prefix="" if asked else self.key_prefix,
            indicates=bool(self.response_hit_indication),
            raises=True,
        )

    def filter_for(
        self, cache: Cache, function: Callable[..., Any], also: Callable[..., Any] | None
    ) -> PrivateFilter:
        """What decides whether a value is stored."""
        return PrivateFilter(lambda: cache._settings().store_private, function, also)


class CachedView(Decorated):
    """A decorated view, or any function decorated as one."""

    def _with(self, view: ViewOptions, accepts: PrivateFilter) -> Self:
        self._view, self._accepts = view, accepts
        return self

    def _make(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        make = self._view.make_cache_key
        if callable(make):
            return make(*args, **kwargs)
        return self.make_cache_key(*args, use_request=True, **kwargs)

    def _found(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._of.app.debug:
            LOGGER.info("Cache used for key: %s", key)
        self._tell(True, key, args, kwargs)

    def _run(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Flask-Caching's way from a miss to an answer."""
        self._tell(False, key, args, kwargs)
        if request:
            self._note(_READING if request.method in _READING else (request.method,))
        value = joined(self._of._outcome(self._function, *args, **kwargs))
        if self._may_store(value):
            timeout = self._timeout()
            if isinstance(value, CachedResponse):
                timeout = value.timeout or timeout
            self._store(key, value, timeout)
        return self._raised(value)

    def _may_store(self, value: Any) -> bool:
        if not isinstance(value, HTTPException):
            return self._accepts(value)
        if callable(self._options.response_filter):
            return self._accepts(value.get_response())
        answer: Any = value.response
        try:
            # As the server would ask it: one of the application's own may not know how to answer otherwise.
            answer = value.get_response(request.environ if request else {})
        except Exception:
            LOGGER.debug("an error handler answers for %r", value)
        return self._accepts(answer)

    def _raised(self, value: Any) -> Any:
        """The answer, if it is not one to be raised."""
        if isinstance(value, HTTPException):
            raise value
        return value

    def _tell(self, found: bool, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._view.response_hit_indication:
            _indicate(self._of.app, found)
        owner = self._of._owner()
        if owner.enable_signals:
            signal = cache_view_hit if found else cache_view_miss
            signal.send(cache=owner, cache_key=key, args=args, kwargs=kwargs)

    def _methods(self) -> dict[str, None]:
        """The request methods that the function ran for; it may be decorated afresh at each request."""
        name = f"{getattr(self._function, '__module__', None)}.{name_of(self._function)}"
        return made_once(self._of._methods_run, name, dict)

    def _note(self, ran: Iterable[str]) -> None:
        methods = self._methods()
        for method in ran:
            made_once(methods, method, lambda: None)

    def _meets_method(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The first request of this method was answered from the cache: who stored that?"""
        methods, method = self._methods(), request.method
        # Where it never ran, somebody put the answer there for it, unless another view has the same path.
        if method in methods or (not methods and not _serves_several(request)):
            return
        self._note(_ALL_METHODS)
        warnings.warn(
            f"a {method} request to {request.path} was answered from the cache, by"
            f" {name_of(self._function)}, with what a request of another method stored there, as the key"
            " does not hold the method; cache views of one method only, or give them a make_cache_key",
            stacklevel=2,
        )


def _is_plain_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _serves_several(request: Any) -> bool:
    """Is this a request that does not read, for a path that may also be read?"""
    methods = getattr(request.url_rule, "methods", None) or ()
    return request.method not in _READING and any(method in methods for method in _READING)


def _indicate(app: Any, found: bool) -> None:
    """Has the response say that it comes from the cache."""
    g.flask_caching_hit_cache = found
    functions = app.after_request_funcs[None]
    if not any(getattr(function, "__name__", None) == "apply_caching" for function in functions):
        functions.append(apply_caching)


def apply_caching(response: Response) -> Response:
    """Adds the header; has Flask-Caching's name, so that one of the two is installed."""
    if g.get("flask_caching_hit_cache"):
        response.headers["hit_cache"] = g.flask_caching_hit_cache
    return response
