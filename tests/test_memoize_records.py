"""Version records of ``memoize`` in ours: beside the bound, and what they orphan is freed at once."""

import pytest
from cachelib.serializers import SimpleSerializer

from ._apps import CACHES, backend_of, build
from ._memo import Item, entries, key_of, record_of, record_of_instance, records


class Shop:
    """A cache with a function, a method of two instances, and another function that stays as it is."""

    def __init__(self, timeout=60, **config):
        self.app, self.cache, self.runs = build(**config)

        @self.cache.memoize(timeout)
        def total(a=1):
            return self.runs.count("total")

        @self.cache.memoize(1000)
        def other(a=1):
            return self.runs.count("other")

        self.total, self.other, self.basket_class = total, other, make_method(self, timeout)
        self.first, self.second = self.basket_class("first"), self.basket_class("second")

    def fill(self):
        """Two calls of each."""
        for call in (self.total, self.other, self.first.sum, self.second.sum):
            call(1)
            call(2)

    def keys(self):
        return entries(self.app, self.cache)

    def keys_of(self, what):
        """The keys of the two calls of one of them."""
        name, *thing = {
            "total": ("total",),
            "other": ("other",),
            "first": ("sum", self.first),
            "second": ("sum", self.second),
        }[what]
        function = self.basket_class.sum if name == "sum" else getattr(self, name)
        return {key_of(function, *thing, a) for a in (1, 2)}


def make_method(shop, timeout):
    class Basket(Item):
        @shop.cache.memoize(timeout)
        def sum(self, a=1):
            return shop.runs.count("sum")

    return Basket


def test_records_are_in_the_cache_under_upstreams_names():
    """One for each function, one for each instance; they are read as any entry is."""
    shop = Shop()
    shop.fill()
    names = {record_of(shop.cache, function) for function in (shop.total, shop.other, shop.basket_class.sum)}
    names |= {
        record_of_instance(shop.cache, shop.basket_class.sum, thing) for thing in (shop.first, shop.second)
    }
    assert records(shop.app, shop.cache) == names
    assert all(shop.cache.has(name) and len(shop.cache.get(name)) == 6 for name in names)
    assert key_of(shop.total, 1).endswith(shop.cache.get(record_of(shop.cache, shop.total)))
    assert len(shop.keys()) == 8
    view = backend_of(shop.app, shop.cache)._cache
    assert len(view) == len(list(view)) == len(view.items()) == 13
    assert all(len(pair) == 2 for pair in view.values())
    backend_of(shop.app, shop.cache)._validate()


DELETIONS = {
    "function": (lambda shop: shop.cache.delete_memoized(shop.total), ["total"]),
    "attribute": (lambda shop: shop.total.delete_memoized(), ["total"]),
    "verhash": (lambda shop: shop.cache.delete_memoized_verhash(shop.total), ["total"]),
    "method": (lambda shop: shop.cache.delete_memoized(shop.basket_class.sum), ["first", "second"]),
    "bound attribute": (lambda shop: shop.first.sum.delete_memoized(), ["first", "second"]),
    "bound": (lambda shop: shop.cache.delete_memoized(shop.first.sum), ["first"]),
    "bound verhash": (lambda shop: shop.cache.delete_memoized_verhash(shop.second.sum), ["second"]),
    "record": (lambda shop: shop.cache.delete(record_of(shop.cache, shop.total)), ["total"]),
    "record of an instance": (
        lambda shop: shop.cache.delete(
            record_of_instance(shop.cache, shop.basket_class.sum, shop.first),
        ),
        ["first"],
    ),
    "record of a method": (
        lambda shop: shop.cache.delete_many("none", record_of(shop.cache, shop.basket_class.sum)),
        ["first", "second"],
    ),
    "record, by the view": (
        lambda shop: backend_of(shop.app, shop.cache)._cache.pop(record_of(shop.cache, shop.total)),
        ["total"],
    ),
    "overwritten": (lambda shop: shop.cache.set(record_of(shop.cache, shop.total), "abcdef"), ["total"]),
    "overwritten by many": (
        lambda shop: shop.cache.set_many({record_of(shop.cache, shop.total): "abcdef", "a": 1}),
        ["total"],
    ),
    "overwritten by a dead one": (
        lambda shop: shop.cache.set(record_of(shop.cache, shop.total), "abcdef", timeout=-1),
        ["total"],
    ),
}


@pytest.mark.parametrize("name", DELETIONS)
def test_what_is_orphaned_is_freed_at_once(name):
    """Those entries and no others; the functions then compute anew, and only they."""
    delete, whose = DELETIONS[name]
    shop = Shop()
    shop.fill()
    keys = {what: shop.keys_of(what) for what in ("total", "other", "first", "second")}
    shop.cache.set("plain", 1)
    delete(shop)
    kept = set().union(*(keys[what] for what in keys if what not in whose))
    assert shop.keys() - {"plain", "a"} == kept
    before = dict(shop.runs)
    shop.fill()
    shop.fill()
    changed = sum(shop.runs.values()) - sum(before.values())
    assert changed == 2 * len(whose)
    assert len(shop.keys() - {"plain", "a"}) == 8
    backend_of(shop.app, shop.cache)._validate()


