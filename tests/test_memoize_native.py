"""The native path of ``Cache.memoize``: that it is taken where it may be, and left where it may not."""

import functools

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


@pytest.mark.parametrize(
    "default", [[], {"a": [1]}, Item("1"), ([],)], ids=["list", "dict", "object", "tuple"]
)
def test_hits_of_functions_with_defaults_that_may_change_are_native(default):
    """J3: such a default is looked at like an argument, and Flask-Caching's code makes no key at a hit."""
    _, cache, runs = build()

    @cache.memoize(60)
    def total(a, b=default, *, c=default):
        return runs.count("total")

    assert [total(1), total(a=1), total(1, default)] == [1, 1, 1]
    with upstream_calls() as calls:
        assert [total(1), total(a=1), total(1, default)] == [1, 1, 1]
    assert calls == []


@pytest.mark.parametrize("kind", [flask_rustcache.Cache, flask_caching.Cache])
def test_defaults_that_change_change_the_key(kind):
    """J3: in place, and by assignment."""
    _, cache, _ = build(kind)

    @cache.memoize(60)
    def total(b=[]):  # noqa: B006  # what is tested
        return repr(b)

    total.uncached.__defaults__[0].append(1)
    assert [total(), total()] == ["[1]", "[1]"]
    total.uncached.__defaults__[0].append(2)
    assert [total(), total(), total([1])] == ["[1, 2]", "[1, 2]", "[1]"]
    cache.delete_memoized(total)
    assert [total(), total(), total([1])] == ["[1, 2]", "[1, 2]", "[1]"]
    total.uncached.__defaults__ = ([3],)
    assert [total(), total()] == ["[3]", "[3]"]


def test_defaults_that_change_while_a_key_is_made():
    """J3: the key is not taken for that of the defaults before."""
    _, cache, runs = build()
    texts = []

    class Moving:
        def __repr__(self):
            return texts.pop(0) if len(texts) > 1 else texts[0]

    @cache.memoize(60)
    def total(b=Moving()):  # noqa: B008  # what is tested
        return runs.count("total")

    for shown, run in [(["old", "new"], 1), (["new"], 1), (["old"], 2)]:
        texts[:] = shown
        assert total() == run


def test_defaults_of_what_is_wrapped_are_looked_at_by_python():
    _, cache, _ = build()
    own = []

    def total(b=own):
        return repr(b)

    @cache.memoize(60)
    @functools.wraps(total)
    def memoized(*given):
        return total(*given)

    assert [memoized(), memoized()] == ["[]", "[]"]
    own.append(1)
    assert [memoized(), memoized()] == ["[1]", "[1]"]
