"""Auto-mix in real sessions: the audio equals the mix of `faderwise mix`, and everything can be reverted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.verbs.mix import MixRequest
from analysis_server.verbs.mix import run as mix
from tests.end_to_end.listening import after_the_faders, keep_stems, quarter_db
from tests.reaper.conftest import StudioFor
from tests.reaper.studio import ROLES, Studio, small_session, without_ext_state
from tests.session_media import STEMS, session

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
RATE = 44_100
QUIET_LUFS = "-40"
"""So quiet that no envelope has to go past its top."""


@dataclass(frozen=True)
class Real:
    """A session: how it is made, what is selected in it, and what the user answers about its buses."""

    make: Callable[[Path, Path], Path]
    selection_s: tuple[float, float] | None
    tracks: list[str] | None = None


def wincing(folder: Path, _shared: Path) -> Path:
    return session(PROJECTS / "wincing.rpp", folder)


def template(folder: Path, _shared: Path) -> Path:
    """A template of 24 tracks with the bundled song on four of them."""
    folder.mkdir()
    lines = (PROJECTS / "yarg-template.rpp").read_bytes().split(b"\n")
    names = {b"PART BASS": "bass", b"PART DRUMS": "drums", b"PART GUITAR": "melody", b"PART VOCALS": "vocals"}
    out, role, depth = [], "", 0
    for line in lines:
        if line.startswith(b"    NAME "):
            role = names.get(line[9:].strip(b'" '), "")
        depth += line.strip().startswith(b"<") - (line.strip() == b">")
        if line == b"  >" and role:
            item = (
                f"    <ITEM\n      POSITION 0\n      LENGTH 20\n      <SOURCE FLAC\n        FILE {role}.flac\n      >"
            )
            out += [part.encode() for part in f"{item}\n    >".split("\n")]
            shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
            role = ""
        out.append(line)
    path = folder / "Song.rpp"
    path.write_bytes(b"\n".join(out))
    return path


def two_folders(folder: Path, shared: Path) -> Path:
    return session(shared / "rpp" / "09_v5.70_osx_minimal_two_folders.RPP", folder)


def many_items(folder: Path, shared: Path) -> Path:
    return session(shared / "rpp" / "07_v6.71_linux_drums_perc_synth.RPP", folder)


def small(folder: Path, _shared: Path) -> Path:
    return small_session(folder, length_s=12.0)


SESSIONS = {
    "small": Real(small, None),
    "wincing": Real(wincing, (60.0, 72.0), ["drums", "", "1", "3"]),
    "template": Real(template, (0.0, 12.0), ["PART DRUMS", "PART BASS", "PART GUITAR", "PART VOCALS"]),
    "two folders": Real(two_folders, (30.0, 42.0), ["Foo", "", "Bar", ""]),
    "many items": Real(many_items, (100.0, 112.0)),
}
NEEDS_SHARED = ("two folders", "many items")


@pytest.fixture
def real(request: pytest.FixtureRequest, tmp_path: Path, studio_for: StudioFor) -> Iterator[tuple[Studio, Real]]:
    """A session, open, with its time selection."""
    chosen = SESSIONS[request.param]
    shared = request.getfixturevalue("shared") if request.param in NEEDS_SHARED else tmp_path
    studio = studio_for(chosen.make(tmp_path / "session", shared))
    if chosen.selection_s:
        select = f"reaper_api.RPR.GetSet_LoopTimeRange2(0, True, False, *{chosen.selection_s}, False)"
        studio.inside(f"with reaper_api.undo_block('Select'):\n    {select}")
    studio.host.RPR.RPR_SetExtState("Faderwise", "target_lufs", QUIET_LUFS, True)
    yield studio, chosen


def answered(studio: Studio, chosen: Real) -> None:
    """Let the user choose buses, confirm all warnings, and replace existing automation."""

    def filled(captions: list[str], defaults: list[str]) -> list[str]:
        roles = [caption.split(":")[0].lower() for caption in captions]
        wanted = dict(zip(ROLES, chosen.tracks or (), strict=False))
        return [
            wanted.get(role, "") if chosen.tracks and caption.endswith(": track") else default
            for role, caption, default in zip(roles, captions, defaults, strict=True)
        ]

    studio.host.dialogs.expect_inputs(filled, containing="which tracks are the buses")
    studio.host.RPR.RPR_SetExtState("Faderwise", "existing", "replace", True)


@pytest.mark.parametrize("real", list(SESSIONS), indirect=True)
def test_the_heard_mix_equals_the_command_and_is_reverted_to_the_byte(
    real: tuple[Studio, Real], tmp_path: Path
) -> None:
    studio, chosen = real
    before = studio.host.project.to_bytes()
    answered(studio, chosen)
    studio.decline_report("mixed with the model")
    studio.start("auto_mix_buses")
    buses = keep_stems(studio, tmp_path / "stems")
    studio.host.run_to_end(timeout_s=240.0)
    studio.require_peace()
    written = studio.host.project.to_bytes()

    guids = [guid for tracks in buses.values() for guid in tracks]
    span_s = chosen.selection_s or (0.0, float(studio.host.RPR.RPR_GetProjectLength(0)))
    heard = after_the_faders(written, studio.path, guids, span_s)
    result = mix(MixRequest(song=str(tmp_path / "stems"), out=str(tmp_path / "mixed"), target_lufs=float(QUIET_LUFS)))
    expected, rate = soundfile.read(result.files["mix.wav"], always_2d=True)
    ours, theirs = quarter_db(heard, rate), quarter_db(expected, rate)
    sounding = theirs > -70.0
    assert sounding.sum() >= 24
    edges = slice(1, -1) if chosen.selection_s else slice(None)  # the way into a selection takes 20 ms
    assert np.abs(ours[: len(theirs)] - theirs)[sounding][edges].max() < 0.2, np.round(ours[: len(theirs)] - theirs, 2)

    studio.host.RPR.RPR_Undo_DoUndo2(0)
    assert without_ext_state(studio.host.project.to_bytes()) == without_ext_state(before)
    studio.host.RPR.RPR_Undo_DoRedo2(0)
    assert studio.host.project.to_bytes() == written
    studio.host.dialogs.expect_message("Yes", containing="Restore the envelopes from before")
    studio.host.dialogs.expect_message("OK", containing="to the state before run 1")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == before
    assert studio.jobs() == []
