"""P4, P5, P9, P10 and P11: calls as an application makes them, through `Cache` and its decorator."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import peers
import values
from flask import Flask, Response
from measure import Lane, Run, compile_loop, cycling
from peers import Peer
from report import Table
from sites import PATH, Site, build, check_site, inside, setups, sites
from workloads import Field, WrongAnswerError, check_answers, cycling_lane, empty_loop, fill, tabulate

LRU = "lru_cache hit"
LRU_HIT = f"{LRU}, no arguments"
BARE, UNCACHED = "RustCache.get(k), as P1", "uncached, trivial body"
SEARCH = "symbol=AAPL&page=2"
# What a server does with an application for one request.
REQUEST = """\
answer = c(v.copy(), respond)
for _ in answer:
    pass
answer.close()"""


@dataclass(frozen=True)
class Page:
    """What is asked for in one table of hits.

    Attributes:
        key: the table's short name.
        title: what is done.
        body: makes what the view returns.
        query: the query string, which then is a part of the key; by default none.
    """

    key: str
    title: str
    body: Callable[[], Any]
    query: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a plain function is called with: it has no request to take the query from."""
        return (self.query,) if self.query else ()


def view_lane(site: Site, page: Page, rounds: list[str]) -> Lane:
    """Return the lane that calls a site's view in the context of one request."""
    with site.request(page.query):
        check_site(site, page.body(), site.view)
    run = cycling(compile_loop("c()"), site.view, rounds, None, None)
    return site.lane(inside(lambda: site.request(page.query), run))


def function_lanes(field: Field, page: Page, rounds: list[str]) -> list[Lane]:
    """Return the lanes of plain functions, cached by the peers' decorators and by lru_cache."""
    lanes = []
    for peer in (*peers.present(field), peers.LRU):
        memo = peers.checked(peer, lambda *query: page.body(), *page.arguments)
        body = "c(v)" if page.query else "c()"
        run = cycling(compile_loop(body), memo, rounds, page.query, None)
        name = f"{LRU}, {'the query' if page.query else 'no arguments'}" if peer is peers.LRU else peer.name
        lanes.append(Lane(name, run, peer.note))
    return lanes


def hits(field: Field, page: Page) -> Table:
    """Measure hits of a cached view, beside plain functions and the cheapest memo there is."""
    # Not used by the call: a long inner loop costs the least.
    rounds = values.keys(400)
    found = sites(field, page.body, query_string=bool(page.query))
    lanes = [empty_loop(rounds), *(view_lane(site, page, rounds) for site in found)]
    lanes += function_lanes(field, page, rounds)
    return tabulate(page.key, page.title, lanes, field, lanes[-1].name)


def text_view(field: Field) -> Table:
    """P4: hits of a `cached` view that returns a 200-character str."""
    page = Page("P4", "cached view, hit, a 200-character str", lambda: values.text(0))
    return hits(field, page)


def query_view(field: Field) -> Table:
    """P5: hits of a view `cached` by its query string, too, that returns a 200-character str."""
    title = f"cached(query_string=True) view, hit, ?{SEARCH}, a 200-character str"
    table = hits(field, Page("P5", title, lambda: values.text(0), SEARCH))
    table.remarks.append("one request for all calls, so its query is parsed once, for everyone who reads it")
    table.remarks.append("plain functions are given the query string as their argument")
    return table


def response_view(field: Field) -> Table:
    """P9: hits of a `cached` view that returns a Response of 200 characters."""
    title = "cached view, hit, a Response of 200 characters"
    page = Page("P9", title, lambda: Response(values.text(0), mimetype="text/plain"))
    table = hits(field, page)
    table.remarks.append(
        "by reference all visitors get one Response, with what was added to it for the first"
    )
    return table


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


def peer_lane(peer: Peer, body: Callable[[], Any]) -> Lane:
    """Return the lane of an application whose view is cached as the plain function it is."""
    app = Flask("peer")
    app.config["DEBUG"] = False
    app.add_url_rule(PATH, "stocks", peers.checked(peer, body))
    environ = environ_of(app)
    if reader(body)(ask(app, environ)) != body():
        raise WrongAnswerError(f"{peer.name}: wrong body")
    return Lane(peer.name, request_run(app), peer.note)


def reader(body: Callable[[], Any]) -> Callable[[bytes], Any]:
    """Return what makes the view's value of a request's answer."""
    return bytes.decode if isinstance(body(), str) else json.loads


def whole(field: Field, key: str, title: str, body: Callable[[], Any]) -> Table:
    """Measure whole requests for a cached view, beside a view that does nothing."""
    lanes = [empty_loop(values.keys(10))]
    read = reader(body)
    for site in sites(field, body):
        environ = environ_of(site.app)
        check_site(site, body(), lambda site=site, environ=environ: read(ask(site.app, environ)))
        lanes.append(site.lane(request_run(site.app)))
    lanes += [peer_lane(peer, body) for peer in (*peers.present(field), peers.LRU)]
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
    for site in (build(setup, lambda: "") for setup in setups(field)):
        with site.app.app_context():
            for key, value in wanted.items():
                site.cache.set(key, value)
            if wrong := [key for key, value in wanted.items() if site.cache.get(key) != value]:
                raise WrongAnswerError(f"{site.setup.name}: {wrong[0]!r} is wrong")
        run = cycling(compile_loop("c.get(k)"), site.cache, list(wanted), None, None)
        lanes.append(site.lane(inside(site.app.app_context, run)))
    lanes += bare_lane(field, wanted)
    return tabulate("P11", "cache.get(key) through the Cache object, 200-character str", lanes, field, BARE)
