"""Polylines are fitted to hops: properties that hold for any signals, on tiny synthetic ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.gram import hop_moments
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP, sum_over_frames
from core.gains.least_squares import WIDEST_DB, FittedGains, fit_gains, normal_equations

Array = npt.NDArray[np.float64]
N_FRAMES = 24
N_HOPS = N_FRAMES + HOPS_PER_FRAME - 1
STEP = 60
few = settings(max_examples=25)
seeds = st.integers(0, 2**31)


def stems(seed: int, n_stems: int = 3) -> Array:
    return np.random.default_rng(seed).normal(size=(n_stems, N_HOPS * STEPS_PER_HOP * STEP))


def polyline(seed: int, n_stems: int = 3) -> Array:
    """Return gains at the hops' borders, shape (n_stems, N_HOPS + 1)."""
    turns = np.random.default_rng(seed + 1).uniform(0.3, 1.0, (n_stems, 4))
    return np.stack([np.interp(np.linspace(0, 3, N_HOPS + 1), np.arange(4), row) for row in turns])


def mixed(signals: Array, knots: Array) -> Array:
    time = np.arange(signals.shape[1]) / (STEPS_PER_HOP * STEP)
    gains = np.stack([np.interp(time, np.arange(N_HOPS + 1), row) for row in knots])
    return np.asarray((signals * gains).sum(axis=0))


def fitted(signals: Array, mixdown: Array, *, known: npt.NDArray[np.bool_] | None = None) -> FittedGains:
    everything = np.concatenate([signals, mixdown[None]])
    steps = everything.reshape(len(everything), -1, STEP).swapaxes(0, 1)
    moments = hop_moments(steps @ steps.swapaxes(1, 2))
    k = len(signals)
    return fit_gains(
        moments,
        normal_equations(sum_over_frames(moments[:, 0]), k),
        "complex",
        known=np.ones(N_HOPS, bool) if known is None else known,
        active=sum_over_frames(np.einsum("hii->hi", moments[:, 0])[:, :k]) > 0.0,
    )


def at_centres(knots: Array) -> Array:
    """Return the polyline at the frames' centres, shape (N_FRAMES, n_stems)."""
    return knots.T[HOPS_PER_FRAME // 2 : HOPS_PER_FRAME // 2 + N_FRAMES]


@few
@given(seeds)
def test_a_polyline_is_recovered(seed: int) -> None:
    signals, knots = stems(seed), polyline(seed)
    found = fitted(signals, mixed(signals, knots))
    np.testing.assert_allclose(found.gains, at_centres(knots), atol=0.01)
    assert found.song_fit > 0.999


@few
@given(seeds, st.integers(0, 2), st.floats(0.1, 10.0))
def test_a_louder_stem_has_a_proportionally_lower_gain(seed: int, stem: int, factor: float) -> None:
    signals, noise = stems(seed), stems(seed + 7, 1)[0] * 0.1
    mixdown = mixed(signals, polyline(seed)) + noise
    scale = np.ones(3)
    scale[stem] = factor
    plain, scaled = fitted(signals, mixdown), fitted(signals * scale[:, None], mixdown)
    np.testing.assert_allclose(scaled.gains * scale, plain.gains, rtol=1e-3)
    np.testing.assert_allclose(scaled.raw * scale, plain.raw, rtol=1e-3)
    np.testing.assert_allclose(scaled.deviation_db, plain.deviation_db, rtol=1e-2)


@few
@given(seeds, st.permutations(range(3)))
def test_the_order_of_the_buses_does_not_matter(seed: int, order: list[int]) -> None:
    signals = stems(seed)
    mixdown = mixed(signals, polyline(seed)) + stems(seed + 7, 1)[0] * 0.1
    plain, permuted = fitted(signals, mixdown), fitted(signals[order], mixdown)
    np.testing.assert_allclose(permuted.gains, plain.gains[:, order], rtol=1e-6)
    np.testing.assert_allclose(permuted.raw, plain.raw[:, order], rtol=1e-6)
    np.testing.assert_allclose(permuted.deviation_db, plain.deviation_db[:, order], rtol=1e-6)


@few
@given(seeds)
def test_gains_are_not_negative_and_the_fit_is_at_most_1(seed: int) -> None:
    found = fitted(stems(seed), stems(seed + 3, 1)[0])
    assert found.gains.min() >= 0.0
    assert found.raw.min() >= 0.0
    assert found.deviation_db.min() >= 0.0
    assert found.deviation_db.max() <= WIDEST_DB
    assert found.fit.max() <= 1.0
    assert np.isfinite(found.gains).all()


@few
@given(seeds, st.floats(0.05, 20.0))
def test_a_louder_mixdown_has_proportionally_higher_gains(seed: int, factor: float) -> None:
    signals = stems(seed)
    mixdown = mixed(signals, polyline(seed)) + stems(seed + 7, 1)[0] * 0.1
    np.testing.assert_allclose(
        fitted(signals, mixdown * factor).gains, fitted(signals, mixdown).gains * factor, rtol=1e-3
    )


def test_a_silent_hop_of_one_bus_does_not_change_the_others() -> None:
    signals, knots = stems(1), polyline(1)
    signals[1, 9 * STEPS_PER_HOP * STEP : 14 * STEPS_PER_HOP * STEP] = 0.0
    found = fitted(signals, mixed(signals, knots))
    np.testing.assert_allclose(found.gains[:, [0, 2]], at_centres(knots)[:, [0, 2]], atol=0.01)


def test_hops_after_the_mixdown_keep_the_last_gain_and_have_no_weight() -> None:
    signals, knots = stems(2), polyline(2)
    mixdown = mixed(signals, knots)
    known = np.arange(N_HOPS) < 15
    mixdown[15 * STEPS_PER_HOP * STEP :] = 0.0
    found = fitted(signals, mixdown, known=known)
    np.testing.assert_allclose(found.gains[:12], at_centres(knots)[:12], atol=0.01)
    np.testing.assert_allclose(found.gains[16:], np.broadcast_to(found.gains[-1], found.gains[16:].shape), rtol=0.01)
    assert np.median(found.deviation_db[16:]) > 5.0 * np.median(found.deviation_db[:12])
    assert found.song_fit > 0.999
    assert np.isnan(found.fit[15:]).all()


def test_a_bus_muted_in_the_mixdown_has_almost_no_gain() -> None:
    signals, knots = stems(3), polyline(3)
    knots[1] = 0.0
    found = fitted(signals, mixed(signals, knots))
    assert found.gains[:, 1].max() < 0.01
    np.testing.assert_allclose(found.gains[:, [0, 2]], at_centres(knots)[:, [0, 2]], atol=0.01)


@pytest.mark.parametrize("position", [0, 2])
def test_a_silent_stem_stays_at_0_db_with_unlimited_uncertainty(position: int) -> None:
    signals, knots = stems(4), polyline(4)
    signals[position] = 0.0
    found = fitted(signals, mixed(signals, knots))
    others = [stem for stem in range(3) if stem != position]
    np.testing.assert_allclose(found.gains[:, position], 1.0, atol=1e-6)
    assert found.deviation_db[:, position].min() > 20.0
    np.testing.assert_allclose(found.gains[:, others], at_centres(knots)[:, others], atol=0.01)