@pytest.mark.parametrize("bound", [False, True])
def test_one_call_is_deleted(bound):
    """With arguments, that entry only; the records stay, as others need them."""
    shop = Shop()
    shop.fill()
    before, names = shop.keys(), records(shop.app, shop.cache)
    if bound:
        gone = {key_of(shop.basket_class.sum, shop.first, 2)}
        shop.cache.delete_memoized(shop.first.sum, 2)
    else:
        gone = {key_of(shop.basket_class.sum, shop.second, 1)}
        shop.cache.delete_memoized(shop.basket_class.sum, shop.second, a=1)
    assert shop.keys() == before - gone
    assert records(shop.app, shop.cache) == names


def test_clear_takes_the_records():
    shop = Shop()
    shop.fill()
    backend = backend_of(shop.app, shop.cache)
    shop.cache.clear()
    assert (len(backend), list(backend._cache)) == (0, [])
    before = sum(shop.runs.values())
    shop.fill()
    assert sum(shop.runs.values()) == before + 8


def test_a_record_expires_as_upstreams_does():
    """It lives as long as what was stored last, and takes with it what it found."""
    shop = Shop(timeout=10)
    shop.total(1)
    shop.total.cache_timeout = 3
    shop.app.cache_clock.advance(1)
    shop.total(2)
    shop.app.cache_clock.advance(2)
    assert [shop.total(1), shop.total(2)] == [1, 2]
    shop.app.cache_clock.advance(1)
    backend = backend_of(shop.app, shop.cache)
    backend.purge_expired()
    assert (list(backend._cache), len(backend._cache)) == ([], 0)
    assert [shop.total(1), shop.total(2)] == [3, 4]


def test_a_record_lives_on_with_what_is_stored():
    """Each store moves its deadline on."""
    shop = Shop(timeout=10)
    for number in range(1, 8):
        assert shop.total(number) == number
        assert shop.total(number) == number
        shop.app.cache_clock.advance(4)
    record = record_of(shop.cache, shop.total)
    assert shop.cache.has(record)
    assert len(shop.keys()) == 2
    shop.app.cache_clock.advance(6)
    assert not shop.cache.has(record)


def evict(shop):
    """Other traffic, of which no value is asked for twice."""
    for number in range(2000):
        shop.cache.set(f"one-off {number}", number)


def expire(shop):
    shop.app.cache_clock.advance(60)


ENDS = {
    "deleted": lambda shop: shop.cache.delete_many(*shop.keys_of("first")),
    "deleted by calls": lambda shop: [shop.cache.delete_memoized(shop.first.sum, a) for a in (1, 2)],
    "overwritten by dead ones": lambda shop: [
        shop.cache.set(key, 1, timeout=-1) for key in shop.keys_of("first")
    ],
    "expired": expire,
    "evicted": evict,
}


@pytest.mark.parametrize("end", ENDS)
def test_an_instances_record_lives_as_long_as_one_of_its_entries(end):
    shop = Shop(CACHE_THRESHOLD=20)
    shop.first.sum(1)
    shop.first.sum(2)
    record = record_of_instance(shop.cache, shop.basket_class.sum, shop.first)
    shop.cache.delete(key_of(shop.basket_class.sum, shop.first, 2))
    assert record in records(shop.app, shop.cache)
    shop.first.sum(2)
    assert record in records(shop.app, shop.cache)
    ENDS[end](shop)
    assert record not in records(shop.app, shop.cache)
    assert not shop.cache.has(record)
    assert [shop.first.sum(1), shop.first.sum(1)] == [4, 4]
    assert record in records(shop.app, shop.cache)


FRUITLESS = {
    "filtered": {"response_filter": lambda value: False},
    "bypassed": {"unless": lambda: True},
    "raised": {},
    "dead": {"timeout": -1},
}


@pytest.mark.parametrize("why", FRUITLESS)
def test_a_call_that_stores_nothing_leaves_no_record(why):
    """A thousand instances, and no trace of any."""
    app, cache, _ = build()

    class Basket(Item):
        @cache.memoize(**{"timeout": 60, **FRUITLESS[why]})
        def sum(self, a):
            if why == "raised":
                raise LookupError
            return a

    for number in range(1000):
        try:
            Basket(number).sum(1)
        except LookupError:
            assert why == "raised"
    assert entries(app, cache) == set()
    assert len(records(app, cache)) <= 1


def test_thousands_of_instances_leave_as_many_records_as_the_bound_lets_entries_be():
    """B6: and nothing else: the store is as large after the last thousand as after the first."""
    shop = Shop(CACHE_THRESHOLD=50)
    sizes = []
    for number in range(3000):
        basket = shop.basket_class(number)
        basket.sum(1)
        basket.sum(1)
        sizes.append(len(backend_of(shop.app, shop.cache)._cache))
    assert shop.runs == {"sum": 3000}
    assert max(sizes) <= 2 * 51 + 1
    assert len(shop.keys()) <= 51


