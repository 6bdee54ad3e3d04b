"""The balance of single tracks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.analysis.measure import Measurement
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.models.balance import frame_levels_lufs
from core.models.explain import TERM_MEANINGS
from core.models.model import Model
from core.models.tracks import KIT_LEVELS_DB, TrackRole, predict_tracks

FloatArray = npt.NDArray[np.float64]
MODEL = Model(name="m", preset="default", feature_set="condition3")
N_STEPS = (80 + HOPS_PER_FRAME - 1) * STEPS_PER_HOP
TRACKS = {
    "Kick In": (TrackRole("kick", "drums"), -18.0),
    "Kick Out": (TrackRole("kick", "drums"), -24.0),
    "Snare": (TrackRole("snare", "drums"), -11.0),
    "OH": (TrackRole("overheads", "drums"), -16.0),
    "Bass DI": (TrackRole("bass", "bass"), -21.0),
    "Gtr L": (TrackRole("electric guitar", "guitars"), -15.0),
    "Gtr R": (TrackRole("electric guitar", "guitars"), -17.0),
    "Lead Vox": (TrackRole("lead vocal", "vocals"), -26.0),
    "Vox Dbl": (TrackRole("vocal double", "vocals"), -20.0),
    "Whoosh": (TrackRole("fx", "fx"), -14.0),
}


def steady(levels_db: dict[str, float]) -> Measurement:
    power = 10.0 ** (np.tile(list(levels_db.values()), (N_STEPS, 1)) / 10.0)
    windows = np.lib.stride_tricks.sliding_window_view(power, STEPS_PER_HOP * HOPS_PER_FRAME, axis=0)[::STEPS_PER_HOP]
    rms = np.sqrt(windows.mean(axis=-1))
    return Measurement(title="song", buses=tuple(levels_db), sample_rate=44_100, rms=rms, step_power=power)


def mixed_lufs(changes_db: dict[str, float] | None = None) -> tuple[dict[str, float], FloatArray]:
    """Return each track's level after its predicted gain, and the gains (n_frames, n_tracks) in dB."""
    levels_db = {name: level + (changes_db or {}).get(name, 0.0) for name, (_, level) in TRACKS.items()}
    song = steady(levels_db)
    prediction = predict_tracks(MODEL, song, [role for role, _ in TRACKS.values()])
    gains_db = prediction.curves.gains_db
    np.testing.assert_allclose(prediction.explanation.contributions_db.sum(axis=2), gains_db, atol=1e-9)
    assert set(prediction.explanation.terms) <= set(TERM_MEANINGS)
    return dict(zip(TRACKS, (frame_levels_lufs(song) + gains_db)[0].tolist(), strict=True)), gains_db


def test_tracks_are_equally_loud_but_for_their_roles() -> None:
    mixed, _ = mixed_lufs()
    assert mixed["Lead Vox"] - mixed["Bass DI"] == pytest.approx(2.0)
    assert mixed["Whoosh"] - mixed["Bass DI"] == pytest.approx(-2.0)
    assert mixed["Vox Dbl"] - mixed["Bass DI"] == pytest.approx(0.0)
    assert mixed["Gtr L"] - mixed["Bass DI"] == pytest.approx(-2.0 * np.log10(2.0))
    assert mixed["Gtr L"] == pytest.approx(mixed["Gtr R"])


def test_a_drum_kit_is_placed_as_one_instrument() -> None:
    mixed, _ = mixed_lufs()
    kit = 10.0 * np.log10(sum(10.0 ** (mixed[name] / 10.0) for name in ("Kick In", "Kick Out", "Snare", "OH")))
    assert kit - mixed["Bass DI"] == pytest.approx(0.5, abs=0.05)
    assert mixed["OH"] - mixed["Snare"] == pytest.approx(KIT_LEVELS_DB["overheads"])
    kicks = 10.0 * np.log10(10.0 ** (mixed["Kick In"] / 10.0) + 10.0 ** (mixed["Kick Out"] / 10.0))
    assert kicks - mixed["Snare"] == pytest.approx(0.0, abs=1e-6)


def test_how_loud_tracks_came_does_not_matter() -> None:
    before, _ = mixed_lufs()
    after, _ = mixed_lufs({"Snare": 8.0, "Gtr L": -7.0, "Lead Vox": 3.0})
    names = list(TRACKS)
    differences = np.array([after[name] - before[name] for name in names])
    np.testing.assert_allclose(differences, differences[0], atol=1e-6)


def test_the_mix_stays_as_loud_as_the_plain_sum() -> None:
    mixed, _ = mixed_lufs()
    plain = frame_levels_lufs(steady({name: level for name, (_, level) in TRACKS.items()}))[0]
    after, before = (sum(10.0 ** (np.array(values) / 10.0)) for values in (list(mixed.values()), plain))
    assert 10.0 * np.log10(after / before) == pytest.approx(0.0, abs=1e-6)


def test_a_single_drum_track_and_a_silent_one_are_accepted() -> None:
    song = steady({"Kit": -18.0, "Vox": -24.0, "Empty": -300.0})
    roles = [TrackRole("drum kit", "drums"), TrackRole("lead vocal", "vocals"), TrackRole("snare", "drums")]
    gains_db = predict_tracks(MODEL, song, roles).curves.gains_db
    assert (gains_db[:, 2] == 0.0).all()
    levels = frame_levels_lufs(song) + gains_db
    assert levels[0, 1] - levels[0, 0] == pytest.approx(1.5)


def test_microphones_of_a_kit_have_a_wide_band() -> None:
    song = steady({name: level for name, (_, level) in TRACKS.items()})
    curves = predict_tracks(MODEL, song, [role for role, _ in TRACKS.values()]).curves
    assert curves.deviation_db is not None
    deviation = dict(zip(TRACKS, curves.deviation_db[0].tolist(), strict=True))
    assert deviation["Snare"] > 6.0
    assert deviation["Lead Vox"] < 3.5
