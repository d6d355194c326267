"""The keys of the top-level decorators: which calls are one, and that no two different ones ever are."""

import copy
import dataclasses
import functools
import itertools
from datetime import date
from decimal import Decimal
from enum import IntEnum

import pytest
from flask_rustcache import memoize
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ._anywhere import BOTH, app, decorate, present, stored
from ._apps import build
from ._child import in_child
from ._memo import Item

# Fixtures are found by their names.
__all__ = ["app", "decorate", "present"]


def counted(decorator):
    """Decorate a function of every kind of parameter, which says how often it ran."""
    runs = itertools.count(1)

    @decorator
    def everything(a, b=2, *rest, k=None, **more):
        return next(runs)

    return everything


@pytest.mark.parametrize(
    "one",
    [
        [
            lambda f: f(1, 2),
            lambda f: f(1, b=2),
            lambda f: f(a=1, b=2),
            lambda f: f(b=2, a=1),
            lambda f: f(1),
        ],
        [lambda f: f(1, 2, k=None), lambda f: f(a=1, k=None)],
        [lambda f: f(1, p=1, q=2), lambda f: f(1, q=2, p=1), lambda f: f(p=1, a=1, q=2)],
        [lambda f: f(1, 2, 3, k=0), lambda f: f(1, 2, *[3], k=0)],
    ],
    ids=["defaults", "keyword-only", "keywords", "varargs"],
)
def test_forms_of_one_call_share_an_entry(present, decorate, one):
    """J3: the key holds the arguments as they are bound, defaults applied."""
    function = counted(decorate(60))
    assert [call(function) for call in one * 2] == [1] * len(one) * 2
    assert len(stored(present)) == 1
    assert {call(function.key) for call in one} == stored(present)


class Colour(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0


#: No two of them are one argument, however they compare.
ARGUMENTS = [
    *(None, True, False, 0, 1, 0.0, -0.0, 1.0, float("nan"), float("inf"), -1, 2**63, 2**64, -(10**5000)),
    *("", "1", "True", "None", "nan", "\0", "\0\0", "\ud800", "é", "e\u0301", "x" * 1_000, "x" * 1_001),
    *(
        b"",
        b"1",
        b"\0",
        b"\xff",
        bytearray(b"1"),
        1j,
        Decimal(1),
        date(2026, 1, 1),
        Colour.RED,
        Text("1"),
        ...,
    ),
    *((), (1,), (1.0,), (True,), ("1",), ((1,),), ((),), ((), ()), (None, (1, "2")), (1, 2), "(1, 2)"),
    *(
        [],
        [1],
        [1.0],
        [[1]],
        {},
        {"a": 1},
        {1},
        frozenset({1}),
        int,
        Point(1),
        Point(1.0),
        Item("a"),
        Item("b"),
    ),
]


def test_arguments_that_differ_have_entries_of_their_own(present, decorate):
    """J1, J2, I5: 1, 1.0, True and "1" among them, however often they come."""
    function = counted(decorate(60))
    first = [function(argument) for argument in ARGUMENTS]
    assert first == list(range(1, len(ARGUMENTS) + 1))
    for _ in range(3):
        assert [function(argument) for argument in ARGUMENTS] == first
    assert {function.key(argument) for argument in ARGUMENTS} == stored(present)
    assert len(stored(present)) == len(ARGUMENTS)
    assert all(type(key) is str for key in stored(present))


class Sly:
    """Looks like whatever it is told to."""

    def __init__(self, shown):
        self.shown = shown

    def __repr__(self):
        return self.shown


class Slyer(Sly):
    """Of another type, and looks the same."""


#: What would end an argument and begin the next, were there no length before it.
BREAK = f"a>, <{__name__}.Sly b"
NASTY = [
    BREAK,
    "",
    ", ",
    "b=2",
    "1, b=2",
    "'",
    "', '",
    ")",
    "(1, )",
    "<",
    ">",
    "1",
    "=",
    "\0",
    "#",
    "/",
    "a=1, b=2)",
]
SHOWN = st.one_of(st.sampled_from(NASTY), st.text("ab=,()<>'\"1 :.", max_size=12))
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    SHOWN,
    st.binary(max_size=3),
    SHOWN.map(Sly),
    SHOWN.map(Slyer),
    st.sampled_from([Decimal(1), Colour.RED, Text("1"), Point(1), date(2026, 1, 1)]),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3),
        st.dictionaries(SHOWN, inner, max_size=2),
    ),
    max_leaves=6,
)
NAMES = st.one_of(st.sampled_from(["p", "q", "rest", "more", "'p'"]), SHOWN.filter(bool))
MORE = st.dictionaries(NAMES.filter(lambda name: name not in {"a", "b", "k"}), VALUES, max_size=3)
CALLS = st.tuples(VALUES, VALUES, st.lists(VALUES, max_size=3), VALUES, MORE)
CALL = (1, 2, [], None, {"p": 1})


