"""Many threads do what comes to the verbs: what they see has an order, and all is counted.

``make stress`` goes many rounds. ``SEED=n`` has each thread do again what it did; when it does it is the
machine's business.
"""

import gc
import itertools
import random
import threading
import time

from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child
from ._linear import Impossible, Op, is_linearisable
from ._stress import CROWDS, Tally, Threads, account_is_right, seeds

ANYTHING = object()
"""Stands for a result that the model does not know."""

STEPS = 40
"""What each thread does to single keys: a history of some 200 operations a key is looked through quickly."""

TURNS = 2000
"""What all threads do together where nothing but the counters is asked for."""


class Amount(int):
    """A number whose sums are Python code, in the middle of which another thread may go on."""

    def __add__(self, other):
        return Amount(int(self) + int(other))

    __radd__ = __add__


class Group:
    """Keys that a few threads share, and what was done to each of them."""

    def __init__(self, cache, number):
        self.cache, self.tag, self.prefix = cache, f"tag {number}", f"{number}:"
        self.histories = {f"{number}:{name}": [] for name in "abc"}

    def record(self, name, keys, argument, call):
        begin = time.perf_counter_ns()
        result = call()
        op = Op(begin, time.perf_counter_ns(), name, argument, result)
        for key in keys:
            self.histories[key].append(op)

    def one(self, chance, number):
        """Do something to one key. All numbers are different."""
        cache, key, tags = self.cache, chance.choice(list(self.histories)), [self.tag]
        number = chance.choice([int, Amount])(number)
        ways = [
            ("get", None, lambda: cache.get(key)),
            ("get", None, lambda: cache.get_many("absent", key)[1]),
            ("has", None, lambda: cache.has(key)),
            ("touch", None, lambda: cache.touch(key, 50)),
            ("set", (number, False), lambda: cache.set(key, number)),
            ("set", (number, True), lambda: cache.set(key, number, tags=tags)),
            ("add", (number, False), lambda: cache.add(key, number)),
            ("add", (number, True), lambda: cache.add(key, number, tags=tags)),
            ("inc", 1, lambda: cache.inc(key)),
            ("inc", 1000, lambda: cache.inc(key, Amount(1000))),
            ("delete", None, lambda: cache.delete(key)),
        ]
        name, argument, call = chance.choice(ways)
        self.record(name, [key], argument, call)

    def all(self, chance):
        """Do something to all keys. It is one thing for each of them, at a moment of its own."""
        delete_tag, delete_prefix = self.cache.delete_tag, self.cache.delete_prefix
        if chance.random() < 0.5:
            self.record("delete_tag", self.histories, None, lambda: (delete_tag(self.tag), ANYTHING)[1])
        else:
            self.record("delete", self.histories, None, lambda: (delete_prefix(self.prefix), ANYTHING)[1])


def clear(cache, groups):
    """Empty the cache, and let all groups know."""
    begin = time.perf_counter_ns()
    cache.clear()
    op = Op(begin, time.perf_counter_ns(), "delete", None, ANYTHING)
    for history in itertools.chain(*(group.histories.values() for group in groups)):
        history.append(op)


def entry_after(entry, op):
    """What an entry (a number, and whether it has the tag) is after an operation; None is no entry."""
    match op.name:
        case "get":
            said, after = entry and entry[0], entry
        case "has" | "touch":
            said, after = entry is not None, entry
        case "set":
            said, after = True, op.argument
        case "add":
            said, after = entry is None, entry or op.argument
        case "inc":
            number, tagged = entry or (0, False)
            said = number + op.argument
            after = (said, tagged)
        case "delete":
            said, after = entry is not None, None
        case "delete_tag":
            said, after = ANYTHING, None if entry and entry[1] else entry
    if op.result is not ANYTHING and op.result != said:
        raise Impossible
    return after


def store(seed, threshold, backend=RustCache):
    """A cache whose clock stands still, of one shard or, where it is large enough, of sixteen."""
    shards = random.Random(seed).choice([1, 16])
    return backend(threshold=threshold, shards=shards, clock=ManualClock())


@seeds
@in_child
def test_what_threads_see_of_a_key_has_an_order(seed):
    """F2, A5: four threads share three keys, with their tag and prefix.

    Whatever each was told could have come of doing one thing after the other: of those who `add` one wins,
    no `inc` is lost, and what was deleted stays so.
    """
    for crowd in CROWDS:
        see_an_order(store(seed, 2000), seed, crowd)


