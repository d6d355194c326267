"""The native cache a Flask application switches to without changing its structure.

Set ``CACHE_TYPE = "flask_rustcache.RustCache"`` and Flask-Caching runs on a store written in Rust.
"""

from .backend import RustCache

__all__ = ["RustCache"]
