"""The analysis server under load: 50 clients with 200 mixed requests each, and a heartbeat while all workers are busy.

`python benchmarks/server.py [--clients N] [--requests N] [--song SONG_DIR]`

Every request must be answered, with its own answer and once; the server's memory afterwards must be within 10 % of
what it was after one warm-up round; the heartbeat's 99th percentile must stay below 100 ms while every worker works.
Exits with 1 if one of these fails. The clients run in separate processes with five connections each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import psutil
import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.goals import Goal

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "examples" / "caesium"
HEARTBEAT_P99_S, LEAK = 0.1, 1.1
CLIENTS_A_PROCESS = 5
BUSY_S = 10.0


class Client:
    """One connection, as docs/reference/protocol.md describes it."""

    def __init__(self, home: Path, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        server = json.loads((home / "server" / "connection.json").read_text())
        keys = json.loads((home / "keys" / "client.json").read_text())
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = server["public_key"].encode()
        self.socket.curve_publickey = keys["public"].encode()
        self.socket.curve_secretkey = keys["secret"].encode()
        self.socket.connect(server["address"])

    def tell(self, kind: str, **fields: Any) -> str:
        """Send a request and return its id."""
        request_id = secrets.token_hex(8)
        self.socket.send(msgpack.packb({"type": kind, "id": request_id, "version": 2, **fields}))
        return request_id

    def run(self, verb: str, request: dict[str, Any], job: str) -> dict[str, Any]:
        """Run a job and return its final message; a busy server is asked again."""
        while True:
            answer = self.end_of(self.tell("run", job=job, verb=verb, folder="/", request=request))
            if answer.get("code") != "busy":
                return answer
            time.sleep(0.1)

    def end_of(self, request_id: str, within_s: float = 120.0) -> dict[str, Any]:
        """Return a request's final message."""
        while True:
            if not self.socket.poll(int(1000 * within_s)):
                raise TimeoutError(f"no answer to {request_id}")
            answer: dict[str, Any] = msgpack.unpackb(self.socket.recv())
            if answer["id"] == request_id and answer["type"] not in ("job", "progress"):
                return answer


def mixed_request(client: Client, dice: random.Random, songs: list[str], out: Path) -> tuple[str, float, str]:
    """Send one request of the mix, wait for its end, and return its kind, its latency and its outcome."""
    kind = dice.choices(["state", "estimate", "mix", "learn", "unknown"], [45, 25, 15, 10, 5])[0]
    job, song = secrets.token_hex(16), dice.choice(songs)
    requests: dict[str, dict[str, Any]] = {
        "estimate": {"song": song, "out": str(out / f"{Path(song).name}.csv")},
        "mix": {"song": song, "dry_run": True, "target_lufs": float(dice.randint(-20, -17))},
        "learn": {"songs": [song], "model": "load", "dry_run": True},
    }
    started_s = time.monotonic()
    if kind in requests:
        answer = client.run(kind, requests[kind], job)
        client.tell("cancel", job=job)
    elif kind == "unknown":
        answer = client.end_of(client.tell("state", job=job))
    else:
        answer = client.end_of(client.tell(kind))
    return kind, time.monotonic() - started_s, answer.get("code", "ok")


