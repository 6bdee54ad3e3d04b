"""The layouts in which public datasets are distributed are read without renaming anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.sources.folder import open_song_folder, song_folders
from core.errors import InputError
from core.gains.alignment import constant_gains

RATE = 44_100
METADATA = """album: A
artist: Someone
mix_filename: Someone_Song_MIX.wav
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
  S03:
    component: melody
    filename: Someone_Song_STEM_03.wav
    instrument: male singer
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


def test_medleydb_names_the_instruments_in_its_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "Someone_Song"
    for number in (1, 2, 3):
        write(folder / "Someone_Song_STEMS" / f"Someone_Song_STEM_0{number}.wav", number)
        write(folder / "Someone_Song_RAW" / f"Someone_Song_RAW_0{number}_01.wav", number)
    write(folder / "Someone_Song_MIX.wav")
    (folder / "Someone_Song_METADATA.yaml").write_text(METADATA)
    assert song_folders([str(tmp_path)]) == [folder]
    song = open_song_folder(str(folder), {})
    assert song.title == "Someone_Song"
    assert {bus: file.path.name[-6:-4] for bus, file in song.stems.items()} == {
        "drums": "02",
        "bass": "01",
        "vocals": "03",
    }
    assert song.mixdown is not None and song.mixdown.path.name == "Someone_Song_MIX.wav"


def test_a_cambridge_mt_folder_is_a_song_of_raw_tracks(tmp_path: Path) -> None:
    for number, name in enumerate(("01_Kick", "02_Snare", "03_Bass", "04_ElecGtr1", "05_LeadVox")):
        write(tmp_path / "Band_Song_Full" / f"{name}.wav", number)
    (folder,) = song_folders([str(tmp_path)])
    assert open_song_folder(str(folder), {}).buses == ("drums", "bass", "vocals", "guitars")


def test_a_folder_without_songs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as raised:
        song_folders([str(tmp_path)])
    assert raised.value.path == str(tmp_path)


@pytest.mark.parametrize(("gain", "is_balanced"), [(1.0, True), (3.0, False)])
def test_stems_whose_plain_sum_is_the_mixdown_are_reported(tmp_path: Path, gain: float, is_balanced: bool) -> None:
    folder = tmp_path / "Song"
    parts = [soundfile.read(write(folder / f"{name}.wav", i))[0] for i, name in enumerate(("drums", "bass", "vocals"))]
    soundfile.write(folder / "mix.wav", 0.3 * (gain * parts[0] + parts[1] + parts[2]), RATE)
    assert constant_gains(open_song_folder(str(folder), {})).is_plain_sum == is_balanced
