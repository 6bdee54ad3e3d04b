"""The simulated REAPER a test talks to."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, perf_counter, sleep
from types import ModuleType
from typing import NoReturn

from tests.reaper_host import api  # noqa: F401 - registers the functions
from tests.reaper_host.actions import ASK, TERMINATE, Action, Actions
from tests.reaper_host.calling import build_module
from tests.reaper_host.dialogs import Dialogs
from tests.reaper_host.envelope_state import Envelope
from tests.reaper_host.errors import HostViolation, NotSimulated
from tests.reaper_host.guids import Guid
from tests.reaper_host.pointers import PointerTable
from tests.reaper_host.project_state import EMPTY, Project
from tests.reaper_host.rendering import BackgroundRender, render
from tests.reaper_host.script_runner import Script, Tick
from tests.reaper_host.settings import Settings
from tests.reaper_host.switches import Switches
from tests.reaper_host.track_state import Track

CYCLE_S = 0.031
"""One defer cycle. [a: N782]"""


class ReaperHost:
    """A REAPER with one project open; use it in a ``with`` statement."""

    def __init__(self, resource_path: Path, project: Path | None = None) -> None:
        self.version = "7.43/linux-x86_64"
        self.resource_path = resource_path
        (resource_path / "Scripts").mkdir(parents=True, exist_ok=True)
        self.working_folder = resource_path
        self.thread = threading.get_ident()
        self.pointers, self.dialogs = PointerTable(), Dialogs(self)
        self.switches: Switches = Switches()
        self.settings = Settings(resource_path / "reaper-extstate.ini")
        self.actions = Actions(resource_path)
        self.main_window = object()
        self.scripts: list[Script] = []
        self.script_errors: list[str] = []
        self.complaints: list[str] = []
        self.violations: list[HostViolation] = []
        self.ticks: list[Tick] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.unsorted: set[Envelope] = set()
        self.device_sample_rate = 44_100
        self.accessors: list[object] = []
        self.refresh_prevented, self.panels_are_stale, self.play_state = 0, False, 0
        self.render_window_bits = 1 << 21
        self.razor_edits: dict[str, str] = {}
        self.background_renders: list[BackgroundRender] = []
        self.api_s, self._api_depth = 0.0, 0
        self._guids: dict[str, Guid] = {}
        self.shared_main = ModuleType("__main__")
        self.project = self._opened(project)
        self.projects = [self.project]
        self.RPR: ModuleType = build_module(self)

    def __enter__(self) -> ReaperHost:
        self._modules, self._path = dict(sys.modules), list(sys.path)
        for name in [name for name in sys.modules if name.split(".")[0] in ("reapy", "sws_python")]:
            del sys.modules[name]
        sys.modules["reaper_python"] = self.RPR
        return self

    def install_sws(self) -> None:
        """Install the SWS extension, as far as it is simulated: a Python module. Do it before reapy is imported."""
        module = ModuleType("sws_python")
        module.__dict__["SNM_SetIntConfigVar"] = self.set_preference
        sys.modules["sws_python"] = module

    def __exit__(self, *_error: object) -> None:
        scripts = {str(script.path.parent) for script in self.scripts} | {str(self.resource_path)}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            is_ours = any(file.startswith(folder) for folder in scripts)
            if name.split(".")[0] in ("reapy", "sws_python", "reaper_python") or (
                name not in self._modules and is_ours
            ):
                del sys.modules[name]
        sys.path[:] = self._path
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    # ------------------------------------------------------------------ scripts

    def run_script(self, path: Path) -> Script:
        """Run a script file as an action that is not registered."""
        return self.start(Action(0, "", path, ASK, 0, f"Custom: {path.name}"))

    def run_action(self, title: str) -> Script:
        """Run a registered action by its title or its file's name."""
        return self.start(self.actions.titled(title))

    def start(self, action: Action) -> Script:
        """Run an action; one that still runs is asked about, ended, or run once more. [e: USFT]"""
        running = [script for script in self.scripts if script.path == action.path and script.is_running]
        if running and action.flags == ASK:
            self.dialogs.hang(f"ReaScript task control: {action.path.name} is already running")
        if action.flags == TERMINATE:
            for script in running:
                script.stop()
        script = Script(self, action.path)
        self.scripts.append(script)
        self._cycle(script.start)
        return script

    def tick(self, count: int = 1) -> None:
        """Let `count` defer cycles pass."""
        for _ in range(count):
            self._cycle(self._run_deferred)

    def run_until(self, done: Callable[[], bool], timeout_s: float = 60.0, cycle_s: float = CYCLE_S) -> None:
        """Let cycles pass at REAPER's pace until `done`; AssertionError after `timeout_s`."""
        end = monotonic() + timeout_s
        while not done():
            assert monotonic() < end, (
                f"not done after {timeout_s} s; console: {self.dialogs.console}; errors: {self.script_errors}"
            )
            started = monotonic()
            self.tick()
            sleep(max(cycle_s - (monotonic() - started), 0.0))

    def run_to_end(self, timeout_s: float = 60.0) -> None:
        """Run cycles until no script is running."""
        self.run_until(lambda: not any(script.is_running for script in self.scripts), timeout_s)

    def stop_deferred(self) -> None:
        """Stop all deferred code. [a: N782, N779]"""
        for script in self.scripts:
            script.ended, script.deferred = True, []

    def _run_deferred(self) -> None:
        for script in [script for script in self.scripts if script.is_running]:
            script.tick()

    def _cycle(self, run: Callable[[], None]) -> None:
        tick = Tick(self)
        self.ticks.append(tick)
        before = len(self.violations)
        with tick:
            run()
        if len(self.violations) > before:
            raise self.violations[-1]
        self._end_of_cycle()

    def _end_of_cycle(self) -> None:
        self.background_renders = [one for one in self.background_renders if one.goes_on()]
        for project in self.projects:
            project.history.close_left_open()
        if self.refresh_prevented:
            self.complain(f"PreventUIRefresh was left at {self.refresh_prevented} at the end of a cycle")
        for envelope in self.unsorted:
            self.complain(f"the envelope {envelope.name} of {envelope.track.name} was left unsorted")
        self.unsorted.clear()
        if self.panels_are_stale:
            self.complain("an envelope was shown or hidden without TrackList_AdjustWindows")
            self.panels_are_stale = False

    # ------------------------------------------------------------------ faults

    def violation(self, error: HostViolation) -> HostViolation:
        """Remember what no script may do, so that nothing can hide it; return it to be raised."""
        self.violations.append(error)
        return error

    def complain(self, text: str) -> None:
        """Note a misuse that REAPER takes silently."""
        self.complaints.append(text)

    def unsupported(self, what: str) -> NoReturn:
        """Refuse what is not simulated."""
        raise self.violation(NotSimulated(f"{what} is not simulated"))

    @contextlib.contextmanager
    def inside_api(self, _name: str) -> Iterator[None]:
        """Measure the time spent in REAPER's own functions."""
        started, self._api_depth = perf_counter(), self._api_depth + 1
        try:
            yield
        finally:
            self._api_depth -= 1
            if self._api_depth == 0:
                self.api_s += perf_counter() - started

    # ------------------------------------------------------------------ projects

    def _opened(self, path: Path | None) -> Project:
        content = path.read_bytes() if path and path.is_file() else EMPTY
        project = Project(content, path if path and path.is_file() else None, self.pointers.forget)
        self.pointers.address_of("ReaProject*", project)
        return project

    def open(self, path: Path) -> Project:
        """Open a project as the user would; deferred scripts end. [a: N779]"""
        self.replace_project(path)
        return self.project

    def replace_project(self, path: Path) -> None:
        """Open a project in the active tab."""
        self.stop_deferred()
        place = self.projects.index(self.project)
        self._forget(self.project)
        self.project = self.projects[place] = self._opened(path)

    def new_tab(self) -> Project:
        """Open an empty project in a new tab."""
        self.project = self._opened(None)
        self.projects.append(self.project)
        return self.project

    def close_tab(self) -> None:
        """Close the active tab."""
        place = self.projects.index(self.project)
        self._forget(self.projects.pop(place))
        if not self.projects:
            self.projects.append(self._opened(None))
        self.project = self.projects[max(place - 1, 0)]

    def _forget(self, project: Project) -> None:
        for track in project.tracks:
            project.drop(track)
        self.pointers.forget(project.master)
        self.pointers.forget(project)

    def save(self, project: Project | None = None) -> bytes:
        """Save a project to its file and return what was written."""
        project = project or self.project
        assert project.path is not None
        content = project.to_bytes()
        if self.write_file(project.path, content):
            project.is_dirty = False
        return content

    def write_file(self, path: Path, content: bytes) -> bool:
        """Write a file; if that fails, REAPER shows a window. [MEM] Return whether it was written."""
        try:
            path.write_bytes(content)
        except OSError as error:
            self.dialogs.message(f"Could not write {path}: {error}", "Error saving project", 0)
            return False
        return True

    # ------------------------------------------------------------------ what the API asks for

    def guid(self, text: str) -> Guid:
        """Return the GUID object of a text, always the same."""
        return self._guids.setdefault(text, Guid(text))

    @property
    def preferences(self) -> dict[str, str]:
        """What the user chose, by the names of REAPER's configuration. [b: USCFG]"""
        top = {6: 0, 0: 1, 12: 4, 24: 5}[self.switches.envelope_top_db]
        window = self.render_window_bits & ~(1 | 1 << 14) | self.switches.render_window_closes
        window |= self.switches.returns_to_render_setup << 14
        scaled = 2 * self.switches.new_envelopes_are_fader_scaled
        return {"volenvrange": str(top | scaled), "renderclosewhendone": str(window)}

    def set_preference(self, name: str, value: int) -> int:
        """Change a preference, as the SWS extension can; 0 for one that is not simulated."""
        if name != "renderclosewhendone":
            return 0
        self.render_window_bits, self.switches.render_window_closes = value, bool(value & 1)
        self.switches.returns_to_render_setup = bool(value >> 14 & 1)
        return 1

    def translated(self, name: str) -> str:
        """Return an envelope's name in the user's language. [b: MEM]"""
        return dict(self.switches.language).get(name, name)

    def envelope_by_chunk_name(self, track: Track, name: str) -> Envelope | None:
        """Find an envelope by ``<VOLENV2`` or ``{GUID}``. [b: NENV, N779, HDR]"""
        if name.startswith("{"):
            return next((envelope for envelope in track.envelopes if envelope.guid == name), None)
        return track.envelope(name[1:]) if name.startswith("<") else None

    def remove_envelope(self, envelope: Envelope) -> None:
        """Drop an envelope that has no points left."""
        envelope.track.block.children.remove(envelope.block)
        envelope.track.envelopes.remove(envelope)
        self.pointers.forget(envelope)

    def render(self, project: Project) -> None:
        """Render a project with its settings, as the action does."""
        render(self, project)

    def install_scripts(self, folder: Path) -> None:
        """Copy a folder of scripts into the resource folder's Scripts, as the installer does."""
        shutil.copytree(folder, self.resource_path / "Scripts" / folder.name, dirs_exist_ok=True)
