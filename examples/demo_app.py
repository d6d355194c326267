"""The tutorial's application as it stands, and one route that shows what its cache counted."""

from app import app, cache


@app.get("/_stats")
def stats():
    """Answer with the counters of this process's cache.

    Returns:
        dict: what `RustCache.stats` returns, sent as JSON.
    """
    return cache.cache.stats()
