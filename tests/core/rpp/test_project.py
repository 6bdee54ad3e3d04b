"""Tracks, routing and buses of project files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.rpp.buses import find_buses, match_tracks
from core.rpp.faders import reached
from core.rpp.parser import parse
from core.rpp.project import Project, project_of, read_project
from tests.expected_errors import raises_error

WINCING = Path(__file__).parents[2] / "projects" / "wincing.rpp"
ITEM = b"<ITEM\n POSITION 0\n LENGTH 1\n <SOURCE WAVE\n  FILE a.wav\n >\n>"


def track(name: str, *lines: bytes, item: bool = True) -> bytes:
    return b"\n".join([b"<TRACK {G}", f'NAME "{name}"'.encode(), *lines, *([ITEM] if item else []), b">"])


def project(*tracks: bytes, more: bytes = b"RIPPLE 0") -> Project:
    content = b"\n".join([b'<REAPER_PROJECT 0.1 "7.0/linux" 1', more, *tracks, b">", b""])
    return project_of(parse(content, Path("song.rpp")))


def numbers(of: Project, **chosen: list[str]) -> dict[str, list[int]]:
    return {role: [track.number for track in tracks] for role, tracks in find_buses(of, chosen).tracks.items()}


def test_a_real_project_is_read_as_reaper_shows_it() -> None:
    found = read_project(WINCING)
    assert [one.name for one in found.tracks][4:] == ["drums", "backups", "chorus-Right", "Chorus-Leads"]
    left, drums, backups, muted = found.tracks[0], found.tracks[4], found.tracks[5], found.tracks[7]
    assert (left.volume, left.pan) == (1.66917422443258, -0.496)
    assert left.envelopes["VOLENV2"].points[0].gain == 0.56412952
    assert left.envelopes["VOLENV2"].scaling == "fader"
    assert (drums.volume, drums.items[0].takes[0].source.file) == (0.52901304635576, r"Audio Files\indie.mp3")  # type: ignore[union-attr]
    assert backups.is_folder
    assert [one.number for one in found.children(backups)] == [7, 8]
    assert muted.is_muted
    assert found.sample_rate == 48_000
    assert found.tracks[3].plug_ins == ("Archetype Plini (Neural DSP)",)
    assert found.tracks[6].plug_ins == ()  # its chain is switched off (FX 0)


def test_project_settings_are_read() -> None:
    head = [b"GLOBAL_AUTO 3", b'RENDER_FILE "out/song mix.wav"', b"RECORD_PATH Media Other", b"MASTER_VOLUME 0.5 0 -1"]
    found = project(more=b"\n".join([*head, b"PLAYRATE 1.25 0 0.25 4", b"<MASTERFXLIST", b"<JS limiter", b">", b">"]))
    assert (found.global_automation, found.render_file, found.media_folder) == (3, "out/song mix.wav", "Media")
    assert (found.play_rate, found.master_plug_ins) == (1.25, ("limiter",))


def test_missing_project_settings_have_defaults() -> None:
    found = project()
    assert (found.sample_rate, found.global_automation, found.render_file, found.media_folder) == (None, -1, "", "")
    assert (found.play_rate, found.master_plug_ins) == (1.0, ())


def test_folders_and_sends_of_real_projects(shared: Path) -> None:
    found = read_project(shared / "rpp" / "03_v7.19_win_buses_sends_37tr.rpp")
    assert numbers(found) == {"drums": [13], "bass": [2], "guitars": [5], "keys": [10]}
    assert [one.number for one in found.children(found.tracks[1])] == [3, 4]
    assert {one.source for one in found.tracks[0].receives} == {1, 4, 9, 12}


def test_folders_of_an_old_project_are_buses_and_returns_fed_by_them_are_not(shared: Path) -> None:
    found = read_project(shared / "rpp" / "10_v_pre3_song_with_sends_volenv.RPP")
    assert [one.name for one in found.children(found.tracks[9])][:2] == ["Kick Sansom", "Snare Sansom"]
    assert numbers(found) == {"melody": [5], "vocals": [1], "percussion": [10, 14]}


def test_a_lone_room_microphone_belongs_to_the_bus_that_the_kit_is_heard_through() -> None:
    found = project(
        track("Percussion", b"ISBUS 1 1", item=False),
        track("Kick"),
        track("Congas", b"ISBUS 2 -1"),
        track("Room Mike C03"),
    )
    assert numbers(found) == {"percussion": [1, 4]}
    assert numbers(project(track("Kick"), track("Room"), track("Congas"))) == {"drums": [1, 2], "percussion": [3]}


def test_a_track_that_receives_several_buses_is_not_a_bus() -> None:
    found = project(
        track("Kick", b"MAINSEND 0 0"),
        track("Bass", b"MAINSEND 0 0"),
        track("Music Sum", b"AUXRECV 0 0 1 0 0 0 0 0 0", b"AUXRECV 1 0 1 0 0 0 0 0 0", item=False),
    )
    assert numbers(found) == {"drums": [1], "bass": [2]}


def test_sends_decide_where_names_do_not() -> None:
    found = project(
        track("Kick", b"MAINSEND 0 0"),
        track("Alex", b"AUXRECV 0 0 1 0 0 0 0 0 0", item=False),
        track("Max", b"MAINSEND 0 0"),
        track("Vox Bus", b"AUXRECV 2 0 1 0 0 0 0 0 0", item=False),
    )
    assert [(match.bus, match.reason) for match in match_tracks(found)][1:3] == [
        ("drums", 'it receives "Kick"'),
        ("vocals", 'it is sent to "Vox Bus"'),
    ]
    assert numbers(found) == {"drums": [2], "vocals": [4]}


def test_a_track_in_a_folder_of_returns_that_only_receives_is_one() -> None:
    found = project(
        track("Vox"),
        track("FX Busses", b"ISBUS 1 1", item=False),
        track("Vox", b"ISBUS 2 -1", b"AUXRECV 0 0 1 0 0 0 0 0 0", item=False),
    )
    assert [match.bar for match in match_tracks(found)] == [None, "effect return", "effect return"]


def test_a_silent_track_without_a_recognised_name_is_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), 44_100)
    found = replace(project(track("Alex"), track("Kick")), home=tmp_path)
    assert [match.bar for match in match_tracks(found)] == ["silent", None]
    soundfile.write(tmp_path / "a.wav", np.full(1000, 0.1), 44_100)
    assert [match.bar for match in match_tracks(found)] == ["unknown", None]


def test_a_project_without_a_main_bus_is_refused_if_a_name_was_not_recognised() -> None:
    found = project(track("Kick"), track("Bass"), track("Alex"))
    assert numbers(found) == {"drums": [1], "bass": [2]}
    with raises_error(path="song.rpp", option="--bus", facts=("vocals", "track 3 'Alex'")) as caught:
        find_buses(found, complete=True)
    assert "--bus vocals=3" in str(caught.value.remedy) and "--bus none=3" in str(caught.value.remedy)
    assert find_buses(found, {"none": ["3"]}, complete=True).tracks.keys() == {"drums", "bass"}
    assert find_buses(found, {"vocals": ["3"]}, complete=True).tracks.keys() == {"drums", "bass", "vocals"}
    assert find_buses(project(track("Kick"), track("Bass"), track("Click")), complete=True).tracks.keys() == {
        "drums",
        "bass",
    }


def test_a_track_that_is_left_out_is_in_no_bus() -> None:
    found = project(track("Drums", b"ISBUS 1 1", item=False), track("Kick", b"ISBUS 2 -1"), track("Bass"), track("Vox"))
    assert numbers(found, none=["Bass"]) == {"drums": [1], "vocals": [4]}
    (note,) = find_buses(found, {"none": ["2"]}).notes
    assert "track 2 'Kick'" in note and "track 1 'Drums'" in note


def test_only_the_given_tracks_are_worked_on() -> None:
    found = project(*map(track, ("Kick", "Snare", "Bass", "Vox", "Alex")))
    only = {
        role: [one.number for one in tracks] for role, tracks in find_buses(found, only=["2-3", "Vox"]).tracks.items()
    }
    assert only == {"drums": [2], "bass": [3], "vocals": [4]}
    chosen = find_buses(found, {"keys": ["Alex"]}, only=["Kick", "Alex"]).tracks
    assert {role: [one.number for one in tracks] for role, tracks in chosen.items()} == {"drums": [1], "keys": [5]}
    with raises_error(path="song.rpp", option="--tracks", facts=("track 5 'Alex'",)):
        find_buses(found, only=["Kick", "Alex"])
    with raises_error(option="--tracks Banjo", facts=("song.rpp",)):
        find_buses(found, only=["Banjo"])


def test_chosen_buses_that_feed_each_other_are_reported() -> None:
    found = project(track("A"), track("B", b"AUXRECV 0 0 1 0 0 0 0 0 0"))
    notes = find_buses(found, {"drums": ["A"], "bass": ["B"]}).notes
    assert notes == ("track 1 'A' flows into track 2 'B', so it is in both stems",)


def test_a_folder_is_the_bus_of_what_is_in_it_and_single_tracks_join_it() -> None:
    found = project(
        track("Drum Loop"),
        track("DRUM BUS", b"ISBUS 1 1", item=False),
        track("Drums close", b"ISBUS 2 -1"),
        track("Bass"),
    )
    assert numbers(found) == {"drums": [1, 2], "bass": [4]}


def test_single_drum_microphones_are_drums_and_every_track_of_a_role_belongs_to_it() -> None:
    found = project(*map(track, ("Kick", "Snare", "OH L", "Lead Guitar", "Rhythm Guitar", "Lead Vocal", "Vox Double")))
    assert numbers(found) == {"drums": [1, 2, 3], "vocals": [6, 7], "guitars": [4, 5]}


def test_effect_prints_references_and_mixes_are_in_no_bus() -> None:
    found = project(*map(track, ("Vox Verb", "Click", "Ref Mix", "Song (new vox)", "Bass")))
    assert numbers(found) == {"bass": [5]}


def test_a_bus_by_sends_comes_before_a_single_track_but_a_reverb_return_does_not() -> None:
    found = project(
        track("Vocal Reverb", b"AUXRECV 2 0 1 0 0 0 0 0 0", item=False),
        track("Vox", b"AUXRECV 2 0 1 0 0 0 0 0 0", item=False),
        track("Lead Vox", b"MAINSEND 0 0"),
    )
    assert numbers(found) == {"vocals": [2]}


def test_a_folder_of_buses_is_not_a_bus() -> None:
    found = project(
        track("Music", b"ISBUS 1 1", item=False),
        track("Drums", b"ISBUS 1 1", item=False),
        track("Kick", b"ISBUS 2 -1"),
        track("Bass", b"ISBUS 2 -1"),
    )
    assert numbers(found) == {"drums": [2], "bass": [4]}


def test_several_tracks_of_one_name_form_one_bus_and_are_reported() -> None:
    found = project(track("Vox L"), track("Vox R"), track("Master"))
    assert numbers(found) == {"vocals": [1, 2]}
    assert "track 1 'Vox L' and track 2 'Vox R'" in find_buses(found).notes[0]


def test_the_tracks_of_a_bus_are_listed() -> None:
    for names, listed in (("LR", "{} and {}"), ("LMR", "{}, {} and {}")):
        titles = [f"track {number} 'Vox {name}'" for number, name in enumerate(names, start=1)]
        (note,) = find_buses(project(*(track(f"Vox {name}") for name in names))).notes
        assert note.startswith(f"the bus vocals is the sum of {listed.format(*titles)}, ")


def test_a_folder_whose_tracks_are_all_muted_is_not_a_bus_and_is_reported_once() -> None:
    found = project(
        track("Backups", b"ISBUS 1 1", item=False),
        track("Alto", b"MUTESOLO 1 0 0"),
        track("Tenor", b"ISBUS 2 -1", b"MUTESOLO 1 0 0"),
        track("Drums"),
    )
    assert numbers(found) == {"drums": [4]}
    (note,) = find_buses(found).notes
    assert "track 1 'Backups'" in note


def test_muted_tracks_are_skipped_and_reported() -> None:
    found = project(track("Drums"), track("Bass", b"MUTESOLO 1 0 0"))
    assert numbers(found) == {"drums": [1]}
    assert "track 2 'Bass' is muted" in find_buses(found).notes[0]


def test_tracks_are_chosen_by_name_or_number() -> None:
    found = project(track("Foo"), track("5"), track("Bar"), track("Drums"), track("x"))
    assert numbers(found, vocals=["foo", "3"], bass=["5"]) == {"drums": [4], "bass": [2], "vocals": [1, 3]}


@pytest.mark.parametrize(
    ("chosen", "option", "fact"),
    [
        ({"drums": ["Banjo"]}, "--bus drums=Banjo", "song.rpp"),
        ({"drums": ["A"]}, "--bus drums=A", "1 and 2"),
        ({"drums": ["1"], "bass": ["1"]}, "--bus", "track 1 'A'"),
        ({"drums": ["Folder"], "bass": ["Inner"]}, "--bus", "track 3 'Folder'"),
        ({"drums": ["99"]}, "--bus drums=99", "song.rpp"),
        ({"drums": ["9" * 5000]}, f"--bus drums={'9' * 5000}", "song.rpp"),
    ],
)
def test_an_invalid_choice_is_refused(chosen: dict[str, list[str]], option: str, fact: str) -> None:
    found = project(track("A"), track("A"), track("Folder", b"ISBUS 1 1"), track("Inner", b"ISBUS 2 -1"))
    with raises_error(option=option, facts=(fact,)):
        find_buses(found, chosen)


def test_the_error_for_unknown_names_lists_the_tracks() -> None:
    with raises_error(path="song.rpp", facts=("--bus 'drums=1'", "1 'A'", "2 'B'")):
        find_buses(project(track("A"), track("B")))


def test_a_project_without_tracks_is_refused() -> None:
    with raises_error(path="song.rpp"):
        find_buses(project())


def test_circular_sends_are_handled() -> None:
    found = project(track("Drums", b"AUXRECV 1 0 1 0 0"), track("B", b"AUXRECV 0 0 1 0 0"), track("C", b"AUXRECV 9 0"))
    assert [one.number for one in reached(found, found.tracks[0])] == [1, 2]


@pytest.mark.parametrize("line", [b"VOLPAN x 0", b"VOLPAN nan 0", b"MUTESOLO .e9", b"AUXRECV ? 0"])
def test_an_invalid_number_is_an_error_that_names_its_line(line: bytes) -> None:
    with raises_error(path=f"song.rpp, line 5 ({line.split()[0].decode()})"):
        project(track("Drums", line))


def test_two_hundred_tracks_and_a_thousand_nested_folders_are_handled() -> None:
    folders = [track("folder", b"ISBUS 1 1", item=False) for _ in range(1_000)]
    tracks = [track(f"take {number}") for number in range(200)]
    found = project(*folders, track("Drums", b"ISBUS 1 1", item=False), *tracks, track("Bass"))
    assert [one.name for one in find_buses(found).all_tracks] == ["Drums"]
    assert found.is_inside(found.tracks[-1], found.tracks[0])
    assert not found.is_inside(found.tracks[0], found.tracks[-1])
