"""`faderwise buses`: the bus of each file of a folder and each track of a project."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server.commands.options import bus as bus_option
from analysis_server.commands.options import by_role
from analysis_server.sources.folder import open_song_folder
from analysis_server.verbs import buses
from core.audio.song import Song
from core.errors import InputError
from core.matching import by_bus
from core.rpp.buses import find_buses
from core.rpp.project import read_project
from tests.analysis_server.outcomes import Faderwise
from tests.session_media import STEMS

PROJECT = """<REAPER_PROJECT 0.1 "7.0/linux-x86_64" 1700000000
  <TRACK {00000000-0000-0000-0000-000000000001}
    NAME "DRUM BUS"
    ISBUS 1 1
  >
  <TRACK {00000000-0000-0000-0000-000000000002}
    NAME "Mic 7"
    ISBUS 2 -1
  >
  <TRACK {00000000-0000-0000-0000-000000000003}
    NAME "Vox Verb"
    AUXRECV 3 0 1 0 0 0 0 0 0 -1:U 0 -1 ''
  >
  <TRACK {00000000-0000-0000-0000-000000000004}
    NAME LeadVox
    MUTESOLO 1 0 0
  >
>
"""


@pytest.fixture
def song(tmp_path: Path) -> Path:
    folder = tmp_path / "Long Road"
    folder.mkdir()
    for name in ("01_Kick1.wav", "02 Alex.wav", "LeadVox.m4a", "Long Road.flac", "notes.txt", ".hidden.wav"):
        (folder / name).touch()
    return folder


def rows_of(faderwise: Faderwise, path: Path) -> list[dict[str, Any]]:
    ran = faderwise("buses", str(path), "--json")
    assert ran.code == 0
    result = json.loads(ran.out)
    return result["files"] if "files" in result else result["tracks"]


def test_every_audio_file_is_listed_with_its_bus_or_the_reason_for_none(faderwise: Faderwise, song: Path) -> None:
    rows = rows_of(faderwise, song)
    assert [(row["file"], row["bus"], row["role"]) for row in rows] == [
        ("01_Kick1.wav", "drums", "kick"),
        ("02 Alex.wav", None, "unknown"),
        ("LeadVox.m4a", "vocals", "lead vocal"),
        ("Long Road.flac", None, "mixdown"),
    ]
    assert all(row["reason"] for row in rows)


def test_every_track_is_listed(faderwise: Faderwise, tmp_path: Path) -> None:
    project = tmp_path / "session.RPP"
    project.write_text(PROJECT, encoding="utf-8")
    rows = rows_of(faderwise, project)
    assert [(row["track"], row["name"], row["bus"]) for row in rows] == [
        (1, "DRUM BUS", "drums"),
        (2, "Mic 7", "drums"),
        (3, "Vox Verb", None),
        (4, "LeadVox", None),
    ]
    assert "muted" in rows[3]["reason"]


def test_the_text_has_the_options_for_names_that_were_not_understood(faderwise: Faderwise, song: Path) -> None:
    ran = faderwise("buses", str(song))
    assert ran.code == 0
    assert f"faderwise mix '{song}' --bus 'bass=02 Alex.wav'" in ran.out
    assert "--bus 'bass=Long Road.flac'" not in ran.out


def test_the_text_has_an_option_for_every_track_that_is_used(faderwise: Faderwise, tmp_path: Path) -> None:
    project = tmp_path / "session.RPP"
    project.write_text(PROJECT, encoding="utf-8")
    assert faderwise("buses", project).out.endswith("change its bus:\n  --bus drums=1\n")


def test_files_in_subfolders_are_listed_where_the_folder_has_none(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "Audio" / "Drums").mkdir(parents=True)
    (tmp_path / "Audio" / "Drums" / "Mic 3.wav").touch()
    (row,) = rows_of(faderwise, tmp_path)
    assert (row["file"], row["bus"]) == ("Audio/Drums/Mic 3.wav", "drums")


def test_files_without_a_bus_are_not_an_error(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "Alex.wav").touch()
    assert [row["bus"] for row in rows_of(faderwise, tmp_path)] == [None]


def test_files_that_are_not_read_are_reported(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "notes.txt").write_text("lyrics")
    (tiny_song / "take.wav").touch()
    (tiny_song / "gtr.wav").write_bytes(b"noise")
    for name in (".DS_Store", "Thumbs.db", "song.RPP", "drums.wav.reapeaks", "cover.jpg", ".cache"):
        (tiny_song / name).touch()
    ran = faderwise("buses", tiny_song, "--json")
    result = json.loads(ran.out)
    assert result["notes"] == ["not read: notes.txt (not audio)"]
    assert [warning.partition(";")[0] for warning in result["warnings"]] == [
        "not read: gtr.wav (is not audio that can be read (Format not recognised.))",
        "not read: take.wav (the file is empty)",
    ]
    ran = faderwise("buses", tiny_song)
    assert "Not read: notes.txt (not audio)." in ran.out
    assert ran.err_lines == [f"faderwise: warning: {warning}" for warning in result["warnings"]]


def test_a_mix_reports_the_same_files(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "notes.txt").write_text("lyrics")
    (tiny_song / "take.wav").touch()
    (tiny_song / "gtr.wav").touch()
    assert faderwise("mix", tiny_song, "--dry-run", "--json").code == 2
    ran = faderwise("mix", tiny_song, "--dry-run", "--json", "--bus", "none=gtr.wav")
    result = json.loads(ran.out)
    assert {"not read: notes.txt (not audio)", "not used: gtr.wav (--bus none)"} <= set(result["notes"])
    assert "take.wav was left out: the file is empty" in result["warnings"]


def test_a_folder_without_audio_and_one_that_is_not_there_are_bad_input(faderwise: Faderwise, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.RPP"):
        ran = faderwise("buses", str(path))
        assert (ran.code, len(ran.err_lines)) == (2, 1)
        assert str(path) in ran.err


def table_rows(printed: str) -> dict[str, str]:
    """Return the files or tracks of each bus in the table that is printed before the work."""
    lines = printed.splitlines()
    return dict(re.split(" {3,}", line.strip(), maxsplit=1) for line in lines[2 : lines.index("")])


def test_the_table_before_a_mix_lists_the_files_that_are_used(faderwise: Faderwise, tiny_song: Path) -> None:
    for bass in ("bass.wav", tiny_song / "bass.wav"):
        rows = table_rows(faderwise("mix", tiny_song, "--bus", f"drums={bass}", "--dry-run").out)
        assert rows["drums"] == "bass.wav"
        assert "drums.wav" in rows["no bus"]
        assert "bass" not in rows


@pytest.fixture
def takes(tiny_song: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a song with a file of an unknown name, as a path relative to the working folder."""
    (tiny_song / "mix.wav").unlink()
    for name in ("vocals.wav", "take 7.wav", "Tâke né=1.wav"):
        (tiny_song / name).write_bytes((tiny_song / "bass.wav").read_bytes())
    monkeypatch.chdir(tiny_song.parent)
    return Path(tiny_song.name)


