"""Unusual folders of stems, damaged REAPER set-ups, and unusual command lines."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from analysis_server.cli import parser
from analysis_server.reaper_setup import find_reaper, install
from analysis_server.reaper_setup.scripts import Application
from analysis_server.verbs import mix
from tests.fuzz import material
from tests.fuzz.judging import RequirementError, hashes, run_and_check
from tests.fuzz.mutations import EXTREME_NUMBERS, damaged_bytes, damaged_json, damaged_table
from tests.fuzz.runs import with_two_runs, write_session
from tests.reaper_setup.conftest import KEYMAP, SETTINGS, write_packages

_NAMES = (
    "drums",
    "Drums 2",
    "kick",
    "bass",
    "BASS",
    "melody",
    "vocals",
    "lead vox",
    "mix",
    "master",
    "名前",
    "a\nb",
    "'",
    "\x1b[2J",
    "名" * 80,
    os.fsdecode(b"M\xfcsik"),
)
_SUFFIXES = (".wav", ".WAV", ".flac", ".mp3", ".txt", "", ".wav.asd", ".RPP")
_WORDS = (
    "",
    "-",
    "--",
    "-14",
    "a" * 300,
    "名前",
    "x\ny",
    "no/such/place",
    "a=b",
    "drums=",
    "=",
    "0:10-0:20",
    "0:1",
    "1:0",
    "~nobody-of-that-name/x",
    f"song#{'1' * 5000}",
    os.fsdecode(b"M\xfcsik"),
)
_MINE = "never touched"
_LEFT_ALONE = frozenset({"serve", "reaper", "demo", "doctor"})
"""Verbs that wait, or that look at the machine itself."""
_RUNS = "given/run,given/session/Song-faderwise.RPP"
_RIGHT = {
    "SONG_DIR|SESSION.RPP": "given/song,given/session/Song.RPP",
    "SONG_DIR|SESSION.RPP|DATASET_DIR|MATRICES.npz": "given/song,given,given/session/Song.RPP",
    "SONG_DIR|SESSION.RPP|RUN": "given/song,given/session/Song.RPP,given/run#1",
    "SESSION.RPP|OUT_DIR": _RUNS,
    "OUT_DIR": "given/run,given/run#1",
    "A": f"{_RUNS},given/run#1,default,given/song/mix.wav",
    "B": f"{_RUNS},given/session/Song-faderwise.RPP#2,equal-level",
    "SONG_DIR": "given/song",
    "DATASET_DIR|MATRICES.npz": "given",
    "DIR": "out",
    "FILE.csv|.npz": "out/g.csv,out/g.npz",
    "FILE": "given/song/mix.wav",
    "NAME|FILE": "default,equal-level,out/m.json",
    "A...": "default,out/m.json",
    "ROLE=FILE|TRACK": "drums=drums.wav,fx=bass.wav,drums=1,vocals=vocals",
    "ROLE=DB": "bass=2,vocals=-3 dB",
    "ROLE": "bass,drums",
    "ROLE=P": "bass=30,vocals=100%",
    "BUS": "bass,drums",
    "BUS=P": "bass=30,vocals=100%",
    "A:B": "0.2:1,0:0.5,0.3-0.9",
    "RUN": "0,1,2",
    "X": "-20,-14.5",
    "P": "50,120%",
    "DB": "3,6 dB",
    "S": "1,0.5 s",
}
"""What is right for each part of the grammar, by what the help calls it."""
_NEVER_TYPED = frozenset({"-h", "--help", "--dask", "--open", "--version"})


class StemFolders:
    """A folder of stems in which some files are links, folders, pipes or empty."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self._song = material.write_song(folder / "song")

    def __call__(self, folder: Path, chance: Random) -> str:
        song, out = folder / "song", folder / "out"
        song.mkdir()
        for _ in range(chance.randint(0, 7)):
            path = song / f"{chance.choice(_NAMES)}{chance.choice(_SUFFIXES)}"
            if not os.path.lexists(path):
                chance.choice(_PLACERS)(path, chance.choice(sorted(self._song.iterdir())))
        there = [entry.name for entry in song.iterdir()] or ["gone.wav"]
        words = chance.choice(
            (
                ["mix", str(song), "--out", str(out)],
                ["match", str(song), "--out", str(out)],
                ["mix", str(song), "--out", str(out), "--bus", f"drums={chance.choice(there)}"],
                ["match", str(song), "--out", str(out), "--mixdown", str(song / chance.choice(there))],
                ["estimate", str(song), "--out", str(out / "g.csv")],
                ["features", str(song), "--out", str(out / "f.npz")],
                ["learn", str(folder), "--model", str(out / "m.json")],
                ["evaluate", str(folder)],
                ["mix", str(song / chance.choice(there)), "--out", str(out)],
            )
        )
        return run_and_check(words, inputs=song, out=out)


