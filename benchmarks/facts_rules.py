"""Compare balance rules on any file of levels: the JSON that `balance_facts.py --facts FILE --json` prints.

Conventions: in a file of facts the stems are at the level they have in the mix, so the true gain of every one is the
same. A rule's error for a song is the mean absolute gain it gives after the mean gain is removed, in dB. Songs of a
producer are averaged first, and intervals are bootstrapped over producers. Songs with fewer than three entries are left
out.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy_page import interval
from core.decibels import FloatArray
from core.errors import InputError
from core.matching.matcher import match_name
from core.models.balance import WRITTEN, BalancePrior, StemLevels
from core.models.fit import EIGHTY_PERCENT
from core.models.habits import OTHERS_WORK, DeviationsOfSong, learn_habits
from core.models.model import Model
from core.models.predict import KIT_LEVELS_DB, predict_balance

LEAST_ENTRIES = 3
ESTIMATED_LEVEL_ERROR_DB = 1.75
"""Standard error of levels that were worked out from activation confidences (MedleyDB)."""
_BUS_ROW = "(bus)"
_BUS_OF_FACTS_ROLE = {"mixed backing": "melody", "other plucked": "melody", "mallets": "melody", "lead": "melody"}
"""Buses of roles of the facts' own vocabulary; track names of the same words can mean other things."""


@dataclass(frozen=True, eq=False)
class Facts:
    """Levels of one song's buses or stems.

    Attributes
    ----------
    producer, title, collection : the song's; a song may be in several collections, with other buses.
    buses : the bus that each entry is or belongs to.
    roles : what each entry plays, such as "snare".
    loudness_lufs, tone_db : gated loudness, and RMS minus loudness (0 where unknown), shape (n_entries,).
    level_error_db : standard error of the levels.
    """

    producer: str
    title: str
    collection: str
    buses: tuple[str, ...]
    roles: tuple[str, ...]
    loudness_lufs: FloatArray
    tone_db: FloatArray
    level_error_db: float


