"""Is memory flat? By Theil and Sen's slope: the median of the slopes between all pairs of samples.

Sen, P. K.: Estimates of the regression coefficient based on Kendall's tau. Journal of the American
Statistical Association 63 (1968). Unlike least squares it is not moved by the dips of a `clear` or by a
single spike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

#: Samples that are compared with each other, at most: pairs grow with the square.
SAMPLES = 600
#: Less than this many seconds tell nothing: a new process takes that long to settle.
SHORTEST = 60
MEBIBYTE = 1 << 20
#: What memory may grow by over the time that is judged: this share of it, or this many bytes.
SHARE, LEAST = 0.02, MEBIBYTE


@dataclass(frozen=True)
class Verdict:
    """What became of one process's memory.

    Attributes:
        median: resident bytes, the median of the time that was judged.
        growth: bytes that the slope makes of that time.
        allowed: bytes that it may make.
        flat: whether it kept to that; None if the time was too short to tell.
    """

    median: float
    growth: float
    allowed: float
    flat: bool | None


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of points (time, value) in order of time."""
    thinned = points[:: -(-len(points) // SAMPLES) or 1]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(thinned, 2) if b[0] > a[0]]
    return median(slopes) if slopes else 0.0


def judge(points: Sequence[tuple[float, float]]) -> Verdict:
    """Judge the memory of a process whose cache has been full for a while, so has no growth of its own."""
    seconds = points[-1][0] - points[0][0]
    middle = median(value for _, value in points)
    growth, allowed = slope(points) * seconds, max(SHARE * middle, LEAST)
    return Verdict(middle, growth, allowed, growth <= allowed if seconds >= SHORTEST else None)
