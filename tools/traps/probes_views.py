"""Probes of cached views, under requests: traps H6, I1, J5, K1 to K8."""

from __future__ import annotations

import logging
from typing import Any

from caches import Peer
from flask import Response, make_response, request, session, stream_with_context
from probing import probe


@probe("H6")
def one_off_traffic(peer: Peer) -> None:
    """A memoized call that comes again and again stays cached while 1,000 other keys pass."""
    _, cache = peer.app(CACHE_THRESHOLD=20)
    runs: list[int] = []

    @cache.memoize(60)
    def work(key: int) -> int:
        runs.append(key)
        return key

    for number in range(1000):
        work(1)
        cache.set(f"once {number}", 1)
    assert len(runs) <= 5, f"{len(runs)} runs of 1,000 calls"


@probe("I1")
def unpicklable(peer: Peer) -> None:
    """What cannot be stored is returned each time, and whatever was set before stays."""
    _, cache = peer.app()
    logging.disable()
    call = cache.memoize(60)(lambda: lambda: 1)
    assert [call()() for _ in range(2)] == [1, 1]
    cache.set("a", 1)
    try:
        cache.set("a", lambda: 2)
    except Exception:
        assert cache.get("a") == 1
        return
    raise AssertionError("`set` says nothing")


@probe("J5")
def queries(peer: Peer) -> None:
    """The order of a query does not count; blanks and repetitions do."""
    app, cache = peer.app()

    @app.route("/")
    @cache.cached(60, query_string=True)
    def page() -> str:
        return request.query_string.decode()

    client = app.test_client()
    assert client.get("/?b=2&a=1").text == client.get("/?a=1&b=2").text
    for query in ("a=1", "a=1&a=2", "a=1&b=", "a=1&a=1", "a=%2B", "a=+", ""):
        answer = client.get(f"/?{query}").text
        assert answer == query, f"{query!r} gets the answer of {answer!r}"


@probe("K1")
def session_cookie(peer: Peer) -> None:
    """One visitor's session is not the next one's."""
    app, decorate = peer.pages()
    app.secret_key = "k"

    @app.before_request
    def log_in() -> None:
        if "user" in request.args:
            session["user"] = request.args["user"]

    app.add_url_rule("/", "page", decorate(lambda: make_response("page")))
    app.test_client().get("/?user=alice")
    stranger = app.test_client().get("/")
    assert "Set-Cookie" not in stranger.headers, "handed over"


@probe("K2")
def conditional(peer: Peer) -> None:
    """After a 304 for one, the next visitor gets the page."""
    app, decorate = peer.pages()

    @app.after_request
    def shorten(response: Response) -> Response:
        response.add_etag()
        return response.make_conditional(request)

    app.add_url_rule("/", "page", decorate(lambda: make_response("page")))
    client = app.test_client()
    tag = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304
    answer = client.get("/")
    assert (answer.status_code, answer.text) == (200, "page"), f"{answer.status_code} {answer.text!r}"


@probe("K3")
def headers(peer: Peer) -> None:
    """A header that is added to each answer is in each once."""
    app, decorate = peer.pages()

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.add("X-Seen", "1")
        return response

    app.add_url_rule("/", "page", decorate(lambda: make_response("page")))
    client = app.test_client()
    seen = [len(client.get("/").headers.getlist("X-Seen")) for _ in range(5)]
    assert seen == [1] * 5, f"{seen[-1]} times after five answers"


@probe("K4")
def streams(peer: Peer) -> None:
    """A streamed answer is complete every time."""
    app, decorate = peer.pages()

    def view() -> Response:
        return Response(stream_with_context(iter(["a", "b", "c"])))

    app.add_url_rule("/", "page", decorate(view))
    client = app.test_client()
    answers = [client.get("/").text for _ in range(3)]
    assert answers == ["abc"] * 3, answers


@probe("K7")
def failing_backend(peer: Peer) -> None:
    """A backend that raises as it stores: the view runs once a request, and is served."""
    app, cache = peer.app()
    logging.disable()
    runs: list[int] = []

    @app.route("/")
    @cache.cached(60)
    def page() -> str:
        runs.append(1)
        return "page"

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the backend is down")

    cache.cache.set = fail
    answer = app.test_client().get("/").text
    assert (answer, len(runs)) == ("page", 1), f"{answer!r}, {len(runs)} runs"


@probe("K8")
def two_applications(peer: Peer) -> None:
    """One cache object with two applications: each has its own answers."""
    app, cache = peer.app()
    other, _ = peer.app()
    cache.init_app(other)
    for place in (app, other):
        place.add_url_rule("/", "page", cache.cached(60)(lambda place=place: str(id(place))))
    for place in (app, other, app, other):
        assert place.test_client().get("/").text == str(id(place))
