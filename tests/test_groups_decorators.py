"""``tags=`` of the decorators: when they are asked for, and what they are good for during a fill."""

import logging

import flask_rustcache
import pytest
from flask_caching.backends import SimpleCache
from flask_rustcache import Cache, RustCache, delete_tag

from ._apps import build, text
from ._child import in_child
from ._fills import Gate, lead, shop

#: How each of the decorators is had for a cache.
KINDS = {
    "Cache.cached": lambda cache, **options: cache.cached(60, key_prefix="fixed", **options),
    "Cache.memoize": lambda cache, **options: cache.memoize(60, **options),
    "cached": lambda cache, **options: flask_rustcache.cached(60, cache=cache, **options),
    "memoize": lambda cache, **options: flask_rustcache.memoize(60, cache=cache, **options),
}

each = pytest.mark.parametrize("decorate", list(KINDS.values()), ids=list(KINDS))


@each
def test_an_entry_goes_with_any_of_its_tags(decorate):
    app, cache, runs = build()

    @decorate(cache, tags=["one", "other"])
    def total(number):
        return runs.count("total")

    with app.app_context():
        for run, tag in enumerate(["one", "other"], start=1):
            assert total(1) == total(1) == run
            assert cache.delete_tag("none") == 0
            assert cache.delete_tag(tag) == 1


@each
def test_a_callable_is_given_the_arguments_and_asked_at_misses_alone(decorate):
    app, cache, runs = build()
    asked = []

    def tags(number, *, kind="a"):
        asked.append((number, kind))
        return (f"number {number}",)

    @decorate(cache, tags=tags)
    def total(number, *, kind="a"):
        assert len(asked) == runs.count("total")
        return number

    with app.app_context():
        for _ in range(3):
            assert total(7, kind="b") == 7
        assert asked == [(7, "b")]
        assert cache.delete_tag("number 7") == 1
        total(7, kind="b")
        assert asked == [(7, "b")] * 2


def test_tags_of_one_call_are_not_those_of_another():
    app, cache, runs = build()

    @cache.memoize(60, tags=lambda user, page: [f"user {user}", f"page {page}"])
    def show(user, page):
        return runs.count((user, page))

    with app.app_context():
        for user in "ab":
            for page in "xy":
                show(user, page)
        assert cache.delete_tag("user a") == 2
        assert cache.delete_tag("page x") == 1
        assert [show("a", "x"), show("b", "x"), show("b", "y")] == [2, 2, 1]
        # The function's own bonds are as they were.
        cache.delete_memoized(show)
        assert len(cache.cache._keys()) <= 1


def test_a_view_is_let_go_by_its_arguments():
    app, cache, runs = build()

    @app.route("/<name>")
    @cache.cached(60, query_string=True, tags=lambda name: [name])
    def page(name):
        return f"{name} {runs.count(name)}"

    assert [text(app, "/a"), text(app, "/a?x=1"), text(app, "/b"), text(app, "/a")] == [
        "a 1",
        "a 2",
        "b 1",
        "a 1",
    ]
    with app.app_context():
        assert delete_tag("a") == 2
    assert [text(app, "/a"), text(app, "/b")] == ["a 3", "b 1"]


def test_methods_of_instances_keep_their_records():
    app, cache, runs = build()

    class Shelf:
        def __repr__(self):
            return "shelf"

        @cache.memoize(60, tags=lambda self, kind: [kind])
        def count(self, kind):
            return runs.count(kind)

    with app.app_context():
        shelf = Shelf()
        assert [shelf.count("a"), shelf.count("b"), shelf.count("a")] == [1, 1, 1]
        assert cache.delete_tag("a") == 1
        assert [shelf.count("a"), shelf.count("b")] == [2, 1]
        assert cache.delete_tag("a") + cache.delete_tag("b") == 2
        # The instance's record goes with its last entry.
        assert cache.cache.stats()["records"] == 1
        cache.cache._validate()


def ended(kind, **options):
    """Run a function that stays until something was removed; was its value stored?"""
    _, cache, runs = shop()
    app, gate = cache.app, Gate()

    @KINDS[kind](cache, **options)
    def total():
        number = next(runs)
        gate.stay()
        return number

    def call():
        with app.app_context():
            return total()

    leader = lead(call, gate)
    with app.app_context():
        yield cache
    gate.open()
    assert leader.join() == [1]
    assert call() == 2


@pytest.mark.parametrize("kind", list(KINDS))
@in_child
def test_a_tag_that_is_let_go_ends_the_fill(kind):
    for cache in ended(kind, tags=lambda: ["other", "mine"]):
        assert cache.delete_tag("mine") == 0


