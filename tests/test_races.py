"""Traps F1 to F3: threads that meet in one place at one time. With a global lock they take short turns."""

import itertools
import sys
import threading
import time
from contextlib import suppress

import pytest
from flask_rustcache import RustCache
from flask_rustcache._threads import defer_reference_count
from flask_rustcache.testing import ManualClock

from ._apps import build
from ._child import FREE_THREADED, in_child, run_child
from ._traps import Number, check

CROWD = 8


def together(*work):
    """Run each in a thread of its own, all from one moment on, in short turns; raise what they raise."""
    gate, errors = threading.Barrier(len(work)), []

    def run(one):
        gate.wait()
        try:
            one()
        except BaseException as error:
            errors.append(error)

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def until(done, step):
    """Work that repeats a step until the event is set."""

    def run():
        while not done.is_set():
            step()

    return run


def rounds(done, count, step):
    """Work that does so many steps, and sets the event whatever comes of them."""

    def run():
        try:
            for number in range(count):
                step(number)
        finally:
            done.set()

    return run


@pytest.mark.skipif(not FREE_THREADED, reason="there is a global lock")
def test_the_global_lock_stays_off():
    """F3: importing the package does not turn it on."""
    code = "import sys, flask_rustcache; print(sys._is_gil_enabled())"
    assert run_child("-c", f"import os; os.environ.pop('PYTHON_GIL', None); {code}") == "False\n"


def test_references_are_not_counted_where_they_need_not_be():
    """F3: threads that use one cache do not wait for its reference count, where CPython can do without."""
    assert defer_reference_count([]) is (FREE_THREADED and sys.version_info >= (3, 14))
    # CPython says yes once for each object, and the cache has asked.
    assert defer_reference_count(RustCache()) is False


@in_child
def test_counters_add_up():
    """F2: eight threads get, set and delete one key; every call is counted once."""
    cache = RustCache(threshold=2000)
    deleted = [0] * CROWD

    def work(own):
        for number in range(500):
            cache.set("key", number)
            assert cache.get("key") in (None, *range(500))
            deleted[own] += cache.delete("key")

    together(*(lambda own=own: work(own) for own in range(CROWD)))
    stats = cache.stats()
    assert stats["hits"] + stats["misses"] == stats["insertions"] == CROWD * 500
    assert stats["removals"] == sum(deleted)
    assert stats["replacements"] + stats["removals"] + stats["entries"] == stats["insertions"]
    check(cache)


@in_child
def test_increments_add_up():
    """F2: so do increments of one key, str or not, by ``+`` of ints and of objects."""
    cache = RustCache()
    cache.set("number", Number(0))

    def work():
        for _ in range(250):
            cache.inc("plain")
            cache.inc(("a", "tuple"))
            cache.inc("number", 2)

    together(*[work] * CROWD)
    found = cache.get_many("plain", ("a", "tuple"), "number")
    assert found == [CROWD * 250, CROWD * 250, CROWD * 500]
    check(cache)


@in_child
def test_one_of_many_adds():
    """F2: of eight threads that add a key one succeeds, whatever the key; the value is its own."""
    cache, winners = RustCache(), []

    def work(own):
        for number in range(200):
            for key in (f"key {number}", ("key", number)):
                if cache.add(key, own):
                    winners.append((key, own))

    together(*(lambda own=own: work(own) for own in range(CROWD)))
    assert len(winners) == 400
    assert dict(winners) == {key: cache.get(key) for key, _ in winners}
    check(cache)


