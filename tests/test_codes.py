"""Trap J6: functions of one name are told apart by all of their code, and by that of their wrappers."""

import functools
import warnings

import pytest
from flask_rustcache import cached, memoize

from ._apps import CACHES, build

OURS = {
    "Cache.memoize": lambda cache: cache.memoize(60),
    "memoize": lambda _: memoize(60),
    "cached": lambda _: cached(60),
}


@pytest.fixture(params=OURS.values(), ids=OURS)
def decorator(request):
    """Each decorator that knows functions by name, in an application; a warning tells who is kept apart."""
    app, cache, _ = build()
    with app.app_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "another function than before", UserWarning)
        yield request.param(cache)


def wrapped(function, change):
    """The same name, and another value; each change is made by other code."""
    return functools.wraps(function)(change)


def compiled(file):
    """A function of a module that is there twice, with other globals."""
    names = {"__name__": "plugin", "FILE": file}
    exec(compile("def which():\n    return FILE\n", file, "exec"), names)
    return names["which"]


def base():
    return "base"


def closures(one, other):
    # On one line, with the same bytecode.
    return (lambda: one), (lambda: other)


PAIRS = {
    "wrappers": lambda: (wrapped(base, lambda: base().upper()), wrapped(base, lambda: f"{base()}!")),
    "a wrapper and none": lambda: (base, wrapped(base, lambda: f"{base()}?")),
    "closures over other names": lambda: closures("one", "other"),
    "files": lambda: (compiled("one.py"), compiled("other.py")),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_functions_that_share_a_name_only(decorator, kind):
    """J6: each gets its own answers, whichever was first."""
    functions = PAIRS[kind]()
    wanted = [function() for function in functions]
    decorated = [decorator(function) for function in functions]
    assert wanted[0] != wanted[1]
    assert [function() for function in decorated * 2] == wanted * 2


def test_parameters_of_other_kinds(decorator):
    """J6: with the same bytecode, on one line."""
    usual, packed = decorator(lambda a: a), decorator(lambda *a: a)
    assert [usual(1), packed(1), usual(1), packed(1)] == [1, (1,)] * 2


def test_wrappers_of_generated_code_are_known_again(decorator):
    """J7: some tools compile each wrapper anew, under a file name with a number."""
    runs = []

    def total():
        runs.append(1)
        return len(runs)

    def generated(number):
        names = {"total": total}
        code = compile("def wrapper(*args, **kwargs):\n    return total()\n", f"<generated-{number}>", "exec")
        exec(code, names)
        return functools.wraps(total)(names["wrapper"])

    assert [decorator(generated(number))() for number in range(3)] == [1] * 3


def test_a_function_that_is_wrapped_in_itself(decorator):
    """J6: the chain of wrappers has an end."""

    def loop():
        return 1

    decorated = decorator(loop)
    loop.__wrapped__ = loop
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "__signature__", None, raising=False)
        assert decorated() == 1


@pytest.mark.parametrize("cache_class", CACHES.values(), ids=CACHES)
@pytest.mark.parametrize("is_called", [True, False])
def test_delete_memoized_by_what_was_wrapped(cache_class, is_called):
    """J6: a function that is none of those of its name stands for all of them, and is told of to nobody."""
    _, cache, runs = build(cache_class)

    def total():
        return runs.count("total")

    memoized = cache.memoize(60)(wrapped(total, lambda: total() + 10))
    if is_called:
        assert [memoized(), memoized()] == [11, 11]
    cache.delete_memoized(total)
    assert [memoized(), memoized()] == [11 + is_called] * 2
    cache.delete_memoized_verhash(total)
    assert [memoized(), memoized()] == [12 + is_called] * 2
