"""The other swap: our ``Cache`` under the name of Flask-Caching's.

Loaded with ``pytest -p cache_plugin``, alone (our ``Cache`` on Flask-Caching's own backends: the path on
which everything goes through upstream's code) or after ``plugin`` (our ``Cache`` on our backend).
"""

import functools
from collections import Counter

import flask_caching
import pytest
from flask_rustcache import Cache

built: Counter[str] = Counter()


def count_caches() -> None:
    """Count the caches made, subclasses included, so that a run without the swap cannot pass."""
    construct = Cache.__init__

    @functools.wraps(construct)
    def count_and_construct(self: Cache, *args: object, **options: object) -> None:
        built["Cache"] += 1
        construct(self, *args, **options)

    Cache.__init__ = count_and_construct


count_caches()
flask_caching.Cache = Cache


@pytest.fixture(scope="session", autouse=True)
def _report_how_many_caches_were_built(record_testsuite_property):
    yield
    record_testsuite_property("built Cache", built["Cache"])
