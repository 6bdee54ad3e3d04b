"""Projects: which are open, their files, time selection, cursor, what scripts store in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.reaper_host.item_state import length_of
from tests.reaper_host.project_state import Project
from tests.reaper_host.registry import Out, reascript

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


@reascript("EnumProjects")
def enum_projects(host: ReaperHost, index: int, _path: str, _size: int) -> Out:
    """-1 is the active one; the path is empty if never saved, the pointer NULL past the end. [a: N782]"""
    if index == -1:
        project: Project | None = host.project
    else:
        project = host.projects[index] if 0 <= index < len(host.projects) else None
    return Out(project, str(project.path) if project and project.path else "")


@reascript("GetProjectName")
def get_project_name(_host: ReaperHost, project: Project, _buffer: str, _size: int) -> Out:
    return Out(None, project.name)


@reascript("GetProjectPath")
def get_project_path(host: ReaperHost, _buffer: str, _size: int) -> Out:
    return Out(None, _recording_path(host, host.project))


@reascript("GetProjectPathEx")
def get_project_path_ex(host: ReaperHost, project: Project, _buffer: str, _size: int) -> Out:
    """It is the recording path, not the folder of the project. [a: N782; HDR]"""
    return Out(None, _recording_path(host, project))


def _recording_path(host: ReaperHost, project: Project) -> str:
    folder = project.path.parent if project.path else host.resource_path / "Unsaved Media"
    return str(folder / project.root.word("RECORD_PATH", 0, ""))


@reascript("IsProjectDirty")
def is_project_dirty(_host: ReaperHost, project: Project) -> int:
    return int(project.is_dirty)


@reascript("MarkProjectDirty")
def mark_project_dirty(_host: ReaperHost, project: Project) -> None:
    project.is_dirty = True


@reascript("GetProjectStateChangeCount")
def get_project_state_change_count(_host: ReaperHost, project: Project) -> int:
    """It counts undo steps, not plain API writes. [b: N782]"""
    return project.state_count


@reascript("GetProjectLength")
def get_project_length(host: ReaperHost, project: Project) -> float:
    return length_of(project)


@reascript("Main_SaveProject")
def main_save_project(host: ReaperHost, project: Project, save_as: int) -> None:
    if project.path is None or save_as:
        host.dialogs.hang("Save project")
    host.save(project)


@reascript("Main_SaveProjectEx")
def main_save_project_ex(host: ReaperHost, project: Project, path: str, options: int) -> None:
    """Without &8 it writes a copy: the tab keeps its name and stays dirty. [f: HDR, N779, N782]"""
    if options & 7:
        host.unsupported("Main_SaveProjectEx as a track template")
    if not path:
        main_save_project(host, project, 0)
    elif options & 8:
        project.path = Path(path)
        host.save(project)
    else:
        host.write_file(Path(path), project.to_bytes())


@reascript("Main_openProject")
def main_open_project(host: ReaperHost, path: str) -> None:
    """`noprompt:` asks nothing; a missing file makes a blank project. [f: HDR, N779, N782]"""
    bare = path.removeprefix("noprompt:")
    if host.project.is_dirty and bare == path:
        host.dialogs.hang("Save changes to the project before opening another?")
    host.replace_project(Path(bare))


@reascript("SelectProjectInstance")
def select_project_instance(host: ReaperHost, project: Project) -> None:
    host.project = project


@reascript("GetSet_LoopTimeRange2")
def get_set_loop_time_range2(_host: ReaperHost, project: Project, is_set: int, _is_loop: int, *values: float) -> Out:
    start, end, _seek = values
    if is_set:
        project.time_selection = (min(start, end), max(start, end))
    return Out(None, *project.time_selection)


@reascript("GetSet_LoopTimeRange")
def get_set_loop_time_range(host: ReaperHost, *values: float) -> Out:
    return get_set_loop_time_range2(host, host.project, *values)


@reascript("GetCursorPosition")
def get_cursor_position(host: ReaperHost) -> float:
    return host.project.cursor


@reascript("GetCursorPositionEx")
def get_cursor_position_ex(_host: ReaperHost, project: Project) -> float:
    return project.cursor


@reascript("SetEditCurPos")
def set_edit_cur_pos(host: ReaperHost, time: float, _move_view: int, _seek: int) -> None:
    host.project.cursor = max(time, 0.0)


@reascript("SetEditCurPos2")
def set_edit_cur_pos2(_host: ReaperHost, project: Project, time: float, _move_view: int, _seek: int) -> None:
    project.cursor = max(time, 0.0)


@reascript("SetProjExtState")
def set_proj_ext_state(_host: ReaperHost, project: Project, section: str, key: str, value: str) -> int:
    """An empty key deletes the section, an empty value the key. [b: HDR]"""
    sections, name = project.ext_state, section.upper()
    if not key:
        sections.pop(name, None)
    elif not value:
        sections.get(name, {}).pop(key.upper(), None)
        if not sections.get(name, True):
            del sections[name]
    else:
        sections.setdefault(name, {})[key.upper()] = value
    project.touched()
    return sum(len(key) + len(value) for key, value in sections.get(name, {}).items())


@reascript("GetProjExtState")
def get_proj_ext_state(_host: ReaperHost, project: Project, section: str, key: str, _buffer: str, _size: int) -> Out:
    """The first result is 0 if there is none. [b: HDR, USAPI]"""
    value = project.ext_state.get(section.upper(), {}).get(key.upper(), "")
    return Out(len(value), value)


@reascript("EnumProjExtState")
def enum_proj_ext_state(
    _host: ReaperHost, project: Project, section: str, index: int, _k: str, _ks: int, _v: str, _vs: int
) -> Out:
    values = list(project.ext_state.get(section.upper(), {}).items())
    return Out(1, *values[index]) if 0 <= index < len(values) else Out(0, "", "")


@reascript("GetPlayState")
def get_play_state(host: ReaperHost) -> int:
    """&1 playing, &2 paused, &4 recording. [d: NREN]"""
    return host.play_state


@reascript("GetPlayStateEx")
def get_play_state_ex(host: ReaperHost, _project: Project) -> int:
    return host.play_state


@reascript("GetMasterTrack")
def get_master_track(host: ReaperHost, project: Project) -> object:
    return project.master


@reascript("Master_GetTempo")
def master_get_tempo(host: ReaperHost) -> float:
    return host.project.root.number("TEMPO", 0, 120.0)


@reascript("GetGlobalAutomationOverride")
def get_global_automation_override(host: ReaperHost) -> int:
    return host.project.global_automation


@reascript("SetGlobalAutomationOverride")
def set_global_automation_override(host: ReaperHost, mode: int) -> None:
    host.project.root.set_word("GLOBAL_AUTO", 0, str(mode), "-1")
    host.project.touched()
