"""Where the top-level decorators keep things: the present application's only cache, or the process's."""

import asyncio
import itertools
import threading
from contextvars import Context

import flask_caching
import pytest
from flask import Flask
from flask_rustcache import Cache, RustCache, cached, delete_prefix, delete_tag, memoize
from flask_rustcache._anywhere import CURRENT

from ._anywhere import BOTH, app, ask, decorate, runs, stored
from ._apps import BACKEND, CACHES, backend_of, build
from ._child import in_child, run_child

# Fixtures are found by their names.
__all__ = ["app", "decorate", "runs"]

SIMPLE = {"CACHE_TYPE": "SimpleCache"}


def number(decorator, runs):
    """Decorate a function that says which run it is."""

    @decorator
    def count(a=0):
        return a, next(runs)

    return count


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
@pytest.mark.parametrize("backend", [BACKEND, "SimpleCache"])
def test_the_applications_only_cache(cache_class, backend, decorate, runs):
    """Whichever class it is of, and whatever its backend."""
    app, cache, _ = build(cache_class, CACHE_TYPE=backend)
    count = number(decorate(60), runs)
    with app.app_context():
        assert count(1) == count(a=1) == (1, 1)
        assert stored(app) == {count.key(1)}
        assert cache.has(count.key(1))
        assert count.delete(1) is True
        assert count.delete(1) is False
        assert count(1) == (1, 2)
        cache.clear()
        assert count(1) == (1, 3)


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
def test_views_on_another_backend(cache_class, runs):
    """On SimpleCache, too, GET and HEAD alone are cached, by path and query, each apart."""
    app, _, _ = build(cache_class, **SIMPLE)

    @app.route("/<name>", methods=["GET", "POST"])
    @cached(60, query_string=True)
    def page(name):
        return f"{name} {next(runs)}"

    for _ in range(2):
        assert ask(app, "GET /a", "GET /a?x=1&y=2", "GET /b", "HEAD /a") == ["a 1", "a 2", "b 3", ""]
    assert ask(app, "GET /a?y=2&x=1", "POST /a", "POST /a") == ["a 2", "a 5", "a 6"]
    assert len(stored(app)) == 4


def test_clear_needs_a_rust_cache(decorate, runs):
    app, _, _ = build(**SIMPLE)
    count = number(decorate(60), runs)
    with app.app_context():
        assert count() == (0, 1)
        with pytest.raises(RuntimeError, match="RustCache"):
            count.clear()
        assert count() == (0, 1)


def test_a_null_cache_keeps_nothing(decorate, runs):
    """A cache that is turned off by its configuration is no error."""
    app, _, _ = build(CACHE_TYPE="NullCache", CACHE_NO_NULL_WARNING=True)
    count = number(decorate(60), runs)
    with app.app_context():
        assert [count(), count()] == [(0, 1), (0, 2)]


@pytest.mark.parametrize("debug", [False, True])
def test_no_cache_or_several_is_an_error(decorate, runs, debug):
    """It says what to do, and the function does not run."""
    none = Flask("none")
    several, first, _ = build()
    second = Cache(several, config=SIMPLE)
    none.debug = several.debug = debug
    count = number(decorate(60), runs)
    with none.app_context():
        for call in (count, count.delete, count.clear):
            with pytest.raises(RuntimeError, match=r"'none' has no cache.*Cache\("):
                call()
    with several.app_context():
        with pytest.raises(RuntimeError, match=r"'tests\.shop' has 2 caches.*cache="):
            count()
        for run, cache in enumerate((first, second), start=1):
            named = number(decorate(60, cache=cache), runs)
            assert named() == named() == (0, run)
            assert cache.has(named.key())
        assert first.cache._cache.keys() == second.cache._cache.keys()


@pytest.mark.parametrize("wrong", ["cache", 1, object(), RustCache(), Cache, flask_caching.Cache()], ids=repr)
def test_cache_must_be_ours(decorate, wrong):
    """What has no fills and no native half is refused when decorating."""
    with pytest.raises(TypeError, match=r"flask_rustcache\.Cache"):
        decorate(60, cache=wrong)


