"""Traps C10, C11 and what else may carry a fill away: greenlets, event loops, forks, the end."""

import asyncio
import contextvars
import importlib
import itertools
import os
import sys
import threading
import traceback
import warnings
from importlib.util import find_spec

import pytest
from flask_rustcache import cached, memoize

from ._child import in_child, run_child
from ._fills import PATIENCE, Crowd, Gate, follow, lead, shop
from ._traps import Lasting

GREENLETS = """
from gevent import monkey
monkey.patch_all()
import flask, flask_rustcache, gevent, itertools
from gevent.event import Event

app = flask.Flask("shop")
app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_FILL_TIMEOUT=600)
cache = flask_rustcache.Cache(app)
runs, gate, entered = itertools.count(1), Event(), Event()

def stay():
    entered.set()
    assert gate.wait(20)

def spawn(call, size):
    greenlets = [gevent.spawn(call) for _ in range(size)]
    assert entered.wait(20)
    # All others run until they wait.
    gevent.idle()
    return greenlets
"""

SHARE = """
@app.route("/")
@cache.cached(60)
def page():
    stay()
    return f"run {next(runs)}"

greenlets = spawn(lambda: app.test_client().get("/").text, 32)
assert not any(greenlet.ready() for greenlet in greenlets)
assert gevent.spawn(lambda: "others run").get(timeout=20) == "others run"
gate.set()
gevent.joinall(greenlets, timeout=20, raise_error=True)
assert {greenlet.value for greenlet in greenlets} == {"run 1"}
assert cache.cache.stats()["coalesced"] == 31
"""

KILL = """
@cache.cached(60, key_prefix="fixed")
def page():
    number = next(runs)
    if number == 1:
        stay()
    return number

leader, *followers = spawn(page, 4)
killed = followers.pop()
killed.kill(timeout=20)
leader.kill(timeout=20)
assert isinstance(leader.value, gevent.GreenletExit)
gevent.joinall(followers, timeout=20, raise_error=True)
assert {greenlet.value for greenlet in followers} <= {2, 3}
cache.delete("fixed")
assert page() == page()
"""

RECUR = """
@cache.cached(60, key_prefix="fixed")
def page():
    if next(runs) == 1:
        return f"outer and {page()}"
    return "inner"

@cache.cached(60, key_prefix="a")
def a():
    stay()
    return "a" if next(runs) > 4 else f"a {b()}"

@cache.cached(60, key_prefix="b")
def b():
    stay()
    return "b" if next(runs) > 4 else f"b {a()}"

assert gevent.spawn(page).get(timeout=20) == "outer and inner"
greenlets = spawn(a, 1) + spawn(b, 1)
gate.set()
gevent.joinall(greenlets, timeout=20, raise_error=True)
assert [greenlet.value[0] for greenlet in greenlets] == ["a", "b"]
"""


@pytest.mark.parametrize("script", [SHARE, KILL, RECUR], ids=["share", "kill", "recur"])
def test_greenlets(script):
    """C10, C1, C2, C3: others run while one waits; leaders and followers are killed; circles end."""
    pytest.importorskip("gevent")
    run_child("-c", GREENLETS + script)


@in_child
def test_async_views_of_one_key():
    """C11: three requests, each in an event loop of its own, share what one of them makes."""
    app, cache, runs = shop()
    gate = Gate()

    @app.route("/")
    @cache.cached(60)
    async def page():
        await asyncio.to_thread(gate.stay)
        return f"run {next(runs)}"

    def visit():
        return app.test_client().get("/").text

    leader, followers = lead(visit, gate), follow(visit, 2)
    gate.open()
    assert leader.join() + followers.join() == ["run 1"] * 3


@in_child
def test_async_views_that_need_each_other():
    """C11, C2, C3: through ``asyncio.to_thread``, which copies the context; none waits for the other."""
    app, cache, _ = shop()
    all_lead = threading.Barrier(2)
    started = set()

    def make(name, other):
        @cache.cached(60)
        async def page():
            if name in started:
                return name
            started.add(name)
            await asyncio.to_thread(all_lead.wait, PATIENCE)
            own = await asyncio.to_thread(visit, name)
            return f"{own} {await asyncio.to_thread(visit, other)}"

        return page

    def visit(name):
        return app.test_client().get(f"/{name}").text

    app.add_url_rule("/a", "a", make("a", "b"))
    app.add_url_rule("/b", "b", make("b", "a"))
    crowds = [Crowd(lambda: visit("a")), Crowd(lambda: visit("b"))]
    assert [crowd.join()[0][:3] for crowd in crowds] == ["a b", "b a"]


