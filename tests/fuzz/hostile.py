"""Objects that raise, lie, or call the cache where a cache has to ask them something."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from markupsafe import Markup


class Text(str):
    """A str of another type."""

    __slots__ = ()


class Row(list):
    """A list of another type."""


class BoomError(Exception):
    """What these objects raise."""


class Behaviour:
    """What an object does when it is asked: an answer, an error, or a call of the cache and then an answer.

    Args:
        choices: What decides on it.
        cache: The cache to call.
    """

    def __init__(self, choices, cache):
        self.kind, self.cache, self.number = choices.below(4), cache, choices.below(256)

    def __call__(self, *answers):
        if self.kind == 0:
            raise BoomError
        if self.kind == 1 and self.cache is not None:
            self.call_the_cache()
        return answers[self.number % len(answers)]

    def call_the_cache(self):
        cache, self.cache = self.cache, None
        try:
            [
                cache.clear,
                lambda: cache.set("a", [1]),
                lambda: cache.delete("a"),
                cache.stats,
                cache._validate,
            ][self.number % 5]()
        finally:
            self.cache = cache


class Asked:
    """An object with a behaviour."""

    def __init__(self, behave):
        self.behave = behave


class Reduced(Asked):
    """Lies, raises or calls the cache when it is pickled."""

    def __reduce_ex__(self, protocol):
        return self.behave(
            (list, ()), "no such name", (int, ("x",)), None, (list, (), None, iter([1])), (Reduced,)
        )


class Rebuilt(Asked):
    """Raises when it is unpickled."""

    def __reduce__(self):
        return int, ("no number",)


class Sized(Asked):
    """Lies of its size, as a key and in keys."""

    def __sizeof__(self):
        return self.behave(2**63 - 33, 0, 2**62, 48, -1, 10**30, "x", None)


class Classed(Asked):
    """Says that it is of another class."""

    @property
    def __class__(self):
        return self.behave(str, dict, list, tuple, int, bytes, type(None), frozenset)


class Equal(Asked):
    """Lies of its hash, or of what it equals."""

    def __hash__(self):
        return hash("a") if self.behave.number < 200 else self.behave(1, -1, 2**61, "x", None)

    def __eq__(self, other):
        return self.behave(True, False, NotImplemented, "yes", self)


class Word(str):
    """A str that lies of its hash, or of what it equals."""

    def __hash__(self):
        return self.behave(str.__hash__(self), 1)

    def __eq__(self, other):
        return self.behave(str.__eq__(self, other), True, False, NotImplemented)

    def __str__(self):
        return self.behave("another", 1, "\ud800")

    def encode(self, *args):
        return self.behave(b"\xff", "x", None)


class Listed(list):
    """A list that lies of what it holds."""

    def __iter__(self):
        return iter(self.behave([], [1], None))

    def __len__(self):
        return self.behave(0, 2**62, 5)


class Mapped(dict):
    """A dict that lies of what it holds."""

    def items(self):
        return self.behave([], [(1, 2)], [1], None)

    def __iter__(self):
        return iter(self.behave([], ["a"], None))

    def __len__(self):
        return self.behave(0, 2**62, 5)


class Mortal(Asked):
    """Calls the cache as it dies."""

    def __del__(self):
        # Python would only tell of it.
        with suppress(Exception):
            self.behave(None)


class Number(int):
    """An int that lies in arithmetic and when it is read as another number."""

    def __add__(self, other):
        return self.behave(1, "x", None, [1])

    __radd__ = __sub__ = __rsub__ = __lt__ = __add__

    def __float__(self):
        return self.behave(1.0, float("nan"), "x")

    def __index__(self):
        return self.behave(1, "x")

    __int__ = __index__

    def __bool__(self):
        return self.behave(True, False)


def subclass(kind, content, behave):
    """Make an object of a class whose instances take no arguments of ours."""
    made = kind(content)
    made.behave = behave
    return made


def hostile_key(choices, cache):
    """Make a key that may do anything."""
    behave = Behaviour(choices, cache)
    kind = choices.below(8)
    if kind < 4:
        return [Equal, Sized, Mortal, Classed][kind](behave)
    if kind == 4:
        return subclass(Word, choices.text(), behave)
    if kind == 5:
        return subclass(Number, choices.below(9), behave)
    parts = [hostile_key(choices, cache) for _ in range(choices.below(4))] if choices.left else []
    if kind == 6 and choices.yes():
        try:
            return frozenset(parts)
        except Exception:  # it is asked for its hash here already
            return frozenset()
    return tuple(parts)


def hostile_value(choices, cache, inner):
    """Make a value that may do anything, once or in containers."""
    behave = Behaviour(choices, cache)
    kind = choices.below(10)
    if kind < 5:
        return [Reduced, Rebuilt, Classed, Mortal, Equal][kind](behave)
    if kind == 5:
        return subclass(Listed, [inner], behave)
    if kind == 6:
        return subclass(Mapped, {"a": inner}, behave)
    if kind == 7:
        return subclass(Number, choices.below(9), behave)
    if kind == 8:
        return subclass(Word, choices.text(), behave)
    return [Reduced(behave), inner]


NAN = float("nan")
OBJECTS = [1j, date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC), timedelta(1), Decimal("1.0"), UUID(int=5)]
OBJECTS += [
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1), "x")),
    Markup("<b>"),
    Text("t"),
    range(3),
    ...,
]
OBJECTS += [
    Fraction(1, 3),
    b"x" * 300,
    "y" * 300,
    (),
    frozenset(),
    True,
    False,
    None,
    NAN,
    -0.0,
    Text("a"),
    int,
]


def atom(choices):
    """Make a hashable leaf."""
    kind = choices.below(8)
    if kind == 0:
        return choices.below(128)
    if kind < 5:
        return [choices.text, choices.number, choices.raw, choices.real][kind - 1]()
    return choices.pick(*OBJECTS)


def lawful_key(choices, depth=3):
    """Make a key that does as Python asks: equal keys have equal hashes, and nothing raises."""
    kind = choices.below(8)
    if kind < 6 or not depth:
        return atom(choices)
    parts = [lawful_key(choices, depth - 1) for _ in range(choices.below(4))]
    return tuple(parts) if kind == 6 else frozenset(parts)
