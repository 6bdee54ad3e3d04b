"""`faderwise learn --from edits`: a model learns from edits by hand, and they can be removed again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis_server.cli import main
from core.rpp.parser import parse
from core.rpp.project import project_of, read_project
from core.runs import store
from tests.analysis_server.outcomes import as_json

ROOT = Path(__file__).resolve().parents[2]
STEMS = ROOT / "examples" / "caesium"
ROLES = ("drums", "bass", "melody", "vocals")
Ran = Callable[..., Any]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mixing the bundled song wrote, `out`, and a session of it with its mixed copy. Do not write to it."""
    folder = tmp_path_factory.mktemp("mixed")
    shutil.copytree(STEMS, folder / "stems")
    assert main(["mix", str(folder / "stems"), "--model", "equal-level", "--out", str(folder / "out"), "--json"]) == 0
    tracks = "".join(
        f"  <TRACK {{{role}}}\n    NAME {role}\n    VOLPAN 1.5 0 -1 -1 1\n    MAINSEND 1 0\n"
        f'    <ITEM\n      POSITION 0\n      LENGTH 24\n      <SOURCE FLAC\n        FILE "stems/{role}.flac"\n'
        "      >\n    >\n  >\n"
        for role in ROLES
    )
    (folder / "Song.RPP").write_text(f'<REAPER_PROJECT 0.1 "7.19/linux" 1\n{tracks}>\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADERWISE_HOME", str(folder / "home"))
        assert main(["mix", str(folder / "Song.RPP"), "--model", "equal-level", "--json"]) == 0
    return folder


@pytest.fixture
def work(mixed: Path, tmp_path: Path) -> Path:
    """A copy of `mixed` to work on; the run's stems stay where they were."""
    return Path(shutil.copytree(mixed, tmp_path / "copy"))


def pull_down(out: Path, db: float) -> None:
    """Draw the vocals `db` lower, and bent, so that no point is where it was."""
    path = out / "automation.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    level = np.median([float(row[2]) for row in rows if row[0] == "vocals"])
    kept = [row for row in rows if row[0] != "vocals"]
    drawn = [["vocals", str(time_s), str(level - db + (time_s % 2)), "linear"] for time_s in range(0, 24, 3)]
    path.write_text("\n".join(",".join(row) for row in [*kept, *drawn]))


def vocals_against_the_others(medians: dict[str, float]) -> float:
    return medians["vocals"] - float(np.mean([medians[role] for role in ROLES[:3]]))


def test_the_next_mix_moves_toward_the_edits(faderwise: Ran, work: Path) -> None:
    faderwise("learn", work / "stems", "--model", "mine")
    before = as_json(faderwise("mix", work / "stems", "--model", "mine", "--dry-run", "--json"))["median_gain_db"]
    pull_down(work / "out", 9.0)
    result = as_json(faderwise("learn", work / "out", "--from", "edits", "--model", "mine", "--json"))
    assert (result["learned"], result["songs"]) == (["stems (edits)"], ["stems", "stems (edits)"])
    assert "learned from 1 song (1 with edits)" in faderwise("models", "show", "mine").out
    after = as_json(faderwise("mix", work / "stems", "--model", "mine", "--dry-run", "--json"))["median_gain_db"]
    assert vocals_against_the_others(after) < vocals_against_the_others(before) - 1.5


def test_models_show_lists_the_edits_and_they_can_be_removed(faderwise: Ran, work: Path) -> None:
    faderwise("learn", work / "stems", "--model", "mine")
    plain = as_json(faderwise("models", "show", "mine", "--json"))["models"][0]
    pull_down(work / "out", 9.0)
    faderwise("learn", work / "out", "--from", "edits", "--model", "mine")
    ran = faderwise("models", "show", "mine")
    assert "stems (edits)" in ran.out
    assert re.search(r"stems \(edits\) +24 s +edits +drums, bass, melody, vocals; counts as 3 songs", ran.out)
    assert faderwise("models", "remove", "mine", "--song", "stems (edits)").code == 0
    assert as_json(faderwise("models", "show", "mine", "--json"))["models"][0]["coefficients"] == plain["coefficients"]


def test_edits_of_a_project_are_learned_from_its_envelopes(faderwise: Ran, work: Path) -> None:
    copy = work / "Song-faderwise.RPP"
    project = read_project(copy)
    vocals = project.tracks[3]
    envelope = vocals.envelopes["VOLENV2"]
    assert envelope.block is not None
    lines = list(project.document.lines)
    place = max(i for i in range(envelope.block.first, envelope.block.last) if lines[i].lstrip().startswith(b"PT"))
    lines[place] = b"      PT 12 0.05 0\n"
    copy.write_bytes(b"".join(lines))
    assert len(store.read_history(project_of(parse(copy.read_bytes(), copy)))) == 1
    result = as_json(faderwise("learn", copy, "--from", "edits", "--model", "mine", "--json"))
    assert result["songs"] == ["Song (edits)"]
    after = as_json(faderwise("mix", work / "stems", "--model", "mine", "--dry-run", "--json"))["median_gain_db"]
    plain = as_json(faderwise("mix", work / "stems", "--model", "equal-level", "--dry-run", "--json"))["median_gain_db"]
    assert vocals_against_the_others(after) < vocals_against_the_others(plain) - 0.5


def test_where_nothing_was_edited_there_is_nothing_to_learn(faderwise: Ran, work: Path) -> None:
    for target in ("out", "Song-faderwise.RPP"):
        ran = faderwise("learn", work / target, "--from", "edits", "--model", "mine")
        assert (ran.code, len(ran.err_lines)) == (2, 1)
        assert "nothing was edited by hand since run 1" in ran.err
    ran = faderwise("learn", work / "Song.RPP", "--from", "edits", "--model", "mine")
    assert "has no run of Faderwise in it; give" in ran.err


@pytest.fixture
def of_tracks(tmp_path: Path, faderwise: Ran) -> Path:
    """A folder of single tracks and a session of them in a folder bus, each mixed with a gain for each track."""
    stems = tmp_path / "stems"
    stems.mkdir()
    for name, role in (("Kick", "drums"), ("Snare", "melody"), ("Bass DI", "bass"), ("Lead Vox", "vocals")):
        shutil.copy(STEMS / f"{role}.flac", stems / f"{name}.flac")
    tracks = "".join(
        f'  <TRACK {{{name}}}\n    NAME "{name}"\n    VOLPAN {volume} 0 -1 -1 1\n    MAINSEND 1 0\n    ISBUS {bus}\n'
        + (
            f'    <ITEM\n      POSITION 0\n      LENGTH 24\n      <SOURCE FLAC\n        FILE "stems/{name}.flac"\n'
            "      >\n    >\n"
            if name != "Drums"
            else ""
        )
        + "  >\n"
        for name, volume, bus in (
            ("Drums", 0.5, "1 1"),
            ("Kick", 1.0, "0 0"),
            ("Snare", 1.0, "2 -1"),
            ("Bass DI", 1.0, "0 0"),
            ("Lead Vox", 1.0, "0 0"),
        )
    )
    (tmp_path / "Song.RPP").write_text(f'<REAPER_PROJECT 0.1 "7.19/linux" 1\n{tracks}>\n', encoding="utf-8")
    for song, more in ((stems, ("--out", tmp_path / "out")), (tmp_path / "Song.RPP", ())):
        assert faderwise("mix", song, "--level", "tracks", *more, "--json").code == 0
    return tmp_path


def test_levels_of_buses_are_learned_from_edits_of_single_tracks(faderwise: Ran, of_tracks: Path) -> None:
    unedited = as_json(faderwise("mix", of_tracks / "stems", "--dry-run", "--json"))["median_gain_db"]
    path = of_tracks / "out" / "automation.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    drawn = [
        [row[0], row[1], str(float(row[2]) - 12.0 + float(row[1]) % 2), row[3]] if row[0].startswith("drums") else row
        for row in rows
    ]
    path.write_text("\n".join(",".join(row) for row in drawn))
    learned = as_json(faderwise("learn", of_tracks / "out", "--from", "edits", "--model", "mine", "--json"))
    assert set(learned["coefficients"]) >= {"drums", "bass", "vocals"}
    after = as_json(faderwise("mix", of_tracks / "stems", "--model", "mine", "--dry-run", "--json"))["median_gain_db"]
    against = {name: gains["drums"] - gains["vocals"] for name, gains in (("before", unedited), ("after", after))}
    assert against["after"] < against["before"] - 2.0


