"""Who takes part: how each cache is built, read, written and counted.

A contestant that is not installed is left out of the tables, and the report says so.
"""

import functools
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# Longer than a run, so that nothing expires half-way.
LIFETIME = 3600
BY_REFERENCE = "by reference: no isolation"
NO_EXPIRY = BY_REFERENCE + ", no expiry"


@dataclass(frozen=True)
class Contestant:
    """One cache and the statements an application would write to use it.

    Attributes:
        name: as shown in the tables.
        package: distribution name, for its version.
        make: builds a cache that holds the given number of entries (math.inf: no bound).
        get: statement that reads key `k` of cache `c`.
        set: statement that stores value `v` under key `k`.
        read: returns the value of a key, or None: what `get` comes to, outside of the timed loops.
        names: global names that the statements use.
        size: counts the entries.
        more: entries that it may hold beyond the number it is given.
        late: entries beyond that, for a moment, until a thread of its own has looked after them.
        boundless: False where it has to be told how many entries it will hold.
        isolated: False where callers share one mutable object with the cache.
        note: what the reader must know to compare it.
    """

    name: str
    package: str
    make: Callable[[float], Any]
    get: str = "c.get(k)"
    set: str = "c.set(k, v)"
    read: Callable[[Any, str], Any] = lambda cache, key: cache.get(key)
    names: Mapping[str, Any] = field(default_factory=dict)
    size: Callable[[Any], int] = len
    more: int = 0
    late: int = 0
    boundless: bool = True
    isolated: bool = False
    note: str = BY_REFERENCE


def _flask_style(module: str, name: str, package: str) -> Contestant:
    cls = getattr(importlib.import_module(module), name)
    return Contestant(
        name,
        package,
        make=lambda bound: cls(threshold=bound, default_timeout=LIFETIME),
        size=lambda cache: len(cache._cache),
        more=1,
        isolated=True,
        note="",
    )


def _simple() -> Contestant:
    return _flask_style("flask_caching.backends", "SimpleCache", "flask-caching")


def _rust() -> Contestant:
    return _flask_style("flask_rustcache", "RustCache", "flask-rustcache")


def _whole(bound: float, unbounded: int) -> int:
    return unbounded if math.isinf(bound) else int(bound)


def _cachebox(kind: str, *arguments: Any) -> Contestant:
    cls = getattr(importlib.import_module("cachebox"), kind)
    return Contestant(
        f"cachebox {kind}",
        "cachebox",
        make=lambda bound: cls(_whole(bound, 0), *arguments),
        set="c[k] = v",
        note=BY_REFERENCE if arguments else NO_EXPIRY,
    )


def _moka_size(cache: Any) -> int:
    # Its evictions happen in batches: let it catch up before it is counted.
    cache.run_pending_tasks()
    return int(cache.count())


def _moka(name: str, **options: Any) -> Contestant:
    moka_py = importlib.import_module("moka_py")
    return Contestant(
        name,
        "moka-py",
        make=lambda bound: moka_py.Moka(_whole(bound, 1 << 40), ttl=LIFETIME, **options),
        size=_moka_size,
    )


# A theine.Cache lives until it is closed: a thread of the module's looks after it, and holds it.
_open: list[Any] = []


def closed_later(cache: Any) -> Any:
    """Return the cache, once it is known to `close`."""
    _open.append(cache)
    return cache


def close() -> None:
    """Close what does not go away by itself. The caches made so far must not be used any more."""
    for cache in _open:
        cache.close()
    _open.clear()


def _theine() -> Contestant:
    theine = importlib.import_module("theine")
    return Contestant(
        "theine Cache",
        "theine",
        make=lambda bound: closed_later(theine.Cache(int(bound))),
        get="value, found = c.get(k)",
        set="c.set(k, v, ttl)",
        read=lambda cache, key: cache.get(key)[0],
        names={"ttl": timedelta(seconds=LIFETIME)},
        # Its write buffer, which is left to the next call while the module's thread is at work.
        late=16,
        boundless=False,
    )


def _cachetools(kind: str, *arguments: Any) -> Contestant:
    cls = getattr(importlib.import_module("cachetools"), kind)
    return Contestant(
        f"cachetools {kind} + Lock",
        "cachetools",
        make=lambda bound: cls(bound, *arguments),
        get="with lock:\n    c.get(k)",
        set="with lock:\n    c[k] = v",
        note=f"{BY_REFERENCE if arguments else NO_EXPIRY}; its manual asks for a lock",
    )


def _dict() -> Contestant:
    return Contestant("dict", "python", make=lambda bound: {}, set="c[k] = v", note=NO_EXPIRY + ", no bound")


class _Memo:
    """A lru_cache that is filled with given values: the function that it remembers hands them out."""

    def __init__(self, bound: float):
        self.value: Any = None
        self.call = functools.lru_cache(_whole(bound, 1 << 40))(lambda key: self.value)


def _lru_cache() -> Contestant:
    return Contestant(
        "functools.lru_cache",
        "python",
        make=_Memo,
        get="c.call(k)",
        set="c.value = v; c.call(k)",
        read=lambda cache, key: cache.call(key),
        size=lambda cache: int(cache.call.cache_info().currsize),
        note=NO_EXPIRY,
    )


Makers = dict[str, Callable[[], Contestant]]
FIELD: Makers = {
    "SimpleCache": _simple,
    "RustCache": _rust,
    "cachebox LRUCache": partial(_cachebox, "LRUCache"),
    "cachebox TTLCache": partial(_cachebox, "TTLCache", LIFETIME),
    "moka-py Moka": partial(_moka, "moka-py Moka"),
    "theine Cache": _theine,
    "cachetools TTLCache + Lock": partial(_cachetools, "TTLCache", LIFETIME),
}
#: Where hit ratios are compared: what else the peers have to decide which entry goes.
POLICIES: Makers = {
    "cachebox FIFOCache": partial(_cachebox, "FIFOCache"),
    "cachebox LFUCache": partial(_cachebox, "LFUCache"),
    "cachebox RRCache": partial(_cachebox, "RRCache"),
    "moka-py Moka, lru": partial(_moka, "moka-py Moka, lru", policy="lru"),
    "cachetools LRUCache + Lock": partial(_cachetools, "LRUCache"),
}
#: Where memory is compared: the least that it can take.
FLOORS: Makers = {"dict": _dict, "functools.lru_cache": _lru_cache}
PACKAGES = ("flask", "cachelib", "flask-caching", "flask-rustcache")
PEERS = ("cachebox", "moka-py", "theine", "cachetools")


def gather(makers: Makers = FIELD) -> tuple[list[Contestant], list[str]]:
    """Build every contestant that is installed.

    Args:
        makers: by name; by default those of every workload, SimpleCache first.

    Returns:
        The contestants in their order, and one sentence for each that had to be left out.
    """
    present: list[Contestant] = []
    missing: list[str] = []
    for name, build in makers.items():
        try:
            present.append(build())
        except ImportError as error:
            missing.append(f"{name} is left out: {error}")
    return present, missing


def versions() -> dict[str, str]:
    """Return the installed version of each package that takes part, or "not installed"."""
    found = {}
    for package in PACKAGES + PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
