"""Inspect an open project's copy: its buses, how to mix them, earlier runs, and what has to be asked.

The buses and the way to mix that were used last are stored in the project's ext state, so that they are shown again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl, urlencode

import msgspec

from analysis_server import models
from analysis_server.reaper.job_file import (
    BusAnswers,
    EditAnswers,
    Field,
    JobFile,
    MixOptions,
    Plan,
    PlannedBus,
    PlannedRun,
    PlannedTrack,
    Span,
    Target,
    Way,
)
from analysis_server.sources.project import Level, find_mixdown
from analysis_server.verbs.adjust import Adjustments
from core import roles
from core.errors import FaderwiseError, InputError
from core.matching import by_bus
from core.roles import canonical_role
from core.rpp.buses import Buses, find_buses, match_tracks, single_tracks
from core.rpp.faders import reached
from core.rpp.project import FADER, PRE_FX, TRIM, VOLUME, Project, Track, read_project
from core.rpp.render import media_path, plays, sounding_items
from core.rpp.write import require_writable
from core.runs.edit import basis_of
from core.runs.store import SECTION, ext_state, own_moves, require_history
from core.wording import capitalised, first_few

BUSES_KEY, OPTIONS_KEY = "BUSES", "OPTIONS"
TARGETS: dict[Target, str] = {"volume": VOLUME, "pre-fx": PRE_FX, "trim": TRIM, "fader": FADER}
_ON_HISTORY = ("audit", "edit", "revert", "compare")
_MOST_NAMED = 6
_MOST_FIELDS = 7
"""REAPER's dialog has room for 16 fields, 9 of which are for other questions."""
_SEPARATOR = ";"


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


def options_value(options: MixOptions) -> str:
    """Return how to mix as one line for the project's ext state."""
    return urlencode({name: text for name, text in msgspec.structs.asdict(options).items() if text})


def saved_choice(project: Project) -> dict[str, list[str]]:
    """Return the buses that were chosen earlier in this project, GUIDs by role."""
    saved: dict[str, list[str]] = {}
    for role, guid in parse_qsl(ext_state(project.document, SECTION).get(BUSES_KEY, "")):
        saved.setdefault(role, []).append(guid)
    return saved


def saved_options(project: Project) -> MixOptions:
    """Return how the project was mixed last."""
    saved = dict(parse_qsl(ext_state(project.document, SECTION).get(OPTIONS_KEY, "")))
    return MixOptions(**{name: saved[name] for name in MixOptions.__struct_fields__ if name in saved})


def _of_history(project: Project, job: JobFile) -> Plan:
    runs = require_history(project)
    described = []
    for run in runs:
        model = f", model {run.model}" if run.model else ""
        description = f"{run.action} of {run.made_at.replace('T', ' ')[:16]} UTC{model}"
        described.append(PlannedRun(number=run.number, description=description))
    present = {track.guid for track in project.tracks}
    written_on = {track.guid for run in runs for track in run.tracks} & present
    if job.verb != "edit":
        written = {(track.guid, track.target) for run in runs for track in run.tracks if track.target != FADER}
        return Plan(runs=described, written_on=sorted(written_on), envelopes=sorted(written))
    basis = basis_of(runs, job.title)
    settings = basis.settings
    edit = EditAnswers(
        depth=f"{settings.depth_percent:g}",
        moves=f"{settings.moves_percent:g}",
        smooth=f"{settings.smooth_s:g}",
        limit="" if settings.limit_db is None else f"{settings.limit_db:g}",
        freeze=", ".join(settings.freeze),
        offsets={bus: f"{settings.offset_db.get(bus, 0.0):g}" for bus in basis.buses},
    )
    return Plan(runs=described, written_on=sorted(written_on), edit=edit)


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
        if problem:
            return _unsettled(project, job, problem, buses)
        for track in buses.all_tracks:
            if not track.guid:
                raise InputError(f"{track.title} has no GUID", remedy="save the project, then run the action again")
        options, way, tracks, part_s = _way_to_mix(project, job, buses)
        if job.verb != "learn":
            for track in tracks:
                require_writable(project, track, TARGETS[way.target])
    except InputError as error:
        return _unsettled(project, job, sentence(error), buses)
    if chosen is None or (job.asks and job.answers is None):
        return _unsettled(project, job, problem, buses)
    return Plan(
        buses=[
            PlannedBus(
                role=role,
                tracks=[PlannedTrack(guid=track.guid, number=track.number, name=track.title) for track in tracks],
            )
            for role, tracks in buses.tracks.items()
        ],
        options=options,
        way=way,
        render=[track.guid for track in tracks],
        selection_s=part_s,
        models=list(models.names()),
        default_model=models.DEFAULT_MODEL,
        automated=[track.title for track in tracks if _moves(project, track, TARGETS[way.target])],
        cautions=_cautions(project, buses),
        mixdown=_mixdown(project) if job.verb in ("match", "learn") else None,
    )


