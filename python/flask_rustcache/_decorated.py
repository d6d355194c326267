"""What ``Cache.cached`` and ``Cache.memoize`` return: the half of a decorated function that is Python.

The native half (``src/py/cached.rs``) finds the store, the key and the answer. It asks the methods ``_...``
here for whatever has to do with Flask, and Flask-Caching: conditions, signals, running the function.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from flask_caching.utils import wants_args

from ._compat import is_known, join_generator, normalize_timeout, wants_extra_args
from ._groups import store_of
from ._native import CachedFunction, Store, _fill_returned

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._cache import Cache
    from ._typing import Tags

#: Where Flask-Caching's own decorators log.
LOGGER = logging.getLogger("flask_caching")


class Plan(NamedTuple):
    """What the native half is to know about a decorated function."""

    #: How its keys are made: by "view", "query", "call", "scoped" (a call, or the request it answers),
    #: "scoped by query", or "asked" for at each call; None where Flask-Caching's code answers.
    kind: str | None
    #: Of a view's key.
    prefix: str = ""
    cache_none: bool = False
    has_unless: bool = False
    has_forced_update: bool = False
    #: Is that asked before the key is made?
    forces_first: bool = False
    has_is_stale: bool = False
    #: Is each hit to be told to Python?
    indicates: bool = False
    #: Is a stored ``HTTPException`` raised?
    raises: bool = False
    single_flight: bool | None = None
    has_tags: bool = False
    #: Do all functions with the same name, code and defaults have the same keys?
    shares_keys: bool = False


class MadeKey(NamedTuple):
    """An entry's key, what it is let go by, and what the key holds of that."""

    key: Any
    #: Of a memoized function, the keys of its version records; else the function's own tag.
    tags: tuple[str, ...]
    #: The versions of those, one after the other; None if there are none.
    versions: str | None = None
    #: What of the request counted when it was made.
    scope: str = ""


class Options(NamedTuple):
    """What the decorator was given, as far as views and memoized functions have it in common."""

    unless: Callable[..., Any] | None
    forced_update: Callable[..., Any] | None
    is_stale: Callable[..., Any] | None
    response_filter: Callable[..., Any] | None
    cache_none: bool
    single_flight: bool | None
    tags: Tags = None

    def plan(self, kind: str | None, **more: Any) -> Plan:
        """What follows from them for the native half."""
        return Plan(
            kind,
            cache_none=bool(self.cache_none),
            has_unless=callable(self.unless),
            has_forced_update=callable(self.forced_update),
            has_is_stale=callable(self.is_stale),
            single_flight=self.single_flight,
            has_tags=bool(self.tags),
            **more,
        )


class _Annotations:
    """The annotations of the function that was decorated, each time they are asked for."""

    def __get__(self, decorated: Decorated | None, owner: Any = None) -> Any:
        """A class has none."""
        return {} if decorated is None else getattr(decorated.__wrapped__, "__annotations__", {})