@in_child
def test_a_prefix_that_is_removed_ends_the_fill():
    for cache in ended("Cache.cached"):
        assert cache.delete_prefix("fix") == 0


@in_child
def test_what_is_done_to_others_ends_no_fill():
    _, cache, runs = shop()
    app, gate = cache.app, Gate()

    @cache.cached(60, key_prefix="fixed", tags=["mine"])
    def total():
        number = next(runs)
        gate.stay()
        return number

    def call():
        with app.app_context():
            return total()

    leader = lead(call, gate)
    with app.app_context():
        cache.set("fiction", 1, tags=["theirs"])
        assert (cache.delete_tag("theirs"), cache.delete_prefix("fixes"), cache.delete_prefix("fic")) == (
            1,
            0,
            0,
        )
    gate.open()
    assert leader.join() == [1]
    assert call() == 1


@each
def test_tags_that_are_none_are_refused_at_once(decorate):
    _, cache, _ = build()
    with pytest.raises(TypeError, match=r"use tags=\['users'\]"):
        decorate(cache, tags="users")
    with pytest.raises(TypeError, match="must be a str, got 'int'"):
        decorate(cache, tags=[1])


@each
@pytest.mark.parametrize("tags", [lambda number: "users", lambda number: 1 / 0, lambda: []])
def test_a_callable_that_fails_lets_the_function_run_uncached(decorate, tags, caplog):
    app, cache, runs = build()

    @decorate(cache, tags=tags)
    def total(number):
        return runs.count("total")

    with app.app_context(), caplog.at_level(logging.ERROR):
        assert [total(1), total(1)] == [1, 2]
        entries = [key for key in cache.cache._keys() if not key.endswith("_memver")]
    assert entries == []
    assert len(caplog.records) == 2


def test_a_failure_leaves_no_record_of_an_instance(caplog):
    app, cache, _ = build()

    class Shelf:
        def __repr__(self):
            return "shelf"

        @cache.memoize(60, tags=lambda self: 1 / 0)
        def count(self):
            return 1

    with app.app_context():
        Shelf().count()
        assert cache.cache.stats()["records"] == 1


class Overrides(RustCache):
    def get(self, key):
        return super().get(key)


@each
@pytest.mark.parametrize(
    ("overrides", "says"), [(False, "needs a RustCache"), (True, "overridden or patched")]
)
def test_another_backend_is_an_error_and_not_silence(decorate, overrides, says):
    app, cache, runs = build()
    app.extensions["cache"][cache] = Overrides() if overrides else SimpleCache()

    @decorate(cache, tags=["t"])
    def total(number):
        return runs.count("total")

    with app.app_context(), pytest.raises(RuntimeError, match=says):
        total(1)
    assert runs == {}


@each
def test_a_cache_that_holds_nothing_needs_no_tags(decorate):
    app, cache, runs = build(Cache, CACHE_TYPE="NullCache", CACHE_NO_NULL_WARNING=True)

    @decorate(cache, tags=["t"])
    def total(number):
        return runs.count("total")

    with app.app_context():
        assert [total(1), total(1)] == [1, 2]


@each
def test_no_tags_are_no_tags(decorate):
    app, cache, runs = build(CACHE_TYPE="SimpleCache")

    @decorate(cache, tags=[])
    def total(number):
        return runs.count("total")

    with app.app_context():
        assert [total(1), total(1)] == [1, 1]


class Odd(str):
    """A key that is no plain str."""

    __slots__ = ()


def test_a_key_that_is_no_plain_str_cannot_have_tags(caplog):
    app, cache, runs = build()

    @cache.cached(60, make_cache_key=lambda: Odd("key"), tags=["t"])
    def total():
        return runs.count("total")

    with app.app_context(), caplog.at_level(logging.ERROR):
        assert [total(), total()] == [1, 2]
        assert len(cache.cache) == 0
    assert "plain str" in caplog.text


def test_a_set_of_the_applications_own_adds_to_the_tags():
    class Tagging(Cache):
        def set(self, *args, **kwargs):
            return super().set(*args, **kwargs, tags=["all", "mine"])

    app, cache, runs = build(Tagging)

    @cache.memoize(60, tags=["mine"])
    def total(number):
        return runs.count("total")

    with app.app_context():
        assert [total(1), total(1)] == [1, 1]
        assert cache.delete_tag("all") == 1
        assert total(1) == 2
        assert cache.delete_tag("mine") == 1
        assert total(1) == 3
        cache.delete_memoized(total)
        assert total(1) == 4
        cache.cache._validate()
