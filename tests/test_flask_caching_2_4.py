"""The oldest Flask-Caching that is supported: its own decorators on our backend, and our ``Cache`` on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ._child import run_child

RELEASE = "2.4.1"
PACKAGES = Path(__file__).parents[1] / ".cache" / f"flask-caching-{RELEASE}"

APPLICATION = """
import sys
from importlib.metadata import version

from flask import Flask
import flask_caching
import flask_rustcache

assert version("flask-caching") == "2.4.1", version("flask-caching")

for kind in (flask_caching.Cache, flask_rustcache.Cache):
    app = Flask("old")
    app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_THRESHOLD="7", CACHE_IGNORE_ERRORS=True)
    cache, runs = kind(app), []

    @app.get("/plain")
    @cache.cached(60)
    def plain():
        runs.append("plain")
        return {"tags": ["a"]}

    @app.get("/query")
    @cache.cached(60, query_string=True)
    def query():
        runs.append("query")
        return "page"

    @cache.memoize(60)
    def double(number, times=2):
        runs.append("double")
        return [number * times]

    client = app.test_client()
    for _ in range(3):
        assert client.get("/plain").json == {"tags": ["a"]}
        assert client.get("/query?a=1&b=2").data == client.get("/query?b=2&a=1").data == b"page"
    with app.app_context():
        assert double(2) == double(2, 2) == [4]
        cache.delete_memoized(double)
        assert double(2) == [4]
        assert cache.get("view//plain") is not None
        backend = cache.cache
        assert type(backend) is flask_rustcache.RustCache
        assert backend.delete_many("nothing", "view//plain") == ["nothing", "view//plain"]
        assert (backend._threshold, backend.ignore_delete_many_errors) == (7, True)
    assert runs == ["plain", "query", "double", "double"], runs
"""


@pytest.fixture(scope="module")
def packages():
    """A folder with that release in it, fetched once for a checkout."""
    if not (PACKAGES / "flask_caching").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PACKAGES)]
        done = subprocess.run(
            [*command, f"flask-caching=={RELEASE}"], check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    return PACKAGES


def test_an_application_on_the_oldest_release(packages, monkeypatch):
    """Keys, answers and runs are as ever; where a release is not known, no hit is native."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]))
    run_child("-c", APPLICATION)
