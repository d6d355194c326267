"""CONTRACT 3, "keys": str is the fast path, and any hashable works as a dict key does."""

from datetime import date
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from uuid import UUID

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from markupsafe import Markup

NAN = float("nan")


class Text(str):
    __slots__ = ()


class Colour(str, Enum):  # noqa: UP042  # the older way is what is shown
    RED = "red"


class Shade(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Plain:
    pass


class Folded(str):
    """A str whose equality is its own, which no plain str of the same text shares."""

    __slots__ = ()

    def __eq__(self, other):
        return isinstance(other, Folded) and self.lower() == other.lower()

    def __hash__(self):
        return hash(("folded", self.lower()))


PLAIN = Plain()
ALIKE = [
    [1, 1.0, True, Number.ONE, Decimal(1), Fraction(1), 1 + 0j],
    [0, False, 0.0, -0.0],
    ["red", Text("red"), Colour.RED, Shade.RED, Markup("red")],
    [(1, "a"), (1.0, "a"), (True, Text("a"))],
    [frozenset({1, 2}), frozenset({2.0, 1})],
    [NAN],
    [None],
    [PLAIN],
    [b"red"],
    [2**61, 2.0**61],
]
# Each of these is another key than every other one; -1 and -2 share a hash, and so do 1 and 2**61.
APART = [group[0] for group in ALIKE]
APART += [-1, -2, "1", "None", b"1", (), "", b"", ("red",), Ellipsis, int, 1.5, Plain(), Folded("red")]
APART += [date(2026, 1, 2), UUID(int=1), "\xff\x00", b"\xff\x00\x00\x00\x00\x00\x00\x00\x01", 10**40]


@pytest.fixture
def cache():
    return RustCache(clock=ManualClock())


@pytest.mark.parametrize("group", ALIKE, ids=repr)
def test_equal_keys_are_one_key_by_every_verb(cache, group):
    for setter in group:
        for getter in group:
            assert cache.set(setter, [1]) is True
            assert cache.get(getter) == [1]
            assert cache.has(getter) is True
            assert cache.add(getter, 2) is False
            assert cache.inc(getter, [2]) == [1, 2]
            assert cache.get_many(getter, setter) == [[1, 2], [1, 2]]
            assert (len(cache), getter in cache, getter in cache._cache) == (1, True, True)
            assert cache.delete(getter) is True
            assert cache.has(setter) is False
    cache._validate()


def test_different_keys_are_apart(cache):
    numbered = list(enumerate(APART))
    for number, key in numbered:
        assert cache.add(key, number) is True
    assert [cache.get(key) for _, key in numbered] == list(range(len(APART)))
    assert cache.get_many(*APART) == list(range(len(APART)))
    assert len(cache) == len(APART)
    for number, key in numbered:
        assert cache.delete(key) is True
        assert cache.get_many(*APART[number:])[1:] == list(range(number + 1, len(APART)))
    assert len(cache) == 0


def test_the_view_lists_the_keys_as_they_were_given(cache):
    for number, key in enumerate(APART):
        cache.set(key, number)
    listed = list(cache._cache.keys())
    assert len(listed) == len(APART)
    for key in APART:
        assert any(one is key or (type(one) is type(key) and one == key) for one in listed)


def test_a_key_of_its_own_equality_is_found_by_that(cache):
    cache.set(Folded("Red"), 1)
    cache.set("Red", 2)
    assert cache.get_many(Folded("RED"), "Red", "red", Folded("blue")) == [1, 2, None, None]
    assert cache.delete(Folded("rEd")) is True
    assert cache.get_many(Folded("RED"), "Red") == [None, 2]


def test_a_key_that_left_may_come_back(cache):
    clock = cache.clock
    for key in ("red", (1, 2), 5):
        for life in range(5):
            cache.set(key, life, 10)
            assert cache.get(key) == life
            if life % 2:
                cache.delete(key)
            else:
                clock.advance(10)
            assert cache.get(key) is None
            assert len(cache) == 0


def test_get_dict_has_the_callers_own_key_objects(cache):
    cache.set(1, "one")
    found = cache.get_dict(True, "x")
    assert next(iter(found)) is True
    assert found == {1: "one", "x": None}
