"""The kinds of trials: what is damaged, and how it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Protocol

import numpy as np

from analysis_server.verbs import learn
from analysis_server.verbs.learn import LearnRequest
from core.automation.points import EnvelopePoints
from core.errors import InputError
from core.rpp.buses import find_buses
from core.rpp.faders import gains_at
from core.rpp.parser import read_document
from core.rpp.project import Project, project_of
from core.rpp.render import sentences
from core.rpp.write import with_envelopes
from tests.fuzz import material
from tests.fuzz.bridge_jobs import Applications, Jobs
from tests.fuzz.judging import RequirementError, run_and_check
from tests.fuzz.messages import Messages
from tests.fuzz.mutations import damaged_bytes, damaged_json, damaged_project, lying_header
from tests.fuzz.place_kinds import Arguments, Setups, StemFolders
from tests.fuzz.runs import Folders, Histories


class Kind(Protocol):
    """One kind of trial, created once per process in its own folder."""

    def __call__(self, folder: Path, chance: Random) -> str:
        """Damage something, use it in `folder` and return the result; raise `RequirementError` for a failure."""


class Projects:
    """Damaged projects: the bundled ones, those of a further folder, and a short session that can be mixed."""

    def __init__(self, folder: Path, further: Path | None) -> None:
        self._media = material.write_song(folder / "media")
        found = [*material.PROJECTS.iterdir(), *(further.rglob("*") if further else ())]
        self._real = [path.read_bytes() for path in sorted(found) if path.suffix.lower() == ".rpp"]

    def __call__(self, folder: Path, chance: Random) -> str:
        is_short = chance.random() < 0.5
        valid = material.SESSION.encode() if is_short else chance.choice(self._real)
        damaged = (damaged_project if chance.random() < 0.8 else damaged_bytes)(valid, chance)
        session = folder / "session"
        session.mkdir()
        path = session / "Song.RPP"
        path.write_bytes(damaged)
        if not is_short:
            return self._read(path)
        for file in self._media.iterdir():
            (session / file.name).hardlink_to(file)
        verb = chance.choice((["mix"], ["mix", "--range", "0.3:1"], ["match"], ["learn", "--from", "faders"]))
        more = ["--model", str(folder / "out" / "m.json")] if verb[0] == "learn" else ["--out", str(folder / "out")]
        return run_and_check([verb[0], str(path), *verb[1:], *more], inputs=session, out=folder / "out")

    def _read(self, path: Path) -> str:
        """Read a project whose media files are missing, and write envelopes on its buses."""
        try:
            document = read_document(path)
            project = project_of(document)
            if document.edited(()) != path.read_bytes():
                raise RequirementError("reading and writing changes the project")
            _write_envelopes(project)
        except InputError as error:
            _require_one_line(error)
            return "refused"
        return "done"


def _write_envelopes(project: Project) -> None:
    buses = find_buses(project)
    sentences(project, project.tracks, buses.all_tracks)
    gains = gains_at(project, buses.tracks, np.linspace(0.0, 300.0, 1200))
    if not np.isfinite(gains).all():
        raise RequirementError("a fader's gain is not finite")
    curve = EnvelopePoints(np.array([0.5, 4.0, 9.0]), np.array([0.0, -12.0, 3.0]))
    written = with_envelopes(project, buses.tracks, dict.fromkeys(buses.tracks, curve))
    again = project.document.path.with_name("Again.RPP")
    again.write_bytes(written.content)
    project_of(read_document(again))


def _require_one_line(error: InputError) -> None:
    if len(str(error).split("\n")) != 1 or (";" not in str(error) and "(" not in str(error)):
        raise RequirementError(f"not a single line with a remedy: {error}")


class Audio:
    """A song whose bass is a damaged file, in each format in turn."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self._song = material.write_song(folder / "song")
        self._valid = [(path.suffix, path.read_bytes()) for path in material.write_formats(folder / "formats")]

    def __call__(self, folder: Path, chance: Random) -> str:
        suffix, valid = chance.choice(self._valid)
        song, out = folder / "song", folder / "out"
        song.mkdir()
        for file in self._song.iterdir():
            (song / file.name).hardlink_to(file)
        name = chance.choice(("bass", "bass", "mix"))
        (song / f"{name}.wav").unlink()
        damage = chance.choice((damaged_bytes, lying_header))
        (song / f"{name}{suffix}").write_bytes(damage(valid, chance))
        words = chance.choice((["mix", "--out", "."], ["match", "--out", "."], ["estimate", "--out", "g.csv"]))
        words = words if name == "bass" else ["match", "--out", "."]
        return run_and_check([words[0], str(song), words[1], str(out / words[2])], inputs=song, out=out)


class Models:
    """Damaged model files, and mixes with them."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self._song = material.write_song(folder / "song")
        self._valid = [path.read_bytes() for path in _learned(folder)]

    def __call__(self, folder: Path, chance: Random) -> str:
        inputs = folder / "models"
        inputs.mkdir()
        (inputs / "m.json").write_bytes(damaged_json(chance.choice(self._valid), chance))
        model = str(inputs / "m.json")
        words = chance.choice((["mix", str(self._song), "--model", model], ["models", "show", model]))
        words = [*words, "--out", str(folder / "out")] if words[0] == "mix" else words
        return run_and_check(words, inputs=inputs, out=folder / "out")


def _learned(folder: Path) -> list[Path]:
    songs = [material.write_song(folder / "songs" / title) for title in ("one", "two")]
    paths = []
    for preset in ("default", "paper"):
        paths.append(folder / f"{preset}.json")
        learn.run(LearnRequest(songs=[str(song) for song in songs], model=str(paths[-1]), preset=preset))
    return paths


KINDS: Mapping[str, Callable[[Path, Path | None], Kind]] = {
    "projects": Projects,
    "audio": Audio,
    "models": Models,
    "messages": Messages,
    "folders": Folders,
    "histories": Histories,
    "jobs": Jobs,
    "applications": Applications,
    "stems": StemFolders,
    "setups": Setups,
    "arguments": Arguments,
}
