"""What the tests of fills share: crowds of callers, gates in views, and how to know who waits."""

import itertools
import sys
import threading
import time
from contextvars import Context

from flask_rustcache._compat import wait_for

from ._apps import build

PATIENCE = 20
"""Seconds that a test waits for what must come: many times what it takes, less than a child may."""

FOREVER = 600
"""A ``CACHE_FILL_TIMEOUT`` that no child outlives: a test that passes did not wait for it to end."""


def shop(**config):
    """Make a cache whose followers wait for ever, and a counter of runs that threads may share."""
    app, cache, _ = build(**{"CACHE_FILL_TIMEOUT": FOREVER, **config})
    return app, cache, itertools.count(1)


def until(condition):
    """Wait for a condition, not for a time."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        # Leaves the processor to those it waits for.
        time.sleep(0.0005)


def follows(thread):
    """Whether a thread waits for another's fill."""
    frame = sys._current_frames().get(thread.ident)
    return frame is not None and frame.f_code is wait_for.__code__


def stays(thread):
    """Whether a thread is in a view, at a gate."""
    frame = sys._current_frames().get(thread.ident)
    while frame is not None and frame.f_code.co_name != "stay":
        frame = frame.f_back
    return frame is not None


class Gate:
    """Where a view tells that it runs, and stays until it is let go."""

    def __init__(self):
        self._entered, self._opened = threading.Event(), threading.Event()

    def stay(self):
        self._entered.set()
        assert self._opened.wait(PATIENCE)

    def wait_for_entry(self):
        assert self._entered.wait(PATIENCE)

    def open(self):
        self._opened.set()


class Crowd:
    """Threads that call a function once each; ``join`` gives what they got, in no order.

    Their contexts are empty: with a copy of a leader's they would not wait for it.
    """

    def __init__(self, call, size=1):
        self.results, self.errors = [], []
        self.threads = [self._thread(call) for _ in range(size)]
        for thread in self.threads:
            thread.start()

    def _thread(self, call):
        return threading.Thread(target=Context().run, args=(self._run, call), daemon=True)

    def _run(self, call):
        try:
            self.results.append(call())
        except BaseException as error:
            self.errors.append(error)

    def wait_until_all_follow(self):
        until(lambda: all(follows(thread) for thread in self.threads))

    def end(self):
        """Wait for the threads to end, whatever they came to."""
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self.threads)

    def join(self):
        self.end()
        if self.errors:
            raise self.errors[0]
        return self.results


def lead(call, gate):
    """Start a caller that leads, and see it enter the view."""
    leader = Crowd(call)
    gate.wait_for_entry()
    return leader


def follow(call, size=1):
    """Start callers, and see them wait."""
    followers = Crowd(call, size)
    followers.wait_until_all_follow()
    return followers
