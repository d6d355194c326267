"""Values of any shape go in and come out as pickle would bring them, whatever else they do; bytes add up."""

import pickle

from cachelib.serializers import SimpleSerializer
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from .choices import Choices
from .hostile import Asked, Behaviour, Mortal, Row, Sized, atom, hostile_value
from .shapes import mutable_parts, shape
from .watch import check, watched

KEYS = ("a", "b", "c", (1, 2))
STEPS = 25


def tree(choices):
    """Make a tree, or what has shared references and cycles: nodes, each of those before it, and edges."""
    nodes = [atom(choices)]
    for _ in range(choices.below(8)):
        parts = [nodes[choices.below(len(nodes))] for _ in range(choices.below(4))]
        nodes.append(node(choices, parts))
    if choices.yes():
        tie(choices, nodes)
    return nodes[-1]


def node(choices, parts):
    """Make one node of others."""
    kind = choices.below(9)
    if kind < 3:
        return [*parts, *(atom(choices) for _ in range(choices.below(3)))]
    if kind < 5:
        return {atom(choices): part for part in parts}
    if kind == 5:
        return tuple(parts)
    if kind == 6:
        return {atom(choices) for _ in parts}
    return Row(parts) if kind == 7 else nested(parts, choices.below(256))


def nested(parts, depth):
    """Put a list into lists, about as deep as the compact form goes, or deeper."""
    for _ in range(depth):
        parts = [parts]
    return parts


def tie(choices, nodes):
    """Add edges from lists and dicts to any node, themselves and later ones included."""
    for one in [one for one in nodes if isinstance(one, list | dict)]:
        other = nodes[choices.below(len(nodes))]
        if isinstance(one, list):
            one.append(other)
        else:
            one["edge"] = other


def expected(value):
    """Return the shape that a value comes back in; None if it cannot be stored, or shown."""
    try:
        return shape(pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))
    except Exception:  # pickle raises what it likes, and deep trees raise RecursionError
        return None


class Serializer(Asked):
    """Makes anything of a value."""

    def dumps(self, value):
        return self.behave(
            value, b"x", "x", None, Sized(self.behave), (Sized(self.behave), value), Mortal(self.behave)
        )

    def loads(self, dumped):
        return self.behave(dumped, None, [])


class World:
    """A cache, and what it should hold."""

    def __init__(self, choices):
        self.choices = choices
        limits = {
            "max_bytes": choices.pick(None, 100_000, 2_000, 300),
            "prototype_bytes": choices.pick(None, 0, 500, 100_000),
            "threshold": choices.pick(500, 500, 2, 1),
        }
        self.lossy = limits["max_bytes"] is not None or limits["threshold"] < len(KEYS)
        self.cache = RustCache(clock=ManualClock(), **limits)
        self.held = {}

    def store(self, key):
        """Store an honest value."""
        value = tree(self.choices)
        wanted = expected(value)
        verb = self.choices.pick("set", "add", "set_many")
        new = not self.cache.has(key)
        try:
            before = shape(value)
            if verb == "set_many":
                stored = self.cache.set_many({key: value}) == [key]
            else:
                stored = getattr(self.cache, verb)(key, value)
        except Exception:
            # It is left as it was, by whoever could not store it.
            assert wanted is None
            return
        assert shape(value) == before
        if stored:
            self.held[key] = (wanted, value)
        elif verb != "add" or new:
            # Too large: nothing is left, the old value neither.
            assert self.lossy
            self.held.pop(key, None)

    def store_anything(self, key):
        """Store what may raise, lie, or call the cache meanwhile."""
        value = hostile_value(self.choices, self.cache, tree(self.choices))
        if self.choices.below(4) == 0:
            self.cache.serializer = Serializer(Behaviour(self.choices, self.cache))
        try:
            self.cache.set(key, value)
            self.cache.get(key)
            self.cache.inc(key)
        except Exception:
            self.cache._validate()
        self.cache.serializer = SimpleSerializer()
        self.held.clear()
        self.cache.clear()

    def read(self, key):
        """Each hit is as it should be, and nobody else's."""
        wanted, value = self.held.get(key, (None, None))
        if wanted is None:
            return
        got = [self.cache.get(key) for _ in range(3)]
        if self.lossy and got[0] is None:
            return
        assert [shape(one) for one in got] == [wanted] * 3, (got, wanted)
        parts = [part for one in (value, *got) for part in mutable_parts(one, {})]
        assert len(set(parts)) == len(parts)
        spoil(got[0])
        assert shape(self.cache.get(key)) == wanted

    def step(self):
        key = self.choices.pick(*KEYS)
        kind = self.choices.below(8)
        if kind < 3:
            self.store(key)
        elif kind == 3:
            self.store_anything(key)
        elif kind == 4:
            self.held.pop(key, None)
            self.cache.delete(key)
        else:
            self.read(key)


def spoil(value):
    """Change every container of a value."""
    for part in mutable_parts(value, {}).values():
        if isinstance(part, list | dict | set):
            part.clear()


def run(data):
    """One run."""
    world = World(Choices(data))
    with watched():
        for _ in range(STEPS):
            if not world.choices.left:
                break
            world.step()
            stats = world.cache.stats()
            assert not stats["bytes_limit"] or stats["bytes"] <= stats["bytes_limit"]
        for key in KEYS:
            world.read(key)
        check(world.cache)
