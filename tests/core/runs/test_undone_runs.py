"""A run that was undone in REAPER is ignored: its record stays in the project, its envelopes do not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.automation.points import EnvelopePoints
from core.errors import InputError
from core.rpp.parser import parse
from core.rpp.project import Project, project_of, read_project
from core.rpp.write import with_envelopes
from core.runs import record as records
from core.runs import store
from core.runs.audit import audit_project
from core.runs.edit import reapply
from core.runs.record import BusRun, RunRecord, to_steps
from core.runs.store import ext_state, ext_state_edits
from tests.cases.reaper_reader import FOLDER

ENVELOPE = b"    <VOLENV2\n      ACT 1 -1\n      VIS 1 1 1\n      PT 0 0.5 0\n    >\n"


def project(content: bytes) -> Project:
    return project_of(parse(content, Path("song.rpp")))


def session(*envelopes: bytes) -> Project:
    tracks = [
        b"  <TRACK {%d}\n    NAME T%d\n    MAINSEND 1 0\n%s  >\n" % (number, number, envelope)
        for number, envelope in enumerate(envelopes)
    ]
    return project(b'<REAPER_PROJECT 0.1 "7.0/linux" 1\n' + b"".join(tracks) + b">\n")


def mixed(song: Project, level_db: float, *, in_reaper: bool) -> Project:
    """Return the project with a mix on all of its tracks that brings them to `level_db`."""
    curve = EnvelopePoints(np.array([0.5, 5.0]), np.array([level_db, level_db - 1.0]))
    tracks = {track.name: (track,) for track in song.tracks}
    written = with_envelopes(song, tracks, dict.fromkeys(tracks, curve))
    steps = to_steps(np.full(20, level_db), 0.01)
    record = RunRecord(
        number=store.next_number(song),
        action="mix",
        made_at="",
        made_by="test",
        title="Song",
        duration_s=5.0,
        buses=[BusRun(role=role, predicted_cdb=steps, level_lufs=to_steps(np.full(20, -20.0), 1.0)) for role in tracks],
        tracks=store.track_runs(written),
    )
    record = records.with_id(store.with_mark(record, song) if in_reaper else record)
    edits = [*store.edits_to_add(song.document, record), *store.mark_tracks(song, record)]
    return project(written.with_edits(edits).content)


def undone(before: Project, after: Project) -> Project:
    """Return `after` as REAPER's undo restores it: the state before, with the new ext state."""
    values = ext_state(after.document, store.SECTION)
    return project(before.document.edited(ext_state_edits(before.document, store.SECTION, dict(values))))


def numbers(song: Project) -> tuple[list[int], list[int]]:
    """Return the numbers of the runs in force and of the undone ones."""
    return [run.number for run in store.read_history(song)], [run.number for run in store.undone_runs(song)]


@pytest.mark.parametrize("in_reaper", [False, True])
@pytest.mark.parametrize("envelope", [b"", ENVELOPE])
def test_undo_and_redo_of_one_run(in_reaper: bool, envelope: bytes) -> None:
    before = session(envelope, envelope)
    after = mixed(before, -6.0, in_reaper=in_reaper)
    assert numbers(after) == ([1], [])
    assert numbers(undone(before, after)) == ([], [1])


@pytest.mark.parametrize("first_in_reaper", [False, True])
@pytest.mark.parametrize("second_in_reaper", [False, True])
def test_undo_of_the_second_run_leaves_the_first(first_in_reaper: bool, second_in_reaper: bool) -> None:
    original = session(ENVELOPE, b"")
    first = mixed(original, -6.0, in_reaper=first_in_reaper)
    second = mixed(first, -9.0, in_reaper=second_in_reaper)
    assert numbers(second) == ([1, 2], [])
    once = undone(first, second)
    assert numbers(once) == ([1], [2])
    assert numbers(undone(original, second)) == ([], [1, 2])
    assert store.restore(once, 1).content == original.document.to_bytes()
    third = mixed(once, -3.0, in_reaper=second_in_reaper)
    assert numbers(third) == ([1, 3], [2])
    assert store.restore(third, 3).content.count(store.MARK_KEY.encode()) == 2 * first_in_reaper
    assert store.restore(third, 1).content == original.document.to_bytes()


def test_a_run_whose_id_is_on_no_track_is_undone_even_if_envelopes_changed() -> None:
    before = session(ENVELOPE)
    after = mixed(before, -6.0, in_reaper=True)
    moved = project(undone(before, after).document.to_bytes().replace(b"PT 0 0.5 0", b"PT 0 0.7 0"))
    assert numbers(moved) == ([], [1])
    with pytest.raises(InputError) as caught:
        store.restore(moved, 1)
    assert "undone" in caught.value.problem


def test_a_run_that_the_user_edited_is_in_force() -> None:
    after = mixed(session(ENVELOPE, b""), -6.0, in_reaper=False)
    point = next(line for line in after.document.lines if line.startswith(b"      PT"))
    assert numbers(project(after.document.to_bytes().replace(point, b"      PT 0 0.123 0\n", 1))) == ([1], [])


def test_an_edit_of_an_undone_run_starts_from_the_run_in_force() -> None:
    first = mixed(session(b"", b""), -6.0, in_reaper=True)
    once = undone(first, mixed(first, -12.0, in_reaper=True))
    done, _ = reapply(once, {"depth_percent": 50.0})
    assert (done.record.of, done.record.number) == (store.read_history(first)[0].id, 3)
    assert done.record.follows is msgspec.UNSET
    assert any("run 2 (mix) was undone" in note for note in audit_project(once).notes)


@pytest.mark.parametrize("other", [b"", b"    <EXT\n    >\n", b"    <EXT\n      other value\n    >\n"])
def test_reverting_a_run_removes_its_id_from_the_tracks_to_the_byte(other: bytes) -> None:
    before = session(ENVELOPE + other, other)
    after = mixed(before, -6.0, in_reaper=True)
    assert {store.mark_of(after, track) for track in after.tracks} == {store.read_history(after)[0].id}
    assert store.restore(after, 1).content == before.document.to_bytes()


def test_a_project_of_version_0_1_0_whose_run_was_undone() -> None:
    song = read_project(FOLDER / "undone_in_reaper_record_stays.RPP")
    assert numbers(song) == ([], [1])
    with pytest.raises(InputError) as caught:
        store.require_history(song)
    assert "undone" in caught.value.problem
    assert caught.value.path == str(song.path)
