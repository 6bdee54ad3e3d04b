"""Records of runs: prediction, written points and previous state.

Conventions: curves are whole numbers, the first value and then each frame's difference from the previous one, so that
they are small: hundredths of a decibel for gains, tenths for an explanation's terms and for levels. Frame `i` is
centred at ``start_s + 0.5 + i * 0.25`` seconds of the project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from core.audio.framing import HOP_S
from core.automation.points import Point
from core.decibels import FloatArray
from core.rpp.project import VOLUME

VERSION = 1
GAIN_STEP_DB, TERM_STEP_DB, LEVEL_STEP_LU = 0.01, 0.1, 0.1
_FIRST_CENTRE_S = 0.5
_LOWEST, _HIGHEST = -120.0, 1_000.0
"""The range of all values; a record with other values is damaged."""
Steps = list[Annotated[int, msgspec.Meta(ge=-200_000_000, le=200_000_000)]]
"""A curve as `to_steps` returns it; the limits allow the larger values of earlier versions."""


class BusRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was predicted (or, from a mixdown, found) for one bus.

    Attributes
    ----------
    role : the bus's.
    predicted_cdb : the gain per frame, before any limits of an edit.
    full_cdb : the gain per frame with the whole predicted balance, where the run applied only a part of it (or more
        than all); left out otherwise. Only differences between buses matter.
    level_dlufs : the stem's loudness per frame; left out in records of earlier versions.
    level_lufs : the same in whole LUFS, in records of earlier versions.
    deviation_cdb : standard deviation of each gain, or None where unknown.
    terms_ddb : per term of the explanation, what it adds to the gain per frame.
    loudness_lufs, loudness_after_lufs : the stem's integrated loudness without and with the gain that was written, in
        the part of the song that the run is for; left out for silence, and in records of earlier versions.
    """

    role: str
    predicted_cdb: Steps
    full_cdb: Steps | msgspec.UnsetType = msgspec.UNSET
    level_dlufs: Steps | msgspec.UnsetType = msgspec.UNSET
    level_lufs: Steps | msgspec.UnsetType = msgspec.UNSET
    deviation_cdb: Steps | None = None
    terms_ddb: dict[str, Steps] = {}
    loudness_lufs: float | msgspec.UnsetType = msgspec.UNSET
    loudness_after_lufs: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def levels_lufs(self) -> FloatArray:
        """The stem's loudness per frame, LUFS, shape (n_frames,)."""
        if isinstance(self.level_dlufs, list):
            return from_steps(self.level_dlufs, LEVEL_STEP_LU)
        return from_steps(self.level_lufs or [], 1.0)


class TrackRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was written on one track.

    Attributes
    ----------
    guid, number, name : the track; `number` is its place (from 1) where a project gives no GUIDs.
    role : the bus it is (part of).
    scale : what multiplies the envelope to the gain of the bus (fader in trim/read, trim envelope, divided by
        `weight`): gain = scale * envelope.
    before : the exact text of the previous envelope's block, or None if there was none. Of a fader, its value as an
        envelope of one point.
    written : the envelope's points as written, including those outside a range.
    ours : the same without the points a user had made, if there were any; edits are found by comparing with these.
    weight : what multiplies the gain of the bus to the gain of the track; omitted if it is 1.
    envelope : what was written on, as in `core.rpp.project`; omitted for the volume envelope.
    """

    guid: str
    number: int
    name: str
    role: str
    scale: float
    before: str | None
    written: list[Point]
    ours: list[Point] | None = None
    weight: float | msgspec.UnsetType = msgspec.UNSET
    envelope: Literal["VOLENV", "VOLENV3", "FADER"] | msgspec.UnsetType = msgspec.UNSET

    @property
    def target(self) -> str:
        """The name of the envelope, or `FADER`."""
        return self.envelope if isinstance(self.envelope, str) else VOLUME

    @property
    def base(self) -> list[Point]:
        """The points as written, without those that a user had made."""
        return self.ours or self.written

    @property
    def weight_in_bus(self) -> float:
        """The weight, 1 if it is omitted."""
        return self.weight if isinstance(self.weight, float) else 1.0


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes
    ----------
    id : a hash of everything except `made_at`, so that the same run has the same id again.
    number : the run's place in the project's history, from 1.
    action : ``"mix"``, ``"match"`` or ``"edit"``.
    made_at : when, UTC, ISO 8601.
    model : the model's name, None where a mixdown was matched.
    folder : where the run's other files were written.
    range_s : the part of the song it was for.
    start_s : the project's time at the stems' first sample.
    settings : an edit's settings (`core.runs.edit.EditSettings`); of other runs what an edit must know.
    of : the id of the run whose prediction an edit re-applied.
    duration_s : the song's length.
    highest_gain : the top of an envelope, linear, as REAPER's preferences had it.
    figures : loudness, true peak, fit and the like, by name with unit.
    relation : of a match, a sentence: how the mixdown relates to the stems, and how much of it the gains explain. Left
        out in older records and where there is none.
    stems : the stems' files by role, if they outlive the run.
    files_before : of an edit in a folder, the text of the files it changed, by name.
    buses : the prediction; empty for an edit.
    tracks : what was written where.
    warnings, notes : sentences for the user: what may be a problem, and information. Records of earlier versions have
        both in `warnings`; `notes` are left out where there are none.
    follows : set where the tracks carry the run's id (`core.runs.store.MARK_KEY`): the id of the run before it that
        was in force, or None for the first one. Left out where the tracks carry no id.
    stem_files : the files of each stem that is a sum of several; left out where there are none.
    stem_streams : the audio stream of each of the files of each stem; left out where all are the only ones.
    empty_ext : the GUIDs of tracks that had an empty EXT block, which stays when the run's id is removed again; left
        out where there are none.
    """

    version: int = VERSION
    id: str = ""
    number: int
    action: str
    made_at: str
    made_by: str
    title: str
    model: str | None = None
    folder: str | None = None
    range_s: tuple[float, float] | None = None
    start_s: float = 0.0
    duration_s: float = 0.0
    highest_gain: float = 2.0
    settings: dict[str, Any] = {}
    of: str | None = None
    figures: dict[str, float] = {}
    stems: dict[str, str] = {}
    files_before: dict[str, str] = {}
    warnings: list[str] = []
    notes: list[str] | msgspec.UnsetType = msgspec.UNSET
    relation: str | msgspec.UnsetType = msgspec.UNSET
    buses: list[BusRun] = []
    tracks: list[TrackRun]
    follows: str | msgspec.UnsetType | None = msgspec.UNSET
    stem_files: dict[str, list[str]] | msgspec.UnsetType = msgspec.UNSET
    stem_streams: dict[str, list[int]] | msgspec.UnsetType = msgspec.UNSET
    empty_ext: list[str] | msgspec.UnsetType = msgspec.UNSET


