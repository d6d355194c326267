"""Random requests for views with the options that ask the user: the same from Flask-Caching's and ours.

As in test_cached_differential.py, but each view has conditions, keys of its own making, source checks or
hit indication, and signals may be on. Besides the answer, the executions and the keys, the two
applications agree on what each callable was asked, how often, in which order, and on each signal sent.
"""

import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import flask_caching
import flask_rustcache
import pytest
from flask import Flask, has_request_context, request
from flask_caching import signals
from hypothesis import given, settings
from hypothesis import strategies as st

from ._apps import BACKEND
from .test_cached_differential import (
    METHODS,
    NAMES,
    NEVER_FULL,
    NUMBERS,
    QUERIES,
    VIEWS,
    Clock,
    Route,
    ask,
    call,
    clear,
    debug,
    delete,
    finish,
    make_view,
    outcome,
    put,
    quiet,
    rekey,
    set_timeout,
)

#: What each flag is at first; a step may make it any of these.
FLAGS = {"unless": False, "forced_update": False, "is_stale": False, "response_filter": True}
ANSWERS = [True, False, 1, None, "raise"]


@dataclass
class World:
    """One of the two applications, and all that can be seen of it."""

    app: Flask
    cache: flask_caching.Cache
    functions: list = field(default_factory=list)
    runs: Counter = field(default_factory=Counter)
    flags: dict[str, Any] = field(default_factory=FLAGS.copy)
    seen: list = field(default_factory=list)

    def live_keys(self, now):
        entries = self.app.extensions["cache"][self.cache]._cache.items()
        return {key for key, (expires, _) in list(entries) if not expires or expires > now}


def make_world(cache_class, backend, routes, with_signals):
    """Make an application whose routes are ``/0/<name>``, ``/1/<name>``, ..."""
    app = Flask("tests.world")
    app.config.update(CACHE_TYPE=backend, CACHE_THRESHOLD=NEVER_FULL, CACHE_ENABLE_SIGNALS=with_signals)
    world = World(app, cache_class(app))
    for number, route in enumerate(routes):
        options = make_options(world, number, dict(route.options))
        function = world.cache.cached(**options)(make_view(world, number, route.view))
        app.add_url_rule(
            f"/{number}/<name>",
            f"view{number}",
            lambda name, function=function: finish(function(name)),
            methods=["GET", "POST"],
        )
        world.functions.append(function)
    return world


def make_options(world, number, options):
    """Turn the names of ways to write a callable into this world's callables."""

    def note(name, *what):
        world.seen.append((number, name, *what))
        answer = world.flags.get(name)
        if answer == "raise":
            raise LookupError(name)
        return answer

    return {
        name: WAYS[name, value](note) if isinstance(value, str) and (name, value) in WAYS else value
        for name, value in options.items()
    }


def shown(value):
    """A view's value as it can be compared: responses differ by what they are, not by what they say."""
    return type(value).__name__


def path():
    return request.path if has_request_context() else "none"


#: Each option that is a callable, in the ways that a user may write it.
WAYS = {
    ("unless", "plain"): lambda note: lambda: note("unless"),
    ("unless", "function"): lambda note: lambda f, name: note("unless", f.__name__, name),
    ("unless", "anything"): lambda note: lambda *args, **kwargs: note("unless", args[1:], kwargs),
    ("unless", "keywords"): lambda note: lambda *, key=1: note("unless", key),
    ("forced_update", "plain"): lambda note: lambda: note("forced_update"),
    ("forced_update", "arguments"): lambda note: lambda name: note("forced_update", name),
    ("forced_update", "anything"): lambda note: lambda *args, **kwargs: note("forced_update", args, kwargs),
    ("is_stale", "plain"): lambda note: lambda value: note("is_stale", shown(value)),
    ("is_stale", "arguments"): lambda note: lambda value, name: note("is_stale", shown(value), name),
    ("is_stale", "anything"): lambda note: (
        lambda *args, **kwargs: note("is_stale", shown(args[0]), args[1:], kwargs)
    ),
    ("response_filter", "plain"): lambda note: lambda value: note("response_filter", shown(value)),
    ("make_cache_key", "made"): lambda note: (
        lambda *args, **kwargs: note("make_cache_key", args, kwargs) or f"made {args} {kwargs}"
    ),
    ("key_prefix", "called"): lambda note: lambda: note("key_prefix") or f"called {path()}",
    ("key_prefix", "by method"): lambda note: lambda: note("key_prefix") or f"by {request.method}",
}


