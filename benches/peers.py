"""The peers' decorators. They know no requests: where they take part, it is with a plain function."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Lock
from typing import Any

from contestants import BY_REFERENCE, LIFETIME, NO_EXPIRY, closed_later
from workloads import Field, WrongAnswerError

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]
# The entries a decorated function may keep: as many as SimpleCache by default.
ENTRIES = 500


@dataclass(frozen=True)
class Peer:
    """One decorator for plain functions.

    Attributes:
        name: as shown in the tables.
        package: distribution it comes from.
        make: makes the decorator, with a cache of its own.
        note: what the reader must know to compare it.
    """

    name: str
    package: str
    make: Callable[[], Decorator]
    note: str = BY_REFERENCE

    def decorate(self, function: Function) -> Function:
        """Return the function, cached."""
        return self.make()(function)


def _cachebox(kind: str, *arguments: Any) -> Decorator:
    cachebox = importlib.import_module("cachebox")
    decorator: Decorator = cachebox.cached(getattr(cachebox, kind)(ENTRIES, *arguments))
    return decorator


def _moka(**options: Any) -> Decorator:
    decorator: Decorator = importlib.import_module("moka_py").cached(ENTRIES, ttl=LIFETIME, **options)
    return decorator


def _theine() -> Decorator:
    memoize = importlib.import_module("theine").Memoize(ENTRIES, timedelta(seconds=LIFETIME))
    closed_later(memoize.cache)
    decorator: Decorator = memoize
    return decorator


def _cachetools(kind: str, *arguments: Any, **options: Any) -> Decorator:
    cachetools = importlib.import_module("cachetools")
    decorator: Decorator = cachetools.cached(getattr(cachetools, kind)(ENTRIES, *arguments), **options)
    return decorator


CACHEBOX_TTL = Peer(
    "cachebox.cached TTLCache, plain function", "cachebox", lambda: _cachebox("TTLCache", LIFETIME)
)
THEINE = Peer("theine.Memoize, plain function", "theine", _theine)
CACHETOOLS_TTL = Peer(
    "cachetools.cached TTLCache + Lock, plain function",
    "cachetools",
    lambda: _cachetools("TTLCache", LIFETIME, lock=Lock()),
)
#: For hits.
PEERS = (
    Peer("cachebox.cached LRUCache, plain function", "cachebox", lambda: _cachebox("LRUCache"), NO_EXPIRY),
    CACHEBOX_TTL,
    Peer("moka_py.cached, plain function", "moka-py", _moka),
    THEINE,
    Peer(
        "cachetools.cached LRUCache + Lock, plain function",
        "cachetools",
        lambda: _cachetools("LRUCache", lock=Lock()),
        NO_EXPIRY,
    ),
    CACHETOOLS_TTL,
)
#: The floor of hits.
LRU = Peer(
    "functools.lru_cache, plain function",
    "functools",
    lambda: functools.lru_cache(ENTRIES),
    "by reference, no expiry",
)
#: For crowds: with what each has against a stampede, and cachetools also in its usual form.
COALESCING = (
    CACHEBOX_TTL,
    Peer("moka_py.cached, wait_concurrent", "moka-py", lambda: _moka(wait_concurrent=True)),
    THEINE,
    CACHETOOLS_TTL,
    Peer(
        "cachetools.cached TTLCache + Condition",
        "cachetools",
        lambda: _cachetools("TTLCache", LIFETIME, condition=Condition()),
    ),
)


def present(field: Field, peers: tuple[Peer, ...] = PEERS) -> list[Peer]:
    """Return the peers that are installed."""
    packages = {one.package for one in field.contestants}
    return [peer for peer in peers if peer.package in packages]


def checked(peer: Peer, function: Function, *arguments: Any) -> Function:
    """Return the function, cached by a peer, once it has been seen to answer right and to run once.

    Args:
        peer: what caches the function.
        function: takes the arguments.
        *arguments: what it will be called with.

    Raises:
        WrongAnswerError: an answer is wrong, or one of the calls after the first is no hit.
    """
    runs: list[Any] = []

    def counted(*given: Any) -> Any:
        runs.append(function(*given))
        return runs[-1]

    decorated = peer.decorate(counted)
    answers = [decorated(*arguments) for _ in range(4)]
    if len(runs) != 1:
        raise WrongAnswerError(f"{peer.name}: the function ran {len(runs)} times")
    # A Response is equal only to itself; a list may have been copied.
    if any(answer is not runs[0] and answer != runs[0] for answer in answers):
        raise WrongAnswerError(f"{peer.name}: gave {answers[-1]!r:.80}")
    return decorated
