"""Read audio files: format, length, samples and defects.

Conventions: samples are float32, shape (n_channels, n_samples), full scale 1.0. A stream gives the file's
samples at a wanted sample rate and channel count, and zeros after its end.

Repairs, each reported in the song's notes: files at another sample rate are resampled with soxr (HQ), a mono file goes
to all channels, missing channels are silent, shorter files are completed with zeros. Any other defect of a file is an
`InputError` with its path. libsndfile reads the usual formats; `core.audio.codecs` reads the others.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy
import soundfile
import soxr

from core.audio import codecs
from core.errors import InputError, require_text
from core.files import similar_path

CLIPPED_RUN = 3
"""Samples at full scale count as clipped in runs of at least this many."""

Mask = npt.NDArray[np.bool_]


class ClippingCounter:
    """Counts the samples in runs of three or more at full scale, also in runs that cross a block's edge."""

    def __init__(self, n_channels: int) -> None:
        self.count = 0
        self._n_channels = n_channels
        self.end_runs()

    def end_runs(self) -> None:
        """End any run: a block has no sample at full scale."""
        self._last = self._counted = np.zeros((2, self._n_channels), bool)

    def count_in(self, at_limit: Mask) -> None:
        """Count the clipped samples of a block, given where it is at full scale, shape (n_samples, n_channels)."""
        at_limit = np.concatenate([self._last, at_limit])
        run = at_limit[2:] & at_limit[1:-1] & at_limit[:-2]
        in_run = np.zeros_like(at_limit)
        in_run[:2] = self._counted
        for offset in range(CLIPPED_RUN):
            in_run[offset : offset + len(run)] |= run
        self.count += int(np.count_nonzero(in_run)) - int(np.count_nonzero(self._counted))
        self._last, self._counted = at_limit[-2:], in_run[-2:]


Samples = npt.NDArray[np.float32]
Stored = npt.NDArray[np.float32] | npt.NDArray[np.int16] | npt.NDArray[np.int32]

_LIBSNDFILE_EXTENSIONS = frozenset(
    ".wav .wave .w64 .rf64 .bwf .flac .aif .aiff .aifc .caf .au .snd .ogg .oga .opus .mp3".split()  # noqa: SIM905
)
EXTENSIONS = _LIBSNDFILE_EXTENSIONS | frozenset(
    ".m4a .mp4 .aac .wv .mka .webm".split()  # noqa: SIM905
)
_LIBSNDFILE_ONLY = frozenset({".wav", ".wave", ".w64", ".rf64", ".bwf", ".flac", ".aif", ".aiff", ".au", ".snd"})
_HEAD_BYTES = 4096
_FILTER_REACH_SAMPLES = 128
_LONGEST_S = 1e6
_COMPRESSED = frozenset({"FLAC", "OGG", "MP3", "MPEG", "CAF"})
_FULL_SCALE = 1.0 - 2.0**-15
_RUN_UP_S = 1
"""How long before the requested sample a resampler is started; its filter is a few hundred samples long."""
_MOST_CHANNELS = 32
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
"""No stem has more channels or a rate outside this range; a damaged header may state any."""
_LARGEST_SAMPLE = 1e3
"""60 dB above full scale: a mix never comes near it."""
_UNKNOWN_SIZE = 0xFFFFFF00
"""Programs that cannot return to a WAV header write data sizes from here up into it."""


@dataclass(frozen=True)
class _StoredAs:
    """The type in which samples are read, and the factor that converts them to floats."""

    dtype: Literal["int16", "int32", "float32"]
    scale: np.float32


_FLOAT = _StoredAs("float32", np.float32(1.0))
_STORED = {
    "PCM_16": _StoredAs("int16", np.float32(2.0**-15)),
    "PCM_24": _StoredAs("int32", np.float32(2.0**-31)),
    "PCM_32": _StoredAs("int32", np.float32(2.0**-31)),
}
"""Integer samples are read as integers, which is many times as fast as having libsndfile convert them to floats."""


