"""The examples in the documentation of core.rpp run as shown."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from core.rpp import parser, project


@pytest.mark.parametrize("module", [parser, project], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.failed == 0
    assert results.attempted > 0
