"""Traps I1 to I5: values. I6 (shared references, cycles, depth) is in test_contract_shapes.py."""

import builtins
import copy
import pickle
import struct
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from zoneinfo import ZoneInfo

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from markupsafe import Markup

HITS = (1, 2, 3, 10)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Row(list):
    pass


class Pair(tuple):
    __slots__ = ()


class Table(dict):
    pass


class Bag(set):
    pass


class Frozen(frozenset):
    pass


class Blob(bytes):
    pass


class Day(datetime):
    pass


class Marked(Markup):
    __slots__ = ()


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


Point = namedtuple("Point", "x y")


@dataclass
class Company:
    name: str
    prices: list = field(default_factory=list)


class Untouchable:
    """Like a numpy array or an SQLAlchemy clause, but stricter: any comparison is an error."""

    def __init__(self, note):
        self.note = note

    def __eq__(self, other):
        raise AssertionError("compared")

    def __bool__(self):
        raise AssertionError("asked for its truth")

    def __len__(self):
        raise AssertionError("asked for its length")

    __hash__ = None


class Refusing:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


@pytest.fixture(params=[0, 2**24], ids=["compact", "prototype"])
def cache(request):
    return RustCache(clock=ManualClock(), prototype_bytes=request.param)


def hits(cache, key="a"):
    """The value as it comes at the first, second, third and tenth hit."""
    every = [cache.get(key) for _ in range(max(HITS))]
    return [every[hit - 1] for hit in HITS]


UNPICKLABLE = {
    "lock": threading.Lock,
    "lambda": lambda: lambda: 0,
    "generator": lambda: (one for one in [1]),
    "nested": lambda: {"a": [1, (2, threading.Lock())]},
    "in a tuple": lambda: (1, threading.Lock()),
    "local class": type("Local", (), {}),
    "PicklingError": lambda: Refusing(pickle.PicklingError("no")),
    "any error": lambda: [Refusing(LookupError("no"))],
}


@pytest.mark.parametrize("make", UNPICKLABLE.values(), ids=UNPICKLABLE)
@pytest.mark.parametrize("verb", ["set", "add", "set_many", "inc"])
def test_what_cannot_be_pickled_raises_and_leaves_the_old_value(cache, make, verb):
    """I1: no poisoned entry: `set` raises, nothing is stored, the key's old value stays."""
    value = make()
    calls = {
        "set": lambda key: cache.set(key, value),
        "add": lambda key: cache.add(key, value),
        "set_many": lambda key: cache.set_many({key: value}),
        "inc": lambda key: cache.inc(key, value),
    }
    cache.set("old", [1])
    for key in ("old", "new"):
        if (key, verb) != ("old", "add"):
            with pytest.raises(Exception) as raised:  # noqa: PT011  # whichever pickle raises
                calls[verb](key)
            if verb != "inc":
                assert any("old value stays" in note for note in raised.value.__notes__)
    assert cache.get_many("old", "new") == [[1], None]
    assert (cache.has("new"), len(cache), list(cache._cache)) == (False, 1, ["old"])
    cache._validate()


def test_set_many_stores_what_comes_before_the_error(cache):
    """I1: one bad value of many takes none of the others along."""
    with pytest.raises(LookupError):
        cache.set_many({"a": 1, "b": Refusing(LookupError("no")), "c": 3})
    assert cache.get_many("a", "b", "c") == [1, None, None]


@pytest.mark.parametrize(
    "make",
    [
        lambda: [[1, [2, [3]]], {"a": {"b": [4]}}],
        lambda: {"a": [1, {"b": {5}}], "c": ([6],)},
        lambda: ([1], {"a": [2]}, {3}),
        lambda: OrderedDict(a=[1], b={"c": [2]}),
        lambda: defaultdict(list, a=[1]),
        lambda: Row([[1], Table(a=[2])]),
        lambda: Company("ibm", [1.5]),
        lambda: deque([[1], [2]]),
        lambda: bytearray(b"abc"),
        lambda: Point([1], {"a": 2}),
    ],
)
def test_isolation_both_ways_and_at_every_depth(cache, make):
    """I2: mutate after `set`, mutate after `get`, nested, at every hit."""
    value = make()
    cache.set("a", value)
    spoil(value)
    for _ in range(max(HITS)):
        got = cache.get("a")
        assert got == make()
        assert type(got) is type(make())
        spoil(got)
        assert got != make()


