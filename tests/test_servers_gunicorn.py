"""Traps E1, E2, K1: gunicorn with each kind of worker, loaded, its workers killed and reloaded."""

import os

import pytest

from ._child import SCALE
from ._servers import gunicorn, serving
from ._visitors import kill_a_worker, load, visitors

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork")

KINDS = {
    "sync": ["--worker-class=sync"],
    "gthread": ["--worker-class=gthread", "--threads=4"],
    "gevent": ["--worker-class=gevent"],
}
CALM, SHAKEN = 40 * SCALE, 10 * SCALE


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
@pytest.mark.parametrize("kind", KINDS)
def test_gunicorn_under_load(tmp_path, kind, preload):
    """E1, E2, K1: visitors get their own answers only, all of them, while workers are killed and reloaded."""
    if kind == "gevent":
        pytest.importorskip("gevent")
    with serving(gunicorn("--workers=2", *KINDS[kind], *preload), tmp_path) as server:
        crowd = visitors(server.port, 4)
        load(crowd, CALM)
        assert [visitor.lost for visitor in crowd] == [0] * 4
        before = crowd[0].state()
        # Loaded before the fork, the application is the master's.
        assert (before["loaded by"] == server.process.pid) == bool(preload)
        shakes = [kill_a_worker, lambda _: server.reload()] * SCALE
        load(crowd, SHAKEN, shakes)
        # The old one may still answer for a moment: a reload lets it finish.
        crowd[0].wait_for_another_worker({before["worker"]})
