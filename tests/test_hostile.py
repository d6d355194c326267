"""What the fuzzing has found, each by itself: keys and settings that nobody writes by intent."""

import math
from decimal import Decimal
from fractions import Fraction

import flask_rustcache
import pytest
from flask import Flask
from flask_rustcache import RustCache

from ._child import in_child


class Huge:
    """Says that it takes all the memory there is."""

    def __sizeof__(self):
        return 2**63 - 33


@pytest.mark.parametrize("max_bytes", [None, 10_000])
def test_keys_that_lie_of_their_size_neither_panic_nor_push_others_out(max_bytes):
    """A6, H1: sizes that add up to more than a machine word."""
    cache = RustCache(max_bytes=max_bytes)
    cache.set("honest", 1)
    keys = [Huge(), (Huge(), Huge(), Huge()), frozenset({Huge(), Huge()}), Huge()]
    # What is larger than the store may be is refused.
    assert [cache.set(key, 1) for key in keys] == [max_bytes is None] * len(keys)
    assert cache.get("honest") == 1
    cache._validate()


@in_child
def test_keys_nested_deeper_than_the_stack_are_weighed():
    """J1: Python takes them as a dict's keys, so they are keys here."""
    for kind in (tuple, frozenset):
        key = ()
        for _ in range(60_000):
            key = kind((key,))
        cache = RustCache()
        assert cache.set(key, 1) is True
        assert cache.get(key) == 1
        assert cache.stats()["bytes"] > 60_000 * key.__sizeof__() // 2
        assert cache.delete(key) is True


class Encoded(str):
    """A str that says what its bytes are."""

    __slots__ = ()
    said = b""

    def encode(self, *args):
        return type(self).said


def test_a_str_of_another_type_cannot_choose_its_own_bytes():
    """J1, J2: such bytes could be those of another key, or of none; its text is its key."""
    cache = RustCache()
    cache.set((1, 2), "of another")
    for said in (b"\xff" + (1).to_bytes(8, "big"), b"\xff", b"", b"honest"):
        Encoded.said = said
        key = Encoded("\ud800" + repr(said))
        assert cache.get(key) is None
        assert cache.set(key, "mine") is True
        assert cache.get(str.__str__(key)) == "mine"
        assert cache.delete_prefix(key) == 1
    assert cache.get((1, 2)) == "of another"
    assert list(cache._cache) == [(1, 2)]


class Odd(int):
    """A number that fails when it is read."""

    def __int__(self):
        raise ZeroDivisionError

    def __bool__(self):
        raise ZeroDivisionError

    __index__ = __repr__ = __int__


BAD = [
    ("threshold", Fraction(10**400)),
    ("threshold", -(10**5000)),
    ("threshold", Odd(5)),
    ("default_timeout", Fraction(10**400)),
    ("default_timeout", Odd(5)),
    ("max_bytes", 10**5000),
    ("max_bytes", "9" * 5000),
    ("max_bytes", Decimal("sNaN")),
    ("prototype_bytes", 10**5000),
    ("prototype_bytes", "9" * 5000 + "MB"),
    ("jitter", 10**5000),
    ("jitter", Fraction(10**400)),
    ("shards", 10**5000),
    ("clock", 10**5000),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: str(type(value)))
def test_an_error_of_a_settings_own_value_names_the_setting(name, value):
    """H2: and a message of a few lines, however long the value."""
    with pytest.raises((ValueError, TypeError), match=name) as raised:
        RustCache(**{name: value})
    assert len(str(raised.value)) < 500


def test_a_flag_that_has_no_truth_names_the_setting():
    """H2: what `bool` raises says nothing of where it came from."""
    app = Flask("app")
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_IGNORE_ERRORS=Odd(1))
    with pytest.raises(ValueError, match="CACHE_IGNORE_ERRORS"):
        flask_rustcache.Cache(app)


def test_settings_too_large_for_a_float_are_as_good_as_infinite():
    """H2, G4: as timeouts saturate."""
    cache = RustCache(threshold=10**5000, default_timeout=10**5000)
    cache._threshold = 10**400
    assert cache.set("a", 1) is True
    assert cache.ttl("a") is None
    assert cache._max_entries() == RustCache(math.inf)._max_entries()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CACHE_OPTIONS", 5),
        ("CACHE_OPTIONS", "threshold=5"),
        ("CACHE_ARGS", 5),
        ("CACHE_ARGS", None),
        ("CACHE_DEFAULT_TIMEOUT", "soon"),
    ],
)
def test_what_flask_caching_reads_first_is_named_too(key, value):
    """CONTRACT 2: our ``Cache`` checks before Flask-Caching reads."""
    app = Flask("app")
    app.config.update({"CACHE_TYPE": "flask_rustcache.RustCache", key: value})
    with pytest.raises((ValueError, TypeError), match=key):
        flask_rustcache.Cache(app)


def test_a_bad_default_timeout_among_the_options_is_named():
    """CONTRACT 2: it wins over ``CACHE_DEFAULT_TIMEOUT``, and Flask-Caching reads it first."""
    app = Flask("app")
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_OPTIONS={"default_timeout": "soon"})
    with pytest.raises(ValueError, match="CACHE_DEFAULT_TIMEOUT"):
        flask_rustcache.Cache(app)