@in_child
def test_an_event_loop_is_not_made_to_wait():
    """C11: a call from inside a running loop computes, as the leader may need that very loop."""
    _, cache, runs = shop()
    gate = Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    async def main():
        leading = asyncio.create_task(asyncio.to_thread(page))
        await asyncio.to_thread(gate.wait_for_entry)
        own = page()
        gate.open()
        return own, await leading

    assert asyncio.run(main()) == (2, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@in_child
def test_a_forked_child_waits_for_none_of_its_parents_fills():
    """C9: whoever leads is not there any more; callers of the child share fills among themselves."""
    # From Python 3.12 on, forking with threads around warns.
    warnings.simplefilter("ignore", DeprecationWarning)
    _, cache, runs = shop()
    gate, second = Gate(), Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        (gate if number == 1 else second).stay()
        return number

    leader, follower = lead(page, gate), follow(page)
    child = os.fork()
    if not child:
        code = 1
        try:
            others = lead(page, second), follow(page)
            second.open()
            code = int([crowd.join() for crowd in others] != [[2], [2]])
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.open()
    assert leader.join() == follower.join() == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@in_child
def test_a_fork_inside_a_fill():
    """C9: the child goes on with the fill it was forked in, and it may call itself."""
    # What would end this process if it hung is a thread, too, and from 3.15 on `fork` raises such a warning.
    warnings.simplefilter("ignore", DeprecationWarning)
    _, cache, runs = shop()

    @cache.cached(60, key_prefix="fixed")
    def page():
        if next(runs) == 2:
            return "inner"
        child = os.fork()
        return f"child and {page()}" if not child else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    parent, value = os.getpid(), page()
    if os.getpid() != parent:
        os._exit(0 if value == "child and inner" else 1)
    assert value == 0
    assert page() == 0


def forked(test):
    """What a test of a forked child comes to, as its exit code; the parent sees that it passed."""
    try:
        test()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def end_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def see_invalidations(cache, page):
    """A value that was made before its key was deleted is not stored."""
    values = ["new", "old"]

    @memoize(60)
    def other():
        value = values.pop()
        if value == "old":
            other.clear()
        return value

    assert [other(), other()] == ["old", "new"]
    cache.delete("fixed")
    assert page() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@in_child
def test_a_fork_inside_a_fill_in_another_context():
    """C6, E1: the child goes on with that fill, which counts there as under way, and ends once."""
    # What would end this process if it hung is a thread, too, and from 3.15 on `fork` raises such a warning.
    warnings.simplefilter("ignore", DeprecationWarning)
    _, cache, runs = shop()
    parent = os.getpid()

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        if number == 1 and not (child := contextvars.Context().run(os.fork)):
            cache.delete("fixed")
        elif number == 1:
            assert end_of(child) == 0
        return number

    assert page() == 1
    if os.getpid() != parent:
        forked(lambda: see_invalidations(cache, page))
    assert page() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.skipif(find_spec("greenlet") is None, reason="no greenlet for this interpreter")
@in_child
def test_a_fork_while_a_greenlet_is_in_a_fill():
    """C6, C10, E1: greenlets go on in the child, and what was invalidated there meanwhile is not stored."""
    greenlet = importlib.import_module("greenlet")
    warnings.simplefilter("ignore", DeprecationWarning)
    _, cache, runs = shop()
    main = greenlet.getcurrent()

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        if number == 1:
            main.switch()
        return number

    leader = greenlet.greenlet(page)
    leader.switch()
    child = os.fork()
    if not child:
        cache.delete("fixed")
        assert leader.switch() == 1
        forked(lambda: see_invalidations(cache, page))
    assert end_of(child) == 0
    assert leader.switch() == page() == 1


@pytest.mark.parametrize("caller", ["leads", "waits", "is alone", "is upstream's"])
@in_child
def test_daemon_threads_in_a_fill_at_the_end(caller):
    """C1, B3: no crash when the interpreter ends while they are in a view, as a development server's are."""
    _, cache, _ = shop()
    gate = Gate()
    options = {"single_flight": caller != "is alone"}
    if caller == "is upstream's":
        options["unless"] = lambda: False
    page = cache.cached(60, key_prefix="fixed", **options)(gate.stay)
    lead(page, gate)
    if caller == "waits":
        follow(page, 3)
    # They go on when the interpreter has begun to end, and are ended by it.
    gate.open()


@in_child
def test_daemon_threads_that_memoize_at_the_end():
    """C1, B3: the same in the decorators' own code, at misses and after changes of the cache object."""
    app, cache, _ = shop()
    started = threading.Barrier(5)

    @cache.memoize(60)
    def double(number):
        return 2 * number

    def call_for_ever(first):
        started.wait()
        with app.app_context():
            for number in itertools.count(first):
                double(number)
                cache.enable_signals = None

    for first in range(4):
        threading.Thread(target=call_for_ever, args=(first * 10**9,), daemon=True).start()
    started.wait()
    sys.setswitchinterval(1e-5)
    sys.lasting = Lasting()


class Described:
    """Says what it is in Python code, long enough that each thread is in there when it is made to wait."""

    def __repr__(self):
        return f"Described({len([None for _ in range(5_000)])})"


@pytest.mark.parametrize("decorator", ["memoize", "cached"])
@in_child
def test_daemon_threads_in_an_arguments_repr_at_the_end(decorator):
    """C1, B3: the same while the key is made of what an argument says of itself."""
    started = threading.Barrier(5)
    decorate = {"memoize": memoize, "cached": cached}[decorator]
    same = decorate(60)(lambda argument: argument)

    def call_for_ever():
        started.wait()
        while True:
            same(Described())

    for _ in range(4):
        threading.Thread(target=call_for_ever, daemon=True).start()
    started.wait()
    sys.setswitchinterval(1e-5)
    sum(range(1_000_000))
    sys.lasting = Lasting()
