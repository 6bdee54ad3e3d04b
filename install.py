"""Set up Faderwise. Needs only Python 3.10 or newer.

usage: python3 install.py [COMMAND] [OPTIONS]         (on Windows: py install.py ...)
  demo [ARGS]            create .venv in this folder if needed, then run `faderwise demo ARGS`
  test [ARGS]            the same with the test tools, then run ruff, mypy and `pytest ARGS`
  install [OPTIONS]      install for this user (the default), set up REAPER, make `faderwise` callable
  uninstall [OPTIONS]    remove both; models, keys and other data stay

options:
  --dry-run              print every change, make none
options of install and uninstall:
  --yes                  list the changes, but do not ask
  --no-reaper            do not touch REAPER
  --purge                uninstall: also remove all data, such as models and runs

for example:
  python3 install.py demo                  from nothing to the finished demo
  python3 install.py demo --out my-demo    further arguments go to `faderwise demo`
  python3 install.py test -k loudness      further arguments go to pytest
  python3 install.py --dry-run             print what would be installed, and where

Running a command again is safe and fast: a working environment is kept, a broken one is created again.
FADERWISE_HOME names another folder to install to, REAPER_RESOURCE_PATH the folder of REAPER's settings
if it is not the usual one; pip's settings (PIP_INDEX_URL, PIP_PROXY) apply.
exit codes: 0 done, 1 failed, 2 wrong usage or unsuitable machine, 130 interrupted; demo returns its own.
"""

from __future__ import annotations  # Python 3.8 must parse this file in order to report that it is too old

import contextlib
import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from analysis_server import environment as setup
from analysis_server.environment import Environment
from analysis_server.reaper_setup.install import Prompter, install_actions, uninstall_actions
from analysis_server.reaper_setup.scripts import Application
from core.errors import FaderwiseError, InputError
from core.wording import count

CHECKS = ("ruff check .", "ruff format --check .", "mypy", "pytest")
SHOWN, SHOWN_OPTIONS = "pytest", ("--numprocesses=logical", "--dist=worksteal")
"""The check whose output is shown while it runs, and its options."""
OPTIONS = ("--dry-run", "--yes", "--no-reaper", "--purge")


def user_environment() -> Environment:
    """Return the environment of an installation for this user."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", "faderwise")
    if setup.WINDOWS:
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local", "faderwise")
    elif sys.platform == "darwin":
        home = Path.home() / "Library/Application Support/faderwise"
    home = Path(os.environ.get("FADERWISE_HOME") or home).expanduser()
    return Environment(Path.cwd() / home / "environment", editable=False)


def demo(words: list[str]) -> int:
    """Create .venv if needed and run the demo."""
    environment = Environment(setup.ROOT / ".venv", editable=True)
    if "--dry-run" in words:
        return print_steps(environment, "faderwise demo", words)
    environment.ensure()
    code = setup.run([environment.program("faderwise"), "demo", *words]).returncode
    if code == 0 and "--json" not in words and not is_callable(environment):
        activate = Path(environment.program("activate")).with_suffix("")
        print(f'First, to call faderwise in this terminal:  {"" if setup.WINDOWS else "source "}"{activate}"')
    return code if code >= 0 else 128 - code


def test(words: list[str]) -> int:
    """Create .venv with the test tools and run pytest and the other checks at once; return 1 if one failed."""
    environment = Environment(setup.ROOT / ".venv", editable=True, extras=("test",))
    if "--dry-run" in words:
        return print_steps(environment, ", ".join(CHECKS), words)
    environment.ensure()

    def checked(check: str) -> subprocess.CompletedProcess[str]:
        command = [environment.program(), "-m", *check.split()]
        if check == SHOWN:
            return setup.run([*command, *SHOWN_OPTIONS, *words], setup.ROOT)
        return setup.run(command, setup.ROOT, quiet=True)

    done = {}
    with ThreadPoolExecutor(1) as threads:
        others = [check for check in CHECKS if check != SHOWN]
        waiting = threads.map(checked, others)
        if SHOWN in CHECKS:
            print(f"\n== {SHOWN} (the other checks run at the same time)")
            done[SHOWN] = checked(SHOWN)
        done.update(zip(others, waiting, strict=True))
    for check in others:
        print(f"\n== {check}\n{done[check].stdout.strip()}")
    codes = {check: done[check].returncode for check in CHECKS}
    results = [f"  {check:<22} {f'FAILED (exit code {code})' if code else 'passed'}" for check, code in codes.items()]
    print("\nSummary:", *results, sep="\n")
    return 1 if any(codes.values()) else 0


def print_steps(environment: Environment, command: str, words: list[str]) -> int:
    """Print what demo or test would do, whose last command gets `words`."""
    environment.ensure(dry_run=True)
    print(f"Will run {' '.join([command, *(word for word in words if word != '--dry-run')])}.")
    return 0


def install(words: list[str]) -> int:
    """Install for this user, set up REAPER and make the command callable; list the changes and ask first."""
    environment, dry_run = user_environment(), "--dry-run" in words
    application = Application(Path(environment.program()), environment.folder.parent)
    answers, with_reaper = prompter(words), "--no-reaper" not in words
    if not dry_run and "--yes" not in words and environment.is_incomplete():
        environment.ensure(dry_run=True)
        if with_reaper:
            with contextlib.suppress(FaderwiseError):  # raised again after the application is installed
                with_reaper = bool(install_actions(application, answers, dry_run=True))
        if links(environment):
            print(callable_line(environment, dry_run=True))
        if not agreed("Make these changes?", words):
            raise FaderwiseError("nothing was installed")
        answers = Prompter(print, None)
    environment.ensure(dry_run=dry_run)
    try:
        if with_reaper:
            with reaper_errors():
                install_actions(application, answers, dry_run=dry_run)
    finally:
        print(callable_line(environment, dry_run=dry_run))
        print("The command would be:" if dry_run else "Faderwise is installed. Its command:")
        print(environment.program("faderwise"))
    return 0


def link_path() -> Path:
    """Return the link that makes `faderwise` callable on Linux and macOS: the user's folder for programs."""
    return Path.home() / ".local" / "bin" / "faderwise"


