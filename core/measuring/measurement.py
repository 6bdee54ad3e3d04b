"""What one pass over a song's audio finds, and how the pass uses all cores in bounded memory.

Conventions: worker threads read the next block each, file by file in turn, and measure it side by side (NumPy and
SciPy let go of the interpreter lock). Results are joined along time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from core.audio.blocks import Block, LockstepReader
from core.audio.frames import STEPS_PER_HOP, Framing
from core.audio.song import Song
from core.audio.turns import InTurn
from core.decibels import FloatArray
from core.progress import Progress

ACTIVE_RMS = 0.01
"""A stem sounds in a frame when its RMS is above this (Zafrin & Chudwick 2015, section 3)."""
PER_STEP = frozenset({"step_power", "weighted_power"})
_KEPT_BYTES = 31 << 20

Arrays = dict[str, FloatArray]


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
    blocks: InTurn[Block], measure: Callable[[Block], Arrays], reader: LockstepReader, progress: Progress
) -> Arrays:
    """Return the arrays `measure` gives for each of a reader's blocks, joined along axis 0.

    An array has a row a step where its name is in `PER_STEP`, else a row a hop, or the frame that begins with it. No
    more blocks are in memory than there are cores. An error in a worker, or one that `progress` raises, ends the pass.
    """
    _keep_freed_memory()
    finished: SimpleQueue[tuple[Block, Arrays] | None] = SimpleQueue()

    def work() -> None:
        try:
            for block in blocks:
                finished.put((block, measure(block)))
        finally:
            blocks.end()
            finished.put(None)

    n_workers = os.cpu_count() or 1
    joined = _Joined(reader.n_hops)
    with one_blas_thread(), ThreadPoolExecutor(n_workers) as pool:
        workers = [pool.submit(work) for _ in range(n_workers)]
        try:
            for _ in workers:
                for block, arrays in iter(finished.get, None):
                    joined.put(block, arrays)
                    progress(joined.n_hops / reader.n_hops)
        finally:
            blocks.end()
        for worker in workers:
            worker.result()
    progress(1.0)
    return joined.arrays


class _Joined:
    """The blocks' arrays, put where they belong as they come: joining them in the end would need them twice."""

    def __init__(self, n_hops: int) -> None:
        self._all_hops = n_hops
        self._whole: Arrays = {}
        self._ends: dict[str, int] = {}
        self.n_hops = 0

    def put(self, block: Block, arrays: Arrays) -> None:
        for name, rows in arrays.items():
            rows_a_hop = STEPS_PER_HOP if name in PER_STEP else 1
            if name not in self._whole:
                self._whole[name] = np.empty((self._all_hops * rows_a_hop, *rows.shape[1:]), rows.dtype)
            start = block.first_hop * rows_a_hop
            self._whole[name][start : start + len(rows)] = rows
            end = start + len(rows) if len(rows) else 0  # the last hops may begin no frame
            self._ends[name] = max(self._ends.get(name, 0), end)
        self.n_hops += block.n_hops

    @property
    def arrays(self) -> Arrays:
        return {name: whole[: self._ends[name]] for name, whole in self._whole.items()}


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
