"""Traps C7 to C9: fills of many callers at once, and how waiting ends."""

import os
import signal
import sys
import threading

import flask_rustcache
import pytest
from flask import Flask

from ._apps import BACKEND
from ._child import in_child
from ._fills import PATIENCE, Crowd, Gate, follow, follows, lead, shop, until
from ._traps import BoomError


class Latch:
    """A value that is unpickled only while a second one is being, too."""

    both = threading.Barrier(2)

    def __reduce__(self):
        return unlatch, ()


def unlatch():
    Latch.both.wait(PATIENCE)
    return "unlatched"


@in_child
def test_fills_of_different_keys_overlap():
    """C7: two views, and two addresses of one view, all run at once."""
    app, cache, _ = shop()
    all_run = threading.Barrier(4)

    def meet(name):
        all_run.wait(PATIENCE)
        return name

    app.route("/view/<name>")(cache.cached(60)(meet))
    first, second = (cache.cached(60, key_prefix=name)(lambda name=name: meet(name)) for name in "ab")
    crowds = [Crowd(first), Crowd(second)]
    crowds += [Crowd(lambda name=name: app.test_client().get(f"/view/{name}").text) for name in "cd"]
    assert [crowd.join() for crowd in crowds] == [["a"], ["b"], ["c"], ["d"]]


@pytest.mark.parametrize("options", [{}, {"query_string": True}, {"key_prefix": "fixed"}], ids=str)
@in_child
def test_concurrent_requests_run_a_view_once(options):
    """C8: 32 of them, and the counters tell."""
    app, cache, runs = shop()
    gate = Gate()

    @app.route("/")
    @cache.cached(60, **options)
    def page():
        gate.stay()
        return {"run": next(runs)}

    def visit():
        return app.test_client().get("/?b=2&a=1").json

    leader, followers = lead(visit, gate), follow(visit, 31)
    gate.open()
    assert leader.join() + followers.join() == [{"run": 1}] * 32
    stats = cache.cache.stats()
    assert (stats["coalesced"], stats["misses"], stats["hits"]) == (31, 1, 31)
    assert visit() == {"run": 1}
    assert cache.cache.stats()["coalesced"] == 31


@in_child
def test_each_follower_has_a_value_of_its_own():
    """C8: what one caller does to what it got changes nothing for another."""
    _, cache, _ = shop()
    gate = Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        gate.stay()
        return {"names": ["ann"]}

    leader, followers = lead(page, gate), follow(page, 8)
    gate.open()
    for value in [*leader.join(), *followers.join()]:
        assert value == {"names": ["ann"]}
        value["names"].append("bob")
    assert page() == {"names": ["ann"]}


@in_child
def test_a_none_that_may_be_stored_is_shared():
    """C8: by ``cache_none=True``, a None is a value like any other."""
    _, cache, runs = shop()
    gate = Gate()

    @cache.cached(60, key_prefix="fixed", cache_none=True)
    def page():
        next(runs)
        gate.stay()

    leader, followers = lead(page, gate), follow(page, 8)
    gate.open()
    assert leader.join() + followers.join() == [None] * 9
    assert next(runs) == 2


@in_child
def test_a_hit_does_not_wait_for_any_fill():
    """C8: not for that of another key, nor for one of its own that a newer value has overtaken."""
    _, cache, _ = shop()
    gates = {name: Gate() for name in "ab"}
    pages = {name: cache.cached(60, key_prefix=name)(gates[name].stay) for name in "ab"}
    leaders = [lead(pages[name], gates[name]) for name in "ab"]
    cache.set("a", "newer")
    assert pages["a"]() == "newer"
    for name, leader in zip("ab", leaders, strict=True):
        gates[name].open()
        leader.join()
    assert pages["a"]() == "newer"


@in_child
def test_hits_of_a_pickled_value_do_not_wait_for_each_other():
    """C8: unpickling is no fill: two visitors' may take their time at the same time."""
    _, cache, _ = shop()
    page = cache.cached(60, key_prefix="fixed")(Latch)
    assert isinstance(page(), Latch)
    assert Crowd(page, 2).join() == ["unlatched"] * 2


@in_child
def test_a_signal_ends_the_waiting():
    """C9: Ctrl-C raises in the thread that waits; the fill goes on, and so does everything else."""
    _, cache, runs = shop()
    gate = Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        gate.stay()
        return next(runs)

    leader = lead(page, gate)
    interrupter = Crowd(interrupt_when_it_waits)
    with pytest.raises(KeyboardInterrupt):
        page()
    interrupter.join()
    follower = follow(page)
    gate.open()
    assert leader.join() == follower.join() == [page()] == [1]


