"""Traps J1 to J3 for ``memoize``: which calls are one, on ours and on Flask-Caching's own decorator."""

import hashlib
import itertools
from collections import OrderedDict, namedtuple
from datetime import date
from decimal import Decimal
from enum import IntEnum

import pytest

from ._apps import CACHES, build
from ._memo import Item, Keyed, entries, key_of


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


class Shop:
    """An application, and a memoized function that counts how often it runs."""

    def __init__(self, cache_class, make, **options):
        self.app, self.cache, _ = build(cache_class)
        self.count = itertools.count(1)
        self.function = self.cache.memoize(60, **options)(make(self.count))

    def keys(self):
        return entries(self.app, self.cache)


def variadic(count):
    return lambda *args, **kwargs: (next(count), args)


class Colour(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


Pair = namedtuple("Pair", "a b")

#: No two of them are one argument, however they compare.
ARGUMENTS = [
    *(None, True, False, 0, 1, 0.0, -0.0, 1.0, float("nan"), float("inf"), -1, 2**63, 2**64, -(10**400)),
    *("", "1", "True", "None", "nan", "\0", "\0\0", "\ud800", "é", "e\u0301", "x" * 1_000_000),
    *(b"", b"1", b"\0", b"\xff", bytearray(b"1"), 1j, Decimal(1), date(2026, 1, 1), Colour.RED, ...),
    *((), (1,), (1.0,), (True,), ("1",), ((1,),), ((),), ((), ()), (None, (1, "2")), (1, 2), Pair(1, 2)),
    *([], [1], [[1]], {}, {"a": 1}, OrderedDict(a=1), {1}, frozenset({1}), int, Item("a"), Item("b")),
]


def test_typed_arguments(cache_class):
    """J1, J2: each has an entry of its own, and its hits are its own, however often they come."""
    shop = Shop(cache_class, variadic)
    first = [shop.function(argument)[0] for argument in ARGUMENTS]
    assert first == list(range(1, len(ARGUMENTS) + 1))
    for _ in range(3):
        assert [shop.function(argument)[0] for argument in ARGUMENTS] == first
    assert shop.keys() == {key_of(shop.function, argument) for argument in ARGUMENTS}


#: Lists of arguments that run into one where lengths, types or ends are not kept.
TIGHT = [
    *(
        ("a", "b"),
        ("ab",),
        ("a,b",),
        ("a', 'b",),
        ("a", "b", ""),
        ("", "a", "b"),
        (("a", "b"),),
        (("a",), "b"),
    ),
    *(
        ("a\0b",),
        ("a\0", "b"),
        ("a", "\0b"),
        ("a", ("b",)),
        (("a", ("b",)),),
        (("a", "b"), ()),
        ((), "a", "b"),
    ),
    *((1, 2), (12,), (1, "2"), ("1", 2), ("12",), ("1", "2"), ("(1, 2)",), ((1, 2),), ("1, 2",)),
    *((b"a", b"b"), (b"ab",), (b"a", "b"), ("a", b"b"), (b"a\0b",), ("1:a",), ("1:a1:b",), ("1", "a")),
    *((), ((),), ((), ()), (((),),), ("",), ("", ""), (None,), (None, None), ("None",), (0,), (False,)),
    *((-1,), (1, -1), (256,), (1, 0), (1, 256), (2**32,), (0, 1), (2**64,), (0.5,), ("\x00\x01",)),
    *(({},), (OrderedDict(),), ("OrderedDict()",), ((), {}), ("a", {"b": 1}), ("a", [("b", 1)])),
]


def test_no_two_calls_collide(cache_class):
    """J2: delimiters, empties, nestings, and numbers with the same bytes."""
    shop = Shop(cache_class, variadic)
    for _ in range(3):
        for arguments in TIGHT:
            assert shop.function(*arguments)[1] == arguments
    assert next(shop.count) == len(TIGHT) + 1


def test_positional_and_keyword_arguments_of_a_variadic_function_differ(cache_class):
    """J2: a keyword is not taken for an argument that looks like it, nor one keyword for another."""
    shop = Shop(cache_class, lambda count: lambda *args, **kwargs: (next(count), args, kwargs))
    calls = [
        (("a", 1), {}),
        ((("a", 1),), {}),
        ((), {"a": 1}),
        (("a",), {"a": 1}),
        ((), {"a": 1, "b": 2}),
        ((), {"a": 2, "b": 1}),
        ((), {"ab": 12}),
        (({"a": 1},), {}),
        ((), {"a": "1"}),
        ((), {"a": (1,)}),
        ((), {"é": 1}),
    ]
    for _ in range(3):
        for args, kwargs in calls:
            assert shop.function(*args, **kwargs)[1:] == (args, kwargs)
    assert next(shop.count) == len(calls) + 1
    # The order of the keywords is no part of the call.
    assert shop.function(b=2, a=1) == shop.function(a=1, b=2)


def plain(count):
    return lambda x, y=2: next(count)


def keyword_only(count):
    return lambda x, *, y=2: next(count)


def positional_only(count):
    return lambda x, y=2, /: next(count)


def with_falsy_defaults(count):
    return lambda x=None, y=0, z="": next(count)


def with_rest(count):
    return lambda x, *rest, y=2, **more: next(count)


def call(*args, **kwargs):
    return args, kwargs


#: Functions, and calls of them in groups: those of a group are one.
FORMS = {
    "plain": (
        plain,
        [call(1), call(1, 2), call(1, y=2), call(x=1), call(x=1, y=2), call(y=2, x=1)],
        [call(1, 3), call(x=1, y=3), call(y=3, x=1)],
        [call(3, 1), call(y=1, x=3)],
        [call(1, 2.0), call(x=1, y=2.0)],
        [call(True), call(x=True, y=2)],
    ),
    # Flask-Caching's key has no defaults of keyword-only parameters.
    "keyword only": (
        keyword_only,
        [call(1), call(x=1)],
        [call(1, y=2), call(y=2, x=1)],
        [call(1, y=3)],
    ),
    "positional only": (positional_only, [call(1)], [call(1, 2)], [call(1, 3)], [call(2, 1)]),
    "falsy defaults": (
        with_falsy_defaults,
        [call(), call(None), call(x=None), call(None, 0), call(y=0), call(z=""), call(None, 0, "")],
        [call(0), call(x=0, z="")],
        [call(None, None), call(y=None)],
        [call(z=None), call(None, 0, None)],
        [call(y=False)],
        [call("")],
    ),
    "rest": (
        with_rest,
        [call(1), call(x=1)],
        [call(1, 2)],
        [call(1, 2, 3)],
        [call(1, (2, 3))],
        [call(1, y=2)],
        [call(1, a=2, b=3), call(1, b=3, a=2), call(b=3, x=1, a=2)],
        [call(1, 2, y=2)],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_call(cache_class, name):
    """J3: the same entry, whichever form was called first; other calls have others."""
    make, *groups = FORMS[name]
    for turn in range(max(len(group) for group in groups)):
        shop = Shop(cache_class, make)
        for number, group in enumerate(groups, start=1):
            turned = group[turn % len(group) :] + group[: turn % len(group)]
            answers = [shop.function(*args, **kwargs) for args, kwargs in turned * 2]
            assert answers == [number] * len(answers), turned
        assert len(shop.keys()) == len(groups)


IGNORED = [
    (["y"], plain, [call(1), call(1, 2), call(1, 3), call(1, y=4), call(x=1, y=[5])], [call(2, 2)]),
    (["x"], plain, [call(1), call(2), call(x=3), call(4, y=2)], [call(1, 3), call(x=2, y=3)]),
    (["x", "y"], plain, [call(1), call(2, 3), call(y=1, x=5)]),
    (["y", "a"], with_rest, [call(1), call(1, y=5), call(1, a=1), call(1, a=2, y=3)], [call(1, b=1)]),
    ([], plain, [call(1)], [call(2)]),
]


@pytest.mark.parametrize("number", range(len(IGNORED)))
def test_arguments_to_ignore(cache_class, number):
    """J3: by position, by keyword, and by their default."""
    ignored, make, *groups = IGNORED[number]
    shop = Shop(cache_class, make, args_to_ignore=ignored)
    for expected, group in enumerate(groups, start=1):
        answers = [shop.function(*args, **kwargs) for args, kwargs in group * 2]
        assert answers == [expected] * len(answers), group


@pytest.mark.parametrize("ignored", [None, ["self"], ["self", "a"]])
def test_self_to_ignore(cache_class, ignored):
    """J3: all instances share the entries, and the records."""
    _, cache, runs = build(cache_class)

    class Basket(Item):
        @cache.memoize(60, args_to_ignore=ignored)
        def total(self, a):
            return runs.count("total")

    first, second = Basket("1"), Basket("2")
    answers = [first.total(1), second.total(1), first.total(2), second.total(2), first.total(1)]
    expected = {None: [1, 2, 3, 4, 1], "self": [1, 1, 2, 2, 1], "self a": [1, 1, 1, 1, 1]}
    assert answers == expected[ignored and " ".join(ignored)]
    # One instance has nothing of its own to be deleted.
    cache.delete_memoized(first.total)
    assert second.total(1) == answers[1]
    cache.delete_memoized(Basket.total)
    assert second.total(1) == len(set(answers)) + 1


def test_arguments_are_as_they_are_now(cache_class):
    """J2: a list or a dict that was changed is another argument; an equal one is the same."""
    shop = Shop(cache_class, variadic)
    basket, prices = ["tea"], {"tea": 1}
    assert [shop.function(basket, prices)[0] for _ in range(2)] == [1, 1]
    assert shop.function(["tea"], {"tea": 1})[0] == 1
    basket.append("milk")
    assert [shop.function(basket, prices)[0] for _ in range(2)] == [2, 2]
    prices["milk"] = 2
    assert shop.function((basket, prices))[0] == 3
    assert shop.function(basket, prices)[0] == 4
    basket.pop()
    del prices["milk"]
    assert shop.function(basket, prices)[0] == 1


@pytest.mark.parametrize("kind", [Item, Keyed])
def test_instances_are_told_apart_by_what_they_say_now(cache_class, kind):
    """J2: by ``__caching_id__`` or ``repr``, at each call: of ``self``."""
    _, cache, runs = build(cache_class)

    class Basket(kind):
        @cache.memoize(60)
        def total(self, a=1):
            return runs.count("total")

    basket, other = Basket("1"), Basket("2")
    assert [basket.total(), other.total(), Basket("1").total(), basket.total(a=1)] == [1, 2, 1, 1]
    basket.token = "2"
    assert basket.total() == 2
    basket.token = "3"
    assert [basket.total(), Basket("3").total()] == [3, 3]
    basket.token = "1"
    assert basket.total() == 1


def test_other_arguments_go_by_their_repr(cache_class):
    """J2: ``__caching_id__`` is for ``self`` and ``cls`` only, as upstream."""
    shop = Shop(cache_class, lambda count: lambda a: next(count))
    thing = Item("1")
    assert [shop.function(thing), shop.function(Item("1")), shop.function(Item("2"))] == [1, 1, 2]
    assert [shop.function(Keyed("1")), shop.function(Keyed("2"))] == [3, 3]
    thing.token = "2"
    assert shop.function(thing) == 2
    # Whatever looks like another argument is that argument to Flask-Caching.
    assert [shop.function("1"), shop.function(Looks("'1'"))] == [4, 4]
    assert [shop.function(Looks("7")), shop.function(7)] == [5, 5]


class Looks:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        if self.text is None:
            raise LookupError
        return self.text


@pytest.mark.parametrize("text", [None, "\ud800"], ids=["raises", "not to be encoded"])
def test_an_argument_that_makes_no_key(cache_class, caplog, text):
    """J1: the function runs, once a call, and each time it is logged."""
    shop = Shop(cache_class, variadic)
    assert [shop.function(Looks(text))[0] for _ in range(2)] == [1, 2]
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("flask_caching")]
    assert logged == ["Exception possibly due to cache backend."] * 2
    assert shop.keys() == set()
    shop.app.config["DEBUG"] = True
    with pytest.raises((LookupError, UnicodeEncodeError)):
        shop.function(Looks(text))


OTHER_KEYS = [
    {"hash_method": hashlib.md5},
    {"hash_method": hashlib.sha512},
    {"make_name": lambda name: f"other {name}"},
    {"source_check": True},
]


@pytest.mark.parametrize("options", OTHER_KEYS, ids=str)
def test_options_that_make_other_keys(cache_class, options):
    """J2: a second decoration that differs by such an option finds none of the first one's entries."""
    _, cache, runs = build(cache_class)

    def total(a):
        return runs.count("total")

    usual, other = cache.memoize(60)(total), cache.memoize(60, **options)(total)
    assert [usual(1), other(1), usual(1), other(1), other(a=1)] == [1, 2, 1, 2, 2]
    assert key_of(usual, 1) != key_of(other, 1)
    # They have the version record in common.
    cache.delete_memoized(usual)
    assert [usual(1), other(1)] == [3, 4]
