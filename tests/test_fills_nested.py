"""Fills of one key within each other: views that call views, and decorators that are stacked."""

import contextvars
import functools
import importlib
import itertools
from importlib.util import find_spec

import flask_caching
import flask_rustcache
import pytest
from flask_rustcache import cached, memoize

from ._apps import build
from ._child import in_child
from ._fills import Crowd, Gate, follow, lead, shop

PLAIN = ((flask_caching.Cache, "SimpleCache"), (flask_rustcache.Cache, "flask_rustcache.RustCache"))
both = pytest.mark.parametrize(("cache_class", "backend"), PLAIN, ids=["upstream", "ours"])


def louder(function):
    """What is put between two decorators, and changes the value."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs).upper()

    return wrapper


@both
def test_a_cached_view_that_calls_another_keeps_its_own_page(cache_class, backend):
    """C2: in one request both have one key, and what the outer one makes of the inner one's value is last."""
    app, cache, runs = build(cache_class, CACHE_TYPE=backend)

    @app.get("/part")
    @cache.cached(60)
    def part():
        return "part"

    @app.get("/page")
    @cache.cached(60)
    def page():
        runs.count("page")
        return f"<h1>{part()}</h1>"

    client = app.test_client()
    assert [client.get("/page").text for _ in range(3)] == ["<h1>part</h1>"] * 3
    assert runs == {"page": 1}


@both
@pytest.mark.parametrize("kind", ["cached", "memoize"])
def test_stacked_decorators_keep_the_outermost_value(kind, cache_class, backend):
    """K9, C2: with what stands between them."""
    app, cache, _ = build(cache_class, CACHE_TYPE=backend)

    @getattr(cache, kind)(60)
    @louder
    @getattr(cache, kind)(600)
    def name():
        return "bob"

    with app.test_request_context("/"):
        assert [name() for _ in range(3)] == ["BOB"] * 3


@pytest.mark.parametrize("decorate", [cached, memoize])
def test_the_packages_own_decorators_may_be_stacked(decorate):
    """K9, C2: as a view, whose key is its request's, and outside of one."""
    app, _, _ = build()

    @app.get("/")
    @decorate(60)
    @louder
    @decorate(600)
    def name():
        return "bob"

    assert [app.test_client().get("/").text for _ in range(3)] == ["BOB"] * 3
    with app.app_context():
        assert [name() for _ in range(3)] == ["BOB"] * 3


@in_child
def test_a_deletion_after_the_inner_value_ends_the_outer_fill():
    """C6: who is part of a fill does not make it good again."""
    _, cache, _ = shop()
    runs, gate = itertools.count(1), Gate()

    @cache.cached(60, key_prefix="key")
    def inner():
        return f"inner {next(runs)}"

    @cache.cached(60, key_prefix="key")
    def outer():
        value = inner()
        gate.stay()
        return f"outer of {value}"

    leader = lead(outer, gate)
    assert cache.get("key") == "inner 1"
    assert cache.delete("key")
    gate.open()
    assert leader.join() == ["outer of inner 1"]
    assert cache.get("key") is None


@in_child
def test_a_later_call_is_not_stored_over_by_an_earlier_one_with_parts():
    """C6: the outer fill and its parts began before."""
    _, cache, _ = shop()
    runs, gate, force = itertools.count(1), Gate(), []

    @cache.cached(60, key_prefix="key", forced_update=lambda: bool(force))
    def inner():
        return f"inner {next(runs)}"

    @cache.cached(60, key_prefix="key")
    def outer():
        gate.stay()
        force.append(True)
        return f"outer of {inner()}"

    leader = lead(outer, gate)
    force.append(True)
    assert Crowd(inner).join() == ["inner 1"]
    gate.open()
    assert leader.join() == ["outer of inner 2"]
    assert cache.get("key") == "inner 1"


@pytest.mark.parametrize("decorate", [cached, memoize])
def test_the_packages_own_decorators_know_their_layers_apart(decorate):
    """J6: each layer has its values, and ``clear`` forgets those below it, too."""
    app, _, runs = build()

    def name():
        return f"bob {runs.count('name')}"

    inner = decorate(600)(name)
    outer = decorate(60)(louder(inner))
    with app.app_context():
        assert [outer(), inner(), outer(), inner()] == ["BOB 1", "bob 1"] * 2
        outer.clear()
        assert [outer(), inner()] == ["BOB 2", "bob 2"]


@both
def test_delete_memoized_reaches_what_it_is_stacked_upon(cache_class, backend):
    """K9: all layers have one name, and one version."""
    _, cache, runs = build(cache_class, CACHE_TYPE=backend)

    @louder
    @cache.memoize(60)
    @louder
    @cache.memoize(600)
    def name():
        return f"bob {runs.count('name')}"

    assert [name(), name()] == ["BOB 1"] * 2
    cache.delete_memoized(name)
    assert [name(), name()] == ["BOB 2"] * 2


@in_child
def test_a_context_that_outlived_its_fill_follows_as_any_other():
    """C2, C8: what threads and tasks that began in a fill copied says nothing once the fill has ended."""
    _, cache, runs = shop()
    gate, contexts = Gate(), []

    @cache.cached(60, key_prefix="total")
    def total():
        number = next(runs)
        contexts.append(contextvars.copy_context())
        if number == 2:
            gate.stay()
        return number

    assert total() == 1
    assert cache.delete("total")
    leader = lead(total, gate)
    follower = follow(lambda: contexts[0].run(total))
    gate.open()
    assert leader.join() == follower.join() == [2]


@pytest.mark.parametrize("decorator", ["memoize", "cached"])
@in_child
def test_a_fill_in_a_new_context_of_its_own_thread(decorator):
    """C2: a function that calls itself in an empty context knows nothing of its fill, and waits not."""
    _, cache, runs = shop()

    # Given the cache: without an application's context it would be another one, where nobody waits for long.
    @{"memoize": memoize, "cached": cached}[decorator](60, cache=cache)
    def page():
        number = next(runs)
        return contextvars.Context().run(page) + 1 if number == 1 else 1

    assert page() == 2


@pytest.mark.skipif(find_spec("greenlet") is None, reason="no greenlet for this interpreter")
@in_child
def test_a_fill_of_another_greenlet_of_its_thread():
    """C2: where gevent has patched nothing, a thread that waits lets no greenlet of its own go on."""
    greenlet = importlib.import_module("greenlet")
    _, cache, runs = shop()
    main = greenlet.getcurrent()

    @memoize(60, cache=cache)
    def page():
        number = next(runs)
        if number == 1:
            main.switch()
        return number

    leader = greenlet.greenlet(page)
    leader.switch()
    assert page() == 2
    assert leader.switch() in (1, 2)
