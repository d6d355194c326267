"""Visitors of `_server_app.py`: each has a session of its own, and checks every answer it gets."""

import itertools
import json
import os
import signal
import threading
import time
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

LIMIT = 20
"""Seconds that a request may take: far above what any needs. What hangs ends in a `TimeoutError`."""

TRIES = 20


class WrongAnswerError(AssertionError):
    """An answer that this visitor should not have got."""


class Answer(NamedTuple):
    status: int
    users: list
    cookies: list
    body: bytes


class Visitor:
    """One client, in one thread.

    Args:
        port: Where the server listens.
        user: The visitor's name, used by nobody else.
        lossy: Whether the cache may lose an entry, as it is full, cleared or has short lifetimes.
        prefix: What the application's paths begin with.
    """

    def __init__(self, port, user, lossy=False, prefix=""):
        self.port, self.user, self.lossy, self.prefix = port, user, lossy, prefix
        self.random = Random(user)
        self.cookie = ""
        #: Requests whose connection ended without an answer, as their worker was killed; they are repeated.
        self.lost = 0
        #: What each worker was asked to count and note.
        self.counts, self.notes = {}, {}
        self.workers = set()
        self.visits = [self.page, self.search, self.profile, self.count, self.note, self.absent]
        self.ask(f"/login/{user}")

    def visit(self):
        self.random.choice(self.visits)()

    def ask(self, path, status=200):
        """Get a path until there is an answer, which must be this visitor's own."""
        for _ in range(TRIES):
            try:
                answer = self.get(path)
                break
            except (ConnectionError, HTTPException):
                self.lost += 1
        else:
            raise WrongAnswerError(f"{path}: no answer in {TRIES} tries")
        if answer.status != status or answer.users != [self.user] or len(answer.cookies) != 1:
            raise WrongAnswerError(f"{self.user} asked for {path}: {answer}")
        self.cookie = answer.cookies[0].partition(";")[0]
        return answer.body

    def get(self, path):
        """Get a path once, over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request(
                "GET", self.prefix + path, headers={"Cookie": self.cookie, "Connection": "close"}
            )
            response = connection.getresponse()
            users, cookies = (response.headers.get_all(name, []) for name in ("X-User", "Set-Cookie"))
            return Answer(response.status, users, cookies, response.read())
        finally:
            connection.close()

    def state(self):
        """Return what a worker's cache says of itself."""
        found = json.loads(self.ask("/state"))
        self.workers.add(found["worker"])
        return found

    def wait_for_another_worker(self, known):
        """Ask until a worker answers that is none of these."""
        until = time.monotonic() + LIMIT
        while self.state()["worker"] in known:
            if time.monotonic() > until:
                raise WrongAnswerError(f"no worker but {known} in {LIMIT} seconds")

    def expect(self, path, wanted):
        found = json.loads(self.ask(path))
        if found != wanted:
            raise WrongAnswerError(f"{self.user} asked for {path}: {found}, not {wanted}")

    def number(self):
        """Return a number from 0 on, low ones more often."""
        return int(self.random.paretovariate(0.7)) % 5_000

    def page(self):
        number = self.number()
        lines = [f"line {line} of {number}" for line in range(number % 40)]
        self.expect(f"/page/{number}", {"page": number, "lines": lines})

    def search(self):
        pairs = [(self.random.choice("abc"), str(self.number() % 20)) for _ in range(3)]
        wanted = {name: sorted(value for key, value in pairs if key == name) for name, _ in pairs}
        self.expect(f"/search?{urlencode(pairs)}", wanted)

    def profile(self):
        friend = {"name": f"{self.user}'s friend", "tags": ["kind"]}
        self.expect("/profile", {"user": self.user, "friends": [friend], "seen by": [self.user]})

    def count(self):
        found = json.loads(self.ask("/count"))
        worker, counted = found["worker"], found["count"]
        self.workers.add(worker)
        wanted = self.counts.get(worker, 0) + 1
        if counted != wanted and not (self.lossy and counted == 1):
            raise WrongAnswerError(f"{self.user} was counted {counted} times by {worker}, not {wanted}")
        self.counts[worker] = counted

    def note(self):
        number = self.number()
        found = json.loads(self.ask(f"/note/{number}"))
        worker, before = found["worker"], found["before"]
        self.workers.add(worker)
        wanted = self.notes.get(worker)
        if before != wanted and not (self.lossy and before is None):
            raise WrongAnswerError(f"{self.user} noted {wanted} in {worker}, and found {before}")
        self.notes[worker] = {"of": self.user, "number": number}

    def absent(self):
        number = self.number()
        if f"no {number}".encode() not in self.ask(f"/absent/{number}", 404):
            raise WrongAnswerError(f"{self.user} asked for absent {number}, and was told of another")


def together(jobs):
    """Run each job in a thread of its own to its end; raises what one of them raised."""
    errors = []

    def run(job):
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def visitors(port, number, prefix=""):
    """Return visitors who have signed in, each under a name of its own."""
    return [Visitor(port, f"visitor-{at}{prefix.replace('/', '-')}", prefix=prefix) for at in range(number)]


def kill_a_worker(visitor):
    """End the worker that answers, at once, with what it has in hand."""
    os.kill(visitor.state()["worker"], signal.SIGKILL)


def load(crowd, requests, shakes=()):
    """Have each visitor make so many requests or more, all at once; raises what one of them found wrong.

    Args:
        crowd: The visitors.
        requests: How many each of them makes at least.
        shakes: What is done to the server meanwhile, so that a new worker comes: functions of a visitor.
    """
    done = threading.Event()

    def lead(visitor):
        try:
            for _ in range(requests):
                visitor.visit()
            for shake in shakes:
                known = set().union(*(other.workers for other in crowd))
                shake(visitor)
                visitor.wait_for_another_worker(known)
        finally:
            done.set()

    def follow(visitor):
        for number in itertools.count():
            if number >= requests and done.is_set():
                return
            visitor.visit()

    first, *rest = crowd
    together([lambda: lead(first), *(lambda visitor=visitor: follow(visitor) for visitor in rest)])
