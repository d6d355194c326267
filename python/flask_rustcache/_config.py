"""Settings as users write them, checked, with errors that name the setting and the fix."""

from __future__ import annotations

import datetime as dt
import functools
import math
import numbers
import os
import re
import sys
import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from ._fork import looked_up

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

PROTOTYPE_BYTES = 16 * 1024 * 1024
DEFAULT_THRESHOLD = 500
MOST_SHARDS = 4096

#: The native word for "no bound": the largest machine word.
UNBOUNDED = 2 * sys.maxsize + 1

_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGT", start=1):
    _UNITS[f"{_letter}B"] = 1000**_power
    _UNITS[f"{_letter}IB"] = 1024**_power

# No more digits than any size has: CPython refuses to read thousands of them, with an error of its own.
_SIZE = re.compile(r"\s*(\d{1,30}(?:\.\d{1,30})?)\s*([A-Za-z]*)\s*")

#: Of a bad value, so many characters are repeated.
_MOST_SHOWN = 200

#: How an option is called where a user sets it in the application's configuration.
_KEYS = {
    "threshold": "CACHE_THRESHOLD",
    "default_timeout": "CACHE_DEFAULT_TIMEOUT",
    "ignore_delete_many_errors": "CACHE_IGNORE_ERRORS",
    "prototype_bytes": "CACHE_PROTOTYPE_BYTES",
    "jitter": "CACHE_JITTER",
    "max_bytes": "CACHE_MAX_BYTES",
}

#: Of these, what Flask-Caching knows nothing of.
_OWN = ("prototype_bytes", "jitter", "max_bytes")


#: The constructor's positional parameters, in their order.
_POSITIONAL = ("threshold", "default_timeout", "ignore_delete_many_errors", "ignore_errors")


class Settings(NamedTuple):
    """What an application says of the decorators."""

    #: Are responses stored that say they are for one visitor?
    store_private: bool
    #: Do concurrent misses of a key wait for one of them?
    single_flight: bool
    #: And how long, in seconds?
    fill_timeout: float

    @classmethod
    def read(cls, config: dict[str, Any]) -> Settings:
        """Reads and checks them; raises ``ValueError`` or ``TypeError`` naming the key."""
        return cls(
            flag(_setting(config, "CACHE_STORE_PRIVATE", False), "CACHE_STORE_PRIVATE"),
            flag(_setting(config, "CACHE_SINGLE_FLIGHT", True), "CACHE_SINGLE_FLIGHT"),
            seconds(_setting(config, "CACHE_FILL_TIMEOUT", 10), "CACHE_FILL_TIMEOUT"),
        )


def _setting(config: dict[str, Any], name: str, default: Any) -> Any:
    """As ``get``; it is asked at each miss."""
    return looked_up(config, name) if name in config else default


def options(config: dict[str, Any], args: list[Any], given: dict[str, Any]) -> dict[str, Any]:
    """The constructor's keyword arguments, from an application's configuration.

    Args:
        config: The configuration; ``CACHE_THRESHOLD`` wins over an option, as in SimpleCache.
        args: ``CACHE_ARGS``; what is given there wins over everything.
        given: ``default_timeout`` and the like, updated from ``CACHE_OPTIONS``.

    Raises:
        ValueError: If a setting is out of range; the message names its key.
        TypeError: If a setting is of the wrong type; the message names its key.
    """
    if not all(isinstance(name, str) for name in given):
        raise TypeError("CACHE_OPTIONS must be a dict of arguments for the backend, by their names (str)")
    merged = dict(given)
    merged["threshold"] = config.get("CACHE_THRESHOLD", DEFAULT_THRESHOLD)
    merged.setdefault("ignore_delete_many_errors", config.get("CACHE_IGNORE_ERRORS", False))
    merged.update({name: config[_KEYS[name]] for name in _OWN if _KEYS[name] in config})
    for name, check in _CHECKS.items():
        if name in merged:
            merged[name] = check(merged[name], _KEYS[name])
    for name in _POSITIONAL[: len(args)]:
        merged.pop(name, None)
    if merged.get("ignore_errors") is not None:
        merged.pop("ignore_delete_many_errors", None)
    return merged


