"""The crowd: many threads ask for one cold key at once, and all wait for its value."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import peers
from contestants import LIFETIME
from measure import Lane, Row, Settings, interleave
from report import Table
from sites import Setup, application, setups
from threads import together
from workloads import Field, WrongAnswerError

CALLERS = 32
# Seconds that the function takes: long beside what starting the threads takes.
WAITING, COMPUTING, QUICK = 0.2, 0.02, 0.005
REPEATS = 5
UNIT = "times the function's own time"


def wait(seconds: float) -> None:
    """Wait, as for a database that serves any number of callers side by side."""
    time.sleep(seconds)


def compute(seconds: float) -> None:
    """Spend about that much processor time in Python, where one thread runs at a time."""
    # Counted, not timed: others' turns must not pass for work. This many take about a second.
    for _ in range(int(seconds * 140_000_000)):
        pass


@dataclass
class Work:
    """The function that is cached.

    Attributes:
        spend: takes about the given time.
        seconds: how long that is.
        runs: the argument of each time that it ran.
    """

    spend: Callable[[float], None]
    seconds: float
    runs: list[int] = field(default_factory=list)

    def __call__(self, number: int) -> str:
        """Return the value of a number, after a while."""
        self.runs.append(number)
        self.spend(self.seconds)
        return f"answer {number}"

    def alone(self) -> float:
        """Return the median time that one call takes by itself, nanoseconds."""
        taken = []
        for number in range(REPEATS):
            start = time.perf_counter_ns()
            self(number)
            taken.append(time.perf_counter_ns() - start)
        return statistics.median(taken)


@dataclass(frozen=True)
class Crowd:
    """One contestant and its own copy of the function.

    Attributes:
        name: as shown in the tables.
        work: the function that is cached.
        caller: makes one of the callers for a number, with all that it needs to call at once.
    """

    name: str
    work: Work
    caller: Callable[[int], Callable[[], str]]

    def lane(self) -> Lane:
        """Return the lane whose samples are crowds, each for a key that nobody asked for before."""
        fresh = count()

        def run(_ops: int) -> float:
            number = next(fresh)
            callers = [self.caller(number) for _ in range(CALLERS)]
            answers: list[str] = []
            taken = together(lambda at: answers.append(callers[at]()), CALLERS)
            if answers != [f"answer {number}"] * CALLERS:
                raise WrongAnswerError(f"{self.name}: gave {answers!r:.80}")
            return taken

        return Lane(self.name, run, ops=1)

    def note(self) -> str:
        """Return how often the function ran for one crowd, the median."""
        times = statistics.median_high(self.work.runs.count(number) for number in set(self.work.runs))
        return f"ran {times:g} times for {CALLERS} callers" if times > 1 else "ran once"


def within(context: AbstractContextManager[object], call: Callable[[], str]) -> str:
    """Return what a call answers in a context."""
    with context:
        return call()


def view_crowd(setup: Setup, work: Work) -> Crowd:
    """Return the crowd before a cached view, each caller in a request of its own."""
    app, cache = application(setup)

    @app.get("/api/stocks/<int:number>")
    @cache.cached(LIFETIME)
    def stocks(number: int) -> str:
        return work(number)

    def caller(number: int) -> Callable[[], str]:
        context = app.test_request_context(f"/api/stocks/{number}")
        return partial(within, context, partial(stocks, number=number))

    return Crowd(setup.name, work, caller)


def memoized_crowd(setup: Setup, work: Work) -> Crowd:
    """Return the crowd before a memoized function."""
    app, cache = application(setup)

    @cache.memoize(LIFETIME)
    def function(number: int) -> str:
        return work(number)

    def caller(number: int) -> Callable[[], str]:
        return partial(within, app.app_context(), partial(function, number))

    return Crowd(setup.name, work, caller)


def peer_crowd(peer: peers.Peer, work: Work) -> Crowd:
    """Return the crowd before a plain function with a peer's decorator."""

    def function(number: int) -> str:
        return work(number)

    return Crowd(peer.name, work, partial(partial, peer.decorate(function)))


@dataclass(frozen=True)
class Kind:
    """One table of crowds.

    Attributes:
        key: the table's short name.
        title: what is asked for.
        make: makes the crowd of a setup.
        spend: what the function does for a while.
        seconds: how long that is.
    """

    key: str
    title: str
    make: Callable[[Setup, Work], Crowd]
    spend: Callable[[float], None]
    seconds: float

    def shortened(self, quick: bool) -> "Kind":
        """Return this kind, its function quick if that is asked for."""
        return replace(self, seconds=min(self.seconds, QUICK)) if quick else self

    def crowds(self, field: Field) -> list[Crowd]:
        """Return the crowds of every setup, and of every peer on a plain function."""
        ours = [self.make(setup, self.work()) for setup in setups(field)]
        found = peers.present(field, peers.COALESCING)
        return ours + [peer_crowd(peer, self.work()) for peer in found]

    def work(self) -> Work:
        """Return a new function to cache."""
        return Work(self.spend, self.seconds)


KINDS = (
    Kind("crowd-view", "a cached view that waits", view_crowd, wait, WAITING),
    Kind("crowd-memoize", "a memoized function that waits", memoized_crowd, wait, WAITING),
    Kind("crowd-busy", "a cached view that computes", view_crowd, compute, COMPUTING),
)


def measured(crowds: list[Crowd], settings: Settings, own: float) -> list[Row]:
    """Return a row per crowd, in times of the function's own time, noting how often it ran."""
    settings = replace(settings, repeats=min(REPEATS, settings.repeats))
    rows = interleave([crowd.lane() for crowd in crowds], settings)
    for row, crowd in zip(rows, crowds, strict=True):
        row.samples = [sample / own for sample in row.samples]
        row.note = crowd.note()
    return rows


def crowds(field: Field) -> Iterator[Table]:
    """Measure crowds before cached views and a memoized function, the peers beside each."""
    for kind in KINDS:
        case = kind.shortened(field.settings.quick)
        own = case.work().alone()
        rows = measured(case.crowds(field), field.settings, own)
        table = Table(kind.key, f"{CALLERS} threads at once, {kind.title}", UNIT, rows)
        table.remarks.append(f"until the last has its answer; the function's own time is {own / 1e6:.1f} ms")
        if kind.spend is wait:
            table.remarks.append("callers that each run it wait side by side: the database bears that load")
        yield table
