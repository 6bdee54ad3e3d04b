"""The layouts in which public datasets are distributed are read without renaming anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.sources.folder import open_song_folder, song_folders, with_paper_buses
from core.audio.song import Song
from core.errors import InputError
from core.gains.alignment import constant_gains
from core.roles import PAPER_BUSES
from tests.analysis_server.outcomes import Faderwise, as_json
from tests.core.audio.test_codecs import encode, sound
from tests.expected_errors import raises_error

RATE = 44_100
METADATA = """album: A
artist: Someone
mix_filename: Someone_Song_MIX.wav
raw_dir: Someone_Song_RAW
stem_dir: Someone_Song_STEMS
stems:
  S01:
    component: bass
    filename: Someone_Song_STEM_01.wav
    instrument: electric bass
    raw:
      R01:
        filename: Someone_Song_RAW_01_01.wav
        instrument: electric bass
  S02:
    component: ''
    filename: Someone_Song_STEM_02.wav
    instrument: drum set
    raw:
      R01:
        filename: Someone_Song_RAW_02_01.wav
        instrument: kick drum
      R02:
        filename: Someone_Song_RAW_02_02.wav
        instrument: Unlabeled
  S03:
    component: melody
    filename: Someone_Song_STEM_03.wav
    instrument:
    - male singer
    - vocalists
    raw:
      R01:
        filename: Someone_Song_RAW_03_01.wav
        instrument:
        - male singer
  S04:
    component: ''
    filename: Someone_Song_STEM_04.wav
    instrument: Main System
    raw: {}
  S05:
    component: ''
    filename: Someone_Song_STEM_05.wav
    instrument: distorted electric guitar
  S06:
    component: ''
    filename: Someone_Song_STEM_06.wav
    instrument: piano
