"""A REAPER project as a song: its buses' stems, where their curves go, and the copy that holds the envelopes.

The project's own file is never written. The copy goes beside it, so that relative media paths mean the same there,
or into the folder that `--out` names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from analysis_server import outcome, project_copy, run_records
from analysis_server.opening import canonical_role
from analysis_server.project_mixdown import find_mixdown, named_file
from analysis_server.rendered_stems import RenderedStems, song_of
from analysis_server.telling import Tell, stage
from core import history, roles
from core.audio import EXTENSIONS, inspect
from core.automation import Automation
from core.errors import InputError
from core.history.own_moves import own_moves
from core.rpp.buses import Buses, find_buses
from core.rpp.envelope_writing import HIGHEST_GAIN, Written, scale_of, with_envelopes
from core.rpp.left_out import sentences
from core.rpp.media import is_relative
from core.rpp.project import Project, Track, read_project
from core.rpp.routing import reached
from core.rpp.summing import has_sound, write_stems
from core.song import Song, open_song

Existing = Literal["combine", "replace"]
"""What becomes of the user's own moves on an envelope."""
_SUFFIX = ".rpp"


def is_project(path: str) -> bool:
    """Tell whether `path` names a REAPER project."""
    return Path(path).suffix.lower() == _SUFFIX


def require_song_folder(
    song: str, stems: str | None, tracks: Mapping[str, Sequence[str]], existing: Existing = "replace"
) -> None:
    """Raise an `InputError` where options of projects were given for a song folder."""
    if stems is not None or tracks or existing == "combine":
        raise InputError(
            f"{song}: --stems, --existing and bus tracks belong to a REAPER project (.RPP); leave them out"
        )


@dataclass(frozen=True, kw_only=True)
class Session:
    """A project, the song it makes, the tracks each bus's curve goes to, and what the user should know of it.

    `rendered` are the stems that REAPER rendered, where the project is a copy of one that is open there.
    """

    project: Project
    song: Song
    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    rendered: RenderedStems | None = None

    @property
    def title(self) -> str:
        """The project's name."""
        return self.project.path.stem

    def copy_path(self, out: str | None) -> Path:
        """Return where the copy goes: beside the project, or into the folder that was asked for."""
        return project_copy.path_of(self.project.path, out)

    def default_folder(self) -> Path:
        """Return where everything else goes when nothing is said."""
        return outcome.default_folder(self.title.removesuffix(project_copy.SUFFIX))

    def folder(self, out: str | None) -> Path:
        """Return where everything but the copy goes."""
        return Path(out) if out else self.default_folder()

    @property
    def start_s(self) -> float:
        """The project's time at the stems' first sample."""
        return self.rendered.span_s[0] if self.rendered else 0.0

    def span_s(self, range_s: tuple[float, float] | None) -> tuple[float, float] | None:
        """Return the part of the project that is written to: the range, or where REAPER's time selection is."""
        return self.rendered.write_s if self.rendered else range_s

    def part_s(self, range_s: tuple[float, float] | None) -> tuple[float, float] | None:
        """Return the same part in the stems' time, as a run's record has it."""
        span_s = self.span_s(range_s)
        return None if span_s is None else (span_s[0] - self.start_s, span_s[1] - self.start_s)

    def written(
        self, automation: Automation, range_s: tuple[float, float] | None, existing: Existing = "replace"
    ) -> Written:
        """Return the copy's content.

        Raises
        ------
        InputError
            A track's envelope cannot be written.
        """
        span_s = self.span_s(range_s)
        if self.rendered:
            automation = {bus: points.later(self.start_s) for bus, points in automation.items()}
            if span_s is not None:
                automation = {bus: points.within(span_s) for bus, points in automation.items()}
        tracks = [track for bus in self.tracks.values() for track in bus]
        return with_envelopes(
            self.project,
            self.tracks,
            automation,
            span_s=span_s,
            moves={track.guid: own_moves(self.project, track) for track in tracks} if existing == "combine" else None,
            highest_gain=self.rendered.highest_gain if self.rendered else HIGHEST_GAIN,
        )

    def copy_notes(self, out: str | None, span_s: tuple[float, float] | None) -> list[str]:
        """Return sentences on where the copy lies, and on what it does outside a range."""
        if self.rendered:
            return []
        notes = []
        path = self.copy_path(out)
        if path.resolve().parent != self.project.folder and _names_relative_media(self.project):
            notes.append(
                f"{path.name} names its media relative to {self.project.folder}; move it there before you open it"
            )
        if span_s is not None:
            notes.append(
                f"outside the range {path.name} plays as the project does, while mix.wav has plain stems there"
            )
        return notes


def write_outcome(
    done: outcome.Outcome, session: Session, written: Written, *, out: str | None, tell: Tell, start: float
) -> dict[str, str]:
    """Write the usual files and the project's copy, with the run's record in both; return their paths by name.

    Raises
    ------
    InputError
        A folder cannot be written to, or the disk is full.
    """
    path = session.copy_path(out)
    project_copy.refuse_the_original(path, session.project)
    record = run_records.dated(done.record, project_copy.known_runs(path))
    content = written.with_edits(history.added(session.project.document, record)).content
    with project_copy.replaced(path, content):
        files = outcome.write(replace(done, record=record), session.folder(out), tell, start)
    return {**files, path.name: str(path)}


