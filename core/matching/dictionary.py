"""The words of track and file names: what they mean (phrases.txt), and how names are split into words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

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
    "effect return": "an effect return or a rendered effect",
    "midi": "MIDI or a trigger, which has no sound",
    "speech": "speech, not part of the music",
    "control track": "a track that only controls others",
}
"""The reasons why a track or file belongs to no bus, and their descriptions."""

SEVERAL_BUSES = "several buses"
"""Role of what contains instruments of more than one bus."""

AMBIGUOUS = "ambiguous"
"""Role of words that mean different things in different sessions; they decide nothing."""

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
"""(bus of the folder, role, words that have this role there, regardless of their meaning elsewhere)."""

JOINERS = frozenset({"and", "und", "et", "y", "и", "plus", "og", "och", "と"})
"""Words between two instruments that are both in the track."""
NEGATIONS = frozenset({"no", "without", "minus", "ohne", "sans", "sin", "sem", "senza", "wo", "bez", "без", "less"})
ACCOMPANIMENTS = frozenset({"with", "mit", "avec", "con", "com", "feat", "featuring"})
"""What follows these words only comes along in what the name describes."""
REST = frozenset({"other", "others", "rest", "misc", "extra", "extras", "otros", "outros", "autres", "altro", "altri"})
"""Words for what remains: they mean the accompaniment of a song, and in a folder what the folder contains."""
VERSION_WORDS = frozenset({"new", "louder", "quieter", "updated", "up", "down", "neu", "nouveau", "nuevo", "changed"})
"""Words that make an instrument in brackets the description of a mix: "Song (new vox)"."""

_HEADING = re.compile(r"\[(.+?)(?: ([\d.]+))?\]")


class Phrase(NamedTuple):
    """What a phrase means; with other word counts it is accepted only where each word has two letters or more."""

    role: str
    weight: float
    word_counts: tuple[int, ...]


@cache
def phrases() -> dict[str, Phrase]:
    """Return the phrases by their letters without spaces, also with a plural of their last word or without it."""
    found: dict[str, Phrase] = {}
    numbers: dict[str, Phrase] = {}
    for (role, weight), names in _sections().items():
        for name in names if weight else ():
            words = name.split()
            joined = "".join(words)
            known = found.get(joined)
            counts = (len(words), *(known.word_counts if known else ()))
            found[joined] = (
                Phrase(known.role, known.weight, counts)
                if known and known.weight >= weight
                else Phrase(role, weight, counts)
            )
            if len(words[-1]) > 2 and words[-1].isascii() and words[-1].isalpha():
                numbers.setdefault(joined + "s", found[joined])
                if len(words) > 1 and words[-1].endswith("s"):
                    numbers.setdefault(joined[:-1], found[joined])
    return {**numbers, **found}


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
    text = Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8")
    for line in map(normalize, text.splitlines()):
        heading = _HEADING.fullmatch(line)
        if heading:
            names = found.setdefault((heading[1], float(heading[2] or 0)), [])
        elif line and not line.startswith("#"):
            names += [name.strip() for name in line.split(";") if name.strip()]
    return found


AUDIO_ENDINGS = re.compile(
    r"wave?|bwf|aif[fc]?|flac|og[ga]|mogg|opus|mp[234]|m4a|aac|alac|caf|wv|ape|wma|w64|rf64|au|snd|sd2|ds|rex|rx2|midi?"
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ß": "ss", "♯": "#"}
)
_KANA_MARKS = "\u3099\u309a"
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\u3005々ー"
_CHUNK = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:#(?![^\W_]))?|[()\[\]{{}}<>【】「」『』]|[+&/]|[^\w\s]|_|\s")
_CAPITAL = r"A-Z\u00c0-\u00d6\u00d8-\u00de\u0410-\u042f\u0401"
_SMALL = rf"[^\W\d_{_CAPITAL}]"
_CAMEL = re.compile(rf"(?<={_SMALL})(?=[{_CAPITAL}])|(?<=[{_CAPITAL}])(?=[{_CAPITAL}]{_SMALL})")
_DIGITS = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_IGNORED = re.compile(
    r"""
    (?<![^\W_])(?:
        \d{4}[-_.]\d{2}[-_.]\d{2}(?:[-_ T.]*\d{2}[-_.:]?\d{2}(?:[-_.:]?\d{2})?)?   # date and time
      | \d{2,3}(?:[.,]\d+)?\s?bpm | bpm\s?\d{2,3}                                  # tempo
      | \d{2,3}(?:[.,]\d)?\s?k?hz | (?:44|48|88|96|192)(?:[.,]\d)?k                # sample rate
      | (?:16|24|32)[-\s]?bits?                                                    # word length
      | key\s(?:of\s)?[a-h](?:\#|b|is|es)?(?:\s?(?:m|min|maj|minor|major|moll|dur))?(?![^\W_])
      | in\s[a-h](?:\#|b)?\s(?:minor|major|min|maj|moll|dur)
      | v(?:er|ersion|rs)?\.?\s?\d+(?:\.\d+)*[a-z]? | take\s?\d+ | (?<!fx[-_\s])rev\s?\d+
    )(?![^\W_])
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SUBGROUP = re.compile(r"(?<![^\W_])sub[-_\s]*(?:groups?|grp|mix)(?![^\W_])", re.IGNORECASE)
_OPENING, _CLOSING = "([{<【「『", ")]}>】」』"


@dataclass(frozen=True)
class Word:
    """One word of a name."""

    text: str
    """Case-folded, without accents."""
    segment: int
    """Number of separators other than spaces before it."""
    bracket: int
    """Number of the pair of brackets it is in, 0 outside."""
    joiner: str = ""
    """A sign such as + or & before it."""
    is_upper: bool = False
    """Whether it is written in capital letters."""


def normalize(text: str) -> str:
    """Return `text` case-folded, without accents and compatibility forms."""
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    if folded.isascii():
        return folded
    bare = [
        char
        for char in unicodedata.normalize("NFD", folded)
        if char in _KANA_MARKS or unicodedata.category(char) != "Mn"
    ]
    return unicodedata.normalize("NFC", "".join(bare))


def without_ending(name: str) -> str:
    """Return `name` without the ending of an audio file, repeated ones as well ("kick.wav.ogg")."""
    while True:
        stem, dot, ending = name.rpartition(".")
        if not dot or not stem or not AUDIO_ENDINGS.fullmatch(ending.strip().casefold()):
            return name
        name = stem


def words_of(name: str) -> list[Word]:
    """Return the words of a track's name, or of a file's without its ending.

    Dates, tempi, keys, sample rates and versions are left out.
    """
    text = _IGNORED.sub(" ", _SUBGROUP.sub("submix", unicodedata.normalize("NFKC", name)))
    words: list[Word] = []
    segment, bracket, brackets, joiner = 0, 0, 0, ""
    for chunk in _CHUNK.findall(text):
        if chunk in _OPENING:
            brackets += 1
            bracket = brackets
            segment += 1
        elif chunk in _CLOSING:
            bracket = 0
            segment += 1
        elif chunk.isspace():
            continue
        elif not (chunk[0].isalnum() or chunk[0] in "ー々"):
            segment += 1
            joiner = chunk if chunk in "+&/," else ""
        else:
            has_accents = normalize(chunk) != chunk.casefold()
            for piece in pieces_of(chunk):
                text = chunk.casefold() if has_accents and piece in NEGATIONS else piece
                words.append(Word(text, segment, bracket, joiner, chunk.isupper()))
                joiner = ""
    return words


def parts_by_case(chunk: str) -> list[str]:
    """Split at changes from small to capital letters and between letters and digits."""
    return [part for run in _CAMEL.split(chunk) for part in _DIGITS.split(run) if part]


def is_written_without_spaces(text: str) -> bool:
    """Return whether `text` is Chinese, Japanese or Korean."""
    return bool(re.match(rf"[{_CJK}]", text))


_SHORT_PIECES = re.compile("ag|bd|bg|bv|di|dn|dt|eg|fx|hh|hi|in|kd|ld|lo|lt|lv|oh|rt|sn|up|vx")


def pieces_of(chunk: str) -> list[str]:
    """Return the words in a run of letters and digits, such as ["kick", "in", "2"] for "kickIn2"."""
    whole = normalize(chunk)
    if is_written_without_spaces(whole):
        return _longest_known(whole)
    if whole.isdigit() or _is_known(whole):
        return [whole]
    pieces = [
        piece
        for part in _joined_with_digits([normalize(part) for part in parts_by_case(chunk)])
        for piece in _pieces_of_letters(part)
    ]
    if all(_is_known(piece) or len(piece) == 1 or piece.isdigit() for piece in pieces):
        return pieces
    return (_segmented(whole) if whole.isalpha() else None) or pieces


def _is_known(word: str) -> bool:
    return word in phrases() or word in neutral_words()


def _joined_with_digits(parts: list[str]) -> list[str]:
    """Join letters and digits that form a known word, such as "d112"."""
    found: list[str] = []
    i = 0
    while i < len(parts):
        joined = next((n for n in (3, 2) if i + n <= len(parts) and "".join(parts[i : i + n]) in phrases()), 1)
        word = "".join(parts[i : i + joined])
        if joined > 1 and word.isalpha():
            joined, word = 1, parts[i]
        found.append(word)
        i += joined
    return found


def _pieces_of_letters(word: str) -> list[str]:
    if len(word) < 3 or not word.isalpha() or _is_known(word):
        return [word]
    return _segmented(word) or [_corrected(word) or word]


@lru_cache(maxsize=4096)
def _segmented(word: str) -> list[str] | None:
    """Return the fewest known words that `word` consists of, or None."""
    if not 3 <= len(word) <= 24 or word in word_list("not compounds"):
        return None
    best: dict[int, list[str]] = {0: []}
    for stop in range(2, len(word) + 1):
        for start in range(max(0, stop - 14), stop):
            piece = word[start:stop]
            if start in best and _is_piece(piece, at_end=stop == len(word)):
                found = [*best[start], piece]
                if stop not in best or len(found) < len(best[stop]):
                    best[stop] = found
    pieces = best.get(len(word))
    if not pieces:
        return _with_whole_name(word)
    heaviest = max((phrase.weight for piece in pieces if (phrase := phrases().get(piece))), default=0.0)
    return pieces if heaviest >= 1.5 and (len(word) >= 5 or len(pieces) == 2) else None


def _is_piece(piece: str, *, at_end: bool) -> bool:
    if len(piece) == 1:
        return at_end and piece in "lrcm"
    if len(piece) == 2:
        return bool(_SHORT_PIECES.fullmatch(piece))
    return piece in word_list("parts of compounds") or piece in word_list("modifiers")


def _with_whole_name(word: str) -> list[str] | None:
    """Return an instrument's full name at the beginning or end of `word`, and the rest of it."""
    for length in range(len(word) - 2, 4, -1):
        if word[-length:] in word_list("whole names"):
            return [word[:-length], word[-length:]]
        if word[:length] in word_list("whole names"):
            return [word[:length], word[length:]]
    return None


def _corrected(word: str) -> str | None:
    """Return the word that `word` is a misspelling of, or None."""
    if len(word) < 5 or not word.isascii():
        return None
    known = misspellings()
    if word in known:
        return known[word]
    for i in range(len(word) if len(word) >= 6 else 0):
        shorter = word[:i] + word[i + 1 :]
        found = shorter if shorter in word_list("often misspelled") else known.get(shorter)
        if found and found[0] == word[0] and len(found) >= 5:
            return found
    return None


def _longest_known(chunk: str) -> list[str]:
    """Return the longest known phrases in Chinese, Japanese or Korean text, and what is between them."""
    found: list[str] = []
    rest = ""
    while chunk:
        piece = next((chunk[:n] for n in range(min(12, len(chunk)), 0, -1) if _is_known(chunk[:n])), "")
        if piece and rest:
            found.append(rest)
        if piece:
            found.append(piece)
            rest = ""
        else:
            rest += chunk[0]
        chunk = chunk[len(piece) or 1 :]
    return [*found, rest] if rest else found
