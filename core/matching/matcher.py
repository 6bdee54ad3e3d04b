"""Find the role and the bus of a track or audio file from its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from core.matching import dictionary
from core.matching.dictionary import (
    AMBIGUOUS,
    BARS,
    BUS_OF_ROLE,
    SEVERAL_BUSES,
    Word,
    is_written_without_spaces,
    normalize,
    without_ending,
    words_of,
)

_LONGEST_PHRASE = 4
_STRONG = 1.5
"""From this weight on, a phrase counts next to the words of a title, and the folder's name does not matter."""
_DECISIVE = 5
_FOLDER = 1.7
"""From this weight on, the name of a folder says what is in it. "Beats" or "Rooms" are also names for anything."""
_GAME_TRACK = re.compile(r"PART (?:REAL_|ELITE_)?[A-Z]{4,}[ _A-Z0-9]*|HARM[123]|EVENTS|VENUE|PRO [A-Z]+|BEAT")
"""Note tracks of Rock Band and Guitar Hero projects."""
_NUMBERED_FX = re.compile(r"fx[\s_-]*(\d|[a-d]\b)", re.IGNORECASE)
_FAMILIES_OF_ROLES = frozenset({"drum kit", "electric guitar", "keys", "synth"})
_BARS_OF_FOLDERS = frozenset({"click", "guide", "reference", "effect return", "midi", "speech"})


@dataclass(frozen=True)
class Match:
    """What is known of a track or file from its name."""

    role: str
    """What it plays, such as "kick" or "lead vocal"; "bus", "several buses", a bar's name, or "unknown"."""
    bus: str | None
    """The bus it belongs to, None where it belongs to none."""
    bar: str | None
    """Why it belongs to no bus, None if it has one: a key of `BARS`, "silent", "unreadable", "stem file", "unknown"."""
    reason: str
    """Why, for the user."""
    words: tuple[str, ...]
    """The words that decided."""
    certain: bool
    """Whether the name is unambiguous."""


@dataclass(frozen=True)
class _Hit:
    """A phrase of the dictionary in a name: the words from `start` to before `stop`."""

    role: str
    weight: float
    start: int
    stop: int
    phrase: str

    @property
    def bus(self) -> str | None:
        return BUS_OF_ROLE.get(self.role)


def unknown(reason: str) -> Match:
    """Return the match of an unknown name."""
    return Match("unknown", None, "unknown", reason, (), certain=False)


def mixdown(reason: str, words: Sequence[str] = ()) -> Match:
    """Return the match of a mix of everything."""
    return Match("mixdown", None, "mixdown", reason, tuple(words), certain=False)


def _ambiguous(word: str) -> Match:
    return Match("unknown", None, "unknown", f'"{word}" has several meanings', (word,), certain=False)


def match_name(name: str, *, kind: str = "track", context: str | None = None) -> Match:
    """Return the role and the bus of a name.

    Parameters
    ----------
    name : the track's name or the file's, with or without its ending.
    kind : "track" or "file".
    context : the name of the folder track or directory it is in; it decides only where the name does not. Several,
        outermost first, are separated by "/".

    Examples
    --------
    >>> match_name("02_SN Btm.wav", kind="file").bus
    'drums'
    """
    match = _match_alone(without_ending(name))
    if kind == "track" and match.words == ("fx",) and _NUMBERED_FX.match(name.strip()):
        match = _ambiguous("fx")  # sound effects, or the return of an effect
    if kind == "file" and match.bar == "midi" and without_ending(name) == name:
        return match
    for folder in reversed((context or "").split("/")):
        inside = _in_folder(match, folder) if folder.strip() else match
        if inside is not match:
            return inside
    return match


