"""Undo and redo of a run in REAPER, whose undo does not restore ext state; and records that survive a save."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from analysis_server.reaper.instructions import marks_to_set, points_to_write, record_to_store
from analysis_server.reaper.job_file import Instructions
from core.automation.points import EnvelopePoints
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.rpp.write import with_envelopes
from core.runs import record as records
from core.runs import store
from core.runs.store import damaged_runs, read_history, undone_runs
from tests.reaper.conftest import StudioFor
from tests.reaper.studio import Studio, bus_text, project_text, small_session, without_ext_state
from tests.run_records import match_record


@pytest.fixture
def mixed(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """A short session after a mix."""
    studio = studio_for(small_session(tmp_path / "session", length_s=6.0))
    studio.choose_buses(model="equal-level")
    studio.decline_report("mixed with the model")
    studio.run("auto_mix_buses")
    return studio


def project_in(studio: Studio) -> Project:
    return project_of(parse(studio.host.project.to_bytes(), studio.path))


def test_an_undone_run_is_ignored_until_it_is_redone(mixed: Studio) -> None:
    written = mixed.host.project.to_bytes()
    mixed.host.RPR.RPR_Undo_DoUndo2(0)
    assert without_ext_state(mixed.host.project.to_bytes()) == mixed.path.read_bytes()
    assert [run.action for run in undone_runs(project_in(mixed))] == ["mix"]
    for action in ("audit_bus_automation", "edit_bus_automation", "revert_bus_automation"):
        mixed.host.dialogs.expect_message("OK", containing="undone in REAPER")
        mixed.run(action)
    assert without_ext_state(mixed.host.project.to_bytes()) == mixed.path.read_bytes()
    mixed.host.RPR.RPR_Undo_DoRedo2(0)
    assert mixed.host.project.to_bytes() == written
    assert [run.action for run in read_history(project_in(mixed))] == ["mix"]
    mixed.host.dialogs.expect_message("Yes", containing="Restore the envelopes from before")
    mixed.host.dialogs.expect_message("OK", containing="Restored 4 envelopes")
    mixed.run("revert_bus_automation")
    assert mixed.host.project.to_bytes() == mixed.path.read_bytes()


def test_an_edit_that_was_undone_leaves_the_mix_in_force(mixed: Studio) -> None:
    def quieter(captions: list[str], defaults: list[str]) -> list[str]:
        fields = zip(captions, defaults, strict=True)
        return ["-6" if caption == "Bass: offset in dB" else value for caption, value in fields]

    mixed.host.dialogs.expect_inputs(quieter, containing="edit the last run")
    mixed.host.dialogs.expect_message("OK", containing="bass -6.0 dB")
    mixed.run("edit_bus_automation")
    assert [run.action for run in read_history(project_in(mixed))] == ["mix", "edit"]
    mixed.host.RPR.RPR_Undo_DoUndo2(0)
    assert [run.action for run in read_history(project_in(mixed))] == ["mix"]
    mixed.host.RPR.RPR_Undo_DoRedo2(0)
    assert [run.action for run in read_history(project_in(mixed))] == ["mix", "edit"]


def test_a_record_survives_saving_and_reopening(mixed: Studio) -> None:
    original = mixed.path.read_bytes()
    mixed.host.save()
    mixed.host.open(mixed.path)
    project = project_in(mixed)
    assert damaged_runs(project) == {}
    assert [run.action for run in read_history(project)] == ["mix"]
    longest = max(len(line.strip()) for line in mixed.host.project.to_bytes().splitlines())
    assert longest < 1000
    mixed.host.dialogs.expect_message("Yes", containing="Restore the envelopes from before")
    mixed.host.dialogs.expect_message("OK", containing="Restored 4 envelopes")
    mixed.run("revert_bus_automation")
    assert mixed.host.project.to_bytes() == original


def long_session(folder: Path) -> Path:
    """Write a session of 16 buses that lasts half an hour; half of them have an envelope."""
    moves = ("    <VOLENV2", "      ACT 1 -1", "      VIS 1 1 1", "      PT 0 0.5 0", "      PT 900.25 0.25 2", "    >")
    tracks = [
        bus_text(f"Bus {number}", "x.wav", *(moves if number % 2 else ()), volume=0.5, length_s=1800.0)
        for number in range(16)
    ]
    path = folder / "Song.RPP"
    path.write_bytes(project_text(*tracks))
    return path


def test_a_match_of_half_an_hour_and_16_buses_survives_a_save_and_is_reverted_to_the_byte(
    studio_for: StudioFor, tmp_path: Path
) -> None:
    studio = studio_for(long_session(tmp_path))
    original = studio.host.project.to_bytes()
    song = project_in(studio)
    noise = np.random.default_rng(3).normal(0.0, 0.05, (16, 7197))
    curves_db = {track.name: np.cumsum(steps) - 9.0 for track, steps in zip(song.tracks, noise, strict=True)}
    time_s, frames_s = np.linspace(0.0, 1800.0, 300), 0.5 + 0.25 * np.arange(7197)
    points = {
        bus: EnvelopePoints(time_s, np.interp(time_s, frames_s, curves_db[bus]).clip(-40, 0)) for bus in curves_db
    }
    written = with_envelopes(song, {track.name: (track,) for track in song.tracks}, points)
    record = records.with_id(store.with_mark(match_record(curves_db, written), song))
    instructions = Instructions(
        undo="Faderwise: Match",
        summary="",
        tracks=points_to_write(written),
        marks=marks_to_set(record),
        ext_state=record_to_store(record),
    )
    answer = msgspec.to_builtins(instructions)
    studio.inside(
        f"answer = {answer!r}\nresult = apply_result.apply(answer, restore_state.Pointers(reaper_api.tracks()), {{}})"
    )
    content = studio.host.project.to_bytes()
    assert len(content) > 400_000
    assert max(len(line.strip()) for line in content.splitlines()) < 1000
    studio.host.save()
    studio.host.open(studio.path)
    (run,) = read_history(project_in(studio))
    assert run.buses == record.buses
    studio.host.dialogs.expect_message("Yes", containing="Restore the envelopes from before")
    studio.host.dialogs.expect_message("OK", containing="Restored 16 envelopes")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == original
