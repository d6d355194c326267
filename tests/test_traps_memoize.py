"""Traps H6, I1, J6, J7, B1 and B5 for ``memoize``."""

import gc
import warnings
import weakref

import pytest

from ._apps import CACHES, Unstorable, backend_of, build
from ._child import mortal_functions
from ._memo import Item, entries, key_of, record_of, records


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


def plain_traffic(cache, memoized):
    return lambda number: cache.set(f"one-off {number}", number)


def calls_of_the_function(cache, memoized):
    return lambda number: memoized(("one-off", number))


def calls_of_another(cache, memoized):
    return cache.memoize(60)(lambda a: a)


def calls_of_methods(cache, memoized):
    class Basket(Item):
        @cache.memoize(60)
        def sum(self):
            return 1

    return lambda number: Basket(number).sum()


TRAFFIC = [plain_traffic, calls_of_the_function, calls_of_another, calls_of_methods]


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize(("threshold", "turns"), [(1, 1), (10, 1), (10, 2), (300, 1), (300, 5)])
def test_one_off_traffic_never_loses_a_functions_entries(threshold, turns, traffic):
    """H6: the record stays, and with it whatever entry the bound has not evicted."""
    _, cache, runs = build(CACHE_THRESHOLD=threshold)

    @cache.memoize(60)
    def total(a):
        runs.count("total")
        return a

    for number in [*range(20)] * turns:
        total(number)
    record = record_of(cache, total)
    version, keys = cache.get(record), {number: key_of(total, number) for number in range(20)}
    send = traffic(cache, total)
    for number in range(3000):
        send(number)
    assert cache.get(record) == version
    there = [number for number, key in keys.items() if cache.has(key)]
    before = runs["total"]
    assert [total(number) for number in there] == there
    assert runs["total"] == before


def test_what_is_asked_for_stays_through_one_off_traffic():
    """H6, H5: twenty calls that come again and again, in a store of a hundred, are not computed again."""
    _, cache, runs = build(CACHE_THRESHOLD=100)

    @cache.memoize(60)
    def total(a):
        runs.count(a)
        return a

    for number in range(4000):
        cache.set(f"one-off {number}", number)
        assert total(number % 20) == number % 20
    assert max(runs.values()) <= 3


def test_an_unpicklable_value_is_returned_each_time_and_told_of_once(caplog):
    """I1: it is not stored, leaves no entry or record of an instance, and each function is told of once."""
    app, cache, runs = build()

    class Basket(Item):
        @cache.memoize(60)
        def make(self, a):
            runs.count("make")
            return Unstorable()

    @cache.memoize(60)
    def make(a):
        runs.count("other")
        return [1, {"a": Unstorable()}]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            assert isinstance(Basket("1").make(1), Unstorable)
            assert isinstance(make(1)[1]["a"], Unstorable)
    assert runs == {"make": 3, "other": 3}
    assert entries(app, cache) == set()
    assert len(records(app, cache)) <= 2
    told = [str(warning.message) for warning in caught]
    told += [record.getMessage() for record in caplog.records]
    assert len(told) == 2, told


