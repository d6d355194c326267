"""Traps E1, E2, E4, K1: uWSGI and granian, loaded."""

import socket
import sys
from importlib.util import find_spec

import pytest

from ._child import FREE_THREADED, SCALE
from ._servers import BAD, serving
from ._visitors import kill_a_worker, load, visitors

needs_uwsgi = pytest.mark.skipif(not find_spec("pyuwsgi"), reason="installed on Linux, where it has wheels")
needs_reuse = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the port cannot be kept for it")

REQUESTS = 60 * SCALE


def uwsgi(*options):
    """Return uWSGI's command line, for `serving`."""

    def command(descriptor, _port):
        always = ["--http-socket", f"fd://{descriptor}", "--master", "--die-on-term", "--disable-logging"]
        # For a reload it starts itself again, and would not be found outside the virtual environment.
        return ["-c", "import pyuwsgi; pyuwsgi.run()", *always, "--binary-path", sys.executable, *options]

    return command


def granian(*options):
    """Return granian's command line, for `serving` with a port that is kept for it."""

    def command(_descriptor, port):
        return ["-m", "granian", "--interface", "wsgi", "--port", str(port), *options, "_server_app:app"]

    return command


@needs_uwsgi
@pytest.mark.parametrize(
    "options",
    [["--processes=2"], ["--processes=2", "--threads=4"], ["--processes=1", "--threads=2", "--lazy-apps"]],
    ids=["processes", "threads", "lazy"],
)
def test_uwsgi_under_load(tmp_path, options):
    """E1, E2, K1: the application is loaded before the fork, or (lazy) after it; workers are reloaded."""
    with serving(uwsgi("--need-app", "--module=_server_app:app", *options), tmp_path) as server:
        crowd = visitors(server.port, 4)
        load(crowd, REQUESTS)
        assert [visitor.lost for visitor in crowd] == [0] * 4
        before = crowd[0].state()
        assert (before["loaded by"] == before["worker"]) == ("--lazy-apps" in options)
        load(crowd, REQUESTS, [kill_a_worker, lambda _: server.reload()])
        # The old one may still answer for a moment: a reload lets it finish.
        crowd[0].wait_for_another_worker({before["worker"]})


@needs_reuse
def test_granian_under_load(tmp_path):
    """E1, K1: workers of its own kind, whose threads are not Python's."""
    command = granian("--workers=2", "--blocking-threads=4")
    # Without a global lock its workers are threads; granian 2.7 panics when they end, whatever they served.
    bad, processes = (["Segmentation fault"], 1) if FREE_THREADED else (BAD, 2)
    with serving(command, tmp_path, pass_listener=False, bad=bad) as server:
        server.wait_until_it_listens()
        crowd = visitors(server.port, 4)
        load(crowd, REQUESTS)
        assert [visitor.lost for visitor in crowd] == [0] * 4
        assert len(set().union(*(visitor.workers for visitor in crowd))) == processes


@needs_uwsgi
@pytest.mark.parametrize("single", [True, False], ids=["one interpreter", "two interpreters"])
def test_uwsgi_with_two_applications(tmp_path, single):
    """E4: uWSGI gives each application of a process an interpreter, or one to all: `single-interpreter`."""
    mounts = ["--mount=/=_server_app:app", "--mount=/other=_server_app:app", "--manage-script-name"]
    options = [*mounts, *(["--single-interpreter"] if single else [])]
    with serving(uwsgi(*options), tmp_path, bad=BAD[1:]) as server:
        crowd = visitors(server.port, 2)
        load(crowd, REQUESTS)
        if single:
            load(visitors(server.port, 2, prefix="/other"), REQUESTS)
        said = server.log.read_text()
    refusal = "ImportError: flask_rustcache works in one interpreter of a process"
    assert (refusal in said) == (not single), said
    assert ("uWSGI: `single-interpreter = true`" in said) == (not single)
