"""Many threads call decorated functions while what they say is taken back: nobody is told what was."""

import functools
import itertools
import random
import threading
import time

from ._apps import backend_of, build
from ._child import in_child
from ._stress import CROWDS, Threads, account_is_right, seeds

KEYS = range(3)

TURNS = 1000
"""Calls and changes of all threads together."""


class BoomError(Exception):
    """What a function raises now and then."""


def dawdle(chance):
    """Let the others go on, a few times; or not. It is no matter of time."""
    for _ in range(chance.choice([0, 1, 2, 20])):
        time.sleep(0)


class Truth:
    """What the functions say, which changes, and how old an answer may be."""

    def __init__(self):
        self.now = dict.fromkeys(KEYS, 0)
        self.known = dict.fromkeys(KEYS, 0)
        self._locks = {key: threading.Lock() for key in KEYS}

    def tell(self, key, chance):
        """Say what is true; sometimes slowly, sometimes not at all."""
        seen = self.now[key]
        dawdle(chance)
        if chance.random() < 0.05:
            raise BoomError
        return {"seen": seen}

    def change(self, key, invalidate):
        """Change it; when what was said before is taken back nobody may be told it any more."""
        with self._locks[key]:
            self.now[key] += 1
            invalidate(self.now[key])
            self.known[key] = self.now[key]

    def ask(self, key, function):
        oldest = self.known[key]
        try:
            seen = function(key)["seen"]
        except BoomError:
            return
        assert seen >= oldest, f"{seen} was said of {key} after {oldest} was known"


class Shop:
    """An application with a function for each decorator, and the ways to take back what it said."""

    def __init__(self, seed, **config):
        self.app, self.cache, _ = build(**config)
        self.chance = random.Random(seed)
        #: What each decorator's functions say is taken back by itself.
        self.truths = {way: Truth() for way in (self.by_memoize, self.by_cached, self.by_view)}
        self.memoized = self.cache.memoize(60, tags=lambda key: [f"tag {key}"])(self._teller(self.by_memoize))
        self.cached = {key: self._cached(key) for key in KEYS}
        view = self.cache.cached(60)(self._teller(self.by_view))
        self.app.add_url_rule("/price/<int:key>", "price", view)

    def _teller(self, way):
        return lambda key: self.truths[way].tell(key, self.chance)

    def _cached(self, key):
        decorate = self.cache.cached(60, key_prefix=f"price {key}", tags=[f"tag {key}"])
        return decorate(lambda: self.truths[self.by_cached].tell(key, self.chance))

    def view(self, key):
        answer = self.app.test_client().get(f"/price/{key}")
        return answer.json

    # Each way: how to ask, and how to take back what was said.

    def by_memoize(self, key):
        cache, function = self.cache, self.memoized
        return function, [
            lambda _: cache.delete_memoized(function, key),
            lambda _: cache.delete_memoized(function),
            lambda _: cache.delete_tag(f"tag {key}"),
            lambda _: cache.clear(),
        ]

    def by_cached(self, key):
        cache, name, tag = self.cache, f"price {key}", f"tag {key}"
        return lambda key: self.cached[key](), [
            lambda _: cache.delete(name),
            lambda _: cache.delete_many(name, "absent"),
            lambda _: cache.delete_tag(tag),
            lambda _: cache.delete_prefix("price"),
            lambda now: cache.set(name, {"seen": now}, timeout=60, tags=[tag]),
            lambda _: cache.clear(),
        ]

    def by_view(self, key):
        cache, name = self.cache, f"view//price/{key}"
        return self.view, [
            lambda _: cache.delete(name),
            lambda _: cache.delete_prefix("view/"),
            lambda now: cache.set(name, {"seen": now}, timeout=60),
            lambda _: cache.clear(),
        ]

    def do(self, chance):
        """Ask, or change."""
        key = chance.choice(KEYS)
        way, truth = chance.choice(list(self.truths.items()))
        function, invalidations = way(key)
        if chance.random() < 0.7:
            truth.ask(key, function)
        else:
            if chance.random() < 0.7:
                # So that others are about to say what is true still.
                invalidations[0](None)
                dawdle(chance)
            truth.change(key, chance.choice(invalidations))

    def live(self, turns, _number, chance):
        """Do so many things."""
        with self.app.app_context():
            for _ in range(turns):
                self.do(chance)

    def settle(self):
        store = backend_of(self.app, self.cache)
        store._validate()
        assert account_is_right(store.stats()), store.stats()


@seeds
@in_child
def test_nobody_is_told_what_was_taken_back_before_they_asked(seed):
    """C6: however it was taken back, by whatever decorator it was said, and whoever waited for whom."""
    for crowd in CROWDS:
        shop = Shop(seed)
        Threads(seed, crowd).run(functools.partial(shop.live, TURNS // crowd))
        shop.settle()


@seeds
@in_child
def test_all_who_ask_at_one_moment_are_told_by_one_run(seed):
    """C8: of those who begin a fill of a key one wins, and the others have its value."""
    for crowd in CROWDS:
        ask_at_one_moment(seed, crowd)


def ask_at_one_moment(seed, crowd):
    app, cache, _ = build()
    runs = itertools.count()

    @cache.memoize(60)
    def number(key):
        for _ in range(500):
            pass
        return [key, next(runs)]

    @cache.cached(60, key_prefix=lambda: f"number {local.key}")
    def other():
        return [local.key, next(runs)]

    local, said = threading.local(), {key: [] for key in range(20)}
    meet = threading.Barrier(crowd)

    def act(_, chance):
        with app.app_context():
            for local.key in said:
                meet.wait()
                said[local.key] += [tuple(number(local.key)), tuple(other())]

    Threads(seed, crowd).run(act)
    for key, answers in said.items():
        assert len(answers) == 2 * crowd
        assert len(set(answers)) == 2, (key, set(answers))
    assert next(runs) == 2 * len(said)


@seeds
@in_child
def test_what_is_put_by_hand_while_a_function_is_forgotten_is_not_served_for_ever(seed):
    """C6: under the key of before, which is out of date when the function has been forgotten."""
    _, cache, _ = build()
    total = cache.memoize(60)(lambda _: "computed")
    meet, keys = threading.Barrier(2), []

    def act(number, _):
        for _ in range(TURNS):
            if number:
                total("a")
                keys.append(total.make_cache_key(total.uncached, "a"))
            meet.wait()
            if number:
                cache.delete_memoized(total)
            else:
                for _ in range(8):
                    cache.set(keys[-1], "by hand")
            meet.wait()
            if number:
                cache.delete_memoized(total, "a")
                assert total("a") == "computed"

    Threads(seed, 2).run(act)


@seeds
@in_child
def test_a_call_is_forgotten_while_the_whole_function_is(seed):
    """C6: a version is new only when nothing is left of the one before, however long that takes."""
    _, cache, _ = build(CACHE_THRESHOLD=20_000, CACHE_OPTIONS={"shards": 16})
    now, meet = [0], threading.Barrier(2)
    total = cache.memoize(60)(lambda _: now[0])

    def act(number, _):
        for _ in range(5):
            if number:
                for key in range(TURNS):
                    total(key)
            meet.wait()
            if not number:
                cache.delete_memoized(total)
            for _ in range(40 * number):
                now[0] += 1
                cache.delete_memoized(total, 0)
                assert total(0) == now[0]
            meet.wait()

    Threads(seed, 2).run(act)
