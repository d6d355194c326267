"""Decision, "stored value": what says that it is for one visitor is served to that one alone."""

import contextlib
import functools
import itertools
import sys
import warnings
from collections import UserDict, UserList
from http import HTTPStatus
from unittest import mock

import flask_rustcache
import pytest
from flask import Response, abort, make_response, redirect
from flask_caching import CachedResponse
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ._apps import CACHES, backend_of, build


def with_cookie():
    response = make_response("page")
    response.set_cookie("user", "alice")
    return response


def response(**headers):
    return Response("page", headers={name.replace("_", "-"): value for name, value in headers.items()})


def private_by_attribute():
    made = Response("page")
    made.cache_control.private = True
    return made


def two_cache_controls():
    made = Response("page")
    made.headers.add("Cache-Control", "max-age=5")
    made.headers.add("Cache-Control", "private")
    return made


PRIVATE = {
    "cookie": with_cookie,
    "cookie header": lambda: response(Set_Cookie="a=b"),
    "deleted cookie": lambda: delete_cookie(Response("page")),
    "private": lambda: response(Cache_Control="private"),
    "private with names": lambda: response(Cache_Control='max-age=5, private="X-User"'),
    "no-store": lambda: response(Cache_Control="no-store"),
    "upper case": lambda: response(cache_control="max-age=0,NO-STORE , must-revalidate"),
    "by attribute": private_by_attribute,
    "second header": two_cache_controls,
    "redirect": lambda: delete_cookie(redirect("/else")),
    "cached response": lambda: CachedResponse(with_cookie(), 5),
    "dict": lambda: ("page", {"Set-Cookie": "a=b"}),
    "dict with list": lambda: ("page", {"Set-Cookie": ["a=b", "c=d"]}),
    "dict and status": lambda: ("page", 200, {"cache-control": "no-store"}),
    "list": lambda: ("page", 200, [("Cache-Control", "private")]),
    "headers": lambda: ("page", Headers({"Set-Cookie": "a=b"})),
    "headers and status": lambda: ("page", 200, Headers([("X", "1"), ("Set-Cookie", "a=b")])),
    "mapping": lambda: ("page", 200, UserDict({"Set-Cookie": "a=b"})),
    "mapping with list": lambda: ("page", 200, UserDict({"set-cookie": ["a=b", "c=d"]})),
    "items of a mapping": lambda: ("page", 200, UserDict({"Set-Cookie": "a=b"}).items()),
    "pairs one after the other": lambda: ("page", "200 OK", iter([("Cache-Control", "private")])),
    "pairs of a class of their own": lambda: ("page", 200, Pairs([("Cache-Control", "no-store")])),
    "response in tuple": lambda: (with_cookie(), 201),
    "exception": lambda: abort(with_cookie()),
}

STATUSES = (206, 304, 412, 416)
FORMS = {
    "": lambda status: Response("part", status),
    "tuple": lambda status: ("part", status),
    "tuple with headers": lambda status: ("part", status, {"X-One": "1"}),
    "enum": lambda status: ({"part": 1}, HTTPStatus(status)),
    "text": lambda status: (["part"], f"{status} SO IT IS"),
    "digits": lambda status: (b"part", f"{status}"),
}
CONDITIONAL = {
    f"{status} {form}".strip(): functools.partial(make, status)
    for status, (form, make) in itertools.product(STATUSES, FORMS.items())
}


class Pairs(UserList):
    """Headers as pairs, neither a list nor an iterator."""


def delete_cookie(made):
    made.delete_cookie("user")
    return made


def serve(make, cache_class=flask_rustcache.Cache, **config):
    """Make an application whose view ``/`` gives what ``make`` makes."""
    app, cache, runs = build(cache_class, **config)

    @app.route("/")
    @cache.cached(60)
    def page():
        runs.count("page")
        return make()

    return app, cache, runs


