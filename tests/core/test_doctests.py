"""The examples in core's docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import core

MODULES = sorted(module.name for module in pkgutil.walk_packages(core.__path__, "core."))
WITH_EXAMPLES = (
    "core.analysis.loudness",
    "core.analysis.true_peak",
    "core.audio.framing",
    "core.audio.io",
    "core.automation.average_spectrum",
    "core.automation.points",
    "core.decibels",
    "core.gains.curves",
    "core.gains.normal_equations",
)
"""Modules whose main functions have examples."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_the_documented_results(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0 or name not in WITH_EXAMPLES
