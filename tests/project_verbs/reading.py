"""Read project files independently of the code under test."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from core.rpp.project import Track

Audio = npt.NDArray[np.float64]


def heard_gain(content: bytes, track: Track, time_s: Audio) -> Audio:
    """The gain that an envelope's lines say, by themselves: straight in amplitude, times the fader in trim/read."""
    lines = [line.split() for line in content.splitlines()]
    starts = [i for i, words in enumerate(lines) if words[:1] == [b"<TRACK"]]
    depth, points = 0, []
    inside = False
    for words in lines[starts[track.index] :]:
        if not words:
            continue
        if inside and words[0] == b"PT":
            points.append((float(words[1]), float(words[2])))
            assert words[3] == b"0"
        depth += words[0].startswith(b"<") - (words[0] == b">")
        inside = (inside or (depth == 2 and words[0] == b"<VOLENV2")) and depth == 2
        if depth == 0:
            break
    times, values = np.array(points).T
    return np.asarray(np.interp(time_s, times, values) * (track.volume if track.automation_mode == 0 else 1.0))


def without_volume_envelopes(content: bytes) -> bytes:
    kept, inside = [], False
    for line in content.splitlines(keepends=True):
        inside = inside or line.startswith(b"    <VOLENV2")
        if not inside:
            kept.append(line)
        inside = inside and line.strip() != b">"
    return b"".join(kept)


def without_ours(content: bytes) -> bytes:
    """The content without volume envelopes and without our own section, the only things a mix may touch."""
    text = re.sub(rb"    <FADERWISE\r?\n(      RUN_\d+_\d+ [\w.=-]+\r?\n)+    >\r?\n", b"", content)
    text = re.sub(rb"  <EXTSTATE\r?\n  >\r?\n", b"", text)
    return without_volume_envelopes(text)


def quarter_db(samples: Audio, rate: int) -> Audio:
    n_hop = rate // 4
    hops = samples[: len(samples) // n_hop * n_hop].reshape(-1, n_hop * samples.shape[1])
    return np.asarray(10.0 * np.log10(np.maximum((hops**2).mean(axis=1), 1e-14)))
