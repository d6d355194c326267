"""Top-level ``cached`` on class-based views: method views, Flask-RESTful, decorators of classes."""

import functools
import itertools

import flask_restful
import pytest
from flask import request
from flask.views import MethodView, View
from flask_rustcache import cached, memoize

from ._anywhere import app, ask, runs, stored
from ._apps import BACKEND, build

# Fixtures are found by their names.
__all__ = ["app", "runs"]


class Named:
    """Each instance of a view looks different, as do those that show their address."""

    greeting = "hello"
    numbers = itertools.count()

    def __init__(self):
        self.number = next(self.numbers)

    def __repr__(self):
        return f"<view {self.number}>"

    def greet(self, name, run):
        return f"{self.greeting} {name} {run}"


@pytest.mark.parametrize("backend", [BACKEND, "SimpleCache"])
def test_method_views(runs, backend):
    """K9: each request has a new instance, which does not count."""
    app, _, _ = build(CACHE_TYPE=backend)

    class Page(Named, MethodView):
        @cached(60)
        def get(self, name):
            return self.greet(name, next(runs))

        @cached(60)
        def post(self, name):
            return self.greet(f"posted {name}", next(runs))

    app.add_url_rule("/<name>", view_func=Page.as_view("page"))
    for _ in range(2):
        assert ask(app, "GET /a", "GET /b", "HEAD /a") == ["hello a 1", "hello b 2", ""]
    assert ask(app, "POST /a", "POST /a", "GET /a") == ["hello posted a 4", "hello posted a 5", "hello a 1"]
    assert len(stored(app)) == 3


def test_helpers_of_class_based_views_are_no_views(app, runs):
    """Their instance counts, as anywhere; the method and the path do not."""

    class Page(MethodView):
        def __caching_id__(self):
            return "page"

        def get(self, name):
            return self.compute()

        post = get

        @cached(60)
        def compute(self):
            return str(next(runs))

    app.add_url_rule("/<name>", view_func=Page.as_view("page"))
    assert ask(app, "GET /a", "POST /a", "GET /b") == ["1"] * 3


def test_decorators_of_class_based_views(app, runs):
    """``decorators`` of a class and ``dispatch_request``: the cache is around all methods."""

    class Page(MethodView):
        decorators = (cached(60),)

        def get(self, name):
            return f"get {name} {next(runs)}"

        def post(self, name):
            return f"post {name} {next(runs)}"

    class Shop(View):
        methods = ("GET", "POST")

        @cached(60)
        def dispatch_request(self):
            return f"shop {request.method} {next(runs)}"

    app.add_url_rule("/page/<name>", view_func=Page.as_view("page"))
    app.add_url_rule("/shop", view_func=Shop.as_view("shop"))
    for _ in range(2):
        assert ask(app, "GET /page/a", "GET /shop", "GET /page/b") == ["get a 1", "shop GET 2", "get b 3"]
    assert ask(app, "POST /page/a", "POST /page/a") == ["post a 4", "post a 5"]
    assert ask(app, "POST /shop", "POST /shop", "GET /shop") == ["shop POST 6", "shop POST 7", "shop GET 2"]


def test_restful_resources(app, runs):
    """K9: the tutorial's resource, methods with and without arguments, and a second path."""

    class Stocks(Named, flask_restful.Resource):
        @cached(60)
        def get(self, name="all"):
            return {"name": name, "run": next(runs)}, 200, {"X-Made": "1"}

        @cached(60)
        def post(self, name="all"):
            return {"posted": name, "run": next(runs)}, 201

    flask_restful.Api(app).add_resource(Stocks, "/api/stocks", "/api/stocks/<name>")
    client = app.test_client()
    for _ in range(2):
        answer = client.get("/api/stocks")
        assert (answer.json, answer.headers["X-Made"]) == ({"name": "all", "run": 1}, "1")
        assert client.get("/api/stocks/a").json == {"name": "a", "run": 2}
        assert client.head("/api/stocks").status_code == 200
    assert [client.post("/api/stocks").json["run"] for _ in range(2)] == [4, 5]
    assert client.post("/api/stocks").status_code == 201
    assert len(stored(app)) == 3


