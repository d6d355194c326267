"""CONTRACT 3: every method, what it returns, and the decisions that are written beside it."""

import inspect
from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType

import pytest
from cachelib import SimpleCache
from flask_rustcache import RustCache
from flask_rustcache._native import Store
from flask_rustcache.testing import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cache(clock):
    return RustCache(clock=clock)


def test_get_takes_no_default(cache):
    assert cache.get("a") is None
    cache.set("a", "value")
    assert cache.get("a") == "value"
    with pytest.raises(TypeError):
        cache.get("a", "default")


def test_set_returns_true_and_replaces(cache):
    assert cache.set("a", 1) is True
    assert cache.set("a", 2) is True
    assert cache.get("a") == 2
    assert len(cache) == 1


def test_add_stores_only_what_is_absent(cache, clock):
    assert cache.add("a", 1, 10) is True
    assert cache.add("a", 2) is False
    assert cache.get("a") == 1
    clock.advance(10)
    assert cache.add("a", 3) is True
    assert cache.get("a") == 3


def test_add_does_not_lengthen_the_life_of_what_is_there(cache, clock):
    cache.set("a", 1, 10)
    cache.add("a", 2, 1000)
    clock.advance(10)
    assert cache.has("a") is False


def test_a_cached_none_is_there(cache):
    cache.set("a", None)
    assert cache.get("a") is None
    assert cache.has("a") is True
    assert cache.add("a", 1) is False
    assert cache.delete("a") is True


def test_has_returns_a_bool(cache, clock):
    assert cache.has("a") is False
    cache.set("a", 0, 5)
    assert cache.has("a") is True
    clock.advance(5)
    assert cache.has("a") is False


def test_delete_says_whether_it_was_there(cache, clock):
    assert cache.delete("a") is False
    cache.set("a", 1, 5)
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    cache.set("a", 1, 5)
    clock.advance(5)
    # Decision: SimpleCache says True of an expired entry.
    assert cache.delete("a") is False


def test_delete_many_lists_every_key_absent_afterwards(cache):
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.delete_many("a", "never", "b", "a") == ["a", "never", "b", "a"]
    assert cache.get_many("a", "b", "c") == [None, None, 3]
    assert cache.delete_many() == []


def test_get_many_and_get_dict_fill_with_none(cache, clock):
    assert cache.get_many() == []
    assert cache.get_dict() == {}
    cache.set_many({"a": 1, "b": [2]})
    cache.set("old", 1, 1)
    clock.advance(1)
    assert cache.get_many("b", "x", "a", "old", "b") == [[2], None, 1, None, [2]]
    found = cache.get_dict("b", "x", "a", "old")
    assert type(found) is dict
    assert list(found.items()) == [("b", [2]), ("x", None), ("a", 1), ("old", None)]


def test_get_many_gives_each_its_own_copy(cache):
    cache.set("a", [1])
    one, other = cache.get_many("a", "a")
    assert one == other == [1]
    assert one is not other


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType])
def test_set_many_lists_the_stored_keys(cache, clock, kind):
    assert cache.set_many(kind({"b": 1, "a": 2, 3: "c"}), 5) == ["b", "a", 3]
    assert cache.get_many("a", "b", 3) == [2, 1, "c"]
    clock.advance(5)
    assert cache.get_many("a", "b", 3) == [None, None, None]
    assert cache.set_many({}) == []


def test_clear_returns_true(cache):
    assert cache.clear() is True
    cache.set_many({"a": 1, 2: 3})
    assert cache.clear() is True
    assert (len(cache), cache.get("a"), cache.get(2)) == (0, None, None)


def test_inc_and_dec_return_the_new_value(cache, clock):
    assert cache.inc("a") == 1
    assert cache.inc("a", 5) == 6
    assert cache.dec("a", 2) == 4
    assert cache.dec("a") == 3
    assert cache.get("a") == 3
    assert cache.dec("b", 7) == -7
    cache.set("none", None)
    assert cache.inc("none", 2) == 2
    cache.set("old", 5, 1)
    clock.advance(1)
    assert cache.inc("old") == 1


@pytest.mark.parametrize(
    ("start", "delta", "total", "difference"),
    [
        (1.5, 1, 2.5, 0.5),
        (10**40, 10**40, 2 * 10**40, 0),
        (Decimal("0.1"), Decimal("0.2"), Decimal("0.3"), Decimal("-0.1")),
        ({1, 2}, {2}, None, {1}),
        ([1], [2], [1, 2], None),
        ("a", "b", "ab", None),
        (True, 1, 2, 0),
        ("", "b", "b", None),
        ([], [2], [2], None),
    ],
)
def test_inc_and_dec_take_whatever_supports_the_operator(cache, start, delta, total, difference):
    for verb, expected in [(cache.inc, total), (cache.dec, difference)]:
        cache.set("a", start)
        if expected is None:
            with pytest.raises(TypeError):
                verb("a", delta)
            assert cache.get("a") == start
        else:
            assert verb("a", delta) == expected
            assert cache.get("a") == expected


