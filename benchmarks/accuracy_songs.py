"""Songs whose truth is known: finished productions whose faders were moved away, and have to be found again.

Conventions: the stems of a production are already balanced. A scramble multiplies each bus by a gain drawn evenly from
12 dB up to 12 dB down, and by a slow move of 2 dB around it (a sine of 20 to 40 s); the truth is the inverse. The
mixdown is the sum of the stems before that: plain, or through a bus compressor and a soft limiter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from analysis_server.presets import learn_song
from benchmarks.estimation import bus_compressor, tanh_limiter
from core.audio.framing import FRAME_S, HOP_S
from core.audio.song import Song, open_song
from core.decibels import FloatArray, db_to_gain
from core.models.balance import StemLevels, levels_of
from core.models.evaluate import EvaluationSong
from core.models.model import TrainingSong
from core.progress import no_progress

SPAN_DB, DEPTH_DB = 12.0, 2.0
MISLEADING = {
    "caesium": "bass and melody are one synthesizer split at 160 Hz",
    "mdn_funk": "its stems are normalized individually, so its faders were not at 0 dB",
    "sodium": "its minute differs from the whole song by 1.6 dB",
}
"""Productions whose stems are not a producer's balance, and why. They are scored, but not part of any mean; no model
learns from them."""
Treatment = Callable[[FloatArray, int, np.random.Generator], FloatArray]


def compressed_and_limited(mixdown: FloatArray, rate: int, rng: np.random.Generator) -> FloatArray:
    """Return the mixdown as a bus compressor and a limiter leave it."""
    return tanh_limiter(bus_compressor(mixdown, rate, rng), rate, rng)


TREATMENTS: dict[str, Treatment | None] = {"plain sum": None, "compressed and limited": compressed_and_limited}


@dataclass(frozen=True, kw_only=True)
class ScrambledSong:
    """A scramble.

    Attributes
    ----------
    group : the production it comes from; no song of a group is learned from when one of it is predicted.
    truth : with the exact gains, as predictions are scored.
    levels : its stems' levels.
    ours : what a model of condition 3 keeps of it, from the mixdown.
    papers : per condition, the song as the paper's preset estimates and measures it.
    """

    group: str
    truth: EvaluationSong
    levels: StemLevels
    ours: TrainingSong
    papers: dict[str, EvaluationSong]


def scrambled_songs(folders: list[Path], n_scrambles: int, treatment: Treatment | None) -> list[ScrambledSong]:
    """Return `n_scrambles` of each song, the same for every treatment."""
    return [
        _scrambled(folder, np.random.default_rng([index, number]), number, treatment)
        for index, folder in enumerate(folders)
        for number in range(n_scrambles)
    ]


def group_of(title: str) -> str:
    """Return the production that a song's folder belongs to: excerpts of one are called NAME_a, NAME_b."""
    return title.rsplit("_", 1)[0] if title.endswith(("_a", "_b")) else title


def _scrambled(folder: Path, rng: np.random.Generator, number: int, treatment: Treatment | None) -> ScrambledSong:
    original = open_song(folder)
    title = f"{original.title} {number + 1}"
    with tempfile.TemporaryDirectory() as workshop:
        there = Path(workshop) / title
        there.mkdir()
        moved_db = _write(original, there, rng, treatment)
        song = open_song(there)
        found, ours = learn_song(song, "default", "condition3", no_progress)
        levels = levels_of(found.measurement)
        papers = {name: _as_paper(song, name) for name in ("condition1", "condition2")}
    n_frames = len(found.measurement.rms)
    time_s = np.arange(n_frames, dtype=np.float64) * HOP_S + FRAME_S / 2
    truth = EvaluationSong(
        title=title,
        buses=song.buses,
        features={},
        gains=db_to_gain(-moved_db(time_s)),
        rms=found.measurement.rms,
    )
    return ScrambledSong(group=group_of(original.title), truth=truth, levels=levels, ours=ours, papers=papers)


def _write(
    song: Song, folder: Path, rng: np.random.Generator, treatment: Treatment | None
) -> Callable[[FloatArray], FloatArray]:
    """Write scrambled stems and the mixdown; return what was added to each bus, dB, as a function of time."""
    stems = {bus: soundfile.read(file.path, always_2d=True)[0] for bus, file in song.stems.items()}
    length = min(map(len, stems.values()))
    n_channels = max(stem.shape[1] for stem in stems.values())
    stems = {bus: np.broadcast_to(stem, (len(stem), n_channels)) for bus, stem in stems.items()}
    offset_db, phase, period_s = (
        rng.uniform(*span, len(stems)) for span in ((-1.0, 1.0), (0.0, 2 * np.pi), (20.0, 40.0))
    )

    def moved_db(time_s: FloatArray) -> FloatArray:
        move = np.sin(2.0 * np.pi * time_s[:, None] / period_s + phase)
        return np.asarray(SPAN_DB * offset_db + DEPTH_DB * move)

    mixdown = np.sum([stem[:length] for stem in stems.values()], axis=0)
    if treatment is not None:
        mixdown = treatment(mixdown, song.sample_rate, rng)
    gains = db_to_gain(moved_db(np.arange(length) / song.sample_rate))
    for i, (bus, stem) in enumerate(stems.items()):
        soundfile.write(folder / f"{bus}.wav", stem[:length] * gains[:, [i]], song.sample_rate, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", mixdown, song.sample_rate, subtype="FLOAT")
    return moved_db


def _as_paper(song: Song, condition: str) -> EvaluationSong:
    found, _ = learn_song(song, "paper", condition, no_progress)
    return EvaluationSong(
        title=song.title,
        buses=song.buses,
        features=found.measurement.features,
        gains=found.curves.gains,
        rms=found.measurement.rms,
    )


def for_paper(song: ScrambledSong, condition: str) -> EvaluationSong:
    """Return the song with the paper's features and the exact gains, as its regression predicts it."""
    estimated = song.papers[condition]
    return replace(
        song.truth, features={bus: values[: len(song.truth.gains)] for bus, values in estimated.features.items()}
    )
