"""``CACHE_MAX_BYTES``: an exact account of bytes, never exceeded; traps B1, G6, H1, H4 and H5 with bytes."""

import logging
import math
import os
import random
import re
import sys
import threading
from pathlib import Path

import pytest
from flask import Flask, make_response
from flask_rustcache import Cache, RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._weights import VALUES, Plain


@pytest.fixture
def clock():
    return ManualClock()


WRITES = [
    lambda cache, key, chance: cache.set(key, "x" * chance.randrange(3000)),
    lambda cache, key, chance: cache.set(key, b"x" * chance.randrange(20), chance.choice([1, 5, 0])),
    lambda cache, key, chance: cache.set(key, [list(range(chance.randrange(500)))]),
    lambda cache, key, chance: cache.add(key, ("x" * chance.randrange(500), key)),
    lambda cache, key, chance: cache.set_many({(key, part): "y" * 100 for part in range(20)}),
    lambda cache, key, chance: cache.set(key, "z", tags=[f"tag {chance.randrange(5)}" * 10]),
    lambda cache, key, chance: cache.inc(f"counter {key}", 10 ** chance.randrange(300)),
    lambda cache, key, chance: cache.set(key, VALUES[chance.choice(list(VALUES))]),
    lambda cache, key, chance: cache.touch(key, chance.choice([1, 10, 0])),
    lambda cache, key, chance: cache.get(key),
    lambda cache, key, chance: cache.delete(key),
    lambda cache, key, chance: cache.delete_tag(f"tag {chance.randrange(5)}" * 10),
    lambda cache, key, chance: cache.delete_prefix(f"key {chance.randrange(10)}"),
]


@pytest.mark.parametrize(("shards", "threshold"), [(1, 500), (1, 20), (16, 5000)])
@pytest.mark.parametrize("max_bytes", [2_500, 20_000])
def test_the_bound_holds_after_every_operation(clock, shards, threshold, max_bytes):
    """H1: with bytes, whatever is done."""
    chance = random.Random(7)
    cache = RustCache(threshold, clock=clock, shards=shards, max_bytes=max_bytes)
    for step in range(3000):
        chance.choice(WRITES)(cache, f"key {chance.randrange(80)}", chance)
        stats = cache.stats()
        assert stats["bytes"] <= max_bytes == stats["bytes_limit"]
        assert stats["entries"] <= threshold + 1
        if step % 100 == 0:
            clock.advance(1)
            cache._validate()
    stats = cache.stats()
    assert min(stats["evictions"], stats["entries"]) > 0
    assert stats["evictions_by_bytes"] or threshold == 20
    assert stats["refusals"] or max_bytes > 10_000
    left = stats["replacements"] + stats["evictions"] + stats["expirations"] + stats["removals"]
    assert stats["insertions"] == stats["entries"] + left


def test_no_thread_ever_sees_more(clock):
    """H1: with bytes, many threads and many shards."""
    cache = RustCache(5000, clock=clock, shards=16, max_bytes=30_000)
    done, wrong = threading.Event(), []

    def watch():
        while not done.is_set():
            stats = cache.stats()
            if stats["bytes"] > 30_000:
                wrong.append(stats)

    def write(seed):
        chance = random.Random(seed)
        for _ in range(3000):
            chance.choice(WRITES[:-1])(cache, f"key {chance.randrange(200)}", chance)

    watcher = threading.Thread(target=watch)
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in (watcher, *writers):
        thread.start()
    for writer in writers:
        writer.join()
    done.set()
    watcher.join()
    assert wrong == []
    cache._validate()


def test_a_value_that_is_too_large_is_refused_and_the_rest_stays(clock, caplog):
    """H4: it is counted and logged once; what it was to replace goes, since nobody wants that any more."""
    cache = RustCache(clock=clock, max_bytes=5_000)
    cache.set_many({"a": 1, "b": [2], "k": "old"})
    with caplog.at_level(logging.WARNING, "flask_caching"):
        assert cache.set("k", "x" * 6_000) is False
        assert cache.add("new", ["x" * 6_000]) is False
        assert cache.set_many({"c": 3, "d": b"x" * 9_000}) == ["c"]
        assert cache.set(("odd", 1), "x" * 6_000) is False
    assert cache.get_many("a", "b", "c", "d", "k", "new") == [1, [2], 3, None, None, None]
    assert cache.stats()["refusals"] == 4
    assert cache.stats()["evictions"] == 0
    [record] = caplog.records
    assert "'k'" in record.getMessage()
    assert "CACHE_MAX_BYTES" in record.getMessage()
    assert "takes 6049 bytes" in record.getMessage() or sys.version_info >= (3, 12)
    assert cache.add("a", "x" * 9_000) is False
    assert cache.get("a") == 1
    cache._validate()


