"""What is measured on one series of monthly prices.

Returns are kept as factors (1.02 for a gain of two percent), since factors multiply to a growth.
"""

from itertools import accumulate, pairwise
from math import fsum, prod, sqrt

MONTHS_A_YEAR = 12


def factors(values):
    """Tell by what each value was multiplied to become the next.

    Args:
        values (Iterable[float]): prices, oldest first.

    Returns:
        list[float]: one factor fewer than there are prices.
    """
    return [after / before for before, after in pairwise(values)]


def growth(steps):
    """Compute the growth per year that monthly factors amount to.

    Args:
        steps (Sequence[float]): monthly factors, at least one.

    Returns:
        float: the compound annual growth, 0.1 for ten percent.
    """
    return prod(steps) ** (MONTHS_A_YEAR / len(steps)) - 1


def volatility(steps):
    """Compute how far monthly factors scatter, scaled to a year.

    Args:
        steps (Sequence[float]): monthly factors, at least two.

    Returns:
        float: their sample standard deviation times the square root of 12.
    """
    mean = fsum(steps) / len(steps)
    squares = fsum([(step - mean) ** 2 for step in steps])
    return sqrt(squares / (len(steps) - 1) * MONTHS_A_YEAR)


def drawdowns(values):
    """Tell how far each value lies below the highest one up to it.

    Args:
        values (Sequence[float]): prices, oldest first.

    Returns:
        list[float]: 0.0 at a new high, -0.25 a quarter below the last one.
    """
    return [value / peak - 1 for value, peak in zip(values, accumulate(values, max), strict=True)]


def moving_average(values, window):
    """Average each value with those just before it.

    Args:
        values (Sequence[float]): prices, oldest first.
        window (int): how many values make one average.

    Returns:
        list[float | None]: one average per value, None where too few values came before.
    """
    full = [fsum(values[end - window : end]) / window for end in range(window, len(values) + 1)]
    return [None] * (len(values) - len(full)) + full


def correlation(left, right):
    """Compute Pearson's correlation of two series.

    Args:
        left (Sequence[float]): at least two values, not all equal.
        right (Sequence[float]): as many, not all equal.

    Returns:
        float: from -1 (opposite) to 1 (together).
    """
    left_mean, right_mean = fsum(left) / len(left), fsum(right) / len(right)
    lefts = [value - left_mean for value in left]
    rights = [value - right_mean for value in right]
    together = fsum([a * b for a, b in zip(lefts, rights, strict=True)])
    return together / sqrt(fsum([a * a for a in lefts]) * fsum([b * b for b in rights]))
