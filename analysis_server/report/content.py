"""What a report shows, as plain arrays and texts: the interface between the numbers and the page.

Conventions: time is axis 0; `time_s` holds frame centres in seconds; every `_db` array has the shape of its
`time_s`; a level of `-inf` is silence. Numbers have true minus signs and fixed decimals, and a word where they are
missing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core import roles
from core.automation.points import inside_span
from core.decibels import ABSENT_DB, FloatArray, median
from core.models.explain import TermMeaning
from core.wording import capitalised, decibels, decimal, listed, shown_difference

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EM DASH}"
_LEAST_MOVE_DB = 0.5
HIGH_CONFIDENCE_DB, MEDIUM_CONFIDENCE_DB = 1.0, 2.5
"""The largest half widths of the 80 % bands that count as high and as medium confidence."""
_MOVES_SHOWN = 4
_UNWRITABLE = {"Cc", "Cs"}
"""The Unicode categories of controls and lone surrogates."""


@dataclass(frozen=True, kw_only=True)
class BusAudit:
    """What an audit adds to a bus's panel.

    Attributes
    ----------
    written_gain_db, now_gain_db : the curve as it was written and as it is now, shape (n_frames,).
    edited_time_s, edited_gain_db : points that the user made or moved since, shape (n_edited,).
    is_edited : whether the present curve differs from the written one.
    """

    written_gain_db: FloatArray
    now_gain_db: FloatArray
    edited_time_s: FloatArray
    edited_gain_db: FloatArray
    is_edited: bool


@dataclass(frozen=True, kw_only=True)
class BusComparison:
    """What a comparison adds to a bus's panel: A is the bus's own curve, B the one it is compared with.

    Attributes
    ----------
    second_gain_db : B's curve without the gain common to all buses, shape (n_frames,).
    first_db, second_db : the bus's levels in A and, without the common gain, in B.
    """

    second_gain_db: FloatArray
    first_db: float
    second_db: float

    @property
    def difference_db(self) -> float:
        """The difference of the two levels as the page shows them."""
        return shown_difference(self.first_db, self.second_db, 2)


@dataclass(frozen=True, kw_only=True)
class BusContent:
    """One bus's panel.

    Attributes
    ----------
    role : the bus, such as ``"vocals"``, or a single track of one, such as ``"vocals: Lead"``.
    time_s, gain_db : the gain that the automation makes, shape (n_frames,).
    level_lufs : K-weighted level of the stem per frame before its fader, LUFS, shape (n_frames,).
    active : where the stem has signal, shape (n_frames,), bool.
    uncertainty_db : half width of the curve's 80 % band per frame, or None.
    point_time_s, point_gain_db : the automation's points, shape (n_points,).
    loudness_before_lufs, loudness_after_lufs : the stem's gated loudness without and with its gain.
    terms : the terms of the explanation of the gain; may be empty.
    terms_db : the contribution of each term, dB, shape (n_frames, n_terms).
    audit : what an audit adds; `gain_db` is then the predicted curve.
    range_s : the part of the song that the gains are for, in the time of `time_s`; None for all of it.
    is_kept : whether --keep keeps its fader.
    compared : what a comparison adds; `gain_db` is then A's curve, and the stem's loudness is not shown.
    """

    role: str
    time_s: FloatArray
    gain_db: FloatArray
    level_lufs: FloatArray
    active: npt.NDArray[np.bool_]
    uncertainty_db: FloatArray | None = None
    point_time_s: FloatArray = field(default_factory=lambda: np.empty(0))
    point_gain_db: FloatArray = field(default_factory=lambda: np.empty(0))
    loudness_before_lufs: float = math.nan
    loudness_after_lufs: float = math.nan
    terms: tuple[TermMeaning, ...] = ()
    terms_db: FloatArray | None = None
    audit: BusAudit | None = None
    range_s: tuple[float, float] | None = None
    is_kept: bool = False
    compared: BusComparison | None = None

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """The frames that the shown medians and means are of, shape (n_frames,)."""
        inside = inside_span(self.time_s, self.range_s)
        return self.active & inside if (self.active & inside).any() else inside

    @property
    def group(self) -> str:
        """The bus that this is, or is a single track of."""
        return roles.bus_of(self.role)

    @property
    def name(self) -> str:
        """The name within the group."""
        return self.role.removeprefix(roles.single_track(self.group, ""))

    @property
    def present_gain_db(self) -> FloatArray:
        """The gain that is heard now, shape (n_frames,)."""
        return self.gain_db if self.audit is None else self.audit.now_gain_db

    @property
    def gain_curves(self) -> dict[str, FloatArray]:
        """Every curve in the panel by its label, each of shape (n_frames,)."""
        if self.audit is not None:
            return {"Predicted": self.gain_db, "Written": self.audit.written_gain_db, "Now": self.audit.now_gain_db}
        if self.compared is not None:
            return {"A": self.gain_db, "B": self.compared.second_gain_db}
        return {"Gain": self.gain_db}


def median_gain_db(gain_db: FloatArray, active: npt.NDArray[np.bool_]) -> float:
    """Return the median of a gain where its stem has signal, as every page and table shows it.

    Parameters
    ----------
    gain_db : the gain per frame, shape (n_frames,).
    active : where the stem has signal, shape (n_frames,), bool; if nowhere, all frames count.
    """
    shown = gain_db[active] if active.any() else gain_db
    return median(shown) if shown.size else math.nan


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """A mix's long-term average spectrum: `level_db` over `frequency_hz`, both (n_bands,)."""

    label: str
    frequency_hz: FloatArray
    level_db: FloatArray


