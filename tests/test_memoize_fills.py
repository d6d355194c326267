"""Traps C1 to C5 and C7 to C9 for ``memoize``: fills by call. C6 is in test_memoize_invalidation.py."""

import builtins
import contextvars
import gc
import logging
import os
import signal
import sys
import threading
import tracemalloc
import warnings

import pytest

from ._apps import Unstorable
from ._child import in_child
from ._fills import PATIENCE, Crowd, Gate, follow, follows, lead, shop, until
from ._memo import Item, entries, records


def gated(cache, runs, gate, **options):
    """Memoize a function that stays in the gate and says how often it ran."""

    @cache.memoize(60, **options)
    def total(a=1, b=2):
        number = next(runs)
        gate.stay()
        return {"run": number}

    return total


@pytest.mark.parametrize("argument", [1, "text", (1, ("a",)), [1]], ids=repr)
@in_child
def test_concurrent_calls_run_the_function_once(argument):
    """C8: 32 of them, in whichever form; each has a value of its own."""
    _, cache, runs = shop()
    gate = Gate()
    total = gated(cache, runs, gate)
    leader = lead(lambda: total(argument), gate)
    followers = [follow(lambda: total(a=argument), 15), follow(lambda: total(argument, b=2), 16)]
    gate.open()
    values = leader.join() + followers[0].join() + followers[1].join()
    assert values == [{"run": 1}] * 32
    assert len({id(value) for value in values}) == 32
    assert total(argument) == {"run": 1}


@in_child
def test_concurrent_calls_of_methods_run_them_once_for_each_instance():
    """C8, C7: two instances' calls overlap."""
    app, cache, runs = shop()
    both = threading.Barrier(2)

    class Basket(Item):
        @cache.memoize(60)
        def total(self, a):
            next(runs)
            both.wait(PATIENCE)
            return self.token

    crowds = [Crowd(lambda token=token: Basket(token).total(1), 8) for token in "ab"]
    assert [set(crowd.join()) for crowd in crowds] == [{"a"}, {"b"}]
    assert next(runs) == 3
    assert len(entries(app, cache)) == 2


@in_child
def test_fills_of_different_calls_overlap():
    """C7: of one function, and of two."""
    _, cache, _ = shop()
    all_run = threading.Barrier(4)

    def meet(a, b=2):
        all_run.wait(PATIENCE)
        return a

    total, other = cache.memoize(60)(meet), cache.memoize(60, make_name=str.upper)(meet)
    crowds = [Crowd(lambda call=call: call("a")) for call in (total, other)]
    crowds += [Crowd(lambda b=b: total("a", b=b)) for b in "bc"]
    assert [crowd.join() for crowd in crowds] == [["a"]] * 4


@pytest.mark.parametrize("fault", ["ValueError", "KeyboardInterrupt", "SystemExit", "GeneratorExit"])
@in_child
def test_a_leader_that_raises_lets_the_others_go(fault):
    """C1: what it raises reaches its own caller alone; those who waited, and the next, compute."""
    _, cache, runs = shop()
    gate, all_run = Gate(), threading.Barrier(3)

    @cache.memoize(60)
    def total(a):
        number = next(runs)
        if number == 1:
            gate.stay()
            raise getattr(builtins, fault)("by the leader")
        if number <= 4:
            all_run.wait(PATIENCE)
        return number

    leader = lead(lambda: total(1), gate)
    followers = follow(lambda: total(a=1), 3)
    gate.open()
    assert sorted(followers.join()) == [2, 3, 4]
    leader.end()
    assert [type(error).__name__ for error in leader.errors] == [fault]
    cache.delete_memoized(total)
    assert total(1) == total(1) == 5


@in_child
def test_recursion():
    """C2: for other calls, as anyone writes it, and for the same call."""
    _, cache, runs = shop()

    @cache.memoize(60)
    def fibonacci(n):
        next(runs)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n=n - 2)

    assert fibonacci(40) == 102_334_155
    assert next(runs) == 42

    @cache.memoize(60)
    def same(a):
        return 0 if next(runs) == 60 else same(a) + 1

    assert same(1) == 17
    assert same(1) in range(18)
    assert next(runs) == 61


@in_child
def test_recursion_in_a_thread():
    """C2: a thread that has a copy of the context belongs to the fill."""
    _, cache, runs = shop()

    @cache.memoize(60)
    def total(a):
        if next(runs) == 2:
            return "inner"
        context = contextvars.copy_context()
        return f"outer and {Crowd(lambda: context.run(total, a)).join()[0]}"

    assert total(1) == "outer and inner"


@pytest.mark.skipif(sys.version_info[:2] == (3, 12), reason="CPython 3.12 allows no such recursion through C")
@in_child
def test_a_context_of_a_deep_recursion_goes_in_a_thread_with_a_small_stack():
    """C2: the fills in it, one around the other, are let go one after the other."""
    _, cache, _ = shop()
    contexts = []

    @cache.memoize(60)
    def deep(level):
        if level == 0:
            contexts.append(contextvars.copy_context())
            return 0
        return deep(level - 1) + 1

    def in_thread(call, stack):
        threading.stack_size(stack)
        return Crowd(call).join()

    sys.setrecursionlimit(100_000)
    assert in_thread(lambda: deep(1_500), 1 << 28) == [1_500]
    assert in_thread(contexts.clear, 1 << 17) == [None]


