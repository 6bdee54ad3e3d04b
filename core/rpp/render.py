"""Sum a project's media into stems, before each bus's fader, in bounded memory.

Conventions: samples are float32, shape (2, n_samples); a mono source goes to both channels. A play rate resamples,
so pitch moves with it. Fades and gains are linear factors on each sample.

Sources: fade shapes as public ReaScripts reproduce REAPER's, each at its own curvature. Pan is a balance: the far
side is attenuated to zero, the near side does not change (from memory: REAPER's stereo balance at its 0 dB law).

A stem is a 32-bit float WAV (RF64 where it grows large) at the project's sample rate, from the project's start to
the end of its last item. It has no effects; `sentences` reports what is left out. Media files are looked for where the
project names them, then next to it.
"""

from __future__ import annotations

import ntpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from core.audio.blocks import MANY, return_freed_memory
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.io import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, AudioFile, AudioStream, Samples, inspect
from core.decibels import FloatArray
from core.errors import DiskFullError, InputError
from core.progress import ProgressCallback, no_progress
from core.rpp.faders import FaderStage, Feed, bus_weights, carries_sound, in_order, reached
from core.rpp.project import Item, Project, Source, Take, Track

N_CHANNELS = 2
_SHORT_LOOP_S = 10.0
_FINEST_RATE = 48_000
_LARGEST_PART = 192_000
_FALLBACK_RATE = 44_100
_BLOCK_S, _SHORTEST_BLOCK_S = 4.0, 0.25
_TRACK_SECONDS = 80.0
"""Bounds the memory that the bus tracks' blocks take together, however many tracks there are."""
_GAIN_GRID_SAMPLES = 64
_LONGEST_H = 12.0
_OTHER_ENVELOPES = {
    "MUTEENV": "mute envelope",
    **dict.fromkeys(["PANENV", "PANENV2", "WIDTHENV", "WIDTHENV2"], "pan envelope"),
}
WITHOUT_SOUND = frozenset({"MIDI", "MIDIPOOL", "CLICK", "LTC", "EMPTY", "RPP_PROJECT", "NOTES", "VIDEOEFFECT"})
"""Kinds of sources without an audio file."""


def balance(pan: float) -> FloatArray:
    """Return the factors of both channels at a pan from -1 (left) to 1 (right), shape (2, 1)."""
    return np.array([[min(1.0, 1.0 - pan)], [min(1.0, 1.0 + pan)]])


def fade_gain(shape: int, share: FloatArray) -> FloatArray:
    """Return how loud a fade-in is at `share` (0 to 1) of its length; a fade-out is the same, backwards."""
    rest = 1.0 - share
    curves = {
        1: share * (2.0 - share),
        2: share**2,
        3: 1.0 - rest**4,
        4: share**4,
        5: share**2 * (3.0 - 2.0 * share),
        6: np.where(share <= 0.5, 8.0 * share**4, 1.0 - 8.0 * rest**4),
    }
    return curves.get(shape, share)


