"""Functions that are memoized afresh at each call, as dashboards do: equal ones share their keys."""

import functools
import gc
import hashlib
import threading
import weakref
from unittest import mock

import flask_caching
import flask_rustcache
import pytest
from flask_rustcache import _versions
from flask_rustcache._keyed import KeyedFunction
from hypothesis import given
from hypothesis import strategies as st

from ._apps import CACHES, build, upstream_calls
from ._child import mortal_functions


def made(cache, runs, **options):
    """Return a function, memoized now, that says how often it ran."""

    def total(a, b=2, *, c="c"):
        return runs.count("total"), a, b, c

    return cache.memoize(60, **options)(total)


def counting(runs):
    def total(a, b=2):
        return runs.count("total"), a, b

    return total


def test_a_hit_of_one_that_is_new_is_native():
    """Flask-Caching's code made the key for the first of them, and for no other."""
    _, cache, runs = build()
    assert cache.memoize(60)(counting(runs))(1) == (1, 1, 2)
    new = cache.memoize(60)(counting(runs))
    with upstream_calls() as calls:
        assert [new(1), new(1, 2), new(b=2, a=1)] == [(1, 1, 2)] * 3
    # Those that are written in another way were not seen before.
    assert len(calls) > 0
    newest = cache.memoize(60)(counting(runs))
    with upstream_calls() as calls:
        assert [newest(1), newest(1, 2), newest(b=2, a=1)] == [(1, 1, 2)] * 3
    assert calls == []


