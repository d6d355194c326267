"""The expensive computation: everything the API tells about the companies.

Plain Python, no network, and the same result on every run: chance comes from generators seeded
with the company's symbol.
"""

from itertools import combinations
from random import Random

from stocks import bootstrap, portfolios
from stocks.measures import (
    correlation,
    drawdowns,
    factors,
    growth,
    moving_average,
    volatility,
)
from stocks.prices import load

WINDOWS = (3, 12)


def report():
    """Analyse all companies and their portfolios.

    Returns:
        dict: `companies` by symbol, their `correlations`, and `portfolios`; only dicts with str
        keys, lists, str, int, float and None, so that it is JSON as it stands. Growth, volatility
        and drawdown are fractions (0.1 is ten percent), the first two per year.

    Raises:
        OSError: the prices cannot be read.
        importlib.metadata.PackageNotFoundError: `vega_datasets` is not installed.
    """
    prices = load()
    shared = shared_factors(prices)
    return {
        "companies": {symbol: company(symbol, series) for symbol, series in prices.items()},
        "correlations": correlations(shared),
        "portfolios": portfolios.grid(shared),
    }


def company(symbol, series):
    """Analyse one company.

    Args:
        symbol (str): its symbol, which seeds its random generator.
        series (dict[str, float]): its prices in US dollars by month, oldest first.

    Returns:
        dict: `history` month by month, the measures of the whole time, their `confidence` bands
        and the `outlook`.
    """
    steps = factors(series.values())
    rng = Random(f"stocks/{symbol}")
    return {
        "months": len(series),
        "growth": round(growth(steps), 6),
        "volatility": round(volatility(steps), 6),
        "max_drawdown": deepest(series),
        "confidence": bootstrap.confidence(steps, rng),
        "outlook": bootstrap.outlook(steps, rng),
        "history": history(series),
    }


def history(series):
    """List what is known of each month.

    Args:
        series (dict[str, float]): prices by month, oldest first.

    Returns:
        list[dict]: `month`, `price`, `drawdown`, and one `average_N` for each of `WINDOWS`,
        None while there are fewer than N months.
    """
    values = list(series.values())
    columns = {"month": list(series), "price": values, "drawdown": rounded(drawdowns(values))}
    for window in WINDOWS:
        columns[f"average_{window}"] = rounded(moving_average(values, window))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def deepest(series):
    """Find the worst fall from a high.

    Args:
        series (dict[str, float]): prices by month, oldest first.

    Returns:
        dict: its `depth`, the month of its `peak` and of its `trough`, and the month that it was
        `recovered` by, or None if it was not.
    """
    months, values = list(series), list(series.values())
    falls = drawdowns(values)
    trough = falls.index(min(falls))
    peak = max(at for at in range(trough + 1) if falls[at] == 0)
    later = [at for at in range(trough, len(values)) if falls[at] == 0]
    return {
        "depth": round(falls[trough], 6),
        "peak": months[peak],
        "trough": months[trough],
        "recovered": months[later[0]] if later else None,
    }


def shared_factors(prices):
    """Cut all companies to the months that each of them has.

    Args:
        prices (dict[str, dict[str, float]]): prices by company and month.

    Returns:
        dict[str, list[float]]: monthly factors by company, over the same months.
    """
    months = sorted(set.intersection(*map(set, prices.values())))
    return {symbol: factors(series[month] for month in months) for symbol, series in prices.items()}


def correlations(steps):
    """Correlate each company with each other one.

    Args:
        steps (dict[str, list[float]]): monthly factors by company, over the same months.

    Returns:
        dict[str, dict[str, float]]: a symmetric table with ones on its diagonal.
    """
    table = {symbol: {symbol: 1.0} for symbol in steps}
    for left, right in combinations(steps, 2):
        table[left][right] = table[right][left] = round(correlation(steps[left], steps[right]), 6)
    return table


def rounded(values):
    """Round to what is worth sending.

    Args:
        values (Iterable[float | None]): numbers and gaps.

    Returns:
        list[float | None]: the numbers to six places, the gaps as they are.
    """
    return [value if value is None else round(value, 6) for value in values]