@contextmanager
def opened(
    path: str,
    tell: Tell,
    *,
    stems: str | None = None,
    tracks: Mapping[str, Sequence[str]] | None = None,
    mixdown: str | None = None,
    for_writing: bool = True,
    rendered: RenderedStems | None = None,
) -> Iterator[Session]:
    """Give the session in the project at `path`; stems summed from its media are removed at the end.

    Parameters
    ----------
    path : the project.
    tell : is told how far the summing is, and may stop it.
    stems : a folder of exported stems; without it they are summed from the project's media.
    tracks : tracks by role, name or number each, as `--bus ROLE=TRACK` gives them.
    mixdown : the mixdown's file; without it one beside the project, or in `stems`, is taken where there is one.
    for_writing : whether envelopes are to be written, so that a fader all the way down is an error.
    rendered : the stems that REAPER rendered of exactly these tracks; the project is a copy of the open one then.

    Raises
    ------
    InputError
        The project, its media or the stems cannot be read, or no bus was found.
    """
    project = read_project(Path(path))
    if rendered is not None and rendered.home is not None:
        project = replace(project, home=Path(rendered.home))
    buses = find_buses(project, _by_role(tracks or {}), with_names=rendered is None)
    if for_writing:
        for track in buses.all_tracks:
            scale_of(project, track)
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        if rendered is not None:
            mix = find_mixdown(project, mixdown) if mixdown else None
            song = song_of(project.path.stem, buses, rendered, Path(folder), mix)
            yield Session(project=project, song=song, tracks=buses.tracks, notes=buses.notes, rendered=rendered)
        elif stems is None:
            yield _summed(project, buses, Path(folder), mixdown, tell)
        else:
            yield _with_stems(project, buses, Path(stems), mixdown)


def _by_role(tracks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = {}
    for role, names in tracks.items():
        merged.setdefault(canonical_role(role), []).extend(names)
    return merged


def _summed(project: Project, buses: Buses, folder: Path, mixdown: str | None, tell: Tell) -> Session:
    playing = {role: tracks for role, tracks in buses.tracks.items() if has_sound(project, tracks)}
    if not playing:
        raise InputError(
            f"{project.path}: none of its buses plays an audio file, so nothing can be summed; export the buses as "
            "stems from REAPER and give their folder with --stems"
        )
    silent = [
        f"the {role} play no audio file and were left out; export their stem from REAPER and use --stems"
        for role in buses.tracks
        if role not in playing
    ]
    progress = stage(tell, f"summing the media of {project.path.stem}", 0.0, 0.0)
    files = write_stems(project, playing, folder, progress=progress)
    song = Song(
        title=project.path.stem,
        stems={role: inspect(path) for role, path in files.items()},
        mixdown=find_mixdown(project, mixdown),
    )
    return Session(
        project=project, song=song, tracks=playing, notes=(*buses.notes, *silent, *_sum_notes(project, playing))
    )


def _sum_notes(project: Project, playing: Mapping[str, tuple[Track, ...]]) -> list[str]:
    buses = [track for tracks in playing.values() for track in tracks]
    indices = {part.index for track in buses for part in reached(project, track)}
    inside = [track for track in project.tracks if track.index in indices]
    outside = [
        track.title
        for track in project.tracks
        if track.index not in indices and not track.is_muted and any(not item.is_muted for item in track.items)
    ]
    notes = sentences(project, inside, buses)
    if outside:
        notes.append(f"outside the buses, so not in the mix: {', '.join(outside)}")
    return notes


def _with_stems(project: Project, buses: Buses, folder: Path, mixdown: str | None) -> Session:
    named = _stems_by_track(folder, buses)
    song = open_song(folder, buses=named, mixdown=named_file(project, mixdown))
    song = replace(song, title=project.path.stem, mixdown=song.mixdown or find_mixdown(project, None))
    tracks = {role: buses.tracks[role] for role in song.stems if role in buses.tracks}
    if not tracks:
        raise InputError(
            f"{folder}: none of its stems ({', '.join(song.stems)}) belongs to a bus of {project.path.name} "
            f"({', '.join(buses.tracks)}); name them alike, or choose tracks with --bus"
        )
    notes = [
        f"{file.path.name} has no track in {project.path.name}; its curve is in the other files alone, use --bus "
        f"'{role}=TRACK' to choose one"
        for role, file in song.stems.items()
        if role not in tracks
    ]
    notes += [
        f"the {role} have no stem in {folder}; their tracks stay as they are"
        for role in buses.tracks
        if role not in tracks
    ]
    return Session(project=project, song=song, tracks=tracks, notes=(*buses.notes, *notes))


def _stems_by_track(folder: Path, buses: Buses) -> dict[str, Path]:
    """Return the files that are named after a bus's one track, by role, as REAPER names what it exports."""
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS]
    named = {}
    for role, tracks in buses.tracks.items():
        ours = [path for path in files if len(tracks) == 1 and _is_named_after(path.stem, tracks[0])]
        if len(ours) == 1 and roles.role_of(ours[0].stem) is None:
            named[role] = ours[0]
    return named


def _is_named_after(stem: str, track: Track) -> bool:
    name = track.name.casefold().strip()
    return bool(name) and (stem.casefold() == name or stem.casefold().endswith((f"-{name}", f"_{name}", f" {name}")))


def _names_relative_media(project: Project) -> bool:
    return any(
        take.source is not None and is_relative(take.source.file)
        for track in project.tracks
        for item in track.items
        for take in item.takes
    )