#: A container, what changes it and changes it back, and what is true of it at each moment.
CHANGES = {
    "list": (
        lambda: [["item"]] * 3,
        lambda value: (value.append(["more"]), value.pop()),
        lambda found: found[:3] == [["item"]] * 3 and found[3:] in ([], [["more"]]),
    ),
    "dict": (
        lambda: {"first": [1], "second": [2]},
        lambda value: (value.update(more=[3]), value.pop("more")),
        lambda found: found in ({"first": [1], "second": [2]}, {"first": [1], "second": [2], "more": [3]}),
    ),
    "set": (
        lambda: {1, "two"},
        lambda value: (value.add("more"), value.discard("more")),
        lambda found: found - {"more"} == {1, "two"},
    ),
    "list of lists": (
        lambda: [[number] for number in range(9)],
        lambda value: (value.pop(), value[4].append("more"), value[4].pop(), value.append([8])),
        lambda found: [item[0] for item in found] in (list(range(8)), list(range(9))),
    ),
    "all of a list": (
        lambda: [0.0] * 40,
        lambda value: value.__setitem__(slice(None), [value[0] + 1] * 40),
        lambda found: len(found) == 40 and len(set(found)) == 1,
    ),
    "all of a dict": (
        lambda: dict.fromkeys("abcdefgh", 0),
        lambda value: value.update(dict.fromkeys(value, value["a"] + 1)),
        lambda found: len(found) == 8 and len(set(found.values())) == 1,
    ),
    "the order of lists": (
        lambda: [[number] for number in range(9)],
        lambda value: value.reverse(),
        lambda found: sorted(found) in (found, found[::-1]),
    ),
}


@pytest.mark.parametrize("kind", list(CHANGES))
@in_child
def test_values_that_change_while_they_are_stored(kind):
    """F3, I2: what is stored is the value of some moment, and all that stands around it is whole."""
    make, change, holds = CHANGES[kind]
    cache, value, done = RustCache(), make(), threading.Event()

    def store(number):
        # Where it never stands still, pickle decides, which may find that it has changed, and says so.
        with suppress(RuntimeError):
            cache.set("key", {"before": number, "value": value, "after": number})
        found = cache.get("key")
        if found is not None:
            assert list(found) == ["before", "value", "after"], found
            assert found["before"] == found["after"], found
            assert holds(found["value"]), found

    def change_often():
        for _ in range(100):
            change(value)

    together(until(done, change_often), rounds(done, 5000, store))
    check(cache)


@in_child
def test_hits_of_a_hot_tree_are_everybodys_own():
    """F3, I2: eight threads read one tree and change what they got."""
    cache = RustCache()
    cache.set("tree", {"list": [{"number": 1}], "set": {1}, "tuple": ([],)})
    wanted = repr(cache.get("tree"))

    def work():
        for _ in range(300):
            tree = cache.get("tree")
            assert repr(tree) == wanted
            tree["list"][0]["number"] = 2
            tree["tuple"][0].append(1)
            tree["set"].clear()

    together(*[work] * CROWD)


@pytest.mark.parametrize("name", ["default_timeout", "get"])
@in_child
def test_what_is_set_counts_from_the_next_call(name):
    """F3: an attribute is heeded from its thread's next call on, whatever other threads read meanwhile."""
    cache, done = RustCache(clock=ManualClock()), threading.Event()

    def set_timeout(number):
        cache.default_timeout = number + 1
        cache.set("own", 1)
        assert cache.ttl("own") == number + 1

    def patch(number):
        cache.get = lambda key: number
        assert cache.get_many("own") == [number]
        del cache.get
        assert cache.get_many("nobody") == [None]

    steps = {"default_timeout": set_timeout, "get": patch}
    others = [until(done, lambda: cache.has("own"))] * 3
    together(rounds(done, 1500, steps[name]), *others)


class Own(threading.local):
    number = 0


class EachItsOwn(RustCache):
    """A cache whose default lifetime is another one in each thread."""

    own = Own()

    @property
    def default_timeout(self):
        return self.own.number + 100

    @default_timeout.setter
    def default_timeout(self, value):
        pass


