"""Traps G1 to G6: time. The clock is moved by hand; nothing sleeps."""

import functools
import subprocess
import sys
import weakref
from datetime import timedelta

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

CENTURY = 100 * 365 * 86_400


class Key:
    """A key whose death can be watched."""


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cache(clock):
    return RustCache(clock=clock)


def test_zero_never_none_default_negative_gone(clock):
    """G1: 0 = never, None = default, negative = gone."""
    cache = RustCache(default_timeout=30, clock=clock)
    cache.set("negative", "old")
    cache.set("zero", 1, 0)
    cache.set("none", 1, None)
    cache.set("negative", 1, -1)
    assert cache.get_many("zero", "none", "negative") == [1, 1, None]
    clock.advance(30)
    assert cache.get_many("zero", "none", "negative") == [1, None, None]
    clock.advance(CENTURY)
    assert cache.get_many("zero", "none", "negative") == [1, None, None]
    assert len(cache) == 1


def test_never_expiring_entries_survive_a_full_cache_as_well_as_others(clock):
    """G2: SimpleCache throws all entries without expiry out first."""
    cache = RustCache(threshold=200, clock=clock)
    for number in range(100):
        cache.set(("never", number), number, 0)
        cache.set(("timed", number), number, 1000)
    for number in range(100):
        cache.set(("new", number), number, 1000)
    left = [sum(key[0] == kind for key in cache._cache) for kind in ("never", "timed")]
    assert sum(left) >= 80
    assert abs(left[0] - left[1]) <= 20


def test_a_hot_never_expiring_entry_outlives_one_off_traffic(clock):
    """G2: what is asked for all the time stays, timeout or none."""
    cache = RustCache(threshold=100, clock=clock)
    cache.set("hot", 1, 0)
    for number in range(2000):
        cache.set(number, number, 1000)
        if number % 10 == 0:
            assert cache.get("hot") == 1


def churn(cache):
    """Calls enough for every timer that is due to be looked at."""
    for number in range(50):
        cache.set(f"other {number}", number)
        cache.get("nobody")
    cache.purge_expired()


@pytest.mark.parametrize("later", [100, 0, None, timedelta(days=1)])
@pytest.mark.parametrize("verb", ["set", "set_many"])
def test_no_stale_timer_fires(cache, clock, verb, later):
    """G3: a value set anew lives by its new timeout, the old deadline notwithstanding."""
    cache.set("a", "old", 1)
    if verb == "set":
        cache.set("a", "new", later)
    else:
        cache.set_many({"a": "new"}, later)
    for _ in range(5):
        clock.advance(10)
        churn(cache)
        assert cache.get("a") == "new"
    cache._validate()


@pytest.mark.parametrize("before", [100, 0, None])
def test_a_shorter_timeout_replaces_a_longer_one(cache, clock, before):
    """G3: the new deadline counts when it is the earlier one too."""
    cache.set("a", "old", before)
    cache.set("a", "new", 1)
    clock.advance(1)
    assert cache.get("a") is None
    assert len(cache) == 0


def test_a_deleted_entrys_timer_does_not_hit_its_successor(cache, clock):
    """G3: nor does the timer of an entry that was deleted, expired or cleared."""
    for leave in (cache.delete, lambda _: cache.clear(), lambda _: clock.advance(5)):
        cache.set("a", "old", 5)
        leave("a")
        cache.set("a", "new", 100)
        clock.advance(50)
        churn(cache)
        assert cache.get("a") == "new"


def test_an_entry_changed_by_inc_keeps_its_deadline_only(cache, clock):
    """G3: many changes of one entry leave one deadline."""
    cache.set("a", 0, 10)
    for _ in range(9):
        clock.advance(1)
        cache.inc("a")
    assert cache.get("a") == 9
    clock.advance(1)
    assert cache.get("a") is None
    assert cache.stats()["expirations"] == 1


HUGE = [sys.maxsize, 2**63 - 1, 2**63, 2**64, 10**40, 1e18, 1e308, timedelta.max, 18_446_744_073]


@pytest.mark.parametrize("timeout", HUGE, ids=repr)
def test_huge_timeouts_saturate(cache, clock, timeout):
    """G4: a timeout beyond the ends of time is "never", not an overflow."""
    cache.set("a", 1, timeout)
    assert cache.add("b", 1, timeout) is True
    cache.default_timeout = timeout
    cache.set("c", 1)
    expires = cache._cache["a"][0]
    assert expires == 0 or expires > clock.now + CENTURY
    clock.advance(CENTURY)
    assert cache.get_many("a", "b", "c") == [1, 1, 1]
    cache._validate()


