"""How sure the measures are: the block bootstrap.

The past is drawn again, with replacement, a few thousand times; what a measure does over those
histories shows how much of it was luck. Whole half-years are drawn, not single months: bad months
come in runs, and a drawdown is made of such a run. (Politis and Romano 1992, circular blocks.)
"""

from itertools import accumulate
from operator import mul

from stocks.measures import drawdowns, growth, volatility

RESAMPLES = 2_000
BLOCK = 6
HORIZON = 24
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95


def resample(steps, length, rng):
    """Draw one history that might as well have happened.

    Args:
        steps (list[float]): the monthly factors that did happen, at least `BLOCK` of them.
        length (int): how many months to draw.
        rng (random.Random): where chance comes from.

    Returns:
        list[float]: `length` factors, in blocks of `BLOCK` that follow each other in `steps`.
    """
    ring = steps + steps[: BLOCK - 1]
    starts = rng.choices(range(len(steps)), k=-(-length // BLOCK))
    return [step for start in starts for step in ring[start : start + BLOCK]][:length]


def band(values):
    """Find the range that nine in ten values fall into.

    Args:
        values (Iterable[float]): at least one value.

    Returns:
        dict[str, float]: the 5th, 50th and 95th percentile as `low`, `median` and `high`.
    """
    ordered = sorted(values)
    last = len(ordered) - 1
    low, median, high = (round(ordered[round(last * at)], 6) for at in (LOW, MIDDLE, HIGH))
    return {"low": low, "median": median, "high": high}


def confidence(steps, rng):
    """Put a confidence band around each measure of one company.

    Args:
        steps (list[float]): its monthly factors.
        rng (random.Random): where chance comes from.

    Returns:
        dict[str, dict[str, float]]: one band each for `growth`, `volatility`, `max_drawdown`.
    """
    histories = [resample(steps, len(steps), rng) for _ in range(RESAMPLES)]
    return {
        "growth": band(map(growth, histories)),
        "volatility": band(map(volatility, histories)),
        "max_drawdown": band(min(drawdowns(path(history))) for history in histories),
    }


def path(steps):
    """Follow what one dollar becomes.

    Args:
        steps (Iterable[float]): monthly factors.

    Returns:
        list[float]: its value at the start and after each month.
    """
    return list(accumulate(steps, mul, initial=1.0))


def outlook(steps, rng):
    """Say what one dollar may be worth in the next months, were they like the past.

    Args:
        steps (list[float]): the company's monthly factors.
        rng (random.Random): where chance comes from.

    Returns:
        list[dict[str, float]]: one band for each of the `HORIZON` months to come.
    """
    paths = [path(resample(steps, HORIZON, rng)) for _ in range(RESAMPLES)]
    _today, *months = zip(*paths, strict=True)
    return [band(values) for values in months]
