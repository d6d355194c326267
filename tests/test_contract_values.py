"""DESIGN, "Values": which kinds come back shared and which copied, and isolation both ways.

A tree is read from its compact form at the first two hits and from its prototype afterwards (never, if
``prototype_bytes`` is 0), so whatever holds is asked for at many hits, and with both budgets.
"""

import copy
import gc
import math
import weakref
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from markupsafe import Markup

HITS = 12

SHARED = [
    *[None, True, False, 0, 10**100, -1.5, math.inf, 2 - 3j, "", "text", "x" * 5000, "\ud800"],
    *[b"", b"bytes", date(2026, 1, 2), time(1, 2, 3), time(1, tzinfo=UTC), timedelta(1, 2, 3)],
    *[datetime(2026, 1, 2, 3, 4, 5, 6), datetime(2026, 1, 2, tzinfo=UTC)],
    *[datetime(2026, 1, 2, fold=1, tzinfo=timezone(timedelta(hours=-3.5), "here"))],
    *[Decimal("1.20"), Decimal("NaN"), UUID(int=5), Markup("<b>")],
    *[(), (1, "a", (None, b"b")), frozenset(), frozenset({1, ("a", frozenset({2.5}))})],
    *[(Decimal(1), date(2026, 1, 2), Markup("x"))],
]


def leaves():
    return [None, True, 7, -300, 2**70, 0.5, "short", "l" * 300, b"b", (1, ("t", 2)), Decimal(2)]


TREES = {
    "empty list": list,
    "empty dict": dict,
    "empty set": set,
    "list": leaves,
    "dict": lambda: dict(enumerate(leaves())),
    "set": lambda: set(leaves()),
    "tuple of list": lambda: (1, ["inner"], ("deeper", [2])),
    "list of dicts": lambda: [{"name": str(n), "prices": [n, n + 0.5]} for n in range(10)],
    "list of lists only": lambda: [[1], [[2], []], [[[]]]],
    "dict of containers": lambda: {"a": [1], "b": {"c": {1, 2}}, "d": ([3], {}), "e": 5},
    "dict of a tuple": lambda: {"a": (1, 2), "b": frozenset({1})},
    "odd keys": lambda: {(1, "a"): [1], frozenset({2}): {}, None: [], 1.5: set(), date.max: [[]]},
    "sets within": lambda: [{1}, {"a": {2}}, ({3, 4},)],
    "deep": lambda: {"a": [{"b": ({"c": [{"d": {"e", "f"}}]},)}]},
}

CODECS = pytest.mark.parametrize("prototype_bytes", [0, 2**24], ids=["compact", "prototype"])


@pytest.fixture
def cache(prototype_bytes):
    return RustCache(clock=ManualClock(), prototype_bytes=prototype_bytes)


