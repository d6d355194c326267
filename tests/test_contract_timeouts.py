"""CONTRACT 3, "Timeouts": every row of the table, by every verb and by the default timeout."""

import math
import sys
import warnings
from datetime import timedelta

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

YEARS = 100 * 365 * 86_400

NEVER = [0, False, timedelta(0), 0.0, -0.0, math.inf, 10**30, 2**63, 1e300, sys.maxsize]
NEVER += [timedelta.max]
SECONDS = [
    (1, 1),
    (True, 1),
    (1.5, 1.5),
    (0.001, 0.001),
    (5, 5),
    (2**31, 2**31),
    (timedelta(seconds=2.5), 2.5),
    (timedelta(days=1), 86_400),
]
PAST = [-1, -0.5, -(10**30), -math.inf, timedelta(seconds=-1), timedelta(microseconds=-1)]
WRONG = [
    ("5", TypeError),
    (b"5", TypeError),
    (5j, TypeError),
    ([5], TypeError),
    (math.nan, ValueError),
]

VERBS = {
    "set": lambda cache, key, timeout: cache.set(key, "value", timeout),
    "add": lambda cache, key, timeout: cache.add(key, "value", timeout),
    "set_many": lambda cache, key, timeout: cache.set_many({key: "value"}, timeout),
    "keyword": lambda cache, key, timeout: cache.set(key, "value", timeout=timeout),
}


def by_default_timeout(cache, key, timeout):
    cache.default_timeout = timeout
    return cache.set(key, "value")


def at_construction(cache, key, timeout):
    """A cache of its own, whose entries are looked at through the given one."""
    cache.__init__(clock=cache.clock, default_timeout=timeout)
    return cache.set(key, "value")


DEFAULTS = {"reassigned": by_default_timeout, "constructor": at_construction}
WAYS = {**VERBS, **DEFAULTS}


@pytest.fixture
def clock():
    # Not on a whole second: SimpleCache loses the fraction here.
    return ManualClock(1_700_000_000.75)


@pytest.fixture
def cache(clock):
    return RustCache(clock=clock)


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def store(request):
    return request.param


@pytest.fixture(params=VERBS.values(), ids=VERBS)
def verb(request):
    return request.param


@pytest.mark.parametrize("timeout", NEVER, ids=repr)
def test_never(cache, clock, store, timeout):
    store(cache, "a", timeout)
    clock.advance(YEARS)
    assert cache.get("a") == "value"
    assert cache.has("a") is True


@pytest.mark.parametrize(("timeout", "seconds"), SECONDS, ids=repr)
def test_seconds_and_their_fractions(cache, clock, store, timeout, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store(cache, "a", timeout)
    clock.advance(seconds * 0.99)
    assert cache.get("a") == "value"
    clock.advance(seconds * 0.02)
    assert cache.get("a") is None


@pytest.mark.parametrize("start", [1_700_000_000, 1_700_000_000.75, 0, 0.5])
def test_an_entry_is_expired_at_the_very_moment(verb, start):
    clock = ManualClock(start)
    cache = RustCache(clock=clock)
    verb(cache, "a", 1)
    clock.now = start + 1 - 1e-6
    assert cache.has("a") is True
    clock.now = start + 1
    assert cache.has("a") is False
    assert cache.get("a") is None
    assert cache.delete("a") is False
    assert len(cache) == 0


def test_none_is_the_default(clock, verb):
    cache = RustCache(default_timeout=40, clock=clock)
    verb(cache, "a", None)
    clock.advance(39)
    assert cache.get("a") == "value"
    clock.advance(1)
    assert cache.get("a") is None


def test_the_default_default_is_300(cache, clock, verb):
    verb(cache, "a", None)
    clock.advance(299.5)
    assert cache.get("a") == "value"
    clock.advance(0.5)
    assert cache.get("a") is None


def test_a_reassigned_default_counts_from_the_next_call(cache, clock):
    cache.set("before", 1)
    cache.default_timeout = 10
    cache.set("after", 1)
    clock.advance(10)
    assert cache.get_many("before", "after") == [1, None]
    cache.default_timeout = 0
    cache.add("never", 1)
    cache.inc("counted")
    clock.advance(YEARS)
    assert cache.get_many("before", "never", "counted") == [None, 1, 1]


def test_a_default_timeout_of_the_class_is_honoured(clock):
    class Short(RustCache):
        pass

    cache = Short(clock=clock)
    del cache.default_timeout
    Short.default_timeout = 2
    cache.set("a", 1)
    clock.advance(2)
    assert cache.get("a") is None
    Short.default_timeout = 9
    cache.set("a", 1)
    clock.advance(8)
    assert cache.get("a") == 1


@pytest.mark.parametrize("timeout", PAST, ids=repr)
def test_negative_is_not_readable_and_takes_no_slot(cache, store, timeout):
    store(cache, "a", timeout)
    assert cache.get("a") is None
    assert cache.has("a") is False
    assert len(cache) == len(cache._cache) == cache.stats()["entries"] == 0


@pytest.mark.parametrize("timeout", PAST, ids=repr)
@pytest.mark.parametrize("verb", [VERBS["set"], VERBS["set_many"], by_default_timeout])
def test_negative_takes_the_old_value_away(cache, verb, timeout):
    cache.set("a", "old")
    assert verb(cache, "a", timeout) in (True, ["a"])
    assert cache.get("a") is None
    assert len(cache) == 0


def test_a_negative_add_leaves_a_live_entry_alone(cache):
    cache.set("a", "old")
    assert cache.add("a", "new", -1) is False
    assert cache.get("a") == "old"
    assert cache.add("b", "new", -1) is True
    assert cache.get("b") is None


def test_negative_entries_push_nobody_out(clock):
    cache = RustCache(threshold=3, clock=clock)
    cache.set_many({"a": 1, "b": 2, "c": 3, "d": 4})
    for number in range(100):
        cache.set(f"dead {number}", 1, -1)
    assert cache.get_many("a", "b", "c", "d") == [1, 2, 3, 4]


@pytest.mark.parametrize(("timeout", "error"), WRONG, ids=repr)
def test_what_is_no_number_is_an_error_that_changes_nothing(cache, verb, timeout, error):
    cache.set("a", "old", 10)
    with pytest.raises(error, match="timeout"):
        verb(cache, "a", timeout)
    with pytest.raises(error, match="timeout"):
        verb(cache, "b", timeout)
    assert cache.get_many("a", "b") == ["old", None]
    assert len(cache) == 1


@pytest.mark.parametrize("timeout", [[], b"5", math.nan, "soon", None], ids=repr)
def test_a_bad_default_fails_at_construction(timeout):
    with pytest.raises((TypeError, ValueError), match="default_timeout"):
        RustCache(default_timeout=timeout)


@pytest.mark.parametrize("bad", [None, "5", float("nan")], ids=repr)
def test_a_bad_default_is_named_wherever_it_comes_from(cache, bad):
    """The message may not offer None "for the default"."""
    with pytest.raises((TypeError, ValueError), match=r"^default_timeout must be .*; use 0 for ") as raised:
        cache.default_timeout = bad
    assert "None for the default" not in str(raised.value)
    assert cache.default_timeout == 300

    class Computed(RustCache):
        default_timeout = property(lambda self: bad, lambda self, value: None)

    with pytest.raises((TypeError, ValueError), match=r"^default_timeout must be "):
        Computed().set("a", 1)
