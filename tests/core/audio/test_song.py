"""A folder of stems becomes a song."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.song import holds_stems, open_song
from tests.expected_errors import raises_error


def write(path: Path, *, seconds: float = 1.0, rate: int = 44_100, channels: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros((round(seconds * rate), channels)), rate)
    return path


def test_files_are_buses_in_the_order_of_the_paper_and_the_mixdown_is_separate(tmp_path: Path) -> None:
    for name in ("vox.flac", "Other.wav", "drums.wav", "bass.aiff", "Mixture.wav"):
        write(tmp_path / "My Song" / name)
    song = open_song(tmp_path / "My Song")
    assert song.title == "My Song"
    assert song.buses == ("drums", "bass", "melody", "vocals")
    assert song.mixdown is not None
    assert song.mixdown.path.name == "Mixture.wav"
    assert [file.path.name for file in song.signals] == [
        "drums.wav",
        "bass.aiff",
        "Other.wav",
        "vox.flac",
        "Mixture.wav",
    ]
    assert song.warnings() == []


def test_a_bus_and_the_mixdown_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav")
    song = open_song(tmp_path)
    assert (song.buses, song.mixdown) == (("drums",), None)


def test_further_buses_follow_the_four(tmp_path: Path) -> None:
    for name in ("strings", "perc", "drums"):
        write(tmp_path / f"{name}.wav")
    assert open_song(tmp_path).buses == ("drums", "percussion", "strings")


def test_files_with_unknown_names_are_left_out_and_reported(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav")
    soundfile.write(tmp_path / "zzqx.wav", np.full((44_100, 2), 0.1), 44_100)
    song = open_song(tmp_path)
    assert song.buses == ("drums",)
    assert song.ignored == (tmp_path / "zzqx.wav",)
    (note,) = song.warnings()
    assert note.startswith("zzqx.wav was left out") and "--bus ROLE=zzqx.wav" in note


def test_a_chosen_file_has_the_chosen_role_regardless_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav")
    take = write(tmp_path / "take 3.wav")
    song = open_song(tmp_path, buses={"drums": [take], "zither": [tmp_path / "drums.wav"]})
    assert {bus: file.path.name for bus, file in song.stems.items()} == {"drums": "take 3.wav", "zither": "drums.wav"}
    assert song.ignored == ()


def test_a_chosen_mixdown_replaces_the_one_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav")
    write(tmp_path / "mix.wav")
    rough = write(tmp_path / "elsewhere" / "rough.wav")
    song = open_song(tmp_path, mixdown=rough)
    assert song.mixdown is not None
    assert song.mixdown.path == rough


def test_hidden_files_and_other_kinds_of_files_are_ignored(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav")
    (tmp_path / "._bass.wav").write_bytes(b"resource fork")
    (tmp_path / "vocals.txt").write_text("lyrics")
    (tmp_path / "melody.wav").mkdir()
    assert open_song(tmp_path).buses == ("drums",)


def test_the_rate_is_that_of_most_stems_and_the_higher_one_in_a_tie(tmp_path: Path) -> None:
    for name, rate in (("drums", 48_000), ("bass", 48_000), ("melody", 44_100)):
        write(tmp_path / "most" / f"{name}.wav", rate=rate)
    for name, rate in (("drums", 48_000), ("bass", 44_100)):
        write(tmp_path / "tie" / f"{name}.wav", rate=rate)
    assert open_song(tmp_path / "most").sample_rate == 48_000
    assert open_song(tmp_path / "tie").sample_rate == 48_000
    assert open_song(tmp_path / "most").warnings() == ["melody.wav was resampled from 44100 to 48000 Hz"]


def test_a_rate_that_does_not_divide_into_frames_becomes_44100(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav", rate=11_025)
    song = open_song(tmp_path)
    assert song.sample_rate == 44_100
    assert song.n_samples == 44_100


def test_the_longest_stem_sets_the_length_and_shorter_ones_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav", seconds=3.0)
    write(tmp_path / "bass.wav", seconds=2.0)
    write(tmp_path / "melody.wav", seconds=2.95)
    write(tmp_path / "mix.wav", seconds=4.0)
    song = open_song(tmp_path)
    assert song.duration_s == 3.0
    assert song.warnings() == [
        "bass.wav is 1.0 s shorter than the longest stem: padded with silence",
        "mix.wav is 1.0 s longer than the longest stem: its end is not used",
    ]


def test_the_widest_file_sets_the_channels_and_others_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "drums.wav", channels=2)
    write(tmp_path / "bass.wav", channels=1)
    song = open_song(tmp_path)
    assert song.n_channels == 2
    assert song.notes() == ["bass.wav is mono: its channel was copied to both channels"]
    assert song.warnings() == []


def test_a_mixdown_that_is_not_used_is_named(tmp_path: Path) -> None:
    for name in ("drums.wav", "bass.wav", "mix.flac", "Paper Moon_Master_v3.flac"):
        write(tmp_path / name)
    note = "the mixdown is mix.flac; Paper Moon_Master_v3.flac was not used"
    assert open_song(tmp_path).notes() == [note]
    assert open_song(tmp_path, mixdown=tmp_path / "Paper Moon_Master_v3.flac").notes() == []


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        (lambda folder: None, ()),
        (lambda folder: folder.mkdir(), ()),
        (lambda folder: write(folder / "mix.wav"), ()),
        (lambda folder: [write(folder / n) for n in ("vox.wav", "vox.flac")], ("vox.flac and vox.wav",)),
        (
            lambda folder: [write(folder / n) for n in ("drums.wav", "mix.wav", "master.wav")],
            ("master.wav and mix.wav",),
        ),
    ],
)
def test_a_folder_that_is_not_a_song_is_refused(tmp_path: Path, make: object, facts: tuple[str, ...]) -> None:
    assert callable(make)
    make(tmp_path / "song")
    with raises_error(path="song", facts=facts):
        open_song(tmp_path / "song")


def test_only_a_folder_that_itself_has_a_stem_is_a_folder_of_stems(tmp_path: Path) -> None:
    write(tmp_path / "a" / "vox.wav")
    write(tmp_path / "loops" / "loop.wav")
    (tmp_path / "empty").mkdir()
    assert holds_stems(tmp_path / "a")
    assert not any(holds_stems(folder) for folder in (tmp_path, tmp_path / "loops", tmp_path / "empty"))


def test_the_files_of_a_bus_become_separate_stems(tmp_path: Path) -> None:
    for name in ("kick", "snare", "bass"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(4410), 44_100)
    song = open_song(tmp_path).with_single_tracks()
    assert dict(song.bus_of) == {"drums: kick": "drums", "drums: snare": "drums", "bass: bass": "bass"}
    assert [file.path.stem for file in song.stems.values()] == ["kick", "snare", "bass"]


@pytest.mark.skipif(os.name == "nt", reason="makes links and pipes as only POSIX systems can")
def test_what_is_named_like_audio_but_is_not_a_file_is_reported(short_song_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "song"
    shutil.copytree(short_song_folder, folder)
    (folder / "piano.wav").symlink_to("nowhere")
    (folder / "strings.wav").mkdir()
    (folder / "keys.wav").symlink_to("/dev/zero")
    os.mkfifo(folder / "horns.wav")
    notes = open_song(folder).warnings()
    for name in ("piano.wav", "strings.wav", "keys.wav", "horns.wav"):
        assert [note for note in notes if note.startswith(f"{name} was left out: ")], name


def test_every_unused_file_is_reported(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "drums.wav", np.zeros(8000), 8000)
    for name in ("guitar.xyz", "notes.txt", "song.RPP", ".hidden.wav", ".DS_Store", "._drums.wav"):
        (tmp_path / name).write_bytes(b"?")
    for number in range(7):
        (tmp_path / f"photo {number}.jpg").write_bytes(b"?")
        (tmp_path / f"take {number}").mkdir()
    notes = open_song(tmp_path).warnings()
    assert len(notes) == 3
    assert sorted(note.partition(":")[0] for note in notes) == [
        ".hidden.wav was left out",
        f"each of {', '.join(f'take {number}' for number in range(7))} was left out",
        "guitar.xyz was left out",
    ]
    (note,) = open_song(tmp_path).notes()
    assert note == "not read: notes.txt, 8 pictures, projects, peak files or hidden files (not audio)"


def test_unused_files_in_the_subfolders_of_a_song_are_reported(tmp_path: Path) -> None:
    for folder in ("stems", "video"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "takes.txt").write_bytes(b"?")
    soundfile.write(tmp_path / "stems" / "drums.wav", np.zeros(8000), 8000)
    song = open_song(tmp_path)
    assert song.documents == (tmp_path / "stems" / "takes.txt",)
    assert [(row.path.name, row.reason) for row in song.assignment if row.bus is None] == [
        ("video", "it has no audio files")
    ]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_either_form_of_unicode(tmp_path: Path, form: str) -> None:
    soundfile.write(tmp_path / unicodedata.normalize(form, "Schlagzeug - Überspielung.wav"), np.zeros(8000), 8000)
    assert open_song(tmp_path).buses == ("drums",)
