"""Traps E1, E3: hundreds of forks under load and within calls; what a child must make new, and what not."""

import faulthandler
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from functools import partial
from itertools import count
from unittest import mock

import pytest
from flask_rustcache import RustCache, _anywhere, memoize
from flask_rustcache.testing import ManualClock
from werkzeug.test import create_environ

from ._apps import build
from ._child import FREE_THREADED, SCALE, in_child
from ._traps import VERBS, Hooked, Number, check, filled

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

FORKS = 150 * SCALE
"""For each of two numbers of shards."""


def in_fork(job):
    """Run a job in a forked child; returns the child's number. The child never returns."""
    # From Python 3.12 on, forking with threads around warns.
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if child:
        return child
    # Where it hangs is shown before it is ended.
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(10)
    sys.setswitchinterval(0.005)
    status = 1
    try:
        job()
        status = 0
    except BaseException as error:
        os.write(2, f"in a child: {error!r}\n".encode())
    finally:
        os._exit(status)


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def give_way():
    """Let others run, so that forks find fills under way."""
    for _ in range(5):
        time.sleep(0)


class Shop:
    """An application whose visitors are threads; what each of them gets is known."""

    def __init__(self, shards):
        self.app, self.cache, _ = build(
            CACHE_OPTIONS={"shards": shards}, CACHE_THRESHOLD=20_000, CACHE_FILL_TIMEOUT=600
        )
        self.backend = self.app.extensions["cache"][self.cache]
        self.runs = count(1)
        self.app.add_url_rule("/<path:name>", "page", self.cache.cached(60)(self.page))
        self.profile = self.cache.memoize(60, tags=["profiles"])(self.profile)
        self.environs = [create_environ(f"/{number}") for number in range(5)]
        # Whatever Flask and werkzeug import or set up at a first request.
        self.get(0)

    def get(self, number):
        """Ask for a page, without Flask's test client: a fork may find the import lock held by it."""
        return json.loads(b"".join(self.app(dict(self.environs[number]), lambda status, headers: None)))

    def page(self, name):
        give_way()
        return {"page": name, "run": next(self.runs)}

    def profile(self, user):
        give_way()
        return {"user": user, "run": [next(self.runs)]}

    def stay(self, user, done, least=0):
        """Use everything as one user, until told to stop; returns the number of rounds."""
        number = 0
        while number < least or not done():
            # Users meet at few pages.
            assert self.get(number % 5)["page"] == str(number % 5)
            with self.app.app_context():
                assert self.profile(user)["user"] == user
                self.profile(user)["run"].append("mine")
                assert len(self.profile(user)["run"]) == 1
                assert self.cache.inc(f"count {user}") == number + 1
                assert self.cache.set(f"own {user}", [number])
                assert self.cache.get(f"own {user}") == [number]
                self.forget(number)
            number += 1
        return number

    def forget(self, number):
        if number % 3 == 0:
            self.cache.delete(f"view//{number % 5}")
        if number % 7 == 0:
            self.cache.delete_memoized(self.profile)
        if number % 11 == 0:
            self.cache.delete_tag("profiles")

    def child(self):
        """What a forked child does: the same, by itself and in threads of its own."""
        errors = []

        def stay(user):
            try:
                self.stay(user, lambda: True, least=1)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=stay, args=(f"child {at}",)) for at in range(2)]
        for thread in threads:
            thread.start()
        stay("child")
        for thread in threads:
            thread.join()
        assert not errors, errors
        check(self.backend)


