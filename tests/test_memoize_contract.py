"""What CONTRACT.md says of ``memoize``, on ours and on Flask-Caching's own decorator over our backend."""

import asyncio
import inspect
import pickle
from datetime import timedelta

import pytest
from cachelib.serializers import SimpleSerializer
from flask_caching import signals

from ._apps import CACHES, backend_of, build
from ._memo import Item, entries, key_of, records


@pytest.fixture(params=CACHES.values(), ids=CACHES)
def cache_class(request):
    return request.param


@pytest.fixture
def logged(caplog):
    """What Flask-Caching's logger was told."""
    return lambda: [
        record.getMessage() for record in caplog.records if record.name.startswith("flask_caching")
    ]


def counting(cache, runs, **options):
    """Memoize a function that says how often it ran."""

    @cache.memoize(60, **options)
    def total(a=1, b=2):
        return runs.count("total")

    return total


def test_attributes(cache_class):
    """``uncached``, ``cache_timeout``, ``make_cache_key``, ``delete_memoized``, and the function's own."""
    app, cache, runs = build(cache_class)
    total = counting(cache, runs)
    assert total.uncached is total.__wrapped__ is inspect.unwrap(total)
    assert (total.__name__, total.cache_timeout) == ("total", 60)
    assert list(inspect.signature(total).parameters) == ["a", "b"]
    assert [total(), total.uncached(), total()] == [1, 2, 1]
    assert entries(app, cache) == {key_of(total)} == {key_of(total, b=2)}
    assert total.delete_memoized() is None
    assert total() == 3


def test_cache_timeout_is_writable(cache_class):
    """It is read at each miss, and rules the function's version record as well."""
    app, cache, runs = build(cache_class)
    total = counting(cache, runs)
    for timeout in (5, timedelta(seconds=5), "5"):
        total.cache_timeout = timeout
        cache.clear()
        before = total()
        app.cache_clock.advance(4)
        assert total() == before
        app.cache_clock.advance(1)
        assert total() == before + 1
    assert total.cache_timeout == timeout


@pytest.mark.parametrize(("timeout", "lives"), [(None, 300), (0, 10**9), (timedelta(milliseconds=1), 1)])
def test_timeouts(cache_class, timeout, lives):
    app, cache, runs = build(cache_class)
    total = cache.memoize(timeout)(lambda: runs.count("total"))
    assert total() == 1
    app.cache_clock.advance(lives - 1)
    assert total() == 1
    app.cache_clock.advance(1)
    assert total() == (1 if timeout == 0 else 2)


def test_make_cache_key_is_writable(cache_class):
    """Calls do not ask it, ``delete_memoized`` does."""
    _, cache, runs = build(cache_class)
    total = counting(cache, runs)
    assert [total(1), total(3)] == [1, 2]
    other = key_of(total, 3)
    total.make_cache_key = lambda *args, **kwargs: other
    assert [total(1), total(3)] == [1, 2]
    cache.delete_memoized(total, 1)
    assert [total(1), total(3)] == [1, 3]


def test_a_key_finds_its_entry(cache_class):
    """By every verb of the cache; a value put under it is served."""
    _, cache, runs = build(cache_class)
    total = counting(cache, runs)
    assert total(1) == 1
    key = key_of(total, 1)
    assert (cache.get(key), cache.has(key), cache.get_many(key)) == (1, True, [1])
    assert cache.set(key, "put")
    assert [total(1), total(a=1, b=2)] == ["put"] * 2
    assert cache.delete(key)
    assert not cache.delete(key)
    assert [total(1), cache.get(key)] == [2, 2]
    cache.delete_many(key)
    assert total(1) == 3


def test_a_key_made_before_the_first_call(cache_class):
    """It is the key that the call then has: of a function, and of a method."""
    _, cache, runs = build(cache_class)

    class Basket(Item):
        @cache.memoize(60)
        def total(self, a):
            return runs.count("total")

    total, basket = counting(cache, runs), Basket("1")
    for function, thing, call in ((total, (), total), (Basket.total, (basket,), basket.total)):
        key = key_of(function, *thing, 1)
        value = call(1)
        assert cache.get(key) == value
        cache.delete(key)
        assert call(1) == value + 1
        ahead = key_of(function, *thing, 2)
        cache.set(ahead, "put ahead")
        assert call(2) == "put ahead"