@dataclass(frozen=True, kw_only=True)
class Player:
    """A sound to listen to, embedded in the page.

    Attributes
    ----------
    label, note : its name, and a sentence about it.
    mime, encoded : the embedded file and its type.
    start_s : the song time of its first sample.
    loudness_lufs : the loudness of the whole mix, for level-matched playback; NaN where it is not known.
    whole : the name of a file next to the page that has the whole mix, or None.
    """

    label: str
    mime: str
    encoded: bytes
    note: str
    start_s: float = 0.0
    loudness_lufs: float = math.nan
    whole: str | None = None


@dataclass(frozen=True, kw_only=True)
class StemSound:
    """An excerpt of a bus's stem before its fader, for solo and mute in the page."""

    role: str
    mime: str
    encoded: bytes
    start_s: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row of a table: `label`, `value` with its unit, and its meaning."""

    label: str
    value: str
    means: str


@dataclass(frozen=True)
class FigureTable:
    """A further table of three columns with the given `heads`; `empty` is shown when it has no rows."""

    title: str
    heads: tuple[str, str, str]
    rows: tuple[Figure, ...]
    empty: str


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on a page.

    Attributes
    ----------
    title : the song's title.
    verb : ``"mix"``, ``"match"``, ``"audit"`` or ``"compare"``.
    headline : the result in one sentence; may be empty.
    recovers : whether the gains were recovered from a mixdown, instead of predicted.
    summary : what was done.
    assignment : a row per file or track: its name, its bus, and the reason.
    players, stems : the sounds; `stems` are empty unless they were asked for.
    warnings, notes : sentences about what may be a problem, and information.
    level_note : a sentence on the level of the whole mix, shown with the players; may be empty.
    figures, tables : numbers about the whole mix, and further tables.
    """

    title: str
    verb: str
    summary: str
    duration_s: float
    buses: tuple[BusContent, ...]
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]
    made_by: str
    spectra: tuple[Spectrum, ...] = ()
    players: tuple[Player, ...] = ()
    notes: tuple[str, ...] = ()
    level_note: str = ""
    headline: str = ""
    recovers: bool = False
    assignment: tuple[Figure, ...] = ()
    tables: tuple[FigureTable, ...] = ()
    stems: tuple[StemSound, ...] = ()


def printable(text: str) -> str:
    """Return `text` with control characters and lone surrogates replaced by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in _UNWRITABLE else letter for letter in text
    )


def decimal_text(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """Return a finite number with a true minus sign; `signed` also writes the plus."""
    return decimal(value, decimals, signed=signed).replace("-", MINUS)


def with_minus_signs(text: str, *, has_names: bool = True) -> str:
    """Return a text with true minus signs; if it `has_names` of the user's, before numbers of decibels and the like."""
    level = r"[\d.]+ (?:dB|dBTP|dBFS|LUFS|LU)\b|[\d.]+ (?:to|instead of|→) "
    return re.sub(rf"(?<![\w-])-(?={level if has_names else '[0-9]'})", MINUS, text)


def gain_text(gain_db: float, decimals: int = 1) -> str:
    """Return a gain such as ``+1.2 dB``; `-inf` is a closed fader."""
    if math.isfinite(gain_db):
        return decibels(gain_db, decimals).replace("-", MINUS)
    return f"{MINUS}∞ dB" if gain_db < 0 else MISSING


def level_text(level_lufs: float) -> str:
    """Return a level in LUFS; `-inf` is silence."""
    if math.isfinite(level_lufs):
        return f"{decimal_text(level_lufs)} LUFS"
    return "silent" if level_lufs < 0 else MISSING


