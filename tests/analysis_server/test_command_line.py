"""The command line: what it says, what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyloudnorm
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100
VERBS = (
    "demo",
    "mix",
    "match",
    "learn",
    "audit",
    "edit",
    "revert",
    "compare",
    "estimate",
    "features",
    "evaluate",
    "models",
)
OUTCOME = {"automation.json", "automation.csv", "mix.wav", "curves.npz", "run.json", "audit.npz", "report.html"}

Faderwise = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system's signals")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def as_json(ran: Any) -> dict[str, Any]:
    """Return the one JSON object on standard output, which holds nothing else."""
    assert ran.code == 0, ran.err
    content = json.loads(ran.out)
    assert isinstance(content, dict)
    return content


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(faderwise: Faderwise, verb: str) -> None:
    ran = faderwise(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"faderwise {verb}" in ran.out.split("for example:")[1]
    assert "--json" in ran.out


@pytest.mark.parametrize("action", ["list", "show", "remove", "export", "import"])
def test_every_action_on_models_has_help(faderwise: Faderwise, action: str) -> None:
    ran = faderwise("models", action, "--help")
    assert (ran.code, ran.err) == (0, "")


def test_the_commands_own_help_names_every_verb_and_the_exit_codes(faderwise: Faderwise) -> None:
    ran = faderwise("--help")
    assert ran.code == 0
    assert all(f"\n    {verb} " in ran.out for verb in VERBS)
    assert "0 done, 1 failed, 2 bad usage or bad input, 130 interrupted" in ran.out


def test_the_version_is_the_packages(faderwise: Faderwise) -> None:
    from core import __version__

    assert faderwise("--version").out == f"Faderwise {__version__}\n"


# mix


def test_a_mix_writes_its_files_and_says_where(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert names(tmp_path / "out") == OUTCOME
    assert all(str(tmp_path / "out" / name) in ran.out for name in OUTCOME)


def test_without_out_the_folder_is_named_after_the_song(faderwise: Faderwise, tiny_song: Path) -> None:
    faderwise("mix", tiny_song)
    assert names(Path.cwd()) == {"tiny song-faderwise"}


def test_the_json_is_one_object_that_holds_what_the_files_do(
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
    schema = json.loads((ROOT / "docs" / "automation.schema.json").read_text(encoding="utf-8"))
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


def test_a_target_that_the_peaks_forbid_is_told(faderwise: Faderwise, short_song_folder: Path, tmp_path: Path) -> None:
    ran = faderwise("mix", short_song_folder, "--out", tmp_path / "out", "--target-lufs", "-4", "--json")
    result = as_json(ran)
    assert result["true_peak_dbtp"] == pytest.approx(-1.0)
    assert any("not -4.0: its true peak would pass -1 dBTP" in warning for warning in result["warnings"])
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


def test_a_bus_of_ones_own_is_mixed(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    soundfile.write(tiny_song / "take 3.wav", soundfile.read(tiny_song / "bass.wav")[0], RATE)
    ran = faderwise("mix", tiny_song, "--bus", "Zither=take 3.wav", "--out", tmp_path / "out", "--json")
    assert list(as_json(ran)["median_gain_db"]) == ["drums", "bass", "zither"]


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_dry_run_writes_nothing(faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str) -> None:
    result = as_json(faderwise(verb, tiny_song, "--dry-run", "--out", tmp_path / "out", "--json"))
    assert result["files"] == {}
    assert result["n_points"].keys() == {"drums", "bass"}
    assert not (tmp_path / "out").exists()
    assert names(Path.cwd()) == set()


def test_a_second_run_sets_aside_what_came_out_differently_and_only_that(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    faderwise("mix", tiny_song, "--out", out)
    assert names(out) == OUTCOME
    earlier = (out / "mix.wav").read_bytes()
    faderwise("mix", tiny_song, "--out", out, "--target-lufs", "-40")
    kept = sorted(name for name in names(out) if name.startswith("mix."))
    assert len(kept) == 2
    assert earlier in [(out / name).read_bytes() for name in kept]
    assert (out / "mix.wav").read_bytes() != earlier


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


# match, estimate, features


def test_a_match_finds_the_faders_of_the_mixdown(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    result = as_json(faderwise("match", tiny_song, "--out", tmp_path / "out", "--json"))
    assert names(tmp_path / "out") == OUTCOME
    assert result["domain"] == "complex"
    assert result["median_gain_db"]["drums"] == pytest.approx(-6.02, abs=0.05)
    assert result["median_gain_db"]["bass"] == pytest.approx(-3.10, abs=0.05)
    assert result["limiter_db"] == 0.0


def test_a_mixdown_may_lie_elsewhere(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    rough = tmp_path / "rough.wav"
    samples = soundfile.read(tiny_song / "mix.wav")[0]
    soundfile.write(rough, np.concatenate([np.zeros((137, 2)), samples * 0.5]), RATE, subtype="FLOAT")
    result = as_json(faderwise("match", tiny_song, "--mixdown", rough, "--out", tmp_path / "out", "--json"))
    assert result["lag_samples"] == 137
    assert result["median_gain_db"]["drums"] == pytest.approx(-12.04, abs=0.05)


def test_an_estimate_as_csv_has_the_frames_centres_and_a_column_a_bus(faderwise: Faderwise, tiny_song: Path) -> None:
    result = as_json(faderwise("estimate", tiny_song, "--out", "gains.csv", "--json"))
    with Path("gains.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    table = np.array(rows, dtype=float)
    assert head == ["time_s", "drums", "bass"]
    assert len(table) == result["n_frames"]
    np.testing.assert_allclose(table[:, 0], np.arange(len(table)) * 0.25 + 0.5)
    np.testing.assert_allclose(np.median(table[:, 1:], axis=0), [0.5, 0.7], rtol=0.01)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_an_estimate_as_npz_has_the_documented_arrays(faderwise: Faderwise, tiny_song: Path, preset: str) -> None:
    result = as_json(faderwise("estimate", tiny_song, "--preset", preset, "--out", "gains.npz", "--json"))
    n_frames = result["n_frames"]
    with np.load("gains.npz", allow_pickle=False) as arrays:
        assert arrays["time_s"].shape == arrays["fit"].shape == (n_frames,)
        assert arrays["gains"].shape == arrays["gains_raw"].shape == arrays["active"].shape == (n_frames, 2)
        assert arrays["active"].dtype == bool
        assert list(arrays["buses"]) == ["drums", "bass"]
        assert np.nanmax(arrays["fit"]) <= 1.0
    assert result["domain"] == {"default": "complex", "paper": "magnitude"}[preset]
    assert result["reason"]


@pytest.mark.parametrize("domain", ["complex", "magnitude", "power"])
def test_an_estimates_domain_may_be_chosen(faderwise: Faderwise, tiny_song: Path, domain: str) -> None:
    ran = faderwise("estimate", tiny_song, "--domain", domain, "--out", "gains.csv", "--json")
    assert as_json(ran)["domain"] == domain


@pytest.mark.parametrize(
    ("preset", "chosen", "n_features"),
    [
        ("paper", "condition1", 3),
        ("paper", "condition2", 5),
        ("default", "condition2", 5),
        ("default", "condition3", 2),
    ],
)
def test_features_as_npz_have_an_array_a_bus_and_their_names(
    faderwise: Faderwise, tiny_song: Path, preset: str, chosen: str, n_features: int
) -> None:
    words = ("--preset", preset, "--features", chosen, "--out", "features.npz", "--json")
    result = as_json(faderwise("features", tiny_song, *words))
    with np.load("features.npz", allow_pickle=False) as arrays:
        assert arrays["features_drums"].shape == arrays["features_bass"].shape == (result["n_frames"], n_features)
        assert list(arrays["feature_names"]) == result["feature_names"]
        assert arrays["time_s"].shape == (result["n_frames"],)
    assert len(result["feature_names"]) == n_features


def test_features_as_csv_have_a_column_a_bus_and_feature(faderwise: Faderwise, tiny_song: Path) -> None:
    as_json(faderwise("features", tiny_song, "--preset", "paper", "--out", "features.csv", "--json"))
    with Path("features.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head[0] == "time_s"
    assert [name.split("_")[0] for name in head[1:]] == ["drums"] * 3 + ["bass"] * 3
    assert np.isfinite(np.array(rows, dtype=float)).all()


# models


@pytest.fixture
def learned(faderwise: Faderwise, tiny_song: Path) -> str:
    assert faderwise("learn", tiny_song, "--model", "mine").code == 0
    return "mine"


def listed(faderwise: Faderwise) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in as_json(faderwise("models", "list", "--json"))["models"]}


def test_without_any_learning_there_is_the_shipped_model(faderwise: Faderwise) -> None:
    models = listed(faderwise)
    assert models["equal-level"]["shipped"] is True
    assert "equal-level" in faderwise("models", "list").out


def test_a_learned_model_is_kept_listed_shown_and_mixes(
    faderwise: Faderwise, tiny_song: Path, own_home: Path, tmp_path: Path, learned: str
) -> None:
    assert (own_home / "models" / "mine.json").is_file()
    model = listed(faderwise)[learned]
    assert model["shipped"] is False
    assert [song["title"] for song in model["songs"]] == ["tiny song"]
    assert model["songs"][0]["hashes"]["drums"].startswith("sha256:")
    shown = faderwise("models", "show", learned)
    assert "tiny song" in shown.out
    assert "presence" in shown.out
    mixed = as_json(faderwise("mix", tiny_song, "--model", learned, "--out", tmp_path / "out", "--json"))
    assert mixed["model"] == learned


def test_a_model_is_exported_removed_and_imported_again(faderwise: Faderwise, learned: str) -> None:
    shown = as_json(faderwise("models", "show", learned, "--json"))["models"][0]
    assert faderwise("models", "export", learned, "exported.json").code == 0
    json.loads(Path("exported.json").read_text(encoding="utf-8"))
    assert faderwise("models", "remove", learned).code == 0
    assert learned not in listed(faderwise)
    assert faderwise("models", "show", learned).code == 2
    assert faderwise("models", "import", "exported.json").code == 0
    assert listed(faderwise)[learned]["coefficients"] == shown["coefficients"]
    assert as_json(faderwise("models", "import", "exported.json", "--name", "ours", "--json"))["model"] == "ours"
    assert {"mine", "ours"} <= set(listed(faderwise))


def test_a_removed_model_can_be_taken_back_as_the_message_says(faderwise: Faderwise, learned: str) -> None:
    ran = faderwise("models", "remove", learned)
    file = ran.out.strip().rpartition("import ")[2]
    assert faderwise("models", "import", file).code == 0
    assert learned in listed(faderwise)


def test_one_song_is_taken_out_of_a_model(faderwise: Faderwise, learned: str) -> None:
    assert faderwise("models", "remove", learned, "--song", "tiny song").code == 0
    assert listed(faderwise)[learned]["songs"] == []
    ran = faderwise("models", "remove", learned, "--song", "tiny song")
    assert ran.code == 2
    assert "no song 'tiny song'" in ran.err


def test_a_shipped_model_stays(faderwise: Faderwise) -> None:
    for words in ((), ("--song", "any")):
        ran = faderwise("models", "remove", "equal-level", *words)
        assert (ran.code, ran.out) == (2, "")
        assert "comes with Faderwise and stays" in ran.err
    assert "equal-level" in listed(faderwise)


# How it ends


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_mix_leaves_the_earlier_outcome_and_nothing_else(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mix.wav").write_bytes(b"an earlier mix")
    process = start("mix", ROOT / "examples" / "caesium", "--out", out)
    _wait_for(lambda: any(out.glob(".faderwise-*")), process)
    process.send_signal(number)
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == ""
    assert told == "faderwise: interrupted; nothing half-written was left\n"
    assert names(out) == {"mix.wav"}
    assert (out / "mix.wav").read_bytes() == b"an earlier mix"


def test_an_interrupt_while_measuring_leaves_no_folder(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mix, "measure_mixes", interrupted)
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert (ran.code, ran.out, ran.err) == (130, "", "faderwise: interrupted; nothing half-written was left\n")
    assert not (tmp_path / "out").exists()


@posix
def test_a_reader_that_goes_away_is_no_error(start: Start) -> None:
    process = start("models", "list")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "")


def test_a_process_of_its_own_keeps_results_and_messages_apart(start: Start, tiny_song: Path, tmp_path: Path) -> None:
    samples = soundfile.read(tiny_song / "bass.wav")[0]
    soundfile.write(tiny_song / "bass.wav", samples[:RATE], RATE)
    process = start("mix", tiny_song, "--out", tmp_path / "out", "--json")
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(printed)["title"] == "tiny song"
    assert told == "faderwise: warning: bass.wav is 0.5 s shorter than the longest stem\n"


def test_a_process_of_its_own_ends_with_2_on_bad_input(start: Start) -> None:
    process = start("mix", "no such song")
    printed, told = process.communicate(timeout=60)
    assert (process.returncode, printed) == (2, "")
    assert told.count("\n") == 1
    assert "Traceback" not in told


def test_an_error_nobody_expected_is_one_line_and_1(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def break_down(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(mix, "run", break_down)
    ran = faderwise("mix", tiny_song)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "faderwise: internal error (RuntimeError: two lines); set FADERWISE_DEBUG=1 and report it\n"


def test_an_error_nobody_expected_is_traced_when_asked(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def break_down(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(mix, "run", break_down)
    monkeypatch.setenv("FADERWISE_DEBUG", "1")
    assert "Traceback" in faderwise("mix", tiny_song).err


def test_running_out_of_memory_is_told_plainly(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(mix, "run", run_out)
    ran = faderwise("mix", tiny_song)
    assert ran.code == 1
    assert "out of memory" in ran.err
