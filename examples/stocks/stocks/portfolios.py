"""Every way to split money among the companies in steps of five percent."""

from itertools import combinations, pairwise
from operator import mul

from stocks.bootstrap import path
from stocks.measures import drawdowns, growth, volatility

PARTS = 20


def splits(count, parts):
    """List every way to hand `parts` equal parts to `count` takers.

    Args:
        count (int): how many takers, at least one.
        parts (int): how many parts.

    Yields:
        tuple[int, ...]: the parts of each taker; they add up to `parts`.
    """
    # Stars and bars: `count - 1` bars among `parts` stars, the gaps between them are the parts.
    places = parts + count - 1
    for bars in combinations(range(places), count - 1):
        yield tuple(right - left - 1 for left, right in pairwise((-1, *bars, places)))


def measure(weights, months):
    """Measure one portfolio that is set back to its weights each month.

    Args:
        weights (tuple[float, ...]): each company's share, adding up to 1.
        months (list[tuple[float, ...]]): for each month the companies' factors.

    Returns:
        dict: `weights`, and `growth`, `volatility`, `max_drawdown` as floats.
    """
    steps = [sum(map(mul, weights, month)) for month in months]
    return {
        "weights": weights,
        "growth": round(growth(steps), 6),
        "volatility": round(volatility(steps), 6),
        "max_drawdown": round(min(drawdowns(path(steps))), 6),
    }


def frontier(portfolios):
    """Keep the portfolios of which no calmer one grew as much.

    Args:
        portfolios (Iterable[dict]): what `measure` returned.

    Returns:
        list[dict]: the efficient ones, calmest first.
    """
    efficient = []
    for portfolio in sorted(portfolios, key=lambda one: (one["volatility"], -one["growth"])):
        if not efficient or portfolio["growth"] > efficient[-1]["growth"]:
            efficient.append(portfolio)
    return efficient


def grid(steps):
    """Measure all portfolios and pick those worth a look.

    Args:
        steps (dict[str, list[float]]): monthly factors by company, over the same months.

    Returns:
        dict: how many were `measured`; the `calmest`, the `steadiest` (smallest drawdown), the one
        with the `best_ratio` of growth to volatility, and the efficient `frontier`.
    """
    months = list(zip(*steps.values(), strict=True))
    measured = [measure(tuple(part / PARTS for part in split), months) for split in splits(len(steps), PARTS)]

    def named(portfolio):
        return portfolio | {"weights": dict(zip(steps, portfolio["weights"], strict=True))}

    return {
        "measured": len(measured),
        "calmest": named(min(measured, key=lambda one: one["volatility"])),
        "steadiest": named(max(measured, key=lambda one: one["max_drawdown"])),
        "best_ratio": named(max(measured, key=lambda one: one["growth"] / one["volatility"])),
        "frontier": [named(portfolio) for portfolio in frontier(measured)],
    }
