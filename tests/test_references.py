"""Trap B6: every reference that native code takes is given back, exactly, on the ways of errors too.

Each scenario is run in rounds. Rounds later Python's allocator holds as many blocks as before, and no object
that was there before has more references. A debug build of CPython counts the total of references, too. What
goes wrong once a round would show in each of them.
"""

import datetime as dt
import decimal
import itertools
import logging
import pickle
import uuid

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from markupsafe import Markup

from ._child import FREE_THREADED, in_child
from ._references import check_all, response
from ._traps import BoomError

pytestmark = pytest.mark.skipif(
    FREE_THREADED, reason="without a global lock CPython gives blocks back, and counts references, later"
)

# --- values


class Plain:
    """Goes by pickle."""

    def __init__(self):
        self.part = [1]


def shared():
    part = ["part", 1.5]
    return [part, part, {"part": part}]


def cyclic():
    value = ["value"]
    value.append({"self": value})
    return value


MOMENT = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=1)))

VALUES = {
    "none": lambda: None,
    "int": lambda: 1 << 100,
    "text": lambda: "text" * 10,
    "unicode": lambda: "t\xebxt \u20ac" * 10,
    "surrogate": lambda: "a\ud800b",
    "leaves": lambda: (MOMENT, decimal.Decimal("1.5"), uuid.uuid4(), Markup("<b>"), b"bytes", 1j),
    "frozen": lambda: frozenset([("a", 1.5), frozenset([2.5])]),
    "tree": lambda: {
        "a": [1, 2.5, {"b": ("c", [None, True])}],
        "s": {1, 2},
        "l": "long" * 200,
        1 << 70: b"b",
    },
    "leaf keys": lambda: {(uuid.uuid4(), MOMENT): [{frozenset([1.5])}], "empty": [[], {}, (), set()]},
    "lists": lambda: [[[number] for number in range(5)] for _ in range(5)],
    "shared": shared,
    "cyclic": cyclic,
    "response": response,
    "pickled": Plain,
    "deep": lambda: [[[Plain()]], decimal.Decimal(2)],
}


def of_value(make):
    """Stored, read cold and hot, replaced, let go in each of the ways."""
    clock = ManualClock()
    cache = RustCache(threshold=20, clock=clock, max_bytes=50_000)
    numbers = itertools.cycle(range(40))

    def play():
        value = make()
        for key in ("key", ("key", 1)):
            cache.set(key, value, 10)
            cache.set(key, value, 10, tags=["tag", "other"])
            for _ in range(4):
                cache.get(key)
            cache.add(key, value)
            cache.get_many(key, "absent")
            cache.get_dict(key, "absent")
            cache.touch(key, 5)
            cache.ttl(key)
        cache.delete("key")
        clock.advance(6)
        cache.has("key"), len(cache), cache.purge_expired()
        cache.set_many({"a": value, ("b",): value}, tags=["tag"])
        list(cache._cache.items()), list(cache._cache), cache.stats()
        cache.delete_tag("tag")
        cache.set("a prefix", value), cache.delete_prefix("a ")
        for _ in range(4):
            cache.set(next(numbers), value)
        cache.set("text", value), cache.delete_many("text", "absent", (1,))
        cache.clear()

    return play


@in_child
def test_values_of_each_kind():
    """B6: however a value is stored, hot or cold, and in whichever way it goes."""
    check_all({name: lambda make=make: of_value(make) for name, make in VALUES.items()})


# --- errors


class Raising:
    """Raises from one of its methods, when it is told to."""

    def __init__(self, method):
        self.method, self.armed = method, True

    def _raise(self, method):
        if self.armed and method == self.method:
            raise BoomError

    def __hash__(self):
        self._raise("hash")
        return 1

    def __eq__(self, other):
        self._raise("eq")
        return self is other

    def __reduce__(self):
        self._raise("reduce")
        return (str, ())

    def __add__(self, other):
        raise BoomError

    def __iter__(self):
        yield "tag"
        self._raise("iter")


class Serializer:
    """Hands over an object, or raises."""

    raises = None

    def dumps(self, value):
        if self.raises == "dumps":
            raise BoomError
        return (value, [])

    def loads(self, kept):
        if self.raises == "loads":
            raise BoomError
        return kept[0]


FAILURES = (BoomError, TypeError, ValueError, AttributeError, KeyError, RecursionError, pickle.PicklingError)
"""What cannot be pickled raises an `AttributeError` before 3.14, and a `PicklingError` from then on."""


