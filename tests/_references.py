"""What the tests of references share: rounds of a scenario, and what is counted before and after them."""

import builtins
import datetime as dt
import decimal
import gc
import sys
import uuid

import flask

WARM = 40
ROUNDS = 100
WINDOWS = 3
#: What counting itself takes.
OWN = 3

#: What the collector does not know of.
OTHERS = [Ellipsis, "", b"", 0, 1, 2, 60, 0.0, "key", "value", "tag"]
OTHERS += [thing for module in (builtins, dt, decimal, uuid) for thing in vars(module).values()]


def total():
    """All references there are; 0 on usual builds, which do not count them."""
    count = getattr(sys, "gettotalrefcount", None)
    return count() if count else 0


def tidy():
    """Empty what CPython keeps for later: garbage, and the names of attributes that were looked up."""
    gc.collect()
    clear = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache
    clear()


def window(play):
    """By how much blocks and references have grown over some rounds."""
    tidy()
    blocks, references = sys.getallocatedblocks(), total()
    for _ in range(ROUNDS):
        play()
    tidy()
    return sys.getallocatedblocks() - blocks, total() - references


def holders():
    gc.collect()
    return gc.get_objects() + OTHERS


def check_rounds(name, play):
    for _ in range(WARM):
        play()
    window(play)
    things = holders()
    before = list(map(sys.getrefcount, things))
    windows = [window(play) for _ in range(WINDOWS)]
    after = list(map(sys.getrefcount, things))
    counts = zip(things, before, after, strict=True)
    changed = [(type(thing), now - then) for thing, then, now in counts if abs(now - then) >= ROUNDS]
    assert not changed, (name, changed)
    # Something else may take a block at times, but not in each window.
    for kind, grown in zip(("blocks", "references"), zip(*windows, strict=True), strict=True):
        assert min(grown) <= OWN, (name, kind, grown)


def check_all(scenarios):
    for name, make in scenarios.items():
        check_rounds(name, make())


def response():
    made = flask.Response("body", 201, {"X-One": "1"})
    made.freeze()
    return made
