"""Any value of any setting works, or is an error that names the setting; times and clocks of any kind too."""

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import flask_caching
import flask_rustcache
from flask import Flask
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from .choices import Choices
from .hostile import Behaviour, BoomError, Number, subclass
from .watch import check, watched

#: A constructor's argument, and its name in an application's configuration (None: in `CACHE_OPTIONS`).
NAMES = {
    "threshold": "CACHE_THRESHOLD",
    "default_timeout": "CACHE_DEFAULT_TIMEOUT",
    "max_bytes": "CACHE_MAX_BYTES",
    "prototype_bytes": "CACHE_PROTOTYPE_BYTES",
    "jitter": "CACHE_JITTER",
    "ignore_delete_many_errors": "CACHE_IGNORE_ERRORS",
    "shards": None,
    "clock": None,
}
#: What only our decorators read.
OURS = ("CACHE_STORE_PRIVATE", "CACHE_SINGLE_FLIGHT", "CACHE_FILL_TIMEOUT")
STEPS = 25
ODD = [None, True, False, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308, 10**400, -(10**400), 10**5000]
ODD += [
    -(10**5000),
    Fraction(10**400),
    Fraction(1, 3),
    Decimal(5),
    Decimal("sNaN"),
    Decimal("Infinity"),
    1j,
    b"5",
]
ODD += [
    timedelta.max,
    timedelta.min,
    timedelta(0),
    timedelta(microseconds=1),
    timedelta(seconds=-1),
    [],
    {},
    (),
    int,
]
ODD += [
    "",
    "many",
    "inf",
    "-inf",
    "nan",
    "9" * 5000,
    "1_000",
    " 5 ",
    "\uff11\uff12",
    "64MB",
    "1.5GiB",
    "-1",
    "0",
    "1e400",
]
ODD += ["1e-400", "5 parsecs", "0.5", "٣", "\ud800", "999999999999TiB", object(), print]


def anything(choices):
    """Make a value that somebody might write into a configuration, by mistake or not."""
    kind = choices.below(8)
    if kind < 4:
        return choices.pick(*ODD)
    if kind == 4:
        return choices.number()
    if kind == 5:
        return str(choices.number()) + choices.pick("", "KB", "GiB", ".5", "e3", "x")
    if kind == 6:
        return choices.real()
    return subclass(Number, choices.below(9), Behaviour(choices, None))


def clock(choices):
    """Make a clock that stands still, jumps anywhere, raises, or tells no time."""

    def told():
        if choices.yes():
            return 1_700_000_000.0 + choices.below(9)
        return anything(choices) if choices.yes() else float(choices.number() % 2**80)

    return told


def attempt(call):
    """Return what a call returns, and what it raises."""
    try:
        return call(), None
    except Exception as error:  # each caller says which it may be
        return None, error


def named(error, names):
    """Whether there is no error, or one of the right type that names one of these."""
    return error is None or (
        isinstance(error, ValueError | TypeError) and any(name in str(error) for name in names)
    )


def by_hand(choices):
    """Make a cache by its constructor; None if it was refused, as it should be."""
    chosen = {choices.pick(*NAMES): anything(choices) for _ in range(1 + choices.below(3))}
    if choices.below(4) == 0:
        chosen["clock"] = clock(choices)
    cache, error = attempt(lambda: RustCache(**chosen))
    assert named(error, chosen) or "clock" in chosen, (error, chosen)
    return cache


def by_configuration(choices):
    """Make an application's cache; None if it was refused, as it should be."""
    front = choices.pick(flask_rustcache.Cache, flask_caching.Cache)
    app, options, names = Flask("tests.fuzz.settings"), {}, []
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache")
    for _ in range(1 + choices.below(3)):
        option, value = choices.pick(*NAMES), anything(choices)
        names += [option, NAMES[option] or option]
        if NAMES[option] and choices.yes():
            app.config[NAMES[option]] = value
        else:
            options[option] = value
    if choices.yes():
        names.append(choices.pick(*OURS))
        app.config[names[-1]] = anything(choices)
    app.config["CACHE_OPTIONS"] = options
    if front is flask_rustcache.Cache and choices.below(16) == 0:
        names.append(choices.pick("CACHE_OPTIONS", "CACHE_ARGS"))
        app.config[names[-1]] = anything(choices)
    cache, error = attempt(lambda: front(app))
    # Flask-Caching reads this one before we are asked.
    theirs = front is flask_caching.Cache and "default_timeout" in names
    assert named(error, names) or theirs, (names, error)
    return None if cache is None else app.extensions["cache"][cache]


def change(cache, choices):
    """Assign to an attribute that may be assigned to."""
    name = choices.pick("_threshold", "default_timeout", "clock", "ignore_delete_many_errors")
    value = clock(choices) if name == "clock" and choices.yes() else anything(choices)
    _, error = attempt(lambda: setattr(cache, name, value))
    words = {"default_timeout": "timeout"}
    expected = named(error, [words.get(name, name)]) or isinstance(error, BoomError)
    assert expected or name == "clock", (name, value, error)


def use(cache, choices):
    """Call a verb with a time to live of any kind. It works, or says what is wrong with that."""
    time, key = anything(choices), choices.pick("a", "b", (1, 2))
    verbs = [
        lambda: cache.set(key, [1], time),
        lambda: cache.add(key, 2, time),
        lambda: cache.set_many({key: 3}, time),
        lambda: cache.touch(key, time),
        lambda: cache.get(key),
        lambda: cache.inc(key),
        lambda: cache.ttl(key),
        cache.purge_expired,
        lambda: list(cache._cache.items()),
        lambda: cache.set(key, "x" * choices.below(256)),
    ]
    _, error = attempt(choices.pick(*verbs))
    # The key, the timeout, a clock that tells no time, or a value that cannot be added to.
    assert isinstance(error, KeyError | TypeError | ValueError | OverflowError | BoomError | None), error
    cache._validate()


def run(data):
    """One run."""
    choices = Choices(data)
    with watched():
        cache = choices.pick(by_hand, by_configuration)(choices)
        if cache is None:
            return
        for _ in range(STEPS):
            if not choices.left:
                break
            (change if choices.below(4) == 0 else use)(cache, choices)
        cache.clock = ManualClock()
        check(cache)
