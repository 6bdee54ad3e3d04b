"""The audio of a project in the simulated REAPER, and the mix of the same stems by `faderwise mix`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from tests.reaper.studio import Studio
from tests.reaper_host import ReaperHost

Audio = npt.NDArray[np.float64]
_STEMS = 2
_FLOAT = "ZXZhdyAAAQ=="
_RENDER = 42230


def after_the_faders(content: bytes, path: Path, guids: Sequence[str], span_s: tuple[float, float]) -> Audio:
    """Return the rendered sum of tracks of a project with that content, shape (n_samples, 2).

    They are heard in the centre: a bus's own pan is in no stem, so `mix.wav` has none either.
    """
    folder = path.parent / "heard"
    project = path.with_name(f"heard-{path.name}")
    project.write_bytes(content)
    host = ReaperHost(path.parent / "another-resource", project)
    numbers = {"RENDER_SETTINGS": _STEMS, "RENDER_BOUNDSFLAG": 0, "RENDER_STARTPOS": span_s[0]}
    numbers |= {"RENDER_ENDPOS": span_s[1], "RENDER_CHANNELS": 2, "RENDER_TAILFLAG": 0, "RENDER_ADDTOPROJ": 0}
    for key, number in numbers.items():
        host.RPR.RPR_GetSetProjectInfo(0, key, number, True)
    texts = {"RENDER_FILE": str(folder), "RENDER_PATTERN": "heard-$tracknumber", "RENDER_FORMAT": _FLOAT}
    for key, text in texts.items():
        host.RPR.RPR_GetSetProjectInfo_String(0, key, text, True)
    for track in host.project.tracks:
        pointer = host.RPR.RPR_GetTrack(0, host.project.tracks.index(track))
        host.RPR.RPR_SetMediaTrackInfo_Value(pointer, "I_SELECTED", float(track.guid in guids))
        if track.guid in guids:
            host.RPR.RPR_SetMediaTrackInfo_Value(pointer, "D_PAN", 0.0)
    host.RPR.RPR_Main_OnCommand(_RENDER, 0)
    files = sorted(folder.glob("*.wav"))
    assert len(files) == len(guids)
    sums = np.sum([soundfile.read(file, always_2d=True)[0] for file in files], axis=0)
    shutil.rmtree(folder)
    return np.asarray(sums)


def keep_stems(studio: Studio, folder: Path, buses: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[str]]:
    """Wait until the stems are rendered and copy them into a song folder, summed by bus; return the buses' GUIDs."""
    studio.host.run_until(lambda: bool(studio.jobs()) and bool(studio.job().get("stems")), timeout_s=240.0)
    job = studio.job()
    folder.mkdir()
    for role, guids in job["buses"].items():
        read = [soundfile.read(job["stems"][guid], always_2d=True) for guid in guids]
        soundfile.write(folder / f"{role}.wav", np.sum([audio for audio, _ in read], axis=0), read[0][1], "FLOAT")
    return dict(buses or job["buses"])


def quarter_db(samples: Audio, rate: int) -> Audio:
    """Return the level of every quarter second, dB."""
    n_hop = rate // 4
    hops = samples[: len(samples) // n_hop * n_hop].reshape(-1, n_hop * samples.shape[1])
    return np.asarray(10.0 * np.log10(np.maximum((hops**2).mean(axis=1), 1e-14)))
