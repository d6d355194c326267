"""CONTRACT 3: the attributes that people touch (`_cache`, `_threshold`, `_lock`, `serializer`)."""

import math
import pickle
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

START = 1_700_000_000.0


class Reversed:
    """A serializer for str: what it stores is str, which is no bytes."""

    def dumps(self, value):
        return value[::-1]

    def loads(self, stored):
        return stored[::-1] + "!"


class Boxed:
    """A serializer whose stored form is an object of any kind."""

    def dumps(self, value):
        return [value]

    def loads(self, stored):
        return ("unboxed", stored[0])


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def cache(clock):
    return RustCache(clock=clock)


def test_the_view_reads_live(cache, clock):
    view = cache._cache
    assert isinstance(view, Mapping)
    assert (len(view), list(view), "a" in view) == (0, [], False)
    cache.set("a", [1], 10)
    cache.set(2, "two", 0)
    assert len(view) == 2
    assert set(view.keys()) == {"a", 2}
    assert "a" in view
    assert 2.0 in view
    assert dict(view.items()).keys() == {"a", 2}
    clock.advance(10)
    assert list(view) == [2]
    assert "a" not in view
    with pytest.raises(KeyError):
        view["a"]


@pytest.mark.parametrize(
    "value",
    [1, "text", b"bytes", None, [1, {"a": (2.5, None)}], {"b": {1, 2}}, 1 + 2j, {1: [[]]}, range(3)],
    ids=repr,
)
@pytest.mark.parametrize("hits", [0, 3])
def test_the_view_gives_the_pickle_that_simple_cache_would_hold(cache, value, hits):
    cache.set("a", value)
    for _ in range(hits):
        cache.get("a")
    _, stored = cache._cache["a"]
    assert type(stored) is bytes
    assert stored == pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def test_the_view_gives_the_moment_of_expiry(cache, clock):
    cache.set("a", 1, 60)
    cache.set("b", 1, 1.5)
    cache.set("never", 1, 0)
    clock.advance(1)
    assert cache._cache["a"][0] == START + 60
    assert cache._cache["b"][0] == START + 1.5
    assert cache._cache["never"][0] == 0


def test_the_moment_of_expiry_is_in_the_time_of_time_without_a_clock():
    cache = RustCache()
    before = time.time()
    cache.set("a", 1, 1000)
    expires, _ = cache._cache["a"]
    # A coarse clock may be some milliseconds late.
    assert before + 999.9 <= expires <= time.time() + 1000.1


def test_looking_through_the_view_counts_as_no_hit(cache):
    cache.set("a", [1])
    before = cache.stats()
    assert "a" in cache._cache
    assert cache._cache["a"]
    assert list(cache._cache.items())
    after = cache.stats()
    assert (after["hits"], after["misses"]) == (before["hits"], before["misses"])


def test_the_view_deletes_through(cache):
    cache.set_many({"a": 1, "b": 2, "c": 3})
    del cache._cache["a"]
    assert cache.get("a") is None
    with pytest.raises(KeyError):
        del cache._cache["a"]
    assert pickle.loads(cache._cache.pop("b")[1]) == 2
    assert list(cache._cache) == ["c"]
    cache._cache.clear()
    assert len(cache) == 0


def test_assignment_raises_and_names_set(cache):
    with pytest.raises(TypeError, match=r"set\("):
        cache._cache["a"] = (0, pickle.dumps(1))
    with pytest.raises(TypeError, match=r"set\("):
        cache._cache.update({"a": (0, b"")})
    with pytest.raises(AttributeError, match=r"set\("):
        cache._cache = {}
    assert len(cache) == 0


def test_the_view_may_be_walked_while_the_cache_changes(cache):
    cache.set_many({str(number): number for number in range(10)})
    for key in cache._cache:
        cache.delete(key)
        cache.set(f"new {key}", 1)
    assert sorted(cache._cache) == sorted(f"new {number}" for number in range(10))


def test_deleting_by_a_prefix_the_usual_way(cache):
    cache.set_many({"user/1": 1, "user/2": 2, "page/1": 3})
    for key in [key for key in cache._cache.keys() if key.startswith("user/")]:  # noqa: SIM118
        cache.delete(key)
    assert list(cache._cache) == ["page/1"]


def test_the_views_pair_of_a_custom_serializer_is_what_it_stored(cache):
    cache.serializer = Reversed()
    cache.set("a", "abc")
    assert cache._cache["a"] == (START + 300, "cba")
    cache.serializer = Boxed()
    cache.set("b", 1)
    assert cache._cache["b"][1] == [1]


def test_threshold_assignment_takes_effect_at_once(cache):
    cache.set_many({number: number for number in range(400)})
    assert len(cache) == 400
    cache._threshold = 10
    assert cache._threshold == 10
    assert len(cache) == len(list(cache._cache)) == cache.stats()["entries"] == 11
    cache._threshold = "20"
    cache.set_many({number: number for number in range(400)})
    assert len(cache) == 21
    cache._validate()


def test_a_lower_threshold_lets_the_expired_go_first(cache, clock):
    cache.set_many({f"stays {number}": number for number in range(5)}, 100)
    cache.set_many({f"goes {number}": number for number in range(5)}, 1)
    clock.advance(1)
    cache._threshold = 4
    assert sorted(cache._keys()) == [f"stays {number}" for number in range(5)]
    assert cache.stats()["evictions"] == 0
    clock.now = math.nan
    cache._threshold = 2
    clock.now = 0.0
    assert len(cache) == 3