def callable_line(environment: Environment, *, dry_run: bool) -> str:
    """Link the command into ~/.local/bin if that is on PATH; else return the line that makes it callable."""
    program, link = Path(environment.program("faderwise")), link_path()
    if is_callable(environment):
        return "You can call it as: faderwise"
    if setup.WINDOWS:
        return f'To call it as faderwise, run once:  setx PATH "%PATH%;{program.parent}"'
    if not links(environment):
        is_other = shutil.which("faderwise")  # a program that an appended folder would not replace
        line = f'alias faderwise="{program}"' if is_other else f'export PATH="$PATH:{program.parent}"'
        return f"To call it as faderwise, add this line to your shell's profile:  {line}"
    if not dry_run:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return f"Will link {link} to {program}." if dry_run else f"You can call it as: faderwise ({link})"


def is_callable(environment: Environment) -> bool:
    """Return whether `faderwise` starts the command of `environment`, now or once that is installed."""
    program, found = Path(environment.program("faderwise")), shutil.which("faderwise")
    if not found:
        return program.parent in folders_on_path()
    return Path(found).resolve() == program.resolve()


def folders_on_path() -> list[Path]:
    """Return the folders on PATH."""
    return [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]


def links(environment: Environment) -> bool:
    """Return whether an installation links the command into the user's folder for programs."""
    link = link_path()
    is_free = not os.path.lexists(link) or is_our_link(link, environment)
    return not setup.WINDOWS and not is_callable(environment) and link.parent in folders_on_path() and is_free


def is_our_link(link: Path, environment: Environment) -> bool:
    """Return whether `link` is a link to the command of `environment`, whether or not that exists."""
    return link.is_symlink() and link.readlink() == Path(environment.program("faderwise"))


