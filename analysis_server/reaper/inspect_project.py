"""Inspect an open project's copy: buses, previous runs and open questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from analysis_server import models
from analysis_server.reaper.job_file import (
    BusAnswers,
    EditAnswers,
    Field,
    JobFile,
    Plan,
    PlannedBus,
    PlannedRun,
    PlannedTrack,
)
from analysis_server.sources.project import find_mixdown
from core import roles
from core.errors import FaderwiseError, InputError
from core.roles import canonical_role
from core.rpp.buses import Buses, find_buses, match_tracks
from core.rpp.ext_state import ext_state
from core.rpp.faders import reached
from core.rpp.media import media_path, plays, sounding_items
from core.rpp.project import Project, Track, read_project
from core.rpp.write import require_writable
from core.runs.edit import basis_of
from core.runs.record import RunRecord
from core.runs.store import SECTION, own_moves, require_history

BUSES_KEY = "BUSES"
_ON_HISTORY = ("audit", "edit", "revert")
_MOST_NAMED = 6
_APART = ";"


def plan(job: JobFile) -> Plan:
    """Return the plan of a job.

    Raises
    ------
    InputError
        The project cannot be read, or nothing can be done with it.
    """
    project = opened(job)
    return _of_history(project, job) if job.verb in _ON_HISTORY else _of_buses(project, job)


def opened(job: JobFile) -> Project:
    """Return the project's copy, with the open project's folder as its home."""
    return replace(read_project(Path(job.project)), home=job.home)


def as_value(buses: Mapping[str, Sequence[str]]) -> str:
    """Return a choice of buses, GUIDs by role, as one line for the project's ext state."""
    return urlencode([(role, guid) for role, guids in buses.items() for guid in guids])


def _of_history(project: Project, job: JobFile) -> Plan:
    runs = require_history(project)
    described = [PlannedRun(number=run.number, told=_described(run.action, run.made_at, run.model)) for run in runs]
    there = {track.guid for track in project.tracks}
    written_on = {track.guid for run in runs for track in run.tracks} & there
    edit = _edit_settings(runs, job.title) if job.verb == "edit" else None
    return Plan(runs=described, written_on=sorted(written_on), edit=edit)


def _edit_settings(runs: Sequence[RunRecord], title: str) -> EditAnswers:
    basis = basis_of(runs, title)
    settings = basis.settings
    return EditAnswers(
        depth=f"{settings.depth_percent:g}",
        moves=f"{settings.moves_percent:g}",
        smooth=f"{settings.smooth_s:g}",
        limit="" if settings.limit_db is None else f"{settings.limit_db:g}",
        freeze=", ".join(settings.freeze),
        offsets={bus: f"{settings.offset_db.get(bus, 0.0):g}" for bus in basis.buses},
    )


def _described(action: str, made_at: str, model: str | None) -> str:
    return f"{action} of {made_at.replace('T', ' ')[:16]} UTC" + (f", model {model}" if model else "")


def _of_buses(project: Project, job: JobFile) -> Plan:
    buses = None
    try:
        chosen, problem = _chosen(project, job)
        if job.answers is not None and not chosen:
            return _unsettled(project, job, problem)
        if chosen is None and job.selected:
            by_role, problem = _roles_of(project, job.selected)
            if not by_role:
                return _unsettled(project, job, problem, Buses({}, ()))
            buses = find_buses(project, by_role, with_names=False)
        else:
            buses = find_buses(project, chosen, with_names=chosen is None)
        for track in buses.all_tracks:
            _require_guid(track)
            if job.verb != "learn":
                require_writable(project, track)
        problem = problem or _problem_with_model(job)
    except InputError as error:
        return _unsettled(project, job, sentence(error), buses)
    if problem or chosen is None:
        return _unsettled(project, job, problem, buses)
    return Plan(
        buses=_planned(buses),
        models=list(models.names()),
        default_model=models.DEFAULT_MODEL,
        automated=[track.title for track in buses.all_tracks if _moves(project, track)],
        cautions=_cautions(project, buses),
        mixdown=_mixdown(project) if job.verb in ("match", "learn") else None,
    )


def sentence(error: FaderwiseError) -> str:
    """Return an error as sentences for a dialog, without the path of the copy."""
    field = f"{error.option.lstrip('-')}: " if error.option else ""
    parts = [field + error.problem, *([error.remedy] if error.remedy else [])]
    return " ".join(f"{part[:1].upper()}{part[1:]}{'' if part.endswith('.') else '.'}" for part in parts)


def _require_guid(track: Track) -> None:
    if not track.guid:
        raise InputError(f"{track.title} has no GUID", remedy="save the project in REAPER, then run the action again")


def _chosen(project: Project, job: JobFile) -> tuple[dict[str, list[str]] | None, str | None]:
    """Return the choice that counts, if there is one, and what is wrong with it."""
    if job.answers is not None:
        chosen = _answered(job.answers)
        return chosen, None if chosen else "No bus was chosen; fill in at least one track."
    saved = {} if job.selected else saved_choice(project)
    if not saved:
        return None, None
    there = {track.guid for track in project.tracks}
    kept = {role: [guid for guid in guids if guid in there] for role, guids in saved.items()}
    is_whole = kept == saved
    return kept if is_whole else None, None if is_whole else "A bus that was chosen earlier is gone; choose again."


