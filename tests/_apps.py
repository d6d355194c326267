"""What the tests of views share: applications on RustCache, through our ``Cache`` and Flask-Caching's."""

from contextlib import contextmanager
from unittest import mock

import flask_caching
import flask_rustcache
from flask import Flask
from flask_rustcache.testing import ManualClock

BACKEND = "flask_rustcache.RustCache"

#: The same behaviour is wanted from both: natively, and on upstream's decorators over our backend.
CACHES = {"ours": flask_rustcache.Cache, "upstream": flask_caching.Cache}


class Runs(dict):
    """How often each function ran."""

    def count(self, name):
        self[name] = self.get(name, 0) + 1
        return self[name]


def build(cache_class=flask_rustcache.Cache, **config):
    """Make an application, its cache, and a record of runs; the clock stands still.

    Errors of a view are raised to the test, as `TESTING` would have it, but the clock is ours.
    """
    app = Flask("tests.shop")
    app.config.update({"CACHE_TYPE": BACKEND, "SECRET_KEY": "k", "PROPAGATE_EXCEPTIONS": True, **config})
    cache = cache_class(app)
    app.cache_clock = ManualClock()
    if app.config["CACHE_TYPE"] == BACKEND:
        app.cache_clock.install(app)
    return app, cache, Runs()


def backend_of(app, cache):
    return app.extensions["cache"][cache]


def facts(answer):
    """What a visitor gets: status, headers in their order, body."""
    return answer.status, list(answer.headers), answer.get_data()


@contextmanager
def upstream_calls():
    """Collect the functions that Flask-Caching's own decorator made a key for, so asked itself.

    Patching a method of the cache would end the native path, so it is a function of its module that is
    patched: the default ``make_cache_key`` reads the names of the decorated function's arguments by it.
    """
    calls = []
    real = flask_caching.get_arg_names

    def counting(function):
        calls.append(function)
        return real(function)

    with mock.patch.object(flask_caching, "get_arg_names", counting):
        yield calls


def one_view(app, cache, **options):
    """Add the views ``/`` and ``/<name>``, which say how often they ran."""
    runs = []

    @app.route("/", defaults={"name": ""})
    @app.route("/<path:name>")
    @cache.cached(60, **options)
    def page(name):
        runs.append(name)
        return f"run {len(runs)}"

    return page


def text(app, path="/"):
    return app.test_client().get(path).text


def native(app, path="/"):
    """Whether a request is answered without Flask-Caching's code, and what the answer is."""
    with upstream_calls() as calls:
        answer = text(app, path)
    return not calls, answer


class Failing(flask_rustcache.RustCache):
    """Fails at one of its verbs."""

    at = ""

    def fail(self, verb):
        if verb == self.at:
            raise OSError(f"{verb} fails")

    def get(self, key):
        self.fail("get")
        return super().get(key)

    def set(self, key, value, timeout=None):
        self.fail("set")
        return super().set(key, value, timeout)

    def has(self, key):
        self.fail("has")
        return super().has(key)

    def get_many(self, *keys):
        self.fail("get_many")
        return super().get_many(*keys)

    def set_many(self, mapping, timeout=None):
        self.fail("set_many")
        return super().set_many(mapping, timeout)


class Unstorable:
    """A value that cannot be pickled."""

    def __init__(self, number=0):
        self.number = number

    def __reduce__(self):
        raise TypeError("not to be stored")
