"""Read all signals of a song in lockstep, block by block, in bounded memory.

Conventions: a block contains a whole number of hops, and the samples before and after them that a frame or a window
at its edge needs. Samples have shape (n_signals, n_channels, before + n_hops * hop + after); everything before
the song's start and after its end is silent.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from core.audio.framing import Framing
from core.audio.io import AudioFile, Samples, Stream, open_stream
from core.audio.song import Song
from core.progress import ProgressCallback

Item = TypeVar("Item")
HOPS_PER_BLOCK = 16
"""Four seconds: long enough for independent threads, short enough for them to finish together."""
_BLOCK_BYTES = 20 << 20
"""Blocks of hundreds of signals are shorter, so that they take no more memory than this."""
MANY = 24
"""More signals than this are so many that memory counts more than a millisecond."""
_BLOCKS_BYTES = 80 << 20
"""Fewer blocks of hundreds of signals are in memory at a time, so that together they take no more than this."""
_LOOKED_AT_SAMPLES = 4096
_KEPT_BYTES = 31 << 20


@dataclass(frozen=True)
class Block:
    """Samples of `n_hops` hops from `first_hop` on; sample `before` is the first hop's first."""

    first_hop: int
    n_hops: int
    before: int
    samples: Samples


class InTurn(Generic[Item]):
    """An iterator for several threads whose items each pass through the same stages, in order.

    A block must be read from every file after the block before it, but while one thread reads the second file, another
    may read the next block from the first. With one lock for all of reading, the threads would wait for each other at
    every block. A failure in any thread is raised in all of them.

    Parameters
    ----------
    items : the items.
    stages : functions called with an item one after the other, by the thread that took the item.
    """

    def __init__(self, items: Iterable[Item], stages: Sequence[Callable[[Item], object]] = ()) -> None:
        self._items = iter(items)
        self._stages = stages
        self._turns = [threading.Lock() for _ in range(len(stages) + 1)]
        self._failure: BaseException | None = None

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        turn = self._turns[0]
        turn.acquire()
        try:
            self._fail_with_others()
            item = next(self._items)
            for stage, following in zip(self._stages, self._turns[1:], strict=True):
                following.acquire()  # before the turn is passed on, to keep the order
                turn.release()
                turn = following
                self._fail_with_others()
                stage(item)
        except StopIteration:
            raise
        except BaseException as error:
            self._failure = error
            raise
        else:
            return item
        finally:
            turn.release()

    def end(self) -> None:
        """Begin no more items; those on their way are given."""
        self._items = iter(())

    def _fail_with_others(self) -> None:
        if self._failure is not None:
            raise self._failure


