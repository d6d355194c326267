"""Values in full, to be compared: `==` would take 1 for True, and two lists for one."""


def shape(value, seen=None):
    """A value in full: exact types, bits, order, and which containers are one and the same.

    Immutable tuples are not numbered: whether two of them are one object makes no difference.
    """
    seen = {} if seen is None else seen
    kind = type(value)
    if kind in (set, frozenset):
        held = sorted(repr(shape(item)) for item in value)
        return (kind, held) if kind is frozenset else again(value, seen) or number(value, seen, held)
    if kind is tuple and immutable(value):
        return kind, [shape(item) for item in value]
    if kind not in (dict, tuple) and not isinstance(value, list):
        return kind, repr(value)
    met = again(value, seen)
    if met:
        return met
    label = number(value, seen, None)
    items = value.items() if kind is dict else value
    return label, [shape(item, seen) for item in items] if kind is not dict else pairs(items, seen)


def pairs(items, seen):
    return [(shape(key), shape(item, seen)) for key, item in items]


def again(value, seen):
    return ("again", seen[id(value)]) if id(value) in seen else None


def number(value, seen, held):
    seen[id(value)] = len(seen)
    return type(value), seen[id(value)], held


def immutable(value):
    """Whether nothing in a value can change; a cycle always goes through something that can."""
    if isinstance(value, list | dict | set):
        return False
    return not isinstance(value, tuple) or all(immutable(item) for item in value)


def mutable_parts(value, seen):
    """Every container of a value that can change, or holds what can, by id."""
    if isinstance(value, list | dict | set | tuple) and id(value) not in seen and not immutable(value):
        seen[id(value)] = value
        for part in value.values() if isinstance(value, dict) else value:
            mutable_parts(part, seen)
    return seen