@pytest.mark.parametrize("remove", [delete_tag, delete_prefix])
def test_a_cache_that_is_none_of_ours_has_nothing_to_remove(remove):
    with pytest.raises(TypeError, match=r"flask_rustcache\.Cache"):
        remove("a", cache=flask_caching.Cache())


def test_removal_from_the_present_application_or_the_one_that_is_named():
    app, cache, _ = build()
    with app.app_context():
        cache.set_many({"a1": 1, "a2": 2, "b": 3})
        assert (delete_prefix("a"), delete_prefix("a"), len(cache.cache)) == (2, 0, 1)
    assert delete_prefix("b") == 0
    assert delete_prefix("b", cache=cache) == 1


def test_parentheses_are_needed(decorate):
    with pytest.raises(TypeError, match="parentheses"):
        decorate(lambda: 1)
    with pytest.raises(TypeError):
        decorate(60, None)


def test_named_cache_outside_its_application(decorate, runs):
    """A cache that was made with its application is found without a context."""
    app, cache, _ = build()
    count = number(decorate(60, cache=cache), runs)
    assert count(1) == count(1) == (1, 1)
    assert stored(app) == {count.key(1)}
    count.clear()
    assert stored(app) == set()


def test_two_applications_in_one_process(runs):
    """K8: each has its own entries, of the same functions, and its own path to them."""
    first, second = build()[0], build()[0]
    count = number(memoize(60), runs)

    @cached(60)
    def page():
        return f"{count()[1]} {next(runs)}"

    for one in (first, second):
        one.add_url_rule("/", view_func=page)
    for _ in range(2):
        assert [ask(one, "GET /") for one in (first, second)] == [["1 2"], ["3 4"]]
    with first.app_context():
        page.clear()
        count.clear()
    assert [ask(one, "GET /") for one in (first, second)] == [["5 6"], ["3 4"]]


def test_nested_contexts(decorate, runs):
    """The innermost application is the present one; after it, the one around it again."""
    first, second = build()[0], build(**SIMPLE)[0]
    count = number(decorate(60), runs)
    with first.app_context():
        assert count() == (0, 1)
        with second.app_context():
            assert count() == (0, 2)
            with first.app_context():
                assert count() == (0, 1)
            assert count() == (0, 2)
        assert count() == (0, 1)


def test_a_request_inside_a_request_of_another_application(runs):
    """The inner application's request is dispatched to the inner application's view."""
    inner, outer = build()[0], build()[0]

    @cached(60)
    def page():
        return str(next(runs))

    inner.add_url_rule("/same", "page", page)
    outer.add_url_rule("/same", "page", lambda: f"{page()} {inner.test_client().get('/same').text} {page()}")
    for _ in range(2):
        assert ask(outer, "GET /same") == ["1 2 1"]
    with outer.test_request_context("/same"), inner.test_request_context("/same"):
        assert page() == "2"
    with inner.test_request_context("/same"), outer.test_request_context("/same"):
        assert page() == "1"


def test_factory_pattern(runs):
    """K8: a cache and views without an application, and a fresh store at each ``init_app``."""
    cache = Cache()
    count = number(cached(60, cache=cache), runs)

    @cached(60)
    def page():
        return f"{next(runs)}"

    def create_app(**config):
        app = Flask("factory")
        app.config.update(CACHE_TYPE=BACKEND, **config)
        cache.init_app(app)
        app.add_url_rule("/", view_func=page)
        return app

    first, second = create_app(), create_app(CACHE_THRESHOLD=1)
    for _ in range(2):
        assert [ask(one, "GET /") for one in (first, second)] == [["1"], ["2"]]
    for one, run in ((first, 3), (second, 4), (first, 3)):
        with one.app_context():
            assert count() == (0, run)
    assert len(stored(first)) == 2


def test_a_thread_without_a_context_is_no_application(app, runs):
    """What it stores is in the process's own cache, and there for the next such thread."""
    count = number(memoize(60), runs)
    results = []

    def call():
        results.append(count("thread"))

    with app.app_context():
        assert count("thread") == ("thread", 1)
        for _ in range(2):
            # Free-threaded CPython 3.14 starts threads with a copy of the context they are started in.
            thread = threading.Thread(target=Context().run, args=(call,))
            thread.start()
            thread.join()
        assert count("thread") == ("thread", 1)
    assert results == [("thread", 2)] * 2
    count.clear()
    assert count("thread") == ("thread", 3)
    assert len(stored(app)) == 1
    count.clear()


