"""Kills at random instants, concurrent writers and full disks: the old or the new files are there, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from pathlib import Path

import pytest

from analysis_server import models
from analysis_server.cli import main
from analysis_server.runs import run_folder
from core.files import WORKSHOP, recover
from core.runs import store
from tests.server.conftest import ROOT, environment, running

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes as only POSIX systems can")
N_KILLS = [pytest.param(20, id="20"), pytest.param(200, id="200", marks=[pytest.mark.slow, pytest.mark.timeout(7200)])]
_HAND_EDIT = "vocals,0.5,-3.21,linear"

_FORK = """
import os, sys
import filelock, numpy.fft, numpy.ma, scipy.linalg  # what the commands import late
from analysis_server.cli import main
from analysis_server.server.protocol import VERBS
for verb in VERBS.values():
    verb.request_type()
while line := sys.stdin.readline():
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main(line.split("\\t")[1:-1]))
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Commands:
    """A process that has loaded everything and forks for each command, which can be killed at any instant."""

    def __init__(self, home: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-c", _FORK]
        self._child = subprocess.Popen(  # noqa: S603 - our own program
            command, env=environment(home), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *words: str, kill_after_s: float | None = None) -> int:
        """Run a command, killed after a time, and return its exit code (negative: the signal)."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write("\t".join(["", *words, "\n"]))
        self._child.stdin.flush()
        pid = int(self._child.stdout.readline())
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return int(self._child.stdout.readline())

    def close(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()


def _mixed(commands: Commands, songs: Path, out: Path) -> None:
    assert commands.run("mix", str(songs / "one"), "--out", str(out)) == 0


def _edited_by_hand(commands: Commands, songs: Path, out: Path) -> None:
    _mixed(commands, songs, out)
    path = out / "automation.csv"
    path.write_text(path.read_text() + _HAND_EDIT + "\n")


def _edited_twice(commands: Commands, songs: Path, out: Path) -> None:
    _edited_by_hand(commands, songs, out)
    assert commands.run("edit", str(out), "--depth", "50") == 0


VERBS: dict[str, tuple[Callable[[Commands, Path, Path], None], list[str]]] = {
    "mix": (_mixed, ["mix", "{song}", "--out", "{out}", "--model", "equal-level"]),
    "match": (_mixed, ["match", "{song}", "--out", "{out}"]),
    "edit": (_edited_by_hand, ["edit", "{out}", "--offset", "bass=1.5"]),
    "revert": (_edited_twice, ["revert", "{out}"]),
}


def _require_a_whole_set(out: Path) -> None:
    """Require that the run's record and both automation files belong together."""
    recover(out)
    folder = run_folder.read_automation_folder(out)
    rows = csv.DictReader(io.StringIO((out / "automation.csv").read_text()))
    buses = json.loads((out / "automation.json").read_text())["buses"]
    n_hand_edits = (out / "automation.csv").read_text().count(_HAND_EDIT)
    n_points = sum(len(bus["points"]) for bus in buses.values())
    assert sum(1 for _ in rows) == n_points + n_hand_edits
    written = {track.role: len(track.written) for track in store.latest_tracks(folder.runs)}
    assert {bus: len(content["points"]) for bus, content in buses.items()} == written


def _hand_edit_is_kept(out: Path) -> bool:
    texts = [path.read_text() for path in out.rglob("automation*.csv")]
    texts += [run.files_before.get("automation.csv", "") for run in run_folder.read(out)]
    return any(_HAND_EDIT in text for text in texts)


@pytest.mark.parametrize("n_kills", N_KILLS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_killed_command_leaves_the_old_or_the_new_set(
    verb: str, n_kills: int, commands: Commands, short_songs: Path, tmp_path: Path
) -> None:
    dice = random.Random(verb)  # noqa: S311 - not a secret
    prepare, words = VERBS[verb]
    before = tmp_path / "before"
    prepare(commands, short_songs, before)
    started_s = time.monotonic()
    out = tmp_path / "whole"
    shutil.copytree(before, out)
    filled = [word.format(song=short_songs / "one", out=out) for word in words]
    assert commands.run(*filled) == 0
    took_s, n_killed = time.monotonic() - started_s, 0
    for number in range(n_kills):
        out = tmp_path / f"out-{number}"
        shutil.copytree(before, out)
        filled = [word.format(song=short_songs / "one", out=out) for word in words]
        n_killed += commands.run(*filled, kill_after_s=dice.uniform(0.0, took_s)) < 0
        _require_a_whole_set(out)
        if verb in ("edit", "revert"):
            assert _hand_edit_is_kept(out)
        assert not list(out.glob(".faderwise-*"))
        shutil.rmtree(out)
    print(f"{verb}: {n_kills} commands, {n_killed} killed before they ended, every set was complete")


ROUNDS = [1, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])]
MODEL_COMMANDS = {
    "learn one": ["learn", "{songs}/one", "--model", "mine"],
    "learn two": ["learn", "{songs}/two", "--model", "mine"],
    "remove three": ["models", "remove", "mine", "--song", "three"],
    "import two": ["models", "import", "{exported}", "--name", "mine"],
}
MODEL_PAIRS: dict[tuple[str, str], list[set[str]]] = {
    ("learn one", "learn two"): [{"one", "two", "three"}],
    ("learn one", "remove three"): [{"one"}],
    ("learn one", "import two"): [{"one", "two"}, {"two"}],
    ("remove three", "import two"): [{"two"}],
}
"""Pairs of commands on a model that has learned the song `three`, and the songs after one of the two orders."""
RUN_COMMANDS = {
    "mix": ["mix", "{songs}/one", "--out", "{out}", "--model", "equal-level"],
    "edit": ["edit", "{out}", "--depth", "50"],
    "another edit": ["edit", "{out}", "--offset", "bass=1.5"],
    "revert": ["revert", "{out}"],
}
RUN_PAIRS: dict[tuple[str, str], list[list[int]]] = {
    ("edit", "another edit"): [[1, 2, 3, 4]],
    ("edit", "revert"): [[1], [1, 2]],
    ("mix", "edit"): [[1], [1, 2]],
}
"""Pairs of commands on a run folder with two runs, and the numbers of its runs after one of the two orders."""


