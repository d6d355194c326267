"""Top-level ``cached`` on views: it recognises the view being dispatched, and is safe by default."""

import functools
import logging

import pytest
from flask import Blueprint, Response, abort, make_response, request, session
from flask_rustcache import Cache, cached, memoize
from werkzeug.exceptions import NotFound

from ._anywhere import app, ask, runs, stored
from ._apps import build

# Fixtures are found by their names.
__all__ = ["app", "runs"]


def test_each_path_has_its_entry(app, runs):
    @app.get("/")
    @app.get("/<name>")
    @cached(60)
    def page(name=""):
        return f"{name} {next(runs)}"

    assert ask(app, "GET /", "GET /a", "GET /", "GET /a", "GET /b", "GET /a?x=1") == [
        *(" 1", "a 2", " 1", "a 2", "b 3", "a 2"),
    ]
    assert len(stored(app)) == 3


def test_get_and_head_are_kept_apart_and_others_run(app, runs):
    """A POST is neither answered from the cache nor stored; its answer is no GET's."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    @app.route("/", methods=methods, provide_automatic_options=False)
    @cached(60)
    def page():
        return Response(f"{request.method} {next(runs)}", headers={"X-Method": request.method})

    writing = [f"{method} /" for method in methods[1:]]
    assert ask(app, *writing, *writing) == [f"{method} {n}" for n, method in enumerate(methods[1:] * 2, 1)]
    assert stored(app) == set()
    client = app.test_client()
    for _ in range(2):
        assert client.get("/").text == "GET 11"
        head = client.head("/")
        assert (head.headers["X-Method"], head.content_length, head.text) == ("HEAD", len("HEAD 12"), "")
    assert ask(app, "POST /", "GET /") == ["POST 13", "GET 11"]
    assert len(stored(app)) == 2


def test_query_counts_where_it_is_asked_for(app, runs):
    """J5: in any order, with repeated names, blank values and either way of quoting."""

    @app.get("/")
    @cached(60, query_string=True)
    def page():
        return str(next(runs))

    same = [
        ["/"],
        ["/?a=1&b=2", "/?b=2&a=1"],
        ["/?a=1&b=2&a=3", "/?a=3&a=1&b=2"],
        ["/?a="],
        ["/?b=1%202", "/?b=1+2"],
        ["/?b=1%2B2"],
        ["/?a=1%26b%3D2"],
        ["/?a=%C3%A9", "/?a=é"],
        ["/?a=('b',%20'c')"],
        ["/?b=2&b=1&a=1"],
    ]
    for _ in range(2):
        for number, paths in enumerate(same, start=1):
            assert ask(app, *(f"GET {path}" for path in paths)) == [str(number)] * len(paths), paths


def test_key_in_the_present_context(app, runs):
    """``key`` and ``delete`` speak of the request that is there; without one, of the plain call."""

    @app.route("/<name>", methods=["GET", "POST"])
    @cached(60, query_string=True)
    def page(name):
        return f"{name} {next(runs)}"

    assert ask(app, "GET /a?x=1&y=2", "GET /b") == ["a 1", "b 2"]
    with app.test_request_context("/a?y=2&x=1"):
        assert {page.key("a"), page.key(name="a")} <= stored(app)
        assert page.delete("a") is True
        assert page.delete("a") is False
        assert page("a") == "a 3"
    with app.app_context():
        assert page.key("a") not in stored(app)
        assert page("a") == page(name="a") == "a 4"
    with app.test_request_context("/a", method="POST"):
        assert [page("a"), page("a")] == ["a 5", "a 6"]
    assert ask(app, "GET /a?x=1&y=2", "GET /b") == ["a 3", "b 2"]
    with app.app_context():
        page.clear()
    assert ask(app, "GET /b", "GET /b") == ["b 7"] * 2


def test_what_is_not_the_view_counts_as_a_plain_function(app, runs):
    """One entry for all paths and methods, though another view, an error handler or the like calls it."""

    @cached(60)
    def rates(day="today"):
        return f"{day} {next(runs)}"

    @app.get("/view")
    @cached(60)
    def view():
        return f"view {rates()} {next(runs)}"

    @app.route("/other/<name>", methods=["GET", "POST"])
    def other(name):
        return f"{rates('today')} {view() if name == 'view' else ''}"

    @app.errorhandler(404)
    def missing(_):
        return rates(), 404

    assert ask(app, "GET /other/a", "POST /other/b", "GET /nowhere") == ["today 1 ", "today 1 ", "today 1"]
    assert ask(app, "GET /view", "GET /view") == ["view today 1 2"] * 2
    plain = "today 1 view today 1 3"
    assert ask(app, "GET /other/view", "POST /other/view") == [plain] * 2
    assert ask(app, "GET /view") == ["view today 1 2"]
    with app.app_context():
        assert rates() == "today 1"
        assert view() == "view today 1 3"


def test_before_request_is_not_the_view(app, runs):
    """A cached hook runs once for all requests, POST among them."""

    @app.before_request
    @cached(60, cache_none=True)
    def hook():
        next(runs)

    app.add_url_rule("/<name>", "page", lambda name: name, methods=["GET", "POST"])
    assert ask(app, "POST /a", "GET /b", "POST /a") == ["a", "b", "a"]
    assert next(runs) == 2


def test_make_cache_key(app, runs):
    """Its key is the key, whatever the method; it is given the arguments."""
    given = []

    def make(*args, **kwargs):
        given.append((args, kwargs))
        return f"page of {kwargs['name']}"

    @app.route("/<kind>/<name>", methods=["GET", "POST"])
    @cached(60, make_cache_key=make)
    def page(kind, name):
        return f"{kind} {name} {next(runs)}"

    assert ask(app, "POST /a/ann", "GET /b/ann", "HEAD /c/ann") == ["a ann 1", "a ann 1", ""]
    assert stored(app) == {"page of ann"}
    assert given[0] == ((), {"kind": "a", "name": "ann"})
    with app.app_context():
        assert page.key(kind="z", name="ann") == "page of ann"
        assert page.delete(kind="z", name="ann") is True
        assert page(kind="d", name="ann") == "d ann 2"
        page.clear()
    assert stored(app) == set()


def test_a_view_deletes_what_it_stored_for_reading(app, runs):
    """C6: in a request that writes, which is when things change, and of GET and HEAD alike."""

    @app.route("/<name>", methods=["GET", "POST"])
    @cached(60)
    def page(name):
        if request.method == "POST":
            assert page.key(name) in stored(app)
            return str(page.delete(name))
        return f"{name} {next(runs)}"

    assert ask(app, "GET /a", "HEAD /a", "GET /b") == ["a 1", "", "b 3"]
    assert len(stored(app)) == 3
    assert ask(app, "POST /a", "GET /b", "GET /a", "HEAD /a") == ["True", "b 3", "a 4", ""]
    with app.test_request_context("/a"):
        assert page.delete("a")
    assert len(stored(app)) == 1


def test_decorators_above_and_below(app, runs):
    """The view is found through what ``functools.wraps`` leaves, wherever ``cached`` stands."""

    def loud(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs) + "!"

        return call

    def above():
        return f"above {next(runs)}"

    def below():
        return f"below {next(runs)}"

    def both():
        return f"both {next(runs)}"

    app.add_url_rule("/above", "above", loud(loud(cached(60)(above))))
    app.add_url_rule("/below", "below", cached(60)(loud(below)))
    app.add_url_rule("/both", "both", loud(cached(60)(loud(both))), methods=["GET", "POST"])
    for _ in range(2):
        assert ask(app, "GET /above", "GET /below", "GET /both") == ["above 1!!", "below 2!", "both 3!!"]
    assert ask(app, "POST /both", "POST /both", "GET /both") == ["both 4!!", "both 5!!", "both 3!!"]


def test_blueprints(app, runs):
    """K8: one blueprint at two places, and one inside another."""
    shop, inner = Blueprint("shop", __name__), Blueprint("inner", __name__, url_prefix="/inner")

    @shop.route("/", methods=["GET", "POST"])
    @inner.route("/", methods=["GET", "POST"])
    @cached(60)
    def page():
        return f"{request.blueprint} {next(runs)}"

    shop.register_blueprint(inner)
    app.register_blueprint(shop, url_prefix="/a")
    app.register_blueprint(shop, url_prefix="/b", name="again")
    first = ["shop 1", "again 2", "shop.inner 3", "again.inner 4"]
    for _ in range(2):
        assert ask(app, "GET /a/", "GET /b/", "GET /a/inner/", "GET /b/inner/") == first
    assert ask(app, "POST /a/inner/", "POST /a/inner/") == ["shop.inner 5", "shop.inner 6"]


def test_view_arguments_named_as_what_the_key_is_made_of(app, runs):
    """J4."""

    @app.get("/<path>/<query_string>/<key>/<function>/<kwargs>/<args>/<cls>")
    @cached(60)
    def page(**kwargs):
        return f"{sorted(kwargs)} {kwargs['path']} {next(runs)}"

    first, second = ask(app, "GET /1/2/3/4/5/6/7", "GET /2/2/3/4/5/6/7")
    assert first.endswith("1 1")
    assert second.endswith("2 2")
    assert ask(app, "GET /1/2/3/4/5/6/7", "GET /2/2/3/4/5/6/7") == [first, second]


@pytest.mark.parametrize("named", [True, False])
def test_a_view_with_an_argument_that_is_called_as_an_owner_is(app, named):
    """J4: ``<cls>`` in a path is an argument like any other, also where the view calls itself for others."""

    @app.get("/<cls>")
    @cached(60)
    def members(cls):
        if cls != "all":
            return cls
        return " ".join(members(cls=name) if named else members(name) for name in "abab")

    for _ in range(2):
        assert ask(app, "GET /all", "GET /a", "GET /b") == ["a b a b", "a", "b"]
    assert len(stored(app)) == 5


def test_private_responses_are_not_stored(app, runs):
    """K1: with one warning; CACHE_STORE_PRIVATE is upstream's way."""

    @app.get("/<user>")
    @cached(60, make_cache_key=lambda user: "page")
    def page(user):
        answer = make_response(f"{user} {next(runs)}")
        answer.set_cookie("user", user)
        return answer

    with pytest.warns(UserWarning, match="page returned a response with Set-Cookie") as warned:
        assert ask(app, "GET /alice", "GET /bob", "GET /bob") == ["alice 1", "bob 2", "bob 3"]
    assert len(warned) == 1
    assert stored(app) == set()
    lenient = build(CACHE_STORE_PRIVATE=True)[0]
    lenient.add_url_rule("/<user>", view_func=page)
    assert ask(lenient, "GET /alice", "GET /bob") == ["alice 4"] * 2