"""


def write(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(size=RATE) * 0.1, RATE)
    return path


def four_stems(folder: Path) -> None:
    for number, name in enumerate(("drums", "bass", "other", "vocals")):
        write(folder / f"{name}.wav", number)


def test_musdb18_hq_has_songs_below_train_and_test(tmp_path: Path) -> None:
    for split, title in (("train", "A - One"), ("test", "B - Two")):
        four_stems(tmp_path / split / title)
        write(tmp_path / split / title / "mixture.wav")
    folders = song_folders([str(tmp_path)])
    assert [folder.name for folder in folders] == ["B - Two", "A - One"]
    song = open_song_folder(str(folders[0]), {})
    assert song.buses == ("drums", "bass", "melody", "vocals")
    assert song.mixdown is not None


def test_dsd100_has_mixtures_apart_from_sources(tmp_path: Path) -> None:
    four_stems(tmp_path / "Sources" / "Dev" / "051 - One")
    mixture = write(tmp_path / "Mixtures" / "Dev" / "051 - One" / "mixture.wav")
    (folder,) = song_folders([str(tmp_path)])
    song = open_song_folder(str(folder), {})
    assert song.mixdown is not None and song.mixdown.path == mixture
    assert song.buses == ("drums", "bass", "melody", "vocals")


def musdb18(folder: Path, *splits: str) -> None:
    """Write a song of five streams, whose mixdown has known gains, into each of the folders of a dataset."""
    stems = [sound(seed)[:RATE] for seed in range(4)]
    for split in splits:
        (folder / split).mkdir(parents=True)
        mixdown = sum(gain * stem for gain, stem in zip((0.9, 0.6, 0.7, 0.8), stems, strict=True))
        encode(folder / split / f"Artist - {split}.stem.mp4", "aac", mixdown, *stems, container="mp4")


def test_musdb18_has_the_streams_of_a_song_in_one_file(tmp_path: Path) -> None:
    musdb18(tmp_path, "train", "test")
    files = song_folders([str(tmp_path)])
    assert [file.name for file in files] == ["Artist - test.stem.mp4", "Artist - train.stem.mp4"]
    song = open_song_folder(str(files[0]), {})
    assert song.title == "Artist - test"
    assert {bus: file.stream for bus, file in song.stems.items()} == {"drums": 1, "bass": 2, "melody": 3, "vocals": 4}
    assert song.mixdown is not None and song.mixdown.stream == 0


def test_musdb18_is_learned_from_measured_and_estimated(faderwise: Faderwise, tmp_path: Path) -> None:
    musdb18(tmp_path / "MUSDB18", "train", "test")
    song = tmp_path / "MUSDB18" / "test" / "Artist - test.stem.mp4"
    learned = as_json(faderwise("learn", tmp_path / "MUSDB18", "--model", tmp_path / "m.json", "--json"))
    assert learned["learned"] == ["Artist - test", "Artist - train"]
    assert as_json(faderwise("features", song, "--out", tmp_path / "f.csv", "--json"))["buses"] == list(PAPER_BUSES)
    gains_db = as_json(faderwise("estimate", song, "--out", tmp_path / "g.csv", "--json"))["median_gain_db"]
    assert gains_db["drums"] - gains_db["bass"] == pytest.approx(20 * np.log10(0.9 / 0.6), abs=0.5)


@pytest.fixture
def stem_file(tmp_path: Path) -> Path:
    """A folder with a stem file only."""
    musdb18(tmp_path, "test")
    return tmp_path / "test" / "Artist - test.stem.mp4"


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_stem_file_is_matched_as_a_path_and_in_a_folder(
    faderwise: Faderwise, stem_file: Path, tmp_path: Path, is_folder: bool
) -> None:
    song = stem_file.parent if is_folder else stem_file
    gains_db = as_json(faderwise("match", song, "--out", tmp_path / "out", "--json"))["median_gain_db"]
    assert gains_db["drums"] - gains_db["bass"] == pytest.approx(20 * np.log10(0.9 / 0.6), abs=0.5)
    assert (tmp_path / "out" / "mix.wav").is_file()


def test_a_stem_file_is_mixed_and_its_run_edited(faderwise: Faderwise, stem_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mixed = as_json(faderwise("mix", stem_file, "--level", "tracks", "--out", out, "--json"))
    assert set(mixed["buses"]) == {f"{bus}: stream {number}" for number, bus in enumerate(PAPER_BUSES, start=1)}
    before = soundfile.read(out / "mix.wav")[0]
    assert faderwise("edit", out, "--depth", "100", "--render", "--json").code == 0
    assert soundfile.read(out / "mix.wav")[0] == pytest.approx(before, abs=1e-3)


def test_the_streams_of_a_stem_file_are_listed_and_assigned_by_number(
    faderwise: Faderwise, stem_file: Path, tmp_path: Path
) -> None:
    listed = as_json(faderwise("buses", stem_file, "--json"))["files"]
    assert [(row["file"].removeprefix(stem_file.name), row["bus"]) for row in listed] == [
        ("", None),
        *((f" (stream {number})", bus) for number, bus in enumerate(PAPER_BUSES, start=1)),
    ]
    chosen = ("--bus", "guitars=3", "--bus", f"none={listed[2]['file']}")
    mixed = as_json(faderwise("mix", stem_file, *chosen, "--out", tmp_path / "out", "--json"))
    assert set(mixed["buses"]) == {"drums", "vocals", "guitars"}
    assert faderwise("mix", stem_file, "--bus", "guitars=5", "--json").code == 2


def test_a_folder_of_several_stem_files_is_not_one_song(faderwise: Faderwise, stem_file: Path) -> None:
    shutil.copy(stem_file, stem_file.with_name("Other.stem.mp4"))
    refused = faderwise("mix", stem_file.parent, "--json")
    assert refused.code == 2 and "2 songs" in refused.err + refused.out


def test_a_stem_file_of_another_number_of_streams_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "song.stem.mp4", "aac", sound(0), sound(1), container="mp4")
    with raises_error(path="song.stem.mp4", facts=("2 audio streams",)):
        open_song_folder(str(tmp_path / "song.stem.mp4"), {})


@pytest.fixture
def medleydb(tmp_path: Path) -> Path:
    """A dataset of one song in MedleyDB's layout, with its metadata in a folder above it."""
    folder = tmp_path / "Audio" / "Someone_Song"
    for number in range(1, 7):
        write(folder / "Someone_Song_STEMS" / f"Someone_Song_STEM_0{number}.wav", number)
    for name in ("01_01", "02_01", "02_02", "03_01"):
        write(folder / "Someone_Song_RAW" / f"Someone_Song_RAW_{name}.wav", int(name.replace("_", "")))
    write(folder / "Someone_Song_MIX.wav")
    (tmp_path / "Metadata").mkdir()
    (tmp_path / "Metadata" / "Someone_Song_METADATA.yaml").write_text(METADATA)
    return folder


def files_of(song: Song) -> dict[str, list[str]]:
    """Return the end of the names of the files of each bus."""
    return {
        bus: [part.path.stem.split("_", 3)[-1] for part in file.parts or [file]] for bus, file in song.stems.items()
    }


