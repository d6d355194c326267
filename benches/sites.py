"""The applications that are measured: the same cached view, written in each way there is."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from contestants import LIFETIME
from flask import Flask, Response
from measure import Lane, Run
from workloads import Field, WrongAnswerError

SIMPLE, BACKEND_ONLY, BOTH = "SimpleCache", "RustCache, backend only", "RustCache, both"
PATH = "/api/stocks"
# Calls before the clock starts: one to store, the others to make what is called hot hot.
CHECKS = 4

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
OWN = Setup("RustCache, top-level", "flask_rustcache", "flask_rustcache.RustCache", "RustCache")
"""With the package's own `cached`, which finds the application's cache at each call."""


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
        decorator = "cached" if self.setup is OWN else "Cache"
        return Lane(self.setup.name, run, f"{self.setup.front}.{decorator}")

    def request(self, query: str = "") -> AbstractContextManager[Any]:
        """Return the context of a request for the view, by default with no query."""
        return self.app.test_request_context(PATH, query_string=query)


def setups(field: Field) -> list[Setup]:
    """Return the setups whose parts are installed."""
    present = {one.name for one in field.contestants}
    return [setup for setup in SETUPS if setup.needs in present]


def application(setup: Setup) -> tuple[Flask, Any]:
    """Return an application without views, and its `Cache` object."""
    app = Flask("site")
    # As in production, whatever FLASK_DEBUG says.
    app.config |= {"DEBUG": False, "CACHE_TYPE": setup.backend, "CACHE_DEFAULT_TIMEOUT": LIFETIME}
    return app, importlib.import_module(setup.front).Cache(app)


def build(setup: Setup, body: Callable[[], Any], **options: Any) -> Site:
    """Return a site whose view returns `body()`; `options` are those of `cached`."""
    app, cache = application(setup)
    decorate = importlib.import_module(setup.front).cached if setup is OWN else cache.cached
    runs: list[str] = []

    @app.get(PATH)
    @decorate(LIFETIME, **options)
    def stocks() -> Any:
        runs.append(PATH)
        return body()

    return Site(setup, app, cache, stocks, runs)


def sites(field: Field, body: Callable[[], Any], **options: Any) -> list[Site]:
    """Return a site for each setup whose parts are installed."""
    return [build(setup, body, **options) for setup in (*setups(field), *own(field))]


def own(field: Field) -> list[Setup]:
    """Return the setup of the package's own decorator, if that is installed."""
    return [OWN] if OWN.needs in {one.name for one in field.contestants} else []


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