CONDITIONS = {
    "unless": (False, 2, 1),
    "forced_update": (False, 2, 1),
    "is_stale": (False, 1, 1),
    "response_filter": (True, 1, 1),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_is_asked_once_a_call(cache_class, name):
    """In two calls, of which the second is a hit; only True itself is true, but for the filter."""
    usual, times, expected = CONDITIONS[name]
    for answer in (usual, 1, "yes", [1]):
        _, cache, runs = build(cache_class)
        asked = []

        def condition(*args, asked=asked, answer=answer):
            asked.append(args)
            return answer

        total = counting(cache, runs, **{name: condition})
        assert [total(), total()] == [1, expected], answer
        assert len(asked) == times


ACTIVE = {
    "unless": (True, [1, 2, 3], 0, 3),
    "forced_update": (True, [1, 2, 3], 1, 3),
    "is_stale": (True, [1, 2, 3], 1, 2),
    "response_filter": (None, [1, 2, 3], 0, 3),
}


@pytest.mark.parametrize("name", ACTIVE)
def test_each_condition_that_applies_is_asked_once_a_call(cache_class, name):
    answer, answers, stored, times = ACTIVE[name]
    app, cache, runs = build(cache_class)
    asked = []
    total = counting(cache, runs, **{name: lambda *args: asked.append(args) or answer})
    assert [total(), total(), total()] == answers
    assert len(asked) == times
    assert len(entries(app, cache)) == stored


def test_what_conditions_are_given(cache_class):
    """The call's own arguments, where they take any."""
    _, cache, runs = build(cache_class)
    asked = []

    def note(name):
        def condition(*args, **kwargs):
            asked.append((name, args, kwargs))
            return name == "response_filter"

        return condition

    options = {name: note(name) for name in CONDITIONS}
    total = counting(cache, runs, **options)
    assert [total(3, b=4), total(3, b=4)] == [1, 1]
    always = [("unless", (total.uncached, 3), {"b": 4}), ("forced_update", (3,), {"b": 4})]
    assert asked == [*always, ("response_filter", (1,), {}), *always, ("is_stale", (1, 3), {"b": 4})]


@pytest.mark.parametrize("name", ["unless", "forced_update", "is_stale"])
def test_a_condition_that_raises(cache_class, name, logged):
    """``unless`` raises to the caller; the others are logged, and the function runs once."""
    _, cache, runs = build(cache_class)

    def condition():
        raise LookupError

    total = counting(cache, runs, **{name: condition if name != "is_stale" else lambda value: condition()})
    if name == "unless":
        with pytest.raises(LookupError):
            total()
        assert (runs, logged()) == ({}, [])
        return
    assert [total(), total()] == [1, 2]
    assert set(logged()) == {"Exception possibly due to cache backend."}


@pytest.mark.parametrize("cache_none", [False, True])
def test_none(cache_class, cache_none):
    app, cache, runs = build(cache_class)

    @cache.memoize(60, cache_none=cache_none)
    def nothing(a):
        runs.count("nothing")

    assert [nothing(1), nothing(1), nothing(a=1)] == [None] * 3
    assert runs == {"nothing": 1 if cache_none else 3}
    assert len(entries(app, cache)) == 1


JOINED = [("ab", "ab"), ([b"a", b"b"], b"ab"), (["a", b"b", 1], ["a", b"b", 1]), ([], "")]


@pytest.mark.parametrize(("parts", "joined"), JOINED, ids=repr)
def test_generators_are_joined(cache_class, parts, joined):
    _, cache, runs = build(cache_class)

    @cache.memoize(60)
    def generate():
        runs.count("generate")
        yield from parts

    assert [generate(), generate()] == [joined] * 2
    assert runs == {"generate": 1}


def test_asynchronous_functions_become_synchronous(cache_class):
    """Through ``app.ensure_sync``, on a miss as on a hit."""
    _, cache, runs = build(cache_class)

    @cache.memoize(60)
    async def total(a):
        await asyncio.sleep(0)
        return runs.count("total")

    assert [total(1), total(a=1), total(2)] == [1, 1, 2]


def test_exceptions_are_not_stored(cache_class):
    app, cache, runs = build(cache_class)

    @cache.memoize(60)
    def fail(a):
        raise LookupError(runs.count("fail"))

    for number in (1, 2):
        with pytest.raises(LookupError, match=str(number)):
            fail(1)
    assert entries(app, cache) == set()


@pytest.mark.parametrize("value", [[1, {"a": [2]}], Item("value"), {"a": {1}}, (1, [2])], ids=repr)
def test_values_are_isolated(cache_class, value):
    """What a caller does to a value changes none that another gets."""
    _, cache, runs = build(cache_class)
    image = pickle.dumps(value)

    @cache.memoize(60)
    def make(a):
        runs.count("make")
        return pickle.loads(image)

    values = [make(1) for _ in range(4)]
    assert len({id(value) for value in values}) == 4
    assert [repr(other) for other in values] == [repr(value)] * 4
    assert runs == {"make": 1}


def test_signals(cache_class):
    """One for each call, with the cache, the key, the function and the arguments as given."""
    _, cache, runs = build(cache_class, CACHE_ENABLE_SIGNALS=True)
    bypass, sent = [], []
    total = counting(cache, runs, unless=lambda: bool(bypass))

    def receiver(name):
        return lambda sender, **details: sent.append((name, sender, details))

    hit, miss = receiver("hit"), receiver("miss")
    with signals.cache_memoize_hit.connected_to(hit), signals.cache_memoize_miss.connected_to(miss):
        total(1)
        total(1, 2)
        total(1, b=2)
        cache.enable_signals = False
        total(1)
        cache.enable_signals = True
        bypass.append(1)
        total(1)
    common = {"cache": cache, "f": total.uncached, "cache_key": key_of(total, 1)}
    assert sent == [
        ("miss", None, {**common, "args": (1,), "kwargs": {}}),
        ("hit", None, {**common, "args": (1, 2), "kwargs": {}}),
        ("hit", None, {**common, "args": (1,), "kwargs": {"b": 2}}),
    ]


@pytest.mark.parametrize("verb", ["delete_memoized", "delete_memoized_verhash"])
def test_names_are_refused(cache_class, verb):
    _, cache, _ = build(cache_class)
    with pytest.raises(TypeError, match="relative name"):
        getattr(cache, verb)("tests.total")


class Loud(SimpleSerializer):
    """Marks what it makes."""

    def dumps(self, value):
        return b"loud" + super().dumps(value)

    def loads(self, data):
        assert data.startswith(b"loud")
        return super().loads(data[4:])


def test_serializer(cache_class):
    app, cache, runs = build(cache_class, CACHE_SERIALIZER=Loud)
    total = counting(cache, runs)
    assert [total(), total(), total(3)] == [1, 1, 2]
    assert backend_of(app, cache)._cache[key_of(total)][1].startswith(b"loud")
    cache.delete_memoized(total)
    assert [total(), total()] == [3, 3]


@pytest.mark.parametrize(("kind", "answers"), [("SimpleCache", [1, 1, 2]), ("NullCache", [1, 2, 3])])
def test_other_backends(cache_class, kind, answers):
    _, cache, runs = build(cache_class, CACHE_TYPE=kind, CACHE_NO_NULL_WARNING=True)
    total = counting(cache, runs)
    assert [total(1), total(a=1), total(3)] == answers
    cache.delete_memoized(total)
    cache.delete_memoized(total, 1)
    assert [total(1), total(1)] == ([3, 3] if kind == "SimpleCache" else [4, 5])


def test_outside_any_context_and_in_one(cache_class):
    """The application that the cache was set up for last serves where there is none."""
    app, cache, runs = build(cache_class)
    total = counting(cache, runs)
    assert total() == 1
    with app.app_context():
        assert total() == 1
    with app.test_request_context("/"):
        assert total() == 1
    assert len(records(app, cache)) == 1
