"""A project's media: where the files are, which takes can be summed, and what a sum of the media leaves out."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.errors import InputError
from core.rpp.faders import carries_sound
from core.rpp.project import Item, Project, Source, Take, Track

WITHOUT_SOUND = frozenset({"MIDI", "MIDIPOOL", "CLICK", "LTC", "EMPTY", "RPP_PROJECT", "NOTES", "VIDEOEFFECT"})
"""Kinds of sources without an audio file."""


def media_path(project: Project, track: Track, source: Source) -> Path:
    """Return the file that `source` plays.

    It is looked for under its own name, from the project's folder where that is relative, and then by its last name
    in the project's folder and the folder it records to, so that a session moved from another machine is found.

    Parameters
    ----------
    project : the project.
    track : the track that an error names.
    source : the source of a take.

    Raises
    ------
    InputError
        It is in none of these places.
    """
    [path] = media_paths(project, [(track, source)])
    return path


def media_paths(project: Project, played: Sequence[tuple[Track, Source]]) -> list[Path]:
    """Return the files that sources play, each looked for as `media_path` does.

    Raises
    ------
    InputError
        Any of them are missing; all of them are named.
    """
    found, missing = [], []
    for track, source in played:
        path = next((path for path in _places(project, source.file) if _is_file(path)), None)
        if path is None:
            missing.append(f"{source.file} of {track.title}")
        else:
            found.append(path)
    names = list(dict.fromkeys(missing))
    if names:
        is_one = len(names) == 1
        problem = f"the media file {names[0]} is missing" if is_one else f"{len(names)} media files are missing: "
        raise InputError(
            problem if is_one else problem + ", ".join(names),
            path=project.path,
            remedy=f"put {'it' if is_one else 'them'} into {project.folder}, or export the buses as stems from REAPER "
            "and give their folder with --stems",
        )
    return found


def is_relative(name: str) -> bool:
    """Return whether a media file's name is relative to the project, on Windows' terms too."""
    return bool(name) and not (name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name))


def _places(project: Project, name: str) -> list[Path]:
    forward = name.replace("\\", "/")
    last = ntpath.basename(name)
    folders = [project.folder, project.folder / "Media", project.folder / "Audio"]
    if project.media_folder:
        folders.insert(1, project.folder / project.media_folder.replace("\\", "/"))
    return [project.folder / name, project.folder / forward, *(folder / last for folder in folders if last)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name this system cannot have
        return False


_PAN_ENVELOPES = {"PANENV", "PANENV2", "WIDTHENV", "WIDTHENV2"}


def plays(take: Take) -> bool:
    """Return whether a take's sound can be summed."""
    source = take.source
    return source is not None and source.kind not in WITHOUT_SOUND and bool(source.file) and not source.is_reversed


def sounding_items(track: Track) -> tuple[Item, ...]:
    """Return a track's items that are heard and whose sound can be summed."""
    return tuple(
        item
        for item in track.items
        if not item.is_muted and item.length_s > 0.0 and any(plays(take) for take in item.takes)
    )


def sentences(project: Project, tracks: Sequence[Track], buses: Sequence[Track]) -> list[str]:
    """Return a sentence for each kind of thing on `tracks` that the sum of their media does not have.

    Parameters
    ----------
    project : the project.
    tracks : every track that flows into a bus.
    buses : the buses themselves, whose fader, pan and mute the stem does not have anyway.
    """
    findings: list[tuple[str, Callable[[Track], Iterator[str]]]] = [
        ("plug-ins", lambda track: iter(track.plug_ins)),
        ("items without an audio file", _soundless),
        ("reversed items", lambda track: _of_takes(track, _is_reversed, "reversed")),
        ("pitch shifts", lambda track: _of_takes(track, lambda take: take.pitch != 0.0, "shifted")),
        ("other parts of takes", _parts_of_takes),
        ("pan and mute envelopes", _envelopes),
        ("sends that are not plain stereo", lambda track: _sends(project, track)),
        ("playback offsets", lambda track: iter(["offset"] if track.offset_s else [])),
        ("lanes (all of them are summed)", lambda track: iter(["lanes"] if track.has_lanes else [])),
    ]
    notes = []
    for kind, find in findings:
        parts = [f"{_listed(found)} on {track.title}" for track in tracks if (found := list(find(track)))]
        if parts:
            notes.append(f"left out of the sum of the media: {kind}: {'; '.join(parts)}")
    return notes + _rates(tracks) + _of_project(project) + _of_buses(buses)


def _listed(found: Sequence[str]) -> str:
    return ", ".join(
        f"{name} ({found.count(name)})" if found.count(name) > 1 else name for name in dict.fromkeys(found)
    )


def _heard_takes(track: Track) -> Iterator[Take]:
    return (take for item in track.items if not item.is_muted for take in item.takes)


def _of_takes(track: Track, applies: Callable[[Take], bool], otherwise: str) -> Iterator[str]:
    return (take.name or otherwise for take in _heard_takes(track) if applies(take))


def _is_reversed(take: Take) -> bool:
    return take.source is not None and take.source.is_reversed


def _soundless(track: Track) -> Iterator[str]:
    for take in _heard_takes(track):
        if take.source is not None and (take.source.kind in WITHOUT_SOUND or not take.source.file):
            yield take.source.kind or "empty"


def _parts_of_takes(track: Track) -> Iterator[str]:
    return (part for take in _heard_takes(track) for part in take.left_out)


def _envelopes(track: Track) -> Iterator[str]:
    for name, envelope in track.envelopes.items():
        if envelope.is_heard and (name in _PAN_ENVELOPES or name == "MUTEENV"):
            yield "mute envelope" if name == "MUTEENV" else "pan envelope"


def _sends(project: Project, track: Track) -> Iterator[str]:
    for receive in track.receives:
        if carries_sound(project, receive) and not receive.is_simple:
            yield f"from {project.tracks[receive.source].title}"


def _rates(tracks: Sequence[Track]) -> list[str]:
    stretched = [take.name for track in tracks for take in _heard_takes(track) if take.play_rate != 1.0 and plays(take)]
    if not stretched:
        return []
    return [f"{len(stretched)} items play at another rate; they were resampled, so their pitch changed"]


def _of_project(project: Project) -> list[str]:
    notes = []
    soloed = [track.title for track in project.tracks if track.is_soloed]
    if soloed:
        notes.append(f"{', '.join(soloed)} soloed: all tracks are summed nevertheless")
    if project.play_rate != 1.0:
        notes.append(f"the project's play rate of {project.play_rate:g} was left out")
    if project.master_plug_ins:
        notes.append(f"plug-ins on the master were left out: {', '.join(project.master_plug_ins)}")
    return notes


def _of_buses(buses: Sequence[Track]) -> list[str]:
    return [
        f"{track.title} is panned; a stem is taken before the fader, so mix.wav has it in the centre"
        for track in buses
        if track.pan
    ]