def spoil(value, seen=()):
    """Change every mutable part of a value, the innermost first."""
    if any(value is one for one in seen):
        return
    seen = (*seen, value)
    parts = list(value.values()) if isinstance(value, dict) else []
    if isinstance(value, Company):
        parts = [value.prices]
    if isinstance(value, list | tuple | deque):
        parts = list(value)
    for part in parts:
        spoil(part, seen)
    if isinstance(value, list | deque | bytearray):
        value.append(99)
    elif isinstance(value, dict):
        value["spoilt"] = 99
    elif isinstance(value, set):
        value.add(99)


@pytest.mark.parametrize("number", [1, 1.5, "a", (1, "b"), None])
def test_a_shared_part_of_the_callers_is_not_the_caches(cache, number):
    """I2: one list within two cached values joins them neither in the cache nor afterwards."""
    part = [number]
    cache.set("a", {"part": part})
    cache.set("b", [part, part])
    part.append("later")
    for _ in range(4):
        got = cache.get("a")
        got["part"].append("mine")
        assert cache.get("b") == [[number], [number]]
        assert cache.get("a") == {"part": [number]}


EXACT = {
    "str": Text("a"),
    "int": Number(3),
    "float": Real(2.5),
    "list": Row([1]),
    "tuple": Pair((1, 2)),
    "dict": Table(a=1),
    "set": Bag({1}),
    "frozenset": Frozen({1}),
    "bytes": Blob(b"a"),
    "datetime": Day(2026, 1, 2),
    "markup": Markup("<b>"),
    "markup subclass": Marked("<b>"),
    "enum": Colour.RED,
    "int enum": Level.LOW,
    "namedtuple": Point(1, 2),
    "namedtuple of list": Point([1], 2),
    "ordered": OrderedDict(b=1, a=2),
    "default": defaultdict(list, a=[1]),
    "counter": Counter("abca"),
    "deque": deque([1], maxlen=2),
    "dataclass": Company("ibm", [1.5]),
    "zoned": datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    "class": Company,
    "function": spoil,
    "bytearray": bytearray(b"a"),
    "exception": LookupError,
}


@pytest.mark.parametrize("value", EXACT.values(), ids=EXACT)
@pytest.mark.parametrize(
    "wrap",
    [lambda one: one, lambda one: [one], lambda one: (one, []), lambda one: {"a": {"b": one}}],
    ids=["alone", "list", "tuple", "dict"],
)
def test_exact_types_come_back(cache, value, wrap):
    """I3: a subclass is not its base; its attributes come along."""
    expected = wrap(value)
    cache.set("a", expected)
    for got in hits(cache):
        assert got == expected
        for one, other in zip(flat(got), flat(expected), strict=True):
            assert type(one) is type(other)
    assert getattr(cache.get("a"), "maxlen", 2) == 2


