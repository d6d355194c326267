"""Visitors who come at a steady rate, and do all that the application knows."""

import threading
import time

from _visitors import LIMIT, Visitor
from record import Record, Request

#: How often each kind of visit is made, of a thousand.
SHARES = {
    "page": 450,
    "search": 150,
    "profile": 150,
    "count": 80,
    "note": 80,
    "absent": 40,
    "broken": 40,
    "forget": 10,
}
#: What is removed, one of these at a time; everything is, too, but seldom.
REMOVALS = ("delete",) * 3 + ("memoized",) * 2 + ("tag",) * 2 + ("prefix",) * 2 + ("clear",)


class Guest(Visitor):
    """A visitor who also asks for what fails, and removes entries."""

    def visit(self) -> None:
        """Make one of the visits, chosen by their shares."""
        (name,) = self.random.choices(list(SHARES), list(SHARES.values()))
        getattr(self, name)()

    def broken(self) -> None:
        """Ask for a view that raises, and expect just its own error."""
        number = self.number()
        if self.ask(f"/broken/{number}", 500) != f"broken {number}".encode():
            raise AssertionError(f"{self.user} asked for broken {number}, and was told of another")

    def forget(self) -> None:
        """Have entries removed."""
        what = self.random.choice(REMOVALS)
        self.expect(f"/forget/{what}/{self.number()}", {"forgotten": what})


class Traffic:
    """Visitors, each in a thread.

    Args:
        port: where the server listens.
        visitors: how many there are.
        rate: requests per second of all of them.
        record: where what happens is noted.
    """

    def __init__(self, port: int, visitors: int, rate: float, record: Record) -> None:
        """Introduces the visitors to the server."""
        self.record = record
        self.pause = visitors / rate
        self.done = threading.Event()
        guests = [Guest(port, f"guest-{at}", lossy=True) for at in range(visitors)]
        self.threads = [threading.Thread(target=self.stay, args=(guest,)) for guest in guests]

    def start(self) -> None:
        """Let them begin."""
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Let them finish; notes who does not."""
        self.done.set()
        for thread in self.threads:
            thread.join(2 * LIMIT)
            if thread.is_alive():
                self.record.errors.append((self.record.now(), "a visitor hangs"))

    def stay(self, guest: Guest) -> None:
        """Visit at the visitor's own rate until the end; what goes wrong is noted."""
        due = time.monotonic()
        while not self.done.wait(max(0, due - time.monotonic())):
            # A late visitor does not make up for it all at once.
            due = max(due + self.pause, time.monotonic())
            lost, began = guest.lost, time.perf_counter()
            try:
                guest.visit()
            except Exception as error:
                self.record.errors.append((self.record.now(), f"{type(error).__name__}: {error}"))
            at = self.record.now()
            self.record.requests.append(Request(at, time.perf_counter() - began))
            self.record.lost.extend([at] * (guest.lost - lost))
