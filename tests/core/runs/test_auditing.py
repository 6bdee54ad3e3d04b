"""An audit finds exactly what a run wrote and what was changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.automation.points import EnvelopePoints, Point
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs import record as record_module
from core.runs import store
from core.runs.audit import audit_points, audit_project, largest_moves
from core.runs.record import to_steps

TIME_S = 0.5 + 0.25 * np.arange(80)
CURVE_DB = np.interp(TIME_S, [0.5, 5.0, 10.0, 20.0], [-3.0, 3.0, -1.0, -1.0])
WRITTEN = [(0.0, -3.0), (5.0, 3.0), (10.0, -1.0), (20.25, -1.0)]


def record(
    scale: float = 1.0,
    guid: str = "",
    wrote: Sequence[tuple[float, float]] = tuple(WRITTEN),
    before: str | None = None,
) -> record_module.RunRecord:
    points = [Point(time_s, 10 ** (gain_db / 20) / scale) for time_s, gain_db in wrote]
    track = record_module.TrackRun(
        guid=guid, number=1, name="Drums", role="drums", scale=scale, before=before, written=points
    )
    bus = record_module.BusRun(
        role="drums",
        predicted_cdb=to_steps(CURVE_DB, 0.01),
        level_lufs=to_steps(np.where(TIME_S < 15.0, -20.0, -120.0), 1.0),
        deviation_cdb=to_steps(np.full(80, 2.5), 0.01),
        terms_ddb={"moment": to_steps(CURVE_DB - 1.0, 0.1), "common": to_steps(np.ones(80), 0.1)},
    )
    plain = record_module.RunRecord(
        number=1, action="mix", made_at="2026-01-02", made_by="us", title="Song", tracks=[track], duration_s=20.25
    )
    return record_module.with_id(msgspec.structs.replace(plain, buses=[bus]))


def points(pairs: list[tuple[float, float]]) -> dict[str, EnvelopePoints]:
    return {"drums": EnvelopePoints(*np.array(pairs).T)}


def session(pairs: list[tuple[float, float]], fader: float = 0.5, before: str | None = None) -> Project:
    lines = [b"      PT %f %f 0" % (time_s, 10 ** (gain_db / 20) / 0.5) for time_s, gain_db in pairs]
    text = [b'<REAPER_PROJECT 0.1 "7.0/linux" 1', b"  <TRACK {G}", b"    VOLPAN %f 0 -1" % fader, b"    <VOLENV2"]
    content = b"\n".join([*text, b"      ACT 1 -1", *lines, b"    >", b"  >", b">", b""])
    document = parse(content, Path("song.rpp"))
    return project_of(
        parse(document.edited(store.edits_to_add(document, record(0.5, "{G}", before=before))), Path("song.rpp"))
    )


def test_unedited_points_have_no_edits() -> None:
    for audited in (audit_points([record()], points(WRITTEN)), audit_project(session(WRITTEN))):
        (track,) = audited.tracks
        assert not audited.is_edited
        np.testing.assert_allclose(track.now_db, track.written_db, atol=1e-3)
        np.testing.assert_allclose(track.written_db, CURVE_DB, atol=1.2)  # the project is straight in amplitude
        np.testing.assert_allclose(track.predicted_db, CURVE_DB, atol=0.006)
        np.testing.assert_allclose(sum(track.terms_db.values()), CURVE_DB, atol=0.11)
        assert np.isneginf(track.level_lufs[TIME_S >= 15.0]).all()


@pytest.mark.parametrize("in_project", [False, True])
def test_exactly_the_dragged_and_the_added_point_are_found(in_project: bool) -> None:
    now = [(0.0, -3.0), (5.0, 3.0), (10.0, -6.0), (12.0, 1.0), (20.25, -1.0)]
    audited = audit_project(session(now)) if in_project else audit_points([record()], points(now))
    (track,) = audited.tracks
    assert audited.is_edited
    np.testing.assert_allclose(track.edited.time_s, [10.0, 12.0])
    np.testing.assert_allclose(track.edited.gain_db, [-6.0, 1.0], atol=1e-3)
    np.testing.assert_allclose(track.deleted.gain_db, [-1.0], atol=1e-3)
    (span,) = track.edits.spans
    assert (span.start_s, span.end_s) == (5.0, 20.25)


def test_a_moved_fader_changes_the_heard_gain() -> None:
    (track,) = audit_project(session(WRITTEN, fader=0.25)).tracks
    np.testing.assert_allclose(track.now_db, track.written_db - 6.02, atol=0.01)
    assert track.edits.are_none


def test_the_largest_moves_are_listed_first_with_their_main_term() -> None:
    moves = largest_moves(audit_points([record()], points(WRITTEN)), 5)
    assert [(move.start_s, move.end_s) for move in moves] == [(0.0, 5.0), (5.0, 10.0)]
    assert [(move.start_db, move.end_db) for move in moves] == [
        (pytest.approx(-3.0), pytest.approx(3.0)),
        (pytest.approx(3.0), pytest.approx(-1.0)),
    ]
    assert {move.term for move in moves} == {"moment"}
    assert largest_moves(audit_points([record()], points(WRITTEN)), 1) == moves[:1]


def test_a_move_beyond_the_last_frame_is_described_by_the_last_frame() -> None:
    wrote = [*WRITTEN[:2], (30.0, -1.0)]
    audited = audit_points([record(wrote=wrote)], points(wrote))
    tracks = [replace(track, terms_db={"falling": -TIME_S}) for track in audited.tracks]
    move = largest_moves(replace(audited, tracks=tuple(tracks)), 2)[1]
    assert (move.start_s, move.end_s, move.term) == (5.0, 30.0, "falling")
    assert move.term_db == pytest.approx(5.0 - TIME_S[-1])


def test_a_missing_or_bypassed_envelope_is_reported() -> None:
    whole = session(WRITTEN).document.to_bytes()
    bypassed = project_of(parse(whole.replace(b"ACT 1", b"ACT 0"), Path("song.rpp")))
    assert any("is bypassed" in note for note in audit_project(bypassed).notes)


def test_an_envelope_that_the_user_deleted_is_reported() -> None:
    before = "    <VOLENV2\n      ACT 1 -1\n      PT 0 0.5 0\n    >\n"
    with_envelope = session(WRITTEN, before=before).document.to_bytes()
    gone = project_of(parse(with_envelope.replace(b"<VOLENV2", b"<VOLENV9"), Path("song.rpp")))
    assert any("no longer has a volume envelope" in note for note in audit_project(gone).notes)


def test_a_slow_fade_of_small_steps_is_one_move_from_its_start_to_its_end() -> None:
    fade = [(float(step), -3.0 + 0.09 * step) for step in range(4, 20)]
    written = [(0.0, fade[0][1]), *fade, (20.25, fade[-1][1])]
    (move,) = largest_moves(audit_points([record(wrote=written)], points(written)), 5)
    assert (move.start_s, move.end_s) == (5.0, 18.0)  # a step of less than 0.1 dB at each end is level
