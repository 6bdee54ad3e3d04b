"""The words of track and file names, read from phrases.txt, and the buses of the roles they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.matching.tokens import normalize

BUS_OF_ROLE = {
    "kick": "drums",
    "snare": "drums",
    "hihat": "drums",
    "toms": "drums",
    "cymbals": "drums",
    "overheads": "drums",
    "room": "drums",
    "claps": "drums",
    "drum kit": "drums",
    "drum loop": "drums",
    "bass": "bass",
    "sub bass": "bass",
    "accompaniment": "melody",
    "lead vocal": "vocals",
    "vocal double": "vocals",
    "vocal fx": "vocals",
    "percussion": "percussion",
    "electric guitar": "guitars",
    "lead guitar": "guitars",
    "acoustic guitar": "guitars",
    "piano": "keys",
    "organ": "keys",
    "keys": "keys",
    "synth": "synths",
    "pad": "synths",
    "arp": "synths",
    "lead synth": "synths",
    "strings": "strings",
    "brass": "brass",
    "woodwinds": "winds",
    "backing vocal": "backing vocals",
    "fx": "fx",
    "ambience": "fx",
}
"""The bus of each role that has one."""

BARS = {
    "click": "a click track",
    "guide": "a guide or cue, not part of the mix",
    "reference": "a reference, not part of the mix",
    "mixdown": "a mix of everything",
    "effect return": "an effect return or a print of effects",
    "midi": "MIDI or a trigger, which is not heard",
    "speech": "speech, not part of the music",
    "control track": "a track that only controls others",
}
"""Why a track or file belongs to no bus, and how that is said."""

SEVERAL_BUSES = "several buses"
"""Role of what contains instruments of more than one bus."""

FAMILY = {
    "drums": {"percussion"},
    "percussion": {"drums"},
    "vocals": {"backing vocals"},
    "backing vocals": {"vocals"},
    "melody": {"guitars", "keys", "synths", "strings", "brass", "winds", "fx", "percussion"},
    "keys": {"synths"},
    "synths": {"keys", "fx"},
    "brass": {"winds"},
    "winds": {"brass"},
    "strings": {"brass", "winds"},
    "fx": {"synths"},
}
"""Other buses whose tracks a folder with a bus's name may contain."""

MEANING_IN_FOLDER: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("vocals", "backing vocal", frozenset({"bass", "basses"})),
    ("backing vocals", "backing vocal", frozenset({"bass", "basses", "bajo", "basso", "baixo"})),
    ("winds", "woodwinds", frozenset({"alto", "alt", "tenor", "ten", "soprano", "sop", "bari", "baritone"})),
    ("brass", "brass", frozenset({"alto", "tenor", "baritone", "bari", "bass"})),
    (
        "strings",
        "strings",
        frozenset({"bass", "basses", "double bass", "doublebass", "contrabass", "kontrabass", "cb", "db", "alto"}),
    ),
    ("percussion", "percussion", frozenset({"cymbal", "cymbals", "crash", "bass drum", "bass drums", "snare drum"})),
    ("guitars", "electric guitar", frozenset({"vox", "bari", "baritone", "room"})),
)
"""(bus of the folder, role, words that have this role there whatever they mean elsewhere)."""

JOINERS = frozenset({"and", "und", "et", "y", "и", "plus", "og", "och", "と"})
"""Words between two instruments that are both in the track."""
NEGATIONS = frozenset({"no", "without", "minus", "ohne", "sans", "sin", "sem", "senza", "wo", "bez", "без", "less"})
ACCOMPANIMENTS = frozenset({"with", "mit", "avec", "con", "com", "feat", "featuring"})
"""What follows these words only comes along in what the name describes."""
VERSION_WORDS = frozenset({"new", "louder", "quieter", "updated", "up", "down", "neu", "nouveau", "nuevo", "changed"})
"""Words that make an instrument in brackets the description of a mix: "Song (new vox)"."""

_HEADING = re.compile(r"\[(.+?)(?: ([\d.]+))?\]")


@dataclass(frozen=True)
class Phrase:
    """What a phrase means."""

    role: str
    weight: float
    word_counts: frozenset[int]
    """How many words it is written in; others are accepted only where each word has two letters or more."""


@cache
def phrases() -> dict[str, Phrase]:
    """Return the phrases by their letters without spaces."""
    found: dict[str, Phrase] = {}
    plurals: dict[str, Phrase] = {}
    for (role, weight), names in _sections().items():
        for name in names if weight else ():
            words = name.split()
            joined = "".join(words)
            known = found.get(joined)
            counts = frozenset({len(words)}) | (known.word_counts if known else frozenset())
            found[joined] = (
                Phrase(known.role, known.weight, counts)
                if known and known.weight >= weight
                else Phrase(role, weight, counts)
            )
            if len(words[-1]) > 2 and words[-1].isascii() and words[-1].isalpha():
                plurals.setdefault(joined + "s", found[joined])
    return {**plurals, **found}


@cache
def word_list(name: str) -> frozenset[str]:
    """Return one of the lists of words at the end of phrases.txt."""
    return frozenset(_sections()[name, 0.0])


@cache
def neutral_words() -> frozenset[str]:
    """Return the words that say nothing about the role."""
    return word_list("modifiers") | word_list("neutral")


@cache
def misspellings() -> dict[str, str]:
    """Return the often misspelled words by themselves with one letter left out."""
    return {word[:i] + word[i + 1 :]: word for word in sorted(word_list("often misspelled")) for i in range(len(word))}


@cache
def _sections() -> dict[tuple[str, float], list[str]]:
    found: dict[tuple[str, float], list[str]] = {}
    names: list[str] = []
    text = normalize(Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8"))
    for line in text.splitlines():
        heading = _HEADING.fullmatch(line)
        if heading:
            names = found.setdefault((heading[1], float(heading[2] or 0)), [])
        elif line and not line.startswith("#"):
            names += [name.strip() for name in line.split(";") if name.strip()]
    return found
