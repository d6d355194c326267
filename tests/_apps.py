"""What the tests of views share: applications on RustCache, through our ``Cache`` and Flask-Caching's."""

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
