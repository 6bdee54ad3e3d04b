"""Store run records in a project's ext state, and restore the automation that a run replaced.

Conventions: a record is JSON, deflated, in URL-safe base64, and split into values of at most `PIECE_CHARACTERS`. The
first value begins with ``1.<pieces>.<CRC-32 of the base64, hex>.``, so that a missing or damaged piece is detected.
Version 0.1.0 wrote values of 8,000 characters, which REAPER cuts when it reads the saved project again.

REAPER's undo takes back envelopes and what is stored on tracks, but not ext state, so the record of an undone run
stays. A run that was made in REAPER puts its id on its tracks as well (`P_EXT:`, in the file the track's EXT block): it
is in force while the id is on any track, or while a later run that follows it is. A run without such a mark, and one
whose tracks all have the envelopes again that it found there, are undone where these envelopes are back. Undone runs
are ignored until they are redone.

Ext state is the keys and values that scripts store in a project, by section. REAPER writes names of sections and keys
in upper case, and keys sorted; here names are compared without regard to case. A section's block is rewritten only
where one of its keys changes; every other byte is unchanged. REAPER's reader splits a line after 4,094 characters, so
values have to be shorter. WDL writes strings of 1,023 characters and more, or with line breaks, as a block whose lines
begin with ``|``; such blocks are read as values.

The user's own moves are found by going back: where a run's envelope is unchanged, the moves are those that the run
found there, and so on. An envelope that was changed since a run counts as the user's own as a whole.

Sources: a project of REAPER 7.19 (`<EXTSTATE`, `<SECTION`, one line per key); WDL, projectcontext.cpp
(ProjectContext_GetNextLine, cfg_decode_textblock, configStringWantsBlockEncoding).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from core.errors import InputError
from core.files import undecodable
from core.rpp.envelope import Envelope, read_envelope
from core.rpp.parser import Block, Document, Edit, as_text, parse, quoted, words
from core.rpp.project import FADER, VOLUME, Project, Track
from core.rpp.write import Written, fader_edit, place_of_envelope
from core.runs.record import VERSION, RunRecord, TrackRun, problem_of, rounded

SECTION = "Faderwise"
_EXT_STATE_BLOCK = "EXTSTATE"
_EMPTY_BEFORE = "EXTSTATE_WAS_EMPTY"
"""Marks that the project had an empty EXTSTATE block before our section; it remains when the section is removed."""
PIECE_CHARACTERS = 900
"""WDL writes strings from 1,023 characters on as blocks, and its reader cuts lines after 4,094 characters."""
_CUT_LINE_CHARACTERS = 4094
LARGEST_RECORD_BYTES = 64 * 1024 * 1024
_KEY = re.compile(r"RUN_(\d{4,9})_(\d{2,9})", re.IGNORECASE)
_HEAD = re.compile(r"1\.(\d{1,6})\.([0-9a-f]{8})\.")


def to_ext_state(record: RunRecord) -> dict[str, str]:
    """Return the record as keys and values of our section."""
    return as_pieces(msgspec.json.encode(record), record.number)


def as_pieces(text: bytes, number: int) -> dict[str, str]:
    """Return run `number`'s record, as JSON, as keys and values of our section."""
    body = base64.urlsafe_b64encode(zlib.compress(text, 6)).decode()
    room = PIECE_CHARACTERS - len("1.000000.00000000.")
    pieces = [body[start : start + room] for start in range(0, len(body), room)]
    pieces[0] = f"1.{len(pieces)}.{zlib.crc32(body.encode()):08x}.{pieces[0]}"
    return {f"RUN_{number:04}_{place:02}": piece for place, piece in enumerate(pieces, start=1)}


def numbers_in(keys: Iterable[str]) -> tuple[int, ...]:
    """Return the numbers of the runs that keys belong to, lowest first."""
    return tuple(sorted({int(found[1]) for key in keys if (found := _KEY.fullmatch(key))}))


def keys_to_delete(keys: Iterable[str], first: int) -> tuple[str, ...]:
    """Return those of a section's keys that belong to run `first` and later ones."""
    return tuple(key for key in keys if (found := _KEY.fullmatch(key)) and int(found[1]) >= first)