@lru_cache(maxsize=4096)
def _match_alone(name: str) -> Match:
    if _GAME_TRACK.fullmatch(name):
        return Match("midi", None, "midi", "it is a note track of a game", (name,), certain=True)
    words = words_of(name)
    hits = _hits(words)
    described = _description_of_a_mix(words, hits)
    if described:
        return described
    counting = [hit for hit in _without_negated(words, hits) if _counts(hit, words, hits)]
    counting = _without_vague(counting)
    if not counting:
        return unknown("its name was not recognised")
    return _several_buses(words, counting) or _match_of(_deciding(words, counting), words, hits)


def _match_of(best: _Hit, words: Sequence[Word], hits: Sequence[_Hit]) -> Match:
    written = _as_written(words, best)
    certain = best.weight >= _STRONG and _unknown_words(words, hits) <= 3
    if best.role in BARS:
        return Match(best.role, None, best.role, f'"{written}" means {BARS[best.role]}', (written,), certain)
    if best.role == AMBIGUOUS:
        return _ambiguous(written)
    if best.role == SEVERAL_BUSES:
        return Match(SEVERAL_BUSES, None, "unknown", f'"{written}" means several buses', (written,), certain=False)
    says = "is in its name" if written == best.role else f"means {best.role}"
    return Match(best.role, best.bus, None, f'"{written}" {says}', (written,), certain)


def _in_folder(match: Match, folder: str) -> Match:
    """Return the match in view of the folder's name, the same object where that changes nothing."""
    outer = _match_alone(folder)
    word = match.words[0] if match.words else ""
    if match.bus:
        for bus, role, words in dictionary.MEANING_IN_FOLDER:
            if outer.bus == bus != match.bus and word in words:
                reason = f'"{word}" in the folder "{folder}" means {role}'
                return replace(match, role=role, bus=BUS_OF_ROLE[role], reason=reason, certain=False)
    is_related = match.bus is not None and (
        outer.bus == "melody" or (match.bus in dictionary.FAMILY.get(outer.bus or "", ()) and match.bus != "melody")
    )
    is_weak = word in dictionary.REST or (0 < _weight(word) < _STRONG and not is_related)
    is_open = match.role == "unknown" or is_weak
    reason = f'it is in the folder "{folder}"'
    is_clear = outer.certain and _weight(outer.words[0]) >= _FOLDER
    if is_open and outer.bus not in (None, "melody", match.bus) and is_clear:
        return Match(outer.role, outer.bus, None, reason, outer.words, certain=False)
    if match.role == "unknown" and outer.bar in _BARS_OF_FOLDERS:
        return Match(outer.role, None, outer.bar, reason, outer.words, certain=False)
    return match


def _weight(words: str) -> float:
    phrase = dictionary.phrases().get("".join(normalize(words).split()))
    return phrase.weight if phrase else 0


def _hits(words: Sequence[Word]) -> list[_Hit]:
    """Return the phrases in the words, from left to right, the longest ones first."""
    hits: list[_Hit] = []
    start = 0
    while start < len(words):
        hit = _longest_phrase(words, start)
        if hit:
            hits.append(hit)
        start = hit.stop if hit else start + 1
    return hits


def _longest_phrase(words: Sequence[Word], start: int) -> _Hit | None:
    """Return the longest phrase that begins at `start`; numbers between its words are skipped."""
    same = [i for i in range(start, min(start + 8, len(words))) if words[i].bracket == words[start].bracket]
    without_numbers = [i for i in same if i == start or not words[i].text.isdigit()]
    for length in range(_LONGEST_PHRASE, 0, -1):
        for places in (same[:length], without_numbers[:length]):
            if len(places) < length or any(words[i].joiner for i in places[1:]):
                continue
            parts = [words[i].text for i in places]
            phrase = dictionary.phrases().get("".join(parts))
            if phrase and (
                length == 1 or length in phrase.word_counts or all(len(part) > 1 and part.isalpha() for part in parts)
            ):
                return _Hit(phrase.role, phrase.weight, start, places[-1] + 1, "".join(parts))
    return None


