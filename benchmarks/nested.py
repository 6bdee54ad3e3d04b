"""Choose the constants of the rules in nested cross-validation: `python benchmarks/nested.py --facts FILE... [--json]`.

For every tenth of the producers, constants are chosen on the other producers and scored on these:

- the rule for tracks: offsets of lead vocals, drum kits, percussion and effects, and the step for tracks that share a
  place, from a grid around the offsets that MedleyDB's levels suggest;
- the 80 % bands: a standard deviation per role, with which the bands contain a given share of the entries. Each role's
  own quantile is shrunk towards that of all roles, so that a rare role does not get a band of its own accidents.

Printed are the errors and shares of what is chosen in the folds and of the constants as written in
`core.models.balance`, and what is chosen on all producers. `chosen` repeats the choice of the rule for buses for the
other benchmarks.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.accuracy_page import interval
from benchmarks.facts_rules import Facts, error_db, predicted, read_facts
from core import roles
from core.decibels import FloatArray
from core.models.balance import TRACK_OFFSETS_DB, WRITTEN, BalancePrior
from core.models.fit import EIGHTY_PERCENT, centred_deviation_db
from core.models.predict import KIT_DEVIATION_DB, kit_levels

N_FOLDS = 10
VOCALS_DB, DRUMS_DB = (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 0.5, 1.0, 1.5)
SUPPORT_SHARES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Factors of the offsets of percussion and effects as they are written."""
SHARING_DB = (0.0, 2.0, 4.0, 6.0)
BUS_TONES, BUS_VOCALS_DB = (-1.0, -0.75, -0.5, -0.25, 0.0), (0.0, 0.75, 1.5)
BAND_SHARES = {"buses": 0.85, "stems": 0.8}
"""The share that bands are chosen to contain. On buses hobbyists' projects are further from the rule than professional
multitracks; with 80 % of both together the bands would contain only 68 % of the former."""
_SHRINKAGE = 40.0
"""How many entries of a role its own quantile needs to count as much as that of all roles."""
_ROUNDS = 6

AnySong = TypeVar("AnySong")


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=Path, nargs="+", required=True, help="files of levels")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    files = {path.name: read_facts(path) for path in arguments.facts}
    kinds = [kind for kind in BAND_SHARES if any(facts[kind] for facts in files.values())]
    for kind, entries in {"buses": "buses", "stems": "single tracks"}.items():
        if kind not in kinds:
            print(
                f"{', '.join(files)}: no {entries}, so nothing is chosen for them; add a file that has some",
                file=sys.stderr,
            )
    result: dict[str, Any] = {
        "bands": {kind: bands({name: facts[kind] for name, facts in files.items()}, kind) for kind in kinds}
    }
    if "stems" in kinds:
        result["tracks"] = track_rule([song for facts in files.values() for song in facts["stems"]])
    if arguments.json:
        print(json.dumps(result, indent=1))
        return 0
    if "stems" in kinds:
        print("| rule for tracks | mean error, dB | against equal loudness, dB |\n| --- | --- | --- |")
        for name, (mean, difference) in result["tracks"]["rules"].items():
            print(f"| {name} | {mean:.2f} | {difference[0]:+.2f} ({difference[1]:+.2f} to {difference[2]:+.2f}) |")
        print(
            f"\nChosen in the folds (vocals, drums, share of percussion and fx, sharing): {result['tracks']['chosen']}"
        )
    print("\n| 80 % bands | chosen on other producers | as written |\n| --- | --- | --- |")
    for kind, found in result["bands"].items():
        for name, shares in found["shares"].items():
            print(f"| {kind}, {name} | {100 * shares['chosen']:.0f} % | {100 * shares['written']:.0f} % |")
    for kind, found in result["bands"].items():
        chosen_db = ", ".join(f"{role} {deviation:.1f}" for role, deviation in found["chosen_db"].items())
        print(f"\nStandard deviations chosen on all producers, {kind}, dB: {chosen_db}")
    return 0


def track_rule(songs: Sequence[Facts]) -> dict[str, Any]:
    """Return the errors of rules for tracks that are chosen on other producers, and the choices."""
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
    choices, errors = [], {}
    for held_out in _folds(producers):
        best = int(np.mean([of_producer[name] for name in producers if name not in held_out], axis=0).argmin())
        choices.append(candidates[best])
        errors.update({name: float(of_producer[name][best]) for name in held_out})
    rows = {"equal loudness": loudness, "chosen on other producers": errors, "as written": written}
    return {"rules": {name: _against(row, loudness) for name, row in rows.items()}, "chosen": choices}


def bands(files: Mapping[str, Sequence[Facts]], kind: str) -> dict[str, Any]:
    """Return the share of entries inside bands that are chosen on other producers, by file, and the choices.

    Parameters
    ----------
    files : the songs of each file.
    kind : ``"buses"`` or ``"stems"``.
    """
    tracks = kind == "stems"
    songs = [song for of_file in files.values() for song in of_file]
    inside = {}
    for held_out in _folds(sorted({song.producer for song in songs})):
        deviations = band_deviations([song for song in songs if song.producer not in held_out], kind)
        for song in songs:
            if song.producer in held_out:
                inside[id(song)] = float((_sizes(song, deviations, tracks=tracks) <= EIGHTY_PERCENT).mean())
    written = {}
    for song in songs:
        gains, deviation_db = predicted(song, tracks=tracks)
        written[id(song)] = float((np.abs(gains - gains.mean()) <= EIGHTY_PERCENT * deviation_db).mean())
    return {
        "shares": {
            name: {
                "chosen": _mean_by_producer(of_file, [inside[id(song)] for song in of_file]),
                "written": _mean_by_producer(of_file, [written[id(song)] for song in of_file]),
            }
            for name, of_file in files.items()
            if of_file
        },
        "chosen_db": band_deviations(songs, kind) if songs else {},
    }