@pytest.fixture(scope="module")
def commands_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands") / "home"


@pytest.fixture(scope="module")
def two_commands(commands_home: Path) -> Iterator[tuple[Commands, Commands]]:
    with closing(Commands(commands_home)) as first, closing(Commands(commands_home)) as second:
        yield first, second


@pytest.fixture(scope="module")
def commands(two_commands: tuple[Commands, Commands]) -> Commands:
    return two_commands[0]


@pytest.fixture(params=["own process", "server"])
def worked_by(request: pytest.FixtureRequest, commands_home: Path) -> Iterator[str]:
    """Let a server do the commands' work, or not."""
    with running(commands_home) if request.param == "server" else nullcontext():
        yield request.param


def _at_once(words: Sequence[Sequence[str]], commands: Sequence[Commands]) -> list[int]:
    """Run commands at the same time, one in each process, and return their exit codes."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda one, its_words: one.run(*its_words), commands, words))


def _filled(words: Sequence[str], **paths: Path) -> list[str]:
    return [word.format(**paths) for word in words]


@pytest.mark.parametrize("n_rounds", ROUNDS)
@pytest.mark.usefixtures("worked_by")
def test_concurrent_changes_of_a_model_lose_and_restore_nothing(
    two_commands: tuple[Commands, Commands], commands_home: Path, short_songs: Path, tmp_path: Path, n_rounds: int
) -> None:
    model = commands_home / "models" / "mine.json"
    for title in ("two", "three"):
        assert two_commands[0].run("learn", str(short_songs / title), "--model", "mine", "--fresh") == 0
        shutil.move(model, tmp_path / f"{title}.json")
    for pair, expected in MODEL_PAIRS.items():
        words = [_filled(MODEL_COMMANDS[name], songs=short_songs, exported=tmp_path / "two.json") for name in pair]
        for _ in range(n_rounds):
            shutil.copy(tmp_path / "three.json", model)
            _at_once(words, two_commands)
            assert {song.title for song in models.find(str(model)).songs} in expected, pair
    print(f"models: {n_rounds} rounds of each of {len(MODEL_PAIRS)} pairs of commands, nothing was lost or restored")


@pytest.mark.parametrize("n_rounds", ROUNDS)
@pytest.mark.usefixtures("worked_by")
def test_concurrent_changes_of_a_run_folder_are_all_recorded(
    two_commands: tuple[Commands, Commands], short_songs: Path, tmp_path: Path, n_rounds: int
) -> None:
    before = tmp_path / "before"
    _mixed(two_commands[0], short_songs, before)
    assert two_commands[0].run("edit", str(before), "--depth", "75") == 0

    for pair, expected in RUN_PAIRS.items():
        for _ in range(n_rounds):
            out = tmp_path / "out"
            shutil.copytree(before, out)
            words = [_filled(RUN_COMMANDS[name], songs=short_songs, out=out) for name in pair]
            assert _at_once(words, two_commands) == [0, 0], pair
            assert [run.number for run in run_folder.read(out)] in expected, pair
            _require_a_whole_set(out)
            shutil.rmtree(out)
    print(f"runs: {n_rounds} rounds of each of {len(RUN_PAIRS)} pairs of commands, every run was recorded")


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_full_disk_is_reported_and_leaves_no_files(
    verb: str, home: Path, short_songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    try:
        code = main([verb, str(short_songs / "one"), "--out", str(tmp_path / "new" / "out"), "--json"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == 1, error
    assert error["code"] == "disk_full"
    assert WORKSHOP not in error["path"], "the path is one that the user knows"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_folder_that_holds_inputs_is_not_written_to(
    verb: str, home: Path, short_songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "song"
    shutil.copytree(short_songs / "one", song)
    before = {path.name: path.read_bytes() for path in song.iterdir()}
    assert main([verb, str(song), "--out", str(song), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["option"], error["path"]) == ("--out", str(song))
    assert error["remedy"]
    assert {path.name: path.read_bytes() for path in song.iterdir()} == before


def test_a_rendered_mix_is_not_taken_for_the_mixdown(
    home: Path, short_songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "song"
    shutil.copytree(short_songs / "one", song)
    (song / "mix.wav").unlink()
    assert main(["mix", str(song), "--out", str(tmp_path / "out")]) == 0
    for path in song.iterdir():
        shutil.copy(path, tmp_path / "out")
    capsys.readouterr()
    assert main(["match", str(tmp_path / "out"), "--out", str(tmp_path / "matched")]) == 2
    assert "mixdown" in capsys.readouterr().err
