"""Set up Faderwise; all it needs is Python 3.10 or newer.

usage: python3 install.py [COMMAND] [OPTIONS]         (on Windows: py install.py ...)
  demo [ARGS]            make .venv in this folder if need be, then run `faderwise demo ARGS`
  test [ARGS]            the same with the test tools, then run ruff, mypy and `pytest ARGS`
  install [OPTIONS]      install for you (the default), set up REAPER, print where `faderwise` is
  uninstall [OPTIONS]    take both back; models, keys and settings stay

options of install and uninstall:
  --dry-run              tell every change, make none
  --yes                  do not ask
  --no-reaper            leave REAPER alone

for example:
  python3 install.py demo                  from nothing to the finished demo
  python3 install.py demo --out my-demo    further words go to `faderwise demo`
  python3 install.py test -k loudness      further words go to pytest
  python3 install.py --dry-run             tell what would be installed, and where; do nothing

Running a command again is safe and quick: what is whole is kept, what is broken is made anew.
FADERWISE_HOME names another folder to install to, REAPER_RESOURCE_PATH the folder where REAPER keeps
its settings, if it is not the usual one; pip's settings (PIP_INDEX_URL, PIP_PROXY) hold.
exit codes: 0 done, 1 failed, 2 wrong usage or unsuited machine, 130 interrupted; demo passes on its own.
"""

from __future__ import annotations  # Python 3.8 must still read this file, to say that it is too old

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from analysis_server import environment as house
from analysis_server.environment import Environment, Trouble
from analysis_server.reaper_setup.commands import Talk, set_up, take_back
from analysis_server.reaper_setup.scripts import Application
from core.errors import FaderwiseError, InputError

CHECKS = ("ruff check .", "ruff format --check .", "mypy", "pytest")
EXTRA = {"pytest": ["--numprocesses=logical", "--dist=worksteal"]}
AFFIRMATIVE = ("y", "yes")


def user_environment() -> Environment:
    """Return the environment of an installation for the user."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", "faderwise")
    if house.WINDOWS:
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local", "faderwise")
    elif sys.platform == "darwin":
        home = Path.home() / "Library/Application Support/faderwise"
    home = Path(os.environ.get("FADERWISE_HOME") or home).expanduser()
    return Environment(Path.cwd() / home / "environment", editable=False)


def demo(words: list[str]) -> int:
    """Set up .venv and run the demo."""
    environment = Environment(house.ROOT / ".venv", editable=True)
    environment.ensure()
    code = house.run([environment.program("faderwise"), "demo", *words]).returncode
    return code if code >= 0 else 128 - code


def test(words: list[str]) -> int:
    """Set up .venv with the test tools and run every check, whatever the ones before said."""
    environment = Environment(house.ROOT / ".venv", editable=True, extras=("test",))
    environment.ensure()
    results = []
    for check in CHECKS:
        print(f"\n== {check}")
        command = [environment.program(), "-m", *check.split(), *([*EXTRA[check], *words] if check in EXTRA else [])]
        code = house.run(command, house.ROOT).returncode
        results.append(f"  {check:<22} {f'FAILED (exit code {code})' if code else 'passed'}")
    print("\nSummary:", *results, sep="\n")
    return 1 if "FAILED" in "".join(results) else 0


def install(words: list[str]) -> int:
    """Install for the user, set up REAPER and print where the command is."""
    environment, dry_run = user_environment(), "--dry-run" in words
    environment.ensure(dry_run=dry_run)
    try:
        if "--no-reaper" not in words:
            set_up_reaper(environment, words)
    finally:
        print("The command would be:" if dry_run else "Faderwise is installed. Its command:")
        print(environment.program("faderwise"))
    return 0


def uninstall(words: list[str]) -> int:
    """Take out of REAPER what was added, remove the user's installation, and nothing but that."""
    environment, dry_run = user_environment(), "--dry-run" in words
    if "--no-reaper" not in words:
        take_back_reaper(environment, words)
    if not (environment.folder / house.MARKER).is_file():
        print(f"Nothing to remove: {environment.folder} is not there, or not made by install.py.")
        return 0
    if dry_run:
        print(f"Would do: Remove {environment.folder}.")
        return 0
    if not agreed(f"Remove {environment.folder}?", words):
        raise Trouble("Nothing was removed.", 1)
    with house.alone():
        environment.clear()
    left = ", ".join(sorted(path.name for path in environment.folder.parent.iterdir()))
    print(f"Removed {environment.folder}; left in {environment.folder.parent}: {left or 'nothing'}.")
    return 0


def set_up_reaper(environment: Environment, words: list[str]) -> None:
    """Put the actions into REAPER."""
    application = Application(Path(environment.program()), environment.folder.parent)
    with explained():
        set_up(application, talk(words), dry_run="--dry-run" in words)


def take_back_reaper(environment: Environment, words: list[str]) -> None:
    """Take the actions out of REAPER."""
    with explained():
        take_back(environment.folder.parent, talk(words), dry_run="--dry-run" in words)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Tell what goes wrong with REAPER like everything else."""
    try:
        yield
    except FaderwiseError as error:
        code = 2 if isinstance(error, InputError) else 1
        raise Trouble(f"{error}. (--no-reaper leaves REAPER alone.)", code) from error


def talk(words: list[str]) -> Talk:
    """Return how the user is spoken to; with --yes every answer is yes."""
    return Talk(print, lambda question: agreed(question, words))


def agreed(question: str, words: list[str]) -> bool:
    """Ask, unless --yes was said."""
    return "--yes" in words or input(f"{question} [y/N] ").strip().lower() in AFFIRMATIVE


COMMANDS = {"demo": demo, "test": test, "install": install, "uninstall": uninstall}
OPTIONS = ("--dry-run", "--yes", "--no-reaper")


def dispatch(words: list[str]) -> int:
    """Run the command that the words name."""
    if {"-h", "--help"} & set(words[:2]):
        print(__doc__.strip())
        return 0
    name = words.pop(0) if words and not words[0].startswith("-") else "install"
    known = words if name in ("demo", "test") else OPTIONS  # those pass further words on
    unknown = [word for word in words if word not in known] if name in COMMANDS else [name]
    if unknown:
        raise Trouble(f"{unknown[0]!r} is not known here; `python3 install.py --help` tells what is.", 2)
    return COMMANDS[name](words)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks and return the exit code; the user sees no traceback."""
    for stream in (sys.stdout, sys.stderr):  # in time, and with a path the terminal cannot show
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        return dispatch(list(sys.argv[1:] if arguments is None else arguments))
    except Trouble as trouble:
        message, code = trouble.args
    except EOFError:
        message, code = "No answer could be read: run it again with --yes, or with --no-reaper.", 2
    except OSError as error:
        message, code = house.explain("Setting up", str(error)).args
    except KeyboardInterrupt:
        message, code = "Interrupted; running the same command again is safe.", 130
    print(f"install.py: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
