"""Find out whether a song's stems already have the balance of its mixdown."""

from __future__ import annotations

import numpy as np

from core.audio.io import AudioFile, Samples, read_excerpt
from core.audio.song import Song

EXCERPT_S = 30.0
PLAIN_SUM_SHARE = 0.98
"""The share of the mixdown's energy that the plain sum must explain."""


def plain_sum_share(song: Song) -> float | None:
    """Return the share of the mixdown's energy that the plain sum of the stems explains; None without a mixdown.

    Measured on up to `EXCERPT_S` seconds from the song's middle.
    """
    if song.mixdown is None:
        return None
    rate, n_channels = song.sample_rate, song.n_channels
    n_samples = min(song.n_samples, round(EXCERPT_S * rate))
    start = (song.n_samples - n_samples) // 2

    def excerpt(file: AudioFile) -> Samples:
        return read_excerpt(file, sample_rate=rate, n_channels=n_channels, start=start, n_samples=n_samples)

    mixdown = excerpt(song.mixdown).astype(np.float64)
    total = np.zeros_like(mixdown)
    for file in song.stems.values():
        total += excerpt(file)
    energy = float(np.vdot(mixdown, mixdown) * np.vdot(total, total))
    return float(np.vdot(mixdown, total)) ** 2 / energy if energy > 0.0 else None


def balanced_notes(song: Song) -> list[str]:
    """Return a sentence if the stems already have the mixdown's balance."""
    share = plain_sum_share(song)
    if share is None or song.mixdown is None or share < PLAIN_SUM_SHARE:
        return []
    return [
        f"{song.mixdown.path.name} is nearly the plain sum of the stems ({100.0 * share:.1f} % of its energy), so the "
        "stems already have the producer's balance; the gains here are changes to it, and faderwise match recovers it"
    ]
