"""Audio files of many kinds are read correctly, and defective ones are reported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.audio.io import AudioStream, inspect, read_excerpt
from core.errors import InputError
from tests.expected_errors import raises_error

RATE = 44_100
FORMATS = {
    "wav16": ("WAV", "PCM_16", 2.0**-15),
    "wav24": ("WAV", "PCM_24", 2.0**-23),
    "wav32": ("WAV", "PCM_32", 2.0**-24),
    "wav float": ("WAV", "FLOAT", 0.0),
    "wav 8 bit": ("WAV", "PCM_U8", 2.0**-7),
    "aiff": ("AIFF", "PCM_16", 2.0**-15),
    "flac16": ("FLAC", "PCM_16", 2.0**-15),
    "flac24": ("FLAC", "PCM_24", 2.0**-23),
}


def noise(n_samples: int, n_channels: int, *, level: float = 0.1) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(n_samples + n_channels)
    return (level * random.uniform(-1.0, 1.0, (n_samples, n_channels))).astype(np.float32)


def sine(n_samples: int, sample_rate: int, frequency_hz: float = 440.0) -> npt.NDArray[np.float32]:
    return (0.5 * np.sin(2.0 * np.pi * frequency_hz * np.arange(n_samples) / sample_rate)).astype(np.float32)


def written(path: Path, samples: npt.NDArray[np.float32], *, rate: int = RATE, kind: str = "wav float") -> Path:
    container, subtype, _ = FORMATS[kind]
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    return path


def read_whole(path: Path, *, n_channels: int, rate: int = RATE, start: int = 0, n_samples: int | None = None):
    file = inspect(path)
    n_samples = file.n_samples_at(rate) if n_samples is None else n_samples
    return read_excerpt(file, sample_rate=rate, n_channels=n_channels, start=start, n_samples=n_samples)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_to_its_stored_precision(tmp_path: Path, kind: str) -> None:
    samples = noise(5_000, 2)
    path = written(tmp_path / "stem.audio", samples, kind=kind)
    read = read_whole(path, n_channels=2)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, samples.T, rtol=0, atol=FORMATS[kind][2])


@pytest.mark.parametrize("kind", FORMATS)
def test_integers_are_converted_to_floats_as_libsndfile_does(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "stem.audio", noise(5_000, 2), kind=kind)
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_whole(path, n_channels=2), expected.T)


def test_ogg_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "stem.ogg"
    soundfile.write(path, sine(RATE, RATE), RATE, format="OGG", subtype="VORBIS")
    np.testing.assert_allclose(read_whole(path, n_channels=1)[0], sine(RATE, RATE), atol=0.05)


def test_a_mono_file_goes_to_every_channel(tmp_path: Path) -> None:
    samples = noise(1_000, 1)
    read = read_whole(written(tmp_path / "mono.wav", samples), n_channels=6)
    np.testing.assert_array_equal(read, np.repeat(samples.T, 6, axis=0))


def test_missing_channels_are_silent(tmp_path: Path) -> None:
    samples = noise(1_000, 2)
    read = read_whole(written(tmp_path / "stereo.wav", samples), n_channels=6)
    np.testing.assert_array_equal(read[:2], samples.T)
    assert not read[2:].any()


def test_surplus_channels_are_ignored(tmp_path: Path) -> None:
    samples = noise(1_000, 6)
    read = read_whole(written(tmp_path / "surround.wav", samples, kind="wav24"), n_channels=1)
    np.testing.assert_allclose(read[0], samples[:, 0], atol=2.0**-23)


@pytest.mark.parametrize("rate", [22_050, 32_000, 48_000, 96_000])
def test_another_sample_rate_is_resampled(tmp_path: Path, rate: int) -> None:
    path = written(tmp_path / "stem.wav", sine(2 * rate, rate)[:, None], rate=rate)
    assert inspect(path).n_samples_at(RATE) == 2 * RATE
    read = read_whole(path, n_channels=1)[0]
    middle = slice(RATE // 10, -RATE // 10)
    np.testing.assert_allclose(read[middle], sine(2 * RATE, RATE)[middle], atol=1e-4)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_an_excerpt_equals_that_part_of_the_whole_file(tmp_path: Path, rate: int) -> None:
    path = written(tmp_path / "stem.wav", noise(5 * rate, 2), rate=rate)
    whole = read_whole(path, n_channels=2)
    for start in (0, 1, 1_234, 3 * RATE + 17):
        excerpt = read_whole(path, n_channels=2, start=start, n_samples=2_000)
        np.testing.assert_allclose(excerpt, whole[:, start : start + 2_000], atol=2e-6)


def test_outside_the_file_there_is_silence(tmp_path: Path) -> None:
    samples = noise(1_000, 1)
    path = written(tmp_path / "stem.wav", samples)
    excerpt = read_whole(path, n_channels=1, start=-300, n_samples=2_000)[0]
    np.testing.assert_array_equal(excerpt[300:1_300], samples[:, 0])
    assert not excerpt[:300].any()
    assert not excerpt[1_300:].any()
    assert not read_whole(path, n_channels=1, start=5_000, n_samples=100).any()


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64, 5_000])
def test_clipping_is_counted_the_same_however_the_file_is_read(tmp_path: Path, block: int) -> None:
    samples = noise(400, 2)
    samples[10:12, 0] = 1.0  # two in a row do not count as clipping
    samples[20:23, 0] = -1.0
    samples[50:60, 1] = 1.0
    samples[397:, 0] = 1.0
    file = inspect(written(tmp_path / "hot.wav", samples, kind="wav16"))
    with AudioStream(file, sample_rate=RATE, n_channels=2) as stream:
        for _ in range(-(-400 // block)):
            stream.read_into(np.empty((2, block), np.float32))
        assert stream.clipped == 3 + 10 + 3
        assert stream.peak == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_the_peak_is_the_largest_sample_read_so_far(tmp_path: Path, rate: int) -> None:
    samples = noise(4 * rate, 2)
    samples[100, 1] = -0.25
    samples[-100, 0] = 0.5
    with AudioStream(
        inspect(written(tmp_path / "a.wav", samples, rate=rate)), sample_rate=RATE, n_channels=2
    ) as stream:
        assert stream.peak == 0.0
        for peak in (0.25, 0.5):
            stream.read_into(np.empty((2, 2 * RATE), np.float32))
            assert stream.peak == pytest.approx(peak)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_no_more_of_a_file_is_read_than_is_needed(tmp_path: Path, rate: int) -> None:
    samples = noise(4 * rate, 2)
    samples[2 * rate, 0] = np.nan
    file = inspect(written(tmp_path / "a.wav", samples, rate=rate))
    with AudioStream(file, sample_rate=RATE, n_channels=2) as stream:
        stream.read_into(np.empty((2, RATE), np.float32))
        with raises_error(path="a.wav", facts=("2.00 s",)):
            stream.read_into(np.empty((2, 2 * RATE), np.float32))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with raises_error(path="drums.wav"):
        inspect(tmp_path / "drums.wav")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "drums.wav").write_bytes(b"")
    with raises_error(path="drums.wav"):
        inspect(tmp_path / "drums.wav")


def test_a_file_without_samples_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "drums.wav", noise(0, 2))
    with raises_error(path="drums.wav"):
        inspect(path)


def test_garbage_is_named(tmp_path: Path) -> None:
    (tmp_path / "drums.wav").write_bytes(bytes(range(256)) * 20)
    with raises_error(path="drums.wav"):
        inspect(tmp_path / "drums.wav")


def test_a_truncated_wav_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "drums.wav", noise(RATE, 2), kind="wav16")
    path.write_bytes(path.read_bytes()[:50_000])
    with raises_error(path="drums.wav"):
        inspect(path)


def test_a_truncated_flac_is_reported_with_the_position(tmp_path: Path) -> None:
    path = written(tmp_path / "drums.flac", noise(2 * RATE, 2), kind="flac16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with raises_error(path="drums.flac"):
        read_whole(path, n_channels=2)


def test_a_file_that_is_truncated_while_reading_is_reported_with_the_position(tmp_path: Path) -> None:
    path = written(tmp_path / "drums.wav", noise(2 * RATE, 2), kind="wav16")
    file = inspect(path)
    path.write_bytes(path.read_bytes()[: 44 + 4 * RATE * 5 // 4])
    with AudioStream(file, sample_rate=RATE, n_channels=2) as stream:
        stream.read_into(np.empty((2, RATE), np.float32))
        with raises_error(path="drums.wav", facts=("1.25 s",)):
            stream.read_into(np.empty((2, RATE), np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_reported_with_its_position(tmp_path: Path, value: float) -> None:
    samples = noise(2 * RATE, 2)
    samples[RATE // 2, 1] = value
    path = written(tmp_path / "drums.wav", samples)
    with raises_error(path="drums.wav", facts=("0.50 s",)):
        read_whole(path, n_channels=2)


@pytest.mark.parametrize("value", [1e6, -3e38])
def test_a_sample_far_above_full_scale_is_reported_with_its_position(tmp_path: Path, value: float) -> None:
    samples = noise(2 * RATE, 2)
    samples[RATE // 2, 0] = value
    path = written(tmp_path / "drums.wav", samples)
    with raises_error(path="drums.wav", facts=("0.50 s",)):
        read_whole(path, n_channels=2)


@pytest.mark.parametrize(("rate", "n_channels"), [(44_100, 33), (44_100, 800), (999, 2), (1_000_000, 2)])
def test_an_implausible_header_is_reported(tmp_path: Path, rate: int, n_channels: int) -> None:
    path = written(tmp_path / "drums.wav", noise(10, n_channels), rate=rate)
    with raises_error(path="drums.wav", facts=(f"{n_channels} channels", f"{rate} Hz")):
        inspect(path)


@pytest.mark.parametrize(("rate", "n_channels"), [(1_000, 1), (768_000, 32)])
def test_rare_rates_and_channel_counts_are_accepted(tmp_path: Path, rate: int, n_channels: int) -> None:
    found = inspect(written(tmp_path / "drums.wav", noise(10, n_channels), rate=rate))
    assert (found.sample_rate, found.n_channels, found.n_samples) == (rate, n_channels, 10)


def test_a_float_file_above_full_scale_is_not_clipped(tmp_path: Path) -> None:
    path = tmp_path / "hot.wav"
    soundfile.write(path, 3.0 * np.sin(np.arange(4_410) / 50.0)[:, None], 44_100, subtype="FLOAT")
    samples = np.empty((1, 4_410), np.float32)
    with AudioStream(inspect(path), sample_rate=44_100, n_channels=1) as stream:
        stream.read_into(samples)
        assert stream.clipped == 0
    assert samples.max() > 2.9


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
def test_a_file_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"M\xfcsik.wav")
    path.write_bytes(written(tmp_path / "whole.wav", noise(100, 1)).read_bytes())
    with raises_error(path="M\\udcfcsik.wav"):
        inspect(path)


PSF_FSEEK_FAILED = 39


def test_internal_errors_of_the_reader_are_worded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Path) -> None:
        raise soundfile.LibsndfileError(PSF_FSEEK_FAILED)

    (tmp_path / "take.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(soundfile, "SoundFile", failing)
    with pytest.raises(InputError) as refused:
        inspect(tmp_path / "take.wav")
    assert "Internal" not in refused.value.problem and "damaged" in refused.value.problem
