"""Where a request's files go: the place that was asked for, and until the job is done the job's own folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from analysis_server.outputs.run_output import default_folder
from analysis_server.sources.session import SongRequest
from analysis_server.verbs.estimate import EstimateRequest
from analysis_server.verbs.evaluate import EvaluateRequest


@dataclass(frozen=True)
class Writing:
    """What a request writes: one file, files into a folder, or nothing; and the path it asked for, as it was."""

    what: Literal["file", "folder", "nothing"]
    asked: str = ""

    @property
    def kind(self) -> str:
        """What a result depends on: a file's format, or whether there is a folder."""
        return Path(self.asked).suffix.lower() if self.what == "file" else self.what

    def staged(self, request: Any, made: Path) -> Any:
        """Return the request with `out` in the folder `made`, by a name that does not depend on what was asked for."""
        if self.what == "nothing":
            return request
        out = made / f"gains{self.kind}" if self.what == "file" else made
        return msgspec.structs.replace(request, out=str(out))

    def target(self, folder: Path, name: str) -> Path:
        """Return where the made file `name` goes; a relative path that was asked for starts from `folder`."""
        asked = folder / self.asked
        return asked if self.what == "file" else asked / name


def writing_of(request: Any, folder: Path) -> Writing:
    """Return what a request writes; a song's path starts from `folder`."""
    if isinstance(request, EstimateRequest):
        return Writing("file", str(Path(request.out)))
    if isinstance(request, SongRequest):
        return Writing("folder", request.out or str(default_folder(str(folder / request.song))))
    if isinstance(request, EvaluateRequest) and request.out is not None:
        return Writing("folder", request.out)
    return Writing("nothing")
