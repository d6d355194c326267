"""Trap C6 for ``memoize``: what is deleted while it is computed goes to its caller and is not stored."""

import itertools
from types import SimpleNamespace

import pytest
from cachelib.serializers import SimpleSerializer

from ._apps import backend_of, build
from ._child import in_child
from ._fills import FOREVER, Crowd, Gate, follows, lead, shop, until
from ._memo import Item, entries, key_of, record_of, record_of_instance, records

#: What may happen to a call while it is computed.
INVALIDATIONS = {
    "clear": lambda cache, total: cache.clear(),
    "the function": lambda cache, total: cache.delete_memoized(total),
    "the call": lambda cache, total: cache.delete_memoized(total, 1),
    "the call, by keyword": lambda cache, total: cache.delete_memoized(total, b=2, a=1),
    "attribute": lambda cache, total: total.delete_memoized(),
    "verhash": lambda cache, total: cache.delete_memoized_verhash(total),
    "delete": lambda cache, total: cache.delete(key_of(total, 1)),
    "delete_many": lambda cache, total: cache.delete_many("other", key_of(total, 1)),
    "record": lambda cache, total: cache.delete(record_of(cache, total)),
    "a new record": lambda cache, total: cache.set(record_of(cache, total), "abcdef"),
}


@pytest.mark.parametrize("name", INVALIDATIONS)
@in_child
def test_what_was_invalidated_during_a_fill_is_not_stored(name):
    """C6: it goes to its own caller alone; who came after the invalidation gets what is true then."""
    app, cache, runs = shop()
    gates = [Gate(), Gate()]

    @cache.memoize(60)
    def total(a=1, b=2):
        number = next(runs)
        gates[min(number, 2) - 1].stay()
        return number

    leader = lead(lambda: total(1), gates[0])
    INVALIDATIONS[name](cache, total)
    late = Crowd(lambda: total(1))
    until(lambda: gates[1]._entered.is_set() or follows(late.threads[0]))
    gates[0].open()
    gates[1].open()
    assert leader.join() == [1]
    assert late.join() == [2]
    assert total(1) == total(a=1) == 2
    assert len(entries(app, cache)) == 1


#: What may happen to a method while it is computed, and whether it concerns the instance.
METHOD_INVALIDATIONS = {
    "bound": (lambda cache, basket, _: cache.delete_memoized(basket.total), True),
    "bound call": (lambda cache, basket, _: cache.delete_memoized(basket.total, 1), True),
    "unbound call": (lambda cache, basket, _: cache.delete_memoized(type(basket).total, basket, 1), True),
    "method": (lambda cache, basket, _: cache.delete_memoized(type(basket).total), True),
    "bound verhash": (lambda cache, basket, _: cache.delete_memoized_verhash(basket.total), True),
    "record": (
        lambda cache, basket, _: cache.delete(record_of_instance(cache, type(basket).total, basket)),
        True,
    ),
    "another bound": (lambda cache, _, other: cache.delete_memoized(other.total), False),
    "another call": (lambda cache, basket, _: cache.delete_memoized(basket.total, 2), False),
    "plain traffic": (lambda cache, *_: cache.set("other", 1) and cache.delete("other"), False),
}


@pytest.mark.parametrize("name", METHOD_INVALIDATIONS)
@in_child
def test_what_was_invalidated_of_a_method_is_not_stored(name):
    """C6: only what concerns the instance counts; anything else leaves the value to be stored."""
    app, cache, runs = shop()
    gate = Gate()

    class Basket(Item):
        @cache.memoize(60)
        def total(self, a):
            number = next(runs)
            gate.stay()
            return number

    basket, other = Basket("1"), Basket("2")
    leader = lead(lambda: basket.total(1), gate)
    invalidate, concerns = METHOD_INVALIDATIONS[name]
    invalidate(cache, basket, other)
    gate.open()
    assert leader.join() == [1]
    assert len(entries(app, cache)) == (0 if concerns else 1)
    assert basket.total(1) == (2 if concerns else 1)
    instances = {record for record in records(app, cache) if "Item" in record}
    assert instances == {record_of_instance(cache, Basket.total, basket)}


@pytest.mark.parametrize("whose", ["not coalesced", "fruitless", "past the bound"])
@in_child
def test_what_was_invalidated_is_not_stored_by_those_who_compute_alone(whose):
    """C6: a miss that nobody waits for may be overtaken by a deletion just the same."""
    app, cache, runs = shop(
        CACHE_FILL_TIMEOUT=0.05 if whose == "past the bound" else FOREVER,
        CACHE_SINGLE_FLIGHT=whose != "not coalesced",
    )
    gates = [Gate(), Gate()]

    @cache.memoize(60)
    def total(a):
        number = next(runs)
        gates[number - 1].stay()
        if whose == "fruitless" and number == 1:
            raise LookupError
        return number

    leader = lead(lambda: total(1), gates[0])
    if whose == "fruitless":
        gates[0].open()
        leader.end()
    alone = lead(lambda: total(1), gates[1])
    cache.delete_memoized(total)
    gates[1].open()
    assert alone.join() == [2]
    assert entries(app, cache) == set()
    gates[0].open()
    leader.end()
    assert entries(app, cache) == set()


