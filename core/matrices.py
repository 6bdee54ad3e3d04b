"""Training matrices: songs whose features and gains were computed elsewhere, in one NPZ file.

The layout is that of the authors' public rock matrices: `features_<bus>` (n_frames, 3: centroid, RMS, slope),
`gains` (n_frames, n_buses), `buses`, `songs` and `song_starts` (n_songs + 1).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.evaluation import EvaluationSong

_RMS_COLUMN = 1


def load_matrices(path: Path) -> list[EvaluationSong]:
    """Return the songs in `path`.

    Raises
    ------
    InputError
        The file is missing, no NPZ, or lacks an array.
    """
    arrays = _arrays(path)
    buses = tuple(str(bus) for bus in arrays["buses"])
    starts = arrays["song_starts"]
    return [
        _song(str(title), buses, arrays, slice(int(start), int(end)))
        for title, start, end in zip(arrays["songs"], starts[:-1], starts[1:], strict=True)
    ]


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no readable NPZ file ({error}); give training matrices") from error
    needed = ["buses", "songs", "song_starts", "gains"]
    missing = [name for name in needed if name not in arrays]
    missing += [f"features_{bus}" for bus in arrays.get("buses", []) if f"features_{bus}" not in arrays]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}; see docs/method.md for the matrices' layout")
    return arrays


def _song(
    title: str, buses: tuple[str, ...], arrays: dict[str, npt.NDArray[np.generic]], rows: slice
) -> EvaluationSong:
    features = {bus: np.asarray(arrays[f"features_{bus}"][rows], dtype=np.float64) for bus in buses}
    return EvaluationSong(
        title=title,
        buses=buses,
        features=features,
        gains=np.asarray(arrays["gains"][rows], dtype=np.float64),
        rms=np.stack([features[bus][:, _RMS_COLUMN] for bus in buses], axis=1),
    )
