"""The minimum work of any implementation: reading the files, and the FFTs that the method needs.

Conventions: the same FFT library, batches and cores as `core` has, on noise or silence of the right shape (an FFT
takes as long for either); nothing is windowed, measured or fitted. Files are read as 16-bit integers, the fastest
way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import scipy.fft
import soundfile

from core.analysis.gram import STFT_HOP, WINDOW_SAMPLES
from core.analysis.spectra import real_transform
from core.audio.blocks import HOPS_PER_BLOCK
from core.audio.framing import STEPS_PER_HOP, Framing
from core.audio.song import Song

_READ_SAMPLES = 1 << 16
_BATCH_STEPS = HOPS_PER_BLOCK * STEPS_PER_HOP
Work = Callable[[], object]


def paper(song: Song) -> None:
    """Read the song; take each frame's STFTs (float32) and its features' FFTs (float64)."""
    framing = Framing(song.sample_rate)
    n_windows = (framing.frame_samples - WINDOW_SAMPLES) // STFT_HOP + 1

    def one_frame() -> None:
        for _ in song.signals:
            real_transform((n_windows, WINDOW_SAMPLES), np.float32).execute()
        for _ in song.stems:
            real_transform((framing.frame_samples,), np.float64).execute()

    _on_all_cores(song, [one_frame] * framing.n_frames(song.n_samples))


def default(song: Song) -> None:
    """Read the song; take every hop's FFT of each stem, both channels in one complex transform."""
    framing = Framing(song.sample_rate)
    noise = _noise((HOPS_PER_BLOCK, framing.hop_samples))
    _transform_all(
        song, (noise + 1j * noise[::-1]).astype(np.complex64), len(song.stems) * framing.n_hops(song.n_samples)
    )


def transform_hops(song: Song) -> None:
    """Take the FFTs of `default` on one core, and read nothing."""
    framing = Framing(song.sample_rate)
    hops = np.zeros((HOPS_PER_BLOCK, framing.hop_samples), np.complex64)
    for _ in range(0, len(song.stems) * framing.n_hops(song.n_samples), len(hops)):
        scipy.fft.fft(hops)


def default_in_power(song: Song) -> None:
    """Do the same, and take the FFTs of every signal's 100 ms windows, which power spectra need."""
    framing = Framing(song.sample_rate)
    noise = _noise((_BATCH_STEPS, 2 * framing.step_samples))
    n_steps = framing.n_hops(song.n_samples) * STEPS_PER_HOP
    default(song)
    _transform_all(song, (noise + 1j * noise[::-1]).astype(np.complex64), len(song.signals) * n_steps, reads=False)


def _transform_all(song: Song, batch: npt.NDArray[np.complex64], n_rows: int, *, reads: bool = True) -> None:
    def one_batch() -> None:
        scipy.fft.fft(batch)

    _on_all_cores(song if reads else None, [one_batch] * -(-n_rows // len(batch)))


def _on_all_cores(song: Song | None, work: list[Work]) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reads: list[Work] = [partial(read, str(file.path)) for file in song.signals] if song else []
        for future in [pool.submit(unit) for unit in [*reads, *work]]:
            future.result()


def read(path: str) -> None:
    """Read a file whole, as 16-bit integers."""
    with soundfile.SoundFile(path) as file:
        buffer = np.empty((_READ_SAMPLES, file.channels), np.int16)
        while len(file.read(dtype="int16", out=buffer)) == _READ_SAMPLES:
            pass


def _noise(shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).standard_normal(shape)
