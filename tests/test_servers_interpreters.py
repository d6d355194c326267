"""Trap E4: sub-interpreters, as mod_wsgi makes them: one interpreter of a process has the cache."""

import os
import subprocess
import sys

import pytest

from ._child import LIMIT

# What `Py_NewInterpreter` makes, which mod_wsgi and uWSGI call: it shares the lock and the allocator.
NEW = """
import faulthandler, sys
faulthandler.enable()
if sys.version_info < (3, 13):
    import _xxsubinterpreters as interpreters
    new = lambda: interpreters.create(isolated=False)
else:
    import _interpreters as interpreters
    new = lambda: interpreters.create("legacy")

def run(code, interpreter=None):
    made = new() if interpreter is None else interpreter
    failed = interpreters.run_string(made, code)
    assert not failed, failed
    return made
"""

# Threads, containers and fills of an application; it must end well wherever it may run.
USE = """
import threading
from flask import Flask
from flask_rustcache import Cache

app = Flask("shop")
app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
cache = Cache(app)
runs = []

@app.route("/<name>")
@cache.cached(60)
def page(name):
    runs.append(name)
    return {"page": name, "tree": [1, (2, 3)]}

def visit():
    client = app.test_client()
    for number in range(20):
        assert client.get(f"/{number % 5}").json["page"] == str(number % 5)

threads = [threading.Thread(target=visit) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(runs) == list("01234"), runs
cache.cache._validate()
print("used", flush=True)
"""

REFUSED = """
try:
    import flask_rustcache
except ImportError as error:
    assert "WSGIApplicationGroup %{GLOBAL}" in str(error), error
    assert "single-interpreter = true" in str(error), error
    print("refused", flush=True)
"""

SCRIPTS = {
    "main first": ("{use}\nrun(REFUSED)\nrun(REFUSED)\n{use}", "used refused refused used"),
    "a sub-interpreter alone": ("run(USE)", "used"),
    "a sub-interpreter first": ("first = run(USE)\nrun(REFUSED)\n{refused}", "used refused refused"),
    "after the end of the first": (
        "interpreters.destroy(run(USE))\nrun(REFUSED)\n{refused}",
        "used refused refused",
    ),
}


@pytest.mark.skipif(
    bool(getattr(sys, "_is_gil_enabled", lambda: True)() is False),
    reason="legacy sub-interpreters share the lock that this build is without",
)
@pytest.mark.parametrize("name", SCRIPTS)
def test_interpreters(name):
    """E4: whichever imports it first has it and works; all others get an error that names the settings."""
    script, wanted = SCRIPTS[name]
    code = f"USE, REFUSED = {USE!r}, {REFUSED!r}\n{NEW}\n{script.format(use=USE, refused=REFUSED)}"
    # Its standard error says nothing: a second interpreter's decimal module writes a warning there.
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env=os.environ,
    )
    assert (done.returncode, done.stdout.split()) == (0, wanted.split()), done.stderr
