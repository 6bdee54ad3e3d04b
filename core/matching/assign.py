"""Assign a whole set of tracks or files to buses, where the others help to understand each name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace

from core.matching import dictionary
from core.matching.dictionary import SEVERAL_BUSES, normalize, without_ending
from core.matching.matcher import Match, match_name, mixdown
from core.roles import MAIN_BUSES

_SEPARATOR = r"[\s_\-.\u2013\u2014()\[\]]"
_SEPARATORS = re.compile(f"{_SEPARATOR}+")
_VOICES_OR_REEDS = frozenset({"alto", "altos", "tenor", "tenors", "soprano", "baritone", "bari"})
_DOUBLE_BASS = frozenset({"double bass", "doublebass", "contrabass", "contrabasses", "upright bass", "kontrabass"})
_INSTRUMENTAL = re.compile(r"instrumental|karaoke|minus one|no (?:vocals|vox)|off ?vocal|カラオケ|инструментал|минус")
_ONLY = re.compile(r".only(?![a-z])")
_NEAREST_FOLDERS = 4


@dataclass(frozen=True)
class Item:
    """A track or file of a set, with its name and context."""

    name: str
    kind: str = "track"
    """"track" or "file"."""
    context: str | None = None
    """The folders it is in, outermost first, separated by "/"."""
    parent: int | None = None
    """Index of the folder track it is in; `context` is then made from the folders' names."""
    has_audio: bool = True
    """Whether it has audio items; they may be in the tracks of a folder."""
    receives_only: bool = False
    """Whether all it plays is sent to it by tracks that are heard without it too."""
    sources: tuple[int, ...] = ()
    """Indices of the tracks that are sent to it."""
    sends_to_parent: bool = True
    """Whether it is heard in its folder or on the master, and not only where it is sent to."""


def assign(items: Sequence[Item], *, song: str = "") -> list[Match]:
    """Return the match of each item; a name's own words come first, then its folders, then the other items.

    Parameters
    ----------
    items : the tracks of a project in its order, or the files of a folder.
    song : the song's title, where it is known; a file that is named so is the mixdown.

    Examples
    --------
    >>> [match.bus for match in assign([Item("Song - Kick"), Item("Song - Vox"), Item("Song")])]
    ['drums', 'vocals', None]
    """
    folders = _folders(items)
    title = _shared_title(items)
    matches = [_match(items, folders, index, title) for index in range(len(items))]
    matches = _helped_by_others(items, matches, (title, _parts(normalize(song))))
    contents = _contents(folders)
    for index, inside in contents.items():
        matches[index] = _folder(matches[index], {i: matches[i] for i in inside}, is_folder=contents.keys())
    return [_by_hints(items, folders, matches, index) for index in range(len(items))]


def _match(items: Sequence[Item], folders: Sequence[Sequence[int]], index: int, title: tuple[str, ...]) -> Match:
    item = items[index]
    outer = folders[index][-_NEAREST_FOLDERS:]
    context = item.context if item.parent is None else "/".join(items[i].name.replace("/", " ") for i in outer)
    rest = _without_title(item, title)
    if rest:
        match = match_name(rest, kind="track", context=context)
        if match.bus or match.bar != "unknown":
            return match
    return match_name(item.name, kind=item.kind, context=context)


def _folders(items: Sequence[Item]) -> list[list[int]]:
    """Return the folders each item is in, outermost first."""
    found: list[list[int]] = []
    for item in items:
        parent = item.parent
        is_before = parent is not None and parent < len(found)
        found.append([*found[parent], parent] if is_before and parent is not None else [])
    return found


