"""What scripts store in a project: `<EXTSTATE` with a block a section, names upper-cased in the file. [b: RPP:08]"""

from __future__ import annotations

from tests.reaper_host.rpp_text import Block, as_text, parse_chunk, quote, words

ExtState = dict[str, dict[str, str]]
_LONGEST_LINE = 4094


def read_ext_state(root: Block) -> ExtState:
    """Return sections, keys and values of a project; names are matched in any case, so kept in upper case."""
    found: ExtState = {}
    for block in root.blocks("EXTSTATE"):
        for section in block.blocks():
            values = found.setdefault(section.name.upper(), {})
            for line in section.children:
                if isinstance(line, bytes) and line.strip():
                    read = _cut(line)
                    key, *rest = words(read)
                    values[key.upper()] = rest[0] if len(rest) == 1 else as_text(read).split(None, 1)[1].strip()
    return found


def _cut(line: bytes) -> bytes:
    """Return a line as REAPER's reader sees it: 4,094 characters at most; what follows is another line. [WDL]"""
    return line.strip()[:_LONGEST_LINE]


def write_ext_state(root: Block, state: ExtState) -> None:
    """Put the sections and keys into a project's tree; those that did not change keep their lines."""
    block = next(iter(root.blocks("EXTSTATE")), None)
    if block is None:
        block = parse_chunk("<EXTSTATE\n>", root.indent, root.line_end)
        root.children.append(block)
    _remove_old(block, state)
    for name, values in state.items():
        section = next((inner for inner in block.blocks() if inner.name.upper() == name), None)
        if section is None:
            section = parse_chunk(f"<{name}\n>", block.indent, block.line_end)
            block.children.append(section)
        _write_section(section, values)
    if not block.children:
        root.children.remove(block)


def _line(section: Block, key: str, value: str) -> bytes:
    """Return a value's line as REAPER writes it: cut like one that it reads."""
    return section.new_line(f"{key} {quote(value)}"[:_LONGEST_LINE])


def _remove_old(block: Block, state: ExtState) -> None:
    block.children = [child for child in block.children if not isinstance(child, Block) or child.name.upper() in state]


def _write_section(section: Block, values: dict[str, str]) -> None:
    kept = []
    have = set()
    for line in section.children:
        key = words(line)[0].upper() if isinstance(line, bytes) and line.strip() else ""
        if key in values:
            have.add(key)
            old = words(line)[1:]  # type: ignore[arg-type]
            kept.append(
                line if old == [values[key]] or " ".join(old) == values[key] else _line(section, key, values[key])
            )
    kept += [_line(section, key, value) for key, value in values.items() if key not in have]
    section.children = kept
