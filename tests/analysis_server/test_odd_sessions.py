"""Sessions that are odd but meant: high rates, hot floats, many channels, hundreds of tracks, names in any script."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.rpp.parser import quoted
from core.rpp.project import read_project
from tests.analysis_server.conftest import tone
from tests.analysis_server.outcomes import Faderwise, as_json

Samples = npt.NDArray[np.float64]
ODD_NAMES = ["Ünïcode песня", "夜の歌 🎚", "أغنية", "it's a “song”, 100 % (final) [2]", "-dry run"]
ODD_NAMES += ["cafe\u0301 n\u0303o", "\u202eevers", "\u200bno width", "👩\u200d👩\u200d👧 家", "عربي mixed עברית 2"]
LONGEST = "夜" * 83 + "song"
"""A name of 253 bytes: with two more a file system has no longer one, and ours are longer."""
QUOTED_NAMES = ['say "when"', "both ' and \"", "a`tick", "tab\there"]
not_on_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")


def write_song(folder: Path, stems: dict[str, Samples], rate: int = 44_100) -> Path:
    folder.mkdir(parents=True)
    for name, samples in stems.items():
        soundfile.write(folder / f"{name}.wav", samples, rate, subtype="FLOAT")
    return folder


def outcome_of(faderwise: Faderwise, verb: str, song: Path, out: Path, *words: str) -> dict[str, Any]:
    return as_json(faderwise(verb, song, "--out", out, *words, "--json"))


@pytest.mark.parametrize("rate", [88_200, 96_000, 192_000])
def test_a_high_sample_rate_is_kept_and_its_faders_are_found(faderwise: Faderwise, tmp_path: Path, rate: int) -> None:
    drums, bass = tone(900.0, rate=rate), tone(110.0, rate=rate)
    song = write_song(tmp_path / "song", {"drums": drums, "bass": bass, "mix": 0.5 * drums + 0.7 * bass}, rate)
    outcome_of(faderwise, "mix", song, tmp_path / "mixed")
    found = outcome_of(faderwise, "match", song, tmp_path / "matched")
    assert soundfile.info(tmp_path / "mixed" / "mix.wav").samplerate == rate
    assert found["median_gain_db"]["drums"] == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert found["median_gain_db"]["bass"] == pytest.approx(20 * np.log10(0.7), abs=0.1)


def test_floats_above_full_scale_are_not_clipped_and_the_mix_stays_below_it(
    faderwise: Faderwise, tmp_path: Path
) -> None:
    hot = {"drums": 12.0 * tone(900.0), "bass": 9.0 * tone(110.0)}
    song = write_song(tmp_path / "song", {**hot, "mix": 0.5 * hot["drums"] + 0.7 * hot["bass"]})
    assert max(np.abs(samples).max() for samples in hot.values()) > 3.0
    mixed = outcome_of(faderwise, "mix", song, tmp_path / "mixed")
    found = outcome_of(faderwise, "match", song, tmp_path / "matched")
    assert mixed["true_peak_dbtp"] <= -1.0 + 1e-6
    assert np.abs(soundfile.read(tmp_path / "mixed" / "mix.wav")[0]).max() < 1.0
    assert not [warning for warning in mixed["warnings"] if "clipped" in warning]
    assert found["median_gain_db"]["drums"] == pytest.approx(20 * np.log10(0.5), abs=0.1)


def test_mono_stereo_and_six_channels_are_mixed_together(faderwise: Faderwise, tmp_path: Path) -> None:
    drums, bass, melody = tone(900.0), tone(110.0), tone(440.0)
    six = np.concatenate([melody, 0.5 * melody, 0.2 * melody], axis=1)
    song = write_song(tmp_path / "song", {"drums": drums, "bass": bass[:, 0], "melody": six})
    result = outcome_of(faderwise, "mix", song, tmp_path / "out")
    with (tmp_path / "out" / "automation.json").open(encoding="utf-8") as file:
        gains = {bus: content["points"][0]["gain"] for bus, content in json.load(file)["buses"].items()}
    mixed, _ = soundfile.read(tmp_path / "out" / "mix.wav")
    assert mixed.shape == (len(drums), 6)
    assert any("bass.wav is mono: its channel was copied to" in note for note in result["notes"])
    assert any("drums.wav has 2 channels where others have 6" in warning for warning in result["warnings"])
    silent_in_drums = gains["melody"] * 0.2 * melody[:10, 1] + gains["bass"] * bass[:10, 0]
    ratio = mixed[:10, 5] / silent_in_drums
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


@not_on_windows
@pytest.mark.parametrize("name", [*ODD_NAMES, *QUOTED_NAMES])
def test_a_song_with_any_name_is_mixed_and_shown_by_its_name(faderwise: Faderwise, tmp_path: Path, name: str) -> None:
    song = write_song(tmp_path / name / name, {"drums": tone(900.0), "bass": tone(110.0)})
    result = outcome_of(faderwise, "mix", song, tmp_path / "out" / name)
    assert result["title"] == name
    assert json.loads((tmp_path / "out" / name / "automation.json").read_text(encoding="utf-8"))["title"] == name
    assert all(Path(path).is_file() for path in result["files"].values())


@not_on_windows
def test_a_name_with_a_line_break_is_shown_in_one_line(faderwise: Faderwise, tmp_path: Path) -> None:
    song = write_song(tmp_path / "one\ntwo", {"drums": tone(900.0), "bass": tone(110.0)})
    result = outcome_of(faderwise, "mix", song, tmp_path / "out")
    assert result["title"] == "one\ntwo"
    (song / "bass.wav").write_bytes(b"RIFF")
    refused = faderwise("mix", song, "--out", tmp_path / "again")
    assert refused.code == 2
    assert len(refused.err_lines) == 1
    assert not (tmp_path / "again").exists()


@not_on_windows
def test_a_song_with_the_longest_possible_name_is_written_to_the_given_folder(
    faderwise: Faderwise, tmp_path: Path
) -> None:
    song = write_song(tmp_path / LONGEST, {"drums": tone(900.0), "bass": tone(110.0)})
    refused = faderwise("mix", song)
    assert refused.code == 2
    assert "name too long" in refused.err_lines[0]
    assert "check its name" in refused.err_lines[0]
    assert outcome_of(faderwise, "mix", song, tmp_path / "out")["title"] == LONGEST


@not_on_windows
def test_a_project_whose_copy_could_have_no_name_is_refused_and_leaves_no_files(
    faderwise: Faderwise, tmp_path: Path
) -> None:
    folder = write_song(tmp_path / "session", {"a": tone(900.0), "b": tone(110.0)})
    path = _project(folder / f"{LONGEST[:-4]}.RPP", [_track("drums", "a.wav"), _track("bass", "b.wav")])
    refused = faderwise("mix", path, "--out", tmp_path / "out")
    assert refused.code == 2
    assert len(refused.err_lines) == 1
    assert "name too long" in refused.err_lines[0]
    assert {file.name for file in folder.iterdir()} == {path.name, "a.wav", "b.wav"}
    assert not list((tmp_path / "out").glob("*"))


@not_on_windows
@pytest.mark.parametrize("name", [*ODD_NAMES, *QUOTED_NAMES[:1], *QUOTED_NAMES[2:]])
def test_a_project_of_any_name_whose_media_have_any_name(faderwise: Faderwise, tmp_path: Path, name: str) -> None:
    folder = write_song(tmp_path / name, {f"{name} 1": tone(900.0), f"{name} 2": tone(110.0)})
    tracks = [_track(title, f"{name} {number}.wav") for number, title in ((1, f"DRUMS {name}"), (2, f"{name} bass"))]
    path = _project(folder / f"{name}.RPP", tracks)
    result = outcome_of(faderwise, "mix", path, tmp_path / "out")
    assert set(result["n_points"]) == {"drums", "bass"}
    written = read_project(Path(result["files"][f"{name}-faderwise.RPP"]))
    assert [track.name for track in written.tracks] == [f"DRUMS {name}", f"{name} bass"]
    assert all(track.heard("VOLENV2") for track in written.tracks)


def test_two_hundred_tracks_are_summed_into_their_buses(faderwise: Faderwise, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {f"part {number}": 0.02 * rng.normal(size=(4_000, 1)) for number in range(200)}
    folder = write_song(tmp_path / "session", parts, rate=8_000)
    tracks = []
    for first, bus in zip(range(0, 200, 50), ("Drums", "Bass", "Melody", "Vocals"), strict=True):
        tracks.append(f'  <TRACK\n    NAME "{bus} bus"\n    ISBUS 1 1\n    MAINSEND 1 0\n  >\n')
        inside = [_track(f"take {number}", f"part {number}.wav") for number in range(first, first + 50)]
        tracks += [*inside[:-1], inside[-1].replace("    MAINSEND", "    ISBUS 2 -1\n    MAINSEND")]
    path = _project(folder / "Big.RPP", tracks, rate=8_000)
    result = outcome_of(faderwise, "mix", path, tmp_path / "out", "--target-lufs", "-50")
    automation = json.loads((tmp_path / "out" / "automation.json").read_text(encoding="utf-8"))
    assert list(automation["buses"]) == ["drums", "bass", "melody", "vocals"]
    assert result["loudness_after_lufs"] == pytest.approx(-50.0, abs=0.5)
    written = read_project(Path(result["files"]["Big-faderwise.RPP"]))
    assert [track.name for track in written.tracks if track.envelopes] == [
        "Drums bus",
        "Bass bus",
        "Melody bus",
        "Vocals bus",
    ]


def _track(name: str, file: str) -> str:
    source = f"      <SOURCE WAVE\n        FILE {quoted(file)}\n      >\n"
    item = f"    <ITEM\n      POSITION 0\n      LENGTH 1\n{source}    >\n"
    return f"  <TRACK\n    NAME {quoted(name)}\n    VOLPAN 1 0 -1 -1 1\n    MAINSEND 1 0\n{item}  >\n"


def _project(path: Path, tracks: list[str], rate: int = 44_100) -> Path:
    text = f'<REAPER_PROJECT 0.1 "7.0" 1\n  SAMPLERATE {rate} 1 0\n{"".join(tracks)}>\n'
    path.write_text(text, encoding="utf-8")
    return path
