"""The checker of histories: what it lets pass, and what not."""

import itertools

import pytest

from ._linear import Impossible, Op, is_linearisable

WRITE_1, WRITE_2 = Op(0, 10, "write", 1, None), Op(5, 15, "write", 2, None)


def register(value, op):
    """A variable that is written and read."""
    if op.name == "write":
        return op.argument
    if op.result != value:
        raise Impossible
    return value


def read(begin, end, result):
    return Op(begin, end, "read", None, result)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [WRITE_1, read(11, 12, 1)],
        [WRITE_1, read(5, 6, 0), read(7, 8, 1)],
        [WRITE_1, WRITE_2, read(16, 17, 1)],
        [WRITE_1, WRITE_2, read(16, 17, 2)],
        [WRITE_1, WRITE_2, read(6, 7, 1), read(8, 9, 2)],
    ],
)
def test_what_has_an_order_passes(history):
    for given in itertools.permutations(history):
        assert is_linearisable(given, 0, register)


@pytest.mark.parametrize(
    "history",
    [
        [read(0, 1, 7)],
        [WRITE_1, read(11, 12, 0)],
        [WRITE_1, read(5, 6, 1), read(7, 8, 0)],
        [WRITE_1, WRITE_2, read(16, 17, 1), read(18, 19, 2)],
        [WRITE_1, WRITE_2, read(6, 7, 1), read(8, 9, 2), read(16, 17, 1), read(18, 19, 0)],
    ],
)
def test_what_has_none_does_not(history):
    for given in itertools.permutations(history):
        assert not is_linearisable(given, 0, register)


def test_it_gives_up_where_there_are_too_many_orders():
    history = [Op(0, 9, "write", number, None) for number in range(20)]
    with pytest.raises(RuntimeError, match="no order"):
        is_linearisable([*history, read(10, 11, -1)], 0, register, most=1000)
