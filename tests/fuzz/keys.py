"""Keys of any kind do as they would in a dict; those that lie break nothing; calls are told apart."""

from functools import lru_cache

import flask_rustcache
from flask import Flask
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from .choices import Choices
from .hostile import hostile_key, lawful_key
from .watch import check, watched

STEPS = 40


class Beside:
    """A cache, and the dict that it should be like."""

    def __init__(self, choices):
        self.choices, self.dict, self.count = choices, {}, 0
        self.cache = RustCache(threshold=10_000, clock=ManualClock(), shards=choices.pick(1, 2, 16))
        self.known = []

    def key(self):
        """Return a new key, or one that was there before."""
        if self.known and self.choices.yes():
            return self.choices.pick(*self.known)
        self.known.append(lawful_key(self.choices))
        return self.known[-1]

    def step(self):
        key, verb = self.key(), self.choices.below(9)
        self.count += 1
        if verb < 3:
            assert self.cache.set(key, self.count) is True
            self.dict[key] = self.count
        elif verb == 3:
            assert self.cache.delete(key) is (self.dict.pop(key, None) is not None)
        elif verb == 4:
            assert self.cache.add(key, self.count) is (key not in self.dict)
            self.dict.setdefault(key, self.count)
        elif verb == 5:
            self.dict[key] = self.dict.get(key, 0) + 1
            assert self.cache.inc(key) == self.dict[key]
        elif verb == 6 and type(key) is str:
            doomed = [other for other in self.dict if isinstance(other, str) and other.startswith(key)]
            assert self.cache.delete_prefix(key) == len(doomed), (key, doomed)
            for other in doomed:
                del self.dict[other]
        else:
            other = self.key()
            wanted = [self.dict.get(one) for one in (key, other)]
            assert self.cache.get_many(key, other) == wanted, (key, other, wanted)
            assert [self.cache.has(one) for one in (key, other)] == [one in self.dict for one in (key, other)]

    def agree(self):
        listed = list(self.cache._cache)
        assert len(listed) == len(self.cache) == len(self.dict), (listed, self.dict)
        assert all(key in self.dict for key in listed), (listed, self.dict)
        assert self.cache.get_dict(*listed) == self.dict


def lie(choices):
    """Every verb with keys that raise, lie, or call the cache: errors come out, and nothing breaks."""
    cache = RustCache(
        choices.pick(500, 1),
        clock=ManualClock(),
        max_bytes=choices.pick(None, 3_000),
        shards=choices.pick(1, 2),
    )
    verbs = [
        lambda key: cache.set(key, [1]),
        cache.get,
        lambda key: cache.add(key, 2),
        cache.delete,
        cache.inc,
        lambda key: cache.set_many({"a": 1, key: 2}),
        lambda key: cache.get_many("a", key, key),
        lambda key: cache.get_dict(key, "a"),
        lambda key: cache.delete_many(key, "a"),
        lambda key: cache.touch(key, 5),
        cache.ttl,
        lambda key: list(cache._cache.items()),
        cache.delete_prefix,
        lambda key: cache.set("a", 1, tags=key),
        cache.delete_tag,
    ]
    keys = []
    for _ in range(STEPS):
        if not choices.left:
            break
        if not keys or choices.yes():
            keys.append(hostile_key(choices, cache))
        try:
            choices.pick(*verbs)(choices.pick(*keys))
        except Exception:
            cache._validate()
    check(cache)


@lru_cache(1)
def application():
    """Make an application whose function says what it was called with."""
    app = Flask("tests.fuzz.keys")
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_THRESHOLD=10_000)
    cache = flask_rustcache.Cache(app)

    @cache.memoize(60)
    def called(*args, **kwargs):
        return told(args, kwargs)

    @cache.memoize(60)
    def named(one, two=None, *, three=b""):
        return told((one, two, three), {})

    return app, cache, called, named


def told(args, kwargs):
    return repr((args, sorted(kwargs.items())))


PLAIN = (type(None), bool, int, float, str, bytes)


def plain(value):
    """Turn what is not of a plain type, the keys of calls are made of those, into its repr."""
    if type(value) is tuple:
        return tuple(plain(item) for item in value)
    return value if type(value) in PLAIN else repr(value)


def call(choices):
    """No call is answered with another's value."""
    app, cache, called, named = application()
    with app.app_context():
        cache.clear()
        for _ in range(STEPS):
            if not choices.left:
                break
            args = [plain(lawful_key(choices)) for _ in range(1 + choices.below(3))]
            names = [choices.text() or "x" for _ in range(choices.below(2))] if choices.yes() else []
            options = {name: plain(lawful_key(choices)) for name in names}
            for _ in range(2):
                assert called(*args, **options) == told(tuple(args), options)
                assert named(args[0], three=args[-1]) == told((args[0], None, args[-1]), {})
                assert named(args[-1], args[0]) == told((args[-1], args[0], b""), {})


def run(data):
    """One run."""
    choices = Choices(data)
    kind = choices.below(3)
    with watched():
        if kind == 0:
            beside = Beside(choices)
            for _ in range(STEPS):
                if not choices.left:
                    break
                beside.step()
            beside.agree()
            check(beside.cache)
        else:
            (lie if kind == 1 else call)(choices)