class LockstepReader:
    """Reads a song's signals in lockstep.

    Parameters
    ----------
    song : the song to read.
    with_mixdown : whether the last signal is the mixdown.
    lag_samples : how much later than the stems the mixdown is; it is read that much earlier.
    n_samples : the length to read, the song's own by default.
    n_channels : how many channels to read, the first ones; the song's own by default.
    files : other files to read at the song's sample rate, instead of its stems and mixdown.
    interleaved : whether a signal's channels are interleaved in memory, as in a file, instead of consecutive.

    Attributes
    ----------
    clipped, peak, peak_s : per file, once the blocks have been read: how many samples are clipped, the largest
        sample, and its time in seconds.
    onset_samples : the first sample in which a stem is not digitally silent, once it has been read; None before.
    """

    def __init__(
        self,
        song: Song,
        *,
        with_mixdown: bool,
        lag_samples: int = 0,
        n_samples: int | None = None,
        n_channels: int | None = None,
        interleaved: bool = False,
        files: Sequence[AudioFile] | None = None,
    ) -> None:
        self._song = song
        self._lag = lag_samples
        self._interleaved = interleaved
        self._files = tuple(files or (song.signals if with_mixdown else song.stems.values()))
        self.n_samples = song.n_samples if n_samples is None else n_samples
        self.n_channels = song.n_channels if n_channels is None else n_channels
        self.framing = Framing(song.sample_rate)
        self.clipped: dict[AudioFile, int] = {}
        self.peak: dict[AudioFile, float] = {}
        self.peak_s: dict[AudioFile, float] = {}
        self.onset_samples: int | None = None

    @property
    def n_frames(self) -> int:
        """How many frames the song has."""
        return self.framing.n_frames(self.n_samples)

    @property
    def n_hops(self) -> int:
        """How many hops they span."""
        return self.framing.n_hops(self.n_samples)

    @contextmanager
    def blocks(
        self, *, before: int = 0, after: int = 0, then: Sequence[Callable[[Block], object]] = ()
    ) -> Iterator[InTurn[Block]]:
        """Open the files for reading the song's blocks in order, each with `before` and `after` samples around it.

        Several threads may take blocks from the same iterator. The functions `then` are called with each block, in
        order, before it is given out.

        Parameters
        ----------
        before, after : the number of samples around each block.
        then : called with each block, in order, before it is returned.

        Raises
        ------
        InputError
            A file is damaged or contains values that are not numbers.
        """
        with ExitStack() as stack:
            streams = self._opened(stack)
            carried = [np.zeros((self.n_channels, before), np.float32) for _ in streams]
            reads = [partial(self._read, stream, index, carried) for index, stream in enumerate(streams)]
            if any(stream.is_compressed for stream in streams):  # decoding is worth a thread, copying is not
                reads = [partial(_side_by_side, stack.enter_context(ThreadPoolExecutor(os.cpu_count())), reads)]
            yield InTurn(self._empty_blocks(before, after), [*reads, self._find_onset, *then])
            self.clipped = {file: s.clipped for file, s in zip(self._files, streams, strict=True)}
            self.peak_s = {file: s.peak_s for file, s in zip(self._files, streams, strict=True)}
            self.peak = {file: s.peak for file, s in zip(self._files, streams, strict=True)}

    def span_of(self, block: Block) -> tuple[int, int]:
        """Return the first of the song's samples in a block's own hops, and the one after the last.

        The samples around the hops and the silence after the song's end are excluded.
        """
        start = block.first_hop * self.framing.hop_samples
        return start, min(start + block.n_hops * self.framing.hop_samples, self.n_samples)

    @property
    def n_signals(self) -> int:
        """How many files are read."""
        return len(self._files)

    @property
    def block_bytes(self) -> int:
        """The size of a block of hundreds of signals, which is one hop and about as much around it."""
        return 2 * self._hop_bytes

    @property
    def _hop_bytes(self) -> int:
        return 4 * len(self._files) * self.n_channels * self.framing.hop_samples

    def _empty_blocks(self, before: int, after: int) -> Iterator[Block]:
        first_hop = 0
        longest = max(1, min(HOPS_PER_BLOCK, _BLOCK_BYTES // self._hop_bytes))
        while left := self.n_hops - first_hop:
            count = -(-left // -(-left // longest))  # as equal as can be, so that the threads finish together
            yield Block(first_hop, count, before, self._empty(before + count * self.framing.hop_samples + after))
            first_hop += count

    def _read(self, stream: Stream, index: int, carried: list[Samples], block: Block) -> None:
        """Fill one signal of a block with samples carried over from the previous block and the stream's next ones."""
        own, known = block.samples[index], carried[index].shape[1]
        own[:, :known] = carried[index]
        stream.read_into(own[:, known:])
        silence_after(self.n_samples, own, self._start_of(block))
        carried[index] = own[:, block.n_hops * self.framing.hop_samples :].copy()  # a view would keep the block

    def _find_onset(self, block: Block) -> None:
        if self.onset_samples is None:
            found = first_sound(block.samples[: len(self._song.stems)])
            self.onset_samples = None if found is None else self._start_of(block) + found

    def _start_of(self, block: Block) -> int:
        """Return which of the song's samples is the block's first one."""
        return block.first_hop * self.framing.hop_samples - block.before

    def _opened(self, stack: ExitStack) -> list[Stream]:
        starts = [0] * len(self._song.stems) + [self._lag]
        streams: list[Stream] = []
        for file, start in zip(self._files, starts, strict=False):
            stream = open_stream(file, sample_rate=self._song.sample_rate, n_channels=self.n_channels, start=start)
            streams.append(stack.enter_context(stream))  # type: ignore[arg-type]
        return streams

    def _empty(self, n_samples: int) -> Samples:
        n_signals = len(self._files)
        if self._interleaved:
            return np.empty((n_signals, n_samples, self.n_channels), np.float32).swapaxes(1, 2)
        return np.empty((n_signals, self.n_channels, n_samples), np.float32)


def for_each_block(
    blocks: InTurn[Block], work: Callable[[Block], object], reader: LockstepReader, progress: ProgressCallback
) -> None:
    """Do `work` on each of a reader's blocks, on all cores and in any order.

    No more blocks are in memory than there are cores, and fewer if they are large. An error in a worker, or one that
    `progress` raises, ends the pass.

    Parameters
    ----------
    blocks : the blocks of the reader.
    work : called with each block.
    reader : the reader, which has the length of the song.
    progress : progress callback; may raise to stop the work.
    """
    _keep_freed_memory()
    finished: SimpleQueue[int | None] = SimpleQueue()

    def work_on_blocks() -> None:
        try:
            for block in blocks:
                work(block)
                finished.put(block.n_hops)
        finally:
            blocks.end()
            finished.put(None)

    n_workers = max(1, min(os.cpu_count() or 1, _BLOCKS_BYTES // reader.block_bytes))
    n_hops = 0
    with one_blas_thread(), ThreadPoolExecutor(n_workers) as pool:
        workers = [pool.submit(work_on_blocks) for _ in range(n_workers)]
        try:
            for _ in workers:
                for more_hops in iter(finished.get, None):
                    n_hops += more_hops
                    progress(n_hops / reader.n_hops)
        finally:
            blocks.end()
        for worker in workers:
            worker.result()
    if reader.n_signals > MANY:
        return_freed_memory()
    progress(1.0)


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS from starting threads, which would compete for the cores in use."""
    return _threadpools().limit(limits=1, user_api="blas")


def _keep_freed_memory() -> None:
    """Make the C library reuse freed memory for the next block.

    By default glibc returns large blocks to the system at once, and clearing the pages of the next one takes as long as
    the FFT that fills it. Freeing one block of this size, which is never touched, raises its limits.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def return_freed_memory() -> None:
    """Make the C library return freed memory to the system, if it is glibc; hundreds of signals leave much of it."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@lru_cache(maxsize=1)
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


def _side_by_side(pool: ThreadPoolExecutor, reads: Sequence[Callable[[Block], object]], block: Block) -> None:
    list(pool.map(lambda read: read(block), reads))


def first_sound(signals: Samples) -> int | None:
    """Return the first sample in which any of `signals` (n_signals, n_channels, n_samples) is not 0, or None."""
    for start in range(0, signals.shape[2], _LOOKED_AT_SAMPLES):
        piece = signals[:, :, start : start + _LOOKED_AT_SAMPLES]
        if piece.any():
            return start + int(np.argmax(piece.any(axis=(0, 1))))
    return None


def onset_of(song: Song) -> int | None:
    """Return the first sample in which any stem is not digitally silent, or None."""
    onset: int | None = None
    block = np.empty((song.n_channels, _LOOKED_AT_SAMPLES), np.float32)
    for file in song.stems.values():
        with open_stream(file, sample_rate=song.sample_rate, n_channels=song.n_channels) as stream:
            for start in range(0, song.n_samples if onset is None else onset, _LOOKED_AT_SAMPLES):
                stream.read_into(block)
                found = first_sound(block[None])
                if found is not None:
                    onset = start + found if onset is None else min(onset, start + found)
                    break
    return onset


def silence_after(end: int, samples: npt.NDArray[np.floating], start: int) -> None:
    """Zero the samples from sample `end` on, in place; `samples` (..., n_samples) begin at sample `start`.

    Parameters
    ----------
    end : the first sample that is set to zero.
    samples : shape (..., n_samples).
    start : the position of the first sample of `samples`.
    """
    past_end = start + samples.shape[-1] - end
    if past_end > 0:
        samples[..., -past_end:] = 0.0