@pytest.mark.parametrize("where", ["method_decorators", "one method's", "the api's"])
def test_restful_decorators(app, runs, where):
    """``method_decorators`` decorate the bound method afresh at each request (J7)."""

    class Stocks(Named, flask_restful.Resource):
        method_decorators = {
            "method_decorators": [cached(60)],
            "one method's": {"get": [cached(60)]},
            "the api's": [],
        }[where]

        def get(self, name):
            return f"get {name} {next(runs)}"

        def post(self, name):
            return f"post {name} {next(runs)}"

    decorators = [cached(60)] if where == "the api's" else []
    flask_restful.Api(app, decorators=decorators).add_resource(Stocks, "/<name>")
    client = app.test_client()
    asked = [("get", "a", 1), ("get", "b", 2), ("get", "a", 1), ("post", "a", 3), ("post", "a", 4)]
    for method, name, run in [*asked, *asked[:3]]:
        assert client.open(f"/{name}", method=method).json == f"{method} {name} {run}"


def test_a_bound_method_as_the_view(app, runs):
    """K9: two objects' methods, at a path each, and one object's at two."""

    class Shop:
        def __init__(self, name):
            self.name = name

        @cached(60)
        def page(self):
            return f"{self.name} {next(runs)}"

    for path, shop in (("a", Shop("ann")), ("b", Shop("bob"))):
        for rule in (path, f"{path}2"):
            app.add_url_rule(f"/{rule}", rule, shop.page, methods=["GET", "POST"])
    for _ in range(2):
        assert ask(app, "GET /a", "GET /b", "GET /a2", "GET /b2") == ["ann 1", "bob 2", "ann 3", "bob 4"]
    assert ask(app, "POST /a", "POST /a", "GET /a") == ["ann 5", "ann 6", "ann 1"]


def test_a_view_that_is_replaced(app, runs):
    """As people do in tests: what is registered when the request comes is what counts."""

    @app.route("/", methods=["GET", "POST"])
    @cached(60)
    def page():
        return str(next(runs))

    assert ask(app, "GET /", "POST /", "GET /") == ["1", "2", "1"]
    app.view_functions["page"] = lambda: f"instead {page()}"
    assert ask(app, "GET /", "POST /") == ["instead 3"] * 2
    app.view_functions["page"] = page
    assert ask(app, "GET /", "POST /") == ["1", "4"]


@pytest.mark.parametrize("backend", [BACKEND, "SimpleCache"])
def test_methods_that_a_view_overrides(runs, backend):
    """K9: by `super()` they answer the same request; views that follow each other may have one address."""
    app, _, _ = build(CACHE_TYPE=backend)

    class Base(MethodView):
        def __repr__(self):
            return "<view at 0x7f00>"

        @cached(60)
        def get(self):
            return f"{request.path} {next(runs)}"

        @cached(60)
        def post(self):
            return f"posted {next(runs)}"

    class Page(Base):
        def get(self):
            return super().get()

        def post(self):
            return super().post()

    for name in "ab":
        app.add_url_rule(f"/{name}", view_func=Page.as_view(name))
    for _ in range(2):
        assert ask(app, "GET /a", "GET /b") == ["/a 1", "/b 2"]
    assert ask(app, "POST /a", "POST /a") == ["posted 3", "posted 4"]


@pytest.mark.parametrize("backend", [BACKEND, "SimpleCache"])
def test_methods_of_a_view_that_call_each_other(runs, backend):
    """K9: GET's is not cached within a POST, and what a PUT deletes is what GET and HEAD stored."""
    app, _, _ = build(CACHE_TYPE=backend)

    class Page(MethodView):
        def __repr__(self):
            return "<view at 0x7f00>"

        @cached(60)
        def get(self, number):
            return f"{request.path} {number} {next(runs)}"

        def post(self, number):
            return self.get(number)

        def put(self, number):
            return str(self.get.delete(number))

    for name in "ab":
        app.add_url_rule(f"/{name}/<int:number>", view_func=Page.as_view(name))
    assert ask(app, "POST /a/1", "POST /b/1", "POST /a/1") == ["/a/1 1 1", "/b/1 1 2", "/a/1 1 3"]
    assert ask(app, "PUT /a/1", "GET /a/1", "HEAD /a/1", "GET /a/1") == ["False", "/a/1 1 4", "", "/a/1 1 4"]
    assert ask(app, "GET /a/2", "GET /b/1") == ["/a/2 2 6", "/b/1 1 7"]
    assert ask(app, "PUT /a/1", "PUT /a/1", "GET /a/1") == ["True", "False", "/a/1 1 8"]
    assert ask(app, "GET /a/2", "GET /b/1") == ["/a/2 2 6", "/b/1 1 7"]


