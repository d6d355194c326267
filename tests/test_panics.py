"""Trap A6: nothing that can be passed in makes native code panic, or run out of stack.

A panic arrives as a ``BaseException`` that no ``except Exception`` takes for an error of the view's.
"""

import datetime as dt
import gc
import itertools
import logging
import sys
import uuid
from contextlib import suppress

import pytest
from flask import Flask
from flask_rustcache import Cache, RustCache, cached, memoize
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._memo import record_of
from ._traps import check

ENDS = [
    0,
    1,
    *(
        sign * (1 << bits) + more
        for bits in (31, 32, 53, 62, 63, 64, 65)
        for more in (-1, 0)
        for sign in (1, -1)
    ),
]
SECONDS = [
    *ENDS,
    5e-324,
    1e-9,
    1e18,
    1e300,
    -1e300,
    float("inf"),
    float("-inf"),
    dt.timedelta.max,
    dt.timedelta.min,
]
TIMES = [*(float(end) for end in ENDS), 1e300, -1e300, 9223372036.854775, -9223372036.854775]


def use(cache, key, timeout):
    """Each verb that takes a timeout, and some that look at it."""
    verbs = [
        lambda: cache.set(key, [1], timeout, tags=["t"]),
        lambda: (cache.get(key), cache.get(key), cache.get(key)),
        lambda: (cache.ttl(key), cache.touch(key, timeout), cache.add(key, 1, timeout)),
        lambda: cache.set_many({key: 1, ("t", key): 2}, timeout),
        lambda: (cache.inc(key, timeout), cache.dec(key, 1 << 64)),
        lambda: (len(cache), cache.stats(), list(cache._cache.items()), cache.purge_expired()),
        lambda: cache.set(key, 1, 0),
    ]
    for verb in verbs:
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            verb()


@pytest.mark.parametrize("jitter", [0, 1])
@pytest.mark.parametrize("shards", [1, 16])
def test_times_and_timeouts_at_their_ends(jitter, shards):
    """A6, G4: from any time to any other, with any timeout."""
    clock = ManualClock()
    cache = RustCache(threshold=2_000, shards=shards, clock=clock, jitter=jitter)
    for number, (now, timeout) in enumerate(itertools.product(TIMES, SECONDS)):
        clock.now = now
        use(cache, f"key {number % 50}", timeout)
    check(cache)


@pytest.mark.parametrize("bound", ENDS)
def test_bounds_at_their_ends(bound):
    """A6, H2: as bounds on entries, on bytes and on prototypes, when made and when changed."""
    for option in ("threshold", "max_bytes", "prototype_bytes"):
        with suppress(ValueError, OverflowError, TypeError):
            use(RustCache(**{option: bound}), "key", 60)
    cache = RustCache(threshold=3)
    with suppress(ValueError, OverflowError, TypeError):
        cache._threshold = bound
    for number in range(5):
        cache.set(number, [number])
    check(cache)


@pytest.mark.parametrize("text", ["", "\0", "\x7f", "\U0010ffff", chr(0xD800), chr(0xDFFF), "x" * (1 << 20)])
def test_texts_at_their_ends(text):
    """A6, J1: as keys, tags and prefixes."""
    cache = RustCache()
    cache.set_many({text: 1, "other" + text: 2, (text,): 3}, tags=[text])
    assert cache.get_many(text, "other" + text, (text,)) == [1, 2, 3]
    assert cache.delete_prefix("other" + text) == 1
    assert cache.delete_prefix(text) == 1
    assert cache.delete_tag(text) == 1
    check(cache)


def nested(depth):
    value = ()
    for _ in range(depth):
        value = (value,)
    return value


class Identity:
    """A serializer that hands over the object itself."""

    def dumps(self, value):
        return value

    loads = dumps