class TakePlayer:
    """Plays one take of an item, forward."""

    def __init__(self, item: Item, take: Take, path: Path, sample_rate: int) -> None:
        self._item, self._take, self._rate = item, take, sample_rate
        source = take.source
        assert source is not None  # noqa: S101 - only takes with a source are played
        self._file, self._at_rate = _as_if_recorded(inspect(path), take.play_rate, sample_rate)
        self._first = round(item.position_s * sample_rate)
        self._n_samples = round(item.end_s * sample_rate) - self._first
        self._source_start = round(source.start_s * sample_rate / take.play_rate)
        self._offset = round(take.offset_s * sample_rate / take.play_rate)
        whole = self._file.n_samples_at(self._at_rate) - self._source_start
        section = round(source.length_s * sample_rate / take.play_rate)
        self._n_source = max(min(whole, section) if section > 0 else whole, 0)
        self._stream: AudioStream | None = None
        self._next = 0
        self._loop: Samples | None = None

    def add_to(self, out: Samples, start: int) -> None:
        """Add the item's samples to `out` (2, n_samples), which begins at sample `start` of the project."""
        first = max(start, self._first)
        end = min(start + out.shape[1], self._first + self._n_samples)
        if first < end and self._n_source > 0:
            played = self._played(first - self._first, end - first)
            out[:, first - start : end - start] += played * self._gains(first - self._first, end - first)
        if self._first + self._n_samples <= start + out.shape[1]:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.__exit__()
        self._stream, self._loop = None, None

    def _played(self, start: int, n_samples: int) -> Samples:
        played: Samples = np.zeros((N_CHANNELS, n_samples), np.float32)
        position, done = start + self._offset, 0
        if self._item.loops and self._n_source < _SHORT_LOOP_S * self._rate:
            if self._loop is None:
                self._loop = np.zeros((N_CHANNELS, self._n_source), np.float32)
                self._read(self._loop, 0)
            played[:] = self._loop[:, (position + np.arange(n_samples)) % self._n_source]
            return self._routed(played)
        while done < n_samples:
            at = (position + done) % self._n_source if self._item.loops else position + done
            if at >= self._n_source:
                break
            count = min(n_samples - done, self._n_source - at)
            self._read(played[:, done : done + count], at)
            done += count
        return self._routed(played)

    def _read(self, destination: Samples, at: int) -> None:
        silent = min(max(-at, 0), destination.shape[1])
        wanted = destination[:, silent:]
        if wanted.shape[1] == 0:
            return
        at += silent
        if self._stream is None or at != self._next:
            if self._stream is not None:
                self._stream.__exit__()
            start = self._source_start + at
            self._stream = AudioStream(self._file, sample_rate=self._at_rate, n_channels=N_CHANNELS, start=start)
        self._stream.read_into(wanted)
        self._next = at + wanted.shape[1]

    def _routed(self, played: Samples) -> Samples:
        mode = self._take.channel_mode
        if mode == 1:
            return played[::-1]
        if mode == 2:
            return np.broadcast_to(played.mean(axis=0), played.shape)
        if mode in (3, 4):
            return np.broadcast_to(played[mode - 3], played.shape)
        return played

    def _gains(self, start: int, n_samples: int) -> Samples:
        gain = np.array([self._item.volume * self._take.volume])
        for fade, first_from_edge, direction in (
            (self._item.fade_in, start, 1),
            (self._item.fade_out, self._n_samples - 1 - start, -1),
        ):
            last_from_edge = first_from_edge + direction * (n_samples - 1)
            if fade.length_s > 0.0 and min(first_from_edge, last_from_edge) < fade.length_s * self._rate:
                from_edge_s = (first_from_edge + direction * np.arange(n_samples)) / self._rate
                gain = gain * fade_gain(fade.shape, np.clip(from_edge_s / fade.length_s, 0.0, 1.0))
        return (gain * balance(self._take.pan)).astype(np.float32)


