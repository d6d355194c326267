"""Traps H1, H2, H3 and H5: size."""

import gc
import math
import random

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


def held(cache):
    """What every observer says, which must be one and the same."""
    counts = {len(cache), len(cache._cache), len(list(cache._cache)), cache.stats()["entries"]}
    assert len(counts) == 1
    return counts.pop()


WRITES = {
    "set": lambda cache, key: cache.set(key, [key]),
    "overwrite": lambda cache, key: [cache.set(key, part) for part in (1, [2], "three")],
    "set_many": lambda cache, key: cache.set_many({(key, part): part for part in range(40)}),
    "add": lambda cache, key: cache.add(key, key),
    "inc": lambda cache, key: cache.inc(("counter", key)),
    "dec": lambda cache, key: cache.dec(f"counter {key}", 5),
    "short": lambda cache, key: cache.set(key, 1, 0.5),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("threshold", [1, 2, 10, 100, 1500])
@pytest.mark.parametrize("shards", [1, 16])
def test_the_bound_holds_after_every_write(clock, write, threshold, shards):
    """H1: never more than threshold + 1 entries, by any verb, to any observer."""
    cache = RustCache(threshold, clock=clock, shards=shards)
    for number in range(2 * threshold + 20):
        write(cache, number)
        assert len(cache) <= threshold + 1
        if number % 97 == 0:
            clock.advance(0.1)
            assert held(cache) <= threshold + 1
            cache._validate()
    assert held(cache) <= threshold + 1
    cache._validate()


@pytest.mark.parametrize("shards", [1, 2, 16])
def test_the_bound_holds_through_any_mixture(clock, shards):
    """H1: and by all verbs mixed, the bound being moved meanwhile."""
    chance = random.Random(5)
    cache = RustCache(30, clock=clock, shards=shards)
    for _ in range(4000):
        key = chance.randrange(60)
        chance.choice([*WRITES.values()])(cache, key)
        chance.choice([cache.get, cache.has, cache.delete, cache.get_many])(key)
        if chance.random() < 0.02:
            cache._threshold = chance.choice([1, 5, 30, 60])
            clock.advance(0.2)
        assert held(cache) <= cache._threshold + 1
    cache._validate()


def test_the_bound_is_reached(clock):
    """H1: a full cache holds exactly threshold + 1, as SimpleCache's upstream tests pin it."""
    for threshold in (1, 7, 500, 2000):
        cache = RustCache(threshold, clock=clock)
        cache.set_many({number: number for number in range(3 * threshold)})
        assert held(cache) == threshold + 1


def test_overwriting_at_capacity_pushes_nobody_out(clock):
    """H1: a new value for an old key needs no room."""
    cache = RustCache(9, clock=clock)
    cache.set_many(dict.fromkeys(range(10), "first"))
    for verb in (cache.set, lambda key, value: cache.set_many({key: value})):
        for number in range(10):
            verb(number, "second")
    cache.inc(3, "!")
    cache.add(4, "never")
    assert [cache.get(number) for number in range(10)] == ["second"] * 3 + ["second!"] + ["second"] * 6
    assert cache.stats()["evictions"] == 0


def test_expired_entries_make_room_first(clock):
    """H1: nobody alive is evicted while there is somebody dead."""
    cache = RustCache(99, clock=clock)
    cache.set_many({("dies", number): 1 for number in range(50)}, 10)
    cache.set_many({("lives", number): 1 for number in range(50)}, 1000)
    clock.advance(10)
    cache.set_many({("new", number): 1 for number in range(50)}, 1000)
    assert sorted({key[0] for key in cache._cache}) == ["lives", "new"]
    assert held(cache) == 100
    assert cache.stats()["evictions"] == 0


@pytest.mark.parametrize("threshold", [0, None, "0", "500", 500, 500.9, False])
def test_no_threshold_is_500(threshold):
    """H2: 0 and None mean 500, text is a number."""
    cache = RustCache(threshold)
    assert cache._threshold == 500
    cache.set_many({number: number for number in range(700)})
    assert held(cache) == 501


@pytest.mark.parametrize("threshold", [math.inf, "inf", 10**30, 1e300])
def test_no_bound_at_all(threshold):
    """H2: infinity and its like keep everything."""
    cache = RustCache(threshold)
    cache.set_many({number: number for number in range(20_000)})
    assert held(cache) == 20_000
    assert cache.stats()["evictions"] == 0


@pytest.mark.parametrize("threshold", [-1, "-1", -0.5, -math.inf, math.nan, "nan", "ten", b"9", 5j])
def test_a_threshold_that_is_none_is_refused(threshold):
    """H2: negative, not a number, no number."""
    with pytest.raises((TypeError, ValueError), match="threshold"):
        RustCache(threshold)


@pytest.mark.parametrize("threshold", [1, "1", 0.5, True])
def test_the_smallest_cache_works(threshold):
    """H2: with room for next to nothing the newest entry is still there."""
    cache = RustCache(threshold)
    assert cache._threshold == 1
    for number in range(500):
        cache.set(number, [number])
        assert cache.get(number) == [number]
        assert held(cache) <= 2


def test_every_observer_tells_the_truth_now(clock):
    """H3: after each kind of change, and after time alone has passed, with no call between."""
    cache = RustCache(10, clock=clock)
    cache.set_many({"a": 1, "b": 2, 3: 4}, 10)
    cache.set("d", 5, 20)
    assert (held(cache), set(cache._cache)) == (4, {"a", "b", 3, "d"})
    cache.set("a", 2, 10)
    assert held(cache) == 4
    cache.delete(3)
    assert (held(cache), set(cache._cache)) == (3, {"a", "b", "d"})
    cache.set("b", 1, -1)
    assert (held(cache), set(cache._cache)) == (2, {"a", "d"})


@pytest.mark.parametrize(
    "observe",
    [
        len,
        lambda cache: len(cache._cache),
        lambda cache: len(list(cache._cache)),
        lambda cache: len(cache._cache.items()),
        lambda cache: cache.stats()["entries"],
    ],
)
def test_time_alone_is_noticed(clock, observe):
    """H3: the first to look after the moment of expiry sees it."""
    cache = RustCache(2000, clock=clock)
    cache.set_many({number: number for number in range(1000)}, 10)
    cache.set("stays", 1, 20)
    clock.advance(10)
    assert observe(cache) == 1
    clock.advance(10)
    assert observe(cache) == 0
    assert cache.stats()["expirations"] == 1001


def test_counters_add_up(clock):
    """H3: every stored value is accounted for."""
    chance = random.Random(7)
    cache = RustCache(50, clock=clock)
    reads = 0
    for number in range(5000):
        key = chance.randrange(120)
        cache.set(key, number, chance.choice([1, 50, 0]))
        cache.get(chance.randrange(120))
        reads += 1
        if chance.random() < 0.1:
            cache.delete(key)
            clock.advance(0.25)
    stats = cache.stats()
    left = stats["replacements"] + stats["evictions"] + stats["expirations"] + stats["removals"]
    assert stats["insertions"] == 5000 == stats["entries"] + left
    assert stats["hits"] + stats["misses"] == reads
    assert min(stats.values()) >= 0
    assert min(stats["evictions"], stats["expirations"], stats["removals"], stats["hits"]) > 0


@pytest.mark.parametrize("text", ["view//search?q={}", "memo:{}"])
def test_a_scan_of_one_off_keys_does_not_flush_the_hot_set(clock, text):
    """H5: a crawler asks for a hundred thousand pages once each; the hot ones are still there."""
    cache = RustCache(500, clock=clock)
    hot = [f"hot {number}" for number in range(100)]
    cache.set_many(dict.fromkeys(hot, "value"))
    for _ in range(2):
        cache.get_many(*hot)
    for number in range(100_000):
        cache.set(text.format(number), number)
    assert sum(value == "value" for value in cache.get_many(*hot)) >= 95
    assert held(cache) == 501


def test_one_off_traffic_in_between_costs_the_hot_set_little(clock):
    """H5: the same with visitors of both kinds at once: nearly all of the hot requests hit."""
    cache = RustCache(500, clock=clock)
    chance = random.Random(11)
    misses = 0
    for number in range(40_000):
        cache.set(f"bot {number}", number)
        key = f"hot {chance.randrange(200)}"
        if cache.get(key) is None:
            misses += 1
            cache.set(key, "value")
    assert misses <= 800


def test_keys_cost_what_the_entries_cost_and_no_more(clock):
    """H5: nothing is kept of the keys that were asked for in vain, or that have left."""
    cache = RustCache(20, clock=clock)
    for number in range(3000):
        cache.get((number, "asked for"))
        cache.has(f"asked for {number}")
        cache.set((number, "stored"), number)
    tables = [len(table) for table in gc.get_referents(cache) if type(table) is dict]
    assert 21 in tables
    assert max(tables) == 21
    assert held(cache) == 21
