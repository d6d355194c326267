"""What a target must not leave behind: panics that nobody sees, and a store that does not add up."""

import logging
import sys
import warnings
from contextlib import contextmanager


@contextmanager
def watched():
    """Nothing is logged or warned of; a panic that nobody would see (in a finaliser, say) is raised."""
    unseen = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda told: unseen.append(told.exc_value)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook
    panics = [error for error in unseen if not isinstance(error, Exception)]
    if panics:
        raise panics[0]


def check(cache):
    """The store is consistent, within its bounds, and usable."""
    cache._validate()
    stats = cache.stats()
    assert not stats["bytes_limit"] or stats["bytes"] <= stats["bytes_limit"], stats
    assert stats["prototype_bytes"] <= max(stats["prototype_bytes_limit"], 0), stats
    assert stats["entries"] <= cache._max_entries(), stats
    assert cache.clear() is True
    stats = cache.stats()
    left = {name: stats[name] for name in ("entries", "bytes", "prototype_bytes")}
    assert not any(left.values()), left
    assert cache.set("usable", 1) is True or stats["bytes_limit"]
