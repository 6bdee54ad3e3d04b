"""`faderwise learn`: models are created from songs, stored, extended and described."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server import models
from core.analysis.measure import measure
from core.audio.song import open_song
from core.models.balance import levels_of
from core.models.model import load
from core.models.train import load_matrices

Faderwise = Callable[..., Any]
ROCK = Path(__file__).resolve().parents[1] / "golden" / "rock_condition1.npz"


@pytest.fixture
def dataset(tmp_path: Path, tiny_song: Path) -> Path:
    """A folder of two songs."""
    folder = tmp_path / "songs"
    for title in ("Amber", "Blue"):
        shutil.copytree(tiny_song, folder / title)
    return folder


def learned(faderwise: Faderwise, *words: object) -> dict[str, Any]:
    ran = faderwise("learn", *words, "--json")
    assert ran.code == 0, ran.err
    result: dict[str, Any] = json.loads(ran.out)
    return result


def test_a_song_becomes_a_model_that_is_found_by_name(faderwise: Faderwise, tiny_song: Path, own_home: Path) -> None:
    result = learned(faderwise, tiny_song, "--model", "mine")
    assert Path(result["file"]) == own_home / "models" / "mine.json"
    assert (result["learned"], result["songs"]) == (["tiny song"], ["tiny song"])
    assert (result["preset"], result["features"]) == ("default", "condition3")
    model = models.find("mine")
    assert model.named_coefficients() == result["coefficients"]
    assert list(result["coefficients"]) == ["drums", "bass"]
    assert set(model.songs[0].hashes) == {"drums", "bass", "mixdown"}


def test_a_bundled_model_is_not_replaced(faderwise: Faderwise, tiny_song: Path) -> None:
    ran = faderwise("learn", tiny_song, "--model", "default", "--json")
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["code"], error["option"]) == (2, "model", "--model")
    assert models.is_shipped("default")


def test_the_known_balance_of_a_sum_is_learned(faderwise: Faderwise, tiny_song: Path) -> None:
    """The song's faders are at 0.5 and 0.7; one song moves the offsets part of the way to its own balance."""
    rows = learned(faderwise, tiny_song, "--model", "mine")["coefficients"]
    prior = models.shipped_prior()
    levels = levels_of(measure(open_song(tiny_song)))
    output_db = levels.loudness_lufs - prior.shared["tone"] * levels.tone_db + 20.0 * np.log10([0.5, 0.7])
    error_db = (output_db[0] - output_db[1]) - (prior.offsets["drums"] - prior.offsets["bass"])
    moved_db = [rows[bus]["offset"] - prior.offsets[bus] for bus in ("drums", "bass")]
    assert 0.3 < (moved_db[0] - moved_db[1]) / error_db < 1.0


def test_learning_more_songs_adds_them_to_the_model(faderwise: Faderwise, dataset: Path) -> None:
    learned(faderwise, dataset / "Amber", "--model", "mine")
    result = learned(faderwise, dataset / "Blue", "--model", "mine")
    assert (result["learned"], result["songs"]) == (["Blue"], ["Amber", "Blue"])
    together = learned(faderwise, dataset, "--model", "both")
    assert together["coefficients"] == result["coefficients"]


def test_learning_a_song_again_does_not_change_the_model(faderwise: Faderwise, dataset: Path) -> None:
    first = learned(faderwise, dataset, "--model", "mine")
    before = Path(first["file"]).read_bytes()
    again = learned(faderwise, dataset / "Amber", "--model", "mine")
    assert again["songs"] == ["Amber", "Blue"]
    assert Path(first["file"]).read_bytes() == before


def test_fresh_starts_a_new_model_and_keeps_the_previous_file(
    faderwise: Faderwise, dataset: Path, own_home: Path
) -> None:
    before = Path(learned(faderwise, dataset / "Amber", "--model", "mine")["file"]).read_bytes()
    result = learned(faderwise, dataset / "Blue", "--model", "mine", "--fresh")
    assert result["songs"] == ["Blue"]
    assert before in [path.read_bytes() for path in (own_home / "models").iterdir()]


def test_a_dry_run_reports_everything_and_writes_nothing(faderwise: Faderwise, dataset: Path, own_home: Path) -> None:
    dry = learned(faderwise, dataset, "--model", "mine", "--dry-run")
    assert not list(own_home.rglob("mine*"))
    assert learned(faderwise, dataset, "--model", "mine") == dry


def test_a_dry_run_on_an_existing_model_does_not_change_it(faderwise: Faderwise, dataset: Path) -> None:
    file = Path(learned(faderwise, dataset / "Amber", "--model", "mine")["file"])
    before = file.read_bytes()
    assert learned(faderwise, dataset / "Blue", "--model", "mine", "--dry-run")["songs"] == ["Amber", "Blue"]
    assert file.read_bytes() == before


def test_songs_and_folders_of_songs_may_be_mixed(faderwise: Faderwise, dataset: Path, tiny_song: Path) -> None:
    assert learned(faderwise, tiny_song, dataset, "--model", "mine")["songs"] == ["Amber", "Blue", "tiny song"]


