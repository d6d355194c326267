"""Traps B1, B2 and B6: cycles through the cache, views, and memory that comes back."""

import gc
import sys
import weakref
from contextlib import suppress
from decimal import Decimal

import pytest
from flask import Flask
from flask_caching import Cache
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._traps import BoomError, Hooked, check, expire, fill

# --- what refers to the cache


class Keeper:
    """An object that refers to a cache, and stands for a value with a serializer."""

    def __init__(self, cache, value=None):
        self.cache, self.value = cache, value


class KeepingSerializer:
    def __init__(self, cache):
        self.cache = cache

    def dumps(self, value):
        return Keeper(self.cache, value)

    def loads(self, kept):
        return kept.value


def refer_by_key(cache):
    cache.set(Keeper(cache), 1)
    cache.set((1, Keeper(cache)), 1)


def refer_by_stored_object(cache):
    cache.serializer = KeepingSerializer(cache)
    cache.set_many({"key": 1, (1, 2): 2})
    cache.get("key")


def refer_by_clock(cache):
    cache.clock = lambda: float(cache.default_timeout)
    cache.set("key", 1)


def refer_by_view(cache):
    cache.set("key", 1)
    cache.view = cache._cache
    cache.iterator = iter(cache.view)


@pytest.mark.parametrize("refer", [refer_by_key, refer_by_stored_object, refer_by_clock, refer_by_view])
def test_cycle_through_the_cache_is_collected(refer):
    """B1: a key, a stored object, a clock or a view that refers to its cache goes with it."""
    cache = RustCache()
    refer(cache)
    gone = weakref.ref(cache)
    del cache
    gc.collect()
    assert gone() is None


def make_application():
    app = Flask("collectable")
    cache = Cache(app, config={"CACHE_TYPE": "flask_rustcache.RustCache"})
    backend = app.extensions["cache"][cache]
    backend.set(Keeper(app), [app.name])
    backend.set(Keeper(backend), 1)

    @app.get("/")
    @cache.cached()
    def view():
        return app.name

    assert app.test_client().get("/").text == "collectable"
    return [weakref.ref(thing) for thing in (app, cache, backend, view)]


def test_application_is_collected():
    """B1: an application, its ``Cache``, its backend and a cached view of it go together."""
    gone = make_application()
    gc.collect()
    assert [thing() for thing in gone] == [None] * 4


# --- views


def test_keys_listed_while_the_cache_changes():
    """B2: iterating over keys while they go, come and change; each that was there at first is seen."""
    cache = RustCache()
    before = {f"key {number}": number for number in range(50)} | {(number,): 1 for number in range(50)}
    cache.set_many(before)
    seen = []
    for number, key in enumerate(cache._cache):
        seen.append(key)
        cache.delete(key)
        cache.set(("new", number), number)
        if number == 60:
            cache.clear()
    assert set(seen) == set(before)
    for key in list(cache._cache.keys()):
        with suppress(KeyError):
            assert cache._cache[key]
    check(cache)


def test_view_outlives_the_name_of_its_cache():
    """B2: a view, its keys and its items go on when nothing else refers to the cache."""
    cache = RustCache()
    cache.set_many({"a": 1, (1, 2): 2})
    view, keys, items = cache._cache, iter(cache._cache), cache._cache.items()
    del cache
    gc.collect()
    assert set(keys) == set(view) == {"a", (1, 2)}
    assert len(items) == len(list(items)) == 2
    del view["a"]
    assert [key for key, _ in items] == [(1, 2)]


# --- memory that comes back


