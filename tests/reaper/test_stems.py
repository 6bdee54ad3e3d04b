"""The stems that the bridge lets REAPER render: before the faders, with everything restored afterwards."""

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
import reapy
result = {{}}
def step(flow):
    try:
        next(flow)
    except StopIteration as end:
        result.update(end.value)
    except BridgeError as error:
        result["error"] = str(error)
    else:
        reapy.defer(step, flow)
render_stems.STALLED_S = 0.3
tracks = restore_state.Pointers(reaper_api.tracks())
step(render_stems.render(tracks, list(reaper_api.tracks()), Path({folder!r}), (1.0, 4.0), adds_items={adds_items}))
"""


@pytest.fixture
def moved(tmp_path: Path, studio_for: StudioFor) -> Studio:
    """Two tracks with the same name, the second one with its fader down, panned, with moving envelopes."""
    return studio_for(session(tmp_path / "session"))


def session(folder: Path, *, empty_bus: bool = False) -> Path:
    folder.mkdir()
    for role in ("bass", "drums"):
        audio, rate = soundfile.read(STEMS / f"{role}.flac", always_2d=True)
        soundfile.write(folder / f"{role}.wav", audio[: 6 * rate], rate, "FLOAT")
    plain = bus_text("Bus", "drums.wav", length_s=6.0)
    away = bus_text("Bus", "bass.wav", *MOVES, "    >", *PAN, *TRIM, volume=0.3, length_s=6.0)
    away = away.replace("{", "{1").replace("VOLPAN 0.3 0", "VOLPAN 0.3 0.6").replace("AUTOMODE 0", "AUTOMODE 1")
    away = away.replace("MAINSEND 1 0", "MAINSEND 1 0\n    REC 1 0 1 0 0 0 0 0")
    if empty_bus:  # a folder that contains the second track
        away = bus_text("Folder", "x.wav", "    ISBUS 1 1").split("    <ITEM")[0] + "  >\n" + away
        away = away.replace("MAINSEND 1 0\n    REC", "MAINSEND 1 0\n    ISBUS 2 -1\n    REC")
    path = folder / "Song.RPP"
    path.write_bytes(project_text(plain, away))
    (folder / "stems").mkdir()
    return path


def render(studio: Studio, *, adds_items: bool = False) -> dict[str, str]:
    """Render the stems of all tracks; return the files by GUID, or the message under ``error``."""
    folder = studio.path.parent / "stems"
    found = studio.inside(RENDER.format(folder=str(folder), adds_items=adds_items))
    studio.host.run_to_end()
    return dict(found)


def rendered(studio: Studio) -> list[np.ndarray]:
    files = render(studio)
    assert "error" not in files, files
    return [soundfile.read(file, always_2d=True)[0] for file in files.values()]


def original(role: str) -> np.ndarray:
    audio, rate = soundfile.read(STEMS / f"{role}.flac", always_2d=True)
    return audio[rate : 4 * rate]


@pytest.mark.parametrize(("prints_envelope", "is_padded"), [(True, True), (False, False)])
def test_neither_fader_nor_pan_nor_envelope_is_in_a_stem(moved: Studio, prints_envelope: bool, is_padded: bool) -> None:
    moved.host.switches.track_numbers_are_padded = is_padded
    moved.host.switches.pre_fader_stems_have_the_volume_envelope = prints_envelope
    plain, away = rendered(moved)
    np.testing.assert_allclose(plain, original("drums"), atol=1e-6)
    np.testing.assert_allclose(away, original("bass"), atol=1e-6)


def test_the_session_is_unchanged_afterwards(moved: Studio) -> None:
    api = moved.host.RPR
    api.RPR_SetEditCurPos(2.5, False, False)
    api.RPR_SetMediaTrackInfo_Value(api.RPR_GetMasterTrack(0), "I_SELECTED", 1.0)
    before = moved.host.project.to_bytes()
    rendered(moved)
    assert moved.host.project.to_bytes() == before
    assert api.RPR_GetCursorPosition() == 2.5
    moved.require_peace()


@pytest.mark.parametrize("function", ["Main_OnCommand", "SetMediaTrackInfo_Value", "SetEnvelopeStateChunk"])
def test_the_session_is_unchanged_after_a_failed_step(moved: Studio, function: str) -> None:
    before = moved.host.project.to_bytes()
    code = f"""
from faderwise_bridge.render_stems import RPR
real, count = RPR.{function}, [0]
def failing(*arguments):
    count[0] += 1
    if count[0] == (1 if {function!r} == "Main_OnCommand" else 2):
        raise RuntimeError("REAPER refuses")
    return real(*arguments)
RPR.{function} = failing
tracks = restore_state.Pointers(reaper_api.tracks())
try:
    list(render_stems.render(tracks, list(reaper_api.tracks()), Path({str(moved.path.parent / "stems")!r}), (1.0, 4.0)))
except RuntimeError as error:
    result = str(error)
finally:
    RPR.{function} = real
