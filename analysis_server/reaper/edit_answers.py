"""Edit settings as the texts of REAPER's dialog, and back."""

from __future__ import annotations

import re

from analysis_server.reaper.job_file import EditAnswers
from core.errors import InputError
from core.roles import canonical_role
from core.runs.edit import Basis, EditSettings


def in_force(basis: Basis) -> EditAnswers:
    """Return the settings that are in force, as the dialog shows them: an offset for each bus."""
    settings = basis.settings
    return EditAnswers(
        depth=f"{settings.depth_percent:g}",
        moves=f"{settings.moves_percent:g}",
        smooth=f"{settings.smooth_s:g}",
        limit="" if settings.limit_db is None else f"{settings.limit_db:g}",
        freeze=", ".join(settings.freeze),
        offsets={bus: f"{settings.offset_db.get(bus, 0.0):g}" for bus in basis.buses},
    )


def settings_of(answers: EditAnswers, range_s: tuple[float, float] | None) -> EditSettings:
    """Return the settings that were filled in, for a part of the song or all of it.

    Raises
    ------
    InputError
        A field that needs a number holds something else.
    """
    return EditSettings(
        depth_percent=_number("the depth", answers.depth, 100.0),
        moves_percent=_number("the moves", answers.moves, 100.0),
        smooth_s=_number("the smoothing", answers.smooth, 0.0),
        limit_db=_number("the limit", answers.limit, 0.0) if answers.limit.strip() else None,
        offset_db={bus: _number(f"the offset of {bus}", text, 0.0) for bus, text in answers.offsets.items()},
        freeze=[canonical_role(part) for part in re.split("[,;]", answers.freeze) if part.strip()],
        range_s=range_s,
    )


def _number(what: str, text: str, default: float) -> float:
    try:
        return float(text.strip().rstrip("%").replace(",", ".")) if text.strip() else default
    except ValueError:
        raise InputError(f"{what} is {text.strip()!r}, which is no number", remedy="run the action again") from None