def test_what_the_log_says_of_a_refused_value_is_no_contradiction(caplog):
    """H4: with its key, and what any entry takes, it is too large, though by itself it is smaller."""
    with caplog.at_level(logging.WARNING, "flask_caching"):
        assert RustCache(max_bytes=300).set("a key of some length", "x" * 50) is False
    assert re.search(r"takes \d+ bytes, which with .* is more than the 300 ", caplog.messages[0])


def test_a_counter_that_grows_too_large_is_refused_and_says_what_it_came_to(clock):
    """H4: ``inc`` tells its result, which nobody finds afterwards."""
    cache = RustCache(clock=clock, max_bytes=1_000)
    cache.set("n", 1)
    large = 2**9_000
    assert cache.inc("n", large) == large + 1
    assert cache.get("n") is None
    assert cache.inc("n", large) == large
    assert cache.stats()["refusals"] == 2


def test_a_view_and_a_function_whose_values_are_too_large_run_each_time(caplog):
    """H4: for the decorators it is as if nothing had been stored."""
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_MAX_BYTES="4KB")
    cache = Cache(app)
    runs = []

    @app.route("/<int:length>")
    @cache.cached(60)
    def page(length):
        runs.append(length)
        return make_response("x" * length)

    @cache.memoize(60)
    def text(length):
        runs.append(length)
        return "x" * length

    client = app.test_client()
    for _ in range(3):
        assert len(client.get("/9000").data) == 9_000
        assert len(client.get("/10").data) == 10
    with app.app_context():
        assert [len(text(8_000)) for _ in range(3)] == [8_000] * 3
        assert [len(text(20)) for _ in range(3)] == [20] * 3
    assert sorted(runs) == [10, 20, 8_000, 8_000, 8_000, 9_000, 9_000, 9_000]
    assert cache.cache.stats()["refusals"] == 6


