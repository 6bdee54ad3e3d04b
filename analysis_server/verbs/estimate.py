"""`faderwise estimate`: the gains that turn a song's stems into its mixdown."""

from __future__ import annotations

from pathlib import Path

import msgspec

from analysis_server.song_folder import open_song_folder
from analysis_server.telling import Tell, stage, untold
from analysis_server.verbs.features import Preset
from core.audio.song import Song
from core.errors import InputError
from core.estimating.estimation import Estimate, estimate, estimate_as_paper
from core.measuring.default_measurement import Domain
from core.modelling.learning import training_song
from core.modelling.model import TrainingSong
from core.progress import Progress


class EstimateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Estimate the gains of `song` (a SONG_DIR) and write them to `out` (.csv or .npz)."""

    song: str
    out: str
    preset: Preset = "default"
    domain: Domain | None = None
    buses: dict[str, str] = {}
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


def run(request: EstimateRequest, tell: Tell = untold) -> EstimateResult:
    """Estimate and write.

    Raises
    ------
    InputError
        The song cannot be read, has no mixdown, or `out` has a name that says no format.
    """
    out = Path(request.out)
    if out.suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"{out}: the name must end in .csv or .npz")
    song = open_song_folder(request.song, request.buses, request.mixdown)
    progress = stage(tell, f"estimating {song.title}", 0.0, 1.0)
    found = estimated(song, request.preset, request.domain, None, progress)
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


def estimated(
    song: Song,
    preset: str,
    domain: Domain | None,
    feature_set: str | None,
    progress: Progress,
) -> Estimate:
    """Return the estimate of `song` in either preset, with features of `feature_set` measured in the same pass.

    Raises
    ------
    InputError
        The paper preset was asked for another domain than its own.
    """
    if preset == "default":
        return estimate(song, domain=domain, feature_set=feature_set or "condition3", progress=progress)
    if domain not in (None, "magnitude"):
        raise InputError(f"--domain {domain}: the paper preset fits magnitudes; leave --domain out, or --preset paper")
    return estimate_as_paper(song, feature_set=feature_set, progress=progress)


def taught(song: Song, preset: str, feature_set: str, progress: Progress) -> tuple[Estimate, TrainingSong]:
    """Return the estimate of `song`, and what a model keeps of it."""
    found = estimated(song, preset, None, feature_set, progress)
    kept = training_song(
        song,
        found.measurement,
        found.curves,
        feature_set=feature_set,
        domain=found.domain,
        fit=found.fit,
    )
    return found, kept
