"""The stems that the bridge has REAPER render: before the faders, and everything as it was afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.reaper.conftest import StudioFor
from tests.reaper.studio import STEMS, Studio, bus_text, project_text

MOVES = ("    <VOLENV2", "      ACT 1 -1", "      VIS 1 1 1", "      VOLTYPE 1", "      PT 0 1 0", "      PT 5 0.2 0")
PAN = ("    <PANENV2", "      ACT 1 -1", "      VIS 0 1 1", "      PT 0 -0.5 0", "      PT 5 0.8 0", "    >")
TRIM = ("    <VOLENV3", "      ACT 1 -1", "      VIS 0 1 1", "      PT 0 0.5 0", "    >")
RENDER = """
guids = list(reaper.tracks())
result = stems.render(guids, Path({folder!r}), (1.0, 4.0))
"""


@pytest.fixture
def moved(tmp_path: Path, studio_for: StudioFor) -> Studio:
    """Two tracks of one sound, one of them with its fader down, panned, with moving envelopes; both called Bus."""
    folder = tmp_path / "session"
    folder.mkdir()
    audio, rate = soundfile.read(STEMS / "bass.flac", always_2d=True)
    soundfile.write(folder / "bass.wav", audio[: 6 * rate], rate, "FLOAT")
    plain = bus_text("Bus", "bass.wav", length_s=6.0)
    away = bus_text("Bus", "bass.wav", *MOVES, "    >", *PAN, *TRIM, volume=0.3, length_s=6.0)
    away = away.replace("{", "{1").replace("VOLPAN 0.3 0", "VOLPAN 0.3 0.6").replace("AUTOMODE 0", "AUTOMODE 1")
    away = away.replace("MAINSEND 1 0", "MAINSEND 1 0\n    REC 1 0 1 0 0 0 0 0")
    path = folder / "Song.RPP"
    path.write_bytes(project_text(plain, away))
    (tmp_path / "stems").mkdir()
    return studio_for(path)


def rendered(studio: Studio, folder: Path) -> list[np.ndarray]:
    files = studio.inside(RENDER.format(folder=str(folder)))
    return [soundfile.read(file, always_2d=True)[0] for file in files.values()]


@pytest.mark.parametrize(("prints_envelope", "is_padded"), [(True, True), (False, False)])
def test_neither_fader_nor_pan_nor_envelope_is_in_a_stem(
    moved: Studio, tmp_path: Path, prints_envelope: bool, is_padded: bool
) -> None:
    moved.host.switches.track_numbers_are_padded = is_padded
    moved.host.switches.pre_fader_stems_have_the_volume_envelope = prints_envelope
    plain, away = rendered(moved, tmp_path / "stems")
    original, rate = soundfile.read(STEMS / "bass.flac", always_2d=True)
    np.testing.assert_allclose(plain, original[rate : 4 * rate], atol=1e-6)
    np.testing.assert_allclose(away, plain, atol=1e-6)


def test_everything_is_as_it_was(moved: Studio, tmp_path: Path) -> None:
    moved.host.RPR.RPR_SetEditCurPos(2.5, False, False)
    before = moved.host.project.to_bytes()
    rendered(moved, tmp_path / "stems")
    assert moved.host.project.to_bytes() == before
    assert moved.host.RPR.RPR_GetCursorPosition() == 2.5
    moved.require_peace()


@pytest.mark.parametrize("place", ["Main_OnCommand", "SetMediaTrackInfo_Value", "SetEnvelopeStateChunk"])
def test_everything_is_as_it_was_when_a_step_fails(moved: Studio, tmp_path: Path, place: str) -> None:
    before = moved.host.project.to_bytes()
    code = f"""
from faderwise_bridge.stems import RPR
real, count = RPR.{place}, [0]
def failing(*arguments):
    count[0] += 1
    if count[0] == (1 if {place!r} == "Main_OnCommand" else 2):
        raise RuntimeError("REAPER says no")
    return real(*arguments)
RPR.{place} = failing
try:
    stems.render(list(reaper.tracks()), Path({str(tmp_path / "stems")!r}), (1.0, 4.0))
except RuntimeError as error:
    result = str(error)
finally:
    RPR.{place} = real
"""
    assert moved.inside(code) == "REAPER says no"
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


def test_a_file_that_is_there_already_is_no_target(moved: Studio, tmp_path: Path) -> None:
    for name in ("faderwise-1", "faderwise-2", "faderwise-01", "faderwise-02"):
        (tmp_path / "stems" / f"{name}.wav").write_bytes(b"something else")
    plain, away = rendered(moved, tmp_path / "stems")
    np.testing.assert_allclose(away, plain, atol=1e-6)
    assert (tmp_path / "stems" / "faderwise-1.wav").read_bytes() == b"something else"