def see_an_order(cache, seed, crowd):
    groups = [Group(cache, number) for number in range((crowd + 3) // 4)]
    numbers = itertools.count(1, 1_000_000)

    def act(number, chance):
        group = groups[number // 4]
        for _ in range(STEPS):
            way = chance.random()
            if way < 0.9:
                group.one(chance, next(numbers))
            elif way < 0.99:
                group.all(chance)
            else:
                clear(cache, groups)

    Threads(seed, crowd).run(act)
    for group in groups:
        for key, history in group.histories.items():
            assert is_linearisable(history, None, entry_after), (key, sorted(history)[:20])
    cache._validate()
    assert account_is_right(cache.stats())


class Identity:
    """A serializer that has the very object stored."""

    def dumps(self, value):
        return value

    def loads(self, value):
        return value


class Keeper(RustCache):
    """A cache that keeps the very objects."""

    serializer = Identity()


class World:
    """A small cache, used by all threads in all ways, with what each was told counted."""

    def __init__(self, seed, threshold, backend=RustCache):
        self.cache, self.tally = store(seed, threshold, backend), Tally()
        self.threshold = threshold
        self.keys = [f"{number % 7}:{number}" for number in range(2 * threshold)]
        self.moving = threading.RLock()

    def do(self, chance):
        """Do something, and count it."""
        chance.choice([self.read, self.read, self.write, self.write, self.write, self.remove, self.other])(
            chance
        )

    def key(self, chance):
        return chance.choice(self.keys)

    def value(self, chance):
        return chance.choice([1, "text", [1, {"a": (2,)}], {"b": [chance.random()]}])

    def read(self, chance):
        keys = [self.key(chance) for _ in range(chance.randrange(4))]
        chance.choice([self.cache.get_many, self.cache.get_dict])(*keys)
        self.cache.get(self.key(chance))
        self.tally.count("reads", len(keys) + 1)

    def write(self, chance):
        cache, key, value = self.cache, self.key(chance), self.value(chance)
        timeout, tags = chance.choice([None, 0, 5, 30, -1]), chance.choice([None, ["a"], ["a", "b"]])
        way = chance.choice(["set", "add", "set_many"])
        if way == "add":
            stored = cache.add(key, value, timeout, tags=tags)
        elif way == "set":
            stored = cache.set(key, value, timeout, tags=tags)
        else:
            stored = len(cache.set_many({key: value, f"{key}x": value}, timeout, tags=tags))
        # What is over already is taken, but not stored.
        self.tally.count("insertions", 0 if timeout == -1 else stored)

    def remove(self, chance):
        cache, key, way = self.cache, self.key(chance), chance.random()
        if way < 0.8:
            self.tally.count("deleted", cache.delete(key))
        elif way < 0.95:
            self.tally.count("deleted", cache.delete_tag(chance.choice("ab")))
        elif way < 0.98:
            self.tally.count("deleted", cache.delete_prefix(key[:2]))
        else:
            cache.clear()

    def other(self, chance):
        cache, key = self.cache, self.key(chance)
        chance.choice(
            [
                lambda: cache.touch(key, chance.choice([5, 50, -1])),
                lambda: cache.has(key),
                lambda: cache.clock.advance(chance.choice([1, 20])),
                cache.purge_expired,
                self.validate,
                lambda: list(cache._cache),
            ]
        )()

    def validate(self):
        """See that all is in order: not while the bound is on its way down, and more is held than it says."""
        with self.moving:
            self.cache._validate()

    def look(self):
        """See that the bound holds, and move it."""
        cache = self.cache
        for bound in (self.threshold, self.threshold // 2):
            with self.moving:
                cache._threshold = bound
            for _ in range(3):
                # As in SimpleCache, whose threshold it is, one more may be there.
                assert cache.stats()["entries"] <= bound + 1
                assert len(cache) <= bound + 1

    def live(self, seed, crowd):
        """Have threads do what comes, and see that nothing was lost of it."""
        threads = Threads(seed, crowd)
        threads.look_on(self.look)
        threads.run(lambda _, chance: [self.do(chance) for _ in range(TURNS // crowd)])
        self.settle()

    def settle(self):
        """See that all is accounted for."""
        cache = self.cache
        while cache.purge_expired():
            # Those who die of it may move the clock on. What is counted below is to be the end of it.
            pass
        stats, total = cache.stats(), self.tally.total()
        cache._validate()
        assert account_is_right(stats), stats
        assert stats["hits"] + stats["misses"] == total["reads"], (stats, total)
        assert stats["insertions"] == total["insertions"], (stats, total)
        assert stats["removals"] >= total["deleted"], (stats, total)


@seeds
@in_child
def test_counters_add_up_and_the_bound_holds(seed):
    """F2, H1, H3: with eviction, expiry, groups and a bound that moves, each event is counted once."""
    for crowd, threshold in itertools.product(CROWDS, [3, 40, 1100]):
        World(seed, threshold).live(seed, crowd)


class Caller:
    """A value whose end uses the cache, in whichever thread it comes."""

    dying = threading.local()

    def __init__(self, world, chance):
        self.world, self.chance = world, random.Random(chance.random())
        self.world.tally.count("made")

    def __del__(self):
        self.world.tally.count("died")
        # What dies of another's death makes no calls, or there would be no end of them.
        if not getattr(self.dying, "yes", False):
            self.dying.yes = True
            self.world.do(self.chance)
            self.dying.yes = False


class MortalWorld(World):
    """A world of such values; only the cache holds any."""

    def value(self, chance):
        return Caller(self, chance)

    def end(self):
        """See that each value died once."""
        stored = None
        while stored != (stored := self.cache.stats()["insertions"]):
            # What is stored by those who die of this, or of the look at the counters, goes by the next.
            self.cache.clear()
        gc.collect()
        total = self.tally.total()
        assert total["died"] == total["made"] > 0, total


@seeds
@in_child
def test_finalisers_that_call_the_cache_from_any_thread(seed):
    """A1, A3, A5: values use the cache as they leave it; all is counted, and each value dies once."""
    for crowd, threshold in itertools.product(CROWDS, [3, 40]):
        world = MortalWorld(seed, threshold, Keeper)
        world.live(seed, crowd)
        world.end()
