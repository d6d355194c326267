"""What the decorators return, for type checkers: the function's own signature, and what is added to it.

There is no such module at run time; import from it under ``TYPE_CHECKING``. A ``...Function`` is a decorated
function, or a method reached through its class; a ``...Method`` is a method reached through an instance, so
that ``self`` is gone. ``Keyed...`` is what the package's own decorators make. The letters are the same
everywhere: ``P`` for the parameters of a call, ``R`` for what it returns, ``S`` for the instance.

Each is built on its namesake in Flask-Caching 2.5, since only by descent do mypy and pyright find one
descriptor fit for another: so ``flask_caching.Cache.delete_memoized`` and code typed for Flask-Caching take
ours, and ``Cache.cached`` overrides Flask-Caching's. Under Flask-Caching 2.4, which has no such types, they
are unknown to the checkers and nothing is an error.

**Async functions.** The wrapper runs them to their end (``Flask.ensure_sync``): a call returns the result
and there is nothing to await. The package's own decorators say so. ``Cache.cached`` and ``Cache.memoize``
say, as Flask-Caching does, that there is a coroutine: no checker lets an overloaded result override that.

**Class methods and static methods.** ``@classmethod`` and ``@staticmethod`` come above the decorator, as at
run time. Neither checker then binds the class or leaves the instance out, as both do so for plain functions
alone: a static method is to be called through the class, and a class method's call is an error to them.
"""

# pyright: reportPrivateUsage=false

from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from flask_caching import _BoundCachedFunction, _BoundMemoizedFunction, _CachedFunction, _MemoizedFunction

P = ParamSpec("P")
# What is left of the parameters when the instance is bound.
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)

Timeout: TypeAlias = float | timedelta | None
"""Seconds or a ``timedelta``: 0 never expires, None stands for ``CACHE_DEFAULT_TIMEOUT``."""

Tags: TypeAlias = Iterable[str] | Callable[..., Iterable[str]] | None
"""What entries can be let go by, or a callable given the arguments of a call that says so; not one str."""

# A `Timeout`. The `Any` is for fractions of a second: Flask-Caching's attribute has none, and one that may
# be assigned must be of the very same type.
_TimeoutAttribute: TypeAlias = int | timedelta | Any | None

class _Function(Protocol[P, R_co]):
    """What every function has, and ``functools.wraps`` adds."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]: ...

class _Method(Protocol[S_contra, P, R_co]):
    """The same of a method, bound: what is wrapped is not, and takes the instance."""

    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    @property
    def __wrapped__(self) -> Callable[Concatenate[S_contra, P], R_co]: ...

class CachedMethod(
    _Method[S_contra, P, R_co], _BoundCachedFunction[S_contra, P, R_co], Protocol[S_contra, P, R_co]
):
    """A method decorated with ``Cache.cached``, reached through an instance."""

    cache_timeout: _TimeoutAttribute

class CachedFunction(_Function[P, R], _CachedFunction[P, R], Protocol[P, R]):
    """What ``Cache.cached`` makes of a function."""

    cache_timeout: _TimeoutAttribute

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> CachedFunction[P, R]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
    ) -> CachedMethod[S, Q, R]: ...

class MemoizedMethod(
    _Method[S_contra, P, R_co], _BoundMemoizedFunction[S_contra, P, R_co], Protocol[S_contra, P, R_co]
):
    """A method decorated with ``Cache.memoize``, reached through an instance."""

    cache_timeout: _TimeoutAttribute

class MemoizedFunction(_Function[P, R], _MemoizedFunction[P, R], Protocol[P, R]):
    """What ``Cache.memoize`` makes of a function."""

    cache_timeout: _TimeoutAttribute

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> MemoizedFunction[P, R]: ...
    @overload
    def __get__(
        self: MemoizedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
    ) -> MemoizedMethod[S, Q, R]: ...

class _Keyed(Protocol[P]):
    """What the package's own decorators add; parameters are those of a call."""

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key under which the value of a call is stored."""

    def delete(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Removes the value of a call; whether there was one."""

    def clear(self) -> None:
        """Removes every value of the function."""

# The undecorated function returns `Any` here, as an async one's coroutine is not what a call returns. Two
# types, one of them for async functions, would be worse: mypy cannot choose for a function that returns
# `Any`, and drops its parameters, too.

class KeyedCachedMethod(_Keyed[P], CachedMethod[S_contra, P, R_co], Protocol[S_contra, P, R_co]):
    """A method decorated with ``flask_rustcache.cached``, reached through an instance."""

    @property
    def uncached(self) -> Callable[Concatenate[S_contra, P], Any]: ...
    @property
    def __wrapped__(self) -> Callable[Concatenate[S_contra, P], Any]: ...

class KeyedCachedFunction(_Keyed[P], CachedFunction[P, R], Protocol[P, R]):
    """What ``flask_rustcache.cached`` makes of a function."""

    uncached: Callable[P, Any]

    @property
    def __wrapped__(self) -> Callable[P, Any]: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> KeyedCachedFunction[P, R]: ...
    @overload
    def __get__(
        self: KeyedCachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
    ) -> KeyedCachedMethod[S, Q, R]: ...

class KeyedMemoizedMethod(_Keyed[P], MemoizedMethod[S_contra, P, R_co], Protocol[S_contra, P, R_co]):
    """A method decorated with ``flask_rustcache.memoize``, reached through an instance."""

    @property
    def uncached(self) -> Callable[Concatenate[S_contra, P], Any]: ...
    @property
    def __wrapped__(self) -> Callable[Concatenate[S_contra, P], Any]: ...

class KeyedMemoizedFunction(_Keyed[P], MemoizedFunction[P, R], Protocol[P, R]):
    """What ``flask_rustcache.memoize`` makes of a function."""

    uncached: Callable[P, Any]

    @property
    def __wrapped__(self) -> Callable[P, Any]: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> KeyedMemoizedFunction[P, R]: ...
    @overload
    def __get__(
        self: KeyedMemoizedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
    ) -> KeyedMemoizedMethod[S, Q, R]: ...

class KeyedCachedDecorator(Protocol):
    """What ``flask_rustcache.cached(...)`` returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> KeyedCachedFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> KeyedCachedFunction[P, R]: ...

class KeyedMemoizedDecorator(Protocol):
    """What ``flask_rustcache.memoize(...)`` returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> KeyedMemoizedFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> KeyedMemoizedFunction[P, R]: ...
