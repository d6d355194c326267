"""Time in the tests of an application: a clock that is moved by hand, and a pytest fixture.

Use it with ``pytest_plugins = ["flask_rustcache.testing"]`` in the top ``conftest.py``, or import
``cache_clock`` there::

    def test_expiry(app, cache, cache_clock):
        cache_clock.install(app)
        with app.app_context():
            cache.set("key", "value", timeout=60)
            cache_clock.advance(60)
            assert cache.get("key") is None

Tests that freeze time with freezegun or time-machine need nothing of this: where one of the two is
loaded, or ``TESTING`` is set, at the cache's first call, it goes by ``time.time``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from .backend import RustCache

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["ManualClock"]


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        now: Its first time, in seconds. Default 1,700,000,000 (November 2023).
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        """Starts at ``now``."""
        self.now = now

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    def advance(self, seconds: float | dt.timedelta) -> None:
        """Moves the clock by seconds or a ``timedelta``; negative ones move it back."""
        if isinstance(seconds, dt.timedelta):
            seconds = seconds.total_seconds()
        self.now += seconds

    def install(self, target: Flask | RustCache) -> None:
        """Lets a cache, or every ``RustCache`` of an application, go by this clock from now on.

        Entries that are there already keep the lifetime they have left.

        Raises:
            LookupError: If the target is neither, or the application has no ``RustCache``.
        """
        if isinstance(target, RustCache):
            target.clock = self
            return
        backends = getattr(target, "extensions", {}).get("cache", {}).values()
        ours = [backend for backend in backends if isinstance(backend, RustCache)]
        if not ours:
            raise LookupError(
                f"no RustCache found in {target!r}; give install() the application, after"
                " Cache.init_app(app), or the RustCache itself"
            )
        for backend in ours:
            backend.clock = self


try:
    import pytest
except ModuleNotFoundError:
    pass  # The clock serves other test runners, too.
else:
    __all__ += ["cache_clock"]

    @pytest.fixture
    def cache_clock() -> ManualClock:
        """A clock moved by hand; give it to a cache with ``cache_clock.install(app)``."""
        return ManualClock()