@pytest.mark.parametrize("kind", ["calls", "view and call"])
@in_child
def test_fills_that_need_each_other(kind):
    """C3: of two calls, or of a view's and a call's; none waits for the time limit."""
    _, cache, _ = shop()
    both = threading.Barrier(2)
    started = set()

    def step(name, other):
        if name in started:
            return f"{name}!"
        started.add(name)
        both.wait(PATIENCE)
        return f"{name} {other()}"

    @cache.memoize(60)
    def call(name):
        return step(name, lambda: call("b") if name == "a" and kind == "calls" else back(name))

    def back(name):
        return call("a") if kind == "calls" else view()

    @cache.cached(60, key_prefix="view")
    def view():
        return step("view", lambda: call("a"))

    crowds = [Crowd(lambda: call("a")), Crowd(view if kind != "calls" else lambda: call("b"))]
    answers = [crowd.join()[0] for crowd in crowds]
    second = "b" if kind == "calls" else "view"
    assert answers[0].startswith(f"a {second}")
    assert answers[1].startswith(f"{second} a")


@pytest.mark.parametrize("kind", ["filtered", "raised", "none", "unstorable"])
@in_child
def test_callers_of_an_uncacheable_function_compute_in_parallel(kind):
    """C4: all who waited run it at once, each gets its own value; the next wave does not wait at all."""
    warnings.simplefilter("ignore")
    logging.getLogger("flask_caching").addHandler(logging.NullHandler())
    _, cache, runs = shop()
    gate, second, third = Gate(), threading.Barrier(31), threading.Barrier(32)

    @cache.memoize(60, response_filter=lambda _: kind != "filtered")
    def total(a):
        number = next(runs)
        if number == 1:
            gate.stay()
        else:
            (second if number <= 32 else third).wait(PATIENCE)
        if kind == "raised":
            raise LookupError(number)
        return {"filtered": number, "none": None, "unstorable": Unstorable(number)}[kind]

    leader, followers = lead(lambda: total(1), gate), follow(lambda: total(1), 31)
    gate.open()
    waves = [numbers(leader), numbers(followers), numbers(Crowd(lambda: total(1), 32))]
    assert next(runs) == 65
    if kind != "none":
        assert [sorted(wave) for wave in waves] == [[1], list(range(2, 33)), list(range(33, 65))]


def numbers(crowd):
    crowd.end()
    values = crowd.results + [error.args[0] for error in crowd.errors]
    return [getattr(value, "number", value) for value in values]


@in_child
def test_failing_calls_leave_no_trace():
    """C5: four thousand calls with large arguments, and as many instances, take no more than none."""
    app, cache, _ = shop()

    class Basket(Item):
        @cache.memoize(60)
        def total(self, a):
            raise LookupError

    def fail(first, last):
        for number in range(first, last):
            with pytest.raises(LookupError):
                Basket(f"{number}").total("x" * 2000 + str(number))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before, after = fail(0, 1000), fail(1000, 5000)
    assert after - before < 100_000
    assert len(records(app, cache)) <= 1
    assert len(cache.cache._cache) <= 1


@in_child
def test_who_forces_an_update_does_not_wait():
    """C8: it computes, whoever leads; and its value is there for the others."""
    _, cache, runs = shop()
    gate, forced = Gate(), threading.local()

    @cache.memoize(60, forced_update=lambda: getattr(forced, "on", False))
    def total(a):
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    leader = lead(lambda: total(1), gate)
    forced.on = True
    assert total(1) == 2
    forced.on = False
    gate.open()
    assert leader.join() == [1]
    assert total(1) in (1, 2)
    assert next(runs) == 3


@in_child
def test_a_signal_ends_the_waiting():
    """C9: Ctrl-C raises in the thread that waits; the fill goes on."""
    _, cache, runs = shop()
    gate = Gate()
    total = gated(cache, runs, gate)
    leader = lead(lambda: total(1), gate)
    interrupter = Crowd(interrupt_when_it_waits)
    with pytest.raises(KeyboardInterrupt):
        total(1)
    interrupter.join()
    gate.open()
    assert leader.join() == [total(1)] == [{"run": 1}]


def interrupt_when_it_waits():
    until(lambda: follows(threading.main_thread()))
    os.kill(os.getpid(), signal.SIGINT)


@in_child
def test_the_bound():
    """C9: past it those who wait compute, and what they store is served."""
    _, cache, runs = shop(CACHE_FILL_TIMEOUT=0.1)
    gate = Gate()

    @cache.memoize(60)
    def total(a):
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    stuck = lead(lambda: total(1), gate)
    assert total(1) == 2
    gate.open()
    assert stuck.join() == [1]
    assert total(1) in (1, 2)
    assert next(runs) == 3


@in_child
def test_fills_can_be_turned_off():
    """C9: then all callers compute at once."""
    _, cache, runs = shop(CACHE_SINGLE_FLIGHT=False)
    all_run = threading.Barrier(8)

    @cache.memoize(60)
    def total(a):
        all_run.wait(PATIENCE)
        return next(runs)

    assert sorted(Crowd(lambda: total(1), 8).join()) == list(range(1, 9))
