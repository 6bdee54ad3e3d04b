"""`faderwise evaluate`: the paper's tables and figures, on the paper's songs and on one's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server import models
from analysis_server.paths import bundled_song
from core.audio.song import open_song
from core.gains.estimate import estimate
from core.models.evaluate import EvaluationSong, balance_error_db
from core.models.predict import predict_explained
from tests.analysis_server.outcomes import as_json

Faderwise = Callable[..., Any]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FOUR_BUS_SONGS = ("caesium_a", "caesium_b", "falcon69", "sodium")
KEYS = {"buses", "songs", "mean", "std", "balance_db", "baselines"}
BUSES = ["drums", "bass", "melody", "vocals"]


def result_of(faderwise: Faderwise, *words: object) -> dict[str, Any]:
    return as_json(faderwise("evaluate", *words, "--json"))


# The paper's numbers


@pytest.mark.parametrize("condition", ["condition1", "condition2"])
def test_four_songs_give_the_originals_errors(
    faderwise: Faderwise, shared: Path, tmp_path: Path, condition: str
) -> None:
    for title in FOUR_BUS_SONGS:
        shutil.copytree(shared / "songs" / title, tmp_path / "four" / title)
    result = result_of(faderwise, tmp_path / "four", "--preset", "paper", "--features", condition)
    expected = json.loads((GOLDEN / "evaluate.json").read_text())[condition]
    assert set(result["songs"]) == set(expected)
    for title, row in expected.items():
        for bus, mse in row.items():
            assert result["songs"][title][bus] == pytest.approx(mse, rel=1e-6), (title, bus)


def test_the_authors_matrices_give_the_originals_errors_and_no_preset_need_be_named(faderwise: Faderwise) -> None:
    result = result_of(faderwise, GOLDEN / "rock_condition1.npz")
    expected = json.loads((GOLDEN / "evaluate.json").read_text())["rock_condition1"]
    assert set(result) >= KEYS
    assert (result["preset"], result["features"], result["buses"]) == ("paper", "condition1", BUSES)
    for title, row in expected.items():
        assert result["songs"][title] == pytest.approx(row, rel=1e-6), title
    for bus in BUSES:
        values = [row[bus] for row in expected.values()]
        assert result["mean"][bus] == pytest.approx(np.mean(values), rel=1e-6)
        assert result["std"][bus] == pytest.approx(np.std(values, ddof=1), rel=1e-6)
    assert np.mean(list(result["balance_db"].values())) == pytest.approx(5.90, abs=5e-3)


def test_the_simple_rules_are_listed_with_the_prediction(faderwise: Faderwise) -> None:
    baselines = result_of(faderwise, GOLDEN / "rock_condition1.npz")["baselines"]
    assert len(baselines) == 12
    for rule in baselines.values():
        assert list(rule["mse"]) == BUSES
    assert baselines["oracle (one gain a song)"]["balance_db"] == 0.0
    assert baselines["equal RMS level"]["balance_db"] == pytest.approx(2.09, abs=5e-3)
    assert np.mean(list(baselines["unity gain"]["mse"].values())) == pytest.approx(1.285, abs=5e-4)


# One's own songs


def test_a_song_that_lacks_a_bus_counts_for_the_buses_it_has(evaluated: tuple[Path, dict[str, Any]]) -> None:
    result = evaluated[1]
    assert set(result) >= KEYS
    assert result["buses"] == BUSES
    assert list(result["songs"]["caesium: $2"]) == BUSES[:3]
    assert list(result["songs"]["Caesium, first part"]) == BUSES
    assert result["mean"]["vocals"] == result["songs"]["Caesium, first part"]["vocals"]
    assert result["std"]["vocals"] == 0.0


def test_the_default_preset_is_evaluated_as_it_mixes(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, excerpts)
    assert (result["preset"], result["features"]) == ("default", "condition3")
    assert all(value is not None and 0.0 <= value < 12.0 for value in result["balance_db"].values())
    assert any("first part" in warning for warning in result["warnings"])


@pytest.fixture
def own_songs(tmp_path: Path, tiny_song: Path) -> Path:
    """Four songs of one balance whose stems have different levels, as sessions have."""
    for number, scale_db in enumerate((0.0, -4.0, 3.0, 6.0)):
        folder = tmp_path / "own" / f"song {number}"
        shutil.copytree(tiny_song, folder)
        drums, rate = soundfile.read(folder / "drums.wav")
        soundfile.write(folder / "drums.wav", drums * 0.5 * 10.0 ** (scale_db / 20.0), rate, subtype="FLOAT")
    return tmp_path / "own"


def test_each_song_is_tested_on_the_model_that_learn_makes_of_the_others(faderwise: Faderwise, own_songs: Path) -> None:
    result = result_of(faderwise, own_songs)
    titles = sorted(path.name for path in own_songs.iterdir())
    for title in titles:
        others = [own_songs / other for other in titles if other != title]
        assert faderwise("learn", *others, "--model", f"without {title}").code == 0
        found = estimate(open_song(own_songs / title))
        errors_db = []
        for model in (models.find(f"without {title}"), models.bundled_default()):
            written = predict_explained(model, found.measurement).curves
            song = EvaluationSong(
                title=title, buses=written.buses, features={}, gains=found.curves.gains, rms=found.measurement.rms
            )
            errors_db.append(balance_error_db(song, written.gains))
        assert result["balance_db"][title] == pytest.approx(errors_db[0], abs=1e-6)
        assert result["balance_db_of"]["default"][title] == pytest.approx(errors_db[1], abs=1e-6)
    assert max(result["balance_db"].values()) < 0.5 * min(result["balance_db_of"]["default"].values())


def test_there_is_no_verdict_on_songs_that_were_learned(faderwise: Faderwise, own_songs: Path) -> None:
    plain, both = result_of(faderwise, own_songs), result_of(faderwise, own_songs, "--test-on", own_songs)
    assert both["comparisons"] == {} and plain["comparisons"]
    assert both["verdict"].startswith("No verdict: the model has learned all of the tested songs")
    assert set(both["balance_db"]) == set(plain["balance_db"])
    assert np.mean(list(both["balance_db"].values())) < np.mean(list(plain["balance_db"].values()))


def test_songs_that_were_learned_are_not_tested_among_others(
    faderwise: Faderwise, own_songs: Path, tmp_path: Path
) -> None:
    for title in ("song 0", "song 1"):
        shutil.copytree(own_songs / title, tmp_path / "learned" / title)
    result = result_of(faderwise, tmp_path / "learned", "--test-on", own_songs)
    assert list(result["balance_db"]) == ["song 2", "song 3"]
    assert result["comparisons"]["default"]["n_songs"] == 2
    assert any(text.startswith("song 0, song 1: not tested") for text in result["warnings"])


def test_copies_of_a_song_count_once(faderwise: Faderwise, own_songs: Path) -> None:
    alone = result_of(faderwise, own_songs)
    shutil.copytree(own_songs / "song 1", own_songs / "song 1, copy")
    result = result_of(faderwise, own_songs)
    assert "song 1, copy: left out, because it has the same stems as song 1" in result["warnings"]
    for field in ("verdict", "comparisons", "songs", "balance_db_of"):
        assert result[field] == alone[field], field


def test_copies_of_one_song_are_too_few(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    for title in ("song", "copy"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    assert "two different songs" in refused(faderwise, tmp_path / "two")


def test_a_song_of_the_default_model_is_tested_without_it(faderwise: Faderwise, own_songs: Path) -> None:
    shutil.copytree(bundled_song(), own_songs / "bundled")
    result = result_of(faderwise, own_songs)
    assert any(note.startswith("bundled: learned by the default model") for note in result["notes"])
    measured = estimate(open_song(own_songs / "bundled"))
    default = models.bundled_default()
    (title,) = [song.title for song in default.songs if song.source != "matrices"]
    gains = predict_explained(default.without_song(title), measured.measurement).curves.gains
    song = EvaluationSong(
        title="bundled",
        buses=measured.curves.buses,
        features={},
        gains=measured.curves.gains,
        rms=measured.measurement.rms,
    )
    assert result["balance_db_of"]["default"]["bundled"] == pytest.approx(balance_error_db(song, gains), abs=1e-6)


def test_songs_of_other_engineers_are_followed_more_slowly(faderwise: Faderwise, own_songs: Path) -> None:
    mine, others = (result_of(faderwise, own_songs, "--mixed-by", who)["balance_db"] for who in ("me", "others"))
    assert all(mine[title] < others[title] for title in mine)
    assert faderwise("evaluate", own_songs, "--mixed-by", "others", "--preset", "paper").code == 2


def test_songs_to_test_on_may_be_others(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, GOLDEN / "rock_condition1.npz", "--test-on", excerpts)
    assert set(result["songs"]) == {"Caesium, first part", "caesium: $2"}
    assert result["trained_on"] == str(GOLDEN / "rock_condition1.npz")


def test_matrices_may_be_tested_on_too(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, excerpts, "--preset", "paper", "--test-on", GOLDEN / "rock_condition1.npz")
    assert len(result["songs"]) == 7


def test_a_song_tested_on_itself_is_predicted_by_its_own_model(faderwise: Faderwise, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0.5, 1.5, (4000, 3))
    arrays = {
        "buses": np.array(["bass"]),
        "songs": np.array(["a"]),
        "song_starts": np.array([0, 4000]),
        "gains": np.full((4000, 1), 0.5),
        "features_bass": np.column_stack([np.full(4000, 2.0), features[:, 1:]]),
    }
    np.savez(tmp_path / "one.npz", **arrays)
    result = result_of(faderwise, tmp_path / "one.npz", "--test-on", tmp_path / "one.npz")
    fade_in = 0.25 * (0.81 ** np.arange(1, 4001)).mean()
    assert result["songs"]["a"]["bass"] == pytest.approx(fade_in, rel=1e-6)


def test_the_table_on_the_terminal_has_a_line_a_song_and_a_rule(faderwise: Faderwise) -> None:
    ran = faderwise("evaluate", GOLDEN / "rock_condition1.npz")
    assert "Purling Hiss - Lolita" in ran.out
    assert "  mean  " in ran.out
    assert "  std  " in ran.out
    assert "equal RMS level, gated" in ran.out
    assert "level per bus: each bus at the mean RMS level" in ran.out


def test_squared_errors_are_printed_where_they_are_asked_for(faderwise: Faderwise, own_songs: Path) -> None:
    brief, whole = (faderwise("evaluate", own_songs, *options).out for options in ((), ("--mse",)))
    assert "MSE" not in brief and "balance error" in brief
    assert whole.startswith(brief.rstrip())
    assert "MSE, mean" in whole


# Refusals


def refused(faderwise: Faderwise, *words: object) -> str:
    ran = faderwise("evaluate", *words, "--json")
    assert ran.code == 2
    (line,) = ran.err_lines
    return str(line)


def test_a_single_song_is_refused(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_song, tmp_path / "one" / "song")
    line = refused(faderwise, tmp_path / "one")
    assert "at least two different songs" in line and "--test-on" in line


def test_a_folder_without_songs_is_refused(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no song folders found" in refused(faderwise, tmp_path / "empty")


def test_a_damaged_song_is_named_and_no_file_is_written(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    for title in ("good", "bad"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    bass = tmp_path / "two" / "bad" / "bass.wav"
    bass.write_bytes(bass.read_bytes()[:5000])
    assert str(bass) in refused(faderwise, tmp_path / "two", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_song_without_a_mixdown_is_named(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    for title in ("good", "bad"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    (tmp_path / "two" / "bad" / "mix.wav").unlink()
    assert "bad: no mixdown found" in refused(faderwise, tmp_path / "two")


def test_all_songs_without_a_mixdown_are_named_in_one_line(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    for title in ("good", "bad", "worse"):
        shutil.copytree(tiny_song, tmp_path / "all" / title)
    (tmp_path / "all" / "bad" / "mix.wav").unlink()
    (tmp_path / "all" / "worse" / "mix.wav").rename(tmp_path / "all" / "worse" / "rough.wav")
    names = f"{tmp_path / 'all' / 'bad'} and {tmp_path / 'all' / 'worse'}"
    for command in (("evaluate", tmp_path / "all"), ("learn", tmp_path / "all", "--model", "mine")):
        ran = faderwise(*command)
        assert ran.code == 2
        (line,) = ran.err_lines
        assert f"of {names}; add each one as mix.wav" in line and str(Path("worse", "rough.wav")) in line


def test_several_songs_and_folders_of_songs_are_one_dataset(faderwise: Faderwise, own_songs: Path) -> None:
    parts = sorted(path for path in own_songs.iterdir() if path.is_dir())
    together = as_json(faderwise("evaluate", own_songs, "--json"))
    apart = as_json(faderwise("evaluate", *parts, "--json"))
    assert apart == together
    assert "cannot be combined" in refused(faderwise, own_songs, GOLDEN / "rock_condition1.npz")
    assert f"two songs have the name '{parts[0].name}'" in refused(faderwise, own_songs, parts[0])


@pytest.mark.parametrize(
    "words", [("--features", "condition2"), ("--preset", "default", "--features", "condition1")], ids=" ".join
)
def test_matrices_contain_no_other_features(faderwise: Faderwise, words: tuple[str, ...]) -> None:
    errors = refused(faderwise, GOLDEN / "rock_condition1.npz", *words)
    assert "use --preset paper --features condition1, or --preset default" in errors


def test_the_default_preset_is_better_than_the_papers_on_its_own_matrices(faderwise: Faderwise) -> None:
    ours = result_of(faderwise, GOLDEN / "rock_condition1.npz", "--preset", "default")
    assert (ours["preset"], ours["features"]) == ("default", "condition3")
    assert np.mean(list(ours["default"]["mse"].values())) <= 0.45
    assert (
        ours["default"]["balance_db"]
        < ours["baselines"]["equal RMS level"]["balance_db"]
        < ours["baselines"]["unity gain"]["balance_db"]
    )


def test_an_output_folder_whose_place_a_file_takes_is_refused(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "taken" in refused(faderwise, GOLDEN / "rock_condition1.npz", "--out", tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
