"""`faderwise match|learn SESSION.RPP`: fader moves recovered, and faders learned from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.rpp.project import read_project
from tests.project_verbs.reading import heard_gain
from tests.project_verbs.sessions import moving_gains, render, run, with_faders
from tests.session_media import ROLES, STEMS


def test_match_uses_a_mixdown_next_to_the_project(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gains = moving_gains(soundfile.info(STEMS / "drums.flac").frames)
    render(small.with_name("Song.wav"), gains)
    code, result, errors = run(capsys, "match", str(small))
    assert code == 0, errors
    assert result["fit"] > 0.99  # type: ignore[operator]
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    time_s = np.arange(3.0, 22.0, 0.5)
    for track, role in zip(read_project(small).tracks, ROLES, strict=True):
        error_db = 20 * np.log10(
            heard_gain(content, track, time_s) / np.interp(time_s * 44_100, np.arange(len(gains[role])), gains[role])
        )
        assert np.median(np.abs(error_db)) < 0.3


def test_match_without_a_mixdown_is_an_error(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "match", str(small))
    assert (code, errors.count("\n")) == (2, 1)
    assert "no mixdown found" in errors


def test_learning_from_faders_equals_learning_from_their_mixdown(
    small: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_faders(small)
    before = small.read_bytes()
    render(small.with_name("Song.wav"), moving_gains(soundfile.info(STEMS / "drums.flac").frames))
    learned = {}
    for truth in ("faders", "mixdown"):
        code, _, errors = run(capsys, "learn", str(small), "--from", truth, "--model", truth, "--preset", "paper")
        assert code == 0, errors
        code, mixed, errors = run(capsys, "mix", str(STEMS), "--model", truth, "--dry-run")
        assert code == 0, errors
        learned[truth] = mixed["median_gain_db"]
    model = json.loads((home / "models" / "faders.json").read_text())
    assert (model["songs"][0]["source"], model["songs"][0]["domain"], model["songs"][0]["title"]) == (
        "faders",
        "faders",
        "Song",
    )
    medians = {role: 20 * np.log10(np.median(gain)) for role, gain in moving_gains(24 * 44_100).items()}
    error_db = {role: abs(learned["faders"][role] - medians[role]) for role in ROLES}  # type: ignore[index]
    assert max(error_db.values()) < 2.5
    assert small.read_bytes() == before


def test_faders_are_the_exact_truth(small: Path) -> None:
    from analysis_server.sources.project import opened_session
    from analysis_server.training import fader_curves
    from core.analysis.measure import measure
    from core.progress import no_progress

    with_faders(small)
    with opened_session(str(small), no_progress) as opened:
        curves = fader_curves(opened, measure(opened.song), as_paper=False)
        folder = opened.song.stems["drums"].path.parent
    gains = moving_gains(24 * 44_100)
    for number, bus_role in enumerate(curves.buses):
        wanted = gains[bus_role][np.round(curves.time_s * 44_100).astype(int)]
        np.testing.assert_allclose(curves.gains[:, number], wanted, rtol=1e-4)
    assert not folder.exists()  # the summed stems were deleted
