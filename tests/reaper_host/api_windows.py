"""What the user sees: message boxes, input fields, the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reaper_host.registry import Out, reascript

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

_BREAK_THE_SPLITTING = "\"'()[]{}"


@reascript("ShowConsoleMsg")
def show_console_msg(host: ReaperHost, text: str) -> None:
    host.dialogs.console = "" if text == "" else host.dialogs.console + text


@reascript("ClearConsole")
def clear_console(host: ReaperHost) -> None:
    host.dialogs.console = ""


@reascript("ShowMessageBox")
def show_message_box(host: ReaperHost, text: str, title: str, kind: int) -> int:
    return host.dialogs.message(text, title, kind)


@reascript("MB")
def mb(host: ReaperHost, text: str, title: str, kind: int) -> int:
    return host.dialogs.message(text, title, kind)


@reascript("GetUserInputs")
def get_user_inputs(host: ReaperHost, title: str, count: int, captions: str, defaults: str, _size: int) -> Out:
    """Captions are split at commas; `separator=` and `extrawidth=` are not fields. [e: HDR, USAPI]"""
    if not 1 <= count <= 16:
        host.complain(f"GetUserInputs with {count} fields; REAPER has 16 at most")
        return Out(0)
    words = captions.split(",")
    extras = [word for word in words[count:] if "=" in word]
    separator = next((word.removeprefix("separator=") for word in extras if word.startswith("separator=")), ",")
    if any(mark in defaults for mark in _BREAK_THE_SPLITTING):
        host.complain(f"GetUserInputs: quotes or brackets in the defaults break the splitting: {defaults!r}")
    values = defaults.split(separator)
    if len(values) > count:
        host.complain(f"GetUserInputs: {len(values)} defaults for {count} fields: {defaults!r}")
    fields = [word.removeprefix("*") for word in (words + [""] * count)[:count]]
    answer = host.dialogs.inputs(title, fields, (values + [""] * count)[:count])
    return Out(0) if answer is None else Out(1, separator.join(answer))


@reascript("GetUserFileNameForRead")
def get_user_file_name_for_read(host: ReaperHost, first: str, title: str, _extension: str) -> Out:
    """Cancelled, the buffer stays what it was; a chosen file exists. [HDR: "selected a valid file"]"""
    path = host.dialogs.file(title, first)
    return Out(0) if path is None else Out(1, path)


@reascript("GetMainHwnd")
def get_main_hwnd(host: ReaperHost) -> object:
    return host.main_window