def shape(value):
    """A value with its exact types, in its exact order (but for sets, which have none)."""
    kind = type(value)
    if kind is dict:
        return kind, [(shape(key), shape(item)) for key, item in value.items()]
    if kind in (list, tuple):
        return kind, [shape(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted(repr(shape(item)) for item in value)
    return kind, repr(value)


def containers(value, found=None):
    """Every list, dict and set in a tree, the tree itself included."""
    found = [] if found is None else found
    if isinstance(value, dict):
        items = list(value.values())
    else:
        items = list(value) if isinstance(value, list | set | tuple) else []
    if isinstance(value, list | dict | set):
        found.append(value)
    for item in items:
        containers(item, found)
    return found


def spoil(container):
    """Change a container in every way at once: what was there goes, something else comes."""
    container.clear()
    if isinstance(container, dict):
        container["spoilt"] = ["spoilt"]
    elif isinstance(container, list):
        container.append({"spoilt": 1})
    else:
        container.add("spoilt")


@pytest.mark.parametrize("value", SHARED, ids=lambda value: repr(value)[:30])
@CODECS
def test_immutable_values_are_shared(cache, value):
    cache.set("a", value)
    assert all(cache.get("a") is value for _ in range(HITS))
    assert cache.has("a") is True
    assert cache.stats()["prototype_bytes"] == 0


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
@CODECS
def test_every_hit_gets_an_equal_copy_of_its_own(cache, make):
    value = make()
    cache.set("a", value)
    got = [cache.get("a") for _ in range(HITS)]
    assert all(shape(one) == shape(value) for one in got)
    own = [id(container) for one in [value, *got] for container in containers(one)]
    assert len(set(own)) == len(own)


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
@CODECS
def test_what_the_caller_does_before_and_after_changes_nothing(cache, make):
    for position in range(len(containers(make()))):
        value = make()
        cache.set("a", value)
        spoil(containers(value)[position])
        for hit in range(1, HITS):
            got = cache.get("a")
            assert shape(got) == shape(make()), f"hit {hit}"
            spoil(containers(got)[position])


@CODECS
def test_the_hot_form_is_in_use_where_it_has_a_budget_and_nowhere_else(cache, prototype_bytes):
    cache.set("a", TREES["list of dicts"]())
    used = []
    for _ in range(3):
        cache.get("a")
        used.append(cache.stats()["prototype_bytes"])
    assert used[0] == 0
    assert (used[1] > 1000, used[2] == used[1]) == (bool(prototype_bytes), True)
    cache.delete("a")
    assert cache.stats()["prototype_bytes"] == 0


def test_the_budget_is_kept_and_goes_to_what_is_hot():
    limit = 20_000
    cache = RustCache(clock=ManualClock(), prototype_bytes=limit)
    cache.set_many({number: TREES["list of dicts"]() for number in range(50)})
    expected = shape(TREES["list of dicts"]())
    for _ in range(4):
        for number in range(50):
            for _ in range(3):
                assert shape(cache.get(number)) == expected
            assert 0 < cache.stats()["prototype_bytes"] <= limit
    cache.clear()
    assert cache.stats()["prototype_bytes"] == 0


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 257, 16_383, 16_384, 70_000])
@CODECS
def test_lengths_around_every_limit(cache, size):
    text = [chr(97 + size % 26) * size, "é" * (size // 2), "\U0001f600" * (size // 4)]
    value = [*text, bytes(size), "\0" * size, list(range(size)), dict.fromkeys(range(size)), (0,) * size]
    cache.set("a", value)
    for _ in range(4):
        got = cache.get("a")
        assert got == value
        assert [type(item) for item in got] == [type(item) for item in value]


@pytest.mark.parametrize(
    "number",
    [
        *[0, 1, 63, 64, 127, 128, 129, 255, 2**14, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**500],
        *[-1, -2, -63, -64, -65, -128, -(2**31), -(2**63) + 1, -(2**63), -(2**63) - 1, -(10**500)],
    ],
)
@CODECS
def test_whole_numbers_around_every_limit(cache, number):
    cache.set("a", [number, {number: number}, {number}, (number, [number])])
    for _ in range(4):
        assert cache.get("a") == [number, {number: number}, {number}, (number, [number])]


@CODECS
def test_ten_thousand_entries_in_order(cache):
    value = {f"key {number * 7919 % 10_000}": [number] for number in range(10_000)}
    del value["key 0"]
    value["key 0"] = "last"
    cache.set("a", value)
    for _ in range(4):
        got = cache.get("a")
        assert list(got.items()) == list(value.items())


@CODECS
def test_text_with_many_holders_is_text_like_any_other(cache):
    common = "".join(["com", "mon"])
    holders = [common] * 50
    value = [{common: common, "other": [common]} for _ in range(5)]
    cache.set("a", value)
    del holders
    expected = copy.deepcopy(value)
    for _ in range(4):
        assert cache.get("a") == expected


# --- The copies are ordinary objects: the collector sees them --------------------------------------


class Token:
    """Something whose death can be watched, and that a set can hold."""


def tie_list(own, token):
    own.append(own)
    own.append(token)


def tie_dict(own, token):
    own["self"] = own
    own["token"] = token


def tie_set(own, token):
    token.home = own
    own.add(token)


TIES = {
    "list": (lambda: [1, "a"], lambda got: got, tie_list),
    "empty list": (list, lambda got: got, tie_list),
    "dict": (lambda: {"a": 1, "b": (1, 2)}, lambda got: got, tie_dict),
    "empty dict": (dict, lambda got: got, tie_dict),
    "set": (lambda: {1, "a"}, lambda got: got, tie_set),
    "empty set": (set, lambda got: got, tie_set),
    "list in list": (lambda: [[1], 2], lambda got: got[0], tie_list),
    "dict in list": (lambda: [{"a": 1}], lambda got: got[0], tie_dict),
    "list in dict": (lambda: {"a": [1]}, lambda got: got["a"], tie_list),
    "dict in dict": (lambda: {"a": {"b": 1}}, lambda got: got["a"], tie_dict),
    "set in dict": (lambda: {"a": {1}}, lambda got: got["a"], tie_set),
    "list in tuple": (lambda: (1, [2]), lambda got: got[1], tie_list),
    "dict in tuple in list": (lambda: [(1, {"a": 2})], lambda got: got[0][1], tie_dict),
    "outer of list": (lambda: [[1], [2]], lambda got: got, tie_list),
    "outer of dict": (lambda: {"a": [1]}, lambda got: got, tie_dict),
}


@pytest.mark.parametrize(("make", "inner", "tie"), TIES.values(), ids=TIES)
@CODECS
def test_a_cycle_that_the_caller_puts_into_a_copy_is_collected(cache, make, inner, tie):
    cache.set("a", make())
    for hit in range(1, 6):
        got, token = cache.get("a"), Token()
        tie(inner(got), token)
        alive = weakref.ref(token)
        del got, token
        gc.collect()
        assert alive() is None, f"hit {hit}"
    assert shape(cache.get("a")) == shape(make())


@CODECS
def test_a_cycle_through_the_tuple_of_a_copy_is_collected(cache):
    cache.set("a", (1, [2], {"b": 3}))
    for hit in range(1, 6):
        got, token = cache.get("a"), Token()
        got[1].append(got)
        got[2]["up"] = (got, token)
        alive = weakref.ref(token)
        del got, token
        gc.collect()
        assert alive() is None, f"hit {hit}"


@CODECS
def test_updating_a_copy_with_a_container_brings_it_before_the_collector(cache):
    """``dict.update`` and ``|=`` have ways of their own to take another dict's items over."""
    for value in ({}, {"a": 1}):
        cache.set("a", value)
        for _ in range(5):
            for update in (dict.update, dict.__ior__):
                got, token = cache.get("a"), Token()
                update(got, {"home": [token], "token": token})
                got["home"].append(got)
                alive = weakref.ref(token)
                del got, token
                gc.collect()
                assert alive() is None


@CODECS
def test_the_callers_own_value_stays_before_the_collector(cache):
    """What was given to ``set`` is the caller's, who may tie it into a cycle afterwards."""
    for make, inner, tie in TIES.values():
        value, token = make(), Token()
        cache.set("a", value)
        tie(inner(value), token)
        alive = weakref.ref(token)
        del value, token
        gc.collect()
        assert alive() is None