class OwnView(View):
    """Makes its views by itself, as Flask does."""

    @classmethod
    def as_view(cls, name, *class_args, **class_kwargs):
        def view(**kwargs):
            return cls().dispatch_request(**kwargs)

        for decorator in cls.decorators:
            view = decorator(view)
        view.view_class = cls
        return view


@pytest.mark.parametrize("base", [View, OwnView])
def test_views_of_classes_that_are_made_at_each_call_keep_their_keys_apart(base):
    """J7, J2: all of them are one function until their class is put on them."""
    app, _, runs = build()

    class Alice(base):
        decorators = (memoize(60),)

        def dispatch_request(self):
            return f"Alice {runs.count('Alice')}"

    class Bob(Alice):
        def dispatch_request(self):
            return f"Bob {runs.count('Bob')}"

    for kind in (Alice, Bob):
        # Of other code, these are others than in the other run.
        kind.__qualname__ = f"{kind.__name__}{base.__name__}"
    with app.app_context():
        for _ in range(3):
            assert [Alice.as_view("a")(), Bob.as_view("b")()] == ["Alice 1", "Bob 1"]
        assert not hasattr(memoize(60)(len), "view_class")


NUMBERS = itertools.count()


def followed(function):
    @functools.wraps(function)
    def wrapper(**kwargs):
        return function(**kwargs)

    return wrapper


@pytest.mark.parametrize("init_every_request", [True, False])
@pytest.mark.parametrize(
    "decorators",
    [(memoize(60), followed), (followed, memoize(60), followed), (memoize(60), memoize(60))],
    ids=["first", "second", "stacked"],
)
def test_views_of_classes_with_decorators_around_memoize(decorators, init_every_request):
    """J2: Flask puts the class on the outermost one only; the class of the view itself counts then."""
    app, _, runs = build()

    class North(View):
        def dispatch_request(self, **kwargs):
            return f"{type(self).__name__} {kwargs} {runs.count(type(self).__name__)}"

    class South(North):
        pass

    North.decorators, North.init_every_request = decorators, init_every_request
    for kind in (North, South):
        # Of other code, these are others than in the other runs.
        kind.__qualname__ = f"{kind.__name__}{next(NUMBERS)}"
        app.add_url_rule(f"/{kind.__name__}/<id>", view_func=kind.as_view(kind.__name__))
    for _ in range(2):
        assert ask(app, "GET /North/1", "GET /South/1") == ["North {'id': '1'} 1", "South {'id': '1'} 1"]


def test_a_class_of_a_view_that_is_replaced_counts_at_once(monkeypatch):
    """J2: Flask puts it on the view so that tests can replace it."""
    app, _, runs = build()

    class Real(View):
        decorators = (memoize(60),)

        def dispatch_request(self):
            return f"{type(self).__name__} {runs.count('view')}"

    class Fake(Real):
        pass

    view = Real.as_view("view")
    app.add_url_rule("/", view_func=view)
    assert ask(app, "GET /", "GET /") == ["Real 1"] * 2
    with monkeypatch.context() as patch:
        patch.setattr(view, "view_class", Fake)
        assert ask(app, "GET /", "GET /") == ["Fake 2"] * 2
        with app.app_context():
            view.clear()
        assert ask(app, "GET /", "GET /") == ["Fake 3"] * 2
    assert ask(app, "GET /") == ["Real 1"]


def test_a_class_that_was_put_on_a_function_for_a_while(monkeypatch):
    """J2: as on any object."""
    function = memoize(60)(lambda: 1)
    with monkeypatch.context() as patch:
        patch.setattr(function, "view_class", View, raising=False)
        assert function.view_class is View
    assert not hasattr(function, "view_class")
    with pytest.raises(AttributeError):
        del function.view_class
