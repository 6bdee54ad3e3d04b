"""`faderwise match`, `estimate` and `features`: faders found, and tables of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analysis_server.paths import bundled_song
from tests.analysis_server.outcomes import OUTCOME, RATE, Faderwise, as_json, names


def test_a_match_finds_the_faders_of_the_mixdown(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    result = as_json(faderwise("match", tiny_song, "--out", tmp_path / "out", "--json"))
    assert names(tmp_path / "out") == OUTCOME
    assert result["domain"] == "complex"
    assert result["median_gain_db"]["drums"] == pytest.approx(-6.02, abs=0.05)
    assert result["median_gain_db"]["bass"] == pytest.approx(-3.10, abs=0.05)
    assert result["limiter_db"] == 0.0


def test_the_fit_of_a_mastered_mixdown_is_described_once(faderwise: Faderwise, tmp_path: Path) -> None:
    ran = faderwise("match", bundled_song(), "--out", tmp_path / "out", "--dry-run")
    assert ran.code == 0
    assert f"{ran.out}{ran.err}".count("gains explain") == 1


def test_the_level_of_a_quieter_file_is_a_note_on_the_page(faderwise: Faderwise, tmp_path: Path) -> None:
    ran = faderwise("match", bundled_song(), "--out", tmp_path / "out")
    (note,) = (line for line in ran.err.splitlines() if "quieter than the automation" in line)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    sentence = note.partition("note: ")[2].replace("-", "\N{MINUS SIGN}")
    assert f'<p class="note">{sentence}.</p>' in page


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
        ("default", "condition3", 5),
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