@in_child
def test_depth_is_no_matter_to_what_is_weighed():
    """I6: a key as deep as Python can hash, a serializer's object of any depth: the stack suffices."""
    cache = RustCache(max_bytes=10**9)
    key = nested(30_000)
    assert cache.set(key, "deep")
    assert cache.get(key) == "deep"
    cache.serializer = Identity()
    deep = nested(1_000_000)
    assert cache.set("key", deep)
    assert cache.get("key") is deep
    check(cache)


@in_child
def test_what_objects_say_of_their_size_is_no_matter():
    """A6, H4: a ``__sizeof__`` near the end of numbers is that of a value larger than any bound."""
    # It says once that the value is refused.
    logging.disable()
    uuid.UUID.__sizeof__ = lambda self: sys.maxsize - 1000
    one = uuid.uuid4()
    many = (one, uuid.uuid4(), uuid.uuid4())
    for max_bytes in (None, 1 << 20):
        cache = RustCache(max_bytes=max_bytes)
        for key, value in [("leaf", one), ("tuple", many), ("tree", [*many]), (many, 1)]:
            assert cache.set(key, value, tags=["t"]) is (max_bytes is None)
            cache.add(key, value, tags=["u"])
            cache.stats()
        check(cache)


def application(**config):
    app = Flask("panics")
    return app, Cache(app, config={"CACHE_TYPE": "flask_rustcache.RustCache", **config})


def test_an_empty_version_that_was_left_behind():
    """A6: a value under the key of a function's version that is none, and was there first."""
    app, cache = application()

    @cache.memoize()
    def double(number):
        return 2 * number

    with app.app_context():
        cache.set("entry", 1)
        cache.set(record_of(cache, double), "")
        assert [double(2), double(2)] == [4, 4]


class Changing:
    """Finds the dict of the call's keywords as its ``repr`` is asked for, and changes it."""

    def __repr__(self):
        for holder in gc.get_referrers(self):
            if type(holder) is dict and "first" in holder:
                holder.update((f"added {number}", number) for number in range(50))
        return "Changing"


def test_keywords_that_change_while_they_are_read():
    """A6: the call ends in one way or the other, which is Python's."""
    app, cache = application()

    @cache.memoize()
    def shown(**names):
        return len(names)

    with app.app_context():
        for _ in range(3):
            with suppress(RuntimeError):
                shown(first=1, second=Changing(), third=3)
        assert shown(first=1) == 1


class StopError(BaseException):
    """As ``KeyboardInterrupt``, or the time limits of gevent and test runners."""


class Stopping:
    def __repr__(self):
        raise StopError


class StoppingOnce(Stopping):
    """Raises as the key's bytes are made, and not as Flask-Caching makes the key."""

    raised = False

    def __repr__(self):
        if self.raised:
            return "StoppingOnce"
        self.raised = True
        raise StopError


@pytest.mark.parametrize("make", [Stopping, StoppingOnce])
def test_what_interrupts_a_call_is_not_swallowed(make):
    """C9: an interrupt that comes while the key is made ends the call."""
    app, cache = application()

    @cache.memoize()
    def shown(value):
        return 1

    with app.app_context():
        assert shown(1) == 1
        with pytest.raises(StopError):
            shown(make())
        assert shown(1) == 1


class StoppingClock:
    """Raises once, the so-manieth time that it is asked."""

    def __init__(self):
        self.left = 0

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            raise StopError
        return 1.0


@pytest.mark.parametrize(
    "decorate",
    [
        lambda cache: cache.memoize(),
        lambda cache: cache.cached(key_prefix="fixed"),
        lambda _: memoize(),
        lambda _: cached(),
    ],
)
def test_what_interrupts_a_clock_is_not_swallowed(decorate):
    """C9: whichever time it is asked in a miss, also after the function has run."""
    clock = StoppingClock()
    app, cache = application(CACHE_OPTIONS={"clock": clock})
    page = decorate(cache)(lambda: 1)
    with app.app_context():
        for clock.left in range(1, 100):
            cache.clear()
            try:
                page()
            except StopError:
                continue
            break
        assert clock.left > 0, "it has raised, and nobody was told"
