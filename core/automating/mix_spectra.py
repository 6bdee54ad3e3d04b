"""The paper's last comparison: the average spectrum of the human mix beside the automatic one.

Conventions: the human mix is the mixdown's file as it is; the automatic one is the stems times their gains, linear
between the frames' centres, and nothing else: no common gain, no limiter. Both end where the stems end.

Source: Zafrin & Chudwick (2015), section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.audio.blocks import LockstepReader
from core.audio.reading import Samples
from core.audio.song import Song
from core.automating.spectrum import AverageSpectrum
from core.decibels import FloatArray, gain_to_db
from core.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class MixSpectra:
    """Average magnitudes at `frequency_hz`, of the `human` mix and the `automatic` one, each (n_bins,)."""

    frequency_hz: FloatArray
    human: FloatArray
    automatic: FloatArray

    @property
    def difference_db(self) -> FloatArray:
        """How much louder the automatic mix is, dB, shape (n_bins,)."""
        return gain_to_db(self.automatic) - gain_to_db(self.human)


def mix_spectra(song: Song, time_s: FloatArray, gains: FloatArray, *, progress: Progress = silent) -> MixSpectra:
    """Return the spectra of a song's mixdown and of its stems under `gains`, from one pass in bounded memory.

    Parameters
    ----------
    song : a song with its mixdown.
    time_s, gains : the frames' centres (n_frames,) and the stems' linear gains there (n_frames, n_buses).
    progress : is told the fraction done; may raise to stop the work.

    Raises
    ------
    InputError
        A file is damaged.
    """
    human, automatic = AverageSpectrum(song.sample_rate), AverageSpectrum(song.sample_rate)
    reader = LockstepReader(song, with_mixdown=True)
    with reader.blocks() as blocks:
        for block in blocks:
            start = block.first_hop * reader.framing.hop_samples
            samples = reader.up_to_the_end(block)
            at_s = (start + np.arange(samples.shape[2])) / song.sample_rate
            automatic.add(_mixed(samples[:-1], at_s, time_s, gains))
            human.add(samples[-1])
            progress(block.end_hop / reader.n_hops)
    return MixSpectra(frequency_hz=human.frequency_hz, human=human.magnitude, automatic=automatic.magnitude)


def _mixed(stems: Samples, at_s: FloatArray, time_s: FloatArray, gains: FloatArray) -> Samples:
    mix: Samples = np.zeros(stems.shape[1:], np.float32)
    for stem, gain in zip(stems, gains.T, strict=True):
        mix += stem * np.interp(at_s, time_s, gain).astype(np.float32)
    return mix