def identity(value):
    """What tells a value from others: its type, and what it is or, of other types, looks like."""
    if type(value) is tuple:
        return tuple, tuple(identity(item) for item in value)
    return type(value), value if type(value) in {str, bytes} else repr(value)


def identities(call):
    a, b, rest, k, more = call
    named = tuple(sorted((name, identity(value)) for name, value in more.items()))
    return identity(a), identity(b), identity(tuple(rest)), identity(k), named


def full(a, b=2, *rest, k=None, **more):
    """Only its parameters matter."""


def near(made):
    """A call, and calls that are it but for one argument, which is another one or in another place."""
    (a, b, rest, k, more), index, value = made
    changed = [a, b, rest, k, more]
    changed[index] = {2: [value, *rest], 4: {**more, "p": value}}.get(index, value)
    return [(a, b, rest, k, more), tuple(changed), (b, a, rest, k, more), (a, b, [*rest, k], None, more)]


def key_of(function, call, *, by_name=False):
    a, b, rest, k, more = call
    if by_name and not rest:
        return function.key(**{"k": k, "b": b, "a": a, **dict(reversed(more.items()))})
    return function.key(*[a, b, *rest], **{"k": k, **more})


@pytest.mark.parametrize("decorator", BOTH.values(), ids=BOTH)
@settings(deadline=None)
@given(pairs=st.tuples(CALLS, st.integers(0, 4), VALUES).map(near), other=CALLS)
@example(pairs=[("a", "b", [], None, {}), ("a, b='b'", 2, [], None, {})], other=CALL)
@example(pairs=[(1, 2, [Sly(BREAK)], 0, {}), (1, 2, [Sly("a"), Sly("b")], 0, {})], other=CALL)
@example(pairs=[(1, 2, [], None, {"p": 1, "q": 2}), (1, 2, [], None, {"p=1, q": 2})], other=CALL)
@example(pairs=[(1, 2, ["x"], None, {}), (1, 2, [], "x", {})], other=(1, 2, [("x",)], None, {}))
@example(
    pairs=[(1, 2, [], None, {"p": 1, "q": 2}), (1, 2, [], None, {"p'=1, 'q": 2})], other=(1, 2, [], 1, {})
)
def test_no_two_different_calls_collide_and_equal_ones_share(decorator, pairs, other):
    """J2: whatever the values look like, and whatever the names of further keywords are."""
    function = decorator(60)(full)
    calls = [*pairs, other]
    for call in calls:
        assert key_of(function, call) == key_of(function, copy.deepcopy(call), by_name=True)
    for left, right in itertools.combinations(calls, 2):
        same = identities(left) == identities(right)
        assert (key_of(function, left) == key_of(function, right)) is same, (left, right)


def call(function, arguments):
    a, b, rest, k, more = arguments
    return function(a, b, *rest, k=k, **more)


@pytest.fixture(scope="module")
def shared():
    """An application for all the calls of a test; more of them than it keeps make no difference."""
    return build(CACHE_THRESHOLD=100)[0]


@pytest.mark.parametrize("decorator", BOTH.values(), ids=BOTH)
@settings(deadline=None)
@given(pairs=st.tuples(CALLS, st.integers(0, 4), VALUES).map(near), other=CALLS)
def test_each_call_gets_its_own_answer(shared, decorator, pairs, other):
    """J2: from the store, and from the native index of calls, which is asked from the second time on."""

    @decorator(60)
    def tell(a, b, *rest, k, **more):
        return repr(identities((a, b, rest, k, more)))

    with shared.app_context():
        for arguments in [*pairs, other] * 3:
            assert call(tell, arguments) == repr(identities(arguments))


