"""The studio of tests/reaper."""

from tests.reaper.conftest import shared_home, studio, studio_for

__all__ = ["shared_home", "studio", "studio_for"]
