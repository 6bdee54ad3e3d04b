"""Time of the parts of the default preset on one core, next to those of its floor.

    python benchmarks/breakdown.py [--seconds 60] [--repeats 5]

Each figure is processor time, the least of the turns. The floor (`benchmarks/floor.py`) counts the first two lines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import floor, material
from core.analysis import spectra
from core.analysis.gram import sample_grams
from core.audio.blocks import Block, LockstepReader, one_blas_thread
from core.audio.framing import STEPS_PER_HOP, Framing
from core.audio.song import Song, open_song
from core.gains.alignment import align
from core.gains.estimate import estimate

Part = Callable[[], object]
Item = TypeVar("Item")


def main() -> None:
    """Print the parts' times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the song")
    parser.add_argument("--repeats", type=int, default=5, help="turns each part takes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faderwise-breakdown-") as folder, one_blas_thread():
        song = open_song(material.write_song(Path(folder), seconds=asked.seconds))
        for name, part in _parts(song).items():
            print(f"{name:62} {1e3 * min(_time_s(part) for _ in range(asked.repeats)):6.1f} ms")


def _time_s(part: Part) -> float:
    start_s = time.process_time()
    part()
    return time.process_time() - start_s


def _parts(song: Song) -> dict[str, Part]:
    framing = Framing(song.sample_rate)
    with LockstepReader(song, with_mixdown=True, interleaved=True).blocks() as reading:
        blocks = list(reading)
    return {
        "reading, as 16-bit integers": lambda: _each(floor.read, [str(file.path) for file in song.signals]),
        "the hops' FFTs": lambda: floor.transform_hops(song),
        "reading, as floating point, checked for clipping": lambda: _read(song),
        "the FFTs, K-weighting and critical bands": lambda: _each(partial(_levels, framing, len(song.stems)), blocks),
        "the least-squares fit's products of samples": lambda: _each(partial(_products, framing), blocks),
        "the search for the mixdown's lag": lambda: align(song),
        "the whole estimate, on all cores": lambda: estimate(song),
    }


def _each(part: Callable[[Item], None], items: Iterable[Item]) -> None:
    for item in items:
        part(item)


def _read(song: Song) -> None:
    with LockstepReader(song, with_mixdown=True, interleaved=True).blocks() as blocks:
        for _ in blocks:
            pass


def _levels(framing: Framing, n_stems: int, block: Block) -> None:
    bands = np.empty((n_stems, block.n_hops, spectra.N_BANDS), np.float32)
    spectra.step_powers(block.samples[:n_stems], framing, block.n_hops, bands)


def _products(framing: Framing, block: Block) -> None:
    own = block.samples[:, :, : block.n_hops * STEPS_PER_HOP * framing.step_samples]
    sample_grams(own, framing.step_samples)  # a plain sum needs no limiter's powers


if __name__ == "__main__":
    main()