def _shown(value: Any) -> str:
    """A value for a message: not endless, and no error by itself, as an int of 5,000 digits is."""
    try:
        text = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__} that cannot be shown"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _naming(check: Callable[Concatenate[Any, str, P], R]) -> Callable[Concatenate[Any, str, P], R]:
    """Has errors of the value's own (an overflow, a class with code that raises) name the setting, too."""

    @functools.wraps(check)
    def checked(value: Any, name: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return check(value, name, *args, **kwargs)
        except Exception as error:
            if isinstance(error, TypeError | ValueError) and name in str(error):
                raise
            raise ValueError(f"{name} cannot be read from {_shown(value)}") from error

    return checked


@_naming
def threshold(value: Any, name: str) -> float:
    """The bound on entries: an int of at least 1, or ``math.inf``. 0 and None mean 500."""
    number = 0 if value is None else _number(value, name, "a positive number of entries")
    if number == 0:
        return DEFAULT_THRESHOLD
    if _is_nan(number) or number < 0:
        raise ValueError(
            f"{name} must be a positive number of entries, got {_shown(value)};"
            " use math.inf for no bound, or leave it out for 500"
        )
    return number if number == math.inf else max(1, int(number))


def max_entries(bound: float) -> int:
    """What the native store is told: SimpleCache's steady size is one more than its threshold."""
    return UNBOUNDED if bound >= UNBOUNDED - 1 else int(bound) + 1


@_naming
def timeout(value: Any, name: str) -> float:
    """A default timeout in seconds, from seconds or a ``timedelta``. Numeric str are numbers."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    number = _number(value, name, "a number of seconds or a timedelta")
    if _is_nan(number):
        raise ValueError(f"{name} must be a number of seconds, got nan; use 0 for no expiry")
    return number


@_naming
def seconds(value: Any, name: str) -> float:
    """A time to wait in seconds: a positive, finite number."""
    number = _number(value, name, "a positive number of seconds")
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a positive number of seconds, got {_shown(value)}")
    return float(min(number, threading.TIMEOUT_MAX))


@_naming
def jitter(value: Any, name: str) -> float:
    """The largest share of a lifetime that is taken away at random: from 0 to 1."""
    number = _number(value, name, "a fraction from 0 to 1")
    # True is 1, and would leave nothing of some lifetimes.
    if value is True or not 0 <= number <= 1:
        raise ValueError(
            f"{name} must be a fraction from 0 to 1, got {_shown(value)}; use 0.1 for up to a tenth"
        )
    return float(number)


@_naming
def flag(value: Any, name: str) -> bool:
    """A truth value; str, which would all but one be true, are refused."""
    if isinstance(value, str):
        raise TypeError(f"{name} must be True or False, got the str {_shown(value)}")
    return bool(value)


@_naming
def clock(value: Any, name: str) -> Callable[[], float]:
    """A callable that returns seconds."""
    if not callable(value):
        raise TypeError(f"{name} must be a callable that returns seconds, got {_shown(value)}")
    return value  # type: ignore[no-any-return]  # what it returns is checked at each call


@_naming
def byte_count(value: Any, name: str) -> int:
    """Bytes: an int, or a str such as ``"64MB"`` (10**6) or ``"1GiB"`` (2**30)."""
    problem = f'{name} must be a number of bytes (an int, or a str such as "16MiB"), got {_shown(value)}'
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        if match is None or match[2].upper() not in _UNITS:
            raise ValueError(problem)
        count = Fraction(match[1]) * _UNITS[match[2].upper()]
    elif isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(problem)
    else:
        count = Fraction(int(value))
    if not 0 <= count <= sys.maxsize:
        raise ValueError(problem)
    return int(count)


@_naming
def max_bytes(value: Any, name: str) -> int | None:
    """The bound in bytes, as ``byte_count`` takes it, of at least 1; None and ``math.inf`` are no bound."""
    if value is None or (isinstance(value, float) and value == math.inf):
        return None
    count = byte_count(value, name)
    if count == 0:
        raise ValueError(f"{name} must be at least 1 byte, got {_shown(value)}; use None for no bound")
    return count


@_naming
def prototype_bytes(value: Any, name: str, bound: int | None) -> int:
    """Bytes for prototypes; None is 16 MiB, or a quarter of the cache's own bound if that is less."""
    if value is not None:
        return byte_count(value, name)
    return PROTOTYPE_BYTES if bound is None else min(PROTOTYPE_BYTES, bound // 4)


@_naming
def shards(value: Any, name: str) -> int:
    """The number of shards; None chooses by the interpreter and the processors."""
    if value is None:
        return _usual_shards()
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, a power of two, got {_shown(value)}")
    if not 1 <= value <= MOST_SHARDS or value & (value - 1):
        raise ValueError(f"{name} must be a power of two (1, 2, 4, ... {MOST_SHARDS}), got {_shown(value)}")
    return value


def _usual_shards() -> int:
    """Four for each processor, where threads run at once: rounded up to a power of two, and within bounds."""
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    if gil_enabled():
        return 1
    return min(1 << (4 * (os.cpu_count() or 1) - 1).bit_length(), MOST_SHARDS)


def _number(value: Any, name: str, what: str) -> float:
    if isinstance(value, str):
        return _number_from_text(value, name, what)
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    raise TypeError(f"{name} must be {what}, got {_shown(value)}")


def _is_nan(number: float) -> bool:
    """``math.isnan`` for numbers of any size."""
    return isinstance(number, float) and math.isnan(number)


def _number_from_text(text: str, name: str, what: str) -> float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ValueError(f"{name} must be {what}, got {_shown(text)}")


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "threshold": threshold,
    "default_timeout": timeout,
    "ignore_delete_many_errors": flag,
    "prototype_bytes": byte_count,
    "max_bytes": max_bytes,
    "jitter": jitter,
}
