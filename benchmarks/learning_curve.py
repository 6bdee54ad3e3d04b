"""How fast a model follows an engineer: `python benchmarks/learning_curve.py [--engineers N] [--roles N] [--json]`.

Simulated engineers have a habit per role, normal with a standard deviation of 2.2 dB, and each of their songs differs
from the habits by 3.0 dB (an inconsistent engineer) or 0.5 dB (a consistent one). After 0 to 8 songs the next song's
balance is predicted, without knowing either deviation (`core.models.habits`). Errors are mean absolute differences in
dB after the mean difference is removed. The oracle uses the true deviations and is the best possible predictor.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.models.habits import DeviationsOfSong, learn_habits, song_weight

HABIT_DB, WITHIN_DB = 2.2, (3.0, 0.5)
N_SONGS = (0, 1, 2, 3, 5, 8)
ROLES = ("drums", "bass", "melody", "vocals", "guitars", "keys", "backing vocals", "percussion")


def main() -> int:
    """Print the learning curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engineers", type=int, default=400, help="engineers per row")
    parser.add_argument("--roles", type=int, default=4, help=f"roles per song, at most {len(ROLES)}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    curves = {
        f"songs differ by {within_db:g} dB": learning_curve(within_db, arguments.engineers, ROLES[: arguments.roles])
        for within_db in WITHIN_DB
    }
    bound = one_song_bound(arguments.roles)
    if arguments.json:
        print(json.dumps({**curves, "least_ratio_after_one_song": bound}, indent=1))
        return 0
    print("| mean error after songs, dB | " + " | ".join(map(str, N_SONGS)) + " |\n| --- |" + " --- |" * len(N_SONGS))
    for title, curve in curves.items():
        for name in ("learned", "oracle"):
            print(f"| {title}, {name} | " + " | ".join(f"{curve[name][str(n)]:.2f}" for n in N_SONGS) + " |")
        print(f"| {title}, ratio | " + " | ".join(f"{curve['ratio'][str(n)]:.3f}" for n in N_SONGS) + " |")
    print(f"\nLeast ratio after one song that is possible for both: {bound:.3f}")
    return 0


def learning_curve(within_db: float, n_engineers: int, roles: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return the mean errors of `learned` and `oracle`, and their `ratio`, by number of songs."""
    errors: dict[str, dict[str, float]] = {"learned": {}, "oracle": {}, "ratio": {}}
    correlation = HABIT_DB**2 / (HABIT_DB**2 + within_db**2)
    for n_songs in N_SONGS:
        rng = np.random.default_rng(n_songs)
        learned, oracle = [], []
        for _ in range(n_engineers):
            habit = rng.normal(0.0, HABIT_DB, len(roles))
            songs = habit + rng.normal(0.0, within_db, (n_songs, len(roles)))
            target = habit + rng.normal(0.0, within_db, len(roles))
            habits = learn_habits([DeviationsOfSong(roles, deviations) for deviations in songs])
            mean = songs.mean(axis=0) if n_songs else np.zeros(len(roles))
            learned.append(_error_db(target - np.array([habits.offset_of(role) for role in roles])))
            oracle.append(_error_db(target - song_weight(n_songs, correlation) * mean))
        errors["learned"][str(n_songs)] = float(np.mean(learned))
        errors["oracle"][str(n_songs)] = float(np.mean(oracle))
        errors["ratio"][str(n_songs)] = float(np.mean(learned) / np.mean(oracle))
    return errors


def one_song_bound(n_roles: int, n_engineers: int = 200_000) -> float:
    """Return the least ratio to the oracle's error that one predictor can have for both kinds of engineers."""
    rng = np.random.default_rng(0)
    songs, targets, log_density = [], [], []
    for within_db in WITHIN_DB:
        habit = rng.normal(0.0, HABIT_DB, (n_engineers, n_roles))
        pair = habit + rng.normal(0.0, within_db, (2, n_engineers, n_roles))
        song, target = pair - pair.mean(axis=2, keepdims=True)
        songs.append(song)
        targets.append(target)
    variances = [HABIT_DB**2 + within_db**2 for within_db in WITHIN_DB]
    weights = [HABIT_DB**2 / variance for variance in variances]
    for song in songs:
        energy = (song**2).sum(axis=1)
        log_density.append([-0.5 * (energy / v + (n_roles - 1) * np.log(v)) for v in variances])

    def ratios(probability: float) -> list[float]:
        found = []
        for own, (song, target, (first, second)) in enumerate(zip(songs, targets, log_density, strict=True)):
            odds = np.exp(np.clip(second - first, -700.0, 700.0)) * (1.0 - probability) / probability
            weight = weights[0] / (1.0 + odds) + weights[1] * odds / (1.0 + odds)
            known = np.abs(target - weights[own] * song).mean()
            found.append(float(np.abs(target - weight[:, None] * song).mean() / known))
        return found

    low, high = 1e-3, 1.0 - 1e-3
    for _ in range(20):
        middle = 0.5 * (low + high)
        inconsistent, consistent = ratios(middle)
        low, high = (middle, high) if inconsistent > consistent else (low, middle)
    return max(ratios(0.5 * (low + high)))


def _error_db(difference: np.ndarray) -> float:
    return float(np.abs(difference - difference.mean()).mean())


if __name__ == "__main__":
    raise SystemExit(main())
