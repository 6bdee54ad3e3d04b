"""Open what a request names: a song folder, or a REAPER project as a song, and show the bus of each file or track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np
import soundfile

from analysis_server.paths import is_project
from analysis_server.sources.folder import open_song_folder
from core import roles
from core.audio.framing import LONGEST_S
from core.audio.io import EXTENSIONS, AudioFile, AudioStream, Samples, inspect
from core.audio.song import Song, distinct_names, match_files, mixdown_in, open_song
from core.errors import InputError
from core.files import temporary_folder
from core.gains.alignment import constant_gains
from core.matching import by_bus
from core.progress import ProgressCallback, part_of
from core.rpp.buses import Buses, find_buses, match_tracks, reason_for_none, single_tracks
from core.rpp.faders import bus_weights, reached
from core.rpp.project import VOLUME, Project, Track, read_project
from core.rpp.render import has_sound, sentences, write_stems
from core.rpp.write import require_audible
from core.wording import listed

Level = Literal["buses", "tracks"]
"""Whether each bus gets a gain, or each single track."""
NOTHING_TO_SUM = "plays no audio file and is left out; export its stem from REAPER and use --stems"
_SUMMING_SHARE = 0.2
"""The share of a session's progress that summing its stems takes."""
_LENGTH_TOLERANCE_S = 0.25
_HIGHEST_GAIN = 1e3
_BLOCK_SAMPLES = 1 << 18