def sentence(error: FaderwiseError) -> str:
    """Return an error as sentences for a dialog, without the path of the copy."""
    field = f"{error.option.lstrip('-')}: " if error.option else ""
    parts = [field + error.problem, *([error.remedy] if error.remedy else [])]
    return " ".join(f"{capitalised(part)}{'' if part.endswith('.') else '.'}" for part in parts)


def _way_to_mix(project: Project, job: JobFile, buses: Buses) -> tuple[MixOptions, Way, tuple[Track, ...], Span | None]:
    """Return how to mix: the texts, what they mean, the tracks to write on, and the part of the project to mix.

    Raises
    ------
    InputError
        One of the texts cannot be used.
    """
    if job.verb != "mix":
        return MixOptions(), Way(), buses.all_tracks, job.selection_s
    options = _options(project, job, buses)
    level: Level = _one_of("Level", options.level, get_args(Level))  # type: ignore[assignment]
    target: Target = _one_of("Write to", options.target, get_args(Target))  # type: ignore[assignment]
    named = single_tracks(project, buses.tracks).tracks if level == "tracks" else buses.tracks
    adjustments = Adjustments(
        like=_existing_path(options.like, job.home) if options.like else None,
        depth_percent=number_in("Depth", options.depth, 100.0),
        keep=_names_in("Keep", options.keep, named),
        ride_percent=_percents_in(options.ride, named),
    )
    adjustments.check(models.find(job.settings.get("model") or models.DEFAULT_MODEL))
    tracks = tuple(track for members in named.values() for track in members)
    part_s = _part_s(project, options.part, job.selection_s)
    if target == "fader" and part_s is not None:
        raise InputError("a fader cannot be set for a part", option="Write to", remedy="write `all` into Part")
    return options, Way(level=level, target=target, adjustments=adjustments), tracks, part_s


def _options(project: Project, job: JobFile, buses: Buses) -> MixOptions:
    """Return the texts of the dialog, or before it was shown the ones used last; locked tracks are kept."""
    if job.options is not None:
        return job.options
    saved = saved_options(project)
    kept = [part.strip() for part in saved.keep.split(_SEPARATOR) if part.strip()]
    for role, tracks in buses.tracks.items():
        locked = []
        for track in tracks:  # the user has locked its controls: `LOCK 1` in its chunk
            fields = project.document.fields(track.block, "LOCK")
            if fields is not None and fields.whole(0) & 1:
                locked.append(track)
        kept += [role] if locked == list(tracks) else [_name_in_dialog(project, track) for track in locked]
    return msgspec.structs.replace(saved, keep=f"{_SEPARATOR} ".join(dict.fromkeys(kept)))


def _one_of(field: str, text: str, allowed: Sequence[str]) -> str:
    wanted = text.strip().casefold()
    if not wanted:
        return allowed[0]
    if wanted not in allowed:
        raise InputError(f"{text!r} is not one of {', '.join(allowed)}", option=field)
    return wanted


