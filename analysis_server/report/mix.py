"""Results per bus and report content of mix and match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from analysis_server import MADE_BY
from analysis_server.report.audio import spectrum_of
from analysis_server.report.content import (
    BusContent,
    Figure,
    Player,
    ReportContent,
    StemSound,
    clock_text,
    decimal_text,
    gain_text,
    headline,
    median_gain_db,
)
from core.analysis.loudness import ABSOLUTE_GATE_LUFS, integrated_lufs
from core.analysis.measure import Measurement
from core.audio.framing import HOP_S, STEPS_PER_HOP
from core.audio.io import AudioFile
from core.audio.song import Song
from core.automation.points import Automation, EnvelopePoints, inside_span
from core.automation.render import MixFigures, RenderedMix
from core.decibels import ABSENT_DB, LOWEST_DB, FloatArray, db_to_power
from core.gains.curves import GainCurves
from core.models import balance
from core.models.explain import OF_MODEL, SMALLER, TERM_MEANINGS, TermMeaning
from core.models.fit import EIGHTY_PERCENT
from core.rpp.write import Lowered
from core.wording import count

LEAST_TERM_DB = 0.05
"""A term that never exceeds this is not shown."""
SMALL_TERM_DB = 0.25
"""Terms of a model that never reach this are shown as one."""


class BusResult(msgspec.Struct, frozen=True, kw_only=True):
    """A bus: its files or tracks, median gain, half its 80 % band, and loudness before and after the fader.

    The band is None where the bus is kept or not in the mix. The loudness is integrated as BS.1770 defines it, in the
    part of the song that the run is for; None for silence. `is_kept` is whether --keep keeps its fader, `is_in_mix`
    whether its gain is audible.
    """

    inputs: list[str]
    gain_db: float
    band_db: float | None
    loudness_before_lufs: float | None
    loudness_after_lufs: float | None
    is_kept: bool = False
    is_in_mix: bool = True


@dataclass(frozen=True)
class ReportText:
    """The texts of a report; `figures` are rows of its table, `notes` and `level_note` (on `mix.wav`) information."""

    summary: str
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    headline: str = ""
    level_note: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that is known when the writing starts.

    Attributes
    ----------
    song, measurement, curves, automation : the song and what was found for it.
    buses : the results of the buses.
    before, after : figures of what the automated mix is compared with, and of that mix.
    reference : what it is compared with: the mixdown's file, or None for the plain sum of the stems.
    verb, preset, model, range_s : what was asked for.
    file_gain_db : how much louder `mix.wav` is than the automation makes it (0 unless a peak or a target asks).
    rendered, moved_db : the mix with the automation before `moved_db` was added to all its points.
    text : the texts of the report.
    full_db, applied : the gains with the whole predicted balance, where only a part of it was applied; the settings of
        the run that its record needs.
    terms_db : the terms of the gains, shape (n_frames, n_buses), by name; empty where they are not known.
    further_figures : further figures of the mix, by name with unit.
    relation : of a match, the sentence on the fit.
    assignment : a row per file or track: name, bus and reason.
    stems_in_report : whether the report contains an excerpt of every stem, for solo and mute.
    """

    song: Song
    measurement: Measurement
    curves: GainCurves
    automation: Automation
    buses: Mapping[str, BusResult]
    before: MixFigures
    after: MixFigures
    reference: AudioFile | None
    verb: str
    preset: str
    model: str | None
    range_s: tuple[float, float] | None
    file_gain_db: float
    rendered: RenderedMix
    text: ReportText
    moved_db: float = 0.0
    full_db: FloatArray | None = None
    applied: Mapping[str, object] = field(default_factory=dict)
    terms_db: Mapping[str, FloatArray] = field(default_factory=dict)
    further_figures: Mapping[str, float] = field(default_factory=dict)
    relation: str = ""
    assignment: tuple[Figure, ...] = ()
    stems_in_report: bool = False

    @property
    def compared_after(self) -> MixFigures:
        """Figures of the automated mix to compare with `before`.

        Next to a mixdown that is the mix as the automation makes it, else the mix in `mix.wav`.
        """
        return self.after if self.reference is None else self.after.with_gain_db(-self.file_gain_db)

    @property
    def gain_db(self) -> float:
        """The gain of `mix.wav` over `rendered`."""
        return self.moved_db + self.file_gain_db

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of the two compared mixes."""
        return ("Before", "After") if self.reference is None else ("Mixdown", "Recovered")


def or_silence(level_lufs: npt.ArrayLike) -> FloatArray:
    """Return levels in LUFS, same shape, with silence (`ABSOLUTE_GATE_LUFS` or less) as minus infinity."""
    levels = np.asarray(level_lufs, dtype=np.float64)
    return np.where(levels <= ABSOLUTE_GATE_LUFS, -np.inf, levels)


def shown_levels_lufs(measurement: Measurement, *, n_frames: int) -> FloatArray:
    """Return the stems' loudness per frame as pages and records have it, LUFS, shape (n_frames, n_buses).

    It is in tenths, with silence as minus infinity; missing frames are as the last one.
    """
    levels = np.round(balance.frame_levels_lufs(measurement)[:n_frames], 1)
    return or_silence(np.pad(levels, ((0, n_frames - len(levels)), (0, 0)), mode="edge"))


def stem_loudness_lufs(
    measurement: Measurement,
    index: int,
    points: EnvelopePoints | None = None,
    *,
    range_s: tuple[float, float] | None = None,
) -> float | None:
    """Return the integrated loudness of a stem, as a meter shows it, LUFS; None for silence.

    Parameters
    ----------
    measurement : the default preset's measurement of the stems.
    index : the stem's column.
    points : its automation; 0 dB by default.
    range_s : the part of the song to measure, in seconds; the whole of it by default.
    """
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    power = measurement.step_power[:, index]
    time_s = measurement.onset_samples / measurement.sample_rate + (np.arange(len(power)) + 0.5) * HOP_S / STEPS_PER_HOP
    if points is not None:
        power = power * db_to_power(points.at(time_s))
    loudness_lufs = float(or_silence(integrated_lufs(power[inside_span(time_s, range_s)])))
    return loudness_lufs if np.isfinite(loudness_lufs) else None


def headline_of(buses: Mapping[str, BusResult], *, prefix: str = "", range_s: tuple[float, float] | None = None) -> str:
    """Return a result in one sentence: the largest gains, and how certain they are.

    Parameters
    ----------
    buses : the results per bus.
    prefix : put before the sentence.
    range_s : the part of the song that the result is for, in seconds; the whole of it by default.
    """
    if range_s is not None:
        span = f"{clock_text(range_s[0])} to {clock_text(range_s[1])}"
        prefix = f"{prefix}, from {span}" if prefix else f"From {span}"
    bands_db = [result.band_db for result in buses.values() if result.band_db is not None]
    return headline({bus: result.gain_db for bus, result in buses.items()}, bands_db, prefix=prefix)


def content_of(outcome: Outcome, players: tuple[Player, ...], stems: tuple[StemSound, ...]) -> ReportContent:
    """Return the content of a mix's or match's page.

    Parameters
    ----------
    outcome : what was found.
    players, stems : the sounds.
    """
    text, song, labels = outcome.text, outcome.song, outcome.labels
    before, after = outcome.before, outcome.compared_after
    return ReportContent(
        title=song.title,
        verb=outcome.verb,
        recovers=outcome.verb == "match",
        headline=text.headline,
        summary=text.summary,
        duration_s=song.duration_s,
        buses=tuple(_bus(bus, outcome) for bus in song.buses),
        spectra=(spectrum_of(labels[0], before), spectrum_of(labels[1], after)),
        players=players,
        figures=(
            *text.figures,
            *_mix_figures(before, after, " → ".join(labels)),
            _points_figure(outcome.curves, outcome.automation),
        ),
        warnings=text.warnings,
        notes=text.notes,
        level_note=text.level_note,
        made_by=MADE_BY,
        assignment=outcome.assignment,
        stems=stems,
    )


def terms_of(terms_db: Mapping[str, FloatArray]) -> tuple[tuple[TermMeaning, ...], FloatArray | None]:
    """Return the terms that a page shows and their contributions in dB, shape (n_frames, n_terms).

    Two or more of the model's terms that never reach `SMALL_TERM_DB` are one term, their sum. Each term is rounded as a
    record stores it, so that the page of a run and that of its audit show the same.
    """
    terms_db = {name: np.round(values, 1) for name, values in terms_db.items()}
    largest_db = {name: np.abs(values).max(initial=0.0) for name, values in terms_db.items() if name in TERM_MEANINGS}
    small = [name for name, size_db in largest_db.items() if name in OF_MODEL and size_db < SMALL_TERM_DB]
    shown = [
        (TERM_MEANINGS[name], terms_db[name])
        for name, size_db in largest_db.items()
        if size_db > LEAST_TERM_DB and (name not in small or len(small) == 1)
    ]
    if len(small) > 1:
        together_db = np.sum([terms_db[name] for name in small], axis=0)
        if np.abs(together_db).max(initial=0.0) > LEAST_TERM_DB:
            shown.append((SMALLER, together_db))
    terms = tuple(meaning for meaning, _ in shown)
    return terms, np.stack([np.round(values, 1) for _, values in shown], axis=1) if shown else None


def _bus(bus: str, outcome: Outcome) -> BusContent:
    measurement, curves, range_s = outcome.measurement, outcome.curves, outcome.range_s
    index = curves.buses.index(bus)
    n_frames = min(len(curves.time_s), measurement.n_frames)
    levels = shown_levels_lufs(measurement, n_frames=n_frames)[:, index]
    time_s, points = curves.time_s[:n_frames], outcome.automation[bus]
    found = outcome.buses[bus]
    terms, terms_db = terms_of({name: values[:n_frames, index] for name, values in outcome.terms_db.items()})
    return BusContent(
        role=bus,
        time_s=time_s,
        gain_db=np.maximum(points.at(time_s), LOWEST_DB),
        level_lufs=levels,
        active=np.isfinite(levels),
        uncertainty_db=None if curves.deviation_db is None else half_bands_db(curves.deviation_db[:n_frames, index]),
        point_time_s=points.time_s,
        point_gain_db=points.gain_db,
        loudness_before_lufs=_or_minus_infinity(found.loudness_before_lufs),
        loudness_after_lufs=_or_minus_infinity(found.loudness_after_lufs),
        range_s=range_s,
        is_kept=found.is_kept,
        terms=terms,
        terms_db=terms_db,
    )


def _mix_figures(before: MixFigures, after: MixFigures, labels: str) -> list[Figure]:
    pairs = (
        ("Loudness", before.loudness_lufs, after.loudness_lufs, "LUFS", "gated, BS.1770"),
        ("True peak", before.true_peak_dbtp, after.true_peak_dbtp, "dBTP", "highest level between samples, BS.1770"),
    )
    return [
        Figure(label=label, value=f"{decimal_text(first)} → {decimal_text(last)} {unit}", means=f"{means}: {labels}")
        for label, first, last, unit, means in pairs
    ]


def lowered_figures(lowered: Lowered) -> list[Figure]:
    """Return the rows of a report's table on buses that the top of an envelope lowered."""
    amounts = {**({"all buses": lowered.all_db} if lowered.all_db else {}), **lowered.alone_db}
    means = "lowered, so that the curve fits the range of its envelope"
    return [
        Figure(label="Envelope's top", value=f"{bus} {gain_text(-lowered_db)}", means=means)
        for bus, lowered_db in amounts.items()
    ]