def _as_if_recorded(file: AudioFile, play_rate: float, sample_rate: int) -> tuple[AudioFile, int]:
    """Return the file as if recorded at its rate times `play_rate`, and the rate to read it at for `sample_rate`.

    Both are whole numbers of the right proportion, which is all the resampler needs.
    """
    if play_rate == 1.0:
        return file, sample_rate
    proportion = Fraction(file.sample_rate * play_rate / sample_rate).limit_denominator(_LARGEST_PART)
    scale = -(-_FINEST_RATE // proportion.denominator)
    as_if = replace(file, sample_rate=max(proportion.numerator, 1) * scale)
    return as_if, proportion.denominator * scale


def rate_of(project: Project, tracks: Sequence[Track]) -> int:
    """Return the rate to sum at: the project's own, else the one most of its media have; 44.1 kHz if frames need it.

    Raises
    ------
    InputError
        A media file is missing or cannot be read, or REAPER does not support the project's own rate.
    """
    if project.sample_rate and not LOWEST_RATE_HZ <= project.sample_rate <= HIGHEST_RATE_HZ:
        raise InputError(
            f"unsupported sample rate of {project.sample_rate:g} Hz",
            path=project.path,
            remedy="correct it in the project's settings",
        )
    rates = [inspect(path).sample_rate for path in _media(project, tracks)]
    rate = project.sample_rate or max(rates, key=lambda rate: (rates.count(rate), rate), default=_FALLBACK_RATE)
    return rate if rate % (HOPS_PER_FRAME * STEPS_PER_HOP) == 0 else _FALLBACK_RATE


def has_sound(project: Project, tracks: Sequence[Track]) -> bool:
    """Return whether anything on or in `tracks` can be summed."""
    return any(sounding_items(part) for track in tracks for part in reached(project, track))


def write_stems(
    project: Project, buses: Mapping[str, Sequence[Track]], folder: Path, *, progress: ProgressCallback = no_progress
) -> dict[str, Path]:
    """Write each bus's stem into `folder` and return the files by role.

    A bus of several tracks is their sum, each weighted by its fader (`core.rpp.faders.bus_weights`).

    Parameters
    ----------
    project : the project.
    buses : the tracks of each bus.
    folder : an existing folder.
    progress : progress callback; may raise to stop the work.

    Raises
    ------
    InputError
        A media file is missing or cannot be read, the project is longer than twelve hours, or the disk is full.
    """
    tracks = [part for bus in buses.values() for track in bus for part in reached(project, track)]
    sample_rate = rate_of(project, tracks)
    n_samples = round(_end_s(project, tracks) * sample_rate)
    n_stems = sum(len(bus) for bus in buses.values())
    block = round(min(max(_TRACK_SECONDS / n_stems, _SHORTEST_BLOCK_S), _BLOCK_S) * sample_rate)
    names = {role: re.sub(r"[^\w -]", "_", role) for role in buses}
    paths = {
        role: folder / (f"{name}.wav" if name == role else f"{name}-{number}.wav")
        for number, (role, name) in enumerate(names.items())
    }
    weights = {role: bus_weights(project, bus) for role, bus in buses.items()}
    with ExitStack() as stack:
        routing = _Routing(project, [track for bus in buses.values() for track in bus], sample_rate)
        stack.callback(routing.close)
        files = {role: stack.enter_context(_stem_file(path, sample_rate)) for role, path in paths.items()}
        for start in range(0, n_samples, block):
            count = min(block, n_samples - start)
            played = routing.play(start, count)
            for role, bus in buses.items():
                weighted = (np.float32(weights[role][track.index]) * played[track.index] for track in bus)
                _write(files[role], sum(weighted, np.float32(0.0)), paths[role])
            progress((start + count) / n_samples)
    if n_stems > MANY:
        return_freed_memory()
    return paths


def _media(project: Project, tracks: Sequence[Track]) -> list[Path]:
    played = [
        (track, take.source)
        for track in tracks
        for item in sounding_items(track)
        for take in item.takes
        if plays(take) and take.source
    ]
    return media_paths(project, played)


def _end_s(project: Project, tracks: Sequence[Track]) -> float:
    end_s, last = max((item.end_s, track.title) for track in tracks for item in sounding_items(track))
    if end_s > _LONGEST_H * 3600.0:
        raise InputError(
            f"an item on {last} ends at {end_s / 3600.0:.0f} h",
            path=project.path,
            remedy="move or trim it; the limit is twelve hours",
        )
    return end_s


def _stem_file(path: Path, sample_rate: int) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path, "w", sample_rate, N_CHANNELS, "FLOAT", format="RF64")
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"cannot be written to ({error})", path=path.parent, remedy="set TMPDIR to another folder"
        ) from error


def _write(file: soundfile.SoundFile, samples: Samples, path: Path) -> None:
    try:
        file.write(np.ascontiguousarray(samples.T))
    except soundfile.LibsndfileError as error:
        problem = f"cannot be written: the disk is probably full ({error})"
        raise DiskFullError(problem, path=path.parent, remedy="free some space, and try again") from error