def from_ext_state(values: Mapping[str, str], number: int) -> RunRecord:
    """Return a run's record.

    Raises
    ------
    InputError
        A piece is missing, cut or damaged, or a later version of this program wrote it.
    """
    found = {
        int(key[2]): (name, value)
        for name, value in values.items()
        if (key := _KEY.fullmatch(name)) and int(key[1]) == number
    }
    pieces = [found[place] for place in sorted(found)]
    text = "".join(value for _, value in pieces)
    head = _HEAD.match(text)
    body = text[head.end() :] if head else ""
    if head is None or int(head[1]) != len(pieces) or f"{zlib.crc32(body.encode()):08x}" != head[2]:
        if any(len(name) + 1 + len(value) == _CUT_LINE_CHARACTERS for name, value in pieces):
            raise InputError(
                f"the record of run {number} was cut when REAPER reopened the project, because Faderwise 0.1.0 wrote "
                f"lines that are too long for REAPER; its automation is complete, but it cannot be audited, edited or "
                "reverted",
                remedy="to revert it, take the envelopes from a copy that was saved before the run, such as the "
                ".rpp-bak; to continue from here, mix or match again: later runs can be reverted to this state",
            )
        raise InputError(
            f"the record of run {number} is damaged", remedy="take an older copy of the project to get it back"
        )
    return _decoded(body, number)


@lru_cache(maxsize=4)  # one command reads the same records several times
def _decoded(body: str, number: int) -> RunRecord:
    try:
        inflating = zlib.decompressobj()
        text = inflating.decompress(base64.urlsafe_b64decode(body), LARGEST_RECORD_BYTES)
        version = msgspec.json.decode(text, type=_Versioned).version
        record = msgspec.json.decode(text, type=RunRecord) if version <= VERSION else None
    except (zlib.error, binascii.Error, *undecodable()) as error:
        raise InputError(f"the record of run {number} cannot be read ({error})", remedy="take an older copy") from error
    if record is None:
        raise InputError(
            f"run {number} was recorded by a later Faderwise (version {version})", remedy="update this one"
        )
    wrong_number = None if record.number == number else f"it belongs to run {record.number}"
    if problem := problem_of(record) or wrong_number:
        raise InputError(f"the record of run {number} cannot be used ({problem})", remedy="take an older copy")
    return record


class _Versioned(msgspec.Struct):
    version: int = VERSION


def read_history(project: Project) -> tuple[RunRecord, ...]:
    """Return the project's runs that are in force, earliest first.

    Runs that were undone (`undone_runs`) and runs whose record cannot be read (`damaged_runs`) are left out.
    """
    return _in_force(project, _recorded(project))


def require_history(project: Project) -> tuple[RunRecord, ...]:
    """Return the project's runs that are in force, earliest first.

    Raises
    ------
    InputError
        There are none: they were undone, their records cannot be read, or the project never had one.
    """
    runs = read_history(project)
    if runs:
        return runs
    for error in damaged_runs(project).values():
        raise error
    undone = ", ".join(f"{run.number} ({run.action})" for run in undone_runs(project))
    if undone:
        raise InputError(
            f"run {undone} was undone in REAPER, so no run of Faderwise is in force",
            path=project.path,
            remedy="redo it in REAPER, or mix or match again",
        )
    raise InputError("has no run of Faderwise in it", path=project.path, remedy="mix or match it first")


def undone_runs(project: Project) -> tuple[RunRecord, ...]:
    """Return the runs whose record is in the project although they were undone, earliest first."""
    recorded = _recorded(project)
    in_force = {run.number for run in _in_force(project, recorded)}
    return tuple(run for run in recorded if run.number not in in_force)


def _recorded(project: Project) -> list[RunRecord]:
    values = ext_state(project.document, SECTION)
    found = [_run(values, number) for number in numbers_in(values)]
    return [run for run in found if isinstance(run, RunRecord)]


