"""Progress of parts and stages adds up to the whole."""

from __future__ import annotations

import pytest

from core.progress import no_progress, part_of, stages


class Recorder:
    def __init__(self) -> None:
        self.updates: list[tuple[float, str]] = []

    def __call__(self, fraction: float, stage: str = "", /) -> None:
        self.updates.append((fraction, stage))


def test_part_maps_its_fractions_into_the_whole() -> None:
    recorder = Recorder()
    part = part_of(recorder, 0.25, 0.75, "Measuring")
    for fraction in (0.0, 0.5, 1.0):
        part(fraction)
    assert recorder.updates == [(0.25, "Measuring"), (0.5, "Measuring"), (0.75, "Measuring")]


def test_nested_parts_multiply() -> None:
    recorder = Recorder()
    part_of(part_of(recorder, 0.5, 1.0), 0.0, 0.5)(1.0)
    assert recorder.updates == [(0.75, "")]


def test_inner_stage_name_wins() -> None:
    recorder = Recorder()
    part_of(part_of(recorder, 0.0, 1.0, "Learning"), 0.0, 1.0, "Reading")(0.5)
    assert recorder.updates == [(0.5, "Reading")]


def test_stages_share_the_whole_by_weight() -> None:
    recorder = Recorder()
    measuring, rendering = stages(recorder, {"Measuring": 1.0, "Rendering": 3.0})
    for callback in (measuring, rendering):
        callback(0.0)
        callback(1.0)
    assert recorder.updates == [
        (0.0, "Measuring"),
        (0.25, "Measuring"),
        (0.25, "Rendering"),
        (pytest.approx(1.0), "Rendering"),
    ]


def test_no_progress_accepts_a_fraction_with_and_without_a_stage() -> None:
    no_progress(0.5)
    no_progress(0.5, "Measuring")