def resident():
    """Bytes of memory that this process takes now; its peak where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        resource = pytest.importorskip("resource")
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def live(cache, objects, clock, rounds):
    """Let entries of all kinds come, and go in each of the ways."""
    for number in rounds:
        text = f"key {number}"
        cache.set(text, text, 1 + number % 13)
        cache.add((number,), number, 5)
        cache.inc(text + "n")
        objects.set(number, number)
        if number % 4 == 0:
            cache.set("hot", [{"number": [number]}])
            cache.get("hot"), cache.get("hot"), cache.get("hot")
            cache.set(text + "t", {text: (number, [text])})
            cache.delete(text), objects.delete(number)
            clock.advance(0.5)
        if number % 10_000 == 0:
            cache.clear(), objects.clear()


@in_child
def test_memory_is_flat():
    """B6: resident memory does not grow over 1,200,000 sets, evictions, expirations and deletions."""
    clock = ManualClock()
    cache = RustCache(threshold=500, clock=clock, prototype_bytes=100_000)
    objects = RustCache(threshold=500, clock=clock)
    objects.serializer = KeepingSerializer(None)
    live(cache, objects, clock, range(60_000))
    gc.collect()
    before = resident()
    live(cache, objects, clock, range(60_000, 260_000))
    gc.collect()
    grown = resident() - before
    assert grown < 1_500_000, grown
    stats = cache.stats()
    assert min(stats["evictions"], stats["expirations"], stats["removals"]) > 10_000
    check(cache)


def fill_with_hits(cache, key):
    """Evict what is hot, too."""
    for number in range(300):
        for _ in range(4):
            if cache.get(f"filler {number}") is None:
                cache.set(f"filler {number}", number)


WAYS_TO_GO = {
    "evicted": fill_with_hits,
    "deleted": lambda cache, key: cache.delete(key),
    "cleared": lambda cache, key: cache.clear(),
    "overwritten": lambda cache, key: cache.set(key, 1),
    "expired, then touched": expire,
    "expired, another touched": lambda cache, key: expire(cache, "another"),
    "expired, another set": lambda cache, key: (cache.clock.advance(1000), cache.set("another", 1)),
}

LONG = "long " * 100


#: Values of each kind of storage that hold a leaf itself, not a copy of it.
VALUES = {
    "leaf": lambda leaf: leaf,
    "tuple": lambda leaf: (leaf, (leaf,)),
    "tree": lambda leaf: {leaf: [leaf, {"a": leaf}], "set": {leaf}},
    "deep": lambda leaf: [[leaf], (leaf, [leaf]), frozenset([leaf])],
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("way", WAYS_TO_GO)
def test_value_dies_at_once(way, kind):
    """B6: the last reference to a value goes in the very call that its entry goes in, cold or hot."""
    for key in ("text", (1, 2)):
        for leaf in (LONG + way, Decimal(len(way)) / 7):
            for hits in (0, 1, 5):
                cache = RustCache(threshold=20, clock=ManualClock())
                before = sys.getrefcount(leaf)
                cache.set(key, VALUES[kind](leaf))
                for _ in range(hits):
                    cache.get(key)
                assert sys.getrefcount(leaf) > before
                WAYS_TO_GO[way](cache, key)
                assert sys.getrefcount(leaf) == before, (key, hits)


class Watched(KeepingSerializer):
    gone = None

    def dumps(self, value):
        kept = super().dumps(value)
        self.gone = self.gone or weakref.ref(kept)
        return kept


@pytest.mark.parametrize("way", WAYS_TO_GO)
def test_stored_object_dies_at_once(way):
    """B6: so does what a serializer returned in place of bytes."""
    for key in ("text", (1, 2)):
        cache = RustCache(threshold=20, clock=ManualClock())
        cache.serializer = Watched(None)
        cache.set(key, 1)
        cache.get(key)
        assert cache.serializer.gone() is not None
        WAYS_TO_GO[way](cache, key)
        assert cache.serializer.gone() is None


@in_child
def test_key_that_raised_as_it_went_is_forgotten():
    """B6: a key whose ``__hash__`` raised when its entry was evicted is not kept for ever."""
    sys.unraisablehook = lambda report: None
    cache = RustCache(threshold=20)
    keys = [Hooked() for _ in range(10)]
    gone = [weakref.ref(key) for key in keys]
    cache.set_many(dict.fromkeys(keys, 1))

    def hook():
        raise BoomError

    Hooked.hook = hook
    fill(cache, None)
    Hooked.hook = None
    cache.set(keys[0], 1)
    del keys
    cache.clear()
    check(cache)
    assert [key() for key in gone] == [None] * 10
