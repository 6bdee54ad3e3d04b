"""Check the rule for tracks in nested cross-validation: `python benchmarks/track_rule.py --facts FILE... [--json]`.

The rule for single tracks has an offset for lead vocals, drum kits, percussion and effects, and a step for tracks that
share a place. Candidates are a grid around the offsets that MedleyDB's levels suggest. For every tenth of the
producers, the rule is chosen on the other producers and scored on these; printed are the choices, the errors of the
chosen rules, of the rule as written in `core.models.prior`, and of equal loudness.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.accuracy_page import interval
from benchmarks.facts_rules import Facts, error_db, predicted, read_facts
from core import roles
from core.decibels import FloatArray
from core.models.prior import TRACK_OFFSETS_DB

VOCALS_DB, DRUMS_DB = (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 0.5, 1.0, 1.5)
SUPPORT_SHARES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Factors of the stored offsets of percussion and effects."""
SHARING_DB = (0.0, 2.0, 4.0, 6.0)
N_FOLDS = 10


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=Path, nargs="+", required=True, help="files of levels")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    songs = [song for path in arguments.facts for song in read_facts(path)["stems"]]
    result = nested(songs)
    if arguments.json:
        print(json.dumps(result, indent=1))
        return 0
    print("| rule for tracks | mean error, dB | against equal loudness, dB |\n| --- | --- | --- |")
    for name, (mean, difference) in result["rules"].items():
        print(f"| {name} | {mean:.2f} | {difference[0]:+.2f} ({difference[1]:+.2f} to {difference[2]:+.2f}) |")
    print(f"\nChosen in the folds (vocals, drums, share of percussion and fx, sharing): {result['chosen']}")
    return 0


def nested(songs: Sequence[Facts]) -> dict[str, Any]:
    """Return the errors of rules chosen on other producers, and the choices."""
    candidates = list(itertools.product(VOCALS_DB, DRUMS_DB, SUPPORT_SHARES, SHARING_DB))
    producers = sorted({song.producer for song in songs})
    of_producer = {name: np.zeros(len(candidates)) for name in producers}
    written = dict.fromkeys(producers, 0.0)
    loudness = dict.fromkeys(producers, 0.0)
    for name in producers:
        own = [song for song in songs if song.producer == name]
        of_producer[name] = np.mean([[_error_of(song, candidate) for candidate in candidates] for song in own], axis=0)
        written[name] = float(np.mean([error_db(predicted(song, tracks=True)[0]) for song in own]))
        loudness[name] = float(np.mean([error_db(-song.loudness_lufs) for song in own]))
    order = np.random.default_rng(0).permutation(producers).tolist()
    chosen, errors = [], {}
    for fold in range(N_FOLDS):
        held_out = order[fold::N_FOLDS]
        best = int(np.mean([of_producer[name] for name in producers if name not in held_out], axis=0).argmin())
        chosen.append(candidates[best])
        errors.update({name: float(of_producer[name][best]) for name in held_out})
    rows = {"equal loudness": loudness, "chosen on other producers": errors, "as written": written}
    return {"rules": {name: _compared(row, loudness) for name, row in rows.items()}, "chosen": chosen}


def _error_of(song: Facts, candidate: tuple[float, float, float, float]) -> float:
    vocals_db, drums_db, share, sharing_db = candidate
    offsets = {
        "vocals": vocals_db,
        "drums": drums_db,
        "percussion": share * TRACK_OFFSETS_DB["percussion"],
        "fx": share * TRACK_OFFSETS_DB["fx"],
    }
    levels = np.array([offsets.get(bus, 0.0) for bus in song.buses])
    levels -= sharing_db * np.log10(np.array(roles.sharing(song.buses), dtype=np.float64))
    return error_db(levels - song.loudness_lufs)


def _compared(errors: dict[str, float], reference: dict[str, float]) -> tuple[float, list[float]]:
    difference: FloatArray = np.array([errors[name] - reference[name] for name in reference])
    return float(np.mean(list(errors.values()))), [float(difference.mean()), *interval(difference)]


if __name__ == "__main__":
    raise SystemExit(main())
