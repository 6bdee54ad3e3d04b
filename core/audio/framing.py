"""Divide audio into frames of 1 s every 0.25 s.

Conventions: frame `i` covers samples `[i * hop, i * hop + frame)`; its time is its centre. A hop is a quarter
of a frame, so a frame is four hops. The last frame may be partial and is completed with zeros.

Source: Zafrin & Chudwick (2015), section 3; the number of frames is that of the original implementation,
`floor((n_samples - overlap) / hop) + 1`; a song of exactly N hops has a last frame that contains only samples of the
one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.decibels import FloatArray
from core.errors import InputError

FRAME_S = 1.0
HOP_S = 0.25
HOPS_PER_FRAME = 4
STEPS_PER_HOP = 5
"""A hop is five steps of 50 ms; the default preset has a spectrum per step."""
LONGEST_S = 1e6
"""The latest time in a song or a project that is accepted (eleven days); anything later is a mistake."""


@dataclass(frozen=True)
class Framing:
    """Positions of frames, hops and 50 ms steps at one sample rate.

    Attributes
    ----------
    sample_rate : samples per second, a multiple of 20.

    Examples
    --------
    >>> framing = Framing(44_100)
    >>> framing.hop_samples, framing.n_frames(10 * 44_100)
    (11025, 38)
    >>> framing.time_s(3).tolist()
    [0.5, 0.75, 1.0]
    """

    sample_rate: int

    def __post_init__(self) -> None:
        if self.sample_rate <= 0 or self.sample_rate % (HOPS_PER_FRAME * STEPS_PER_HOP):
            raise InputError(
                f"a sample rate of {self.sample_rate} Hz does not divide into 50 ms steps",
                remedy="resample to 44100 or 48000 Hz",
            )

    @property
    def frame_samples(self) -> int:
        """Length of a frame in samples."""
        return self.sample_rate

    @property
    def hop_samples(self) -> int:
        """Distance between two frames' starts in samples."""
        return self.sample_rate // HOPS_PER_FRAME

    @property
    def step_samples(self) -> int:
        """A fifth of a hop in samples."""
        return self.hop_samples // STEPS_PER_HOP

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames a song of `n_samples` has (at least one)."""
        overlap = self.frame_samples - self.hop_samples
        return max(1, (n_samples - overlap) // self.hop_samples + 1)

    def n_hops(self, n_samples: int) -> int:
        """Return how many hops those frames span."""
        return self.n_frames(n_samples) + HOPS_PER_FRAME - 1

    def time_s(self, n_frames: int) -> FloatArray:
        """Return the frames' centres in seconds, shape (n_frames,)."""
        return np.arange(n_frames, dtype=np.float64) * HOP_S + FRAME_S / 2


def sum_over_frames(per_hop: FloatArray) -> FloatArray:
    """Return sums over each frame's four hops: (n_hops, ...) gives (n_hops - 3, ...)."""
    n_frames = len(per_hop) - HOPS_PER_FRAME + 1
    total = per_hop[:n_frames].copy()
    for i in range(1, HOPS_PER_FRAME):
        total += per_hop[i : i + n_frames]  # in place: spectra of an hour need no four copies
    return total
