"""Separation of the user's moves on a track from the points that our runs wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.automation.points import Point
from core.rpp.envelope import Envelope
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs import record, store
from core.runs.store import moves_before, own_moves

USERS = (0.5, 0.25)
OURS = ((0.9, 0.8), (0.7, 0.6), (0.4, 0.3))


def envelope(gains: tuple[float, ...]) -> str:
    points = [f"PT {number} {gain} 0" for number, gain in enumerate(gains)]
    return "\n".join(["<VOLENV2", "ACT 1 -1", *points, ">", ""])


def run(number: int, before: str | None, guid: str = "{G}") -> record.RunRecord:
    """The run that wrote the `number`-th of `OURS` over `before`."""
    written = [Point(float(at), gain) for at, gain in enumerate(OURS[number - 1])]
    track = record.TrackRun(guid=guid, number=1, name="Drums", role="drums", scale=1.0, before=before, written=written)
    bus = record.BusRun(role="drums", predicted_cdb=[0, 0], level_lufs=[-20, 0])
    return record.with_id(
        record.RunRecord(
            number=number, action="mix", made_at="2026", made_by="us", title="Song", tracks=[track], buses=[bus]
        )
    )


def session(stands: tuple[float, ...] | None, *runs: record.RunRecord) -> Project:
    """A project whose only track has an envelope of these gains, and a history."""
    block = "" if stands is None else envelope(stands)
    content = f'<REAPER_PROJECT 0.1 "7.0/linux" 1\n<TRACK {{G}}\nNAME Drums\n{block}>\n>\n'.encode()
    document = parse(content, Path("song.rpp"))
    for one in runs:
        document = parse(document.edited(store.edits_to_add(document, one)), document.path)
    return project_of(document)


def moves(of: Project) -> Envelope | None:
    return own_moves(of, of.tracks[0])


def gains(of: Envelope | None) -> tuple[float, ...] | None:
    return None if of is None else tuple(point.gain for point in of.points)


def test_without_a_run_all_moves_are_the_users() -> None:
    assert gains(moves(session(USERS))) == USERS
    assert moves(session(None)) is None


def test_unchanged_runs_are_removed_to_find_the_envelope_of_the_user() -> None:
    runs = run(1, envelope(USERS)), run(2, envelope(OURS[0])), run(3, envelope(OURS[1]))
    assert gains(moves(session(OURS[2], *runs))) == USERS


def test_without_an_envelope_before_the_first_run_the_user_has_no_moves() -> None:
    assert moves(session(OURS[1], run(1, None), run(2, envelope(OURS[0])))) is None


@pytest.mark.parametrize("changed", [(0.7, 0.61), (0.7, 0.6, 0.6)])
def test_a_changed_envelope_belongs_to_the_user_as_a_whole(changed: tuple[float, ...]) -> None:
    runs = run(1, envelope(USERS)), run(2, envelope(OURS[0]))
    assert gains(moves(session(changed, *runs))) == changed


def test_an_envelope_changed_between_two_runs_belongs_to_the_user_as_a_whole() -> None:
    changed = (0.9, 0.1)
    assert gains(moves(session(OURS[1], run(1, envelope(USERS)), run(2, envelope(changed))))) == changed


def test_a_deleted_envelope_has_no_moves() -> None:
    assert moves(session(None, run(1, envelope(USERS)))) is None


def test_a_run_on_other_tracks_is_skipped() -> None:
    elsewhere = run(2, envelope((0.1, 0.1)), guid="{H}")
    assert gains(moves(session(OURS[0], run(1, envelope(USERS)), elsewhere))) == USERS


def test_the_moves_before_a_run_exclude_earlier_runs() -> None:
    runs = run(1, envelope(USERS)), run(2, envelope(OURS[0])), run(3, None)
    song = session(OURS[2], *runs)
    found = [moves_before(song, song.tracks[0], one) for one in runs]
    assert [gains(one) for one in found] == [USERS, USERS, None]
    assert moves_before(song, song.tracks[0], run(2, envelope(USERS), guid="{H}")) is None
