"""The backend: what ``CACHE_TYPE = "flask_rustcache.RustCache"`` names."""

from __future__ import annotations

import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from cachelib.serializers import BaseSerializer, SimpleSerializer
from flask_caching.backends.base import BaseCache

from . import _config
from ._fork import new_lock
from ._native import Store
from ._threads import defer_reference_count
from ._view import CacheView

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from flask import Flask


class RustCache(Store, BaseCache):
    """A native in-memory cache with the interface of Flask-Caching's ``SimpleCache``.

    Safe to use from any number of threads. Values are isolated: what a caller does with a value, before or
    after it was cached, never changes what is cached.

    Args:
        threshold: The most entries to keep; never more than ``threshold + 1`` are held, as in
            ``SimpleCache``. 0 and None mean 500, ``math.inf`` means no bound. Numeric str are numbers.
        default_timeout: Seconds (int or float) or a ``timedelta`` that an entry lives when ``set`` is given
            no timeout; 0 means for ever. Numeric str are numbers. Default 300.
        ignore_delete_many_errors: If False, ``delete_many`` raises ``RuntimeError`` when a key is still
            there after its deletion, which only an overriding subclass can bring about. Default False.
        ignore_errors: Deprecated alias of ``ignore_delete_many_errors``.
        clock: A callable that returns seconds; the cache's time from then on. Default None: the
            operating system's monotonic clock, or ``time.time`` in tests (see ``testing``).
        max_bytes: The most bytes that keys, values and what the cache needs for them may take; never
            exceeded. An int, or a str such as ``"64MB"`` (10**6) or ``"1GiB"`` (2**30). A value that is
            larger by itself is not stored (``set`` and ``add`` return False), counted in ``stats()`` as one
            of the ``refusals``, and logged once. Default None: no bound but ``threshold``.
        prototype_bytes: Bytes, besides ``max_bytes``, that hot containers may take in a form that is copied
            faster; 0 turns it off. An int, or a str such as ``"16MiB"``. Default None: 16 MiB, or a quarter
            of ``max_bytes`` if that is less.
        jitter: The largest share of its lifetime, from 0 to 1, that an entry loses at random when it is
            stored or touched, so that what is stored together does not expire together. Default 0.
        shards: Independently locked parts, a power of two. Default: 1 where there is a global interpreter
            lock, else four for each processor, rounded up. With a bound below 1,024 entries, or 4 MiB of
            ``max_bytes``, there is always one.

    Raises:
        ValueError: If a number is out of its range; the message names the setting and the fix.
        TypeError: If an argument is of the wrong type, or unknown.
    """

    serializer: BaseSerializer = SimpleSerializer()
    clock: Callable[[], float] | None = None
    default_timeout: Any = 300
    # Named so that no subclass has attributes of these names by chance.
    __app: weakref.ref[Flask] | None = None
    __wall_clock: bool | None = None

    def __init__(  # noqa: PLR0913  # SimpleCache's signature, and keyword-only settings of our own
        self,
        threshold: float | str | None = 500,
        default_timeout: float | str | dt.timedelta = 300,
        ignore_delete_many_errors: bool = False,
        ignore_errors: bool | None = None,
        *,
        clock: Callable[[], float] | None = None,
        max_bytes: int | str | None = None,
        prototype_bytes: int | str | None = None,
        jitter: float | str = 0,
        shards: int | None = None,
    ) -> None:
        """Sets up an empty cache; see the class for the arguments."""
        if ignore_errors is not None:
            warnings.warn(
                "'ignore_errors' is deprecated. Use 'ignore_delete_many_errors' instead.",
                DeprecationWarning,
                stacklevel=2,
            )
            ignore_delete_many_errors = ignore_errors
        bound = _config.threshold(threshold, "threshold")
        self.default_timeout = _config.timeout(default_timeout, "default_timeout")
        self.ignore_delete_many_errors = ignore_delete_many_errors
        if clock is not None:
            self.clock = _config.clock(clock, "clock")
        self._lock = new_lock()
        most = _config.max_bytes(max_bytes, "max_bytes")
        self._configure(
            _config.max_entries(bound),
            _config.UNBOUNDED if most is None else most,
            _config.shards(shards, "shards"),
            _config.prototype_bytes(prototype_bytes, "prototype_bytes", most),
        )
        self.__bound = bound
        self._set_jitter(_config.jitter(jitter, "jitter"))
        defer_reference_count(self)

    @classmethod
    def factory(
        cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
    ) -> RustCache:
        """Builds the backend for an application; called by Flask-Caching's ``init_app``.

        Args:
            app: The application.
            config: Its configuration, with Flask-Caching's defaults filled in.
            args: ``CACHE_ARGS``.
            kwargs: ``default_timeout`` and the like, updated from ``CACHE_OPTIONS``.

        Raises:
            ValueError: If a setting is out of range; the message names the key and the fix.
            TypeError: If a setting is of the wrong type, or an option unknown.
        """
        options = _config.options(config, args, kwargs)
        backend = cls(*args, **options)
        backend.__app = weakref.ref(app)
        if config.get("TESTING"):
            backend.__wall_clock = True
        return backend

    def _follows_wall_clock(self) -> bool:
        """Whether time is ``time.time``; decided once, at the cache's first call."""
        if self.__wall_clock is None:
            app = None if self.__app is None else self.__app()
            testing = app is not None and bool(app.config.get("TESTING"))
            self.__wall_clock = testing or "freezegun" in sys.modules or "time_machine" in sys.modules
        return self.__wall_clock

    @property
    def _threshold(self) -> float:
        """The bound as SimpleCache names it; may be assigned, and takes effect at once."""
        return self.__bound

    @_threshold.setter
    def _threshold(self, threshold: float | str | None) -> None:
        bound = _config.threshold(threshold, "_threshold")
        self._set_max_entries(_config.max_entries(bound))
        self.__bound = bound

    @property
    def _cache(self) -> CacheView:
        """A live view: key -> ``(expires, bytes)``; reads and deletes go to the cache itself."""
        return CacheView(self)

    @_cache.setter
    def _cache(self, value: object) -> NoReturn:
        raise AttributeError("_cache is a view of the native store; use set() or clear() instead")