def test_an_unpicklable_value_leaves_the_old_entry_alone(caplog):
    """I1: where an update is forced, the stored value is served from then on as before."""
    _, cache, _ = build()
    values, force = ["old", Unstorable()], []

    @cache.memoize(60, forced_update=lambda: bool(force))
    def make():
        return values[len(force)]

    assert make() == "old"
    force.append(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert isinstance(make(), Unstorable)
    force.clear()
    assert make() == "old"


SOURCE = """
def total(a):
    return runs.count("total"), a{extra}
"""


def compiled(runs, extra="", name="tests.made"):
    """Compile a module's function: the same source gives the same code, in another object."""
    names = {"runs": runs, "__name__": name}
    exec(SOURCE.format(extra=extra), names)
    return names["total"]


def warned(make):
    """What a call warns of, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    assert all(issubclass(warning.category, UserWarning) for warning in caught)
    return [str(warning.message) for warning in caught]


def test_functions_of_one_name_and_different_code_are_kept_apart():
    """J6: each has its own answers, deletions and hits; one warning says so, with their name."""
    app, cache, runs = build()
    functions = []

    def use(*extras):
        functions.extend(cache.memoize(60)(compiled(runs, extra)) for extra in extras)
        for function in functions * 2:
            function(1)

    messages = warned(lambda: use("", ", 'second'"))
    assert len(messages) == 1
    assert "total" in messages[0]
    # The next one may be told of once, too.
    assert len(warned(lambda: use(", 'third'"))) <= 1
    assert warned(use) == []
    assert runs == {"total": 3}
    first, second, third = functions
    assert [first(1), second(1), third(1)] == [(1, 1), (2, 1, "second"), (3, 1, "third")]
    assert len(entries(app, cache)) == 3
    cache.delete_memoized(second)
    assert [first(1), second(1), third(1)] == [(1, 1), (4, 1, "second"), (3, 1, "third")]
    cache.delete_memoized(first, 1)
    assert [first(1), second(1), third(1)] == [(5, 1), (4, 1, "second"), (3, 1, "third")]
    for function in functions:
        assert cache.has(key_of(function, 1))


def test_lambdas_of_one_place_are_kept_apart():
    """J6: all of them have the same name; and those of a loop have the same code, so they share."""
    _, cache, runs = build()
    made = []

    def use():
        made.extend([cache.memoize(60)(lambda: ("first",)), cache.memoize(60)(lambda: ("second",))])
        assert [function() for function in made * 2] == [("first",), ("second",)] * 2

    assert len(warned(use)) == 1
    assert [cache.memoize(60)(lambda number=number: runs.count(number))() for number in "abc"] == [1, 1, 1]


def test_the_same_code_decorated_again_shares(cache_class):
    """J6, J7: compiled anew or not, with whatever in its closure; nothing is warned of, as upstream."""
    app, cache, runs = build(cache_class)
    first, second = (cache.memoize(60)(compiled(runs)) for _ in "12")
    assert first.uncached.__code__ is not second.uncached.__code__
    assert [first(1), second(1), first(2), second(a=2)] == [(1, 1), (1, 1), (2, 2), (2, 2)]

    def made(number):
        @cache.memoize(60)
        def closed():
            return number

        return closed

    assert [made(1)(), made(2)(), made(3)()] == [1, 1, 1]
    assert len(entries(app, cache)) == 3


def test_functions_of_one_name_in_two_modules_are_apart(cache_class):
    """J6: no more than different names they need a warning."""
    _, cache, runs = build(cache_class)
    one = cache.memoize(60)(compiled(runs, name="tests.one"))
    two = cache.memoize(60)(compiled(runs, ", 2", name="tests.two"))
    assert [one(1), two(1), one(1), two(1)] == [(1, 1), (2, 1, 2)] * 2


def test_a_function_decorated_at_each_call_finds_its_entries(cache_class):
    """J7: the decorated function dies each time, its entries do not."""
    app, cache, runs = build(cache_class)
    alive = []

    def total(a):
        def compute(a):
            return runs.count("compute"), a

        memoized = cache.memoize(60)(compute)
        alive.append(weakref.ref(memoized))
        return memoized(a)

    assert [total(a) for a in (1, 2, 1, 2, 1)] == [(1, 1), (2, 2)] * 2 + [(1, 1)]
    gc.collect()
    assert [reference() for reference in alive] == [None] * 5
    assert len(entries(app, cache)) == 2
    assert len(records(app, cache)) == 1
    assert total(1) == (1, 1)


@mortal_functions
def test_decorating_and_dropping_leaves_nothing(cache_class):
    """J7, B1: of hundreds of functions with names of their own, no object is left."""
    _, cache, runs = build(cache_class)
    alive = []
    for number in range(200):
        function = compiled(runs, name=f"tests.made{number}")
        memoized = cache.memoize(60)(function)
        memoized(1)
        memoized(1)
        alive += [weakref.ref(memoized), weakref.ref(function)]
    del memoized, function
    gc.collect()
    assert [reference for reference in alive if reference() is not None] == []
    assert runs == {"total": 200}


@pytest.mark.parametrize("attribute", ["__qualname__", "__module__"])
def test_names_are_read_at_each_call(cache_class, attribute):
    """J7: a function that is renamed has other entries, until it has its old name again."""
    app, cache, runs = build(cache_class)
    total = cache.memoize(60)(compiled(runs))
    old = getattr(total.uncached, attribute)
    assert [total(1), total(1)] == [(1, 1)] * 2
    setattr(total.uncached, attribute, "renamed")
    assert [total(1), total(1)] == [(2, 1)] * 2
    assert sum(name.count("renamed") for name in records(app, cache)) == 1
    setattr(total.uncached, attribute, old)
    assert total(1) == (1, 1)
    # What was decorated has the name that counts; the name of what came of it says what is deleted.
    setattr(total, attribute, "elsewhere")
    assert total(1) == (1, 1)
    cache.delete_memoized(total)
    assert total(1) == (1, 1)
    setattr(total, attribute, old)
    cache.delete_memoized(total)
    assert total(1) == (3, 1)


def test_defaults_are_read_at_each_call(cache_class):
    """J7: as they are now, replaced or changed in place."""
    _, cache, runs = build(cache_class)

    @cache.memoize(60)
    def total(a=1, b=()):
        return runs.count("total")

    assert [total(), total(1), total(2)] == [1, 1, 2]
    total.uncached.__defaults__ = (2, ())
    assert [total(), total(1), total(2)] == [2, 1, 2]
    basket = []
    total.uncached.__defaults__ = (1, basket)
    assert [total(), total(1, []), total(1)] == [3, 3, 3]
    basket.append(1)
    assert [total(), total(1, [1]), total(1, [])] == [4, 4, 3]
    total.uncached.__defaults__ = None
    assert total(1, ()) == 1


@mortal_functions
def test_a_method_does_not_keep_its_instance(cache_class):
    """B5: nor does what it was called with, what it returned, or the bound method asked for."""
    app, cache, runs = build(cache_class)

    class Basket(Item):
        @cache.memoize(60)
        def sum(self, other):
            runs.count("sum")
            return [other]

        @classmethod
        @cache.memoize(60)
        def of_class(cls, other):
            return 1

    basket, argument = Basket("1"), Item("2")
    assert repr(basket.sum(argument)) == repr(basket.sum(argument)) == "[<Item 2>]"
    basket.of_class(argument)
    cache.delete_memoized(basket.sum, argument)
    cache.delete_memoized(basket.sum)
    basket.sum(argument)
    alive = [weakref.ref(basket), weakref.ref(argument)]
    del basket, argument
    gc.collect()
    assert [reference() for reference in alive] == [None] * 2
    assert len(entries(app, cache)) >= 1
    alive = weakref.ref(Basket)
    del Basket
    gc.collect()
    assert alive() is None


@mortal_functions
def test_everything_is_collectable(cache_class):
    """B1: application, cache, backend and function refer to each other in a ring."""
    app, cache, runs = build(cache_class)
    total = cache.memoize(60)(compiled(runs))
    backend = backend_of(app, cache)
    total(1)
    total.own = [total, app, cache]
    alive = [weakref.ref(thing) for thing in (app, cache, total, backend, total.uncached)]
    del app, cache, total, backend
    gc.collect()
    assert [reference() for reference in alive] == [None] * 5
