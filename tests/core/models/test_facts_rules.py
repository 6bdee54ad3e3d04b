"""The comparison of balance rules on files of levels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nested
from benchmarks.facts_rules import compare_rules, predicted, read_facts
from benchmarks.nested import BAND_SHARES, bands
from core.errors import InputError
from core.models.predict import KIT_LEVELS_DB

ROOT = Path(__file__).resolve().parents[3]
HEADER = "set,producer,song,source,bus,role,stem,loudness_lufs,tone_db"


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "facts.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_buses_and_single_stems_are_compared_separately(tmp_path: Path) -> None:
    rows = [f"s,p{p},song,x,{bus},{bus},(bus),{-20 - p},-1" for p in (1, 2) for bus in ("drums", "bass", "vocals")]
    rows += [f"s,p{p},song,x,{bus},{bus},{bus}.wav,{-20 - p},-1" for p in (1, 2) for bus in ("drums", "bass", "vocals")]
    found = compare_rules(read_facts(written(tmp_path, *rows)))
    for kind in ("buses", "stems"):
        assert found[kind]["songs"] == found[kind]["producers"] == 2
        assert set(found[kind]["rules"]) == {"plain", "loudness", "ours"}
        assert found[kind]["rules"]["plain"] == {
            "mean": 0.0,
            "against_plain": [0.0, 0.0, 0.0],
            "against_loudness": [0.0, 0.0, 0.0],
            "worst": 0.0,
        }
        assert found[kind]["rules"]["ours"]["mean"] > 0.0


def test_missing_values_and_unknown_roles_are_accepted(tmp_path: Path) -> None:
    rows = ["s,p,song,x,,,,-20,", "s,p,song,x,melody,???,a.wav,-21,nan", "s,p,song,x,melody,,b.wav,n/a,-1"]
    rows += ["s,p,song,x,vocals,,Lead Vox.wav,-18,-2", "s,p,two entries,x,bass,bass,c.wav,-18,-2"]
    facts = read_facts(written(tmp_path, *rows))
    (song,) = facts["stems"]
    assert len(song.buses) == 3
    assert song.buses[2] == "vocals"
    assert compare_rules(facts)["stems"]["rules"]["ours"]["mean"] > 0.0


def test_learning_is_reported_for_producers_with_several_songs(tmp_path: Path) -> None:
    levels = {"drums": -20.0, "bass": -26.0, "vocals": -14.0}
    rows = [f"s,p,song {n},x,{bus},{bus},(bus),{level},0" for n in range(3) for bus, level in levels.items()]
    learned = compare_rules(read_facts(written(tmp_path, *rows)))["buses"]["rules"]["ours_learned"]
    assert learned["songs"] == 3
    assert learned["against_ours"][0] < -1.0


def test_a_song_in_two_collections_is_not_evidence_for_itself(tmp_path: Path) -> None:
    levels = {"drums": -20.0, "bass": -26.0, "vocals": -14.0}
    rows = [f"{name},p,song,x,{bus},{bus},(bus),{level},0" for name in "ab" for bus, level in levels.items()]
    found = compare_rules(read_facts(written(tmp_path, *rows)))["buses"]
    assert (found["songs"], found["producers"]) == (1, 1)
    assert "ours_learned" not in found["rules"]


def test_songs_that_are_marked_unusable_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    rows = [f"p,{song},{bus},-20,{usable}" for song, usable in (("a", "yes"), ("b", "no")) for bus in ("x", "y", "z")]
    path.write_text("\n".join(["producer,song,bus,loudness_lufs,usable", *rows]) + "\n")
    assert [song.title for song in read_facts(path)["buses"]] == ["a"]


def test_a_kit_is_one_instrument_in_the_comparison_of_rules_as_well(tmp_path: Path) -> None:
    drums = {"kick": 0.0, "snare": 0.0, "hats": KIT_LEVELS_DB["hihat"]}
    rows = [f"s,p,song,x,drums,{role},{role}.wav,{-20 + level},0" for role, level in drums.items()]
    rows += [f"s,p,song,x,bass,bass,bass.wav,{-18},0"]
    (song,) = read_facts(written(tmp_path, *rows))["stems"]
    gains, deviation = predicted(song, tracks=True)
    np.testing.assert_allclose(gains[:3], gains[0])
    assert (deviation[:3] > deviation[3]).all()


def test_bands_are_chosen_to_contain_their_share_of_the_entries(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scales = {"bass": 2.0, "guitars": 4.0, "keys": 8.0, "vocals": 2.0}
    rows = [
        f"s,p{p},song,x,{bus},{bus},{bus}.wav,{rng.normal(-20.0, scale)},0"
        for p in range(40)
        for bus, scale in scales.items()
    ]
    facts = read_facts(written(tmp_path, *rows))
    found = bands({"facts.csv": facts["stems"]}, "stems")
    assert found["shares"]["facts.csv"]["chosen"] == pytest.approx(BAND_SHARES["stems"], abs=0.04)
    assert found["chosen_db"]["keys"] > found["chosen_db"]["guitars"] > found["chosen_db"]["bass"]


def test_a_file_without_levels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError):
        read_facts(path)


def test_the_command_prints_json_for_the_shared_facts(shared: Path) -> None:
    facts = shared / "facts" / "more_balance_facts.csv"
    if not facts.is_file():
        pytest.skip(f"needs {facts}, which is not part of the repository")
    command = [sys.executable, "benchmarks/balance_facts.py", "--facts", str(facts), "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    found = json.loads(done.stdout)
    assert found["buses"]["rules"]["ours"]["against_plain"][0] < 0.0
    assert found["stems"]["rules"]["ours"]["against_plain"][0] <= -0.5
    assert found["stems"]["rules"]["ours"]["against_loudness"][0] <= 0.0
    assert 0.75 <= found["buses"]["band_80_coverage"]["all"] <= 0.85
    assert 0.75 <= found["stems"]["band_80_coverage"]["all"] <= 0.85


def test_learning_an_artists_songs_helps_on_the_shared_levels_of_medleydb(shared: Path) -> None:
    path = shared / "facts" / "medleydb_levels.csv"
    if not path.is_file():
        pytest.skip(f"needs {path}, which is not part of the repository")
    found = compare_rules(read_facts(path))["stems"]
    assert found["rules"]["ours_learned"]["against_ours"][0] < -0.1
    assert 0.75 <= found["band_80_coverage"]["all"] <= 0.85


def test_the_constants_for_buses_are_chosen_without_a_file_of_single_tracks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["nested.py", "--facts", "benchmarks/balance_facts.csv"])
    assert nested.main() == 0
    printed = capsys.readouterr()
    assert "no single tracks" in printed.err
    assert "| buses, balance_facts.csv |" in printed.out