def number_in(field: str, text: str, default: float) -> float:
    """Return the number in a field of a dialog.

    Raises
    ------
    InputError
        The field contains something else.
    """
    try:
        return float(text.strip().rstrip("%").replace(",", ".")) if text.strip() else default
    except ValueError:
        raise InputError(f"{text.strip()!r} is not a number", option=field, remedy="write a number") from None


def _existing_path(text: str, home: Path | None) -> str:
    """Return the path of a file or folder, which may be relative to the project's folder."""
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own may raise
    found = path if path.is_absolute() or home is None else home / path
    if not os.path.exists(found):  # noqa: PTH110 - Path's own may raise
        raise InputError(f"{text!r} does not exist", option="Like", remedy="name a session, a song folder or a run")
    return str(found)


def _names_in(field: str, text: str, named: Mapping[str, Sequence[Track]]) -> list[str]:
    """Return the names of buses or single tracks in a text: their own, their bus's, or their track's."""
    found: list[str] = []
    for part in (part.strip() for part in text.split(_SEPARATOR)):
        wanted = part.casefold()
        if wanted:
            matching = [
                name
                for name, tracks in named.items()
                if wanted in (name.casefold(), roles.bus_of(name))
                or canonical_role(part) == roles.bus_of(name)
                or any(wanted in (track.name.casefold(), str(track.number)) for track in tracks)
            ]
            if not matching:
                raise InputError(
                    f"there is no bus or track {part!r}",
                    option=field,
                    remedy=f"available: {first_few(list(named), _MOST_NAMED)}",
                )
            found += matching
    return list(dict.fromkeys(found))


