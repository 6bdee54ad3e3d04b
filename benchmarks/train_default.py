"""Train the shipped default model: `python benchmarks/train_default.py [--songs SONG_DIR...] [--out FILE]`.

It learns from the authors' rock matrices and from songs whose stems were exported from a finished production, so that
all faders at 0 dB are the producers' own balance: the bundled song, or those that are named.
docs/reference/accuracy.md describes what came out. Run again on the same songs, it writes the same bytes, so `git diff`
shows whether the shipped file is its output.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import numpy as np
from msgspec import structs

from analysis_server.models import DEFAULT_MODEL
from analysis_server.paths import bundled_song
from core.analysis.measure import measure
from core.audio.song import open_song
from core.gains.curves import GainCurves
from core.models.balance import BalancePrior, levels_of
from core.models.model import Model, TrainingSong
from core.models.train import load_matrices, matrices_song, training_song

ROOT = Path(__file__).resolve().parents[1]
MATRICES = ROOT / "tests" / "golden" / "rock_condition1.npz"
SHIPPED = ROOT / "analysis_server" / "shipped_models" / f"{DEFAULT_MODEL}.json"
_DECIMALS = 7
"""Computers differ in later decimals."""


def main() -> int:
    """Write the model and print what it learned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=Path, nargs="*", default=[bundled_song()], help="songs in their own balance")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    arguments = parser.parse_args()
    model = trained(arguments.songs)
    arguments.out.unlink(missing_ok=True)
    model.save(arguments.out)
    for bus, row in model.named_coefficients().items():
        print(f"{bus:<10}" + "".join(f"{name} {value:+.3f}  " for name, value in row.items()))
    print(f"songs {len(model.songs)}, deviation {model.balance_fit.song_deviation_db:.2f} dB")
    return 0


def trained(folders: list[Path], prior: BalancePrior | None = None) -> Model:
    """Return the model of the rock matrices and the songs in `folders`, with the prior `prior`."""
    songs = [*rock_songs(), *map(in_its_own_balance, folders)]
    model = Model(
        name=DEFAULT_MODEL,
        preset="default",
        feature_set="condition3",
        made_by="Faderwise: python benchmarks/train_default.py",
        prior=prior,
    )
    for song in songs:
        rounded = {bus: np.round(rows, _DECIMALS).tolist() for bus, rows in song.triangles.items()}
        model = model.with_song(structs.replace(song, triangles=rounded))
    return model


@cache
def rock_songs() -> tuple[TrainingSong, ...]:
    """Return the training data of the authors' rock songs."""
    return tuple(matrices_song(song, MATRICES, "condition3") for song in load_matrices(MATRICES))


def in_its_own_balance(folder: Path) -> TrainingSong:
    """Return the training data of a song whose stems are already balanced."""
    song = open_song(folder)
    measurement = measure(song)
    ones = np.ones_like(measurement.rms)
    curves = GainCurves(
        title=song.title,
        buses=song.buses,
        time_s=measurement.time_s,
        gains=ones,
        active=levels_of(measurement).active,
    )
    return training_song(song, measurement, curves, feature_set="condition3", domain="faders", fit=1.0, source="faders")


if __name__ == "__main__":
    raise SystemExit(main())