@pytest.mark.parametrize("form", ["{0}", "./{0}", "{1}/{0}", "{2}/{0}", "../{1}/{0}"])
def test_a_file_is_the_same_however_it_is_named(faderwise: Faderwise, takes: Path, form: str) -> None:
    name = form.format("take 7.wav", takes, takes.absolute())
    rows = table_rows(faderwise("mix", takes, "--bus", "foo=take 7.wav", "--bus", f"foo={name}", "--dry-run").out)
    assert rows["foo (new)"] == "take 7.wav"
    assert rows["no bus"] == "Tâke né=1.wav"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_name_may_have_another_form_of_unicode_and_an_equals_sign(
    faderwise: Faderwise, takes: Path, form: str
) -> None:
    name = unicodedata.normalize(form, "Tâke né=1.wav")
    rows = table_rows(faderwise("mix", takes, "--bus", f"foo={name}", "--dry-run").out)
    assert (rows["foo (new)"], rows["no bus"]) == ("Tâke né=1.wav", "take 7.wav")


def test_a_file_that_is_linked_twice_is_used_once(faderwise: Faderwise, takes: Path) -> None:
    (takes / "sub.wav").symlink_to("bass.wav")
    result = json.loads(faderwise("mix", takes, "--dry-run", "--json").out)
    assert result["buses"]["bass"]["inputs"] == ["bass.wav"]
    assert "not used: sub.wav (a link to bass.wav)" in result["notes"]


