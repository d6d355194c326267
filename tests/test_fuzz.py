"""Hostile input: the corpus that `make fuzz` has gathered, and random inputs besides (docs/fuzzing.md)."""

import importlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ._child import in_child
from .fuzz import corpus
from .fuzz import requests as targeted_requests

#: How often the profile's number of random inputs: a request is the slowest of all.
SHARES = {"values": 4, "keys": 4, "settings": 8, "requests": 0.5}


def target_of(name):
    return importlib.import_module(f"tests.fuzz.{name}").run


@pytest.mark.parametrize("target", corpus.TARGETS)
@in_child
def test_what_was_found_once_is_not_found_again(target):
    """The corpus: no wrong answer, no panic, no crash; bytes add up (A2, A4, A6, H4, I1 to I6, J1, K1)."""
    run, inputs = target_of(target), corpus.inputs(target)
    assert inputs
    for data in inputs:
        run(data)


@pytest.mark.parametrize("target", corpus.TARGETS)
@in_child
def test_random_inputs(target):
    """The same of inputs that nobody has seen."""
    run = target_of(target)

    @settings(max_examples=int(SHARES[target] * settings.default.max_examples), deadline=None, database=None)
    @given(st.binary(min_size=10, max_size=200))
    def any_input(data):
        run(data)

    any_input()


@in_child
def test_requests_would_notice_one_visitors_data_served_to_another():
    """K1: where private responses are stored all the same, answers differ from an uncached application's."""
    app, _ = targeted_requests.worlds()["ours"]
    app.config["CACHE_STORE_PRIVATE"] = True
    # It was read as the cache was set up.
    app.extensions["flask_rustcache"].clear()
    chance = random.Random(1)

    def many():
        for _ in range(500):
            targeted_requests.run(chance.randbytes(150))

    with pytest.raises(AssertionError, match="private"):
        many()
