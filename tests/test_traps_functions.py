"""Traps K9 and K10: methods, decorator orders, and what a decorated function is."""

import copy
import functools
import inspect
import pickle
import weakref
from datetime import timedelta

import flask_restful
import pytest
from flask.views import MethodView

from ._apps import CACHES, backend_of, build


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


def test_method_views(cache_class):
    """K9: a ``MethodView``'s method, bound to a new instance at each request, is cached."""
    app, cache, runs = build(cache_class)

    class Page(MethodView):
        greeting = "hello"

        @cache.cached(60)
        def get(self, name):
            return f"{self.greeting} {name} {runs.count(name)}"

        def post(self, name):
            return f"posted {name}"

    app.add_url_rule("/<name>", view_func=Page.as_view("page"))
    client = app.test_client()
    for _ in range(3):
        assert client.get("/ann").text == "hello ann 1"
        assert client.get("/bob").text == "hello bob 1"
        assert client.post("/ann").text == "posted ann"


def test_restful_resources(cache_class):
    """K9: the tutorial's ``get(self)`` of a Flask-RESTful resource."""
    app, cache, runs = build(cache_class)

    class Stocks(flask_restful.Resource):
        @cache.cached(3600)
        def get(self, name="all"):
            return {"name": name, "run": self.compute(name)}, 200, {"X-Made": "1"}

        def compute(self, name):
            return runs.count(name)

    api = flask_restful.Api(app)
    api.add_resource(Stocks, "/api/stocks", "/api/stocks/<name>")
    client = app.test_client()
    for _ in range(3):
        for path, name in (("/api/stocks", "all"), ("/api/stocks/acme", "acme")):
            answer = client.get(path)
            assert answer.json == {"name": name, "run": 1}
            assert answer.headers["X-Made"] == "1"
    assert backend_of(app, cache).has("view//api/stocks")


def test_method_decorators_of_a_resource(cache_class):
    """K9: ``method_decorators`` decorate a bound method."""
    app, cache, runs = build(cache_class)

    class Stocks(flask_restful.Resource):
        method_decorators = (cache.cached(60),)

        def get(self):
            return {"run": runs.count("get")}

    flask_restful.Api(app).add_resource(Stocks, "/stocks")
    client = app.test_client()
    assert [client.get("/stocks").json for _ in range(3)] == [{"run": 1}] * 3


def test_static_and_class_methods_in_either_order(cache_class):
    """K9: above or below ``staticmethod`` and ``classmethod``, with the arguments that belong there."""
    app, cache, runs = build(cache_class)

    class Shop:
        @staticmethod
        @cache.cached(60, key_prefix="static")
        def static(item):
            return f"static {item} {runs.count('static')}"

        @cache.cached(60, key_prefix="static below")
        @staticmethod
        def static_below(item):
            return f"below {item} {runs.count('below')}"

        @classmethod
        @cache.cached(60, key_prefix="class")
        def of_class(cls, item):
            return f"{cls.__name__} {item} {runs.count('class')}"

        @cache.cached(60, key_prefix="method")
        def method(self, item):
            return f"{type(self).__name__} {item} {runs.count('method')}"

    class Sale(Shop):
        pass

    with app.app_context():
        for _ in range(2):
            assert Shop.static("tea") == Shop().static("tea") == "static tea 1"
            assert Shop.of_class("tea") == Sale().of_class("tea") == "Shop tea 1"
            assert Shop().method("tea") == Shop.method(Sale(), "tea") == "Shop tea 1"
            assert Shop.static_below("tea") == "below tea 1"


def counted(runs, name):
    """Make a decorator that counts the calls that pass through it."""

    def decorator(function):
        @functools.wraps(function)
        def counting(*args, **kwargs):
            runs.count(name)
            return function(*args, **kwargs)

        return counting

    return decorator


def test_decorator_orders(cache_class):
    """K9: what stands above runs at each request, what stands below at a miss only."""
    app, cache, runs = build(cache_class)

    @app.route("/")
    @counted(runs, "above")
    @cache.cached(60)
    @counted(runs, "below")
    def page():
        return f"run {runs.count('page')}"

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["run 1"] * 3
    assert runs == {"above": 3, "below": 1, "page": 1}
    assert inspect.unwrap(page).__name__ == "page"


def test_cached_above_cached_and_memoized(cache_class):
    """K9: both decorators work when one holds the other."""
    app, cache, runs = build(cache_class)

    @cache.cached(10, key_prefix="outer")
    @cache.cached(60, key_prefix="inner")
    @cache.memoize(90)
    def page():
        return f"run {runs.count('page')}"

    assert (page.cache_timeout, page.uncached.cache_timeout, page.uncached.uncached.cache_timeout) == (
        10,
        60,
        90,
    )
    with app.app_context():
        assert page() == page() == "run 1"
        cache.delete("outer")
        cache.delete("inner")
        assert page() == "run 1"
        page.delete_memoized()
        assert page() == "run 1"
        cache.delete_many("outer", "inner")
        assert page() == "run 2"


def test_cache_timeout_is_writable(cache_class):
    """K10: it is read at each miss."""
    app, cache, runs = build(cache_class)

    @cache.cached(60, key_prefix="page")
    def page():
        return runs.count("page")

    assert page.cache_timeout == 60
    for timeout in (5, timedelta(seconds=5), "5"):
        page.cache_timeout = timeout
        assert page.cache_timeout == timeout
        with app.app_context():
            cache.clear()
            before = page()
            app.cache_clock.advance(4)
            assert page() == before
            app.cache_clock.advance(1)
            assert page() == before + 1


