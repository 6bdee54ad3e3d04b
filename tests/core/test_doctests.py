"""The examples in core's docstrings are correct."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import core

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(module.name for module in pkgutil.walk_packages(core.__path__, "core."))
WITH_EXAMPLES = (
    "core.analysis.loudness",
    "core.analysis.measure",
    "core.audio.framing",
    "core.audio.io",
    "core.audio.song",
    "core.automation.points",
    "core.automation.render",
    "core.decibels",
    "core.gains.curves",
    "core.gains.estimate",
    "core.gains.least_squares",
    "core.matching.assign",
    "core.matching.matcher",
    "core.models.fit",
    "core.models.predict",
    "core.progress",
    "core.roles",
    "core.rpp.buses",
    "core.rpp.envelope",
    "core.rpp.faders",
    "core.rpp.parser",
    "core.rpp.project",
    "core.rpp.write",
    "core.runs.audit",
    "core.runs.edit",
    "core.runs.merge",
    "core.runs.record",
    "core.runs.store",
)
"""Modules whose main functions have examples."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_the_documented_results(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the examples read songs and projects of the repository
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0 or name not in WITH_EXAMPLES