def uninstall(words: list[str]) -> int:
    """Remove what was added to REAPER and the installation, with --purge also the data; list it and ask first."""
    environment, dry_run = user_environment(), "--dry-run" in words
    home = environment.folder.parent
    in_reaper: list[Path] = []
    if "--no-reaper" not in words:
        with reaper_errors():
            in_reaper = uninstall_actions(home, prompter(words), dry_run=True)
    installed = (environment.folder / setup.MARKER).is_file()
    data = sorted(path for path in home.iterdir() if path != environment.folder) if home.is_dir() else []
    purged = data if "--purge" in words else []
    linked = [link_path()] if is_our_link(link_path(), environment) else []
    removed = [*([environment.folder] if installed else []), *linked, *purged]
    if not installed:
        print(f"Nothing to remove: {environment.folder} does not exist or was not made by install.py.")
    print_lines(["Will stop the analysis server"] * has_server(environment))
    print_lines(f"Will remove {described(path)}" for path in removed)
    if dry_run:
        return 0
    if (removed or in_reaper) and not agreed("Remove all of this?", words):
        raise FaderwiseError("nothing was removed")
    if "--no-reaper" not in words:
        with reaper_errors():
            uninstall_actions(home, Prompter(print if in_reaper else lambda _: None, None))
    for path in linked:
        path.unlink()
    if installed:
        stop_server(environment)
        with setup.exclusive():
            environment.clear()
    for path in purged:
        delete(path)
    if removed or "--purge" in words:
        with contextlib.suppress(OSError):  # it does not exist, or is not empty
            home.rmdir()
    left = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    print_lines(f"Removed {path}" for path in removed)
    if left:
        print(f"Kept in {home}: {', '.join(left)}")
    return 0


def has_server(environment: Environment) -> bool:
    """Return whether an installed program has a server, or had one that did not stop properly."""
    connection = environment.folder.parent / "server" / "connection.json"
    return connection.is_file() and Path(environment.program("faderwise")).is_file()


def stop_server(environment: Environment) -> None:
    """Stop the server, which would otherwise go on without its program and write its files again."""
    if has_server(environment):
        setup.run([environment.program("faderwise"), "serve", "--stop"], quiet=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print each line."""
    for line in lines:
        print(line)


def delete(path: Path) -> None:
    """Delete a file or a folder with its content, unless REAPER's removal has already deleted it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def described(path: Path) -> str:
    """Return a path that is to be removed, with the number of files if it is the folder of the user's models."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.name == "models" else []
    return (
        f"{path} ({count(len(files), 'file')}: your models, earlier versions and removed ones)" if files else str(path)
    )


@contextlib.contextmanager
def reaper_errors() -> Iterator[None]:
    """Add the option to leave REAPER unchanged to the remedy of every error."""
    try:
        yield
    except FaderwiseError as error:
        error.remedy = f"{error.remedy or 'correct it'}, or add --no-reaper to leave REAPER unchanged"
        raise


def prompter(words: list[str]) -> Prompter:
    """Return the functions that print and ask; with --yes every answer is yes."""
    return Prompter(print, lambda question: agreed(question, words), details="--dry-run" in words)


def agreed(question: str, words: list[str]) -> bool:
    """Ask the user, unless --yes was given."""
    return "--yes" in words or input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


COMMANDS = {"demo": demo, "test": test, "install": install, "uninstall": uninstall}


def dispatch(words: list[str]) -> int:
    """Run the command that `words` name."""
    if {"-h", "--help"} & set(words[:2]):
        print(__doc__.strip())
        return 0
    name = words.pop(0) if words and not words[0].startswith("-") else "install"
    known = words if name in ("demo", "test") else OPTIONS  # demo and test pass further arguments on
    unknown = [word for word in words if word not in known] if name in COMMANDS else [name]
    if name == "install" and "--purge" in words:
        unknown = ["--purge"]
    if unknown:
        near = difflib.get_close_matches(unknown[0], OPTIONS if unknown[0].startswith("-") else COMMANDS, 1)
        guess = f"did you mean {near[0]!r}? " if near and near != unknown else ""
        raise InputError(f"unknown argument {unknown[0]!r}", remedy=f"{guess}see `python3 install.py --help`")
    return COMMANDS[name](words)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code, without tracebacks."""
    for stream in (sys.stdout, sys.stderr):  # unbuffered lines, and paths that the terminal cannot show
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        return dispatch(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("install.py: interrupted; running the same command again is safe", file=sys.stderr)
        return 130
    except EOFError:
        error: FaderwiseError = InputError("no answer could be read", remedy="run it again with --yes to agree")
    except BrokenPipeError:  # such as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's last flush
        return 1
    except OSError as problem:
        error = setup.explained("Setting up", str(problem))
    except FaderwiseError as problem:
        error = problem
    print(f"install.py: {error}", file=sys.stderr)
    return 2 if isinstance(error, InputError) else 1


if __name__ == "__main__":
    sys.exit(main())
