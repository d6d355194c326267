"""DESIGN, "Values": responses. Each hit gets one of its own; streams are never half cached."""

import io
import pickle

import flask
import pytest
import werkzeug
from flask import Flask, make_response, redirect, request, send_file
from flask_caching import CachedResponse
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from werkzeug.datastructures import Headers

HITS = 6


class Own(flask.Response):
    """An application's own class."""

    default_mimetype = "application/x-own"


class Odd(Headers):
    """Headers of an unusual class."""


app = Flask(__name__)


@pytest.fixture(params=[0, 2**24], ids=["compact", "prototype"])
def cache(request):
    return RustCache(clock=ManualClock(), prototype_bytes=request.param)


@pytest.fixture(autouse=True)
def context():
    with app.test_request_context("/page", headers={"If-None-Match": '"tag"'}):
        yield


def with_cookies():
    response = make_response("body", 203, {"X-Twice": "1"})
    response.headers.add("X-Twice", "2")
    response.set_cookie("one", "1", max_age=5, httponly=True)
    response.set_cookie("two", "zwei")
    response.delete_cookie("three")
    return response


def conditional():
    response = make_response("body")
    response.set_etag("tag")
    return response.make_conditional(request)


def with_attributes():
    response = flask.Response(["a", "b"])
    response.note = {"mine": [1, {2}]}
    return response


def shared_within():
    response = flask.Response(b"x")
    response.also = response.headers._list
    return response


def odd_headers():
    response = flask.Response("x")
    response.headers = Odd({"X-Odd": "1"})
    return response


def cached_response(timeout=7):
    return CachedResponse(make_response({"a": [1]}, 201), timeout)


RESPONSES = {
    "text": lambda: flask.Response("text é"),
    "empty": lambda: flask.Response(status=204),
    "bytes": lambda: flask.Response(bytes(range(256)) * 40, mimetype="application/octet-stream"),
    "json": lambda: flask.jsonify({"a": [1, 2, None]}),
    "no headers": lambda: flask.Response("x", headers=[]),
    "custom status": lambda: flask.Response("x", status="299 Very Fine"),
    "redirect": lambda: redirect("/elsewhere?a=b"),
    "cookies": with_cookies,
    "304": conditional,
    "werkzeug": lambda: werkzeug.Response("plain", 202),
    "cached response": cached_response,
    "cached response without timeout": lambda: cached_response(None),
    "subclass": lambda: Own("own"),
    "attributes": with_attributes,
    "shared within": shared_within,
    "odd headers": odd_headers,
    "list body": lambda: flask.Response([b"a", b"b", b""]),
    "tuple body": lambda: flask.Response(("a", "b")),
    "many headers": lambda: flask.Response("x", headers=[(f"X-{n}", "v" * n) for n in range(300)]),
}


def facts(response):
    """Everything that is in a response, headers in their order."""
    state = {key: value for key, value in vars(response).items() if key != "headers"}
    headers = (type(response.headers), list(response.headers))
    return type(response), response.status, response.status_code, headers, state


def answer(response):
    return list(response.iter_encoded()), response.content_type, response.get_wsgi_headers(request.environ)


@pytest.mark.parametrize("make", RESPONSES.values(), ids=RESPONSES)
def test_every_hit_is_what_unpickling_would_give(cache, make):
    response = make()
    expected = pickle.loads(pickle.dumps(response, pickle.HIGHEST_PROTOCOL))
    before = facts(response)
    assert cache.set("a", response) is True
    assert facts(response) == before
    got = [cache.get("a") for _ in range(HITS)]
    assert all(facts(one) == facts(expected) == before for one in got)
    assert all(answer(one) == answer(expected) for one in got)
    assert len({id(one) for one in [response, *got]}) == HITS + 1
    assert len({id(one.headers) for one in [response, *got]}) == HITS + 1


def spoil(response):
    """Do to a response what `after_request` functions do, and worse."""
    response.set_cookie("session", "Alice")
    response.headers["X-Frame-Options"] = "DENY"
    response.headers.add("Vary", "Cookie")
    response.status_code = 500
    response.response.append(b"more") if isinstance(response.response, list) else None
    response.set_data("other")
    response.cache_control.max_age = 5
    if hasattr(response, "note"):
        response.note["mine"][1].add("spoilt")
    response.new = "attribute"


