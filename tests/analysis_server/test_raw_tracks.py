"""Folders of raw tracks: the files of a bus are summed, and nothing is left out silently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.sources.folder import open_song_folder
from core.audio.io import open_stream
from core.errors import InputError
from tests.analysis_server.outcomes import Faderwise, as_json

RATE = 44_100
NAMES = ("01_Kick", "02_SnareUp", "03_OH L", "04_BassDI", "05_EGtr1", "06_LeadVox", "click")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder of raw tracks: three of the drums, one of the bass, guitars and vocals, and a click."""
    folder = tmp_path / "Raw Song"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        samples = np.random.default_rng(number).normal(size=RATE + 1000 * number) * 0.05
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="FLOAT")
    return folder


def test_the_files_of_a_bus_are_summed(raw: Path) -> None:
    song = open_song_folder(str(raw), {})
    assert list(song.stems) == ["drums", "bass", "vocals", "guitars"]
    drums = song.stems["drums"]
    assert [part.path.name for part in drums.parts] == ["01_Kick.wav", "02_SnareUp.wav", "03_OH L.wav"]
    read = np.empty((1, drums.n_samples), np.float32)
    with open_stream(drums, sample_rate=RATE, n_channels=1) as stream:
        stream.read_into(read)
    expected = np.zeros(drums.n_samples)
    for part in drums.parts:
        samples = soundfile.read(part.path)[0]
        expected[: len(samples)] += samples
    np.testing.assert_allclose(read[0], expected, atol=1e-6)


def test_files_that_are_not_used_are_one_note(raw: Path) -> None:
    shutil.copy(raw / "click.wav", raw / "Vox Verb.wav")
    song = open_song_folder(str(raw), {"none": ["05_EGtr1.wav"]})
    (note,) = [note for note in song.notes() if note.startswith("not used: ")]
    assert "click.wav (" in note and "Vox Verb.wav (" in note and "05_EGtr1.wav (--bus none)" in note
    assert not any("not used" in warning or "left out" in warning for warning in song.warnings())


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_information_is_kept_apart_from_warnings(faderwise: Faderwise, raw: Path, tmp_path: Path, verb: str) -> None:
    (raw / "lyrics.txt").write_text("la")
    tracks = [soundfile.read(path)[0] for path in sorted(raw.glob("*.wav"))]
    length = min(map(len, tracks))
    soundfile.write(raw / "Raw Song Mix.wav", sum(track[:length] for track in tracks), RATE, subtype="FLOAT")
    out = tmp_path / "out"
    result = as_json(faderwise(verb, raw, "--out", out, "--json"))
    click = 'not used: click.wav ("click" means a click track)'
    documents = "not read: lyrics.txt (not audio)"
    assert {click, documents} <= set(result["notes"])
    assert not set(result["notes"]) & set(result["warnings"])
    (run,) = json.loads((out / "run.json").read_text())["runs"]
    assert run["notes"] == result["notes"] and set(run["warnings"]) <= set(result["warnings"])
    audited = as_json(faderwise("audit", out, "--json"))
    assert {click, documents} <= set(audited["notes"])
    assert not set(result["notes"]) & set(audited["warnings"])
    for page in ("report.html", "audit.html"):
        warnings, notes = (out / page).read_text(encoding="utf-8").split('class="notes"')
        assert "lyrics.txt" in notes.split("</div>")[0] and "lyrics.txt" not in warnings
    shown = faderwise("audit", out)
    assert f"faderwise: note: {documents}" in shown.err and f"warning: {documents}" not in shown.err


