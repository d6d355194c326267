"""What an entry takes, in bytes."""

import sys

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._weights import VALUES, Odd, Plain


@pytest.fixture
def clock():
    return ManualClock()


def size(cache, value, key="k"):
    """What an entry with that value takes beside what one with None takes."""
    cache.clear()
    cache.set(key, None)
    least = cache.stats()["bytes"]
    cache.set(key, value)
    return cache.stats()["bytes"] - least


@pytest.mark.parametrize("name", ["text", "other text", "bytes", "small", "large", "huge", "float", "moment"])
def test_a_shared_value_counts_what_python_says_it_takes(name):
    value = VALUES[name]
    expected = sys.getsizeof(value)
    assert size(RustCache(), value) == expected


def test_a_shared_tuple_counts_with_what_it_holds_each_thing_once():
    inner = "a" * 50
    value = (inner, inner, (inner, 2.5))
    parts = [value, value[2], inner, 2.5]
    assert size(RustCache(), value) == sum(map(sys.getsizeof, parts))
    nested = ("b" * 20,)
    for _ in range(60):
        nested = (nested, nested)
    assert size(RustCache(), nested) < 60 * 100


def test_a_uuid_counts_with_its_number():
    value = VALUES["uuid"]
    assert size(RustCache(), value) == sys.getsizeof(value) + sys.getsizeof(value.int)


def test_what_is_always_there_takes_nothing():
    cache = RustCache()
    assert [size(cache, value) for value in (None, True, False)] == [0, 0, 0]


def test_a_compact_tree_counts_its_bytes_and_a_pickle_its_own():
    cache = RustCache()
    numbers = [[number] for number in range(100)]
    # One byte for each list and small number, one for each length.
    assert 300 <= size(cache, numbers) <= 500
    long = ["y" * 1000]
    assert size(cache, long) - size(cache, [None]) >= 1000
    assert 500 < size(cache, Plain("x" * 500)) < 700


def test_keys_and_tags_count():
    cache = RustCache()
    cache.set("k", None)
    least = cache.stats()["bytes"]
    cache.set("k" * 101, None)
    assert cache.stats()["bytes"] == 2 * least + 100
    cache.clear()
    cache.set("k", None, tags=["t" * 50])
    tagged = cache.stats()["bytes"]
    assert least + 50 < tagged < least + 120
    cache.set("k", None)
    assert cache.stats()["bytes"] == least
    cache.clear()
    cache.set(("a" * 500,), None)
    assert cache.stats()["bytes"] > least + 500


def test_a_str_that_is_a_key_of_its_own_counts_in_full():
    """H4: it takes the table, as what is no str does; one that stands for its text is not kept."""

    class Own(str):
        __slots__ = ()
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    class Same(str):
        __slots__ = ()

    cache = RustCache(max_bytes=100_000)
    for _ in range(100):
        cache.set(Own("k" * 10_000), None)
    assert len(cache) < 10
    cache.clear()
    cache.set("k" * 10_000, None)
    plain = cache.stats()["bytes"]
    cache.set(Same("k" * 10_000), None)
    assert (cache.stats()["bytes"], len(cache)) == (plain, 1)


@pytest.mark.parametrize("shards", [1, 16])
def test_nothing_is_left_on_the_account_when_all_is_gone(clock, shards):
    cache = RustCache(2000, clock=clock, shards=shards)
    for count, way in enumerate(["delete", "clear", "expire", "tag", "prefix"]):
        for number, value in enumerate(VALUES.values()):
            cache.set(f"{way} {number}", value, 10, tags=["all"])
            cache.set((way, number), value, 10, tags=["all"])
            cache.set(f"{way} {number}", VALUES["text"], 10, tags=["all"])
        assert cache.stats()["bytes"] > 5_000
        if way == "delete":
            cache.delete_many(*list(cache._cache))
        elif way == "expire":
            clock.advance(11)
        elif way == "tag":
            assert cache.delete_tag("all") == 2 * len(VALUES)
        elif way == "prefix":
            cache.delete_prefix("")
            cache.delete_many(*[("prefix", number) for number in range(len(VALUES))])
        else:
            cache.clear()
        assert (cache.stats()["bytes"], cache.stats()["entries"], count) == (0, 0, count)


def test_an_object_of_a_serializer_counts_with_what_it_says(clock):
    cache = RustCache(clock=clock, max_bytes=10_000)
    cache.serializer = Odd()
    for number in range(500):
        cache.set(number, "x" * 50)
        assert cache.stats()["bytes"] <= 10_000
    assert 5 < len(cache) < 30
    cache.clear()
    assert cache.stats()["bytes"] == 0


def test_a_size_that_cannot_be_told_is_told_of_and_weighs_nothing(recwarn, capsys):
    class Sizeless:
        def __sizeof__(self):
            raise ValueError("no size")

    class Keeps(Odd):
        def dumps(self, value):
            return value

        loads = dumps

    cache = RustCache(max_bytes=10_000)
    cache.serializer = Keeps()
    seen = []
    hook, sys.unraisablehook = sys.unraisablehook, seen.append
    try:
        assert cache.set("k", Sizeless())
    finally:
        sys.unraisablehook = hook
    assert [str(unraisable.exc_value) for unraisable in seen] == ["no size"]
    assert isinstance(cache.get("k"), Sizeless)


class Enormous:
    """What claims to take all the memory there is."""

    def __sizeof__(self):
        return sys.maxsize


def test_sizes_beyond_all_bounds_add_up_to_no_harm():
    cache = RustCache()
    cache.serializer = Odd()
    cache.serializer.dumps = lambda value: value
    cache.serializer.loads = lambda dumped: dumped
    keys = [Enormous() for _ in range(5)]
    for key in keys:
        cache.set(key, Enormous())
        cache.set(key, (Enormous(), Enormous()))
        cache.set("k", Enormous())
        cache._validate()
    assert cache.stats()["entries"] >= 1
    bounded = RustCache(max_bytes="1GB")
    assert bounded.set(keys[0], 1) is False
    assert bounded.set("k", 1) is True