def band_deviations(songs: Sequence[Facts], kind: str) -> dict[str, float]:
    """Return the standard deviation per role whose bands contain the share `BAND_SHARES` of the songs' entries.

    Producers count equally. The key "" is for roles that no song has.
    """
    share, tracks = BAND_SHARES[kind], kind == "stems"
    names = sorted({bus for song in songs for bus in song.buses})
    deviations = dict.fromkeys(names, 4.0)
    n_songs_of = {song.producer: sum(other.producer == song.producer for other in songs) for song in songs}
    role_of_entry = np.concatenate([song.buses for song in songs])
    weight = np.concatenate(
        [np.full(len(song.buses), 1.0 / (len(song.buses) * n_songs_of[song.producer])) for song in songs]
    )
    for _ in range(_ROUNDS):
        size = np.concatenate([_sizes(song, deviations, tracks=tracks) for song in songs]) / EIGHTY_PERCENT
        common = _quantile(size, weight, share)
        for name in names:
            own = role_of_entry == name
            quantile, count = _quantile(size[own], weight[own], share), np.count_nonzero(own)
            shrunk = (count * np.log(max(quantile, 0.05)) + _SHRINKAGE * np.log(common)) / (count + _SHRINKAGE)
            deviations[name] *= float(np.exp(shrunk))
    return {"": float(np.median(list(deviations.values()))), **deviations}


def chosen(
    songs: Sequence[AnySong],
    group: Callable[[AnySong], str],
    error_of: Callable[[BalancePrior, AnySong, list[AnySong]], float],
) -> BalancePrior:
    """Return the prior for buses under which `songs`, each predicted from those of other groups, have least error.

    Two of its numbers were chosen on songs: how much tone counts and the offset of the vocals.
    """
    priors = [
        msgspec.structs.replace(
            WRITTEN, offsets={**WRITTEN.offsets, "vocals": vocals_db}, shared={**WRITTEN.shared, "tone": tone}
        )
        for tone in BUS_TONES
        for vocals_db in BUS_VOCALS_DB
    ]
    rest = {group(song): [other for other in songs if group(other) != group(song)] for song in songs}
    return min(priors, key=lambda prior: np.mean([error_of(prior, song, rest[group(song)]) for song in songs]))


def _folds(producers: Sequence[str]) -> list[set[str]]:
    order = np.random.default_rng(0).permutation(producers).tolist()
    return [set(order[fold::N_FOLDS]) for fold in range(N_FOLDS)]


def _error_of(song: Facts, candidate: tuple[float, float, float, float]) -> float:
    vocals_db, drums_db, share, sharing_db = candidate
    offsets = {
        "vocals": vocals_db,
        "drums": drums_db,
        "percussion": share * TRACK_OFFSETS_DB["percussion"],
        "fx": share * TRACK_OFFSETS_DB["fx"],
    }
    kit_db, instruments = kit_levels(song.buses, song.roles, np.ones(len(song.buses), bool))
    places = [roles.place_of(bus) for bus in song.buses]
    n_sharing = [sum(instruments[np.array(places) == place]) for place in places]
    levels = np.array([offsets.get(bus, 0.0) for bus in song.buses]) + kit_db - sharing_db * np.log10(n_sharing)
    return error_db(levels - song.loudness_lufs)


def _sizes(song: Facts, deviations: Mapping[str, float], *, tracks: bool) -> FloatArray:
    """Return the entries' distances from their prediction in standard deviations, shape (n_entries,)."""
    gains, _ = predicted(song, tracks=tracks)
    scales = np.array([deviations.get(bus, deviations.get("", 4.0)) for bus in song.buses])
    if tracks:
        _, instruments = kit_levels(song.buses, song.roles, np.ones(len(song.buses), bool))
        scales = np.hypot(scales, np.where(instruments < 1.0, KIT_DEVIATION_DB, 0.0))
    scales = np.hypot(centred_deviation_db(scales), WRITTEN.moment_deviation_db)
    return np.abs(gains - gains.mean()) / scales


def _quantile(values: FloatArray, weight: FloatArray, share: float) -> float:
    order = np.argsort(values)
    shares = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    return float(np.interp(share, shares, values[order]))


def _against(errors: dict[str, float], reference: dict[str, float]) -> tuple[float, list[float]]:
    difference: FloatArray = np.array([errors[name] - reference[name] for name in reference])
    return float(np.mean(list(errors.values()))), [float(difference.mean()), *interval(difference)]


def _mean_by_producer(songs: Sequence[Facts], values: Sequence[float]) -> float:
    found: dict[str, list[float]] = {}
    for song, value in zip(songs, values, strict=True):
        found.setdefault(song.producer, []).append(value)
    return float(np.mean([np.mean(of_producer) for of_producer in found.values()]))


if __name__ == "__main__":
    raise SystemExit(main())