def ways(name):
    return [way for option, way in WAYS if option == name]


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from([None, 0, 2]),
        "cache_none": st.booleans(),
        "query_string": st.booleans(),
        "source_check": st.sampled_from([None, True, False]),
        "response_hit_indication": st.booleans(),
        "key_prefix": st.sampled_from(["view/%s", "own", *ways("key_prefix") * 2]),
        "make_cache_key": st.sampled_from([None, *ways("make_cache_key")]),
        **{name: st.sampled_from([None, *ways(name)]) for name in FLAGS},
    },
)
ROUTES = st.lists(
    st.builds(Route, st.sampled_from(list(VIEWS)), OPTIONS.map(lambda options: tuple(options.items()))),
    min_size=1,
    max_size=3,
)
ASKS = st.tuples(
    st.just("ask"), NUMBERS, st.sampled_from(METHODS), st.sampled_from(NAMES[:3]), st.sampled_from(QUERIES)
)
STEPS = st.one_of(
    *[ASKS] * 8,
    st.tuples(st.just("call"), NUMBERS, st.sampled_from(NAMES[:3])),
    st.tuples(st.just("flag"), st.sampled_from(list(FLAGS)), st.sampled_from(ANSWERS)),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("debug"), st.booleans()),
    st.tuples(st.just("signals"), st.booleans()),
    st.tuples(st.just("source"), st.booleans()),
    st.tuples(st.just("timeout"), NUMBERS, st.sampled_from([0, 1, 4, None])),
    st.tuples(st.just("rekey"), NUMBERS),
    st.tuples(st.just("put"), NUMBERS, st.sampled_from(["text", None, {"a": [1]}])),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("clear")),
)


def flag(world, name, value):
    world.flags[name] = value


def switch_signals(world, on):
    world.cache.enable_signals = on


def switch_source(world, on):
    world.cache.source_check = on


def tick(world, seconds):
    """The clock is not one world's: `play` has moved it."""


VERBS = {
    "ask": ask,
    "call": call,
    "flag": flag,
    "tick": tick,
    "debug": debug,
    "signals": switch_signals,
    "source": switch_source,
    "timeout": set_timeout,
    "rekey": rekey,
    "put": put,
    "delete": delete,
    "clear": clear,
}


@contextmanager
def listening(worlds):
    """Note what signals the worlds' caches send."""
    by_cache = {id(world.cache): world for world in worlds}

    def receiver(name):
        def receive(sender, cache, **details):
            by_cache[id(cache)].seen.append((name, sender, details))

        return receive

    hit, miss = receiver("hit"), receiver("miss")
    with signals.cache_view_hit.connected_to(hit), signals.cache_view_miss.connected_to(miss):
        yield


def play(worlds, clock, steps):
    theirs, mine = worlds
    for verb, *arguments in steps:
        if verb == "tick":
            clock.seconds += arguments[0]
        step = (verb, *arguments)
        outcomes = [
            outcome(lambda world=world: VERBS[verb](world, *arguments))  # noqa: B023  # called at once
            for world in worlds
        ]
        assert outcomes[1] == outcomes[0], step
        assert mine.runs == theirs.runs, step
        assert mine.seen == theirs.seen, step
        assert mine.live_keys(clock()) == theirs.live_keys(clock()), step


@contextmanager
def two_worlds(routes, with_signals):
    clock = Clock()
    with quiet(), warnings.catch_warnings(), mock.patch("cachelib.simple.time", clock):
        # That a POST may be answered by what a GET stored is told of, by ours.
        warnings.simplefilter("ignore", UserWarning)
        worlds = [
            make_world(flask_caching.Cache, "SimpleCache", routes, with_signals),
            make_world(flask_rustcache.Cache, BACKEND, routes, with_signals),
        ]
        worlds[1].app.extensions["cache"][worlds[1].cache].clock = clock
        with listening(worlds):
            yield worlds, clock


@settings(max_examples=settings.default.max_examples * 2, deadline=None)
@given(routes=ROUTES, with_signals=st.booleans(), steps=st.lists(STEPS, min_size=5, max_size=30))
def test_same_answers_runs_questions_signals_and_keys(routes, with_signals, steps):
    with two_worlds(routes, with_signals) as (worlds, clock):
        play(worlds, clock, steps)


#: Two visits: how often each callable is asked at the miss, and how often after the hit.
QUESTIONS = {
    "unless": (1, 2),
    "forced_update": (1, 2),
    "is_stale": (0, 1),
    "response_filter": (1, 1),
    "make_cache_key": (1, 2),
    "key_prefix": (1, 2),
}


@pytest.mark.parametrize("with_signals", [False, True])
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_each_callable_is_asked_once_a_call(name, way, with_signals):
    """A fixed run of each, so that the random ones cannot all be empty."""
    with two_worlds([Route("str", ((name, way),))], with_signals) as (worlds, clock):
        for times in QUESTIONS[name]:
            play(worlds, clock, [("ask", 0, "GET", "a", "")])
            for world in worlds:
                assert [what[1] for what in world.seen if what[0] == 0] == [name] * times
                assert world.runs == {0: 1}
    assert [what[0] for what in worlds[1].seen if what[0] != 0] == ["miss", "hit"] * with_signals
