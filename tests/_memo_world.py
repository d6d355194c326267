"""What the random tests of ``memoize`` play on: an application, all that can be seen of it, and the steps."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, NamedTuple

import flask_caching
from flask import Flask
from flask_caching import signals
from flask_caching.utils import function_namespace

from ._memo import FAMILY, HASH, RECORD, Subject, key_of, orphans, versions_of

NEVER_FULL = 10_000


class Thing(NamedTuple):
    """A value that is pickled."""

    text: str


RETURNS = {
    "text": lambda text: text,
    "list": lambda text: [text, {"a": [text]}],
    "pickled": Thing,
    "none": lambda text: None,
    "texts": lambda text: (part for part in (text, " ", "end")),
    "bytes": lambda text: (part for part in (text.encode(), b"end")),
    "mixed": lambda text: (part for part in (text, b"end", 1)),
}

FLAGS = {"unless": False, "forced_update": False, "is_stale": False, "response_filter": True}


def of_nothing(ask):
    def condition():
        return ask()

    return condition


def of_value(ask):
    def condition(value):
        return ask(value)

    return condition


def of_arguments(ask):
    def condition(*args, **kwargs):
        return ask(*args, kwargs)

    return condition


def of_function(ask):
    def condition(f, *args, **kwargs):
        return ask(f.__qualname__, *args, kwargs)

    return condition


#: Each condition as the user may write it; ``ask(*args)`` notes that it is asked, and says what it says.
CONDITIONS = {
    ("unless", "plain"): of_nothing,
    ("unless", "args"): of_function,
    ("forced_update", "plain"): of_nothing,
    ("forced_update", "args"): of_arguments,
    ("is_stale", "plain"): of_value,
    ("is_stale", "args"): of_arguments,
    ("response_filter", "plain"): of_value,
}


@dataclass(frozen=True)
class Function:
    """A member of the family, what it returns, and the options it is memoized with."""

    member: str
    returns: str
    options: tuple


@dataclass
class World:
    """One of the two applications, and all that can be seen of it."""

    app: Flask
    cache: flask_caching.Cache
    subjects: list[Subject] = field(default_factory=list)
    runs: Counter = field(default_factory=Counter)
    flags: dict[str, Any] = field(default_factory=FLAGS.copy)
    seen: list = field(default_factory=list)

    def live_keys(self, now):
        entries = self.app.extensions["cache"][self.cache]._cache.items()
        return {key for key, (expires, _) in list(entries) if not expires or expires > now}

    def contents(self, now):
        """The live version records as a dict, and the keys of the live entries."""
        keys = self.live_keys(now)
        names = {key for key in keys if key.endswith(RECORD)}
        backend = self.app.extensions["cache"][self.cache]
        return {name: backend.get(name) for name in names}, keys - names

    def calls_found(self, now):
        """The entries that a call can find, without their versions."""
        versions, entries = self.contents(now)
        found = entries - orphans(entries, set(versions.values()))
        return Counter((key[:HASH], len(versions_of(key))) for key in found)


def make_world(cache_class, backend, functions, with_signals=False):
    app = Flask("tests.world")
    app.config.update(CACHE_TYPE=backend, CACHE_THRESHOLD=NEVER_FULL, CACHE_ENABLE_SIGNALS=with_signals)
    world = World(app, cache_class(app))
    for number, function in enumerate(functions):
        decorate = world.cache.memoize(**make_options(world, number, dict(function.options)))
        run = make_run(world, number, function.returns)
        world.subjects.append(FAMILY[function.member](decorate, run))
    return world


def make_run(world, number, returns):
    """What a function does: counts, and fails at each seventh turn."""

    def run(*_values):
        world.runs[number] += 1
        if world.runs[number] % 7 == 0:
            raise LookupError(number)
        return RETURNS[returns](f"{number} ran {world.runs[number]}")

    return run


def make_options(world, number, options):
    """Turn the conditions among the options, named by how they are written, into this world's callables."""

    def make(name, value):
        if name not in FLAGS or value is None:
            return value

        def ask(*args):
            world.seen.append((number, name, shown(args)))
            return world.flags[name]

        return CONDITIONS[name, value](ask)

    return {name: make(name, value) for name, value in options.items()}


def shown(value):
    """A value as it can be compared between the worlds."""
    try:
        return repr(value)
    except LookupError:
        return "no repr"