@pytest.mark.skipif(FREE_THREADED, reason="locks of dicts and weak references may be lost in a fork")
@pytest.mark.parametrize("shards", [1, 16])
@in_child
def test_hundreds_of_forks_under_load(shards):
    """E1: each child uses views, memoized functions and the store in threads; the parent's sums are right."""
    shop, done, rounds, errors = Shop(shards), threading.Event(), {}, []

    def stay(user):
        try:
            rounds[user] = shop.stay(user, done.is_set)
        except BaseException as error:
            errors.append(error)

    sys.setswitchinterval(1e-4)
    threads = [threading.Thread(target=stay, args=(f"user {at}",)) for at in range(3)]
    for thread in threads:
        thread.start()
    statuses = [status_of(in_fork(shop.child)) for _ in range(FORKS)]
    done.set()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert Counter(statuses) == {0: FORKS}
    with shop.app.app_context():
        assert {user: shop.cache.get(f"count {user}") for user in rounds} == rounds
    check(shop.backend)


#: Small containers, each of which comes to be copied from a prototype that all threads share.
HOT = {"list": [1, "a", [2]], "dict": {"a": 1, "b": {"c": "d"}}, "set": {1, 2}}


def use_containers(shop, number):
    for name in ("list", "dict", "set") * 10:
        assert shop.backend.get(name) is not None


def use_unusual_keys(shop, number):
    for key in ((number % 50, "a"), (number % 7, "a"), number % 11):
        shop.backend.set(key, number)
        shop.backend.get(key)
        shop.backend.delete(key)


def use_names(shop, _):
    """What of a memoized function's key is ours: Flask-Caching asks for signatures, and these lock more."""
    for function in (go_on, status_of):
        marks = {shop.cache._mark(function, f"name {at}") for at in range(5)}
        assert marks == set(shop.cache._marks_of(function, "name 0"))


USES = {use.__name__: use for use in (use_containers, use_unusual_keys, use_names)}


def go_on(use, shop, numbers, done=None):
    for number in numbers:
        if done is not None and done.is_set():
            break
        use(shop, number)


@pytest.mark.parametrize("use", USES)
@in_child
def test_forks_while_threads_want_the_same_objects(use):
    """E1: no child waits for a dict, a set or a weak reference that threads of its parent had locked.

    That is for builds without a global lock, where each of them has one, as has each variable of a closure:
    none is used here.
    """
    warnings.simplefilter("ignore", UserWarning)
    shop, done, use = Shop(16), threading.Event(), USES[use]
    shop.backend.set_many(HOT)

    child = partial(go_on, use, shop, range(10))
    stays = [threading.Thread(target=go_on, args=(use, shop, count(first), done)) for first in range(6)]
    child()
    sys.setswitchinterval(1e-4)
    for thread in stays:
        thread.start()
    statuses = Counter()
    while not statuses.keys() - {0} and statuses.total() < 2 * FORKS:
        statuses[status_of(in_fork(child))] += 1
    done.set()
    for thread in stays:
        thread.join()
    assert statuses == {0: 2 * FORKS}


