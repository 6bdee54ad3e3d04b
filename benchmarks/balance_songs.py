"""Songs whose balance is known: the loudness of each bus, and predictions of models for them.

Conventions: `balance_facts.csv` has a line a bus: gated loudness, and how much more plain level (RMS) the bus has than
that, both as `core.models.balance` measures them, of stems that lie at the level they have in the mix. Songs are
wholes: nothing moves, and what covers what is not known.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.train_default import rock_songs
from core.decibels import FloatArray
from core.models.balance import BalancePrior, StemLevels
from core.models.model import Model
from core.models.predict import predict_balance

FACTS = Path(__file__).resolve().parent / "balance_facts.csv"


@dataclass(frozen=True, eq=False)
class Balanced:
    """A song in its own balance: its buses' loudness and tone, shape (n_buses,), and what set and producer it is of."""

    kind: str
    producer: str
    title: str
    buses: tuple[str, ...]
    loudness_lufs: FloatArray
    tone_db: FloatArray

    @property
    def plain_db(self) -> FloatArray:
        """The buses' plain level, dB."""
        return self.loudness_lufs + self.tone_db


def facts() -> list[Balanced]:
    """Return the songs of `balance_facts.csv`, without those whose stems are not a producer's balance.

    Separated stems are among them, as a kind of their own.
    """
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    with FACTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["usable"] == "no" and row["set"] != "separated":
                continue
            found.setdefault((row["set"], row["producer"], row["song"]), []).append(row)
    return [
        Balanced(
            *key,
            tuple(row["bus"] for row in rows),
            np.array([float(row["loudness_lufs"]) for row in rows]),
            np.array([float(row["tone_db"]) for row in rows]),
        )
        for key, rows in found.items()
    ]


def rock() -> list[Balanced]:
    """Return the authors' rock songs: output levels as their method estimated them, of which spectra are not known."""
    return [
        Balanced(
            "rock matrices",
            song.title.split(" - ")[0],
            song.title,
            tuple(song.triangles),
            np.array([triangle[0][-1] / triangle[0][0] for triangle in map(np.array, song.triangles.values())]),
            np.zeros(len(song.triangles)),
        )
        for song in rock_songs()
    ]


def error_db(song: Balanced, output_db: FloatArray) -> float:
    """Return how far plain output levels (n_buses,) are from the song's balance, dB, as `core.models.evaluate`."""
    difference = song.plain_db - output_db
    return float(np.abs(difference - difference.mean()).mean())


def output_db(prior: BalancePrior, song: Balanced) -> FloatArray:
    """Return the plain levels that a model with this prior predicts for `song`, dB, shape (n_buses,)."""
    model = Model(name="m", preset="default", feature_set="condition3", prior=prior)
    return song.plain_db + predict_balance(model, song.buses, _levels(song)).balance_db[0]


def _levels(song: Balanced) -> StemLevels:
    n_buses = len(song.buses)
    return StemLevels(
        loudness_lufs=song.loudness_lufs,
        tone_db=song.tone_db,
        covered_db=np.zeros(n_buses),
        presence=np.ones(n_buses),
        frame_lufs=song.loudness_lufs[None],
        active=np.ones((1, n_buses), bool),
    )