def _in_force(project: Project, runs: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """Return the runs that were not undone, going back from the latest one and from what is on the tracks now."""
    marks = {mark_of(project, track) for track in project.tracks}
    targets = {then.target for run in runs for then in run.tracks}
    envelopes = {(track.index, name): track.target(name) for track in project.tracks for name in targets}
    known = {run.id for run in runs}
    found: list[RunRecord] = []
    follows: str | msgspec.UnsetType | None = msgspec.UNSET
    for number, run in reversed(list(enumerate(runs, start=1))):
        if follows is None or (isinstance(follows, str) and follows in known):
            is_in_force = run.id == follows
        else:
            is_marked = run.follows is msgspec.UNSET or run.id in marks
            is_in_force = is_marked and not _is_taken_back(project, runs[:number], envelopes)
        if is_in_force:
            found.append(run)
            follows = run.follows
            envelopes |= _envelopes_before(project, run)
    return tuple(reversed(found))


def _is_taken_back(
    project: Project, runs: Sequence[RunRecord], envelopes: Mapping[tuple[int, str], Envelope | None]
) -> bool:
    """Return whether the last of `runs` was undone, by itself or together with earlier runs.

    Its tracks have the envelopes again that it, or one of the runs before it, found there, and not those it wrote.
    """
    latest = [(envelopes[track.index, then.target], then) for then, track in _tracks_of(project, runs[-1])]
    if not latest or all(is_as_written(envelope, then) for envelope, then in latest):
        return False
    found_there: dict[tuple[int, str], Envelope | None] = {}
    for run in reversed(runs):
        found_there |= _envelopes_before(project, run)
        if all(_are_same(envelopes[place], before) for place, before in found_there.items()):
            return True
    return False


def _envelopes_before(project: Project, run: RunRecord) -> dict[tuple[int, str], Envelope | None]:
    """Return the envelopes that a run found, by the index of the track and the envelope's name."""
    return {(track.index, then.target): envelope_in(then.before) for then, track in _tracks_of(project, run)}


def _tracks_of(project: Project, run: RunRecord) -> list[tuple[TrackRun, Track]]:
    return [(then, track) for then in run.tracks if (track := track_of(project, then)) is not None]


def _record_on(project: Project, track: Track, run: RunRecord, name: str | None = None) -> TrackRun | None:
    """Return what a run wrote on a track (on the envelope `name`, by default on any), or None."""
    found = (then for then in run.tracks if name in (None, then.target) and track_of(project, then) == track)
    return next(found, None)


def track_of(project: Project, then: TrackRun) -> Track | None:
    """Return the track of a record: by GUID, or by number where the project has no GUIDs."""
    if then.guid:
        return next((track for track in project.tracks if track.guid == then.guid), None)
    same = [track for track in project.tracks if track.number == then.number and not track.guid]
    return same[0] if same else None


MARK_KEY = "faderwise_run"
"""The key (`P_EXT:faderwise_run`) under which a track carries the id of the last run that wrote on it in REAPER."""
_BYPASSED_KEY = "faderwise_bypassed"
"""The key under which a track carries the envelopes that the action Compare has bypassed in REAPER."""


def with_mark(record: RunRecord, project: Project) -> RunRecord:
    """Return the record of a run whose id goes onto its tracks; the record must not have its id yet."""
    before = read_history(project)
    tracks = {track.guid: track for track in project.tracks}
    empty = []
    for then in record.tracks:
        block = next(tracks[then.guid].block.inner("EXT"), None) if then.guid in tracks else None
        if block is not None and not block.lines and not block.blocks:
            empty.append(then.guid)
    return msgspec.structs.replace(record, follows=before[-1].id if before else None, empty_ext=empty or msgspec.UNSET)


def mark_of(project: Project, track: Track) -> str | None:
    """Return the id of the last run that wrote on a track in REAPER, or None."""
    for block in track.block.inner("EXT"):
        for index in block.lines:
            tokens = words(project.document.lines[index])
            if tokens and tokens[0].casefold() == MARK_KEY:
                return tokens[1] if len(tokens) > 1 else None
    return None


def mark_edits(project: Project, track: Track, run_id: str | None, *, keeps_block: bool = False) -> list[Edit]:
    """Return the edits that set the run id of a track, or that remove it and all else that REAPER's actions put there.

    Parameters
    ----------
    project, track : the track and its project.
    run_id : the id, or None to remove it.
    keeps_block : keep the EXT block of the track if nothing else is in it.
    """
    lines = project.document.lines
    block = next(track.block.inner("EXT"), None)
    keys = (MARK_KEY, _BYPASSED_KEY) if run_id is None else (MARK_KEY,)
    present = () if block is None else block.lines
    ours = [index for index in present if (words(lines[index]) or [""])[0].casefold() in keys]
    is_done = not ours if run_id is None else mark_of(project, track) == run_id
    if is_done:
        return []
    end = project.document.line_end(track.block.first)
    opening = lines[track.block.first]
    margin = opening[: len(opening) - len(opening.lstrip(b" \t"))] + b"  "
    line = b"" if run_id is None else margin + f"  {MARK_KEY} {run_id}".encode() + end
    if block is None:
        return [Edit(track.block.last, track.block.last, (margin + b"<EXT" + end, line, margin + b">" + end))]
    if not line and not keeps_block and set(block.lines) == set(ours) and not block.blocks:
        return [Edit(block.first, block.last + 1, ())]
    if ours:
        return [Edit(index, index + 1, (line,) if line else ()) for index in ours]
    return [Edit(block.last, block.last, (line,))]


def block_text(project: Project, track: Track, name: str = VOLUME) -> str | None:
    """Return the text of an envelope's block, or None; `block_bytes` returns its bytes again.

    Of the fader it is a block of one point, whose value is as in the file.

    Parameters
    ----------
    project, track : the track and its project.
    name : the envelope's name, or `FADER`.
    """
    if name == FADER:
        fields = project.document.fields(track.block, "VOLPAN")
        return f"<{FADER}\nACT 1\nPT 0 {fields.text(0) if fields else 1} 0\n>\n"
    envelope = track.target(name)
    if envelope is None or envelope.block is None:
        return None
    raw = b"".join(project.document.lines[envelope.block.first : envelope.block.last + 1])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\0" + raw.decode("latin-1")  # no line of a project begins with a NUL


def block_bytes(text: str) -> bytes:
    """Return the bytes of a text from `block_text`."""
    return text[1:].encode("latin-1") if text.startswith("\0") else text.encode("utf-8")


def track_runs(written: Written) -> list[TrackRun]:
    """Return what was written on each track of a project, for the record of the run."""
    return [
        TrackRun(
            guid=envelope.track.guid,
            number=envelope.track.number,
            name=envelope.track.name,
            role=envelope.role,
            scale=envelope.scale,
            before=block_text(written.project, envelope.track, envelope.name),
            written=rounded(envelope.points),
            weight=envelope.weight if envelope.weight != 1.0 else msgspec.UNSET,
            envelope=envelope.name if envelope.name != VOLUME else msgspec.UNSET,  # type: ignore[arg-type]
        )
        for envelope in written.envelopes
    ]


@lru_cache(maxsize=256)
def envelope_in(text: str | None) -> Envelope | None:
    """Return the envelope in a text from `block_text`."""
    if text is None:
        return None
    document = parse(b"<REAPER_PROJECT 0.1\n" + block_bytes(text) + b">\n", Path("history"))
    return read_envelope(document, document.root.blocks[0])


_SAME_TIME_S, _SAME_GAIN = 1e-5, 1e-4


def is_as_written(envelope: Envelope | None, then: TrackRun) -> bool:
    """Return whether an envelope has the points that a run wrote."""
    if envelope is None:
        return False
    return _same_points([(p.time_s, p.gain, p.shape) for p in envelope.points], [point[:3] for point in then.written])


def _are_same(one: Envelope | None, other: Envelope | None) -> bool:
    first, second = (None if envelope is None or not envelope.points else envelope for envelope in (one, other))
    if first is None or second is None:
        return first is second
    points = [[(p.time_s, p.gain, p.shape) for p in envelope.points] for envelope in (first, second)]
    return first.is_active == second.is_active and _same_points(*points)


def _same_points(one: Sequence[tuple[float, float, int]], other: Sequence[tuple[float, float, int]]) -> bool:
    if len(one) != len(other):
        return False
    return bool((np.abs(np.array(one) - np.array(other)) <= (_SAME_TIME_S, _SAME_GAIN, 0.0)).all())


def damaged_runs(project: Project) -> dict[int, InputError]:
    """Return, by number, why a run's record cannot be read."""
    values = ext_state(project.document, SECTION)
    found = {number: _run(values, number) for number in numbers_in(values)}
    return {
        number: InputError(run.problem, path=project.path, remedy=run.remedy)
        for number, run in found.items()
        if isinstance(run, InputError)
    }


def has_runs(project: Project) -> bool:
    """Return whether the project has any records of runs, including undone and damaged ones."""
    return bool(numbers_in(ext_state(project.document, SECTION)))


def next_number(project: Project) -> int:
    """Return the number of the next run."""
    return max(numbers_in(ext_state(project.document, SECTION)), default=0) + 1


def edits_to_add(document: Document, record: RunRecord) -> list[Edit]:
    """Return the edits that add a record to a project file."""
    return ext_state_edits(document, SECTION, to_ext_state(record))


def mark_tracks(project: Project, record: RunRecord) -> list[Edit]:
    """Return the edits that put a run's id on its tracks, where it was made in REAPER (`with_mark`)."""
    if record.follows is msgspec.UNSET:
        return []
    return [edit for _, track in _tracks_of(project, record) for edit in mark_edits(project, track, record.id)]


def edits_to_remove(document: Document, first: int) -> list[Edit]:
    """Return the edits that remove run `first` and later ones; without runs the section is removed as well."""
    keys = keys_to_delete(ext_state(document, SECTION), first)
    return ext_state_edits(document, SECTION, dict.fromkeys(keys))


def _run(values: dict[str, str], number: int) -> RunRecord | InputError:
    try:
        return from_ext_state(values, number)
    except InputError as error:
        return error


@dataclass(frozen=True)
class Restored:
    """A project's content before run `first`, the runs that were taken back, and notes for the user."""

    content: bytes
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...]


