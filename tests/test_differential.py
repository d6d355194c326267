"""RustCache answers as SimpleCache does, to the same random calls, but for the written decisions.

The reference is Flask-Caching's own SimpleCache, bent to the decisions of the drop-in contract by
``Decided``: one small method or function for each, which names it. Both caches live by one clock,
which moves in whole seconds: SimpleCache cuts the present to a whole second when it stores, so
only there do a 1.5 s and a 2 s timeout mean the same to both. Nothing is evicted here; small
caches are conformance/test_bound.py's.
"""

import copy
import math
import operator
import threading
import warnings
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from pickle import PicklingError
from types import BuiltinFunctionType, FunctionType, NoneType
from unittest import mock
from uuid import UUID

import cachelib.simple
from flask import Response
from flask_caching.backends import SimpleCache
from flask_rustcache import RustCache
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from markupsafe import Markup

# More entries than any run makes: nothing is evicted where every answer is compared.
NEVER_FULL = 10_000


class Clock:
    """A clock of whole seconds, moved by hand."""

    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


# --- the decisions of the contract, where SimpleCache's own answer is another ---------------------


def is_negative(timeout: object) -> bool:
    """Decision, timeouts: a negative one, be it -0.5, leaves nothing to read."""
    if isinstance(timeout, timedelta):
        return timeout < timedelta()
    return isinstance(timeout, int | float) and timeout < 0


def without_infinity(timeout: object) -> object:
    """Decision, timeouts: infinity never expires, where SimpleCache raises OverflowError."""
    return 0 if isinstance(timeout, float) and timeout == math.inf else timeout


class Decided(SimpleCache):
    """SimpleCache but for the contract's decisions."""

    def _dies_at_once(self, timeout: object) -> bool:
        return is_negative(self.default_timeout if timeout is None else timeout)

    def set(self, key, value, timeout=None):
        """Decision, negative timeouts: the old value is gone, and no slot is taken."""
        if self._dies_at_once(timeout):
            super().delete(key)
            return True
        return super().set(key, value, without_infinity(timeout))

    def add(self, key, value, timeout=None):
        """Decision, negative timeouts: what is added dies at once, what was there stays."""
        if self._dies_at_once(timeout):
            return not self.has(key)
        return super().add(key, value, without_infinity(timeout))

    def delete(self, key):
        """Decision, ``delete``: an expired entry is absent here too."""
        was_there = self.has(key)
        super().delete(key)
        return was_there

    def inc(self, key, delta=1):
        return self._shift(key, operator.add, delta)

    def dec(self, key, delta=1):
        return self._shift(key, operator.sub, delta)

    def _shift(self, key, operation, delta):
        """Decision, ``inc``: the remaining lifetime is kept; None alone counts as 0."""
        start = self.get(key)
        value = operation(0 if start is None else start, delta)
        if self.has(key):
            self._cache[key] = (self._cache[key][0], self.serializer.dumps(value))
        else:
            self.set(key, value)
        return value


# --- values, and what it means that two of them are the same --------------------------------------


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Row(list):
    pass


class Table(dict):
    pass


class Colour(Enum):
    RED = 1


@dataclass
class Company:
    name: str
    prices: list = field(default_factory=list)


class Poison:
    def __reduce__(self):
        raise PicklingError("never")


Point = namedtuple("Point", "x y")

ATOMS = {NoneType, bool, int, float, complex, str, bytes, range, type(...)}
ATOMS |= {date, time, timedelta, datetime, timezone, Decimal, UUID, Markup}
GLOBALS = (type, FunctionType, BuiltinFunctionType)


def shape(value: object, seen: dict[int, tuple[int, object]] | None = None) -> object:
    """Describe a value in full: exact types, order, and which containers are one and the same.

    ``==`` would not do: it takes 1 for True and 0.0 for -0.0, and nan for different from itself.
    """
    seen = {} if seen is None else seen
    if type(value) in ATOMS or isinstance(value, GLOBALS):
        return type(value), repr(value)
    if isinstance(value, Response):
        return type(value), value.status, list(value.headers), value.get_data()
    if type(value) in {tuple, frozenset}:
        return type(value), members(value, seen)
    if id(value) in seen:
        return "again", seen[id(value)][0]
    # The object is kept with its number, so that its id is not given to another meanwhile.
    seen[id(value)] = (len(seen), value)
    return type(value), members(value, seen)


