"""`faderwise doctor`, `reaper` and `completion`: check the installation, and install in REAPER and in shells."""

from __future__ import annotations

import argparse
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.commands.options import Parser, add_action, add_actions
from analysis_server.paths import home, plain_path
from analysis_server.terminal import Terminal
from core import __version__
from core.errors import FaderwiseError, InputError

if TYPE_CHECKING:
    from analysis_server.reaper_setup.install import Prompter

# doctor


def add_doctor(parser: Parser) -> None:
    """Add the options of `faderwise doctor`."""
    parser.set_command(_doctor, "doctor", "doctor --full", "doctor --json")
    text = "also load every library, run `pip check`, and start the server if none is running"
    parser.add_argument("--full", action="store_true", help=text)


def _doctor(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server import doctor
    from analysis_server.paths import home

    with terminal.progress() as progress:
        result = doctor.run(home().absolute(), progress, full=arguments.full)
    marks = {"ok": "ok", "note": "--", "failed": "!!"}
    for finding in result.findings:
        terminal.say(f"{marks[finding.state]} {finding.subject:<16} {finding.found}")
        if finding.remedy:
            terminal.say(f"   {'':<16} → {finding.remedy}")
    terminal.give(result)
    problems = [finding.subject for finding in result.findings if finding.state == "failed"]
    if problems:
        raise FaderwiseError(f"to fix: {', '.join(problems)}")


# reaper


def add_reaper(parser: Parser) -> None:
    """Add the actions of `faderwise reaper`."""
    parser.set_command(
        _install,
        "reaper install --dry-run",
        "reaper install",
        "reaper uninstall",
        "reaper index --url https://example.org/faderwise --out reapack",
    )
    _add_answers(parser)
    actions = add_actions(parser, "install|uninstall|index")
    text = "install or update the actions in REAPER"
    _add_answers(add_action(actions, "install", _install, text, example="reaper install --dry-run"))
    text = "remove exactly what was added"
    _add_answers(add_action(actions, "uninstall", _uninstall, text, example="reaper uninstall --dry-run"))
    text = "make a folder of files and an index.xml for ReaPack"
    index = add_action(actions, "index", _index, text, example="reaper index --url https://example.org/faderwise")
    index.add_argument("--url", required=True, metavar="URL", help="the address at which the folder will be published")
    index.add_argument("--out", default="reapack", metavar="DIR", help="the folder to write to (reapack)")
    index.add_argument("--changelog", metavar="FILE", help="a file with this version's changes below its heading")


def _add_answers(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show every change without making it")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _install(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.reaper_setup.find_reaper import resource_folders
    from analysis_server.reaper_setup.install import install_actions
    from analysis_server.reaper_setup.scripts import Application

    if not resource_folders():
        raise FaderwiseError(
            "REAPER was not found, so nothing was installed",
            remedy="start REAPER once and close it, or set REAPER_RESOURCE_PATH to the folder of its reaper.ini",
        )
    messages: list[str] = []
    application = Application(Path(sys.executable).absolute(), home().absolute())
    folders = install_actions(application, _prompter(arguments, terminal, messages), dry_run=arguments.dry_run)
    terminal.give({"folders": [str(folder) for folder in folders], "messages": messages})


def _uninstall(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.reaper_setup.install import uninstall_actions

    messages: list[str] = []
    folders = uninstall_actions(home().absolute(), _prompter(arguments, terminal, messages), dry_run=arguments.dry_run)
    terminal.give({"folders": [str(folder) for folder in folders], "messages": messages})


def _index(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.reaper_setup import reapack, scripts
    from analysis_server.reaper_setup.install import content_of

    content = content_of(scripts.download_packages(home().absolute(), Path(sys.executable)))
    changes = _changes(Path(arguments.changelog)) if arguments.changelog else ""
    written = reapack.write_repository(Path(arguments.out), content, arguments.url, changes)
    terminal.say(f"{len(written)} files for ReaPack; publish {arguments.out} so that this is the index:")
    terminal.say(f"  {arguments.url.rstrip('/')}/{reapack.INDEX}")
    terminal.give({"files": {path.relative_to(arguments.out).as_posix(): str(plain_path(path)) for path in written}})


def _changes(file: Path) -> str:
    """Return the changes of this version from a changelog."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", path=file, remedy="name a text file") from error
    found = re.search(rf"^##+ {re.escape(__version__)}\b.*?\n(.*?)(?=^##? |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise InputError(f"has no heading `## {__version__}`", path=file, remedy="add one, with the changes below it")
    return found[1].strip()


def _prompter(arguments: Namespace, terminal: Terminal, messages: list[str]) -> Prompter:
    from analysis_server.reaper_setup.install import Prompter

    def say(line: str) -> None:
        messages.append(line)
        terminal.say(line)

    return Prompter(say, lambda question: arguments.yes or terminal.ask(question), details=arguments.dry_run)


# completion


_SHELLS = ("bash", "zsh", "fish")
_COMPLETION_HELP = """to complete in every new shell, paste the lines of your shell:

bash:
  faderwise completion bash > ~/.faderwise.bash
  echo 'source ~/.faderwise.bash' >> ~/.bashrc
zsh:
  mkdir -p ~/.zfunc
  faderwise completion zsh > ~/.zfunc/_faderwise
  echo 'fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit' >> ~/.zshrc
fish:
  mkdir -p ~/.config/fish/completions
  faderwise completion fish > ~/.config/fish/completions/faderwise.fish

examples:
  faderwise completion bash"""


def add_completion(parser: Parser) -> None:
    """Add the options of `faderwise completion`."""
    parser.set_command(_completion)
    parser.epilog = _COMPLETION_HELP
    parser.add_argument("shell", nargs="?", choices=_SHELLS, help="the shell")
    parser.add_argument("--names", choices=("models", "buses"), help=argparse.SUPPRESS)  # for the scripts


def _completion(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.names:
        from analysis_server import models
        from core.roles import SYNONYMS

        names = models.names() if arguments.names == "models" else list(SYNONYMS)
        for name in names:
            terminal.say(name)
        terminal.give({"names": names})
        return
    if arguments.shell is None:
        raise InputError("no shell was given", remedy=f"give one of {', '.join(_SHELLS)}")
    import shtab

    parser = arguments.parser_of_all()
    _complete_paths(parser, shtab.FILE)
    script = shtab.complete(parser, arguments.shell)  # its header names another folder than bash-completion reads
    script = script.replace("/share/bash_completion/", "/share/bash-completion/completions/")
    terminal.say(script.rstrip("\n"))
    terminal.give({"script": script})


def _complete_paths(parser: argparse.ArgumentParser, files: object) -> None:
    """Have shells complete the arguments that take a path with file names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _complete_paths(one, files)
        elif not hasattr(action, "complete") and re.search("DIR|FILE|RPP|npz", str(action.metavar)):
            action.complete = files  # type: ignore[attr-defined]  # shtab reads it
