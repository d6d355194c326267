"""Our ``Cache`` on RustCache answers as Flask-Caching's on SimpleCache does, to the same random requests.

Two applications get the same routes, each with options of its own, and the same steps: requests, calls
outside a request, the clock, direct changes to the cache, debug mode. After each step the answer, the
number of executions of each view, and the keys in the cache are the same. Left out are the written
decisions (private responses) and what test_differential.py has: the backend's own verbs.
"""

import logging
import math
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import GeneratorType
from unittest import mock

import flask_caching
import flask_rustcache
from flask import Flask, Response, abort, has_request_context, jsonify, redirect, request
from flask_caching import CachedResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from ._apps import BACKEND

NEVER_FULL = 10_000
METHODS = ["GET", "GET", "GET", "HEAD", "POST"]
NAMES = ["a", "b", "a b", "é", "100%", "%s", "a%2Fb", "x" * 300]
QUERIES = ["", "a=1", "a=1&b=2", "b=2&a=1", "a=1&a=2", "a=", "q=é+x"]


class Clock:
    """A clock of whole seconds: SimpleCache cuts the present to one when it stores."""

    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self):
        return self.seconds


def texts(text):
    yield from (text, " ", "end")


def stop(text):
    abort(404, text)


def respond(text):
    return Response(text, 203, {"X-Text": "1"}, mimetype="text/x-own")


VIEWS = {
    "str": lambda text: text,
    "bytes": lambda text: text.encode(),
    "dict": lambda text: {"text": [text, None, 1.5, {"a": True}]},
    "list": lambda text: [text, {"a": [text]}],
    "tuple": lambda text: (text, 201, {"X-Run": "1"}),
    "dict in tuple": lambda text: ({"text": text}, 202),
    "response": respond,
    "json": lambda text: jsonify(text=text),
    "redirect": lambda text: redirect("/to?" + str(len(text))),
    "abort": stop,
    "stop by response": lambda text: abort(Response(text, 409)),
    "none": lambda text: None,
    "generator": texts,
    "short lived": lambda text: CachedResponse(Response(text), 2),
}


@dataclass(frozen=True)
class Route:
    """A view and what it is decorated with; the flags are the names of callables that each world makes."""

    view: str
    options: tuple


@dataclass
class World:
    """One of the two applications."""

    app: Flask
    cache: flask_caching.Cache
    functions: list
    runs: Counter
    flags: Counter

    def live_keys(self, now):
        entries = self.app.extensions["cache"][self.cache]._cache.items()
        return {key for key, (expires, _) in list(entries) if not expires or expires > now}


def make_world(cache_class, backend, routes):
    """Make an application whose routes are ``/0/<name>``, ``/1/<name>``, ..."""
    app = Flask("tests.world")
    app.config.update(CACHE_TYPE=backend, CACHE_THRESHOLD=NEVER_FULL)
    world = World(app, cache_class(app), [], Counter(), Counter())
    for number, route in enumerate(routes):
        options = make_options(world, dict(route.options))
        function = make_view(world, number, route.view)
        decorated = world.cache.cached(**options)(function)
        app.add_url_rule(
            f"/{number}/<name>",
            f"view{number}",
            lambda name, decorated=decorated: finish(decorated(name)),
            methods=["GET", "POST"],
        )
        world.functions.append(decorated)
    return world


def finish(value):
    """A view may not return None; and what it returned must be of the same type on a hit."""
    if value is None or isinstance(value, float):
        return f"nothing {value}"
    return value


def make_view(world, number, kind):
    def view(name):
        world.runs[number] += 1
        method = request.method if has_request_context() else "no request"
        return VIEWS[kind](f"{number} {name} {method} {world.runs[number]}")

    return view


def make_options(world, options):
    """Turn the flags among the options into this world's callables."""
    flags = {
        "unless": lambda: bool(world.flags["unless"]),
        "forced_update": lambda: bool(world.flags["forced_update"]),
        "is_stale": lambda value: bool(world.flags["is_stale"]),
        "response_filter": lambda value: not world.flags["response_filter"],
        "make_cache_key": lambda *args, **kwargs: f"made {args} {sorted(kwargs.items())}",
    }
    made = {name: flags[name] if value == "flag" else value for name, value in options.items()}
    if made.get("key_prefix") == "callable":
        made["key_prefix"] = lambda: "called " + (request.path if has_request_context() else "")
    return made