def _as_written(words: Sequence[Word], hit: _Hit) -> str:
    texts = [word.text for word in words[hit.start : hit.stop]]
    return " ".join(text for text in texts if not text.isdigit() or text in hit.phrase)


def _unknown_words(words: Sequence[Word], hits: Sequence[_Hit], segment: int | None = None) -> int:
    """Return how many words, of one segment or of all, are in no phrase and not neutral."""
    in_hits = {i for hit in hits for i in range(hit.start, hit.stop)}
    return sum(
        i not in in_hits
        and (segment is None or word.segment == segment)
        and word.text not in dictionary.neutral_words()
        and len(word.text) > 1
        and not word.text.isdigit()
        for i, word in enumerate(words)
    )


def _counts(hit: _Hit, words: Sequence[Word], hits: Sequence[_Hit]) -> bool:
    """Return whether a hit is more than a word of a title."""
    segment = words[hit.start].segment
    unknown_here = _unknown_words(words, hits, segment)
    others = [one for one in hits if one is not hit]
    is_short = len(hit.phrase) <= 2
    if hit.weight == _DECISIVE or hit.role == "mixdown":
        elsewhere = any(one.weight >= _STRONG and words[one.start].segment != segment for one in hits)
        counts = unknown_here <= 1 or not elsewhere
    elif hit.role == "vocal double" and hit.weight < _STRONG:
        counts = any(one.bus in ("vocals", "backing vocals") and one.role != hit.role for one in others)
    elif (hit.weight < 1.25 and hit.bus == "fx") or (hit.weight < _STRONG and hit.bus == "melody"):
        counts = _unknown_words(words, hits) == 0
    elif unknown_here and len(hit.phrase) == 1 and is_written_without_spaces(hit.phrase):
        counts = all(one.weight < _STRONG for one in others)
    elif is_short and hit.weight >= 2 and hit.start == 0 and words[0].is_upper:
        counts = unknown_here <= 3
    else:
        counts = unknown_here <= 1 or (hit.weight >= 1.7 and not is_short)
    return counts


def _without_negated(words: Sequence[Word], hits: Sequence[_Hit]) -> list[_Hit]:
    """Return the hits without those after "no" and "with"."""
    governed = [hit for i in range(len(words)) for hit in _governed(words, hits, i)]
    return [hit for hit in hits if hit not in governed]


def _governed(words: Sequence[Word], hits: Sequence[_Hit], index: int) -> list[_Hit]:
    """Return the hits that the word at `index` negates ("no" only what follows it) or names as an accompaniment."""
    after = [hit for hit in hits if hit.start > index]
    if words[index].text in dictionary.NEGATIONS:
        return [hit for hit in after if all(word.text == "the" for word in words[index + 1 : hit.start])]
    if words[index].text in dictionary.ACCOMPANIMENTS:
        return [hit for hit in after if hit.start == index + 1 or words[hit.start].segment == words[index].segment]
    return []


def _without_vague(hits: Sequence[_Hit]) -> list[_Hit]:
    """Return the hits without codes, microphone positions and "other" where another word names an instrument.

    "B3" is an organ and "room" a drum room only where no other word contradicts: "Gtr Body B3", "Piano Room".
    """
    if any(hit.bus and hit.weight >= _STRONG and hit.phrase not in dictionary.REST for hit in hits):
        hits = [hit for hit in hits if hit.phrase not in dictionary.REST]
    instruments = [hit for hit in hits if hit.bus and hit.weight >= 2 and not _is_code(hit) and not _is_position(hit)]
    if not instruments:
        return list(hits)
    others = {hit.bus for hit in instruments} - {"drums"}
    return [hit for hit in hits if not (_is_code(hit) or (_is_position(hit) and others and not _names_kit(hit)))]


def _is_code(hit: _Hit) -> bool:
    return len(hit.phrase) <= 3 and hit.phrase[-1].isdigit() and not hit.phrase.isdigit()


