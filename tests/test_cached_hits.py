"""Hits of decorated functions: their keys, their counts, threads, memory, and the settings of ``Cache``."""

import gc
import hashlib
import itertools
import sys
import threading
import weakref

import flask_caching
import flask_rustcache
import pytest
from flask import request
from markupsafe import Markup
from werkzeug.datastructures import ImmutableMultiDict

from ._apps import BACKEND, backend_of, build, native, one_view, text


@pytest.fixture
def fast_switching():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("prefix", ["100%% %s", "%s and %s", "%s%d", "%%s", "%5s"])
@pytest.mark.parametrize("cache_class", [flask_rustcache.Cache, flask_caching.Cache])
def test_odd_prefixes_do_what_percent_does(prefix, cache_class):
    """Where Python's ``%`` raises, the view runs uncached."""
    app, cache, _ = build(cache_class)
    one_view(app, cache, key_prefix=prefix)
    try:
        expected = prefix % "/" if "%s" in prefix else prefix
    except TypeError:
        expected = None
    assert [text(app) for _ in range(2)] == ["run 1", "run 2" if expected is None else "run 1"]
    assert list(backend_of(app, cache)._cache) == ([] if expected is None else [expected])


PATHS = ["/é", "/a b", "/100%25", "/%25s", "/a%2Fb", "/" + "x" * 10_000, "/日本", "/a//b", "/%00"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:12])
def test_paths_are_keys_byte_for_byte(path):
    app, cache, _ = build()
    one_view(app, cache)
    keys = []
    app.before_request(lambda: keys.append(f"view/{request.path}"))
    assert text(app, path) == "run 1"
    assert native(app, path) == (True, "run 1")
    assert list(backend_of(app, cache)._cache) == [keys[0]]
    assert cache.delete(keys[0]) is True
    assert text(app, path) == "run 2"


def test_outside_a_request(caplog):
    """A whole key works anywhere; one that needs the path is logged, and the function runs uncached."""
    app, cache, runs = build()

    @cache.cached(60, key_prefix="fixed")
    def fixed():
        return runs.count("fixed")

    @cache.cached(60)
    def by_path():
        return runs.count("by path")

    assert [fixed() for _ in range(3)] == [1, 1, 1]
    with app.app_context():
        assert fixed() == 1
        assert [by_path(), by_path()] == [1, 2]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Exception possibly due to cache backend."] * 2


QUERIES = [
    "",
    "a=1",
    "a=1&b=2",
    "b=2&a=1",
    "a=1&a=2",
    "a=2&a=1",
    "a=",
    "a",
    "a=%20",
    "a=+",
    "q=%C3%A9",
    "q=é",
]


@pytest.mark.parametrize("options", [{}, {"key_prefix": "own"}, {"key_prefix": "o %s"}], ids=str)
@pytest.mark.parametrize("reads", [(False,), (True,), (False, True)], ids=["unread", "read", "both"])
def test_queries_are_keys_byte_for_byte(options, reads):
    """J5: order, repeated names, blanks, encodings: what is one key to upstream is one key to us."""
    worlds = []
    for cache_class in (flask_caching.Cache, flask_rustcache.Cache):
        app, cache, _ = build(cache_class)
        one_view(app, cache, query_string=True, **options)
        turns = itertools.cycle(reads)
        app.before_request(lambda turns=turns: request.args.get("none") if next(turns) else None)
        answers = [text(app, f"{path}?{query}") for query in QUERIES * 3 for path in ("/", "/b")]
        worlds.append((answers, set(backend_of(app, cache)._cache)))
    assert worlds[0] == worlds[1]


def test_query_key_follows_what_it_is_made_of():
    """A changed hash method or source check is another key, on the very next request."""
    app, cache, _ = build()
    one_view(app, cache, query_string=True)
    assert [text(app, "/?a=1") for _ in range(3)] == ["run 1"] * 3
    cache.hash_method = hashlib.md5
    assert [text(app, "/?a=1") for _ in range(3)] == ["run 2"] * 3
    cache.source_check = True
    assert [text(app, "/?a=1") for _ in range(3)] == ["run 3"] * 3
    assert len({len(key) for key in backend_of(app, cache)._cache}) == 2


def test_arguments_replaced_by_the_application_make_the_key():
    """``before_request`` may put cleaned arguments in the place of the request's own."""
    app, cache, _ = build()
    one_view(app, cache, query_string=True)
    user = [""]

    @app.before_request
    def clean():
        request.args = ImmutableMultiDict({"user": user[0]})

    assert [text(app, "/?a=1") for _ in range(2)] == ["run 1"] * 2
    user[0] = "other"
    assert [text(app, "/?a=1") for _ in range(2)] == ["run 2"] * 2


