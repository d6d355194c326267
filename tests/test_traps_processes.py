"""Traps A5, B3, B4, E1, E2: many threads, the interpreter's end, and forks.

On a free-threaded build (`make freethreaded`) the threads are traps F1 and F3 as well.
"""

import datetime
import json
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from fractions import Fraction
from urllib.request import ProxyHandler, build_opener

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._child import in_child, run_child
from ._servers import gunicorn, serving
from ._traps import VERBS, Lasting, Number, check
from ._visitors import LIMIT

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

LATE = """
import builtins, os
from decimal import Decimal
from flask_rustcache import RustCache

cache = RustCache()
{warm_up}

class Late:
    def __del__(self, cache=cache, write=os.write, Decimal=Decimal):
        {use}
        write(1, b"used")

# Kept by a module that is among the last to go.
builtins.late = Late()
"""

LATE_USES = {
    "text": "cache.set('k', 'text'); assert cache.get('k') == 'text'",
    "a key that is no str": "cache.set((1, 2), 'text'); assert cache.get((1, 2)) == 'text'",
    "a tree": "cache.set('k', [{'a': (1, {2})}]); assert cache.get('k') == cache.get('k') == cache.get('k')",
    "a decimal": "cache.set('k', Decimal(1)); assert cache.get('k') == 1",
    "changes": "cache.inc('n'), cache.dec('n'), cache.add('a', 1), cache.set_many({'b': 1})",
    "removals": "cache.delete('a'), cache.delete_many('b'), cache.purge_expired(), cache.clear()",
    "views": "len(cache), cache.stats(), cache.has('a'), list(cache._cache), cache.get_dict('a')",
}


@pytest.mark.parametrize("warm_up", ["", "cache.set('warm', [1]); cache.get('warm')"], ids=["cold", "warm"])
@pytest.mark.parametrize("use", LATE_USES)
def test_use_at_the_interpreters_end(use, warm_up):
    """B3: a finaliser that runs while the interpreter goes down uses the cache, also for the first time."""
    code = LATE.format(use=LATE_USES[use], warm_up=warm_up)
    assert run_child("-c", code) == "used"


def set_and_get(cache, value):
    cache.set("key", value)
    cache.get("key")


def after_a_change_of_settings(cache, value):
    cache.default_timeout = 300
    cache.get("key")


def by_a_clock_of_python(cache, value):
    cache.clock = ManualClock()
    set_and_get(cache, value)


class Duration(datetime.timedelta):
    def total_seconds(self):
        return float(len([None for _ in range(5_000)]))


def for_a_time(cache, value):
    cache.set("key", 1, value)


#: What daemon threads do when the interpreter ends: in native code alone, or in Python code that it calls.
FOR_EVER = {
    "text": (set_and_get, "text"),
    "python code": (set_and_get, Number(1)),
    "settings": (after_a_change_of_settings, None),
    "clock": (by_a_clock_of_python, "text"),
    "timeout": (for_a_time, Duration(1)),
}


@pytest.mark.parametrize("what", FOR_EVER)
@in_child
def test_daemon_threads_at_the_interpreters_end(what):
    """B3: daemon threads that are in the middle of a call when the interpreter ends do no harm."""
    cache, (use, value) = RustCache(), FOR_EVER[what]
    started = threading.Barrier(5)

    def use_for_ever():
        started.wait()
        while True:
            use(cache, value)

    if what == "python code":
        # Long enough that each thread is in here when it is made to wait.
        Number.hook = lambda: [None for _ in range(5_000)]
    for _ in range(4):
        threading.Thread(target=use_for_ever, daemon=True).start()
    started.wait()
    # Time for some thousand changes of thread; how many makes no difference to what is asserted.
    sys.setswitchinterval(1e-5)
    sum(range(1_000_000))
    sys.lasting = Lasting()


def test_no_thread_is_started():
    """B4: neither the import nor any use of the cache starts a thread, of Python's or of its own."""
    code = """
import os, threading
def threads():
    tasks = "/proc/self/task"
    return threading.active_count(), len(os.listdir(tasks)) if os.path.isdir(tasks) else 1
before = threads()
import flask_rustcache
cache = flask_rustcache.RustCache(threshold=5000, shards=16)
for number in range(10000):
    cache.set(str(number), [{"n": (number,)}], timeout=1)
    cache.get(str(number))
cache.purge_expired(), cache.clear()
assert threads() == before == (1, 1), (threads(), before)
"""
    run_child("-c", code)


