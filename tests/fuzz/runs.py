"""Damaged run folders and damaged run records in projects."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec

from analysis_server.runs import run_folder
from analysis_server.verbs import edit, mix
from core.rpp.parser import parse
from core.runs import store
from core.runs.store import as_pieces, ext_state, ext_state_edits, from_ext_state, numbers_in
from tests.fuzz import material
from tests.fuzz.judging import RequirementError, hashes, run_and_check
from tests.fuzz.mutations import damaged_bytes, damaged_json, damaged_project, damaged_table, damaged_value

_AUTOMATION = (run_folder.CSV, run_folder.JSON)
_DEPTH = ("--depth", "30")


class Folders:
    """A run folder, edited by the command and by hand, with one or two of its files damaged."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        made = folder / "made"
        mix.run(mix.MixRequest(song=str(material.write_song(folder / "song")), out=str(made)))
        edit.run(edit.EditRequest(target=str(made), depth_percent=50.0))
        with (made / run_folder.CSV).open("a", encoding="utf-8") as file:
            file.write("vocals,0.800000,-6.0000,linear\nvocals,1.100000,-3.0000,linear\n")
        damage = {"audit.npz": damaged_bytes, "automation.csv": damaged_table}
        self._damage = {name: damage.get(name, damaged_json) for name in (*_AUTOMATION, run_folder.NAME, "audit.npz")}
        self._valid = {name: (made / name).read_bytes() for name in self._damage}

    def __call__(self, folder: Path, chance: Random) -> str:
        there, out = folder / "MySong", folder / "out"
        there.mkdir()
        for name, content in self._valid.items():
            (there / name).write_bytes(content)
        for name in chance.sample(sorted(self._valid), chance.choice((1, 1, 2))):
            (there / name).write_bytes(self._damage[name](self._valid[name], chance))
        if chance.random() < 0.5:
            return _edit_and_revert(there, chance)
        words = chance.choice(
            (
                ["audit", str(there), "--out", str(out)],
                ["audit", str(there), "--no-sound", "--out", str(out)],
                ["edit", str(there), *_DEPTH, "--dry-run"],
                ["compare", f"{there}#1", str(there)],
                ["learn", "--from", "edits", str(there), "--model", str(out / "m.json")],
            )
        )
        return run_and_check(words, inputs=there, out=out)


def _edit_and_revert(folder: Path, chance: Random) -> str:
    """Edit a run folder in place; if that was done, reverting must restore its automation byte for byte."""
    before = hashes(folder)
    settings = chance.choice(([], ["--render"], ["--range", "0.3:0.9"], ["--offset", "vocals=2", "--smooth", "1"]))

    def in_place(*words: str) -> str:
        return run_and_check([*words], inputs=folder, out=folder / "none", in_place=True)

    if in_place("edit", str(folder), *_DEPTH, *settings) != "done":
        return "refused"
    latest = run_folder.read(folder)[-2].number
    if in_place("revert", str(folder), "--to", str(latest)) != "done":
        raise RequirementError("an edit that was written cannot be reverted")
    after = hashes(folder)
    if any(before.get(name) != after.get(name) for name in _AUTOMATION):
        raise RequirementError("reverting an edit does not restore the automation byte for byte")
    if any(Path(name).name.startswith(".") for name in after):
        raise RequirementError(f"left behind: {sorted(after)}")
    return "done"


class Histories:
    """A project with two runs: a damaged record with a correct checksum, damaged lines, or a damaged project."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self.session = write_session(folder / "session")
        self._valid = with_two_runs(self.session).read_bytes()

    def __call__(self, folder: Path, chance: Random) -> str:
        session, out = folder / "session", folder / "out"
        session.mkdir()
        for file in self.session.glob("*.wav"):
            (session / file.name).hardlink_to(file)
        path = session / "Song-faderwise.RPP"
        damage = chance.choice((_damaged_record, _damaged_record, _damaged_state, damaged_project))
        path.write_bytes(damage(self._valid, chance))
        project, away = str(path), ["--out", str(out)]
        words: Sequence[str] = chance.choice(
            (
                ["audit", project, *chance.choice(([], ["--no-sound"])), *away],
                ["edit", project, *_DEPTH, *away],
                ["edit", project, "--range", "0.3:0.9", "--offset", "bass=-3", *away],
                ["revert", project, *chance.choice(([], ["--to", "1"])), *away],
                ["compare", f"{project}#1", project],
                ["learn", "--from", "edits", project, "--model", str(out / "m.json")],
                ["mix", project, *away],
            )
        )
        return run_and_check(list(words), inputs=session, out=out)


def write_session(folder: Path) -> Path:
    """Write a short session with its media and return its folder."""
    material.write_song(folder)
    (folder / "Song.RPP").write_text(material.SESSION, encoding="utf-8")
    return folder


def with_two_runs(session: Path) -> Path:
    """Mix a session, edit its copy, drag a point in it by hand, and return the copy."""
    before = Path.cwd()
    with TemporaryDirectory() as elsewhere:  # the report goes to the current folder, and the copy next to the project
        os.chdir(elsewhere)
        try:
            mix.run(mix.MixRequest(song=str(session / "Song.RPP")))
        finally:
            os.chdir(before)
    copy = session / "Song-faderwise.RPP"
    edit.run(edit.EditRequest(target=str(copy), depth_percent=50.0))
    head, mark, rest = copy.read_bytes().rpartition(b"<VOLENV2")
    copy.write_bytes(head + mark + rest.replace(b"    >\n", b"      PT 0.9 0.25 0\n    >\n", 1))
    return copy


def _damaged_record(content: bytes, chance: Random) -> bytes:
    """Damage the content of a record, and write it with the correct checksum."""
    document = parse(content, Path("Song.RPP"))
    values = ext_state(document, store.SECTION)
    number = chance.choice(numbers_in(values))
    record = json.loads(msgspec.json.encode(from_ext_state(values, number)))
    for _ in range(chance.randint(1, 3)):
        record = damaged_value(record, chance)
    gone = {key: None for key in values if key.startswith(f"RUN_{number:04}_")}
    pieces = as_pieces(json.dumps(record).encode("utf-8", "surrogatepass"), number)
    return document.edited(ext_state_edits(document, store.SECTION, {**gone, **pieces}))


def _damaged_state(content: bytes, chance: Random) -> bytes:
    """Damage only the lines of the project's ext state."""
    head, mark, rest = content.rpartition(b"<EXTSTATE")
    damage = chance.choice((damaged_project, damaged_bytes))
    return head + mark + damage(rest, chance)
