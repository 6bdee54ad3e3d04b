"""Models that an earlier version wrote, as this one would have written them.

Conventions: version 2 held that buses which share a place in the mix share its energy (10 log10 of their number), and
let its models depart from equal levels as far as they liked.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from core import roles
from core.modelling import balance
from core.modelling.balance_prior import DEPARTURE_DB, BalancePrior

_SHARED_ENERGY_DB = 10.0

Rows = list[list[float]]


def triangles_of_version_2(triangles: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return a song's triangles of condition 3 with output levels that count its buses' company as it counts now."""
    changes_db = (balance.SHARING_DB - _SHARED_ENERGY_DB) * np.log10(roles.sharing(list(triangles)))
    upgraded = {}
    for (bus, rows), change_db in zip(triangles.items(), changes_db, strict=True):
        triangle = np.array(rows)
        triangle[:, -1] += change_db * triangle[:, 0]
        upgraded[bus] = triangle.tolist()
    return upgraded


def prior_of_version_2(prior: BalancePrior | None) -> BalancePrior | None:
    """Return a prior that stays near equal plain levels, if it is one that believes in them."""
    if prior is None or not prior.shared.get("tone"):
        return prior
    return msgspec.structs.replace(prior, departure_db=DEPARTURE_DB)
