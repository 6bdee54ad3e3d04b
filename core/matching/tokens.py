"""Split the names of tracks and files into words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

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
      | v(?:er|ersion|rs)?\.?\s?\d+(?:\.\d+)*[a-z]? | take\s?\d+ | rev\s?\d+
    )(?![^\W_])
    """,
    re.IGNORECASE | re.VERBOSE,
)
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


def words_of(name: str, pieces_of: Callable[[str], list[str]]) -> list[Word]:
    """Return the words of a name.

    Parameters
    ----------
    name : a track's name, or a file's without its ending.
    pieces_of : returns the words in a run of letters and digits as it is written, such as "kickIn2".

    Returns
    -------
    words without dates, tempi, keys, sample rates and versions.
    """
    text = _IGNORED.sub(" ", unicodedata.normalize("NFKC", name))
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
            joiner = chunk if chunk in "+&/" else ""
        else:
            for piece in pieces_of(chunk):
                words.append(Word(piece, segment, bracket, joiner))
                joiner = ""
    return words


def parts_by_case(chunk: str) -> list[str]:
    """Split at changes from small to capital letters and between letters and digits."""
    return [part for run in _CAMEL.split(chunk) for part in _DIGITS.split(run) if part]


def is_written_without_spaces(text: str) -> bool:
    """Return whether `text` is Chinese, Japanese or Korean."""
    return bool(re.match(rf"[{_CJK}]", text))
