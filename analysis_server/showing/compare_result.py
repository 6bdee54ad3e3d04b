"""A comparison as one result: everything its page shows but the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from core.revising.comparing import ComparedBus, Comparison
from core.revising.run_curves import Curves


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    name, kind : what it is called, and whether it is a ``"model"``, a ``"run"`` or a ``"mixdown"``.
    curves, figures : its gains, and what else is known of it, by name with unit.
    warnings : what the user should know of how the gains came about.
    songs : the titles a model knows; None for what is no model.
    """

    name: str
    kind: str
    curves: Curves
    figures: Mapping[str, float]
    warnings: Sequence[str] = ()
    songs: Sequence[str] | None = None


class SideResult(msgspec.Struct, frozen=True, kw_only=True):
    """One side: what it is called and is, what it has alone, and what else is known of it in figures."""

    name: str
    kind: str
    buses_alone: list[str]
    figures: dict[str, float]
    songs_alone: list[str]


class CompareResult(msgspec.Struct, frozen=True, kw_only=True):
    """What differs; the common gain is no difference of balance and is taken out of each bus's difference."""

    first: SideResult
    second: SideResult
    buses: list[ComparedBus]
    common_db: float
    balance_db: float
    files: dict[str, str]
    warnings: list[str]


def result_of(first: Side, second: Side, found: Comparison) -> CompareResult:
    """Return a comparison's result."""
    apart_s = abs(float(first.curves.time_s[-1]) - float(second.curves.time_s[-1]))
    told = [f"the two differ in length by {apart_s:.1f} s; what both have was compared"] if apart_s > 1.0 else []
    return CompareResult(
        first=_told(first, second),
        second=_told(second, first),
        buses=list(found.buses),
        common_db=found.common_db,
        balance_db=found.balance_db,
        files={},
        warnings=list(dict.fromkeys([*first.warnings, *second.warnings, *told])),
    )


def _told(side: Side, other: Side) -> SideResult:
    alone = (
        [] if side.songs is None or other.songs is None else [song for song in side.songs if song not in other.songs]
    )
    return SideResult(
        name=side.name,
        kind=side.kind,
        buses_alone=[bus for bus in side.curves.buses if bus not in other.curves.buses],
        figures=dict(side.figures),
        songs_alone=alone,
    )
