"""Undo and redo of a run in REAPER, whose undo does not restore ext state; and records that survive a save."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs.store import damaged_runs, read_history, undone_runs
from tests.reaper.conftest import StudioFor
from tests.reaper.studio import Studio, small_session, without_ext_state


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
