"""`faderwise estimate`: the gains that turn a song's stems into its mixdown."""

from __future__ import annotations

from pathlib import Path

import msgspec

from analysis_server.presets import Preset, estimate_song
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Domain
from core.gains.curves import require_table_name
from core.progress import ProgressCallback, no_progress, part_of


class EstimateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Estimate the gains of `song` (a SONG_DIR) and write them to `out` (.csv or .npz)."""

    song: str
    out: str
    preset: Preset = "default"
    domain: Domain | None = None
    buses: dict[str, str | list[str]] = {}
    mixdown: str | None = None


class EstimateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; `median_gain_db` per bus over its active frames."""

    title: str
    out: str
    preset: str
    domain: str
    reason: str
    lag_samples: int
    fit: float
    n_frames: int
    median_gain_db: dict[str, float]
    warnings: list[str]


def run(request: EstimateRequest, progress: ProgressCallback = no_progress) -> EstimateResult:
    """Estimate and write.

    Raises
    ------
    InputError
        The song cannot be read, has no mixdown, or `out` has a name without a known suffix.
    """
    out = Path(request.out)
    require_table_name(out)
    song = open_song_folder(request.song, request.buses, request.mixdown)
    progress = part_of(progress, 0.0, 1.0, f"Estimating {song.title}")
    found = estimate_song(song, request.preset, request.domain, None, progress)
    found.curves.save(out)
    return EstimateResult(
        title=song.title,
        out=str(out),
        preset=request.preset,
        domain=found.domain,
        reason=found.reason,
        lag_samples=found.lag_samples,
        fit=found.fit,
        n_frames=len(found.curves.time_s),
        median_gain_db=found.curves.median_gain_db(),
        warnings=list(found.warnings),
    )
