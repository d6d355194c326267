"""Looks at the server from time to time: its processes' memory, its workers' counters."""

import json
from contextlib import suppress
from pathlib import Path

from _servers import Server
from _visitors import Visitor
from record import Counters, Memory, Record

PAGES = 4


class Watch:
    """One who looks.

    Args:
        server: the server.
        record: where what is seen is noted.
    """

    def __init__(self, server: Server, record: Record) -> None:
        """Introduces itself to the server."""
        self.record = record
        self.master = record.master = server.process.pid
        self.visitor = Visitor(server.port, "watch")

    def sample(self) -> None:
        """Note the memory of every process, and the counters of the workers that answer."""
        at = self.record.now()
        for process in [self.master, *children(self.master)]:
            # It may have ended since it was listed.
            with suppress(OSError, KeyError):
                self.record.memory.append(Memory(at, process, resident(process)))
        seen = {}
        try:
            # Whichever worker answers: some tries see all of them, mostly.
            for _ in range(PAGES):
                state = json.loads(self.visitor.ask("/state"))
                seen[state["worker"]] = state["stats"]
        except Exception as error:
            self.record.errors.append((at, f"{type(error).__name__}: {error}"))
        self.record.counters.extend(Counters(at, worker, stats) for worker, stats in seen.items())


def children(process: int) -> list[int]:
    """Return the processes that a process has started and that are still there."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in listed.split()]


def resident(process: int) -> int:
    """Return the resident bytes of a process.

    Raises:
        OSError: there is no such process any more.
        KeyError: it has ended, and is only listed yet.
    """
    status = Path(f"/proc/{process}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024
