"""What of a request counts for top-level ``cached`` is told by native code, exactly as Python tells it."""

import contextlib
import itertools
from unittest import mock

import pytest
from flask import Flask, request
from flask.views import MethodView
from flask_rustcache import Cache, cached
from flask_rustcache._keyed import KeyedView
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import ImmutableMultiDict, MultiDict

from ._anywhere import app, ask, runs
from ._apps import BACKEND

# Fixtures are found by their names.
__all__ = ["app", "runs"]


def untaught():
    """Native code is not told what functions are to views, so Python is asked at each call."""
    return mock.patch.object(KeyedView, "_sees", return_value=None)


def unasked():
    """Python cannot be asked."""
    return mock.patch.object(KeyedView, "_scope", mock.Mock(side_effect=AssertionError("was asked")))


class World:
    """An application whose every answer says which run it is."""

    def __init__(self, **options):
        self.runs = itertools.count(1)
        self.app = Flask("world", **options)
        self.app.config.update(CACHE_TYPE=BACKEND, SERVER_NAME="ex.com")
        Cache(self.app)
        self.fill()

    def fill(self):
        """Put views there: functions, methods, one above another, and what they call."""
        number = self.say

        @cached(60)
        def helper(argument):
            return number(f"helper {argument}")

        @cached(60)
        def page(n=0):
            return f"{number('page')} {helper(n)}"

        @cached(60, query_string=True)
        def search():
            return number(f"search {sorted(request.args.items(multi=True))} {part()}")

        @cached(60, query_string=True)
        def part():
            return number("part")

        class Base(MethodView):
            @cached(60)
            def get(self):
                return number("get")

            @cached(60)
            def post(self):
                return number("post")

            def __repr__(self):
                return "the same"

        class Derived(Base):
            def get(self):
                return f"{super().get()} {Base().get()}"

        def wrapper(n=0):
            return page(n)

        both = ["GET", "HEAD", "POST", "PUT"]
        self.views = {"page": page, "wrapper": wrapper, "helper": lambda n=0: helper(n)}
        self.app.add_url_rule("/page", endpoint="page", view_func=page, methods=both)
        self.app.add_url_rule("/page/<int:n>", endpoint="page", methods=both)
        self.app.add_url_rule("/again", endpoint="page", methods=both)
        self.app.add_url_rule("/page", endpoint="page", subdomain="sub", methods=both)
        self.app.add_url_rule("/helper", endpoint="helper", view_func=self.views["helper"], methods=both)
        self.app.add_url_rule("/search", view_func=search, methods=both)
        self.app.add_url_rule("/part", endpoint="part", view_func=lambda: f"{part()}", methods=both)
        self.app.before_request(self.replace_arguments)
        self.app.add_url_rule("/base", view_func=Base.as_view("base"))
        self.app.add_url_rule("/derived", view_func=Derived.as_view("derived"))

    def say(self, what):
        return f"{what} {request.method} {request.path} {next(self.runs)}"

    def replace_arguments(self):
        """Put others in their place, as an application may, or read them."""
        query = request.query_string.decode()
        if "swap" in query:
            request.args = MultiDict({"swapped": "yes"})
        elif "put" in query:
            request.args = ImmutableMultiDict({"put": query[-1]})
        elif "read" in query:
            request.args.get("read")

    def ask(self, method, path, root, host):
        """What a visitor gets."""
        overrides = {"SCRIPT_NAME": root}
        answer = self.app.test_client().open(
            path, method=method, base_url=f"http://{host}", environ_overrides=overrides
        )
        return answer.status_code, answer.text


SEARCHES = [
    *(
        "/search",
        "/search?a=1&b=2",
        "/search?b=2&a=1",
        "/search?a=1&a=2",
        "/search?a=2&a=1",
        "/search?a=%20",
        "/search?a=+",
    ),
    *(
        "/search?swap",
        "/search?swap=1",
        "/search?put=1",
        "/search?a=1&put=1",
        "/search?a&put=2",
        "/part?a=1",
        "/part?a=2",
    ),
    *("/search?read=1&a=2", "/search?a=2&read=1", "/search?a=3&read=1", "/part?read=1"),
]
REQUESTS = st.tuples(
    st.sampled_from(["GET"] * 6 + ["HEAD", "POST", "PUT", "OPTIONS"]),
    st.sampled_from(
        ["/page"] * 4
        + ["/again", "/page/1", "/page?a=1", "/helper", "/base", "/derived", "/derived", "/none"]
        + SEARCHES
    ),
    st.sampled_from([""] * 5 + ["/root", "/root/", "/"]),
    st.sampled_from(["ex.com", "ex.com", "sub.ex.com"]),
)
REPLACEMENTS = st.tuples(st.sampled_from(["page", "helper"]), st.sampled_from(["page", "wrapper", "helper"]))


