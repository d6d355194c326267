"""Trap B6: what decorated functions take they give back, however a call ends; see `test_references.py`."""

import itertools
import logging
import threading
from contextlib import suppress

import pytest
from werkzeug.exceptions import NotFound

from ._apps import build
from ._child import FREE_THREADED, in_child
from ._references import check_all, response
from ._traps import BoomError

pytestmark = pytest.mark.skipif(
    FREE_THREADED, reason="without a global lock CPython gives blocks back, and counts references, later"
)


class StopError(BaseException):
    pass


def of_views():
    """Requests of views: hits, misses, errors, what is not cached, fills that end in each of the ways."""
    app, cache, _ = build(CACHE_MAX_BYTES=50_000)
    backend = next(iter(app.extensions["cache"].values()))
    raised = itertools.cycle([None, BoomError, StopError, NotFound])

    @app.get("/plain/<name>")
    @cache.cached(10, query_string=True)
    def plain(name):
        return {"name": name, "parts": [[1], [2]]}

    @app.get("/body")
    @cache.cached(10, unless=lambda: False, response_filter=lambda made: True)
    def body():
        return response()

    @cache.cached(10, key_prefix="odd", cache_none=True)
    def odd():
        if error := next(raised):
            raise error

    @cache.cached(10, key_prefix="late")
    def late():
        cache.delete("late")
        return ["late"]

    @cache.cached(10, key_prefix="large", tags=lambda: ["tag"])
    def large():
        return "x" * 100_000

    client = app.test_client()

    def play():
        for path in ("/plain/a", "/plain/a?q=1", "/plain/a?q=1", "/body", "/body", "/absent"):
            client.get(path)
        with app.app_context():
            for _ in range(4):
                with suppress(BoomError, StopError, NotFound):
                    odd()
            late(), large(), backend.delete_tag("tag")
            backend.get("odd")
        app.cache_clock.advance(11)
        backend.clear()

    return play


def of_functions():
    """Calls of memoized functions and methods, and all ways to forget them."""
    app, cache, _ = build()

    class Shop:
        def __init__(self, number):
            self.number = number

        def __repr__(self):
            return f"Shop {self.number}"

        @cache.memoize(10)
        def price(self, name, *more, factor=1):
            return [self.number, name, more, factor]

    @cache.memoize(10)
    def double(number, default=()):
        if number is None:
            raise BoomError
        return {"double": [number, number]}

    def play():
        with app.app_context():
            for number in (1, 2, "three", 4.5, (1, "a"), dict):
                double(number), double(number), double(number, default=(1,))
            with suppress(BoomError):
                double(None)
            one, two = Shop(1), Shop(2)
            for shop in (one, two, one):
                shop.price("a"), shop.price("a", 1, factor=[2])
            cache.delete_memoized(double, 1)
            cache.delete_memoized(one.price)
            cache.delete_memoized(Shop.price)
            double.delete_memoized()
            app.cache_clock.advance(11)
            cache.clear()

    return play


def of_crowds():
    """Three threads that ask for one key at once: stored, not stored, raised, taken back meanwhile."""
    app, cache, _ = build(CACHE_FILL_TIMEOUT=20)
    kinds = itertools.cycle(["stored", "none", "raised", "deleted"])
    state = {}

    @cache.cached(10, key_prefix="crowd")
    def page():
        kind = state["kind"]
        if kind == "deleted":
            cache.delete("crowd")
        if kind == "raised":
            raise BoomError
        return None if kind == "none" else [kind]

    def call(barrier):
        with app.app_context(), suppress(BoomError):
            barrier.wait()
            page()

    def play():
        state["kind"] = next(kinds)
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=call, args=(barrier,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with app.app_context():
            cache.clear()

    return play


@in_child
def test_decorated_functions():
    """B6: requests, memoized calls and crowds; hits, misses, errors and late fills."""
    # That a value is refused is said once.
    logging.disable()
    check_all({"views": of_views, "functions": of_functions, "crowds": of_crowds})
