"""The user's settings for all projects, stored in REAPER's ext state."""

from __future__ import annotations

from typing import NamedTuple

from reapy import reascript_api as RPR  # noqa: N812

_SECTION = "Faderwise"
_NUMBERS, _LARGEST = ("target_lufs",), 1000.0
ASK, COMBINE, REPLACE = "ask", "combine", "replace"


class Setting(NamedTuple):
    """A setting: its key, its caption, its default, and its allowed values (empty: any)."""

    key: str
    caption: str
    default: str
    values: tuple = ()


SETTINGS = (
    Setting("model", "Model", "default"),
    Setting("existing", "Existing automation: ask / combine / replace", ASK, (ASK, COMBINE, REPLACE)),
    Setting("target_lufs", "Loudness in LUFS (empty: as the buses are)", ""),
    Setting("progress", "Progress in the console: yes / no", "yes", ("yes", "no")),
    Setting("report", "Report after a run: ask / open / no", ASK, (ASK, "open", "no")),
)


def value_of(key: str) -> str:
    """Return a setting."""
    setting = next(one for one in SETTINGS if one.key == key)
    stored = str(RPR.GetExtState(_SECTION, key))
    return stored if stored and (not setting.values or stored in setting.values) else setting.default


def store(key: str, value: str) -> None:
    """Store a setting permanently; an empty value deletes it."""
    if value:
        RPR.SetExtState(_SECTION, key, value, True)
    else:
        RPR.DeleteExtState(_SECTION, key, True)


def problems_of(setting: Setting, value: str) -> list[str]:
    """Return why a setting cannot have a value, or nothing."""
    if setting.values and value not in setting.values:
        return [f"{setting.caption}: {value!r} is not one of them."]
    if setting.key in _NUMBERS and value and not _is_number(value):
        return [f"{setting.caption}: {value!r} is not a number."]
    return []


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < _LARGEST
    except ValueError:
        return False