def restore(project: Project, first: int) -> Restored:
    """Return the project as it was before run `first`: its envelopes, and a history without that run and later ones.

    Raises
    ------
    InputError
        The project has no such run in force, or its record is damaged.
    """
    runs = runs_from(project, first)
    edits, notes = edits_to_remove(project.document, first), []
    marks: dict[int, list[Edit]] = {}
    empty = {guid for run in runs for guid in run.empty_ext or ()}
    earlier = [run for run in read_history(project) if run.number < first]
    for then in restored_tracks(runs):
        track = track_of(project, then)
        if track is None:
            notes.append(f"track {then.number} {then.name!r} was deleted, so nothing was restored on it")
        else:
            edits += _edits(project, track, then)
            last = next((run for run in reversed(earlier) if _record_on(project, track, run) is not None), None)
            marks[track.index] = mark_edits(
                project,
                track,
                last.id if last is not None and last.follows is not msgspec.UNSET else None,
                keeps_block=track.guid in empty,
            )
    edits += [edit for edits_of_track in marks.values() for edit in edits_of_track]
    return Restored(project.document.edited(edits), runs, tuple(notes))


def runs_from(project: Project, first: int) -> tuple[RunRecord, ...]:
    """Return run `first` and all later ones that are in force.

    Raises
    ------
    InputError
        The run is not in force, or the record of one of them is damaged.
    """
    for number, error in damaged_runs(project).items():
        if number >= first:
            raise error
    runs = read_history(project)
    chosen = tuple(run for run in runs if run.number >= first)
    if not chosen or chosen[0].number != first:
        known = ", ".join(str(run.number) for run in runs)
        is_undone = any(run.number == first for run in undone_runs(project))
        problem = f"run {first} was undone in REAPER" if is_undone else f"has no run {first} of Faderwise"
        remedy = f"give one of its runs, {known}" if runs else "mix it first"
        raise InputError(problem, path=project.path, remedy=remedy)
    return chosen


