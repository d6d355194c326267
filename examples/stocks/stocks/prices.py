"""Reads the prices: `stocks.csv` as the package `vega_datasets` ships it."""

import csv
from collections import defaultdict
from importlib.metadata import distribution
from pathlib import Path

# Spelled out, since `strptime("%b")` follows the machine's locale.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def price_file():
    """Find the installed data file.

    The package itself is not imported: that would load pandas, which takes longer than the
    whole analysis.

    Returns:
        pathlib.Path: the path of `stocks.csv`.

    Raises:
        importlib.metadata.PackageNotFoundError: `vega_datasets` is not installed.
    """
    return Path(distribution("vega_datasets").locate_file("vega_datasets/_data/stocks.csv"))


def month(text):
    """Turn a date of the file into a month that sorts as text.

    Args:
        text (str): a date such as "Mar 1 2010".

    Returns:
        str: the month, such as "2010-03".

    Raises:
        ValueError: `text` is not such a date.
    """
    name, _day, year = text.split()
    return f"{year}-{MONTHS.index(name) + 1:02}"


def load():
    """Read all prices.

    Returns:
        dict[str, dict[str, float]]: for each company's symbol its prices in US dollars by month,
        oldest first.

    Raises:
        OSError: the file cannot be read.
    """
    companies = defaultdict(dict)
    with price_file().open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            companies[row["symbol"]][month(row["date"])] = float(row["price"])
    return {symbol: dict(sorted(prices.items())) for symbol, prices in sorted(companies.items())}
