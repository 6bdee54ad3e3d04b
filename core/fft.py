"""Fourier transforms in the precision of their input, along the last axis.

These are pocketfft's transforms, from SciPy's compiled module. Importing `scipy.fft` also imports SciPy's array API,
special functions, and NumPy's test and Fortran tools, which takes longer than all the transforms of a song. Where the
compiled module is not found, `scipy.fft` itself is used.
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

Real = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]


def fft(values: Complex, *, in_place: bool = False) -> Complex:
    """Return the transform of complex `values`, shape (..., n); with `in_place` they may be overwritten."""
    transformed: Complex
    if (pocketfft := _pocketfft()) is None:
        transformed = scipy.fft.fft(values, overwrite_x=in_place)
    else:
        transformed = pocketfft.c2c(values, (-1,), True, 0, values if in_place else None, 1)
    return transformed


def rfft(values: Real, n: int | None = None) -> Complex:
    """Return the transform of real `values` (..., k), continued with zeros to `n` values, shape (..., n // 2 + 1)."""
    if n is not None and n > values.shape[-1]:
        padded = np.zeros((*values.shape[:-1], n), values.dtype)
        padded[..., : values.shape[-1]] = values
        values = padded
    pocketfft = _pocketfft()
    transformed: Complex = pocketfft.r2c(values, (-1,)) if pocketfft is not None else scipy.fft.rfft(values)
    return transformed


def irfft(spectra: Complex, n: int) -> Real:
    """Return the `n` real values, shape (..., n), whose transform is `spectra` (..., n // 2 + 1)."""
    pocketfft = _pocketfft()
    values: Real = pocketfft.c2r(spectra, (-1,), n, False, 2) if pocketfft is not None else scipy.fft.irfft(spectra, n)
    return values


def fast_length(n: int) -> int:
    """Return the smallest length from `n` on for which a real transform is fast."""
    pocketfft = _pocketfft()
    length: int = pocketfft.good_size(n, True) if pocketfft is not None else scipy.fft.next_fast_len(n, real=True)
    return length


@cache
def _pocketfft() -> Any:
    """Return SciPy's compiled module, or None where this version of SciPy does not have it."""
    scipy_spec = find_spec("scipy")
    for folder in (scipy_spec and scipy_spec.submodule_search_locations) or ():
        spec = PathFinder.find_spec("pypocketfft", [str(Path(folder) / "fft" / "_pocketfft")])
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            if all(hasattr(module, name) for name in ("c2c", "r2c", "c2r", "good_size")):
                return module
    return None
