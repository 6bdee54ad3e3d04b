"""Failures during an action: a clear message, nothing lost, and an unchanged project."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.reaper.conftest import StudioFor
from tests.reaper.studio import Studio, small_session

UNFINISHED = "is unfinished"


@pytest.fixture
def studio(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """A short session, open."""
    return studio_for(small_session(tmp_path / "session", length_s=6.0))


@pytest.fixture
def mixing(studio: Studio) -> Studio:
    """The small session with chosen buses: the stems are rendered, the application is running."""
    return mixing_in(studio)


@pytest.fixture
def long_mixing(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """As `mixing`, with a session that takes long enough to be interrupted before it is done."""
    return mixing_in(studio_for(small_session(tmp_path / "long", length_s=400.0)))


def mixing_in(studio: Studio) -> Studio:
    studio.choose_buses()
    studio.start("auto_mix_buses")
    studio.host.run_until(lambda: bool(studio.jobs()) and bool(studio.job().get("stems")), timeout_s=240.0)
    return studio


def n_envelopes(studio: Studio) -> int:
    return sum(track.envelope("VOLENV2") is not None for track in studio.host.project.tracks)


def closed(studio: Studio) -> None:
    """Close REAPER without notice to its scripts."""
    studio.host.__exit__(None, None, None)


def relays() -> list[int]:
    running = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child.pid for child in running if "analysis_server.reaper.relay" in child.cmdline()]


def test_a_server_killed_in_the_middle_is_started_again(long_mixing: Studio) -> None:
    long_mixing.host.run_until(lambda: long_mixing.server_pid() is not None, timeout_s=240.0)
    killed = long_mixing.server_pid()
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    long_mixing.decline_report("mixed with the model")
    long_mixing.host.run_to_end(timeout_s=240.0)
    long_mixing.require_peace()
    assert n_envelopes(long_mixing) == 4
    assert long_mixing.server_pid() != killed
    assert long_mixing.jobs() == []
    long_mixing.host.run_until(lambda: relays() == [], timeout_s=240.0)


@pytest.mark.parametrize("power_fails", [False, True])
def test_a_job_interrupted_by_closing_reaper_continues_at_the_next_start(
    mixing: Studio, studio_for: StudioFor, power_fails: bool
) -> None:
    before = mixing.path.read_bytes()
    if power_fails:
        mixing.host.run_until(lambda: "pid" in mixing.progress(), timeout_s=240.0)
        os.kill(mixing.progress()["pid"], signal.SIGKILL)
    closed(mixing)
    assert mixing.path.read_bytes() == before
    if power_fails:
        mixing.forget_heartbeat()
    again = studio_for(mixing.path)
    again.host.dialogs.expect_message("Yes", containing=UNFINISHED)
    again.decline_report("mixed with the model")
    again.run("auto_mix_buses")
    assert n_envelopes(again) == 4
    assert again.jobs() == []


def test_a_process_that_dies_is_reported_and_the_job_is_kept(long_mixing: Studio) -> None:
    before = long_mixing.host.project.to_bytes()
    long_mixing.host.run_until(lambda: "pid" in long_mixing.progress(), timeout_s=240.0)
    os.kill(long_mixing.progress()["pid"], signal.SIGKILL)
    long_mixing.host.dialogs.expect_message("OK", containing="ended without an answer")
    long_mixing.host.run_to_end(timeout_s=240.0)
    long_mixing.require_peace()
    assert long_mixing.host.project.to_bytes() == before
    assert long_mixing.job()["phase"] == "do"


def test_a_job_that_the_user_does_not_resume_is_removed(mixing: Studio, studio_for: StudioFor) -> None:
    closed(mixing)
    again = studio_for(mixing.path)
    again.host.dialogs.expect_message("No", containing=UNFINISHED)
    for _ in range(2):  # files that a process wrote while it was ending are removed at the second start
        again.host.dialogs.expect_inputs(None, containing="which tracks are the buses")
        again.run("auto_mix_buses")
        assert not any((folder / "job.json").exists() for folder in again.jobs())
    assert again.jobs() == []
    assert n_envelopes(again) == 0


def test_a_job_of_another_reaper_is_not_touched(mixing: Studio, studio_for: StudioFor) -> None:
    (folder,) = mixing.jobs()
    asked = (folder / "job.json").read_text(encoding="utf-8")
    closed(mixing)
    (folder / "job.json").write_text(asked.replace(f'"reaper": {os.getpid()}', '"reaper": 1'), encoding="utf-8")
    again = studio_for(mixing.path)
    again.host.dialogs.expect_inputs(None, containing="which tracks are the buses")
    again.run("auto_mix_buses")
    assert again.jobs() == [folder]


def test_a_job_continues_after_a_bus_was_deleted_and_restored(mixing: Studio) -> None:
    host = mixing.host.RPR
    mixing.inside(
        "with reaper_api.undo_block('Delete'):\n    reaper_api.RPR.DeleteTrack(reaper_api.RPR.GetTrack(0, 1))"
    )
    before = mixing.host.project.to_bytes()
    mixing.host.dialogs.expect_message("OK", containing="the track was deleted")
    mixing.host.run_to_end(timeout_s=240.0)
    mixing.require_peace()
    assert mixing.host.project.to_bytes() == before
    host.RPR_Undo_DoUndo2(0)
    mixing.host.dialogs.expect_message("Yes", containing=UNFINISHED)
    mixing.decline_report("mixed with the model")
    mixing.run("auto_mix_buses")
    assert n_envelopes(mixing) == 4
    assert mixing.jobs() == []


def test_running_the_action_again_offers_to_cancel(long_mixing: Studio) -> None:
    before = long_mixing.host.project.to_bytes()
    long_mixing.host.dialogs.expect_message("Yes", containing="Cancel it?")
    long_mixing.start("auto_mix_buses")
    long_mixing.host.run_to_end(timeout_s=240.0)
    long_mixing.require_peace()
    assert long_mixing.host.project.to_bytes() == before
    assert "cancelled; nothing was changed" in long_mixing.host.dialogs.console
    assert long_mixing.jobs() == []


def test_missing_media_are_named_before_anything_happens(studio: Studio) -> None:
    (studio.path.parent / "bass.flac").unlink()
    before = studio.host.project.to_bytes()
    studio.choose_buses()
    studio.host.dialogs.expect_message("No", containing="bass.flac of track 2 'BASS BUS'")
    studio.run("auto_mix_buses")
    assert studio.host.project.to_bytes() == before
    assert studio.jobs() == []


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A session in a folder that can only be read."""
    path = small_session(tmp_path / "session", length_s=6.0)
    for file in path.parent.iterdir():
        file.chmod(stat.S_IRUSR)
    path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield path
    path.parent.chmod(stat.S_IRWXU)