def test_a_file_that_is_named_as_the_mixdown_is_not_a_stem(faderwise: Faderwise, takes: Path) -> None:
    rows = table_rows(faderwise("match", takes, "--mixdown", "take 7.wav", "--dry-run").out)
    assert rows["no bus"] == "Tâke né=1.wav, take 7.wav"
    (takes / "Vocals Up.wav").write_bytes((takes / "bass.wav").read_bytes())
    rows = table_rows(faderwise("match", takes, "--mixdown", "Vocals Up.wav", "--dry-run").out)
    assert (rows["vocals"], rows["no bus"]) == ("vocals.wav", "Tâke né=1.wav, Vocals Up.wav, take 7.wav")


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        (("--bus", "foo=TAKE 7.wav"), ("--bus: TAKE 7.wav: no such file", "did you mean take 7.wav?")),
        (("--bus", "foo=take 7.wav", "--bus", "bar=./take 7.wav"), ("take 7.wav was chosen twice", "foo", "bar")),
        (("--bus", "drums: kick=take 7.wav"), ("--bus drums: kick=...", "use drums")),
        (("--bus", "foo=."), ("is not a file",)),
    ],
)
def test_an_unclear_choice_of_files_is_refused(
    faderwise: Faderwise, takes: Path, options: tuple[str, ...], facts: tuple[str, ...]
) -> None:
    ran = faderwise("mix", takes, *options, "--dry-run")
    assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1)
    assert [fact for fact in facts if fact not in ran.err] == []


def test_the_mixdown_is_refused_as_a_stem_and_must_exist(faderwise: Faderwise, takes: Path) -> None:
    ran = faderwise("match", takes, "--mixdown", "take 7.wav", "--bus", "vocals=take 7.wav")
    assert (ran.code, ran.out) == (2, "") and "take 7.wav was chosen twice" in ran.err
    ran = faderwise("match", takes, "--mixdown", "takes 7.wav")
    assert (ran.code, ran.out) == (2, "") and "did you mean take 7.wav?" in ran.err


PROJECTS = [
    *sorted((Path(__file__).parents[1] / "projects").glob("*.rpp")),
    *sorted(p for p in (Path(__file__).parents[1] / "cases/rpp").glob("*.RPP") if p.name != "edge_truncated.RPP"),
    *sorted((Path(__file__).parents[3] / "shared" / "rpp").glob("*.[rR][pP][pP]")),
]


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.name)
def test_a_track_is_listed_in_the_bus_that_it_is_used_in(path: Path) -> None:
    listed = buses.run(buses.BusesRequest(song=str(path)))
    assert isinstance(listed, buses.TrackRoles)
    try:
        used = buses.used_in(str(path), None, {})
    except InputError:
        used = [(row.name, None) for row in listed.tracks]
    assert [row.bus for row in listed.tracks] == [bus for _, bus in used]
    assert all(row.reason != "it was chosen for this bus" for row in listed.tracks)
    named = {option.rpartition("=")[2]: option.rpartition("=")[0] for option in listed.options}
    assert {str(row.track): row.bus for row in listed.tracks if str(row.track) in named}.items() <= named.items()


def test_a_room_microphone_is_in_the_bus_of_the_kit_and_the_reason_says_so(tmp_path: Path) -> None:
    result = buses.run(buses.BusesRequest(song=str(project_of(tmp_path, "Percussion Bus", "Kick", "Room Mic"))))
    assert isinstance(result, buses.TrackRoles)
    assert [row.bus for row in result.tracks] == ["percussion", "percussion", "percussion"]
    assert result.tracks[2].reason == "it belongs to the drums that are heard through track 1 'Percussion Bus'"
    assert result.options == ["percussion=1", "percussion=3"]