class _Routing:
    """All tracks that are routed into a bus, read in step; the block of a track is computed once for all its sends."""

    def __init__(self, project: Project, buses: Sequence[Track], sample_rate: int) -> None:
        self._rate = sample_rate
        self._kept = {track.index for track in buses}
        self._order = in_order(project, buses)
        self._players = {track.index: _players_of(project, track, sample_rate) for track, _ in self._order}
        self._uses = Counter(feed.source.index for _, feeds in self._order for feed in feeds)

    def play(self, start: int, n_samples: int) -> dict[int, Samples]:
        """Return the buses' samples after their plug-ins' place and before their fader, (2, n_samples), by index."""
        made: dict[int, Samples] = {}
        uses = self._uses.copy()
        for track, feeds in self._order:
            made[track.index] = self._sum(track, feeds, made, start, n_samples)
            uses.subtract(feed.source.index for feed in feeds)
            for index in {feed.source.index for feed in feeds} - self._kept:
                if not uses[index]:
                    del made[index]
        return made

    def close(self) -> None:
        """Close all files."""
        for players in self._players.values():
            for player in players:
                player.close()

    def _sum(
        self, track: Track, feeds: Sequence[Feed], made: Mapping[int, Samples], start: int, n_samples: int
    ) -> Samples:
        out: Samples = np.zeros((N_CHANNELS, n_samples), np.float32)
        for player in self._players[track.index]:
            player.add_to(out, start)
        for feed in feeds:
            signal = made[feed.source.index]
            if feed.is_mono:
                signal = np.broadcast_to(signal.mean(axis=0), signal.shape)
            gain = self._along(feed.stage, start, n_samples) * balance(feed.pan).astype(np.float32)
            out += signal * gain
        before = track.heard("VOLENV")
        if before is not None:
            out *= self._along(FaderStage(1.0, (before,)), start, n_samples)
        return out

    def _along(self, stage: FaderStage, start: int, n_samples: int) -> Samples:
        """Return the gain of each sample: exact on a grid of 64 samples, linear between."""
        if not stage.envelopes:
            return np.full(1, stage.factor, np.float32)
        grid = np.arange(0, n_samples + _GAIN_GRID_SAMPLES, _GAIN_GRID_SAMPLES)
        return np.interp(np.arange(n_samples), grid, stage.gain_at((start + grid) / self._rate)).astype(np.float32)


def _players_of(project: Project, track: Track, sample_rate: int) -> list[TakePlayer]:
    return [
        TakePlayer(item, take, media_path(project, track, take.source), sample_rate)
        for item in sounding_items(track)
        for take in item.takes
        if plays(take) and take.source
    ]


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
    return media_paths(project, [(track, source)])[0]


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
    parts: dict[str, list[str]] = {}
    for track in tracks:
        for kind, found in _not_summed(project, track).items():
            names = [f"{name} ({count})" if count > 1 else name for name, count in Counter(found).items()]
            parts.setdefault(kind, []).extend([f"{', '.join(names)} on {track.title}"] if names else [])
    notes = [f"left out of the sum of the media: {kind}: {'; '.join(found)}" for kind, found in parts.items() if found]
    takes = [take for track in tracks for take in _heard_takes(track)]
    if stretched := sum(take.play_rate != 1.0 and plays(take) for take in takes):
        notes.append(f"{stretched} items play at another rate; they were resampled, so their pitch changed")
    soloed = [track.title for track in project.tracks if track.is_soloed]
    if soloed:
        notes.append(f"{', '.join(soloed)} soloed: all tracks are summed nevertheless")
    if project.play_rate != 1.0:
        notes.append(f"the project's play rate of {project.play_rate:g} was left out")
    if project.master_plug_ins:
        notes.append(f"plug-ins on the master were left out: {', '.join(project.master_plug_ins)}")
    notes += [
        f"{track.title} is panned; a stem is taken before the fader, so mix.wav has it in the centre"
        for track in buses
        if track.pan
    ]
    return notes


def _not_summed(project: Project, track: Track) -> dict[str, list[str]]:
    """Return what a track has that the sum of its media does not have, by kind."""
    takes = [(take, take.source) for take in _heard_takes(track)]
    envelopes = [name for name, envelope in track.envelopes.items() if envelope.is_heard]
    sends = [one for one in track.receives if carries_sound(project, one) and not one.is_simple]
    return {
        "plug-ins": list(track.plug_ins),
        "items without an audio file": [
            source.kind or "empty"
            for _, source in takes
            if source is not None and (source.kind in WITHOUT_SOUND or not source.file)
        ],
        "reversed items": [take.name or "reversed" for take, source in takes if source and source.is_reversed],
        "pitch shifts": [take.name or "shifted" for take, _ in takes if take.pitch != 0.0],
        "other parts of takes": [part for take, _ in takes for part in take.left_out],
        "pan and mute envelopes": [_OTHER_ENVELOPES[name] for name in envelopes if name in _OTHER_ENVELOPES],
        "sends that are not plain stereo": [f"from {project.tracks[one.source].title}" for one in sends],
        "playback offsets": ["offset"] if track.offset_s else [],
        "lanes (all of them are summed)": ["lanes"] if track.has_lanes else [],
    }


def _heard_takes(track: Track) -> list[Take]:
    return [take for item in track.items if not item.is_muted for take in item.takes]
