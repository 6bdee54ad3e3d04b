"""Re-apply a stored prediction with other settings.

Conventions: gains are in dB, shape (n_frames, n_buses). The balance is each gain relative to the common gain, the one
gain for all buses that would make the mix equally loud. All settings except the offsets preserve that loudness (as
energy over the stems' stored levels); the offsets are applied last and change only their bus.

The depth is relative to the whole prediction, also where the run itself applied only a part of it. Buses whose faders
the run kept do not change, except by their own offset and riding; then the others are scaled around the kept ones.

The prediction is that of the latest run that has one (the *root*). What we wrote last on each track is the base of the
merge (`core.runs.merge`), so that edits of edits find the same points of the user again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from core import roles
from core.analysis.loudness import ABSOLUTE_GATE_LUFS
from core.audio.framing import HOP_S, LONGEST_S
from core.automation.points import EnvelopePoints, Point, thin_bus
from core.decibels import LOWEST_DB, FloatArray, gain_to_db, median
from core.errors import InputError, suggestion
from core.gains.curves import gaussian
from core.models.balance import common_db
from core.models.controls import ride_db
from core.rpp.envelope import Envelope
from core.rpp.project import FADER, Project
from core.rpp.write import (
    HIGHEST_FADER,
    Written,
    WrittenEnvelope,
    combine,
    envelope_edit,
    lowering,
    median_of,
    points_of,
    scale_of,
    with_span,
)
from core.runs import store
from core.runs.merge import Merged, merge
from core.runs.record import (
    GAIN_STEP_DB,
    TERM_STEP_DB,
    RunRecord,
    TrackRun,
    frame_times_s,
    from_steps,
    rounded,
)
from core.runs.store import block_text, latest_tracks, moves_before, track_of
from core.wording import decibels, listed

DEEPEST_PERCENT = 200.0
LARGEST_OFFSET_DB = 24.0
LONGEST_SMOOTHING_S = 60.0
_SIGMAS_IN_SMOOTHING = 2.0


class EditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a prediction is applied; the defaults apply it as it is.

    Attributes
    ----------
    depth_percent : how much of the predicted balance: 0 is every bus at the common gain, 100 as predicted, 200 twice as
        far.
    moves_percent : how much of each bus's moves around its own level (its median while active): 0 is a static mix.
    offset_db : by bus, added at the end.
    ride_percent : by bus, how much its short-term loudness is evened out (`core.models.controls`); replaces the run's.
    limit_db : the largest difference from the common gain; None for no limit.
    smooth_s : the length of the smoothing window.
    range_s : the part of the song to edit.
    freeze : buses that do not change.
    ignore_s : passages (start, end) whose moves are replaced by a straight line from edge to edge.
    """

    depth_percent: float = 100.0
    moves_percent: float = 100.0
    offset_db: dict[str, float] = {}
    ride_percent: dict[str, float] = {}
    limit_db: float | None = None
    smooth_s: float = 0.0
    range_s: tuple[float, float] | None = None
    freeze: list[str] = []
    ignore_s: list[tuple[float, float]] = []


@dataclass(frozen=True)
class Applied:
    """What a run applied of the whole prediction.

    Attributes
    ----------
    full_db : the whole prediction, dB, shape (n_frames, n_buses); only differences between buses matter.
    depth_percent : how much of its balance the run applied.
    kept : the buses whose faders it kept, in the order of the columns.
    """

    full_db: FloatArray
    depth_percent: float = 100.0
    kept: tuple[str, ...] = ()


