"""Visitors with sessions of their own send any request: each gets what an uncached application would answer.

Four applications with the same views are sent the same WSGI environments: one without a cache, ours bounded
in bytes, our backend under Flask-Caching's decorators, and SimpleCache. That ours answers as the first does
is all there is to show: nobody sees another's data, however it might come about. Responses marked as private
Flask-Caching hands to the next visitor (a written decision): they are compared with the uncached ones only.
"""

import io
from functools import lru_cache

import flask_caching
import flask_rustcache
from flask import Flask, Response, abort, jsonify, redirect, request, session
from itsdangerous import BadSignature

from .choices import Choices
from .watch import watched

STEPS = 15
MAX_BYTES = 20_000
USERS = ("alice", "bob", "carol")
PRIVATE = "/private"
METHODS = ["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "get", "", "\xff", "GET /", "X" * 200]
PATHS = [
    "/page/",
    "/search",
    "/mine",
    "/private",
    "/language",
    "/form",
    "/gone/",
    "/to/",
    "/json/",
    "/files/",
]
PATHS += [
    "/refused",
    "/deep/",
    "/private/cookie",
    "/",
    "//",
    "/page",
    "/search/",
    "",
    "/static/../mine",
    "/%70age/a",
]
NAMES = [
    "a",
    "b",
    "\xff\xfe",
    "\xc3\xa9",
    "a%2Fb",
    "%00",
    "\0",
    "..",
    "a/b",
    "x" * 3_000,
    "%s",
    " ",
    "a?b",
    ";",
    "\r\n",
]
QUERIES = [
    "",
    "a=1",
    "a=1&b=2",
    "b=2&a=1",
    "a=1&a=2",
    "a=2&a=1",
    "a",
    "=",
    "&&",
    "a=%ff",
    "a=%C3%A9",
    "a=+",
    "a=%20",
]
QUERIES += [
    "%61=1",
    "a=1;b=2",
    "a=1&b",
    "\xff=\xff",
    "a=" + "x" * 2_000,
    "user=bob",
    "a=%",
    "a=1&b=",
    "a[]=1",
    "a=1&A=1",
]
HEADERS = {
    "HTTP_HOST": [
        "localhost",
        "evil.example",
        "",
        "localhost:99999",
        "[::1]",
        "\xff",
        "a" * 300,
        "localhost, b",
        "@",
    ],
    "HTTP_ACCEPT_LANGUAGE": ["en", "de", "en,de;q=0.5", "", "\xff", "*", "x" * 500],
    "HTTP_RANGE": ["bytes=0-1", "bytes=-1", "bytes=5-2", "x", "bytes=0-0,2-3", "bytes=99999-"],
    "HTTP_IF_NONE_MATCH": ["*", '"a"', "W/", 'W/"x", "y"', "\xff"],
    "HTTP_IF_MODIFIED_SINCE": ["Thu, 01 Jan 1970 00:00:00 GMT", "x", "Thu, 01 Jan 99999 00:00:00 GMT"],
    "HTTP_ACCEPT_ENCODING": ["gzip", "identity;q=0", ""],
    "HTTP_X_FORWARDED_FOR": ["1.2.3.4", "alice"],
    "HTTP_TRANSFER_ENCODING": ["chunked", "gzip"],
    "HTTP_AUTHORIZATION": ["Basic YTpi", "Basic", "x", "\xff"],
    "HTTP_CACHE_CONTROL": ["no-cache", "max-age=0", "private"],
    "CONTENT_LENGTH": ["0", "-1", "5", "99999999999", "x", "", "\xb2", "1e3"],
    "CONTENT_TYPE": [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data; boundary=",
        "x;y=\xff",
    ],
    "SCRIPT_NAME": ["/app", "\xff", "/"],
    "wsgi.url_scheme": ["https", "", "x"],
    "SERVER_PROTOCOL": ["HTTP/1.0", "x"],
}


class Uncached:
    """What stands in for a cache: its decorators change nothing."""

    def cached(self, *args, **kwargs):
        return lambda view: view

    memoize = cached


def user():
    return session.get("user", "nobody")


def arguments():
    return str(sorted(request.args.items(multi=True)))


def per_user():
    return f"mine of {user()}"


def by_language():
    return "language " + repr(request.headers.get("Accept-Language"))


def by_body():
    return b"form " + request.get_data()[:5_000]


def add_public_views(app, cache):
    """Add views of what everybody may see; each depends on what its key is made of alone."""

    @app.route("/", defaults={"name": ""})
    @app.route("/page/<path:name>", methods=["GET", "POST"])
    @cache.cached(300)
    def page(name):
        return f"page {request.path} {name}", 200, {"X-Page": repr(name)[:50]}

    @app.route("/search", methods=["GET", "POST"])
    @cache.cached(300, query_string=True)
    def search():
        return Response(arguments(), 203, {"X-Count": str(len(request.args))})

    @app.route("/json/<name>")
    @cache.cached(300, query_string=True, source_check=True)
    def json(name):
        return jsonify(found=lookup(name, request.args.get("a"), deep=request.args.getlist("b")))

    @cache.memoize(300)
    def lookup(name, one=None, deep=()):
        return [name, one, list(deep)]

    @app.route("/gone/<name>")
    @cache.cached(300)
    def gone(name):
        abort(404, name)

    @app.route("/to/<path:name>")
    @cache.cached(300)
    def to(name):
        return redirect("/page/" + name)

    @app.route("/deep/<name>")
    @cache.cached(300)
    def deep(name):
        return {"name": [name, {"parts": [[part] for part in name[:50]]}]}

    @app.route("/files/<name>")
    @cache.cached(300)
    def files(name):
        return Response(("line of " + name + "\n") * 20, mimetype="text/plain")


def add_views_of_keys(app, cache):
    """Add views whose keys are made by functions, of the session and of the request."""

    @app.route("/mine", methods=["GET", "POST"])
    @cache.cached(300, key_prefix=per_user)
    def mine():
        return {"user": user(), "data": [user()] * 3}

    @app.route("/language")
    @cache.cached(300, key_prefix=by_language)
    def language():
        return by_language()

    @app.route("/form", methods=["POST", "PUT", "GET"])
    @cache.cached(300, make_cache_key=lambda *args, **kwargs: by_body().decode("latin1"))
    def form():
        return by_body()

    @app.route("/refused")
    @cache.cached(300, response_filter=lambda response: False)
    def refused():
        return f"refused to {user()}"


def add_private_views(app, cache):
    """Add views of what only one visitor may see, under keys that say nothing of him."""

    @app.route("/private")
    @cache.cached(300)
    def private():
        return Response(f"of {user()}", headers={"Cache-Control": "max-age=5, Private"})

    @app.route("/private/cookie")
    @cache.cached(300, query_string=True)
    def cookie():
        return f"for {user()}", {"Set-Cookie": f"name={user()}; Path=/"}


def make(cache_class=None, backend=None):
    """Make an application; without a class of caches, one that has none."""
    app = Flask("tests.fuzz.requests")
    app.config.update(SECRET_KEY="k", CACHE_MAX_BYTES=MAX_BYTES, MAX_CONTENT_LENGTH=100_000)
    if backend:
        app.config.update(CACHE_TYPE=backend)
    cache = cache_class(app) if cache_class else Uncached()
    add_public_views(app, cache)
    add_views_of_keys(app, cache)
    add_private_views(app, cache)

    @app.after_request
    def finish(response):
        # After the view: no cached response may carry any of it (K1, K2).
        session["seen"] = f"{user()} was at {request.path[:20]}"
        response.headers["X-User"] = user()
        if request.path.startswith("/files"):
            response.add_etag()
            response.make_conditional(request, accept_ranges=True, complete_length=len(response.get_data()))
        return response

    return app, cache


@lru_cache(1)
def worlds():
    """Make the four applications; they are emptied for each run."""
    ours = "flask_rustcache.RustCache"
    return {
        "uncached": make(),
        "ours": make(flask_rustcache.Cache, ours),
        "switched": make(flask_caching.Cache, ours),
        "upstream": make(flask_caching.Cache, "SimpleCache"),
    }


@lru_cache(1)
def cookies():
    """Return each user's cookie; the applications have one key."""
    app, _ = worlds()["uncached"]
    signer = app.session_interface.get_signing_serializer(app)
    return [signer.dumps({"user": name}) for name in USERS]


def backend_of(world):
    app, cache = world
    return app.extensions["cache"][cache]


def environ(choices):
    """Make a WSGI environment as no server would."""
    body = choices.raw() if choices.below(4) == 0 else b""
    path = choices.pick(*PATHS) if choices.below(8) else "/" + choices.raw().decode("latin1")
    if path.endswith("/"):
        path += choices.pick(*NAMES) if choices.below(8) else choices.raw().decode("latin1")
    made = {
        "REQUEST_METHOD": choices.pick(*METHODS),
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": choices.pick(*QUERIES) if choices.below(8) else choices.raw().decode("latin1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": cookie(choices),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for _ in range(choices.below(4)):
        name = choices.pick(*HEADERS)
        made[name] = choices.pick(*HEADERS[name]) if choices.below(8) else choices.raw().decode("latin1")
    return made, body


def cookie(choices):
    """Return a visitor's own cookie, among others, or none."""
    own = "session=" + choices.pick(*cookies())
    other = choices.raw().decode("latin1") if choices.below(8) == 1 else "a=b"
    return [own, f"{other}; {own}", f"{own}; {own}", own[:-1], "", other, f"{own}; session=x"][
        choices.below(7)
    ]


def ask(app, made, body):
    """Send a request; what the server would get, or the error."""
    got = []

    def start(status, headers, error=None):
        got[:] = [status, headers]
        return got.append

    try:
        parts = app.wsgi_app({**made, "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO()}, start)
        try:
            content = b"".join(parts)
        finally:
            parts.close()
    except Exception as error:  # whichever it is, it has to be the same everywhere
        return type(error), str(error)
    return got[0], [readable(app, *header) for header in got[1]], content


def readable(app, name, value):
    """Show what a session's cookie says, as its signature changes with the time; of the time, nothing."""
    if name == "Date":
        return name, ""
    if name != "Set-Cookie" or not value.startswith("session="):
        return name, value
    text, _, rest = value.removeprefix("session=").partition(";")
    try:
        return name, app.session_interface.get_signing_serializer(app).loads(text), rest
    except BadSignature:
        return name, value


def step(choices):
    """Send one request to all; they answer alike."""
    made, body = environ(choices)
    answers = {name: ask(app, made, body) for name, (app, _) in worlds().items()}
    for name in ("ours", "upstream", "switched"):
        if name == "ours" or not made["PATH_INFO"].startswith(PRIVATE):
            assert answers[name] == answers["uncached"], (name, made, answers)
    for name in ("ours", "switched"):
        stats = backend_of(worlds()[name]).stats()
        assert stats["bytes"] <= stats["bytes_limit"] == MAX_BYTES, stats


def run(data):
    """One run."""
    choices = Choices(data)
    with watched():
        for name in ("ours", "switched", "upstream"):
            backend_of(worlds()[name]).clear()
        for _ in range(STEPS):
            if not choices.left:
                break
            step(choices)
        for name in ("ours", "switched"):
            backend_of(worlds()[name])._validate()