# --- forks

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class Through(RustCache):
    """Overrides a method, so that ``inc`` and ``add`` go through Python code."""

    def get(self, key):
        return super().get(key)


def child_of_fork(cache):
    """Use everything; never returns."""
    signal.alarm(10)
    status = 1
    try:
        assert cache.get("warm") == ["warm"]
        cache.inc(("own", "count"))
        assert cache.add("own", 1)
        cache.set_many({number: Fraction(number) for number in range(100)})
        cache.clear()
        check(cache)
        status = 0
    finally:
        os._exit(status)


def statuses(cache, children):
    """Fork children one after the other, each of which uses the cache; how many ended in which way."""
    found = {}
    for _ in range(children):
        cache.set("warm", ["warm"])
        child = os.fork() or child_of_fork(cache)
        status = os.waitpid(child, 0)[1]
        found[status] = found.get(status, 0) + 1
        if status:
            break
    return found


@needs_fork
@pytest.mark.parametrize(("backend", "shards"), [("RustCache", 1), ("RustCache", 16), ("Through", 1)])
@in_child
def test_fork_while_threads_use_the_cache(backend, shards):
    """E1: none of 100 children, forked while four threads are busy, hangs; each has the warm cache."""
    # From Python 3.12 on, forking with threads around warns.
    warnings.simplefilter("ignore", DeprecationWarning)
    cache = {"RustCache": RustCache, "Through": Through}[backend](threshold=5000, shards=shards)
    done = threading.Event()

    def hammer(seed):
        while not done.is_set():
            for verb in ("get", "set", "add", "inc", "delete", "set_many", "evict"):
                VERBS[verb](cache, (seed, "key"))
            # Pickled, by code that changes nothing of its class: without a global lock, a fork may find
            # that locked for ever.
            cache.set("tree", [{"a": [Fraction(seed)]}])
            cache.get("tree")

    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    found = statuses(cache, 100)
    done.set()
    for thread in threads:
        thread.join()
    assert found == {0: 100}
    check(cache)


# --- gunicorn

APPLICATION = """
import os
from flask import Flask, jsonify
from flask_caching import Cache

app = Flask(__name__)
app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
cache = Cache(app)
calls = []
warmed_by = os.getpid()

@app.get("/view")
@cache.cached(600)
def view():
    calls.append(1)
    return {"made by": os.getpid()}

@app.get("/state")
def state():
    backend = next(iter(app.extensions["cache"].values()))
    cache.set("own", os.getpid())
    backend._validate()
    return jsonify(
        worker=os.getpid(), master=warmed_by, warm=cache.get("warm"), numbered=cache.get(("a", 1)),
        calls=len(calls), own=cache.get("own") == os.getpid(), hits=backend.stats()["hits"],
    )

with app.app_context():
    cache.set("warm", {"tree": [1, 2]}, timeout=600)
    cache.set(("a", 1), "numbered", timeout=600)
app.test_client().get("/view")
calls.clear()
"""


@needs_fork
def test_gunicorn_with_preload(tmp_path):
    """E2: the cache that was warmed before the fork serves hits in each worker, and works on."""
    (tmp_path / "application.py").write_text(APPLICATION)
    seen, opener = {}, build_opener(ProxyHandler({}))
    command = gunicorn("--preload", "--workers=2", "--threads=2", app="application:app")
    with serving(command, tmp_path) as server:

        def get(path):
            return opener.open(f"http://127.0.0.1:{server.port}{path}", timeout=30).read()

        # On a busy machine one worker may answer many before the other has started.
        until = time.monotonic() + 3 * LIMIT
        while len(seen) < 2 or any(state["hits"] < 5 for state in seen.values()):
            assert time.monotonic() < until, seen
            state = json.loads(get("/state"))
            seen[state["worker"]] = state
            assert json.loads(get("/view")) == {"made by": state["master"]}
    assert len(seen) == 2
    for state in seen.values():
        assert state["worker"] != state["master"]
        assert (state["warm"], state["numbered"]) == ({"tree": [1, 2]}, "numbered")
        assert state["own"]
        assert state["calls"] == 0
