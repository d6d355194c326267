"""Traps C1 to C11 for the top-level decorators, in an application and without one."""

import asyncio
import itertools
import threading
import warnings
from contextlib import nullcontext

import pytest
from flask import make_response
from flask_rustcache import cached, memoize

from ._anywhere import BOTH
from ._child import in_child, run_child
from ._fills import PATIENCE, Crowd, Gate, follow, lead, shop

WHERE = ["application", "script"]

each = pytest.mark.parametrize(("kind", "where"), list(itertools.product(BOTH, WHERE)))


def world(where, **config):
    """The context that callers are in: of an application that waits for ever, or none at all."""
    return shop(**config)[0].app_context if where == "application" else nullcontext


def inside(context, call):
    """A call that brings its context along, as a thread has none of its own."""

    def run():
        with context():
            return call()

    return run


def gated(kind, gate, **options):
    """Decorate a function that stays in the gate and says how often it ran."""
    runs = itertools.count(1)

    @BOTH[kind](60, **options)
    def total(a=1, b=2):
        number = next(runs)
        gate.stay()
        return {"run": number}

    return total


@each
@in_child
def test_concurrent_calls_run_the_function_once(kind, where):
    """C8: 32 of them, in whichever form; each has a value of its own."""
    context, gate = world(where), Gate()
    total = gated(kind, gate)
    leader = lead(inside(context, total), gate)
    named, given = (inside(context, call) for call in (lambda: total(a=1), lambda: total(1, b=2)))
    followers = [follow(named, 15), follow(given, 16)]
    gate.open()
    values = leader.join() + followers[0].join() + followers[1].join()
    assert values == [{"run": 1}] * 32
    assert len({id(value) for value in values}) == 32
    assert inside(context, total)() == {"run": 1}


@in_child
def test_concurrent_requests_run_the_view_once():
    """C8: real requests; another method's and another path's do not wait."""
    app, _, runs = shop()
    gate = Gate()

    @app.route("/<name>", methods=["GET", "POST"])
    @cached(60)
    def page(name):
        number = next(runs)
        if name == "slow":
            gate.stay()
        return f"{name} {number}"

    def visit():
        return app.test_client().get("/slow").text

    leader, followers = lead(visit, gate), follow(visit, 31)
    assert app.test_client().get("/quick").text == "quick 2"
    posted = Crowd(lambda: app.test_client().post("/quick").text)
    assert posted.join() == ["quick 3"]
    gate.open()
    assert leader.join() + followers.join() == ["slow 1"] * 32
    assert next(runs) == 4


@pytest.mark.parametrize(("kind", "off"), list(itertools.product(BOTH, ["option", "configuration"])))
@in_child
def test_single_flight_may_be_turned_off(kind, off):
    """By ``single_flight=False`` or by the application's ``CACHE_SINGLE_FLIGHT``."""
    context = world("application", **({"CACHE_SINGLE_FLIGHT": False} if off == "configuration" else {}))
    all_run = threading.Barrier(4)

    @BOTH[kind](60, **({"single_flight": False} if off == "option" else {}))
    def total():
        return all_run.wait(PATIENCE)

    assert sorted(Crowd(inside(context, total), 4).join()) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", BOTH)
@in_child
def test_waiting_is_bounded(kind):
    """C9: past ``CACHE_FILL_TIMEOUT`` a follower runs the function itself."""
    context, gate, runs = world("application", CACHE_FILL_TIMEOUT=0.05), Gate(), itertools.count(1)

    @BOTH[kind](60)
    def total():
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    leader = lead(inside(context, total), gate)
    assert Crowd(inside(context, total), 1).join() == [2]
    gate.open()
    assert leader.join() == [1]


@each
@in_child
def test_recursion(kind, where):
    """C2: for other calls, as anyone writes it, and for the same call."""
    runs = itertools.count(1)

    @BOTH[kind](60)
    def fibonacci(n):
        next(runs)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n=n - 2)

    @BOTH[kind](60)
    def same(a):
        return 0 if next(runs) == 60 else same(a) + 1

    with world(where)():
        assert fibonacci(40) == 102_334_155
        assert next(runs) == 42
        assert same(1) == 17
        assert same(1) in range(18)
        assert next(runs) == 61


@each
@in_child
def test_fills_that_need_each_other(kind, where):
    """C3: A waits for B while B waits for A; both end."""
    context, both_run = world(where), threading.Barrier(2)
    started = set()

    @BOTH[kind](60)
    def page(name, other):
        if name in started:
            return name
        started.add(name)
        both_run.wait(PATIENCE)
        return f"{name} {page(other, name)}"

    crowds = [Crowd(inside(context, lambda pair=pair: page(*pair))) for pair in ("ab", "ba")]
    assert [crowd.join()[0][:3] for crowd in crowds] == ["a b", "b a"]


@each
@in_child
def test_a_leader_that_raises_lets_the_others_go(kind, where):
    """C1, C4: they compute in parallel."""
    context, gate, all_run, runs = world(where), Gate(), threading.Barrier(3), itertools.count(1)

    @BOTH[kind](60)
    def total():
        number = next(runs)
        if number == 1:
            gate.stay()
            raise SystemExit("by the leader")
        if number <= 4:
            all_run.wait(PATIENCE)
        return number

    leader, followers = lead(inside(context, total), gate), follow(inside(context, total), 3)
    gate.open()
    assert sorted(followers.join()) == [2, 3, 4]
    leader.end()
    assert [type(error) for error in leader.errors] == [SystemExit]
    assert inside(context, total)() in {2, 3, 4}


