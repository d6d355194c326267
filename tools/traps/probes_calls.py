"""Probes of decorated functions: fills, keys, instances: traps B5, C, J2 to J7, K10."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import pickle
import signal
import sys
import threading
import time
import weakref
from typing import Any

from caches import NotApplicableError, Peer
from probing import Key, parallel, probe

PAUSE = 0.3
PATIENCE = 5


@probe("B5")
def instance(peer: Peer) -> None:
    """An object whose method was called is collectable."""

    class Shop:
        def price(self, item: int) -> int:
            return item

    Shop.price = peer.memo(Shop.price)[0]  # type: ignore[method-assign]
    shop = Shop()
    shop.price(1)
    watched = weakref.ref(shop)
    del shop
    gc.collect()
    assert watched() is None, "kept alive"


@probe("C1")
def leader_fails(peer: Peer) -> None:
    """The leader's thread ends while another waits: that one computes."""
    runs: list[str] = []
    begun = threading.Event()

    def work(key: int) -> int:
        runs.append("run")
        if len(runs) == 1:
            begun.set()
            time.sleep(PAUSE)
            raise SystemExit
        return key

    call, _ = peer.memo(work)
    answers: list[int] = []
    leader = threading.Thread(target=call, args=(1,), daemon=True)
    leader.start()
    begun.wait()
    parallel(lambda: answers.append(call(1)))
    assert (answers, len(runs)) == ([1], 2), (answers, len(runs))


@probe("C2")
def recursion(peer: Peer) -> None:
    """A function calls itself with the same argument, once."""
    runs: list[int] = []

    def work(key: int) -> int:
        runs.append(key)
        return key if len(runs) > 1 else call(key)

    call, _ = peer.memo(work)
    assert call(1) == 1


@probe("C3")
def crosswise(peer: Peer) -> None:
    """A computes B while B computes A."""
    both = threading.Barrier(2)
    inner = threading.local()

    def work(key: int) -> int:
        if getattr(inner, "entered", False):
            return key
        inner.entered = True
        both.wait()
        return call(1 - key) + key

    call, _ = peer.memo(work)
    parallel(lambda: call(0), lambda: call(1))


@probe("C4")
def failures(peer: Peer) -> None:
    """Eight callers of a slow function that fails each get a run of their own, at about the same time."""
    runs: list[int] = []
    together = threading.Barrier(8)

    def work(key: int) -> int:
        runs.append(key)
        time.sleep(PAUSE)
        raise LookupError

    call, _ = peer.memo(work)

    def ask() -> None:
        together.wait()
        try:
            call(1)
        except LookupError:
            return

    start = time.monotonic()
    parallel(*[ask] * 8)
    took = time.monotonic() - start
    assert len(runs) == 8, f"{len(runs)} runs: a failure is shared"
    assert took < 8 * PAUSE * 0.7, f"one after the other: {took:.1f} s for 8 runs of {PAUSE} s"


@probe("C5")
def failing_keys(peer: Peer) -> None:
    """The argument of a call that failed is not kept."""

    def work(key: Any) -> int:
        raise LookupError

    call, _ = peer.memo(work)
    key = Key()
    watched = weakref.ref(key)
    try:
        call(key)
    except LookupError:
        del key
    gc.collect()
    assert watched() is None, "kept"


@probe("C6")
def late_result(peer: Peer) -> None:
    """What is cleared while it is computed is computed again by the next call."""
    runs: list[int] = []

    def work(key: int) -> int:
        runs.append(key)
        if len(runs) == 1:
            parallel(forget)
        return len(runs)

    call, forget = peer.memo(work)
    assert call(1) == 1
    assert call(1) == 2, "the old value is stored"


@probe("C7")
def overlap(peer: Peer) -> None:
    """Two different calls are computed at the same time."""
    both = threading.Barrier(2, timeout=PATIENCE)
    met: list[int] = []

    def work(key: int) -> int:
        both.wait()
        met.append(key)
        return key

    call, _ = peer.memo(work)
    parallel(lambda: call(1), lambda: call(2))
    assert len(met) == 2


@probe("C8")
def stampede(peer: Peer) -> None:
    """Eight callers of a slow function at once: it runs once."""
    runs: list[int] = []
    together = threading.Barrier(8)

    def work(key: int) -> int:
        runs.append(key)
        time.sleep(PAUSE)
        return key

    call, _ = peer.memo(work)

    def ask() -> None:
        together.wait()
        call(1)

    parallel(*[ask] * 8)
    assert len(runs) == 1, f"{len(runs)} runs"