class RenderedStems(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stems of bus tracks, after their plug-ins and before their faders.

    Attributes
    ----------
    files : one per bus track, by GUID.
    span_s : the part of the project that they cover.
    write_s : the part of the project their automation is for; None for all of it.
    home : the folder of the open project, of which the project file is a copy.
    highest_gain : the top of an envelope, linear.
    target : what gains are written on, as in `core.rpp.project`.
    """

    files: dict[str, str]
    span_s: tuple[float, float]
    write_s: tuple[float, float] | None = None
    home: str | None = None
    highest_gain: float = 2.0
    target: str = VOLUME


class ProjectParts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a REAPER project becomes a song; none of it is for song folders.

    Attributes
    ----------
    tracks : its bus tracks by role, names or numbers, as `--bus ROLE=TRACK` gives them; found by name where left out.
        Those of the role "none" are in no bus.
    only : the tracks to work on, names, numbers or ranges such as "5-9"; all others are not changed.
    stems : the folder of its exported stems; without it they are summed from the project's media.
    rendered : the stems that REAPER rendered of exactly these tracks; the project is a copy of the open one then.
    """

    tracks: dict[str, list[str]] = {}
    only: list[str] = []
    stems: str | None = None
    rendered: RenderedStems | None = None


class SongRequest(ProjectParts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done with one song, and where its outcome goes.

    Attributes
    ----------
    song : a SONG_DIR, or a REAPER project.
    buses : files of a SONG_DIR by role, as `--bus ROLE=FILE` gives them.
    out : the folder to write to; one named after the song by default, and a project's copy next to the project.
    dry_run : write nothing.
    """

    song: str
    buses: dict[str, str | list[str]] = {}
    out: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """A project, the song it makes, the tracks each bus's curve goes to, and notes for the user.

    `rendered` are the stems that REAPER rendered, where the project is a copy of one that is open there; `is_summed`
    says whether the stems were summed from its media, which is the first part of the progress. `reasons` are those of
    `core.rpp.buses.Buses`.
    """

    project: Project
    song: Song
    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    rendered: RenderedStems | None = None
    is_summed: bool = False
    weights: Mapping[int, float] | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The project's name."""
        return self.project.path.stem

    def left(self, progress: ProgressCallback) -> ProgressCallback:
        """Return the progress callback for the work after opening the session."""
        return part_of(progress, _SUMMING_SHARE, 1.0) if self.is_summed else progress

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


_NO_PARTS = ProjectParts()


@dataclass(frozen=True)
class Opened:
    """A song, its session where a project was named, and the progress callback for the work on it."""

    song: Song
    session: Session | None
    progress: ProgressCallback


@contextmanager
def opened_song(
    request: SongRequest,
    progress: ProgressCallback,
    *,
    mixdown: str | None = None,
    level: Level = "buses",
    separate: bool = True,
) -> Iterator[Opened]:
    """Yield the song that a request names.

    Parameters
    ----------
    request : the song folder or the project, and how it becomes a song.
    progress : called while a project's media are summed.
    mixdown : the mixdown's file; without it the one that is found is used.
    level : whether the stems are buses or single tracks.
    separate : whether a drum that the drum stem does not contain is a separate stem (`Song.with_separate_drums`).

    Raises
    ------
    InputError
        The song cannot be read, or what belongs to a project was asked of a song folder.
    """
    if is_project(request.song):
        with opened_session(request.song, progress, request, mixdown=mixdown, level=level, complete=True) as session:
            yield Opened(session.song, session, session.left(progress))
    elif request.stems is not None or request.tracks or request.only:
        given = {"--stems": request.stems, "--tracks": request.only, "--bus": request.tracks}
        option = ", ".join(name for name, value in given.items() if value)
        raise InputError("only for REAPER projects (.RPP)", path=request.song, option=option, remedy=f"omit {option}")
    else:
        song = open_song_folder(request.song, request.buses, mixdown, complete=True, raw=level == "tracks")
        if level == "tracks":
            song = song.with_single_tracks()
        elif separate:
            song = song.with_separate_drums()
        yield Opened(song, None, progress)


@contextmanager
def opened_session(
    path: str,
    progress: ProgressCallback,
    parts: ProjectParts = _NO_PARTS,
    *,
    mixdown: str | None = None,
    for_writing: bool = True,
    level: Level = "buses",
    complete: bool = False,
) -> Iterator[Session]:
    """Yield the session in the project at `path`; stems summed from its media are removed at the end.

    Parameters
    ----------
    path : the project.
    progress : called while media are summed; may cancel.
    parts : how the project becomes a song.
    mixdown : the mixdown's file; without it one next to the project, or among its stems, is used if there is one.
    for_writing : whether envelopes are to be written, so that a fader all the way down is an error.
    level : whether the stems are buses or single tracks.
    complete : whether to refuse a project that lacks a main bus while one of its tracks has an unknown name.

    Raises
    ------
    InputError
        The project, its media or the stems cannot be read, or no bus was found.
    """
    rendered = parts.rendered
    project = read_project(Path(path))
    if rendered is not None and rendered.home is not None:
        project = replace(project, home=Path(rendered.home))
    buses = find_buses(
        project,
        by_bus(parts.tracks.items()),
        only=parts.only,
        with_names=rendered is None,
        complete=complete and parts.stems is None,
        sums=level == "buses",
    )
    single = single_tracks(project, buses.tracks) if level == "tracks" else None
    if single is not None:
        buses = replace(buses, tracks=single.tracks, notes=(*buses.notes, *single.notes))
    if for_writing:
        for tracks in buses.tracks.values():
            require_audible(project, tracks, rendered.target if rendered else VOLUME)
    with temporary_folder() as folder:
        if rendered is not None:
            mix = find_mixdown(project, mixdown) if mixdown else None
            song = song_of(project, buses, rendered, folder, mix)
            session = Session(project=project, song=song, tracks=buses.tracks, notes=buses.notes, rendered=rendered)
        elif parts.stems is None:
            session = summed_session(project, buses, folder, mixdown, progress)
        elif single is None:
            session = session_with_stems(project, buses, Path(parts.stems), mixdown)
        else:
            session = session_with_track_stems(project, buses, Path(parts.stems))
        if single is not None:
            session = replace(
                session,
                song=replace(session.song, bus_of={name: single.bus_of[name] for name in session.song.stems}),
                weights=single.weights,
            )
        yield replace(session, reasons=buses.reasons)


def session_with_stems(project: Project, buses: Buses, folder: Path, mixdown: str | None) -> Session:
    """Return the session whose stems were exported into `folder`.

    Raises
    ------
    InputError
        The folder has no readable stems, or none that belongs to a bus.
    """
    named = _stems_by_track(folder, buses)
    song = open_song(folder, buses={role: [file] for role, file in named.items()}, mixdown=named_file(project, mixdown))
    song = replace(song, title=project.path.stem, mixdown=song.mixdown or find_mixdown(project, None))
    tracks = {role: buses.tracks[role] for role in song.stems if role in buses.tracks}
    if not tracks:
        raise InputError(
            f"none of its stems ({', '.join(song.stems)}) belongs to a bus of {project.path.name}"
            f" ({', '.join(buses.tracks)})",
            path=folder,
            remedy="rename them, or choose tracks with --bus",
        )
    notes = [
        f"{file.path.name} has no track in {project.path.name}; its curve is only in the other files; use --bus "
        f"'{role}=TRACK' to choose one"
        for role, file in song.stems.items()
        if role not in tracks
    ]
    notes += [
        f"the bus {role} has no stem in {folder}; its tracks are not changed"
        for role in buses.tracks
        if role not in tracks
    ]
    notes += outside_notes(project, buses.all_tracks, buses.left_out)
    return Session(project=project, song=song, tracks=tracks, notes=(*buses.notes, *notes))


def session_with_track_stems(project: Project, buses: Buses, folder: Path) -> Session:
    """Return the session whose tracks, one per entry of `buses`, were exported into `folder`.

    Raises
    ------
    InputError
        No file of the folder is named after one of the tracks.
    """
    named = _stems_by_track(folder, buses, any_name=True)
    if not named:
        names = ", ".join(track.name for track in buses.all_tracks)
        raise InputError("has no file that is named after a track", path=folder, remedy=f"the tracks are: {names}")
    song = Song(
        title=project.path.stem,
        stems={name: inspect(path) for name, path in named.items()},
        mixdown=find_mixdown(project, None),
    )
    notes = [
        f"{tracks[0].title} has no stem in {folder}; it is not changed"
        for name, tracks in buses.tracks.items()
        if name not in named
    ]
    notes += outside_notes(project, buses.all_tracks, buses.left_out)
    return Session(
        project=project,
        song=song,
        tracks={name: buses.tracks[name] for name in named},
        notes=(*buses.notes, *notes),
    )


def _stems_by_track(folder: Path, buses: Buses, *, any_name: bool = False) -> dict[str, Path]:
    """Return the files that are named after a bus's one track, by role, as REAPER names what it exports.

    Files that are named like a role are left out, unless `any_name` is set.
    """
    files = _audio_in(folder)
    named = {}
    for role, tracks in buses.tracks.items():
        ours = [path for path in files if len(tracks) == 1 and _is_named_after(path.stem, tracks[0])]
        if len(ours) == 1 and (any_name or roles.role_of(ours[0].stem) is None):
            named[role] = ours[0]
    return named


def _is_named_after(stem: str, track: Track) -> bool:
    name = track.name.casefold().strip()
    return bool(name) and (stem.casefold() == name or stem.casefold().endswith((f"-{name}", f"_{name}", f" {name}")))


def summed_session(
    project: Project, buses: Buses, folder: Path, mixdown: str | None, progress: ProgressCallback
) -> Session:
    """Return the session whose stems are summed from the project's media, into `folder`.

    Raises
    ------
    InputError
        No bus plays an audio file, or one cannot be read.
    """
    playing = {role: tracks for role, tracks in buses.tracks.items() if has_sound(project, tracks)}
    if not playing:
        raise InputError(
            "none of its buses plays an audio file, so nothing can be summed",
            path=project.path,
            remedy="export the buses as stems from REAPER and give their folder with --stems",
        )
    silent = [f"the bus {role} {NOTHING_TO_SUM}" for role in buses.tracks if role not in playing]
    files = write_stems(
        project,
        playing,
        folder,
        progress=part_of(progress, 0.0, _SUMMING_SHARE, f"Summing media of {project.path.stem}"),
    )
    song = Song(
        title=project.path.stem,
        stems={role: inspect(path) for role, path in files.items()},
        mixdown=find_mixdown(project, mixdown),
    )
    tracks = [track for bus in playing.values() for track in bus]
    indices = {part.index for track in tracks for part in reached(project, track)}
    inside = [track for track in project.tracks if track.index in indices]
    notes = (
        *buses.notes,
        *silent,
        *sentences(project, inside, tracks),
        *outside_notes(project, tracks, buses.left_out),
    )
    return Session(project=project, song=song, tracks=playing, notes=notes, is_summed=True)


def outside_notes(project: Project, buses: Sequence[Track], left_out: Sequence[Track]) -> list[str]:
    """Return a sentence that names the audible tracks in none of `buses` and not in `left_out`."""
    inside = {part.index for track in buses for part in reached(project, track)}
    muted = [*left_out, *(track for track in project.tracks if track.is_muted)]
    outside = [
        track.title
        for track in project.tracks
        if track.index not in inside
        and any(not item.is_muted for item in track.items)
        and not any(track == other or project.is_inside(track, other) for other in muted)
    ]
    return [f"not assigned to a bus, so not in the mix: {', '.join(outside)}"] if outside else []


def song_of(project: Project, buses: Buses, rendered: RenderedStems, folder: Path, mixdown: AudioFile | None) -> Song:
    """Return the song that the rendered stems make.

    A bus of several tracks is summed into a file in `folder`, each track weighted by its fader.

    Raises
    ------
    InputError
        A stem is missing, cannot be read, or has another length than expected; or the times are not valid.
    """
    _require_times(rendered)
    stems = {role: _stem(project, tracks, rendered, folder) for role, tracks in buses.tracks.items()}
    return Song(title=project.path.stem, stems=stems, mixdown=mixdown)


def _require_times(rendered: RenderedStems) -> None:
    spans = [rendered.span_s, *([rendered.write_s] if rendered.write_s else [])]
    if not all(-LONGEST_S < start_s < end_s < LONGEST_S for start_s, end_s in spans):
        parts = listed([f"{start_s:g} to {end_s:g} s" for start_s, end_s in spans])
        raise InputError(f"{parts} is not a valid part of a project", remedy="run the action again")
    if not 0.0 < rendered.highest_gain < _HIGHEST_GAIN:
        raise InputError(f"{rendered.highest_gain:g} cannot be the top of an envelope", remedy="run the action again")


def _stem(project: Project, tracks: Sequence[Track], rendered: RenderedStems, folder: Path) -> AudioFile:
    files = [_checked(track, rendered) for track in tracks]
    if len(files) == 1:
        return files[0]
    path = folder / f"sum-{len(list(folder.iterdir()))}.wav"
    weights = bus_weights(project, tracks)
    _write_sum(path, files, [weights[track.index] for track in tracks])
    return inspect(path)


def _checked(track: Track, rendered: RenderedStems) -> AudioFile:
    name = rendered.files.get(track.guid)
    if name is None or not Path(name).is_file():
        raise InputError(f"the stem of {track.title} was not rendered", remedy="run the action again")
    file = inspect(Path(name))
    expected_s = rendered.span_s[1] - rendered.span_s[0]
    if abs(file.duration_s - expected_s) > _LENGTH_TOLERANCE_S:
        raise InputError(
            f"the stem of {track.title} lasts {file.duration_s:.1f} s instead of {expected_s:.1f} s,"
            " so rendering was stopped or REAPER's render settings changed it",
            remedy="run the action again",
        )
    return file


def _write_sum(path: Path, files: Sequence[AudioFile], weights: Sequence[float]) -> None:
    rate = files[0].sample_rate
    n_samples = max(file.n_samples_at(rate) for file in files)
    with ExitStack() as stack:
        out = stack.enter_context(soundfile.SoundFile(path, "w", rate, 2, "FLOAT", format="RF64"))
        sources = [stack.enter_context(AudioStream(file, sample_rate=rate, n_channels=2)) for file in files]
        for start in range(0, n_samples, _BLOCK_SAMPLES):
            block: Samples = np.zeros((2, min(_BLOCK_SAMPLES, n_samples - start)), np.float32)
            part = np.empty_like(block)
            for source, weight in zip(sources, weights, strict=True):
                source.read_into(part)
                block += np.float32(weight) * part
            out.write(block.T)


def find_mixdown(project: Project, chosen: str | None) -> AudioFile | None:
    """Return the mixdown: the chosen one, else where the project was rendered to, else a mix next to it."""
    named = named_file(project, chosen)
    if named is not None:
        return inspect(named)
    rendered = project.folder / project.render_file.replace("\\", "/")
    folders = [rendered, project.folder] if project.render_file else [project.folder]
    found = [rendered] if rendered.suffix.lower() in EXTENSIONS and rendered.is_file() else []
    for folder in folders:
        found += [path for path in _audio_in(folder) if path.stem == project.path.stem or roles.is_mixdown(path.stem)]
    return inspect(found[0]) if found else None


def require_mixdown_of(project: Project, chosen: str | None, stems: str | None, remedy: str) -> None:
    """Raise an `InputError` with `remedy` if a project has no mixdown: chosen, found, or among its exported stems."""
    if stems is not None and mixdown_in(Path(stems), match_files(Path(stems), listen=False), ()) is not None:
        return
    if find_mixdown(project, chosen) is None:
        problem = "no mixdown found at the render path or next to the project"
        raise InputError(problem, path=project.path, remedy=remedy)


def named_file(project: Project, chosen: str | None) -> Path | None:
    """Return the file that was chosen, from the project's folder if it is there."""
    if chosen is None:
        return None
    in_folder = project.folder / chosen
    return in_folder if in_folder.is_file() else Path(chosen)


def _audio_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS and path.is_file()]


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """A file or track, its bus or None, and why."""

    name: str
    bus: str | None
    reason: str


def assignment_of(song: Song, session: Session | None) -> list[Assigned]:
    """Return the bus of every audio file of a song folder, or of every track of a project, and why.

    Parameters
    ----------
    song : the song that is mixed or matched.
    session : the session it was made from, where a project was named.
    """
    if session is None:
        return _of_files(song)
    return assignment_of_tracks(session.project, session.tracks, session.reasons, session.song.bus_of)


def names_by_bus(song: Song, session: Session | None) -> dict[str, list[str]]:
    """Return the names of each bus's tracks in a project, or of its files where it has no track."""
    names = {bus: [part.name for part in file.parts or (file,)] for bus, file in song.stems.items()}
    if session is not None:
        for bus, tracks in session.tracks.items():
            names[bus] = [f"{track.number} {track.name}".strip() for track in tracks]
    return names


def plain_sum_notes(song: Song) -> list[str]:
    """Return a sentence about a mixdown that is nearly the plain sum of the stems, if it is."""
    if song.mixdown is None or len(song.buses) < 2 or not constant_gains(song).is_plain_sum:
        return []
    name = song.mixdown.path.name
    return [f"{name} is nearly the plain sum of the stems, so the producer's balance is already in them"]


def _of_files(song: Song) -> list[Assigned]:
    names = distinct_names([found.path for found in song.assignment])
    rows = [
        Assigned(name=name, bus=found.bus, reason=found.reason)
        for name, found in zip(names, song.assignment, strict=True)
    ]
    listed = {found.path for found in song.assignment}
    for bus, file in song.stems.items():
        rows += [
            Assigned(name=part.name, bus=bus, reason=f"it is audio stream {part.stream}" if part.stream else "--bus")
            for part in file.parts or (file,)
            if part.path not in listed
        ]
    if song.mixdown is not None and song.mixdown.path not in listed:
        rows.append(Assigned(name=song.mixdown.path.name, bus=None, reason="it is the mixdown"))
    return rows


def assignment_of_tracks(
    project: Project,
    tracks_of: Mapping[str, tuple[Track, ...]],
    reasons: Mapping[int, str],
    bus_of: Mapping[str, str] = MappingProxyType({}),
) -> list[Assigned]:
    """Return the bus of every track of a project, and why.

    Parameters
    ----------
    project : the project.
    tracks_of : the tracks of each bus, or of each single track's name.
    reasons : those of `core.rpp.buses.Buses`.
    bus_of : the bus of each single track's name.
    """
    bus_tracks = {track.index: bus_of.get(name, name) for name, tracks in tracks_of.items() for track in tracks}
    through: dict[int, Track] = {}
    for tracks in tracks_of.values():
        for track in tracks:
            through.update((part.index, track) for part in reached(project, track) if part.index not in bus_tracks)
    rows = []
    for track, match in zip(project.tracks, match_tracks(project), strict=True):
        bus, reason = bus_tracks.get(track.index), match.reason
        if track.index in through:
            bus = bus_tracks[through[track.index].index]
            reason = f"it is heard through {through[track.index].title}"
        elif bus is None and track.index in reasons:
            reason = reasons[track.index]
        elif bus is None and match.bus is not None:
            reason += f"; {reason_for_none(project, track, tracks_of)}"
        elif match.bus != bus:
            reason = reasons.get(track.index, reason)
        if track.is_muted and not reason.endswith("it is muted"):
            reason += "; it is muted"
        rows.append(Assigned(name=f"{track.number} {track.name}".strip(), bus=bus, reason=reason))
    return rows
