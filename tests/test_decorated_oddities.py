"""Decorated functions in odd company: keys, hashes, functions and backends as nobody would expect them."""

import functools
import gc
import hashlib
import weakref

import pytest
from flask import g

from ._apps import CACHES, backend_of, build
from ._memo import records

BOTH = pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)


@BOTH
def test_a_key_may_be_a_tuple_and_is_nobody_elses(cache_class):
    """J1: it stands for itself, and is not read as what a memoized function's key is made of."""
    app, cache, runs = build(cache_class)

    @app.get("/<user>")
    @cache.cached(60, make_cache_key=lambda user: ("user", user))
    def page(user):
        return f"{user} {runs.count('page')}"

    with app.app_context():
        cache.set("user", "somebody else's")
    client = app.test_client()
    assert [client.get(path).text for path in ("/a", "/b", "/a", "/b")] == ["a 1", "b 2", "a 1", "b 2"]


@BOTH
@pytest.mark.parametrize("key", [42, b"key", ("a", 1)])
def test_for_an_odd_key_everything_is_asked_once(cache_class, key):
    """The conditions, and the maker of the key itself."""
    _, cache, runs = build(cache_class)

    @cache.cached(
        60,
        make_cache_key=lambda: (runs.count("key"), key)[1],
        unless=lambda: bool(runs.count("unless") < 0),
        forced_update=lambda: bool(runs.count("forced") < 0),
    )
    def page():
        return runs.count("page")

    assert [page() for _ in range(3)] == [1] * 3
    assert runs == {"key": 3, "unless": 3, "forced": 3, "page": 1}


def by_tenant(data=b""):
    """A hash that depends on more than what is hashed."""
    return hashlib.sha256(g.tenant + data)


@BOTH
@pytest.mark.parametrize("where", ["setting", "option", "override"])
def test_a_hash_of_ones_own_is_asked_at_each_call(cache_class, where):
    """One tenant's answers are not another's: what such a hash depends on is not for us to remember."""
    own = type("Own", (cache_class,), {"_get_hash_method": lambda self, hash_method: by_tenant})
    settings = {"CACHE_HASH_METHOD": by_tenant} if where == "setting" else {}
    option = {"hash_method": by_tenant} if where == "option" else {}
    app, cache, _ = build(own if where == "override" else cache_class, **settings)

    @cache.memoize(60, **option)
    def tenant(_x):
        return g.tenant

    @app.get("/")
    @cache.cached(60, query_string=True, **option)
    def page():
        return g.tenant

    for name in (b"a", b"b", b"a"):
        with app.test_request_context("/?q=1"):
            g.tenant = name
            assert (tenant(1), page()) == (name, name)


@BOTH
def test_names_of_records_may_be_overridden(cache_class):
    """A tenant's records are its own."""
    own = type("Own", (cache_class,), {"_memvname": lambda self, name: f"{g.tenant}{name}_memver"})
    app, cache, _ = build(own)

    @cache.memoize(60)
    def tenant(_x):
        return g.tenant

    for name in ("a", "b", "a"):
        with app.app_context():
            g.tenant = name
            assert tenant(1) == name


class Page:
    """A view that is an object, and has no name."""

    __name__ = "page"

    def __call__(self):
        return "page"


@BOTH
def test_a_view_without_a_name(cache_class):
    """K9: a partial function, an object."""
    app, cache, _ = build(cache_class)
    views = {"/partial": functools.partial("{}".format, "partial"), "/page": Page()}
    for path, view in views.items():
        app.add_url_rule(path, endpoint=path[1:], view_func=cache.cached(60)(view))
    for path in ["/partial", "/page"] * 2:
        assert app.test_client().get(path).text == path[1:]


@BOTH
def test_a_backend_put_into_its_place_by_hand(cache_class):
    """K8: ``init_app`` never saw this application."""
    app, cache, runs = build(cache_class)
    other, _, _ = build(cache_class)
    other.extensions["cache"][cache] = backend_of(app, cache)

    @other.get("/")
    @cache.cached(60)
    def page():
        return f"run {runs.count('page')}"

    assert [other.test_client().get("/").text for _ in range(2)] == ["run 1"] * 2


class Basket:
    """Known by its number."""

    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return f"basket {self.number}"


def test_asking_for_keys_leaves_no_records():
    """B6: an instance's record lives as long as one of its entries, and these have none."""
    app, cache, _ = build()

    class Own(Basket):
        @cache.memoize(60)
        def total(self, a, b=2):
            return a + b

    for number in range(50):
        cache.delete(Own.total.make_cache_key(Own.total.uncached, Own(number), 1))
        cache.delete_memoized(Own(number).total, 1)
        cache.delete_memoized(Own(number).total, a=1)
    assert len(records(app, cache)) <= 1


def test_a_function_that_is_its_own_default_is_collectable():
    """B1: what the index knows of a function does not keep it."""
    _, cache, _ = build()

    def make():
        holder = Basket(1)

        @cache.memoize(60)
        def total(a, _holder=holder):
            return a

        holder.total = total
        assert total(1) == total(1) == 1
        return weakref.ref(holder)

    gone = make()
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("traffic", ["hits", "misses"])
def test_decorated_traffic_reclaims_what_has_expired(traffic):
    """G6: a hit, or a miss that stores nothing, does its share like any call."""
    app, cache, _ = build(CACHE_THRESHOLD=2_000)
    page = cache.cached(600, key_prefix="page", response_filter=lambda _: traffic == "hits")(lambda: "page")
    page()
    for number in range(1_000):
        cache.set(f"old {number}", "value", timeout=1)
    app.cache_clock.advance(2)
    # With several shards a call more or two for each entry.
    for _ in range(3_000):
        page()
    assert backend_of(app, cache).purge_expired() == 0


def test_a_record_put_with_a_timeout_ends_its_entries():
    """As upstream: without its version no entry is found."""
    app, cache, runs = build()

    @cache.memoize(60)
    def total():
        return runs.count("total")

    assert [total(), total()] == [1, 1]
    [record] = records(app, cache)
    cache.set(record, cache.get(record), timeout=10)
    app.cache_clock.advance(20)
    assert total() == 2


def test_what_flask_caching_cannot_make_a_views_key_of_is_cached():
    """Told in docs/migration.md: the key holds neither the signature nor the arguments."""
    _, cache, runs = build(CACHES["ours"])
    pairs = cache.cached(60, key_prefix="pairs")(dict)

    @cache.cached(60, key_prefix="page")
    def page(use_request=True):
        return f"{use_request} {runs.count('page')}"

    assert pairs([("a", 1)]) == pairs([("b", 2)]) == {"a": 1}
    assert page(use_request=1) == page(use_request=2) == "1 1"