def apply(
    settings: EditSettings,
    predicted_db: FloatArray,
    *,
    levels_lufs: FloatArray,
    buses: tuple[str, ...],
    time_s: FloatArray,
    applied: Applied | None = None,
) -> FloatArray:
    """Return the gains that `settings` make of a prediction, dB, shape (n_frames, n_buses).

    Parameters
    ----------
    settings : the settings; the caller applies `range_s` and `freeze`.
    predicted_db : the prediction, shape (n_frames, n_buses).
    levels_lufs : the stems' loudness per frame, same shape.
    buses : the columns' roles.
    time_s : the frames' centres, shape (n_frames,).
    applied : what `predicted_db` is of the whole prediction; all of it by default.

    Examples
    --------
    >>> predicted_db, levels_lufs = np.tile([3.0, -3.0], (8, 1)), np.full((8, 2), -20.0)
    >>> settings = EditSettings(depth_percent=50.0)
    >>> buses, time_s = ("drums", "bass"), np.arange(8.0)
    >>> halved_db = apply(settings, predicted_db, levels_lufs=levels_lufs, buses=buses, time_s=time_s)
    >>> (halved_db[0, 0] - halved_db[0, 1]).round(6).item()
    3.0
    """
    applied = applied or Applied(predicted_db)
    kept = [column for column, bus in enumerate(buses) if bus in applied.kept]

    def center_db(gain_db: FloatArray) -> float:
        """Return the gain that the balance is relative to: the common one, or the mean of the kept buses."""
        return float(_levels_db(gain_db, levels_lufs)[kept].mean()) if kept else common_db(gain_db, levels_lufs)

    whole_db = center_db(predicted_db)
    kept_db = predicted_db[:, kept] - whole_db
    deeper = (settings.depth_percent - applied.depth_percent) / 100.0
    balance_db = predicted_db - whole_db + deeper * (applied.full_db - center_db(applied.full_db))
    own_db = _levels_db(balance_db, levels_lufs)
    shaped_db = own_db + (balance_db - own_db) * (settings.moves_percent / 100.0)
    for bus, percent in settings.ride_percent.items():
        column = buses.index(bus)
        shaped_db[:, column] += ride_db(levels_lufs + own_db, column, percent)
    if settings.limit_db is not None:
        shaped_db = np.clip(shaped_db, -settings.limit_db, settings.limit_db)
    if settings.smooth_s > 0.0:
        shaped_db = gaussian(shaped_db, settings.smooth_s / HOP_S / _SIGMAS_IN_SMOOTHING)
    for start_s, end_s in settings.ignore_s:
        inside = (time_s > start_s) & (time_s < end_s)
        if inside.any() and not inside.all():
            straight = [np.interp(time_s[inside], time_s[~inside], column[~inside]) for column in shaped_db.T]
            shaped_db[inside] = np.stack(straight, axis=1)
    if kept:
        shaped_db[:, kept] = kept_db
        for column, bus in zip(kept, applied.kept, strict=True):
            if bus in settings.ride_percent:
                shaped_db[:, column] += ride_db(levels_lufs + own_db, column, settings.ride_percent[bus])
    level_db = whole_db if kept else whole_db - common_db(shaped_db, levels_lufs)
    offsets_db = np.array([settings.offset_db.get(bus, 0.0) for bus in buses])
    return shaped_db + level_db + offsets_db


def _levels_db(gain_db: FloatArray, levels_lufs: FloatArray) -> FloatArray:
    """Return the level of each bus, dB, shape (n_buses,): the median of its gain while it sounds."""
    sounding = levels_lufs > ABSOLUTE_GATE_LUFS
    return np.array(
        [median(column[on] if on.any() else column) for column, on in zip(gain_db.T, sounding.T, strict=True)]
    )


