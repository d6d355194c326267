"""Typical use, for type checkers: never run, and read by mypy and by pyright (``tests/test_typing.py``).

A line with ``type: ignore[...]`` and ``pyright: ignore[...]`` must be an error to both: the checkers report
a comment that silences nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any, assert_type

import flask_caching
from flask import Flask, Response
from flask.views import MethodView
from flask_rustcache import Cache, RustCache, cached, memoize

app = Flask(__name__)
cache = Cache(app, config={"CACHE_TYPE": "flask_rustcache.RustCache"})


# Parameters of the decorators.


def never() -> bool:
    return False


def old(value: object) -> bool:
    return value is None


@cache.cached(
    60,
    "front/%s",
    unless=never,
    forced_update=never,
    is_stale=old,
    response_filter=bool,
    query_string=True,
    cache_none=True,
    make_cache_key=lambda: "front",
    source_check=False,
    response_hit_indication=True,
    single_flight=False,
    tags=["front"],
)
def front() -> str:
    return ""


def tags_of(year: int, verbose: bool = False) -> list[str]:
    return [f"year {year}", str(verbose)]


@cache.memoize(
    timedelta(minutes=1),
    make_name=lambda name: name.lower(),
    unless=never,
    args_to_ignore=["verbose"],
    single_flight=True,
    tags=tags_of,
)
def report(year: int, verbose: bool = False) -> dict[str, int]:
    return {str(year): int(verbose)}


@cached(
    0.5,
    unless=never,
    forced_update=never,
    is_stale=old,
    response_filter=bool,
    query_string=True,
    cache_none=True,
    make_cache_key=lambda: "stocks",
    cache=cache,
    single_flight=None,
    tags={"stocks"},
)
def stocks() -> list[str]:
    return []


@memoize(timedelta(hours=1), args_to_ignore=["verbose"], cache=cache, cache_none=True, unless=never)
def rate(currency: str, *, verbose: bool = False) -> float:
    return float(currency) if verbose else 1.0


cache.cached(tags=[1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
cache.cached("soon")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
cache.memoize(60, arguments=[])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
cached(60, "stocks/%s")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
memoize(60, query_string=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
cached(60, cache=RustCache())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# Functions: the parameters and the result are the function's own.

assert_type(front(), str)
assert_type(report(2026), dict[str, int])
assert_type(report(year=2026, verbose=True), dict[str, int])
assert_type(stocks(), list[str])
assert_type(rate("EUR", verbose=True), float)

front(1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
report()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
report("2026")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report(2026, loud=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
rate("EUR", True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

as_argument: Callable[[int], dict[str, int]] = report
wrong: Callable[[str], float] = report  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


# Attributes.

assert_type(report.uncached(2026), dict[str, int])
assert_type(report.__wrapped__(2026), dict[str, int])
assert_type(report.__name__, str)
assert_type(front.make_cache_key(), str)
assert_type(report.make_cache_key(report.uncached, 2026), str)
report.uncached("2026")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
rate.uncached(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

timeout: int | timedelta | None = front.cache_timeout
seconds: float | timedelta | None = stocks.cache_timeout
front.cache_timeout = 0.25
report.cache_timeout = timedelta(days=1)
stocks.cache_timeout = None


def my_key(*_args: object, **_kwargs: object) -> str:
    return "mine"


front.make_cache_key = my_key
rate.make_cache_key = my_key
front.make_cache_key = len  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
front.nonsense  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018

report.delete_memoized()
rate.delete_memoized()
front.delete_memoized()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


# The package's own decorators add three methods; two of them take the arguments of a call.

assert_type(stocks.key(), str)
assert_type(rate.key("EUR", verbose=True), str)
assert_type(rate.delete("EUR"), bool)
rate.clear()
rate.key()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
rate.delete(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report.key(2026)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


# Methods: without `self` through an instance, with it through the class.


class Portfolio:
    @cache.cached(60)
    def value(self, currency: str) -> float:
        return rate(currency)

    @cache.memoize(60)
    def count(self, kind: str = "all") -> int:
        return len(kind)

    @cached(60)
    def names(self) -> list[str]:
        return []

    @memoize(60)
    def share(self, name: str, *, exact: bool = False) -> float:
        return float(exact) + len(name)

    def total(self) -> float:
        return self.value("EUR") + self.count() + self.share("A", exact=True)


mine = Portfolio()

assert_type(mine.value("EUR"), float)
assert_type(Portfolio.value(mine, "EUR"), float)
assert_type(mine.count(kind="bonds"), int)
assert_type(mine.names(), list[str])
assert_type(mine.share("A"), float)
assert_type(Portfolio.share(mine, "A", exact=True), float)
mine.value(mine, "EUR")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
mine.share(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Portfolio.count("bonds")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(mine.value.uncached(mine, "EUR"), float)
assert_type(mine.count.__wrapped__(mine, "EUR"), int)
assert_type(mine.value.make_cache_key(), str)
assert_type(mine.count.__name__, str)
bound_timeout: int | timedelta | None = mine.share.cache_timeout
mine.count.delete_memoized()
mine.share.delete_memoized()
mine.count.uncached("bonds")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(mine.share.key("A", exact=True), str)
assert_type(Portfolio.share.key(mine, "A"), str)
assert_type(mine.names.delete(), bool)
mine.names.clear()
mine.share.delete()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
mine.names.key("A")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

bound_as_argument: Callable[[str], float] = mine.value


# Views.


@app.get("/stocks/<name>")
@cache.cached(60)
def stock(name: str) -> Response:
    return app.make_response(name)


@app.get("/shares/<name>")
@cached(60, query_string=True)
def shares(name: str) -> dict[str, str]:
    return {"name": name}


class Stocks(MethodView):
    decorators = [cache.cached(60), cached(60)]  # noqa: RUF012

    @cache.cached(60)
    def get(self, name: str) -> str:
        return name


app.add_url_rule("/", view_func=cached(60)(front.uncached))
assert_type(stock("A"), Response)
assert_type(shares.key("A"), str)
assert_type(Stocks().get("A"), str)


# Functions whose result is not known keep their parameters.


@cache.cached(60)
def anything(number: int) -> Any:
    return number


@memoize(60)
def anything_keyed(number: int) -> Any:
    return number


assert_type(anything(1), Any)
assert_type(anything_keyed(1), Any)
anything("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
anything_keyed("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
anything_keyed.key("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# Generators keep their type, as in Flask-Caching, though what they yield comes back joined.


@cache.cached(60)
def lines() -> Iterator[str]:
    yield ""


@cached(60)
def lines_keyed() -> Iterator[str]:
    yield ""


assert_type(lines(), Iterator[str])
assert_type(lines_keyed(), Iterator[str])


# Async functions: the package's own decorators give the result, those of `Cache` Flask-Caching's coroutine.


class Feed:
    @cache.memoize(60)
    async def items(self, page: int) -> list[str]:
        return [str(page)]

    @memoize(60)
    async def items_keyed(self, page: int) -> list[str]:
        return [str(page)]


@app.get("/slow")
@cached(60)
async def slow() -> str:
    return ""


feed = Feed()
assert_type(slow(), str)
assert_type(slow.uncached(), Any)
assert_type(feed.items_keyed(1), list[str])
coroutine: Coroutine[Any, Any, list[str]] = feed.items(1)


async def awaits() -> None:
    await slow()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]


# Flask-Caching's `Cache` takes ours, and code typed for it does, too.

theirs: flask_caching.Cache = cache
theirs = flask_caching.Cache()
for either in (cache, theirs):
    either.delete_cached(front)
    either.delete_cached(mine.value, path="/stocks")
    either.delete_cached(stocks)
    either.delete_memoized(report)
    either.delete_memoized(report, 2026, verbose=True)
    either.delete_memoized(mine.count)
    either.delete_memoized(Portfolio.count, mine, "bonds")
    either.delete_memoized(rate)
    either.delete_memoized(mine.share)
    either.delete_memoized(feed.items_keyed)
    either.delete_memoized_verhash(report)
    either.delete_memoized(never)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def decorate(their_cache: flask_caching.Cache) -> None:
    @their_cache.memoize(60)
    def inner(number: int) -> int:
        return number

    assert_type(inner(1), int)


decorate(cache)


# Static and class methods. The lines that are errors run as they should: see `_typing.pyi` for why.


class Prices:
    @staticmethod
    @cache.memoize(60)
    def last(name: str) -> float:
        return float(name)

    @classmethod
    @cache.memoize(60)
    def first(cls, name: str) -> float:
        return float(name)

    @classmethod
    @memoize(60)
    def first_keyed(cls, name: str) -> float:
        return float(name)


assert_type(Prices.last("A"), float)
Prices.last.delete_memoized()
cache.delete_memoized(Prices.first, Prices, "A")
Prices().last("A")  # type: ignore[call-arg]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
Prices.first("A")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
Prices.first_keyed("A")  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
# The other order is an error at run time, and to the checkers.
cache.memoize(60)(classmethod(Prices.first.uncached))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