class Decorated(CachedFunction):
    """A decorated function.

    It has the name, the documentation, the signature and the attributes of the function it wraps, binds as a
    method, and is pickled and copied as a function is: by its name, and not at all.
    """

    def __init__(self, cache: Cache, function: Any, inner: Any, plan: Plan, options: Options) -> None:
        """Wraps what Flask-Caching made of a function."""
        # Flask-Caching's has a name and the like also where the function has none.
        functools.update_wrapper(self, inner)
        self.__wrapped__ = function
        self._options = options
        self._warned = False
        self._unless = _Condition(options.unless, wants_args)
        self._forced_update = _Condition(options.forced_update, wants_args)
        self._is_stale = _Condition(options.is_stale, wants_extra_args)
        self._show("uncached", "cache_timeout", "make_cache_key")

    if sys.version_info >= (3, 14):
        # Before, functools copies them. Now they may hold names that are not there yet. No class of decorated
        # functions annotates its attributes in its body: its instances would have that for their annotations.
        __annotations__ = _Annotations()

    if TYPE_CHECKING:
        # What the two kinds add.
        def _make(self, *args: Any, **kwargs: Any) -> Any: ...
        def _run(self, *args: Any, **kwargs: Any) -> Any: ...
        def _found(self, *args: Any, **kwargs: Any) -> None: ...

    def _show(self, *names: str) -> None:
        # Where functools.wraps copies a function's attributes from; access goes by the properties.
        for name in names:
            self.__dict__[name] = getattr(self._inner, name)

    @property
    def uncached(self) -> Callable[..., Any]:
        """The function that was decorated."""
        function: Callable[..., Any] = self._inner.uncached
        return function

    @uncached.setter
    def uncached(self, function: Callable[..., Any]) -> None:
        self._inner.uncached = function
        self._show("uncached")

    @property
    def cache_timeout(self) -> Any:
        """Seconds, a ``timedelta``, or None for the default; read at each miss."""
        return self._inner.cache_timeout

    @cache_timeout.setter
    def cache_timeout(self, timeout: Any) -> None:
        self._inner.cache_timeout = timeout
        self._show("cache_timeout")

    @property
    def make_cache_key(self) -> Callable[..., str]:
        """Makes the key; may be replaced, and is then asked at each call."""
        function: Callable[..., str] = self._inner.make_cache_key
        return function

    @make_cache_key.setter
    def make_cache_key(self, function: Callable[..., str]) -> None:
        self._inner.make_cache_key = function
        self._show("make_cache_key")
        self._ask_for_keys()

    def __reduce__(self) -> str:
        """By name, as a function."""
        name: str = self.__dict__["__qualname__"]
        return name

    def __repr__(self) -> str:
        """Says what it wraps."""
        return f"<cached {self.uncached!r}>"

    # What the native half asks.

    def _bypasses(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return self._unless((), self._function, *args, **kwargs)

    def _forces(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return self._forced_update((), *args, **kwargs)

    def _finds_stale(self, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return self._is_stale((value,), value, *args, **kwargs)

    def _tags(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What an entry that is about to be made is to be let go by."""
        tags = self._options.tags
        return tags(*args, **kwargs) if callable(tags) else tags

    def _answer_untagged(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The rest of the way where nothing is native: what is stored there would have no tags."""
        try:
            backend = store_of(self._of, f"tags= of {name_of(self._function)}")
        except (AttributeError, KeyError):
            # It was never set up, and nothing will be stored.
            return self._inner(*args, **kwargs)
        if backend is not None and not (is_known() and self._of._is_plain() and Store._is_plain(backend)):
            raise RuntimeError(
                f"tags= of {name_of(self._function)} needs Flask-Caching 2.5, and a Cache and a RustCache"
                " with their own methods: one that decorated functions go through is overridden or patched"
            )
        if "self" in kwargs:
            return self._run_uncached(args, kwargs)
        return self._inner(*args, **kwargs)

    def _run_uncached(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._of._call_fn(self._function, *args, **kwargs)

    def _run_despite(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The cache failed: the function runs all the same, as Flask-Caching has it."""
        if self._of.app.debug:
            raise error
        LOGGER.error("Exception possibly due to cache backend.", exc_info=error)
        return self._run_uncached(args, kwargs)

    def _answer_with(self, made: Any, forced: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The rest of the way where the native half cannot go it: an odd key, or another backend."""
        key = made.key if isinstance(made, MadeKey) else made
        if self._options.tags and isinstance(self._of.cache, Store):
            error = TypeError(f"a function with tags= needs keys that are plain str, got {key!r}")
            return self._run_despite(error, args, kwargs)
        try:
            value = None if forced else self._of.get(key)
            found = value is not None
            if not found and not forced and self._options.cache_none:
                found = bool(self._of.has(key))
            if found and callable(self._options.is_stale) and self._finds_stale(value, args, kwargs):
                found = False
        except Exception as error:
            return self._run_despite(error, args, kwargs)
        if not found:
            return self._run(made, args, kwargs)
        self._found(key, args, kwargs)
        return self._raised(value)

    def _raised(self, value: Any) -> Any:
        """The answer, if it is not one to be raised."""
        return value

    def _patience(self) -> float | None:
        """How long a caller waits for another, in seconds; None if nobody is to wait."""
        settings = self._of._settings()
        wanted = self._options.single_flight
        return settings.fill_timeout if (settings.single_flight if wanted is None else wanted) else None

    # What both kinds do to run the function.

    def _store(self, key: str, value: Any, timeout: Any) -> bool:
        """Stores what the function returned; False if that failed, or is not wanted any more."""
        _fill_returned(key)
        try:
            stored = self._of.set(key, value, timeout=timeout)
        except Exception as error:
            _fill_returned(key, False)
            if self._of.app.debug:
                raise
            self._tell_of_failure(value, error)
            return False
        return stored is not False

    def _tell_of_failure(self, value: Any, error: Exception) -> None:
        if not getattr(error, "_flask_rustcache_unstorable", False):
            LOGGER.error("Exception possibly due to cache backend.", exc_info=error)
        elif not self._warned:
            self._warned = True
            LOGGER.warning(
                "%s returned a %s that cannot be cached (%s: %s); it is computed at each call."
                " This is said once per function.",
                name_of(self._function),
                type(value).__qualname__,
                type(error).__name__,
                error,
            )

    def _timeout(self) -> Any:
        return normalize_timeout(self.cache_timeout)


class _Condition:
    """A condition as applications give it: it takes the arguments of the call, or it does not."""

    def __init__(self, condition: Callable[..., Any] | None, wants: Callable[..., bool]) -> None:
        self._condition, self._wants = condition, wants
        self._wanted: bool | None = None

    def __call__(self, few: tuple[Any, ...], /, *all_args: Any, **kwargs: Any) -> bool:
        """Whether it says True, and nothing but that."""
        condition = self._condition
        assert condition is not None, "asked only where there is one"
        if self._wanted is None:
            # Not when decorating: where this fails, it fails as in Flask-Caching.
            self._wanted = self._wants(condition)
        answer = condition(*all_args, **kwargs) if self._wanted else condition(*few)
        return answer is True


def name_of(function: Any) -> str:
    """What to call a function in a message; not all that can be decorated have a name."""
    return str(getattr(function, "__qualname__", None) or repr(function))


def joined(value: Any) -> Any:
    """What a generator yields, in one; any other value as it is."""
    return join_generator(value) if inspect.isgenerator(value) else value
