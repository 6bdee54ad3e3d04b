"""The figures and reasons that mix and match print: as a loudness meter shows them, and as audit shows them."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from core.models.fit import EIGHTY_PERCENT
from tests.analysis_server.outcomes import RATE, Faderwise, as_json


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A folder of stems: vocals with long pauses, whose gated loudness differs from a mean of long frames."""
    folder, rng = tmp_path / "song", np.random.default_rng(5)
    folder.mkdir()
    time_s = np.arange(12 * RATE) / RATE
    for bus, level in (("drums", 0.1), ("bass", 0.2), ("vocals", 0.05)):
        samples = level * rng.normal(size=(len(time_s), 2))
        if bus == "vocals":
            samples *= ((time_s % 2.0) < 0.7)[:, None]
        soundfile.write(folder / f"{bus}.wav", samples, RATE, subtype="FLOAT")
    return folder


def meter_lufs(path: Path, gain_db: float = 0.0) -> float:
    samples, rate = soundfile.read(path)
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples * 10.0 ** (gain_db / 20.0)))


def test_the_loudness_of_a_bus_is_what_a_meter_shows(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    result = as_json(faderwise("mix", song, "--depth", 0, "--target-lufs", -20, "--json", "--out", tmp_path / "out"))
    for bus, found in result["buses"].items():
        assert found["loudness_before_lufs"] == pytest.approx(meter_lufs(song / f"{bus}.wav"), abs=0.06)
        after_lufs = meter_lufs(song / f"{bus}.wav", found["gain_db"])
        assert found["loudness_after_lufs"] == pytest.approx(after_lufs, abs=0.06)


@pytest.mark.parametrize("options", [(), ("--range", "2:8"), ("--keep", "drums", "--ride", "vocals=60")])
def test_audit_shows_the_figures_of_mix(
    faderwise: Faderwise, song: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = as_json(faderwise("mix", song, "--json", "--out", tmp_path / "out", *options))
    audited = as_json(faderwise("audit", tmp_path / "out", "--json", "--no-sound", "--curves"))
    for track, curves in zip(audited["tracks"], audited["curves"]["tracks"], strict=True):
        found = result["buses"][track["bus"]]
        assert track["gain_now_db"] == pytest.approx(found["gain_db"], abs=2e-3)
        assert track["loudness_before_lufs"] == pytest.approx(found["loudness_before_lufs"], abs=2e-3)
        assert track["loudness_now_lufs"] == pytest.approx(found["loudness_after_lufs"], abs=2e-3)
        heard = [level is not None for level in curves["level_lufs"]]
        deviation_db = float(np.median(np.array(curves["deviation_db"])[heard]))
        assert EIGHTY_PERCENT * deviation_db == pytest.approx(found["band_db"] or 0.0, abs=2e-3)
    assert any(
        level % 1.0 for curves in audited["curves"]["tracks"] for level in curves["level_lufs"] if level is not None
    )


def test_an_edit_changes_the_loudness_by_its_offset(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    faderwise("mix", song, "--out", tmp_path / "out")
    tracks = [as_json(faderwise("audit", tmp_path / "out", "--json", "--no-sound"))["tracks"]]
    faderwise("edit", tmp_path / "out", "--offset", "vocals=-3")
    tracks.append(as_json(faderwise("audit", tmp_path / "out", "--json", "--no-sound"))["tracks"])
    before, after = ({track["bus"]: track["loudness_now_lufs"] for track in one} for one in tracks)
    assert after["vocals"] - before["vocals"] == pytest.approx(-3.0, abs=0.01)


def test_a_kept_bus_is_marked(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    words = ("mix", song, "--keep", "drums", "--out", tmp_path / "out")
    result = as_json(faderwise(*words, "--json"))
    drums = result["buses"]["drums"]
    assert (drums["is_kept"], drums["band_db"], drums["gain_db"]) == (True, None, pytest.approx(0.0))
    (row,) = [line for line in faderwise(*words).out.splitlines() if line.split()[:2] == ["drums", "drums.wav"]][1:]
    assert row.split()[2:5] == ["0.0", "dB", "kept"]


def test_the_pages_of_a_kept_bus_show_that_it_is_kept(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    faderwise("mix", song, "--keep", "drums", "--out", tmp_path / "out")
    faderwise("audit", tmp_path / "out", "--no-sound")
    for page in ("report.html", "audit.html"):
        text = (tmp_path / "out" / page).read_text(encoding="utf-8")
        assert len(re.findall(r">\s*kept\s*<", text)) == 1
        assert "±0.0 dB" not in text


def test_the_reasons_of_an_audit_include_what_was_changed_since(
    faderwise: Faderwise, song: Path, tmp_path: Path
) -> None:
    faderwise("mix", song, "--out", tmp_path / "out")
    for offset in (0, -3):
        if offset:
            faderwise("edit", tmp_path / "out", "--offset", f"vocals={offset}")
        faderwise("audit", tmp_path / "out", "--no-sound")
        page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
        shown = re.findall(r"<b>(\S+ dB)</b> <span>changed since by faderwise edit or by hand</span>", page)
        assert bool(shown) == bool(offset)


def test_a_single_bus_has_no_balance(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    for bus in ("drums", "bass"):
        (song / f"{bus}.wav").unlink()
    ran = faderwise("mix", song, "--out", tmp_path / "out")
    assert "vocals is the only bus with sound" in ran.err
    assert "confidence" not in ran.out
    assert "--depth" not in ran.out


def test_a_stem_that_is_given_as_the_mixdown_is_reported(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    ran = faderwise("match", song, "--mixdown", song / "vocals.wav", "--out", tmp_path / "out")
    assert "vocals.wav was given as the mixdown, but has the name of a stem (vocals)" in ran.err


def test_a_bus_that_is_not_in_the_mixdown_has_no_gain(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    stems = [soundfile.read(song / f"{bus}.wav")[0] for bus in ("drums", "vocals")]
    soundfile.write(tmp_path / "mixdown.wav", sum(stems), RATE, subtype="FLOAT")
    words = ("match", song, "--mixdown", tmp_path / "mixdown.wav", "--out", tmp_path / "out")
    result = as_json(faderwise(*words, "--json"))
    assert [bus for bus, found in result["buses"].items() if not found["is_in_mix"]] == ["bass"]
    assert result["buses"]["bass"]["band_db"] is None
    assert "not in the mixdown: bass" in result["warnings"]
    assert "bass not in the mix" in result["headline"]
    page = Path(result["files"]["report.html"]).read_text(encoding="utf-8")
    assert "not in the mix" in page.split("<table")[0]


def test_the_confidence_is_the_median_of_the_bands_everywhere(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for options in ((), ("--range", "0.5:1.5"), ("--keep", "bass")):
        result = as_json(faderwise("mix", song, "--out", out, "--json", *options))
        bands = [bus["band_db"] for bus in result["buses"].values() if bus["band_db"] is not None]
        shown = f"confidence low (±{statistics.median(bands):.1f} dB)"
        assert shown in result["headline"]
        faderwise("audit", out, "--no-sound")
        for page in ("report.html", "audit.html"):
            assert shown in (out / page).read_text(encoding="utf-8")
