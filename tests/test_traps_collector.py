"""Traps A3 and B7: garbage collection at any point, and how much work a full cache makes for it."""

import datetime as dt
import gc
import sys
import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from cachelib.serializers import SimpleSerializer
from flask import Response
from flask_rustcache import RustCache
from markupsafe import Markup

from ._child import in_child
from ._traps import NEARLY_ALWAYS, Hooked, Mortal, check


class CollectingSerializer(SimpleSerializer):
    def dumps(self, value):
        gc.collect()
        return super().dumps(value)

    def loads(self, dumped):
        gc.collect()
        return super().loads(dumped)


class Reduced:
    """Runs a hook whenever it is pickled and unpickled."""

    hook = None

    def __reduce__(self):
        Reduced.run()
        return rebuild, ()

    @classmethod
    def run(cls):
        hook, Reduced.hook = Reduced.hook, None
        if hook is not None:
            hook()
            Reduced.hook = hook


def rebuild():
    Reduced.run()
    return Reduced()


def cyclic_garbage(cache, errors):
    """Leave a cycle behind whose finaliser calls the cache when the collector finds it."""
    mortal = Mortal(cache, errors)
    mortal.me = mortal


@in_child
def test_collection_in_the_users_code():
    """A3: ``gc.collect()`` in ``__reduce__`` and in a serializer, with garbage that calls the cache."""
    errors = []
    cache = RustCache(threshold=50)

    def collect():
        cyclic_garbage(cache, errors)
        gc.collect()

    for serializer in (SimpleSerializer(), CollectingSerializer()):
        cache.serializer = serializer
        for number in range(20):
            Reduced.hook = None
            cyclic_garbage(cache, errors)
            Reduced.hook = collect
            cache.set(("key", number), [Reduced()])
            cache.get(("key", number))
        Reduced.hook = None
        cache.clear()
    assert Mortal.dead > 40
    assert not errors
    check(cache)


TREE = [{"id": 1, "name": "x", "tags": ["a", ("b", {"c"})]}, [[], {}, (1, [2])], {"k": {"k": {}}}] * 5


@in_child
def test_collection_at_every_allocation():
    """A3: containers are stored and read, cold and hot, while nearly each allocation collects."""
    errors = []
    cache = RustCache(threshold=20)
    # Without a global lock a collection takes 512 containers more than there were.
    expected, kept = repr(TREE), []
    gc.set_threshold(*NEARLY_ALWAYS)
    for number in range(60):
        key = (f"tree {number % 7}",)
        cache.set(key, TREE)
        cyclic_garbage(cache, errors)
        for _ in range(4):
            got = cache.get(key)
            assert got is None or repr(got) == expected
            kept.append(got)
        cache.set("half", {"tree": TREE, "own": [number]})
        cache.get("half")
    gc.set_threshold(700)
    assert Mortal.dead > 30
    assert not errors
    check(cache)


@in_child
def test_collection_in_another_thread():
    """A3: another thread collects all the time, while entries with finalisers come and go."""
    errors = []
    cache = RustCache(threshold=20)
    done = threading.Event()

    def collect():
        while not done.is_set():
            gc.collect()

    sys.setswitchinterval(1e-5)
    collector = threading.Thread(target=collect)
    collector.start()
    for number in range(150):
        cyclic_garbage(cache, errors)
        cache.set((number % 30,), TREE)
        for key in range(30):
            assert cache.get((key,)) in (None, TREE)
    done.set()
    collector.join()
    gc.collect()
    assert Mortal.dead == 150
    assert not errors
    check(cache)


@in_child
def test_collectors_callback_reads_what_it_finds():
    """A3: a memory profiler that looks into every list while one is being made finds no hole in it."""
    cache = RustCache()
    # More lists than Python keeps in reserve, so that making them does start collections.
    cache.set("tree", [[number] for number in range(201)])
    looks = []

    def look(phase, info):
        # Reading an empty slot would crash.
        looks.append(sum(len(list(found)) for found in gc.get_objects() if type(found) is list))

    gc.callbacks.append(look)
    gc.set_threshold(*NEARLY_ALWAYS)
    kept = [cache.get("tree") for _ in range(30)]
    gc.set_threshold(700)
    assert kept[0] == kept[-1]
    gc.callbacks.remove(look)
    assert looks
    check(cache)


@in_child
def test_key_reads_what_the_collector_knows():
    """A3: the same from a key's ``__hash__`` in ``get_many``, whose answer is a list in the making."""
    cache = RustCache()
    seen = []

    def look():
        lists = [found for found in gc.get_objects() if type(found) is list and len(found) == 7]
        seen.extend(len(list(found)) for found in lists)

    Hooked.hook = look
    assert cache.get_many(1, 2, 3, 4, 5, 6, Hooked()) == [None] * 7
    check(cache)


# --- the collector's work

ZONE = dt.timezone(dt.timedelta(hours=2))

KINDS = {
    "list": lambda n: [n, [n]],
    "dict": lambda n: {"id": n, "tags": [str(n)]},
    "set": lambda n: {n, str(n)},
    "frozenset": lambda n: frozenset([n, str(n)]),
    "tuple": lambda n: (n, (str(n), n)),
    "tuple of lists": lambda n: (n, [n], {}),
    "frozensets and tuples in a list": lambda n: [frozenset([n]), (n, str(n)), (), frozenset()],
    "tuples and frozensets as keys": lambda n: {(n, n): n, frozenset([n]): {(n,)}},
    "dates": lambda n: [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, n % 24, tzinfo=ZONE)],
    "numbers": lambda n: [Decimal(n), complex(n), float(n), 10**30 + n],
    "markup": lambda n: [Markup(str(n)), Markup("x" * 300 + str(n))],
    "uuid": lambda n: uuid4(),
    "uuids": lambda n: {"id": uuid4(), "tags": [uuid4()]},
    "pickled": lambda n: [bytearray(b"x"), {"a": range(n)}],
    "shared within": lambda n: [[n]] * 3,
    "response": lambda n: Response(f"body {n}", headers={"X-Number": str(n)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_containers_are_no_work_for_the_collector(kind):
    """B7: 2,000 cached values, cold or hot, add nothing to the objects that a collection goes through."""
    cache = RustCache(threshold=2000)
    make = KINDS[kind]
    cache.set("warm", make(0))
    for _ in range(3):
        cache.get("warm")
    gc.collect()
    before = len(gc.get_objects())
    for hits in range(4):
        for number in range(500):
            cache.set(f"{hits} {number}", make(number))
            for _ in range(hits):
                cache.get(f"{hits} {number}")
        gc.collect()
        assert len(gc.get_objects()) < before + 100, hits
    assert len(cache) == 2001
