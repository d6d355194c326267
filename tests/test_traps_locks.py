"""Traps A1 to A6: code of the user's that runs in the middle of an operation, and many threads."""

import sys
import weakref
from contextlib import suppress

import pytest
from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import Mortal, call_everything, check, in_child


class Boom(Exception):
    pass


class MortalSerializer:
    """A serializer whose ``dumps`` returns an object instead of bytes."""

    def __init__(self, cache, errors):
        self.cache, self.errors = cache, errors

    def dumps(self, value):
        return Mortal(self.cache, self.errors, value)

    def loads(self, mortal):
        return mortal.value


def expire(cache, key):
    cache.clock.advance(1000)
    cache.get(key)


def fill(cache, key):
    cache.set_many({f"filler {number}": number for number in range(100)})


def replace_view_entry(cache, key):
    del cache._cache[key]


WAYS_TO_GO = {
    "evicted": fill,
    "deleted": lambda cache, key: cache.delete(key),
    "deleted with many": lambda cache, key: cache.delete_many("absent", key),
    "deleted by the view": replace_view_entry,
    "cleared": lambda cache, key: cache.clear(),
    "expired": expire,
    "expired, then purged": lambda cache, key: (cache.clock.advance(1000), cache.purge_expired()),
    "expired, then counted": lambda cache, key: (cache.clock.advance(1000), len(cache)),
    "set to be gone": lambda cache, key: cache.set(key, 1, timeout=-1),
    "bound lowered": lambda cache, key: (cache.set("a", 1), setattr(cache, "_threshold", 1), fill(cache, key)),
}


@in_child
def test_finaliser_of_a_key_calls_the_cache():
    """A1: a key's ``__del__`` calls every verb as its entry leaves, in whichever way."""
    for way, go in WAYS_TO_GO.items():
        errors = []
        cache = RustCache(threshold=20, clock=ManualClock())
        before = Mortal.dead
        keys = [Mortal(cache, errors) for _ in range(5)]
        cache.set_many(dict.fromkeys(keys, [1, 2]))
        while keys:
            # The list lets the key go before the cache does: its last reference is the cache's.
            held = weakref.ref(keys[-1])
            go(cache, keys.pop())
            held = None
        fill(cache, None)
        cache.clear()
        assert Mortal.dead == before + 5, way
        assert not errors, (way, errors)
        check(cache)


@in_child
def test_finaliser_of_a_stored_object_calls_the_cache():
    """A1: so does the ``__del__`` of what a serializer returned, overwriting included."""
    ways = {
        **WAYS_TO_GO,
        "overwritten": lambda cache, key: cache.set(key, 2),
        "overwritten by inc": lambda cache, key: cache.inc(key),
        "not added": lambda cache, key: (cache.add(key, 3), cache.delete(key)),
        "refused": lambda cache, key: (cache.set(key, 3, timeout=-1), cache.delete(key)),
    }
    for way, go in ways.items():
        for key in ("text", ("not", "text")):
            errors = []
            cache = RustCache(threshold=20, clock=ManualClock())
            cache.serializer = MortalSerializer(cache, errors)
            cache.set(key, 1)
            before = Mortal.dead
            go(cache, key)
            assert Mortal.dead > before, way
            assert not errors, (way, errors)
            cache.serializer = SimpleSerializer()
            cache.clear()
            check(cache)


class Hooked:
    """A key whose ``__hash__`` and ``__eq__`` run a hook; all of them collide."""

    hook = None

    def __hash__(self):
        self.run()
        return 7

    def __eq__(self, other):
        self.run()
        return self is other

    @classmethod
    def run(cls):
        hook, Hooked.hook = Hooked.hook, None
        if hook is not None:
            hook()
            Hooked.hook = hook


VERBS = {
    "get": lambda cache, key: cache.get(key),
    "set": lambda cache, key: cache.set(key, 1),
    "set to be gone": lambda cache, key: cache.set(key, 1, timeout=-1),
    "add": lambda cache, key: cache.add(key, 2),
    "has": lambda cache, key: cache.has(key),
    "delete": lambda cache, key: cache.delete(key),
    "inc": lambda cache, key: cache.inc(key),
    "dec": lambda cache, key: cache.dec(key),
    "get_many": lambda cache, key: cache.get_many("a", key),
    "get_dict": lambda cache, key: cache.get_dict("a", key),
    "set_many": lambda cache, key: cache.set_many({"a": 1, key: 2}),
    "delete_many": lambda cache, key: cache.delete_many("a", key),
    "clear": lambda cache, key: cache.clear(),
    "evict": fill,
    "expire": expire,
    "view": lambda cache, key: key in cache._cache and cache._cache[key],
}


def filled(keys):
    cache = RustCache(threshold=20, clock=ManualClock())
    for key in keys:
        cache.set(key, 1)
    return cache


@in_child
def test_comparison_of_keys_calls_the_cache():
    """A2: ``__hash__`` and ``__eq__`` call every verb, also on the very key, in every verb."""
    for verb in VERBS.values():
        for inner in (*VERBS.values(), lambda cache, _: call_everything(cache)):
            keys = [Hooked() for _ in range(3)]
            cache = filled(keys)
            calls = []

            def hook(cache=cache, key=keys[1], inner=inner, calls=calls):
                calls.append(1)
                if len(calls) < 20:
                    inner(cache, key)

            Hooked.hook = hook
            with suppress(KeyError):
                verb(cache, keys[1])
            Hooked.hook = None
            assert calls
            cache._validate()


@in_child
def test_key_stored_while_its_entry_leaves():
    """A2: a ``set`` of the very key from within the ``__hash__`` that a removal calls is not half done."""
    for at in range(1, 6):
        for verb in ("delete", "clear", "evict", "expire"):
            key = Hooked()
            cache = filled([key])
            calls = []

            def hook(cache=cache, key=key, calls=calls, at=at):
                calls.append(1)
                if len(calls) == at:
                    cache.set(key, "stored inside")

            Hooked.hook = hook
            VERBS[verb](cache, key)
            Hooked.hook = None
            check(cache)
            cache.set(key, "stored after")
            assert cache.get(key) == "stored after", (verb, at)
            check(cache)


@in_child
def test_comparison_of_keys_raises():
    """A2: what ``__hash__`` or ``__eq__`` raises comes out, at whichever call; the store stays as it was."""
    unraisable = []
    sys.unraisablehook = lambda report: unraisable.append(report.exc_value)
    for name, verb in VERBS.items():
        raised = 0
        for at in range(1, 12):
            keys = [Hooked() for _ in range(3)]
            cache = filled(keys)
            calls = []

            def hook(calls=calls, at=at):
                calls.append(1)
                if len(calls) == at:
                    raise Boom

            Hooked.hook = hook
            try:
                verb(cache, keys[1])
            except Boom:
                raised += 1
            Hooked.hook = None
            check(cache)
            assert cache.set(keys[1], "again")
            assert cache.get(keys[1]) == "again"
            check(cache)
        # These take no key by its hash for an answer: they must do their work, and report.
        assert raised or name in ("clear", "evict"), name
    assert all(type(error) is Boom for error in unraisable)
    assert unraisable


@in_child
def test_unhashable_keys_raise_everywhere():
    """A2: an unhashable key is a TypeError from every verb that takes a key, and changes nothing."""
    for name in VERBS.keys() - {"set_many", "clear", "evict"}:
        cache = filled(["a"])
        with pytest.raises(TypeError):
            VERBS[name](cache, [])
        if name != "delete_many":
            assert cache.get("a") == (None if name == "expire" else 1)
        check(cache)


