"""The first phase of a job: which tracks are the buses, and what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis_server.reaper.inspect_project import as_value, plan, saved_choice
from analysis_server.reaper.job_file import BusAnswers, JobFile, Plan
from core.rpp.project import read_project
from tests.expected_errors import raises_error
from tests.reaper.studio import bus_text, project_text, small_session


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "home"))


def planned(path: Path, verb: Any = "mix", **changes: Any) -> Plan:
    job = JobFile(
        version=1,
        action="A",
        verb=verb,
        phase="plan",
        title="Song",
        project=str(path),
        project_path=str(path),
        **changes,
    )
    return plan(job)


def with_choice(path: Path, value: str) -> Path:
    state = f"  <EXTSTATE\n    <FADERWISE\n      BUSES {value}\n    >\n  >\n>\n"
    path.write_bytes(path.read_bytes()[:-2] + state.encode())
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return small_session(tmp_path / "session")


def test_the_first_time_it_asks_with_the_guess_filled_in(song: Path) -> None:
    found = planned(song)
    assert not found.settled
    assert {field.role: field.text for field in found.fields} == {
        role: f"{role.upper()} BUS" for role in ("drums", "bass", "melody", "vocals")
    }
    assert "equal-level" in found.models
    assert found.problem is None


def test_what_was_answered_settles_it(song: Path) -> None:
    answers = BusAnswers(roles={"drums": "1", "bass": "", "melody": "", "vocals": "vocals bus"}, further="Brass = 3;")
    found = planned(song, answers=answers)
    assert found.settled
    assert {bus.role: [track.number for track in bus.tracks] for bus in found.buses} == {
        "drums": [1],
        "vocals": [4],
        "brass": [3],
    }


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (BusAnswers(roles={"drums": "9"}), "has no such track"),
        (BusAnswers(roles={"drums": "1", "bass": "1"}), "was chosen twice"),
        (BusAnswers(roles={"drums": ""}), "No bus was chosen"),
        (BusAnswers(roles={"drums": "1"}, further="3"), "role = track"),
    ],
)
def test_a_wrong_answer_is_asked_again_and_no_option_is_named(song: Path, answers: BusAnswers, told: str) -> None:
    found = planned(song, answers=answers)
    assert not found.settled
    assert told in str(found.problem)
    assert "--" not in str(found.problem)
    assert [field.text for field in found.fields] == list(answers.roles.values())


def test_a_choice_kept_in_the_project_is_not_asked_again(song: Path) -> None:
    guids = [track.guid for track in read_project(song).tracks]
    value = as_value({"drums": guids[:2], "backing vocals": guids[3:]})
    with_choice(song, value)
    assert saved_choice(read_project(song)) == {"drums": guids[:2], "backing vocals": guids[3:]}
    found = planned(song)
    assert found.settled
    assert [bus.role for bus in found.buses] == ["drums", "backing vocals"]


def test_a_stored_choice_with_a_deleted_track_is_asked_again(song: Path) -> None:
    with_choice(song, as_value({"drums": ["{00000000-0000-0000-0000-000000000000}"]}))
    found = planned(song)
    assert not found.settled
    assert "is gone" in str(found.problem)
    assert found.fields[0].text == "DRUMS BUS"


def test_an_unknown_model_is_reported_with_the_available_ones(song: Path) -> None:
    found = planned(song, answers=BusAnswers(roles={"drums": "1"}), settings={"model": "nobody"})
    assert found.problem == f"There is no model 'nobody'; there are: {', '.join(found.models)}."


def test_tracks_that_could_be_mistaken_are_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "Song.RPP"
    path.write_bytes(project_text(bus_text("Drums; all", "x.wav"), bus_text("Bass", "x.wav")))
    texts = {field.role: field.text for field in planned(path).fields}
    assert (texts["drums"], texts["bass"]) == ("1", "Bass")


def test_moves_missing_media_and_solos_are_reported(song: Path) -> None:
    (song.parent / "bass.flac").unlink()
    moves = b"    MAINSEND 1 0\n    <VOLENV2\n      ACT 1 -1\n      PT 0 1 0\n      PT 9 0.5 0\n    >\n"
    content = song.read_bytes().replace(b"MUTESOLO 0 0 0", b"MUTESOLO 0 1 0", 1)
    song.write_bytes(content.replace(b"    MAINSEND 1 0\n", moves, 1))
    roles = {"drums": "1", "bass": "2", "melody": "3", "vocals": "4"}
    found = planned(song, answers=BusAnswers(roles=roles))
    assert found.automated == ["track 1 'DRUMS BUS'"]
    assert "bass.flac of track 2 'BASS BUS'" in found.cautions[0]
    assert "Soloed" in found.cautions[1]


def test_an_empty_project_has_nothing_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "Song.RPP"
    path.write_bytes(project_text())
    found = planned(path)
    assert (found.settled, found.fields) == (False, [])


def test_a_project_without_a_run_has_no_history(song: Path) -> None:
    with raises_error(path="Song.RPP"):
        planned(song, verb="revert")


def test_a_mixdown_next_to_the_open_project_is_found(song: Path, tmp_path: Path) -> None:
    (song.parent / "drums.flac").rename(song.parent / "mix.flac")
    copy = tmp_path / "copy.rpp"
    copy.write_bytes(song.read_bytes())
    job = JobFile(
        version=1,
        action="A",
        verb="match",
        phase="plan",
        title="Song",
        project=str(copy),
        project_path=str(song),
        answers=BusAnswers(roles={"bass": "2"}),
    )
    assert plan(job).mixdown == str(song.parent / "mix.flac")


def test_selected_tracks_are_guessed_by_their_names_and_others_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "Song.RPP"
    path.write_bytes(project_text(*(bus_text(name, "x.wav") for name in ("Kick", "Bass", "Qwrt", "Lead Vox"))))
    guids = [track.guid for track in read_project(path).tracks]
    found = planned(path, selected=[guids[0], guids[2]])
    texts = {field.role: field.text for field in found.fields}
    assert (texts["drums"], texts["bass"], texts["vocals"]) == ("Kick", "", "")
    assert (
        found.problem
        == "No role is recognized for track 3 'Qwrt'. Write the tracks into the fields, or leave them out."
    )
    assert not found.settled
    nothing = planned(path, selected=[guids[2], guids[2]])
    assert nothing.problem == found.problem
    assert {field.text for field in nothing.fields} == {""}
