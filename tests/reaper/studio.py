"""A studio: a simulated REAPER with Faderwise installed, a session open in it, and a user who answers dialogs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.reaper_host import ReaperHost
from tests.reaper_host.actions import NEW_INSTANCE, Action
from tests.reaper_host.script_runner import Script

ROOT = Path(__file__).resolve().parents[2]
STEMS = ROOT / "examples" / "caesium"
ROLES = ("drums", "bass", "melody", "vocals")


class Studio:
    """What a test works with: `host`, the project's `path`, and `home`, where the application keeps everything."""

    def __init__(self, host: ReaperHost, path: Path, home: Path) -> None:
        self.host, self.path, self.home = host, path, home
        self.scripts = host.resource_path / "Scripts" / "Faderwise"
        self.scripts.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "reaper_scripts", self.scripts, dirs_exist_ok=True)
        place = {"python": sys.executable, "home": str(home)}
        (self.scripts / "faderwise_application.json").write_text(json.dumps(place), encoding="utf-8")

    def start(self, action: str) -> Script:
        """Run an action's first tick, in a new instance if one is running, as it is registered."""
        path = self.scripts / f"faderwise_{action}.py"
        return self.host.start(Action(0, "", path, NEW_INSTANCE, 0, f"Custom: {path.name}"))

    def run(self, action: str, timeout_s: float = 240.0) -> Script:
        """Run an action to its end; require that nothing failed in REAPER and every expected window appeared."""
        script = self.start(action)
        self.host.run_to_end(timeout_s)
        self.require_peace()
        return script

    def inside(self, code: str) -> Any:
        """Run code with the bridge's modules at hand inside REAPER; return what it leaves in `result`."""
        script = self.scripts / "inside.py"
        names = "BridgeError, application, apply_result, reaper_api, render_stems, restore_state, settings"
        head = f"import sys\nfrom pathlib import Path\nfrom faderwise_bridge import {names}\nresult = None\n"
        script.write_text(head + code, encoding="utf-8")
        run = self.host.run_script(script)
        if run.error:
            raise AssertionError(run.error)
        return run.module.__dict__["result"]

    def require_peace(self) -> None:
        """Raise where a script failed, was misused, or an expected window did not come."""
        assert self.host.script_errors == []
        assert self.host.complaints == []
        assert self.host.dialogs.waiting == 0, f"not shown; last: {self.last_window()}"

    def last_window(self) -> str:
        """Return the text of the last window."""
        shown = self.host.dialogs.shown
        return shown[-1].text if shown else "none"

    def choose_buses(self, tracks: Sequence[str] | None = None, model: str | None = None, **options: str) -> None:
        """Let the user fill in the dialog of buses: as it is shown, or with other tracks for the first roles.

        `options` are the answers to further fields by the first word of their captions.
        """
        answers = {**options, **({} if model is None else {"Model": model})}

        def filled(captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
            names = [re.split(r"\W", caption)[0] for caption in captions]
            assert not answers.keys() - set(names), names
            values = [answers.get(name, default) for name, default in zip(names, defaults, strict=True)]
            values[: len(tracks or ())] = tracks or ()
            return values

        self.host.dialogs.expect_inputs(filled, containing="which tracks are the buses")

    def decline_report(self, containing: str = "") -> None:
        """Let the user read the last window and not open the report."""
        self.host.dialogs.expect_message("No", containing=containing)

    def jobs(self) -> list[Path]:
        """Return the job folders, after those of finished jobs were removed by their relays."""
        folder = self.home / "jobs"
        end_s = time.monotonic() + 10.0
        while time.monotonic() < end_s and any(not (job / "job.json").exists() for job in folder.glob("*")):
            time.sleep(0.02)
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def job(self) -> dict[str, Any]:
        """Return the one job's job.json, empty until there is one."""
        (folder,) = self.jobs()
        with suppress(FileNotFoundError):
            return dict(json.loads((folder / "job.json").read_text(encoding="utf-8")))
        return {}

    def progress(self) -> dict[str, Any]:
        """Return the content of the job's progress.json, empty as long as it does not exist."""
        for folder in self.jobs():
            with suppress(OSError, ValueError):
                return dict(json.loads((folder / "progress.json").read_text(encoding="utf-8")))
        return {}

    def forget_heartbeat(self) -> None:
        """Let a minute pass since the last heartbeat of the job and of the script that polls it."""
        for folder in self.jobs():
            (folder / "progress.json").unlink(missing_ok=True)
            a_minute_ago = time.time() - 60.0
            os.utime(folder / "job.json", (a_minute_ago, a_minute_ago))

    def runs(self) -> list[Path]:
        """Return the folders of finished runs."""
        folder = self.home / "runs"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def server_pid(self) -> int | None:
        """Return the process id of the analysis server, if one is up."""
        return server_pid(self.home)


def without_ext_state(content: bytes) -> bytes:
    """Return a project's content without what scripts store in it: undo does not restore that."""
    return re.sub(rb"(?ms)^  <EXTSTATE\r?\n.*?^  >\r?\n", b"", content)


def server_pid(home: Path) -> int | None:
    """Return the process id of the analysis server that keeps everything in `home`, if one is up."""
    try:
        pid = int(json.loads((home / "server" / "connection.json").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError):
        return None
    return pid if psutil.pid_exists(pid) else None


def end_server(home: Path) -> None:
    """End that server."""
    pid = server_pid(home)
    if pid is not None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(pid)
            server.terminate()
            psutil.wait_procs([server], timeout=5)


_RENDER_LINES = """  RENDER_FILE ""
  RENDER_PATTERN ""
  RENDER_FMT 0 2 0
  RENDER_1X 0
  RENDER_RANGE 1 0 0 18 1000
  RENDER_RESAMPLE 3 0 1
  RENDER_ADDTOPROJ 0
  RENDER_STEMS 0
  RENDER_DITHER 0
  SAMPLERATE 44100 1 0
  <RENDER_CFG
    ZXZhdxgAAA==
  >"""


def project_text(*tracks: str) -> bytes:
    """Return a project as REAPER writes it, of given tracks."""
    lines = ['<REAPER_PROJECT 0.1 "7.43/linux-x86_64" 1', _RENDER_LINES, *tracks, ">", ""]
    return "\n".join(lines).encode()


def bus_text(name: str, file: str, *more: str, volume: float = 1.0, length_s: float = 24.0) -> str:
    """Return a track with one item, as REAPER writes it."""
    guid = f"{{{zlib.crc32(name.encode()):08X}-0000-4000-8000-000000000000}}"
    lines = [f"  <TRACK {guid}", f'    NAME "{name}"', f"    VOLPAN {volume} 0 -1 -1 1", "    MUTESOLO 0 0 0"]
    lines += ["    AUTOMODE 0", "    NCHAN 2", f"    TRACKID {guid}", "    MAINSEND 1 0", *more]
    item = ["    <ITEM", "      POSITION 0", f"      LENGTH {length_s:g}", "      LOOP 0"]
    item += [f"      <SOURCE {'FLAC' if file.endswith('flac') else 'WAVE'}", f'        FILE "{file}"']
    return "\n".join([*lines, *item, "      >", "    >", "  >"])


def small_session(folder: Path, *drum_lines: str, length_s: float = 24.0) -> Path:
    """Return a session of the bundled song: four bus tracks at different faders, relative media."""
    folder.mkdir()
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    volumes = (0.8, 1.2, 0.7, 0.9)
    tracks = [
        bus_text(
            f"{role.upper()} BUS",
            f"{role}.flac",
            *(drum_lines if role == "drums" else ()),
            volume=volume,
            length_s=length_s,
        )
        for role, volume in zip(ROLES, volumes, strict=True)
    ]
    path = folder / "Song.RPP"
    path.write_bytes(project_text(*tracks))
    return path
