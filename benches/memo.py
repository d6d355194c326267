"""P6 and fills: hits of memoized functions, and what being ready to wait costs a hit."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import peers
import values
from contestants import LIFETIME
from flask import Flask
from measure import Lane, compile_loop, cycling
from report import Table
from sites import BOTH, CHECKS, PATH, Setup, application, inside, setups
from workloads import Field, WrongAnswerError, empty_loop, tabulate

LRU_HIT = 'lru_cache hit, (1, "a")'
CALL = 'c(1, "a")'
ALONE, COALESCED = "single_flight=False", "single_flight=True"


def answer(number: int, letter: str) -> str:
    """Return the memoized function's value: a str of 200 characters."""
    return letter + values.text(number)[1:]


def memoized(cache: Any, app: Flask, **options: Any) -> Callable[..., str]:
    """Return a memoized function that is known to answer right; `options` are those of `memoize`.

    Raises:
        WrongAnswerError: an answer is wrong, or a call of known arguments is no hit.
    """
    runs: list[str] = []

    def compute(number: int, letter: str) -> str:
        runs.append(letter)
        return answer(number, letter)

    # So that two of them are two functions to the cache, not one decorated twice.
    compute.__qualname__ += str(options)
    function: Callable[..., str] = cache.memoize(LIFETIME, **options)(compute)
    with app.app_context():
        for letter in "ab" * CHECKS:
            if function(1, letter) != answer(1, letter):
                raise WrongAnswerError(f"{type(cache).__module__}: (1, {letter!r}) is wrong")
    if runs != ["a", "b"]:
        raise WrongAnswerError(f"{type(cache).__module__}: the function ran {len(runs)} times")
    return function


def memoized_lane(setup: Setup, rounds: list[str]) -> Lane:
    """Return the lane of one setup's memoized function."""
    app, cache = application(setup)
    function = memoized(cache, app)
    run = cycling(compile_loop(CALL), function, rounds, None, None)
    return Lane(setup.name, inside(app.app_context, run), f"{setup.front}.Cache")


def calls(field: Field) -> Table:
    """P6: hits of a memoized `f(1, "a")` that returns a 200-character str."""
    # Not used by the call: a long inner loop costs the least.
    rounds = values.keys(400)
    lanes = [empty_loop(rounds), *(memoized_lane(setup, rounds) for setup in setups(field))]
    for peer in (*peers.present(field), peers.LRU):
        function = peers.checked(peer, answer, 1, "a")
        name = LRU_HIT if peer is peers.LRU else peer.name
        lanes.append(Lane(name, cycling(compile_loop(CALL), function, rounds, None, None), peer.note))
    return tabulate("P6", 'memoize, f(1, "a"), hit, a 200-character str', lanes, field, LRU_HIT)


def view_lane(site: tuple[Flask, Any], single_flight: bool, rounds: list[str]) -> Lane:
    """Return the lane that calls a cached view of a site, with fills on or off.

    Raises:
        WrongAnswerError: an answer is wrong.
    """
    app, cache = site

    def request() -> AbstractContextManager[Any]:
        return app.test_request_context(PATH)

    view = cache.cached(LIFETIME, single_flight=single_flight)(lambda: values.text(0))
    with request():
        if [view() for _ in range(CHECKS)] != [values.text(0)] * CHECKS:
            raise WrongAnswerError(f"a view with {single_flight=} is wrong")
    run = cycling(compile_loop("c()"), view, rounds, None, None)
    return Lane(COALESCED if single_flight else ALONE, inside(request, run))


def function_lane(site: tuple[Flask, Any], single_flight: bool, rounds: list[str]) -> Lane:
    """Return the lane that calls a memoized function of a site, with fills on or off."""
    function = memoized(site[1], site[0], single_flight=single_flight)
    run = cycling(compile_loop(CALL), function, rounds, None, None)
    return Lane(COALESCED if single_flight else ALONE, inside(site[0].app_context, run))


def fills(field: Field) -> Iterator[Table]:
    """Measure hits with fills on against hits with fills off, of a view and of a memoized function."""
    ours = next((setup for setup in setups(field) if setup.name == BOTH), None)
    if ours is None:
        return
    # One application, and of the views one entry: whatever differs is the fills.
    site = application(ours)
    kinds = {"view": (view_lane, "cached view, hit")}
    if "single_flight" in inspect.signature(site[1].memoize).parameters:
        kinds["memoize"] = function_lane, 'memoize, f(1, "a"), hit'
    rounds = values.keys(400)
    for kind, (lane, title) in kinds.items():
        lanes = [empty_loop(rounds), *(lane(site, single, rounds) for single in (False, True))]
        table = tabulate(f"fills-{kind}", f"{title}, ready to wait or not", lanes, field, ALONE)
        table.reference = ALONE
        yield table