def test_ignored_arguments(present):
    """J3: what is in ``args_to_ignore`` does not count, in whichever form it comes."""
    function = counted(memoize(60, args_to_ignore=["b", "k", "p"]))
    assert function(1) == function(1, 3) == function(1, b=[], k=1) == function(a=1, p=2) == 1
    assert function(1, q=2) == function(1, 5, q=2, p=7) == 2
    assert function(1, 2, 3) == function(1, 9, 3) == 3
    assert function(1, 2, 4) == 4
    assert len(stored(present)) == 4

    class Shop(Item):
        @memoize(60, args_to_ignore=["self"])
        def total(self, a):
            return f"of {self.token}"

    assert Shop("a").total(1) == Shop("b").total(a=1) == "of a"


def test_ignored_arguments_of_what_is_wrapped(present):
    """J3: positions of a function are none of its wrapper, which hands on others than it is given."""

    def for_user(function):
        return functools.wraps(function)(lambda *args, **kwargs: function("user", *args, **kwargs))

    @memoize(60, args_to_ignore=["user"])
    @for_user
    def page(user, number):
        return user, number

    assert [page(number) for number in (1, 2, 1, 2)] == [("user", 1), ("user", 2)] * 2
    assert page(number=1) == ("user", 1)


@pytest.mark.parametrize("kind", BOTH)
def test_ignored_arguments_are_of_one_decorator(present, kind):
    """J3: not of those above it, to which `functools.wraps` hands attributes on."""

    def with_second(function):
        return functools.wraps(function)(lambda a, b: (function(a, b), b))

    @BOTH[kind](60)
    @with_second
    @memoize(60, args_to_ignore=["b"])
    def pair(a, b):
        return a, b

    assert [pair(1, b) for b in (1, 2, 1, 2)] == [((1, 1), 1), ((1, 1), 2)] * 2


@pytest.mark.parametrize("kind", BOTH)
@in_child
def test_name_and_code(kind):
    """J6: the module and the name count; functions that share them, but not their code, are kept apart."""
    decorator = BOTH[kind](60)
    first, second = decorator(lambda a: f"first {a}"), decorator(lambda a: f"second {a}")

    def other(a):
        return f"other {a}"

    other.__module__ = "elsewhere"
    other.__qualname__ = first.__qualname__
    third = decorator(other)
    app, _, _ = build()
    with app.app_context():
        assert first(1) == "first 1"
        with pytest.warns(UserWarning, match="kept apart"):
            assert second(1) == "second 1"
        for _ in range(2):
            assert [one(1) for one in (first, second, third)] == ["first 1", "second 1", "other 1"]
        assert len({function.key(1) for function in (first, second, third)}) == 3
        assert first.__qualname__ in first.key(1)
        assert first.__module__ in first.key(1)
        second.clear()
        assert stored(app) == {first.key(1), third.key(1)}


def test_decorated_afresh_at_every_call(present, decorate):
    """J7: finds the entries of its earlier decorations."""
    runs = itertools.count(1)

    def total(a):
        return next(runs)

    assert [decorate(60)(total)(1) for _ in range(5)] == [1] * 5
    assert decorate(60)(total).delete(1) is True
    assert decorate(60)(total)(1) == 2
    decorate(60)(total).clear()
    assert stored(present) == set()


def test_owners_cannot_look_like_arguments(present, decorate):
    """J2: visitors may choose what both of them are called."""

    class Named:
        def __init__(self, name):
            self.name = name

        def __repr__(self):
            return self.name

    class Shop(Named):
        @decorate(60)
        def price(self, item):
            return self.name, item.name

    kind = f"{Named.__module__}.{Named.__qualname__}"
    # What follows the owner in the first call's key is the item's text in the second's.
    tail = f">, item=<{kind} 1:q"
    size = len(f"y{tail}")
    calls = [(Shop(f"x>, item=<{kind} {size}:y"), Named("q")), (Shop("x"), Named(f"y{tail}"))]
    for shop, item in calls * 2:
        assert shop.price(item) == (shop.name, item.name)
    assert len({shop.price.key(item) for shop, item in calls}) == 2