def test_a_read_only_project_folder_is_enough(locked: Path, studio_for: StudioFor) -> None:
    listed = {file: file.stat().st_mtime_ns for file in locked.parent.iterdir()}
    studio = studio_for(locked)
    studio.choose_buses()
    studio.decline_report("mixed with the model")
    studio.run("auto_mix_buses")
    assert n_envelopes(studio) == 4
    assert {file: file.stat().st_mtime_ns for file in locked.parent.iterdir()} == listed


def test_a_data_folder_that_cannot_be_written_is_reported(studio: Studio) -> None:
    (studio.home / "jobs").write_text("no folder", encoding="utf-8")
    studio.host.dialogs.expect_message("OK", containing="cannot be written to")
    studio.run("auto_mix_buses")


def test_a_missing_application_is_reported_with_the_remedy(studio: Studio) -> None:
    place = studio.scripts / "faderwise_application.json"
    place.write_text(place.read_text(encoding="utf-8").replace("python", "nothing", 1), encoding="utf-8")
    studio.host.dialogs.expect_message("OK", containing="is not installed")
    studio.run("auto_mix_buses")
    assert "install.py" in studio.last_window()


def test_recording_is_not_disturbed(studio: Studio) -> None:
    studio.host.play_state = 5
    studio.host.dialogs.expect_message("OK", containing="REAPER is recording")
    studio.run("auto_mix_buses")


def test_a_fader_that_is_all_the_way_down_is_reported_before_rendering(studio: Studio) -> None:
    studio.host.RPR.RPR_SetMediaTrackInfo_Value(studio.host.RPR.RPR_GetTrack(0, 3), "D_VOL", 0.0)
    studio.host.dialogs.expect_message("OK", containing="track 4 'VOCALS BUS' is all the way down")
    studio.host.dialogs.expect_inputs(None, containing="which tracks are the buses")
    studio.run("auto_mix_buses")
    assert studio.jobs() == []
    assert not [shown for shown in studio.host.dialogs.shown if "--" in shown.text]
