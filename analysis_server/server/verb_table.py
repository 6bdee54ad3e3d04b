"""The verbs by the names they have in the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis_server.verbs import estimate, evaluate, learn, match, mix


@dataclass(frozen=True)
class Verb:
    """A verb: what it takes and gives, and what does it."""

    request: type[Any]
    result: type[Any]
    run: Callable[..., Any]


VERBS: Mapping[str, Verb] = {
    "learn": Verb(learn.LearnRequest, learn.LearnResult, learn.run),
    "predict": Verb(mix.MixRequest, mix.MixResult, mix.run),
    "estimate": Verb(estimate.EstimateRequest, estimate.EstimateResult, estimate.run),
    "match": Verb(match.MatchRequest, match.MatchResult, match.run),
    "evaluate": Verb(evaluate.EvaluateRequest, evaluate.EvaluateResult, evaluate.run),
}


def name_of(request: object) -> str:
    """Return the protocol's name of the verb that `request` belongs to."""
    return next(name for name, verb in VERBS.items() if isinstance(request, verb.request))
