"""A small RustCache under random calls: never over its bound, never wrong about a value.

Which entries it keeps is its own affair (SimpleCache chooses others), so no answer is compared with
SimpleCache's here: each must be the last value set, or nothing.
"""

import math

import pytest
from flask_caching.backends import SimpleCache
from flask_rustcache import RustCache
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

KEYS = st.integers(0, 20)
# Whole seconds; 0 never expires.
TIMEOUTS = st.integers(0, 9)
DEFAULT_TIMEOUT = 300


class Clock:
    """A clock of whole seconds, moved by hand."""

    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Bounded(RuleBasedStateMachine):
    """A small RustCache beside the record of what was last set for each key."""

    @initialize(threshold=st.integers(1, 8))
    def build(self, threshold):
        self.clock = Clock()
        self.threshold = threshold
        self.rust = RustCache(threshold, DEFAULT_TIMEOUT, clock=self.clock)
        self.last: dict[object, tuple[float, object]] = {}

    def live(self, key):
        """Give the last value set for a key, unless its time is over."""
        expires, value = self.last.get(key, (-math.inf, None))
        return value if expires > self.clock() else None

    def remember(self, key, value, timeout):
        self.last[key] = (self.clock() + timeout if timeout else math.inf, value)

    @rule(seconds=st.integers(1, 6))
    def tick(self, seconds):
        self.clock.seconds += seconds

    @rule(key=KEYS, value=st.integers(), timeout=TIMEOUTS)
    def set(self, key, value, timeout):
        assert self.rust.set(key, value, timeout) is True
        self.remember(key, value, timeout)

    @rule(key=KEYS, value=st.integers(), timeout=TIMEOUTS)
    def add(self, key, value, timeout):
        if self.rust.add(key, value, timeout):
            self.remember(key, value, timeout)
        else:
            assert self.live(key) is not None

    @rule(mapping=st.dictionaries(KEYS, st.integers()), timeout=TIMEOUTS)
    def set_many(self, mapping, timeout):
        assert self.rust.set_many(mapping, timeout) == list(mapping)
        for key, value in mapping.items():
            self.remember(key, value, timeout)

    @rule(key=KEYS)
    def inc(self, key):
        expires, value = self.last.get(key, (0, 0))
        answer = self.rust.inc(key)
        if answer == value + 1 and self.live(key) is not None:
            self.last[key] = (expires, answer)
        else:
            assert answer == 1
            self.remember(key, answer, DEFAULT_TIMEOUT)

    @rule(key=KEYS)
    def delete(self, key):
        if self.rust.delete(key):
            assert self.live(key) is not None
        self.last.pop(key, None)

    @rule(keys=st.lists(KEYS, max_size=8))
    def read(self, keys):
        for key, value in self.rust.get_dict(*keys).items():
            assert value in (None, self.live(key))

    @rule()
    def clear(self):
        assert self.rust.clear() is True
        self.last.clear()

    @invariant()
    def bounded(self):
        keys = list(self.rust._cache.keys())
        assert len(keys) == len(self.rust._cache) <= self.threshold + 1
        assert all(self.live(key) is not None for key in keys)


TestBounded = Bounded.TestCase
TestBounded.settings = settings(
    max_examples=settings.default.max_examples, stateful_step_count=50, deadline=None
)


@pytest.mark.parametrize("key", [[], {}, {1}, ([],), bytearray()], ids=repr)
@pytest.mark.parametrize("method", ["get", "has", "delete", "get_many", "get_dict", "delete_many"])
def test_unhashable_key_is_a_type_error(method, key):
    """As on a SimpleCache that holds something (an empty one does not look at ``delete``'s key)."""
    for cache in (SimpleCache(), RustCache()):
        cache.set("a", 1)
        with pytest.raises(TypeError, match="unhashable"):
            getattr(cache, method)(key)


@pytest.mark.parametrize("method", ["set", "add", "inc", "dec"])
def test_unhashable_key_is_a_type_error_for_writers(method):
    """As on SimpleCache, and nothing is stored."""
    for cache in (SimpleCache(), RustCache()):
        with pytest.raises(TypeError, match="unhashable"):
            getattr(cache, method)(["a"], 1)
        assert len(cache._cache) == 0
