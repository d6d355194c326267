"""Corners of the contract that a hostile reader found: each of these was wrong once."""

import datetime as dt
import gc
import os
import pickle
import sys
import types
import uuid
import weakref

import pytest
from cachelib.serializers import SimpleSerializer
from flask import Flask
from flask_caching import Cache
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock


class Reversing(SimpleSerializer):
    def dumps(self, value):
        return super().dumps(value)[::-1]

    def loads(self, bvalue):
        return super().loads(bvalue[::-1])


def stored_bytes(cache, key):
    return cache._cache[key][1]


# --- attributes that the class computes


def test_a_serializer_property_that_raises_is_not_passed_over():
    class Late(RustCache):
        ready = False

        @property
        def serializer(self):
            if not Late.ready:
                raise RuntimeError("outside of the application")
            return Reversing()

    cache = Late()
    with pytest.raises(RuntimeError, match="outside"):
        cache.set("a", 1)
    Late.ready = True
    cache.set("a", 1)
    assert stored_bytes(cache, "a") == pickle.dumps(1, pickle.HIGHEST_PROTOCOL)[::-1]


def test_computed_attributes_are_asked_each_time():
    class Changing(RustCache):
        answer = 300

        @property
        def default_timeout(self):
            return Changing.answer

        @default_timeout.setter
        def default_timeout(self, value):
            pass

    clock = ManualClock()
    cache = Changing(clock=clock)
    for number in range(3):
        cache.set(f"long {number}", 1)
    Changing.answer = 5
    cache.set("short", 1)
    clock.advance(5)
    assert cache.get("short") is None
    assert cache.get("long 2") == 1


# --- clocks


def test_a_clock_that_is_a_method_keeps_time_whatever_else_is_set():
    class Own(RustCache):
        now = 0.0

        def clock(self):
            return Own.now

    cache = Own()
    cache.set("a", 1, timeout=60)
    for _ in range(10):
        Own.now += 6
        cache.other = "attribute"
    assert cache.get("a") is None


def test_time_goes_on_over_any_change_of_clock():
    first, cache = ManualClock(0), RustCache()
    cache.clock = first
    cache.set("a", 1, timeout=60)
    first.advance(59)
    for now in (10**9, 5, 10**6):
        cache.clock = None
        cache.clock = ManualClock(now)
        assert cache.get("a") == 1
    cache.clock.advance(1)
    assert cache.get("a") is None


def test_a_clock_may_ask_another_cache():
    inner_clock = ManualClock(0)
    inner = RustCache(clock=inner_clock)
    inner.set("key", 1, timeout=10)
    seen = []
    outer = RustCache(clock=lambda: seen.append(inner.get("key")) or 1.0)
    outer.get("x")
    inner_clock.advance(10)
    outer.get("x")
    assert (seen[0], seen[-1]) == (1, None)


def test_a_clock_that_is_false_is_a_clock():
    class Zero(ManualClock):
        def __bool__(self):
            return False

    cache = RustCache(clock=Zero(1000))
    cache.set("a", 1, timeout=60)
    assert cache._cache["a"][0] == 1060


# --- values


@pytest.mark.parametrize(
    "make",
    [
        lambda own: uuid.UUID(int=own("int", int)(5)),
        lambda own: uuid.UUID(int=5, is_safe=types.SimpleNamespace(value=0)),
        lambda own: dt.datetime(2026, 1, 1, tzinfo=dt.timezone(own("delta", dt.timedelta)(hours=1))),
        lambda own: dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(0), own("name", str)("x"))),
    ],
    ids=["uuid", "uuid's safety", "offset", "zone name"],
)
def test_immutable_values_made_of_mutable_parts_are_not_shared(make):
    """B1: nor do they keep the cache alive, if a part refers to it."""
    kinds = {}

    def own(name, base):
        kinds[name] = type(name, (base,), {"__module__": __name__, "__reduce__": lambda self: (base, (0,))})
        if base is str:
            kinds[name].__reduce__ = lambda self: (str, ("x",))
        return kinds[name]

    value = make(own)
    cache = RustCache()
    cache.set("a", value)
    assert cache.get("a") is not value


def test_one_large_leaf_is_looked_through_once():
    """I6: what occurs often costs once; this took minutes."""
    leaf = frozenset(range(20_000))
    cache = RustCache()
    cache.set("values", [leaf] * 20_000)
    assert cache.get("values")[-1] == leaf
    key = tuple(range(5_000))
    cache.set("keys", [{key: 1} for _ in range(5_000)])
    assert cache.get("keys")[-1] == {key: 1}


def test_long_text_is_not_kept_twice():
    """B6: asking a long str for its UTF-8 would make it keep that beside its own form."""
    text = "ж" * 10_000
    before = text.__sizeof__()
    RustCache().set("a", [text])
    assert text.__sizeof__() == before


def test_an_object_that_is_replaced_while_it_is_fetched_is_looked_for_again():
    class Box:
        def __init__(self, value, last_words=None):
            self.value, self.last_words = value, last_words

        def __del__(self):
            if self.last_words:
                self.last_words()

    class Boxing(SimpleSerializer):
        def dumps(self, value):
            return Box(value, replace if value == "neighbour" else None)

        def loads(self, box):
            return box.value

    def replace():
        cache.set("key", "new")

    clock = ManualClock()
    cache = RustCache(clock=clock)
    cache.serializer = Boxing()
    cache.set("key", "old")
    cache.set("neighbour", "neighbour", timeout=1)
    clock.advance(1)
    assert cache.get("key") == "new"


