"""Estimate the gains that turn a song's stems into its mixdown.

Presets: `paper` is Zafrin & Chudwick (2015), section 3, as their implementation does it. `default` finds the mixdown's
lag, chooses the complex or the power domain by the fit, undoes a limiter's common gain, and fits polylines
(`core.gains.least_squares`). docs/reference/method.md has the derivations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy

from core.analysis.gram import LIMITER_POWERS
from core.analysis.measure import ACTIVE_RMS, Domain, Measurement, measure, sounding
from core.analysis.paper import measure_as_paper
from core.audio.framing import HOP_S, sum_over_frames
from core.audio.io import AudioFile
from core.audio.song import Song, no_mixdown, with_offsets_removed
from core.decibels import ABSENT_DB, FloatArray, gain_to_db
from core.errors import InputError
from core.gains.alignment import LINEAR_FIT, Alignment, align, correct, is_mono, with_swapped_channels
from core.gains.curves import GainCurves, exponential
from core.gains.least_squares import (
    FittedGains,
    Mask,
    NormalEquations,
    fit_gains,
    flipped_stems,
    limiter_coefficients,
    normal_equations,
    restored,
    solve_batch,
)
from core.progress import ProgressCallback, no_progress, part_of
from core.wording import listed

FOREIGN_FIT = 0.3
"""With a smaller fit, a mixdown seems not to come from these stems."""
_UNSURE_DB = 3.0
_TRACE = 1e-28
"""A stem with less than this share of the largest energy in a hop is silent there."""
_FIT_LOST_IN_STEREO = 0.02
_STILL_PLAIN = 3e-5
"""Polylines leave at most this share of a plain sum unexplained; a tenth of it where faders move within 6 s."""
_IS_SUM = 0.99
"""A mixdown of which the gains explain less is only close to a sum of the stems."""
_END_TOLERANCE_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A song's estimated gains and how they came about.

    Attributes
    ----------
    curves : the gains.
    measurement : of the stems as they are; in the default preset without its Gram matrices.
    domain : ``"complex"``, ``"power"`` or ``"magnitude"``.
    reason : what the mixdown is compared with the stems, and how much of it the gains explain.
    lag_samples : by how many samples the mixdown is later than the stems.
    fit : the share of the mixdown's energy that the gains explain over the song, in that domain.
    limiter : coefficients of the limiter's inverse (`core.gains.least_squares.limiter_coefficients`), zeros
        without one.
    warnings : sentences for the user.
    """

    curves: GainCurves
    measurement: Measurement
    domain: Domain
    reason: str
    lag_samples: int
    fit: float
    limiter: FloatArray
    warnings: tuple[str, ...]


def estimate_as_paper(
    song: Song, *, feature_set: str | None = None, progress: ProgressCallback = no_progress
) -> Estimate:
    """Return the gains as the original implementation estimates them: STFT magnitudes, gate, EMA.

    Raises
    ------
    InputError
        The song has no mixdown, or a silent one, or a file is damaged.
    """
    require_mixdown(song)
    measurement = measure_as_paper(song, feature_set=feature_set, with_mixdown=True, progress=progress)
    gram = _given(measurement.gram)
    _require_sound(song, gram)
    equations = normal_equations(gram, len(song.stems))
    active = measurement.rms > ACTIVE_RMS
    raw = solve_batch(equations.gram, equations.target, active)
    fit, song_fit = _fit(equations, raw)
    return Estimate(
        curves=GainCurves(
            title=song.title,
            buses=song.buses,
            time_s=measurement.time_s,
            gains=exponential(raw, keep_first=True),
            gains_raw=raw,
            active=active,
            fit=fit,
        ),
        measurement=measurement,
        domain="magnitude",
        reason=f"the paper preset fits STFT magnitudes, of which the gains explain {100 * song_fit:.1f} %",
        lag_samples=0,
        fit=song_fit,
        limiter=np.zeros(len(LIMITER_POWERS)),
        warnings=measurement.warnings,
    )


