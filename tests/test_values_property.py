"""Random trees come back as pickle would bring them: equal, of equal types, of the same shape.

The trees hold shared references and cycles in every combination that Python can build: nodes are made
one after the other, each from any of those before it, and then edges are added between any two.
"""

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal

from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from .fuzz.shapes import mutable_parts, shape

HITS = 4
BUDGETS = (0, 2**24)


class Text(str):
    """A leaf that sends its tree to pickle."""

    __slots__ = ()


class Row(list):
    """A container that does."""


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-130, 130),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.binary(max_size=8),
    st.sampled_from(["common", "\ud800", "x" * 300, b"y" * 300, -0.0, 1j, (), frozenset()]),
    st.sampled_from([(1, "a"), frozenset({1, "b"}), date(2026, 1, 2), Decimal("1.0")]),
    st.sampled_from([datetime(2026, 1, 2, tzinfo=UTC), (("deep", (1.5,)), None)]),
)
RARE = st.sampled_from([Text("t"), range(3)])
NATIVE = ["list", "list", "dict", "dict", "tuple", "set", "atom"]


def make(kind, atoms, parts):
    """One node, from leaves and from the nodes before it."""
    match kind:
        case "list":
            return [*atoms, *parts]
        case "row":
            return Row([*parts, *atoms])
        case "dict":
            keys = [*atoms, *range(len(parts))]
            return dict(zip(keys, [*parts, *atoms], strict=True))
        case "tuple":
            return (*parts, *atoms)
        case "set":
            return set(atoms)
    return atoms[0] if atoms else None


@st.composite
def values(draw):
    """A list, dict, tuple or set of random shape; the last node made is the root."""
    atoms = st.one_of(ATOMS, ATOMS, ATOMS, RARE) if draw(st.booleans()) else ATOMS
    kinds = st.sampled_from(NATIVE + ["row"] * draw(st.integers(0, 1)))
    nodes = []
    for _ in range(draw(st.integers(1, 9))):
        hashable = draw(st.lists(atoms, max_size=4))
        parts = draw(st.lists(st.sampled_from(nodes), max_size=4)) if nodes else []
        nodes.append(make(draw(kinds), hashable, parts))
    tie(draw, nodes)
    return nodes[-1]


def tie(draw, nodes):
    """Add edges from lists and dicts to any node, themselves and later ones included."""
    for node in [node for node in nodes if isinstance(node, list | dict)]:
        for other in draw(st.lists(st.sampled_from(nodes), max_size=1)):
            if isinstance(node, list):
                node.append(other)
            else:
                node["edge"] = other


@settings(max_examples=6 * settings.default.max_examples, deadline=None)
@given(values())
def test_random_trees_come_back_as_pickle_would_bring_them(value):
    expected = shape(pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))
    before = shape(value)
    for budget in BUDGETS:
        cache = RustCache(clock=ManualClock(), prototype_bytes=budget)
        cache.set("a", value)
        got = [cache.get("a") for _ in range(HITS)]
        assert shape(value) == before
        assert [shape(one) for one in got] == [expected] * HITS
        assert shape(pickle.loads(cache._cache["a"][1])) == expected
        # No two of them have anything in common that can change.
        parts = [key for one in [value, *got] for key in mutable_parts(one, {})]
        assert len(set(parts)) == len(parts)