def _contents(folders: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """Return what is in each folder, at any depth; inner folders come first."""
    found: dict[int, list[int]] = {}
    for index, outer in enumerate(folders):
        for folder in outer:
            found.setdefault(folder, []).append(index)
    return dict(sorted(found.items(), reverse=True))


# The song's title


def _name_parts(item: Item) -> list[str]:
    return _parts(without_ending(item.name) if item.kind == "file" else item.name)


def _parts(text: str) -> list[str]:
    return [part for part in _SEPARATORS.split(text) if part]


def _shared_title(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the words that at least three items and four in five begin with, if they are a title."""
    names = [[normalize(part) for part in _name_parts(item)] for item in items]
    title: tuple[str, ...] = ()
    for length in range(1, max(map(len, names), default=0) + 1):
        begun = Counter(tuple(parts[:length]) for parts in names if len(parts) >= length)
        if not begun:
            break
        start, count = begun.most_common(1)[0]
        if count < 3 or count < 0.8 * len(items) or start[:-1] != title[: length - 1]:
            break
        title = start
    match = match_name(" ".join(title))
    understood = match.certain and len(match.words) and len(title) <= len(match.words[0].split())
    return () if understood else title


def _without_title(item: Item, title: tuple[str, ...]) -> str:
    parts = _name_parts(item)
    if not title or [normalize(part) for part in parts[: len(title)]] != list(title):
        return ""
    name = without_ending(item.name) if item.kind == "file" else item.name
    rest = re.match(f"{_SEPARATOR}*" + f"{_SEPARATOR}+".join(map(re.escape, parts[: len(title)])), name)
    return name[rest.end() :].lstrip(" _-.\u2013\u2014") if rest else ""


def _is_only(item: Item, words: Sequence[str]) -> bool:
    """Return whether a name is nothing but `words`, and perhaps a version."""
    plain = [normalize(part) for part in _name_parts(item)]
    if not words or plain[: len(words)] != list(words):
        return False
    return all(part in dictionary.neutral_words() or part.isdigit() for part in plain[len(words) :])


# What the other items say


def _helped_by_others(items: Sequence[Item], matches: Sequence[Match], titles: Sequence[Sequence[str]]) -> list[Match]:
    """Return the matches in view of the song's titles (shared by the names; known) and of each other."""
    counts = Counter(match.bus for match in matches if match.bus)
    words: dict[tuple[str | None, int | None], Counter[str]] = {}
    for item, match in zip(items, matches, strict=True):
        words.setdefault((item.context, item.parent), Counter()).update(match.words)
    found = []
    for item, match in zip(items, matches, strict=True):
        buses = {bus for bus, count in counts.items() if count > (bus == match.bus)}
        neighbours = words[item.context, item.parent] - Counter(match.words)
        found.append(_as_mix(item, match, buses, titles) or _like_neighbours(match, neighbours))
    return found


def _as_mix(item: Item, match: Match, buses: Collection[str], titles: Sequence[Sequence[str]]) -> Match | None:
    """Return the match of a mix of the song, or of a part of it, next to items of `buses`; None if it is not one."""
    shared_title, *other_titles = titles
    if item.kind == "file":
        is_title = _is_only(item, shared_title) or (
            match.bar == "unknown" and any(_is_only(item, title) for title in other_titles)
        )
        if is_title and len(buses) >= 2:
            return mixdown("its name is only the song's title")
        if match.bus == "melody" and _INSTRUMENTAL.search(normalize(item.name)) and {"drums", "bass"} <= set(buses):
            return mixdown("its instruments are separate files", match.words)
    if match.bus and _ONLY.search(normalize(item.name)) and (match.bus in buses or not buses):
        return mixdown(f"it is a mix of {match.bus} only", match.words)
    return None


def _like_neighbours(match: Match, words: Collection[str]) -> Match:
    """Return what an ambiguous word means next to the words of the items in the same folder."""
    word = match.words[0] if match.words else ""
    if match.bus == "backing vocals" and word in _VOICES_OR_REEDS and any("sax" in other for other in words):
        return replace(match, role="woodwinds", bus="winds", reason=f'"{word}" next to saxophones means a saxophone')
    if match.bus == "bass" and word in _DOUBLE_BASS and {"viola", "cello"} <= {_singular(other) for other in words}:
        return replace(match, role="strings", bus="strings", reason=f'"{word}" next to violas and cellos means strings')
    if word in ("lead", "leads", "solo", "solos") and match.role in ("lead synth", "unknown") and "rhythm" in words:
        reason = f'"{word}" next to "rhythm" means lead guitar'
        return replace(match, role="lead guitar", bus="guitars", bar=None, reason=reason)
    return match


def _singular(word: str) -> str:
    return {"celli": "cello", "vla": "viola", "vc": "cello", "vcl": "cello"}.get(word, word.removesuffix("s"))


# Folder tracks


def _folder(match: Match, inside: Mapping[int, Match], *, is_folder: Container[int]) -> Match:
    """Return the match of a folder track in view of what is in it."""
    buses = {one.bus for one in inside.values() if one.bus}
    if match.role == "unknown" and len(buses) == 1:
        bus = next(iter(buses))
        return Match("bus", bus, None, f"all recognised names in it belong to {bus}", (), certain=False)
    foreign = buses - dictionary.FAMILY.get(match.bus or "", set()) - {match.bus or ""}
    has_foreign_folder = any(
        one.bus in foreign.intersection(MAIN_BUSES) and i in is_folder for i, one in inside.items()
    )
    if match.bus and (has_foreign_folder or len(foreign) > 1):
        return Match(SEVERAL_BUSES, None, "unknown", f"it contains {_and(sorted(buses))}", match.words, certain=False)
    return match


def _by_hints(items: Sequence[Item], folders: Sequence[Sequence[int]], matches: Sequence[Match], index: int) -> Match:
    """Return the match in view of the folders, audio and sends where no name decided."""
    item, match = items[index], matches[index]
    if match.bus == "fx" and not match.certain and item.receives_only:
        match = replace(match, bus=None, bar="unknown")
    if item.receives_only and any(matches[folder].bar == "effect return" for folder in folders[index]):
        match = replace(match, bus=None, bar="unknown")
    if match.bus or match.bar != "unknown" or match.role == SEVERAL_BUSES:
        return match
    if item.receives_only:
        reason = "it plays only what other tracks send to it"
        return Match("effect return", None, "effect return", reason, (), certain=False)
    if not item.has_audio and (index + 1 >= len(items) or items[index + 1].parent != index):
        return replace(match, reason="it has no audio")
    for folder in reversed(folders[index]):
        if matches[folder].bus:
            return _like(matches[folder], f'it is in the folder "{items[folder].name}"')
    return _by_sends(items, matches, index) or match


def _by_sends(items: Sequence[Item], matches: Sequence[Match], index: int) -> Match | None:
    """Return the match of a track that receives the tracks of one bus only, or is sent only to a track of one bus."""
    item = items[index]
    sources = [i for i in item.sources if matches[i].bus]
    if sources and len({matches[i].bus for i in sources}) == 1:
        names = [f'"{items[i].name}"' for i in sources]
        return replace(_like(matches[sources[0]], f"it receives {_and(names)}"), role="bus")
    targets = [i for i, other in enumerate(items) if index in other.sources and matches[i].bus]
    if not item.sends_to_parent and len({matches[i].bus for i in targets}) == 1:
        return _like(matches[targets[0]], f'it is sent to "{items[targets[0]].name}"')
    return None


def _like(match: Match, reason: str) -> Match:
    return Match(match.role, match.bus, None, reason, match.words, certain=False)


def _and(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
