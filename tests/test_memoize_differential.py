"""Our ``memoize`` on RustCache answers as Flask-Caching's on SimpleCache does, to the same random calls.

Two applications get the same functions, of every kind and with options of their own, and the same steps:
calls, deletions in all their forms, the clock, names and defaults that change. After each step the answer,
the executions, what each condition was asked, the signals, and the keys are the same. Keys are compared
without the versions in them, which are random, and without the entries that no call can find any more.
"""

import hashlib
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple
from unittest import mock

import flask_caching
import flask_rustcache
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ._apps import BACKEND
from ._memo import FAMILY, Item, Keyed, orphans, versions_of
from ._memo_world import FLAGS, RETURNS, Function, listening, make_world, outcome
from .test_cached_differential import Clock, quiet


class Colour(IntEnum):
    RED = 1


class Pair(NamedTuple):
    a: int
    b: int


class Text(str):
    __slots__ = ()


class Odd:
    """Looks as it is told to; or cannot be looked at at all."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        if self.text is None:
            raise LookupError
        return self.text


#: Calls are to meet often, so most are made of these; those that a cache might take for one are among them.
USUAL = [1, 1, 1, 2, None, True, "1", 1.0]
UNUSUAL = [
    *(0, False, 0.0, -0.0, -1, 10**40, float("nan"), float("inf"), 1e22, 1j, Decimal(1)),
    *("", "a", "é", "\ud800", "\0", "a', 'b", "x" * 1000, b"1", b"", bytearray(b"1"), ..., int),
    *((), (1,), (1.0,), (True,), ((1,), "x"), (1, (2, (None, b"\0"))), ([1],), [1], [], {"a": 1}),
    *({"a": [1]}, frozenset({1}), Colour.RED, Pair(1, 2), Text("1"), Item("a"), Keyed("a")),
    *(Odd("1"), Odd("a, b"), Odd("\ud800"), Odd(None)),
]
VALUES = st.one_of(*[st.sampled_from(USUAL)] * 4, st.sampled_from(UNUSUAL))

#: How two values may be given. None is called ``self``: to Flask-Caching's own methods that is an error.
SHAPES = [
    lambda v, w: ((), {}),
    lambda v, w: ((v,), {}),
    lambda v, w: ((v, w), {}),
    lambda v, w: ((v,), {"b": w}),
    lambda v, w: ((), {"a": v, "b": w}),
    lambda v, w: ((), {"b": w, "a": v}),
    lambda v, w: ((), {"a": v}),
    lambda v, w: ((), {"b": v}),
    lambda v, w: ((v, w, v), {}),
    lambda v, w: ((v, w), {"k": v}),
    lambda v, w: ((v,), {"k": w}),
    lambda v, w: ((v,), {"c": w}),
    lambda v, w: ((v,), {"z": w, "y": v}),
    lambda v, w: ((v,), {"y": v, "z": w}),
    lambda v, w: ((v,), {"a": w}),
    lambda v, w: ((v, w), {"b": v}),
    lambda v, w: ((), {"k": w, "a": v}),
]
CALLS = st.builds(lambda shape, v, w: shape(v, w), st.sampled_from(SHAPES), VALUES, VALUES)


def renamed(name):
    return f"made.{name}"


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from([None, 0, 2, "3", timedelta(seconds=2), timedelta(milliseconds=1)]),
        "cache_none": st.booleans(),
        "hash_method": st.sampled_from([None, hashlib.md5]),
        # Most functions have none of these.
        **{
            name: st.sampled_from([None, None, None, *values])
            for name, values in {
                "make_name": [renamed],
                "unless": ["plain", "args"],
                "forced_update": ["plain", "args"],
                "is_stale": ["plain", "args"],
                "response_filter": ["plain"],
                "source_check": [True, False],
                "args_to_ignore": [["a"], ["b"], ["self"], ["k", "z"], ["cls", "b"], []],
            }.items()
        },
    },
)
FUNCTIONS = st.lists(
    st.builds(
        Function,
        st.sampled_from(list(FAMILY)),
        st.sampled_from(["text"] * 4 + list(RETURNS)),
        OPTIONS.map(lambda options: tuple(options.items())),
    ),
    min_size=1,
    max_size=3,
)
NUMBERS = st.integers(0, 2)
ONE = st.tuples(NUMBERS, NUMBERS)
STEPS = st.one_of(
    *[st.builds(lambda one, call: ("call", *one, *call), ONE, CALLS)] * 10,
    *[st.builds(lambda one, call: ("delete call", *one, *call), ONE, CALLS)] * 2,
    st.builds(lambda one, call: ("delete key", *one, *call), ONE, CALLS),
    st.builds(lambda one, call: ("delete unbound", *one, *call), ONE, CALLS),
    st.builds(lambda one, call: ("put", *one, *call), ONE, CALLS),
    st.builds(lambda one: ("delete function", *one), ONE),
    st.builds(lambda one: ("delete bound", *one), ONE),
    st.builds(lambda one: ("delete attribute", *one), ONE),
    st.builds(lambda one: ("delete verhash", *one), ONE),
    st.builds(lambda one: ("delete record", *one), ONE),
    st.builds(lambda one: ("put record", *one), ONE),
    st.builds(lambda one: ("rename", *one), ONE),
    st.builds(lambda one: ("new token", *one), ONE),
    st.builds(lambda one, value: ("new default", *one, value), ONE, VALUES),
    st.builds(lambda one, value: ("timeout", *one, value), ONE, st.sampled_from([0, 1, 4, None])),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("flag"), st.sampled_from(list(FLAGS)), st.sampled_from([True, False, 1, None])),
    st.tuples(st.just("debug"), st.booleans()),
    st.tuples(st.just("signals"), st.booleans()),
    st.tuples(st.just("source"), st.booleans()),
    st.tuples(st.just("clear")),
)


PLAYS = st.tuples(FUNCTIONS, st.booleans(), st.lists(STEPS, min_size=5, max_size=40))


def play(worlds, clock, steps, check):
    for step in steps:
        if step[0] == "tick":
            clock.seconds += step[1]
        outcomes = [outcome(world, step) for world in worlds]
        assert all(seen == outcomes[0] for seen in outcomes), (step, outcomes)
        check(*worlds, clock(), step)


def check_same(theirs, mine, now, step):
    assert mine.runs == theirs.runs, step
    assert mine.seen == theirs.seen, step
    assert mine.calls_found(now) == theirs.calls_found(now), step
    # Ours may have fewer records: only such as entries are found by.
    assert mine.contents(now)[0].keys() <= theirs.contents(now)[0].keys(), step


def my_world(clock, functions, with_signals=False):
    world = make_world(flask_rustcache.Cache, BACKEND, functions, with_signals)
    world.app.extensions["cache"][world.cache].clock = clock
    return world


@settings(max_examples=settings.default.max_examples * 4, deadline=None)
@given(PLAYS)
def test_same_answers_runs_and_keys(plays):
    functions, with_signals, steps = plays
    clock = Clock()
    with quiet(), mock.patch("cachelib.simple.time", clock):
        theirs = make_world(flask_caching.Cache, "SimpleCache", functions, with_signals)
        worlds = [theirs, my_world(clock, functions, with_signals)]
        with listening(worlds):
            play(worlds, clock, steps, check_same)


def check_nothing_stays(mine, now, step):
    """Each entry can be found, and each instance's record finds one."""
    mine.cache.cache.purge_expired()
    versions, entries = mine.contents(now)
    assert not orphans(entries, set(versions.values())), step
    functions = {subject.record(mine.cache) for subject in mine.subjects}
    of_instances = {version for name, version in versions.items() if name not in functions}
    assert of_instances == {versions_of(key)[1] for key in entries if len(versions_of(key)) > 1}, step