class Steps:
    """What each step does in a world; the names are the steps', with underscores."""

    @staticmethod
    def call(world, subject, who, args, kwargs):
        return subject.reach(who)(*args, **kwargs)

    @staticmethod
    def delete_call(world, subject, who, args, kwargs):
        return world.cache.delete_memoized(subject.reach(who), *args, **kwargs)

    @staticmethod
    def delete_unbound(world, subject, who, args, kwargs):
        thing = subject.things[who % len(subject.things)]
        return world.cache.delete_memoized(subject.function, thing, *args, **kwargs)

    @staticmethod
    def delete_key(world, subject, who, args, kwargs):
        return world.cache.delete(Steps.key(subject, who, args, kwargs))

    @staticmethod
    def put(world, subject, who, args, kwargs):
        # Only over an entry that is there: what is put before is in test_memoize_contract.py.
        key = Steps.key(subject, who, args, kwargs)
        return world.cache.has(key) and world.cache.set(key, "put", timeout=3)

    @staticmethod
    def key(subject, who, args, kwargs):
        thing = [subject.things[who % len(subject.things)]] if subject.things else []
        return key_of(subject.function, *thing, *args, **kwargs)

    @staticmethod
    def delete_function(world, subject, who):
        return world.cache.delete_memoized(subject.function)

    @staticmethod
    def delete_bound(world, subject, who):
        return world.cache.delete_memoized(subject.reach(who))

    @staticmethod
    def delete_attribute(world, subject, who):
        return subject.reach(who).delete_memoized()

    @staticmethod
    def delete_verhash(world, subject, who):
        return world.cache.delete_memoized_verhash(subject.reach(who) if who else subject.function)

    @staticmethod
    def delete_record(world, subject, who):
        # Whether it was there is no concern: ours has none before there is anything to find by it.
        world.cache.delete(subject.record(world.cache))

    @staticmethod
    def put_record(world, subject, who):
        # No two records of a world have one version.
        version = f"v{len(world.seen):05}"
        world.seen.append(version)
        world.cache.set(subject.record(world.cache), version)

    @staticmethod
    def rename(world, subject, who):
        target = subject.function.uncached if who else subject.function
        target.__qualname__ = f"{function_namespace(subject.function.uncached)[0]}x"

    @staticmethod
    def new_token(world, subject, who):
        thing = subject.things[who % len(subject.things)]
        thing.token = {"a": "c", "c": "a"}.get(thing.token, thing.token)

    @staticmethod
    def new_default(world, subject, who, value):
        function = subject.function.uncached
        function.__defaults__ = (value,) * len(function.__defaults__)

    @staticmethod
    def timeout(world, subject, who, timeout):
        subject.function.cache_timeout = timeout


def flag(world, name, value):
    world.flags[name] = value


def debug(world, on):
    world.app.config["DEBUG"] = on


def send(world, on):
    world.cache.enable_signals = on


def source(world, on):
    world.cache.source_check = on


def clear(world):
    return world.cache.clear()


def tick(world, seconds):
    """The clock is not one world's: `play` has moved it."""


WORLDS_STEPS = {"flag": flag, "debug": debug, "signals": send, "source": source, "clear": clear, "tick": tick}


def take(world, verb, *arguments):
    with world.app.app_context():
        if verb in WORLDS_STEPS:
            return WORLDS_STEPS[verb](world, *arguments)
        number, *rest = arguments
        subject = world.subjects[number % len(world.subjects)]
        return getattr(Steps, verb.replace(" ", "_"))(world, subject, *rest)


def outcome(world, step):
    """What a step came to, in a form that can be compared."""
    try:
        value = take(world, *step)
    except Exception as error:
        return type(error)
    return (GeneratorType, list(value)) if isinstance(value, GeneratorType) else (type(value), value)


@contextmanager
def listening(worlds):
    """Note what signals the worlds' caches send."""
    by_cache = {id(world.cache): world for world in worlds}

    def receiver(name):
        def receive(sender, cache, cache_key, **details):
            f = details.pop("f")
            assert set(details) == {"args", "kwargs"}
            what = (name, sender, cache_key[:HASH], getattr(f, "__qualname__", ""), shown(details))
            by_cache[id(cache)].seen.append(what)

        return receive

    hit, miss = receiver("hit"), receiver("miss")
    with signals.cache_memoize_hit.connected_to(hit), signals.cache_memoize_miss.connected_to(miss):
        yield
