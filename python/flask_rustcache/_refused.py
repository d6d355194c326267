"""The log's word on a value that is larger than the whole cache may be."""

from __future__ import annotations

import logging
from typing import Any

LOGGER = logging.getLogger("flask_caching")


def refused(key: Any, weight: int, max_bytes: int) -> None:
    """Says once per cache which value was refused, and what helps; the others are counted as ``refusals``.

    Args:
        key: The key it was to be stored under.
        weight: What the value takes, in bytes.
        max_bytes: The cache's bound.
    """
    LOGGER.warning(
        "flask-rustcache: the value for %r takes %d bytes, which with its key, its tags and what any entry"
        " takes is more than the %d that the whole cache may take: it was not stored, and the key holds"
        " nothing now. Raise CACHE_MAX_BYTES, or leave such values uncached. This is said once per cache;"
        " stats()['refusals'] counts them all.",
        key,
        weight,
        max_bytes,
    )
