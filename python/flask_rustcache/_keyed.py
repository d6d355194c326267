"""What the package's own decorators return: functions that know the keys of their calls."""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from flask import current_app, request
from flask.views import http_method_funcs

from ._compat import signature_of
from ._decorated import Decorated, MadeKey, name_of
from ._fork import looked_up
from ._groups import store_of
from ._memoized import MemoizedFunction, Shape, ViewClass, class_of_view, shape_of_defaults
from ._native import CachedFunction, Store
from ._versions import digest_of, layers_of
from ._views import CachedView

if TYPE_CHECKING:
    from collections.abc import Callable

#: Longer keys end in a digest of themselves.
_LONGEST_KEY = 250

#: Bits of an int that is written as decimal digits; Python refuses to do so for very long ones.
_LONGEST_INT = 1000

#: What a method's first parameter is called. All threads look in here, and to look into a set is to lock it.
_OWNERS = ("self", "cls")

#: Methods whose answers are cached where a request was dispatched to the function.
_READING = ("GET", "HEAD")

#: The methods of a class that answer requests.
_ANSWERING = ("dispatch_request", *sorted(http_method_funcs))

_PLAIN = (type(None), bool, int, float, str, bytes)


class Keyed(Decorated):
    """What views and memoized functions have in common here."""

    #: What keeps the keys of the two kinds apart.
    _kind = ""
    _ignored = tuple[str, ...]()

    def key(self, /, *args: Any, **kwargs: Any) -> str:
        """The key under which the value of such a call is stored, in the present context.

        Raises ``TypeError`` if the function cannot be called so.
        """
        # A `make_cache_key` may make one of another type.
        return cast("str", self._keys(args, kwargs)[0])

    def delete(self, /, *args: Any, **kwargs: Any) -> bool:
        """Removes the value of such a call; whether there was one."""
        backend = self._of.cache
        removed = [backend.delete(key) for key in self._keys(args, kwargs)]
        return any(removed)

    def clear(self) -> None:
        """Removes every value of the function, and has none under way stored.

        So it is with what the same decorator made below it, if it is stacked.

        Raises ``RuntimeError`` if the cache is no ``RustCache``, or one with a method overridden or patched.
        """
        backend = store_of(self._of, "clear()")
        if backend is None:
            return
        if not Store._is_plain(backend):
            raise RuntimeError(
                f"clear() needs a RustCache with its own methods, and one of this {type(backend).__name__}'s"
                " is overridden or patched: delete(...) each call"
            )
        for layer in layers_of(self):
            if isinstance(layer, Keyed) and layer._kind == self._kind and layer._of is self._of:
                Store._remove_tag(backend, layer._tag())

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Binds as a function does."""
        return self if instance is None else KeyedMethod(self, instance)

    def _bind_inner(
        self, make_cache_key: Callable[..., Any] | None, ignored: list[str] | None = None
    ) -> Self:
        # In any case: what it wraps may be decorated, too, and have handed on its attributes.
        self._ignored = tuple(ignored or ())
        self._own_key: Callable[..., str] = self.key
        self._known_name: tuple[str, Any, str] = ("", None, "")
        # What has no name is nobody else's.
        self._own_name = f"{type(self._function).__qualname__} {uuid.uuid4().hex}"
        self._inner.answer = self._answer
        self._inner.make_cache_key = make_cache_key if callable(make_cache_key) else self._own_key
        self._show("make_cache_key")
        return self

    def _name(self) -> str:
        if not hasattr(self._function, "__qualname__"):
            return self._own_name
        named: Any = getattr(self, "view_class", None) or class_of_view(self._function) or self._function
        name = f"{named.__module__}.{named.__qualname__}"
        code = getattr(self._function, "__code__", None)
        known = self._known_name
        if name == known[0] and code is known[1] and not hasattr(self._function, "__wrapped__"):
            return known[2]
        # Tells of other functions of that name in this process.
        self._of._mark(self._function, name)
        # There may be others in other processes, and the backend may be shared.
        self._known_name = known = name, code, f"{name}#{digest_of(self._function, whole=True)}"
        return known[2]

    def _tag(self) -> str:
        return f"{self._kind}function {self._name()}"

    def _keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The keys under which values of such a call may be, that of the present context first."""
        return [self._make(args, kwargs)[0]]

    def _make(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        make = self._inner.make_cache_key
        if make is not self._own_key:
            return MadeKey(make(*args, **kwargs), (self._tag(),))
        return self._made(self._scope(args, kwargs), args, kwargs)

    def _made(self, scope: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> MadeKey:
        name = self._name()
        stands_for_owner = bool(scope) and not str(scope).startswith("?")
        text = f"{self._kind}{scope or ''}{name}({self._arguments(args, kwargs, stands_for_owner)})"
        if len(text) > _LONGEST_KEY:
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            text = f"{text[: _LONGEST_KEY - len(digest) - 1]}#{digest}"
        return MadeKey(text, (f"{self._kind}function {name}",), scope=scope or "")

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any], scoped: bool) -> str:
        """The arguments as bound to the parameters, so that no two different calls look the same."""
        signature, bound = _bind(self._function, args, kwargs)
        owner = getattr(self._function, "__self__", None)
        parts = [] if owner is None or scoped else [f"self={_owner_text(owner)}"]
        for position, (name, value) in enumerate(bound.arguments.items()):
            if name in self._ignored:
                continue
            if position == 0 and name in _OWNERS and not (scoped and type(value) in _PLAIN):
                if not scoped:
                    parts.append(f"{name}={_owner_text(value)}")
            elif signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                parts += [
                    f"{other!r}={_text(value[other])}"
                    for other in sorted(value)
                    if other not in self._ignored
                ]
            else:
                parts.append(f"{name}={_text(value)}")
        return ", ".join(parts)

    def _check_cache(self) -> None:
        try:
            _ = self._of.cache
        except (AttributeError, KeyError):
            raise RuntimeError(
                f"the cache of {name_of(self._function)} is not set up for this application:"
                " call cache.init_app(app)"
            ) from None

    def _scope(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """What of the present request counts; None if its answer is not to be cached."""
        return ""

    def _shape(self) -> Shape:
        parameters = list(signature_of(self._function).parameters.values())
        named = [parameter.name for parameter in parameters]
        owner = named[:1] in (["self"], ["cls"]) and named[0] not in self._ignored
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        ignored = [
            position
            for position, parameter in enumerate(parameters)
            if parameter.kind in positional and parameter.name in self._ignored
        ]
        if list(signature_of(self._function, follow_wrapped=False).parameters) != named:
            # A wrapper may hand on others than it is given.
            ignored = []
        return Shape(*shape_of_defaults(self._function, parameters), owner, ignored, list(self._ignored))

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The way of a call where nothing is native: the cache is of another kind."""
        self._check_cache()
        if callable(self._options.unless) and self._bypasses(args, kwargs):
            return self._run_uncached(args, kwargs)
        if self._scope(args, kwargs) is None:
            return self._run_uncached(args, kwargs)
        try:
            made = self._make(args, kwargs)
            forced = callable(self._options.forced_update) and self._forces(args, kwargs)
        except Exception as error:
            return self._run_despite(error, args, kwargs)
        return self._answer_with(made, forced, args, kwargs)


class KeyedView(Keyed, CachedView):
    """What ``flask_rustcache.cached`` returns."""

    def _run(self, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return super()._run(made[0], args, kwargs)

    def _keys(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        if not self._knows_request() or not self._is_dispatched():
            return super()._keys(args, kwargs)
        first = request.method if request.method in _READING else _READING[0]
        scopes = [self._scope_of(method, args) for method in dict.fromkeys((first, *_READING))]
        return [self._made(scope, args, kwargs).key for scope in scopes]

    def _scope(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        if not self._knows_request():
            return ""
        if not self._is_dispatched():
            return self._query()
        return self._scope_of(request.method, args) if request.method in _READING else None

    def _knows_request(self) -> bool:
        """Whether there is one that counts."""
        return bool(request) and self._inner.make_cache_key is self._own_key

    def _scope_of(self, method: str, args: tuple[Any, ...]) -> str:
        return f"{method} {_place()!r}{self._owner_class(args)}{self._query()} "

    def _query(self, *_call: Any) -> str:
        """What counts of the query; the native half remembers it by the bytes of the query string."""
        if not self._view.query_string:
            return ""
        return f"?{sorted(request.args.items(multi=True))!r} "

    def _owner_class(self, args: tuple[Any, ...]) -> str:
        """Of a method, the class: a view may ask another's method for its answer."""
        parameters = list(signature_of(self._function).parameters)
        if not args or type(args[0]) in _PLAIN or parameters[:1] not in (["self"], ["cls"]):
            return ""
        owner = args[0] if isinstance(args[0], type) else type(args[0])
        return f" {owner.__module__}.{owner.__qualname__}"

    def _is_dispatched(self) -> bool:
        """Whether the present request was dispatched to this very function, or to the class of this view."""
        view = looked_up(current_app.view_functions, request.endpoint or "")
        if view is None:
            return False
        answers = self._is_one_of(_candidates(view))
        # From now on the native half tells by itself what requests for it come to, if it can be remembered.
        with suppress(TypeError):
            self._sees(view, answers)
        return answers

    def _is_one_of(self, functions: list[Any]) -> bool:
        own = _innermost(self._function)
        return any(_innermost(function) is own for function in functions)


def _place() -> str:
    """Where the present request goes to, as far as the application tells such places apart."""
    by_host = current_app.url_map.host_matching or getattr(current_app, "subdomain_matching", False)
    return f"{request.host if by_host else ''}{request.root_path.rstrip('/')}{request.path}"


class KeyedFunction(Keyed, MemoizedFunction):
    """What ``flask_rustcache.memoize`` returns."""

    _kind = "memoize "
    view_class = ViewClass()

    def _bind_inner(
        self, make_cache_key: Callable[..., Any] | None, ignored: list[str] | None = None
    ) -> Self:
        self.delete_memoized = self.clear
        return super()._bind_inner(make_cache_key, ignored)

    def _keep(self, made: Any, timeout: Any) -> None:
        """There are no versions to keep."""


class KeyedMethod:
    """A decorated method, bound to an instance or a class."""

    if TYPE_CHECKING:
        # Annotations in the body would be those of its instances.
        @property
        def __func__(self) -> Any: ...
        @property
        def __self__(self) -> Any: ...

    def __init__(self, function: Keyed, instance: Any) -> None:
        """Binds ``function`` to ``instance``."""
        own = {"__func__": function, "__self__": instance}
        self.__dict__.update(own, __doc__=function.__doc__, __module__=function.__module__)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the method."""
        return self.__func__(self.__self__, *args, **kwargs)

    def key(self, /, *args: Any, **kwargs: Any) -> str:
        """As for a function, for the other arguments."""
        return cast("str", self.__func__.key(self.__self__, *args, **kwargs))

    def delete(self, /, *args: Any, **kwargs: Any) -> bool:
        """As for a function, for the other arguments."""
        return bool(self.__func__.delete(self.__self__, *args, **kwargs))

    @property
    def __signature__(self) -> inspect.Signature:
        """That of a bound method."""
        return signature_of(types.MethodType(self.__func__, self.__self__))

    def __reduce__(self) -> Any:
        """By the instance and the name, as a bound method."""
        return getattr, (self.__self__, self.__func__.__dict__["__name__"])

    def __getattr__(self, name: str) -> Any:
        """Whatever else is the function's."""
        return getattr(self.__func__, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Always raises ``AttributeError``, as for a bound method: attributes are the function's."""
        raise AttributeError(f"a bound method has no attributes of its own: set {name} of the function")

    def __eq__(self, other: object) -> bool:
        """As bound methods compare."""
        if not isinstance(other, KeyedMethod):
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        """As bound methods hash."""
        return hash((id(self.__self__), id(self.__func__)))

    def __repr__(self) -> str:
        """Says what is bound."""
        return f"<bound {self.__func__!r} of {self.__self__!r}>"


def keyed_of(function: Any) -> Any:
    """What the package's own decorators made, if that is meant by a function, a wrapper or a method."""
    function, instance = getattr(function, "__func__", function), getattr(function, "__self__", None)
    decorated = next((layer for layer in layers_of(function) if isinstance(layer, CachedFunction)), None)
    if not isinstance(decorated, Keyed):
        return None
    return decorated if instance is None else KeyedMethod(decorated, instance)


def _text(value: Any) -> str:
    """A value as part of a key: typed, and with no way to look like another one."""
    kind = type(value)
    if kind is int and value.bit_length() > _LONGEST_INT:
        return hex(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is tuple:
        return f"({''.join(f'{_text(item)}, ' for item in value)})"
    shown = repr(value)
    return f"<{kind.__module__}.{kind.__qualname__} {len(shown)}:{shown}>"


def _owner_text(owner: Any) -> str:
    """What ``self`` or ``cls`` is known by."""
    identify = getattr(owner, "__caching_id__", None)
    if identify is not None:
        return _text(identify())
    shown = repr(owner)
    return f"<{len(shown)}:{shown}>"


def _bind(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[inspect.Signature, inspect.BoundArguments]:
    """The arguments as the function takes them; a wrapper may take others than what it wraps."""
    signature = signature_of(function)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        signature = signature_of(function, follow_wrapped=False)
        bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return signature, bound


def _innermost(function: Any) -> Any:
    """The function itself, under all that was wrapped around it."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))


def _candidates(view: Any) -> list[Any]:
    """What a request may run: the view, or a method of its class, be it by `super()` or from another one."""
    kinds = [vars(kind) for kind in getattr(getattr(view, "view_class", None), "__mro__", ())]
    return [view, *(kind[name] for kind in kinds for name in _ANSWERING if name in kind)]
