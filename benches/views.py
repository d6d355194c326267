"""P4, P9, P10 and P11: calls as an application makes them, through `Cache` and its decorator."""

import functools
import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import values
from contestants import LIFETIME
from flask import Flask, Response
from measure import Lane, Run, compile_loop, cycling
from report import Table
from workloads import Field, WrongAnswerError, check_answers, cycling_lane, empty_loop, fill, tabulate

SIMPLE, BACKEND_ONLY, BOTH = "SimpleCache", "RustCache, backend only", "RustCache, both"
LRU_HIT, BARE, UNCACHED = "lru_cache hit, no arguments", "RustCache.get(k), as P1", "uncached, trivial body"
PATH = "/api/stocks"
# Calls before the clock starts: one to store, the others to make what is called hot hot.
CHECKS = 4
# What a server does with an application for one request.
REQUEST = """\
answer = c(v.copy(), respond)
for _ in answer:
    pass
answer.close()"""

Context = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Setup:
    """One way to write an application.

    Attributes:
        name: as shown in the tables.
        front: module that `Cache` is imported from.
        backend: its `CACHE_TYPE`.
        needs: contestant without which there is no such setup.
    """

    name: str
    front: str
    backend: str
    needs: str


SETUPS = (
    Setup(SIMPLE, "flask_caching", "SimpleCache", "SimpleCache"),
    Setup(BACKEND_ONLY, "flask_caching", "flask_rustcache.RustCache", "RustCache"),
    Setup(BOTH, "flask_rustcache", "flask_rustcache.RustCache", "RustCache"),
)


@dataclass
class Site:
    """An application with one cached view.

    Attributes:
        setup: how it is written.
        app: the application; the view is at `PATH`.
        cache: its `Cache` object.
        view: the decorated view.
        runs: one item for each time that the view itself ran.
    """

    setup: Setup
    app: Flask
    cache: Any
    view: Callable[[], Any]
    runs: list[str]

    def lane(self, run: Run) -> Lane:
        """Return this site's lane."""
        return Lane(self.setup.name, run, f"{self.setup.front}.Cache")

    def request(self) -> AbstractContextManager[Any]:
        """Return the context of a request for the view."""
        return self.app.test_request_context(PATH)


def build(setup: Setup, body: Callable[[], Any]) -> Site:
    """Return a site whose view returns `body()`."""
    app = Flask("site")
    # As in production, whatever FLASK_DEBUG says.
    app.config |= {"DEBUG": False, "CACHE_TYPE": setup.backend, "CACHE_DEFAULT_TIMEOUT": LIFETIME}
    cache = importlib.import_module(setup.front).Cache(app)
    runs: list[str] = []

    @app.get(PATH)
    @cache.cached(LIFETIME)
    def stocks() -> Any:
        runs.append(PATH)
        return body()

    return Site(setup, app, cache, stocks, runs)


def sites(field: Field, body: Callable[[], Any]) -> list[Site]:
    """Return a site for each setup whose parts are installed."""
    present = {one.name for one in field.contestants}
    return [build(setup, body) for setup in SETUPS if setup.needs in present]


def plain(answer: Any) -> Any:
    """Return what can be compared: of a response its status, headers and body."""
    if isinstance(answer, Response):
        return answer.status, list(answer.headers), answer.get_data()
    return answer


def check_site(site: Site, wanted: Any, ask: Callable[[], Any]) -> None:
    """Raise WrongAnswerError unless every answer is right, its caller's own, and all but one are hits."""
    answers = [ask() for _ in range(CHECKS)]
    for answer in answers:
        if plain(answer) != plain(wanted):
            raise WrongAnswerError(f"{site.setup.name}: gave {plain(answer)!r:.80}")
    if isinstance(wanted, Response) and len(set(map(id, answers))) != CHECKS:
        raise WrongAnswerError(f"{site.setup.name}: a response is not isolated")
    if len(site.runs) != 1:
        raise WrongAnswerError(f"{site.setup.name}: the view ran {len(site.runs)} times")


def inside(context: Context, run: Run) -> Run:
    """Return a `Lane.run` in a context, which is entered before the clock starts."""

    def within(ops: int) -> float:
        with context():
            return run(ops)

    return within


def hits(field: Field, key: str, title: str, body: Callable[[], Any]) -> Table:
    """Measure calls of a cached view in a request context, beside the cheapest memo there is."""
    # Not used by the call: a long inner loop costs the least.
    rounds = values.keys(400)
    lanes = [empty_loop(rounds)]
    for site in sites(field, body):
        with site.request():
            check_site(site, body(), site.view)
        run = cycling(compile_loop("c()"), site.view, rounds, None, None)
        lanes.append(site.lane(inside(site.request, run)))
    memo = functools.lru_cache(body)
    floor = cycling(compile_loop("c()"), memo, rounds, None, None)
    lanes.append(Lane(LRU_HIT, floor, "by reference, no key, no expiry"))
    return tabulate(key, title, lanes, field, LRU_HIT)