@pytest.mark.parametrize("n_songs", [1, 3])
def test_the_level_of_lead_vocals_is_learned_from_edits_of_one(faderwise: Ran, tmp_path: Path, n_songs: int) -> None:
    for number in range(n_songs + 1):
        folder = tmp_path / f"song{number}"
        folder.mkdir()
        for name, role in (("Kick", "drums"), ("Bass DI", "bass"), ("Lead Vox", "vocals"), ("Vox Double", "melody")):
            shutil.copy(STEMS / f"{role}.flac", folder / f"{name}.flac")

    def lead_vocal_db(*model: str) -> tuple[float, float]:
        """Return the gain of the lead vocal against its double, and against the other buses, dB."""
        song = tmp_path / f"song{n_songs}"
        gains = as_json(faderwise("mix", song, "--level", "tracks", *model, "--dry-run", "--json"))["median_gain_db"]
        lead = gains["vocals: Lead Vox"]
        others = np.mean([gains["drums: Kick"], gains["bass: Bass DI"]])
        return lead - gains["vocals: Vox Double"], float(lead - others)

    before = lead_vocal_db()
    for number in range(n_songs):
        out = tmp_path / f"out{number}"
        assert faderwise("mix", tmp_path / f"song{number}", "--level", "tracks", "--out", out).code == 0
        raise_lead_vocal(out / "automation.csv", 3.0)
        learned = faderwise("learn", out, "--from", "edits", "--model", "mine", "--json")
        assert learned.code == 0, learned.err
    assert as_json(learned)["tracks_db"]["vocals: lead vocal"] > 0.5
    assert "lead vocal" in faderwise("models", "show", "mine").out
    after = lead_vocal_db("--model", "mine")
    assert 1.0 < after[0] - before[0] < 3.5
    assert 1.0 < after[1] - before[1] < 3.5
    if n_songs == 3:
        assert after[0] - before[0] > 2.0