def test_records_do_not_count_against_the_bound():
    """As many entries as it allows are there, whatever number of records they need."""
    shop = Shop(CACHE_THRESHOLD=8)
    shop.fill()
    assert len(shop.keys()) == 8
    assert len(records(shop.app, shop.cache)) == 5
    before = dict(shop.runs)
    shop.fill()
    assert shop.runs == before
    for number in range(100):
        shop.cache.set(f"other {number}", number)
        assert len(shop.keys()) <= 9


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
def test_a_value_put_by_hand_is_forgotten_with_its_instance(cache_class):
    """Also where nothing else of the instance was ever stored."""
    _, cache, runs = build(cache_class)

    class Basket:
        def __repr__(self):
            return "basket"

        @cache.memoize(60)
        def total(self, a):
            return runs.count("total")

    basket = Basket()
    cache.set(Basket.total.make_cache_key(Basket.total.uncached, basket, 1), "by hand")
    assert basket.total(1) == "by hand"
    cache.delete_memoized(basket.total)
    assert basket.total(1) == 1


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
def test_a_value_put_by_hand_under_an_old_key_is_not_found(cache_class):
    """Somebody made the key, and then the function was forgotten; what has the present key is found."""
    _, cache, runs = build(cache_class)

    @cache.memoize(60)
    def total(a):
        return runs.count("total")

    assert [total(1), total(1)] == [1, 1]
    key = key_of(total, 1)
    cache.delete_memoized(total)
    cache.set(key, "late")
    assert [total(1), total(1)] == [2, 2]
    cache.set(key_of(total, 1), "in time")
    assert [total(1), total(1)] == ["in time"] * 2
    cache.delete_memoized(total)
    assert [total(1), total(1)] == [3, 3]


@pytest.mark.parametrize(
    "put",
    [
        lambda cache, key: cache.set(key, "late", tags=["mine"]),
        lambda cache, key: cache.add(key, "late", tags=["mine"]),
        lambda cache, key: cache.set_many({key: "late"}, tags=["mine"]),
    ],
    ids=["set", "add", "set_many"],
)
def test_a_value_with_tags_put_by_hand_under_an_old_key_is_not_found(put):
    """The tags of whoever put it do not make it the function's."""
    _, cache, runs = build()
    total = cache.memoize(60, tags=["totals"])(lambda _: runs.count("total"))

    assert [total(1), total(1)] == [1, 1]
    key = key_of(total, 1)
    cache.delete_memoized(total)
    put(cache, key)
    assert [total(1), total(1)] == [2, 2]
    put(cache, key_of(total, 2))
    assert [total(2), total(2)] == ["late"] * 2
    assert [cache.delete_tag("mine"), cache.delete_tag("totals")] == [2, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda shop: shop.total(3),
        lambda shop: shop.cache.cache.purge_expired(),
        lambda shop: len(shop.cache.cache),
        lambda shop: shop.cache.cache.delete_prefix(""),
        lambda shop: shop.cache.delete_memoized(shop.total),
        lambda shop: shop.cache.set(record_of(shop.cache, shop.total), "new"),
    ],
)
def test_what_goes_with_an_expired_record_has_expired(call):
    """H3: whoever comes across it first, the counters say so."""
    shop = Shop()
    with shop.app.app_context():
        shop.total(1), shop.total(2)
        shop.app.cache_clock.advance(60)
        call(shop)
        stats = shop.cache.cache.stats()
        assert (stats["expirations"], stats["removals"]) == (2, 0)


def test_a_purge_counts_what_memoized_functions_stored():
    """G6: an expired entry is one, whatever record it belongs to."""
    shop = Shop()
    with shop.app.app_context():
        shop.fill()
        shop.app.cache_clock.advance(60)
        assert shop.cache.cache.purge_expired() == 6
        assert shop.cache.cache.purge_expired() == 0


class Wrapping(SimpleSerializer):
    """One of an application's own."""


@pytest.mark.parametrize("serializer", [None, Wrapping])
def test_what_was_stored_while_a_method_was_patched_is_found_afterwards(monkeypatch, serializer):
    """Flask-Caching's own code keeps the version as an entry, which goes through the serializer."""
    shop = Shop(CACHE_SERIALIZER=serializer)
    with shop.app.app_context(), monkeypatch.context() as patch:
        backend = shop.cache.cache
        patch.setattr(backend, "has", backend.has)
        assert not backend._is_plain()
        assert [shop.total(1), shop.first.sum(1)] == [1, 1]
        patch.undo()
        assert [shop.total(1), shop.first.sum(1)] == [1, 1]
        shop.cache.delete_memoized(shop.total)
        assert [shop.total(1), shop.first.sum(1)] == [2, 1]
        backend._validate()
