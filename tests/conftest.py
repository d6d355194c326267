"""What every test shares: how long hypothesis looks (each test takes a multiple of it)."""

from hypothesis import settings

# `make stress` asks for it by name.
settings.register_profile("stress", max_examples=2_000, deadline=None)