def members(value: object, seen: dict[int, tuple[int, object]]) -> object:
    """Describe what a container holds, or what pickle would take of any other object."""
    if type(value) in {set, frozenset}:
        return sorted(repr(shape(member, seen)) for member in value)
    if type(value) in {list, tuple}:
        return [shape(member, seen) for member in value]
    if type(value) is dict:
        return [(shape(k, seen), shape(v, seen)) for k, v in value.items()]
    recipe = value.__reduce_ex__(4)
    if isinstance(recipe, str):
        return recipe
    made_by, arguments, *rest = recipe
    return [shape(part, seen) for part in (made_by, arguments, *map(listed, rest))]


def listed(part: object) -> object:
    """Turn the iterators of a pickling recipe into lists."""
    return list(part) if hasattr(part, "__next__") else part


def spoil(value: object) -> None:
    """Empty every container in a value: whoever still shares one with the cache shows it."""
    if isinstance(value, list | dict | set | tuple):
        held = [*value, *value.values()] if isinstance(value, dict) else [*value]
        if not isinstance(value, tuple):
            value.clear()
        for member in held:
            spoil(member)


def outcome(call: Callable[[], object]) -> tuple[str, object]:
    """Make a call and describe what came of it; the answer itself is spoilt afterwards."""
    try:
        answer = call()
    except Exception as error:  # whichever it is, the other must raise it too
        return "raised", type(error)
    described = shape(answer)
    spoil(answer)
    return "returned", described


def twice(value: object) -> list:
    return [value, (value,), value]


def knot(value: object) -> list:
    tied: list = [value]
    tied.append((tied, {"self": tied}))
    return tied


def ring(value: object) -> dict:
    tied: dict = {"value": value}
    tied["self"] = tied
    return tied


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from([10**400, -(2**63), 2**64, -0.0, "\ud800", "a\0b", "é" * 200, b"", range(3)]),
)
SHARED = st.one_of(
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(minutes=-90), "here")])),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.text(max_size=5).map(Markup),
)
PICKLED = st.sampled_from(
    [
        *[Text("a"), Number(3), Row([1, []]), Table(a=1), Point(1, [2]), Colour.RED],
        *[Company("ibm", [1.5]), OrderedDict(b=1, a=2), Counter("abca"), deque([1], maxlen=2)],
        *[defaultdict(list, a=[1]), bytearray(b"ab"), Fraction(1, 3), PurePosixPath("a/b")],
        *[
            Decimal("nan"),
            Decimal("snan"),
            ...,
            NotImplemented,
            int,
            len,
            ValueError("no"),
            Exception,
        ],
        *[Response("body", 201, {"X-A": "1"}), Response(b"", 404, mimetype="text/plain")],
    ]
)
LEAVES = st.one_of(PLAIN, PLAIN, SHARED, PICKLED)
HASHABLE = st.one_of(PLAIN, SHARED)


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
        *[inner.map(tie) for tie in (twice, knot, ring)],
    )


VALUES = st.one_of(LEAVES, st.recursive(LEAVES, containers, max_leaves=12))
UNPICKLABLE = st.sampled_from([threading.Lock(), lambda: 0, Poison(), [{"a": Poison()}]])

NAN = float("nan")
# 1, 1.0 and True are one key; -1 and -2 share a hash, as 1 and 2**61 do; nan is found by identity.
ODD_KEYS = [1, 1.0, True, 0, False, -1, -2, 2**61, NAN, None, (), (1, "a"), (1.0, "a"), b"a", ""]
ODD_KEYS += ["a\0b", "\ud800", "é", Text("a"), frozenset({1}), Colour.RED, date(2026, 1, 2)]
KEYS = st.one_of(st.sampled_from(["a", "b", "c"]), st.sampled_from(ODD_KEYS))

GOOD_TIMEOUTS = [None, 0, False, 1, True, 2, 5, 0.0, -0.0, 0.5, 1.5, 2.0, 2**64, 10**400]
GOOD_TIMEOUTS += [timedelta(), timedelta(seconds=3), timedelta(seconds=1.5), timedelta.max]
GONE_TIMEOUTS = [-1, -(10**400), -0.5, -1.5, -math.inf, timedelta(seconds=-1), timedelta(0, 0, -1)]
BAD_TIMEOUTS = [math.nan, "1", b"1", 1j, Decimal(1), [], object()]
TIMEOUTS = st.one_of(
    st.sampled_from(GOOD_TIMEOUTS),
    st.sampled_from([*GOOD_TIMEOUTS, math.inf, *GONE_TIMEOUTS, *BAD_TIMEOUTS]),
)
DEFAULT_TIMEOUTS = st.sampled_from([300, 3, 0, timedelta(seconds=4), -1])
STARTS = st.sampled_from([1, None, False, 0.0, -0.0, "", [], (), Decimal(0)])
LAST_CALLS = st.sampled_from([("get",), ("has",), ("delete",), ("inc",), ("add", "late")])
DELTAS = st.sampled_from([1, -3, 10**30, True, 0.5, 1j, "x", [1], (), None, Decimal("0.1")])