#: These are never cached, for want of a name and of a class.
NAMELESS = {"partial", "cls_of_no_class"}

#: Values put by hand belong to nobody; asking for a key may make a record that has no entry yet; and by
#: a new name it is not told whose a record was.
LEFT_OUT = {"put", "put record", "delete call", "delete unbound", "delete key", "rename"}


@settings(deadline=None)
@given(PLAYS)
def test_what_cannot_be_found_is_not_kept(plays):
    functions, with_signals, steps = plays
    clock = Clock()
    functions = [function for function in functions if function.member not in NAMELESS]
    steps = [step for step in steps if step[0] not in LEFT_OUT]
    with quiet():
        if functions:
            play([my_world(clock, functions, with_signals)], clock, steps, check_nothing_stays)


def calls(*arguments):
    return [("call", 0, 0, (argument,), {}) for argument in arguments]


def test_the_comparison_sees_hits_deletions_and_expiries():
    """A fixed run, so that the random ones cannot all be empty."""
    clock = Clock()
    with quiet(), mock.patch("cachelib.simple.time", clock):
        world = make_world(flask_caching.Cache, "SimpleCache", [Function("two", "text", (("timeout", 2),))])
        play([world], clock, calls(1, 1, True, "1", 1.0, 1), lambda *_: None)
        assert world.runs == {0: 4}
        assert world.calls_found(clock()).total() == 4
        play([world], clock, [("delete call", 0, 0, (1,), {"b": 2})], lambda *_: None)
        assert world.calls_found(clock()).total() == 3
        play([world], clock, [("delete function", 0, 0), *calls(1)], lambda *_: None)
        assert (world.calls_found(clock()).total(), len(world.contents(clock())[1])) == (1, 4)
        play([world], clock, [("tick", 2)], lambda *_: None)
        assert world.calls_found(clock()).total() == 0


@pytest.mark.parametrize("member", FAMILY)
def test_each_member_of_the_family_is_cached(member):
    """Each is a function that caches something, but for the two that Flask-Caching has no name for."""
    clock = Clock()
    with quiet():
        world = my_world(clock, [Function(member, "text", ())])
        step = ("call", 0, 0, () if member == "nothing" else (1,), {})
        play([world], clock, [step, step], lambda *_: None)
    assert world.runs[0] == (2 if member in {*NAMELESS, "recursive"} else 1)