@probe("C9")
def interrupt(peer: Peer) -> None:
    """Ctrl-C ends the waiting long before the leader is done."""
    begun = threading.Event()

    def work(key: int) -> int:
        begun.set()
        time.sleep(3)
        return key

    call, _ = peer.memo(work)
    threading.Thread(target=call, args=(1,), daemon=True).start()
    begun.wait()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, PAUSE)
    start = time.monotonic()
    try:
        call(1)
    except KeyboardInterrupt:
        took = time.monotonic() - start
        assert took < 2, f"after {took:.1f} s"
    else:
        raise AssertionError("it was not interrupted")


@probe("C10")
def greenlets(peer: Peer) -> None:
    """Under gevent's patches, two greenlets ask for one key whose computation sleeps."""
    gevent = importlib.import_module("gevent")

    def work(key: int) -> int:
        time.sleep(PAUSE)
        return key

    call, _ = peer.memo(work)
    jobs = [gevent.spawn(call, 1) for _ in range(2)]
    gevent.joinall(jobs, raise_error=True)
    assert [job.value for job in jobs] == [1, 1]


@probe("C11")
def event_loops(peer: Peer) -> None:
    """Three requests for one async view, each in an event loop of its own."""
    if not peer.coroutines:
        raise NotApplicableError
    app, decorate = peer.pages()
    together = threading.Barrier(3)

    async def view() -> str:
        await asyncio.sleep(PAUSE)
        return "page"

    app.add_url_rule("/", "page", decorate(view))
    answers: list[str] = []

    def ask() -> None:
        together.wait()
        answers.append(app.test_client().get("/").text)

    parallel(*[ask] * 3)
    assert answers == ["page"] * 3, answers


@probe("J2")
def collisions(peer: Peer) -> None:
    """Calls with different arguments get different answers, by type as well."""
    call, _ = peer.memo(lambda *arguments: repr(arguments))
    calls: list[tuple[Any, ...]] = [
        ("a", "b"),
        ("a,b",),
        ("a', 'b",),
        (1,),
        ("1",),
        (True,),
        (1.0,),
        (),
        ((),),
    ]
    for arguments in calls:
        assert call(*arguments) == repr(arguments), f"{arguments!r} gets the answer of {call(*arguments)}"


@probe("J3")
def forms(peer: Peer) -> None:
    """The forms of one call share an entry."""
    runs: list[int] = []

    def work(a: int, b: int = 2) -> int:
        runs.append(a)
        return a + b

    call, _ = peer.memo(work)
    for answer in (call(1), call(a=1), call(1, 2), call(1, b=2), call(b=2, a=1)):
        assert answer == 3
    assert len(runs) == 1, f"{len(runs)} runs"


@probe("J6")
def namesakes(peer: Peer) -> None:
    """Two functions of one name and different code have their own values."""
    if peer.flask is None:
        raise NotApplicableError

    def first() -> Any:
        def work() -> str:
            return "first"

        return work

    def second() -> Any:
        def work() -> str:
            return "second"

        return work

    _, cache = peer.app()
    calls = []
    for function in (first(), second()):
        function.__qualname__ = "work"
        calls.append(cache.memoize(60)(function))
    answers = [call() for call in calls]
    assert answers == ["first", "second"], answers


@probe("J7")
def afresh(peer: Peer) -> None:
    """A function decorated at every call finds its entries."""
    if peer.flask is None:
        raise NotApplicableError
    _, cache = peer.app()
    runs: list[int] = []

    def work(key: int) -> int:
        runs.append(key)
        return key

    for _ in range(3):
        cache.memoize(60)(work)(1)
    assert len(runs) == 1, f"{len(runs)} runs"


def sample(a: int, b: int = 2) -> int:
    """Add."""
    return a + b


@probe("K10")
def metadata(peer: Peer) -> None:
    """Name, documentation, signature and pickling are those of the function."""
    module: Any = sys.modules[__name__]
    plain = sample
    module.sample = decorated = peer.memo(plain)[0]
    assert (decorated.__name__, decorated.__doc__) == (plain.__name__, plain.__doc__)
    assert inspect.signature(decorated) == inspect.signature(plain)
    assert decorated.__wrapped__ is plain
    assert pickle.loads(pickle.dumps(decorated)) is decorated
