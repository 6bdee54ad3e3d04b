"""Tables on terminals of different widths."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Sequence

import pytest

from analysis_server.terminal import Terminal

COLUMNS = ("bus", "source", "gain", "loudness by automation")
ROWS = [
    ("drums", "Drums of the second session (bounced).flac", "+1.0 dB", "-25.8 → -24.8 LUFS"),
    ("vocals", "ボーカルの二回目の録音.flac", "-10.5 dB", "-21.3 → -31.8 LUFS"),
]


class Screen(io.StringIO):
    """A terminal's standard output."""

    def isatty(self) -> bool:
        return True


def shown(
    monkeypatch: pytest.MonkeyPatch, width: int, columns: Sequence[str], rows: Sequence[Sequence[str]], align: str
) -> list[str]:
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    Terminal(as_json=False, quiet=True).table(columns, rows, align)
    return screen.getvalue().splitlines()


def width_of(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_fits_the_terminal_and_its_numbers_are_complete(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = shown(monkeypatch, width, COLUMNS, ROWS, "ll")
    assert len({width_of(line) for line in lines}) == 1
    assert width_of(lines[0]) <= width
    for line, row in zip(lines, (COLUMNS, *ROWS), strict=True):
        assert line.split()[0] == row[0]
        assert line.endswith(row[-1])
        assert row[-2] in line
    assert (ROWS[0][1] in lines[1]) == (width == 200)
    assert ("…" in lines[1]) == (width < 200)


def test_the_last_text_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/home/somebody/.local/share/faderwise/models/mine.json"
    (_, line) = shown(monkeypatch, 40, ("model", "file"), [("mine", path)], "ll")
    assert line == f"  mine    {path}"


def test_a_table_in_a_pipe_is_complete(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Terminal(as_json=False, quiet=True).table(COLUMNS, ROWS, "ll")
    lines = capsys.readouterr().out.splitlines()
    assert ROWS[0][1] in lines[1]
    assert len({width_of(line) for line in lines}) == 1


def test_json_has_one_line_per_array_of_numbers_and_three_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    result = {
        "gain_db": {"drums": 1.3663999999999998},
        "curve_db": [-2.016, None, -2.02],
        "fit": 0.123456,
        "s": "[\n 1]",
    }
    Terminal(as_json=True, quiet=True).give(result)
    printed = capsys.readouterr().out
    assert '"curve_db": [-2.016, null, -2.02],\n' in printed
    assert json.loads(printed) == {**result, "gain_db": {"drums": 1.366}}
    Terminal(as_json=True, quiet=True).give(result, exact=True)
    assert json.loads(capsys.readouterr().out) == result
