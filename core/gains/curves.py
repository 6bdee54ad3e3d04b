"""Gain curves and their smoothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray, db_to_gain, gain_to_db
from core.errors import InputError
from core.files import replacing, write_text

EMA = 0.9


def exponential(curve: FloatArray, *, keep_first: bool) -> FloatArray:
    """Return y[n] = 0.9 y[n-1] + 0.1 x[n] along axis 0, from a previous value of 0.

    With `keep_first`, frame 0 is kept and frame 1 starts from 0, as the original implementation smooths its ground
    truth. Without it frame 0 is smoothed too, as it smooths its predictions.

    Examples
    --------
    >>> exponential(np.ones(3), keep_first=False).round(3).tolist()
    [0.1, 0.19, 0.271]
    """
    import scipy  # noqa: PLC0415 - only the paper's preset needs it, and its import takes long

    start = 1 if keep_first else 0
    smoothed = curve.copy()
    smoothed[start:] = scipy.signal.lfilter([1.0 - EMA], [1.0, -EMA], curve[start:], axis=0)
    return smoothed


def gaussian(curve: FloatArray, sigma: float) -> FloatArray:
    """Return a curve smoothed along axis 0 by a Gaussian of `sigma` frames, same shape; its end values are extended.

    As `scipy.ndimage.gaussian_filter1d` with ``mode="nearest"``, whose import takes longer than `mix` needs for curves.
    """
    reach = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(curve, [(reach, reach), *[(0, 0)] * (curve.ndim - 1)], mode="edge")
    return np.apply_along_axis(np.convolve, 0, padded, weights, mode="valid")


@dataclass(frozen=True, kw_only=True)
class GainCurves:
    """A gain per bus and frame.

    Attributes
    ----------
    title : the song's.
    buses : the buses' roles, in order.
    time_s : the frames' centres in seconds, shape (n_frames,).
    gains : linear gains, shape (n_frames, n_buses).
    active : where a bus's stem sounds, shape (n_frames, n_buses), bool.
    gains_raw : the same before smoothing; None for gains that were not smoothed.
    fit : how much of the mixdown's energy the gains explain per frame (1 all, 0 none; NaN in frames without mixdown),
        shape (n_frames,); None for gains that were not estimated.
    deviation_db : standard deviation of each gain in dB, shape (n_frames, n_buses), or None where unknown.
    level_lufs : the stems' loudness, shape (n_frames, n_buses), minus infinity in silence; None where it is not needed.
    """

    title: str
    buses: tuple[str, ...]
    time_s: FloatArray
    gains: FloatArray
    active: npt.NDArray[np.bool_]
    gains_raw: FloatArray | None = None
    fit: FloatArray | None = None
    deviation_db: FloatArray | None = None
    level_lufs: FloatArray | None = None

    @property
    def gains_db(self) -> FloatArray:
        """The gains in dB, shape (n_frames, n_buses)."""
        return gain_to_db(self.gains)

    def median_gain_db(self) -> dict[str, float]:
        """Return each bus's median gain over the frames it sounds in, dB; over all of them where it never does."""
        return {
            bus: float(np.median(gain_db[on] if on.any() else gain_db))
            for bus, gain_db, on in zip(self.buses, self.gains_db.T, self.active.T, strict=True)
        }

    def with_gain_db(self, gain_db: npt.ArrayLike) -> GainCurves:
        """Return the curves with `gain_db`, a number or shape (n_buses,), added to every gain."""
        factor = db_to_gain(gain_db)
        raw = None if self.gains_raw is None else self.gains_raw * factor
        return replace(self, gains=self.gains * factor, gains_raw=raw)

    def selected(self, buses: Sequence[str], n_frames: int) -> GainCurves:
        """Return the first `n_frames` frames of `buses`, in that order, without `gains_raw`, `fit` and deviation."""
        part = np.ix_(range(n_frames), [self.buses.index(bus) for bus in buses])
        return GainCurves(
            title=self.title,
            buses=tuple(buses),
            time_s=self.time_s[:n_frames],
            gains=self.gains[part],
            active=self.active[part],
            level_lufs=None if self.level_lufs is None else self.level_lufs[part],
        )

    def save(self, path: Path) -> None:
        """Write the curves to `path`: ``.csv`` for only the gains, ``.npz`` for everything.

        Raises
        ------
        InputError
            The name ends otherwise, or the folder cannot be written to.
        """
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "gains": self.gains,
            "gains_raw": self.gains if self.gains_raw is None else self.gains_raw,
            "active": self.active,
            "buses": np.array(self.buses),
            "fit": np.full(len(self.gains), np.nan) if self.fit is None else self.fit,
        }
        if self.deviation_db is not None:
            arrays["deviation_db"] = self.deviation_db
        save_table(path, self.time_s, dict(zip(self.buses, self.gains.T, strict=True)), arrays)


def save_table(
    path: Path,
    time_s: FloatArray,
    columns: dict[str, FloatArray],
    arrays: dict[str, npt.NDArray[np.generic]],
) -> None:
    """Write `columns` (n_frames,) as CSV or `arrays` as NPZ, each with `time_s` (n_frames,), according to the suffix.

    Parameters
    ----------
    path : the file to write; its suffix chooses the format.
    time_s : the frames' centres, shape (n_frames,).
    columns : the columns of a CSV file by name, each of shape (n_frames,).
    arrays : the arrays of an NPZ file by name.

    Raises
    ------
    InputError
        The name ends in neither ``.csv`` nor ``.npz``.
    """
    require_table_name(path)
    if path.suffix.lower() == ".csv":
        write_text(path, _csv_text(time_s, columns))
        return
    with replacing(path) as temporary:
        write_npz(temporary, {"time_s": time_s, **arrays})


def require_table_name(path: Path) -> None:
    """Raise unless the name's suffix is that of a table.

    Raises
    ------
    InputError
        It ends in neither ``.csv`` nor ``.npz``.
    """
    if path.suffix.lower() not in (".csv", ".npz"):
        raise InputError("the name must end in .csv or .npz", path=path)


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]], *, compress: bool = True) -> None:
    """Write arrays of any shape as NPZ, with identical bytes for identical arrays (NumPy stores the time).

    Parameters
    ----------
    path : the file to write.
    arrays : the arrays by name.
    compress : whether to compress them.
    """
    import zipfile  # noqa: PLC0415 - needed only where a table is written

    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(entry, content.getbuffer(), compress_type=method)


def _csv_text(time_s: FloatArray, columns: dict[str, FloatArray]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time_s", *columns])
    writer.writerows(zip(time_s.tolist(), *(column.tolist() for column in columns.values()), strict=True))
    return text.getvalue()