def test_medleydb_names_the_instruments_of_stems_in_its_metadata(medleydb: Path) -> None:
    assert song_folders([str(medleydb.parent)]) == [medleydb]
    song = open_song_folder(str(medleydb), {})
    assert song.title == "Someone_Song"
    assert files_of(song) == {"drums": ["02"], "bass": ["01"], "vocals": ["03"], "guitars": ["05"], "keys": ["06"]}
    assert song.mixdown is not None and song.mixdown.path.name == "Someone_Song_MIX.wav"
    reasons = {row.path.stem[-2:]: row.reason for row in song.assignment}
    assert "male singer" in reasons["03"] and "Main System" in reasons["04"]


def test_medleydb_raw_tracks_are_read_where_they_are_named_or_there_are_no_stems(medleydb: Path) -> None:
    expected = {"drums": ["02_01", "02_02"], "bass": ["01_01"], "vocals": ["03_01"]}
    raw = open_song_folder(str(medleydb / "Someone_Song_RAW"), {})
    assert (raw.title, files_of(raw)) == ("Someone_Song", expected)
    assert raw.mixdown is not None
    shutil.rmtree(medleydb / "Someone_Song_STEMS")
    assert song_folders([str(medleydb.parent)]) == [medleydb]
    assert files_of(open_song_folder(str(medleydb), {})) == expected


def test_medleydb_raw_tracks_are_mixed_by_their_instruments(
    faderwise: Faderwise, medleydb: Path, tmp_path: Path
) -> None:
    raw = medleydb / "Someone_Song_RAW"
    mixed = as_json(faderwise("mix", raw, "--level", "tracks", "--out", tmp_path / "raw", "--json"))
    assert set(mixed["buses"]) == {
        "drums: kick Someone_Song_RAW_02_01",
        "drums: drum kit Someone_Song_RAW_02_02",
        "bass: Someone_Song_RAW_01_01",
        "vocals: lead vocal Someone_Song_RAW_03_01",
    }


def test_an_option_changes_one_file_of_medleydb_only(faderwise: Faderwise, medleydb: Path, tmp_path: Path) -> None:
    options = ("--bus", "none=Someone_Song_STEM_06.wav", "--bus", "fx=Someone_Song_STEM_04.wav")
    mixed = as_json(faderwise("mix", medleydb, *options, "--out", tmp_path / "mixed", "--json"))
    assert set(mixed["buses"]) == {"drums", "bass", "vocals", "guitars", "fx"}


def test_medleydb_is_listed_as_it_is_used_and_the_options_can_be_pasted(
    faderwise: Faderwise, medleydb: Path, tmp_path: Path
) -> None:
    listed = as_json(faderwise("buses", medleydb, "--json"))
    names = {row["file"]: row["bus"] for row in listed["files"]}
    assert names.pop("Someone_Song_MIX.wav") is None
    mixed = as_json(faderwise("mix", medleydb, "--dry-run", "--json"))
    assert {row["name"]: row["bus"] for row in mixed["assignment"]} == {**names, "Someone_Song_MIX.wav": None}
    assert {row["name"]: row["reason"] for row in mixed["assignment"]}.items() >= {
        row["file"]: row["reason"] for row in listed["files"] if row["role"] != "mixdown"
    }.items()
    assert listed["warnings"] == []
    (medleydb / "Someone_Song_MIX.wav").rename(medleydb.parent / "kept")
    without = as_json(faderwise("buses", medleydb, "--json"))
    assert (without["options"], len(without["files"])) == (listed["options"], 6)
    (medleydb.parent / "kept").rename(medleydb / "Someone_Song_MIX.wav")
    assert listed["suggestions"] == ["BUS=Someone_Song_STEM_04.wav"]
    options = [part for option in listed["options"] for part in ("--bus", option)]
    again = as_json(faderwise("mix", medleydb, *options, "--dry-run", "--json"))
    assert {bus: one["inputs"] for bus, one in again["buses"].items()} == {
        bus: one["inputs"] for bus, one in mixed["buses"].items()
    }


def test_a_file_recognised_by_its_metadata_is_replaced_like_one_recognised_by_its_name(medleydb: Path) -> None:
    song = open_song_folder(str(medleydb), {"vocals": ["Someone_Song_STEM_01.wav"]})
    assert files_of(song) == {"drums": ["02"], "vocals": ["01"], "guitars": ["05"], "keys": ["06"]}
    assert [note for note in song.notes() if "Someone_Song_STEM_03.wav" in note]
    added = open_song_folder(str(medleydb), {"vocals": ["Someone_Song_STEM_04.wav"]})
    assert files_of(added)["vocals"] == ["03", "04"]


