"""All that was seen during a run, by the clock of the run."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


class Request(NamedTuple):
    """When a request ended, and the seconds that it took."""

    at: float
    seconds: float


class Memory(NamedTuple):
    """The resident bytes of one process at a time."""

    at: float
    process: int
    resident: int


class Counters(NamedTuple):
    """What the cache of one worker said of itself."""

    at: float
    process: int
    stats: dict[str, int]


@dataclass
class Record:
    """Lists are only appended to, so that threads may do it.

    Attributes:
        seconds: how long the run is to be.
        rate: requests per second that were asked for.
        settings: the environment of the application.
        master: the process that starts the workers.
        lost: when a connection ended without an answer, and the request was repeated.
        errors: when something was wrong, and what.
        reloads: when the server was told to reload.
    """

    seconds: float
    rate: float
    settings: dict[str, str]
    master: int = 0
    requests: list[Request] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    counters: list[Counters] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)
    reloads: list[float] = field(default_factory=list)
    _began: float = 0

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self._began