def read_facts(path: Path) -> dict[str, list[Facts]]:
    """Return the songs in `path` by kind, ``"buses"`` and ``"stems"``; rows without a level are left out.

    Columns are those of stems at mix level (producer, song, bus, role, stem, loudness_lufs, tone_db), or those of
    MedleyDB's levels (artist, song, role, bus, level_lufs_like, usable). Without a column `stem` all rows are buses.

    Raises
    ------
    InputError
        The file cannot be read or has no column of levels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = set(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); give a file of levels") from error
    level = next((name for name in ("loudness_lufs", "level_lufs_like") if name in columns), None)
    if level is None:
        raise InputError(f"{path}: has no column loudness_lufs or level_lufs_like; give a file of levels")
    songs: dict[tuple[str, str, str, str], list[dict[str, str]]] = {}
    for row in rows:
        if math.isnan(_number(row.get(level))) or (row.get("usable") or "yes").strip().lower() in ("no", "false", "0"):
            continue
        is_bus = "stem" not in columns or (row["stem"] or "").strip() == _BUS_ROW
        producer = (row.get("producer") or row.get("artist") or row.get("song") or "").strip()
        key = (
            "buses" if is_bus else "stems",
            producer,
            (row.get("song") or "").strip(),
            (row.get("set") or "").strip(),
        )
        songs.setdefault(key, []).append(row)
    found: dict[str, list[Facts]] = {"buses": [], "stems": []}
    for (kind, producer, title, collection), entries in songs.items():
        tone = np.array([_number(row.get("tone_db")) for row in entries])
        song = Facts(
            producer=producer,
            title=title,
            collection=collection,
            buses=tuple(_bus_of(row) for row in entries),
            roles=tuple(_role_of(row) for row in entries),
            loudness_lufs=np.array([_number(row[level]) for row in entries]),
            tone_db=np.nan_to_num(tone),
            level_error_db=ESTIMATED_LEVEL_ERROR_DB if level == "level_lufs_like" else 0.0,
        )
        if len(entries) >= LEAST_ENTRIES:
            found[kind].append(song)
    return found


def compare_rules(facts: Mapping[str, Sequence[Facts]]) -> dict[str, Any]:
    """Return each kind's number of songs and producers, and each rule's errors."""
    return {kind: _compared(songs, tracks=kind == "stems") for kind, songs in facts.items()}


def predicted(song: Facts, *, tracks: bool, prior: BalancePrior = WRITTEN) -> tuple[FloatArray, FloatArray]:
    """Return the gains that the product's rule gives the song's entries, and their deviations, dB, (n_entries,)."""
    model = Model(name="facts", preset="default", feature_set="condition3", prior=prior)
    n_entries = len(song.buses)
    levels = StemLevels(
        loudness_lufs=song.loudness_lufs,
        tone_db=song.tone_db,
        covered_db=np.zeros(n_entries),
        presence=np.ones(n_entries),
        frame_lufs=song.loudness_lufs[None],
        active=np.ones((1, n_entries), bool),
    )
    balance = predict_balance(model, song.buses, levels, tracks=tracks, track_roles=song.roles if tracks else ())
    return balance.balance_db[0], balance.deviation_db


def error_db(gains: FloatArray) -> float:
    """Return how far gains (n_entries,) are from the true ones, which are all equal, dB."""
    return float(np.abs(gains - gains.mean()).mean())


def _compared(songs: Sequence[Facts], *, tracks: bool) -> dict[str, Any]:
    rules: dict[str, Callable[[Facts], FloatArray]] = {
        "plain": lambda song: -song.loudness_lufs - song.tone_db,
        "loudness": lambda song: -song.loudness_lufs,
        "ours": lambda song: predicted(song, tracks=tracks)[0],
    }
    errors = {name: [error_db(rule(song)) for song in songs] for name, rule in rules.items()}
    compared: dict[str, Any] = {
        "songs": len({(song.producer, song.title) for song in songs}),
        "producers": len({song.producer for song in songs}),
        "rules": {name: _summary(songs, found, errors) for name, found in errors.items()} if songs else {},
    }
    if songs:
        compared["band_80_coverage"] = _band_coverage(songs, tracks=tracks)
    several = [i for i, song in enumerate(songs) if _others_of(song, songs)]
    if several:
        known = [songs[i] for i in several]
        own = {name: [found[i] for i in several] for name, found in errors.items()}
        learned = [error_db(_learned_gains_db(song, known, tracks=tracks)) for song in known]
        producers = len({song.producer for song in known})
        compared["rules"]["ours_learned"] = {
            "songs": len({(song.producer, song.title) for song in known}),
            "producers": producers,
            **_summary(known, learned, own),
            "against_ours": _difference(known, learned, own["ours"]),
        }
    return compared


def _learned_gains_db(song: Facts, songs: Sequence[Facts], *, tracks: bool) -> FloatArray:
    """Return the rule's gains for `song` after the habits that its producer's other songs show."""
    others = _others_of(song, songs)
    deviations = [
        DeviationsOfSong(other.buses, -predicted(other, tracks=tracks)[0], known_error_db=other.level_error_db)
        for other in others
    ]
    habits = learn_habits(deviations, prior=OTHERS_WORK)
    return predicted(song, tracks=tracks)[0] + np.array([habits.offset_of(bus) for bus in song.buses])


def _others_of(song: Facts, songs: Sequence[Facts]) -> list[Facts]:
    """Return the other songs of the producer in the same collection."""
    return [
        other
        for other in songs
        if (other.producer, other.collection) == (song.producer, song.collection) and other.title != song.title
    ]


def _band_coverage(songs: Sequence[Facts], *, tracks: bool) -> dict[str, float]:
    """Return the share of entries whose true gain is in the 80 % band: mean over producers, then by bus."""
    inside: dict[str, list[float]] = {}
    of_songs = []
    for song in songs:
        gains, deviation = predicted(song, tracks=tracks)
        hits = np.abs(gains - gains.mean()) <= EIGHTY_PERCENT * deviation
        of_songs.append(float(hits.mean()))
        for bus, hit in zip(song.buses, hits.tolist(), strict=True):
            inside.setdefault(bus, []).append(float(hit))
    means = {bus: round(float(np.mean(hits)), 3) for bus, hits in sorted(inside.items())}
    return {"all": round(float(_by_producer(songs, of_songs).mean()), 3), **means}


def _summary(songs: Sequence[Facts], found: Sequence[float], errors: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    by_producer = _by_producer(songs, found)
    return {
        "mean": round(float(by_producer.mean()), 3),
        "against_plain": _difference(songs, found, errors["plain"]),
        "against_loudness": _difference(songs, found, errors["loudness"]),
        "worst": round(float((by_producer - _by_producer(songs, errors["plain"])).max()), 3),
    }


def _difference(songs: Sequence[Facts], found: Sequence[float], reference: Sequence[float]) -> list[float]:
    difference = _by_producer(songs, found) - _by_producer(songs, reference)
    return [round(value, 3) for value in (float(difference.mean()), *interval(difference))]


def _by_producer(songs: Sequence[Facts], errors: Sequence[float]) -> FloatArray:
    """Return the mean error of each producer's songs, in the order of their first songs."""
    found: dict[str, list[float]] = {}
    for song, error in zip(songs, errors, strict=True):
        found.setdefault(song.producer, []).append(error)
    return np.array([np.mean(values) for values in found.values()])


def _bus_of(row: Mapping[str, str]) -> str:
    """Return the bus of an entry from its role, else its bus, else its name; the name itself where all are unknown."""
    for column in ("role", "bus", "instrument", "stem"):
        written = (row.get(column) or "").strip().casefold()
        if written in _BUS_OF_FACTS_ROLE:
            return _BUS_OF_FACTS_ROLE[written]
        bus = match_name(written.replace("/", " ")).bus if written else None
        if bus:
            return bus
    return (row.get("role") or row.get("bus") or "unknown").strip().casefold()


def _role_of(row: Mapping[str, str]) -> str:
    """Return what an entry plays: a drum where its role or its name is one, else the instrument of its role."""
    found = [match_name((row.get(column) or "").replace("/", " ")).role for column in ("role", "stem")]
    return next((role for role in found if role in KIT_LEVELS_DB), found[0])


def _number(text: str | None) -> float:
    """Return the finite number in `text`, or NaN."""
    try:
        value = float((text or "").strip())
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
