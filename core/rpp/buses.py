"""The buses of a project, and the single tracks of each bus.

A track's bus follows from its name (`core.matching`). Folders and buses that others are sent to come first; every
further track of the role that is not heard through one of them belongs to it as well. Effect returns and muted tracks
are skipped.

For single tracks, a folder bus without items is split into the tracks in it, where all of its
sound comes from them. The folder's fader does not move, and the tracks' weights allow for it. Any other bus track is
one track.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from core import roles
from core.audio.song import is_silent, silent
from core.errors import InputError
from core.matching import Item, Match, assign
from core.rpp.faders import carries_sound, reached, static_gain
from core.rpp.project import Project, Track
from core.rpp.render import media_paths, plays, sounding_items
from core.wording import first_few, listed

_BUS_WORD = re.compile(r"(?:\b|_)(?:bus|buss|group|grp|submix|stems?|sum)(?:\b|_)|(?<=[a-z])Buss?\b", re.IGNORECASE)
_MOST_NAMES = 12


@dataclass(frozen=True)
class Buses:
    """The tracks of each role, in the roles' order, and notes about the choice.

    `left_out` are the tracks that were chosen to be in no bus; `reasons` say why a track (by its index) has another bus
    than its name says.
    """

    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    left_out: tuple[Track, ...] = ()
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def all_tracks(self) -> tuple[Track, ...]:
        """Every bus track."""
        return tuple(track for tracks in self.tracks.values() for track in tracks)


@dataclass(frozen=True)
class _Candidate:
    track: Track
    role: str
    is_bus: bool


def find_buses(
    project: Project,
    chosen: Mapping[str, Sequence[str]] | None = None,
    *,
    only: Sequence[str] = (),
    with_names: bool = True,
    complete: bool = False,
    sums: bool = True,
) -> Buses:
    """Return the project's buses.

    Parameters
    ----------
    project : the project.
    chosen : tracks by role, each one's name, number or GUID; they win over what the names say. Tracks with the role
        `roles.LEFT_OUT` are in no bus.
    only : the tracks to work on, each one's name, number, range of numbers ("5-9") or GUID; all others are in no bus.
    with_names : whether further buses are found by their names.
    complete : whether to refuse a project that lacks a main bus while an audible track has an unknown name.
    sums : whether several tracks of a bus are summed, which is then reported.

    Raises
    ------
    InputError
        A chosen track does not exist, is chosen twice or is inside another one, a role has none, no bus was found, or
        the project is incomplete.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.rpp.project import read_project
    >>> buses = find_buses(read_project(Path("tests/projects/wincing.rpp")))
    >>> {role: [track.name for track in tracks] for role, tracks in buses.tracks.items()}
    {'drums': ['drums']}
    """
    by_hand = {
        role: tuple(track_called(project, name, f"--bus {role}={name}") for name in names)
        for role, names in (chosen or {}).items()
    }
    left_out = by_hand.pop(roles.LEFT_OUT, ())
    if only:
        by_hand = _selected(project, only, by_hand, left_out)
        with_names = False
    if empty := [role for role, tracks in by_hand.items() if not tracks]:
        raise InputError(
            f"no track was chosen for {listed(empty)}", path=project.path, remedy="name one, or leave it out"
        )
    taken = [track for tracks in by_hand.values() for track in tracks]
    _require_apart(project, taken)
    reasons = {track.index: f"--bus {roles.LEFT_OUT}" for track in left_out}
    reasons |= {track.index: "it was chosen for this bus" for track in taken}
    by_name, notes = _by_name(project, taken, left_out, set(by_hand), reasons) if with_names else ({}, [])
    found = {**by_name, **by_hand}
    notes += _sum_notes(by_name) if sums else []
    if not found:
        raise InputError(f"{'; '.join([*notes, _nothing_found(project)])}", path=project.path)
    notes += [f"{track.title} is muted, so it is silent until it is unmuted" for track in taken if track.is_muted]
    notes += _flow_notes(project, taken)
    buses = Buses({role: found[role] for role in roles.in_order(found)}, tuple(notes), left_out, reasons)
    notes += _still_heard(project, left_out, buses.all_tracks)
    if complete and with_names:
        _require_main_buses(project, buses, left_out)
    return replace(buses, notes=tuple(notes))


def _selected(
    project: Project, only: Sequence[str], by_hand: Mapping[str, tuple[Track, ...]], left_out: Sequence[Track]
) -> dict[str, tuple[Track, ...]]:
    """Return the tracks that `only` names by role: the one they were chosen for, or that of their names."""
    tracks = {track.index for name in only for track in _tracks_called(project, name)}
    found = {role: list(chosen) for role, chosen in by_hand.items()}
    taken = {track.index for chosen in (*by_hand.values(), left_out) for track in chosen}
    matches = match_tracks(project)
    for track in (project.tracks[index] for index in sorted(tracks) if index not in taken):
        bus = matches[track.index].bus
        if bus is None:
            raise InputError(
                f"{track.title} has no bus: {matches[track.index].reason}",
                path=project.path,
                option="--tracks",
                remedy=f"name one with --bus BUS={track.number}, or leave it out with --bus none={track.number}",
            )
        found.setdefault(bus, []).append(track)
    return {role: tuple(chosen) for role, chosen in found.items()}


def _tracks_called(project: Project, name: str) -> tuple[Track, ...]:
    """Return the track of a name, number or GUID, or the tracks of a range of numbers."""
    numbers = re.fullmatch(r"(\d{1,9})\s*-\s*(\d{1,9})", name.strip())
    if numbers and 1 <= int(numbers[1]) <= int(numbers[2]) <= len(project.tracks):
        return project.tracks[int(numbers[1]) - 1 : int(numbers[2])]
    return (track_called(project, name, f"--tracks {name}"),)


def _still_heard(project: Project, left_out: Sequence[Track], buses: Sequence[Track]) -> list[str]:
    return [
        f"{track.title} has no bus, but is still heard through {bus.title}"
        for track in left_out
        for bus in buses
        if track != bus and track in reached(project, bus)
    ]


def _require_main_buses(project: Project, buses: Buses, left_out: Sequence[Track]) -> None:
    missing = [bus for bus in roles.MAIN_BUSES if bus not in buses.tracks]
    if not missing:
        return
    heard = {part.index for track in buses.all_tracks for part in reached(project, track)}
    unknown = [
        track
        for track, match in zip(project.tracks, match_tracks(project), strict=True)
        if match.bar == "unknown"
        and track.index not in heard
        and track not in left_out
        and sounding_items(track)
        and not _is_muted(project, track)
    ]
    if unknown:
        names = first_few([track.title for track in unknown], 3)
        number = unknown[0].number
        raise InputError(
            f"no track of {listed(missing, 'or')} was found, and the names of {names} were not recognised",
            path=project.path,
            option="--bus",
            remedy=f"add --bus {missing[0]}={number} to use {unknown[0].title}, or --bus {roles.LEFT_OUT}={number} to "
            "leave it out",
        )


def track_called(project: Project, name: str, option: str) -> Track:
    """Return the track that is called `name`, or has that number or GUID; an error names `option`.

    Parameters
    ----------
    project : the project.
    name : the name, number or GUID of a track.
    option : the option that an error names.

    Raises
    ------
    InputError
        No track has this name, or more than one has.
    """
    wanted = " ".join(name.split()).casefold()
    named = [track for track in project.tracks if " ".join(track.name.split()).casefold() == wanted]
    if len(named) > 1:
        numbers = listed([str(track.number) for track in named])
        raise InputError(
            f"tracks {numbers} of {project.path.name} have that name",
            remedy="give a number",
            option=option,
        )
    named = named or [track for track in project.tracks if track.guid and track.guid.casefold() == wanted]
    if named:
        return named[0]
    number = int(name) if re.fullmatch(r"\s*\d{1,9}\s*", name) else 0
    if 1 <= number <= len(project.tracks):
        return project.tracks[number - 1]
    raise InputError(
        f"{project.path.name} has no such track",
        remedy=f"it has {_listed(project)}",
        option=option,
    )


def _by_name(
    project: Project, taken: list[Track], left_out: Sequence[Track], roles_taken: set[str], reasons: dict[int, str]
) -> tuple[dict[str, tuple[Track, ...]], list[str]]:
    """Return the tracks of each role by name: folders and buses first, then all that are not heard through them.

    The reasons of tracks that are moved to another bus are added to `reasons`.
    """
    matches = match_tracks(project)
    candidates = [one for one in _candidates(project, matches, taken, left_out) if one.role not in roles_taken]
    muted = [candidate for candidate in candidates if _is_muted(project, candidate.track)]
    candidates = [candidate for candidate in candidates if candidate not in muted]
    candidates = [one for one in candidates if not _holds_buses(project, one, candidates)]
    found: dict[str, list[Track]] = {}
    chosen = list(taken)
    for candidate in sorted(candidates, key=lambda one: (not one.is_bus, one.role not in roles.PAPER_BUSES)):
        if not _shares_sound(project, candidate.track, chosen):
            found.setdefault(candidate.role, []).append(candidate.track)
            chosen.append(candidate.track)
    _join_lone_room(project, found, matches, reasons)
    best = {role: tuple(sorted(tracks, key=lambda track: track.index)) for role, tracks in found.items()}
    return best, _muted_notes(project, muted, best)


def _join_lone_room(
    project: Project, found: dict[str, list[Track]], matches: Sequence[Match], reasons: dict[int, str]
) -> None:
    """Move room and overhead microphones to the bus that the rest of the kit is heard through, such as percussion."""
    kit = found.get("drums", [])
    if not kit or any(matches[track.index].role not in ("room", "overheads") for track in kit):
        return
    for role, tracks in found.items():
        kits = [one for one in tracks if any(matches[part.index].bus == "drums" for part in reached(project, one))]
        if role != "drums" and kits:
            found[role] = [*tracks, *found.pop("drums")]
            reasons |= {track.index: f"it belongs to the drums that are heard through {kits[0].title}" for track in kit}
            return


def _candidates(
    project: Project, matches: Sequence[Match], taken: Sequence[Track], left_out: Sequence[Track]
) -> list[_Candidate]:
    found = []
    for track, match in zip(project.tracks, matches, strict=True):
        near = any(track == other or project.is_inside(track, other) for other in (*taken, *left_out))
        near = near or any(project.is_inside(other, track) for other in taken)
        has_sound = track.items or track.receives or track.is_folder
        if match.bus and not near and has_sound and not is_return(project, track):
            sums_receives = bool(track.receives) and not track.items
            is_bus = track.is_folder or _BUS_WORD.search(track.name) is not None or sums_receives
            found.append(_Candidate(track, match.bus, is_bus))
    return found


def _is_muted(project: Project, track: Track) -> bool:
    """Return whether a track, a folder it is in, or everything in it is muted."""
    if track.is_muted or any(other.is_muted and project.is_inside(track, other) for other in project.tracks):
        return True
    inside = [other for other in project.tracks if other.items and project.is_inside(other, track)]
    return bool(inside) and not (track.items or track.receives) and all(other.is_muted for other in inside)


def _holds_buses(project: Project, one: _Candidate, candidates: list[_Candidate]) -> bool:
    """Return whether several buses flow into a track: a bus of another role, or tracks of two roles."""
    if not (one.track.is_folder or one.track.receives):
        return False
    parts = reached(project, one.track)
    inside = [
        other
        for other in candidates
        if other.role != one.role and other.role in roles.PAPER_BUSES and other.track in parts
    ]
    return any(other.is_bus for other in inside) or len({other.role for other in inside}) > 1


def _shares_sound(project: Project, track: Track, others: Sequence[Track]) -> bool:
    """Return whether a track is one of `others`, is inside one or contains one, or either sends to the other."""
    return any(
        project.is_inside(track, other)
        or project.is_inside(other, track)
        or other in reached(project, track)
        or track in reached(project, other)
        for other in others
    )


def _require_apart(project: Project, tracks: list[Track]) -> None:
    for number, track in enumerate(tracks):
        if track in tracks[:number]:
            raise InputError(f"{track.title} was chosen twice", remedy="choose it for one role", option="--bus")
        outer = next((other for other in tracks if project.is_inside(track, other)), None)
        if outer:
            raise InputError(
                f"{track.title} is inside {outer.title}, which was chosen too",
                remedy="choose one of them",
                option="--bus",
            )


def _muted_notes(project: Project, muted: list[_Candidate], best: Mapping[str, tuple[Track, ...]]) -> list[str]:
    """Return a note for each muted track of a role that has no other track; tracks in a muted folder share its note."""
    notes = []
    for one in muted:
        in_muted_folder = any(project.is_inside(one.track, other.track) for other in muted)
        if one.role in best or in_muted_folder:
            continue
        remedy = f"use --bus '{one.role}={one.track.number}' to include it"
        if one.track.is_muted:
            notes.append(f"{one.track.title} is muted and was skipped; {remedy}")
        else:
            notes.append(f"everything in {one.track.title} is muted, so it was skipped; unmute its tracks")
    return notes


def _flow_notes(project: Project, taken: list[Track]) -> list[str]:
    return [
        f"{one.title} flows into {other.title}, so it is in both stems"
        for other in taken
        for one in taken
        if one is not other and one in reached(project, other)
    ]


def _sum_notes(best: Mapping[str, tuple[Track, ...]]) -> list[str]:
    return [
        f"the bus {role} is the sum of {listed([track.title for track in tracks])}, whose balance is kept"
        for role, tracks in best.items()
        if len(tracks) > 1
    ]


def _nothing_found(project: Project) -> str:
    if not project.tracks:
        return "the project has no tracks, so there is nothing to mix; give another project"
    return (
        "no track name was recognised as a bus; choose tracks with --bus, such as "
        f"--bus 'drums={project.tracks[0].number}', among {_listed(project)}"
    )


def _listed(project: Project) -> str:
    return first_few([f"{track.number} {track.name!r}" for track in project.tracks], _MOST_NAMES)


@dataclass(frozen=True)
class SingleTracks:
    """The tracks of all buses.

    Attributes
    ----------
    tracks : one track per name, such as ``"drums: Kick"``, ordered by bus.
    bus_of : the bus of each name.
    weights : by the track's index, what its envelope times its fader has to be divided by to be its whole gain.
    notes : sentences for the user.
    """

    tracks: Mapping[str, tuple[Track, ...]]
    bus_of: Mapping[str, str]
    weights: Mapping[int, float]
    notes: tuple[str, ...]


def single_tracks(project: Project, buses: Mapping[str, Sequence[Track]]) -> SingleTracks:
    """Return the single tracks of `buses`."""
    tracks: dict[str, tuple[Track, ...]] = {}
    bus_of, weights, notes = {}, {}, []
    for bus, members in buses.items():
        for member in members:
            parts = _parts(project, member)
            for track in parts:
                folders = _gain_of_folders(project, track, member)
                if folders * static_gain(project, track) <= 0.0:
                    notes.append(f"{track.title} was left out, because its fader or its folder's is all the way down")
                    continue
                name = roles.single_track(bus, track.name or str(track.number))
                name = name if name not in tracks else f"{name} ({track.number})"
                tracks[name] = (track,)
                bus_of[name] = bus
                weights[track.index] = 1.0 / folders
            if parts != [member] and member.heard("VOLENV2") is not None:
                notes.append(f"the volume automation of {member.title} stays, on top of that of its tracks")
    return SingleTracks(tracks, bus_of, weights, tuple(notes))


def _parts(project: Project, member: Track) -> list[Track]:
    """Return the tracks with items in a folder, or the track itself where it is not a mere sum of them."""
    sources = [track for track in reached(project, member) if track != member]
    inside = all(project.is_inside(track, member) for track in sources)
    with_receives = any(track.receives for track in (member, *sources))
    leaves = [track for track in sources if track.items]
    is_sum = member.is_folder and not member.items and inside and not with_receives
    return leaves if is_sum and leaves and not any(track.is_folder for track in leaves) else [member]


def _gain_of_folders(project: Project, track: Track, outermost: Track) -> float:
    """Return the gain of the folders around a track, up to `outermost`."""
    gain = 1.0
    while track != outermost and track.parent is not None:
        track = project.tracks[track.parent]
        gain *= static_gain(project, track)
    return gain


def reason_for_none(project: Project, track: Track, buses: Mapping[str, Sequence[Track]]) -> str:
    """Return why a track whose name has a bus is not used.

    Parameters
    ----------
    project : the project.
    track : one of its tracks, which is not heard through any of `buses`.
    buses : the tracks of each bus that are used.
    """
    if _is_muted(project, track):
        inside = "it is in a muted folder" if track.parent is not None else "everything in it is muted"
        return "it is muted" if track.is_muted else inside
    if is_return(project, track):
        return "it plays only what other tracks send to it"
    parts = reached(project, track)
    within = [one.title for tracks in buses.values() for one in tracks if one in parts]
    if within:
        return f"{first_few(within, 2)} {'is' if len(within) == 1 else 'are'} heard through it"
    if not any(sounding_items(part) for part in parts):
        return "it plays no audio file"
    return "it is in none of the buses that are used"


def match_tracks(project: Project) -> list[Match]:
    """Return the match of each track, in the project's order; whether it is silent decides where nothing else does."""
    matches = assign(
        [
            Item(
                track.name,
                parent=track.parent,
                has_audio=bool(sounding_items(track) or track.receives),
                receives_only=is_return(project, track),
                sources=tuple(one.source for one in track.receives if carries_sound(project, one)),
                sends_to_parent=track.sends_to_parent,
            )
            for track in project.tracks
        ]
    )
    return [
        silent(match) if match.bar == match.role == "unknown" and _is_silent(project, track) else match
        for track, match in zip(project.tracks, matches, strict=True)
    ]


def _is_silent(project: Project, track: Track) -> bool:
    """Return whether all files that a track plays are silent; a file that is missing may be anything."""
    played = [take.source for item in sounding_items(track) for take in item.takes if plays(take) and take.source]
    try:
        return bool(played) and all(is_silent(path) for path in media_paths(project, [(track, one) for one in played]))
    except InputError:
        return False


def is_return(project: Project, track: Track) -> bool:
    """Return whether a track only repeats what is heard without it, as an effect return does."""
    sources = [project.tracks[one.source] for one in track.receives if 0 <= one.source < len(project.tracks)]
    return bool(sources) and not track.items and not track.is_folder and all(one.sends_to_parent for one in sources)
