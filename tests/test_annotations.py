"""Trap K10: annotations are the decorated function's own, and from CPython 3.14 on need not be there yet."""

import inspect
import sys
import typing

import pytest
from flask_rustcache import cached, memoize

from ._anywhere import app, present
from ._apps import CACHES, build

if typing.TYPE_CHECKING:
    from decimal import Decimal as Later

# Fixtures are found by their names.
__all__ = ["app", "present"]

lazily = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="annotations are evaluated where a function is defined"
)
PLAIN, UPSTREAM = CACHES["ours"](), CACHES["upstream"]()
DECORATORS = {
    "Cache.cached": PLAIN.cached(60),
    "Cache.memoize": PLAIN.memoize(60),
    "cached": cached(60),
    "memoize": memoize(60),
    "upstream's cached": UPSTREAM.cached(60),
    "upstream's memoize": UPSTREAM.memoize(60),
}
OURS = {name: decorator for name, decorator in DECORATORS.items() if not name.startswith("upstream")}
each_decorator = pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS)
EXPECTED = {"first": int, "key": str | None, "return": list[int]}


def annotated(first: int, key: "str | None" = None) -> list[int]:
    return [first]


class Shop:
    def method(self, first: int, key: "str | None" = None) -> list[int]:
        return [first]


@each_decorator
def test_annotations_are_the_functions(decorator):
    decorated = decorator(annotated)
    assert decorated.__annotations__ == inspect.get_annotations(decorated) == annotated.__annotations__
    assert typing.get_type_hints(decorated) == EXPECTED
    assert inspect.get_annotations(decorated, eval_str=True) == EXPECTED


@each_decorator
def test_annotations_of_a_bound_method(decorator):
    bound_to = type("Heir", (Shop,), {"method": decorator(Shop.method)})()
    assert bound_to.method.__annotations__ == Shop.method.__annotations__
    assert typing.get_type_hints(bound_to.method) == EXPECTED


@each_decorator
def test_annotations_can_be_set(decorator):
    decorated = decorator(lambda first: first)
    assert decorated.__annotations__ == {}
    decorated.__annotations__ = {"first": float}
    assert decorated.__annotations__ == typing.get_type_hints(decorated) == {"first": float}


@pytest.mark.parametrize("decorator", OURS.values(), ids=OURS)
def test_our_classes_keep_theirs_out_of_the_way(decorator):
    """What a class says of itself, its instances would say, too."""
    classes = type(decorator(annotated)).__mro__
    kept = [kind.__name__ for kind in classes if vars(kind).get("__annotations__")]
    assert kept == (["Decorated"] if sys.version_info >= (3, 14) else [])
    assert all(inspect.get_annotations(kind) == {} for kind in classes)


def late(decorator, runs=None):
    """A function with an annotation that only type checkers know, and a method."""

    @decorator
    def function(item: Later, /, *more: Later, number: "Later" = 1, **rest: Later) -> Later:
        return None if runs is None else next(runs)

    class Thing:
        def __repr__(self):
            return "<Thing>"

        @decorator
        def method(self, item: Later, number: int = 1) -> Later:
            return None if runs is None else next(runs)

    return function, Thing()


@lazily
@each_decorator
def test_annotations_that_are_not_there_yet(decorator):
    """They raise where they are asked for, and have names where those are asked for."""
    import annotationlib  # noqa: PLC0415  # from 3.14 on

    function, thing = late(decorator)
    for decorated in function, thing.method:
        with pytest.raises(NameError, match="Later"):
            _ = decorated.__annotations__
        found = annotationlib.get_annotations(decorated, format=annotationlib.Format.STRING)
        assert found["item"] == found["return"] == "Later"


@lazily
@pytest.mark.parametrize("name", ["cached", "memoize"])
def test_top_level_decorators_need_no_annotations(present, name):
    """Such a function is cached like any other, and has keys."""
    runs = iter(range(1, 10))
    decorator = {"cached": cached, "memoize": memoize}[name]
    function, thing = late(decorator(60), runs)
    for _ in range(2):
        assert function(1, number=2) == 1
        assert function(1, 2, other=3) == 2
        assert thing.method(1) == thing.method(item=1, number=1) == 3
    assert function.key(1, number=2) != function.key(1)
    assert function.delete(1, number=2)
    assert function(1, number=2) == 4
    assert list(inspect.signature(thing.method).parameters) == ["item", "number"]


@lazily
def test_memoize_needs_no_annotations():
    """The same of ``Cache.memoize``, whichever of the two caches it is."""
    for kind in CACHES.values():
        runs = iter(range(1, 10))
        app, cache, _ = build(kind)
        function, thing = late(cache.memoize(60), runs)
        ignoring = late(cache.memoize(60, args_to_ignore=["number"]), runs)[1]
        with app.app_context():
            for _ in range(2):
                assert function(1, number=2) == 1
                assert thing.method(1) == thing.method(item=1) == 2
                assert ignoring.method(1, 2) == ignoring.method(1, number=3) == 3
            cache.delete_memoized(function)
            assert function(1, number=2) == 4