# Three steps at least until native code goes by what it was told; most are requests.
STEPS = st.lists(st.one_of(REQUESTS, REQUESTS, REQUESTS, REPLACEMENTS), min_size=15, max_size=40)


@given(st.booleans(), STEPS)
def test_native_code_says_what_python_says(by_host, steps):
    """J5, K8, K9: whatever is asked for, and whichever views are put in others' places meanwhile."""
    told, asked = World(subdomain_matching=by_host), World(subdomain_matching=by_host)
    for step in steps:
        answers = []
        for world, way in ((told, contextlib.nullcontext()), (asked, untaught())):
            if len(step) == 2:
                endpoint, view = step
                world.app.view_functions[endpoint] = world.views[view]
                continue
            with way:
                answers.append(world.ask(*step))
        assert answers[:1] == answers[1:]


def test_python_is_not_asked_where_it_is_easily_told(app, runs):
    @app.get("/<int:n>")
    @cached(60)
    def page(n):
        return f"{n} {helper(n)} {next(runs)}"

    @cached(60)
    def helper(n):
        return next(runs)

    @app.route("/other", methods=["GET", "POST"])
    def other():
        return str(helper(1))

    class Item(MethodView):
        @cached(60)
        def get(self):
            return str(next(runs))

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    calls = ["GET /1", "GET /2", "GET /other", "POST /other", "GET /item"]
    first = ask(app, *calls, *calls)
    with unasked():
        assert ask(app, *calls) == first[:5] == first[5:]


def test_python_is_not_asked_for_queries_that_it_has_seen(app, runs):
    @app.route("/", methods=["GET", "POST"])
    @cached(60, query_string=True)
    def page():
        return str(next(runs))

    calls = ["GET /?a=1&b=2", "GET /?b=2&a=1", "GET /?a=2", "GET /"]
    # Of the first request for a view it asks what the view is, not what the query comes to.
    assert [ask(app, *calls) for _ in range(2)] == [["1", "1", "2", "3"]] * 2
    with unasked():
        assert ask(app, *calls) == ["1", "1", "2", "3"]
    assert ask(app, "POST /", "POST /") == ["4", "5"]


def test_no_more_views_are_remembered_than_a_few(app, runs):
    """J7: a function called from ever new views finds its entries, and holds none of the views."""

    @cached(60)
    def helper():
        return str(next(runs))

    app.add_url_rule("/", endpoint="page")
    for number in range(200):
        app.view_functions["page"] = lambda number=number: f"{number} {helper()}"
        assert ask(app, "GET /") == [f"{number} 1"]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_is_told_of_one_method_is_not_told_of_another(app, runs, method):
    """K9: a method for PUT is no plain function because it is not for GET."""

    class Item(MethodView):
        def get(self):
            return self.put()

        @cached(60)
        def put(self):
            return str(next(runs))

        def __repr__(self):
            return "item"

    app.add_url_rule("/", view_func=Item.as_view("item"))
    ask(app, "GET /", "GET /")
    expected = ["1", "1"] if method == "GET" else ["2", "3"]
    assert ask(app, f"{method} /", f"{method} /") == expected


@pytest.mark.parametrize("becomes", ["the view", "a part of it"])
def test_a_view_that_is_replaced_while_a_key_is_made(app, runs, becomes):
    """J2, K8: what native code was told before that, and the key after it, are not remembered as one."""

    @cached(60)
    def page(n):
        return f"{request.path} {next(runs)}"

    def part(n):
        return page(n)

    before, after = (part, page) if becomes == "the view" else (page, part)
    app.add_url_rule("/shown/<int:n>", "shown", before)
    app.add_url_rule("/part/<int:n>", "part", part)
    make = KeyedView._make

    def make_later(*call):
        with mock.patch.dict(app.view_functions, shown=after):
            return make(*call)

    # From then on native code knows what the function is to both.
    ask(app, *["GET /shown/1", "GET /part/1"] * 2)
    with mock.patch.object(KeyedView, "_make", make_later):
        answer = ask(app, "GET /shown/2")
    # The one is not found under the other's key.
    assert ask(app, "GET /part/2" if becomes == "the view" else "GET /shown/2") != answer
