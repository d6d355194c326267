"""The native cache a Flask application switches to without changing its structure.

Set ``CACHE_TYPE = "flask_rustcache.RustCache"`` and Flask-Caching runs on a store written in Rust. With
``from flask_rustcache import Cache`` in place of ``from flask_caching import Cache``, hits of cached views
are answered natively, too.
"""

from ._cache import Cache
from .backend import RustCache

__all__ = ["Cache", "RustCache"]