class Twins(RuleBasedStateMachine):
    """RustCache and the reference, driven by the same calls."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.patch = mock.patch.object(cachelib.simple, "time", self.clock)
        self.patch.start()

    @initialize(default_timeout=DEFAULT_TIMEOUTS)
    def build(self, default_timeout):
        self.simple = Decided(NEVER_FULL, default_timeout)
        self.rust = RustCache(NEVER_FULL, default_timeout, clock=self.clock)

    def teardown(self):
        self.patch.stop()

    def both(self, method, *args, **options):
        """Make one call on both caches, each with arguments of its own, and compare."""
        ours = self._call(self.rust, method, args, options)
        with warnings.catch_warnings():
            # Decision, timeouts: floats are served as they are, and ours warns of nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = self._call(self.simple, method, args, options)
        assert ours == theirs

    @staticmethod
    def _call(cache, method, args, options):
        own = [copy.deepcopy(argument) if argument is not NAN else NAN for argument in args]
        result = outcome(lambda: getattr(cache, method)(*own, **options))
        for argument in own:
            spoil(argument)
        return result

    @rule(seconds=st.integers(1, 6))
    def tick(self, seconds):
        self.clock.seconds += seconds

    @rule(method=st.sampled_from(["set", "add"]), key=KEYS, value=VALUES, timeout=TIMEOUTS)
    def store(self, method, key, value, timeout):
        self.both(method, key, value, timeout=timeout)
        self.both("get", key)

    @rule(key=KEYS, value=VALUES)
    def store_for_the_default_timeout(self, key, value):
        self.both("set", key, value)

    @rule(mapping=st.dictionaries(KEYS, VALUES, max_size=4), timeout=TIMEOUTS)
    def store_many(self, mapping, timeout):
        self.both("set_many", mapping, timeout)

    @rule(key=KEYS, value=UNPICKLABLE)
    def store_poison(self, key, value):
        """Decision, values: what cannot be pickled raises, and leaves the old value as it was.

        SimpleCache is not asked: a PicklingError there leaves an entry that raises when read.
        """
        assert outcome(lambda: self.rust.set(key, value))[0] == "raised"
        self.both("get", key)

    @rule(method=st.sampled_from(["get", "has", "delete", "inc", "dec"]), key=KEYS)
    def ask(self, method, key):
        self.both(method, key)

    @rule(
        method=st.sampled_from(["get_many", "get_dict", "delete_many"]),
        keys=st.lists(KEYS, max_size=5),
    )
    def ask_many(self, method, keys):
        self.both(method, *keys)

    @rule(method=st.sampled_from(["inc", "dec"]), key=KEYS, delta=DELTAS)
    def shift(self, method, key, delta):
        self.both(method, key, delta)

    @rule(key=KEYS, timeout=st.integers(0, 4), start=STARTS, delta=DELTAS, then=LAST_CALLS)
    def count_for_a_while(self, key, timeout, start, delta, then):
        """The calls above rarely meet on one key; a rate limiter's always do."""
        self.both("set", key, start, timeout)
        self.both("inc", key, delta)
        self.tick(2)
        self.both(*then[:1], key, *then[1:])

    @rule()
    def clear(self):
        self.both("clear")

    @rule(default_timeout=DEFAULT_TIMEOUTS.filter(lambda t: isinstance(t, int)))
    def assign_default_timeout(self, default_timeout):
        self.simple.default_timeout = self.rust.default_timeout = default_timeout

    @invariant()
    def same_live_keys(self):
        assert set(self.rust._cache.keys()) == {k for k in self.simple._cache if self.simple.has(k)}


TestTwins = Twins.TestCase
TestTwins.settings = settings(
    max_examples=3 * settings.default.max_examples, stateful_step_count=40, deadline=None
)
