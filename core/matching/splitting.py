"""Find known words in runs of letters and digits that are written without spaces."""

from __future__ import annotations

import re
from functools import lru_cache

from core.matching import dictionary
from core.matching.tokens import is_written_without_spaces, normalize, parts_by_case

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
    return word in dictionary.phrases() or word in dictionary.neutral_words()


def _joined_with_digits(parts: list[str]) -> list[str]:
    """Join letters and digits that form a known word, such as "d112"."""
    found: list[str] = []
    i = 0
    while i < len(parts):
        joined = next(
            (n for n in (3, 2) if i + n <= len(parts) and "".join(parts[i : i + n]) in dictionary.phrases()), 1
        )
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
    if not 3 <= len(word) <= 24 or word in dictionary.word_list("not compounds"):
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
    heaviest = max((phrase.weight for piece in pieces if (phrase := dictionary.phrases().get(piece))), default=0.0)
    return pieces if heaviest >= 1.5 and (len(word) >= 5 or len(pieces) == 2) else None


def _is_piece(piece: str, *, at_end: bool) -> bool:
    if len(piece) == 1:
        return at_end and piece in "lrcm"
    if len(piece) == 2:
        return bool(_SHORT_PIECES.fullmatch(piece))
    return piece in dictionary.word_list("parts of compounds") or piece in dictionary.word_list("modifiers")


def _with_whole_name(word: str) -> list[str] | None:
    """Return an instrument's full name at the beginning or end of `word`, and the rest of it."""
    for length in range(len(word) - 2, 4, -1):
        if word[-length:] in dictionary.word_list("whole names"):
            return [word[:-length], word[-length:]]
        if word[:length] in dictionary.word_list("whole names"):
            return [word[:length], word[length:]]
    return None


def _corrected(word: str) -> str | None:
    """Return the word that `word` is a misspelling of, or None."""
    if len(word) < 5 or not word.isascii():
        return None
    misspellings = dictionary.misspellings()
    if word in misspellings:
        return misspellings[word]
    for i in range(len(word) if len(word) >= 6 else 0):
        shorter = word[:i] + word[i + 1 :]
        found = shorter if shorter in dictionary.word_list("often misspelled") else misspellings.get(shorter)
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
