"""What the top-level decorators make of a function: methods, wrappers, and that it stays like a function."""

import copy
import dataclasses
import functools
import inspect
import itertools
import pickle
import sys

import pytest
from flask_rustcache import _keyed, cached, memoize

from ._anywhere import app, decorate, present, stored
from ._memo import Item, Keyed

# Fixtures are found by their names.
__all__ = ["app", "decorate", "present"]


class Shop:
    """One of each kind of method; ``name`` is what instances are told by."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"<Shop {self.name}>"


def family(decorator, base, runs):
    """A class with a decorated method of each kind; what they return says who ran, and which run it was."""

    class Family(base):
        @decorator
        def usual(self, a, b=2):
            return getattr(self, "name", None), a, next(runs)

        @classmethod
        @decorator
        def of_class(cls, a, b=2):
            return cls.__name__, a, next(runs)

        @staticmethod
        @decorator
        def static(a, b=2):
            return "static", a, next(runs)

    return Family


def test_methods(present, decorate):
    """K9: instances are told by ``repr``, classes, too; a static method has none."""
    runs = itertools.count(1)
    family_class = family(decorate(60), Shop, runs)
    heir = type("Heir", (family_class,), {"__repr__": Shop.__repr__})
    ann, other_ann, bob = family_class("ann"), family_class("ann"), family_class("bob")
    for _ in range(2):
        assert ann.usual(1) == other_ann.usual(a=1, b=2) == family_class.usual(ann, 1) == ("ann", 1, 1)
        assert bob.usual(1) == ("bob", 1, 2)
        assert family_class.of_class(1) == ann.of_class(1, b=2) == ("Family", 1, 3)
        assert heir.of_class(1) == ("Heir", 1, 4)
        assert family_class.static(1) == bob.static(a=1) == heir.static(1) == ("static", 1, 5)
    assert len(stored(present)) == 5


def test_caching_id(present, decorate):
    """It wins over ``repr``, and is typed as every argument is."""
    runs = itertools.count(1)
    tokens = [1, True, 1.0, "1", (1,), None, "a", "a"]

    class Basket(Keyed):
        @decorate(60)
        def total(self, a):
            return next(runs)

    assert [Basket(token).total(1) for token in tokens] == [1, 2, 3, 4, 5, 6, 7, 7]


def test_methods_of_bound_methods(present, decorate):
    """``key``, ``delete`` and ``clear`` of a bound method take the remaining arguments."""
    runs = itertools.count(1)
    family_class = family(decorate(60), Shop, runs)
    ann, bob = family_class("ann"), family_class("bob")
    bound = [ann.usual, bob.usual, family_class.static]
    if sys.version_info < (3, 13):
        # Later ones bind a class method without asking it.
        bound.append(family_class.of_class)
    for function in bound:
        function(1), function(2)
        assert {function.key(1), function.key(a=2)} <= stored(present)
        assert function.delete(1) is True
        assert function.delete(1) is False
        assert function.key(1) not in stored(present)
        assert function.key(2) in stored(present)
    assert ann.usual.key(2) != bob.usual.key(2)
    assert len(stored(present)) == len(bound)
    ann.usual.clear()
    assert stored(present) == {function.key(2) for function in bound[2:]}


@dataclasses.dataclass
class Total:
    price: float
    run: int


def test_dataclasses(present, decorate):
    """Methods of a dataclass: told by its fields, which the decorated method is none of."""
    runs = itertools.count(1)

    @dataclasses.dataclass(frozen=True)
    class Basket:
        price: float
        count: int = 1

        @decorate(60)
        def total(self, tax=0):
            return Total(self.price * self.count, next(runs))

    assert [field.name for field in dataclasses.fields(Basket)] == ["price", "count"]
    assert Basket(2.5, 2).total() == Basket(count=2, price=2.5).total(tax=0) == Total(5.0, 1)
    assert Basket(2.5, 3).total() == Total(7.5, 2)
    Basket(2.5, 2).total().price = 99
    assert Basket(2.5, 2).total() == Total(5.0, 1)


def test_callables_of_other_kinds(present, decorate):
    """Methods that are decorated when they are bound already, and partial functions, are kept apart."""
    methods = [decorate(60)(Item(token).__repr__) for token in "ab"]
    assert [method() for method in methods * 2] == ["<Item a>", "<Item b>"] * 2
    partials = [decorate(60)(functools.partial("{} {}".format, word)) for word in "ab"]
    assert [partial("c") for partial in partials * 2] == ["a c", "b c"] * 2


def with_user(function):
    """What many applications have: a decorator that gives the function an argument of its own."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        return function("user", *args, **kwargs)

    return call


def test_wraps_below(present, decorate):
    """A wrapper between the two that hands other arguments on: its own calls are what counts."""
    runs = itertools.count(1)

    @decorate(60)
    @with_user
    def greet(user, name, mark="!"):
        return f"{user} greets {name}{mark} {next(runs)}"

    assert greet("ann") == greet("ann") == "user greets ann! 1"
    assert greet("bob") == greet("bob") == "user greets bob! 2"
    assert greet("ann", "?") == "user greets ann? 3"
    assert greet("ann", mark="?").startswith("user greets ann? ")


