"""The studio of tests/bridge."""

from tests.bridge.conftest import studio, studio_for

__all__ = ["studio", "studio_for"]