@pytest.mark.parametrize("kind", PRIVATE)
def test_private_responses_are_returned_and_not_stored(kind):
    app, cache, runs = serve(PRIVATE[kind])
    client = app.test_client()
    with pytest.warns(UserWarning, match="page returned a response with Set-Cookie") as warned:
        answers = [client.get("/") for _ in range(3)]
    assert len(warned) == 1
    assert runs == {"page": 3}
    assert list(backend_of(app, cache)._cache) == []
    for answer in answers:
        control = " ".join(answer.headers.getlist("Cache-Control")).lower()
        assert answer.headers.getlist("Set-Cookie") or "private" in control or "no-store" in control


@pytest.mark.parametrize("kind", PRIVATE)
def test_store_private_is_upstreams_way(kind):
    """With ``CACHE_STORE_PRIVATE``, and without a warning."""
    app, _, runs = serve(PRIVATE[kind], CACHE_STORE_PRIVATE=True)
    client = app.test_client(use_cookies=False)
    first, second = client.get("/"), client.get("/")
    assert list(first.headers) == list(second.headers)
    assert runs == {"page": 1}


@pytest.mark.parametrize("status", CONDITIONAL)
def test_an_answer_to_one_requests_conditions_is_not_stored(status):
    """304 for one is no 304 for all; nor is a part of a page the page."""
    app, _, runs = serve(CONDITIONAL[status])
    client, code = app.test_client(), int(status[:3])
    with pytest.warns(UserWarning, match="answers one request's conditions") as warned:
        assert [client.get("/").status_code for _ in range(2)] == [code] * 2
    assert (len(warned), runs) == (1, {"page": 2})
    app, _, runs = serve(CONDITIONAL[status], CACHE_STORE_PRIVATE=True)
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [code] * 2
    assert runs == {"page": 1}


PUBLIC = {
    "public": lambda: response(Cache_Control="public, max-age=5"),
    "no-cache": lambda: response(Cache_Control="no-cache"),
    "no header": response,
    "word in a value": lambda: response(Cache_Control="ext=private-ish", X_Note="private no-store"),
    "dict as the body": lambda: {"Set-Cookie": "a=b", "Cache-Control": "private"},
    "list as the body": lambda: ["Set-Cookie", "Cache-Control"],
    "dict in tuple": lambda: ("page", 200, {"X-One": "1"}),
    "empty headers": lambda: ("page", 200, []),
    "text": lambda: "Set-Cookie: a=b",
    "exception": lambda: abort(404),
    "dict as the body of a tuple": lambda: ({"Cache-Control": "private"}, 200),
    "lines in the body of a tuple": lambda: ({"text": "one\ntwo"}, 201),
    "numbers in the body of a tuple": lambda: ({1: [None], 2: {}}, 200, {"X-One": "1"}),
    "pairs in the body of a tuple": lambda: ([("Cache-Control", "private"), (1, 2, 3)], 200),
    "other status": lambda: ("page", "200 OK", UserDict({"X-One": "1"})),
    "dict with headers": lambda: ({"Set-Cookie": "told in JSON"}, {"X-One": "1"}),
}


@pytest.mark.parametrize("kind", PUBLIC)
def test_other_responses_are_stored(kind):
    """What only looks like it, a JSON body for one, is stored, and nobody is warned."""
    app, _, runs = serve(PUBLIC[kind])
    client = app.test_client()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            client.get("/")
    assert runs == {"page": 1}


def test_each_function_is_warned_of_once():
    app, cache, _ = build()
    functions = []
    for name in ("one", "two"):

        def page():
            return with_cookie()

        page.__qualname__ = name
        functions.append(cache.cached(60, key_prefix=name)(page))
    with app.app_context(), pytest.warns(UserWarning, match="returned a response") as warned:
        _ = [function() for function in functions * 3]
    assert [str(warning.message).split()[0] for warning in warned] == ["one", "two"]