@pytest.mark.parametrize("make", RESPONSES.values(), ids=RESPONSES)
def test_what_happens_to_one_response_is_no_others_matter(cache, make):
    response, expected = make(), facts(make())
    cache.set("a", response)
    spoil(response)
    for hit in range(1, HITS):
        got = cache.get("a")
        assert facts(got) == expected, f"hit {hit}"
        spoil(got)


def test_a_304_made_of_a_hit_is_not_a_304_for_all(cache):
    response = make_response("body")
    response.set_etag("tag")
    cache.set("a", response)
    for _ in range(HITS):
        assert (cache.get("a").status_code, cache.get("a").get_data()) == (200, b"body")
        assert cache.get("a").make_conditional(request).status_code == 304


def test_a_cached_response_keeps_its_timeout(cache):
    cache.set("a", cached_response(7))
    cache.set("b", cached_response(None))
    for _ in range(HITS):
        assert (cache.get("a").timeout, cache.get("b").timeout) == (7, None)


def test_sharing_within_a_response_stays(cache):
    cache.set("a", shared_within())
    for _ in range(HITS):
        got = cache.get("a")
        got.also.append(("X-Added", "1"))
        assert got.headers["X-Added"] == "1"


def test_responses_within_containers(cache):
    cache.set("a", {"answer": with_cookies(), "pair": (flask.Response("x"), 404)})
    for _ in range(HITS):
        got = cache.get("a")
        assert facts(got["answer"]) == facts(with_cookies())
        assert got["pair"][0].get_data() == b"x"
        spoil(got["answer"])


def test_a_generator_raises_and_is_left_unread(cache):
    cache.set("a", "old")
    parts = (part for part in ("one", "two"))
    response = flask.Response(parts)
    for verb in (cache.set, cache.add):
        for key in ("a", "b"):
            if (verb, key) != (cache.add, "a"):
                with pytest.raises(TypeError, match="generator"):
                    verb(key, response)
    assert cache.get_many("a", "b") == ["old", None]
    assert response.get_data() == b"onetwo"


def test_a_file_raises_and_is_left_unread(cache, tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"content" * 1000)
    response = send_file(path)
    with pytest.raises(TypeError, match="cannot pickle"):
        cache.set("a", response)
    assert cache.has("a") is False
    response.direct_passthrough = False
    assert response.get_data() == b"content" * 1000
    response.close()


def test_a_stream_in_memory_comes_whole_to_everyone(cache):
    """`io.BytesIO` can be pickled, so each hit must have a reading position of its own."""
    response = send_file(io.BytesIO(b"content"), mimetype="text/plain")
    response.direct_passthrough = False
    cache.set("a", response)
    assert response.get_data() == b"content"
    for _ in range(HITS):
        got = cache.get("a")
        assert got.get_data() == b"content"
        got.close()


def test_a_callback_on_close_is_not_lost_silently(cache):
    response = flask.Response("x")
    response.call_on_close(spoil)
    cache.set("a", response)
    assert all(cache.get("a")._on_close == [spoil] for _ in range(HITS))
    response.call_on_close(lambda: None)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        cache.set("b", response)
    assert cache.has("b") is False


def test_a_patched_instance_is_not_taken_for_a_plain_one(cache):
    """A method set on the instance is state like any other: kept if it can be, an error if not."""
    response = flask.Response("x")
    response.get_data = lambda: b"patched"
    with pytest.raises((AttributeError, pickle.PicklingError)):
        cache.set("a", response)


def test_a_class_that_only_sounds_like_one(cache):
    class_ = type("Response", (), {"__module__": __name__, "__qualname__": "Response"})
    globals()["Response"] = class_
    value = class_()
    value.body = ["x"]
    cache.set("a", value)
    for _ in range(HITS):
        got = cache.get("a")
        assert type(got) is class_
        assert got.body == ["x"]
        got.body.append("y")