def project_of(folder: Path, bus: str, inside: str, *others: str, files: bool = True) -> Path:
    """Write a project of a folder track with one track in it, and other tracks, each with a file of two seconds."""
    file = folder / "media.wav"
    soundfile.write(file, np.random.default_rng(0).normal(0.0, 0.1, 88_200), 44_100)
    item = f'<ITEM\n POSITION 0\n LENGTH 2\n <SOURCE WAVE\n FILE "{file}"\n >\n>' if files else ""
    tracks = [(bus, "ISBUS 1 1", ""), (inside, "ISBUS 2 -1", item), *((name, "", item) for name in others)]
    lines = [f'<TRACK\n NAME "{name}"\n {folder_state}\n {media}\n>' for name, folder_state, media in tracks]
    path = folder / "made.RPP"
    path.write_text("\n".join(["<REAPER_PROJECT 0.1", *lines, ">"]), encoding="utf-8")
    return path


def test_no_option_is_suggested_for_a_track_without_audio(faderwise: Faderwise, tmp_path: Path) -> None:
    result = json.loads(faderwise("buses", project_of(tmp_path, "Qx", "Zy", files=False), "--json").out)
    assert result["suggestions"] == []
    assert result["notes"] == ["no track for drums, bass or vocals was found"]
    result = json.loads(faderwise("buses", project_of(tmp_path, "Drums", "Kick", "Zy"), "--json").out)
    assert result["suggestions"] == ["bass=3"]


def test_a_track_that_is_left_out_on_request_is_not_reported(faderwise: Faderwise, tmp_path: Path) -> None:
    project = project_of(tmp_path, "Drums", "Kick", "Zy", "Vox")
    ran = faderwise("mix", project, "--bus", "none=3", "--dry-run", "--json")
    result = json.loads(ran.out)
    assert not [text for text in (*result["notes"], *result["warnings"]) if "Zy" in text]
    (row,) = [row for row in result["assignment"] if row["name"] == "3 Zy"]
    assert (row["bus"], row["reason"]) == (None, "--bus none")


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.name)
def test_the_printed_options_give_a_project_the_same_buses(path: Path) -> None:
    project = read_project(path)
    options = buses.run(buses.BusesRequest(song=str(path))).options
    try:
        found = find_buses(project)
    except InputError:
        assert not options
        return
    chosen = by_bus(by_role([bus_option(option) for option in options]).items())
    assert find_buses(project, chosen).tracks == found.tracks


def test_the_printed_options_give_a_folder_the_same_buses(tmp_path: Path) -> None:
    for bus, name in {"drums": "Kick In", "bass": "DI", "vocals": "Vox/Lead", "melody": "Gtr L"}.items():
        place = tmp_path / f"{name}.flac"
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(STEMS / f"{bus}.flac", place)
    shutil.copyfile(STEMS / "mix.flac", tmp_path / "Song Mix.flac")
    rate = soundfile.info(STEMS / "bass.flac").samplerate
    for number, name in enumerate(("Click", "Zorblax")):
        noise = np.random.default_rng(number).normal(0.0, 0.01, 24 * rate)
        soundfile.write(tmp_path / f"{name}.wav", noise, rate)
    options = buses.run(buses.BusesRequest(song=str(tmp_path))).options
    assert "none=Click.wav" in options
    plain = open_song_folder(str(tmp_path), {})
    chosen = open_song_folder(str(tmp_path), by_role([bus_option(option) for option in options]))
    assert files_of(chosen) == files_of(plain)
    assert chosen.mixdown == plain.mixdown


def files_of(song: Song) -> dict[str, list[Path]]:
    return {bus: [part.path for part in file.parts or [file]] for bus, file in song.stems.items()}


def test_the_placeholder_of_an_option_is_refused(faderwise: Faderwise) -> None:
    ran = faderwise("mix", str(STEMS), "--bus", "BUS=drums.flac", "--dry-run")
    assert ran.code == 2
    assert "BUS" in ran.err
