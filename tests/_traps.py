"""What the tests of the traps share: objects whose own code calls the cache, and the check afterwards."""

import gc

from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import FREE_THREADED

#: When to collect: nearly always. Without a global lock the collector puts it off while much is alive,
#: unless the second number is 0.
NEARLY_ALWAYS = (1, 0, 0) if FREE_THREADED else (1, 1, 1)


class Lasting:
    """Its end takes a while, in which other threads go on."""

    def __del__(self, range=range):
        for _ in range(300_000):
            pass


class BoomError(Exception):
    pass


def call_everything(cache):
    """Call each verb; none of the keys is the caller's."""
    cache.set("inner", [1, {"a": 2}])
    cache.get("inner")
    cache.add("added", 1, timeout=5)
    cache.inc("count")
    cache.has("inner")
    cache.set_many({("t", 1): 1, "many": 2})
    cache.get_many("many", ("t", 1))
    cache.get_dict("many")
    cache.delete_many("many", ("t", 1))
    cache.delete("inner")
    len(cache), cache.stats(), list(cache._cache), cache.purge_expired()


def check(cache):
    """The store is consistent in itself, with its keys, and usable."""
    cache._validate()
    keys = list(cache._cache)
    assert len(keys) == len(cache), (keys, len(cache))
    assert all(cache.has(key) for key in keys)
    assert cache.set("usable", [1]) is True
    assert cache.get("usable") == [1]
    assert cache.set((1, 2), "usable") is True
    assert cache.get((1, 2)) == "usable"
    assert len(cache) <= cache._threshold + 1


class Mortal:
    """Calls the cache, and collects, as it dies. What goes wrong there Python would only print."""

    dead = 0
    dying = False

    def __init__(self, cache, errors, value=None):
        self.cache, self.errors, self.value = cache, errors, value

    def __del__(self):
        Mortal.dead += 1
        if Mortal.dying:
            # What dies of another's death makes no more calls, or there would be no end of them.
            return
        Mortal.dying = True
        try:
            gc.collect()
            call_everything(self.cache)
            if Mortal.dead % 2:
                self.cache.clear()
        except BaseException as error:
            self.errors.append(error)
        finally:
            Mortal.dying = False


def expire(cache, key):
    cache.clock.advance(1000)
    cache.get(key)


def fill(cache, key):
    cache.set_many({f"filler {number}": number for number in range(100)})


class Hooked:
    """A key whose ``__hash__`` and ``__eq__`` run a hook; all of them collide."""

    hook = None

    def __hash__(self):
        self.run()
        return 7

    def __eq__(self, other):
        self.run()
        return self is other

    @classmethod
    def run(cls):
        hook, Hooked.hook = Hooked.hook, None
        if hook is not None:
            try:
                hook()
            finally:
                Hooked.hook = hook


VERBS = {
    "get": lambda cache, key: cache.get(key),
    "set": lambda cache, key: cache.set(key, 1),
    "set to be gone": lambda cache, key: cache.set(key, 1, timeout=-1),
    "add": lambda cache, key: cache.add(key, 2),
    "has": lambda cache, key: cache.has(key),
    "delete": lambda cache, key: cache.delete(key),
    "inc": lambda cache, key: cache.inc(key),
    "dec": lambda cache, key: cache.dec(key),
    "get_many": lambda cache, key: cache.get_many("a", key),
    "get_dict": lambda cache, key: cache.get_dict("a", key),
    "set_many": lambda cache, key: cache.set_many({"a": 1, key: 2}),
    "delete_many": lambda cache, key: cache.delete_many("a", key),
    "clear": lambda cache, key: cache.clear(),
    "evict": fill,
    "expire": expire,
    "view": lambda cache, key: key in cache._cache and cache._cache[key],
}


def filled(keys):
    cache = RustCache(threshold=20, clock=ManualClock())
    for key in keys:
        cache.set(key, 1)
    return cache


class Number(int):
    """Runs a hook whenever it is pickled, unpickled, or added to."""

    hook = None

    def __reduce__(self):
        Number.run()
        return Number.rebuild, (int(self),)

    def __add__(self, other):
        Number.run()
        return Number(int(self) + other)

    @staticmethod
    def rebuild(number):
        Number.run()
        return Number(number)

    @classmethod
    def run(cls):
        hook, Number.hook = Number.hook, None
        if hook is not None:
            try:
                hook()
            finally:
                Number.hook = hook
