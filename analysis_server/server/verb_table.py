"""The verbs that a job can run.

To add a verb, add an entry to `VERBS`: its name (the command line's), the module, and the names of the request struct,
the result struct and the function `(request, progress) -> result` in that module. Nothing is imported until the verb
is used, so the module may be in any layer. Both structs are msgspec structs; paths in a request are relative to the
folder that the client sends with it, which is the working directory while the function runs. The function raises the
errors of `core.errors`; the client receives the same error with the same fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from core.progress import ProgressCallback


@dataclass(frozen=True)
class Verb:
    """Where a verb's request struct, result struct and function are defined."""

    module: str
    request: str
    result: str
    function: str = "run"

    def request_type(self) -> type[Any]:
        """Return the request struct."""
        found: type[Any] = getattr(import_module(self.module), self.request)
        return found

    def result_type(self) -> type[Any]:
        """Return the result struct."""
        found: type[Any] = getattr(import_module(self.module), self.result)
        return found

    def run(self, request: Any, progress: ProgressCallback) -> Any:
        """Run the verb in this process."""
        return getattr(import_module(self.module), self.function)(request, progress)


VERBS: Mapping[str, Verb] = {
    "mix": Verb("analysis_server.verbs.mix", "MixRequest", "MixResult"),
    "match": Verb("analysis_server.verbs.match", "MatchRequest", "MatchResult"),
    "learn": Verb("analysis_server.verbs.learn", "LearnRequest", "LearnResult"),
    "estimate": Verb("analysis_server.verbs.estimate", "EstimateRequest", "EstimateResult"),
    "features": Verb("analysis_server.verbs.features", "FeaturesRequest", "FeaturesResult"),
    "evaluate": Verb("analysis_server.verbs.evaluate", "EvaluateRequest", "EvaluateResult"),
    "audit": Verb("analysis_server.verbs.audit", "AuditRequest", "AuditResult"),
    "edit": Verb("analysis_server.verbs.edit", "EditRequest", "EditResult"),
    "revert": Verb("analysis_server.verbs.revert", "RevertRequest", "RevertResult"),
    "compare": Verb("analysis_server.verbs.compare", "CompareRequest", "CompareResult"),
    "reaper_job": Verb("analysis_server.reaper.run_job", "ReaperRequest", "ReaperResult"),
}


def name_of(request: object) -> str:
    """Return the name of the verb that `request` belongs to."""
    kind = type(request)
    return next(name for name, verb in VERBS.items() if (verb.module, verb.request) == (kind.__module__, kind.__name__))
