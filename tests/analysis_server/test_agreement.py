"""The same figures of a run in mix, audit, edit and compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.analysis_server.outcomes import as_json

Ran = Callable[..., Any]


def test_gains_and_loudness_agree_between_mix_audit_edit_and_compare(
    faderwise: Ran, short_song_folder: Path, tmp_path: Path
) -> None:
    def result_of(*words: object) -> dict[str, Any]:
        return as_json(faderwise(*words, "--json"))

    out = tmp_path / "out"
    mixed = result_of("mix", short_song_folder, "--ride", "vocals=60", "--out", out)
    audited = result_of("audit", out)
    for track in audited["tracks"]:
        bus = mixed["buses"][track["role"]]
        assert track["gain_now_db"] == pytest.approx(bus["gain_db"], abs=0.1)
        assert track["loudness_before_lufs"] == pytest.approx(bus["loudness_before_lufs"], abs=0.1)
        assert track["loudness_now_lufs"] == pytest.approx(bus["loudness_after_lufs"], abs=0.1)
    for moment in ("before", "after"):
        assert audited["figures"][f"loudness_{moment}_lufs"] == pytest.approx(mixed[f"loudness_{moment}_lufs"], abs=0.1)
    assert audited["figures"]["true_peak_now_dbtp"] == pytest.approx(mixed["true_peak_dbtp"], abs=0.1)

    edited = result_of("edit", out, "--depth", 40, "--offset", "bass=-2", "--render")
    again = {track["role"]: track for track in result_of("audit", out)["tracks"]}
    assert set(edited["buses"]) == set(again)
    for name, gain in edited["buses"].items():
        assert gain["before_db"] == pytest.approx(mixed["buses"][name]["gain_db"], abs=0.1)
        assert gain["after_db"] == pytest.approx(again[name]["gain_now_db"], abs=0.1)

    compared = result_of("compare", f"{out}#1", out)
    for row in compared["buses"]:
        gain = edited["buses"][row["bus"]]
        assert row["first_db"] == pytest.approx(gain["before_db"], abs=0.1)
        assert row["second_db"] == pytest.approx(gain["after_db"], abs=0.1)
