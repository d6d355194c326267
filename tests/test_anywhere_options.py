"""The options of the top-level decorators, and how long, and in which form, what they store lives."""

import functools
import gc
import itertools
import logging
import warnings
import weakref
from datetime import timedelta

import pytest
from flask_rustcache import RustCache, cached, memoize
from werkzeug.exceptions import NotFound

from ._anywhere import app, decorate, present, runs, stored
from ._apps import build
from ._child import mortal_functions
from ._memo import Item

# Fixtures are found by their names.
__all__ = ["app", "decorate", "present", "runs"]


def named(decorator, runs):
    """Decorate a function that says which run it is."""

    @decorator
    def count(a=0):
        return a, next(runs)

    return count


@pytest.mark.parametrize(
    ("timeout", "lives"),
    [(60, 60), (0.5, 0.5), (timedelta(minutes=1), 60), (None, 300), ("60", 60)],
    ids=repr,
)
def test_timeouts(present, decorate, runs, timeout, lives):
    """G1: seconds or a ``timedelta``; None is the application's default."""
    count = named(decorate(timeout), runs)
    assert count() == (0, 1)
    present.cache_clock.advance(lives - 0.25)
    assert count() == (0, 1)
    present.cache_clock.advance(0.25)
    assert count() == (0, 2)


def test_for_ever_and_not_at_all(present, decorate, runs):
    """G1: 0 never expires, what is negative is not stored."""
    count, never = named(decorate(0), runs), named(decorate(-1), runs)
    assert count() == (0, 1)
    present.cache_clock.advance(1e9)
    assert count() == (0, 1)
    assert [never(1), never(1)] == [(1, 2), (1, 3)]


def test_the_applications_default_timeout(decorate, runs):
    app, _, _ = build(CACHE_DEFAULT_TIMEOUT=10)
    count = named(decorate(), runs)
    with app.app_context():
        assert count() == (0, 1)
        app.cache_clock.advance(10)
        assert count() == (0, 2)


def test_cache_timeout_may_be_changed(present, decorate, runs):
    """K10: it is read at each miss."""
    count = named(decorate(60), runs)
    count.cache_timeout = 5
    assert count() == (0, 1)
    present.cache_clock.advance(5)
    assert count() == (0, 2)


def test_unless(present, decorate, runs):
    """True, and nothing but that, lets the call pass by; with or without arguments."""
    asked = []

    def unless(function, a=0):
        asked.append((function, a))
        return a if a == "yes" else a == 1

    count = named(decorate(60, unless=unless), runs)
    assert [count(1), count(1), count(2), count(2)] == [(1, 1), (1, 2), (2, 3), (2, 3)]
    assert [count("yes"), count("yes")] == [("yes", 4)] * 2
    assert asked[0] == (count.uncached, 1)
    off = [True]
    other = named(decorate(60, unless=lambda: off[0]), runs)
    assert [other(), other()] == [(0, 5), (0, 6)]
    off[0] = 1
    assert [other(), other()] == [(0, 7)] * 2


def test_forced_update(present, decorate, runs):
    """True has the function run, and the value stored anew."""
    forced = [False]
    count = named(decorate(60, forced_update=lambda: forced[0]), runs)
    assert [count(), count()] == [(0, 1)] * 2
    forced[0] = True
    assert [count(), count()] == [(0, 2), (0, 3)]
    forced[0] = False
    assert count() == (0, 3)
    by_argument = named(decorate(60, forced_update=lambda a: a == 1), runs)
    assert [by_argument(1), by_argument(1), by_argument(2), by_argument(2)] == [
        (1, 4),
        (1, 5),
        (2, 6),
        (2, 6),
    ]


def test_is_stale(present, decorate, runs):
    """What it says True to is made anew; it is not asked of what is not there."""
    asked = []

    def is_stale(value):
        asked.append(value)
        return value == (0, 1) and len(asked) > 1

    count = named(decorate(60, is_stale=is_stale), runs)
    assert [count() for _ in range(4)] == [(0, 1), (0, 1), (0, 2), (0, 2)]
    assert asked == [(0, 1), (0, 1), (0, 2)]


