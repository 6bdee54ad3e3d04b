"""Encode the sounds that a report plays, and store them for later pages of the same run.

The sounds are excerpts of `EXCERPT_S` around the largest change of the balance, as FLAC: it is lossless, it encodes
about twenty times faster than MP3, and Chromium, Firefox and Safari play it.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from analysis_server.report.content import Player, Spectrum, StemSound
from core.audio.framing import FRAME_S, HOP_S
from core.audio.io import AudioFile, Samples, open_stream
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import MixFigures, RenderedMix, headroom_db, in_bands, measure_mixes, mix_stems
from core.decibels import FloatArray, db_to_gain
from core.files import replacing
from core.gains.curves import write_npz
from core.progress import ProgressCallback, no_progress

EXCERPT_S = 20.0
NAME = "audit.npz"
MIME = "audio/flac"
DIFFERENCE = "Difference"


@dataclass(frozen=True)
class Sounds:
    """Players and average spectra of the earlier and the later mix."""

    players: tuple[Player, ...]
    spectra: tuple[Spectrum, ...]

    def save(self, path: Path, run_id: str) -> None:
        """Write the sounds of the run `run_id` to `path`.

        Raises
        ------
        InputError
            The folder cannot be written to.
        """
        texts = [[sound.label, sound.mime, sound.note, sound.whole or ""] for sound in self.players]
        sounds = {
            f"sound_{number}": np.frombuffer(sound.encoded, np.uint8) for number, sound in enumerate(self.players)
        }
        curves = {
            f"spectrum_{number}": np.stack([spectrum.frequency_hz, spectrum.level_db])
            for number, spectrum in enumerate(self.spectra)
        }
        arrays = {
            "run": np.array(run_id),
            "players": np.array(texts),
            "starts_s": np.array([sound.start_s for sound in self.players]),
            "loudness_lufs": np.array([sound.loudness_lufs for sound in self.players]),
            "spectra": np.array([spectrum.label for spectrum in self.spectra]),
        }
        with replacing(path) as temporary:
            write_npz(temporary, {**arrays, **sounds, **curves}, compress=False)


def load(path: Path, run_id: str) -> Sounds | None:
    """Return the sounds that `save` wrote for the run `run_id`, or None where they are missing or damaged."""
    try:
        with np.load(path) as arrays:
            if str(arrays["run"]) != run_id:
                return None
            texts = [[str(text) for text in row] for row in arrays["players"]]
            loudness = arrays["loudness_lufs"] if "loudness_lufs" in arrays else np.full(len(texts), math.nan)
            players = tuple(
                Player(
                    label=row[0],
                    mime=row[1],
                    note=row[2],
                    whole=(row[3] or None) if len(row) > 3 else None,  # version 0.1.0 had three texts
                    encoded=arrays[f"sound_{number}"].tobytes(),
                    start_s=float(arrays["starts_s"][number]),
                    loudness_lufs=float(loudness[number]),
                )
                for number, row in enumerate(texts)
            )
            spectra = tuple(
                Spectrum(label=str(label), frequency_hz=arrays[f"spectrum_{i}"][0], level_db=arrays[f"spectrum_{i}"][1])
                for i, label in enumerate(arrays["spectra"])
            )
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile):
        return None
    return Sounds(players, spectra)


def excerpt_start_s(
    time_s: FloatArray, gains_db: FloatArray, audible: npt.NDArray[np.bool_], duration_s: float
) -> float:
    """Return the start of the excerpt with the largest change of balance, in seconds, on a whole hop.

    Parameters
    ----------
    time_s : frame centres, shape (n_frames,).
    gains_db : the gains, shape (n_frames, n_buses).
    audible : where each bus has signal, shape (n_frames, n_buses), bool.
    duration_s : the song's length.
    """
    latest = max(0.0, duration_s - EXCERPT_S)
    n_window = round(EXCERPT_S / HOP_S)
    if latest <= 0.0 or len(time_s) <= n_window:
        return 0.0
    common = np.sum(gains_db * audible, axis=1, keepdims=True) / np.maximum(audible.sum(axis=1, keepdims=True), 1)
    change = np.sqrt(np.mean(np.where(audible, gains_db - common, 0.0) ** 2, axis=1))
    sums = np.concatenate([[0.0], np.cumsum(change)])
    first = int(np.argmax(np.round(sums[n_window:] - sums[:-n_window], 6)))
    start_s = max(0.0, time_s[first] - FRAME_S / 2)
    return float(min(math.floor(start_s / HOP_S) * HOP_S, math.floor(latest / HOP_S) * HOP_S))


def excerpts(
    song: Song,
    mixes: Mapping[str, Automation | AudioFile | RenderedMix | None],
    figures: Sequence[MixFigures],
    start_s: float,
    *,
    gains_db: Sequence[float] | None = None,
    wholes: Sequence[str | None] = (),
    with_difference: bool = False,
) -> tuple[Player, ...]:
    """Return a player for an excerpt of each mix.

    Parameters
    ----------
    song : the stems.
    mixes : per label, the automation of the stems (None for gains of 0 dB), a finished mix, or a rendered one.
    figures : what each mix measures, before `gains_db`.
    start_s : where the excerpt starts, a multiple of the hop.
    gains_db : a gain per mix; by default 0 dB, or less where the true peak would exceed the limit.
    wholes : per mix the name of a file next to the page that has all of it, or None.
    with_difference : add the difference of the last and the first mix at equal loudness.
    """
    if gains_db is None:
        gains_db = [min(0.0, headroom_db(one)) for one in figures]
    start, n_samples = _span(song, start_s)

    def heard_and_encoded(mix: Automation | AudioFile | RenderedMix | None, gain_db: float) -> tuple[Samples, bytes]:
        if isinstance(mix, AudioFile):
            samples = _read(song, mix, start, n_samples)
        elif isinstance(mix, RenderedMix):
            samples = mix.read(start, n_samples)
        else:
            samples = _mixed(song, mix, start, n_samples)
        samples = samples * np.float32(db_to_gain(gain_db))
        return samples, _flac(samples, song.sample_rate)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        heard, encoded = zip(*pool.map(heard_and_encoded, mixes.values(), gains_db), strict=True)
    is_whole = song.duration_s <= EXCERPT_S
    note = "" if is_whole else f"{EXCERPT_S:.0f} s around the largest change of balance"
    players = [
        Player(
            label=label,
            mime=MIME,
            encoded=sound,
            note=note,
            start_s=start_s,
            loudness_lufs=one.loudness_lufs + gain_db,
            whole=whole,
        )
        for label, sound, one, gain_db, whole in zip(
            mixes, encoded, figures, gains_db, [*wholes, *[None] * (len(mixes) - len(wholes))], strict=True
        )
    ]
    if with_difference:
        louder_db = players[0].loudness_lufs - players[-1].loudness_lufs
        if math.isfinite(louder_db):
            difference = heard[-1] * np.float32(db_to_gain(louder_db)) - heard[0]
            note = "The later mix minus the earlier one, both at equal loudness."
            sound = _flac(difference, song.sample_rate)
            players.append(Player(label=DIFFERENCE, mime=MIME, encoded=sound, note=note, start_s=start_s))
    return tuple(players)


def stem_sounds(song: Song, start_s: float) -> tuple[StemSound, ...]:
    """Return an excerpt of every stem before its fader."""
    start, n_samples = _span(song, start_s)
    stems = (_read(song, file, start, n_samples) for file in song.stems.values())
    return tuple(
        StemSound(role=bus, mime=MIME, encoded=_flac(samples, song.sample_rate), start_s=start_s)
        for bus, samples in zip(song.buses, stems, strict=True)
    )


def rendered(
    song: Song,
    automation: Automation,
    start_s: float,
    *,
    with_difference: bool = False,
    progress: ProgressCallback = no_progress,
) -> tuple[Sounds, tuple[MixFigures, MixFigures]]:
    """Return the sounds of a song's plain sum and of its mix with `automation`, and what both measure."""
    before, after = measure_mixes(song, [None, automation], progress=progress)
    mixes: dict[str, Automation | AudioFile | None] = {"Before": None, "Now": automation}
    players = excerpts(song, mixes, (before, after), start_s, with_difference=with_difference)
    return Sounds(players, (spectrum_of("Before", before), spectrum_of("Now", after))), (before, after)