def _percents_in(text: str, named: Mapping[str, Sequence[Track]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in filter(str.strip, text.split(_SEPARATOR)):
        name, is_pair, value = part.rpartition("=")
        if not is_pair:
            raise InputError(f"{part.strip()!r} is not `bus = percent`", option="Ride", remedy="write `vocals = 50`")
        found |= dict.fromkeys(_names_in("Ride", name, named), number_in("Ride", value, 0.0))
    return found


def _part_s(project: Project, text: str, selection_s: Span | None) -> Span | None:
    """Return the part of the project that a text names: all, a region, or by default what is selected."""
    wanted = text.strip().casefold()
    if not wanted:
        return selection_s
    if wanted == "all":
        return None
    regions = _regions(project)
    found = [span for number, name, span in regions if wanted in (name.casefold(), number)]
    if not found:
        names = [name or number for number, name, _ in regions]
        remedy = f"the regions are: {first_few(names, _MOST_NAMED)}" if names else "the project has no regions"
        raise InputError(f"there is no region {text.strip()!r}", option="Part", remedy=remedy)
    return found[0]


def _regions(project: Project) -> list[tuple[str, str, Span]]:
    """Return the regions' numbers, names and spans: each is two MARKER lines of one number, its start and its end."""
    found: list[tuple[str, str, Span]] = []
    open_at: dict[str, tuple[str, float]] = {}
    for fields in project.document.all_fields(project.document.root, "MARKER"):
        number = fields.text(0)
        if not fields.whole(3) & 1:
            continue
        if number in open_at:
            name, start_s = open_at.pop(number)
            found.append((number, name, (start_s, fields.number(1))))
        else:
            open_at[number] = (fields.text(2), fields.number(1))
    return found


def _chosen(project: Project, job: JobFile) -> tuple[dict[str, list[str]] | None, str | None]:
    """Return the choice that counts, if there is one, and what is wrong with it."""
    if job.answers is not None:
        chosen = _answered(job.answers)
        return chosen, None if chosen else "No bus was chosen; fill in at least one track."
    saved = {} if job.selected else saved_choice(project)
    if not saved:
        return None, None
    present = {track.guid for track in project.tracks}
    kept = {role: [guid for guid in guids if guid in present] for role, guids in saved.items()}
    incomplete = [role for role in saved if kept[role] != saved[role]]
    if incomplete:
        return None, f"A track that was chosen for {first_few(incomplete, _MOST_NAMED)} was deleted; choose again."
    return kept, None


def _roles_of(project: Project, selected: Sequence[str]) -> tuple[dict[str, list[str]], str | None]:
    """Return the selected tracks by the role that their names have, and a sentence about those without one."""
    found: dict[str, list[str]] = {}
    unknown = []
    for track, match in zip(project.tracks, match_tracks(project), strict=True):
        if track.guid in selected and match.bus:
            found.setdefault(match.bus, []).append(track.guid)
        elif track.guid in selected:
            unknown.append(track.title)
    if not unknown:
        return found, None
    names = first_few(unknown, _MOST_NAMED)
    return found, f"No role is recognized for {names}. Write the tracks into the fields, or leave them out."


def _answered(answers: BusAnswers) -> dict[str, list[str]]:
    pairs = list(answers.roles.items())
    for part in filter(str.strip, re.split(r";(?=[^;=]*=)", answers.further)):
        role, is_pair, name = part.partition("=")
        if not is_pair:
            raise InputError(f"{part.strip()!r}: write further buses as role = track, with a semicolon between them")
        pairs.append((role, name))
    split = [(role, [name.strip() for name in text.split(_SEPARATOR) if name.strip()]) for role, text in pairs]
    return by_bus((role, names) for role, names in split if names)


def _unsettled(project: Project, job: JobFile, problem: str | None, buses: Buses | None = None) -> Plan:
    """Return a plan that asks, with what was answered, used last or guessed filled in."""
    if job.answers is not None:
        fields = [Field(role=role, text=text) for role, text in job.answers.roles.items()]
        further = job.answers.further
    else:
        tracks = buses.tracks if buses else {}
        asked = list(dict.fromkeys([*roles.PAPER_BUSES, *tracks]))
        names = {role: [_name_in_dialog(project, track) for track in tracks.get(role, ())] for role in asked}
        texts = {role: f"{_SEPARATOR} ".join(named) for role, named in names.items()}
        fields = [Field(role=role, text=texts[role]) for role in asked[:_MOST_FIELDS]]
        further = f"{_SEPARATOR} ".join(f"{role} = {texts[role]}" for role in asked[_MOST_FIELDS:])
    guessed = buses is None and job.answers is None
    return Plan(
        settled=False,
        problem=None if guessed else problem,
        fields=fields if project.tracks else [],
        further=further,
        options=_options(project, job, buses or Buses({}, ())),
        models=list(models.names()),
        default_model=models.DEFAULT_MODEL,
    )


def _name_in_dialog(project: Project, track: Track) -> str:
    """Return a track's name, or its number where the name could be taken for something else."""
    same = [other for other in project.tracks if other.name.casefold() == track.name.casefold()]
    is_plain = track.name.strip() and not set(track.name) & set(";=,\"'`()[]{}") and not track.name.strip().isdecimal()
    return track.name if is_plain and len(same) == 1 else str(track.number)


def _moves(project: Project, track: Track, target: str) -> bool:
    moves = own_moves(project, track, target)
    return moves is not None and moves.is_heard and not moves.is_constant


def _cautions(project: Project, buses: Buses) -> list[str]:
    parts = {part.index: part for track in buses.all_tracks for part in reached(project, track)}.values()
    missing = [name for part in parts for name in _missing(project, part)]
    soloed = [track.title for track in project.tracks if track.is_soloed]
    cautions = []
    if missing:
        cautions.append(f"Missing media, which play silence: {first_few(missing, _MOST_NAMED)}.")
    if soloed:
        cautions.append(f"Soloed, so that other tracks may be silent: {first_few(soloed, _MOST_NAMED)}.")
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


def _mixdown(project: Project) -> str | None:
    try:
        found = find_mixdown(project, None)
    except InputError:  # the file is not audio
        return None
    return None if found is None else str(found.path)