def test_response_filter(present, decorate, runs):
    count = named(decorate(60, response_filter=lambda value: value[1] > 2), runs)
    assert [count() for _ in range(4)] == [(0, 1), (0, 2), (0, 3), (0, 3)]


def test_none(present, decorate, runs):
    """It is served where that is wanted, and stored in any case, as Flask-Caching does."""

    def none(a):
        next(runs)

    for cache_none, made in ((False, 3), (True, 4)):
        function = decorate(60, cache_none=cache_none)(none)
        assert [function(1), function(1)] == [None, None]
        assert next(runs) == made
    wanted = decorate(60, cache_none=True)(none)
    assert [wanted(2), wanted(2)] == [None, None]
    assert next(runs) == 6


def test_exceptions_are_not_stored(present, decorate, runs):
    @decorate(60)
    def fail():
        raise ValueError(next(runs))

    for number in (1, 2):
        with pytest.raises(ValueError, match=str(number)):
            fail()
    assert stored(present) == set()


def said(function):
    """What the HTTPException that a function raises says."""
    with pytest.raises(NotFound) as raised:
        function()
    return raised.value.description


def test_http_exceptions(present, runs):
    """``cached`` stores and raises them, outside requests, too; ``memoize`` does not store them."""

    @cached(60)
    def missing():
        raise NotFound(str(next(runs)))

    @memoize(60)
    def memoized():
        raise NotFound(str(next(runs)))

    assert [said(missing) for _ in range(3)] == ["1", "1", "1"]
    assert [said(memoized) for _ in range(2)] == ["2", "3"]


def test_both_decorators_on_one_function(present, runs):
    """What is an exception for one of them is no value for the other."""

    def missing():
        raise NotFound(str(next(runs)))

    functions = [cached(60)(missing), memoize(60)(missing)]
    assert [said(function) for function in functions * 2] == ["1", "2", "1", "3"]


def test_generators_are_joined(present, decorate, runs):
    """All str, all bytes, else a list; the second caller gets all of it, too."""

    @decorate(60)
    def generate(*parts):
        yield from parts
        next(runs)

    for _ in range(2):
        assert generate("a", "b") == "ab"
        assert generate(b"a", b"b") == b"ab"
        assert generate(1, "b") == [1, "b"]
    assert next(runs) == 4


def test_values_are_each_callers_own(present, decorate):
    """I2: also without an application; and what the first caller does is not seen, either."""
    make = decorate(60)(lambda: {"basket": ["tea"]})
    for _ in range(3):
        make()["basket"].append("milk")
    assert make() == {"basket": ["tea"]}


def test_what_cannot_be_stored_is_returned(present, decorate, runs, caplog):
    """I1: with one warning per function."""
    make = decorate(60)(lambda: (next(runs), lambda: 1))
    assert [make()[0], make()[0]] == [1, 2]
    assert len([record for record in caplog.records if "cannot be cached" in record.getMessage()]) == 1


@mortal_functions
def test_methods_keep_no_instance_alive(present, decorate):
    """B5, B1: nor does a decorated function that is gone keep anything."""

    class Basket:
        @decorate(60)
        def total(self):
            return 1

    basket = Basket()
    basket.total()
    method = weakref.ref(basket.total)
    seen = [weakref.ref(one) for one in (basket, Basket, Basket.total)]
    del basket, Basket
    gc.collect()
    assert method() is None
    assert [one() for one in seen] == [None] * 3


class Failing(RustCache):
    """A backend that is down."""

    def get(self, key):
        raise OSError("down")

    def set(self, key, value, timeout=None):
        raise OSError("down")


def test_a_failing_backend(decorate, runs, caplog):
    """K7: the function runs once, and it is logged; in debug mode it is raised."""
    app, _, _ = build(CACHE_TYPE=f"{__name__}.Failing")
    count = named(decorate(60), runs)
    with app.app_context(), caplog.at_level(logging.ERROR, logger="flask_caching"):
        assert [count(), count()] == [(0, 1), (0, 2)]
        messages = {record.getMessage() for record in caplog.records}
        assert messages == {"Exception possibly due to cache backend."}
        app.debug = True
        with pytest.raises(OSError, match="down"):
            count()