OPTIONS = [
    {"args_to_ignore": ["a"]},
    {"args_to_ignore": ["b"]},
    {"make_name": lambda name: f"{name}!"},
    {"hash_method": hashlib.sha256},
    {"source_check": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_other_options_are_other_keys(options):
    """They are answered as by Flask-Caching, whichever came first."""
    answers = []
    for cache_class in CACHES.values():
        _, cache, runs = build(cache_class)
        for given_options in (options, {}, options, {}):
            function = cache.memoize(60, **given_options)(counting(runs))
            answers.append([function(1), function(2), function(1, 3)])
    assert answers[:4] == answers[4:]


def test_what_a_wrapper_stands_for_counts():
    """The wrappers have one name and one code; the defaults are those of what they wrap."""
    _, cache, _ = build()

    def wrapped(default):
        function = by_position(default)

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return cache.memoize(60)(wrapper)

    for _ in range(3):
        assert [wrapped(1)(0), wrapped(2)(0)] == [(0, 1), (0, 2)]
        assert [wrapped(1)(0, b=1), wrapped(2)(0, 2)] == [(0, 1), (0, 2)]


def test_what_is_forgotten_of_one_is_forgotten_of_all():
    _, cache, runs = build()
    first, second = made(cache, runs), made(cache, runs)
    assert [first(1)[0], second(1)[0]] == [1, 1]
    third = made(cache, runs)
    assert third(1)[0] == 1
    cache.delete_memoized(first)
    assert [third(1)[0], second(1)[0], made(cache, runs)(1)[0]] == [2, 2, 2]
    cache.delete_memoized(second, 1)
    assert [third(1)[0], first(1)[0], made(cache, runs)(1)[0]] == [3, 3, 3]
    cache.clear()
    assert [made(cache, runs)(1)[0], first(1)[0]] == [4, 4]


def test_a_change_of_one_is_no_change_of_the_others():
    """Defaults that are set anew are part of that function's keys alone."""
    _, cache, runs = build()
    cache.memoize(60)(counting(runs))(1)
    changed, other = [cache.memoize(60)(counting(runs)) for _ in range(2)]
    assert [changed(1), other(1)] == [(1, 1, 2)] * 2
    changed.uncached.__defaults__ = (5,)
    for _ in range(2):
        assert [changed(1)[1:], other(1)[1:]] == [(1, 5), (1, 2)]
        assert cache.memoize(60)(counting(runs))(1)[1:] == (1, 2)


def by_position(default):
    def by_position(a, b=default):
        return a, b

    return by_position


def by_name(default):
    def by_name(a, *, b=default):
        return a, b

    return by_name


def constant(default):
    def constant(a, b=1, *, c=(2, "x")):
        return a, b, c

    return constant


steps = st.tuples(
    st.sampled_from([by_position, by_name, constant]),
    st.one_of(st.integers(0, 2), st.builds(list, st.lists(st.integers(0, 1), max_size=2))),
    st.sampled_from([((1,), {}), ((1, 2), {}), ((), {"a": 1}), ((1,), {"b": 0}), (([],), {})]),
    st.booleans(),
)


@given(st.lists(steps, max_size=25))
def test_answers_are_those_of_flask_caching(script):
    """Whatever was made, called, kept and called again in between."""
    assert answers(script, flask_rustcache.Cache) == answers(script, flask_caching.Cache)


def answers(script, cache_class):
    """What all calls of a script return."""
    _, cache, _ = build(cache_class)
    kept, given_answers = [], []
    for make, default, (args, kwargs), keeps in script:
        function = cache.memoize(60)(make(default))
        kept += [function] * keeps
        given_answers += [answer(each, args, kwargs) for each in [function, *kept, function]]
    return given_answers


def answer(function, args, kwargs):
    """What a call returns, or the kind of its error."""
    try:
        return function(*args, **kwargs)
    except TypeError:
        return TypeError


def test_threads_that_make_them_at_once_get_their_own_answers():
    """Equal ones and others, with the same code."""
    app, cache, _ = build()
    wrong = []

    def work(number):
        with app.app_context():
            for turn in range(300):
                default = (turn + number) % 3
                got = cache.memoize(60)(by_position(default))(turn % 5)
                wrong.extend([(got, default)] * (got != (turn % 5, default)))
                got = cache.memoize(60)(constant(None))(turn % 5)
                wrong.extend([got] * (got != (turn % 5, 1, (2, "x"))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@mortal_functions
def test_what_is_known_of_the_dead_is_bounded():
    """A few hundred of them are remembered: their code, and not the functions."""
    _, cache, _ = build()
    codes, functions = [], []
    for number in range(700):
        names = {"__name__": "tests.made"}
        exec(f"def total{number}(a): return a", names)
        function = names[f"total{number}"]
        assert [cache.memoize(60)(function)(1) for _ in range(2)] == [1, 1]
        codes.append(weakref.ref(function.__code__))
        functions.append(weakref.ref(function))
    del names, function
    # Their digests are remembered apart.
    _versions._DIGESTS.clear()
    gc.collect()
    assert sum(reference() is not None for reference in codes) <= 256
    assert [reference for reference in functions if reference() is not None] == []


def counted(number, runs, **options):
    """Memoize a function afresh in the present application's cache, and call it."""
    return flask_rustcache.memoize(60, **options)(counting(runs))(number)


def test_those_of_the_packages_own_decorator_share_their_keys():
    """Once known, a call's key is not made again, whichever of them is called."""
    app, _, runs = build()
    with app.app_context():
        # Twice: where a test has patched a class before, CPython numbers its state anew at some call only.
        for _ in range(2):
            assert [counted(1, runs), counted(2, runs)] == [(1, 1, 2), (2, 2, 2)]
        with mock.patch.object(KeyedFunction, "_make", side_effect=AssertionError):
            assert [counted(1, runs), counted(2, runs)] == [(1, 1, 2), (2, 2, 2)]
        assert [counted(number, runs, args_to_ignore=["a"])[0] for number in (1, 2, 3)] == [3, 3, 3]
        assert [counted(number, runs)[0] for number in (1, 2)] == [1, 2]


def test_the_two_decorators_do_not_share_theirs():
    """On one cache, of one function, in either order: the keys of the two are not the same."""
    app, cache, runs = build()
    function = counting(runs)
    own = flask_rustcache.memoize(60, cache=cache)
    with app.app_context():
        assert [cache.memoize(60)(function)(1)[0], own(function)(1)[0]] == [1, 2]
        assert [cache.memoize(60)(function)(1)[0], own(function)(1)[0]] == [1, 2]
        assert [own(function)(2)[0], cache.memoize(60)(function)(2)[0]] == [3, 4]
        assert [own(function)(2)[0], cache.memoize(60)(function)(2)[0]] == [3, 4]


def test_applications_do_not_share_theirs():
    """Each has a cache of its own, and what is known of keys goes by the cache."""
    apps, runs = [build()[0] for _ in range(2)], build()[2]
    answers = []
    for app in [*apps, *apps]:
        with app.app_context():
            answers.append(counted(1, runs)[0])
    assert answers == [1, 2, 1, 2]
