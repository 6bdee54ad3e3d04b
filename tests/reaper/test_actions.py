"""The actions in a simulated REAPER, from the first question to the last message."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.verbs import mix
from core.rpp.faders import gains_at
from core.rpp.parser import parse
from core.rpp.project import project_of
from core.runs.store import restore
from tests.reaper.conftest import StudioFor
from tests.reaper.studio import ROLES, STEMS, Studio, bus_text, project_text, small_session, without_ext_state

ENDS = ((0.8, 0.4), (0.5, 0.9), (0.7, 0.7), (0.3, 1.0))
"""Each bus's gain at 4 s and at 20 s."""
ASKED = "which tracks are the buses"


@pytest.fixture
def studio(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """A short session, open."""
    return studio_for(small_session(tmp_path / "session", length_s=10.0))


def accepted(_captions: Sequence[str], defaults: Sequence[str]) -> Sequence[str]:
    return defaults


def gains(studio: Studio, time_s: np.ndarray) -> np.ndarray:
    """Return the gain of each bus at `time_s` according to the project's file."""
    project = project_of(parse(studio.host.project.to_bytes(), studio.path))
    return gains_at(project, {track.name: [track] for track in project.tracks}, time_s)


def mixed(studio: Studio, containing: str = "mixed with the model", model: str | None = None, **options: str) -> None:
    studio.choose_buses(model=model, **options)
    studio.decline_report(containing)
    studio.run("auto_mix_buses")


def test_an_edit_and_reverts_need_no_audio(studio: Studio) -> None:
    before = studio.host.project.to_bytes()
    mixed(studio, model="equal-level")
    once = studio.host.project.to_bytes()
    mixed(studio)
    time_s = np.arange(0.5, 9.5, 0.25)
    predicted = gains(studio, time_s)

    def quieter_bass(captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
        fields = zip(captions, defaults, strict=True)
        return ["-6" if caption == "Bass: offset in dB" else value for caption, value in fields]

    studio.decline_report("nothing was edited by hand since")
    studio.run("audit_bus_automation")
    assert len([page for run in studio.runs() for page in run.glob("*-audit.html")]) == 1

    (studio.path.parent / "bass.flac").unlink()
    studio.host.dialogs.expect_inputs(quieter_bass, containing="edit the last run")
    studio.host.dialogs.expect_message("OK", containing="bass -6.0 dB")
    studio.run("edit_bus_automation")
    change_db = 20 * np.log10(gains(studio, time_s) / predicted)
    np.testing.assert_allclose(np.median(change_db, axis=0), [0.0, -6.0, 0.0, 0.0], atol=0.15)
    assert studio.host.RPR.RPR_Undo_CanUndo2(0) == "Faderwise: Edit bus automation"

    studio.host.dialogs.expect_message("Yes", containing="3: edit of")
    studio.host.dialogs.expect_message("OK", containing="before run 3")
    studio.run("revert_bus_automation")
    np.testing.assert_allclose(gains(studio, time_s), predicted, rtol=1e-6)
    studio.host.dialogs.expect_message("No", containing="2: mix of")
    studio.host.dialogs.expect_inputs(["7"], containing="back to before which run?")
    studio.host.dialogs.expect_message("OK", containing="There is no run 7")
    studio.host.dialogs.expect_inputs(["2"], containing="back to before which run?")
    studio.host.dialogs.expect_message("OK", containing="before run 2")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == once
    studio.host.dialogs.expect_message("Yes", containing="1: mix of")
    studio.host.dialogs.expect_message("OK", containing="Restored 4 envelopes to the state before run 1")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == before
    studio.host.dialogs.expect_message("OK", containing="has no run of Faderwise")
    studio.run("revert_bus_automation")
    assert studio.jobs() == []


def test_the_users_own_moves_are_combined_or_replaced_as_asked(tmp_path: Path, studio_for: StudioFor) -> None:
    moves = ("    <VOLENV2", "      ACT 1 -1", "      VIS 1 1 1", "      PT 2 1 0", "      PT 8 0.5 0", "    >")
    studio = studio_for(small_session(tmp_path / "session", *moves, length_s=10.0))
    studio.host.RPR.RPR_SetExtState("Faderwise", "target_lufs", "-40", True)
    time_s = np.arange(0.5, 9.5, 0.25)
    studio.choose_buses()
    studio.host.dialogs.expect_message("Yes", containing="There is volume automation on track 1 'DRUMS BUS'")
    studio.decline_report("moves were kept")
    studio.run("auto_mix_buses")
    combined = gains(studio, time_s)[:, 0]
    studio.run("auto_mix_again")  # with the last answer
    np.testing.assert_allclose(gains(studio, time_s)[:, 0], combined, rtol=0.02)
    studio.choose_buses()
    studio.host.dialogs.expect_message("No", containing="There is volume automation on track 1 'DRUMS BUS'")
    studio.decline_report("it was replaced")
    studio.run("auto_mix_buses")
    rides = np.interp(time_s, [2.0, 8.0], [1.0, 0.5])
    common = combined / (gains(studio, time_s)[:, 0] * rides)  # the mix with the moves has the target loudness too
    np.testing.assert_allclose(common, np.median(common), rtol=0.01)
    assert np.median(common) > 1.0


def test_the_bundled_session_is_mixed_and_reverted(tmp_path: Path, studio_for: StudioFor) -> None:
    copy = Path(shutil.copytree(STEMS.parent, tmp_path / "examples")) / "caesium-session.RPP"
    before = copy.read_bytes()
    studio = studio_for(copy)
    studio.choose_buses()
    studio.host.dialogs.expect_message("No", containing="There is volume automation on track 4 'Lead Vox'")
    studio.decline_report("it was replaced")
    studio.run("auto_mix_buses")
    assert np.ptp(20 * np.log10(gains(studio, np.array([12.0])))) > 3.0
    studio.host.dialogs.expect_message("Yes", containing="1: mix of")
    studio.host.dialogs.expect_message("OK", containing="Restored 4 envelopes to the state before run 1")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == before


def write_rough_mix(studio: Studio) -> None:
    """Write a mixdown of the stems next to the project, each bus moving from one gain of `ENDS` to the other."""
    time_s = np.arange(soundfile.info(STEMS / "drums.flac").frames) / 44_100
    mix = sum(
        soundfile.read(STEMS / f"{role}.flac", always_2d=True)[0] * np.interp(time_s, [4.0, 20.0], ends)[:, None]
        for role, ends in zip(ROLES, ENDS, strict=True)
    )
    soundfile.write(studio.path.with_name("mix.wav"), mix, 44_100, "FLOAT")


def test_a_mixdown_is_matched(studio: Studio) -> None:
    write_rough_mix(studio)
    studio.host.dialogs.expect_inputs(accepted, containing=ASKED)
    studio.host.dialogs.expect_message("Yes", containing="mix.wav")
    studio.decline_report("recovered on Drums, bass, melody and vocals")
    studio.run("match_buses")
    at_s = np.arange(3.0, 22.0, 0.5)
    wanted = np.stack([np.interp(at_s, [4.0, 20.0], ends) for ends in ENDS], axis=1)
    assert np.median(np.abs(20 * np.log10(gains(studio, at_s) / wanted))) < 0.3


def test_a_match_keeps_how_to_mix(studio: Studio) -> None:
    mixed(studio, model="equal-level", Depth="80")
    write_rough_mix(studio)
    studio.host.RPR.RPR_SetExtState("Faderwise", "existing", "replace", True)
    studio.host.dialogs.expect_message("Yes", containing="mix.wav")
    studio.decline_report("recovered on")
    studio.run("match_buses")
    studio.host.dialogs.expect_inputs(None, containing=ASKED)
    studio.run("auto_mix_buses")
    window = studio.host.dialogs.shown[-1]
    assert dict(zip(window.text.split(","), window.defaults, strict=True))["Depth in percent (empty: 100)"] == "80"


def test_learning_from_a_mixdown_does_not_change_the_project(studio: Studio) -> None:
    write_rough_mix(studio)
    before = studio.host.project.to_bytes()
    studio.host.dialogs.expect_inputs(accepted, containing=ASKED)
    studio.host.dialogs.expect_inputs(["mine", "mixdown", "", "me"], containing="learn a mix model")
    studio.host.dialogs.expect_message("Yes", containing="mix.wav")
    studio.host.dialogs.expect_message("OK", containing="The model mine has learned Song from")
    studio.run("learn_mix_model")
    assert studio.host.project.to_bytes() == before
    model = json.loads((studio.home / "models" / "mine.json").read_text(encoding="utf-8"))
    (song,) = model["songs"]
    assert song["source"] == "mixdown"
    assert song["fit"] > 0.99
    assert studio.jobs() == []


def test_learning_from_the_faders_does_not_change_the_project(studio: Studio) -> None:
    before = studio.host.project.to_bytes()
    studio.host.dialogs.expect_inputs(accepted, containing=ASKED)
    studio.host.dialogs.expect_inputs(["", "ears", "Night Drive", "others"], containing="learn a mix model")
    studio.host.dialogs.expect_message("OK", containing="Give the model a name")
    studio.host.dialogs.expect_inputs(["mine", "faders", "Night Drive", "others"], containing="learn a mix model")
    studio.host.dialogs.expect_message("OK", containing="The model mine has learned Song from its faders")
    studio.run("learn_mix_model")
    assert studio.host.project.to_bytes() == before
    model = json.loads((studio.home / "models" / "mine.json").read_text(encoding="utf-8"))
    (song,) = model["songs"]
    assert (song["source"], song["album"], song["by_others"]) == ("faders", "Night Drive", True)


def test_settings_are_stored_and_invalid_ones_are_asked_again(studio: Studio) -> None:
    def wrong(_captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
        return [defaults[0], "sometimes", "loud", *defaults[3:]]

    def right(_captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
        return [defaults[0], "combine", "-16", *defaults[3:]]

    studio.host.dialogs.expect_inputs(wrong, containing="settings")
    studio.host.dialogs.expect_message("OK", containing="'sometimes' is not one of them")
    studio.host.dialogs.expect_inputs(right, containing="settings")
    studio.run("settings")
    kept = (studio.host.resource_path / "reaper-extstate.ini").read_text(encoding="utf-8")
    assert "existing=combine" in kept
    assert "target_lufs=-16" in kept


def test_the_choice_of_buses_can_be_forgotten(studio: Studio) -> None:
    chosen = "apply_result.store_keys({'set': {'BUSES': 'drums=x'}, 'delete': []})"
    studio.inside(f"with reaper_api.undo_block('Choose'):\n    {chosen}")
    studio.host.dialogs.expect_inputs(lambda _captions, defaults: [*defaults[:-1], "yes"], containing="settings")
    studio.run("settings")
    assert b"BUSES" not in studio.host.project.to_bytes()
    assert studio.host.RPR.RPR_Undo_CanUndo2(0) == "Faderwise: Forget the buses"


def test_a_project_of_any_name_is_copied(tmp_path: Path, studio_for: StudioFor) -> None:
    path = small_session(tmp_path / "session")
    studio = studio_for(path.rename(path.with_name("A song, 'quoted' über; 50 %.RPP")))
    studio.host.dialogs.expect_inputs(None, containing=ASKED)
    studio.run("auto_mix_buses")
    assert studio.jobs() == []


def test_mixing_again_shows_no_window(studio: Studio) -> None:
    studio.host.dialogs.expect_message("OK", containing="Run Auto-mix buses once")
    studio.run("auto_mix_again")
    mixed(studio, model="equal-level")
    time_s = np.arange(0.5, 9.5, 0.25)
    written = gains(studio, time_s)
    studio.host.RPR.RPR_SetMediaTrackInfo_Value(studio.host.RPR.RPR_GetTrack(0, 1), "D_VOL", 0.5)
    studio.run("auto_mix_again")
    assert "mixed with the model equal-level" in studio.host.dialogs.console
    assert "had volume automation" not in studio.host.dialogs.console  # it was Faderwise's
    assert "lower" in studio.host.dialogs.console  # the bass would pass its envelope's top, so all buses go down
    again = gains(studio, time_s)
    np.testing.assert_allclose(again / again[:, :1], written / written[:, :1], rtol=1e-3)
    assert studio.host.RPR.RPR_Undo_CanUndo2(0) == "Faderwise: Auto-mix again"
    assert studio.jobs() == []


def test_comparing_bypasses_the_written_envelopes_and_restores_them(studio: Studio) -> None:
    studio.host.dialogs.expect_message("OK", containing="no run of Faderwise")
    studio.run("compare_bus_automation")
    time_s = np.arange(0.5, 9.5, 0.25)
    before, faders = studio.host.project.to_bytes(), gains(studio, time_s)
    mixed(studio, model="equal-level")
    written, content = gains(studio, time_s), studio.host.project.to_bytes()
    studio.run("compare_bus_automation")
    np.testing.assert_allclose(gains(studio, time_s), faders)
    assert studio.host.RPR.RPR_Undo_CanUndo2(0) == "Faderwise: Bypass bus automation"
    studio.run("compare_bus_automation")
    np.testing.assert_allclose(gains(studio, time_s), written)
    assert studio.host.project.to_bytes() == content
    assert studio.jobs() == []
    studio.run("compare_bus_automation")
    bypassed = studio.host.project.to_bytes()
    revert(studio)
    assert studio.host.project.to_bytes() == before
    project = project_of(parse(bypassed, studio.path))  # saved while bypassed, and reverted without REAPER
    assert without_ext_state(restore(project, 1).content) == before


def revert(studio: Studio) -> None:
    studio.host.dialogs.expect_message("Yes", containing="before this run?")
    studio.host.dialogs.expect_message("OK", containing="to the state before run 1")
    studio.run("revert_bus_automation")


def test_comparing_leaves_an_envelope_that_the_user_bypassed(studio: Studio) -> None:
    mixed(studio, model="equal-level")
    api, drums = studio.host.RPR, studio.host.RPR.RPR_GetTrack(0, 0)
    api.RPR_GetSetEnvelopeInfo_String(api.RPR_GetTrackEnvelopeByChunkName(drums, "<VOLENV2"), "ACTIVE", "0", True)
    content = studio.host.project.to_bytes()
    studio.run("compare_bus_automation")
    assert is_active(studio, "VOLENV2") == [False] * 4
    studio.run("compare_bus_automation")
    assert is_active(studio, "VOLENV2") == [False, True, True, True]
    assert studio.host.project.to_bytes() == content


def test_comparing_covers_the_envelopes_of_all_runs_in_force(studio: Studio) -> None:
    mixed(studio, model="equal-level")
    mixed(studio, Write="trim")
    content = studio.host.project.to_bytes()
    studio.run("compare_bus_automation")
    assert is_active(studio, "VOLENV2") == is_active(studio, "VOLENV3") == [False] * 4
    studio.run("compare_bus_automation")
    assert studio.host.project.to_bytes() == content
    studio.host.RPR.RPR_Undo_DoUndo2(0)  # the comparison
    studio.host.RPR.RPR_Undo_DoUndo2(0)
    studio.host.RPR.RPR_Undo_DoUndo2(0)  # the mix onto the trim envelope
    studio.run("compare_bus_automation")
    assert is_active(studio, "VOLENV2") == [False] * 4


def test_a_mix_of_the_command_line_is_compared(tmp_path: Path, studio_for: StudioFor) -> None:
    path = small_session(tmp_path / "session", length_s=10.0)
    result = mix.run(mix.MixRequest(song=str(path), model="equal-level"))
    studio = studio_for(next(Path(file) for file in result.files.values() if file.endswith(".RPP")))
    content = studio.host.project.to_bytes()
    studio.run("compare_bus_automation")
    assert is_active(studio, "VOLENV2") == [False] * 4
    studio.run("compare_bus_automation")
    assert studio.host.project.to_bytes() == content


def is_active(studio: Studio, name: str) -> list[bool]:
    envelopes = [track.envelope(name) for track in studio.host.project.tracks]
    return [envelope is not None and envelope.is_active for envelope in envelopes]


def test_mixing_again_reports_what_no_longer_fits(studio: Studio) -> None:
    mixed(studio, model="equal-level", Keep="VOCALS BUS")
    api = studio.host.RPR
    vocals = api.RPR_GetTrack(0, 3)
    api.RPR_GetSetMediaTrackInfo_String(vocals, "P_NAME", "Gesang", True)
    studio.host.dialogs.expect_message("OK", containing="no bus or track 'VOCALS BUS'")
    studio.run("auto_mix_again")
    api.RPR_DeleteTrack(vocals)
    studio.host.dialogs.expect_message("OK", containing="chosen for vocals was deleted; choose again. Run Auto-mix")
    studio.run("auto_mix_again")
    studio.host.dialogs.expect_message("OK", containing="chosen for vocals was deleted")
    studio.host.dialogs.expect_inputs(None, containing=ASKED)
    studio.run("auto_mix_buses")
    assert studio.host.dialogs.shown[-1].defaults[:4] == ("DRUMS BUS", "BASS BUS", "MELODY BUS", "")


def test_an_edit_of_a_part_names_it_in_the_time_of_the_project(studio: Studio) -> None:
    studio.host.RPR.RPR_GetSet_LoopTimeRange2(0, True, False, 3.0, 6.0, False)
    mixed(studio, model="equal-level")
    studio.host.RPR.RPR_GetSet_LoopTimeRange2(0, True, False, 4.0, 5.0, False)
    studio.host.dialogs.expect_inputs(
        lambda captions, values: [
            "50" if caption.startswith("Depth") else value for caption, value in zip(captions, values, strict=True)
        ],
        containing="edit the last run",
    )
    studio.host.dialogs.expect_message("OK", containing="from 4 to 5 s")
    studio.run("edit_bus_automation")


def test_only_the_selected_tracks_are_mixed(studio: Studio) -> None:
    api = studio.host.RPR
    studio.host.dialogs.expect_message("OK", containing="Select at least two tracks")
    studio.run("auto_mix_selected_tracks")
    for index in (0, 3):
        api.RPR_SetMediaTrackInfo_Value(api.RPR_GetTrack(0, index), "I_SELECTED", 1.0)

    def filled(captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
        shown = dict(zip(captions, defaults, strict=True))
        assert shown["Drums: track"] == "DRUMS BUS"
        assert shown["Vocals: track"] == "VOCALS BUS"
        assert shown["Bass: track"] == shown["Melody: track"] == ""
        return list(defaults)

    studio.host.dialogs.expect_inputs(filled, containing=ASKED)
    studio.decline_report("Drums and vocals mixed with the model")
    studio.run("auto_mix_selected_tracks")
    written = [track.envelope("VOLENV2") is not None for track in studio.host.project.tracks]
    assert written == [True, False, False, True]
    assert b"BUSES" not in studio.host.project.to_bytes()  # the choice of the session's buses is another one


def folder_session(folder: Path) -> Path:
    """Write a session with a drum folder of two tracks, a locked bass and the vocals."""
    folder.mkdir()
    for role in ("drums", "bass", "vocals", "melody"):
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    drums = bus_text("Drums", "x.wav", "    ISBUS 1 1").split("    <ITEM")[0] + "  >"
    tracks = [bus_text("Kick", "drums.flac", length_s=10.0), bus_text("Snare", "melody.flac", length_s=10.0)]
    tracks[1] = tracks[1].replace("MAINSEND 1 0", "MAINSEND 1 0\n    ISBUS 2 -1")
    bass = bus_text("Bass", "bass.flac", "    LOCK 1", volume=0.5, length_s=10.0)
    path = folder / "Song.RPP"
    path.write_bytes(project_text(drums, *tracks, bass, bus_text("Vocals", "vocals.flac", length_s=10.0)))
    return path


def test_single_tracks_are_mixed_and_a_locked_one_is_kept(tmp_path: Path, studio_for: StudioFor) -> None:
    studio = studio_for(folder_session(tmp_path / "session"))
    before = studio.host.project.to_bytes()
    mixed(studio, containing="4 tracks of 3 buses mixed", Level="tracks", Ride="vocals = 60", Depth="80")
    assert re.search("(?m)^- .*bass: Bass", studio.last_window())
    assert re.search("(?m)^- .*vocals: Vocals.* 60 %", studio.last_window())
    written = [track.envelope("VOLENV2") is not None for track in studio.host.project.tracks]
    assert written == [False, True, True, True, True]
    at_s = np.arange(0.5, 9.5, 0.25)
    project = project_of(parse(studio.host.project.to_bytes(), studio.path))
    bass = gains_at(project, {"bass": [project.tracks[3]]}, at_s)
    np.testing.assert_allclose(bass, 0.5, rtol=1e-3)

    def remembered(captions: Sequence[str], defaults: Sequence[str]) -> Sequence[str]:
        shown = dict(zip(captions, defaults, strict=True))
        assert shown["Level: buses / tracks"] == "tracks"
        assert shown["Depth in percent (empty: 100)"] == "80"
        assert shown["Ride: bus = percent; ..."] == "vocals = 60"
        assert shown["Drums: track"] == "Drums"
        return defaults

    studio.host.dialogs.expect_inputs(remembered, containing=ASKED)
    studio.decline_report("4 tracks of 3 buses mixed")
    studio.run("auto_mix_buses")
    studio.run("auto_mix_again")
    assert studio.host.dialogs.console.count("4 tracks of 3 buses mixed") == 1
    studio.host.dialogs.expect_message("No", containing="3: mix of")
    studio.host.dialogs.expect_inputs(["1"], containing="back to before which run?")
    studio.host.dialogs.expect_message("OK", containing="before runs 1 to 3")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == before


def test_the_balance_of_another_session_is_taken_over(tmp_path: Path, studio: Studio) -> None:
    """The other session has the same stems at other faders, so its faders are what is written."""
    other = small_session(tmp_path / "other", length_s=10.0)
    other.write_bytes(other.read_bytes().replace(b"VOLPAN 1.2", b"VOLPAN 0.3"))
    mixed(studio, containing=str(other), Balance=str(other))
    found = np.median(gains(studio, np.arange(1.0, 9.0, 0.25)), axis=0)
    wanted = np.array([0.8, 0.3, 0.7, 0.9])
    difference_db = 20 * np.log10(found / wanted)
    np.testing.assert_allclose(difference_db, np.mean(difference_db), atol=0.5)


@pytest.mark.parametrize(("target", "name"), [("trim", "VOLENV3"), ("pre-fx", "VOLENV"), ("fader", None)])
def test_gains_are_written_on_another_target(studio: Studio, target: str, name: str | None) -> None:
    before = studio.host.project.to_bytes()
    at_s = np.arange(0.5, 9.5, 0.25)
    mixed(studio, model="default")
    wanted_db = 20 * np.log10(np.median(gains(studio, at_s), axis=0))
    studio.host.RPR.RPR_Undo_DoUndo2(0)
    mixed(studio, Write=target)
    tracks = studio.host.project.tracks
    assert [track.envelope("VOLENV2") for track in tracks] == [None] * 4

    def written() -> np.ndarray:
        """Return the gain of each track, with its fader and the envelope that was written."""
        faders = np.array([track.volume for track in tracks])
        if name is None:
            return np.tile(faders, (len(at_s), 1))
        project = project_of(parse(studio.host.project.to_bytes(), studio.path))
        return np.stack([track.envelopes[name].gain_at(at_s) for track in project.tracks], axis=1) * faders

    np.testing.assert_allclose(20 * np.log10(np.median(written(), axis=0)), wanted_db, atol=0.1)
    if name is None:
        studio.host.dialogs.expect_message("OK", containing="faders cannot be bypassed")
        studio.run("compare_bus_automation")
    else:
        studio.run("compare_bus_automation")
        assert not any(track.envelope(name).is_active for track in tracks)
        studio.run("compare_bus_automation")
    studio.decline_report("nothing was edited by hand since")
    studio.run("audit_bus_automation")
    once = written()
    studio.host.dialogs.expect_inputs(
        lambda captions, defaults: [
            "-6" if caption == "Bass: offset in dB" else value
            for caption, value in zip(captions, defaults, strict=True)
        ],
        containing="edit the last run",
    )
    studio.host.dialogs.expect_message("OK", containing="bass -6.0 dB")
    studio.run("edit_bus_automation")
    change_db = np.median(20 * np.log10(written() / once), axis=0)
    np.testing.assert_allclose(change_db, [0.0, -6.0, 0.0, 0.0], atol=0.15)
    studio.host.dialogs.expect_message("No", containing="edit of")
    studio.host.dialogs.expect_inputs(lambda _captions, defaults: defaults, containing="back to before which run?")
    studio.host.dialogs.expect_message("OK", containing="to the state before")
    studio.run("revert_bus_automation")
    assert without_ext_state(studio.host.project.to_bytes()) == before


def test_razor_edits_are_the_part_that_is_mixed(studio: Studio) -> None:
    api = studio.host.RPR
    api.RPR_GetSet_LoopTimeRange2(0, True, False, 1.0, 2.0, False)
    areas = {0: '3.0 4.0 ""', 2: '5.5 6.0 "" 3.5 4.5 {ABC}'}
    for index, area in areas.items():
        api.RPR_GetSetMediaTrackInfo_String(api.RPR_GetTrack(0, index), "P_RAZOREDITS", area, True)
    mixed(studio, model="equal-level")
    for track in studio.host.project.tracks:
        envelope = track.envelope("VOLENV2")
        times = [point.time for point in envelope.points]
        assert (min(time for time in times if time > 0.0), max(times)) == (3.0, 6.0)