def test_asynchronous_functions(app, decorate, runs):
    """Run to their end, inside an application and outside."""

    @decorate(60)
    async def fetch(a):
        await asyncio.sleep(0)
        return a, next(runs)

    with app.app_context():
        assert fetch(1) == fetch(1) == (1, 1)
    try:
        assert fetch(1) == fetch(1) == (1, 2)
        assert fetch(2) == (2, 3)
    finally:
        fetch.clear()


SCRIPT = """
from flask_rustcache import cached, memoize
runs = []

@cached(60)
def rates(day="today"):
    runs.append(day)
    return {"day": day, "rate": 1.5}

class Basket:
    def __init__(self, *prices):
        self.prices = prices
    def __repr__(self):
        return f"Basket{self.prices}"
    @memoize()
    def total(self, tax=0):
        runs.append(self)
        return sum(self.prices) + tax

rates()["rate"] = 99
assert rates() == rates(day="today") == {"day": "today", "rate": 1.5}
assert Basket(1, 2).total() == Basket(1, 2).total(tax=0) == 3
assert len(runs) == 2
assert rates.delete() and not rates.delete()
assert rates() and len(runs) == 3
rates.clear()
assert rates() and len(runs) == 4
assert Basket(1, 2).total() == 3 and len(runs) == 4
print(rates.key("x"))
"""


def test_a_plain_script():
    """No application anywhere; the same script gives the same keys again, whatever the hash seed."""
    first, second = run_child("-c", SCRIPT), run_child("-c", SCRIPT)
    assert first == second
    assert "__main__" in first
    assert "rates" in first


@in_child
def test_the_processs_cache_has_the_usual_bounds():
    """500 entries (and one), 300 seconds; a timeout of one's own counts."""
    from freezegun import freeze_time  # noqa: PLC0415 - loaded, it decides what clock a cache goes by

    runs = itertools.count(1)
    with freeze_time("2026-01-01") as frozen:
        usual, short = number(memoize(), runs), number(cached(10), itertools.count(1))
        assert usual() == usual() == (0, 1)
        assert short("short") == ("short", 1)
        frozen.tick(299)
        assert usual() == (0, 1)
        assert short("short") == ("short", 2)
        frozen.tick(2)
        assert usual() == (0, 2)
        for many in range(1_000):
            usual(many)
        assert len(CURRENT.cache) in {500, 501}


@pytest.mark.parametrize("kind", BOTH)
@in_child
def test_imported_before_anything_is_set_up(kind):
    """Decorating needs no application, and asks for none: the first call decides."""
    runs = itertools.count(1)
    count = number(BOTH[kind](60), runs)
    assert count() == count() == (0, 1)
    app, cache, _ = build()
    with app.app_context():
        assert count() == count() == (0, 2)
        assert len(backend_of(app, cache)) == 1
    assert count() == (0, 1)


OTHER_PROCESS = """
import sys, warnings
warnings.simplefilter("ignore")
from flask import Flask
from flask_caching import Cache
from flask_rustcache import {kind}

app = Flask("shop")
app.config.update(CACHE_TYPE="FileSystemCache", CACHE_DIR=sys.argv[1])
Cache(app)
functions = {{name: {kind}(60)(function) for name, function in (
    ("first", lambda: "first"), ("second", lambda: "second"))}}
with app.app_context():
    print([functions[name]() for name in sys.argv[2:]])
"""


@pytest.mark.parametrize("kind", BOTH)
def test_functions_of_one_name_in_several_processes(kind, tmp_path):
    """J6: a store that processes share tells them apart in whichever order they are first called."""
    script = OTHER_PROCESS.format(kind=kind)
    for names in (["first", "second"], ["second", "first"]):
        assert run_child("-c", script, str(tmp_path), *names) == f"{names}\n"
