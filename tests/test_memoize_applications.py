"""Traps K7 and K8 for ``memoize``: a failing backend; several applications, several caches."""

import functools

import pytest
from flask import Flask

from ._apps import BACKEND, CACHES, Failing, build
from ._memo import entries, record_of


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


def function_of(runs):
    def total(a):
        return runs.count("total"), a

    return total


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("verb", ["get", "set", "has", "get_many", "set_many"])
def test_a_failing_backend_never_runs_the_function_twice(cache_class, caplog, verb, debug):
    """K7: it runs once a call, which is logged; in debug mode the error is raised instead."""
    app, cache, runs = build(cache_class, DEBUG=debug)
    app.extensions["cache"][cache] = failing = Failing()
    total = cache.memoize(60, cache_none=True)(function_of(runs))
    failing.at = verb
    if debug:
        with pytest.raises(OSError, match=f"{verb} fails"):
            total(1)
        assert runs.get("total", 0) <= 1
        return
    assert [total(1), total(2)] == [(1, 1), (2, 2)]
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("flask_caching")]
    assert logged == ["Exception possibly due to cache backend."] * 2


def test_two_applications_with_one_cache(cache_class):
    """K8: entries, records and deletions are each application's own."""
    cache, runs, apps = cache_class(), build()[2], []
    for name in ("one", "two"):
        app = Flask(name)
        app.config["CACHE_TYPE"] = BACKEND
        cache.init_app(app)
        apps.append(app)
    total = cache.memoize(60)(function_of(runs))

    def call_all():
        return [call_in(app, functools.partial(total, 1)) for app in apps]

    assert [call_all(), call_all()] == [[(1, 1), (2, 1)]] * 2
    versions = [call_in(app, lambda: cache.get(record_of(cache, total))) for app in apps]
    assert versions[0] != versions[1]
    call_in(apps[0], lambda: cache.delete_memoized(total))
    assert [call_all(), call_all()] == [[(3, 1), (2, 1)]] * 2
    call_in(apps[1], lambda: cache.delete_memoized(total, 1))
    assert call_all() == [(3, 1), (4, 1)]
    call_in(apps[0], cache.clear)
    assert [len(entries(app, cache)) for app in apps] == [0, 1]
    assert call_all() == [(5, 1), (4, 1)]


def call_in(app, function):
    with app.app_context():
        return function()


def test_two_caches_with_one_application(cache_class):
    """K8: one function decorated by each."""
    app = Flask("tests.shop")
    app.config["CACHE_TYPE"] = BACKEND
    caches, runs = [cache_class(app), cache_class(app)], build()[2]
    function = function_of(runs)
    one, two = (cache.memoize(60)(function) for cache in caches)
    assert [one(1), two(1), one(1), two(1)] == [(1, 1), (2, 1)] * 2
    caches[0].delete_memoized(one)
    assert [one(1), two(1)] == [(3, 1), (2, 1)]
