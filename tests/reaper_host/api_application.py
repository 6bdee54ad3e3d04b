"""The application: version, folders, stored settings, actions, processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reaper_host.calling import is_valid
from tests.reaper_host.commands import run_command
from tests.reaper_host.processes import run_process
from tests.reaper_host.project_state import Project
from tests.reaper_host.registry import Out, reascript

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


@reascript("ValidatePtr")
def validate_ptr(host: ReaperHost, address: int, kind: str) -> int:
    return int(is_valid(host, address, kind))


@reascript("ValidatePtr2", takes_null=True)
def validate_ptr2(host: ReaperHost, _project: Project, address: int | None, kind: str) -> int:
    return int(is_valid(host, address or 0, kind))


@reascript("GetAppVersion")
def get_app_version(host: ReaperHost) -> str:
    return host.version


@reascript("GetOS")
def get_os(_host: ReaperHost) -> str:
    return "Other"


@reascript("GetResourcePath")
def get_resource_path(host: ReaperHost) -> str:
    return str(host.resource_path)


@reascript("get_config_var_string")
def get_config_var_string(host: ReaperHost, name: str, _buffer: str, _size: int) -> Out:
    """A preference of the user's, as text. [HDR; USCFG for the names]"""
    return Out(int(name in host.preferences), host.preferences.get(name, ""))


@reascript("GetExePath")
def get_exe_path(host: ReaperHost) -> str:
    return str(host.resource_path.parent / "REAPER")


@reascript("get_ini_file")
def get_ini_file(host: ReaperHost) -> str:
    return str(host.resource_path / "reaper.ini")


@reascript("time_precise")
def time_precise(_host: ReaperHost) -> float:
    return time.perf_counter()


@reascript("file_exists")
def file_exists(_host: ReaperHost, path: str) -> int:
    return int(os.access(path, os.R_OK) and Path(path).is_file())


@reascript("RecursiveCreateDirectory")
def recursive_create_directory(_host: ReaperHost, path: str, _ignored: int) -> int:
    try:
        Path(path).mkdir(parents=True)
    except OSError:
        return 0
    return 1


@reascript("SetExtState")
def set_ext_state(host: ReaperHost, section: str, key: str, value: str, persist: int) -> None:
    """One line only; kept over restarts where `persist` is set. [e: HDR, USFT]"""
    if persist and ("\n" in value or "\r" in value):
        host.complain(f"SetExtState {section}/{key}: a persistent value with a line break")
    host.settings.set(section, key, value, bool(persist))


@reascript("GetExtState")
def get_ext_state(host: ReaperHost, section: str, key: str) -> str:
    return host.settings.get(section, key)


@reascript("HasExtState")
def has_ext_state(host: ReaperHost, section: str, key: str) -> int:
    return int(host.settings.has(section, key))


@reascript("DeleteExtState")
def delete_ext_state(host: ReaperHost, section: str, key: str, persist: int) -> None:
    host.settings.delete(section, key, bool(persist))


@reascript("NamedCommandLookup")
def named_command_lookup(host: ReaperHost, name: str) -> int:
    return host.actions.number_of(name)


@reascript("ReverseNamedCommandLookup")
def reverse_named_command_lookup(host: ReaperHost, command: int) -> str | None:
    """No leading ``_``; NULL, and so an AttributeError, for a native action. [a: PY, HDR]"""
    return host.actions.name_of(command)


@reascript("AddRemoveReaScript")
def add_remove_reascript(host: ReaperHost, add: int, section: int, path: str, commit: int) -> int:
    return host.actions.add(section, path, bool(commit)) if add else host.actions.remove(section, path, bool(commit))


@reascript("Main_OnCommand")
def main_on_command(host: ReaperHost, command: int, _flag: int) -> None:
    run_command(host, host.project, command)


@reascript("Main_OnCommandEx")
def main_on_command_ex(host: ReaperHost, command: int, _flag: int, project: Project) -> None:
    run_command(host, project, command)


@reascript("ExecProcess")
def exec_process(host: ReaperHost, command: str, timeout_ms: int) -> str | None:
    return run_process(host, command, timeout_ms)


@reascript("GetAudioDeviceInfo")
def get_audio_device_info(_host: ReaperHost, name: str, _buffer: str, _size: int) -> Out:
    return Out(int(name == "SRATE"), "44100" if name == "SRATE" else "")
