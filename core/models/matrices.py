"""Training matrices: songs whose features and gains were computed elsewhere.

The layout is that of the authors' public rock matrices: `features_<bus>` (n_frames, 3: centroid, RMS, slope),
`gains` (n_frames, n_buses), `buses`, `songs` and `song_starts` (n_songs + 1).
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.models.evaluate import EvaluationSong

_N_FEATURES, _RMS_COLUMN = 3, 1
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, npt.NDArray[np.generic]]


def load_matrices(path: Path) -> list[EvaluationSong]:
    """Return the songs in `path`.

    Raises
    ------
    InputError
        The file is missing, no NPZ, lacks an array, or its arrays do not belong together.
    """
    arrays = _arrays(path)
    _require_sound(path, arrays)
    buses = tuple(str(bus) for bus in arrays["buses"])
    starts = arrays["song_starts"].tolist()
    return [
        _song(str(title), buses, arrays, slice(start, end))
        for title, start, end in zip(arrays["songs"], starts[:-1], starts[1:], strict=True)
    ]


def _arrays(path: Path) -> Arrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found: Arrays = {name: arrays[name] for name in arrays.files}
    except (*_UNREADABLE, AttributeError, TypeError) as error:  # the last two: a single array, no archive of arrays
        raise InputError(f"is no readable NPZ file ({error})", path=path, remedy="give training matrices") from error
    needed = ["buses", "songs", "song_starts", "gains"]
    missing = [name for name in needed if name not in found]
    missing += [f"features_{bus}" for bus in np.ravel(found.get("buses", [])) if f"features_{bus}" not in found]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}", path=path, remedy="see docs/reference/method.md for the layout")
    return found


def _require_sound(path: Path, arrays: Arrays) -> None:
    wrong = _what_is_wrong(arrays)
    if wrong:
        raise InputError(f"{wrong}", path=path, remedy="see docs/reference/method.md for the matrices' layout")


def _what_is_wrong(arrays: Arrays) -> str | None:
    for name in ("buses", "songs"):
        if arrays[name].ndim != 1 or not arrays[name].size or len(set(arrays[name].tolist())) < arrays[name].size:
            return f"{name} should be a list of names, each one once"
    n_frames, n_buses = len(np.atleast_1d(arrays["gains"])), arrays["buses"].size
    shapes = {"gains": (n_frames, n_buses)} | {f"features_{bus}": (n_frames, _N_FEATURES) for bus in arrays["buses"]}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"{name} has shape {arrays[name].shape}, beside the other arrays it should be {shape}"
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            return f"{name} holds something that is no number"
    starts = arrays["song_starts"]
    if starts.shape != (arrays["songs"].size + 1,) or starts.dtype.kind not in "iu":
        return f"song_starts should be {arrays['songs'].size + 1} whole numbers: where each song begins, and the end"
    if int(starts[0]) < 0 or int(starts[-1]) > n_frames or (np.diff(starts.astype(np.int64)) <= 0).any():
        return f"song_starts should rise from 0 to at most {n_frames}, the count of frames"
    return None


def _song(title: str, buses: tuple[str, ...], arrays: Arrays, rows: slice) -> EvaluationSong:
    features = {bus: np.asarray(arrays[f"features_{bus}"][rows], dtype=np.float64) for bus in buses}
    return EvaluationSong(
        title=title,
        buses=buses,
        features=features,
        gains=np.asarray(arrays["gains"][rows], dtype=np.float64),
        rms=np.stack([features[bus][:, _RMS_COLUMN] for bus in buses], axis=1),
    )
