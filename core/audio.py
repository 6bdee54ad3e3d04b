"""Audio files: what they are, and their samples, read in one place.

Conventions: samples are float32, shape (n_channels, n_samples), full scale 1.0. A stream gives the file's
samples at a wanted sample rate and channel count, and zeros after its end.

Repairs, each one told in the song's notes: another sample rate is resampled with soxr (HQ), a mono file goes
to all channels, channels a file lacks are silent, a shorter file is completed with zeros. Everything else that
is wrong with a file is an `InputError` that names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from core.errors import InputError

Samples = npt.NDArray[np.float32]

EXTENSIONS = frozenset(
    ".wav .wave .w64 .rf64 .bwf .flac .aif .aiff .aifc .caf .au .snd .ogg .oga .opus .mp3".split()
)
_FULL_SCALE = 1.0 - 2.0**-15
_CLIPPED_RUN = 3
_UNKNOWN_SIZE = 0xFFFFFF00
"""Data sizes from here up are what programs write into a WAV header they cannot go back to."""


@dataclass(frozen=True)
class AudioFile:
    """An audio file as it was found: `sample_rate` in Hz, `n_samples` per channel."""

    path: Path
    sample_rate: int
    n_channels: int
    n_samples: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    def n_samples_at(self, sample_rate: int) -> int:
        """Return the length in samples once resampled to `sample_rate`."""
        return -(-self.n_samples * sample_rate // self.sample_rate)


def inspect(path: Path) -> AudioFile:
    """Return what `path` holds, without reading its samples.

    Raises
    ------
    InputError
        The file is missing, empty, cut short, or nothing libsndfile reads.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an audio file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; export it again")
    with _opened(path) as file:
        if file.frames == 0:
            raise InputError(f"{path}: holds no samples; export it again")
        if _is_cut_short(file.extra_info):
            raise InputError(f"{path}: is cut short, its header promises more than it holds; export it again")
        return AudioFile(path, file.samplerate, file.channels, file.frames)


class AudioStream:
    """Reads one file forward, at `sample_rate` and with `n_channels`.

    Parameters
    ----------
    file : what to read.
    sample_rate, n_channels : what the samples shall have.
    start : the sample (at `sample_rate`) that comes first; where it is negative, that much silence does.

    Attributes
    ----------
    clipped : how many samples lay in runs of three or more at full scale so far.
    peak : the largest absolute sample so far.
    """

    def __init__(self, file: AudioFile, *, sample_rate: int, n_channels: int, start: int = 0) -> None:
        self._audio = file
        self._file = _opened(file.path)
        self._unread = file.n_samples
        self._resampler: soxr.ResampleStream | None = None
        if file.sample_rate != sample_rate:
            self._resampler = soxr.ResampleStream(
                file.sample_rate, sample_rate, file.n_channels, dtype="float32", quality="HQ"
            )
        self._ratio = file.sample_rate / sample_rate
        self._ready = np.empty((0, file.n_channels), np.float32)
        self._silence = max(0, -start)
        self.clipped = 0
        self.peak = 0.0
        if start > 0:
            self._skip(start)

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read_into(self, destination: Samples) -> None:
        """Fill `destination` (n_channels, n_samples) with the next samples, zeros after the end."""
        silent = min(self._silence, destination.shape[1])
        self._silence -= silent
        found = self._read(destination.shape[1] - silent)
        end = silent + len(found)
        destination[:, :silent] = 0.0
        _spread_channels(found, destination[:, silent:end])
        destination[:, end:] = 0.0

    def _skip(self, n_samples: int) -> None:
        if self._resampler is None:
            skipped = min(n_samples, self._unread)
            self._file.seek(skipped)
            self._unread -= skipped
        else:
            self._read_resampled(n_samples)

    def _read(self, n_samples: int) -> Samples:
        return self._read_native(n_samples) if self._resampler is None else self._read_resampled(n_samples)

    def _read_native(self, n_samples: int) -> Samples:
        wanted = min(n_samples, self._unread)
        position = self._audio.n_samples - self._unread
        try:
            found: Samples = self._file.read(wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise InputError(self._damaged(position, str(error.error_string))) from error
        if len(found) < wanted:
            raise InputError(self._damaged(position + len(found), "the file ends early"))
        self._unread -= wanted
        self._check(found, position)
        return found

    def _read_resampled(self, n_samples: int) -> Samples:
        assert self._resampler is not None  # noqa: S101 - the callers' branch, told to the type checker
        parts = [self._ready]
        n_ready = len(self._ready)
        while n_ready < n_samples and self._unread:
            native = self._read_native(int((n_samples - n_ready) * self._ratio) + 1024)
            parts.append(self._resampler.resample_chunk(native, last=not self._unread))
            n_ready += len(parts[-1])
        ready = np.concatenate(parts)
        self._ready = ready[n_samples:]
        return ready[:n_samples]

    def _check(self, found: Samples, position: int) -> None:
        if not found.size:
            return
        peak = float(max(found.max(), -found.min()))
        if not np.isfinite(peak):
            bad = position + int(np.argmin(np.isfinite(found).all(axis=1)))
            raise InputError(
                f"{self._audio.path}: holds a value that is no number at {bad / self._audio.sample_rate:.2f} s; "
                "export it again"
            )
        self.peak = max(self.peak, peak)
        if peak >= _FULL_SCALE:
            self.clipped += _count_clipped(found)

    def _damaged(self, position: int, reason: str) -> str:
        where_s = position / self._audio.sample_rate
        return f"{self._audio.path}: cannot be decoded at {where_s:.2f} s ({reason}); export it again"


def read_excerpt(
    file: AudioFile, *, sample_rate: int, n_channels: int, start: int, n_samples: int
) -> Samples:
    """Return `n_samples` samples from sample `start` on (both at `sample_rate`), shape (n_channels, n_samples).

    What lies before the file's start or after its end is silent.
    """
    excerpt = np.empty((n_channels, n_samples), np.float32)
    with AudioStream(file, sample_rate=sample_rate, n_channels=n_channels, start=start) as stream:
        stream.read_into(excerpt)
    return excerpt


def _opened(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise InputError(
            f"{path}: is no audio that can be read ({error.error_string}); export it as WAV or FLAC"
        ) from error


def _is_cut_short(extra_info: str) -> bool:
    if "Last page lacks an end-of-stream bit" in extra_info:
        return True
    sizes = re.search(r"^(?:data|SSND) : (\d+) \(should be (\d+)\)", extra_info, re.MULTILINE)
    return sizes is not None and int(sizes[2]) < int(sizes[1]) < _UNKNOWN_SIZE


def _spread_channels(found: Samples, destination: Samples) -> None:
    if found.shape[1] == 1:
        destination[:] = found[:, 0]
        return
    shared = min(found.shape[1], len(destination))
    destination[:shared] = found[:, :shared].T
    destination[shared:] = 0.0


def _count_clipped(found: Samples) -> int:
    at_limit = np.abs(found) >= _FULL_SCALE
    run = at_limit[2:] & at_limit[1:-1] & at_limit[:-2]
    return _CLIPPED_RUN * int(np.count_nonzero(run[0])) + int(np.count_nonzero(run[1:])) if len(run) else 0
