"""Formats that libsndfile does not read, or does not read whole: length, alignment, streams and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.audio import codecs
from core.audio.io import inspect, read_excerpt
from core.audio.song import open_song
from tests.expected_errors import raises_error

av = pytest.importorskip("av", reason="PyAV is not installed")

RATE = 44_100
N_SAMPLES = 5 * RATE + 123
_STORED = {"alac": "s16p", "wavpack": "s16p", "flac": "s16", "aac": "fltp"}


def sound(seed: int = 0) -> npt.NDArray[np.float32]:
    """Return noise below 4 kHz, shape (n_samples, 2)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=(N_SAMPLES, 2)), axis=0)
    spectrum[np.fft.rfftfreq(N_SAMPLES, 1.0 / RATE) > 4_000.0] = 0.0
    samples = np.fft.irfft(spectrum, N_SAMPLES, axis=0)
    return np.asarray(0.3 * samples / np.abs(samples).max(), np.float32)


def encode(path: Path, codec: str, *signals: npt.NDArray[np.float32], container: str | None = None) -> None:
    """Write each signal as one stream of `path`."""
    with av.open(str(path), "w", format=container) as output:
        streams = [output.add_stream(codec, rate=RATE, layout="stereo") for _ in signals]
        for stream in streams:
            stream.bit_rate = 256_000
            stream.format = _STORED[codec]
        for stream, signal in zip(streams, signals, strict=True):
            resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=RATE, frame_size=0)
            stored = (signal * 32_767.0).astype(np.int16)
            for start in range(0, len(stored), 1_024):
                block = np.ascontiguousarray(stored[start : start + 1_024]).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
                frame.sample_rate, frame.pts = RATE, start
                for converted in resampler.resample(frame):
                    output.mux(stream.encode(converted))
            output.mux(stream.encode(None))


