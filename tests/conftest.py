"""What every test shares: how long hypothesis looks."""

from hypothesis import settings

# `make stress` asks for it by name.
settings.register_profile("stress", max_examples=5_000, stateful_step_count=100, deadline=None)
