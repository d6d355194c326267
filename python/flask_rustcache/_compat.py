"""Which versions of Flask and Flask-Caching the native decorators know, and what they take from them.

Where a version is none of these, Flask-Caching's own code runs, and only the backend is native.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import flask.globals
import flask_caching
from flask_caching import utils

from ._fork import looked_up

if sys.version_info >= (3, 14):
    import annotationlib

    #: Names in annotations may be there for type checkers only, and are no business of ours.
    signature_of = functools.partial(inspect.signature, annotation_format=annotationlib.Format.FORWARDREF)
else:
    signature_of = inspect.signature

#: The versions whose own suite is run against ours: the decorators' semantics are theirs.
_KNOWN_FLASK_CACHING = ("2.5.",)

#: The context variables behind ``current_app`` and ``request``; None where Flask keeps them elsewhere.
CURRENT_APP: Any = getattr(flask.globals, "_cv_app", None)
CURRENT_REQUEST: Any = getattr(flask.globals, "_cv_request", None)


#: The methods that Flask-Caching's decorated functions go through, and ours do not: whoever overrides or
#: patches one wants to be asked. Versions that are not known lack some of them; there nothing is native.
_UPSTREAM: dict[str, Any] = {
    name: getattr(flask_caching.Cache, name, None)
    for name in (
        "get",
        "has",
        "get_many",
        "set_many",
        "delete_many",
        "_bypass_cache",
        "_forced_update",
        "_is_stale",
        "_memoize_make_cache_key",
        "_memoize_kwargs_to_args",
        "_get_hash_method",
        "_get_source_check",
        "_memvname",
    )
}
_UPSTREAM_VERSION: Any = getattr(flask_caching.Cache, "_memoize_version", None)


def is_plain(cache: Any) -> bool:
    """Whether a cache's decorated functions may be answered without Flask-Caching's own code.

    Asked again whenever an attribute of the cache or of its class was set.
    """
    if not is_known():
        return False
    own, kind = vars(cache), type(cache)
    if any(getattr(kind, name) is not theirs or name in own for name, theirs in _UPSTREAM.items()):
        return False
    if flask_caching.Cache._memoize_version is not _UPSTREAM_VERSION:
        return False
    ours = sys.modules["flask_rustcache._cache"].Cache
    return all(getattr(kind, name) is getattr(ours, name) for name in ("_memoize_version", "cache"))


def asks_for_keys(cache: Any) -> bool:
    """Whether a key may differ from call to call, so that none is remembered.

    Sources change, and so may what an application's own hash method depends on.
    """
    return bool(getattr(cache, "source_check", False)) or not hashes_plainly(
        getattr(cache, "hash_method", None)
    )


def hashes_plainly(method: Any) -> bool:
    """Whether equal input has equal hashes, whenever it is asked."""
    return method is None or method in _PLAIN_HASHES


_PLAIN_HASHES = tuple(getattr(flask_caching, "SUPPORTED_HASH_FUNCTIONS", ()))

# What the native path takes from Flask-Caching 2.5; None in 2.4, where there is no such path.
join_generator: Any = getattr(utils, "join_generator", None)
normalize_timeout: Any = getattr(utils, "normalize_timeout", None)
wants_extra_args: Any = getattr(utils, "wants_extra_args", None)
cache_view_hit: Any = getattr(flask_caching, "cache_view_hit", None)
cache_view_miss: Any = getattr(flask_caching, "cache_view_miss", None)
cache_memoize_hit: Any = getattr(flask_caching, "cache_memoize_hit", None)
cache_memoize_miss: Any = getattr(flask_caching, "cache_memoize_miss", None)

#: The innermost fill that the present context leads (see ``src/py/flight.rs``).
FILL_CONTEXT: ContextVar[Any] = ContextVar("flask_rustcache_fill")


def present_app() -> Any:
    """The present application, or None.

    ``current_app`` would read a closure's variable, and so lock it where there is no global lock.
    """
    if CURRENT_APP is None:
        return flask.globals.current_app or None
    context = CURRENT_APP.get(None)
    return None if context is None else context.app


def in_event_loop() -> bool:
    """Whether this thread is running an event loop just now, so that it must not wait."""
    asyncio: Any = looked_up(sys.modules, "asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def get_ident() -> int:
    """The number of this thread, or of this greenlet where gevent has patched ``threading``."""
    return threading.get_ident()


def wait_for(lock: Any, seconds: float) -> None:
    """Waits until another thread has released a lock, or for so long."""
    lock.acquire(timeout=seconds)


@functools.cache
def is_known() -> bool:
    """Whether the native path of the decorators may be taken at all."""
    known = version("flask-caching").startswith(_KNOWN_FLASK_CACHING)
    return known and CURRENT_APP is not None and CURRENT_REQUEST is not None
