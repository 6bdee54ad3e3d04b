"""Report contents, and a headless Chromium controlled over its debugging pipe."""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis_server.report.content import (
    BusAudit,
    BusContent,
    Figure,
    FigureTable,
    Player,
    ReportContent,
    Spectrum,
)
from core.decibels import FloatArray
from core.models.explain import TermMeaning

CHROMIUM = shutil.which("chromium")
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)
TIMEOUT_S = 300.0
# Chromium reads commands from descriptor 3 and answers on 4.
WITH_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A Chromium that is controlled by messages over two pipes, each ended by a zero byte."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        commands_end, self._commands = os.pipe()
        self._answers, answers_end = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - the browser on PATH, with fixed flags
            [
                sys.executable,
                "-c",
                WITH_PIPES,
                str(commands_end),
                str(answers_end),
                CHROMIUM,
                *CHROMIUM_FLAGS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(commands_end, answers_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_end)
        os.close(answers_end)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _message(self) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._answers, 1 << 16)
            assert piece, "Chromium has exited"
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(line)

    def open(self, page: Path, *, width: int = 1280, scheme: str = "light", calm: bool = False) -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 700,
        )
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.run("new Promise(done => document.readyState === 'complete' ? done() : onload = () => done())")

    def run(self, script: str) -> Any:
        """Return the value of `script` in the page, an expression that may be a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def problems(self) -> list[str]:
        """Return the console's errors and warnings and the exceptions since the page was opened."""
        found = []
        for event in self.events:
            method, about = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(about["exceptionDetails"]))
            elif method == "Runtime.consoleAPICalled" and about["type"] in {"error", "warning", "assert"}:
                found.append(str(about["args"]))
            elif method == "Log.entryAdded" and about["entry"]["level"] in {"error", "warning"}:
                found.append(about["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Return the addresses asked for since the page was opened, without embedded data."""
        asked = (
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        )
        return [address for address in asked if not address.startswith("data:")]

    def close(self) -> None:
        os.close(self._commands)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH: how the report looks and plays stays UNTESTED")
    started = Browser(tmp_path_factory.mktemp("chromium"))
    try:
        started.attach()
        yield started
    finally:
        started.close()


def a_bus(role: str = "drums", n_frames: int = 240, duration_s: float = 60.0, **changes: Any) -> BusContent:
    """Return a bus with a moving gain, a level with a silent fifth, a band and points."""
    time_s = (np.arange(n_frames) + 0.5) * duration_s / max(n_frames, 1)
    gain_db: FloatArray = 3.0 * np.sin(time_s / 7.0)
    active = np.arange(n_frames) % 100 >= 20
    bus = BusContent(
        role=role,
        time_s=time_s,
        gain_db=gain_db,
        level_lufs=np.where(active, -25.0 + 5.0 * np.cos(time_s), -np.inf),
        active=active,
        uncertainty_db=np.full(n_frames, 0.8),
        point_time_s=time_s[::8],
        point_gain_db=gain_db[::8],
        loudness_before_lufs=-23.4,
        loudness_after_lufs=-22.1,
    )
    return replace(bus, **changes)


def an_audited_bus(role: str = "drums", n_frames: int = 240, duration_s: float = 60.0, **changes: Any) -> BusContent:
    """Return a bus with an explanation, whose second half was edited by hand."""
    bus = a_bus(role, n_frames, duration_s)
    late = bus.time_s > duration_s / 2
    audit = BusAudit(
        written_gain_db=0.5 * bus.gain_db,
        now_gain_db=np.where(late, -4.0, 0.5 * bus.gain_db),
        edited_time_s=np.array([0.6, 0.8]) * duration_s,
        edited_gain_db=np.array([-4.0, -4.0]),
        is_edited=True,
    )
    terms = (
        TermMeaning("the moment", "it is quieter than usual", "it is louder than usual"),
        TermMeaning("the whole mix", "as all buses", "as all buses"),
    )
    terms_db = np.stack([bus.gain_db - 1.0, np.ones(n_frames)], axis=1)
    return replace(bus, audit=audit, terms=terms, terms_db=terms_db, **changes)


def an_audit(**changes: Any) -> ReportContent:
    """Return an audit's page with everything on it."""
    rows = (Figure(label="vocals, 0:30 to 1:00", value="+1.0 dB to \N{MINUS SIGN}4.0 dB", means="by hand"),)
    tables = (
        FigureTable("Largest moves", ("Where", "From and to", "Why"), rows, "none"),
        FigureTable("Edits by hand", ("Where", "Points", "What"), (), "Nothing was edited by hand."),
    )
    buses = tuple(an_audited_bus(role) for role in ("drums", "bass", "melody", "vocals"))
    return a_report(verb="audit", buses=buses, tables=tables, **changes)


def sixty_tracks() -> tuple[BusContent, ...]:
    """Return 60 single tracks of four buses."""
    roles = ("drums", "bass", "melody", "vocals")
    return tuple(a_bus(f"{roles[number % 4]}: Track {number + 1}") for number in range(60))


def a_tone(hertz: float, duration_s: float) -> bytes:
    """Return a quiet tone as a WAV file."""
    rate = 8000
    samples = 1000 * np.sin(2 * np.pi * hertz * np.arange(round(rate * duration_s)) / rate)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def a_report(**changes: Any) -> ReportContent:
    """Return a report with everything on it."""
    frequency_hz = 20.0 * 2.0 ** (np.arange(60) / 6)
    content = ReportContent(
        title="Night Train",
        verb="mix",
        summary="Four faders were set over one minute.",
        duration_s=60.0,
        buses=tuple(a_bus(role) for role in ("drums", "bass", "melody", "vocals")),
        spectra=(
            Spectrum(label="Before", frequency_hz=frequency_hz, level_db=-20.0 - 5.0 * np.log2(frequency_hz / 20)),
            Spectrum(label="After", frequency_hz=frequency_hz, level_db=-19.0 - 5.2 * np.log2(frequency_hz / 20)),
        ),
        players=(
            Player(label="Before", mime="audio/wav", encoded=a_tone(220, 60.0), note="the whole song"),
            Player(label="After", mime="audio/wav", encoded=a_tone(330, 60.0), note="the whole song"),
        ),
        figures=(Figure(label="Loudness", value="-16.2 LUFS", means="How loud the whole mix is."),),
        warnings=("The melody is silent for 12 s.",),
        made_by="Faderwise 1.0.0",
    )
    return replace(content, **changes)


@pytest.fixture(scope="session")
def make_bus() -> Callable[..., BusContent]:
    return a_bus


@pytest.fixture(scope="session")
def make_audited_bus() -> Callable[..., BusContent]:
    return an_audited_bus


@pytest.fixture(scope="session")
def make_audit() -> Callable[..., ReportContent]:
    return an_audit


@pytest.fixture(scope="session")
def make_report() -> Callable[..., ReportContent]:
    return a_report
