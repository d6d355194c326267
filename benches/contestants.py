"""Who takes part: how each cache is built, read, written and counted.

A contestant that is not installed is left out of the tables, and the report says so.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# Longer than a run, so that nothing expires half-way.
LIFETIME = 3600
BY_REFERENCE = "by reference: no isolation"


@dataclass(frozen=True)
class Contestant:
    """One cache and the statements an application would write to use it.

    Attributes:
        name: as shown in the tables.
        package: distribution name, for its version.
        make: builds a cache that holds the given number of entries (math.inf: no bound).
        get: statement that reads key `k` of cache `c`.
        set: statement that stores value `v` under key `k`.
        size: counts the entries.
        isolated: False where callers share one mutable object with the cache.
        note: what the reader must know to compare it.
    """

    name: str
    package: str
    make: Callable[[float], Any]
    get: str = "c.get(k)"
    set: str = "c.set(k, v)"
    size: Callable[[Any], int] = len
    isolated: bool = False
    note: str = BY_REFERENCE


def _flask_style(module: str, name: str, package: str) -> Contestant:
    cls = getattr(importlib.import_module(module), name)
    return Contestant(
        name,
        package,
        make=lambda bound: cls(threshold=bound, default_timeout=LIFETIME),
        size=lambda cache: len(cache._cache),
        isolated=True,
        note="",
    )


def _simple() -> Contestant:
    return _flask_style("flask_caching.backends", "SimpleCache", "flask-caching")


def _rust() -> Contestant:
    return _flask_style("flask_rustcache", "RustCache", "flask-rustcache")


def _whole(bound: float, unbounded: int) -> int:
    return unbounded if math.isinf(bound) else int(bound)


def _cachebox_lru() -> Contestant:
    cachebox = importlib.import_module("cachebox")
    return Contestant(
        "cachebox LRUCache",
        "cachebox",
        make=lambda bound: cachebox.LRUCache(_whole(bound, 0)),
        set="c[k] = v",
        note=BY_REFERENCE + ", no expiry",
    )


def _cachebox_ttl() -> Contestant:
    cachebox = importlib.import_module("cachebox")
    return Contestant(
        "cachebox TTLCache",
        "cachebox",
        make=lambda bound: cachebox.TTLCache(_whole(bound, 0), LIFETIME),
        set="c[k] = v",
    )


def _moka_size(cache: Any) -> int:
    # Its evictions happen in batches: let it catch up before it is counted.
    cache.run_pending_tasks()
    return int(cache.count())


def _moka() -> Contestant:
    moka_py = importlib.import_module("moka_py")
    return Contestant(
        "moka-py Moka",
        "moka-py",
        make=lambda bound: moka_py.Moka(_whole(bound, 1 << 40), ttl=LIFETIME),
        size=_moka_size,
    )


def _cachetools() -> Contestant:
    cachetools = importlib.import_module("cachetools")
    return Contestant(
        "cachetools TTLCache + Lock",
        "cachetools",
        make=lambda bound: cachetools.TTLCache(bound, LIFETIME),
        get="with lock:\n    c.get(k)",
        set="with lock:\n    c[k] = v",
        note=BY_REFERENCE + "; its manual asks for a lock",
    )


FIELD = {
    "SimpleCache": _simple,
    "RustCache": _rust,
    "cachebox LRUCache": _cachebox_lru,
    "cachebox TTLCache": _cachebox_ttl,
    "moka-py Moka": _moka,
    "cachetools TTLCache + Lock": _cachetools,
}
PACKAGES = ("flask", "cachelib", "flask-caching", "flask-rustcache")
PEERS = ("cachebox", "moka-py", "cachetools")


def gather() -> tuple[list[Contestant], list[str]]:
    """Build every contestant that is installed.

    Returns:
        The contestants, SimpleCache first, and one sentence for each that had to be left out.
    """
    present: list[Contestant] = []
    missing: list[str] = []
    for name, build in FIELD.items():
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
