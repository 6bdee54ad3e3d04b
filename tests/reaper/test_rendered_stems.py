"""Stems that REAPER rendered, as a song."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from analysis_server.sources.project import RenderedStems, song_of
from core.rpp.buses import Buses
from core.rpp.project import Project, Track, read_project
from tests.expected_errors import raises_error
from tests.reaper.studio import bus_text, project_text

RATE = 44_100


@pytest.fixture
def project(tmp_path: Path) -> Project:
    path = tmp_path / "Song.RPP"
    path.write_bytes(project_text(bus_text("Left", "x.wav"), bus_text("Right", "x.wav")))
    return read_project(path)


@pytest.fixture
def tracks(project: Project) -> tuple[Track, ...]:
    return project.tracks


def rendered(folder: Path, tracks: tuple[Track, ...], *stems: np.ndarray) -> RenderedStems:
    files = {}
    for track, stem in zip(tracks, stems, strict=False):
        files[track.guid] = str(folder / f"stem-{track.number}.wav")
        soundfile.write(files[track.guid], stem, RATE, "FLOAT")
    return RenderedStems(files=files, span_s=(10.0, 12.0))


def noise(seed: int, length_s: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, (round(length_s * RATE), 2)).astype(np.float32)


def test_tracks_of_one_bus_are_summed_and_a_single_track_is_unchanged(
    tmp_path: Path, project: Project, tracks: tuple[Track, ...]
) -> None:
    stems = noise(1), noise(2)
    of_both = song_of(project, Buses({"drums": tracks}, ()), rendered(tmp_path, tracks, *stems), tmp_path, None)
    np.testing.assert_allclose(soundfile.read(of_both.stems["drums"].path)[0], sum(stems), atol=1e-6)
    apart = Buses({"drums": tracks[:1], "bass": tracks[1:]}, ())
    song = song_of(project, apart, rendered(tmp_path, tracks, *stems), tmp_path, None)
    assert [file.path.name for file in song.stems.values()] == ["stem-1.wav", "stem-2.wav"]
    assert song.duration_s == pytest.approx(2.0)


def test_a_stopped_render_is_an_error(tmp_path: Path, project: Project, tracks: tuple[Track, ...]) -> None:
    short = rendered(tmp_path, tracks, noise(1), noise(2, length_s=1.2))
    with raises_error(facts=("track 2 'Right'", "1.2 s", "2.0 s")):
        song_of(project, Buses({"drums": tracks}, ()), short, tmp_path, None)


@pytest.mark.parametrize(
    ("changed", "facts"),
    [
        ({"span_s": (2.0, 0.0)}, ("2 to 0 s",)),
        ({"write_s": (-1e308, 1e308)}, ("s",)),
        ({"write_s": (0.0, float("nan"))}, ("0 to nan s",)),
        ({"highest_gain": 0.0}, ("0",)),
        ({"highest_gain": float("inf")}, ("inf",)),
    ],
)
def test_numbers_that_no_project_has_are_refused(
    tmp_path: Path, project: Project, tracks: tuple[Track, ...], changed: dict[str, object], facts: tuple[str, ...]
) -> None:
    odd = msgspec.structs.replace(rendered(tmp_path, tracks, noise(1), noise(2)), **changed)
    with raises_error(facts=facts):
        song_of(project, Buses({"drums": tracks}, ()), odd, tmp_path, None)


def test_a_missing_stem_is_an_error(tmp_path: Path, project: Project, tracks: tuple[Track, ...]) -> None:
    with raises_error(facts=("track 2 'Right'",)):
        song_of(project, Buses({"drums": tracks}, ()), rendered(tmp_path, tracks, noise(1)), tmp_path, None)
