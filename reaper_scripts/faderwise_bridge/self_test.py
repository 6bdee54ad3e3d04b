"""Check what the bridge relies on, in a scratch tab of the user's own REAPER.

Each fact has an expected value, the value that was seen, and what the bridge does in either case. The report is shown
in the console and stored as `reaper_check.json` in the data folder, where `faderwise doctor` and the bridge read it.
"""

from __future__ import annotations

import array
import math
import shutil
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any, Generator, NamedTuple

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import BridgeError, UserCancelled, dialogs, reaper_api, render_stems, restore_state
from faderwise_bridge.application import Application, read_json, write_json

FILE = "reaper_check.json"
WITHOUT_ITEMS = "stem of a track without items"
MASTER_MIX = "the master mix"
NOT_TRIED = "not tried"
_RATE, _SECONDS = 44100, 2.0
_TONE_GAIN, _OTHER_GAIN = 0.5, 0.3

_SHOWN_DB = (-40.0, -6.0, 0.0, 6.0, 12.0)
_SLOW_TICK_MS = 500.0
_CHECK_KEY = "faderwise_check"
_TRACK = """<TRACK
  NAME "{name}"
  VOLPAN {volume} {pan} -1 -1 1
  MUTESOLO {mute} 0 0
  ISBUS {folder}
  NCHAN 2
  MAINSEND 1 0
{item}>
"""
_ITEM = """  <ITEM
    POSITION 0
    LENGTH {length}
    LOOP 0
    <SOURCE WAVE
      FILE "{file}"
    >
  >
"""


class Fact(NamedTuple):
    """A fact about REAPER and what follows from it."""

    name: str
    expected: str
    consequence: str


FACTS = (
    Fact("render window", "closes", "otherwise Faderwise sets it with the SWS extension, or asks you to tick the box"),
    Fact("render", "complete when the action returns", "Faderwise waits until every file has its length"),
    Fact("names of rendered files", "faderwise-01", "Faderwise reads the names before it renders"),
    Fact("fader in a pre-fader stem", "no", "Faderwise makes the fader neutral in either case"),
    Fact("volume envelope in a pre-fader stem", "yes", "Faderwise bypasses the envelope in either case"),
    Fact("pan in a pre-fader stem", "no", "Faderwise makes the pan neutral in either case"),
    Fact("stem of a muted track", "silent", "a muted bus counts as silent"),
    Fact(WITHOUT_ITEMS, "what flows into it", "otherwise Faderwise gives it an empty item for the render"),
    Fact("new volume envelope", "one point at the fader's level", "Faderwise replaces all points"),
    Fact("visibility of a new envelope", "visible", "Faderwise makes it visible in either case"),
    Fact("name of the volume envelope", "Volume", "Faderwise uses the name in project files in either case"),
    Fact("scale of new envelopes", "fader", "Faderwise asks REAPER to convert each value"),
    Fact("shown value of gains", "as given", "otherwise report it: envelopes would be wrong"),
    Fact("top of volume envelopes", "+6 dB", "Faderwise reads it and lowers all buses together where one passes it"),
    Fact("point at 0 s after deleting a range", "stays", "Faderwise deletes it by its index in either case"),
    Fact("stored text of 900 characters", "complete", "otherwise report it: Revert would not work"),
    Fact("stored text of 9,000 characters", "cut", "Faderwise stores short texts only"),
    Fact("stored text after undo", "stays", "Faderwise marks the tracks as well, and ignores runs that were undone"),
    Fact("envelope and mark after undo", "restored", "otherwise use Revert instead of undo"),
    Fact("envelope and mark after redo", "redone", "otherwise run the action again instead of redo"),
    Fact("automation modes", "0 1 2 3 4 5", "Faderwise reads the mode of each track"),
    Fact("time between ticks", f"less than {_SLOW_TICK_MS:.0f} ms", "an action only takes longer"),
)


def stored(home: Path) -> dict[str, str]:
    """Return what the last check saw, by the facts' names."""
    facts = (read_json(home / FILE) or {}).get("facts") or []
    return {str(fact.get("name")): str(fact.get("seen")) for fact in facts if isinstance(fact, dict)}


