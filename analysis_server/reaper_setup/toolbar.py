"""Toolbar icons of the actions, and a file with a toolbar of them.

REAPER reads icons from `Data/toolbar_icons`: PNG files of three squares of 30 pixels next to each other, for a button
at rest, under the mouse and pressed. `MenuSets/Faderwise.ReaperMenu` is imported in Options > Customize menus and
toolbars; its lines are those of reaper-menu.ini (`item_N=_COMMAND description`, `icon_N=file`). Nothing here edits
reaper-menu.ini itself, which contains the user's own toolbars.

Icons are drawn from rectangles, so that no image library is needed before the application is installed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from analysis_server.reaper_setup.scripts import Action

ICONS, MENU = "Data/toolbar_icons", "MenuSets/Faderwise.ReaperMenu"
_SECTION = "Floating toolbar 8"
_SIZE = 30
_STATES = ((190, 190, 190), (240, 240, 240), (255, 170, 60))
"""The colour of a symbol in each state."""
_LEVELS = (0.75, 0.45, 0.6)
Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are outside."""


def _faders(levels: Sequence[float], top: int = 5, bottom: int = 25, left: int = 6) -> list[Rectangle]:
    """Return three faders whose caps are at `levels`, 0 at the bottom and 1 at the top."""
    found: list[Rectangle] = []
    for place, level in enumerate(levels):
        middle = left + 3 + 7 * place
        cap = round(bottom - 2 - level * (bottom - top - 4))
        found += [(middle - 1, top, middle, bottom), (middle - 3, cap - 2, middle + 2, cap + 2)]
    return found


_ARROW_DOWN = [(14, 4, 16, 16), (11, 12, 19, 14), (12, 14, 18, 16), (13, 16, 17, 18)]
_ARROW_LEFT = [(9, 14, 24, 16), (9, 12, 11, 18), (11, 10, 13, 20), (7, 13, 9, 17)]
_LINE = [(5, 24, 25, 26)]
SYMBOLS: dict[str, list[Rectangle]] = {
    "faderwise_auto_mix_buses": _faders(_LEVELS),
    "faderwise_auto_mix_selected_tracks": [*_faders(_LEVELS, 8, 25), *[(6, 3, 12, 5), (13, 3, 19, 5), (20, 3, 26, 5)]],
    "faderwise_auto_mix_again": [*_faders(_LEVELS, 11, 26), (6, 4, 24, 6), (22, 4, 24, 9), (20, 7, 26, 9)],
    "faderwise_compare_bus_automation": [
        (4, 6, 6, 24),
        (10, 6, 12, 24),
        (6, 6, 10, 8),
        (6, 14, 10, 16),
        (18, 6, 20, 24),
        (20, 6, 25, 8),
        (24, 8, 26, 14),
        (20, 14, 25, 16),
        (24, 16, 26, 22),
        (20, 22, 25, 24),
    ],
    "faderwise_match_buses": [
        *_faders((0.3, 0.8, 0.5), 11, 26),
        *[(4 + 4 * n, 8 - n % 3 * 2, 6 + 4 * n, 9) for n in range(6)],
    ],
    "faderwise_learn_mix_model": [*_ARROW_DOWN, *_LINE, (5, 20, 7, 26), (23, 20, 25, 26)],
    "faderwise_edit_bus_automation": [
        (4, 20, 9, 22),
        (8, 14, 10, 21),
        (9, 13, 15, 15),
        (14, 8, 16, 14),
        (15, 7, 26, 9),
        (7, 19, 11, 23),
        (13, 12, 17, 16),
    ],
    "faderwise_revert_bus_automation": _ARROW_LEFT,
    "faderwise_audit_bus_automation": [
        (6, 5, 18, 7),
        (6, 5, 8, 17),
        (16, 5, 18, 17),
        (6, 15, 18, 17),
        (17, 17, 20, 20),
        (19, 19, 22, 22),
        (21, 21, 24, 24),
    ],
    "faderwise_settings": [(13, 4, 17, 26), (4, 13, 26, 17), (8, 8, 22, 22)],
    "faderwise_check_reaper": [
        (5, 15, 8, 18),
        (7, 17, 10, 20),
        (9, 19, 12, 22),
        (11, 17, 14, 20),
        (13, 15, 16, 18),
        (15, 13, 18, 16),
        (17, 11, 20, 14),
        (19, 9, 22, 12),
        (21, 7, 24, 10),
    ],
}
"""The symbol of each action, by its script's name."""


def toolbar_files(actions: Sequence[Action]) -> dict[str, bytes]:
    """Return the icons and the toolbar of the actions by their path in REAPER's resource folder."""
    files = {f"{ICONS}/{name}.png": icon(symbol) for name, symbol in SYMBOLS.items()}
    lines = [f"[{_SECTION}]"]
    lines += [f"icon_{place}={_name(action)}.png" for place, action in enumerate(actions)]
    lines += [f"item_{place}=_{action.command} {action.description}" for place, action in enumerate(actions)]
    files[MENU] = ("\n".join([*lines, "title=Faderwise"]) + "\n").encode()
    return files


def icon(symbol: Sequence[Rectangle]) -> bytes:
    """Return a PNG of 90 x 30 pixels with a symbol in its three states, on a transparent ground."""
    rows = [bytearray(4 * 3 * _SIZE) for _ in range(_SIZE)]
    for state, colour in enumerate(_STATES):
        pixel = bytes((*colour, 255))
        for left, top, right, bottom in symbol:
            for row in rows[top:bottom]:
                row[4 * (state * _SIZE + left) : 4 * (state * _SIZE + right)] = pixel * (right - left)
    header = struct.pack(">IIBBBBB", 3 * _SIZE, _SIZE, 8, 6, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 0)  # stored, so that the bytes are always the same
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _name(action: Action) -> str:
    return action.file.removesuffix(".py")
