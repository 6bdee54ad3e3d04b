"""The studio of tests/bridge."""

from tests.bridge.conftest import shared_home, studio, studio_for

__all__ = ["shared_home", "studio", "studio_for"]
