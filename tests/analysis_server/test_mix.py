"""`faderwise mix` and `demo`: their files agree with their printed results."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pyloudnorm
import pytest
import soundfile

from tests.analysis_server.outcomes import OUTCOME, RATE, ROOT, Faderwise, as_json, names


def test_a_mix_writes_its_files_and_prints_their_paths(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert names(tmp_path / "out") == OUTCOME
    assert str(tmp_path / "out" / "report.html") in ran.out
    assert all(name in ran.out for name in OUTCOME)


def test_without_out_the_folder_is_named_after_the_song(faderwise: Faderwise, tiny_song: Path) -> None:
    faderwise("mix", tiny_song)
    assert names(Path.cwd()) == {"tiny song-faderwise"}


def test_the_json_is_one_object_with_the_content_of_the_files(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    ran = faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--json")
    result = as_json(ran)
    assert ran.err == ""
    assert set(result["files"]) == OUTCOME
    assert all(Path(path).is_file() for path in result["files"].values())
    samples, rate = soundfile.read(result["files"]["mix.wav"])
    meter = pyloudnorm.Meter(rate, filter_class="DeMan")
    assert meter.integrated_loudness(samples) == pytest.approx(result["loudness_after_lufs"], abs=0.1)
    assert result["true_peak_dbtp"] <= -1.0 + 1e-6


def test_the_automations_files_agree_and_follow_the_schema(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    result = as_json(faderwise("match", short_song_folder, "--out", tmp_path / "out", "--json"))
    schema = json.loads((ROOT / "docs" / "reference" / "automation.schema.json").read_text(encoding="utf-8"))
    written = json.loads((tmp_path / "out" / "automation.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(written)
    with (tmp_path / "out" / "automation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["bus", "time_s", "gain_db", "shape"]
    with np.load(tmp_path / "out" / "curves.npz") as curves:
        buses, time_s, gains_db = list(curves["buses"]), curves["time_s"], 20.0 * np.log10(curves["gains"])
    assert list(written["buses"]) == buses == ["drums", "bass", "melody", "vocals"]
    for column, bus in enumerate(buses):
        points = written["buses"][bus]["points"]
        assert written["buses"][bus]["stem"] == f"{bus}.wav"
        assert len(points) == result["n_points"][bus]
        assert [float(row["time_s"]) for row in rows if row["bus"] == bus] == [point["time_s"] for point in points]
        assert [float(row["gain_db"]) for row in rows if row["bus"] == bus] == [point["gain_db"] for point in points]
        assert all(point["gain"] == pytest.approx(10.0 ** (point["gain_db"] / 20.0), rel=1e-5) for point in points)
        between = np.interp(time_s, [p["time_s"] for p in points], [p["gain_db"] for p in points])
        assert np.abs(between - gains_db[:, column]).max() <= 0.1 + 1e-4


def test_the_written_mix_is_the_stems_under_the_written_automation(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    assert faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--target-lufs", "-30").code == 0
    written = json.loads((tmp_path / "out" / "automation.json").read_text(encoding="utf-8"))
    samples, rate = soundfile.read(tmp_path / "out" / "mix.wav")
    time_s = np.arange(len(samples)) / rate
    expected = np.zeros_like(samples)
    for bus in written["buses"].values():
        gain_db = np.interp(time_s, [p["time_s"] for p in bus["points"]], [p["gain_db"] for p in bus["points"]])
        expected += soundfile.read(short_song_folder / bus["stem"])[0] * (10.0 ** (gain_db / 20.0))[:, None]
    np.testing.assert_allclose(samples, expected, atol=1e-4)
    assert pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples) == pytest.approx(-30.0, abs=0.1)


def test_a_target_loudness_that_peaks_prevent_is_reported(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    ran = faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--target-lufs", "-4", "--json")
    result = as_json(ran)
    assert result["true_peak_dbtp"] == pytest.approx(-1.0)
    mix, rate = soundfile.read(tmp_path / "out" / "mix.wav")
    peak_s = np.abs(mix).max(axis=1).argmax() / rate
    warned = [
        re.search(r"instead of -4\.0 LUFS\), because otherwise its true peak at (\S+) s", warning)
        for warning in result["warnings"]
    ]
    assert [float(found[1]) for found in warned if found] == [pytest.approx(peak_s, abs=0.02)]
    assert "faderwise: warning: " in ran.err


def test_a_range_moves_nothing_outside_it(faderwise: Faderwise, short_song_folder: Path, tmp_path: Path) -> None:
    assert faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--range", "0:02-0:04").code == 0
    written = json.loads((tmp_path / "out" / "automation.json").read_text(encoding="utf-8"))
    assert written["range_s"] == [2.0, 4.0]
    for bus in written["buses"].values():
        times_s, gains_db = zip(*((point["time_s"], point["gain_db"]) for point in bus["points"]), strict=True)
        assert (times_s[0], times_s[-1], gains_db[0], gains_db[-1]) == (2.0, 4.0, 0.0, 0.0)
    mix = soundfile.read(tmp_path / "out" / "mix.wav")[0]
    plain = sum(soundfile.read(short_song_folder / f"{name}.wav")[0] for name in written["buses"])
    scale = np.vdot(mix[:RATE], plain[:RATE]) / np.vdot(plain[:RATE], plain[:RATE])
    outside = np.r_[0 : 2 * RATE - 64, 4 * RATE + 64 : len(mix)]
    np.testing.assert_allclose(mix[outside], scale * plain[outside], atol=1e-5)
    assert np.abs(mix - scale * plain).max() > 1e-3


def test_a_bus_with_a_custom_name_is_mixed(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    soundfile.write(tiny_song / "take 3.wav", soundfile.read(tiny_song / "bass.wav")[0], RATE)
    ran = faderwise("mix", tiny_song, "--bus", "Zither=take 3.wav", "--out", tmp_path / "out", "--json")
    result = as_json(ran)
    assert list(result["median_gain_db"]) == ["drums", "bass", "zither"]
    (note,) = (note for note in result["notes"] if note.startswith("zither is a new bus"))
    assert "the model default" in note
    assert f"{note[1:]}." in (tmp_path / "out" / "report.html").read_text()
    shown = faderwise("mix", tiny_song, "--bus", "Zither=take 3.wav", "--dry-run")
    assert "  zither (new)   take 3.wav\n" in shown.out
    assert f"faderwise: note: {note}" in shown.err_lines


def test_a_bus_of_the_model_is_not_new_and_is_suggested(faderwise: Faderwise, tiny_song: Path) -> None:
    soundfile.write(tiny_song / "take 3.wav", soundfile.read(tiny_song / "bass.wav")[0], RATE)
    soundfile.write(tiny_song / "mix.wav", soundfile.read(tiny_song / "bass.wav")[0], RATE)
    chosen = ("--bus", "Zither=take 3.wav", "--model", "mine")
    learned = as_json(faderwise("learn", tiny_song, *chosen, "--json"))
    assert any(note.startswith("zither is a new bus") for note in learned["notes"])
    mixed = as_json(faderwise("mix", tiny_song, *chosen, "--dry-run", "--json"))
    assert not any("new bus" in note for note in mixed["notes"])
    assert "(new)" not in faderwise("mix", tiny_song, *chosen, "--dry-run").out
    for verb in ("mix", "learn"):
        ran = faderwise(verb, tiny_song, "--bus", "Zithr=take 3.wav", "--model", "mine", "--dry-run")
        assert (ran.code, ran.out) == (2, "")
        assert "did you mean zither?" in ran.err


@pytest.mark.parametrize("verb", ["mix", "match", "learn", "estimate", "features"])
def test_a_misspelled_bus_is_refused(faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str) -> None:
    further = {"learn": ("--model", "x"), "estimate": ("--out", "x.csv"), "features": ("--out", "x.csv")}.get(verb, ())
    ran = faderwise(verb, tiny_song, "--bus", "vocls=bass.wav", *further)
    assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1)
    assert "no bus vocls; did you mean vocals?" in ran.err


@pytest.mark.parametrize("verb", ["mix", "match"])
@pytest.mark.parametrize("mode", [(), ("--dry-run",)])
def test_an_output_folder_with_other_audio_is_refused(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str, mode: tuple[str, ...]
) -> None:
    (tmp_path / "others" / "song").mkdir(parents=True)
    (tmp_path / "others" / "song" / "take.flac").touch()
    for folder, fact in {
        tmp_path / "others": str(Path("song", "take.flac")),
        tmp_path / "others" / "song": "take.flac",
        tiny_song: "input files",
        tiny_song / "drums.wav": "is the name of a file",
        tiny_song / "drums.wav" / "out": "is a file",
    }.items():
        ran = faderwise(verb, tiny_song, "--out", folder, *mode)
        assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1)
        assert str(folder) in ran.err and fact in ran.err


def test_an_output_folder_with_other_runs_is_not_refused(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    assert faderwise("mix", tiny_song, "--out", tmp_path / "results" / "a").code == 0
    assert faderwise("mix", tiny_song, "--out", tmp_path / "results" / "a", "--depth", "50").code == 0
    assert faderwise("mix", tiny_song, "--out", tmp_path / "results", "--dry-run").code == 0


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_dry_run_writes_nothing(faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str) -> None:
    result = as_json(faderwise(verb, tiny_song, "--dry-run", "--out", tmp_path / "out", "--json"))
    assert result["files"] == {}
    assert result["n_points"].keys() == {"drums", "bass"}
    assert not (tmp_path / "out").exists()
    assert names(Path.cwd()) == set()


def test_the_report_is_one_file_that_names_the_song(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    faderwise("mix", tiny_song, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "tiny song" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_the_demo_mixes_the_bundled_song(faderwise: Faderwise) -> None:
    ran = faderwise("demo")
    assert (ran.code, ran.err) == (0, "")
    assert "Caesium" in ran.out
    assert names(Path("demo-out")) == OUTCOME
    assert soundfile.info("demo-out/mix.wav").duration == 24.0


def test_the_report_contains_the_stems_where_asked(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    faderwise("mix", tiny_song, "--out", tmp_path / "out", "--stems-in-report")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("data-solo=") == page.count("data-mute=") == page.count('<article class="bus')


def test_the_figures_of_a_range_are_those_of_the_range(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = as_json(faderwise("mix", short_song_folder, "--out", out, "--range", "2:3", "--json"))
    written = json.loads((out / "automation.json").read_text(encoding="utf-8"))
    for bus, found in result["buses"].items():
        points = written["buses"][bus]["points"]
        in_range = [point["gain_db"] for point in points if 2.0 < point["time_s"] < 3.0]
        assert min(in_range) - 0.01 <= found["gain_db"] <= max(in_range) + 0.01
        change_db = found["loudness_after_lufs"] - found["loudness_before_lufs"]
        assert change_db == pytest.approx(found["gain_db"], abs=0.5)
    moved = max(result["median_gain_db"], key=lambda bus: abs(result["median_gain_db"][bus]))
    assert abs(result["median_gain_db"][moved]) > 0.5
    assert moved in result["headline"]
    audited = as_json(faderwise("audit", out, "--json"))
    for track in audited["tracks"]:
        assert track["gain_now_db"] == pytest.approx(result["median_gain_db"][track["bus"]], abs=0.1)
    edited = as_json(faderwise("edit", out, "--range", "2.2:2.8", "--offset", f"{moved}=2", "--json"))
    assert edited["buses"][moved]["after_db"] - edited["buses"][moved]["before_db"] == pytest.approx(2.0, abs=0.1)


def test_the_edges_of_a_range_are_not_explained_by_the_model(
    faderwise: Faderwise, short_song_folder: Path, tmp_path: Path
) -> None:
    as_json(faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--range", "2:3", "--json"))
    moves = as_json(faderwise("audit", tmp_path / "out", "--json"))["moves"]
    edges = [move for move in moves if move["end_s"] - move["start_s"] < 0.05]
    assert {move["start_s"] for move in edges} >= {2.0}
    assert {move["why"] for move in edges} == {"the run is for a part of the song, which begins or ends here"}


def test_a_range_ends_with_the_song(faderwise: Faderwise, tiny_song: Path) -> None:
    length_s = soundfile.info(tiny_song / "bass.wav").duration
    result = as_json(faderwise("mix", tiny_song, "--dry-run", "--range", f"1:{length_s + 70:g}", "--json"))
    assert result["range_s"] == [1.0, length_s]
    assert any(warning.startswith("the range ends at") for warning in result["warnings"])


@pytest.mark.parametrize("span", ["2:00-1:00", "9:00-9:10"])
def test_a_range_outside_the_song_is_refused(faderwise: Faderwise, tiny_song: Path, span: str) -> None:
    ran = faderwise("mix", tiny_song, "--dry-run", "--range", span, "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["error"]["option"] == "--range"
