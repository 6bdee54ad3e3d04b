"""Damaged job files, and damaged files that say where the application is."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from contextlib import ExitStack
from multiprocessing.util import Finalize
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import msgspec

from analysis_server.doctor import examine_place
from analysis_server.reaper.job_file import Answer
from analysis_server.reaper.relay import main
from tests.fuzz import material
from tests.fuzz.judging import RequirementError, hashes
from tests.fuzz.mutations import damaged_json, damaged_value
from tests.fuzz.runs import with_two_runs, write_session
from tests.server.conftest import running

_NEVER = frozenset({"internal", "crashed"})
_TRACKS = {"drums": "{A0}", "bass": "{A3}", "melody": "{A4}", "vocals": "{A5}"}


class Jobs:
    """Damaged `job.json` files of each action and phase, on a project with two runs and with a real server."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self._session = write_session(folder / "session")
        self._copy = with_two_runs(self._session).read_bytes()
        self._home = Path(os.environ["FADERWISE_HOME"])
        stack = ExitStack()
        Finalize(None, stack.close, exitpriority=10)  # atexit does not run in a forked process
        stack.enter_context(running(self._home, n_workers=1, idle_s=120.0))
        self._left_jobs = bridge_module("application", folder).left_jobs

    def __call__(self, folder: Path, chance: Random) -> str:
        job = folder / "jobs" / "job"
        job.mkdir(parents=True)
        project = job / "project.RPP"
        project.write_bytes(self._copy)
        valid = chance.choice(valid_jobs(self._session, project))
        (job / "job.json").write_bytes(damaged_json(json.dumps(valid).encode(), chance))
        before = hashes(self._session)
        answer = _answered(job)
        if before != hashes(self._session) or project.read_bytes() != self._copy:
            raise RequirementError("the session or the project's copy was changed")
        for left in self._left_jobs(folder):  # as an action reads them that is started after a crash
            if left.asked["phase"] not in ("plan", "do") or not set(left.asked.get("before") or {"none"}):
                raise RequirementError(f"a job that cannot be resumed: {left.title}")
        shutil.rmtree(self._home / "runs", ignore_errors=True)
        return "refused" if answer.error or (answer.plan and answer.plan.problem) else "done"


class Applications:
    """`faderwise_application.json`, the path of the application: read by the bridge and by `doctor`."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        (folder / "home").mkdir(parents=True)
        python = shutil.which("true") or sys.executable
        self._valid = json.dumps({"python": python, "home": str(folder / "home"), "version": "1.0"}).encode()
        self._bridge = bridge_module("application", folder)
        self._job, self._error = self._bridge.Job, self._bridge.BridgeError
        self._place = folder / "scripts" / "faderwise_application.json"

    def __call__(self, folder: Path, chance: Random) -> str:
        once = json.dumps(damaged_value(json.loads(self._valid), chance)).encode()
        self._place.write_bytes(chance.choice((once, once, damaged_json(self._valid, chance))))
        if "\n" in str(examine_place(self._place)):
            raise RequirementError("the doctor's finding has more than one line")
        try:
            relay = self._bridge.find().start(self._job(folder, {}))
            relay.let_end()
            relay.kill()
        except self._error as error:
            if "install.py" not in str(error):
                raise RequirementError(f"no remedy: {error}") from error
            return "refused"
        return "done"


def bridge_module(name: str, folder: Path) -> ModuleType:
    """Return a module of the bridge, from a copy of the scripts in `folder`: only what needs no REAPER."""
    scripts = folder / "scripts"
    if not scripts.is_dir():
        shutil.copytree(material.ROOT / "reaper_scripts", scripts)
        sys.path.insert(0, str(scripts))
    return importlib.import_module(f"faderwise_bridge.{name}")


def valid_jobs(session: Path, project: Path) -> list[dict[str, Any]]:
    """Return a valid job of each action in each phase that works on a project's copy."""
    stems = {guid: str(session / f"{role}.wav") for role, guid in _TRACKS.items()}
    common = {
        "version": 1,
        "action": "Auto-mix buses",
        "title": "Song",
        "project": str(project),
        "project_path": str(session / "Song.RPP"),
        "selection_s": [0.2, 1.0],
        "length_s": 1.3,
        "top_gain": 2.0,
        "settings": {"model": "equal-level", "target_lufs": "-20"},
        "buses": {role: [guid] for role, guid in _TRACKS.items()},
        "before": dict.fromkeys(_TRACKS.values()),
    }
    answers = {"roles": {"drums": "1", "bass": "Bass Bus", "melody": "", "vocals": "6"}, "further": "keys = 5;"}
    do = {"phase": "do", "stems": stems, "span_s": [0.0, 1.25]}
    edit = {"depth": "50", "moves": "80", "smooth": "0.5", "limit": "3", "freeze": "bass", "offsets": {"vocals": "1"}}
    mixdown = str(session / "mix.wav")
    options = {
        "level": "tracks",
        "like": "Song.RPP",
        "depth": "80",
        "keep": "bass",
        "ride": "vocals = 40",
        "part": "all",
    }
    adjustments = {"depth_percent": 50.0, "ride_percent": {"vocals": 30.0}, "keep": ["bass"]}
    way = {"level": "buses", "target": "trim", "adjustments": adjustments}
    more: tuple[dict[str, Any], ...] = (
        *({"verb": verb, "phase": "plan"} for verb in ("mix", "match", "learn", "audit", "edit", "revert")),
        *({"verb": verb, "phase": "plan", "answers": answers} for verb in ("mix", "match")),
        {"verb": "mix", "phase": "plan", "answers": answers, "options": options, "settings": {"model": "default"}},
        {"verb": "mix", **do},
        {"verb": "mix", **do, "way": way, "settings": {"model": "default"}},
        {"verb": "match", **do, "mixdown": mixdown},
        {"verb": "learn", **do, "truth": "faders", "model_name": "mine"},
        *({"verb": "audit", **do}, {"verb": "edit", **do, "edit": edit}, {"verb": "revert", **do, "run": 2}),
    )
    return [{**common, **job} for job in more]


def _answered(job: Path) -> Answer:
    """Let the application answer a job; raise if the bridge could not show the answer."""
    main(job)
    answer = msgspec.json.decode((job / "result.json").read_bytes(), type=Answer)
    if [answer.plan, answer.do, answer.error].count(None) != 2:
        raise RequirementError(f"not one plan, result or error: {answer}")
    if answer.error and (answer.error.code in _NEVER or not answer.error.problem):
        raise RequirementError(f"not an error for a user: {answer.error}")
    if answer.error and "\n" in f"{answer.error.problem}{answer.error.remedy}":
        raise RequirementError(f"more than one line: {answer.error}")
    return answer