def _roles_of(project: Project, selected: Sequence[str]) -> tuple[dict[str, list[str]], str | None]:
    """Return the selected tracks by the role that their names say, and a sentence on those without one."""
    found: dict[str, list[str]] = {}
    unknown = []
    for track, match in zip(project.tracks, match_tracks(project), strict=True):
        if track.guid in selected and match.bus:
            found.setdefault(match.bus, []).append(track.guid)
        elif track.guid in selected:
            unknown.append(track.title)
    if not unknown:
        return found, None
    return found, f"No role is recognized for {_listed(unknown)}. Write the tracks into the fields, or leave them out."


def saved_choice(project: Project) -> dict[str, list[str]]:
    """Return the buses that were chosen earlier in this project, GUIDs by role."""
    saved: dict[str, list[str]] = {}
    for role, guid in parse_qsl(ext_state(project.document, SECTION).get(BUSES_KEY, "")):
        saved.setdefault(role, []).append(guid)
    return saved


def _answered(answers: BusAnswers) -> dict[str, list[str]]:
    pairs = list(answers.roles.items())
    for part in filter(str.strip, answers.further.split(_APART)):
        role, is_pair, name = part.partition("=")
        if not is_pair:
            raise InputError(f"{part.strip()!r}: write further buses as role = track, with a semicolon between them")
        pairs.append((role, name))
    chosen: dict[str, list[str]] = {}
    for role, text in pairs:
        names = [name.strip() for name in text.split(_APART) if name.strip()]
        if names:
            chosen.setdefault(canonical_role(role), []).extend(names)
    return chosen


def _problem_with_model(job: JobFile) -> str | None:
    model = job.settings.get("model") or models.DEFAULT_MODEL
    if job.verb != "mix" or model in models.names() or Path(model).is_file():
        return None
    return f"There is no model {model!r}; there are: {', '.join(models.names())}."


def _unsettled(project: Project, job: JobFile, problem: str | None, buses: Buses | None = None) -> Plan:
    """Return a plan that asks, with what was answered or guessed filled in."""
    if job.answers is not None:
        fields = [Field(role=role, text=text) for role, text in job.answers.roles.items()]
        further = job.answers.further
    else:
        tracks = buses.tracks if buses else {}
        asked = dict.fromkeys([*roles.PAPER_BUSES, *tracks])
        fields = [Field(role=role, text=_text_of(project, tracks.get(role, ()))) for role in asked]
        further = ""
    guessed = buses is None and job.answers is None
    return Plan(
        settled=False,
        problem=None if guessed else problem,
        fields=fields if project.tracks else [],
        further=further,
        models=list(models.names()),
        default_model=models.DEFAULT_MODEL,
    )


def _text_of(project: Project, tracks: Iterable[Track]) -> str:
    return f"{_APART} ".join(_name_in_dialog(project, track) for track in tracks)


def _name_in_dialog(project: Project, track: Track) -> str:
    """Return a track's name, or its number where the name could be taken for something else."""
    same = [other for other in project.tracks if other.name.casefold() == track.name.casefold()]
    is_plain = track.name.strip() and not set(track.name) & set(";=,\"'`()[]{}") and not track.name.strip().isdecimal()
    return track.name if is_plain and len(same) == 1 else str(track.number)


def _planned(buses: Buses) -> list[PlannedBus]:
    return [
        PlannedBus(
            role=role,
            tracks=[PlannedTrack(guid=track.guid, number=track.number, name=track.title) for track in tracks],
        )
        for role, tracks in buses.tracks.items()
    ]


def _moves(project: Project, track: Track) -> bool:
    moves = own_moves(project, track)
    return moves is not None and moves.is_heard and not moves.is_constant


def _cautions(project: Project, buses: Buses) -> list[str]:
    parts = {part.index: part for track in buses.all_tracks for part in reached(project, track)}.values()
    missing = [name for part in parts for name in _missing(project, part)]
    soloed = [track.title for track in project.tracks if track.is_soloed]
    cautions = []
    if missing:
        cautions.append(f"Missing media, which play silence: {_listed(missing)}.")
    if soloed:
        cautions.append(f"Soloed, so that other tracks may be silent: {_listed(soloed)}.")
    return cautions


def _missing(project: Project, track: Track) -> list[str]:
    found = []
    for item in sounding_items(track):
        for take in item.takes:
            if plays(take) and take.source:
                try:
                    media_path(project, track, take.source)
                except InputError:
                    found.append(f"{take.source.file} of {track.title}")
    return list(dict.fromkeys(found))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _mixdown(project: Project) -> str | None:
    try:
        found = find_mixdown(project, None)
    except InputError:  # what lies there is no audio
        return None
    return None if found is None else str(found.path)