def problem_of(record: RunRecord) -> str | None:
    """Return why a record cannot be used, such as curves of different lengths or tracks without points, or None."""
    lengths = {len(curve) for bus in record.buses for curve in _curves_of(bus)}
    if len(lengths) > 1 or 0 in lengths:
        return "its curves differ in length"
    roles = {bus.role for bus in record.buses}
    if record.buses and not {track.role for track in record.tracks} <= roles:
        return "it wrote to a bus that it has no curve for"
    if any(not track.written or track.ours == [] for track in record.tracks):
        return "one of its tracks has no points"
    if any(min(track.scale, track.weight_in_bus) <= 0.0 for track in record.tracks):
        return "one of its tracks has a scale that is not positive"
    return None


def _curves_of(bus: BusRun) -> list[list[int]]:
    deviation = [bus.deviation_cdb] if bus.deviation_cdb is not None else []
    full = [bus.full_cdb] if isinstance(bus.full_cdb, list) else []
    return [bus.predicted_cdb, *full, bus.level_dlufs or bus.level_lufs or [], *deviation, *bus.terms_ddb.values()]


def with_id(record: RunRecord) -> RunRecord:
    """Return the record with the id derived from its content."""
    plain = msgspec.structs.replace(record, id="", made_at="")
    digest = hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()
    return msgspec.structs.replace(record, id=digest[:16])


def frame_times_s(record: RunRecord) -> FloatArray:
    """Return the frames' centres in the stems' time, shape (n_frames,)."""
    n_frames = len(record.buses[0].predicted_cdb) if record.buses else 0
    return _FIRST_CENTRE_S + HOP_S * np.arange(n_frames, dtype=np.float64)


def rounded(points: Sequence[Point]) -> list[Point]:
    """Return points as a record and a project file store them, with 8 decimals."""
    return [
        Point(round(time_s, 8), round(gain, 8), shape, round(tension, 8)) for time_s, gain, shape, tension in points
    ]


def to_steps(curve: FloatArray, step: float) -> list[int]:
    """Return a curve (n,) as whole steps: the first value, then differences; values are limited to -120 to 1,000.

    Examples
    --------
    >>> to_steps(np.array([-6.0, -5.5, -5.5]), 0.01)
    [-600, 50, 0]
    >>> from_steps([-600, 50, 0], 0.01).tolist()
    [-6.0, -5.5, -5.5]
    """
    bounded = np.clip(np.nan_to_num(curve, nan=_LOWEST), _LOWEST, _HIGHEST)
    whole = np.round(bounded / step).astype(np.int64)
    return [int(value) for value in np.diff(whole, prepend=0)]


def from_steps(steps: list[int], step: float) -> FloatArray:
    """Return the curve (n,) that `to_steps` was given, rounded to whole steps and limited to +-1,000."""
    return np.clip(np.cumsum(np.array(steps, dtype=np.float64)) * step, -_HIGHEST, _HIGHEST)
