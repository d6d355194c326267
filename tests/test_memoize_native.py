"""The native path of ``Cache.memoize``: that it is taken where it may be, and left where it may not."""

import flask_caching
import flask_rustcache
import pytest

from ._apps import build, upstream_calls
from ._memo import Item


def counting(cache, runs, **options):
    """Memoize a function that says how often it ran."""

    @cache.memoize(60, **options)
    def total(a=1, b=2):
        return runs.count("total")

    return total


NATIVE = [None, True, 1, 2**70, 1.5, -0.0, float("nan"), "text", "\ud800", b"bytes", (), (1, ("a", (None,)))]


@pytest.mark.parametrize("argument", NATIVE, ids=repr)
def test_hits_of_plain_calls_are_native(argument):
    """Flask-Caching's code makes no key for them, in whichever form they come again."""
    _, cache, runs = build()
    total = counting(cache, runs)
    for _ in range(2):
        assert [total(argument), total(a=argument), total(argument, b=2)] == [1] * 3
    with upstream_calls() as calls:
        assert [total(argument), total(a=argument), total(argument, b=2)] == [1] * 3
    assert calls == []


def test_hits_of_methods_are_native():
    _, cache, runs = build()

    class Basket(Item):
        @cache.memoize(60)
        def total(self, a):
            return runs.count("total")

    baskets = [Basket("1"), Basket("2")]
    for _ in range(2):
        assert [basket.total(1) for basket in baskets] == [1, 2]
    with upstream_calls() as calls:
        assert [basket.total(1) for basket in baskets] == [1, 2]
    assert calls == []


def test_an_overriding_cache_sees_the_traffic():
    """Every look-up and store of a subclass goes through its own methods."""
    seen = []

    class Own(flask_rustcache.Cache):
        def get(self, *args, **kwargs):
            seen.append("get")
            return super().get(*args, **kwargs)

        def set(self, *args, **kwargs):
            seen.append("set")
            return super().set(*args, **kwargs)

    _, cache, runs = build(Own)
    total = counting(cache, runs)
    assert [total(), total()] == [1, 1]
    assert seen == ["get", "set", "get"]


@pytest.mark.parametrize("name", ["get", "get_many", "_memoize_version", "_memoize_make_version_hash"])
def test_a_patched_method_is_asked_from_the_next_call_on(monkeypatch, name):
    """People patch in tests; the undoing counts as well."""
    _, cache, runs = build()
    total = counting(cache, runs)
    assert [total(), total()] == [1, 1]
    asked, real = [], getattr(flask_caching.Cache, name)

    def spy(self, *args, **kwargs):
        asked.append(name)
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(flask_caching.Cache, name, spy)
        cache.delete_memoized(total)
        assert [total(), total()] == [2, 2]
    assert asked
    asked.clear()
    assert [total(), total()] == [2, 2]
    assert not asked