def test_raw_tracks_are_mixed_edited_and_audited(faderwise: Faderwise, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = as_json(faderwise("mix", raw, "--out", out, "--json"))
    assert set(result["median_gain_db"]) == {"drums", "bass", "vocals", "guitars"}
    (run,) = json.loads((out / "run.json").read_text())["runs"]
    assert [Path(path).name for path in run["stem_files"]["drums"]] == [f"{name}.wav" for name in NAMES[:3]]
    assert faderwise("edit", out, "--depth", 50, "--render").code == 0


def test_a_copy_of_a_file_of_the_same_bus_is_left_out_with_a_warning(raw: Path) -> None:
    plain = open_song_folder(str(raw), {}).stems["drums"].parts
    shutil.copy(raw / "01_Kick.wav", raw / "01_Kick copy.wav")
    samples = soundfile.read(raw / "02_SnareUp.wav", dtype="float32")[0]
    soundfile.write(raw / "Snare Bounce.aiff", samples, RATE, subtype="FLOAT")
    samples[-1] += 0.01
    soundfile.write(raw / "Snare 2.wav", samples, RATE, subtype="FLOAT")
    for name in ("Tom 1", "Tom 2"):
        soundfile.write(raw / f"{name}.wav", np.zeros(RATE), RATE)
    song = open_song_folder(str(raw), {})
    parts = song.stems["drums"].parts
    assert {part.path.name for part in parts} == {
        *(part.path.name for part in plain),
        *("Snare 2.wav", "Tom 1.wav", "Tom 2.wav"),
    }
    assert {
        "01_Kick copy.wav was left out: it has the same audio as 01_Kick.wav",
        "Snare Bounce.aiff was left out: it has the same audio as 02_SnareUp.wav",
    } <= set(song.warnings())
    chosen = open_song_folder(str(raw), {"drums": ["01_Kick.wav", "01_Kick copy.wav"]})
    assert {part.path.name for part in chosen.stems["drums"].parts} == {"01_Kick.wav", "01_Kick copy.wav"}


def test_a_file_with_an_unknown_name_is_added_to_the_bus_of_the_option(raw: Path) -> None:
    (raw / "01_Kick.wav").rename(raw / "zzqx.wav")
    parts = open_song_folder(str(raw), {"drums": ["zzqx.wav"]}).stems["drums"].parts
    assert {part.path.name for part in parts} == {"02_SnareUp.wav", "03_OH L.wav", "zzqx.wav"}


def test_other_files_replace_those_of_the_bus(raw: Path) -> None:
    song = open_song_folder(str(raw), {"drums": ["04_BassDI.wav", "06_LeadVox.wav"]})
    assert list(song.stems) == ["drums", "guitars"]
    assert {part.path.name for part in song.stems["drums"].parts} == {"04_BassDI.wav", "06_LeadVox.wav"}
    assert any("01_Kick.wav" in note and "--bus names other files" in note for note in song.notes())


def test_a_song_that_lacks_a_bus_because_of_a_name_is_refused_with_the_option(raw: Path) -> None:
    (raw / "06_LeadVox.wav").rename(raw / "zz qx.wav")
    with pytest.raises(InputError) as raised:
        open_song_folder(str(raw), {}, complete=True)
    assert raised.value.option is None
    assert "--bus 'vocals=zz qx.wav'" in str(raised.value.remedy)
    assert "vocals" not in open_song_folder(str(raw), {"none": ["zz qx.wav"]}, complete=True).stems
    assert "vocals" in open_song_folder(str(raw), {"vocals": ["zz qx.wav"]}, complete=True).stems


def test_a_mixdown_is_not_a_stem(raw: Path) -> None:
    (raw / "06_LeadVox.wav").rename(raw / "Raw Song Mix.wav")
    song = open_song_folder(str(raw), {})
    assert song.mixdown is not None
    assert song.mixdown.path.name == "Raw Song Mix.wav"
    assert "vocals" not in song.stems


def test_one_file_in_two_formats_is_refused(raw: Path) -> None:
    samples = soundfile.read(raw / "04_BassDI.wav")[0]
    soundfile.write(raw / "04_BassDI.flac", samples, RATE)
    with pytest.raises(InputError) as raised:
        open_song_folder(str(raw), {})
    assert "04_BassDI.flac and 04_BassDI.wav" in raised.value.problem


def test_the_assignment_is_in_the_result_the_text_and_the_report(
    faderwise: Faderwise, raw: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = faderwise("mix", raw, "--out", out)
    assert ran.out.startswith("Buses of Raw Song")
    assert "01_Kick.wav, 02_SnareUp.wav, 03_OH L.wav" in ran.out.split("Raw Song:")[0]
    assert "click.wav" in (out / "report.html").read_text(encoding="utf-8")
    rows = as_json(faderwise("mix", raw, "--dry-run", "--json"))["assignment"]
    assert [(row["name"], row["bus"]) for row in rows] == [
        ("01_Kick.wav", "drums"),
        ("02_SnareUp.wav", "drums"),
        ("03_OH L.wav", "drums"),
        ("04_BassDI.wav", "bass"),
        ("05_EGtr1.wav", "guitars"),
        ("06_LeadVox.wav", "vocals"),
        ("click.wav", None),
    ]
    assert all(row["reason"] for row in rows)


def test_a_mixdown_that_is_the_plain_sum_is_reported_with_the_difference_of_the_mix(
    faderwise: Faderwise, raw: Path
) -> None:
    (raw / "click.wav").unlink()
    tracks = [soundfile.read(path)[0] for path in sorted(raw.iterdir())]
    length = min(map(len, tracks))
    soundfile.write(raw / "Raw Song Mix.wav", 0.7 * sum(track[:length] for track in tracks), RATE, subtype="FLOAT")
    warnings = as_json(faderwise("mix", raw, "--dry-run", "--json"))["warnings"]
    (warning,) = [warning for warning in warnings if "producer" in warning]
    assert "Raw Song Mix.wav" in warning and "faderwise match" in warning
    warnings = as_json(faderwise("match", raw, "--dry-run", "--json"))["warnings"]
    assert any("Raw Song Mix.wav is nearly the plain sum" in warning for warning in warnings)
    assert "Raw Song Mix.wav is nearly the plain sum" in faderwise("buses", raw).out


def test_a_mixdown_with_another_balance_is_not_reported(faderwise: Faderwise, raw: Path) -> None:
    (raw / "click.wav").unlink()
    tracks = [soundfile.read(path)[0] for path in sorted(raw.iterdir())]
    length = min(map(len, tracks))
    mix = sum(track[:length] * gain for track, gain in zip(tracks, (1, 1, 1, 0.5, 0.8, 2), strict=True))
    soundfile.write(raw / "Raw Song Mix.wav", mix, RATE, subtype="FLOAT")
    warnings = as_json(faderwise("mix", raw, "--dry-run", "--json"))["warnings"]
    assert not [warning for warning in warnings if "producer" in warning]


def test_a_single_drum_that_the_drum_stem_does_not_contain_has_its_own_gain(faderwise: Faderwise, raw: Path) -> None:
    (raw / "01_Kick.wav").rename(raw / "Drums.wav")
    (raw / "03_OH L.wav").unlink()
    result = as_json(faderwise("mix", raw, "--dry-run", "--json"))
    assert list(result["median_gain_db"]) == ["drums", "drums: 02_SnareUp", "bass", "vocals", "guitars"]
    assert any("02_SnareUp.wav is not part of Drums.wav" in warning for warning in result["warnings"])


def test_drums_that_the_drum_stem_contains_are_counted_once(faderwise: Faderwise, raw: Path) -> None:
    kick, snare = (soundfile.read(raw / f"{name}.wav")[0][:RATE] for name in ("01_Kick", "02_SnareUp"))
    soundfile.write(raw / "Drums.wav", kick + snare, RATE, subtype="FLOAT")
    (raw / "03_OH L.wav").unlink()
    result = as_json(faderwise("mix", raw, "--dry-run", "--json"))
    assert list(result["median_gain_db"]) == ["drums", "bass", "vocals", "guitars"]
    rows = {row["name"]: (row["bus"], row["reason"]) for row in result["assignment"]}
    assert rows["01_Kick.wav"] == (None, "it is already in Drums.wav")


def test_audit_and_edit_of_single_tracks_call_them_tracks(faderwise: Faderwise, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert faderwise("mix", raw, "--level", "tracks", "--out", out).code == 0
    audited, edited = faderwise("audit", out, "--no-sound").out, faderwise("edit", out, "--offset", "02_SnareUp=1").out
    for printed in (audited, edited):
        assert next(line for line in printed.splitlines() if " gain" in line).split()[0] == "track"
    assert "--offset TRACK=DB" in audited
    refused = faderwise("edit", out, "--offset", "snare=1")
    assert refused.code == 2
    assert "no such bus or track" in refused.err