def change_text(before_lufs: float, after_lufs: float) -> str:
    """Return a change of loudness in LU, or a dash when either side is missing."""
    if math.isfinite(before_lufs) and math.isfinite(after_lufs):
        return f"{decimal_text(after_lufs - before_lufs, signed=True)} LU"
    return MISSING


def clock_text(time_s: float, decimals: int = 0) -> str:
    """Return a time as ``m:ss`` with `decimals` of a second; minutes run on past the hour."""
    if not math.isfinite(time_s):
        return MISSING
    ticks = round(max(time_s, 0.0) * 10**decimals)
    minutes, rest = divmod(ticks, 60 * 10**decimals)
    width = 3 + decimals if decimals else 2
    return f"{minutes}:{rest / 10**decimals:0{width}.{decimals}f}"


def frequency_text(frequency_hz: float) -> str:
    """Return a frequency in hertz, such as ``50`` or ``2k``."""
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"


def bus_labels(tracks: Sequence[tuple[str, str]]) -> list[str]:
    """Return the label of each track, given its bus and its name: the bus, and its name where the bus has several."""
    buses = [bus for bus, _ in tracks]
    return [bus if buses.count(bus) == 1 else f"{bus}: {name}" for bus, name in tracks]


def headline(
    median_gain_db: Mapping[str, float],
    bands_db: Sequence[float] = (),
    *,
    prefix: str = "",
    passages: str = "",
    decimals: int = 1,
) -> str:
    """Return a result in one sentence: the largest gains, and how certain they are.

    Parameters
    ----------
    median_gain_db : the median gain of each bus, dB.
    bands_db : half the 80 % bands of the buses that have one, dB. The confidence is their median: high up to
        `HIGH_CONFIDENCE_DB`, medium up to `MEDIUM_CONFIDENCE_DB`, else low; without bands it is left out.
    prefix : put before the sentence, such as ``"Recovered"``.
    passages : the parts of the song with other gains, put after the gains.
    decimals : the decimals of the gains.

    Examples
    --------
    >>> headline({"drums": -5.4, "bass": 0.1, "melody": 8.1}, [4.0, 3.0, 3.4])
    'Melody up 8.1 dB, drums down 5.4 dB; confidence low (±3.4 dB).'
    """
    absent = [bus for bus, gain_db in median_gain_db.items() if gain_db <= ABSENT_DB]
    moved = sorted(
        (
            (bus, gain_db)
            for bus, gain_db in median_gain_db.items()
            if math.isfinite(gain_db) and abs(gain_db) >= _LEAST_MOVE_DB and bus not in absent
        ),
        key=lambda item: -abs(item[1]),
    )
    name = _short_names(list(median_gain_db))
    moves = [
        f"{name[bus]} {'up' if gain_db > 0 else 'down'} {decimal(abs(gain_db), decimals)} dB"
        for bus, gain_db in moved[:_MOVES_SHOWN]
    ]
    if len(moved) > _MOVES_SHOWN:
        rest = len(moved) - _MOVES_SHOWN
        of_tracks = any(bus != roles.bus_of(bus) for bus in median_gain_db)
        one, several = ("track", "tracks") if of_tracks else ("bus", "buses")
        moves.append(f"{rest} more {one if rest == 1 else several}")
    if absent:
        moves.append(f"{listed([name[bus] for bus in absent])} not in the mix")
    sentence = ", ".join(moves) or f"no bus moves by {_LEAST_MOVE_DB:g} dB or more"
    if prefix:
        sentence = f"{prefix}: {sentence}"
    if passages:
        sentence += f", but {passages}"
    if bands_db:
        band_db = median(bands_db)
        level = "high" if band_db <= HIGH_CONFIDENCE_DB else "medium" if band_db <= MEDIUM_CONFIDENCE_DB else "low"
        sentence += f"; confidence {level} (±{band_db:.1f} dB)"
    return f"{capitalised(sentence)}."


def _short_names(roles_of_stems: Sequence[str]) -> dict[str, str]:
    """Return the names of stems in a sentence: a single track without its bus, unless another has the same name."""
    tracks = [role.partition(": ")[2] or role for role in roles_of_stems]
    return {
        role: track if tracks.count(track) == 1 else role for role, track in zip(roles_of_stems, tracks, strict=True)
    }


def full_sentence(text: str, names: Sequence[str] = ()) -> str:
    """Return a text with a capital letter and a full stop; an initial path, file name or one of `names` is unchanged.

    Examples
    --------
    >>> full_sentence("the mix clips"), full_sentence("mix.wav is old")
    ('The mix clips.', 'mix.wav is old.')
    """
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if not set(first.rstrip(",:;.")) & set("./\\_") and not text.startswith(tuple(names)):
        text = capitalised(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."
