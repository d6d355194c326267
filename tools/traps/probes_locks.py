"""Probes of locks, memory, forks and threads: traps A, B, E, F."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caches import NotApplicableError, Peer
from probing import FAILED, Key, parallel, probe


def _boom() -> None:
    raise LookupError("boom")


@probe("A1")
def finaliser(peer: Peer) -> None:
    """A finaliser reads and writes while its key is overwritten, deleted, evicted, cleared."""
    store = peer.store(20)
    calls: Counter[str] = Counter()

    def use() -> None:
        calls["begun"] += 1
        store.set("inner", 1)
        store.get("inner")
        store.delete("inner")
        calls["ended"] += 1

    Key.hook, Key.armed = use, "del"
    store.set(Key(), 1)
    for number in range(100):
        store.set(number, 1)
    key = Key()
    store.set(key, 1)
    store.delete(key)
    del key
    store.set(Key(), 1)
    store.clear()
    if not calls:
        # The keys have not died yet.
        raise NotApplicableError
    assert calls["begun"] == calls["ended"], "an exception in the finaliser"


@probe("A2")
def comparison(peer: Peer) -> None:
    """Comparing keys calls the cache; then it raises, and the caller is told."""
    store = peer.store(20)
    first, second = Key(), Key()
    store.set(first, 1)
    Key.hook, Key.armed = lambda: store.set("inner", 1), "eq"
    store.set(second, 2)
    assert store.get(second) == 2
    Key.hook = _boom
    try:
        store.get(Key())
    except LookupError:
        return
    raise AssertionError("the exception is swallowed")


@probe("A6")
def hash_raises(peer: Peer) -> None:
    """After keys that raise at every call, all is as it was."""
    store = peer.store(20)
    store.set("a", 1)
    Key.hook, Key.armed = _boom, "hash"
    for _ in range(20):
        for call in (store.get, lambda key: store.set(key, 1), store.delete):
            with contextlib.suppress(LookupError):
                Key.armed = "hash"
                call(Key())
    Key.armed = ""
    store.set("b", 2)
    assert (store.get("a"), store.get("b")) == (1, 2)


class Reducing:
    """Calls the cache as it is pickled."""

    hook: Callable[[], Any] = staticmethod(lambda: None)

    def __reduce__(self) -> Any:
        """Pickle it as a number."""
        Reducing.hook()
        return int, (1,)


@probe("A4")
def pickling(peer: Peer) -> None:
    """Pickling a value calls the cache."""
    if not peer.copies:
        raise NotApplicableError
    store = peer.store(20)
    Reducing.hook = staticmethod(lambda: store.set("a", 2))
    store.set("a", Reducing())
    assert store.get("a") == 1


@probe("B1")
def cycle(peer: Peer) -> None:
    """A key that refers to its cache goes with it."""
    key: Any = Key()
    store = peer.store(20)
    key.cache = store
    store.set(key, 1)
    watched = weakref.ref(key)
    del key, store
    gc.collect()
    assert watched() is None, "leaked"


@probe("B3")
def interpreters_end(peer: Peer) -> None:
    """A finaliser uses the cache when the interpreter ends."""
    store = peer.store(20)

    class Last:
        def __del__(self) -> None:
            try:
                store.set("last", [1])
                assert store.get("last") == [1]
            except BaseException:
                os._exit(FAILED)

    sys.modules["last"] = Last()  # type: ignore[assignment]


def _threads() -> int:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        raise NotApplicableError
    return len(list(tasks.iterdir()))


@probe("B4")
def background(peer: Peer) -> None:
    """Import and use leave no thread but this one."""
    store = peer.store(20)
    for number in range(100):
        store.set(number, number)
        store.get(number)
    assert _threads() == 1, f"{_threads()} threads"


@probe("B6")
def dies_at_once(peer: Peer) -> None:
    """What is deleted, and what is cleared, is gone when the call returns."""
    store = peer.store(20)
    for end in (store.delete, lambda key: store.clear()):
        key = Key()
        watched = weakref.ref(key)
        store.set(key, 1)
        end(key)
        del key
        assert watched() is None, "still alive"


@probe("B7")
def collector(peer: Peer) -> None:
    """Cached containers are none that the collector must visit."""
    store = peer.store(2000)
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1000):
        store.set(f"key {number}", {"a": [number]})
    gc.collect()
    more = len(gc.get_objects()) - before
    assert more < 500, f"{more} more objects to visit for 1,000 values"


@probe("E1")
def forks(peer: Peer) -> None:
    """Fifty children, forked while three threads are busy, use the cache."""
    store = peer.store(50)
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.set(f"key {number % 100}", number)
            store.get(f"key {number % 70}")

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    hung = 0
    for _ in range(50):
        child = os.fork()
        if not child:
            # Its default action ends a child that waits for a lock nobody has.
            signal.alarm(5)
            store.set("child", 1)
            store.get("child")
            os._exit(0)
        hung += os.waitpid(child, 0)[1] != 0
        if hung >= 2:  # enough is known; the parent must end within its own limit
            break
    stop.set()
    assert not hung, "children hang or fail"


@probe("F2")
def counters(peer: Peer) -> None:
    """Four threads count to 8,000 together."""
    raw = peer.store(20).raw
    if not hasattr(raw, "inc"):
        raise NotApplicableError
    sys.setswitchinterval(1e-6)
    parallel(*[lambda: [raw.inc("count") for _ in range(2000)]] * 4)
    assert raw.get("count") == 8000, raw.get("count")
