"""The tutorial's application as it stands, watched, and switched to one cache or another from outside.

`DEMO_CACHE` in the environment says which (a key of `CACHES`); without it nothing is switched. Switching
does what a person does by the import line and the `CACHE_TYPE` line of `stocks/app.py`.
"""

import os
import time
from collections import deque
from functools import partial
from importlib import import_module
from unittest.mock import patch

import flask_caching
import flask_rustcache

# Module to import `Cache` from, and `CACHE_TYPE`.
CACHES = {
    "uncached": ("flask_caching", "SimpleCache"),
    "flask-caching": ("flask_caching", "SimpleCache"),
    "flask-rustcache": ("flask_rustcache", "flask_rustcache.RustCache"),
}
CHOICE = os.environ.get("DEMO_CACHE")
# Nanoseconds of the latest calls of the resource's method, the decorator included; and of the analysis.
inside = deque(maxlen=10_000)
computed = deque(maxlen=10_000)


def load():
    """Import the tutorial's application, its two lines switched if that was asked for.

    Returns:
        module: `stocks/app.py`.
    """
    if CHOICE is None:
        return import_module("app")
    front, backend = CACHES[CHOICE]
    cache = partial(import_module(front).Cache, config={"CACHE_TYPE": backend})
    # Whichever of the two the application imports its `Cache` from.
    with patch.object(flask_caching, "Cache", cache), patch.object(flask_rustcache, "Cache", cache):
        return import_module("app")


def timed(function, times):
    """Measure a function from outside.

    Args:
        function (Callable): what is called.
        times (deque[int]): gets the nanoseconds of each call.

    Returns:
        Callable: does what the function does.
    """

    def call(*arguments):
        began = time.perf_counter_ns()
        answer = function(*arguments)
        times.append(time.perf_counter_ns() - began)
        return answer

    return call


application = load()
app, cache = application.app, application.cache
resource = import_module("stocks.stock_list").StocksList
analysis = import_module("stocks.analysis")
# Uncached is the method without its decorator.
resource.get = timed(resource.get.uncached if CHOICE == "uncached" else resource.get, inside)
analysis.report = timed(analysis.report, computed)


@app.get("/_stats")
def stats():
    """Answer with what was counted and measured in this process.

    Returns:
        dict: `counters`, what `RustCache.stats` returns (empty for another cache); `computed`, how often
        the analysis really ran; `inside`, the nanoseconds that each request spent in the resource's
        method, its decorator included. Sent as JSON.
    """
    counters = cache.cache.stats() if hasattr(cache.cache, "stats") else {}
    return {"counters": counters, "computed": len(computed), "inside": list(inside)}
