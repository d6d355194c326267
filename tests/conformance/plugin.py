"""The one change made to upstream's suites: our class under SimpleCache's names, on a moved clock.

Loaded with ``pytest -p plugin`` from inside an unpacked source distribution (see README.md in
this folder). Nothing of the distribution itself is edited.
"""

import functools
import time
from collections import Counter

import cachelib.simple
import flask_caching.backends.simplecache
import pytest
from flask_rustcache import RustCache

# The pauses of upstream's slow serializers (0.0001 s) are there to let other threads in, so they
# stay real; whatever is longer waits for an expiry and only moves the clock.
LONGEST_REAL_SLEEP = 0.01

SIMPLE_CACHES = (cachelib.simple.SimpleCache, flask_caching.backends.simplecache.SimpleCache)

built: Counter[str] = Counter()
real_sleep = time.sleep
moved_seconds = 0.0


def now() -> float:
    """Tell the time our caches live by.

    ``cachelib.simple.time`` is looked up at each call, since that is the name which
    Flask-Caching's ``clock`` fixture replaces.

    Returns:
        Seconds since the epoch, of upstream's clock, plus what upstream slept.
    """
    return cachelib.simple.time() + moved_seconds


def moved_sleep(seconds: float) -> None:
    """Stand in for ``time.sleep``: move the clock where upstream waits for an expiry.

    Args:
        seconds: What upstream sleeps, in seconds.
    """
    global moved_seconds  # noqa: PLW0603 - one clock for the whole process is the point
    if seconds < LONGEST_REAL_SLEEP:
        real_sleep(seconds)
    else:
        moved_seconds += seconds


def build_on_moved_clock() -> None:
    """Give every RustCache (subclasses included) the moved clock, and count it."""
    construct = RustCache.__init__

    @functools.wraps(construct)
    def count_and_construct(self: RustCache, *args: object, **options: object) -> None:
        built["RustCache"] += 1
        construct(self, *args, **{"clock": now, **options})

    RustCache.__init__ = count_and_construct


def count_leftovers() -> None:
    """Count what is still built from upstream's own class: the parent run wants none."""
    cachelib_class = SIMPLE_CACHES[0]
    construct = cachelib_class.__init__

    @functools.wraps(construct)
    def count_and_construct(self: object, *args: object, **options: object) -> None:
        built["SimpleCache"] += 1
        construct(self, *args, **options)

    cachelib_class.__init__ = count_and_construct


def answer_calls_meant_for_cachelib() -> None:
    """Let ``factory`` serve a CACHE_TYPE of "cachelib.SimpleCache" too.

    Flask-Caching calls such a class with keyword options alone. It would do so here as well, were
    RustCache not its own BaseCache, for which it picks ``factory`` before it looks at the name.
    """
    build = RustCache.factory.__func__

    @functools.wraps(build)
    def factory(cls: type[RustCache], *args: object, **options: object) -> RustCache:
        return cls(*args, **options) if options else build(cls, *args)

    RustCache.factory = classmethod(factory)


def swap_names() -> None:
    """Put RustCache under each name by which upstream reaches a SimpleCache.

    Flask-Caching has been imported above, so its own class keeps its real base. The last name is
    the one that upstream's test_init.py makes from the class it found under the others.
    """
    cachelib.SimpleCache = RustCache
    cachelib.simple.SimpleCache = RustCache
    flask_caching.SimpleCache = RustCache
    flask_caching.backends.SimpleCache = RustCache
    flask_caching.backends.simplecache.SimpleCache = RustCache
    flask_caching.backends.RustCache = RustCache


build_on_moved_clock()
count_leftovers()
answer_calls_meant_for_cachelib()
swap_names()


@pytest.fixture(autouse=True)
def _sleep_moves_the_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Swap ``sleep`` in the module that defines the test, mixins included.

    ``from time import sleep`` made it a global there; ``time.sleep`` itself stays real for
    pytest and xprocess.
    """
    module = request.function.__globals__
    if module.get("sleep") is real_sleep:
        monkeypatch.setitem(module, "sleep", moved_sleep)


@pytest.fixture(scope="session", autouse=True)
def _report_what_was_built(record_testsuite_property):
    """Write the counts into the JUnit report, at the end, for tests/test_conformance.py."""
    yield
    for name in ("RustCache", "SimpleCache"):
        record_testsuite_property(f"built {name}", built[name])
    record_testsuite_property("moved seconds", moved_seconds)
