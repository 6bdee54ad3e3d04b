"""The written mix is the stems times their automation, as loud as promised and never clipped."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import scipy.signal
import soundfile
import soxr

from core import files
from core.audio.io import inspect
from core.audio.song import Song, open_song
from core.automation import render
from core.automation.points import Automation, EnvelopePoints
from core.automation.render import PEAK_LIMIT_DBTP, common_gain_db, headroom_db, measure_file, measure_mixes, render_mix
from core.errors import DiskFullError
from tests.expected_errors import raises_error

Array = npt.NDArray[np.float64]
RATE = 44_100


def points(time_s: list[float], gain_db: list[float]) -> EnvelopePoints:
    return EnvelopePoints(np.array(time_s), np.array(gain_db))


def song_of(folder: Path, stems: Mapping[str, Array], rate: int = RATE) -> Song:
    for name, samples in stems.items():
        soundfile.write(folder / f"{name}.wav", samples, rate, subtype="FLOAT")
    return open_song(folder)


def written(song: Song, automation: Automation | None, folder: Path, gain_db: float = 0.0) -> Array:
    render_mix(song, automation, folder / "out.f32").write_wav(folder / "out.wav", gain_db)
    return soundfile.read(folder / "out.wav", always_2d=True)[0]


@pytest.fixture
def short_song(short_song_folder: Path) -> Song:
    return open_song(short_song_folder)


MOVING: dict[str, EnvelopePoints] = {
    "drums": points([0.5, 2.0, 5.5], [-9.0, 0.0, -6.0]),
    "bass": points([0.5], [-3.0]),
    "melody": points([1.0, 1.25, 4.0], [-12.0, 3.0, -1.0]),
    "vocals": points([0.5, 5.5], [-20.0, -2.0]),
}


def test_the_mix_is_the_sum_of_the_stems_times_their_gains_at_every_sample(short_song: Song, tmp_path: Path) -> None:
    stems = {bus: soundfile.read(file.path)[0] for bus, file in short_song.stems.items()}
    time_s = np.arange(short_song.n_samples) / RATE
    expected = np.zeros((short_song.n_samples, 2))
    for bus, envelope in MOVING.items():
        expected += stems[bus] * (10.0 ** (np.interp(time_s, envelope.time_s, envelope.gain_db) / 20.0))[:, None]
    found = written(short_song, MOVING, tmp_path, gain_db=-2.0)
    np.testing.assert_allclose(found, expected * 10.0 ** (-2.0 / 20.0), atol=1e-4)


def test_without_automation_the_mix_is_the_plain_sum(short_song: Song, tmp_path: Path) -> None:
    plain = sum(soundfile.read(file.path)[0] for file in short_song.stems.values())
    np.testing.assert_allclose(written(short_song, None, tmp_path, gain_db=-6.0), plain * 10.0 ** (-0.3), atol=1e-6)


def test_the_mix_is_a_24_bit_wav_of_the_stems_rate_channels_and_length(short_song: Song, tmp_path: Path) -> None:
    written(short_song, MOVING, tmp_path)
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.format, info.subtype) == ("WAV", "PCM_24")
    assert (info.samplerate, info.channels, info.frames) == (RATE, 2, 269_010)


def test_a_mix_is_wav_regardless_of_its_file_name(short_song: Song, tmp_path: Path) -> None:
    for name in ("bounce", "bounce.flac"):
        render_mix(short_song, None, tmp_path / "mix.f32").write_wav(tmp_path / name)
        assert soundfile.info(tmp_path / name).format == "WAV"


def test_a_mix_too_long_for_memory_is_the_same(
    short_song: Song, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = written(short_song, MOVING, tmp_path)
    monkeypatch.setattr(render, "_HELD_BYTES", 0)
    np.testing.assert_array_equal(written(short_song, MOVING, tmp_path), in_memory)
    assert (tmp_path / "out.f32").stat().st_size == in_memory.size * 4


def test_gains_change_from_sample_to_sample_without_fade_in(tmp_path: Path) -> None:
    song = song_of(tmp_path, {"drums": np.full(6 * RATE, 0.5)})
    found = written(song, {"drums": points([1.0, 1.25, 3.0], [-20.0, 3.0, -60.0])}, tmp_path)[:, 0] / 0.5
    assert np.abs(np.diff(found)).max() < 5e-4
    np.testing.assert_allclose(found[: int(0.99 * RATE)], 0.1, atol=1e-4)
    np.testing.assert_allclose(found[int(3.01 * RATE) :], 0.0, atol=1e-6)


def test_the_last_gain_is_held_to_the_end_and_blocks_leave_no_seam(tmp_path: Path) -> None:
    song = song_of(tmp_path, {"drums": np.full(9 * RATE, 0.5)})
    found = written(song, {"drums": points([0.5, 8.0], [-30.0, 0.0])}, tmp_path)[:, 0]
    slope = np.diff(20.0 * np.log10(found[RATE : 7 * RATE : 441] / 0.5))
    np.testing.assert_allclose(slope, 30.0 / 7.5 * 0.01, atol=1e-3)
    np.testing.assert_allclose(found[8 * RATE + 64 :], 0.5, atol=1e-5)


def test_a_stem_at_minus_60_db_is_off(tmp_path: Path) -> None:
    song = song_of(tmp_path, {"drums": np.full(2 * RATE, 0.9)})
    assert not written(song, {"drums": points([0.5], [-60.0])}, tmp_path).any()


def test_a_mono_stem_sounds_in_both_channels_and_a_short_one_is_silent_after_its_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    drums, bass = rng.uniform(-0.3, 0.3, (3 * RATE, 2)), rng.uniform(-0.3, 0.3, 2 * RATE)
    found = written(song_of(tmp_path, {"drums": drums, "bass": bass}), None, tmp_path)
    expected = drums.copy()
    expected[: 2 * RATE] += bass[:, None]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_measured_figures_agree_with_the_written_file(short_song: Song, tmp_path: Path) -> None:
    before, after = measure_mixes(short_song, [None, MOVING])
    for automation, figures in ((None, before), (MOVING, after)):
        gain_db = headroom_db(figures)
        samples = written(short_song, automation, tmp_path, gain_db=gain_db)
        promised = figures.with_gain_db(gain_db)
        assert promised.true_peak_dbtp == pytest.approx(PEAK_LIMIT_DBTP)
        loudness = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(samples)
        assert loudness == pytest.approx(promised.loudness_lufs, abs=0.1)
        eightfold = scipy.signal.resample_poly(samples, 8, 1, axis=0, window=("kaiser", 12.0))
        assert 20.0 * np.log10(np.abs(eightfold).max()) <= PEAK_LIMIT_DBTP + 0.05


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_a_finished_mix_has_the_figures_of_its_automation(short_song: Song, tmp_path: Path, rate: int) -> None:
    (promised,) = measure_mixes(short_song, [MOVING])
    samples = written(short_song, MOVING, tmp_path)
    soundfile.write(tmp_path / "finished.wav", soxr.resample(samples, RATE, rate), rate, subtype="FLOAT")
    found = measure_file(short_song, inspect(tmp_path / "finished.wav"))
    assert found.loudness_lufs == pytest.approx(promised.loudness_lufs, abs=1e-3)
    assert found.true_peak_dbtp == pytest.approx(promised.true_peak_dbtp, abs=0.02)
    below_10_khz = promised.spectrum.frequency_hz < 10_000.0
    ratio = found.spectrum.magnitude[below_10_khz] / promised.spectrum.magnitude[below_10_khz]
    assert np.median(np.abs(ratio - 1.0)) < 1e-3


def test_audio_after_the_end_of_a_song_does_not_count_in_its_loudness(short_song: Song, tmp_path: Path) -> None:
    (promised,) = measure_mixes(short_song, [MOVING])
    meter = pyloudnorm.Meter(RATE, filter_class="DeMan")
    expected = meter.integrated_loudness(written(short_song, MOVING, tmp_path))
    assert promised.loudness_lufs == pytest.approx(expected, abs=1e-3)


def test_the_common_gain_reaches_a_target_that_the_peaks_allow(short_song: Song, tmp_path: Path) -> None:
    before, after = measure_mixes(short_song, [None, MOVING])
    gain_db = common_gain_db(before, after, -30.0)
    samples = written(short_song, MOVING, tmp_path, gain_db=gain_db)
    loudness = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(samples)
    assert loudness == pytest.approx(-30.0, abs=0.1)


def test_the_common_gain_makes_the_mix_as_loud_as_the_plain_sum_by_default(short_song: Song, tmp_path: Path) -> None:
    before, after = measure_mixes(short_song, [None, MOVING])
    quieter = before.with_gain_db(-12.0)
    gain_db = common_gain_db(quieter, after, None)
    assert after.loudness_lufs + gain_db == pytest.approx(quieter.loudness_lufs)


def test_no_target_drives_the_true_peak_past_the_limit(short_song: Song, tmp_path: Path) -> None:
    before, after = measure_mixes(short_song, [None, MOVING])
    gain_db = common_gain_db(before, after, -3.0)
    samples = written(short_song, MOVING, tmp_path, gain_db=gain_db)
    eightfold = scipy.signal.resample_poly(samples, 8, 1, axis=0, window=("kaiser", 12.0))
    peak_dbtp = 20.0 * np.log10(np.abs(eightfold).max())
    assert peak_dbtp == pytest.approx(PEAK_LIMIT_DBTP, abs=0.05)


def test_a_silent_mix_is_given_no_gain(tmp_path: Path) -> None:
    song = song_of(tmp_path, {"drums": np.zeros(2 * RATE)})
    (figures,) = measure_mixes(song, [None])
    assert common_gain_db(figures, figures, -14.0) == 0.0


def test_a_full_disk_is_reported_and_leaves_no_file(
    short_song: Song, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(render._WavFile, "write", full)
    with raises_error(DiskFullError, path="out.wav"):
        render_mix(short_song, None, tmp_path / "mix.f32").write_wav(tmp_path / "out.wav")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_earlier_file(short_song: Song, tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        if fraction > 0.4:
            raise KeyboardInterrupt

    (tmp_path / "out.wav").write_bytes(b"an earlier mix")
    with pytest.raises(KeyboardInterrupt):
        render_mix(short_song, None, tmp_path / "mix.f32").write_wav(tmp_path / "out.wav", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]
    assert (tmp_path / "out.wav").read_bytes() == b"an earlier mix"


def test_progress_runs_to_the_end(short_song: Song, tmp_path: Path) -> None:
    fractions: list[float] = []
    rendered = render_mix(short_song, None, tmp_path / "mix.f32", progress=fractions.append)
    rendered.write_wav(tmp_path / "out.wav", progress=lambda fraction: fractions.append(1.0 + fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 2.0
    assert files.content_hash(tmp_path / "out.wav").startswith("sha256:")