def resident():
    """The process's resident memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["text", "tree", "pickled", "tagged"])
@in_child
def test_resident_memory_is_what_the_account_says(kind):
    """B1: with bytes; allocators round up, tables have room to spare, so it is a quarter more at most."""
    cache = RustCache(math.inf, max_bytes=60_000_000, prototype_bytes=0)
    chance = random.Random(1)
    make = {
        "text": lambda number: f"{number:<{chance.randrange(50, 2000)}}",
        "tree": lambda number: [{"id": number, "name": f"{number}" * chance.randrange(40)}],
        "pickled": lambda number: Plain(f"{number:<{chance.randrange(50, 2000)}}"),
        "tagged": lambda number: number,
    }[kind]
    groups = ("user", "page", "site", "language") if kind == "tagged" else ()
    before = resident()
    number = 0
    while not cache.stats()["evictions"]:
        for _ in range(1000):
            number += 1
            cache.set(f"key {number}", make(number), tags=[f"{group} {number}" for group in groups])
    taken = resident() - before
    assert 0.7 < taken / cache.stats()["bytes"] < 1.25, (taken, cache.stats())


def test_causes_of_evictions_are_told_apart(clock):
    cache = RustCache(9, clock=clock, max_bytes=10_000)
    for number in range(12):
        cache.set(number, None)
    stats = cache.stats()
    assert (stats["evictions"], stats["evictions_by_bytes"]) == (2, 0)
    cache.set("large", "x" * 9_000)
    stats = cache.stats()
    # The first of them left its entry, the others bytes.
    assert stats["evictions_by_bytes"] == stats["evictions"] - 3 > 3


def test_expired_entries_give_their_bytes_back_before_live_ones_go(clock):
    """G6: with bytes; a new value takes the room of what has expired."""
    cache = RustCache(clock=clock, max_bytes=10_000)
    cache.set("live", "x" * 3_000)
    cache.set_many({f"short {number}": "x" * 500 for number in range(8)}, 5)
    clock.advance(5)
    cache.set("new", "x" * 6_000)
    assert len(cache.get("live")) == 3_000
    assert cache.stats()["evictions"] == 0
    assert cache.stats()["expirations"] == 8


def test_overwriting_with_more_makes_others_go_and_with_less_makes_room(clock):
    """H1: with bytes; the entry that grows is not the one to go as long as others are lighter in use."""
    cache = RustCache(clock=clock, max_bytes=10_000)
    for key in "abcdefgh":
        cache.set(key, "x" * 700)
        cache.get(key)
    for length in (2_000, 4_000, 100, 6_000):
        for _ in range(3):
            cache.get("a")
        cache.set("a", "x" * length)
        assert cache.stats()["bytes"] <= 10_000
        cache._validate()
    assert len(cache.get("a")) == 6_000


@pytest.mark.parametrize("shards", [1, 16])
def test_what_inc_makes_heavier_keeps_its_value_lifetime_and_tags(clock, shards):
    """H1: with bytes; the entry that grows may be the one to go, and then comes anew with what it had."""
    cache = RustCache(math.inf, clock=clock, max_bytes=5_000_000, shards=shards)
    for log in range(40):
        cache.set(log, "a", timeout=100, tags=["t"])
        for other in range(200):
            cache.set(f"other {other}", "x" * 24_500)
            cache.get_many(*[f"other {other}"] * 3)
        for length in range(100_001, 1_000_001, 100_000):
            assert cache.inc(log, "b" * 100_000) == "a" + "b" * (length - 1)
            assert cache.ttl(log) == 100
        assert cache.delete_tag("t") == 1
    assert cache.stats()["evictions_by_bytes"] > 0
    cache._validate()


@pytest.mark.parametrize("max_bytes", [None, 100_000])
def test_a_scan_of_a_million_one_off_keys_costs_the_hot_set_nothing(clock, max_bytes):
    """H5: its hit ratio afterwards is within two points of what it was; with a bound in bytes, too."""
    cache = RustCache(500 if max_bytes is None else math.inf, clock=clock, max_bytes=max_bytes)
    chance = random.Random(3)
    hot = [f"hot {int(chance.paretovariate(0.8)) % 2000}" for _ in range(40_000)]

    def hits(keys):
        count = 0
        for key in keys:
            if cache.get(key) is None:
                cache.set(key, "v")
            else:
                count += 1
        return count / len(keys)

    hits(hot[:20_000])
    before = hits(hot[20_000:30_000])
    for number in range(1_000_000):
        cache.set(str(number), "v")
    after = hits(hot[30_000:])
    assert after > before - 0.02
    assert before > 0.5


def test_light_entries_stay_where_bytes_are_scarce(clock):
    """Of what is asked for equally often the light serve more hits with the same bytes."""
    cache = RustCache(math.inf, clock=clock, max_bytes=200_000)
    chance = random.Random(5)
    sizes = {number: 20_000 if number % 4 == 0 else 200 for number in range(400)}
    hits = {20_000: 0, 200: 0}
    for _ in range(20_000):
        number = chance.randrange(400)
        if cache.get(str(number)) is None:
            cache.set(str(number), "x" * sizes[number])
        else:
            hits[sizes[number]] += 1
    # 300 light ones fit beside a few heavy ones; all of the heavy ones would take ten times the bytes.
    assert hits[200] > 0.9 * 15_000


GIVEN = [(1_000, 1_000), ("64MB", 64_000_000), ("1 GiB", 2**30), ("1.5kb", 1_500), (None, 0), (math.inf, 0)]


@pytest.mark.parametrize(("given", "limit"), GIVEN)
def test_the_setting_in_bytes(given, limit):
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_MAX_BYTES=given)
    assert Cache(app).app.extensions["cache"] is not None
    with app.app_context():
        [backend] = app.extensions["cache"].values()
    assert backend.stats()["bytes_limit"] == limit
    assert RustCache(max_bytes=given).stats()["bytes_limit"] == limit


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("much", ValueError),
        (0, ValueError),
        (-1, ValueError),
        (1.5, TypeError),
        (True, TypeError),
        ([], TypeError),
    ],
)
def test_a_bad_setting_is_named_with_the_fix(given, error):
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_MAX_BYTES=given)
    with pytest.raises(error, match="CACHE_MAX_BYTES must be") as raised:
        Cache(app)
    assert repr(given) in str(raised.value)


def test_prototypes_have_a_quarter_of_a_small_bound_unless_told_otherwise():
    assert RustCache(max_bytes=1_000_000).stats()["prototype_bytes_limit"] == 250_000
    assert RustCache(max_bytes="1GB").stats()["prototype_bytes_limit"] == 2**24
    both = RustCache(max_bytes=1_000, prototype_bytes="2KiB")
    assert both.stats()["prototype_bytes_limit"] == 2_048


def test_another_init_sets_the_bound_anew():
    cache = RustCache(max_bytes=5_000)
    cache.set("k", "x" * 3_000)
    cache.__init__(max_bytes=2_000)
    assert (cache.stats()["bytes_limit"], len(cache)) == (2_000, 0)
    assert cache.set("k", "x" * 3_000) is False
    cache.__init__()
    assert (cache.stats()["bytes_limit"], cache.set("k", "x" * 3_000)) == (0, True)


def test_a_threshold_of_infinity_may_be_set_later():
    cache = RustCache(5)
    cache._threshold = math.inf
    cache.set_many(dict.fromkeys(range(50), 1))
    assert len(cache) == 50