def loaded(home: str, songs: str, n_clients: str, n_requests: str, seed: str) -> None:
    """Be some of the clients: one thread each; print what happened as JSON."""
    told: list[tuple[str, float, str]] = []
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def work(number: int) -> None:
        client, dice = Client(Path(home), context), random.Random(1000 * int(seed) + number)  # noqa: S311 - no secret
        out = Path(home) / "out" / f"{seed}-{number}"
        told.extend([mixed_request(client, dice, json.loads(songs), out) for _ in range(int(n_requests))])
        client.socket.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(int(n_clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(told))


def load(home: Path, songs: list[str], n_clients: int, n_requests: int, seed: int) -> list[tuple[str, float, str]]:
    """Run all clients at once, and return what each request came to."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "import sys; sys.path.insert(0, 'benchmarks'); from server import loaded; loaded(*sys.argv[1:])"
    children = []
    for number in range(0, n_clients, CLIENTS_A_PROCESS):
        count = min(CLIENTS_A_PROCESS, n_clients - number)
        arguments = [str(home), json.dumps(songs), str(count), str(n_requests), str(seed + number)]
        command = [sys.executable, "-c", code, *arguments]
        children.append(subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True))  # noqa: S603
    return [tuple(row) for child in children for row in json.loads(child.communicate()[0] or "[]")]


def heartbeat_while_busy(home: Path, song: str, n_workers: int, for_s: float) -> list[float]:
    """Keep every worker busy, and return the latencies of heartbeats sent every 10 ms."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    busy, watch = Client(home, context), Client(home, context)
    jobs: list[str] = []
    latencies, stop_s = [], time.monotonic() + for_s
    while time.monotonic() < stop_s:
        while len(jobs) < 3 * n_workers:
            jobs.append(secrets.token_hex(16))
            request = {"song": song, "dry_run": True, "target_lufs": -20.0 - 0.001 * random.randrange(10_000)}  # noqa: S311
            busy.tell("run", job=jobs[-1], verb="mix", folder="/", request=request)
        started_s = time.monotonic()
        alive = watch.end_of(watch.tell("state"))
        if alive["running"] == n_workers:
            latencies.append(time.monotonic() - started_s)
        while busy.socket.poll(0):
            answer = msgpack.unpackb(busy.socket.recv())
            if answer["type"] in ("result", "error"):
                jobs.remove(answer["job"])
        time.sleep(0.01)
    for job in jobs:
        busy.tell("cancel", job=job)
    time.sleep(1.0)
    busy.socket.close()
    watch.socket.close()
    context.term()
    return latencies


@contextmanager
def served(home: Path) -> Iterator[int]:
    """Run a server of `home`, and give its process id."""
    environment = {**os.environ, "FADERWISE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "analysis_server.server.server"]
    child = subprocess.Popen(command, env=environment)  # noqa: S603 - our own program
    try:
        while not (home / "server" / "connection.json").exists():
            time.sleep(0.05)
        yield child.pid
    finally:
        child.terminate()
        child.wait()


def memory_mib(pid: int) -> tuple[float, float]:
    """Return the resident memory of the server and of its workers, MiB."""
    server = psutil.Process(pid)
    return server.memory_info().rss / 2**20, sum(worker.memory_info().rss for worker in server.children()) / 2**20


def excerpts(folder: Path, song: Path, count: int) -> list[str]:
    """Cut `count` short songs out of one, and return their folders."""
    import soundfile  # noqa: PLC0415 - only the parent process needs it

    for number in range(count):
        (folder / f"song-{number}").mkdir(parents=True)
        for path in song.glob("*.flac"):
            rate = soundfile.info(path).samplerate
            samples, _ = soundfile.read(path, 3 * rate, number * rate, dtype="int16")
            soundfile.write(folder / f"song-{number}" / f"{path.stem}.wav", samples, rate)
    return [str(path) for path in sorted(folder.iterdir())]


def percentiles(values: list[float]) -> str:
    """Return the 50th, 90th and 99th percentile and the largest value, ms."""
    cuts = statistics.quantiles(values, n=100) if len(values) > 1 else values * 99
    return "  ".join(f"p{q} {1000 * cuts[q - 1]:7.1f}" for q in (50, 90, 99)) + f"  max {1000 * max(values):7.1f} ms"


@dataclass(frozen=True)
class Load:
    """What a server under load did: answers as (kind, latency in s, code), and its memory and workers' in MiB."""

    told: list[tuple[str, float, str]]
    expected: int
    took_s: float
    memory_mib: tuple[float, float]
    workers_mib: tuple[float, float]
    heartbeats_s: list[float]

    @property
    def heartbeat_p99_s(self) -> float:
        """The heartbeat's 99th percentile while all workers were busy."""
        return statistics.quantiles(self.heartbeats_s, n=100)[98]


def measured(clients: int, requests: int, song: Path) -> Load:
    """Run a server, load it, and return what it did."""
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch) / "home") as pid:
        home, songs = Path(scratch) / "home", excerpts(Path(scratch) / "songs", song, 10)
        load(home, songs, clients, max(requests // 2, 1), 1)
        time.sleep(3.0)
        before, workers_before = memory_mib(pid)
        started_s = time.monotonic()
        told = load(home, songs, clients, requests, 2)
        took_s = time.monotonic() - started_s
        time.sleep(3.0)
        after, workers_after = memory_mib(pid)
        heartbeats_s = heartbeat_while_busy(home, str(song), max(2, (os.cpu_count() or 1) // 2), BUSY_S)
    return Load(told, clients * requests, took_s, (before, after), (workers_before, workers_after), heartbeats_s)


def figures(found: Load) -> list[Goal]:
    """Return the ratios that have goals."""
    right = sum(code == ("unknown_job" if kind == "unknown" else "ok") for kind, _, code in found.told)
    before, after = found.memory_mib
    late = "heartbeat while all workers are busy: 99th percentile, of 100 ms"
    return [
        Goal(f"{found.expected} requests: share answered correctly", right / found.expected, 1.0, at_least=True),
        Goal("server's memory after the load, times what it was before", after / before, LEAK, at_least=False),
        Goal(late, found.heartbeat_p99_s / HEARTBEAT_P99_S, 1.0, at_least=False),
    ]


def main() -> int:
    """Run everything; 0 if all that must hold does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--song", type=Path, default=BUNDLED)
    chosen = parser.parse_args()
    found = measured(chosen.clients, chosen.requests, chosen.song)
    failures = reported(found.told, found.expected, found.took_s)
    print("memory of the server: {:.1f} MiB before, {:.1f} after".format(*found.memory_mib))
    print("memory of its workers: {:.0f} MiB before, {:.0f} after".format(*found.workers_mib))
    failures += ["the server's memory grew"] if found.memory_mib[1] > LEAK * found.memory_mib[0] else []
    print(f"heartbeat, all workers busy ({len(found.heartbeats_s)} beats):  {percentiles(found.heartbeats_s)}")
    p99_s = found.heartbeat_p99_s
    failures += [f"heartbeat p99 is {1000 * p99_s:.0f} ms"] if p99_s >= HEARTBEAT_P99_S else []
    print("\n".join(f"FAILED: {failure}" for failure in failures) or "all held")
    return 1 if failures else 0


def reported(told: list[tuple[str, float, str]], expected: int, took_s: float) -> list[str]:
    """Print throughput and latencies, and return what failed."""
    print(f"{len(told)} of {expected} requests answered in {took_s:.1f} s: {len(told) / took_s:.0f} requests a second")
    for kind in sorted({kind for kind, _, _ in told}):
        print(f"  {kind:<10} {percentiles([latency for name, latency, _ in told if name == kind])}")
    wrong = [(kind, code) for kind, _, code in told if code != ("unknown_job" if kind == "unknown" else "ok")]
    failures = [f"{len(wrong)} requests got errors, such as {wrong[0]}"] if wrong else []
    return failures + ([f"{expected - len(told)} requests were lost"] if len(told) != expected else [])


if __name__ == "__main__":
    raise SystemExit(main())