@in_child
def test_a_newer_value_put_during_a_fill_stays():
    """C6: ``set`` under the call's key is newer than what the function will return."""
    _, cache, runs = shop()
    gate = Gate()

    @cache.memoize(60)
    def total(a=1, b=2):
        number = next(runs)
        gate.stay()
        return number

    leader = lead(lambda: total(1), gate)
    cache.set(key_of(total, 1), "newer")
    assert total(1) == "newer"
    gate.open()
    assert leader.join() == [1]
    assert total(a=1, b=2) == "newer"


class Shown:
    """Counts how often it is looked at to make a key."""

    def __init__(self):
        self.times = 0

    def __repr__(self):
        self.times += 1
        return "shown"


def test_what_was_put_under_an_old_key_while_it_was_looked_for_is_not_the_functions():
    """C6: the key was made, the function forgotten, and something put under that key by hand."""
    app, cache, _ = build()
    runs = itertools.count(1)
    total = cache.memoize(60)(lambda _: next(runs))
    store = backend_of(app, cache)
    clock, shown = store.clock, Shown()

    def act():
        # It was looked at to remember the call, and to make the key: next comes the look into the cache.
        if shown.times == 2:
            shown.times += 1
            cache.delete_memoized(total)
            cache.set(old, "by hand")
        return clock()

    with app.app_context():
        old, shown.times = key_of(total, shown), 0
        store.clock = act
        assert total(shown) == "by hand"
        assert total(shown) == 1
        cache.delete_memoized(total, shown)
        assert total(shown) == 2
        assert cache.get(old) == "by hand"


@in_child
def test_what_is_not_stored_does_not_shorten_the_life_of_others():
    """C6: a function's record lives as long as what was stored last, and that was another call's value."""
    app, cache, runs = shop()
    gate = Gate()

    @cache.memoize(3600)
    def total(_):
        number = next(runs)
        if number == 1:
            gate.stay()
        return number

    leader = lead(lambda: total("a"), gate)
    cache.delete_memoized(total, "a")
    assert total("b") == 2
    total.cache_timeout = 1
    gate.open()
    assert leader.join() == [1]
    app.cache_clock.advance(2)
    assert total("b") == 2


class Parcel:
    """A value, as a serializer that makes no bytes keeps it; somebody may do something when it goes."""

    act = None

    def __init__(self, value):
        self.value = value

    def __del__(self):
        act, Parcel.act = Parcel.act, None
        if act is not None:
            act()


class Parcels:
    """Such a serializer."""

    dumps = staticmethod(Parcel)
    loads = staticmethod(lambda parcel: parcel.value)


@pytest.mark.parametrize("together", ["prefix", "expiry"])
def test_entries_of_functions_that_go_together_are_gone_when_code_of_values_runs(together):
    """C6: what is forgotten by then of one of the calls is not found under the version of before."""
    app, cache, _ = build()
    runs, said = itertools.count(1), []

    @cache.memoize(60)
    def one(_):
        return next(runs)

    @cache.memoize(60)
    def other(_):
        return next(runs)

    def act():
        for function in (one, other):
            cache.delete_memoized(function, "a")
            said.append(function("a"))

    with app.app_context():
        backend_of(app, cache).serializer = Parcels()
        assert [one("a"), other("a")] == [1, 2]
        cache.set(f"{__name__}.other", "value")
        Parcel.act = act
        if together == "prefix":
            cache.delete_prefix(__name__)
        else:
            # They go with their functions' records.
            assert all(cache.touch(key_of(function, "a"), 600) for function in (one, other))
            app.cache_clock.advance(60)
            backend_of(app, cache).purge_expired()
        assert Parcel.act is None
        assert said == [3, 4]


class Acting(SimpleSerializer):
    """One of an application's own, which acts once as it loads a version that Flask-Caching's code left."""

    def __init__(self):
        self.act = None

    def loads(self, bvalue):
        act, value = self.act, super().loads(bvalue)
        if act is not None and isinstance(value, str):
            self.act = None
            act()
        return value


def test_a_version_forgotten_while_it_is_taken_over_is_not_taken_over(monkeypatch):
    """C6: it was left as an entry, while a method was patched, and is on its way to the records."""
    app, cache, _ = build()
    runs, backend = itertools.count(1), backend_of(app, cache)
    total = cache.memoize(60)(lambda _: next(runs))
    backend.serializer = serializer = Acting()
    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(backend, "has", backend.has)
        assert total(1) == 1
        patch.undo()
        serializer.act = lambda: cache.delete_memoized_verhash(total)
        total(1)
        assert serializer.act is None
        assert total(1) == 2


class Returning:
    """What a serializer returns; as it is dropped, it has a function called that stores another one."""

    call = staticmethod(lambda: None)

    def __init__(self, value):
        self.value = value

    def __del__(self):
        self.call()


@in_child
def test_a_record_that_comes_back_whenever_it_is_to_be_replaced():
    """A1: what is dropped with the old one's entries has a record made anew, and an entry."""
    app, cache, runs = shop()
    backend = backend_of(app, cache)
    total = cache.memoize(60)(lambda: next(runs))
    backend.serializer = SimpleNamespace(dumps=Returning, loads=lambda held: held.value)
    with app.app_context():
        assert total() == 1
        Returning.call = staticmethod(total)
        cache.set(record_of(cache, total), "abcdef")
        Returning.call = staticmethod(lambda: None)
        assert total() == total() > 1
