"""Traps A5, B3, B4, E1, E2: many threads, the interpreter's end, and forks."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child, run_child
from ._traps import VERBS, Number, check


WORKERS = 8
ROUNDS = 600


class Slow:
    """A key whose comparison lets other threads in."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return hash(self.name) & 3

    def __eq__(self, other):
        return isinstance(other, Slow) and self.name == other.name


def keys_of_all_kinds(number):
    return f"text {number}", (number, "tuple"), Slow(number), number / 2


def work(cache, seed):
    """Drive every verb over keys that all workers share."""
    names = list(VERBS)
    for number in range(ROUNDS):
        verb = VERBS[names[(seed * 7 + number) % len(names)]]
        if verb not in (VERBS["clear"], VERBS["expire"]) or number % 10 == 0:
            with suppress(KeyError):
                verb(cache, keys_of_all_kinds((seed + number) % 5)[number % 4])
        assert cache.inc("total") <= WORKERS * ROUNDS
        cache.set(("tree", number % 3), [{"number": [number]}, Number(number)])
        tree = cache.get(("tree", (number + 1) % 3))
        assert tree is None or tree[0]["number"] == [tree[1]]


def in_threads(*jobs):
    """Run jobs at once, with as many changes of thread as can be; raises what a job raised."""
    errors = []

    def run(job):
        try:
            job()
        except BaseException as error:
            errors.append(error)

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize(("threshold", "shards"), [(40, 1), (2000, 2), (2000, 16)])
@in_child
def test_many_threads_use_one_cache(threshold, shards):
    """A5: all verbs from eight threads that change at every chance; then all is as it should be."""
    cache = RustCache(threshold=threshold, clock=ManualClock(), shards=shards)
    in_threads(*(lambda seed=seed: work(cache, seed) for seed in range(WORKERS)))
    check(cache)
    cache.clear()
    check(cache)


@pytest.mark.parametrize("key", ["text", ("not", "text")])
@in_child
def test_no_increment_is_lost(key):
    """A5: ``inc`` and ``dec`` are atomic, also where ``+`` and pickling are Python code."""
    cache = RustCache()
    for zero in (0, Number(0)):
        cache.set(key, zero)

        def up(zero=zero):
            for _ in range(ROUNDS):
                cache.inc(key, 2)

        def down(zero=zero):
            for _ in range(ROUNDS):
                cache.dec(key)

        in_threads(up, down, up, down)
        assert cache.get(key) == 2 * ROUNDS
    check(cache)


@in_child
def test_one_of_many_adds_wins():
    """A5: of all threads that ``add`` one key, one is told that it did."""
    cache = RustCache(threshold=10_000)
    wins = []

    def add(name):
        wins.extend(number for number in range(ROUNDS) if cache.add((number,), name))

    in_threads(*(lambda name=name: add(name) for name in "abcd"))
    assert sorted(wins) == list(range(ROUNDS))
    check(cache)


# --- the interpreter's end

IMPORTS = """
import builtins, sys
from decimal import Decimal
from flask_rustcache import RustCache

class Reduced:
    def __reduce__(self):
        return Reduced, ()
"""

LATE_USES = {
    "a first use": "cache.set('key', 'text')\nassert cache.get('key') == 'text'",
    "a key that is no str": "cache.set((1, 2), 'text')\nassert cache.get((1, 2)) == 'text'",
    "a tree": "for _ in '123':\n  cache.set('key', [{'a': (1, {2})}])\n  cache.get('key')\n  cache.get('key')",
    "pickle": "cache.set('key', [1, print])\nassert cache.get('key')[1] is print",
    "a decimal": "cache.set('key', Decimal(1))\nassert cache.get('key') == 1",
    "all verbs": """
cache.inc('count'), cache.dec('count'), cache.add('a', 1), cache.set_many({'b': 1})
assert cache.get_many('a', 'b') == [1, 1] and cache.get_dict('a') == {'a': 1}
cache.has('a'), cache.delete('a'), cache.delete_many('b'), len(cache), cache.stats()
list(cache._cache.items()), cache.purge_expired(), cache.clear()
""",
}


@pytest.mark.parametrize("warm", ["cold", "warm"])
@pytest.mark.parametrize("use", LATE_USES)
def test_use_at_the_interpreters_end(use, warm):
    """B3: a finaliser that runs while the interpreter goes down uses the cache; nobody hears of it."""
    body = "\n".join("        " + line for line in LATE_USES[use].splitlines())
    first = "cache.set('warm', [1]); cache.get('warm'); cache.set(0, Reduced)" if warm == "warm" else ""
    code = f"""{IMPORTS}
cache = RustCache()
{first}
class Late:
    def __del__(self, cache=cache, print=print, Decimal=Decimal):
{body}
        sys.__stdout__.write("used")
# Kept by a module that goes last.
builtins.late = Late()
builtins.cycle = [builtins.late]
builtins.cycle.append(builtins.cycle)
"""
    code = code.replace("def __del__(self,", "def __del__(self, sys=sys,")
    code = code.replace('sys.__stdout__.write("used")', "os.write(1, b'used')").replace(
        "import builtins, sys", "import builtins, os, sys"
    )
    code = code.replace("sys=sys,", "os=os,")
    assert run_child("-c", code) == "used"
