"""SECURITY.md tells the truth: what holds, and what it says is not protected."""

import pickle
from functools import partial

import pytest
from flask import Flask, abort, make_response, request, session, url_for
from flask_rustcache import Cache, RustCache, cached

LOADED = []


def explode():
    LOADED.append("boom")


class Bomb:
    """Its pickle, loaded, leaves a trace."""

    def __reduce__(self):
        return (explode, ())


def test_bytes_of_a_pickle_are_never_loaded():
    cache, pickled = RustCache(), pickle.dumps(Bomb())
    for store in [cache.set, cache.add]:
        store("key", pickled)
        assert cache.get("key") == pickled
        assert cache.get_many("key") == [pickled]
        assert cache.delete("key")
    cache.set("key", {"upload": [pickled]})
    assert cache.get("key") == {"upload": [pickled]}
    with pytest.raises(TypeError):
        cache._cache["key"] = (0, pickled)
    with pytest.raises(AttributeError):
        cache._cache = {"key": (0, pickled)}
    assert LOADED == []


def test_a_bomb_that_the_application_stores_goes_off():
    """What is said to remain: the classes of the application's own objects."""
    cache = RustCache()
    cache.set("key", Bomb())
    cache.get("key")
    assert LOADED.pop() == "boom"


@pytest.fixture
def visit():
    """Serves a view under a decorator at /, as often as it is called."""
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", SECRET_KEY="key")
    cache = Cache(app)

    def visit(view, *, method="GET", decorate=None, **how):
        if not app.view_functions.get("view"):
            decorated = (decorate or cache.cached(60))(view)
            app.add_url_rule("/", "view", decorated, methods=["GET", "POST"])
        return app.test_client().open("/", method=method, **how)

    return visit


def conditional():
    answer = make_response("body")
    answer.set_etag("tag")
    return answer.make_conditional(request)


def by_session():
    session["user"] = request.headers["Name"]
    return session["user"]


def test_the_session_cookie_is_never_stored(visit):
    """But what the view made of the session is."""
    alice = visit(by_session, headers={"Name": "alice"})
    bob = visit(by_session, headers={"Name": "bob"})
    assert ("Set-Cookie" in alice.headers, "Set-Cookie" in bob.headers) == (True, False)
    assert alice.text == bob.text == "alice"


def body():
    return request.get_data()


def test_the_packages_own_decorator_keeps_methods_and_bodies_apart(visit):
    post = partial(visit, body, decorate=cached(60), method="POST")
    assert [post(data="a").text, post(data="b").text] == ["a", "b"]
    assert visit(body, data="c").text == "c"


UNPROTECTED = {
    "host": (lambda: url_for("view", _external=True), {"headers": {"Host": "evil.example"}}, {}),
    "header": (lambda: request.headers.get("Authorization", ""), {"headers": {"Authorization": "me"}}, {}),
    "query": (lambda: request.args.get("say", ""), {"query_string": {"say": "evil"}}, {}),
    "body": (body, {"method": "POST", "data": "first"}, {"method": "POST", "data": "second"}),
    "check": (lambda: "" if "Pass" in request.headers else abort(403), {}, {"headers": {"Pass": "yes"}}),
}


def test_an_answer_to_a_condition_is_for_who_made_it(visit):
    with pytest.warns(UserWarning, match="206, 304"):
        one = visit(conditional, headers={"If-None-Match": '"tag"'})
    two = visit(conditional)
    assert (one.status_code, two.status_code, two.text) == (304, 200, "body")


@pytest.mark.parametrize("what", UNPROTECTED)
def test_what_is_said_not_to_be_protected_is_not(visit, what):
    """Should one of these ever be protected, SECURITY.md is to say so."""
    view, first, second = UNPROTECTED[what]
    one, two = visit(view, **first), visit(view, **second)
    assert (one.status, one.data) == (two.status, two.data)
    assert what == "check" or one.data