@in_child
def test_a_private_answer_reaches_nobody_else():
    """C4: each visitor who waited runs the view, all at once."""
    app, _, runs = shop()
    gate, all_run = Gate(), threading.Barrier(3)

    @app.get("/")
    @cached(60)
    def page():
        number = next(runs)
        if number == 1:
            gate.stay()
        else:
            all_run.wait(PATIENCE)
        answer = make_response(f"page {number}")
        answer.set_cookie("visitor", str(number))
        return answer

    def visit():
        answer = app.test_client().get("/")
        return answer.text, answer.headers["Set-Cookie"].split(";")[0]

    # The warning that nothing is stored is for the application's author; here it is no error.
    warnings.simplefilter("ignore")
    leader, followers = lead(visit, gate), follow(visit, 3)
    gate.open()
    answers = leader.join() + followers.join()
    assert sorted(answers) == [(f"page {number}", f"visitor={number}") for number in (1, 2, 3, 4)]


LETTING_GO = {
    "clear of the function": lambda total, cache: total.clear(),
    "delete of the call": lambda total, cache: total.delete(1),
    "delete of the key": lambda total, cache: cache.delete(total.key(1)),
    "clear of the cache": lambda total, cache: cache.clear(),
}


@pytest.mark.parametrize(("kind", "how"), list(itertools.product(BOTH, LETTING_GO)))
@in_child
def test_what_is_let_go_while_it_is_made_is_not_stored(kind, how):
    """C6: the late value goes to its caller, and those who waited make it anew."""
    app, cache, _ = shop()
    gate = Gate()
    total = gated(kind, gate)
    leader = lead(inside(app.app_context, lambda: total(1)), gate)
    with app.app_context():
        LETTING_GO[how](total, cache)
        gate.open()
        assert leader.join() == [{"run": 1}]
        assert not cache.has(total.key(1))
        assert total(1) == total(1) == {"run": 2}


@pytest.mark.parametrize(("kind", "how"), list(itertools.product(BOTH, ["clear", "delete"])))
@in_child
def test_what_is_let_go_in_a_script_while_it_is_made_is_not_stored(kind, how):
    """C6: in the process's own cache."""
    gate = Gate()
    total = gated(kind, gate)
    leader, followers = lead(total, gate), follow(total, 3)
    # What was not there is not deleted, but what is under way is not stored, either.
    assert getattr(total, how)() in {None, False}
    gate.open()
    assert leader.join() == [{"run": 1}]
    assert {value["run"] for value in followers.join()}.isdisjoint({1})
    assert total() == total()
    assert total()["run"] > 1


@in_child
def test_clear_lets_other_functions_fills_be():
    """C6: of one function alone; another's value, under way at the time, is stored."""
    app, _, _ = shop()
    gate, total = Gate(), None
    total, other = gated("memoize", gate), memoize(60)(lambda: 1)
    leader = lead(inside(app.app_context, total), gate)
    with app.app_context():
        other.clear()
        gate.open()
        assert leader.join() == [{"run": 1}]
        assert total() == {"run": 1}


@in_child
def test_applications_do_not_wait_for_each_other():
    """C7: the same call in two applications, and without one, is three fills."""
    all_run = threading.Barrier(3)

    @memoize(60)
    def total(a):
        all_run.wait(PATIENCE)
        return a

    contexts = [world("application"), world("application"), nullcontext]
    crowds = [Crowd(inside(context, lambda: total(1))) for context in contexts]
    assert [crowd.join() for crowd in crowds] == [[1]] * 3


@each
@in_child
def test_asynchronous_functions(kind, where):
    """C11: callers in threads, each with an event loop of its own, share what one of them makes."""
    context, gate, runs = world(where), Gate(), itertools.count(1)

    @BOTH[kind](60)
    async def page():
        await asyncio.to_thread(gate.stay)
        return f"run {next(runs)}"

    leader, followers = lead(inside(context, page), gate), follow(inside(context, page), 3)
    gate.open()
    assert leader.join() + followers.join() == ["run 1"] * 4


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import flask_rustcache, gevent, itertools
from gevent.event import Event

runs, gate, entered = itertools.count(1), Event(), Event()

@flask_rustcache.{kind}(60)
def total(a):
    entered.set()
    assert gate.wait(20)
    return next(runs)

greenlets = [gevent.spawn(total, 1) for _ in range(32)]
assert entered.wait(20)
gevent.idle()
assert not any(greenlet.ready() for greenlet in greenlets)
assert gevent.spawn(lambda: "others run").get(timeout=20) == "others run"
gate.set()
gevent.joinall(greenlets, timeout=20, raise_error=True)
assert {{greenlet.value for greenlet in greenlets}} == {{1}}
"""


@pytest.mark.parametrize("kind", BOTH)
def test_greenlets(kind):
    """C10: in a script; others run while one waits."""
    pytest.importorskip("gevent")
    run_child("-c", GREENLETS.format(kind=kind))
