"""The native cache a Flask application switches to without changing its structure.

Set ``CACHE_TYPE = "flask_rustcache.RustCache"`` and Flask-Caching runs on a store written in Rust. With
``from flask_rustcache import Cache`` in place of ``from flask_caching import Cache``, decorated functions are
answered natively, too. ``cached`` and ``memoize`` do the same with no ``Cache`` object in hand.
"""

from ._anywhere import cached, delete_prefix, delete_tag, memoize
from ._cache import Cache
from .backend import RustCache

__all__ = ["Cache", "RustCache", "cached", "delete_prefix", "delete_tag", "memoize"]
