"""`faderwise mix SESSION.RPP --level tracks`: each track gets its own curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.rpp.project import read_project
from core.runs.store import read_history
from tests.project_verbs.reading import heard_gain
from tests.project_verbs.sessions import bus, run, template

TIMES = np.arange(0.0, 24.0, 0.25)
FOLDER = "  <TRACK {F}\n    NAME Drums\n    VOLPAN 0.5 0 -1 -1 1\n    ISBUS 1 1\n    MAINSEND 1 0\n  >"


def raw_tracks(path: Path) -> None:
    """Write a project with a drum folder of two tracks, two vocal tracks, a bass and a click that is in no bus."""
    path.write_bytes(
        template(
            FOLDER,
            bus("Kick", "drums.flac", 0.8),
            bus("Snare", "melody.flac", 0.4, "    ISBUS 2 -1"),
            bus("Lead Vox", "vocals.flac", 0.9),
            bus("Vox Double", "vocals.flac", 0.2),
            bus("Bass DI", "bass.flac", 0.7),
            bus("Click", "drums.flac", 0.7),
        )
    )


def test_every_track_of_a_bus_gets_its_own_gain_also_in_edit_audit_and_revert(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw_tracks(small)
    before = small.read_bytes()
    code, result, errors = run(capsys, "mix", str(small), "--level", "tracks")
    assert code == 0, errors
    names = ["drums: Kick", "drums: Snare", "bass: Bass DI", "vocals: Lead Vox", "vocals: Vox Double"]
    assert list(result["median_gain_db"]) == names  # type: ignore[call-overload]
    assert "'Click'" in errors
    copy = small.with_name("Song-faderwise.RPP")
    [record] = read_history(read_project(copy))
    assert [track.role for track in record.tracks] == names
    project = read_project(small)
    for track in record.tracks:
        there = next(one for one in project.tracks if one.guid == track.guid)
        heard_db = 20 * np.log10(heard_gain(copy.read_bytes(), there, TIMES) * (0.5 if there.parent == 0 else 1.0))
        assert np.median(heard_db) == pytest.approx(result["median_gain_db"][track.role], abs=0.3)  # type: ignore[index]
    assert heard_gain(copy.read_bytes(), project.tracks[1], TIMES).std() >= 0.0
    code, audited, _ = run(capsys, "audit", str(copy), "--no-sound")
    assert code == 0
    assert [track["bus"] for track in audited["tracks"]] == names  # type: ignore[attr-defined]
    assert audited["is_edited"] is False
    code, edited, errors = run(capsys, "edit", str(copy), "--offset", "drums=2", "--offset", "lead vox=-1")
    assert code == 0, errors
    offsets_db = {"drums: Kick": 2.0, "drums: Snare": 2.0, "vocals: Lead Vox": -1.0}
    assert edited["settings"]["offset_db"] == offsets_db  # type: ignore[index]
    assert run(capsys, "revert", str(copy))[0] == 0
    assert copy.read_bytes() == before


def test_runs_of_tracks_and_of_buses_are_not_compared(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_tracks(small)
    tracks, buses = (small.parent / name for name in ("of tracks", "of buses"))
    run(capsys, "mix", str(small), "--level", "tracks", "--out", str(tracks))
    run(capsys, "mix", str(small), "--out", str(buses))
    copies = [str(folder / "Song-faderwise.RPP") for folder in (buses, tracks)]
    code, _, errors = run(capsys, "compare", *copies)
    assert code == 2
    assert f"{copies[1]} has a gain for each single track" in errors


def test_the_faders_of_tracks_can_be_kept(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw_tracks(small)
    code, result, errors = run(
        capsys, "mix", str(small), "--level", "tracks", "--keep", "drums", "--keep", "lead vox", "--dry-run"
    )
    assert code == 0, errors
    found_db = result["median_gain_db"]
    kick_db = found_db["drums: Kick"]  # type: ignore[index]
    assert found_db["drums: Snare"] - kick_db == pytest.approx(20 * np.log10(0.4 / 0.8), abs=0.05)  # type: ignore[index]
    assert found_db["vocals: Lead Vox"] - kick_db == pytest.approx(20 * np.log10(0.9 / 0.4), abs=0.05)  # type: ignore[index]
    lowered_db = 20 * np.log10(0.8 * 0.5) - kick_db
    assert lowered_db == pytest.approx(0.0, abs=0.05) or "lower" in errors
