"""Many threads call decorated functions while what they say is taken back: nobody is told what was."""

import functools
import itertools
import random
import threading

from ._apps import backend_of, build
from ._child import in_child
from ._stress import CROWDS, Threads, account_is_right, seeds

KEYS = range(4)

TURNS = 2000
"""Calls and changes of all threads together."""


class BoomError(Exception):
    """What a function raises now and then."""


class Truth:
    """What the functions say, which changes, and how old an answer may be."""

    def __init__(self):
        self.now = dict.fromkeys(KEYS, 0)
        self.known = dict.fromkeys(KEYS, 0)
        self._locks = {key: threading.Lock() for key in KEYS}

    def tell(self, key, chance):
        """Say what is true; sometimes slowly, sometimes not at all."""
        seen = self.now[key]
        for _ in range(chance.choice([0, 0, 10, 300])):
            pass
        if chance.random() < 0.1:
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

    def by_memoize(self, key, chance):
        cache = self.cache
        return self.memoized, chance.choice(
            [
                lambda _: cache.delete_memoized(self.memoized, key),
                lambda _: cache.delete_memoized(self.memoized),
                lambda _: cache.delete_tag(f"tag {key}"),
                lambda _: cache.clear(),
            ]
        )

    def by_cached(self, key, chance):
        cache, name, tag = self.cache, f"price {key}", f"tag {key}"
        return lambda key: self.cached[key](), chance.choice(
            [
                lambda _: cache.delete(name),
                lambda _: cache.delete_many(name, "absent"),
                lambda _: cache.delete_tag(tag),
                lambda _: cache.delete_prefix("price"),
                lambda now: cache.set(name, {"seen": now}, timeout=60, tags=[tag]),
                lambda _: cache.clear(),
            ]
        )

    def by_view(self, key, chance):
        cache, name = self.cache, f"view//price/{key}"
        return self.view, chance.choice(
            [
                lambda _: cache.delete(name),
                lambda _: cache.delete_prefix("view/"),
                lambda _: cache.clear(),
            ]
        )

    def do(self, chance):
        """Ask, or change."""
        key = chance.choice(KEYS)
        way, truth = chance.choice(list(self.truths.items()))
        function, invalidate = way(key, chance)
        if chance.random() < 0.7:
            truth.ask(key, function)
        else:
            truth.change(key, invalidate)

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