def test_wraps_above(present, decorate):
    """A wrapper above sees the decorated function, and looks like it."""
    runs = itertools.count(1)

    @with_user
    @decorate(60)
    def greet(user, name):
        return f"{user} greets {name} {next(runs)}"

    assert greet("ann") == greet("ann") == "user greets ann 1"
    assert greet.__name__ == "greet"
    assert greet.__wrapped__("user", "ann") == "user greets ann 1"


def test_calls_that_do_not_fit(present, decorate):
    """They raise what the function itself raises, and nothing is stored."""
    function = decorate(60)(lambda a, *, k: a)
    for call in (lambda f: f(), lambda f: f(1, 2, k=1), lambda f: f(1, k=1, z=1), lambda f: f(1, a=1, k=1)):
        with pytest.raises(TypeError) as expected:
            call(function.uncached)
        with pytest.raises(TypeError) as raised:
            call(function)
        assert str(raised.value) == str(expected.value)
    assert stored(present) == set()


NAMES = ["self", "cls", "fn", "f", "function", "args", "kwargs", "key", "made", "value", "cache", "instance"]


def test_parameters_of_whatever_name(present, decorate):
    """J4: no keyword is taken for one of the package's own."""
    runs = itertools.count(1)

    @decorate(60)
    def show(**named):
        return sorted(named), next(runs)

    for number, name in enumerate(NAMES, start=1):
        call = {name: 1}
        assert show(**call) == show(**call) == ([name], number)
        assert show.key(**call) in stored(present)
        assert show.delete(**call) is True


@cached(60)
def of_module(a: int, b: str = "x") -> str:
    """Say it."""
    return f"{a} {b}"


@memoize(60)
def memoized_of_module(a: int, b: str = "x") -> str:
    """Say it."""
    return f"{a} {b}"


@pytest.mark.parametrize("function", [of_module, memoized_of_module])
def test_a_decorated_function_is_like_a_function(present, function):
    """K10: signature, names, documentation; pickled by name, copied not at all."""
    assert str(inspect.signature(function)) == "(a: int, b: str = 'x') -> str"
    assert (function.__doc__, function.__module__) == ("Say it.", __name__)
    assert function.__name__ == function.__qualname__ == function.uncached.__name__
    assert function.__wrapped__ is function.uncached
    assert inspect.unwrap(function)(1) == "1 x"
    assert callable(function.make_cache_key)
    assert function.cache_timeout == 60
    for again in (pickle.loads(pickle.dumps(function)), copy.copy(function), copy.deepcopy(function)):
        assert again is function
    holder = functools.wraps(function)(lambda *args: None)
    assert (holder.__name__, holder.uncached) == (function.__name__, function.uncached)


class Greeter(Item):
    @cached(60)
    def greet(self, a: int = 1) -> str:
        """Say hello."""
        return f"{self.token} {a}"

    @memoize(60)
    def remember(self, a: int = 1) -> str:
        """Say hello."""
        return f"{self.token} {a}"


@pytest.mark.parametrize("name", ["greet", "remember"])
def test_a_bound_method_is_like_a_bound_method(present, name):
    """K10."""
    greeter = Greeter("ann")
    method = getattr(greeter, name)
    assert str(inspect.signature(method)) == "(a: int = 1) -> str"
    assert (method.__name__, method.__qualname__) == (name, f"Greeter.{name}")
    assert (method.__doc__, method.__module__) == ("Say hello.", __name__)
    assert method.__self__ is greeter
    assert method == getattr(greeter, name)
    assert method != getattr(Greeter("ann"), name)
    assert len({method, getattr(greeter, name)}) == 1
    for again in (pickle.loads(pickle.dumps(method)), copy.copy(method), copy.deepcopy(method)):
        assert again(2) == "ann 2"
    with pytest.raises(AttributeError, match="set cache_timeout of the function"):
        method.cache_timeout = 5


def test_a_function_is_told_once_while_it_is_the_same(present, monkeypatch):
    """A hit with a key of one's own takes no look at the function's code; what is new about it is noticed."""
    looks = []
    digest_of = _keyed.digest_of
    monkeypatch.setattr(
        _keyed, "digest_of", lambda *given, **options: looks.append(1) or digest_of(*given, **options)
    )

    @cached(60, make_cache_key=lambda: "own")
    def total():
        return 1

    assert [total(), total()] == [1, 1]
    looks.clear()
    assert [total(), total()] == [1, 1]
    assert looks == []

    names = [total._name()]
    total.uncached.__qualname__ = "another"
    names.append(total._name())
    total.uncached.__code__ = (lambda: 2).__code__
    with pytest.warns(UserWarning, match="another function than before"):
        names.append(total._name())
    total.uncached.__wrapped__ = lambda: 3
    names.append(total._name())
    assert len(set(names)) == 4
