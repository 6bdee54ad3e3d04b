"""Project files are read and written without losing a byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.rpp.parser import Block, Edit, as_text, parse, quoted, read_document, words
from tests.expected_errors import raises_error

ROOT = Path(__file__).parents[3]
BUNDLED = [*sorted((ROOT / "tests" / "projects").glob("*.rpp")), ROOT / "examples" / "caesium-session.RPP"]
HERE = Path("song.rpp")


def project(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    return end.join([b'<REAPER_PROJECT 0.1 "7.19/win64" 1722298688', *lines, b">", b""])


def blocks_of(block: Block) -> list[Block]:
    return [block, *(inner for child in block.blocks for inner in blocks_of(child))]


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_a_bundled_project_is_written_byte_for_byte(path: Path) -> None:
    document = read_document(path)
    assert document.to_bytes() == path.read_bytes()
    assert len(blocks_of(document.root)) > 20


def test_every_real_project_is_written_byte_for_byte(shared: Path) -> None:
    paths = sorted(path for path in (shared / "rpp").iterdir() if path.suffix.lower() == ".rpp")
    assert len(paths) == 12
    for path in paths:
        document = read_document(path)
        assert document.to_bytes() == path.read_bytes()
        assert document.edited([]) == path.read_bytes()
        n_opened = sum(line.strip().startswith(b"<") for line in document.lines)
        assert len(blocks_of(document.root)) == n_opened


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'NAME "DRUM BUS"', ["NAME", "DRUM BUS"]),
        (rb"NAME '\"hey'", ["NAME", '"hey']),
        (rb'NAME hel"lo', ["NAME", 'hel"lo']),
        (rb"NAME `a \"b\" 'c'`", ["NAME", "a \"b\" 'c'"]),
        (rb'NAME ""', ["NAME", ""]),
        (rb"NAME <", ["NAME", "<"]),
        (b"  AUXRECV 1 0 -1:U ''\r\n", ["AUXRECV", "1", "0", "-1:U", ""]),
        (b'NAME "never closed', []),
        (b"NAME #1", ["NAME"]),
        (b"; NAME Drums", []),
        (b"# NAME Drums", []),
        (b"NAME a#1 b;c", ["NAME", "a#1", "b;c"]),
        (b"NAME 'a'b", ["NAME", "a", "b"]),
        (b"NAME Drums\0 and more\r\n", ["NAME", "Drums"]),
        (b"NAME\tDrums", ["NAME", "Drums"]),
    ],
)
def test_tokens_are_split_as_reaper_splits_them(line: bytes, expected: list[str]) -> None:
    assert words(line.replace(b'\\"', b'"')) == expected


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_a_quoted_word_is_read_back_unchanged(text: str) -> None:
    expected = text.translate({ord(c): " " for c in "\r\n\0"})
    if all(quote in expected for quote in "\"'`") and (" " in expected or "\t" in expected or expected[0] in "\"'`#;"):
        expected = expected.replace("`", "'")
    read = words(b"NAME " + quoted(text).encode())
    assert read == ["NAME", expected]


def test_names_that_are_not_utf_8_are_read_in_the_windows_code_page() -> None:
    assert as_text(b"Schlagzeug \xfcber") == "Schlagzeug über"
    assert as_text("トラック".encode()) == "トラック"
    assert as_text(b"\x81") == "\x81"


leaves = st.lists(
    st.sampled_from(
        [b"NAME <", b"NAME >", b"|<TRACK", b"|  >  ", b'NAME "> <"', b"AAAA/+==", b"", b"X \xff\xfe", b'N "<A"']
    ),
    max_size=4,
)
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=12)


def flattened(tree: list[object], depth: int) -> list[bytes]:
    indent = b"  " * depth
    if all(isinstance(part, bytes) for part in tree):
        return [indent + part for part in tree if isinstance(part, bytes)]
    lines = []
    for part in tree:
        assert isinstance(part, list)
        lines += [indent + b"<BLOCK 1", *flattened(part, depth + 1), indent + b">"]
    return lines


@given(trees, st.sampled_from([b"\n", b"\r\n"]))
def test_any_nesting_is_read_and_preserved(tree: list[object], end: bytes) -> None:
    lines = flattened(tree, 1)
    content = project(*lines, end=end)
    document = parse(content, HERE)
    assert document.to_bytes() == content
    assert len(blocks_of(document.root)) == 1 + sum(line.strip() == b"<BLOCK 1" for line in lines)
    for block in blocks_of(document.root):
        assert document.lines[block.first].strip().startswith(b"<")
        assert document.lines[block.last].strip() == b">"


def test_an_edit_changes_only_its_lines() -> None:
    document = parse(project(b"  A 1", b"  B 2", b"  C 3"), HERE)
    assert document.edited([Edit(2, 3, (b"  X\r\n",)), Edit(1, 1, (b"  W\r\n",))]) == project(
        b"  W", b"  A 1", b"  X", b"  C 3"
    )
    with pytest.raises(ValueError, match="overlap"):
        document.edited([Edit(1, 3, ()), Edit(2, 3, ())])


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "<REAPER_PROJECT"),
        (b"RIFF....WAVE", "<REAPER_PROJECT"),
        (b"<REAPER_PROJECT 0.1\n  <TRACK\n  >\n", "line 1"),
        (b"\xff\xfe<\0R\0", "<REAPER_PROJECT"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, fact: str) -> None:
    with raises_error(path=HERE.name, facts=(fact,)):
        parse(content, HERE)


@pytest.mark.parametrize("rest", [b">\n", b"some text\n", b"\0" * 100, b"<TRACK\n", b"\n\n"])
def test_bytes_after_the_end_of_the_project_are_preserved_and_ignored(rest: bytes) -> None:
    content = project(b"  <TRACK", b"    NAME Drums", b"  >") + rest
    document = parse(content, HERE)
    assert document.to_bytes() == content
    assert [block.name for block in blocks_of(document.root)] == ["REAPER_PROJECT", "TRACK"]


def test_a_line_that_begins_with_a_closing_bracket_closes_a_block() -> None:
    document = parse(project(b"  <TRACK", b"    NAME Drums", b"  >END", b"  <TRACK", b"  > "), HERE)
    assert [block.name for block in document.root.blocks] == ["TRACK", "TRACK"]


def test_a_line_whose_quote_is_never_closed_is_ignored() -> None:
    document = parse(project(b'  NAME "Lead', b"  NAME Drums"), HERE)
    [name] = document.all_fields(document.root, "NAME")
    assert name.values == ("Drums",)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"0,5", 0.5),
        (b"-12,25", -12.25),
        (b"0x1", 1.0),
        (b"0X1f", 31.0),
        (b"1.#IND", 1.0),
        (b"-1.#IND", -1.0),
        (b"1.#QNAN00", 1.0),
        (b"1e-3", 1e-3),
        (b"2.", 2.0),
        (b".5", 0.5),
        (b"3dB", 3.0),
    ],
)
def test_numbers_are_read_as_atof_reads_them(token: bytes, expected: float) -> None:
    document = parse(project(b"  VOLPAN " + token), HERE)
    [volume] = document.all_fields(document.root, "VOLPAN")
    assert volume.number(0) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [(b"0x10", 16), (b"-3", -3), (b"2,7", 2), (b"010", 8), (b"08", 0), (b"1.#IND", 1), (b"9" * 400, 2**31 - 1)],
)
def test_whole_numbers_are_read_as_strtol_reads_them(token: bytes, expected: int) -> None:
    document = parse(project(b"  NCHAN " + token), HERE)
    [channels] = document.all_fields(document.root, "NCHAN")
    assert channels.whole(0) == expected


@pytest.mark.parametrize("token", [b"loud", b"nan", b"inf", b"1e999", b"0x" + b"f" * 400, b"-", b"''"])
def test_a_token_that_does_not_begin_with_a_finite_number_is_an_error(token: bytes) -> None:
    document = parse(project(b"  VOLPAN " + token), HERE)
    [volume] = document.all_fields(document.root, "VOLPAN")
    with pytest.raises(InputError) as caught:
        volume.number(0)
    assert caught.value.path == f"{HERE}, line 2 (VOLPAN)"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_document(tmp_path)
    assert str(error.value) == f"{tmp_path}: cannot be read (Is a directory); check its permissions"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with raises_error(path="gone.rpp"):
        read_document(tmp_path / "gone.rpp")