def check(settings: EditSettings, buses: tuple[str, ...], duration_s: float) -> None:
    """Check that settings can be applied to these buses and this length.

    Parameters
    ----------
    settings : the settings.
    buses : the roles of the run.
    duration_s : the length of the song in seconds.

    Raises
    ------
    InputError
        A value is out of its range, or a bus or a passage is not in the song.
    """

    def require_known(option: str, bus: str) -> None:
        problem = f"the run has no such bus or track; {suggestion(bus, buses)}it has {', '.join(buses)}"
        _require(bus in buses, f"{option} {bus}", problem)

    for name, percent in (("--depth", settings.depth_percent), ("--moves", settings.moves_percent)):
        _require(0.0 <= percent <= DEEPEST_PERCENT, f"{name} {percent:g}", f"give 0 to {DEEPEST_PERCENT:g} percent")
    _require(settings.limit_db is None or 0.0 <= settings.limit_db < math.inf, "--limit", "give 0 dB or more")
    _require(
        0.0 <= settings.smooth_s <= LONGEST_SMOOTHING_S,
        f"--smooth {settings.smooth_s:g}",
        f"give 0 to {LONGEST_SMOOTHING_S:g} seconds",
    )
    for bus, offset_db in settings.offset_db.items():
        require_known("--offset", bus)
        is_small = abs(offset_db) <= LARGEST_OFFSET_DB
        _require(is_small, f"--offset {bus}={offset_db:g}", f"at most {LARGEST_OFFSET_DB:g} dB")
    for bus, percent in settings.ride_percent.items():
        require_known("--ride", bus)
        _require(0.0 <= percent <= 100.0, f"--ride {bus}={percent:g}", "give 0 to 100 percent")
    for bus in settings.freeze:
        require_known("--freeze", bus)
    spans = [("--ignore", span) for span in settings.ignore_s]
    spans += [("--range", settings.range_s)] if settings.range_s else []
    for option, (start_s, end_s) in spans:
        _require(
            0.0 <= start_s < end_s < LONGEST_S and start_s < duration_s,
            option,
            f"{start_s:g} s to {end_s:g} s is not in the song, which lasts {duration_s:.1f} s; "
            "give a start and a later end in it",
        )


def describe(settings: EditSettings) -> list[str]:
    """Return a phrase for each setting that differs from the default.

    Examples
    --------
    >>> describe(EditSettings(depth_percent=50.0, offset_db={"drums": 2.0}))
    ['depth 50 %', 'drums +2.0 dB']
    """
    phrases = [f"depth {settings.depth_percent:g} %"] if settings.depth_percent != 100.0 else []
    phrases += [f"moves {settings.moves_percent:g} %"] if settings.moves_percent != 100.0 else []
    phrases += [f"{bus} {decibels(offset_db)}" for bus, offset_db in settings.offset_db.items() if offset_db]
    phrases += [f"{bus} ridden at {percent:g} %" for bus, percent in settings.ride_percent.items()]
    phrases += [f"limit {settings.limit_db:g} dB"] if settings.limit_db is not None else []
    phrases += [f"smoothed over {settings.smooth_s:g} s"] if settings.smooth_s else []
    phrases += [f"{bus} frozen" for bus in settings.freeze]
    phrases += [f"{start_s:g} to {end_s:g} s ignored" for start_s, end_s in settings.ignore_s]
    if settings.range_s:
        phrases.append(
            f"applied only from {settings.range_s[0]:g} to {settings.range_s[1]:g} s (the rest is unchanged)"
        )
    return phrases


def with_changes(settings: EditSettings, changes: Mapping[str, object]) -> EditSettings:
    """Return the settings with those of `changes` that are not None; offsets and rides are changed bus by bus."""
    new = {name: value for name, value in changes.items() if value is not None}
    for name, old in (("offset_db", settings.offset_db), ("ride_percent", settings.ride_percent)):
        given = new.get(name)
        if isinstance(given, Mapping):
            new[name] = {**old, **given}
    return msgspec.structs.replace(settings, **new)


