"""What the tests of ``memoize`` share: its records and entries, and a family of functions of every kind."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_caching.utils import function_namespace

from ._apps import backend_of

RECORD = "_memver"
"""How the key of a version record ends."""

HASH = 16
"""How many characters of an entry's key tell the call; the versions come after them."""

VERSION = 6
"""How many characters a version has."""


def record_of(cache, function, *args):
    """The key of a function's version record, by upstream's name; a class method's needs its class."""
    return cache._memvname(function_namespace(function.uncached, args=args)[0])


def record_of_instance(cache, function, instance):
    """The key of the version record that one instance's calls of a method have, besides the function's."""
    return cache._memvname(function_namespace(function.uncached, args=(instance,))[1])


def records(app, cache):
    return {key for key in backend_of(app, cache)._cache if key.endswith(RECORD)}


def entries(app, cache):
    return {key for key in backend_of(app, cache)._cache if not key.endswith(RECORD)}


def versions_of(key):
    """The versions in an entry's key: the function's, and the instance's if it has one."""
    return [key[start : start + VERSION] for start in range(HASH, len(key), VERSION)]


def orphans(keys, versions):
    """The entries among the keys that no call can find any more.

    Args:
        keys: Keys of live entries.
        versions: The values of the live version records.
    """
    return {key for key in keys if not versions.issuperset(versions_of(key))}


def key_of(function, *args, **kwargs):
    """The key of a call, from the attribute that Flask-Caching documents for this."""
    return function.make_cache_key(function.uncached, *args, **kwargs)


# The family. Each member is made by ``member(memoize, run)``: it decorates a function with the first and
# calls the second in it. All worlds and all uses of a member share its code and its qualified name.


@dataclass
class Subject:
    """A memoized function and the things it is called on, if it is some kind of method."""

    function: Any
    things: list = ()
    name: str = ""

    def reach(self, who):
        """The function as a caller has it: bound to a thing, if there are any."""
        return getattr(self.things[who % len(self.things)], self.name) if self.things else self.function

    def record(self, cache):
        """The key of its version record."""
        return record_of(cache, self.function, *self.things[:1])


class Item:
    """Told from others by its ``repr``, and false if it has no token."""

    def __init__(self, token):
        self.token = token

    def __repr__(self):
        return f"<Item {self.token}>"

    def __bool__(self):
        return bool(self.token)


class Keyed(Item):
    """Told from others by its ``__caching_id__``; all look the same."""

    def __repr__(self):
        return "<Keyed>"

    def __caching_id__(self):
        return self.token


TOKENS = ["a", "b", "a b", ""]


def nothing(memoize, run):
    @memoize
    def function():
        return run()

    return Subject(function)


def two(memoize, run):
    @memoize
    def function(a, b=2):
        return run(a, b)

    return Subject(function)


def falsy(memoize, run):
    @memoize
    def function(a=None, b=0, c=""):
        return run(a, b, c)

    return Subject(function)


def keyword_only(memoize, run):
    @memoize
    def function(a=1, *, k=1, m=None):
        return run(a, k, m)

    return Subject(function)


def positional_only(memoize, run):
    @memoize
    def function(a, b=1, /, c=2):
        return run(a, b, c)

    return Subject(function)


def variadic(memoize, run):
    @memoize
    def function(a, *rest, k=0):
        return run(a, rest, k)

    return Subject(function)


def with_keywords(memoize, run):
    @memoize
    def function(a=1, **more):
        return run(a, more)

    return Subject(function)


def everything(memoize, run):
    @memoize
    def function(a, /, b=None, *rest, k=None, **more):
        return run(a, b, rest, k, more)

    return Subject(function)


def method(memoize, run):
    class Shop(Item):
        @memoize
        def function(self, a=1, b=2):
            return run(a, b)

    return Subject(Shop.function, [Shop(token) for token in TOKENS], "function")


def keyed_method(memoize, run):
    class Shop(Keyed):
        @memoize
        def function(self, a=1, *rest, k=None):
            return run(a, rest, k)

    return Subject(Shop.function, [Shop(token) for token in TOKENS], "function")


def class_method(memoize, run):
    class Meta(type):
        def __repr__(cls):
            return cls.__name__

    class Shop(metaclass=Meta):
        @classmethod
        @memoize
        def function(cls, a=1, b=2):
            return run(a, b)

    class Sale(Shop):
        pass

    # As ``Shop.function`` binds, it is the descriptor's own function that carries the attributes.
    return Subject(Shop.__dict__["function"].__func__, [Shop, Sale], "function")


def static_method(memoize, run):
    class Shop:
        @staticmethod
        @memoize
        def function(a=1, b=2):
            return run(a, b)

    return Subject(Shop.function, [Shop, Shop()], "function")


def decorated_bound_method(memoize, run):
    class Shop(Item):
        def function(self, a=1, b=2):
            return run(a, b)

    return Subject(memoize(Shop("a").function))


def asynchronous(memoize, run):
    @memoize
    async def function(a=1, b=2):
        return run(a, b)

    return Subject(function)


def wrapped(memoize, run):
    def inner(a, b=2):
        return run(a, b)

    @memoize
    @functools.wraps(inner)
    def function(*args, **kwargs):
        return inner(*args, **kwargs)

    return Subject(function)


def named_object(memoize, run):
    class Callable:
        __name__ = "named"

        def __call__(self, a=1, b=2):
            return run(a, b)

    return Subject(memoize(Callable()))


def partial(memoize, run):
    def function(c, a=1, b=2):
        return run(a, b, c)

    return Subject(memoize(functools.partial(function, "c")))


def self_of_no_class(memoize, run):
    @memoize
    def function(self, a=1):
        return run(self, a)

    return Subject(function)


def cls_of_no_class(memoize, run):
    @memoize
    def function(cls, a=1):
        return run(cls, a)

    return Subject(function)


def anonymous(memoize, run):
    return Subject(memoize(lambda a=1, b=2: run(a, b)))


def recursive(memoize, run):
    @memoize
    def function(a=3, b=0):
        run(a, b)
        return function(a - 1, b=b) + 1 if type(a) is int and 0 < a < 5 else 0

    return Subject(function)


FAMILY: dict[str, Callable[..., Subject]] = {
    member.__name__: member
    for member in (
        nothing,
        two,
        falsy,
        keyword_only,
        positional_only,
        variadic,
        with_keywords,
        everything,
        method,
        keyed_method,
        class_method,
        static_method,
        decorated_bound_method,
        asynchronous,
        wrapped,
        named_object,
        partial,
        self_of_no_class,
        cls_of_no_class,
        anonymous,
        recursive,
    )
}
