"""Songs for measuring speed and memory: the bundled stems, repeated to any length, as 16-bit WAV files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

BUNDLED = Path(__file__).resolve().parents[1] / "examples" / "caesium"
BUSES = ("drums", "bass", "melody", "vocals")
MORE_BUSES = (*BUSES, "percussion", "guitars", "keys", "synths")
_FADER_PERIODS_S = (7.0, 11.0, 13.0, 17.0)
_FADER_DEPTH = 0.4
_LEVEL = 0.4

Samples = npt.NDArray[np.float32]


def write_song(folder: Path, *, seconds: float, buses: tuple[str, ...] = BUSES, mastered: bool = False) -> Path:
    """Write stems and a mixdown of `seconds` to `folder` and return it.

    The mixdown is the sum of the stems under slowly moving faders; with `mastered` it is the bundled song's
    released master instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stems = [_bundled(BUSES[i % len(BUSES)]) for i in range(len(buses))]
    n_samples = round(seconds * 44_100)
    for bus, stem in zip(buses, stems, strict=True):
        _write(folder / f"{bus}.wav", _repeated(stem, n_samples))
    mixdown = _repeated(_bundled("mix"), n_samples) if mastered else _mixed(stems, n_samples)
    _write(folder / "mix.wav", mixdown)
    return folder


def _bundled(name: str) -> Samples:
    samples, _ = soundfile.read(BUNDLED / f"{name}.flac", dtype="float32", always_2d=True)
    return samples


def _repeated(samples: Samples, n_samples: int) -> Iterator[Samples]:
    for start in range(0, n_samples, len(samples)):
        yield samples[: n_samples - start]


def _mixed(stems: list[Samples], n_samples: int) -> Iterator[Samples]:
    position = 0
    for parts in zip(*(_repeated(stem, n_samples) for stem in stems), strict=True):
        time_s = ((position + np.arange(len(parts[0]))) / 44_100).astype(np.float32)
        position += len(parts[0])
        yield np.sum([part * _fader(index, time_s)[:, None] for index, part in enumerate(parts)], axis=0)


def _fader(index: int, time_s: Samples) -> Samples:
    period_s = _FADER_PERIODS_S[index % len(_FADER_PERIODS_S)]
    return np.asarray(_LEVEL * (1.0 + _FADER_DEPTH * np.sin(2.0 * np.pi * time_s / period_s)), np.float32)


def _write(path: Path, parts: Iterator[Samples]) -> None:
    with soundfile.SoundFile(path, "w", samplerate=44_100, channels=2, subtype="PCM_16") as file:
        for part in parts:
            file.write(part)
