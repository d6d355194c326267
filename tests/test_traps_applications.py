"""Traps K7, K8 and B5: a failing backend; several applications, several caches; memoized methods."""

import gc
import weakref

import pytest
from flask import Blueprint, Flask

from ._apps import BACKEND, CACHES, Failing, backend_of, build


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("verb", "runs_when_debugging"), [("get", 0), ("set", 1), ("has", 0)])
def test_failing_backend_never_runs_the_view_twice(cache_class, caplog, verb, debug, runs_when_debugging):
    """K7: the view runs once and is served; in debug mode the error is raised instead."""
    app, cache, runs = build(cache_class, DEBUG=debug)
    app.extensions["cache"][cache] = failing = Failing()

    @app.route("/")
    @cache.cached(60, cache_none=True)
    def page():
        return f"run {runs.count('page')}"

    failing.at = verb
    client = app.test_client()
    if debug:
        with pytest.raises(OSError, match=f"{verb} fails"):
            client.get("/")
        assert runs.get("page", 0) == runs_when_debugging
        return
    assert client.get("/").text == "run 1"
    assert runs == {"page": 1}
    logged = [record for record in caplog.records if record.name.startswith("flask_caching")]
    assert [record.getMessage() for record in logged] == ["Exception possibly due to cache backend."]


def test_two_applications_with_one_cache(cache_class):
    """K8: each application has its own store, and each request reaches its own."""
    cache = cache_class()
    apps = []
    for name in ("one", "two"):
        app = Flask(name)
        app.config["CACHE_TYPE"] = BACKEND
        cache.init_app(app)
        app.add_url_rule("/", "page", cached_page(cache, name))
        apps.append(app)
    for _ in range(3):
        assert [app.test_client().get("/").text for app in apps] == ["one 1", "two 1"]
    one, two = (backend_of(app, cache) for app in apps)
    assert one is not two
    one.clear()
    assert [app.test_client().get("/").text for app in apps] == ["one 2", "two 1"]


def cached_page(cache, name):
    runs = []

    @cache.cached(60)
    def page():
        runs.append(name)
        return f"{name} {len(runs)}"

    return page


def test_one_function_in_two_applications(cache_class):
    """K8: a blueprint's view, cached once, is filled in each application that carries it."""
    cache, shop, runs = cache_class(), Blueprint("shop", "shop"), []

    @shop.route("/<item>")
    @cache.cached(60)
    def page(item):
        runs.append(item)
        return f"{item} {len(runs)}"

    def create_app():
        app = Flask("factory")
        app.config["CACHE_TYPE"] = BACKEND
        cache.init_app(app)
        app.register_blueprint(shop, url_prefix="/shop")
        app.register_blueprint(shop, url_prefix="/sale", name="sale")
        return app

    first, second = create_app(), create_app()
    for _ in range(2):
        assert first.test_client().get("/shop/tea").text == "tea 1"
        assert second.test_client().get("/shop/tea").text == "tea 2"
        assert first.test_client().get("/sale/tea").text == "tea 3"
    assert runs == ["tea"] * 3


def test_two_caches_with_one_application(cache_class):
    """K8: each cache has its own store, and clearing one leaves the other."""
    app = Flask("both")
    app.config["CACHE_TYPE"] = BACKEND
    fast, slow = cache_class(app), cache_class(app, config={"CACHE_DEFAULT_TIMEOUT": 5})
    app.add_url_rule("/", "fast", cached_page(fast, "fast"))

    @app.route("/slow")
    @slow.cached(key_prefix="view//")
    def same_key():
        return "slow"

    client = app.test_client()
    for _ in range(2):
        assert (client.get("/").text, client.get("/slow").text) == ("fast 1", "slow")
    slow.clear()
    assert backend_of(app, fast).has("view//")
    assert client.get("/").text == "fast 1"


def test_a_memoized_method_does_not_keep_its_instance_alive(cache_class):
    """B5: neither as a key nor in a value."""
    app = Flask("shop")
    app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
    cache = cache_class(app)

    class Shop:
        @cache.memoize(60)
        def prices(self, factor):
            return [factor * 2]

    shop = Shop()
    with app.app_context():
        assert shop.prices(2) == shop.prices(2) == [4]
        assert cache.cache.stats()["hits"] > 0
    gone = weakref.ref(shop)
    del shop
    gc.collect()
    assert gone() is None