def test_inc_of_nothing_by_none_is_the_type_error_that_it_is(cache):
    with pytest.raises(TypeError):
        cache.inc("a", None)
    with pytest.raises(TypeError):
        cache.dec("a", delta=None)
    assert cache.has("a") is False


def test_what_inc_returns_is_the_callers_own(cache):
    cache.set("a", [1])
    cache.inc("a", [2]).append(3)
    assert cache.get("a") == [1, 2]


def test_inc_keeps_the_remaining_lifetime(cache, clock):
    # Decision: SimpleCache begins the default timeout anew.
    cache.set("a", 1, 10)
    cache.set("for ever", 1, 0)
    clock.advance(6)
    cache.inc("a")
    cache.dec("for ever")
    clock.advance(3.5)
    assert cache.get("a") == 2
    clock.advance(0.5)
    assert cache.get("a") is None
    clock.advance(10**9)
    assert cache.get("for ever") == 0


def test_a_missing_value_is_counted_under_the_default_timeout(clock):
    cache = RustCache(default_timeout=20, clock=clock)
    cache.inc("a")
    clock.advance(19)
    assert cache.get("a") == 1
    clock.advance(1)
    assert cache.get("a") is None


@pytest.mark.parametrize(
    "name",
    ["get", "set", "add", "has", "delete", "delete_many", "get_many", "get_dict", "set_many"],
)
def test_parameters_are_named_as_in_cachelib(name):
    theirs = inspect.signature(getattr(SimpleCache, name)).parameters.values()
    ours = list(inspect.signature(getattr(RustCache, name)).parameters.values())
    more = [one.name for one in ours if one.kind is one.KEYWORD_ONLY]
    assert more == (["tags"] if name in {"set", "add", "set_many"} else [])
    ours = [(one.name, one.default) for one in ours if one.name not in more]
    assert ours == [(one.name, one.default) for one in theirs]


@pytest.mark.parametrize("name", ["inc", "dec"])
def test_arithmetic_parameters_are_named_as_in_cachelib(name):
    assert list(inspect.signature(getattr(RustCache, name)).parameters) == ["self", "key", "delta"]


def test_keyword_arguments(cache, clock):
    assert cache.set(key="a", value=1, timeout=1) is True
    assert cache.add(key="b", value=2, timeout=2) is True
    assert cache.set_many(mapping={"c": 3}, timeout=3) == ["c"]
    assert cache.get(key="a") == 1
    assert cache.has(key="b") is True
    assert cache.inc(key="c", delta=4) == 7
    assert cache.dec(key="c", delta=1) == 6
    for left in (["b", "c"], ["c"], []):
        clock.advance(1)
        assert list(cache._cache) == left
    assert cache.delete(key="a") is False


def test_what_simple_cache_lacks_on_purpose(cache):
    cache.set("a", 1)
    assert len(cache) == 1
    assert "a" in cache
    assert "b" not in cache


def test_a_cache_is_true_even_when_empty(cache):
    assert len(cache) == 0
    assert bool(cache) is True
    cache.set("a", 1)
    assert bool(cache) is True


def test_statistics_count_what_happened(cache, clock):
    cache.set("a", 1, 5)
    cache.set("a", 2, 5)
    cache.set("b", 1)
    cache.get("a")
    cache.get_many("a", "never")
    cache.delete("b")
    clock.advance(5)
    stats = cache.stats()
    counted = {"entries": 0, "hits": 2, "misses": 1, "insertions": 3, "replacements": 1}
    counted |= {"evictions": 0, "expirations": 1, "removals": 1}
    assert {name: stats[name] for name in counted} == counted


@pytest.mark.parametrize(
    "call",
    [
        lambda cache, key: cache.get(key),
        lambda cache, key: cache.set(key, 1),
        lambda cache, key: cache.add(key, 1),
        lambda cache, key: cache.has(key),
        lambda cache, key: cache.delete(key),
        lambda cache, key: cache.inc(key),
        lambda cache, key: cache.dec(key),
        lambda cache, key: cache.get_many("a", key),
        lambda cache, key: cache.get_dict("a", key),
        lambda cache, key: cache.delete_many("a", key),
        lambda cache, key: key in cache,
        lambda cache, key: cache._cache[key],
        lambda cache, key: key in cache._cache,
    ],
)
@pytest.mark.parametrize("key", [[], {}, (1, [])], ids=repr)
def test_an_unhashable_key_is_a_type_error_everywhere(cache, call, key):
    with pytest.raises(TypeError, match="unhashable"):
        call(cache, key)
    assert len(cache) == 0
    cache._validate()


def test_help_says_something_of_every_method():
    """Also of those whose docstrings are otherwise in the stub alone."""
    public = [name for name in dir(Store) if not name.startswith("_")]
    assert len(public) == 18
    assert [name for name in public if not getattr(RustCache, name).__doc__] == []