@dataclass(frozen=True)
class AudioFile:
    """An audio file and the corrections that are applied when it is read.

    Attributes
    ----------
    path : the file.
    sample_rate, n_channels, n_samples : of the sound; `n_samples` is per channel.
    stream : the index of the audio stream; stem files (`.stem.mp4`) have five.
    is_decoded : whether the fallback decoder (`core.audio.codecs`) reads it instead of libsndfile.
    parts : the files of which this is the sum; `path` is then a name for the sum, not a file.
    offset : a constant that is subtracted from each channel when the file is read; empty for none.
    advance_samples : how much earlier the sound is read, a fraction of a sample at the rate it is read at.
    cutoff_hz : the frequency above which the sound is removed when it is read; None for no filter.
    swap_channels : whether the first two channels are swapped when the file is read.
    """

    path: Path
    sample_rate: int
    n_channels: int
    n_samples: int
    parts: tuple[AudioFile, ...] = ()
    offset: tuple[float, ...] = ()
    advance_samples: float = 0.0
    cutoff_hz: float | None = None
    swap_channels: bool = False
    stream: int = 0
    is_decoded: bool = False

    @property
    def name(self) -> str:
        """The file's name, with the stream where it is not the first one."""
        return f"{self.path.name} (stream {self.stream})" if self.stream else self.path.name

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    def n_samples_at(self, sample_rate: int) -> int:
        """Return the length in samples once resampled to `sample_rate`."""
        return -(-self.n_samples * sample_rate // self.sample_rate)


def sum_of(files: Sequence[AudioFile], path: Path) -> AudioFile:
    """Return the sum of files that begin together; a single file is returned unchanged.

    Parameters
    ----------
    files : the parts, of any sample rates, lengths and channel counts.
    path : the name of the sum, in the parts' folder.
    """
    if len(files) == 1:
        return files[0]
    rate = max(file.sample_rate for file in files)
    return AudioFile(
        path=path,
        sample_rate=rate,
        n_channels=max(file.n_channels for file in files),
        n_samples=max(file.n_samples_at(rate) for file in files),
        parts=tuple(files),
    )


def inspect(path: Path, *, stream: int = 0) -> AudioFile:
    """Return the format and the length of an audio file.

    Parameters
    ----------
    path : the file.
    stream : which of its audio streams, for stem files (`.stem.mp4`); see `codecs.count_streams`.

    Raises
    ------
    InputError
        The file is missing, empty, truncated, unreadable, or has the format of no stem.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "drums.wav"
    >>> soundfile.write(path, np.zeros((44_100, 2)), 44_100)
    >>> inspect(path).duration_s
    1.0
    >>> folder.cleanup()
    """
    if not path.is_file():
        problem = "is not a file" if path.exists() else "no such file"
        raise InputError(problem, path=path, remedy=f"{similar_path(path)}give the path of an audio file")
    if path.stat().st_size == 0:
        raise InputError("the file is empty", path=path, remedy="export it again")
    with _opened(path, stream) as file:
        if isinstance(file, codecs.Decoder):
            state = path.stat()
            n_samples = codecs.decoded_length(path, stream, state.st_mtime_ns, state.st_size)
        else:
            n_samples = file.frames
            if n_samples and _is_cut_short(file.extra_info):
                raise InputError(
                    "is cut short: its header states more than it contains", path=path, remedy="export it again"
                )
        if n_samples == 0:
            raise InputError("contains no samples", path=path, remedy="export it again")
        if not 0 < file.channels <= _MOST_CHANNELS or not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
            raise InputError(
                f"its header states {file.channels} channels at {file.samplerate} Hz, so it is damaged or not a stem",
                path=path,
                remedy=f"export it again, with {_MOST_CHANNELS} channels at most",
            )
        decoded = isinstance(file, codecs.Decoder)
        return AudioFile(path, file.samplerate, file.channels, n_samples, stream=stream, is_decoded=decoded)


class AudioStream:
    """Reads one file forward, at `sample_rate` and with `n_channels`.

    Parameters
    ----------
    file : the file to read.
    sample_rate, n_channels : of the samples to return; the first channels of a file with more are used.
    start : the first sample to return (at `sample_rate`); negative for that much silence before the file.

    Attributes
    ----------
    clipped : how many samples were in runs of three or more at full scale so far.
    peak, peak_s : the largest absolute sample so far, and its time in the file in seconds.
    """

    def __init__(self, file: AudioFile, *, sample_rate: int, n_channels: int, start: int = 0) -> None:
        self._audio = file
        self._file = codecs.Decoder(file.path, file.stream) if file.is_decoded else _opened_by_libsndfile(file.path)
        self._stored = _STORED.get(self._file.subtype, _FLOAT)
        self._position = self._begins_at = 0
        self._resampler: soxr.ResampleStream | None = None
        self._kept_channels = min(n_channels, file.n_channels)
        if file.sample_rate != sample_rate:
            self._resampler = soxr.ResampleStream(
                file.sample_rate, sample_rate, self._kept_channels, dtype="float32", quality="HQ"
            )
        self._sample_rate = sample_rate
        self._ready = np.empty((0, self._kept_channels), np.float32)
        self._silence = max(0, -start)
        self._clipping = ClippingCounter(file.n_channels)
        self.peak = self.peak_s = 0.0
        if start > 0:
            self._skip(start)

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def clipped(self) -> int:
        """How many samples were in runs of three or more at full scale so far."""
        return self._clipping.count

    @property
    def is_compressed(self) -> bool:
        """Whether reading the file means decoding it."""
        return self._audio.is_decoded or self._file.format in _COMPRESSED

    def read_into(self, destination: Samples) -> None:
        """Fill `destination` (n_channels, n_samples) with the next samples, zeros after the end.

        Raises
        ------
        InputError
            The file is damaged here, or contains values that are not numbers.
        """
        silent = min(self._silence, destination.shape[1])
        self._silence -= silent
        destination[:, :silent] = 0.0
        wanted = destination[:, silent:]
        if self._resampler is None:
            found = self._read_stored(wanted.shape[1])
            self._as_float(found, wanted[:, : len(found)])
        else:
            found = self._read_resampled(wanted.shape[1])
            _spread_channels(found, wanted[:, : len(found)])
        wanted[:, len(found) :] = 0.0
        if self._audio.offset:
            offset = np.array(self._audio.offset, np.float32)[: self._kept_channels, None]
            n_channels = len(wanted) if self._audio.n_channels == 1 else len(offset)  # a mono file is in all channels
            wanted[:n_channels, : len(found)] -= offset

    @property
    def _unread(self) -> int:
        return self._audio.n_samples - self._position

    def _skip(self, n_samples: int) -> None:
        """Go to sample `n_samples`; a resampler starts earlier, at a sample that both rates share."""
        if self._resampler is None:
            self._seek(n_samples)
            return
        shared_hz = gcd(self._audio.sample_rate, self._sample_rate)
        n_shared = max(0, n_samples - _RUN_UP_S * self._sample_rate) * shared_hz // self._sample_rate
        self._seek(n_shared * (self._audio.sample_rate // shared_hz))
        self._read_resampled(n_samples - n_shared * (self._sample_rate // shared_hz))

    def _seek(self, n_samples: int) -> None:
        self._position = self._begins_at = min(n_samples, self._audio.n_samples)
        try:
            self._file.seek(self._position)
        except soundfile.LibsndfileError as error:
            raise self._damaged(self._position, _cause(error)) from error

    def _read_stored(self, n_samples: int) -> Stored:
        """Return the file's next samples as they are stored, shape (n_samples, n_channels of the file).

        The thread's next read, of any file, overwrites them.
        """
        wanted = min(n_samples, self._unread)
        try:
            if isinstance(self._file, codecs.Decoder):
                found: Stored = self._file.read(wanted)
            else:
                buffer = _scratch((wanted, self._audio.n_channels), self._stored.dtype)
                found = self._file.read(dtype=self._stored.dtype, out=buffer)
        except soundfile.LibsndfileError as error:
            raise self._damaged(self._position, _cause(error)) from error
        if len(found) < wanted:
            raise self._damaged(self._position + len(found), "the file ends early")
        self._check(found)
        self._position += wanted
        return found

    def _read_resampled(self, n_samples: int) -> Samples:
        assert self._resampler is not None  # noqa: S101 - the callers' branch, for the type checker
        ratio = self._audio.sample_rate / self._sample_rate
        parts = [self._ready]
        n_ready = len(self._ready)
        while n_ready < n_samples and self._unread:
            stored = self._read_stored(int((n_samples - n_ready) * ratio) + 1024)
            native = np.empty((self._kept_channels, len(stored)), np.float32)
            self._as_float(stored, native)
            interleaved = np.ascontiguousarray(native.T)
            parts.append(self._resampler.resample_chunk(interleaved, last=not self._unread))
            n_ready += len(parts[-1])
        ready = np.concatenate(parts)
        self._ready = ready[n_samples:]
        return ready[:n_samples]

    def _as_float(self, stored: Stored, destination: Samples) -> None:
        if self._stored is not _FLOAT and stored.shape[1] == len(destination):
            np.multiply(stored.T, self._stored.scale, out=destination)
            return
        _spread_channels(stored, destination)
        if self._stored is not _FLOAT:
            np.multiply(destination, self._stored.scale, out=destination)

    def _check(self, found: Stored) -> None:
        if not found.size:
            return
        highest, lowest = float(found.max()), float(found.min())
        peak = max(highest, -lowest) * float(self._stored.scale)
        if not peak <= _LARGEST_SAMPLE:
            if self._begins_at > 0:
                self._refuse_from_start()
            bad = int(np.argmin((np.abs(found) <= _LARGEST_SAMPLE).all(axis=1)))
            at_s = (self._position + bad) / self._audio.sample_rate
            what = "a value far above full scale" if np.isfinite(found[bad]).all() else "a value that is not a number"
            raise InputError(f"contains {what} at {at_s:.2f} s", path=self._audio.path, remedy="export it again")
        if peak > self.peak:
            self.peak = peak
            largest = int(found.argmax() if highest >= -lowest else found.argmin()) // found.shape[1]
            self.peak_s = (self._position + largest) / self._audio.sample_rate
        if peak >= _FULL_SCALE:
            level = np.abs(found * self._stored.scale)
            self._clipping.count_in((level >= _FULL_SCALE) & (level <= 1.0))  # floats above 1 are not clipped
        else:
            self._clipping.end_runs()

    def _refuse_from_start(self) -> None:
        """Read the file from its start, so that the error has the time of the first value that is not valid."""
        file = replace(self._audio, offset=())
        with AudioStream(file, sample_rate=file.sample_rate, n_channels=1) as stream:
            while stream._unread:
                stream._read_stored(file.sample_rate)

    def _damaged(self, position: int, reason: str) -> InputError:
        at_s = position / self._audio.sample_rate
        problem = f"cannot be decoded at {at_s:.2f} s ({reason.rstrip('.')})"
        return InputError(problem, path=self._audio.path, remedy="export it again")


_buffers = threading.local()


def _scratch(shape: tuple[int, int], dtype: str) -> Stored:
    """Return an array that the calling thread reuses: a buffer for each of hundreds of files would take too much."""
    n_bytes = shape[0] * shape[1] * np.dtype(dtype).itemsize
    if not hasattr(_buffers, "bytes") or n_bytes > len(_buffers.bytes):
        _buffers.bytes = np.empty(n_bytes, np.uint8)
    buffer: Stored = _buffers.bytes[:n_bytes].view(dtype).reshape(shape)
    return buffer


class SummedStream:
    """Reads several streams forward and adds them, with the interface of `AudioStream`.

    `clipped` counts the samples at full scale in all of them, `peak` is the largest sample of any, `peak_s` its time.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def __enter__(self) -> SummedStream:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.__exit__()

    @property
    def clipped(self) -> int:
        """How many samples were in runs of three or more at full scale so far."""
        return sum(stream.clipped for stream in self._streams)

    @property
    def peak(self) -> float:
        """The largest absolute sample so far."""
        return max(stream.peak for stream in self._streams)

    @property
    def peak_s(self) -> float:
        """When that sample comes, in seconds."""
        return max(self._streams, key=lambda stream: stream.peak).peak_s

    @property
    def is_compressed(self) -> bool:
        """Whether reading any of the files means decoding."""
        return any(stream.is_compressed for stream in self._streams)

    def read_into(self, destination: Samples) -> None:
        """Fill `destination` (n_channels, n_samples) with the sum of the next samples, as `AudioStream.read_into`."""
        self._streams[0].read_into(destination)
        part = np.empty_like(destination)
        for stream in self._streams[1:]:
            stream.read_into(part)
            destination += part


class FilteredStream(SummedStream):
    """Reads a stream forward, advanced by a fraction of a sample, low-passed, or with its channels swapped."""

    def __init__(self, file: AudioFile, *, sample_rate: int, n_channels: int, start: int) -> None:
        self._swap = file.swap_channels
        self._taps = _interpolation_taps(file.advance_samples, file.cutoff_hz, sample_rate)
        plain = replace(file, advance_samples=0.0, cutoff_hz=None, swap_channels=False)
        start -= _FILTER_REACH_SAMPLES
        super().__init__([open_stream(plain, sample_rate=sample_rate, n_channels=n_channels, start=start)])
        self._context: Samples | None = None

    @property
    def is_compressed(self) -> bool:
        """True, because filtering takes as long as decoding."""
        return True

    def read_into(self, destination: Samples) -> None:
        """Fill `destination` (n_channels, n_samples) with the next samples, as `AudioStream.read_into`."""
        around = 2 * _FILTER_REACH_SAMPLES
        samples: Samples = np.empty((len(destination), around + destination.shape[1]), np.float32)
        if self._context is None:
            super().read_into(samples)
        else:
            samples[:, :around] = self._context
            super().read_into(samples[:, around:])
        self._context = samples[:, destination.shape[1] :].copy()
        filtered = scipy.signal.oaconvolve(samples, self._taps[None], mode="valid", axes=1)
        if self._swap and len(filtered) > 1:
            filtered[[0, 1]] = filtered[[1, 0]]
        destination[:] = filtered


def _interpolation_taps(advance_samples: float, cutoff_hz: float | None, sample_rate: int) -> Samples:
    """Return a windowed sinc that advances a signal by `advance_samples` and removes everything above the cutoff."""
    share = 1.0 if cutoff_hz is None else min(1.0, 2.0 * cutoff_hz / sample_rate)
    distance = np.arange(-_FILTER_REACH_SAMPLES, _FILTER_REACH_SAMPLES + 1) - advance_samples
    window = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1.0 - (distance / (_FILTER_REACH_SAMPLES + 1)) ** 2))) / np.i0(8.0)
    taps = share * np.sinc(share * distance) * window
    return taps[::-1].astype(np.float32)  # a convolution reverses them


Stream = AudioStream | SummedStream


def open_stream(file: AudioFile, *, sample_rate: int, n_channels: int, start: int = 0) -> Stream:
    """Return a stream of a file or of the sum of its parts, with the corrections that the file asks for.

    Parameters
    ----------
    file : the file, with its parts and corrections.
    sample_rate : the sample rate to read at, in Hz.
    n_channels : the number of channels to read.
    start : the first sample to read, at `sample_rate`.
    """
    if file.advance_samples or file.cutoff_hz is not None or file.swap_channels:
        return FilteredStream(file, sample_rate=sample_rate, n_channels=n_channels, start=start)
    streams = [
        AudioStream(part, sample_rate=sample_rate, n_channels=n_channels, start=start) for part in file.parts or [file]
    ]
    return SummedStream(streams) if file.parts else streams[0]


def read_excerpt(file: AudioFile, *, sample_rate: int, n_channels: int, start: int, n_samples: int) -> Samples:
    """Return `n_samples` samples from sample `start` on (both at `sample_rate`), shape (n_channels, n_samples).

    Samples before the file's start and after its end are silent.

    Parameters
    ----------
    file : the file, with its parts and corrections.
    sample_rate : the sample rate to read at, in Hz.
    n_channels : the number of channels to read.
    start, n_samples : the first sample and the number of samples, at `sample_rate`.
    """
    excerpt = np.empty((n_channels, n_samples), np.float32)
    with open_stream(file, sample_rate=sample_rate, n_channels=n_channels, start=start) as stream:
        stream.read_into(excerpt)
    return excerpt


def _opened(path: Path, stream: int = 0) -> soundfile.SoundFile | codecs.Decoder:
    """Open a file with libsndfile, or with the fallback decoder if libsndfile cannot read all of it."""
    require_text(str(path))
    with path.open("rb") as raw:
        head = raw.read(_HEAD_BYTES)
    if stream or codecs.needs_decoder(path, head):
        return codecs.Decoder(path, stream)
    try:
        file = _opened_by_libsndfile(path)
    except InputError as unread:
        if path.suffix.lower() in _LIBSNDFILE_ONLY:
            raise
        try:
            return codecs.Decoder(path)
        except InputError as undecoded:
            raise (unread if path.suffix.lower() in _LIBSNDFILE_EXTENSIONS else undecoded) from undecoded
    if file.frames > _LONGEST_S * file.samplerate:  # written to a pipe, without a length
        file.close()
        return codecs.Decoder(path)
    return file


def _opened_by_libsndfile(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"is not audio that can be read ({_cause(error)})", path=path, remedy="export it as WAV or FLAC"
        ) from error


def _cause(error: soundfile.LibsndfileError) -> str:
    text = str(error.error_string)
    return "the file is damaged, or not complete" if "psf_" in text or text.startswith("Internal") else text


def _is_cut_short(extra_info: str) -> bool:
    if "Last page lacks an end-of-stream bit" in extra_info:
        return True
    sizes = re.search(r"^(?:data|SSND) : (\d+) \(should be (\d+)\)", extra_info, re.MULTILINE)
    return sizes is not None and int(sizes[2]) < int(sizes[1]) < _UNKNOWN_SIZE


def _spread_channels(found: Stored, destination: Samples) -> None:
    if found.shape[1] == 1:
        destination[:] = found[:, 0]
        return
    shared = min(found.shape[1], len(destination))
    destination[:shared] = found[:, :shared].T
    destination[shared:] = 0.0