def test_what_is_added_after_the_view_is_the_visitors_own(app, runs):
    """K1, K2, K3: session cookies, headers and bodies that change after the view."""

    @app.after_request
    def greet(response):
        session["visits"] = 1
        response.headers.add("X-Seen", "1")
        response.set_data(response.get_data() + b"+")
        return response

    @app.get("/")
    @cached(60)
    def page():
        return Response(iter([f"page {next(runs)}"]))

    for _ in range(3):
        answer = app.test_client().get("/")
        assert (answer.text, answer.headers.getlist("X-Seen")) == ("page 1+", ["1"])
        assert len(answer.headers.getlist("Set-Cookie")) == 1


def test_errors_are_stored_with_the_view(app, runs):
    """K5: an HTTPException is stored and raised, with a traceback that does not grow; no other is."""

    @app.get("/<kind>")
    @cached(60)
    def page(kind):
        number = next(runs)
        if kind == "missing":
            abort(404, f"run {number}")
        raise ValueError(f"run {number}")

    answers = ask(app, *["GET /missing"] * 3)
    assert "run 1" in answers[0]
    assert set(answers) == {answers[0]}
    lengths = set()
    for _ in range(4):
        with app.test_request_context("/missing"), pytest.raises(NotFound) as raised:
            page("missing")
        lengths.add(len(raised.traceback))
    assert len(lengths) == 1
    for number in (2, 3):
        with pytest.raises(ValueError, match=f"run {number}"):
            ask(app, "GET /other")