@pytest.mark.parametrize("query", QUERIES)
def test_hits_are_native_where_the_arguments_were_read_before(query):
    """J5: by a `before_request`, say, that looks for the language."""
    app, cache, _ = build()
    one_view(app, cache, query_string=True)
    app.before_request(lambda: request.args.get("lang"))
    assert [text(app, f"/?{query}") for _ in range(2)] == ["run 1"] * 2
    assert native(app, f"/?{query}") == (True, "run 1")


def test_hits_and_misses_are_counted_once():
    app, cache, _ = build()
    one_view(app, cache)
    backend = backend_of(app, cache)
    for number in range(5):
        text(app)
        stats = backend.stats()
        assert (stats["hits"], stats["misses"]) == (number, 1)
    app.cache_clock.advance(60)
    text(app)
    stats = backend.stats()
    assert (stats["hits"], stats["misses"]) == (4, 2)


def test_many_threads_get_whole_answers(fast_switching):
    """Eight threads hit, expire, delete and clear; each answer is one that the view gave."""
    app, cache, _ = build()

    @cache.cached(60, key_prefix="tree")
    def tree():
        return {"list": [1, 2, {"deep": ("a", b"b")}]}

    expected, wrong = tree(), []

    def work(number):
        with app.app_context():
            for turn in range(300):
                got = tree()
                if got != expected:
                    wrong.append(got)
                got["list"].clear()
                if turn % 50 == number:
                    cache.clear()
                if turn % 50 == number + 10:
                    app.cache_clock.advance(61)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    backend_of(app, cache)._validate()


def test_decorated_function_cache_and_application_are_collectable():
    """B1: they refer to each other in a ring, and values to all of them."""
    app, cache, _ = build()
    page = one_view(app, cache)
    backend = backend_of(app, cache)
    text(app)
    page.own = [page, app, cache]
    alive = [weakref.ref(thing) for thing in (app, cache, page, backend, page.uncached)]
    del app, cache, page, backend
    gc.collect()
    assert [reference() for reference in alive] == [None] * 5


def test_decorating_and_dropping_leaves_nothing():
    """B1: a function decorated afresh at each call dies with its last reference, or a collection."""
    _app, cache, _ = build()
    alive = []
    for number in range(100):
        page = cache.cached(60, key_prefix="same")(lambda number=number: number)
        alive.append(weakref.ref(page))
        assert page() == 0
    del page
    gc.collect()
    assert [reference for reference in alive if reference() is not None] == []


@pytest.mark.parametrize("timeout", ["many", "", "5 minutes"])
def test_bad_default_timeout_names_the_key(timeout):
    with pytest.raises(ValueError, match=r"CACHE_DEFAULT_TIMEOUT must be .*got " + repr(timeout)):
        build(CACHE_DEFAULT_TIMEOUT=timeout)


def test_default_timeout_from_the_environment_is_a_number():
    app, cache, runs = build(CACHE_DEFAULT_TIMEOUT="5")
    page = cache.cached(key_prefix="page")(lambda: runs.count("page"))
    assert [page(), page()] == [1, 1]
    app.cache_clock.advance(5)
    assert page() == 2


def test_inc_and_dec():
    app, cache, _ = build()
    with app.app_context():
        assert [cache.inc("a"), cache.inc("a", 5), cache.inc("a", delta=2), cache.dec("a")] == [1, 6, 8, 7]
        assert [cache.dec("b", 3), cache.get("b")] == [-3, -3]


class Ending(str):
    """A text with a way of its own to take the path in."""

    __slots__ = ()

    def __mod__(self, path):
        return f"{path} {self!s}"


ODD_PREFIXES = {
    "none": None,
    "number": 5,
    "bytes": b"page",
    "no UTF-8": "\udc80%s",
    "markup": Markup("page/%s"),
    "own %": Ending("page/%s"),
}


@pytest.mark.parametrize("prefix", ODD_PREFIXES.values(), ids=ODD_PREFIXES)
def test_prefixes_of_other_types(prefix):
    """Whatever Flask-Caching makes of them, an error at the call included, it makes of them here."""
    seen = []
    for cache_class, backend in ((flask_caching.Cache, "SimpleCache"), (flask_rustcache.Cache, BACKEND)):
        app, cache, runs = build(cache_class, CACHE_TYPE=backend)
        page = cache.cached(60, key_prefix=prefix)(lambda runs=runs: runs.count("page"))
        with app.test_request_context("/<a>"):
            answers = [page() for _ in range(2)]
        seen.append((answers, {str(key) for key in cache.cache._cache}))
    assert seen[0] == seen[1]