def _points_figure(curves: GainCurves, automation: Automation) -> Figure:
    n_points = sum(len(points.time_s) for points in automation.values())
    n_values = len(curves.time_s) * len(automation)
    return Figure(
        label="Automation points",
        value=count(n_points, "point"),
        means=f"for {count(n_values, 'gain')}; between points the envelope is within 0.1 dB of the curve",
    )


def bus_results(
    names: Mapping[str, list[str]],
    measurement: Measurement,
    curves: GainCurves,
    automation: Automation,
    *,
    range_s: tuple[float, float] | None = None,
    kept: Sequence[str] = (),
) -> dict[str, BusResult]:
    """Return the result for each bus of a song.

    Parameters
    ----------
    names : the files or tracks of each bus.
    measurement : the default preset's measurement of the stems.
    curves : the gains, with their uncertainty where it is known.
    automation : the envelope points that were made of them.
    range_s : the part of the song that the results are for, in seconds; the whole of it by default.
    kept : the buses whose faders are kept.
    """
    n_frames = min(len(curves.time_s), measurement.n_frames)
    inside = inside_span(curves.time_s[:n_frames], range_s)
    time_s = curves.time_s[:n_frames][inside]
    levels_lufs = shown_levels_lufs(measurement, n_frames=n_frames)[inside]
    results = {}
    for index, bus in enumerate(curves.buses):
        gain_db = automation[bus].at(time_s)
        active = curves.active[:n_frames, index] & inside
        deviation_db = curves.deviation_db
        median_db = median_gain_db(gain_db, np.isfinite(levels_lufs[:, index]))
        band_db = None
        if deviation_db is not None and active.any() and bus not in kept and median_db > ABSENT_DB:
            band_db = float(np.median(half_bands_db(deviation_db[:n_frames][active, index])))
        results[bus] = BusResult(
            inputs=names[bus],
            gain_db=median_db,
            band_db=band_db,
            loudness_before_lufs=stem_loudness_lufs(measurement, index, range_s=range_s),
            loudness_after_lufs=stem_loudness_lufs(measurement, index, automation[bus], range_s=range_s),
            is_kept=bus in kept,
            is_in_mix=median_db > ABSENT_DB,
        )
    return results


def half_bands_db(deviation_db: FloatArray) -> FloatArray:
    """Return half the 80 % bands of gains with these standard deviations, as a record stores them, dB, same shape."""
    return EIGHTY_PERCENT * np.round(deviation_db, 2)


def _or_minus_infinity(loudness_lufs: float | None) -> float:
    return -np.inf if loudness_lufs is None else loudness_lufs