def for_roles(settings: EditSettings, run_roles: Sequence[str]) -> EditSettings:
    """Replace the name of a bus by its single tracks in settings, if the run balanced single tracks.

    A track may be named without its bus and in upper or lower case, a bus by any of its usual names.
    """

    def meant(name: str) -> list[str]:
        if name in run_roles:
            return [name]
        of_bus = [role for role in run_roles if roles.bus_of(role) == name]
        in_bus = {role: role.removeprefix(roles.single_track(roles.bus_of(role), "")) for role in run_roles}
        called = [role for role in run_roles if name.casefold() in (role.casefold(), in_bus[role].casefold())]
        usual = [role for role in run_roles if roles.bus_of(role) == roles.role_of(name)]
        return of_bus or called or usual or [name]

    return msgspec.structs.replace(
        settings,
        offset_db={role: offset for name, offset in settings.offset_db.items() for role in meant(name)},
        ride_percent={role: percent for name, percent in settings.ride_percent.items() for role in meant(name)},
        freeze=[role for name in settings.freeze for role in meant(name)],
    )


def _require(is_valid: bool, option: str, problem: str) -> None:
    if not is_valid:
        raise InputError(problem, option=option)


ON_TOP, DEPTH, KEPT = "moves_on_top", "depth_percent", "kept"
"""Settings of a run: the previous moves are combined with its gains; how much of the balance it applied; kept buses."""
_FADER_MOVED_DB = 0.05


@dataclass(frozen=True)
class Basis:
    """The state that an edit starts from: the root run, what was written last on each track, the current settings.

    `parts` are the settings of the edits of a part of the song since the last one of all of it.
    """

    root: RunRecord
    tracks: tuple[TrackRun, ...]
    settings: EditSettings
    parts: tuple[EditSettings, ...] = ()

    @property
    def unedited(self) -> EditSettings:
        """The settings with which the run itself applied its prediction."""
        return EditSettings(depth_percent=depth_of(self.root))

    @property
    def buses(self) -> tuple[str, ...]:
        """The root's buses."""
        return tuple(bus.role for bus in self.root.buses)

    def curves_db(self, settings: EditSettings) -> dict[str, FloatArray]:
        """Return each bus's gain (n_frames,), dB, under `settings`."""
        check(settings, self.buses, self.root.duration_s)
        predicted = np.stack([from_steps(bus.predicted_cdb, GAIN_STEP_DB) for bus in self.root.buses], axis=1)
        full = [bus.predicted_cdb if bus.full_cdb is msgspec.UNSET else bus.full_cdb for bus in self.root.buses]
        applied = Applied(
            np.stack([from_steps(steps, GAIN_STEP_DB) for steps in full], axis=1),
            depth_of(self.root),
            kept_buses(self.root),
        )
        levels = np.stack([bus.levels_lufs for bus in self.root.buses], axis=1)
        for column, bus in enumerate(self.root.buses):
            if bus.role in settings.ride_percent and "ride" in bus.terms_ddb:
                predicted[:, column] -= from_steps(bus.terms_ddb["ride"], TERM_STEP_DB)
        times = frame_times_s(self.root)
        gains = apply(settings, predicted, levels_lufs=levels, buses=self.buses, time_s=times, applied=applied)
        return dict(zip(self.buses, gains.T, strict=True))


def depth_of(root: RunRecord) -> float:
    """Return how much of the predicted balance a run applied, percent; 100 where its record has no whole prediction."""
    depth_percent = root.settings.get(DEPTH)
    has_full = all(bus.full_cdb is not msgspec.UNSET for bus in root.buses)
    return float(depth_percent) if has_full and isinstance(depth_percent, (int, float)) else 100.0


def kept_buses(root: RunRecord) -> tuple[str, ...]:
    """Return the buses whose faders a run kept, in the order of its buses."""
    kept = root.settings.get(KEPT)
    if kept is None:  # a record of an earlier version: a kept bus has no uncertainty
        kept = [bus.role for bus in root.buses if "kept" in bus.terms_ddb and not any(bus.deviation_cdb or [1])]
    return tuple(bus.role for bus in root.buses if bus.role in kept)


@dataclass(frozen=True)
class TrackEdit:
    """One track: what was written on it last, its present points, and these merged with what the settings ask for."""

    run: TrackRun
    now: tuple[Point, ...]
    merged: Merged


