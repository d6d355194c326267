"""Probes of entries: time, size, values and keys: traps G, H, I, J1."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections import Counter, OrderedDict, namedtuple
from typing import Any

from caches import NotApplicableError, Peer
from probing import EXPIRY, Key, probe

Point = namedtuple("Point", "x y")


@probe("G1")
def timeouts(peer: Peer) -> None:
    """0 is never, negative is gone, by Flask-Caching's own convention."""
    if peer.flask is None:
        raise NotApplicableError
    store = peer.store(20)
    store.set("never", 1, timeout=0)
    assert store.get("never") == 1
    for timeout in (-1, -0.5):
        store.set("gone", 1, timeout=timeout)
        assert store.get("gone") is None, f"timeout {timeout}"


@probe("G2")
def never_expiring(peer: Peer) -> None:
    """Of ten entries that never expire, and are read, some outlive 30 newer ones."""
    store = peer.store(20)
    for number in range(10):
        store.set(f"never {number}", 1, timeout=0)
    for number in range(30):
        for old in range(10):
            store.get(f"never {old}")
        store.set(f"new {number}", 1)
    assert any(store.get(f"never {number}") for number in range(10)), "all are gone"


@probe("G3")
def overwritten(peer: Peer) -> None:
    """A longer timeout replaces a shorter one, and the other way round."""
    store = peer.store(20)
    store.set("longer", 1, timeout=1)
    store.set("longer", 2, timeout=100)
    store.set("shorter", 1, timeout=100)
    store.set("shorter", 2, timeout=1)
    time.sleep(EXPIRY)
    assert (store.get("longer"), store.get("shorter")) == (2, None)


@probe("G4")
def huge_timeout(peer: Peer) -> None:
    """An entry for two million years is there."""
    store = peer.store(20)
    store.set("a", 1, timeout=7e13)
    assert store.get("a") == 1


@probe("G5")
def wall_clock(peer: Peer) -> None:
    """An hour forth (of Python's clock: native peers do not ask it) kills no entry."""
    if peer.native:
        raise NotApplicableError
    store = peer.store(20)
    store.set("a", 1)
    real = time.time
    time.time = lambda: real() + 3600
    assert store.get("a") == 1


@probe("G6")
def quiet(peer: Peer) -> None:
    """Hundred reads after its expiry, an entry's memory is free."""
    store = peer.store(20)
    key = Key()
    watched = weakref.ref(key)
    store.set(key, 1, timeout=1)
    del key
    time.sleep(EXPIRY)
    for _ in range(100):
        store.get("other")
    assert watched() is None, "still alive"


@probe("H1")
def bound(peer: Peer) -> None:
    """Never more than one above the bound, whatever is stored."""
    store = peer.store(20)
    for number in range(200):
        store.set(number, number)
        assert store.size() <= 21, f"{store.size()} entries"


@probe("H3")
def size_is_true(peer: Peer) -> None:
    """The number of entries tells of insertion, deletion and expiry at once."""
    store = peer.store(20)
    store.set("a", 1, timeout=1)
    store.set("b", 1, timeout=1)
    store.delete("b")
    assert store.size() == 1, f"{store.size()} instead of 1"
    time.sleep(EXPIRY)
    assert store.size() == 0, f"{store.size()} instead of 0"


@probe("H5")
def scan(peer: Peer) -> None:
    """Most of 50 keys that are asked for again and again outlive a scan of 5,000 meanwhile."""
    store = peer.store(100)
    for _ in range(20):
        for number in range(50):
            if store.get(f"hot {number}") is None:
                store.set(f"hot {number}", 1)
    for number in range(5000):
        store.get(f"hot {number % 50}")
        store.get(f"once {number}")
        store.set(f"once {number}", 1)
    left = sum(store.get(f"hot {number}") is not None for number in range(50))
    assert left > 25, f"{left} of 50 are left"


@probe("I2")
def isolation(peer: Peer) -> None:
    """A caller's changes, before and after, change nothing that is cached."""
    store = peer.store(20)
    value = {"a": [1]}
    store.set("a", value)
    value["a"].append(2)
    store.get("a")["a"].append(3)
    assert store.get("a") == {"a": [1]}, store.get("a")


@probe("I3")
def exact_types(peer: Peer) -> None:
    """Types come back as they were."""
    store = peer.store(20)
    for value in (Point(1, 2), OrderedDict(a=1), Counter("ab"), (1, [2]), frozenset({1})):
        store.set("a", value)
        assert (type(store.get("a")), store.get("a")) == (type(value), value)


class Untouchable:
    """Has no truth and cannot be compared."""

    def __eq__(self, other: object) -> bool:
        """Raise."""
        raise LookupError

    def __bool__(self) -> bool:
        """Raise."""
        raise LookupError

    __hash__ = None  # type: ignore[assignment]


@probe("I4")
def untouched(peer: Peer) -> None:
    """Values are neither compared nor asked for their truth."""
    store = peer.store(20)
    for _ in range(2):
        store.set("a", Untouchable())
        assert isinstance(store.get("a"), Untouchable)


@probe("I5")
def numbers(peer: Peer) -> None:
    """Numbers that are equal stay what they are."""
    store = peer.store(20)
    for value in (True, 1, 1.0, 0.0, -0.0, 10**100, float("nan")):
        store.set("a", value)
        assert repr(store.get("a")) == repr(value)


@probe("I6")
def depth(peer: Peer) -> None:
    """A list 100,000 levels deep is stored or refused, and what follows works."""
    store = peer.store(20)
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with contextlib.suppress(Exception):
        store.set("deep", value)
        store.get("deep")
    twice = [1]
    store.set("twice", [twice, twice])
    first, second = store.get("twice")
    assert first is second


@probe("J1")
def strange_keys(peer: Peer) -> None:
    """Each strange key has an entry of its own."""
    store = peer.store(20)
    keys = ["", "\0", "\ud800", "x" * 1_000_000, ("a", 1), b"a", 7, None]
    for number, key in enumerate(keys):
        store.set(key, number)
    assert [store.get(key) for key in keys] == list(range(len(keys)))
