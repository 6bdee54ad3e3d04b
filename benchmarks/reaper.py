"""Time the REAPER route in the simulated host: how long Auto-mix needs from the end of the render to the envelopes.

`python benchmarks/reaper.py [--seconds S] [--buses N] [--tracks N] [--json]`

`ratio` is the time from the end of the render to the written envelopes, divided by the sum of the analysis only (in a
process that has everything loaded) and the start of one bare Python process. `cold` begins without an analysis server,
`warm` with the one that the cold run started. `slowest_tick_ms` is the processor time that the script keeps REAPER busy
in one tick: its own code, the overhead of its calls as REAPER's Python makes them, and the 4 MiB that REAPER's Python
allocates for each text that a call returns; REAPER's own work (rendering, saving, undo) is left out. `large_session`
runs the same action in a session with `--tracks` tracks.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis_server import models
from analysis_server.presets import predict_song
from benchmarks.goals import Goal
from benchmarks.material import MORE_BUSES, write_song
from core.audio.song import open_song
from core.automation.points import thin_curves
from core.automation.render import measure_mixes
from core.progress import no_progress
from tests.reaper.studio import Studio, bus_text, end_server, project_text
from tests.reaper_host import ReaperHost

RATIO, TICK_MS = 2.0, 30.0
RENDER = 42230


class Recorder:
    """Record calls into REAPER: how many, the processor time inside them, that of allocating texts, and some ends."""

    def __init__(self, host: ReaperHost) -> None:
        self.calls = 0
        self.inside_s = self.texts_s = 0.0
        self.ended_s: dict[str, float] = {}
        self._depth = 0
        self._inside_api, self._render, self._pack = host.inside_api, host.render, host.RPR.rpr_packs
        host.inside_api = self._recorded
        host.render = self._rendered
        host.RPR.rpr_packs = self._packed

    @contextmanager
    def _recorded(self, name: str) -> Iterator[None]:
        self.calls += 1
        started, self._depth = time.thread_time(), self._depth + 1
        with self._inside_api(name):
            yield
        self._depth -= 1
        self.ended_s[name] = time.perf_counter()
        if self._depth == 0:
            self.inside_s += time.thread_time() - started

    def _rendered(self, project: Any) -> None:
        self._render(project)
        self.ended_s["render"] = time.perf_counter()

    def _packed(self, text: object) -> Any:
        started = time.thread_time()
        buffer = self._pack(text)
        self.texts_s += time.thread_time() - started
        return buffer


def call_s() -> float:
    """Return what one call of REAPER's Python costs: packing a pointer and a text, and the call through ctypes."""
    address = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value
    kind = re.compile(r"^\((\w+\*|HWND)\)0x([0-9A-F]+)$")
    n_calls = 2000
    started = time.thread_time()
    for _ in range(n_calls):
        found = kind.match("(MediaTrack*)0x000000000A1B2C3D")
        function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64, ctypes.c_char_p)(address or 0)
        function(int(found[2], 16) if found else 0, ctypes.c_char_p(b"I_SELECTED"))
    return (time.thread_time() - started) / n_calls


def session(folder: Path, seconds: float, buses: tuple[str, ...], n_tracks: int) -> Path:
    """Write a session with one track a bus, and further tracks without a bus up to `n_tracks`."""
    write_song(folder, seconds=seconds, buses=buses)
    (folder / "mix.wav").unlink()
    tracks = [bus_text(f"{bus.upper()} BUS", f"{bus}.wav", volume=0.8, length_s=seconds) for bus in buses]
    tracks += [bus_text(f"Take {number}", f"{buses[0]}.wav", length_s=0.1) for number in range(n_tracks - len(buses))]
    path = folder / "Song.RPP"
    path.write_bytes(project_text(*tracks))
    return path