def estimate(
    song: Song,
    *,
    domain: Domain | None = None,
    feature_set: str = "condition3",
    progress: ProgressCallback = no_progress,
) -> Estimate:
    """Return the gains in the default preset.

    Parameters
    ----------
    song : a song with its mixdown.
    domain : fit in this domain; by default the mixdown decides.
    feature_set : features to measure in the same pass.
    progress : progress callback; may raise to stop the work.

    Raises
    ------
    InputError
        The song has no mixdown, or a silent one, or a file is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.audio.song import open_song
    >>> song = open_song(Path("examples/caesium"))
    >>> found = estimate(song)
    >>> found.curves.gains.shape, round(found.fit, 1)
    ((94, 4), 0.9)
    """
    require_mixdown(song)
    progress(0.0, "Aligning mixdown")
    song, warnings = with_offsets_removed(song)
    full_bandwidth = song
    alignment, as_mono = align(song), is_mono(song)
    if domain in (None, "complex"):
        song, alignment, corrections = correct(song, alignment)
        warnings += corrections
    chosen = domain or ("complex" if alignment.is_plain or alignment.is_linear else "power")

    def fitted(song: Song, *, with_powers: bool, progress: ProgressCallback) -> _SongFit:
        measurement = measure(
            song,
            feature_set=feature_set,
            domain=chosen,
            lag_samples=alignment.lag_samples,
            as_mono=as_mono,
            with_powers=with_powers,
            progress=progress,
        )
        return _fit_song(song, measurement, alignment, chosen)

    seems_plain = alignment.is_plain and chosen == "complex"  # other domains have no powers to measure
    found = fitted(song, with_powers=not seems_plain, progress=part_of(progress, 0.3, 0.95 if seems_plain else 1.0))
    if seems_plain and 1.0 - found.gains.song_fit > _STILL_PLAIN:  # the excerpts did not show the limiter
        found = fitted(song, with_powers=True, progress=part_of(progress, 0.95, 1.0))
    if chosen == "complex" and alignment.linear_fit - found.gains.song_fit > _FIT_LOST_IN_STEREO:
        song, swaps = with_swapped_channels(song, alignment.lag_samples)
        if swaps:  # the fit of the sum of the channels did not show them
            found = fitted(song, with_powers=True, progress=part_of(progress, 0.95, 1.0))
            warnings += swaps
    measurement, gains = found.measurement, found.gains
    if any(file.cutoff_hz is not None for file in song.stems.values()):  # the low-pass is for the fit only
        measurement = measure(full_bandwidth, feature_set=feature_set, progress=part_of(progress, 0.95, 1.0))
    progress(1.0)
    flipped = [bus for bus, is_flipped in zip(song.buses, found.flipped, strict=True) if is_flipped]
    return Estimate(
        curves=GainCurves(
            title=song.title,
            buses=song.buses,
            time_s=measurement.time_s,
            gains=gains.gains,
            gains_raw=gains.raw,
            active=found.active,
            fit=gains.fit,
            deviation_db=gains.deviation_db,
        ),
        measurement=measurement,
        domain=chosen,
        reason=_relation(alignment, chosen, gains.song_fit),
        lag_samples=alignment.lag_samples,
        fit=gains.song_fit,
        limiter=found.limiter,
        warnings=(
            *measurement.warnings,
            *warnings,
            *(["the mixdown is mono; the mean of the stems' channels was fitted to it"] if as_mono else []),
            *_fit_warnings(alignment, gains.song_fit),
            *[f"{bus} has inverted polarity in the mixdown; this was corrected" for bus in flipped],
            *_bus_warnings(song, gains.gains, gains.deviation_db, found.active),
        ),
    )


@dataclass(frozen=True)
class _SongFit:
    """A measured song with its fitted gains.

    Attributes
    ----------
    measurement : without its Gram matrices.
    gains : the fit.
    active, flipped : where stems have signal, (n_frames, k), and which are inverted in the mixdown, (k,).
    limiter : coefficients of the limiter's inverse; empty where none was searched for.
    """

    measurement: Measurement
    gains: FittedGains
    active: Mask
    flipped: Mask
    limiter: FloatArray


def _fit_song(song: Song, measurement: Measurement, alignment: Alignment, domain: Domain) -> _SongFit:
    """Fit the gains; polarity and limiter can be found in the complex domain only."""
    n_stems, gram = len(song.stems), _given(measurement.gram)
    _require_sound(song, gram)
    found, gram = _without_traces(_given(measurement.moments), gram, n_stems)
    flipped = flipped_stems(gram, n_stems) if domain == "complex" else np.zeros(n_stems, bool)
    has_powers = gram.shape[1] > n_stems + 1
    limiter = limiter_coefficients(gram, n_stems) if has_powers else np.zeros(0)
    moments = restored(found, flipped, limiter)
    measurement = replace(measurement, moments=None, gram=None)  # the largest arrays, no longer needed
    frames = normal_equations(sum_over_frames(moments[:, 0]), n_stems)
    active = sounding(measurement.rms)
    known = _covered(song, len(moments), alignment.lag_samples)
    gains = fit_gains(moments, frames, domain, known=known, active=active)
    return _SongFit(measurement, gains, active, flipped, limiter)


def require_mixdown(song: Song) -> AudioFile:
    """Return the song's mixdown; raise an `InputError` if it has none."""
    if song.mixdown is None:
        references = [row.path for row in song.assignment if row.role == "reference"]
        raise no_mixdown({Path(song.title): [*song.ignored, *references]})
    return song.mixdown