@in_child
def test_counters_are_the_parents_own():
    """E1: what children read is not counted here, and what threads read meanwhile is, exactly."""
    cache, done, reads = RustCache(clock=ManualClock()), threading.Event(), [0] * 4

    # By defaults: without a global lock a child may wait for a variable of a closure for ever.
    def read(at, cache=cache, done=done, reads=reads):
        while not done.is_set():
            cache.get("there")
            cache.get(("not there", at))
            reads[at] += 1

    def child(cache=cache):
        before = cache.stats()
        for _ in range(100):
            cache.get("there")
        # The reads of its parent's other threads ended with them.
        assert cache.stats()["hits"] == before["hits"] + 100

    cache.set("there", 1)
    threads = [threading.Thread(target=read, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    statuses = [status_of(in_fork(child)) for _ in range(20)]
    done.set()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 20
    assert cache.stats()["hits"] == cache.stats()["misses"] == sum(reads)


@pytest.mark.parametrize("hooked", ["Hooked", "Number"])
@in_child
def test_forks_in_the_middle_of_calls(hooked):
    """E1: a key's comparison or a value's pickling forks: child and parent end the call, and go on."""
    # What would end this process if it hung is a thread, too, and from 3.15 on `fork` raises such a warning.
    warnings.simplefilter("ignore", DeprecationWarning)
    hooked = {"Hooked": Hooked, "Number": Number}[hooked]
    forks = 0
    for name, verb in VERBS.items():
        keys = [Hooked() for _ in range(3)]
        cache = filled(keys)
        cache.set(keys[0], Number(1))
        parent, children = os.getpid(), []

        def fork(parent=parent, children=children):
            if os.getpid() == parent and len(children) < 3:
                children.append(os.fork())

        hooked.hook = fork
        verb(cache, keys[0])
        cache.set("number", Number(2))
        assert cache.get("number") == 2
        hooked.hook = None
        check(cache)
        if os.getpid() != parent:
            os._exit(0)
        assert [status_of(child) for child in children] == [0] * len(children), name
        forks += len(children)
    # Verbs that neither compare keys nor pickle fork nowhere.
    assert forks >= len(VERBS) // 2


def lifetimes(cache, name):
    """What is left of twenty equal lifetimes, after jitter."""
    for number in range(20):
        cache.set(f"{name} {number}", 1, 1000)
    return [cache.ttl(f"{name} {number}") for number in range(20)]


@in_child
def test_jitter_differs_between_siblings_and_their_parent():
    """E3: workers forked from one warm parent do not expire their entries together."""
    cache = RustCache(clock=ManualClock(), jitter=0.5)
    cache.set("drawn before", 1, 1000)
    drawn = []
    for _ in range(4):
        reading, writing = os.pipe()
        child = in_fork(lambda writing=writing: os.write(writing, json.dumps(lifetimes(cache, "a")).encode()))
        os.close(writing)
        with open(reading) as found:
            drawn.append(json.loads(found.read()))
        assert status_of(child) == 0
    drawn.append(lifetimes(cache, "a"))
    assert all(500 <= left <= 1000 for one in drawn for left in one)
    # 20 draws of 64 bits each: no two processes share a single one.
    assert len({left for one in drawn for left in one}) == 100


@in_child
def test_hash_seeds_stay_as_they_are_in_a_child():
    """E3: the tables that came along are found by them; keys of all kinds, records and tags."""
    shop = Shop(16)
    keys = ["text", ("a", 1), 7, b"bytes", 2.5, None]

    def child():
        assert [shop.backend.get(key) for key in keys] == [[key] for key in keys]
        with shop.app.app_context():
            assert shop.profile("ann") == {"user": "ann", "run": [2]}
            assert shop.cache.delete_tag("profiles") == 1
            assert shop.profile("ann") == {"user": "ann", "run": [3]}
            shop.cache.delete_memoized(shop.profile)
            assert shop.profile("ann") == {"user": "ann", "run": [4]}
        assert shop.backend.delete_many(*keys) == keys
        check(shop.backend)

    for key in keys:
        shop.backend.set(key, [key])
    with shop.app.app_context():
        shop.profile("ann")
    before = len(shop.backend)
    assert status_of(in_fork(child)) == 0
    assert len(shop.backend) == before


class Stays(RustCache):
    """A thread other than the first stays while it makes one."""

    entered, opened = threading.Event(), threading.Event()

    def __init__(self):
        if threading.current_thread() is not threading.main_thread():
            self.entered.set()
            assert self.opened.wait(20)
        super().__init__()


@in_child
def test_fork_while_a_thread_makes_the_process_wide_cache():
    """E1: the child makes its own, and waits for nobody; the parent's threads have one between them."""

    @memoize(60)
    def double(number):
        return [2 * number]

    def child():
        assert double(2) == [4]

    with mock.patch.object(_anywhere, "RustCache", Stays):
        thread = threading.Thread(target=double, args=(1,), daemon=True)
        thread.start()
        assert Stays.entered.wait(20)
        assert status_of(in_fork(child)) == 0
        assert double(3) == [6]
        backend = _anywhere.CURRENT.cache
        Stays.opened.set()
        thread.join()
    assert _anywhere.CURRENT.cache is backend
    assert len(backend) == 2