def restored_tracks(runs: Sequence[RunRecord]) -> tuple[TrackRun, ...]:
    """Return, for each track any of `runs` wrote on, the earliest one's record: its `before` is what was there."""
    earliest: dict[tuple[str, int, str], TrackRun] = {}
    for run in runs:
        for track in run.tracks:
            earliest.setdefault(_identity(track), track)
    return tuple(earliest.values())


def latest_tracks(runs: Sequence[RunRecord]) -> tuple[TrackRun, ...]:
    """Return, for each track any of `runs` wrote on, the latest one's record, in the order of the earliest run."""
    return tuple({_identity(track): track for run in runs for track in run.tracks}.values())


def _identity(track: TrackRun) -> tuple[str, int, str]:
    return (track.guid, 0 if track.guid else track.number, track.target)


def _edits(project: Project, track: Track, then: TrackRun) -> list[Edit]:
    if then.target == FADER:
        return [fader_edit(project, track, fader_in(then.before))]
    lines = () if then.before is None else (block_bytes(then.before),)
    envelope = track.target(then.target)
    if envelope is not None and envelope.block is not None:
        return [Edit(envelope.block.first, envelope.block.last + 1, lines)]
    at = place_of_envelope(project.document, track.block)
    return [Edit(at, at, lines)] if lines else []


def fader_in(text: str | None) -> str:
    """Return the fader's value in a text from `block_text`, as in the file."""
    found = re.search(r"(?m)^PT 0 (\S+)", text or "")
    return found[1] if found else "1"