def text_view(field: Field) -> Table:
    """P4: hits of a `cached` view that returns a 200-character str."""
    return hits(field, "P4", "cached view, hit, a 200-character str", lambda: values.text(0))


def response_view(field: Field) -> Table:
    """P9: hits of a `cached` view that returns a Response of 200 characters."""
    title = "cached view, hit, a Response of 200 characters"
    return hits(field, "P9", title, lambda: Response(values.text(0), mimetype="text/plain"))


def ask(app: Flask, environ: dict[str, Any]) -> bytes:
    """Return the body of one request, made as the timed ones are.

    Raises:
        WrongAnswerError: the status is not 200.
    """
    statuses: list[str] = []
    answer = app.wsgi_app(environ.copy(), lambda status, headers, error=None: statuses.append(status))
    body = b"".join(answer)
    answer.close()
    if statuses != ["200 OK"]:
        raise WrongAnswerError(f"a request ended with {statuses}")
    return body


def environ_of(app: Flask) -> dict[str, Any]:
    """Return the environ of a request for the view, as a server would prepare it."""
    with app.test_request_context(PATH) as context:
        environ = dict(context.request.environ)
    # The context's own request, which a server does not know.
    environ.pop("werkzeug.request", None)
    return environ


def request_run(app: Flask) -> Run:
    """Return a `Lane.run` that makes whole requests."""
    loop = compile_loop(REQUEST, respond=lambda status, headers, error=None: None)
    return cycling(loop, app.wsgi_app, values.keys(10), environ_of(app), None)


def uncached_lane() -> Lane:
    """Return the lane of an application without a cache, whose view returns two letters."""
    app = Flask("uncached")
    app.config["DEBUG"] = False
    app.get(PATH)(lambda: "ok")
    if ask(app, environ_of(app)) != b"ok":
        raise WrongAnswerError(f"{UNCACHED}: wrong body")
    return Lane(UNCACHED, request_run(app), "no cache in it")


def whole(field: Field, key: str, title: str, body: Callable[[], Any]) -> Table:
    """Measure whole requests for a cached view, beside a view that does nothing."""
    lanes = [empty_loop(values.keys(10))]
    for site in sites(field, body):
        environ, read = environ_of(site.app), bytes.decode if isinstance(body(), str) else json.loads
        check_site(site, body(), lambda site=site, environ=environ, read=read: read(ask(site.app, environ)))
        lanes.append(site.lane(request_run(site.app)))
    lanes.append(uncached_lane())
    return tabulate(key, title, lanes, field, UNCACHED)


def requests(field: Field) -> Iterator[Table]:
    """P10: whole requests through `app.wsgi_app`, a cached str and a cached list of dicts."""
    yield whole(field, "P10-str", "whole request, cached 200-character str", lambda: values.text(0))
    table = whole(field, "P10-list", "whole request, cached list of 100 dicts", lambda: values.listing(0))
    table.remarks.append("Flask writes the list as JSON at each request, for everyone but the floor")
    yield table


def bare_lane(field: Field, wanted: dict[str, str]) -> list[Lane]:
    """Return the lane of P1 on RustCache, with no `Cache` object before it; none if it is absent."""
    lanes = []
    for one in field.contestants:
        if one.name == "RustCache":
            cache = one.make(500)
            fill(one, cache, iter(wanted.items()))
            check_answers(one, cache, wanted)
            lane = cycling_lane(one, one.get, cache, list(wanted))
            lanes.append(Lane(BARE, lane.run, "no Cache object"))
    return lanes


def proxy(field: Field) -> Table:
    """P11: `cache.get(key)` through the `Cache` object, in an app context."""
    wanted = {key: values.text(number) for number, key in enumerate(values.keys(400))}
    lanes = [empty_loop(list(wanted))]
    for site in sites(field, lambda: ""):
        with site.app.app_context():
            for key, value in wanted.items():
                site.cache.set(key, value)
            if wrong := [key for key, value in wanted.items() if site.cache.get(key) != value]:
                raise WrongAnswerError(f"{site.setup.name}: {wrong[0]!r} is wrong")
        run = cycling(compile_loop("c.get(k)"), site.cache, list(wanted), None, None)
        lanes.append(site.lane(inside(site.app.app_context, run)))
    lanes += bare_lane(field, wanted)
    return tabulate("P11", "cache.get(key) through the Cache object, 200-character str", lanes, field, BARE)
