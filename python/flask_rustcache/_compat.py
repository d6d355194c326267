"""Which versions of Flask and Flask-Caching the native decorators know, and what they take from them.

Where a version is none of these, Flask-Caching's own code runs, and only the backend is native.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import flask.globals
import flask_caching

#: The versions whose own suite is run against ours: the decorators' semantics are theirs.
_KNOWN_FLASK_CACHING = ("2.5.",)

#: The context variables behind ``current_app`` and ``request``; None where Flask keeps them elsewhere.
CURRENT_APP: Any = getattr(flask.globals, "_cv_app", None)
CURRENT_REQUEST: Any = getattr(flask.globals, "_cv_request", None)


#: The methods that a hit goes through, as Flask-Caching has them: whoever patches one wants to be asked.
#: Versions that are not known lack some of them; there no hit is native.
UPSTREAM_METHODS: dict[str, Any] = {
    name: getattr(flask_caching.Cache, name, None)
    for name in ("get", "_bypass_cache", "_forced_update", "_is_stale")
}

#: The innermost fill that the present context leads (see ``src/py/flight.rs``).
FILL_CONTEXT: ContextVar[Any] = ContextVar("flask_rustcache_fill")


def in_event_loop() -> bool:
    """Whether this thread is running an event loop just now, so that it must not wait."""
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def is_known() -> bool:
    """Whether the native path of the decorators may be taken at all."""
    known = version("flask-caching").startswith(_KNOWN_FLASK_CACHING)
    return known and CURRENT_APP is not None and CURRENT_REQUEST is not None
