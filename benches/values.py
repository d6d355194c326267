"""The values the workloads cache, made fresh at each call so that nothing is shared by accident."""

import itertools
from collections.abc import Iterator
from typing import Any


def text(number: int) -> str:
    """Return a str of 200 characters that differs for each number."""
    return f"{number:<12}".ljust(200, "x")


def article(number: int) -> dict[str, Any]:
    """Return the dict of workload P7: an int, a str, a float and a list of str."""
    return {
        "id": number,
        "name": f"article {number}",
        "price": number * 1.25 + 0.99,
        "tags": ["new", "sale", "home"],
    }


def listing(number: int, length: int = 100) -> list[dict[str, Any]]:
    """Return the list of workload P8: `length` articles (default 100)."""
    return [article(number * length + place) for place in range(length)]


def keys(count: int, prefix: str = "view//api/stocks") -> list[str]:
    """Return `count` different keys shaped like Flask-Caching's own."""
    return [f"{prefix}/{number}" for number in range(count)]


def fresh_keys() -> Iterator[str]:
    """Yield keys for ever, none of them twice, none of them one of `keys`."""
    return (f"view//api/fresh/{number}" for number in itertools.count())