def _is_position(hit: _Hit) -> bool:
    return hit.role in ("overheads", "room")


def _names_kit(hit: _Hit) -> bool:
    return "drum" in hit.phrase or "kit" in hit.phrase


def _description_of_a_mix(words: Sequence[Word], hits: Sequence[_Hit]) -> Match | None:
    """Return the match of names such as "Song (new vox)", "Song with drums" and "no drums"."""
    in_hits = {i for hit in hits for i in range(hit.start, hit.stop)}
    strong = [hit for hit in hits if hit.weight >= _STRONG]
    for i, word in enumerate(words):
        instruments = [hit for hit in _governed(words, hits, i) if hit.bus]
        if i in in_hits or not instruments or any(hit.start < i for hit in strong):
            continue
        text = f'"{word.text} {_as_written(words, instruments[0])}" describes a mix'
        if word.text in dictionary.ACCOMPANIMENTS:
            return mixdown(text, (word.text,))
        if word.text in dictionary.NEGATIONS:
            if instruments[0].bus in ("vocals", "backing vocals"):
                return _ambiguous(f"{word.text} {_as_written(words, instruments[0])}")
            return mixdown(text, (word.text,))
    for hit in strong:
        bracket = words[hit.start].bracket
        inside = [word.text for word in words if word.bracket == bracket]
        only_here = all(words[one.start].bracket == bracket for one in strong)
        if bracket and hit.bus and only_here and dictionary.VERSION_WORDS.intersection(inside):
            return mixdown(f'"({" ".join(inside)})" describes a version of a mix', inside)
    return None


def _several_buses(words: Sequence[Word], hits: Sequence[_Hit]) -> Match | None:
    """Return the match of a name that joins instruments of different buses ("pad + bass")."""
    if any(hit.weight == _DECISIVE for hit in hits):
        return None
    for first, second in pairwise(hit for hit in hits if hit.weight >= _STRONG and hit.bus):
        between = {word.text for word in words[first.stop : second.start]}
        is_joined = (between & dictionary.JOINERS or words[second.start].joiner) and len(between) <= 2
        is_related = first.bus == second.bus or second.bus in dictionary.FAMILY.get(first.bus or "", ())
        is_related = is_related and {first.bus, second.bus} != {"keys", "synths"}
        if is_joined and first.bus == "melody" and is_related:
            return _match_of(first, words, hits)
        if is_joined and not is_related:
            phrases = (_as_written(words, first), _as_written(words, second))
            reason = f"it contains {phrases[0]} and {phrases[1]}"
            return Match(SEVERAL_BUSES, None, "unknown", reason, phrases, certain=False)
    return None


def _deciding(words: Sequence[Word], hits: Sequence[_Hit]) -> _Hit:
    """Return the heaviest hit, the last of equal ones, with the particular role that others of its bus give it."""
    outside = [hit for hit in hits if hit.weight >= 2.5 and (hit.weight == _DECISIVE or not words[hit.start].bracket)]
    best = max(outside or hits, key=lambda hit: (hit.weight, hit.start))
    mixes = [hit for hit in hits if hit.role == "mixdown"]
    is_title = best.weight < 1.25 or (best.weight < 1.9 and _unknown_words(words, hits) > 1)
    if mixes and best.bus and is_title:
        return mixes[-1]  # "Field of Rain Mix"
    if best.role == "lead vocal":
        for role in ("backing vocal", "vocal double", "vocal fx"):
            described = [hit for hit in hits if hit.role == role and hit.phrase not in ("hey", "kids", "unison")]
            if described:
                return described[0]
    if best.role in {*_FAMILIES_OF_ROLES, "room"}:
        same = [hit for hit in hits if hit.bus == best.bus and hit.weight >= _STRONG]
        return max(same or [best], key=lambda hit: (hit.role not in _FAMILIES_OF_ROLES, hit.weight, hit.start))
    return best
