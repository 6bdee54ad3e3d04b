"""What the durability test kills: learns, predicts and imports as fast as it can, in processes really killed.

`python -m tests.server.killed_worker SONGS FOLDER N_KILLS SEED`. It loads everything once, then starts one process
after another from itself, and kills each at a random instant with SIGKILL. It prints how many were killed at work.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import msgspec

from analysis_server import models
from analysis_server.server.cache import Cache
from analysis_server.server.known_files import KnownFiles
from analysis_server.server.pipes import Task
from analysis_server.server.work import do
from analysis_server.verbs.learn import LearnRequest
from analysis_server.verbs.mix import MixRequest
from core.progress import no_progress


def work(songs: Path, folder: Path, number: int, n_turns: int) -> None:
    """Learn into a model, predict with it, import a copy of it, `n_turns` times."""
    cache, known = Cache(folder / "cache", 1 << 28), KnownFiles()
    model, titles = f"model-{number % 5}", ("one", "two", "three")
    for turn in range(n_turns):
        song = str(songs / titles[turn % 3])
        learn = LearnRequest(songs=[song], model=model)
        predict = MixRequest(
            song=song, model=model, out=str(folder / f"out-{number % 3}"), target_lufs=-20.0 - turn % 7
        )
        for verb, request in (("learn", learn), ("predict", predict)):
            ended = do(_task(verb, request, folder, f"{number}-{turn}-{verb}"), cache, known, no_progress)
            if ended.code is not None:
                (folder / "problems").open("a").write(f"{verb}: {ended.message}\n")
        models.take_in(models.path_of(model), f"copy-{turn % 3}")


def _turn_s(songs: Path, folder: Path) -> float:
    """Return how long one turn takes here, and nothing kept."""
    child, started_s = os.fork(), time.monotonic()
    if child == 0:
        work(songs, folder.with_name("warm-up"), 0, 1)
        os._exit(0)
    os.waitpid(child, 0)
    return min(time.monotonic() - started_s, 1.5)


def _task(verb: str, request: msgspec.Struct, folder: Path, job: str) -> Task:
    return Task(
        job=job,
        verb=verb,
        request=msgspec.Raw(msgspec.msgpack.encode(request)),
        folder="/",
        within=[],
        audio=None,
        staging=str(folder / "staging" / job),
        known=[],
    )


def main(songs: str, folder: str, n_kills: str, seed: str) -> None:
    """Kill `n_kills` processes at work."""
    dice = random.Random(int(seed))  # noqa: S311 - no secret
    killed, longest_s = 0, _turn_s(Path(songs), Path(folder))
    for number in range(int(n_kills)):
        child = os.fork()
        if child == 0:
            try:
                work(Path(songs), Path(folder), number, 1_000_000)
            finally:
                os._exit(9)
        time.sleep(dice.uniform(0.0, longest_s))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        loaded(Path(folder))
    print(killed)


def loaded(folder: Path) -> dict[str, int]:
    """Return how many songs each model knows; every model and every entry must be readable, and none may go."""
    known = {name: len(models.find(name).songs) for name in models.names()}
    cache = Cache(folder / "cache", 1 << 28)
    for entry in (folder / "cache" / "entries").glob("[0-9a-f]*"):
        if cache.find(entry.name) is None:
            raise SystemExit(f"entry {entry} was damaged")
    record = folder / "known"
    before = msgspec.json.decode(record.read_bytes(), type=dict[str, int]) if record.exists() else {}
    lost = {name: count for name, count in before.items() if known.get(name, 0) < count}
    if lost:
        raise SystemExit(f"models lost: {lost}, there are {known}")
    record.write_bytes(msgspec.json.encode({name: count for name, count in known.items() if name.startswith("model")}))
    return known


if __name__ == "__main__":
    main(*sys.argv[1:])