def check(application: Application) -> Generator[None, None, None]:
    """Run the check and write its report."""
    if reaper_api.is_recording():
        raise BridgeError("REAPER is recording. Stop the recording, then run the action again.")
    if not dialogs.agrees(
        "Faderwise opens an empty project tab, tests REAPER there, and closes the tab again. Your projects "
        "are not changed. Continue?"
    ):
        raise UserCancelled
    before = reaper_api.front_project()
    folder = Path(tempfile.mkdtemp(prefix="faderwise-check-"))
    seen: dict[str, str] = {}
    try:
        reaper_api.run_action(reaper_api.NEW_TAB)
        scratch = _Scratch(folder)
        try:
            yield from scratch.run(seen)
        finally:
            if reaper_api.front_project() == scratch.project:
                scratch.close(seen)  # opening a project ends deferred scripts, so nothing is deferred from here on
                RPR.SelectProjectInstance(before)
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
    _report(application, seen)


def _report(application: Application, seen: dict[str, str]) -> None:
    facts = [
        {
            "name": fact.name,
            "expected": fact.expected,
            "seen": seen.get(fact.name, NOT_TRIED),
            "as_expected": seen.get(fact.name) == fact.expected,
            "consequence": fact.consequence,
        }
        for fact in FACTS
    ]
    content = {"version": 1, "reaper": str(RPR.GetAppVersion()), "checked_at": time.time(), "facts": facts}
    write_json(application.home / FILE, content)
    for fact in facts:
        dialogs.note(f"{fact['name']}: expected {fact['expected']}, seen {fact['seen']}; {fact['consequence']}")
    different = [fact for fact in facts if not fact["as_expected"]]
    lines = [
        f"- {fact['name']}: {fact['seen']} (expected: {fact['expected']}). {fact['consequence']}" for fact in different
    ]
    text = "\n".join([f"{len(facts) - len(different)} of {len(facts)} facts are as expected.", *lines])
    dialogs.show(f"{text}\n\nThe whole report is in REAPER's console; `faderwise doctor` shows it as well.")


class _Scratch:
    """The scratch tab: a tone, a folder without items that contains another tone, and a muted tone."""

    def __init__(self, folder: Path) -> None:
        self.project = reaper_api.front_project()
        self.folder = folder
        tone, other = folder / "tone.wav", folder / "other.wav"
        _write_tone(tone, 440.0, _TONE_GAIN)
        _write_tone(other, 660.0, _OTHER_GAIN)
        chunks = [
            self._chunk("Tone", tone, volume=0.25, pan=-1.0),
            self._chunk("Folder", None, folder="1 1"),
            self._chunk("Inside", other, folder="2 -1"),
            self._chunk("Muted", tone, mute=1),
        ]
        for index, chunk in enumerate(chunks):
            RPR.InsertTrackAtIndex(index, False)
            RPR.SetTrackStateChunk(RPR.GetTrack(0, index), chunk, False)

    @staticmethod
    def _chunk(name: str, file: Path | None, **values: Any) -> str:
        item = "" if file is None else _ITEM.format(file=file, length=_SECONDS)
        fields = {"volume": 1.0, "pan": 0.0, "mute": 0, "folder": "0 0", **values}
        return _TRACK.format(name=name, item=item, **fields)

    def run(self, seen: dict[str, str]) -> Generator[None, None, None]:
        """Try the facts that need no other project."""
        yield from _tick_time(seen)
        yield from self._renders(seen)
        for step in (_automation_modes, _envelope, _undo):
            step(RPR.GetTrack(0, 0), seen)
            yield

    def close(self, seen: dict[str, str]) -> None:
        """Save the scratch project, read it again, and close its tab."""
        path = self.folder / "scratch.RPP"
        texts = {"SHORT": "x" * 900, "LONG": "y" * 9000}
        for key, text in texts.items():
            RPR.SetProjExtState(0, _CHECK_KEY, key, text)
        RPR.Main_SaveProjectEx(0, str(path), 8)
        RPR.Main_openProject("noprompt:" + str(path))
        for key, name in (("SHORT", "stored text of 900 characters"), ("LONG", "stored text of 9,000 characters")):
            text = str(RPR.GetProjExtState(0, _CHECK_KEY, key, "", 65536)[4])
            seen[name] = "complete" if text == texts[key] else "cut"
        reaper_api.run_action(reaper_api.CLOSE_TAB)

    def _renders(self, seen: dict[str, str]) -> Generator[None, None, None]:
        seen["render window"] = "stays open" if render_stems.window_problem() else "closes"
        try:
            with render_stems.window_closes():
                try:
                    stems = yield from self._stems(seen)
                except BridgeError as error:
                    seen["render"] = str(error)
                    return
                yield from self._compare(stems, seen)
        except BridgeError:  # the window would stay open, which has been reported
            return

    def _compare(self, stems: list[Path], seen: dict[str, str]) -> Generator[None, None, None]:
        left, right = _levels(stems[0])
        seen["fader in a pre-fader stem"] = "no" if _is_near(left, _TONE_GAIN) else "yes"
        seen["pan in a pre-fader stem"] = "no" if _is_near(right, left) else "yes"
        inside, muted = _levels(stems[1])[0], max(_levels(stems[3]))
        seen[WITHOUT_ITEMS] = "what flows into it" if _is_near(inside, _OTHER_GAIN) else MASTER_MIX
        seen["stem of a muted track"] = "silent" if muted < 1e-4 else "not silent"
        track = RPR.GetTrack(0, 0)
        RPR.SetMediaTrackInfo_Value(track, "D_VOL", 1.0)
        _write_envelope(_created_envelope(track, seen), 0.25)
        (stem, *_) = yield from self._stems({})
        seen["volume envelope in a pre-fader stem"] = "no" if _is_near(_levels(stem)[0], _TONE_GAIN) else "yes"

    def _stems(self, seen: dict[str, str]) -> Generator[None, None, list[Path]]:
        """Render all four tracks as the bridge does, but with their faders; return the files."""
        folder = Path(tempfile.mkdtemp(dir=str(self.folder)))
        span_s = (0.0, _SECONDS / 2)
        restore_state.select_only(reaper_api.track_pointers())
        with restore_state.render_settings(*render_stems.render_settings(folder, render_stems.PATTERN, span_s)):
            paths = render_stems.targets(folder)
            seen["names of rendered files"] = paths[0].stem if paths else "none"
            if len(paths) != 4:
                raise BridgeError(f"REAPER would write {len(paths)} files instead of 4.")
            n_ticks = 0
            for _ in render_stems.run([render_stems.Stem(path.stem, path, span_s) for path in paths]):
                n_ticks += 1
                yield
        seen["render"] = "complete when the action returns" if n_ticks == 0 else f"continues for {n_ticks} ticks"
        return paths


