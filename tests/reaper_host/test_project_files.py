"""The copies that `faderwise mix SESSION.RPP` writes, opened in the host: what plays is what was predicted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from analysis_server.cli import main
from tests.reaper_host import ReaperHost
from tests.reaper_host.sessions import RATE, envelope, item, rendered, track, write_project
from tests.session_media import STEMS

Samples = npt.NDArray[np.float64]
QUARTER = RATE // 4
LENGTH_S = 12.0


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four buses of the bundled song, no two alike: folder, modes, faders, envelopes before and after the plug-ins."""
    folder = tmp_path / "session"
    folder.mkdir()
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    for role in ("drums", "bass", "melody", "vocals"):
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    before = envelope("0 0.5 0", "6 1.2 2", "10 0.9 0", kind="VOLENV", scaling=0)
    return write_project(
        folder,
        track("DRUM BUS", "ISBUS 1 1", "VOLPAN 1.1 0 -1 -1 1"),
        track("Kick", "VOLPAN 0.5 0 -1 -1 1", envelope("0 1 0", "12 0.4 0"), item("drums.flac", length=LENGTH_S)),
        track(
            "Room", "ISBUS 2 -1", "VOLPAN 0.3 -0.4 -1 -1 1", item("drums.flac", "SOFFS 0.5", position=2.0, length=9.0)
        ),
        track(
            "BASS BUS",
            "AUTOMODE 1",
            "VOLPAN 0.25 0 -1 -1 1",
            envelope("0 0.3 1", "5 0.8 0"),
            item("bass.flac", length=LENGTH_S),
        ),
        track(
            "MELODY BUS", before, envelope("0 0.7 0", kind="VOLENV3"), item("melody.flac", "LOOP 1", length=LENGTH_S)
        ),
        track(
            "Lead", "VOLPAN 0.6 0 -1 -1 1", "MAINSEND 0 0", item("vocals.flac", "FADEIN 1 2 0 1 0 0", length=LENGTH_S)
        ),
        track("VOCAL BUS", "VOLPAN 1.1 0 -1 -1 1", "AUXRECV 5 0 0.8 0 0 0 0 0 0 -1:U 0 -1 ''"),
    )


def level_db(samples: Samples) -> Samples:
    """Return the level of each quarter second, down to -60 dB."""
    whole = samples[: len(samples) // QUARTER * QUARTER].reshape(-1, QUARTER * samples.shape[1])
    return 20.0 * np.log10(np.maximum(np.sqrt(np.mean(whole**2, axis=1)), 1e-3))


def mixed(session: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
    assert main(["mix", str(session), "--json", *options]) == 0
    files: dict[str, str] = json.loads(capsys.readouterr().out)["files"]
    return files


def test_the_copy_plays_the_same_audio_as_mix_wav(
    empty_host: ReaperHost, session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = mixed(session, capsys)
    copy = next(Path(path) for name, path in files.items() if name.endswith(".RPP"))
    predicted = soundfile.read(files["mix.wav"], always_2d=True)[0]
    project = empty_host.open(copy)
    project.root.set_number("MASTER_VOLUME", 0, 1.0, "1")
    heard = rendered(empty_host, session.parent / "out")[0]
    n_samples = min(len(heard), len(predicted))
    assert n_samples > 11 * RATE
    np.testing.assert_allclose(level_db(heard[:n_samples]), level_db(predicted[:n_samples]), atol=0.2)


def test_a_range_changes_nothing_outside_it(
    empty_host: ReaperHost, session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty_host.open(session)
    before = rendered(empty_host, session.parent / "before")[0]
    files = mixed(session, capsys, "--range", "4:8")
    empty_host.open(next(Path(path) for name, path in files.items() if name.endswith(".RPP")))
    after = rendered(empty_host, session.parent / "after")[0]
    outside = np.r_[0 : 4 * RATE, 8 * RATE : 12 * RATE]
    np.testing.assert_allclose(after[outside], before[outside], atol=1e-4)
    assert np.abs(after - before)[5 * RATE : 7 * RATE].max() > 1e-2
