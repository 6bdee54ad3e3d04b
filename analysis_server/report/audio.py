"""Encode the sounds that a report plays.

Conventions: the difference is the later mix, made as loud as the earlier one, minus that; so it holds what the faders
moved and not that everything got louder.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from analysis_server.report.content import Player, Spectrum
from core.audio.io import Samples
from core.audio.song import Song
from core.automation.average_spectrum import in_bands
from core.automation.points import Automation
from core.automation.render import MixFigures, headroom_db, measure_mixes, write_mix
from core.decibels import db_to_gain
from core.files import replacing
from core.gains.curves import write_npz
from core.progress import ProgressCallback, part_of

WHOLE_S, EXCERPT_S = 240.0, 60.0
_MP3_RATES = (32_000, 44_100, 48_000)
_FALLBACK_RATE = 44_100
_COMPRESSION = 0.6
_BLOCK_S = 10


def player(audio: Path, label: str) -> Player:
    """Return a player of the mix in `audio`; of a long one, the minute in its middle."""
    with soundfile.SoundFile(audio) as file:
        duration_s = file.frames / file.samplerate
        start_s = 0.0 if duration_s <= WHOLE_S else (duration_s - EXCERPT_S) / 2
        length_s = duration_s if duration_s <= WHOLE_S else EXCERPT_S
        file.seek(round(start_s * file.samplerate))
        encoded = _mp3(file, round(length_s * file.samplerate))
    note = "" if duration_s <= WHOLE_S else f"{EXCERPT_S:.0f} s from {start_s:.0f} s on"
    return Player(label=label, mime="audio/mpeg", encoded=encoded, note=note, start_s=start_s)


def _mp3(file: soundfile.SoundFile, n_samples: int) -> bytes:
    """Return the next samples of `file` as MP3.

    By way of a file: an interrupt in a call back out of the encoder would be lost.
    """
    rate = file.samplerate if file.samplerate in _MP3_RATES else _FALLBACK_RATE
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        path = Path(folder) / "excerpt.mp3"
        with soundfile.SoundFile(
            path, "w", rate, min(file.channels, 2), "MPEG_LAYER_III", format="MP3", compression_level=_COMPRESSION
        ) as mp3:
            for samples in _at_rate(file, n_samples, rate):
                mp3.write(np.clip(samples, -1.0, 1.0))
        return path.read_bytes()


def _at_rate(file: soundfile.SoundFile, n_samples: int, rate: int) -> Iterator[Samples]:
    """Give the next `n_samples` samples of at most two channels in blocks, shape (n, n_channels), at `rate`."""
    stream = soxr.ResampleStream(file.samplerate, rate, min(file.channels, 2), dtype="float32", quality="HQ")
    for start in range(0, n_samples, block := _BLOCK_S * file.samplerate):
        samples = file.read(min(block, n_samples - start), dtype="float32", always_2d=True)[:, :2]
        is_last = start + block >= n_samples
        yield samples if rate == file.samplerate else stream.resample_chunk(samples, last=is_last)


NAME = "audit.npz"
DIFFERENCE = "Difference"
_BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True)
class Sounds:
    """Players and spectra of the earlier and the later mix; of the difference a player alone."""

    players: tuple[Player, ...]
    spectra: tuple[Spectrum, ...]

    def save(self, path: Path, run_id: str) -> None:
        """Write them to `path`, for the run of that id.

        Raises
        ------
        InputError
            The folder cannot be written to.
        """
        texts = [[sound.label, sound.mime, sound.note] for sound in self.players]
        arrays = {
            f"sound_{number}": np.frombuffer(sound.encoded, np.uint8) for number, sound in enumerate(self.players)
        }
        curves = {
            f"spectrum_{number}": np.stack([spectrum.frequency_hz, spectrum.level_db])
            for number, spectrum in enumerate(self.spectra)
        }
        with replacing(path) as temporary:
            write_npz(
                temporary,
                {
                    "run": np.array(run_id),
                    "players": np.array(texts),
                    "starts_s": np.array([sound.start_s for sound in self.players]),
                    "spectra": np.array([spectrum.label for spectrum in self.spectra]),
                    **arrays,
                    **curves,
                },
            )


def load(path: Path, run_id: str) -> Sounds | None:
    """Return what `save` wrote for the run of that id, or None where it is not there, another run's or damaged."""
    try:
        with np.load(path) as arrays:
            if str(arrays["run"]) != run_id:
                return None
            players = tuple(
                Player(
                    label=str(label),
                    mime=str(mime),
                    note=str(note),
                    encoded=arrays[f"sound_{number}"].tobytes(),
                    start_s=float(arrays["starts_s"][number]),
                )
                for number, (label, mime, note) in enumerate(arrays["players"])
            )
            spectra = tuple(
                Spectrum(label=str(label), frequency_hz=arrays[f"spectrum_{i}"][0], level_db=arrays[f"spectrum_{i}"][1])
                for i, label in enumerate(arrays["spectra"])
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return Sounds(players, spectra)


def compared(before: Path, after: Path, labels: tuple[str, str], figures: tuple[MixFigures, MixFigures]) -> Sounds:
    """Return the sounds of two finished mixes, whose `figures` are those of the files."""
    players = [player(before, labels[0]), player(after, labels[1])]
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        difference = Path(folder) / "difference.wav"
        louder_db = figures[0].loudness_lufs - figures[1].loudness_lufs
        if _write_difference(before, after, louder_db, difference):
            apart = player(difference, DIFFERENCE)
            players.append(replace(apart, note=f"What the faders moved, both equally loud. {apart.note}".strip()))
    return Sounds(tuple(players), tuple(spectrum_of(*pair) for pair in zip(labels, figures, strict=True)))


def rendered(
    song: Song, automation: Automation, progress: ProgressCallback
) -> tuple[Sounds, tuple[MixFigures, MixFigures]]:
    """Return the sounds of a song's plain sum and of its mix with `automation`, and what both measure."""
    before, after = measure_mixes(song, [None, automation], progress=part_of(progress, 0.0, 0.4))
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        files, levelled = [], []
        for number, (mix, figures) in enumerate(((None, before), (automation, after))):
            gain_db = min(0.0, headroom_db(figures))
            files.append(Path(folder) / f"{number}.wav")
            part = part_of(progress, 0.4 + 0.3 * number, 0.7 + 0.3 * number)
            write_mix(song, mix, files[-1], gain_db=gain_db, progress=part)
            levelled.append(figures.with_gain_db(gain_db))
        sounds = compared(files[0], files[1], ("Before", "Now"), (levelled[0], levelled[1]))
    return sounds, (before, after)


def spectrum_of(label: str, figures: MixFigures) -> Spectrum:
    """Return a mix's average spectrum for the page."""
    frequency_hz, level_db = in_bands(figures.spectrum.frequency_hz, figures.spectrum.magnitude)
    return Spectrum(label=label, frequency_hz=frequency_hz, level_db=level_db)


def _write_difference(before: Path, after: Path, louder_db: float, path: Path) -> bool:
    """Write the difference; tell whether there is one: the mixes have one rate, and a loudness each."""
    gain = float(db_to_gain(louder_db)) if np.isfinite(louder_db) else 0.0
    with soundfile.SoundFile(before) as one, soundfile.SoundFile(after) as other:
        if one.samplerate != other.samplerate or gain <= 0.0:
            return False
        with soundfile.SoundFile(path, "w", one.samplerate, 2, "FLOAT", format="WAV") as file:
            while len(earlier := _stereo(one)) and len(later := _stereo(other)):
                count = min(len(earlier), len(later))
                file.write(gain * later[:count] - earlier[:count])
    return True


def _stereo(file: soundfile.SoundFile) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    samples = file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)[:, :2]
    return np.broadcast_to(samples, (len(samples), 2))