@dataclass(frozen=True)
class ReApplied:
    """The record of the edit (undated), the run it is of, and what it does to each track."""

    record: RunRecord
    root: RunRecord
    tracks: tuple[TrackEdit, ...]
    settings: EditSettings
    notes: tuple[str, ...]


def basis_of(runs: Sequence[RunRecord], where: str) -> Basis:
    """Return what an edit of the latest of `runs` starts from.

    Raises
    ------
    InputError
        No run has a prediction, or the settings or a bus of an edit of it are damaged.
    """
    roots = [run for run in runs if run.buses]
    if not roots:
        raise InputError("has no run of Faderwise that can be edited", path=where, remedy="mix or match it first")
    root = roots[-1]
    since = [run for run in runs if run.number >= root.number]
    edits = [run for run in since if run.of == root.id]
    settings = [_settings_of(run, where) for run in edits]
    latest = latest_tracks(since)
    odd = sorted({track.role for track in latest} - {bus.role for bus in root.buses})
    if odd:
        raise InputError(
            f"run {root.number} has no curve for {', '.join(odd)}, so an edit of it is damaged",
            path=where,
            remedy="mix it again",
        )
    last_whole = max((place for place, setting in enumerate(settings, start=1) if setting.range_s is None), default=0)
    basis = Basis(root, latest, EditSettings(), tuple(settings[last_whole:]))
    return replace(basis, settings=settings[last_whole - 1] if last_whole else basis.unedited)


def _settings_of(run: RunRecord, where: str) -> EditSettings:
    try:
        return msgspec.convert(run.settings, EditSettings)
    except msgspec.ValidationError as error:
        raise InputError(
            f"the settings of run {run.number} are damaged ({error})", path=where, remedy="mix it again"
        ) from error


def reapply(
    project: Project, changes: Mapping[str, object], *, from_prediction: bool = False
) -> tuple[ReApplied, Written]:
    """Return a project's latest prediction under changed settings, merged with what is on its tracks now.

    Parameters
    ----------
    project : a project with a history.
    changes : settings (`EditSettings`' fields) to change; None keeps the value of the previous edit.
    from_prediction : start from the default settings instead of those of the previous edit.

    Raises
    ------
    InputError
        No run can be edited, or a setting is out of range.
    """
    runs = store.read_history(project)
    basis = basis_of(runs, str(project.path))
    settings, curves, span_s, notes = _asked(basis, changes, from_prediction=from_prediction)
    root = basis.root
    found: list[tuple[TrackRun, Envelope]] = []
    targets: list[tuple[WrittenEnvelope, EnvelopePoints]] = []
    for then in basis.tracks:
        track = track_of(project, then)
        envelope = track.target(then.target) if track else None
        if then.role in settings.freeze:
            continue
        if track is None or envelope is None or not envelope.points:
            notes.append(f"track {then.number} {then.name!r} no longer has a volume envelope, so it was not changed")
            continue
        if envelope.has_items:
            notes.append(f"{track.title} has automation items on its volume envelope, so it was not changed")
            continue
        if span_s and then.target == FADER:
            notes.append(f"the fader of {track.title} cannot be set for a part of the song, so it was not changed")
            continue
        moved_db = float(gain_to_db(scale_of(project, track, then.target) / (then.scale * then.weight_in_bus)))
        if abs(moved_db) >= _FADER_MOVED_DB:
            notes.append(
                f"the fader (or trim) of {track.title} was moved by {decibels(moved_db)} since; this is applied on top"
            )
        moves = moves_before(project, track, root) if root.settings.get(ON_TOP) else None
        curve = curves[then.role] if span_s else curves[then.role].from_start()
        if then.target == FADER:
            curve = median_of(curve)
        found.append((then, envelope))
        target = WrittenEnvelope(track, then.role, then.scale, (), then.weight_in_bus, then.target)
        targets.append((target, combine(curve, moves, is_part=span_s is not None)))
    on_faders = any(then.target == FADER for then, _ in found)
    lowered = lowering(targets, HIGHEST_FADER if on_faders else root.highest_gain)
    edits, envelopes, tracks = [], [], []
    for (then, envelope), (target, curve) in zip(found, targets, strict=True):
        new = points_of(curve.with_gain_db(-lowered.of(then.role)), then.scale)
        base = replace(envelope, points=tuple(then.base), is_active=True)
        now = envelope if envelope.is_active else base  # a bypassed envelope plays nothing, so it counts as unedited
        merged = merge(base.points, now.points, with_span(base, new, span_s) if span_s else new, base.gain_of)
        tracks.append(TrackEdit(then, tuple(now.points), merged))
        edits.append(envelope_edit(project, target.track, replace(base, points=merged.points), then.target))
        envelopes.append(replace(target, points=merged.points))
    written = Written(project, tuple(edits), tuple(envelopes), ())
    before = [block_text(project, target.track, target.name) for target, _ in targets]
    record = _record(basis, settings, tracks, before, store.next_number(project))
    return ReApplied(record, root, tuple(tracks), settings, (*notes, *lowered.notes)), written