@in_child
def test_settings_that_are_computed_are_each_callers_own():
    """F3: a property is asked by each call, for itself."""
    cache = EachItsOwn(threshold=2000, clock=ManualClock())

    def work(own):
        cache.own.number = own
        for number in range(1000):
            cache.set(f"{own}", number)
            assert cache.ttl(f"{own}") == own + 100

    together(*(lambda own=own: work(own) for own in range(CROWD)))


@in_child
def test_defaults_that_are_patched_count_from_the_next_call():
    """F3: the same of a memoized function's defaults, name and signature, which its keys depend on."""
    app, cache, _ = build()
    done = threading.Event()
    # Kept: without a global lock CPython may hand out a function's defaults at the moment when they go.
    defaults = [(number,) for number in range(7)]

    @cache.memoize(600)
    def total(number=0):
        return number

    def patch(number):
        total.uncached.__defaults__ = defaults[number % 7]
        with app.app_context():
            assert total() == number % 7

    def call():
        with app.app_context():
            assert total(100) == 100
            assert total() in range(7)

    # Stored before: what a function returns whose defaults change between its key and its run is stored under
    # that key, as in Flask-Caching.
    for number in range(7):
        patch(number)
    together(rounds(done, 300, patch), until(done, call), until(done, call))


@in_child
def test_an_attribute_of_the_cache_counts_from_the_next_call():
    """F3: patching a method that decorated functions go through is heeded at the thread's next call."""
    app, cache, _ = build()
    done = threading.Event()

    @cache.cached(600, key_prefix="fixed")
    def total():
        return "computed"

    def call():
        with app.app_context():
            assert total() in ("computed", "patched")

    def patch(number):
        cache.get = lambda key: "patched"
        with app.app_context():
            assert total() == "patched"
            del cache.get
            assert total() == "computed"

    together(rounds(done, 200, patch), until(done, call), until(done, call))


@in_child
def test_clear_leaves_nothing_that_was_there():
    """F3: what was memoized before ``clear`` is computed anew after it, while others go on calling."""
    app, cache, _ = build()
    done, now = threading.Event(), [0]

    @cache.memoize(600)
    def total(number):
        return now[0]

    def call():
        with app.app_context():
            total(1)

    def clear(number):
        now[0] = number
        with app.app_context():
            cache.clear()
            assert total(1) == number

    together(rounds(done, 300, clear), until(done, call), until(done, call))


@in_child
def test_the_first_who_use_a_cache_agree_on_its_time():
    """F3: a cache goes by its clock from its first use on; who is late with that moves nobody's time."""
    late, asked, answered = None, threading.Event(), threading.Event()

    def clock():
        if threading.current_thread() is late:
            asked.set()
            assert answered.wait(20)
        return 0.0

    cache = RustCache(clock=clock)
    late = threading.Thread(target=cache.has, args=("key",))
    late.start()
    assert asked.wait(20)
    asked_at = time.monotonic()
    while time.monotonic() < asked_at + 0.02:
        pass
    cache.set("key", 1, timeout=60)
    assert cache.ttl("key") == 60
    answered.set()
    late.join()
    assert cache.ttl("key") == 60


@in_child
def test_of_two_clocks_that_are_set_at_once_one_is_gone_by():
    """F3: both are callables; whoever is told to go by one does not go by the time of the other."""
    cache, is_asked, may_answer = RustCache(), threading.Event(), threading.Event()
    cache.set("key", 1, timeout=1000)
    # The first time is a try, and the second when it is gone by.
    earlier, later = itertools.count(1), itertools.count(1)

    def early():
        if next(earlier) == 2:
            is_asked.set()
            assert may_answer.wait(20)
        return 0.0

    def late():
        if next(later) == 2:
            may_answer.set()
            other.join(20)
        return 1e6

    other = threading.Thread(target=setattr, args=(cache, "clock", early))
    other.start()
    assert is_asked.wait(20)
    cache.clock = late
    assert not other.is_alive()
    assert cache.clock is late
    assert 999 < cache.ttl("key") <= 1000