def _without_traces(moments: FloatArray, gram: FloatArray, n_stems: int) -> tuple[FloatArray, FloatArray]:
    """Return the hops' and the frames' Gram matrices with stems as silent where only a trace of them is left.

    Denormal numbers, which plug-ins leave in pauses, would be solved for with gains of any size.
    """
    power = np.einsum("hii->hi", moments[:, 0])[:, :n_stems]
    is_trace = (power > 0.0) & (power < _TRACE * power.max())
    if not is_trace.any():
        return moments, gram
    keep = np.ones((len(moments), moments.shape[2]))
    keep[:, :n_stems][is_trace] = 0.0
    moments = moments * keep[:, None, :, None] * keep[:, None, None, :]
    return moments, sum_over_frames(moments[:, 0])


def _require_sound(song: Song, gram: FloatArray) -> None:
    k = len(song.stems)
    if not gram[:, k, k].any():
        path = require_mixdown(song).path
        raise InputError("the mixdown is silent where the stems play", path=path, remedy="export it again")


def _given(gram: FloatArray | None) -> FloatArray:
    assert gram is not None  # noqa: S101 - it was asked for; for the type checker
    return gram


def _relation(alignment: Alignment, domain: Domain, song_fit: float) -> str:
    """Return in one sentence what the mixdown is compared with the stems, and how much of it the gains explain."""
    if domain == "complex":
        closeness = "is" if song_fit >= _IS_SUM else "is close to"
        return f"the mixdown {closeness} a sum of the stems: the gains explain {100 * song_fit:.1f} % of it"
    of_spectrum = f"the gains explain {100 * song_fit:.0f} % of its {domain} spectrum, which ignores phase"
    if alignment.is_plain or alignment.is_linear:
        return f"the mixdown is a sum of the stems: {of_spectrum}"
    share = f"{100 * alignment.linear_fit:.0f} %"
    return f"the mixdown is more than a sum of the stems: a sum explains only {share} of it, but {of_spectrum}"


def _covered(song: Song, n_hops: int, lag_samples: int) -> Mask:
    """Return which hops the mixdown covers, up to the end of the stems, shape (n_hops,)."""
    assert song.mixdown is not None  # noqa: S101 - required before; for the type checker
    start_s = -lag_samples / song.sample_rate
    hop_start_s = np.arange(n_hops) * HOP_S
    hop_end_s = np.minimum(hop_start_s + HOP_S, song.duration_s)
    return (hop_start_s >= start_s) & (hop_end_s <= start_s + song.mixdown.duration_s + _END_TOLERANCE_S)


def _fit(equations: NormalEquations, solution: FloatArray) -> tuple[FloatArray, float]:
    left, energy = equations.residual(solution), equations.energy
    per_frame = np.where(energy > 0.0, 1.0 - left / np.where(energy > 0.0, energy, 1.0), np.nan)
    return per_frame, float(1.0 - left.sum() / max(float(energy.sum()), 1e-30))


def _fit_warnings(alignment: Alignment, song_fit: float) -> list[str]:
    if alignment.linear_fit < FOREIGN_FIT and song_fit < LINEAR_FIT:
        return [
            "the mixdown does not seem to come from these stems: as a sum they explain "
            f"{100 * alignment.linear_fit:.0f} % of it; check that both belong to the same song and start together"
        ]
    if alignment.linear_fit < LINEAR_FIT:
        return [
            "the mixdown was processed after the faders, for example by a compressor or an equalizer, so the gains are "
            "approximate"
        ]
    return []


def _bus_warnings(song: Song, gains: FloatArray, deviation_db: FloatArray, active: Mask) -> list[str]:
    """Return sentences about the buses that are not in the mixdown, and those whose gains are uncertain."""
    heard = [(bus, i, active[:, i]) for i, bus in enumerate(song.buses) if active[:, i].any()]
    absent = [bus for bus, i, on in heard if gain_to_db(np.median(gains[on, i])) <= ABSENT_DB]
    unsure = [bus for bus, i, on in heard if bus not in absent and np.median(deviation_db[on, i]) > _UNSURE_DB]
    warnings = []
    if absent and len(absent) == len(heard) - 1:
        only = next(bus for bus, _, _ in heard if bus not in absent)
        warnings.append(f"only {only} is in the mixdown; check that it is the mix of all stems")
    elif absent:
        warnings.append(f"not in the mixdown: {listed(absent)}")
    if len(unsure) == 1:
        warnings.append(f"{unsure[0]} is hard to separate from the other buses in the mixdown; its gain is uncertain")
    elif unsure:
        warnings.append(f"{listed(unsure)} are hard to separate in the mixdown; their gains are uncertain")
    return warnings


def limiter_reduction_db(limiter: FloatArray, peak: float) -> float:
    """Return by how many dB a limiter (n_powers,) lowers a peak of `peak` (linear) at its input; 0 without one."""
    if peak <= 0.0 or not limiter.any():
        return 0.0
    powers = np.array(LIMITER_POWERS, dtype=np.float64)
    output = scipy.optimize.brentq(lambda level: level + limiter @ level**powers - peak, 0.0, peak)
    return float(gain_to_db(peak / output))