"""
    assert moved.inside(code) == "REAPER refuses"
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


def test_existing_files_are_not_overwritten(moved: Studio) -> None:
    stems = moved.path.parent / "stems"
    for name in ("faderwise-1", "faderwise-2", "faderwise-01", "faderwise-02"):
        (stems / f"{name}.wav").write_bytes(b"something else")
    plain, away = rendered(moved)
    np.testing.assert_allclose(plain, original("drums"), atol=1e-6)
    np.testing.assert_allclose(away, original("bass"), atol=1e-6)
    assert (stems / "faderwise-1.wav").read_bytes() == b"something else"


def test_a_folder_name_may_contain_a_semicolon(tmp_path: Path, studio_for: StudioFor) -> None:
    studio = studio_for(session(tmp_path / "one; two"))
    plain, _ = rendered(studio)
    np.testing.assert_allclose(plain, original("drums"), atol=1e-6)


def test_a_render_in_the_background_is_awaited_before_anything_is_restored(moved: Studio) -> None:
    moved.host.switches.render_lasts_ticks = 12
    before = moved.host.project.to_bytes()
    faders = []
    track = moved.host.project.tracks[1]
    tick = moved.host.tick

    def watched(count: int = 1) -> None:
        faders.append((len(moved.host.background_renders), track.volume))
        tick(count)

    moved.host.tick = watched  # type: ignore[method-assign]
    plain, away = rendered(moved)
    assert {volume for n_running, volume in faders if n_running} == {1.0}
    np.testing.assert_allclose(plain, original("drums"), atol=1e-6)
    np.testing.assert_allclose(away, original("bass"), atol=1e-6)
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


def test_a_cancelled_render_is_reported(moved: Studio) -> None:
    moved.host.switches.render_is_cancelled = True
    before = moved.host.project.to_bytes()
    assert "REAPER wrote no stem of track 1 'Bus': the render was cancelled" in render(moved)["error"]
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


def test_files_that_are_too_short_are_reported(moved: Studio) -> None:
    moved.host.switches.rendered_share = 0.5
    before = moved.host.project.to_bytes()
    assert "The stem of track 1 'Bus' is 1.5 s long instead of 3.0 s" in render(moved)["error"]
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


@pytest.mark.parametrize(
    ("closes", "returns", "box"),
    [(False, False, "tick 'Automatically close when finished'"), (True, True, "clear 'Return to render setup'")],
)
def test_a_render_window_that_stays_open_is_reported_before_rendering(
    moved: Studio, closes: bool, returns: bool, box: str
) -> None:
    moved.host.switches.render_window_closes = closes
    moved.host.switches.returns_to_render_setup = returns
    before = moved.host.project.to_bytes()
    assert box in render(moved)["error"]
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


@pytest.mark.parametrize("windows", ["one that stays open", "the setup", "a question"])
def test_with_the_sws_extension_no_render_window_stays_open(
    tmp_path: Path, studio_for: StudioFor, windows: str
) -> None:
    studio = studio_for(session(tmp_path / "session"))
    studio.host.install_sws()
    studio.host.switches.render_window_closes = windows != "one that stays open"
    studio.host.switches.returns_to_render_setup = windows == "the setup"
    if windows == "a question":
        studio.host.version, studio.host.render_window_bits = "7.79/linux-x86_64", 0
        studio.host.switches.asks_about_statistics = True
    before = studio.host.preferences
    plain, _ = rendered(studio)
    np.testing.assert_allclose(plain, original("drums"), atol=1e-6)
    assert studio.host.preferences == before
    studio.require_peace()


def test_stems_that_are_all_the_master_mix_are_refused(moved: Studio) -> None:
    moved.host.switches.stems_are_the_master = "all"
    before = moved.host.project.to_bytes()
    error = render(moved)["error"]
    assert "the same audio for track 1 'Bus' and track 2 'Bus'" in error
    assert moved.host.project.to_bytes() == before
    moved.require_peace()


def test_a_bus_without_items_gets_an_empty_one_where_reaper_needs_it(tmp_path: Path, studio_for: StudioFor) -> None:
    studio = studio_for(session(tmp_path / "session", empty_bus=True))
    studio.host.switches.stems_are_the_master = "without items"
    studio.host.project.tracks[2].set("MUTESOLO", 0, 1, "0 0 0")
    before = studio.host.project.to_bytes()
    files = render(studio, adds_items=True)
    folder = studio.host.project.tracks[1].guid
    assert not np.any(soundfile.read(files[folder])[0])  # what it contains is muted
    assert studio.host.project.to_bytes() == before
    studio.require_peace()


def test_a_recording_is_neither_stopped_nor_disturbed(moved: Studio) -> None:
    moved.host.play_state = 5
    before = moved.host.project.to_bytes()
    assert "REAPER is recording" in render(moved)["error"]
    assert moved.host.play_state == 5
    assert moved.host.project.to_bytes() == before


def test_playback_is_stopped(moved: Studio) -> None:
    moved.host.play_state = 1
    rendered(moved)
    assert moved.host.play_state == 0


def test_a_project_closed_during_a_render_does_not_change_the_others(moved: Studio, tmp_path: Path) -> None:
    moved.host.switches.render_lasts_ticks = 50
    moved.inside(RENDER.format(folder=str(moved.path.parent / "stems"), adds_items=False))
    moved.host.tick(2)
    moved.host.new_tab()
    other = moved.host.project.to_bytes()
    moved.host.tick(2)
    assert moved.host.project.to_bytes() == other
