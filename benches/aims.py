"""What the figures are aimed at, beside what this run measured."""

from collections.abc import Callable
from dataclasses import dataclass

from apart import EMPTY as EMPTY_METHOD
from memo import ALONE, COALESCED
from memo import LRU_HIT as LRU_CALL
from processes import BEYOND, EMPTY, FULL, READ_FULL
from report import Table, columns, times
from sites import BOTH
from views import LRU_HIT
from workloads import NOP1

RUST, SIMPLE = "RustCache", "SimpleCache"
LRU, TTL = "cachebox LRUCache", "cachebox TTLCache"
FIRST = ", first hit"
Tables = dict[str, Table]


@dataclass(frozen=True)
class Aim:
    """One aim: a ratio and the side of the bound it has to be on.

    Attributes:
        what: the aim in words.
        measured: takes the ratio from the tables; None if a part of it was not measured.
        bound: the ratio aimed at.
        at_least: True if more is better.
    """

    what: str
    measured: Callable[[Tables], float | None]
    bound: float
    at_least: bool = True


def between(key: str, above: str, below: str) -> Callable[[Tables], float | None]:
    """Return the ratio of two rows of one table."""
    return lambda tables: tables[key].ratio(above, below) if key in tables else None


def of(key: str, name: str) -> Callable[[Tables], float | None]:
    """Return the figure of one row, in a table whose unit is a ratio."""
    return lambda tables: tables[key].median(name) if key in tables else None


def growth(tables: Tables, name: str) -> float | None:
    """Return how much more P3 costs at 1,000,000 entries than at 500."""
    small, large = tables.get("P3@500"), tables.get("P3@1000000")
    before, after = (table.median(name) if table else None for table in (small, large))
    return None if after is None or not before else after / before


def growth_beside_lru(tables: Tables) -> float | None:
    """Return the growth of P3 as a share of what cachebox's LRUCache shows."""
    ours, theirs = growth(tables, RUST), growth(tables, LRU)
    return None if ours is None or theirs is None else ours / theirs


AIMS = (
    Aim("P1: times faster than SimpleCache", between("P1", SIMPLE, RUST), 8),
    Aim("P1: times an empty native method", between("P1", RUST, NOP1), 1.6, at_least=False),
    Aim("an empty native method over get, 2 threads", between("apart-1", EMPTY_METHOD, RUST), 0.8),
    Aim("the same, 100 keys each", between("apart-100", EMPTY_METHOD, RUST), 0.8),
    Aim("P1: ahead of cachebox's TTLCache", between("P1", TTL, RUST), 1),
    Aim("P2: times faster than SimpleCache", between("P2", SIMPLE, RUST), 10),
    Aim("P3: times faster than SimpleCache", between("P3", SIMPLE, RUST), 300),
    Aim("P3b: times faster than SimpleCache", between("P3b", SIMPLE, RUST), 7_000),
    Aim("P4: times faster than Flask-Caching", between("P4", SIMPLE, BOTH), 75),
    Aim("P4: times a lru_cache hit", between("P4", BOTH, LRU_HIT), 4, at_least=False),
    Aim("P5: times faster than Flask-Caching", between("P5", SIMPLE, BOTH), 12),
    Aim("P6: times faster than Flask-Caching", between("P6", SIMPLE, BOTH), 340),
    Aim("P6: times a lru_cache hit", between("P6", BOTH, LRU_CALL), 2.3, at_least=False),
    Aim("P7, hot: times faster than SimpleCache", between("P7", SIMPLE, RUST), 4.5),
    Aim("P8, hot: times faster than SimpleCache", between("P8", SIMPLE, RUST), 2),
    Aim("P8, first hit: no slower", between("P8", SIMPLE + FIRST, RUST + FIRST), 1),
    Aim("P8-10k, hot: no slower", between("P8-10k", SIMPLE, RUST), 1),
    Aim("P8-10k, first hit: no slower", between("P8-10k", SIMPLE + FIRST, RUST + FIRST), 1),
    Aim("P9: times faster than Flask-Caching", between("P9", SIMPLE, BOTH), 7),
    Aim("P11: times faster than Flask-Caching", between("P11", SIMPLE, BOTH), 8),
    Aim("32 callers of a cold view, in the view's time", of("crowd-view", BOTH), 1.2, False),
    Aim("the same of a memoized function", of("crowd-memoize", BOTH), 1.2, False),
    Aim("a view's hit, fills on over off", between("fills-view", COALESCED, ALONE), 1.05, False),
    Aim("a memoized hit, fills on over off", between("fills-memoize", COALESCED, ALONE), 1.05, False),
    Aim("memory of a str over SimpleCache's", between("memory-str", RUST, SIMPLE), 1, False),
    Aim("memory of a P8 list, never read", between("memory-lists", RUST, SIMPLE), 1.2, False),
    Aim("the same, hit, beyond the prototype budget", between("memory-lists", BEYOND, SIMPLE), 1.2, False),
    Aim("P3 at 1,000,000 over P3 at 500", lambda tables: growth(tables, RUST), 5, False),
    Aim("that growth over cachebox LRUCache's", growth_beside_lru, 1, False),
    Aim("gc.collect() full over empty", between("gc", RUST + FULL, EMPTY), 1.1, False),
    Aim("the same after two hits each", between("gc", RUST + READ_FULL, EMPTY), 1.1, False),
)


def judge(tables: Tables) -> list[dict[str, str]]:
    """Return each aim with its bound, this run's figure, and met, missed or not measured."""
    verdicts = []
    for aim in AIMS:
        ratio = aim.measured(tables)
        met = ratio is not None and (ratio >= aim.bound if aim.at_least else ratio <= aim.bound)
        verdict = "not measured" if ratio is None else "met" if met else "MISSED"
        bound = f"{'>=' if aim.at_least else '<='} {aim.bound:,g}x"
        told = {"aim": aim.what, "bound": bound, "measured": times(ratio), "verdict": verdict}
        verdicts.append(told)
    return verdicts


def render(tables: Tables) -> str:
    """Return the aims of this run as text."""
    head = ["aim", "bound", "measured", ""]
    lines = [list(verdict.values()) for verdict in judge(tables)]
    return "aims, judged by this run alone\n" + columns(head, lines, left={0, 3}) + "\n"