def of_errors(attempt, **options):
    """The same attempt again and again; each is to fail, and what was stored before stays."""
    cache = RustCache(threshold=20, **options)

    def play():
        cache.set("key", ["old"], tags=["tag"])
        cache.set(("key", 1), ["old"])
        failed = False
        try:
            attempt(cache)
        except FAILURES:
            failed = True
        assert failed
        cache.get("key"), cache.get(("key", 1))
        cache.clear()

    return play


def set_raising_equal(cache):
    first, second = Raising("eq"), Raising("eq")
    cache.set(first, 1)
    try:
        cache.set(second, 2)
    finally:
        first.armed = second.armed = False
        cache.delete(first)


def use_serializer(raises):
    def attempt(cache):
        serializer = Serializer()
        cache.serializer = serializer
        try:
            cache.set("key", 1)
            cache.set("key", 2), cache.get("key")
            serializer.raises = raises
            cache.set("key", 3), cache.get("key")
        finally:
            cache.delete("key")
            del cache.serializer

    return attempt


def with_objects(attempt):
    """The same where a serializer's object has been taken in before it fails."""

    def attempt_it(cache):
        cache.serializer = Serializer()
        try:
            attempt(cache)
        finally:
            cache.clear()
            del cache.serializer

    return attempt_it


def be_unwanted(cache):
    cache.set("kept", 1)
    assert cache.add("kept", 2) is False
    cache.set(("kept", 1), 1, -1), cache.set("kept", 1, -1), cache.set_many({"a": 1, ("b", 2): 2}, -1)
    raise BoomError


def be_refused(cache):
    cache.set(("a", 1), "x" * 2000)
    assert cache.get(("a", 1)) is None
    raise BoomError


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


ERRORS = {
    "unpicklable": lambda cache: cache.set("key", lambda: None),
    "unpicklable in a tree": lambda cache: cache.set(
        "key", {"a": [uuid.uuid4(), lambda: None], "b": "b" * 500}
    ),
    "half of a dict": lambda cache: cache.set_many(
        {"a": [1], ("b", 1): [2], "c": lambda: None}, tags=["tag"]
    ),
    "reduce raises": lambda cache: cache.set(("new", 1), [Raising("reduce")]),
    "too deep": lambda cache: cache.set("key", nested(100_000)),
    "hash raises": lambda cache: cache.get(Raising("hash")),
    "hash raises within": lambda cache: cache.set(("a", Raising("hash")), 1),
    "eq raises": set_raising_equal,
    "unhashable": lambda cache: cache.get_many("key", ("key", 1), []),
    "unhashable in a dict": lambda cache: cache.get_dict("key", []),
    "unhashable to delete": lambda cache: cache.delete_many("key", ("key", 1), []),
    "timeout": lambda cache: cache.set(("new", 1), [1], "soon"),
    "timeout nan": lambda cache: cache.touch("key", float("nan")),
    "tags raise": lambda cache: cache.set("key", 1, tags=Raising("iter")),
    "tags of numbers": lambda cache: cache.set("key", 1, tags=["tag", 1]),
    "sum raises": lambda cache: cache.inc("key", Raising("add")),
    "sum of another kind": lambda cache: cache.dec(("key", 1), 1),
    "no entry": lambda cache: cache.ttl(("no", "entry")),
    "no pair": lambda cache: cache.set_many(Pairless()),
    "attribute": lambda cache: setattr(cache, "default_timeout", "soon"),
    "clock": lambda cache: setattr(cache, "clock", lambda: None),
    "dumps raises": use_serializer("dumps"),
    "loads raises": use_serializer("loads"),
    "hash raises after dumps": with_objects(lambda cache: cache.set(Raising("hash"), 1)),
    "eq raises after dumps": with_objects(set_raising_equal),
    "sum raises after loads": with_objects(lambda cache: (cache.inc("n", 1), cache.inc("n", Raising("add")))),
    "unwanted": be_unwanted,
    "unwanted objects": with_objects(be_unwanted),
}


class Pairless:
    def items(self):
        return [("a", 1), ("b", 2, 3)]


@in_child
def test_errors_of_each_kind():
    """B6: a call that fails half-way keeps nothing of what it had begun."""
    check_all({name: lambda attempt=attempt: of_errors(attempt) for name, attempt in ERRORS.items()})
    logging.disable()
    refused = {"refused": be_refused, "refused objects": with_objects(be_refused)}
    check_all(
        {
            name: lambda attempt=attempt: of_errors(attempt, max_bytes=1500)
            for name, attempt in refused.items()
        }
    )