def reapply_points(
    runs: Sequence[RunRecord],
    now: Mapping[str, EnvelopePoints],
    changes: Mapping[str, object],
    *,
    from_prediction: bool = False,
) -> ReApplied:
    """Return the latest prediction of a song without a project under changed settings, as `reapply` does.

    Parameters
    ----------
    runs : the runs, earliest first.
    now : the present points, by bus.
    changes, from_prediction : as in `reapply`.

    Raises
    ------
    InputError
        No run can be edited, or a setting is out of range.
    """
    basis = basis_of(runs, runs[-1].title if runs else "the folder")
    settings, curves, span_s, notes = _asked(basis, changes, from_prediction=from_prediction)
    tracks = []
    for then in basis.tracks:
        if then.role in settings.freeze:
            continue
        if then.role not in now:
            notes.append(f"all points of {then.role} were deleted, so it is at 0 dB and was not changed")
        else:
            base = Envelope(tuple(then.base), scaling="db")
            new = curves[then.role].points()
            new = with_span(base, new, span_s) if span_s else new
            present = now[then.role].points()
            tracks.append(TrackEdit(then, present, merge(base.points, present, new, base.gain_of)))
    record = _record(basis, settings, tracks, [None] * len(tracks), runs[-1].number + 1)
    return ReApplied(record, basis.root, tuple(tracks), settings, tuple(notes))


def _asked(
    basis: Basis, changes: Mapping[str, object], *, from_prediction: bool
) -> tuple[EditSettings, dict[str, EnvelopePoints], tuple[float, float] | None, list[str]]:
    """Return the settings, each bus's points under them, the span they are for in the project's time, and notes."""
    start = basis.unedited if from_prediction else basis.settings
    settings = for_roles(with_changes(start, changes), basis.buses)
    settings, notes = _without_frozen(settings, start, changes, basis.buses)
    root = basis.root
    curves_db = basis.curves_db(settings)
    if settings.range_s is not None:
        start_s, end_s = settings.range_s
        settings = msgspec.structs.replace(settings, range_s=(start_s, min(end_s, root.duration_s)))
    span_s = common_span(root.range_s, settings.range_s)
    times = frame_times_s(root)
    curves = {}
    for bus, gain_db in curves_db.items():
        points = _shifted_as_a_whole(basis, settings, bus)
        if points is None:
            points = thin_bus(times, gain_db, span_s=root.range_s)  # as the run did: a part differs by the settings
        if span_s is not None and span_s != root.range_s:
            points = points.cut(span_s)
        curves[bus] = points.shifted(root.start_s)
    notes += _replaced_notes(basis, settings)
    return settings, curves, None if span_s is None else (span_s[0] + root.start_s, span_s[1] + root.start_s), notes


