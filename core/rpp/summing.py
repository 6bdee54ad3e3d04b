"""Stems summed from a project's media: each bus before its fader, in bounded memory.

A stem is a 32-bit float WAV (RF64 where it grows large) at the project's sample rate, from the project's start to
the end of its last item. What a plug-in would do is not in it; `left_out` says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile

from core.audio.frames import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.reading import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, Samples, inspect
from core.errors import InputError
from core.progress import Progress, silent
from core.rpp.faders import FaderStage
from core.rpp.left_out import plays, sounding_items
from core.rpp.media import media_path
from core.rpp.playback import N_CHANNELS, TakePlayer, balance
from core.rpp.project import Project, Track
from core.rpp.routing import Feed, in_order, reached

_FALLBACK_RATE = 44_100
_BLOCK_S = 4
_GAIN_GRID_SAMPLES = 64
_LONGEST_H = 12.0


def rate_of(project: Project, tracks: Sequence[Track]) -> int:
    """Return the rate to sum at: the project's own, else the one most of its media have; 44.1 kHz if frames need it.

    Raises
    ------
    InputError
        A media file is missing or cannot be read, or the project's own rate is none that REAPER has.
    """
    if project.sample_rate and not LOWEST_RATE_HZ <= project.sample_rate <= HIGHEST_RATE_HZ:
        raise InputError(
            f"{project.path}: a sample rate of {project.sample_rate:g} Hz is none REAPER has; correct it in the "
            "project's settings"
        )
    rates = [inspect(path).sample_rate for path in _media(project, tracks)]
    rate = project.sample_rate or max(rates, key=lambda rate: (rates.count(rate), rate), default=_FALLBACK_RATE)
    return rate if rate % (HOPS_PER_FRAME * STEPS_PER_HOP) == 0 else _FALLBACK_RATE


def has_sound(project: Project, tracks: Sequence[Track]) -> bool:
    """Tell whether anything on or in `tracks` can be summed."""
    return any(sounding_items(part) for track in tracks for part in reached(project, track))


def write_stems(
    project: Project, buses: Mapping[str, Sequence[Track]], folder: Path, *, progress: Progress = silent
) -> dict[str, Path]:
    """Write each bus's stem into `folder` and return the files by role.

    Raises
    ------
    InputError
        A media file is missing or cannot be read, the project is longer than twelve hours, or the disk is full.
    """
    tracks = [part for bus in buses.values() for track in bus for part in reached(project, track)]
    sample_rate = rate_of(project, tracks)
    n_samples = round(_end_s(project, tracks) * sample_rate)
    block = _BLOCK_S * sample_rate
    paths = {role: folder / _file_name(role, number) for number, role in enumerate(buses)}
    with ExitStack() as stack:
        desk = _Desk(project, [track for bus in buses.values() for track in bus], sample_rate)
        stack.callback(desk.close)
        files = {role: stack.enter_context(_stem_file(path, sample_rate)) for role, path in paths.items()}
        for start in range(0, n_samples, block):
            count = min(block, n_samples - start)
            played = desk.play(start, count)
            for role, bus in buses.items():
                _write(files[role], sum((played[track.index] for track in bus), np.float32(0.0)), paths[role])
            progress((start + count) / n_samples)
    return paths


def _file_name(role: str, number: int) -> str:
    plain = re.sub(r"[^\w -]", "_", role)
    return f"{plain}.wav" if plain == role else f"{plain}-{number}.wav"


def _media(project: Project, tracks: Sequence[Track]) -> list[Path]:
    return [
        media_path(project, track, take.source)
        for track in tracks
        for item in sounding_items(track)
        for take in item.takes
        if plays(take) and take.source
    ]


def _end_s(project: Project, tracks: Sequence[Track]) -> float:
    end_s, last = max((item.end_s, track.title) for track in tracks for item in sounding_items(track))
    if end_s > _LONGEST_H * 3600.0:
        raise InputError(
            f"{project.path}: an item on {last} reaches to {end_s / 3600.0:.0f} h; "
            "move or trim it, twelve hours are the most"
        )
    return end_s


def _stem_file(path: Path, sample_rate: int) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path, "w", sample_rate, N_CHANNELS, "FLOAT", format="RF64")
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path.parent}: cannot be written to ({error}); set TMPDIR to another folder") from error


def _write(file: soundfile.SoundFile, samples: Samples, path: Path) -> None:
    try:
        file.write(np.ascontiguousarray(samples.T))
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path.parent}: cannot be written to ({error}); free some space") from error


class _Desk:
    """Every track that flows into a bus, played in step; a track's block is made once, however many ways it goes."""

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
        """Let go of all files."""
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
            out += self._fed(feed, made[feed.source.index], start)
        before = track.heard("VOLENV")
        if before is not None:
            out *= self._along(FaderStage(1.0, (before,)), start, n_samples)
        return out

    def _fed(self, feed: Feed, signal: Samples, start: int) -> Samples:
        if feed.is_mono:
            signal = np.broadcast_to(signal.mean(axis=0), signal.shape)
        gain = self._along(feed.stage, start, signal.shape[1]) * balance(feed.pan).astype(np.float32)
        return signal * gain

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