def without_info_frame(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Write an MP3 with libsndfile and take out the frame that states its length."""
    soundfile.write(path, samples, RATE, format="MP3", subtype="MPEG_LAYER_III")
    content = path.read_bytes()
    second = content.index(content[:2], 4)
    assert b"Xing" in content[:second] or b"Info" in content[:second]
    path.write_bytes(content[second:])


def read(path: Path, start: int = 0, n_samples: int | None = None, stream: int = 0) -> npt.NDArray[np.float32]:
    file = inspect(path, stream=stream)
    count = file.n_samples if n_samples is None else n_samples
    return read_excerpt(file, sample_rate=RATE, n_channels=2, start=start, n_samples=count).T


def delay_samples(expected: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> int:
    """Return how many samples later than expected a sound comes."""
    size = 1 << 19
    spectra = np.fft.rfft(found[:, 0], size) * np.conj(np.fft.rfft(expected[:, 0], size))
    lag = int(np.argmax(np.fft.irfft(spectra, size)))
    return lag if lag < size // 2 else lag - size


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("drums.m4a", "alac", "ipod"),
        ("drums.wv", "wavpack", "wv"),
        ("drums.mka", "flac", "matroska"),
    ],
)
def test_lossless_files_are_read_to_the_sample(tmp_path: Path, name: str, codec: str, container: str) -> None:
    expected = sound()
    encode(tmp_path / name, codec, expected, container=container)
    assert inspect(tmp_path / name).n_samples == N_SAMPLES
    np.testing.assert_allclose(read(tmp_path / name), expected, atol=1e-4)


@pytest.mark.parametrize("container", ["ipod", "mp4"])
def test_aac_begins_with_the_sound_and_has_its_length(tmp_path: Path, container: str) -> None:
    expected = sound()
    encode(tmp_path / "drums.m4a", "aac", expected, container=container)
    found = read(tmp_path / "drums.m4a")
    assert delay_samples(expected, found) == 0
    assert abs(len(found) - N_SAMPLES) < 1_024
    inner = np.s_[4_096 : N_SAMPLES - 4_096]
    assert np.corrcoef(found[inner, 0], expected[inner, 0])[0, 1] > 0.999


@pytest.mark.parametrize(("name", "codec", "container"), [("drums.m4a", "aac", "ipod"), ("drums.m4a", "alac", "ipod")])
def test_excerpt_is_the_same_part_as_of_the_whole(tmp_path: Path, name: str, codec: str, container: str) -> None:
    encode(tmp_path / name, codec, sound(), container=container)
    whole = read(tmp_path / name)
    for start in (1, 5_000, 100_000, 200_000):
        np.testing.assert_allclose(read(tmp_path / name, start, 4_000), whole[start : start + 4_000], atol=5e-3)


def test_mp3_without_a_stated_length_is_read_whole(tmp_path: Path) -> None:
    expected = sound()
    without_info_frame(tmp_path / "drums.mp3", expected)
    found = read(tmp_path / "drums.mp3")
    assert N_SAMPLES <= len(found) < N_SAMPLES + 5_000
    delay = delay_samples(expected, found)
    assert 0 <= delay < 2_500
    overlap = found[delay:][: N_SAMPLES - 2_000]
    assert np.abs(overlap - expected[: len(overlap)]).max() < 0.05


def test_mp3_with_a_stated_length_is_left_to_libsndfile(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "drums.mp3", sound(), RATE, format="MP3", subtype="MPEG_LAYER_III")
    assert not inspect(tmp_path / "drums.mp3").is_decoded


def test_chained_ogg_is_read_to_its_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.ogg", sound(), RATE, format="OGG", subtype="VORBIS")
    once = (tmp_path / "one.ogg").read_bytes()
    (tmp_path / "drums.ogg").write_bytes(once + once)
    assert inspect(tmp_path / "drums.ogg").n_samples == pytest.approx(2 * N_SAMPLES, abs=2_048)
    assert not inspect(tmp_path / "one.ogg").is_decoded


def test_flac_without_a_stated_length_is_read_to_its_end(tmp_path: Path) -> None:
    expected = sound()
    soundfile.write(tmp_path / "drums.flac", expected, RATE, format="FLAC", subtype="PCM_16")
    content = bytearray((tmp_path / "drums.flac").read_bytes())
    content[21] &= 0xF0  # the number of samples in the STREAMINFO block: 36 bits, 0 for unknown
    content[22:26] = bytes(4)
    (tmp_path / "drums.flac").write_bytes(content)
    assert inspect(tmp_path / "drums.flac").n_samples == N_SAMPLES
    np.testing.assert_allclose(read(tmp_path / "drums.flac"), expected, atol=1e-4)


def test_each_stream_of_a_stem_file_is_read(tmp_path: Path) -> None:
    sounds = [sound(seed) for seed in range(5)]
    encode(tmp_path / "song.stem.mp4", "aac", *sounds, container="mp4")
    assert codecs.count_streams(tmp_path / "song.stem.mp4") == 5
    for stream, expected in enumerate(sounds):
        found = read(tmp_path / "song.stem.mp4", n_samples=N_SAMPLES, stream=stream)
        assert np.corrcoef(found[:, 0], expected[:, 0])[0, 1] > 0.99
    with raises_error(path="song.stem.mp4"):
        inspect(tmp_path / "song.stem.mp4", stream=5)


def test_cut_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    encode(tmp_path / "drums.m4a", "alac", sound(), container="ipod")
    content = (tmp_path / "drums.m4a").read_bytes()
    (tmp_path / "drums.m4a").write_bytes(content[: len(content) // 2])
    with raises_error(path="drums.m4a"):
        inspect(tmp_path / "drums.m4a")


def test_song_of_such_files_is_found_by_name(tmp_path: Path) -> None:
    encode(tmp_path / "drums.m4a", "alac", sound(), container="ipod")
    encode(tmp_path / "bass.wv", "wavpack", sound(1), container="wv")
    song = open_song(tmp_path)
    assert song.buses == ("drums", "bass")
    assert song.n_samples == N_SAMPLES
