"""One pass over a song finds what the original implementation finds, in frames that fit any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.analysis.measure import ACTIVE_RMS, Domain, Measurement, measure, measure_blocks
from core.analysis.paper import measure_as_paper
from core.audio import blocks
from core.audio.blocks import Block, LockstepReader
from core.audio.framing import STEPS_PER_HOP, Framing
from core.audio.song import Song, open_song
from core.errors import Cancelled
from core.gains.least_squares import solve_batch
from tests.expected_errors import raises_error

Golden = dict[str, npt.NDArray[np.float64]]
SONGS = ("caesium_a", "caesium_b", "falcon69", "kira_dynamic", "mdn_funk", "sodium", "trackswitch")
SINGLE_IMPULSE_SLOPE = 1e-20
"""The spectrum of a single impulse is flat: its slope, near 1e-25, is rounding error."""


def gains_of(measured: Measurement) -> npt.NDArray[np.float64]:
    assert measured.gram is not None
    k = len(measured.buses)
    return solve_batch(measured.gram[:, :k, :k], measured.gram[:, :k, k], measured.rms > ACTIVE_RMS)


def write_song(folder: Path, n_samples: int, *, sample_rate: int = 8_000, n_channels: int = 2) -> Song:
    random = np.random.default_rng(n_samples)
    drums, bass = random.uniform(-0.3, 0.3, (2, n_samples, n_channels))
    for name, samples in {"drums": drums, "bass": bass, "mix": 0.8 * drums + 0.5 * bass}.items():
        soundfile.write(folder / f"{name}.wav", samples, sample_rate, subtype="FLOAT")
    return open_song(folder)


def test_gains_of_the_bundled_song_equal_the_original(caesium: Song, golden: Golden) -> None:
    measured = measure_as_paper(caesium, feature_set=None, with_mixdown=True)
    expected = golden["gains_raw"]
    np.testing.assert_allclose(gains_of(measured)[: len(expected)], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("title", SONGS)
def test_gains_and_features_of_the_reference_songs_equal_the_original(shared: Path, title: str) -> None:
    song = open_song(shared / "songs" / title)
    with np.load(shared / "reference" / "golden" / f"{title}.npz") as arrays:
        expected = dict(arrays)
    assert list(song.buses) == [str(bus) for bus in expected["buses"]]
    condition1 = measure_as_paper(song, feature_set="condition1", with_mixdown=True)
    np.testing.assert_allclose(gains_of(condition1), expected["gains_raw"], rtol=0, atol=1e-6)
    condition2 = measure_as_paper(song, feature_set="condition2", with_mixdown=False)
    for bus in song.buses:
        first, second = expected[f"features1_{bus}"], expected[f"features2_{bus}"]
        np.testing.assert_allclose(condition1.features[bus], first, rtol=1e-11, atol=SINGLE_IMPULSE_SLOPE, err_msg=bus)
        np.testing.assert_allclose(condition2.features[bus], second, rtol=1e-11, err_msg=bus)


@pytest.mark.parametrize("n_samples", [1, 999, 8_000, 8_001, 14_000, 16_000, 16_001, 33_333, 64_000])
@pytest.mark.parametrize("hops", [1, 3, 16])
def test_frames_fit_any_length_and_any_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_samples: int, hops: int
) -> None:
    song = write_song(tmp_path, n_samples)
    expected = Framing(8_000).n_frames(n_samples)
    whole = measure_as_paper(song, feature_set="condition2", with_mixdown=True)
    monkeypatch.setattr(blocks, "HOPS_PER_BLOCK", hops)
    cut = measure_as_paper(song, feature_set="condition2", with_mixdown=True)
    assert whole.n_frames == cut.n_frames == expected
    assert whole.gram is not None
    assert cut.gram is not None
    np.testing.assert_allclose(cut.gram, whole.gram, rtol=1e-9)
    np.testing.assert_allclose(cut.features["bass"], whole.features["bass"], rtol=1e-9, atol=1e-9)
    for feature_set in ("condition1", "condition2", "condition3"):
        assert measure(song, feature_set=feature_set, domain="complex").n_frames == expected


def test_gains_of_a_sum_are_found_from_its_samples(tmp_path: Path) -> None:
    song = write_song(tmp_path, 24_000)
    measured = measure(song, domain="complex")
    np.testing.assert_allclose(gains_of(measured)[:-1], [[0.8, 0.5]] * (measured.n_frames - 1), atol=1e-5)


@pytest.mark.parametrize("domain", ["complex", "power", "magnitude"])
def test_the_gain_of_a_single_stem_is_found_in_every_domain(tmp_path: Path, domain: Domain) -> None:
    song = write_song(tmp_path, 80_000)
    samples, _ = soundfile.read(song.stems["drums"].path)
    (tmp_path / "bass.wav").unlink()
    soundfile.write(tmp_path / "mix.wav", 0.8 * samples, 8_000, subtype="FLOAT")
    gains = gains_of(measure(open_song(tmp_path), domain=domain)) ** (0.5 if domain == "power" else 1.0)
    np.testing.assert_allclose(gains[:-1], 0.8, atol=1e-5)


def test_the_levels_do_not_depend_on_what_else_is_measured(caesium: Song) -> None:
    plain = measure(caesium)
    for other in (measure(caesium, domain="complex"), measure(caesium, domain="power", feature_set="condition2")):
        np.testing.assert_allclose(other.rms, plain.rms, rtol=1e-4, atol=1e-7)
        assert plain.step_power is not None
        assert other.step_power is not None
        np.testing.assert_allclose(other.step_power, plain.step_power, rtol=1e-3, atol=1e-10)


def test_rms_is_that_of_the_signal(tmp_path: Path) -> None:
    song = write_song(tmp_path, 40_000)
    samples, _ = soundfile.read(song.stems["bass"].path)
    middle = 6  # the frame that begins at 1.5 s
    frame = samples[12_000:20_000]
    bus = song.buses.index("bass")
    left = measure_as_paper(song, feature_set=None, with_mixdown=False).rms[middle, bus]
    assert left == pytest.approx(np.sqrt(np.mean(frame[:, 0] ** 2)), rel=1e-6)
    assert measure(song).rms[middle, bus] == pytest.approx(np.sqrt(np.mean(frame**2)), rel=1e-2)


def test_clipped_and_silent_files_are_reported(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    hot = np.clip(random.standard_normal((24_000, 2)) * 3.0, -1.0, 1.0)
    soundfile.write(tmp_path / "drums.wav", hot, 8_000)
    soundfile.write(tmp_path / "bass.wav", np.zeros((24_000, 2)), 8_000)
    notes = " ".join(measure(open_song(tmp_path)).warnings)
    assert "drums.wav is clipped" in notes
    assert "bass.wav is silent throughout" in notes


def test_a_damaged_file_stops_the_measurement_and_is_named(tmp_path: Path) -> None:
    song = write_song(tmp_path, 80_000)
    samples, _ = soundfile.read(song.stems["bass"].path)
    samples[70_000, 0] = np.inf
    soundfile.write(song.stems["bass"].path, samples, 8_000, subtype="FLOAT")
    with raises_error(path="bass.wav", facts=("8.75 s",)):
        measure(song)


def test_progress_rises_to_one_and_may_stop_the_work(tmp_path: Path) -> None:
    song = write_song(tmp_path, 400_000)
    fractions: list[float] = []
    measure(song, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 3

    def cancel(_fraction: float) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        measure(song, progress=cancel)


def test_results_are_in_block_order_and_few_blocks_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(blocks, "HOPS_PER_BLOCK", 2)
    reader = LockstepReader(write_song(tmp_path, 200_000), with_mixdown=False)
    read, measured, longest_wait = 0, 0, 0

    def count(_block: Block) -> None:
        nonlocal read, longest_wait
        longest_wait = max(longest_wait, read - measured)
        read += 1

    def number(block: Block) -> dict[str, npt.NDArray[np.float64]]:
        nonlocal measured
        measured += 1
        hops = block.first_hop + np.arange(block.n_hops)
        return {"hop": 1.0 * hops, "step_power": np.repeat(hops, STEPS_PER_HOP)}

    with reader.blocks(then=[count]) as given:
        result = measure_blocks(given, number, reader, lambda _fraction: None)
    np.testing.assert_array_equal(result["hop"], np.arange(reader.n_hops))
    np.testing.assert_array_equal(result["step_power"], np.repeat(np.arange(reader.n_hops), STEPS_PER_HOP))
    assert longest_wait <= 6


def test_the_paper_preset_measures_the_first_channel_of_stems_without_a_mixdown(tmp_path: Path) -> None:
    write_song(tmp_path, 20_000)
    (tmp_path / "mix.wav").unlink()
    measured = measure_as_paper(open_song(tmp_path), feature_set="condition1", with_mixdown=False)
    for path in tmp_path.glob("*.wav"):
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples[:, 0], rate, subtype="FLOAT")
    first = measure_as_paper(open_song(tmp_path), feature_set="condition1", with_mixdown=False)
    np.testing.assert_allclose(measured.rms, first.rms, rtol=1e-5)
    for bus in ("drums", "bass"):
        np.testing.assert_allclose(measured.features[bus], first.features[bus], rtol=1e-4)


def test_many_stems_are_measured_in_groups_as_they_are_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_song(tmp_path, 20_000)
    late = np.zeros((20_000, 2))
    late[5_000:] = 0.2
    for name in ("keys", "vocals"):
        soundfile.write(tmp_path / f"{name}.wav", late, 8_000, subtype="FLOAT")
    song = open_song(tmp_path)
    together = measure(song)
    monkeypatch.setattr("core.analysis.measure._MOST_AT_ONCE", 3)
    in_groups = measure(song)
    for name in ("rms", "step_power", "band_power"):
        np.testing.assert_array_equal(getattr(in_groups, name), getattr(together, name))
    assert in_groups.onset_samples == together.onset_samples
    assert in_groups.warnings == together.warnings