@pytest.mark.parametrize("timeout", HUGE, ids=repr)
def test_huge_timeouts_late_in_time(timeout):
    """G4: nor does the sum of a late moment and a huge timeout wrap around."""
    cache = RustCache(clock=ManualClock(4e9))
    cache.set("a", 1, timeout)
    assert cache.get("a") == 1
    assert cache.purge_expired() == 0


def test_a_step_of_the_wall_clock_changes_nothing():
    """G5: an hour forth or back (NTP, an administrator) neither kills nor revives an entry."""
    code = """
import time
from flask_rustcache import RustCache
cache, real = RustCache(), time.time
cache.set("a", 1, 60)
cache.set("dead", 1, 0.0000001)
for step in (3600, -3600, -10**9, 10**9):
    time.time = lambda: real() + step
    cache.set(f"set at {step}", 1, 60)
    assert cache.get("a") == 1, step
time.time = real
assert len(cache) >= 5
print("fine")
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (process.stdout, process.stderr) == ("fine\n", "")


def test_a_clock_that_steps_back_harms_nothing(cache, clock):
    """G5: with a clock of one's own, entries just live so much longer."""
    cache.set("a", 1, 10)
    cache.set("b", 1, 0)
    clock.advance(-100_000)
    cache.set("c", 1, 10)
    churn(cache)
    assert cache.get_many("a", "b", "c") == [1, 1, 1]
    assert cache.inc("a") == 2
    cache._validate()
    clock.advance(10)
    assert cache.get_many("a", "b", "c") == [2, 1, None]
    clock.advance(100_000)
    assert cache.get_many("a", "b", "c") == [None, 1, None]
    cache._validate()


@pytest.mark.parametrize("start", [0.0, -1e9, 1e9])
def test_a_clock_may_run_through_zero(start):
    """G5: negative readings are times like any others."""
    clock = ManualClock(start)
    cache = RustCache(clock=clock)
    for _ in range(3):
        cache.set("a", 1, 10)
        clock.advance(9.5)
        assert cache.get("a") == 1
        clock.advance(0.5)
        assert cache.get("a") is None
        clock.advance(-1e6)
    cache._validate()


def watched(cache, count, timeout):
    """Fill a cache under keys of its own and watch these."""
    alive = weakref.WeakSet()
    for _ in range(count):
        key = Key()
        cache.set(key, "value", timeout)
        alive.add(key)
    return alive


def no_ttl(cache, key):
    with pytest.raises(KeyError):
        cache.ttl(key)


IDLE = {
    "get": lambda cache: cache.get("nobody"),
    "has": lambda cache: cache.has("nobody"),
    "delete": lambda cache: cache.delete("nobody"),
    "set": lambda cache: cache.set("somebody", 1),
    "inc": lambda cache: cache.inc("somebody"),
    "get_many": lambda cache: cache.get_many("nobody"),
    "ttl": lambda cache: no_ttl(cache, "nobody"),
    "touch": lambda cache: cache.touch("nobody"),
}


@pytest.mark.parametrize("call", IDLE.values(), ids=IDLE)
def test_a_quiet_application_gives_memory_back_bit_by_bit(clock, call):
    """G6: each later call, whatever it is about, frees some of what has expired, and not all at once."""
    cache = RustCache(threshold=10_000, clock=clock)
    alive = watched(cache, 5000, 10)
    clock.advance(10)
    assert len(alive) == 5000
    call(cache)
    assert 0 < len(alive) < 5000
    # With several shards a call more or two for each entry.
    for _ in range(3 * 5000):
        call(cache)
        if not alive:
            break
    assert len(alive) == 0
    assert cache.stats()["expirations"] == 5000
    cache._validate()


def test_memory_comes_back_on_demand(clock):
    """G6: `purge_expired` frees all of it, and says how much that was."""
    cache = RustCache(threshold=10_000, clock=clock)
    alive = watched(cache, 2000, 10)
    kept = watched(cache, 10, 20)
    clock.advance(10)
    assert cache.purge_expired() == 2000
    assert (len(alive), len(kept)) == (0, 10)
    assert cache.purge_expired() == 0


def test_an_expired_entry_that_is_asked_for_goes_at_once(clock):
    """G6: and so does the one that is found to have expired."""
    cache = RustCache(clock=clock)
    for ask in (cache.get, cache.has, cache.delete, cache.get_many, functools.partial(no_ttl, cache)):
        key = Key()
        cache.set(key, "value", 1)
        clock.advance(1)
        assert ask(key) in (None, False, [None])
        alive = weakref.ref(key)
        del key
        assert alive() is None