@in_child
def test_what_a_handler_raises_reaches_who_waits():
    """C9: an ordinary exception as well, such as that of a time limit; the function runs once."""
    _, cache, runs = shop()
    gate = Gate()

    def give_up(*_):
        raise TimeoutError("time is up")

    signal.signal(signal.SIGINT, give_up)

    @cache.cached(60, key_prefix="fixed")
    def page():
        gate.stay()
        return next(runs)

    leader = lead(page, gate)
    interrupter = Crowd(interrupt_when_it_waits)
    with pytest.raises(TimeoutError, match="time is up"):
        page()
    interrupter.join()
    gate.open()
    assert leader.join() == [page()] == [1]


def interrupt_when_it_waits():
    until(lambda: follows(threading.main_thread()))
    os.kill(os.getpid(), signal.SIGINT)


@in_child
def test_a_signal_that_raises_nothing_does_not_end_the_waiting():
    """C9: its handler runs while the thread waits, and then it waits on."""
    _, cache, runs = shop()
    gate = Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        gate.stay()
        return next(runs)

    signal.signal(signal.SIGINT, lambda *_: gate.open())
    leader = lead(page, gate)
    interrupter = Crowd(interrupt_when_it_waits)
    assert page() == 1
    interrupter.join()
    assert leader.join() == [1]


@in_child
def test_the_bound():
    """C9: past it those who wait compute, and a leader that never lands is followed by nobody else."""
    _, cache, runs = shop(CACHE_FILL_TIMEOUT=0.5)
    gates = {1: Gate(), 3: Gate()}

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        if number in gates:
            gates[number].stay()
        return number

    stuck = lead(page, gates[1])
    assert page() == 2
    assert cache.delete("fixed")
    # It leads: another waits for it, and gets its value.
    next_leader = lead(page, gates[3])
    follower = follow(page)
    gates[3].open()
    assert next_leader.join() == follower.join() == [3]
    # The first one's value is overdue in every sense.
    gates[1].open()
    assert stuck.join() == [1]
    assert page() == 3


@pytest.mark.parametrize("timeout", ["2.5", 1e10, 10**30])
@in_child
def test_long_bounds(timeout):
    """C9: any positive number of seconds is one, even where a wait cannot be told to take so long."""
    _, cache, runs = shop(CACHE_FILL_TIMEOUT=timeout)
    gate = Gate()

    @cache.cached(60, key_prefix="fixed")
    def page():
        gate.stay()
        return next(runs)

    leader, follower = lead(page, gate), Crowd(page, 2)
    if timeout != "2.5":
        follower.wait_until_all_follow()
    gate.open()
    assert leader.join() + follower.join() == [1, 1, 1]


BAD_BOUNDS = ["many", "", 0, -1, float("inf"), float("nan"), "nan", None, []]


@pytest.mark.parametrize("value", BAD_BOUNDS, ids=lambda value: repr(value)[:9])
def test_bad_bounds_are_refused(value):
    """C9: at ``init_app``, with the key's name."""
    app = Flask("tests.shop")
    app.config.update(CACHE_TYPE=BACKEND, CACHE_FILL_TIMEOUT=value)
    with pytest.raises((ValueError, TypeError), match="CACHE_FILL_TIMEOUT"):
        flask_rustcache.Cache(app)


def test_a_bad_switch_is_refused():
    """C9: at ``init_app``, with the key's name."""
    app = Flask("tests.shop")
    app.config.update(CACHE_TYPE=BACKEND, CACHE_SINGLE_FLIGHT="no")
    with pytest.raises(TypeError, match="CACHE_SINGLE_FLIGHT"):
        flask_rustcache.Cache(app)


@pytest.mark.parametrize(("everywhere", "here"), [(False, None), (True, False), (False, False)])
@in_child
def test_fills_can_be_turned_off(everywhere, here):
    """C9: for a cache or a function; then all callers compute at once."""
    _, cache, runs = shop(CACHE_SINGLE_FLIGHT=everywhere)
    all_run = threading.Barrier(8)

    @cache.cached(60, key_prefix="fixed", single_flight=here)
    def page():
        all_run.wait(PATIENCE)
        return next(runs)

    assert sorted(Crowd(page, 8).join()) == list(range(1, 9))


@in_child
def test_fills_can_be_turned_on_for_one_function():
    """C9: the decorator's word counts, not the cache's."""
    _, cache, runs = shop(CACHE_SINGLE_FLIGHT=False)
    gate = Gate()

    @cache.cached(60, key_prefix="fixed", single_flight=True)
    def page():
        gate.stay()
        return next(runs)

    leader, follower = lead(page, gate), follow(page)
    gate.open()
    assert leader.join() == follower.join() == [1]


@in_child
def test_a_signal_while_the_leader_lets_the_others_go():
    """C9: they go all the same, whatever its handler raises then."""
    _, cache, runs = shop()
    crowds = []

    def handle(frame, event, argument):
        # As a signal that comes when a lock of Python's own has just been taken.
        if event == "return" and frame.f_code is threading.Condition.__enter__.__code__:
            raise BoomError
        return handle

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(runs)
        crowds.append(follow(page, 3))
        sys.settrace(handle)
        return number

    assert page() == 1
    sys.settrace(None)
    assert crowds[0].join() == [1, 1, 1]
