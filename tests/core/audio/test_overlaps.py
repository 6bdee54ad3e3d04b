"""Files that are the sum of other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.io import AudioFile, inspect
from core.audio.song import explained_shares, open_song, parts_in

RATE = 44_100
Signals = dict[str, np.ndarray]


@pytest.fixture
def signals() -> Signals:
    names = ("Kick", "Snare", "OH", "Bass", "LeadVox")
    return {name: np.random.default_rng(i).normal(size=4 * RATE) * 0.05 for i, name in enumerate(names)}


def write(folder: Path, signals: Signals) -> list[AudioFile]:
    for name, samples in signals.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_24")
    return [inspect(folder / f"{name}.wav") for name in signals]


def test_a_sum_is_explained_by_its_parts_with_their_gains(tmp_path: Path, signals: Signals) -> None:
    files = write(tmp_path, {**signals, "Drums": 0.5 * signals["Kick"] + 0.8 * signals["Snare"]})
    shares, gains = explained_shares(files)
    assert shares[5] == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(gains[5], [0.5, 0.8, 0, 0, 0, 0], atol=1e-3)
    assert parts_in(gains[5]) == [0, 1]
    assert max(shares[2:5]) < 0.01


def test_silent_files_have_no_fit(tmp_path: Path, signals: Signals) -> None:
    files = write(tmp_path, {"Kick": signals["Kick"], "Snare": np.zeros(4 * RATE)})
    shares, _ = explained_shares(files)
    assert shares.tolist() == [0.0, 0.0]


def stem_names(folder: Path) -> dict[str, set[str]]:
    stems = open_song(folder).stems
    return {bus: {part.path.stem for part in file.parts or (file,)} for bus, file in stems.items()}


def test_a_bus_file_that_is_the_sum_of_its_tracks_is_used_instead_of_them(tmp_path: Path, signals: Signals) -> None:
    write(tmp_path, {**signals, "Drums": signals["Kick"] + 0.7 * signals["Snare"] + signals["OH"]})
    assert stem_names(tmp_path)["drums"] == {"Drums"}
    reasons = {row.path.stem: row.reason for row in open_song(tmp_path).assignment if row.bus is None}
    assert set(reasons) == {"Kick", "Snare", "OH"}
    assert all("Drums.wav" in reason for reason in reasons.values())


def test_a_track_that_is_not_in_the_bus_file_is_added_to_it(tmp_path: Path, signals: Signals) -> None:
    write(tmp_path, {**signals, "Drums": signals["Kick"] + 0.7 * signals["Snare"]})
    assert stem_names(tmp_path)["drums"] == {"Drums", "OH"}


def test_a_drum_loop_next_to_a_kit_is_summed_with_it(tmp_path: Path, signals: Signals) -> None:
    write(tmp_path, {**signals, "Drums": np.random.default_rng(9).normal(size=4 * RATE) * 0.05})
    assert stem_names(tmp_path)["drums"] == {"Drums", "Kick", "Snare", "OH"}
    assert not any("may contain" in note for note in open_song(tmp_path).warnings())


def test_a_bus_file_that_is_partly_explained_is_reported_with_the_options(tmp_path: Path, signals: Signals) -> None:
    own = np.random.default_rng(9).normal(size=4 * RATE) * 0.05
    write(tmp_path, {**signals, "Drums": signals["Kick"] + signals["Snare"] + 1.8 * own})
    (note,) = [note for note in open_song(tmp_path).warnings() if "may contain" in note]
    assert "--bus none=Drums.wav" in note
    assert "--bus none=Kick.wav --bus none=Snare.wav" in note


def test_a_sum_is_recognized_without_a_hint_in_its_name(tmp_path: Path, signals: Signals) -> None:
    vocals = {"Vox 1": signals["LeadVox"], "Vox 2": signals["OH"], "Vox 3": signals["LeadVox"] + signals["OH"]}
    write(tmp_path, {"Bass": signals["Bass"], "Kick": signals["Kick"], **vocals})
    assert stem_names(tmp_path)["vocals"] == {"Vox 3"}


def test_files_given_by_option_are_summed(tmp_path: Path, signals: Signals) -> None:
    write(tmp_path, {**signals, "Drums": signals["Kick"] + 0.7 * signals["Snare"] + signals["OH"]})
    chosen = [tmp_path / f"{name}.wav" for name in ("Kick", "Drums")]
    assert len(open_song(tmp_path, buses={"drums": chosen}).stems["drums"].parts) == 2