class Spy(RustCache):
    """A subclass that wants to see the traffic."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def get(self, key):
        self.seen.append(("get", key))
        return super().get(key)

    def set(self, key, value, timeout=None):
        self.seen.append(("set", key))
        return super().set(key, value, timeout)


def test_a_subclass_sees_the_traffic(decorate, runs):
    """When in doubt, by the methods: a backend that overrides them is asked by them."""
    app, cache, _ = build(CACHE_TYPE=f"{__name__}.Spy")
    count = named(decorate(60), runs)
    with app.app_context():
        assert count() == count() == (0, 1)
        key = count.key()
        seen = cache.cache.seen
    assert [step for step, _ in itertools.groupby(seen)] == [("get", key), ("set", key), ("get", key)]


def test_clear_is_of_one_function(present, decorate, runs):
    """All entries of it, at once, and of no other, whatever they are called."""

    def f(a):
        return a, next(runs)

    def f2(a):
        return a, next(runs)

    f2.__qualname__ = f.__qualname__ + "2"
    one, two = decorate(60)(f), decorate(60)(f2)
    for a in range(100):
        one(a), two(a)
    one.clear()
    assert len(stored(present)) == 100
    assert [two(a)[1] for a in range(100)] == list(range(2, 201, 2))
    assert one(5) == one(5) == (5, 201)
    one.clear()
    one.clear()


def test_decorating_says_nothing():
    """J7: it is cheap, and warns of nothing; the arguments are checked when it is called."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for decorator in (cached, memoize):
            for _ in range(3):
                decorator(60)(lambda a, *, b=[]: a)


def test_a_cache_forgets_what_the_packages_own_decorators_made(decorate, runs):
    """C6: `delete_memoized` of ``Cache``, which many have in their code, is no silent nothing."""
    app, cache, _ = build()

    @decorate(60)
    def total(a):
        return a, next(runs)

    @functools.wraps(total)
    def above(a):
        return total(a)

    with app.app_context():
        assert [total(1), total(2)] == [(1, 1), (2, 2)]
        cache.delete_memoized(total, 1)
        assert [total(1), total(2)] == [(1, 3), (2, 2)]
        cache.delete_memoized(above, a=2)
        assert [total(1), total(2)] == [(1, 3), (2, 4)]
        cache.delete_memoized(total)
        assert [total(1), total(2)] == [(1, 5), (2, 6)]
        cache.delete_memoized_verhash(above)
        assert [total(1), total(2)] == [(1, 7), (2, 8)]


def test_a_cache_forgets_methods_of_the_packages_own_decorators(decorate, runs):
    """C6, K9: of one call by the remaining arguments, the instance's own or not; all of them with none."""

    class Shop(Item):
        @decorate(60)
        def total(self, a):
            return a, next(runs)

        @classmethod
        @decorate(60)
        def of_class(cls, a):
            return a, next(runs)

    app, cache, _ = build()
    shop = Shop("a")
    with app.app_context():
        assert shop.total(1) == (1, 1)
        cache.delete_memoized(shop.total, 1)
        assert shop.total(1) == (1, 2)
        cache.delete_memoized(shop.total, shop, 1)
        assert shop.total(1) == (1, 3)
        cache.delete_memoized(Shop.total, shop, 1)
        assert shop.total(1) == (1, 4)
        cache.delete_memoized(shop.total)
        assert shop.total(1) == (1, 5)
        assert Shop.of_class(1) == (1, 6)
        cache.delete_memoized(Shop.of_class, 1)
        assert Shop.of_class(1) == (1, 7)
        cache.delete_memoized(Shop.of_class)
        assert Shop.of_class(1) == (1, 8)


def test_keys_of_other_types_are_deleted(present, runs):
    """J1: `key` and `delete` mean what a ``make_cache_key`` made, whatever it is."""

    class Shop:
        @cached(60, make_cache_key=lambda self, a: ("total", a))
        def total(self, a):
            return a, next(runs)

    shop = Shop()
    assert shop.total(1) == shop.total(1) == (1, 1)
    assert shop.total.key(1) == Shop.total.key(shop, 1) == ("total", 1)
    assert shop.total.delete(1)
    assert shop.total(1) == (1, 2)
