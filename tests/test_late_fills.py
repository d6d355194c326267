"""What a value comes too late for: newer fills, and what was taken back meanwhile."""

import itertools

from flask_rustcache import cached

from ._apps import build
from ._child import in_child
from ._fills import Crowd, Gate, lead, shop


@in_child
def test_an_older_fill_is_not_stored_over_a_newer_one():
    """C6: who began to compute later knows better, whoever returns last."""
    _, cache, _ = shop()
    runs, gate, force = itertools.count(1), Gate(), []

    @cache.memoize(60, forced_update=lambda: bool(force))
    def total():
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

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
    runs, gate = itertools.count(1), Gate()

    @cache.memoize(60)
    def total():
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    leader = lead(total, gate)
    cache.delete_memoized(total)
    late = Crowd(total)
    assert late.join() == [2]
    gate.open()
    assert leader.join() == [1]
    assert total() == 2


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