def test_asynchronous_views_and_generators(app, runs):
    """They are run to their end, once."""

    @app.get("/async")
    @cached(60)
    async def coroutine():
        return f"async {next(runs)}"

    @app.get("/generator")
    @cached(60)
    def generator():
        yield f"generator {next(runs)}"
        yield "!"

    for _ in range(3):
        assert ask(app, "GET /async", "GET /generator") == ["async 1", "generator 2!"]


@pytest.mark.parametrize("debug", [False, True])
def test_debug_mode(runs, debug, caplog):
    """Answers are the same; hits are logged as Flask-Caching logs them."""
    app, _, _ = build()
    app.debug = debug

    @app.route("/", methods=["GET", "POST"])
    @cached(60)
    def page():
        return str(next(runs))

    with caplog.at_level(logging.INFO, logger="flask_caching"):
        assert ask(app, "GET /", "GET /", "POST /", "GET /") == ["1", "1", "2", "1"]
    hits = [record.getMessage() for record in caplog.records if "Cache used" in record.getMessage()]
    with app.test_request_context("/"):
        assert hits == [f"Cache used for key: {page.key()}"] * (2 if debug else 0)


def test_cache_by_name_serves_views_too(runs):
    """With ``cache=`` the same keys, in the cache that was named."""
    app, cache, _ = build()
    other = Cache(app, config={"CACHE_TYPE": "flask_rustcache.RustCache"})

    @app.route("/<name>", methods=["GET", "POST"])
    @cached(60, cache=other)
    def page(name):
        return f"{name} {next(runs)}"

    assert ask(app, "GET /a", "GET /a", "POST /a", "GET /b") == ["a 1", "a 1", "a 2", "b 3"]
    assert [len(app.extensions["cache"][one]._cache) for one in (cache, other)] == [0, 2]


@pytest.mark.parametrize("tags", [None, ["mine"]])
@pytest.mark.parametrize("decorate", [cached, memoize])
def test_a_value_put_by_hand_that_was_served_is_cleared(decorate, tags):
    """C6: whoever stored it, what a function answered with is forgotten with it."""
    app, cache, runs = build()

    @app.get("/page")
    @decorate(60)
    def page():
        keys.append(page.key())
        return f"run {runs.count('page')}"

    keys, client = [], app.test_client()
    assert [client.get("/page").text for _ in range(3)] == ["run 1"] * 3
    with app.app_context():
        cache.set(keys[0], "by hand", tags=tags)
        assert [client.get("/page").text for _ in range(3)] == ["by hand"] * 3
        page.clear()
    assert client.get("/page").text == "run 2"