def test_the_note_on_what_cannot_be_pickled_is_added_once():
    again = ValueError("the same object each time")

    class Unpicklable:
        def __reduce__(self):
            raise again

    cache = RustCache()
    for _ in range(3):
        with pytest.raises(ValueError, match="same object"):
            cache.set("a", Unpicklable())
    assert len(again.__notes__) == 1
    assert "Unpicklable cannot be pickled" in again.__notes__[0]


def test_an_interruption_is_no_statement_about_the_value():
    class Interrupted:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        RustCache().set("a", Interrupted())
    assert not hasattr(caught.value, "__notes__")


# --- methods and the view


def test_set_many_takes_any_pairs():
    class Rows(dict):
        def items(self):
            return [["a", 1], "bc"]

    cache = RustCache()
    assert cache.set_many(Rows()) == ["a", "b"]
    assert cache.get_many("a", "b") == [1, "c"]

    class Triples(dict):
        def items(self):
            return [(1, 2, 3)]

    with pytest.raises(ValueError, match="pair"):
        cache.set_many(Triples())


def test_entries_may_go_while_the_view_is_read():
    """B2: also between a key and its value."""
    cache = RustCache()
    cache.set_many({"a": 1, "b": 2, "c": 3})
    read = iter(cache._cache.items())
    first, _ = next(read)
    cache.clear()
    assert first in {"a", "b", "c"}
    assert list(read) == []
    assert list(cache._cache.values()) == []
    cache.set("d", 4)
    assert cache._cache.copy().keys() == {"d"}


# --- configuration


@pytest.mark.parametrize("value", ["9" * 400, "99999999999TiB", -1, 2**70])
def test_byte_counts_out_of_range_name_the_key(value):
    with pytest.raises(ValueError, match="CACHE_PROTOTYPE_BYTES must be a number of bytes"):
        Cache(app_with(CACHE_PROTOTYPE_BYTES=value))


@pytest.mark.parametrize("value", [0, 3, 2**13, 2**40, 2**70])
def test_shards_out_of_range_name_the_setting(value):
    with pytest.raises(ValueError, match="shards must be a power of two"):
        RustCache(shards=value)


@pytest.mark.parametrize("processors", [None, 1, 3, 1024, 5000])
def test_any_number_of_processors_has_shards(processors, monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    cache = RustCache(threshold=2000)
    assert cache.set("a", 1)
    assert cache.get("a") == 1
    cache._validate()


def test_positional_arguments_win():
    backend = backend_of(app_with(CACHE_ARGS=[100, 60], CACHE_THRESHOLD=7))
    assert (backend._threshold, backend.default_timeout) == (100, 60)


def test_numbers_of_other_kinds_are_numbers():
    numpy = pytest.importorskip("numpy")
    cache = RustCache(threshold=numpy.int64(5), default_timeout=numpy.float64(1.5))
    assert (cache._threshold, cache.default_timeout) == (5, 1.5)


def test_a_clock_is_installed_in_caches_only():
    with pytest.raises(LookupError, match="give install"):
        ManualClock().install(Cache())


def app_with(**settings):
    app = Flask("edges")
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", **settings)
    return app


def backend_of(app):
    cache = Cache(app)
    return app.extensions["cache"][cache]


# --- the budget of prototypes

TREE = [{"id": number, "tags": ["a", "b"]} for number in range(50)]


def hit(cache, key, times):
    for _ in range(times):
        assert cache.get(key) == TREE


def test_a_second_hit_makes_a_prototype():
    cache = RustCache()
    cache.set("a", TREE)
    hit(cache, "a", 1)
    assert cache.stats()["prototype_bytes"] == 0
    hit(cache, "a", 1)
    assert 5_000 < cache.stats()["prototype_bytes"] < 60_000
    cache.delete("a")
    assert cache.stats()["prototype_bytes"] == 0


def test_unused_prototypes_give_way_and_the_budget_holds():
    one = RustCache()
    one.set("a", TREE)
    hit(one, "a", 2)
    size = one.stats()["prototype_bytes"]
    cache = RustCache(prototype_bytes=int(2.5 * size))
    for key in "abcdef":
        cache.set(key, TREE)
        hit(cache, key, 200)
        assert size <= cache.stats()["prototype_bytes"] <= 2.5 * size


def test_what_does_not_fit_is_tried_seldom(monkeypatch):
    """A tree too large for the budget is served compact, and not taken apart again at each hit."""
    hashed = []
    own_hash = uuid.UUID.__hash__
    monkeypatch.setattr(uuid.UUID, "__hash__", lambda key: hashed.append(1) or own_hash(key))
    tree = {uuid.UUID(int=number): [number] for number in range(20)}
    cache = RustCache(prototype_bytes=1000)
    cache.set("a", tree)
    hashed.clear()
    for _ in range(300):
        cache.get("a")
    # Once for each key that is put into a dict; three times where the dict is also taken apart and copied.
    assert 300 * 20 <= len(hashed) < 1.1 * 300 * 20


def test_prototypes_die_with_their_cache():
    """B6: nothing of a cache is left."""
    cache = RustCache()
    cache.set("a", TREE)
    hit(cache, "a", 3)
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None
