"""Traps A1 to A6: code of the user's that runs in the middle of an operation, and many threads."""

import functools
import sys
from contextlib import suppress

import pytest
from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._traps import VERBS, BoomError, Hooked, Mortal, Number, call_everything, check, expire, fill, filled


class MortalSerializer:
    """A serializer whose ``dumps`` returns an object instead of bytes."""

    def __init__(self, cache, errors):
        self.cache, self.errors = cache, errors

    def dumps(self, value):
        return Mortal(self.cache, self.errors, value)

    def loads(self, mortal):
        return mortal.value


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
    "bound lowered": lambda cache, key: (
        cache.set("a", 1),
        setattr(cache, "_threshold", 1),
        fill(cache, key),
    ),
}


class Twin:
    """Equal to a ``MortalKey``: names it to the cache without keeping it alive."""

    def __hash__(self):
        return 11

    def __eq__(self, other):
        return isinstance(other, Twin)


class MortalKey(Mortal, Twin):
    pass


@in_child
def test_finaliser_of_a_key_calls_the_cache():
    """A1: a key's ``__del__`` calls every verb as its entry leaves, in whichever way."""
    for way, go in WAYS_TO_GO.items():
        for _ in range(2):
            errors = []
            cache = RustCache(threshold=20, clock=ManualClock())
            cache.set(MortalKey(cache, errors), [1])
            before = Mortal.dead
            go(cache, Twin())
            assert Mortal.dead == before + 1, way
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


@in_child
def test_comparison_of_keys_calls_the_cache():
    """A2: ``__hash__`` and ``__eq__`` call every verb, also on the very key, in every verb."""
    for name, verb in VERBS.items():
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
            # No code of a key's runs when it is forgotten.
            assert calls or name in ("clear", "evict", "expire"), name
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
                    raise BoomError

            Hooked.hook = hook
            try:
                verb(cache, keys[1])
            except BoomError:
                raised += 1
            Hooked.hook = None
            check(cache)
            assert cache.set(keys[1], "again")
            assert cache.get(keys[1]) == "again"
            check(cache)
        # No code of a key's runs when it is forgotten.
        assert raised or name in ("clear", "evict"), name
    assert not unraisable


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


class LastWish:
    """Calls a method of the cache as it dies."""

    def __init__(self, cache, verb, *args):
        self.wish = functools.partial(getattr(cache, verb), *args)

    def __del__(self):
        self.wish()


class Identity:
    """A serializer that has the very object stored."""

    def dumps(self, value):
        return value

    def loads(self, value):
        return value


@in_child
def test_a_read_whose_object_leaves_meanwhile_is_counted_once():
    """A1, F2: what expires as `get` begins deletes, or replaces, what it has found and not yet fetched."""
    for wish, answer in [(("delete", "b"), None), (("set", "b", 2), 2)]:
        cache = RustCache(clock=ManualClock())
        cache.serializer = Identity()
        cache.set("a", LastWish(cache, *wish), timeout=1)
        cache.set("b", 1)
        cache.clock.advance(2)
        assert cache.get("b") == answer
        stats = cache.stats()
        assert (stats["hits"], stats["misses"]) == (1, 0)


class Reentrant(SimpleSerializer):
    """Calls the cache from within ``dumps`` and ``loads``."""

    def __init__(self, call):
        self.call = call

    def dumps(self, value):
        self.run()
        return super().dumps(value)

    def loads(self, dumped):
        self.run()
        return super().loads(dumped)

    def run(self):
        call, self.call = self.call, lambda: None
        call()
        self.call = call


@in_child
def test_serializer_calls_the_cache():
    """A4: every verb in ``dumps`` and ``loads``, on the very key that is being stored or read."""
    for verb in VERBS.values():
        for inner in (*VERBS.values(), lambda cache, _: call_everything(cache)):
            for key in ("text", (1, 2)):
                cache = filled(["a", key])
                calls = []

                def call(cache=cache, key=key, inner=inner, calls=calls):
                    calls.append(1)
                    if len(calls) < 20:
                        inner(cache, key)

                cache.serializer = Reentrant(call)
                with suppress(KeyError):
                    cache.set(key, 2)
                    verb(cache, key)
                    cache.get(key)
                assert calls
                cache.serializer.call = lambda: None
                check(cache)


@in_child
def test_inc_ends_though_its_key_changes_each_time():
    """A4: ``inc`` of a key that ``+``, or the serializer, stores again whenever it is called."""
    cache = RustCache()
    cache.set("key", Number(1))
    Number.hook = lambda: cache.set("key", Number(1))
    cache.inc("key")
    Number.hook = None
    cache.serializer = Reentrant(lambda: None)
    cache.set("key", 1)
    cache.serializer.call = lambda: cache.set("key", 1)
    cache.inc("key")


@in_child
def test_reduce_calls_the_cache():
    """A4: the same while a value is pickled and unpickled; ``inc`` runs its ``__add__`` as well."""
    for verb in VERBS.values():
        for inner in (*VERBS.values(), lambda cache, _: call_everything(cache)):
            cache = filled(["a"])
            cache.set("key", Number(1))
            calls = []

            def hook(cache=cache, inner=inner, calls=calls):
                calls.append(1)
                if len(calls) < 20:
                    inner(cache, "key")

            Number.hook = hook
            with suppress(KeyError):
                cache.set("key", Number(1))
                verb(cache, "key")
                cache.get("key")
            Number.hook = None
            assert calls
            check(cache)


@in_child
def test_clock_calls_the_cache():
    """A4: a clock that calls every verb; one that does so without end is a RecursionError."""
    cache = RustCache(threshold=20)
    nested = []

    def clock():
        if not nested:
            nested.append(1)
            call_everything(cache)
            nested.pop()
        return 1000.0

    cache.clock = clock
    for verb in VERBS.values():
        cache.clock = clock if cache.clock is None else cache.clock
        if verb is not VERBS["expire"]:
            verb(cache, "key")
        check(cache)
    # One that asks the cache each time finds the time it told last.
    cache.clock = lambda: cache.get("key") or 1.0
    cache.set("key", 5.0)
    assert cache.get("key") == 5.0
    cache.clock = None
    check(cache)
