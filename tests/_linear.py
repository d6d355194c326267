"""Whether what threads saw of one thing could have come of doing one operation after the other."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

MOST_STATES = 200_000
"""More than any history of the tests takes: so many are no longer a matter of seconds."""


class Op(NamedTuple):
    """An operation: when its call began and when it had returned, what it was, what it said."""

    begin: int
    end: int
    name: str
    argument: Any
    result: Any


class Impossible(Exception):  # noqa: N818  # no error: an answer
    """The model says something else."""


def is_linearisable(
    history: Iterable[Op], state: Hashable, apply: Callable[[Any, Op], Hashable], most: int = MOST_STATES
) -> bool:
    """Look for an order of operations that explains a history (Wing and Gong, 1993).

    Whatever had returned before another began comes before it. What was tried is remembered (Lowe, 2017):
    the same operations done, and the same state.

    Args:
        history: The operations of all threads.
        state: What there was before.
        apply: Gives the state after an operation; raises `Impossible` if it cannot have said what it did.
        most: How many states are looked at before it is given up with a `RuntimeError`.
    """
    ops = sorted(history, key=lambda op: op.begin)
    todo, seen = [(0, state)], set()
    while todo:
        done, state = todo.pop()
        if done == (1 << len(ops)) - 1:
            return True
        for number in _next(ops, done):
            try:
                after = (done | 1 << number, apply(state, ops[number]))
            except Impossible:
                continue
            if after not in seen:
                seen.add(after)
                todo.append(after)
        if len(seen) > most:
            raise RuntimeError(f"no order found in {most} states")
    return False


def _next(ops: list[Op], done: int) -> list[int]:
    """Those that may come next: no other had returned before they began."""
    left = [number for number in range(len(ops)) if not done >> number & 1]
    first = min(ops[number].end for number in left)
    return [number for number in left if ops[number].begin <= first]
