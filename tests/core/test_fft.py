"""The transforms agree with NumPy's, by SciPy's compiled module and without it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from core import fft as module
from core.fft import fast_length, fft, irfft, rfft


@pytest.fixture(params=["compiled module", "scipy.fft"], autouse=True)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "scipy.fft":
        monkeypatch.setattr(module, "_pocketfft", lambda: None)
    else:
        assert module._pocketfft() is not None
    yield


@pytest.mark.parametrize("n", [1, 7, 100, 11_025])
def test_complex_transforms_agree_with_numpy(n: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((3, n)) + 1j * rng.standard_normal((3, n))
    np.testing.assert_allclose(fft(values), np.fft.fft(values), atol=1e-9)


@pytest.mark.parametrize("n", [7, 100, 11_025])
def test_real_transforms_agree_with_numpy(n: int) -> None:
    values = np.random.default_rng(2).standard_normal((3, n))
    np.testing.assert_allclose(rfft(values), np.fft.rfft(values), atol=1e-9)
    np.testing.assert_allclose(rfft(values, 2 * n), np.fft.rfft(values, 2 * n), atol=1e-9)
    np.testing.assert_allclose(irfft(rfft(values), n), values, atol=1e-9)


def test_single_precision_stays_single_and_input_is_overwritten_only_on_request() -> None:
    values = np.random.default_rng(3).standard_normal((2, 64)).astype(np.complex64)
    before = values.copy()
    spectra = fft(values)
    assert spectra.dtype == np.complex64
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(fft(values, in_place=True), spectra)
    assert rfft(before.real).dtype == np.complex64


def test_fast_lengths_have_small_factors() -> None:
    for n in (1, 13, 1021, 13_671):
        length = fast_length(n)
        assert n <= length < 1.2 * n + 8
        for factor in (2, 3, 5, 7, 11):
            while length % factor == 0:
                length //= factor
        assert length == 1