def own_moves(project: Project, track: Track, name: str = VOLUME) -> Envelope | None:
    """Return the envelope with the user's own moves, or None where there are none.

    Parameters
    ----------
    project, track : the track and its project.
    name : the envelope's name, or `FADER`.
    """
    return _before_ours(project, track, name, track.target(name), read_history(project))


def moves_before(project: Project, track: Track, run: RunRecord) -> Envelope | None:
    """Return the user's own moves that a run found on a track, or None if there were none.

    Parameters
    ----------
    project, track : the track and its project.
    run : the run that replaced the moves, or was combined with them.
    """
    then = _record_on(project, track, run)
    if then is None:
        return None
    earlier = [one for one in read_history(project) if one.number < run.number]
    return _before_ours(project, track, then.target, envelope_in(then.before), earlier)


def _before_ours(
    project: Project, track: Track, name: str, envelope: Envelope | None, runs: Sequence[RunRecord]
) -> Envelope | None:
    for run in reversed(runs):
        then = _record_on(project, track, run, name)
        if then is not None:
            if not is_as_written(envelope, then):
                break
            envelope = envelope_in(then.before)
    return envelope


def ext_state(document: Document, section: str) -> dict[str, str]:
    """Return a section's values by key, in upper case; empty where the section does not exist."""
    block = _section(document, section)
    if block is None:
        return {}
    lines = [words(document.lines[index]) for index in block.lines]
    values = {line[0].upper(): line[1] if len(line) > 1 else "" for line in lines if line}
    for inner in block.blocks:
        text = (document.lines[index].strip(b" \t\r\n") for index in inner.lines)
        values[inner.name.upper()] = "\n".join(as_text(line[1:]) for line in text if line.startswith(b"|"))
    return values


def ext_state_edits(document: Document, section: str, changes: Mapping[str, str | None]) -> list[Edit]:
    r"""Return the edits that set keys of a section, or delete them where the value is None.

    A section that becomes empty is removed, and so is the EXTSTATE block where it contains nothing else.

    Parameters
    ----------
    document : the project file.
    section : the section's name.
    changes : values by key.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.rpp.parser import parse
    >>> document = parse(b"<REAPER_PROJECT 0.1\n>\n", Path("song.rpp"))
    >>> edits = ext_state_edits(document, "Faderwise", {"key": "a value"})
    >>> changed = parse(document.edited(edits), document.path)
    >>> ext_state(changed, "Faderwise")
    {'KEY': 'a value'}
    """
    states = next(document.root.inner(_EXT_STATE_BLOCK), None)
    block = _section(document, section)
    before = ext_state(document, section)
    after = {**before, **{key.upper(): value for key, value in changes.items()}}
    kept = {key: value for key, value in after.items() if value is not None}
    if kept == before:
        return []
    if block is not None and states is not None:
        return [_rewritten(document, states, block, kept)]
    if states is not None:
        marked = kept if states.blocks else {**kept, _EMPTY_BEFORE: "1"}
        lines = _section_lines(document, section, marked)
        return [Edit(states.last, states.last, lines)]
    end, at = document.line_end(document.root.first), document.root.last
    lines = _section_lines(document, section, kept)
    return [Edit(at, at, (b"  <" + _EXT_STATE_BLOCK.encode() + end, *lines, b"  >" + end))]


def _section(document: Document, name: str) -> Block | None:
    states = next(document.root.inner(_EXT_STATE_BLOCK), None)
    blocks = states.blocks if states else ()
    return next((block for block in blocks if block.name.upper() == name.upper()), None)


def _rewritten(document: Document, states: Block, block: Block, kept: Mapping[str, str]) -> Edit:
    if set(kept) - {_EMPTY_BEFORE}:
        return Edit(block.first, block.last + 1, _section_lines(document, block.name, kept))
    only_ours = len(states.blocks) == 1 and not states.lines and _EMPTY_BEFORE not in kept
    gone = states if only_ours else block
    return Edit(gone.first, gone.last + 1, ())


def _section_lines(document: Document, section: str, values: Mapping[str, str]) -> tuple[bytes, ...]:
    end = document.line_end(document.root.first)
    keys = [f"      {key} {quoted(value)}".encode() + end for key, value in sorted(values.items())]
    name = re.sub(r"\s", "_", section.upper())
    return (f"    <{name}".encode() + end, *keys, b"    >" + end)
