"""Traps K1 to K6: views, under real requests; what a cache by reference breaks."""

import gc
import io
import logging
import types
from datetime import timedelta

import pytest
from flask import (
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
)
from flask_caching import CachedResponse
from markupsafe import Markup

from ._apps import CACHES, build, facts

HITS = 50


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


def test_session_cookie_stays_with_its_visitor(cache_class):
    """K1: a session cookie, added to the cached Response after the view, is not the next visitor's."""
    app, cache, runs = build(cache_class)

    @app.before_request
    def log_in():
        if "user" in request.args:
            session["user"] = request.args["user"]

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return make_response("page")

    for user in ("alice", "bob", "carol"):
        answer = app.test_client().get(f"/?user={user}")
        assert answer.headers.getlist("Set-Cookie") != []
        stranger = app.test_client().get("/")
        assert stranger.headers.getlist("Set-Cookie") == []
        assert "Cookie" not in stranger.headers.get("Vary", "")
    assert runs == {"page": 1}


def test_headers_added_after_the_view_are_the_visitors_own(cache_class):
    """K1: what ``after_request`` adds for one visitor is in no other's answer."""
    app, cache, runs = build(cache_class)

    @app.after_request
    def greet(response):
        if "user" in request.args:
            response.headers["X-User"] = request.args["user"]
            response.set_cookie("user", request.args["user"])
            response.set_data(response.get_data() + b" for " + request.args["user"].encode())
        return response

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return Response("page")

    client = app.test_client(use_cookies=False)
    assert client.get("/?user=alice").text == "page for alice"
    assert client.get("/?user=bob").headers["X-User"] == "bob"
    answer = client.get("/")
    assert answer.text == "page"
    assert "X-User" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert runs == {"page": 1}


def test_a_304_for_one_is_not_a_304_for_all(cache_class):
    """K2: ``make_conditional`` changes this answer and not the entry."""
    app, cache, runs = build(cache_class)

    @app.after_request
    def conditional(response):
        response.add_etag()
        return response.make_conditional(request)

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return Response("a page of some length")

    client = app.test_client()
    first = client.get("/")
    fresh = {"If-None-Match": first.headers["ETag"]}
    for _ in range(3):
        assert client.get("/", headers=fresh).status_code == 304
        assert facts(client.get("/")) == facts(first)
        part = client.get("/", headers={"Range": "bytes=0-3"})
        assert part.get_data() in {b"a pa", b"a page of some length"}
    assert runs == {"page": 1}


def test_headers_do_not_pile_up(cache_class):
    """K3: each hit begins with the headers that the view gave."""
    app, cache, runs = build(cache_class)

    @app.after_request
    def add(response):
        response.headers.add("X-Hop", "1")
        response.vary.add("Accept")
        return response

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return Response("page", headers={"X-Hop": "0"})

    client = app.test_client()
    first = facts(client.get("/"))
    for _ in range(HITS):
        assert facts(client.get("/")) == first
    assert [value for name, value in first[1] if name == "X-Hop"] == ["0", "1"]
    assert runs == {"page": 1}


def lines():
    yield from (f"line {number}\n" for number in range(100))


