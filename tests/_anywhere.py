"""What the tests of the top-level decorators share."""

import itertools

import pytest
from flask_rustcache import cached, memoize

from ._apps import backend_of, build

BOTH = {"cached": cached, "memoize": memoize}


@pytest.fixture(params=BOTH.values(), ids=BOTH)
def decorate(request):
    """Each of the two decorators."""
    return request.param


@pytest.fixture
def app():
    """An application with one cache, whose clock stands still."""
    return build(CACHE_THRESHOLD=10_000)[0]


@pytest.fixture
def present(app):
    """The same, in whose context the test runs."""
    with app.app_context():
        yield app


@pytest.fixture
def runs():
    """Counts; what is decorated says which run it is."""
    return itertools.count(1)


def ask(app, *calls):
    """What a visitor gets from requests such as "GET /page"; the body alone."""
    client = app.test_client()
    return [client.open(path, method=method).text for method, path in (call.split(" ") for call in calls)]


def stored(app):
    """The keys of all entries that the application's only cache has."""
    return set(backend_of(app, *app.extensions["cache"])._cache)