@pytest.mark.parametrize("bad", [-1, "many", [5]])
def test_a_bad_threshold_is_refused_and_changes_nothing(cache, bad):
    cache._threshold = 4
    with pytest.raises((TypeError, ValueError), match="_threshold"):
        cache._threshold = bad
    assert cache._threshold == 4
    cache.set_many({number: number for number in range(40)})
    assert len(cache) == 5


def test_the_lock_is_reentrant_and_excludes_only_its_own_users(cache):
    assert type(cache._lock) is type(threading.RLock())
    with cache._lock, cache._lock, ThreadPoolExecutor(1) as pool:
        # Another thread uses the cache meanwhile, which must not wait for the lock.
        assert pool.submit(cache.set, "a", 1).result(timeout=10) is True
        assert pool.submit(cache.inc, "a").result(timeout=10) == 2
        assert pool.submit(cache._lock.acquire, blocking=False).result(timeout=10) is False
    assert RustCache()._lock is not cache._lock


def test_the_default_serializer_is_cachelibs():
    assert type(RustCache.serializer) is SimpleSerializer
    assert type(RustCache().serializer) is SimpleSerializer


def test_a_serializer_on_a_subclass(clock):
    class Backwards(RustCache):
        serializer = Reversed()

    cache = Backwards(clock=clock)
    cache.set("a", "abc")
    assert cache.get("a") == "abc!"
    assert cache.get_many("a") == ["abc!"]
    assert cache.inc("a", "d") == "abc!d"
    assert cache.get("a") == "abc!d!"


def test_a_serializer_given_later_to_the_instance(cache):
    cache.set("before", [1])
    cache.serializer = Reversed()
    cache.set("a", "abc")
    # What was stored before is still what it was.
    assert cache.get_many("a", "before") == ["abc!", [1]]
    del cache.serializer
    cache.set("b", "abc")
    assert cache.get("b") == "abc"


def test_a_serializer_given_later_to_the_class(monkeypatch, cache):
    cache.set("before", "abc")
    monkeypatch.setattr(RustCache, "serializer", Boxed())
    cache.set("a", "abc")
    assert cache.get("a") == ("unboxed", "abc")
    assert cache.get("before") == "abc"
    monkeypatch.undo()
    cache.set("c", "abc")
    assert cache.get("c") == "abc"


def test_a_subclass_of_the_default_serializer_is_custom(cache):
    class Loud(SimpleSerializer):
        def loads(self, bvalue):
            return ("loud", super().loads(bvalue))

    cache.serializer = Loud()
    cache.set("a", [1])
    assert cache.get("a") == ("loud", [1])


@pytest.mark.parametrize("method", ["dumps", "loads"])
def test_what_a_serializer_raises_travels(cache, method):
    class Broken(Reversed):
        pass

    def refuse(self, value):
        raise LookupError("broken")

    setattr(Broken, method, refuse)
    cache.set("a", "old")
    cache.serializer = Broken()
    if method == "dumps":
        with pytest.raises(LookupError, match="broken"):
            cache.set("a", "new")
        assert cache.get("a") == "old"
    else:
        cache.set("a", "new")
        with pytest.raises(LookupError, match="broken"):
            cache.get("a")
    cache._validate()


def test_the_clock_may_be_given_later(cache, clock):
    cache.set("a", 1, 10)
    clock.advance(4)
    assert cache.get("a") == 1
    later = ManualClock(5.0)
    later.install(cache)
    assert cache.get("a") == 1
    later.advance(5.5)
    assert cache.get("a") == 1
    later.advance(0.5)
    assert cache.get("a") is None


def test_a_clock_counts_from_the_moment_it_is_installed():
    cache, clock = RustCache(), ManualClock()
    cache.set("a", 1, 60)
    # No call of the cache between these two: the minute must count all the same.
    clock.install(cache)
    clock.advance(60)
    assert cache.get("a") is None


@pytest.mark.parametrize("reading", [time.time_ns(), time.time() * 1000, -1e12], ids=["ns", "ms", "past"])
def test_a_clock_that_tells_no_seconds_is_an_error_that_says_what_to_do(cache, reading):
    """Nothing would ever expire by it."""
    said = "clock must return seconds, got .*; divide what counts milliseconds or nanoseconds"
    with pytest.raises(ValueError, match=said):
        RustCache(clock=lambda: reading)
    good = cache.clock
    with pytest.raises(ValueError, match=said):
        cache.clock = lambda: reading
    assert cache.clock is good


def test_what_interrupts_the_old_clock_keeps_it(cache):
    """It is asked a last time when another comes in its place, and what a signal raises there is raised."""
    faults = []

    def clock():
        if faults:
            raise faults.pop()
        return 1.0

    cache.set("a", 1)
    cache.clock = clock
    faults.append(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.clock = lambda: 2.0
    assert cache.clock is clock
    faults.append(ValueError)
    cache.clock = None
    assert cache.clock is None


@pytest.mark.parametrize("reading", ["noon", None, float("nan"), float("inf")], ids=repr)
def test_a_clock_that_tells_no_time_is_an_error(cache, reading):
    cache.set("a", 1)
    good = cache.clock
    with pytest.raises(TypeError, match="clock must be"):
        cache.clock = lambda: reading
    assert cache.clock is good
    readings = [1.0, 1.0]
    cache.clock = lambda: readings.pop() if readings else reading
    for call in (cache.get, cache.has, cache.delete):
        with pytest.raises(TypeError, match="clock must be"):
            call("a")
    cache.clock = good
    assert cache.get("a") == 1
