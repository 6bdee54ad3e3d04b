"""The first phase of a job: which tracks are the buses, how to mix them, and what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis_server.reaper.inspect_project import as_value, options_value, plan, saved_choice
from analysis_server.reaper.job_file import BusAnswers, JobFile, MixOptions, Plan
from analysis_server.verbs.adjust import Adjustments
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


def test_the_first_dialog_shows_the_guessed_buses(song: Path) -> None:
    found = planned(song)
    assert not found.settled
    assert {field.role: field.text for field in found.fields} == {
        role: f"{role.upper()} BUS" for role in ("drums", "bass", "melody", "vocals")
    }
    assert "equal-level" in found.models
    assert found.problem is None


def test_answers_settle_the_plan(song: Path) -> None:
    answers = BusAnswers(roles={"drums": "1", "bass": "", "melody": "", "vocals": "vocals bus"}, further="Brass = 3;")
    found = planned(song, answers=answers)
    assert found.settled
    assert {bus.role: [track.number for track in bus.tracks] for bus in found.buses} == {
        "drums": [1],
        "vocals": [4],
        "brass": [3],
    }


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (BusAnswers(roles={"drums": "9"}), "has no such track"),
        (BusAnswers(roles={"drums": "1", "bass": "1"}), "was chosen twice"),
        (BusAnswers(roles={"drums": ""}), "No bus was chosen"),
        (BusAnswers(roles={"drums": "1"}, further="3"), "role = track"),
    ],
)
def test_an_invalid_answer_is_asked_again_without_naming_an_option(
    song: Path, answers: BusAnswers, problem: str
) -> None:
    found = planned(song, answers=answers)
    assert not found.settled
    assert problem in str(found.problem)
    assert "--" not in str(found.problem)
    assert [field.text for field in found.fields] == list(answers.roles.values())


def test_a_choice_stored_in_the_project_settles_the_plan(song: Path) -> None:
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
    assert found.problem
    assert found.fields[0].text == "DRUMS BUS"


def test_an_unknown_model_is_a_problem_that_lists_the_models(song: Path) -> None:
    found = planned(song, answers=BusAnswers(roles={"drums": "1"}), settings={"model": "nobody"})
    assert all(name in found.problem for name in ("nobody", *found.models))


def test_tracks_with_ambiguous_names_are_shown_by_number(tmp_path: Path) -> None:
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


def with_tracks_locked(path: Path, *places: int) -> Path:
    content = path.read_bytes().split(b"  <TRACK")
    for place in places:
        content[place + 1] = content[place + 1].replace(b"    NCHAN 2\n", b"    NCHAN 2\n    LOCK 1\n")
    path.write_bytes(b"  <TRACK".join(content))
    return path


ANSWERS = BusAnswers(roles={"drums": "1", "bass": "2", "melody": "3", "vocals": "4"})


def test_the_dialog_shows_what_was_used_last_and_locked_tracks_as_kept(song: Path) -> None:
    with_choice(with_tracks_locked(song, 1), as_value({"drums": [read_project(song).tracks[0].guid]}))
    with_tracks_locked(song, 0)
    options = MixOptions(depth="50", keep="vocals", target="trim")
    content = song.read_bytes().replace(b"      BUSES", f"      OPTIONS {options_value(options)}\n      BUSES".encode())
    song.write_bytes(content)
    found = planned(song, asks=True)
    assert not found.settled
    assert [field.text for field in found.fields] == ["DRUMS BUS", "", "", ""]
    assert found.options == MixOptions(depth="50", keep="vocals; drums", target="trim")


def test_the_way_to_mix_is_read_from_the_dialog(song: Path) -> None:
    (song.parent / "finished").mkdir()
    options = MixOptions(level="Tracks", like="finished", depth="50 %", keep="2; Vox", ride="vocals = 40; drums=20%")
    found = planned(song, answers=ANSWERS, options=options, selection_s=(1.0, 2.0))
    assert found.settled, found.problem
    assert found.selection_s == (1.0, 2.0)
    assert found.way.level == "tracks"
    assert found.way.adjustments == Adjustments(
        like=str(song.parent / "finished"),
        depth_percent=50.0,
        keep=["bass: BASS BUS", "vocals: VOCALS BUS"],
        ride_percent={"vocals: VOCALS BUS": 40.0, "drums: DRUMS BUS": 20.0},
    )
    assert len(found.render) == 4


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (MixOptions(level="songs"), "Level: 'songs' is not one of buses, tracks"),
        (MixOptions(target="pan"), "Write to: 'pan' is not one of"),
        (MixOptions(like="nowhere"), "Like: "),
        (MixOptions(depth="half"), "Depth: 'half' is not a number"),
        (MixOptions(depth="900"), "Depth: 900"),
        (MixOptions(keep="strings"), "Keep: There is no bus or track 'strings'"),
        (MixOptions(ride="vocals"), "Ride: 'vocals' is not"),
        (MixOptions(part="Chorus"), "Part: There is no region 'Chorus'"),
    ],
)
def test_an_invalid_way_to_mix_is_asked_again(song: Path, options: MixOptions, problem: str) -> None:
    found = planned(song, answers=ANSWERS, options=options)
    assert not found.settled
    assert problem.casefold() in str(found.problem).casefold()
    assert found.options == options


def test_a_region_is_found_by_its_number_and_its_name(song: Path) -> None:
    markers = b'  MARKER 1 3 "Verse" 0\n  MARKER 7 4 "Chorus 1" 1 0 1 R\n  MARKER 7 9.5 "" 1\n'
    song.write_bytes(song.read_bytes().replace(b"  <TRACK", markers + b"  <TRACK", 1))
    for part, span_s in (("7", (4.0, 9.5)), ("chorus 1", (4.0, 9.5)), ("ALL", None), ("", (1.0, 2.0))):
        found = planned(song, answers=ANSWERS, options=MixOptions(part=part), selection_s=(1.0, 2.0))
        assert found.selection_s == span_s


def test_buses_that_have_no_room_in_the_dialog_are_shown_as_further_ones(tmp_path: Path) -> None:
    names = ("Drums", "Bass", "Vocals", "Guitars", "Keys", "Strings", "Brass", "Choir", "FX", "Percussion")
    path = tmp_path / "Song.RPP"
    path.write_bytes(project_text(*(bus_text(name, "x.wav") for name in names)))
    found = planned(path)
    assert len(found.fields) == 7
    answers = BusAnswers(roles={field.role: field.text for field in found.fields}, further=found.further)
    again = planned(path, answers=answers)
    assert again.settled, again.problem
    assert sorted(track.name for bus in again.buses for track in bus.tracks) == sorted(
        track.title for track in read_project(path).tracks
    )