def spectrum_of(label: str, figures: MixFigures) -> Spectrum:
    """Return a mix's average spectrum for the page."""
    frequency_hz, level_db = in_bands(figures.spectrum.frequency_hz, figures.spectrum.magnitude)
    return Spectrum(label=label, frequency_hz=frequency_hz, level_db=level_db)


def _span(song: Song, start_s: float) -> tuple[int, int]:
    """Return the first sample of the excerpt from `start_s` on, and how many it has."""
    start = round(start_s * song.sample_rate)
    return start, min(round(EXCERPT_S * song.sample_rate), song.n_samples - start)


def _mixed(song: Song, automation: Automation | None, start: int, n_samples: int) -> Samples:
    """Return an excerpt of the mix of the stems, which are read one by one, shape (n_samples, n_channels)."""
    mix: Samples = np.zeros((n_samples, song.n_channels), np.float32)
    for number, file in enumerate(song.stems.values()):
        stem = _read(song, file, start, n_samples)
        mix += stem if automation is None else mix_stems(song, stem[None], start, [automation], number)[0]
    return mix


def _read(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    """Return an excerpt of a file, shape (n_samples, n_channels)."""
    excerpt: Samples = np.empty((n_samples, song.n_channels), np.float32)
    with open_stream(file, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start) as stream:
        stream.read_into(excerpt.T)
    return excerpt


def _flac(samples: Samples, sample_rate: int) -> bytes:
    """Return samples (n_samples, n_channels) as 16-bit FLAC of at most two channels."""
    encoded = io.BytesIO()
    shown = np.clip(samples[:, :2], -1.0, 1.0)
    soundfile.write(encoded, shown, sample_rate, "PCM_16", format="FLAC")
    return encoded.getvalue()
