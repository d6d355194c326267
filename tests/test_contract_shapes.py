"""Trap I6: shared references, cycles and depth, within one value."""

import copy
import subprocess
import sys

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

HITS = (1, 2, 3, 10)


@pytest.fixture(params=[0, 2**24], ids=["compact", "prototype"])
def cache(request):
    return RustCache(clock=ManualClock(), prototype_bytes=request.param)


def hits(cache, key="a"):
    """The value as it comes at the first, second, third and tenth hit."""
    every = [cache.get(key) for _ in range(max(HITS))]
    return [every[hit - 1] for hit in HITS]


def test_shared_references_stay_shared(cache):
    """I6: one list in three places is one list in three places, at every hit."""
    part = {"x": [1]}
    cache.set("a", [part, part["x"], {"again": part}, (part,)])
    for got in hits(cache):
        assert got[0] is got[2]["again"] is got[3][0]
        assert got[0]["x"] is got[1]
        got[1].append(2)
        assert got[2]["again"]["x"] == [1, 2]


def test_what_is_not_shared_does_not_become_so(cache):
    """I6: equal parts that are two stay two."""
    cache.set("a", [[1], [1], {}, {}, ([], []), [[]] * 2])
    for one, two, three, four, (five, six), (seven, eight) in hits(cache):
        assert one is not two
        assert three is not four
        assert five is not six
        assert seven is eight


def test_cycles_stay_cycles(cache):
    """I6: through a list, a dict, a tuple, a set's neighbour, and the root itself."""
    ring, table, inner = [], {}, []
    ring.append(ring)
    table["self"] = table
    through = (inner, 1)
    inner.append(through)
    cache.set("a", [ring, table, through])
    cache.set("b", ring)
    cache.set("c", through)
    cache.set("d", table)
    for one, two, three in hits(cache):
        assert one[0] is one
        assert two["self"] is two
        assert three[0][0] is three
    for key, step in [("b", lambda x: x[0]), ("c", lambda x: x[0][0]), ("d", lambda x: x["self"])]:
        assert all(step(got) is got for got in hits(cache, key))
        assert cache.get(key) is not cache.get(key)


def test_a_cycle_through_a_tuple_that_is_held_elsewhere_too(cache):
    """I6: a tuple cannot be made before its items are; the cycle is kept all the same."""
    inner = {}
    through = (inner, [inner])
    inner["up"] = through
    holders = [through] * 20
    cache.set("a", {"one": through, "two": [through]})
    del holders
    for got in hits(cache):
        one = got["one"]
        assert one is got["two"][0] is one[0]["up"]
        assert one[1][0] is one[0]
        assert len(one) == 2


def test_a_tree_whose_parts_are_held_by_the_caller_is_a_tree_all_the_same(cache):
    """I6: that somebody else holds a part does not mean that the value holds it twice."""
    parts = [[number] for number in range(5)]
    cache.set("a", {"parts": parts, "copy": copy.deepcopy(parts)})
    for got in hits(cache):
        assert got == {"parts": parts, "copy": parts}
        assert len({id(part) for part in got["parts"] + got["copy"]}) == 10


def test_a_value_that_refers_to_another_values_part_is_copied_apart(cache):
    """I6: sharing ends at the value's border."""
    part = []
    cache.set("a", [part])
    cache.set("b", [part])
    assert all(one[0] is not other[0] for one, other in zip(hits(cache), hits(cache, "b"), strict=True))


def nest(kind, depth):
    value = "bottom"
    for _ in range(depth):
        value = {"list": [value], "tuple": (value,), "dict": {"k": value}}[kind]
    return value


def unnest(value):
    depth, kinds = 0, set()
    while value != "bottom":
        kinds.add(type(value))
        (value,) = value.values() if isinstance(value, dict) else value
        depth += 1
    return depth, kinds


@pytest.mark.parametrize("depth", [1, 62, 63, 64, 65, 66, 98, 99, 100, 101, 102, 150, 300])
@pytest.mark.parametrize("kind", ["list", "tuple", "dict"])
def test_depths_around_every_limit(cache, kind, depth):
    """I6: whichever way a depth goes, it comes back as it was."""
    cache.set("alone", nest(kind, depth))
    cache.set("within", [[nest(kind, depth)], {nest("tuple", min(depth, 60)): nest(kind, depth)}])
    for got, (first, second) in zip(hits(cache, "alone"), hits(cache, "within"), strict=True):
        assert unnest(got) == unnest(nest(kind, depth))
        assert unnest(first[0]) == unnest(nest(kind, depth))
        assert unnest(*second.values()) == unnest(nest(kind, depth))


def run(code, limit=60):
    """In a process of its own, which may crash or hang without harm."""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=limit, check=False
    )
    assert process.returncode == 0, (process.returncode, process.stderr[-2000:])
    return process.stdout.split()


DEEP = """
import sys
from flask import Response
from flask_rustcache import RustCache

def nest(kind):
    value = "bottom"
    for _ in range(100_000):
        value = {kind}
    return value

cache = RustCache()
for limit in (1000, 10_000):
    sys.setrecursionlimit(limit)
    value = nest("x")
    for stored in (value, [value], {{"a": value}}, (1, value)):
        cache.set("a", "old")
        try:
            cache.set("a", stored)
        except RecursionError:
            assert cache.get("a") == "old"
            print("refused")
        else:
            for _ in range(3):
                got = cache.get("a")
            print("stored")
    cache._validate()
"""


@pytest.mark.parametrize(
    "kind",
    ["[value]", "(value,)", "{'k': value}", "frozenset([value])", "[(value, {'k': value})]", "(value, [])"],
)
def test_a_depth_of_100_000_is_no_crash(kind):
    """I6: an error (and the old value stays) or a stored value, never the end of the process."""
    answers = run(DEEP.format(kind=kind))
    assert len(answers) == 8
    assert set(answers) <= {"refused", "stored"}


@pytest.mark.parametrize(
    "build",
    [
        "value = (value, value)",
        "value = (value, value, 1)",
        "value = frozenset([value, (value,)])",
        "value = [value, value]",
        "value = {'a': value, 'b': value}",
        "value = ([value], value)",
    ],
)
@pytest.mark.parametrize("wrap", ["value", "[value]"])
def test_sharing_at_every_level_costs_what_pickle_takes(build, wrap):
    """I6: 31 levels of two references each are 31 objects, not 2 ** 31."""
    code = f"""
from flask_rustcache import RustCache
value = (1,)
for _ in range(31):
    {build}
cache = RustCache()
cache.set("a", {wrap})
for _ in range(4):
    assert type(cache.get("a")) is type({wrap})
print("fine")
"""
    assert run(code, limit=10) == ["fine"]
