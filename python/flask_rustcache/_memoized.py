"""What ``Cache.memoize`` returns."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import flask.views
import flask_caching

from ._compat import cache_memoize_hit, cache_memoize_miss, hashes_plainly, signature_of
from ._decorated import Decorated, MadeKey, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._cache import Cache


class Shape(NamedTuple):
    """What of a function's parameters matters to the way from a call to its key."""

    #: Are there none but the call's arguments, and defaults that are written with these?
    is_all: bool
    has_changing_defaults: bool
    has_owner: bool
    ignored_positions: list[int]
    ignored_names: list[str]


class KeyOptions(NamedTuple):
    """What of the decorator's options goes into keys, under Flask-Caching's names."""

    make_name: Any
    hash_method: Any
    source_check: Any
    args_to_ignore: Any

    def kind(self) -> str:
        """How the native half comes to a key: by the call, unless the key depends on more."""
        varies = callable(self.make_name) or self.source_check or not hashes_plainly(self.hash_method)
        return "asked" if varies else "call"

    def are_shared(self, function: Any) -> bool:
        """Whether all functions with the same code have the same keys: nothing else has a part in them."""
        return not any(self) and is_all_told(function)


class MemoizedFunction(Decorated):
    """A memoized function or method."""

    def _with(self, keys: KeyOptions) -> Self:
        self._key_options = keys
        #: Forgets all values of the function.
        self.delete_memoized: Callable[[], None] = lambda: self._of.delete_memoized(self)
        return self

    def _make(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> MadeKey:
        maker = _KeyMaker(self._of)
        make = flask_caching.Cache._memoize_make_cache_key
        own: Any = maker
        try:
            key = make(own, **self._key_options._asdict())(self._function, *args, **kwargs)
        except BaseException:
            self._of._end_unused(maker.records)
            raise
        return MadeKey(key, maker.records, maker.versions)

    def _shape(self) -> Shape:
        parameters = signature_of(self._function).parameters.values()
        # As `flask_caching.utils.get_arg_names` has them, which would read the signature once more.
        names = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        ignored = list(self._key_options.args_to_ignore or [])
        owner = names[:1] in (["self"], ["cls"]) and names[0] not in ignored
        of_defaults = shape_of_defaults(self._function, parameters)
        if any(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters):
            # There Flask-Caching's positions are not those of the arguments.
            return Shape(*of_defaults, owner, [], [])
        positions = [position for position, name in enumerate(names) if name in ignored]
        return Shape(*of_defaults, owner, positions, ignored)

    def _found(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._tell(True, key, args, kwargs)

    def _run(self, made: MadeKey, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Flask-Caching's way from a miss to an answer."""
        self._tell(False, made.key, args, kwargs)
        value = joined(self._of._call_fn(self._function, *args, **kwargs))
        accept = self._options.response_filter
        if accept is None or accept(value):
            timeout = self._timeout()
            if self._store(made.key, value, timeout):
                self._keep(made, timeout)
        return value

    def _keep(self, made: MadeKey, timeout: Any) -> None:
        self._of._keep_versions(made.tags, timeout)

    def _tell(self, found: bool, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        owner = self._of._owner()
        if owner.enable_signals:
            signal = cache_memoize_hit if found else cache_memoize_miss
            signal.send(cache=owner, cache_key=key, f=self._function, args=args, kwargs=kwargs)


class _KeyMaker:
    """Stands for the cache while Flask-Caching makes a key, and notes the records that the key depends on."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.records: tuple[str, ...] = ()
        self.versions = ""

    def _memoize_version(
        self, f: Any, args: Any, args_to_ignore: list[str] | None, **_: Any
    ) -> tuple[str, str]:
        name, self.records, self.versions = self._cache._find_versions(f, args, args_to_ignore)
        return name, self.versions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


class ViewClass:
    """The class that a view was made of, put on what decorates the view: its name is the one that counts."""

    def __get__(self, decorated: Any, owner: Any = None) -> Any:
        """Most have none."""
        try:
            return vars(decorated)["view_class"]
        except (KeyError, TypeError):
            raise AttributeError("view_class") from None

    def __set__(self, decorated: Any, view_class: Any) -> None:
        """What is remembered of keys may be that of another class's view."""
        is_other = "view_class" in vars(decorated)
        vars(decorated)["view_class"] = view_class
        if is_other or is_all_told(decorated._function):
            decorated._ask_for_keys()

    def __delete__(self, decorated: Any) -> None:
        """As if none had been put there."""
        if vars(decorated).pop("view_class", None) is None:
            raise AttributeError("view_class")
        decorated._ask_for_keys()


def class_of_view(function: Any) -> Any:
    """The class that Flask made a view of, whatever decorates the view; None for other functions.

    All these views have one name, and only what decorates them last is given the class.
    """
    made = inspect.unwrap(function)
    if not _is_flasks(made):
        return None
    held = dict(zip(made.__code__.co_freevars, made.__closure__ or (), strict=False))
    if "view" in held:
        return getattr(held["view"].cell_contents, "view_class", None)
    return type(held["self"].cell_contents) if "self" in held else None


def is_all_told(function: Any) -> bool:
    """Whether a function's name, code and defaults tell all that its keys may hold of it.

    Flask's views of classes are all one function, and what tells them apart is put on them later.
    """
    return type(function) is FunctionType and not vars(function) and not _is_flasks(function)


def _is_flasks(function: Any) -> bool:
    return type(function) is FunctionType and function.__globals__ is vars(flask.views)


def shape_of_defaults(function: Any, parameters: Iterable[inspect.Parameter]) -> tuple[bool, bool]:
    """The first two of a :class:`Shape`."""
    if all(_is_constant(parameter.default) for parameter in parameters):
        return True, False
    # Those of what is wrapped, or of a signature put in place of the function's, are not found at it.
    return vars(function).keys().isdisjoint(("__wrapped__", "__signature__")), True


def _is_constant(default: Any) -> bool:
    """Whether a default, which is part of the key by its ``repr``, always looks the same."""
    if type(default) is tuple:
        return all(_is_constant(item) for item in default)
    plain = (bool, int, float, str, bytes, type(None))
    return type(default) in plain or default is inspect.Parameter.empty
