"""The comparison of balance rules on files of levels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.facts_rules import compare_rules, read_facts
from core.errors import InputError

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
