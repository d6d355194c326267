"""What a value comes too late for: newer fills, and what was taken back meanwhile."""

import contextvars
import itertools
from pathlib import Path

import pytest
from flask_rustcache import cached

from ._apps import build
from ._child import in_child
from ._fills import Crowd, Gate, lead, shop
from ._memo import key_of
from ._traps import Number


def slow_once(cache, **options):
    """A memoized function that says how often it ran, and stays at its gate the first time."""
    runs, gate = itertools.count(1), Gate()

    @cache.memoize(60, **options)
    def total():
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    return total, gate


@in_child
def test_an_older_fill_is_not_stored_over_a_newer_one():
    """C6: who began to compute later knows better, whoever returns last."""
    _, cache, _ = shop()
    force = []
    total, gate = slow_once(cache, forced_update=lambda: bool(force))
    leader = lead(total, gate)
    force.append(True)
    assert total() == 2
    force.clear()
    gate.open()
    assert leader.join() == [1]
    assert total() == 2


@in_child
def test_who_comes_after_a_deletion_waits_for_nobody_before_it():
    """C6, C9: the fill under way cannot be stored any more."""
    _, cache, _ = shop()
    total, gate = slow_once(cache)
    leader = lead(total, gate)
    cache.delete(key_of(total))
    assert Crowd(total).join() == [2]
    gate.open()
    assert leader.join() == [1]
    assert total() == 2


@in_child
def test_other_keys_stop_no_fill():
    """C6: whatever is set, deleted and memoized meanwhile."""
    _, cache, _ = shop()
    total, gate = slow_once(cache)
    other = cache.memoize(60)(lambda number: number)
    leader = lead(total, gate)
    for number in range(1_000):
        cache.set(f"key {number}", 1)
        cache.delete(f"key {number}")
        other(number % 10)
    cache.delete_memoized(other)
    gate.open()
    assert leader.join() == [1]
    assert total() == 1


@in_child
def test_a_function_that_is_forgotten_before_its_fill_begins():
    """C6: what is computed under its old version is not stored, though an older fill of that is under way."""
    _, cache, _ = shop()
    runs, gate, forget = itertools.count(1), Gate(), []

    def tags(_a):
        # Asked when the key is made, and before the fill begins.
        if forget:
            cache.delete_memoized(forget.pop())
        return ["tag"]

    @cache.memoize(60, tags=tags)
    def total(_a):
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    leader = lead(lambda: total("a"), gate)
    forget.append(total)
    assert total("a") == 2
    cache.delete_memoized(total, "a")
    assert total("a") == 3
    gate.open()
    assert leader.join() == [1]
    assert total("a") == 3


@in_child
def test_a_cancelled_fill_is_no_reason_not_to_wait_for_the_next():
    """C4: that it was deleted meanwhile says nothing of what comes."""
    _, cache, runs = shop()
    gates = [Gate(), Gate()]

    @cache.memoize(60)
    def total():
        number = next(runs)
        gates[number - 1].stay()
        return number

    leader = lead(total, gates[0])
    cache.delete(key_of(total))
    gates[0].open()
    assert leader.join() == [1]
    leader = lead(total, gates[1])
    late = Crowd(total)
    late.wait_until_all_follow()
    gates[1].open()
    assert leader.join() == late.join() == [2]


@in_child
def test_who_runs_alone_and_stores_ends_the_running_alone():
    """C4: the last fill stored something, whoever it was that ran it."""
    _, cache, _ = shop()
    gate, refuse, slowly = Gate(), [True], []

    @cache.cached(60, key_prefix="page", response_filter=lambda _: not refuse)
    def page():
        if slowly:
            gate.stay()
        return "page"

    page()
    refuse.clear()
    # This one leads nothing, as the one before stored nothing.
    page()
    cache.delete("page")
    slowly.append(True)
    leader = lead(page, gate)
    late = Crowd(page)
    late.wait_until_all_follow()
    gate.open()
    assert leader.join() == late.join() == ["page"]


@in_child
def test_keys_of_fills_that_store_nothing_do_not_stay_in_memory():
    """C5: however long an attacker makes them."""
    _, cache, _ = shop()
    numbers = itertools.count()
    page = cache.cached(
        60, key_prefix=lambda: f"{next(numbers)}".ljust(200_000), response_filter=lambda _: False
    )(lambda: "page")

    def resident():
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096

    page()
    before = resident()
    for _ in range(1_000):
        page()
    assert resident() - before < 100 * 2**20


