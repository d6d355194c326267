"""Traps A1 to A6: code of the user's that runs in the middle of an operation, and many threads."""

import sys
import weakref
from contextlib import suppress

import pytest
from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import Mortal, call_everything, check, in_child


class BoomError(Exception):
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
        # These take no key by its hash for an answer: they must do their work, and report.
        assert raised or name in ("clear", "evict"), name
    assert all(type(error) is BoomError for error in unraisable)
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
                cache.serializer = Reentrant(
                    lambda cache=cache, key=key, inner=inner, calls=calls: (
                        calls.append(1),
                        inner(cache, key),
                    )
                )
                with suppress(KeyError):
                    cache.set(key, 2)
                    verb(cache, key)
                    cache.get(key)
                assert calls
                check(cache)


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


class Number(int):
    """Runs a hook whenever it is pickled, unpickled, or added to."""

    hook = None

    def __reduce__(self):
        Number.run()
        return Number.rebuild, (int(self),)

    def __add__(self, other):
        Number.run()
        return Number(int(self) + other)

    @staticmethod
    def rebuild(number):
        Number.run()
        return Number(number)

    @classmethod
    def run(cls):
        hook, Number.hook = Number.hook, None
        if hook is not None:
            hook()
            Number.hook = hook


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
    cache.clock = lambda: cache.get("key") or 1.0
    with pytest.raises(RecursionError):
        cache.get("key")
    cache.clock = None
    check(cache)


class Faulty(SimpleSerializer):
    """Raises at one of its calls, also after it made an object that the cache is to keep."""

    def __init__(self, at, alive):
        self.left, self.alive = at, alive

    def tick(self):
        self.left -= 1
        if self.left == 0:
            raise BoomError

    def dumps(self, value):
        self.tick()
        kept = Kept(value)
        self.alive.add(kept)
        return kept

    def loads(self, kept):
        self.tick()
        return kept.value


class Kept:
    def __init__(self, value):
        self.value = value


@in_child
def test_serializer_raises():
    """A6: whichever call of the serializer raises, in whichever verb."""
    for name, verb in VERBS.items():
        for at in range(1, 6):
            cache = RustCache(threshold=20, clock=ManualClock())
            alive = weakref.WeakSet()
            cache.serializer = Faulty(0, alive)
            cache.set_many({"a": 1, "key": 2})
            cache.serializer.left = at
            with suppress(BoomError, KeyError):
                verb(cache, "key")
            if name not in ("clear", "evict", "expire", "delete", "delete_many", "set to be gone"):
                assert cache.has("key")
            assert len(alive) <= len(cache), (name, at)
            cache.serializer = Faulty(0, alive)
            check(cache)
            cache.clear()
            assert not alive, (name, at)


@in_child
def test_clock_raises():
    """A6: whichever reading of the clock raises, in whichever verb; nothing of the value is kept."""
    for name, verb in VERBS.items():
        for at in range(1, 6):
            clock = FaultyClock()
            cache = RustCache(threshold=20, clock=clock)
            alive = weakref.WeakSet()
            cache.serializer = Faulty(0, alive)
            cache.set_many({"a": 1, (1, 2): 2})
            clock.left = at
            with suppress(BoomError, KeyError):
                verb(cache, (1, 2))
            clock.left = 0
            assert len(alive) <= len(cache), (name, at)
            check(cache)
            cache.clear()
            assert not alive, (name, at)


class FaultyClock(ManualClock):
    left = 0

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            raise BoomError
        return super().__call__()


@in_child
def test_key_raises_while_its_result_is_stored():
    """A6: ``__hash__`` raises at some call of ``inc``; the old value stays, nothing of the new is kept."""
    for verb in ("inc", "set", "add", "set_many"):
        for at in range(1, 8):
            key = Hooked()
            cache = filled(["a"])
            alive = weakref.WeakSet()
            cache.serializer = Faulty(0, alive)
            cache.set(key, 1)
            calls = []

            def hook(calls=calls, at=at):
                calls.append(1)
                if len(calls) == at:
                    raise BoomError

            Hooked.hook = hook
            with suppress(BoomError):
                VERBS[verb](cache, key)
            Hooked.hook = None
            assert cache.get(key) in (1, 2)
            assert len(alive) == 1, (verb, at, len(alive))
            check(cache)


class Unaddable:
    def __radd__(self, other):
        raise BoomError

    __rsub__ = __radd__


class Unpicklable:
    def __reduce__(self):
        raise BoomError


def broken_items():
    yield "first", 1
    yield ("second", 2), 2
    raise BoomError


class BrokenMapping:
    def items(self):
        return broken_items()


FAILURES = {
    "inc": lambda cache: cache.inc("key", Unaddable()),
    "dec": lambda cache: cache.dec("key", Unaddable()),
    "set": lambda cache: cache.set("key", Unpicklable()),
    "set of a tree": lambda cache: cache.set("key", [{"a": [Unpicklable()]}]),
    "add": lambda cache: cache.add("new", Unpicklable()),
    "set_many, mapping": lambda cache: cache.set_many(BrokenMapping()),
    "set_many, value": lambda cache: cache.set_many({"a": 1, "b": Unpicklable()}),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_leaves_the_store_as_it_was(name):
    """A6: ``+``, ``__reduce__`` or a mapping that raises: the exception comes out, old values stay."""
    cache = RustCache(threshold=20)
    cache.set("key", 1)
    for _ in range(3):
        with pytest.raises(BoomError):
            FAILURES[name](cache)
        assert cache.get("key") == 1
        assert not cache.has("new")
        cache._validate()
    check(cache)


@pytest.mark.parametrize("items", [5, [1], ["abc"], [("k", 1, 2)], None], ids=repr)
def test_mapping_of_a_wrong_shape(items):
    """A6: what ``set_many`` cannot take apart raises, and leaves the store usable."""
    cache = RustCache(threshold=20)
    mapping = type("Mapping", (), {"items": lambda self: items})()
    for argument in (mapping, items):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            cache.set_many(argument)
    check(cache)