STREAMS = {
    "generator": lambda path: Response(lines()),
    "context": lambda path: Response(stream_with_context(lines())),
    "file": send_file,
    "memory": lambda path: send_file(io.BytesIO(path.read_bytes()), mimetype="text/plain"),
    "direct": lambda path: Response(lines(), direct_passthrough=True),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_and_files_are_complete_every_time(cache_class, kind, tmp_path, caplog):
    """K4: a stream is used up by its first reader; it is served whole, cached or not, each time."""
    app, cache, runs = build(cache_class)
    path = tmp_path / "lines.txt"
    path.write_text("".join(lines()), encoding="utf-8", newline="")

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return STREAMS[kind](path)

    client = app.test_client()
    with caplog.at_level(logging.CRITICAL + 1):
        for _ in range(4):
            with client.get("/", buffered=True) as answer:
                assert answer.get_data() == path.read_bytes()
    assert 1 <= runs["page"] <= 4


def test_view_that_yields_is_joined(cache_class):
    """K4: a generator that is the view itself is joined and cached, as upstream does."""
    app, cache, runs = build(cache_class)

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        yield from ("a", "b", "é")

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["abé"] * 3
    assert runs == {"page": 1}


def depth(traceback):
    count = 0
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


@pytest.mark.parametrize("code", [404, 418, 503])
def test_cached_exception_grows_no_traceback(cache_class, code):
    """K5: each hit raises an exception of its own, whose traceback is as short as the last one's."""
    app, cache, runs = build(cache_class)
    raised = []

    @app.errorhandler(code)
    def keep(error):
        raised.append((id(error), depth(error.__traceback__)))
        return f"{error.code} {error.description}", error.code

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return abort(code, "mine")

    client = app.test_client()
    answers = {(answer.status_code, answer.text) for answer in (client.get("/") for _ in range(HITS))}
    assert answers == {(code, f"{code} mine")}
    assert runs == {"page": 1}
    depths = [deep for _, deep in raised]
    assert len(depths) == HITS
    assert len(set(depths[1:])) == 1
    assert depths[1] <= depths[0] + 1


def test_cached_exception_keeps_no_frames(cache_class):
    """K5: no frame, and so no local variable of a request, outlives its request."""
    app, cache, _ = build(cache_class)

    class Local:
        pass

    @app.route("/")
    @cache.cached(60)
    def page():
        local = Local()
        assert local
        return abort(404)

    client = app.test_client()

    def frames():
        gc.collect()
        return sum(isinstance(thing, types.FrameType) for thing in gc.get_objects())

    client.get("/")
    before = frames()
    for _ in range(HITS):
        assert client.get("/").status_code == 404
    assert frames() <= before + 2
    assert not [thing for thing in gc.get_objects() if type(thing) is Local]


class Own(Response):
    default_mimetype = "application/x-own"


KINDS = {
    "str": lambda: "text é",
    "markup": lambda: Markup("<b>bold</b>"),
    "bytes": lambda: b"\x00\xff",
    "dict": lambda: {"a": [1, None, {"b": 2}]},
    "list": lambda: [1, [2], "x"],
    "status": lambda: ("made", 201),
    "headers": lambda: ("x", {"X-One": "1"}),
    "header list": lambda: ("x", 202, [("X-Two", "1"), ("X-Two", "2")]),
    "dict in tuple": lambda: ({"a": 1}, 203, {"X-One": "1"}),
    "response in tuple": lambda: (Response("x", 200), 299),
    "response": lambda: Response("x", 203, {"X-One": "1"}),
    "json": lambda: jsonify(a=[1, 2]),
    "subclass": lambda: Own("own"),
    "redirect": lambda: redirect("/else?a=b"),
    "redirect 308": lambda: redirect("/else", 308),
    "cached response": lambda: CachedResponse(make_response("x", 201), 5),
    "empty": lambda: ("", 204),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_is_the_same_on_every_hit(cache_class, kind):
    """K6: whatever a view may return comes back whole, and ran once."""
    app, cache, runs = build(cache_class)
    returned = []

    @cache.cached(60)
    def cached_page():
        runs.count("page")
        return KINDS[kind]()

    @app.route("/")
    def page():
        returned.append(cached_page())
        return returned[-1]

    client = app.test_client()
    first = facts(client.get("/"))
    assert [facts(client.get("/")) for _ in range(5)] == [first] * 5
    assert runs == {"page": 1}
    assert {type(value) for value in returned} == {type(returned[0])}


@pytest.mark.parametrize(("cache_none", "expected"), [(False, 4), (True, 1)])
def test_none_is_served_only_where_asked_for(cache_class, cache_none, expected):
    """K6: None counts as a value with ``cache_none=True`` alone."""
    app, cache, runs = build(cache_class)

    @cache.cached(60, key_prefix="nothing", cache_none=cache_none)
    def nothing():
        runs.count("nothing")

    with app.app_context():
        assert [nothing() for _ in range(4)] == [None] * 4
    assert runs == {"nothing": expected}


def test_mutable_answers_are_the_callers_own(cache_class):
    """K6: what one visitor does to a dict, list or tuple of them is not seen by the next."""
    app, cache, _ = build(cache_class)

    @cache.cached(60, key_prefix="tree")
    def tree():
        return {"list": [1, {"deep": [2]}]}, ["a"]

    with app.app_context():
        for _ in range(4):
            got = tree()
            assert got == ({"list": [1, {"deep": [2]}]}, ["a"])
            got[0]["list"][1]["deep"].append(3)
            got[1].clear()


@pytest.mark.parametrize(("timeout", "lives"), [(5, 5), (timedelta(seconds=7), 7), (0, 60), (None, 60)])
def test_cached_response_says_how_long_it_lives(cache_class, timeout, lives):
    """K6: the timeout of a ``CachedResponse`` wins; 0 and None leave the decorator's."""
    app, cache, runs = build(cache_class)

    @app.route("/")
    @cache.cached(60)
    def page():
        return CachedResponse(make_response(f"run {runs.count('page')}"), timeout)

    client = app.test_client()
    client.get("/")
    app.cache_clock.advance(lives - 1)
    assert client.get("/").text == "run 1"
    app.cache_clock.advance(1)
    assert client.get("/").text == "run 2"