def test_an_inner_function_of_an_odd_key_does_not_end_the_outer_fill():
    """C6: what an application says of the outer key meanwhile is newer than what comes of the fill."""
    app, cache, _ = build()
    inner = cache.cached(60, make_cache_key=lambda: ("odd",))(lambda: "inner")

    @cache.cached(60, key_prefix="outer")
    def outer():
        inner()
        cache.set("outer", "newer")
        return "older"

    with app.app_context():
        assert outer() == "older"
        assert cache.get("outer") == "newer"


def test_objects_that_look_alike_are_told_by_their_type():
    """J2: also on the way from a call to its key."""
    runs = itertools.count(1)

    class Euro(float):
        """Money."""

    class Dollar(float):
        """Other money."""

    @cached(60)
    def price(_money):
        return next(runs)

    app, _, _ = build()
    with app.app_context():
        assert [price(Euro(1)), price(Dollar(1)), price(Euro(1)), price(1.0)] == [1, 2, 1, 3]


def test_a_view_that_asks_others_of_its_kind_gets_their_answers():
    """K9: a request's path stands for one instance only."""

    class Base:
        @cached(60)
        def get(self):
            return self.name

    class First(Base):
        name = "first"

    class Second(Base):
        name = "second"

    app, _, _ = build()

    @app.get("/all")
    def every():
        return [First().get(), Second().get()]

    # Flask-RESTful and MethodView find the class here.
    every.view_class = First
    assert [app.test_client().get("/all").json for _ in range(2)] == [["first", "second"]] * 2


def test_a_helper_heeds_the_query_where_it_was_asked_to():
    """J5: though the request was dispatched to another function."""

    @cached(60, query_string=True)
    def helper():
        from flask import request  # noqa: PLC0415 - as a helper's module would have it

        return request.args["user"]

    app, _, _ = build()

    @app.get("/")
    def page():
        return helper()

    client = app.test_client()
    assert [client.get(f"/?user={user}").text for user in ("alice", "bob", "alice")] == [
        "alice",
        "bob",
        "alice",
    ]


def test_what_is_stored_while_a_value_is_pickled_is_not_taken_for_it():
    """C6, A4: the value that was deleted while it was made is not stored because another came in between."""
    _, cache, _ = shop()
    numbers = itertools.count(1)

    @cache.cached(60, key_prefix="fixed")
    def page():
        number = next(numbers)
        if number == 1:
            cache.delete("fixed")
        return Number(number)

    Number.hook = lambda: cache.set("fixed", "by hand")
    try:
        assert page() == 1
    finally:
        Number.hook = None
    assert page() == "by hand"


@pytest.mark.parametrize("timeout", [-1, 60])
def test_what_is_over_at_once_takes_nothing_newer_away(timeout):
    """C6: the value comes too late for that as for any other."""
    app, cache, _ = build()
    told = []

    @cache.cached(60, key_prefix="page", forced_update=lambda: True)
    def page():
        if told:
            cache.set("page", told.pop())
        return "older"

    page.cache_timeout = timeout
    with app.app_context():
        told.append("newer")
        assert page() == "older"
        assert cache.get("page") == "newer"
        # Where nobody said anything meanwhile it is the last word.
        assert page() == "older"
        assert cache.get("page") == (None if timeout < 0 else "older")


class Extensions(dict):
    """An application's extensions; somebody may do something when the caches are looked up."""

    act = None

    def __getitem__(self, name):
        if name == "cache" and self.act is not None:
            act, self.act = self.act, None
            act()
        return super().__getitem__(name)


@in_child
def test_what_another_thread_of_the_fill_stores_is_not_taken_for_its_value():
    """C6: a thread with a copy of the context has its own say, also when the function has just returned."""
    app, cache, _ = shop()
    app.extensions = extensions = Extensions(app.extensions)

    @cache.cached(60, key_prefix="page")
    def page():
        context = contextvars.copy_context()
        # Next the caches are looked up to store what this returns.
        extensions.act = lambda: Crowd(lambda: context.run(cache.set, "page", "newer")).join()
        return "older"

    with app.app_context():
        assert page() == "older"
        assert extensions.act is None
        assert cache.get("page") == "newer"
