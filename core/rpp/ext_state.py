"""Read and write ext state: the keys and values that scripts store in a project, by section.

Conventions: REAPER writes names of sections and keys in upper case, and keys sorted. Here names are compared without
regard to case. A section's block is rewritten only where one of its keys changes; every other byte is unchanged.

REAPER's reader splits a line after 4,094 characters, so values have to be shorter.
WDL writes strings of 1,023 characters and more, or with line breaks, as a block whose lines begin with ``|``; such
blocks are read as values.

Sources: a project of REAPER 7.19 (`<EXTSTATE`, `<SECTION`, one line per key); WDL, projectcontext.cpp
(ProjectContext_GetNextLine, cfg_decode_textblock, configStringWantsBlockEncoding).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.rpp.parser import Block, Document, Edit, as_text, quoted, words

_BLOCK = "EXTSTATE"
_EMPTY_BEFORE = "EXTSTATE_WAS_EMPTY"
"""Marks that the project had an empty EXTSTATE block before our section; it remains when the section is removed."""


def ext_state(document: Document, section: str) -> dict[str, str]:
    """Return a section's values by key, in upper case; empty where the section does not exist."""
    block = _section(_states(document), section)
    if block is None:
        return {}
    lines = [words(document.lines[index]) for index in block.lines]
    values = {line[0].upper(): line[1] if len(line) > 1 else "" for line in lines if line}
    return values | {inner.name.upper(): _text_of(document, inner) for inner in block.blocks}


def _text_of(document: Document, block: Block) -> str:
    lines = (document.lines[index].strip(b" \t\r\n") for index in block.lines)
    return "\n".join(as_text(line[1:]) for line in lines if line.startswith(b"|"))


def ext_state_edits(document: Document, section: str, changes: Mapping[str, str | None]) -> list[Edit]:
    r"""Return the edits that set keys of a section, or delete them where the value is None.

    A section that becomes empty is removed, and so is the EXTSTATE block where it contains nothing else.

    Parameters
    ----------
    document : the project file.
    section : the section's name.
    changes : values by key.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.rpp.parser import parse
    >>> document = parse(b"<REAPER_PROJECT 0.1\n>\n", Path("song.rpp"))
    >>> edits = ext_state_edits(document, "Faderwise", {"key": "a value"})
    >>> changed = parse(document.edited(edits), document.path)
    >>> ext_state(changed, "Faderwise")
    {'KEY': 'a value'}
    """
    states = _states(document)
    block = _section(states, section)
    before = ext_state(document, section)
    after = {**before, **{key.upper(): value for key, value in changes.items()}}
    kept = {key: value for key, value in after.items() if value is not None}
    if kept == before:
        return []
    if block is not None and states is not None:
        return [_rewritten(document, states, block, kept)]
    if states is not None:
        marked = kept if states.blocks else {**kept, _EMPTY_BEFORE: "1"}
        lines = _section_lines(document, section, marked)
        return [Edit(states.last, states.last, lines)]
    return [_with_block(document, _section_lines(document, section, kept))]


def _states(document: Document) -> Block | None:
    return next(document.root.inner(_BLOCK), None)


def _section(states: Block | None, name: str) -> Block | None:
    blocks = states.blocks if states else ()
    return next((block for block in blocks if block.name.upper() == name.upper()), None)


def _rewritten(document: Document, states: Block, block: Block, kept: Mapping[str, str]) -> Edit:
    if set(kept) - {_EMPTY_BEFORE}:
        return Edit(block.first, block.last + 1, _section_lines(document, block.name, kept))
    only_ours = len(states.blocks) == 1 and not states.lines and _EMPTY_BEFORE not in kept
    gone = states if only_ours else block
    return Edit(gone.first, gone.last + 1, ())


def _with_block(document: Document, section: tuple[bytes, ...]) -> Edit:
    end = document.line_end(document.root.first)
    at = document.root.last
    return Edit(at, at, (b"  <" + _BLOCK.encode() + end, *section, b"  >" + end))


def _section_lines(document: Document, section: str, values: Mapping[str, str]) -> tuple[bytes, ...]:
    end = document.line_end(document.root.first)
    keys = [f"      {key} {quoted(value)}".encode() + end for key, value in sorted(values.items())]
    return (f"    <{_name(section)}".encode() + end, *keys, b"    >" + end)


def _name(section: str) -> str:
    return re.sub(r"\s", "_", section.upper())
