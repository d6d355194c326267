"""Trap A6: an exception, wherever it is raised, leaves the store consistent and usable."""

import weakref
from contextlib import suppress

import pytest
from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._traps import VERBS, BoomError, Hooked, check, filled


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
            held = len(cache)
            assert len(alive) <= held, (name, at)
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
            cache = filled([])
            alive = weakref.WeakSet()
            cache.serializer = Faulty(0, alive)
            cache.set_many({"a": 1, key: 1})
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
            held = len(cache)
            assert len(alive) == held, (verb, at, len(alive))
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
