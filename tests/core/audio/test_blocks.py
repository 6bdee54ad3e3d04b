"""Reading in lockstep gives what reading each file whole would give, however it is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audio import blocks
from core.audio.blocks import LockstepReader
from core.audio.io import inspect
from core.audio.song import Song, open_song
from tests.expected_errors import raises_error

RATE = 1_000
LENGTHS = {"drums": 4_321, "bass": 3_000, "mix": 5_000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("song")
    random = np.random.default_rng(3)
    for name, length in LENGTHS.items():
        soundfile.write(folder / f"{name}.wav", random.uniform(-0.5, 0.5, (length, 2)), RATE, subtype="FLOAT")
    return folder


def whole(song: Song, *, lag: int) -> npt.NDArray[np.float32]:
    """The song's signals, each read at once: stems end with the song, and the mixdown comes `lag` earlier."""
    signals = np.zeros((3, 2, 20_000), np.float32)
    for signal, name in zip(signals, ("drums", "bass", "mix"), strict=True):
        samples, _ = soundfile.read(song.signals[0].path.with_name(f"{name}.wav"), dtype="float32")
        shift = lag if name == "mix" else 0
        moved = samples[max(0, shift) :]
        start = max(0, -shift)
        signal[:, start : start + len(moved)] = moved.T
    signals[:, :, song.n_samples :] = 0.0
    return signals


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hops=st.integers(1, 40),
    lag=st.integers(-1_500, 6_000),
    around=st.tuples(st.integers(0, 400), st.integers(0, 1_200)),
)
def test_blocks_are_parts_of_the_whole_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hops: int, lag: int, around: tuple[int, int]
) -> None:
    before, after = around
    monkeypatch.setattr(blocks, "HOPS_PER_BLOCK", hops)
    song = open_song(folder)
    reader = LockstepReader(song, with_mixdown=True, lag_samples=lag)
    expected = np.pad(whole(song, lag=lag), ((0, 0), (0, 0), (before, 0)))
    n_hops = 0
    with reader.blocks(before=before, after=after) as given:
        for block in given:
            assert block.first_hop == n_hops
            start, length = n_hops * 250, before + block.n_hops * 250 + after
            assert block.samples.shape == (3, 2, length)
            np.testing.assert_array_equal(block.samples, expected[:, :, start : start + length])
            n_hops += block.n_hops
    assert n_hops == reader.framing.n_hops(song.n_samples)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n_samples=st.one_of(st.integers(1, 30_000), st.integers(1, 120).map(lambda hops: 250 * hops)))
def test_every_block_contains_part_of_the_song(folder: Path, n_samples: int) -> None:
    with LockstepReader(open_song(folder), with_mixdown=False, n_samples=n_samples).blocks() as given_blocks:
        assert all(block.first_hop * 250 < n_samples for block in given_blocks)


def test_without_the_mixdown_it_is_not_read(folder: Path) -> None:
    reader = LockstepReader(open_song(folder), with_mixdown=False)
    with reader.blocks() as given:
        assert {len(block.samples) for block in given} == {2}
    assert {file.name for file in reader.peak} == {"drums.wav", "bass.wav"}


def test_a_single_channel_is_the_first(folder: Path) -> None:
    song = open_song(folder)
    with LockstepReader(song, with_mixdown=True).blocks() as given:
        every = next(given)
    with LockstepReader(song, with_mixdown=True, n_channels=1).blocks() as given:
        first = next(given)
    np.testing.assert_array_equal(first.samples, every.samples[:, :1])


def test_a_damaged_file_is_named_while_reading(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    samples, _ = soundfile.read(tmp_path / "bass.wav")
    samples[2_000] = np.nan
    soundfile.write(tmp_path / "bass.wav", samples, RATE, subtype="FLOAT")
    reader = LockstepReader(open_song(tmp_path), with_mixdown=True)
    with raises_error(path="bass.wav", facts=("2.00 s",)), reader.blocks() as given:
        list(given)


def test_blocks_of_many_signals_are_short(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "drums.wav", np.full(44_100 * 4, 0.1), 44_100)
    file = inspect(tmp_path / "drums.wav")
    song = Song(title="many", stems={f"bus {number}": file for number in range(300)}, mixdown=None)
    reader = LockstepReader(song, with_mixdown=False)
    with reader.blocks() as found:
        sizes = [(block.n_hops, block.samples.nbytes) for block in found]
    assert sum(n_hops for n_hops, _ in sizes) == reader.n_hops
    assert max(n_bytes for _, n_bytes in sizes) < 25 << 20
