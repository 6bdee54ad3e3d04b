"""The structure of `automation.json`."""

from __future__ import annotations

import msgspec

from core.automation.points import Automation
from core.decibels import db_to_gain

FORMAT, VERSION = "faderwise-automation", 1


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One automation point; gains are linear in dB from here to the next one."""

    time_s: float
    gain_db: float
    gain: float
    shape: str = "linear"


class BusAutomation(msgspec.Struct, frozen=True, kw_only=True):
    """One bus's stem, by file name, and its points."""

    stem: str
    points: list[Point]


class AutomationFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    format: str = FORMAT
    version: int = VERSION
    made_by: str
    verb: str
    title: str
    preset: str
    model: str | None
    duration_s: float
    sample_rate: int
    tolerance_db: float
    range_s: tuple[float, float] | None
    buses: dict[str, BusAutomation]
    warnings: list[str]


def file_points(automation: Automation) -> dict[str, list[Point]]:
    """Return the points of every bus in the file's form."""
    return {
        bus: [
            Point(time_s=round(time_s, 6), gain_db=round(gain_db, 4), gain=round(float(db_to_gain(gain_db)), 8))
            for time_s, gain_db in zip(points.time_s.tolist(), points.gain_db.tolist(), strict=True)
        ]
        for bus, points in automation.items()
    }


def to_json(file: AutomationFile) -> str:
    """Return the file's text."""
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode() + "\n"
