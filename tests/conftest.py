"""What every test shares: the seed of a run, and how long hypothesis looks."""

import pytest
from hypothesis import settings

from ._stress import SEED

# Not what hypothesis takes by itself: on a CI server that is the same examples in each run, and a busy
# machine is no failure. Each test takes a multiple of the number of examples.
settings.register_profile("usual", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("usual")
# `make stress` asks for it by name.
settings.register_profile("stress", settings.get_profile("usual"), max_examples=2_000)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Let hypothesis' examples come of the same seed as all else."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(SEED)


def pytest_report_header():
    return f"SEED={SEED}"