def test_make_cache_key_is_writable(cache_class):
    """K10: the new one says which entry is asked for, on the very next call."""
    app, cache, runs = build(cache_class)

    @app.route("/<name>")
    @cache.cached(60)
    def page(name):
        return f"{name} {runs.count('page')}"

    client = app.test_client()
    with app.test_request_context("/"):
        assert page.make_cache_key(path="/ann") == page.make_cache_key(name="ann") == "view//ann"
    assert client.get("/ann").text == client.get("/ann").text == "ann 1"
    page.make_cache_key = own_key = lambda *args, **kwargs: "one for all"
    assert page.make_cache_key is own_key
    assert client.get("/ann").text == "ann 2"
    assert client.get("/bob").text == "ann 2"
    assert set(backend_of(app, cache)._cache) == {"view//ann", "one for all"}


def test_uncached_is_writable(cache_class):
    """K10: upstream documents it as such; what is called stays what was decorated."""
    app, cache, runs = build(cache_class)
    page = cache.cached(60, key_prefix="page")(lambda: runs.count("page"))
    page.uncached = other = lambda: "other"
    assert page.uncached is other
    assert [page(), page()] == [1, 1]
    with app.app_context():
        cache.clear()
    assert page() == 2


def test_delete_cached_of_a_wrapped_view(cache_class):
    """K10: a decorator above ours carries its attributes, so upstream's verbs take the outer function."""
    app, cache, runs = build(cache_class)

    @app.route("/")
    @counted(runs, "above")
    @cache.cached(60)
    def page():
        return f"run {runs.count('page')}"

    client = app.test_client()
    assert client.get("/").text == "run 1"
    with app.app_context():
        assert cache.delete_cached(page, "/") is True
    assert client.get("/").text == "run 2"


def test_delete_cached(cache_class):
    """K10: the key of a decorated function finds its entry."""
    app, cache, runs = build(cache_class)

    @app.route("/<name>")
    @cache.cached(60)
    def page(name):
        return f"{name} {runs.count(name)}"

    client = app.test_client()
    assert client.get("/ann").text == "ann 1"
    with app.test_request_context("/"):
        assert cache.delete_cached(page, "/ann") is True
        assert cache.delete_cached(page, name="ann") is False
    assert client.get("/ann").text == "ann 2"


PLAIN = CACHES["ours"]()
UPSTREAM = CACHES["upstream"]()


def documented(first: int, *rest: str, key: "str | None" = None, **options: object) -> list[int]:
    """Says what it does."""
    return [first, len(rest)]


documented.note = "mine"
ours = PLAIN.cached(60, key_prefix="documented")(documented)
theirs = UPSTREAM.cached(60, key_prefix="documented")(documented)
ours.__qualname__, theirs.__qualname__ = "ours", "theirs"
METADATA = ["__name__", "__doc__", "__module__", "__wrapped__", "__annotations__", "note", "uncached"]


@pytest.mark.parametrize("name", METADATA)
def test_metadata_is_the_functions(name):
    """K10: what ``functools.wraps`` copies, attributes included, is on ours as on upstream's."""
    assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("function", [ours, theirs], ids=["ours", "theirs"])
def test_introspection(function):
    """K10: signature, unwrapping, source, ``callable``, references, truth, hash, own attributes."""
    assert inspect.signature(function) == inspect.signature(documented)
    assert inspect.unwrap(function) is function.__wrapped__ is function.uncached is documented
    assert "Says what it does" in inspect.getsource(function)
    assert inspect.getdoc(function) == "Says what it does."
    assert callable(function)
    assert not inspect.iscoroutinefunction(function)
    assert weakref.ref(function)() is function
    assert bool(function)
    assert {function: 1}[function] == 1
    function.own = "attribute"
    assert vars(function).pop("own") == "attribute"
    with pytest.raises(AttributeError, match="missing"):
        _ = function.missing


@pytest.mark.parametrize("function", [ours, theirs], ids=["ours", "theirs"])
def test_copies_and_pickles_as_a_function(function):
    """K10: by name, and a copy is the function itself."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.copy(function) is copy.deepcopy(function) is function
    assert copy.deepcopy({"view": [function]})["view"][0] is function


def test_wraps_takes_a_decorated_function(cache_class):
    """K10: other decorators' ``functools.wraps`` finds what it copies, our attributes as upstream's."""
    _, cache, runs = build(cache_class)
    decorated = cache.cached(60, key_prefix="a")(documented)
    wrapped = counted(runs, "calls")(decorated)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.note) == ("documented", documented.__doc__, "mine")
    assert wrapped.__wrapped__ is decorated
    assert inspect.signature(wrapped) == inspect.signature(documented)
    assert wrapped.uncached is documented
    assert wrapped.cache_timeout == 60
    assert wrapped.make_cache_key() == "a"


def test_binds_as_a_function(cache_class):
    """K10: on an instance it is a bound method, attributes and all; on the class it is itself."""
    app, cache, runs = build(cache_class)

    class Shop:
        @cache.cached(60, key_prefix="shop")
        def page(self, item, *, size=1):
            return f"{item} {size} {runs.count('page')}"

    shop = Shop()
    bound = shop.page
    assert inspect.ismethod(bound)
    assert bound.__self__ is shop
    assert bound.__func__ is Shop.page is Shop.__dict__["page"]
    assert bound == shop.page
    assert bound.__name__ == "page"
    assert list(inspect.signature(bound).parameters) == ["item", "size"]
    assert bound.cache_timeout == 60
    assert bound.uncached(shop, "tea") == "tea 1 1"
    with app.app_context():
        assert bound("tea", size=2) == shop.page("tea") == "tea 2 2"
