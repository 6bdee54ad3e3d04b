"""`faderwise models`: kept, listed, shown, exported, imported, removed."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from tests.analysis_server.outcomes import Faderwise, as_json


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
    for bus, change_db in model["against_default_db"].items():
        assert re.search(rf"  {bus} +1 +[+-]\d+\.\d dB +{re.escape(f'{change_db:+.1f} dB')}\n", shown.out)
    assert statistics.median(model["against_default_db"].values()) == pytest.approx(0.0, abs=1e-9)
    assert f"One more song would move the balance roughly {model['next_song_percent']:.0f} % of the way" in shown.out
    assert re.search(r"-0\.50 dB +for each dB that its RMS level exceeds its loudness", shown.out)
    assert not re.search(r"\d\.\d{3}", shown.out), "coefficients have units and two decimals"
    mixed = as_json(faderwise("mix", tiny_song, "--model", learned, "--out", tmp_path / "out", "--json"))
    assert mixed["model"] == learned


def test_a_model_of_the_papers_features_is_shown_with_units(faderwise: Faderwise, tiny_song: Path) -> None:
    assert faderwise("learn", tiny_song, "--model", "paper", "--preset", "paper").code == 0
    shown = faderwise("models", "show", "paper").out
    assert "centroid (per Hz)   rms (per full scale)   slope (per 1/Hz)" in shown
    assert "against default" not in shown


def test_bundled_models_are_shown_without_a_comparison_with_themselves(faderwise: Faderwise) -> None:
    assert re.search(r"  vocals +8 +\+0\.7 dB\n", faderwise("models", "show", "default").out)
    assert "equal-level: a fixed rule without songs" in faderwise("models", "show", "equal-level").out


def test_a_model_is_exported_removed_and_imported_again(faderwise: Faderwise, learned: str) -> None:
    shown = as_json(faderwise("models", "show", learned, "--json"))["models"][0]
    assert faderwise("models", "export", learned, "exported.json").code == 0
    json.loads(Path("exported.json").read_text(encoding="utf-8"))
    Path("other.json").write_text("mine", encoding="utf-8")
    exported = faderwise("models", "export", learned, "other.json")
    (kept,) = Path().glob("other.2*.json")
    assert f"Earlier: {kept.absolute()}" in exported.out
    assert kept.read_text(encoding="utf-8") == "mine"
    assert faderwise("models", "remove", learned).code == 0
    assert learned not in listed(faderwise)
    assert faderwise("models", "show", learned).code == 2
    assert faderwise("models", "import", "exported.json").code == 0
    assert listed(faderwise)[learned]["coefficients"] == shown["coefficients"]
    assert as_json(faderwise("models", "import", "exported.json", "--name", "ours", "--json"))["model"] == "ours"
    assert {"mine", "ours"} <= set(listed(faderwise))


def test_a_removed_model_can_be_restored_as_the_message_describes(faderwise: Faderwise, learned: str) -> None:
    ran = faderwise("models", "remove", learned)
    file = ran.out.strip().rpartition("import ")[2]
    assert faderwise("models", "import", file).code == 0
    assert learned in listed(faderwise)


def test_one_song_is_removed_from_a_model(faderwise: Faderwise, learned: str) -> None:
    assert faderwise("models", "remove", learned, "--song", "tiny song").code == 0
    assert listed(faderwise)[learned]["songs"] == []
    ran = faderwise("models", "remove", learned, "--song", "tiny song")
    assert ran.code == 2
    assert "no song 'tiny song'" in ran.err


def test_earlier_versions_are_listed_only_with_all(faderwise: Faderwise, tiny_song: Path, learned: str) -> None:
    assert faderwise("learn", tiny_song, "--model", learned, "--fresh", "--preset", "paper").code == 0
    assert set(listed(faderwise)) == {"default", "equal-level", learned}
    everything = [model["name"] for model in as_json(faderwise("models", "list", "--all", "--json"))["models"]]
    assert len(everything) == 4
    assert everything[3].startswith(f"{learned}.")
    assert everything[3] in faderwise("models", "list", "--all").out
    assert everything[3] not in faderwise("models", "list").out


def test_a_removed_model_is_listed_with_all_and_its_file(faderwise: Faderwise, own_home: Path, learned: str) -> None:
    assert faderwise("models", "remove", learned).code == 0
    assert "1 earlier or removed version: faderwise models list --all" in faderwise("models", "list").out
    everything = faderwise("models", "list", "--all").out
    assert f"{learned}.removed" in everything
    assert str(own_home / "models" / f"{learned}.removed") in everything
    names = [model["name"] for model in as_json(faderwise("models", "list", "--all", "--json"))["models"]]
    assert names == ["default", "equal-level", f"{learned}.removed"]


def test_a_bundled_model_cannot_be_removed(faderwise: Faderwise) -> None:
    for words in ((), ("--song", "any")):
        ran = faderwise("models", "remove", "equal-level", *words)
        assert (ran.code, ran.out) == (2, "")
        assert "equal-level" in ran.err
    assert "equal-level" in listed(faderwise)