def auto_mix(project: Path, resource: Path, home: Path) -> dict[str, float]:
    """Run Auto-mix once in a new REAPER; return its times and calls."""
    with ReaperHost(resource, project) as host:
        host.switches.allocates_string_buffers = True
        studio = Studio(host, project, home)
        host.run_script(_importing_reapy(studio))
        recorder = Recorder(host)
        studio.choose_buses()
        studio.decline_report()
        costs_ms, calls = [], []
        overhead_s = call_s()
        studio.start("auto_mix_buses")
        while any(script.is_running for script in host.scripts):
            wall_s, started = time.perf_counter(), time.thread_time()
            inside_s, texts_s, before = recorder.inside_s, recorder.texts_s, recorder.calls
            host.tick()
            n_calls = recorder.calls - before
            own_s = time.thread_time() - started - (recorder.inside_s - inside_s)
            costs_ms.append(1000.0 * (own_s + recorder.texts_s - texts_s + n_calls * overhead_s))
            calls.append(n_calls)
            time.sleep(max(0.031 - (time.perf_counter() - wall_s), 0.0))
        studio.require_peace()
    return {
        "render_to_envelopes_s": recorder.ended_s["Undo_EndBlock2"] - recorder.ended_s["render"],
        "slowest_tick_ms": max(costs_ms),
        "median_tick_ms": statistics.median(costs_ms),
        "most_calls_in_a_tick": max(calls),
        "calls": sum(calls),
    }


def _importing_reapy(studio: Studio) -> Path:
    """Return a script that only imports: the first action after REAPER's start pays for it."""
    path = studio.scripts / "import_only.py"
    path.write_text("import sys\nfrom faderwise_bridge import actions\nimport reapy\n", encoding="utf-8")
    return path


def analysis_s(folder: Path, buses: tuple[str, ...]) -> float:
    """Return how long measuring, predicting, levelling and thinning take in a process that has everything loaded."""
    model = models.find(models.DEFAULT_MODEL)
    times = []
    for _ in range(2):
        started = time.perf_counter()
        song = open_song(folder, buses={bus: [folder / f"{bus}.wav"] for bus in buses})
        _, prediction = predict_song(song, model, no_progress)
        measure_mixes(song, [None, thin_curves(prediction.curves)])
        times.append(time.perf_counter() - started)
    return min(times)


def process_start_s() -> float:
    """Return how long a bare Python process takes to start and end."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


def measured(seconds: float, n_buses: int, n_tracks: int) -> dict[str, dict[str, float]]:
    """Return the figures of a cold run, a warm run, and a warm run in a session with many tracks."""
    buses = MORE_BUSES[:n_buses]
    with tempfile.TemporaryDirectory(prefix="faderwise-reaper-") as name:
        folder = Path(name)
        os.environ["FADERWISE_HOME"] = str(folder / "home")
        os.environ["BROWSER"] = "true"
        small = session(folder / "small", seconds, buses, n_buses)
        large = session(folder / "large", min(seconds, 20.0), buses, n_tracks)
        try:
            found = {
                kind: auto_mix(project, folder / f"resource-{kind}", folder / "home")
                for kind, project in (("cold", small), ("warm", small), ("large_session", large))
            }
        finally:
            end_server(folder / "home")
        alone_s, start_s = analysis_s(small.parent, buses), process_start_s()
    for kind in ("cold", "warm"):
        times = found[kind]
        times |= {"analysis_s": alone_s, "process_start_s": start_s}
        times["ratio"] = times["render_to_envelopes_s"] / (alone_s + start_s)
    return {kind: {name: round(value, 3) for name, value in times.items()} for kind, times in found.items()}


def main() -> int:
    """Measure, print, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=240.0, help="length of the session (default: 240)")
    parser.add_argument("--buses", type=int, default=4, choices=range(1, len(MORE_BUSES) + 1), metavar="N")
    parser.add_argument("--tracks", type=int, default=200, help="tracks of the large session (default: 200)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    found = measured(arguments.seconds, arguments.buses, arguments.tracks)
    goals = [Goal(f"{kind}: ratio", found[kind]["ratio"], RATIO, at_least=False) for kind in ("cold", "warm")]
    goals += [
        Goal(f"{kind}: slowest tick", times["slowest_tick_ms"], TICK_MS, at_least=False, unit="ms")
        for kind, times in found.items()
    ]
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(str(goal) for goal in goals))
        return 0 if all(goal.is_met for goal in goals) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