def test_filter_of_ones_own_is_asked_too():
    """Once a miss; what it declines is not stored, and it is given what upstream gives it."""
    app, cache, runs = build()
    given = []

    def accept(value):
        given.append(value)
        return isinstance(value, str)

    @cache.cached(60, key_prefix="a", response_filter=accept)
    def page():
        return "text" if runs.count("page") == 3 else 5

    @cache.cached(60, key_prefix="b", response_filter=given.append)
    def stop():
        abort(404)

    with app.test_request_context("/"):
        assert [page() for _ in range(5)] == [5, 5, "text", "text", "text"]
        assert given == [5, 5, "text"]
        with contextlib.suppress(Exception):
            stop()
    assert given[-1].status_code == 404


def test_a_public_answer_is_stored_after_private_ones():
    """Each answer speaks for itself: a function that once gave a private one may be cached later."""
    app, cache, runs = build()

    @cache.cached(60, key_prefix="page")
    def page():
        return with_cookie() if runs.count("page") < 3 else Response("for all")

    with app.app_context(), pytest.warns(UserWarning, match="is not cached"):
        assert [page().get_data() for _ in range(5)] == [b"page"] * 2 + [b"for all"] * 3
    assert runs == {"page": 3}


@pytest.mark.parametrize("value", [(5, 206), (0.5, 304, 1), (1, 2, 416), ("a", "b", None), (), ((), 5)])
def test_tuples_that_are_no_answers_are_stored(value):
    """A function that is no view may return any; nothing is said of them."""
    app, cache, runs = build()

    @cache.cached(60, key_prefix="pair")
    def pair():
        runs.count("pair")
        return value

    with app.app_context():
        assert [pair() for _ in range(2)] == [value] * 2
    assert runs == {"pair": 1}


def test_a_value_of_tuples_that_nest_deeply():
    """It is the caller's, stored or not: what is looked for is no deeper than answers are."""
    deep = ()
    for number in range(sys.getrecursionlimit()):
        deep = (deep, number)
    _, cache, _ = build()

    @cache.cached(60, key_prefix="deep")
    def nested():
        return deep

    assert nested() is deep


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
def test_an_exception_that_cannot_answer_without_a_request(cache_class):
    """It is stored and raised again: only the server, or a filter of one's own, asks for its response."""

    class Teapot(HTTPException):
        code = 418
        description = "tea"

        def get_response(self, environ, scope=None):
            return super().get_response(environ, scope)

    Teapot.__qualname__ = "Teapot"
    with mock.patch.dict(globals(), Teapot=Teapot):
        app, cache, runs = build(cache_class)

        @app.get("/")
        @cache.cached(60)
        def pot():
            runs.count("pot")
            raise Teapot

        assert [app.test_client().get("/").status_code for _ in range(2)] == [418] * 2
        assert runs == {"pot": 1}
        outside = cache.cached(60, key_prefix="pot")(pot.uncached)
        with app.app_context():
            for _ in range(2):
                with pytest.raises(Teapot):
                    outside()
        assert runs == {"pot": 2}


class Answered(HTTPException):
    """One that an error handler of the application's answers for."""

    code = 418
    description = "tea"

    def get_response(self):
        raise NotImplementedError("the error handler answers")


def test_an_exception_that_has_no_answer_of_its_own():
    """It is stored, and an error handler answers each visitor."""
    app, cache, runs = build()
    app.register_error_handler(Answered, lambda error: (f"no {error.description}", 418))

    @app.get("/")
    @cache.cached(60)
    def pot():
        runs.count("pot")
        raise Answered

    assert [app.test_client().get("/").text for _ in range(2)] == ["no tea"] * 2
    assert runs == {"pot": 1}


@pytest.mark.parametrize("backend", ["SimpleCache", "NullCache"])
def test_an_exception_that_has_no_answer_of_its_own_on_other_backends(backend):
    """Flask-Caching's code, which answers there, would ask it for one: it is raised, and not stored."""
    app, cache, _ = build(CACHE_TYPE=backend, CACHE_NO_NULL_WARNING=True)
    app.register_error_handler(Answered, lambda error: (f"no {error.description}", 418))

    @app.get("/")
    @cache.cached(60)
    def pot():
        raise Answered

    assert [app.test_client().get("/").text for _ in range(2)] == ["no tea"] * 2