def _tick_time(seen: dict[str, str]) -> Generator[None, None, None]:
    times = []
    for _ in range(8):
        started_s = time.perf_counter()
        yield
        times.append(1000.0 * (time.perf_counter() - started_s))
    median_ms = sorted(times)[len(times) // 2]
    limit = f"less than {_SLOW_TICK_MS:.0f} ms"
    seen["time between ticks"] = limit if median_ms < _SLOW_TICK_MS else f"{median_ms:.0f} ms"


def _automation_modes(track: str, seen: dict[str, str]) -> None:
    found = []
    for mode in range(6):
        RPR.SetMediaTrackInfo_Value(track, "I_AUTOMODE", mode)
        found.append(f"{RPR.GetMediaTrackInfo_Value(track, 'I_AUTOMODE'):.0f}")
    RPR.SetMediaTrackInfo_Value(track, "I_AUTOMODE", 0)
    seen["automation modes"] = " ".join(found)


def _created_envelope(track: str, seen: dict[str, str]) -> str:
    """Return the track's volume envelope, created by REAPER's action; note what it is like."""
    with restore_state.selection():
        restore_state.select_only([track])
        reaper_api.run_action(reaper_api.CREATES["VOLENV2"])
    env = reaper_api.envelope(track)
    if env is None:
        seen["new volume envelope"] = "none"
        raise BridgeError("REAPER created no volume envelope.")
    gains = [_gain_of(env, index) for index in range(RPR.CountEnvelopePoints(env))]
    fader = float(RPR.GetMediaTrackInfo_Value(track, "D_VOL"))
    is_plain = len(gains) == 1 and _is_near(gains[0], fader)
    seen["new volume envelope"] = "one point at the fader's level" if is_plain else f"{len(gains)} points"
    lines = reaper_api.chunk_of(env).split("\n")
    shown = [line.split()[1] for line in lines if line.split()[:1] == ["VIS"]]
    seen["visibility of a new envelope"] = "visible" if shown == ["1"] else "hidden"
    seen["name of the volume envelope"] = str(RPR.GetEnvelopeName(env, "", 256)[2])
    seen["scale of new envelopes"] = "fader" if RPR.GetEnvelopeScalingMode(env) == 1 else "amplitude"
    return env


def _gain_of(env: str, index: int) -> float:
    value = RPR.GetEnvelopePoint(env, index, 0, 0, 0, 0, 0)[3 + 1]
    return float(RPR.ScaleFromEnvelopeMode(RPR.GetEnvelopeScalingMode(env), value))


def _write_envelope(env: str, gain: float) -> None:
    mode = RPR.GetEnvelopeScalingMode(env)
    RPR.DeleteEnvelopePointRange(env, -1.0, 1e6)
    for index in reversed(range(RPR.CountEnvelopePoints(env))):
        RPR.DeleteEnvelopePointEx(env, -1, index)
    for time_s in (0.0, _SECONDS):
        RPR.InsertEnvelopePoint(env, time_s, RPR.ScaleToEnvelopeMode(mode, gain), 0, 0.0, False, True)
    RPR.Envelope_SortPoints(env)


def _envelope(track: str, seen: dict[str, str]) -> None:
    env = reaper_api.envelope(track) or _created_envelope(track, seen)
    mode = RPR.GetEnvelopeScalingMode(env)
    different = []
    for db in _SHOWN_DB:
        raw = RPR.ScaleToEnvelopeMode(mode, 10.0 ** (db / 20.0))
        text = str(RPR.Envelope_FormatValue(env, raw, "", 64)[2])
        if not _shows(text, db):
            different.append(f"{db:+g} dB is shown as {text}")
    seen["shown value of gains"] = "; ".join(different) or "as given"
    seen["top of volume envelopes"] = f"{20.0 * math.log10(reaper_api.top_gain()):+.0f} dB"
    _write_envelope(env, 0.5)
    RPR.DeleteEnvelopePointRange(env, -1.0, _SECONDS / 2)
    seen["point at 0 s after deleting a range"] = "stays" if RPR.CountEnvelopePoints(env) == 2 else "is deleted"


def _shows(text: str, db: float) -> bool:
    try:
        return abs(float(text.replace("dB", "").replace(",", ".").strip()) - db) < 0.1
    except ValueError:
        return False


def _undo(track: str, seen: dict[str, str]) -> None:
    env = reaper_api.envelope(track)
    if env is None:
        return
    with reaper_api.undo_block("Faderwise: before the check"):
        _write_envelope(env, 0.5)
    with reaper_api.undo_block("Faderwise: check"):
        _write_envelope(env, 0.25)
        reaper_api.set_extension(track, _CHECK_KEY, "run")
        RPR.SetProjExtState(0, _CHECK_KEY, "RUN", "1")
    RPR.Undo_DoUndo2(0)
    track = RPR.GetTrack(0, 0)
    is_restored = _first_gain_is(track, 0.5) and not reaper_api.extension(track, _CHECK_KEY)
    seen["envelope and mark after undo"] = "restored" if is_restored else "not restored"
    is_stored = bool(RPR.GetProjExtState(0, _CHECK_KEY, "RUN", "", 64)[4])
    seen["stored text after undo"] = "stays" if is_stored else "is taken back"
    RPR.Undo_DoRedo2(0)
    track = RPR.GetTrack(0, 0)
    is_redone = _first_gain_is(track, 0.25) and reaper_api.extension(track, _CHECK_KEY) == "run"
    seen["envelope and mark after redo"] = "redone" if is_redone else "not redone"


def _first_gain_is(track: str, gain: float) -> bool:
    env = reaper_api.envelope(track)
    return env is not None and RPR.CountEnvelopePoints(env) > 0 and _is_near(_gain_of(env, 0), gain)


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) < 0.02 * max(abs(other), 1e-3)


def _write_tone(path: Path, frequency_hz: float, gain: float) -> None:
    n_samples = round(_RATE * _SECONDS)
    step = 2.0 * math.pi * frequency_hz / _RATE
    samples = array.array("h")
    for index in range(n_samples):
        value = round(32767 * gain * math.sin(step * index))
        samples.extend((value, value))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())


def _levels(path: Path) -> tuple[float, float]:
    """Return the amplitude of a tone in both channels of a 32-bit float file."""
    samples = array.array("f")
    samples.frombytes(render_stems.wav_data(path))
    if sys.byteorder == "big":
        samples.byteswap()
    levels: list[float] = []
    for channel in (0, 1):
        values = samples[channel::2]
        levels.append(math.sqrt(2.0 * sum(value * value for value in values) / max(len(values), 1)))
    return levels[0], levels[1]