class Setups:
    """REAPER's folder with damaged files of ours or of REAPER's; Faderwise is installed again or uninstalled."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        find_reaper.running = list
        self._now, self._valid = folder / "now", folder / "valid"
        resource, home = self._now / "REAPER", self._now / "home"
        resource.mkdir(parents=True)
        (resource / "reaper.ini").write_bytes(SETTINGS)
        (resource / "reaper-kb.ini").write_bytes(KEYMAP)
        (resource / "Scripts").mkdir()
        names = ("mine.txt", "mine.before-faderwise-20250101-000000.txt", "Scripts/mine.lua")
        self._mine = [resource / name for name in names]
        for path in self._mine:
            path.write_text(_MINE)
        write_packages(home)
        os.environ.update(REAPER_RESOURCE_PATH=str(resource), FADERWISE_HOME=str(home))
        application = Application(home / "environment" / "bin" / "python", home)
        install.install_actions(application, install.Prompter(lambda _: None, lambda _: True))
        shutil.copytree(self._now, self._valid)

    def __call__(self, folder: Path, chance: Random) -> str:
        shutil.rmtree(self._now)
        shutil.copytree(self._valid, self._now)
        ours = self._now / "REAPER" / "Scripts" / "Faderwise"
        path, damage = chance.choice(
            (
                *[(ours / "installed.json", damaged_json)] * 3,
                (ours / "installed.json", _greedy),
                (ours / "faderwise_application.json", damaged_json),
                (self._now / "home" / "reaper" / "folders.json", damaged_json),
                (self._now / "REAPER" / "reaper.ini", damaged_table),
                (self._now / "REAPER" / "reaper-kb.ini", damaged_bytes),
            )
        )
        path.write_bytes(damage(path.read_bytes(), chance))
        before = hashes(self._now)
        words = chance.choice((["install", "--yes"], ["uninstall", "--yes"], ["install", "--dry-run"]))
        outcome = run_and_check(["reaper", *words], inputs=folder, out=folder / "out")
        if any(path.read_text() != _MINE for path in self._mine) or not (self._now / "REAPER" / "reaper.ini").is_file():
            raise RequirementError("a file that is not Faderwise's was changed")
        if (outcome == "refused" or "--dry-run" in words) and hashes(self._now) != before:
            raise RequirementError("files were changed although the command refused or was a dry run")
        return outcome


def _greedy(content: bytes, chance: Random) -> bytes:
    """Return a record that claims files of the user, and their contents."""
    record = json.loads(content)
    name, hashed = chance.choice(("mine.lua", "../mine.txt", "../reaper.ini")), hashlib.sha256(_MINE.encode())
    backup = chance.choice(("reaper.ini", "mine.txt", "mine.before-faderwise-20250101-000000.txt"))
    claim, value = chance.choice(
        (
            ("files", {**record["files"], name: hashed.hexdigest()}),
            ("created", [*record["created"], name]),
            ("backups", {chance.choice(("reaper.ini", "mine.txt")): backup}),
            ("commands", ["RSmine"]),
        )
    )
    return json.dumps({**record, claim: value}).encode()


class Arguments:
    """Words on the command line, chosen from the grammar itself or from what is not in it, for valid songs and runs."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        self._given = folder / "given"
        song = material.write_song(self._given / "song")
        mix.run(mix.MixRequest(song=str(song), out=str(self._given / "run")))
        with_two_runs(write_session(self._given / "session"))
        verbs = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
        self._verbs = {name: verb for name, verb in verbs.choices.items() if name not in _LEFT_ALONE}

    def __call__(self, folder: Path, chance: Random) -> str:
        shutil.copytree(self._given, folder / "given")
        os.environ["FADERWISE_HOME"] = str(folder / "home")
        os.chdir(folder)
        name = chance.choice(sorted(self._verbs))
        words = [name] if chance.random() < 0.97 else [chance.choice(_WORDS), name]
        for action in self._verbs[name]._actions:
            words += self._typed(action, chance)
        if chance.random() < 0.5:
            words.append("--json")
        return run_and_check(words, inputs=folder / "given", out=folder / "out", may_fail=True, in_place=True)

    def _typed(self, action: argparse.Action, chance: Random) -> list[str]:
        """Return the words that stand for one part of the grammar: often right, often left out."""
        if action.option_strings:
            if (chance.random() < 0.75 and not action.required) or _NEVER_TYPED & set(action.option_strings):
                return []
            option = chance.choice(action.option_strings)
            return [option] if action.nargs == 0 else [option, *self._values(action, chance)]
        return [] if chance.random() < 0.05 else self._values(action, chance)

    def _values(self, action: argparse.Action, chance: Random) -> list[str]:
        if chance.random() < 0.03:
            return []
        if action.choices and chance.random() < 0.9:
            right = [str(choice) for choice in action.choices]
        else:
            right = _RIGHT.get(str(action.metavar), "song").split(",")
        if chance.random() < 0.8:
            return [chance.choice(right)]
        others = _RIGHT[chance.choice(sorted(_RIGHT))].split(",")
        return [chance.choice(chance.choice((others, _WORDS, EXTREME_NUMBERS)))]


def _copy(path: Path, valid: Path) -> None:
    shutil.copyfile(valid, path)


def _folder(path: Path, _valid: Path) -> None:
    path.mkdir()


def _empty(path: Path, _valid: Path) -> None:
    path.touch()


def _text(path: Path, _valid: Path) -> None:
    path.write_text("no audio")


def _link(path: Path, valid: Path) -> None:
    path.symlink_to(valid)


def _link_to_nothing(path: Path, _valid: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _link_to_itself(path: Path, _valid: Path) -> None:
    path.symlink_to(path)


def _link_to_its_folder(path: Path, _valid: Path) -> None:
    path.symlink_to(path.parent)


def _pipe(path: Path, _valid: Path) -> None:
    os.mkfifo(path)


_PLACERS: tuple[Callable[[Path, Path], None], ...] = (
    *(_copy, _copy, _copy, _copy, _folder, _empty, _text, _link, _link_to_nothing, _link_to_itself),
    *(_link_to_its_folder, _pipe),
)