def test_a_model_may_be_a_file_of_ones_own(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    learned(faderwise, tiny_song, "--model", tmp_path / "models of mine" / "one.json")
    assert load(tmp_path / "models of mine" / "one.json").name == "one"


def test_two_songs_of_one_title_are_refused(
    faderwise: Faderwise, dataset: Path, tiny_song: Path, tmp_path: Path, own_home: Path
) -> None:
    shutil.copytree(tiny_song, tmp_path / "others" / "Blue")
    ran = faderwise("learn", dataset, tmp_path / "others", "--model", "mine")
    assert ran.code == 2
    assert "'Blue'" in ran.err
    assert not list(own_home.rglob("mine*"))


def test_one_song_without_a_mixdown_keeps_the_model_from_being_written(
    faderwise: Faderwise, dataset: Path, own_home: Path
) -> None:
    (dataset / "Blue" / "mix.wav").unlink()
    ran = faderwise("learn", dataset, "--model", "mine")
    assert ran.code == 2
    assert "Blue: no mixdown found" in ran.err
    assert not list(own_home.rglob("mine*"))


def test_songs_of_an_album_are_stored_as_related_and_count_less(faderwise: Faderwise, dataset: Path) -> None:
    related = learned(faderwise, dataset, "--model", "related", "--album", "Night Drive")
    unrelated = learned(faderwise, dataset, "--model", "unrelated")
    assert [song.album for song in models.find("related").songs] == ["Night Drive"] * 2
    assert [song.album for song in models.find("unrelated").songs] == [""] * 2
    prior = models.shipped_prior().offsets
    moved = [
        abs(rows["drums"]["offset"] - prior["drums"] - rows["bass"]["offset"] + prior["bass"])
        for rows in (related["coefficients"], unrelated["coefficients"])
    ]
    assert moved[0] < moved[1]


def test_songs_mixed_by_others_are_followed_more_slowly(faderwise: Faderwise, tiny_song: Path) -> None:
    others = learned(faderwise, tiny_song, "--model", "artist", "--mixed-by", "others")
    mine = learned(faderwise, tiny_song, "--model", "mine")
    assert models.find("artist").songs[0].by_others
    assert 0.0 < others["next_song_percent"] < mine["next_song_percent"]


@pytest.mark.parametrize("option", [("--album", "Night Drive"), ("--mixed-by", "others")])
def test_the_papers_regression_has_no_related_songs(
    faderwise: Faderwise, tiny_song: Path, option: tuple[str, str]
) -> None:
    ran = faderwise("learn", tiny_song, "--model", "mine", "--preset", "paper", *option)
    assert ran.code == 2
    assert option[0] in ran.err


def test_a_model_of_other_features_is_not_added_to(faderwise: Faderwise, dataset: Path) -> None:
    learned(faderwise, dataset, "--model", "mine")
    ran = faderwise("learn", dataset, "--model", "mine", "--preset", "paper")
    assert ran.code == 2
    assert "is made of preset default, condition3; learn under another name, or with --fresh" in ran.err


@pytest.mark.parametrize(("features", "n_features"), [("condition1", 3), ("condition2", 5)])
def test_the_papers_sets_give_its_coefficients(
    faderwise: Faderwise, tiny_song: Path, features: str, n_features: int
) -> None:
    result = learned(faderwise, tiny_song, "--model", "mine", "--preset", "paper", "--features", features)
    for row in result["coefficients"].values():
        assert len(row) == n_features
        assert min(row.values()) >= 0.0


def test_condition_1_is_learned_from_matrices(faderwise: Faderwise) -> None:
    result = learned(faderwise, ROCK, "--model", "rock", "--preset", "paper")
    assert len(result["songs"]) == 7
    songs = load_matrices(ROCK)
    features = np.concatenate([song.features["bass"] for song in songs])
    gains = np.concatenate([song.gains[:, song.column("bass")] for song in songs])
    coefficients = np.array(list(result["coefficients"]["bass"].values()))
    slope_of_error = features.T @ (features @ coefficients - gains)
    length = np.linalg.norm(features, axis=0) * np.linalg.norm(gains)
    assert (coefficients >= 0.0).all()
    assert (slope_of_error / length > -1e-9).all()  # no coefficient would gain by growing
    np.testing.assert_allclose(slope_of_error * coefficients / (gains @ gains), 0.0, atol=1e-9)


def test_levels_of_condition_3_are_learned_from_matrices(faderwise: Faderwise) -> None:
    result = learned(faderwise, ROCK, "--model", "rock")
    assert (result["preset"], result["features"], len(result["songs"])) == ("default", "condition3", 7)
    assert result["coefficients"]["vocals"]["offset"] > result["coefficients"]["drums"]["offset"]


def test_no_other_features_are_learned_from_matrices(faderwise: Faderwise) -> None:
    ran = faderwise("learn", ROCK, "--model", "rock", "--preset", "paper", "--features", "condition2")
    assert ran.code == 2
    assert "use --preset paper --features condition1, or --preset default" in ran.err


def test_mix_follows_a_learned_song_part_of_the_way(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    """One song moves a balance part of the way to its own."""
    learned(faderwise, tiny_song, "--model", "mine")
    own = json.loads(faderwise("match", tiny_song, "--out", tmp_path / "a", "--dry-run", "--json").out)
    on_the_way = json.loads(
        faderwise("mix", tiny_song, "--model", "mine", "--out", tmp_path / "b", "--dry-run", "--json").out
    )
    shipped = json.loads(faderwise("mix", tiny_song, "--out", tmp_path / "c", "--dry-run", "--json").out)

    def difference_db(result: dict[str, Any]) -> float:
        return float(result["median_gain_db"]["drums"] - result["median_gain_db"]["bass"])

    assert difference_db(own) == pytest.approx(20.0 * np.log10(0.5 / 0.7), abs=0.1)
    towards_db = np.sign(difference_db(own) - difference_db(shipped))
    moved_db = difference_db(on_the_way) - difference_db(shipped)
    assert 0.1 < moved_db * towards_db <= abs(difference_db(own) - difference_db(shipped))


def test_a_missing_mixdown_and_a_file_that_is_no_song_are_reported_first(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.md").write_text("notes")
    (tiny_song / "mix.wav").unlink()
    for arguments, facts in (
        (("learn", tiny_song, "--model", "x"), ("no mixdown found",)),
        (("match", tiny_song), ("no mixdown found",)),
        (("evaluate", tiny_song.parent), ("no mixdown found",)),
        (("learn", tmp_path / "notes.md", "--model", "x"), ("notes.md: is neither a folder of audio files nor a",)),
        (("mix", tmp_path / "notes.md"), ("notes.md: is neither a folder of audio files nor a",)),
        (
            ("mix", tiny_song, "--like", tmp_path / "notes.md"),
            ("--like", "is neither a project nor a folder"),
        ),
    ):
        ran = faderwise(*arguments)
        assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1), arguments
        assert [fact for fact in facts if fact not in ran.err] == []


@pytest.mark.parametrize("name", ["rough.wav", "ref 2.wav"])
def test_a_likely_mixdown_is_named_and_learned_from_with_its_option(
    faderwise: Faderwise, tiny_song: Path, name: str
) -> None:
    (tiny_song / "mix.wav").rename(tiny_song / name)
    option = f"if it is {name}, add --mixdown {shlex.quote(name)}"
    assert option in faderwise("match", tiny_song).err
    assert option in faderwise("learn", tiny_song, "--model", "x").err
    assert f"if it is {name}, rename it to mix.wav" in faderwise("evaluate", tiny_song).err
    ran = faderwise("learn", tiny_song, "--mixdown", name, "--model", "x")
    assert (ran.code, name in ran.err) == (0, False)
    ran = faderwise("learn", tiny_song, "--mixdown", "other.wav", "--model", "x")
    assert (ran.code, "--mixdown: other.wav: no such file" in ran.err) == (2, True)


def test_a_mixdown_is_chosen_for_one_song_only(faderwise: Faderwise, dataset: Path) -> None:
    ran = faderwise("learn", dataset, "--mixdown", "mix.wav", "--model", "x")
    assert (ran.code, "--mixdown: is for a single song" in ran.err) == (2, True)


def test_a_missing_mixdown_is_reported_before_any_song_is_learned(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_song, tmp_path / "set" / "a")
    shutil.copytree(tiny_song, tmp_path / "set" / "b")
    (tmp_path / "set" / "b" / "mix.wav").unlink()
    monkeypatch.setattr("analysis_server.training.learn_song", None)
    for verb in (("learn", "--model", "x"), ("evaluate",)):
        ran = faderwise(verb[0], tmp_path / "set", *verb[1:])
        assert (ran.code, ran.out) == (2, "") and f"{Path('set', 'b')}: no mixdown found" in ran.err


def test_songs_of_one_name_are_refused_before_any_is_opened(faderwise: Faderwise, dataset: Path) -> None:
    ran = faderwise("learn", dataset, dataset / "Blue", "--model", "x")
    assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1)
    assert "two songs have the name 'Blue'" in ran.err


def test_a_song_that_was_learned_under_another_name_is_reported(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_song, tmp_path / "copy")
    for stem in (tmp_path / "copy").glob("*.wav"):
        samples, rate = soundfile.read(stem)
        soundfile.write(stem.with_suffix(".flac"), samples, rate, subtype="PCM_24")
        stem.unlink()
    assert "same stems" not in faderwise("learn", tiny_song, "--model", "mine").err
    again = faderwise("learn", tiny_song, "--model", "mine")
    assert "Learned 1 song (replaced: tiny song); mine now contains 1 song." in again.out
    assert "same stems" not in again.err
    ran = faderwise("learn", tmp_path / "copy", "--model", "mine")
    assert "copy has the same stems as tiny song, so the song counts twice" in ran.err
