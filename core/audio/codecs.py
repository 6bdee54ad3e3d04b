"""Decode audio files that libsndfile does not read, or does not read whole, with FFmpeg's libraries (PyAV).

Conventions: a decoder is read forward like a `soundfile.SoundFile`; samples are float32, shape (n_samples, n_channels).
Padding that an encoder added before and after the sound is skipped if the file states it, as FFmpeg does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InputError

Samples = npt.NDArray[np.float32]
_PREROLL_SAMPLES = 8192
"""A decoder that starts in the middle of a file gives correct samples after this many."""
_OGG_BEGIN = b"OggS\x00\x02"
_MP3_TAGS = (b"Xing", b"Info")
_LONGEST_MP3_FRAME = 2881
_ID3_HEADER = 10


def needs_decoder(path: Path, head: bytes) -> bool:
    """Return whether libsndfile would misread a file that it opens.

    These are MP3s without the frame that states their length (libsndfile estimates it, and stops there), and chained
    Ogg files (libsndfile reads the first part).

    Parameters
    ----------
    path : the file.
    head : its first bytes.
    """
    if head.startswith(b"OggS"):
        return path.read_bytes().count(_OGG_BEGIN) > head.count(_OGG_BEGIN)
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        with path.open("rb") as file:
            file.seek(_id3_bytes(head))
            first_frame = file.read(_LONGEST_MP3_FRAME)
        return not any(tag in first_frame for tag in _MP3_TAGS)
    return False


def _id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag that a file begins with."""
    if len(head) < _ID3_HEADER or not head.startswith(b"ID3"):
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER + size


class Decoder:
    """Reads one audio stream of a file forward.

    Parameters
    ----------
    path : the file.
    stream : which of its audio streams.

    Attributes
    ----------
    samplerate, channels : the stream's.

    Raises
    ------
    InputError
        FFmpeg does not read the file, it has no such stream, or PyAV is not installed.
    """

    subtype = "FLOAT"

    def __init__(self, path: Path, stream: int = 0) -> None:
        self._av: Any = _pyav(path)
        self._path = path
        try:
            self._container = self._av.open(str(path))
        except (self._av.error.FFmpegError, OSError) as error:
            raise InputError(
                f"is not audio that can be read ({_reason(error)})", path=path, remedy="export it as WAV or FLAC"
            ) from error
        streams = self._container.streams.audio
        if stream >= len(streams):
            self.close()
            what = "contains no audio" if not streams else f"has {len(streams)} audio streams, not {stream + 1}"
            raise InputError(what, path=path, remedy="export it as WAV or FLAC")
        self.n_streams = len(streams)
        self._stream = streams[stream]
        if self._stream.codec_context is None:
            self.close()
            raise InputError("has audio in an unknown codec", path=path, remedy="export it as WAV or FLAC")
        self.samplerate, self.channels = int(self._stream.rate or 0), int(self._stream.channels or 0)
        self.format = self._container.format.name
        self._ready: Samples = np.empty((0, self.channels), np.float32)
        self._position = self._first_position = 0
        self._can_seek = "mov" in self.format  # its times are exact
        self._restart()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def seek(self, position: int) -> None:
        """Go to sample `position`."""
        if position < self._position or (self._can_seek and position - self._position > 4 * _PREROLL_SAMPLES):
            start = max(0, position - _PREROLL_SAMPLES) if self._can_seek else 0
            ticks = int(start / self.samplerate / self._stream.time_base)
            self._container.seek(ticks, stream=self._stream)
            self._restart()
        while self._position < position and len(self.read(min(position - self._position, 1 << 16))):
            pass

    def read(self, n_samples: int) -> Samples:
        """Return the next samples, shape (n_samples, n_channels), fewer at the end.

        Raises
        ------
        InputError
            The file is damaged here.
        """
        parts, n_ready = [self._ready], len(self._ready)
        while n_ready < n_samples and (part := next(self._frames, None)) is not None:
            parts.append(part)
            n_ready += len(part)
        ready = np.concatenate(parts)
        self._ready = ready[n_samples:]
        self._position += min(n_ready, n_samples)
        return ready[:n_samples]

    def count_samples(self) -> int:
        """Return how many samples are left, by decoding them."""
        n_samples = 0
        while n_read := len(self.read(1 << 16)):
            n_samples += n_read
        return n_samples

    def _restart(self) -> None:
        self._ready = np.empty((0, self.channels), np.float32)
        self._frames = self._decoded()
        first = next(self._frames, None)
        self._position = self._first_position
        if first is not None:
            self._ready = first

    def _decoded(self) -> Iterator[Samples]:
        """Yield the samples of each frame; the first one sets the position."""
        resampler = self._av.AudioResampler(format="flt", layout=self._stream.layout, rate=self.samplerate)
        is_first = True
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except self._av.error.InvalidDataError as error:
                if "mp3" in self.format:  # other decoders skip what is not a frame
                    continue
                at_s = float((packet.pts or 0) * self._stream.time_base)
                raise InputError(
                    f"cannot be decoded at {at_s:.2f} s ({_reason(error)})", path=self._path, remedy="export it again"
                ) from error
            for frame in frames:
                if is_first:
                    start_s = float((frame.pts or 0) * frame.time_base) if self._can_seek else 0.0
                    self._first_position = max(0, round(start_s * self.samplerate))
                    is_first = False
                yield from self._converted(resampler, frame)
        yield from self._converted(resampler, None)

    def _converted(self, resampler: Any, frame: Any) -> Iterator[Samples]:
        try:
            for converted in resampler.resample(frame):
                values: Samples = converted.to_ndarray()
                yield values.reshape(-1, self.channels)
        except ValueError as error:
            raise InputError(
                "changes its sample rate or channels midway", path=self._path, remedy="export it as WAV or FLAC"
            ) from error


def count_streams(path: Path) -> int:
    """Return how many audio streams a file has: one, or five in a stem file (`.stem.mp4`).

    Raises
    ------
    InputError
        FFmpeg does not read the file, or PyAV is not installed.
    """
    with Decoder(path) as decoder:
        return decoder.n_streams


@lru_cache(maxsize=256)
def decoded_length(path: Path, stream: int, _changed_ns: int, _n_bytes: int) -> int:
    """Return how many samples a stream has, by decoding it once for as long as the file does not change."""
    with Decoder(path, stream) as decoder:
        return decoder.count_samples()


def _pyav(path: Path) -> ModuleType:
    try:
        import av  # noqa: PLC0415 - FFmpeg's libraries are large and rarely needed
    except ImportError as error:
        raise InputError(
            "needs the decoder PyAV, which is not installed",
            path=path,
            remedy=f"install it with `{sys.executable} -m pip install av`, or export the file as WAV or FLAC",
        ) from error
    av.logging.set_level(None)
    return av


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
