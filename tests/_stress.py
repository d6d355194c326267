"""What the tests of many threads share: a seed for each run, threads that begin at once, and tallies."""

import gc
import itertools
import os
import random
import secrets
import sys
import threading
from collections import Counter

import pytest

from ._child import FREE_THREADED
from ._fills import PATIENCE

SEED = int(os.environ.setdefault("SEED", str(secrets.randbits(32))))
"""What all chance of a run of the tests comes from; another in each, unless the environment has one."""

ROUNDS = int(os.environ.get("ROUNDS", "1"))
"""How many rounds the tests of many threads go, each with the next seed, in a process of its own."""

BRIEF = 1e-6
"""Seconds between the moments at which another thread may go on."""

BREATH = 0.002
"""Seconds between two looks of an onlooker where there is no global lock."""

CROWDS = [2, 8, 64]
"""Numbers of threads."""

seeds = pytest.mark.parametrize("seed", [SEED + number for number in range(ROUNDS)], ids="SEED={}".format)
"""For a test that takes a ``seed``. Its name says which it was."""


class Threads:
    """Threads that do the same, each with chance of its own, while others collect and look on.

    They begin at one moment, and change as often as can be. What one raises is raised by ``run``.
    """

    def __init__(self, seed, size):
        self._seed, self._errors = seed, []
        self._begin, self._over = threading.Barrier(size), threading.Event()
        self._size, self._onlookers = size, [gc.collect]

    def look_on(self, act):
        """Have something done again and again while the threads run."""
        self._onlookers.append(act)

    def run(self, act):
        """Call ``act(number, random.Random)`` in each thread, and wait for them all."""
        actors = [self._thread(self._act, act, number) for number in range(self._size)]
        onlookers = [self._thread(self._look, look) for look in self._onlookers]
        before = sys.getswitchinterval()
        sys.setswitchinterval(BRIEF)
        try:
            _run([*onlookers, *actors], actors, self._over)
        finally:
            sys.setswitchinterval(before)
        if self._errors:
            raise self._errors[0]

    def _thread(self, target, *args):
        return threading.Thread(target=self._guard, args=(target, *args), daemon=True)

    def _guard(self, target, *args):
        try:
            target(*args)
        except BaseException as error:
            error.add_note(f"in one of {self._size} threads")
            self._errors.append(error)

    def _act(self, act, number):
        self._begin.wait(PATIENCE)
        act(number, random.Random(f"{self._seed} {number}"))

    def _look(self, look):
        while not self._over.is_set():
            look()
            if FREE_THREADED:
                # A collection stops all other threads there; back to back they leave them no time at all.
                self._over.wait(BREATH)


def _run(threads, actors, over):
    for thread in threads:
        thread.start()
    for thread in actors:
        thread.join(PATIENCE)
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


class Tally:
    """A counter that any thread may count with at any point, and that is right in the end."""

    def __init__(self):
        self._own, self._all = threading.local(), []

    def count(self, what, number=1):
        try:
            counted = self._own.counted
        except AttributeError:
            counted = self._own.counted = []
            self._all.append(counted)
        # In one step: in the middle of a sum (`Counter.__missing__` is Python code) a finaliser may count.
        counted.append((what, number))

    def total(self):
        """What all threads counted together; to be asked when they are done."""
        total = Counter()
        for what, number in itertools.chain.from_iterable(self._all):
            total[what] += number
        return total


def account_is_right(stats):
    """Whether each value that was stored is there, or was counted as it left."""
    gone = ("replacements", "evictions", "expirations", "removals")
    return stats["insertions"] == stats["entries"] + sum(stats[cause] for cause in gone)