FLAGS = ["unless", "forced_update", "is_stale", "response_filter"]
PREFIXES = ["view/%s", "own", "own %s", "%s", "", "100%% %s", "%s%s", "%d", "%", "é %s", "callable"]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from([None, 0, 2, "3", timedelta(seconds=2), timedelta(milliseconds=1)]),
        "key_prefix": st.sampled_from(PREFIXES),
        "cache_none": st.booleans(),
        "response_filter": st.just("flag"),
        **{
            # Each of these leaves the native path: so they are rarer than the others.
            name: st.sampled_from([False, False, False, value])
            for name, value in {
                "unless": "flag",
                "forced_update": "flag",
                "is_stale": "flag",
                "make_cache_key": "flag",
                "query_string": True,
                "source_check": True,
                "response_hit_indication": True,
            }.items()
        },
    },
)
ROUTES = st.lists(
    st.builds(Route, st.sampled_from(list(VIEWS)), OPTIONS.map(lambda options: tuple(options.items()))),
    min_size=1,
    max_size=4,
)
NUMBERS = st.integers(0, 3)
STEPS = st.one_of(
    *[
        st.tuples(
            st.just("ask"),
            NUMBERS,
            st.sampled_from(METHODS),
            st.sampled_from(NAMES),
            st.sampled_from(QUERIES),
        )
    ]
    * 6,
    st.tuples(st.just("call"), NUMBERS, st.sampled_from(NAMES)),
    st.tuples(st.just("tick"), st.integers(1, 3)),
    st.tuples(st.just("flag"), st.sampled_from(FLAGS)),
    st.tuples(st.just("debug"), st.booleans()),
    st.tuples(st.just("timeout"), NUMBERS, st.sampled_from([0, 1, 4, None])),
    st.tuples(st.just("rekey"), NUMBERS),
    st.tuples(st.just("put"), NUMBERS, st.sampled_from(["text", None, 2.5, ("text", 299), {"a": [1]}])),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("clear")),
)


def outcome(function):
    """What a step came to, in a form that can be compared."""
    try:
        value = function()
    except Exception as error:
        return type(error), getattr(error, "code", None), getattr(error, "description", None)
    if isinstance(value, Response):
        # By name: the test client makes a class of its own for each answer.
        return type(value).__name__, value.status, list(value.headers), value.get_data()
    if isinstance(value, GeneratorType):
        return GeneratorType, list(value)
    return type(value), value


def ask(world, number, method, name, query):
    number %= len(world.functions)
    return world.app.test_client().open(
        f"/{number}/" + name.replace("%", "%25"), method=method, query_string=query
    )


def call(world, number, name):
    with world.app.app_context():
        return world.functions[number % len(world.functions)](name)


def flag(world, name):
    world.flags[name] ^= 1


def debug(world, on):
    world.app.config["DEBUG"] = on


def set_timeout(world, number, timeout):
    world.functions[number % len(world.functions)].cache_timeout = timeout


def rekey(world, number):
    world.functions[number % len(world.functions)].make_cache_key = lambda *args, **kwargs: f"re{args}"


def put(world, number, value):
    return world.cache.set(f"view//{number}/a", value)


def delete(world, number):
    """What is over already is there for SimpleCache's ``delete``, and not for ours (docs/migration.md)."""
    key = f"view//{number}/a"
    is_there = world.cache.has(key)
    return world.cache.delete(key) and is_there


def clear(world):
    return world.cache.clear()


def tick(world, seconds):
    """The clock is not one world's: `play` has moved it."""


VERBS = {
    function.__name__.removeprefix("set_"): function
    for function in (ask, call, flag, debug, set_timeout, rekey, put, delete, clear, tick)
}


def play(worlds, clock, steps):
    # That a POST is answered by a GET's entry is told of, by ours.
    warnings.simplefilter("ignore", UserWarning)
    for verb, *arguments in steps:
        if verb == "tick":
            clock.seconds += arguments[0]
        step = (verb, *arguments)
        theirs, mine = (
            outcome(lambda world=world: VERBS[verb](world, *arguments))  # noqa: B023  # called at once
            for world in worlds
        )
        assert mine == theirs, step
        assert worlds[1].runs == worlds[0].runs, step
        assert worlds[1].live_keys(clock()) == worlds[0].live_keys(clock()), step


@contextmanager
def quiet():
    """Nothing is logged: what goes wrong on purpose here would fill the report of what did not."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@settings(max_examples=settings.default.max_examples * 2, deadline=None)
@given(routes=ROUTES, steps=st.lists(STEPS, min_size=5, max_size=30))
def test_same_answers_runs_and_keys(routes, steps):
    clock = Clock()
    with quiet(), mock.patch("cachelib.simple.time", clock):
        worlds = [
            make_world(flask_caching.Cache, "SimpleCache", routes),
            make_world(flask_rustcache.Cache, BACKEND, routes),
        ]
        worlds[1].app.extensions["cache"][worlds[1].cache].clock = clock
        play(worlds, clock, steps)


def test_the_comparison_sees_hits_expiries_and_keys():
    """A fixed run, so that the random ones cannot all be empty."""
    clock = Clock()
    routes = [Route("str", (("timeout", 2),)), Route("abort", ()), Route("dict", (("query_string", True),))]
    with mock.patch("cachelib.simple.time", clock):
        world = make_world(flask_caching.Cache, "SimpleCache", routes)
        steps = [("ask", number, "GET", "a", "") for number in (0, 0, 1, 1, 2, 2)]
        play([world, world], clock, steps)
        # Both worlds are one here, so each step is made twice.
        assert world.runs == {0: 1, 1: 1, 2: 1}
        assert len(world.live_keys(clock())) == 3
        play([world, world], clock, [("tick", 2)])
        assert len(world.live_keys(clock())) == 2
        assert len(world.live_keys(math.inf)) == 0