def raise_lead_vocal(path: Path, db: float) -> None:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    raised = [[row[0], row[1], f"{float(row[2]) + db:.4f}", row[3]] if "Lead Vox" in row[0] else row for row in rows]
    path.write_text("\n".join(",".join(row) for row in raised))


def test_the_faders_of_single_tracks_are_learned_by_role(faderwise: Ran, of_tracks: Path) -> None:
    text = (of_tracks / "Song.RPP").read_text(encoding="utf-8")
    quiet = text.replace('NAME "Snare"\n    VOLPAN 1.0', 'NAME "Snare"\n    VOLPAN 0.1')
    (of_tracks / "Quiet.RPP").write_text(quiet, encoding="utf-8")

    def snare_against_kick_db(song: str) -> float:
        options = ("--from", "faders", "--level", "tracks", "--model", song, "--json")
        learned = as_json(faderwise("learn", of_tracks / f"{song}.RPP", *options))["tracks_db"]
        return float(learned["drums: snare"] - learned["drums: kick"])

    assert snare_against_kick_db("Quiet") < snare_against_kick_db("Song") - 3.0
    refused = faderwise("learn", of_tracks / "stems", "--level", "tracks", "--model", "mine")
    assert refused.code == 2


def test_edits_of_tracks_are_learned_with_the_gain_of_their_folder(faderwise: Ran, of_tracks: Path) -> None:
    copy = of_tracks / "Song-faderwise.RPP"
    text = copy.read_text(encoding="utf-8")
    before, after = text.split('NAME "Lead Vox"')
    copy.write_text(f'{before}NAME "Lead Vox"{lowered(after)}', encoding="utf-8")
    learned = as_json(faderwise("learn", copy, "--from", "edits", "--model", "mine", "--json"))
    assert learned["songs"] == ["Song (edits)"]
    assert set(learned["coefficients"]) >= {"drums", "bass", "vocals"}
    refused = faderwise("learn", copy, "--from", "edits", "--preset", "paper", "--model", "paper")
    assert refused.code == 2


@pytest.mark.parametrize(
    ("faders", "options"),
    [((1.0, 1.0), ()), ((1.0, 0.02), ()), ((0.4, 1.0), ()), ((1.0, 1.0), ("--bus", "none=Bass DI"))],
)
def test_only_the_edited_track_of_a_run_of_single_tracks_is_learned(
    faderwise: Ran, of_tracks: Path, faders: tuple[float, float], options: tuple[str, ...]
) -> None:
    bass, vocals = faders  # a low fader: the curve meets the top of its envelope
    song = of_tracks / "Song.RPP"
    text = song.read_text(encoding="utf-8")
    for name, volume in (("Bass DI", bass), ("Lead Vox", vocals)):
        text = text.replace(f'NAME "{name}"\n    VOLPAN 1.0', f'NAME "{name}"\n    VOLPAN {volume}')
    song.write_text(text, encoding="utf-8")
    mixed = as_json(faderwise("mix", song, "--level", "tracks", *options, "--json"))
    assert mixed["lowered_db"] or faders == (1.0, 1.0)
    copy = of_tracks / "Song-faderwise.RPP"
    before, after = copy.read_text(encoding="utf-8").split('NAME "Snare"')
    own, rest = after.split("<TRACK", 1)
    copy.write_text(f'{before}NAME "Snare"{lowered(own)}<TRACK{rest}', encoding="utf-8")
    learned = as_json(faderwise("learn", copy, "--from", "edits", "--model", "mine", "--json"))
    tracks_db = learned["tracks_db"]
    others = {"drums: kick", "vocals: lead vocal"} | (set() if options else {"bass"})
    assert set(tracks_db) == {*others, "drums: snare"}
    assert [tracks_db[name] for name in others] == pytest.approx([0.0] * len(others), abs=0.3)
    assert tracks_db["drums: snare"] < tracks_db["drums: kick"] - 0.5
    assert "bass" in learned["against_default_db"] or options


def lowered(text: str) -> str:
    """Return a track whose first envelope has points that are 6 dB lower."""
    return re.sub(r"PT (\S+) (\S+)", lambda point: f"PT {point[1]} {float(point[2]) / 2:.6f}", text)