def _shifted_as_a_whole(basis: Basis, settings: EditSettings, bus: str) -> EnvelopePoints | None:
    """Return the run's own points of a bus with its offset, in the stems' time; None if more than offsets changes.

    The stored curve has steps of 0.01 dB, so thinning it again would choose other points.
    """
    root = basis.root
    beyond = msgspec.structs.replace(settings, offset_db={}, range_s=None, freeze=[])
    written = next((track for track in root.tracks if track.role == bus), None)
    if beyond != basis.unedited or written is None or root.range_s is not None or root.settings.get(ON_TOP):
        return None
    points = EnvelopePoints.of(written.written)
    if (points.gain_db <= LOWEST_DB).any():  # a silence would get sound
        return None
    points = points.with_gain_db(float(gain_to_db(written.scale)) + settings.offset_db.get(bus, 0.0))
    return points.shifted(-root.start_s)


def common_span(one: tuple[float, float] | None, other: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the part that both spans cover; None is all of the song.

    Raises
    ------
    InputError
        They do not overlap.
    """
    if one is None or other is None:
        return one or other
    span = (max(one[0], other[0]), min(one[1], other[1]))
    if span[0] >= span[1]:
        raise InputError(f"the run covers only {one[0]:g}:{one[1]:g}", option=f"--range {other[0]:g}:{other[1]:g}")
    return span


def _record(
    basis: Basis, settings: EditSettings, edits: Sequence[TrackEdit], before: Sequence[str | None], number: int
) -> RunRecord:
    """Return the record of an edit, without id and date; `before` is the text of each track's previous envelope."""
    tracks = [
        msgspec.structs.replace(
            edit.run,
            before=text,
            written=rounded(edit.merged.points),
            ours=None if edit.merged.edits.are_none else rounded(edit.merged.ours),
        )
        for edit, text in zip(edits, before, strict=True)
    ]
    return msgspec.structs.replace(
        basis.root,
        number=number,
        action="edit",
        id="",
        made_at="",
        settings=msgspec.to_builtins(settings),
        of=basis.root.id,
        buses=[],
        tracks=tracks,
        warnings=[],
        relation=msgspec.UNSET,
        follows=msgspec.UNSET,
    )


def _without_frozen(
    settings: EditSettings, start: EditSettings, changes: Mapping[str, object], buses: Sequence[str]
) -> tuple[EditSettings, list[str]]:
    """Return the settings without new offsets and rides of frozen buses, which have no effect, and notes about them."""
    asked = for_roles(with_changes(EditSettings(), changes), buses)
    notes = []
    for option, name in (("--offset", "offset_db"), ("--ride", "ride_percent")):
        old, new = getattr(start, name), getattr(settings, name)
        ignored = [bus for bus in settings.freeze if bus in getattr(asked, name)]
        if ignored:
            own = {bus: value for bus, value in new.items() if bus not in ignored}
            own |= {bus: value for bus, value in old.items() if bus in ignored}
            settings = msgspec.structs.replace(settings, **{name: own})
            is_are = "is" if len(ignored) == 1 else "are"
            remedy = "omit it" if asked.freeze else "add --from-prediction, which drops it"
            notes.append(f"{option} has no effect on {listed(ignored)}, which {is_are} frozen by --freeze; {remedy}")
    return settings, notes


def _replaced_notes(basis: Basis, settings: EditSettings) -> list[str]:
    if settings.range_s is not None:
        return []
    frozen = [bus for bus in basis.buses if bus in settings.freeze]
    if len(frozen) == len(basis.buses):
        return []
    kept = f" (kept for {listed(frozen)}, frozen)" if frozen else ""
    spans = [part.range_s for part in basis.parts if part.range_s]
    return [f"the edit from {start_s:g} to {end_s:g} s was replaced{kept}" for start_s, end_s in spans]
