"""What one pass over a song's audio finds, and how the pass uses all cores in bounded memory.

Conventions: worker threads take turns to read the next block, and measure it side by side (NumPy and SciPy let go of
the interpreter lock). Results are joined along time in the blocks' order.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from queue import SimpleQueue
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from core.audio.blocks import LockstepReader
from core.audio.frames import Framing
from core.audio.song import Song
from core.decibels import FloatArray
from core.progress import Progress

ACTIVE_RMS = 0.01
"""A stem sounds in a frame when its RMS is above this (Zafrin & Chudwick 2015, section 3)."""
_KEPT_BYTES = 31 << 20

Arrays = dict[str, FloatArray]
BlockType = TypeVar("BlockType")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one pass found.

    Attributes
    ----------
    title, buses, sample_rate : the song's.
    rms : each stem's level per frame, shape (n_frames, n_buses).
    gram : the frames' Gram matrices (see `core.measuring.gram`), shape (n_frames, m, m); None without a mixdown.
    moments : the hops' Gram matrices weighted by time (`gram.hop_moments`), shape (n_hops, 3, m, m); None in the
        paper preset.
    features : per bus (n_frames, n_features); empty where none were asked for.
    step_power : K-weighted power of the stems per 50 ms, counted from `onset_samples`, shape (n_steps, n_buses); None
        in the paper preset.
    band_power : power of the stems per hop and critical band (`steps.BAND_EDGES_HZ`), counted from `onset_samples`,
        shape (n_hops, n_buses, N_BANDS); None where condition 3 is not asked for.
    onset_samples : where the song begins to sound; all stems are digitally silent before.
    onset_rms : each stem's level per frame, counted from `onset_samples`; None where that is `rms`.
    notes : a sentence for each repair, and for each file that is clipped or silent.
    """

    title: str
    buses: tuple[str, ...]
    sample_rate: int
    rms: FloatArray
    gram: FloatArray | None = None
    moments: FloatArray | None = None
    features: dict[str, FloatArray] = field(default_factory=dict)
    step_power: FloatArray | None = None
    band_power: npt.NDArray[np.floating] | None = None
    onset_samples: int = 0
    onset_rms: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_frames(self) -> int:
        """How many frames the song has."""
        return len(self.rms)

    @property
    def time_s(self) -> FloatArray:
        """The frames' centres in seconds, (n_frames,)."""
        return Framing(self.sample_rate).time_s(self.n_frames)

    @property
    def onset_s(self) -> float:
        """Where the song begins to sound, seconds."""
        return self.onset_samples / self.sample_rate


def measure_blocks(
    blocks: Iterable[BlockType], measure: Callable[[BlockType], Arrays], n_blocks: int, progress: Progress
) -> Arrays:
    """Return the arrays `measure` gives for each block, joined along axis 0.

    No more blocks are in memory than there are cores. An error in a worker, or one that `progress` raises, ends the
    pass.
    """
    _keep_freed_memory()
    shared = _Shared(blocks)
    finished: SimpleQueue[tuple[int, Arrays] | None] = SimpleQueue()

    def work() -> None:
        try:
            for number, block in shared:
                finished.put((number, measure(block)))
        finally:
            shared.end()
            finished.put(None)

    n_workers = os.cpu_count() or 1
    results: dict[int, Arrays] = {}
    with one_blas_thread(), ThreadPoolExecutor(n_workers) as pool:
        workers = [pool.submit(work) for _ in range(n_workers)]
        try:
            for _ in workers:
                for number, result in iter(finished.get, None):
                    results[number] = result
                    progress(len(results) / n_blocks)
        finally:
            shared.end()
        for worker in workers:
            worker.result()
    progress(1.0)
    in_order = [results[number] for number in sorted(results)]
    return {name: np.concatenate([result.pop(name) for result in in_order]) for name in list(in_order[0])}


class _Shared(Generic[BlockType]):
    """Blocks, numbered, for several threads: each takes the next one, which it reads itself.

    A thread of its own for reading would have the workers wait for the interpreter lock twice as often.
    """

    def __init__(self, blocks: Iterable[BlockType]) -> None:
        self._numbered: Iterator[tuple[int, BlockType]] = enumerate(blocks)
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[int, BlockType]]:
        return self

    def __next__(self) -> tuple[int, BlockType]:
        with self._lock:
            return next(self._numbered)

    def end(self) -> None:
        """Give no more blocks."""
        with self._lock:
            self._numbered = iter(())


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS from starting threads of its own, which would wait for each other on the cores in use."""
    return _threadpools().limit(limits=1, user_api="blas")


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next block.

    By default glibc gives large blocks back to the system at once, and clearing the pages of the next one takes
    as long as the FFT that fills it. Freeing one block of this size, which is never touched, raises its limits.
    """
    np.empty(_KEPT_BYTES, np.uint8)


@lru_cache(maxsize=1)
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


def level_notes(song: Song, reader: LockstepReader, rms: FloatArray) -> list[str]:
    """Return a sentence for each file that is clipped and each stem that is silent throughout (n_frames, n_stems)."""
    clipped = [
        f"{name} is clipped ({count} samples at full scale); export it at a lower level"
        for name, count in reader.clipped.items()
        if count
    ]
    silent = [
        f"{file.path.name} is silent throughout; its gain is held"
        for file, level in zip(song.stems.values(), rms.T, strict=True)
        if not level.any()
    ]
    return clipped + silent
