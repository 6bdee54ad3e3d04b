"""How well gains are recovered from a mixdown: `python benchmarks/estimation.py [--seed N] [--json]`.

The bundled song's stems are mixed with known gains that move by 3 dB around a random level, the mixdown is put
through what mixdowns go through, and the estimate is compared with what the gains were, over the frames in which
each stem sounds. `error` is the median absolute difference in dB, `balance` the same after each frame's mean over
the buses is taken out (what is common to all buses is the mixdown's loudness, not its balance), `inside` the
share of frames whose true gain is in the estimate's 80 % interval.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import scipy.signal
import soundfile

from analysis_server.paths import bundled_song
from core.analysis.measure import Domain
from core.audio.song import open_song
from core.decibels import FloatArray
from core.gains.estimate import Estimate, estimate

BUSES = ("drums", "bass", "melody", "vocals")
DEPTH_DB = 3.0
EIGHTY_PERCENT = 1.2816
Treatment = Callable[[FloatArray, int, np.random.Generator], FloatArray]


def late(mixdown: FloatArray, _rate: int, _: np.random.Generator) -> FloatArray:
    return np.concatenate([np.zeros((137, 2)), mixdown])[: len(mixdown)]


def tanh_limiter(mixdown: FloatArray, _rate: int, _: np.random.Generator) -> FloatArray:
    drive = 1.5 / np.percentile(np.abs(mixdown), 99.9)
    return np.tanh(drive * mixdown) / drive


def arctan_limiter(mixdown: FloatArray, _rate: int, _: np.random.Generator) -> FloatArray:
    drive = 1.5 / np.percentile(np.abs(mixdown), 99.9)
    return np.arctan(drive * mixdown) / drive


def bus_compressor(mixdown: FloatArray, rate: int, _: np.random.Generator) -> FloatArray:
    level = np.abs(mixdown).max(axis=1)
    smooth = scipy.signal.lfilter([1.0 - np.exp(-1.0 / (0.05 * rate))], [1.0, -np.exp(-1.0 / (0.05 * rate))], level)
    threshold = np.percentile(smooth, 60)
    return mixdown * (np.minimum(1.0, (threshold / np.maximum(smooth, 1e-9)) ** 0.5))[:, None]


def equalizer(mixdown: FloatArray, rate: int, _: np.random.Generator) -> FloatArray:
    high = scipy.signal.sosfilt(scipy.signal.butter(1, 200, "high", fs=rate, output="sos"), mixdown, axis=0)
    return scipy.signal.sosfilt(scipy.signal.butter(2, 6000, fs=rate, output="sos"), mixdown + 0.5 * high, axis=0)


def random_phase(mixdown: FloatArray, _rate: int, rng: np.random.Generator) -> FloatArray:
    response = rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
    response[0] += 8.0
    response /= np.sqrt((response**2).sum())
    return scipy.signal.fftconvolve(mixdown, response[:, None], axes=0)[: len(mixdown)]


CASES: dict[str, tuple[float, Treatment | None]] = {
    "a sum, 20 s moves": (20.0, None),
    "a sum, 6 s moves": (6.0, None),
    "137 samples late": (20.0, late),
    "soft limiter (tanh)": (20.0, tanh_limiter),
    "soft limiter (arctan)": (20.0, arctan_limiter),
    "bus compressor": (20.0, bus_compressor),
    "equalizer": (20.0, equalizer),
    "random-phase filter": (20.0, random_phase),
}


def main() -> int:
    """Print one row a case, for the domain that was chosen and for each one forced."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    found = rows(arguments.seed)
    if arguments.json:
        json.dump(found, sys.stdout, indent=1)
        return 0
    print(f"{'mixdown':<24}{'domain':<12}{'chosen':<8}{'fit':>7}{'error':>9}{'balance':>9}{'inside':>8}")
    for row in found:
        chosen = "yes" if row["chosen"] else ""
        print(
            f"{row['mixdown']:<24}{row['domain']:<12}{chosen:<8}{row['fit']:>7.3f}{row['error_db']:>9.3f}"
            f"{row['balance_db']:>9.3f}{row['inside']:>8.2f}"
        )
    return 0


def rows(seed: int) -> list[dict[str, Any]]:
    """Return one row a case and domain."""
    return [row for name in CASES for row in _case(name, seed)]


def _case(name: str, seed: int) -> list[dict[str, Any]]:
    period_s, treatment = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        truth_db = _make(Path(folder), period_s, treatment, np.random.default_rng(seed))
        song = open_song(Path(folder))
        chosen = estimate(song).domain
        domains = cast("tuple[Domain, ...]", get_args(Domain))
        return [
            {"mixdown": name, "domain": domain, "chosen": domain == chosen}
            | _errors(estimate(song, domain=domain), truth_db)
            for domain in domains
        ]


def _make(folder: Path, period_s: float, treatment: Treatment | None, rng: np.random.Generator) -> FloatArray:
    """Write stems and mixdown into `folder` and return the true gains at frame centres, dB."""
    stems = [soundfile.read(bundled_song() / f"{bus}.flac") for bus in BUSES]
    rate, n_samples = stems[0][1], len(stems[0][0])
    levels_db, phases = rng.uniform(-6.0, 2.0, len(BUSES)), rng.uniform(0.0, 2.0 * np.pi, len(BUSES))
    periods_s = period_s * rng.uniform(0.8, 1.2, len(BUSES))

    def gains_db(time_s: FloatArray) -> FloatArray:
        return levels_db + DEPTH_DB * np.sin(2.0 * np.pi * time_s[:, None] / periods_s + phases)

    gains = 10.0 ** (gains_db(np.arange(n_samples) / rate) / 20.0)
    mixdown = sum(stem * gains[:, [i]] for i, (stem, _) in enumerate(stems))
    mixdown = treatment(mixdown, rate, rng) if treatment else mixdown
    for bus, (stem, _) in zip(BUSES, stems, strict=True):
        soundfile.write(folder / f"{bus}.wav", stem, rate, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", mixdown, rate, subtype="FLOAT")
    return gains_db(np.arange(4 * n_samples // rate) * 0.25 + 0.5)


def _errors(found: Estimate, truth_db: FloatArray) -> dict[str, object]:
    curves = found.curves
    n_frames = min(len(truth_db), len(curves.time_s))
    active = curves.active[:n_frames]
    difference = np.where(active, curves.gains_db[:n_frames] - truth_db[:n_frames], np.nan)
    balance = difference - np.nanmean(difference, axis=1, keepdims=True)
    assert curves.deviation_db is not None
    inside = np.abs(difference) <= EIGHTY_PERCENT * curves.deviation_db[:n_frames]
    return {
        "fit": found.fit,
        "error_db": float(np.nanmedian(np.abs(difference))),
        "balance_db": float(np.nanmedian(np.abs(balance))),
        "inside": float(inside[active].mean()),
    }


if __name__ == "__main__":
    raise SystemExit(main())