def flat(value):
    yield value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(key)
            yield from flat(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from flat(item)


@pytest.mark.parametrize("base", [Text, Row, Table, Bag, Number])
def test_attributes_of_a_subclass_come_back(cache, base):
    """I3: what pickle keeps of a subclass's instance is kept, and is the caller's own."""
    kind = type("Noted", (base,), {"__module__": __name__, "__qualname__": "Noted"})
    globals()["Noted"] = kind
    value = kind()
    value.note = ["mine"]
    cache.set("a", {"b": value})
    value.note.append("later")
    for got in hits(cache):
        assert type(got["b"]) is kind
        assert got["b"].note == ["mine"]
        got["b"].note.clear()


def test_a_subclass_as_a_key_keeps_its_type(cache):
    """I3: keys of dicts and items of sets are no exception."""
    cache.set("a", [{Text("k"): 1, Level.LOW: 2}, {Text("i"), Pair((1,))}])
    for mapping, items in hits(cache):
        assert [type(key) for key in mapping] == [Text, Level]
        assert {type(item) for item in items} == {Text, Pair}


def test_a_defaultdict_and_a_zone_go_on_working(cache):
    """I3: behaviour comes back with the type."""
    zone = ZoneInfo("Europe/Zurich")
    cache.set("a", [defaultdict(list), datetime(2026, 7, 1, 12, tzinfo=zone)])
    for got, moment in hits(cache):
        got["new"].append(1)
        assert got == {"new": [1]}
        assert moment.tzinfo is zone
        assert moment.utcoffset().total_seconds() == 7200


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one, (one,)], lambda one: {"a": one}])
def test_values_are_never_compared_nor_asked_for_their_truth(cache, wrap):
    """I4: an object whose `==`, `bool()` and `len()` raise goes through every verb."""
    value = Untouchable("note")
    wrapped = wrap(value)
    assert cache.set("a", wrapped) is True
    assert cache.set("a", wrapped) is True
    assert cache.add("a", wrapped) is False
    assert cache.add("b", wrapped) is True
    assert cache.set_many({"c": wrapped}) == ["c"]
    for key in "abc":
        for got in [*hits(cache, key), cache.get_many(key)[0], cache.get_dict(key)[key]]:
            inner = got if isinstance(got, Untouchable) else next(iter(copy.copy(got)))
            inner = got["a"] if isinstance(got, dict) else inner
            assert inner is not value
            assert inner.note == "note"
    assert len(cache._cache["a"]) == 2
    assert cache.delete("a") is True


@pytest.mark.skipif(not hasattr(builtins, "frozendict"), reason="CPython has them from 3.15 on")
def test_frozen_dicts(cache):
    """I2, I3: they are no dicts, what they hold may change, and they may be keys."""
    frozen = builtins.frozendict
    cache.set("a", {"frozen": frozen(part=[1])})
    for got in hits(cache):
        assert type(got["frozen"]) is frozen
        assert got == {"frozen": frozen(part=[1])}
        got["frozen"]["part"].append(2)
    assert cache.set(frozen(a=1), frozen()) is True
    assert cache.get(frozen(a=1)) == frozen()


def test_numpy_arrays(cache):
    """I4: arrays, alone and within containers; isolated as well."""
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(6).reshape(2, 3)
    scalar = numpy.float64(1.5)
    cache.set("a", {"array": array, "list": [array], "scalar": scalar})
    cache.set("b", array)
    array[:] = -1
    for got, bare in zip(hits(cache), hits(cache, "b"), strict=True):
        assert type(got["scalar"]) is numpy.float64
        assert got["array"] is got["list"][0]
        for one in (got["array"], bare):
            assert one.tolist() == [[0, 1, 2], [3, 4, 5]]
            one[:] = 7
    assert cache.inc("b", numpy.ones((2, 3), int)).tolist() == [[1, 2, 3], [4, 5, 6]]


def exact(number):
    """A number's type and bits: what `==` does not tell apart."""
    bits = struct.pack("d", number) if isinstance(number, float) else number
    return type(number), bits, repr(number)


NUMBERS = [True, 1, 1.0, False, 0, 0.0, -0.0, float("nan"), -float("nan"), float("inf"), 5e-324]
NUMBERS += [struct.unpack("d", b"\1\2\3\4\5\6\xf8\x7f")[0], 10**1000, -(10**1000), 2**53 + 1, 1e16]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: repr(number)[:20])
def test_numbers_stay_what_they_are(cache, number):
    """I5: True is not 1, 1 is not 1.0; -0.0, each nan, huge ints to the last bit."""
    cache.set("a", number)
    cache.set("b", [number, (number,), {"k": number}, {number: 1}, {number}])
    for bare, (item, (inner,), mapping, keyed, held) in zip(hits(cache), hits(cache, "b"), strict=True):
        found = [bare, item, inner, mapping["k"], *keyed, *held]
        assert [exact(one) for one in found] == [exact(number)] * 6


def test_equal_numbers_side_by_side_stay_apart(cache):
    """I5: nor is one given for an equal one met before."""
    cache.set("a", [*NUMBERS, *reversed(NUMBERS)])
    for got in hits(cache):
        assert [exact(one) for one in got] == [exact(one) for one in [*NUMBERS, *reversed(NUMBERS)]]
