"""Traps A3 and B1, B2, B6, B7: the collector, and memory that comes back."""

import gc
import sys
import threading

from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache

from ._child import in_child
from ._traps import Mortal, check


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
    expected = repr(TREE)
    gc.set_threshold(1, 1, 1)
    for number in range(60):
        key = (f"tree {number % 7}",)
        cache.set(key, TREE)
        cyclic_garbage(cache, errors)
        for _ in range(4):
            got = cache.get(key)
            assert got is None or repr(got) == expected
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
    assert Mortal.dead > 50
    assert not errors
    check(cache)