def test_medleydb_without_metadata_is_listed_with_options_that_choose_buses(
    faderwise: Faderwise, medleydb: Path
) -> None:
    (medleydb.parents[1] / "Metadata" / "Someone_Song_METADATA.yaml").unlink()
    listed = as_json(faderwise("buses", medleydb, "--json"))
    assert len(listed["files"]) == 7 and listed["files"][-1]["role"] == "mixdown"
    assert listed["suggestions"][0] == "drums=Someone_Song_STEM_01.wav"
    refused = faderwise("mix", medleydb)
    assert refused.code == 2 and "--bus drums=Someone_Song_STEM_01.wav" in refused.err
    options = [
        f"--bus={bus}=Someone_Song_STEM_0{number}.wav" for number, bus in enumerate(("bass", "drums", "vocals"), 1)
    ]
    mixed = as_json(faderwise("mix", medleydb, *options, "--dry-run", "--json"))
    assert set(mixed["buses"]) == {"drums", "bass", "vocals"}


def test_single_tracks_of_medleydb_are_its_raw_tracks(faderwise: Faderwise, medleydb: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mixed = as_json(faderwise("mix", medleydb, "--level", "tracks", "--out", out, "--json"))
    raw = as_json(faderwise("mix", medleydb / "Someone_Song_RAW", "--level", "tracks", "--dry-run", "--json"))
    assert set(mixed["buses"]) == set(raw["buses"]) and len(mixed["buses"]) == 4
    shown = faderwise("mix", medleydb, "--level", "tracks", "--dry-run").out
    assert f"faderwise buses {medleydb / 'Someone_Song_RAW'} shows why" in shown
    before = soundfile.read(out / "mix.wav")[0]
    assert faderwise("edit", out, "--depth", "100", "--render", "--json").code == 0
    assert soundfile.read(out / "mix.wav")[0] == pytest.approx(before, abs=1e-3)
    shutil.rmtree(medleydb / "Someone_Song_RAW")
    assert len(as_json(faderwise("mix", medleydb, "--level", "tracks", "--dry-run", "--json"))["buses"]) == 5


def test_the_buses_of_the_only_song_of_a_dataset_are_printed_before_learning(
    faderwise: Faderwise, medleydb: Path, tmp_path: Path
) -> None:
    learned = faderwise("learn", medleydb.parent, "--model", tmp_path / "m.json", "--dry-run")
    assert learned.out.startswith(f"Buses of Someone_Song (faderwise buses {medleydb} shows why)")
    assert "Someone_Song_STEM_02.wav" in learned.out


def test_the_mixture_of_dsd100_is_listed(faderwise: Faderwise, tmp_path: Path) -> None:
    song = tmp_path / "Sources" / "Dev" / "051 - One"
    four_stems(song)
    write(tmp_path / "Mixtures" / "Dev" / "051 - One" / "mixture.wav")
    rows = as_json(faderwise("buses", song, "--json"))["files"]
    assert [(row["file"], row["bus"]) for row in rows if row["role"] == "mixdown"] == [("mixture.wav", None)]


def test_the_paper_has_four_buses(medleydb: Path) -> None:
    song = with_paper_buses(open_song_folder(str(medleydb), {}))
    assert files_of(song) == {"drums": ["02"], "bass": ["01"], "melody": ["05", "06"], "vocals": ["03"]}


def test_the_papers_experiment_on_medleydb_is_one_command(faderwise: Faderwise, medleydb: Path) -> None:
    for number in (2, 3):
        other = shutil.copytree(medleydb, medleydb.with_name(f"Song{number}"))
        for path in sorted(other.rglob("*Someone_Song*"), reverse=True):
            path.rename(path.with_name(path.name.replace("Someone_Song", other.name)))
        write(other / f"{other.name}_STEMS" / f"{other.name}_STEM_01.wav", 10 * number)
        text = METADATA.replace("Someone_Song", other.name)
        (medleydb.parents[1] / "Metadata" / f"{other.name}_METADATA.yaml").write_text(text)
    result = as_json(faderwise("evaluate", medleydb.parent, "--preset", "paper", "--json"))
    assert result["buses"] == list(PAPER_BUSES)
    assert set(result["songs"]) == {"Someone_Song", "Song2", "Song3"}
    assert set(result["conditions"]) == {"condition1", "condition2"}


def test_a_cambridge_mt_folder_is_a_song_of_raw_tracks(tmp_path: Path) -> None:
    for number, name in enumerate(("01_Kick", "02_Snare", "03_Bass", "04_ElecGtr1", "05_LeadVox")):
        write(tmp_path / "Band_Song_Full" / f"{name}.wav", number)
    (folder,) = song_folders([str(tmp_path)])
    assert open_song_folder(str(folder), {}).buses == ("drums", "bass", "vocals", "guitars")


@pytest.mark.parametrize("layout", ["MUSDB18-HQ", "DSD100", "MedleyDB", "Cambridge-MT"])
def test_a_song_of_each_layout_is_mixed_and_matched(
    faderwise: Faderwise, tmp_path: Path, layout: str, request: pytest.FixtureRequest
) -> None:
    song, mixdown = tmp_path / "train" / "A - One", tmp_path / "train" / "A - One" / "mixture.wav"
    if layout == "DSD100":
        song = tmp_path / "Sources" / "Dev" / "051 - One"
        mixdown = tmp_path / "Mixtures" / "Dev" / "051 - One" / "mixture.wav"
    if layout == "MedleyDB":
        song = request.getfixturevalue("medleydb")
    elif layout == "Cambridge-MT":
        song = tmp_path / "Band_Song_Full"
        for number, name in enumerate(("01_Kick", "02_Snare", "03_Bass", "04_ElecGtr1", "05_LeadVox")):
            write(song / f"{name}.wav", number)
        write(song / "Band_Song_Mix.wav", 9)
    else:
        four_stems(song)
        write(mixdown, 9)
    buses = set(open_song_folder(str(song), {}).buses)
    for verb in ("mix", "match"):
        result = as_json(faderwise(verb, song, "--out", tmp_path / verb, "--json"))
        assert set(result["buses"]) == buses
        assert (tmp_path / verb / "mix.wav").is_file()


def test_a_folder_without_songs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as raised:
        song_folders([str(tmp_path)])
    assert raised.value.path == str(tmp_path)


@pytest.mark.parametrize("verb", ["mix", "match", "buses"])
def test_a_folder_of_several_songs_is_refused(faderwise: Faderwise, tmp_path: Path, verb: str) -> None:
    songs = tmp_path / "songs"
    four_stems(songs / "Glass City")
    four_stems(songs / "more" / "Night Train")
    four_stems(songs / "more" / "Old Harbour")
    ran = faderwise(verb, songs)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert "contains 3 songs (Glass City, more/Night Train, more/Old Harbour); give one of them" in ran.err
    shutil.rmtree(songs / "more")
    assert faderwise("buses", songs).code == 0


def test_the_folders_of_a_session_are_one_song(tmp_path: Path) -> None:
    for number, name in enumerate(("Drums/Kick", "Drums/Snare", "Bass/Bass DI", "Vocals/Lead Vox", "Vocals/BVox")):
        write(tmp_path / "Song" / f"{name}.wav", number)
    assert set(open_song_folder(str(tmp_path / "Song"), {}).buses) == {"drums", "bass", "vocals", "backing vocals"}
    for number, name in enumerate(("drums", "bass", "vocals")):
        write(tmp_path / "Live" / "Audio Files" / f"{name}.wav", number)
        write(tmp_path / "Live" / "Bounces" / "mix.wav", number)
    song = open_song_folder(str(tmp_path / "Live"), {})
    assert set(song.buses) == {"drums", "bass", "vocals"} and song.mixdown is not None


def test_files_of_the_same_name_are_shown_with_their_folders(faderwise: Faderwise, tmp_path: Path) -> None:
    for number, name in enumerate(("Drums/take 1", "Vocals/take 1", "Bass/Bass DI")):
        write(tmp_path / "Song" / f"{name}.wav", number)
    ran = faderwise("mix", tmp_path / "Song", "--dry-run")
    assert "Drums/take 1.wav" in ran.out and "Vocals/take 1.wav" in ran.out and "Bass/Bass DI.wav" not in ran.out


@pytest.mark.parametrize(("gain", "is_balanced"), [(1.0, True), (3.0, False)])
def test_stems_whose_plain_sum_is_the_mixdown_are_reported(tmp_path: Path, gain: float, is_balanced: bool) -> None:
    folder = tmp_path / "Song"
    parts = [soundfile.read(write(folder / f"{name}.wav", i))[0] for i, name in enumerate(("drums", "bass", "vocals"))]
    soundfile.write(folder / "mix.wav", 0.3 * (gain * parts[0] + parts[1] + parts[2]), RATE)
    assert constant_gains(open_song_folder(str(folder), {})).is_plain_sum == is_balanced
