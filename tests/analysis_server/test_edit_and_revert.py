"""`faderwise edit` and `revert`: other settings without a new analysis, and the exact previous state."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile

from core.rpp.faders import fader_stage
from core.rpp.project import Project, read_project
from core.runs import store
from tests.analysis_server.conftest import ROLES, STEMS
from tests.analysis_server.outcomes import as_json

ROOT = Path(__file__).resolve().parents[2]
TIMES = np.arange(0.5, 23.0, 0.25)


Ran = Callable[..., Any]


def heard_db(project: Project) -> dict[str, np.ndarray]:
    return {one.name: 20 * np.log10(fader_stage(project, one).gain_at(TIMES)) for one in project.tracks}


def between(levels: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([levels[role] - levels["drums"] for role in ROLES])


def drag(path: Path, role: str, gain: str) -> bytes:
    """Move the last point of a track's envelope, as a user would; return the point's line."""
    content = path.read_bytes()
    block = re.search(rb"NAME " + role.encode() + rb".*?(<VOLENV2.*?\n    >)", content, re.DOTALL)
    assert block is not None
    lines = block[1].split(b"\n")
    place = max(i for i, line in enumerate(lines) if b" PT " in line)
    words = lines[place].split(b" ")
    words[words.index(b"PT") + 2] = gain.encode()
    lines[place] = b" ".join(words)
    path.write_bytes(content.replace(block[1], b"\n".join(lines)))
    return lines[place]


def test_half_the_depth_is_half_of_every_difference_in_the_project(faderwise: Ran, copy: Path) -> None:
    before = heard_db(read_project(copy))
    result = as_json(faderwise("edit", copy, "--depth", "50", "--json"))
    after = heard_db(read_project(copy))
    np.testing.assert_allclose(between(after), between(before) / 2, atol=0.25)
    assert (result["run"], result["in_words"], result["kept_edits"]) == (2, ["depth 50 %"], [])
    assert [run.action for run in store.read_history(read_project(copy))] == ["mix", "edit"]


def gains_of(result: dict[str, Any]) -> np.ndarray:
    gains = {role: result["buses"][role] for role in ROLES}
    return np.array([gain.get("after_db", gain.get("gain_db")) for gain in gains.values()])


@pytest.mark.parametrize("options", [[], ["--keep", "vocals"], ["--ride", "vocals=50"]])
def test_the_depth_of_an_edit_is_relative_to_the_whole_prediction(
    faderwise: Ran, tmp_path: Path, options: list[str]
) -> None:
    gains = {}
    for depth in ("0", "40", "100"):
        mix = ("mix", STEMS, "--depth", depth, *options, "--out", tmp_path / depth, "--json")
        gains[depth] = gains_of(as_json(faderwise(*mix)))
    for start, wanted in (("0", "100"), ("40", "100"), ("100", "40"), ("40", "0")):
        result = as_json(faderwise("edit", tmp_path / start, "--depth", wanted, "--from-prediction", "--json"))
        found = gains_of(result)
        tolerance_db = 0.6 if "--ride" in options else 0.15
        apart_db = found - gains[wanted]
        assert np.ptp(apart_db) < tolerance_db, (start, wanted)
        assert result["in_words"] == ([] if wanted == "100" else [f"depth {wanted} %"])
    again = as_json(faderwise("edit", tmp_path / "40", "--from-prediction", "--json"))
    np.testing.assert_allclose(gains_of(again), gains["40"], atol=0.1)
    assert again["in_words"] == ["depth 40 %"]


def test_a_kept_bus_moves_only_by_its_own_offset(faderwise: Ran, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    mixed = as_json(faderwise("mix", STEMS, "--keep", "vocals", "--out", out, "--json"))["buses"]
    shaped = ("--depth", "50", "--moves", "150", "--smooth", "3", "--limit", "2", "--offset", "bass=1")
    buses = as_json(faderwise("edit", out, *shaped, "--json"))["buses"]
    assert buses["vocals"]["after_db"] == pytest.approx(mixed["vocals"]["gain_db"], abs=0.01)
    assert buses["melody"]["after_db"] == pytest.approx(2.0, abs=0.05)  # half of 4.1 dB, within the limit
    buses = as_json(faderwise("edit", out, "--offset", "vocals=1.5", "--json"))["buses"]
    assert buses["vocals"]["after_db"] == pytest.approx(mixed["vocals"]["gain_db"] + 1.5, abs=0.01)
    assert buses["melody"]["after_db"] == buses["melody"]["before_db"]


def test_settings_of_a_frozen_bus_have_no_effect_and_are_reported(faderwise: Ran, tmp_path: Path) -> None:
    work = tmp_path / "mixed"
    faderwise("mix", STEMS, "--out", work)
    faderwise("edit", work, "--range", "0:05-0:10", "--offset", "vocals=3")
    before = [row for row in csv_rows(work) if row[0] == "vocals"]
    result = as_json(faderwise("edit", work, "--freeze", "vocals", "--offset", "vocals=3", "--json"))
    assert [row for row in csv_rows(work) if row[0] == "vocals"] == before
    assert result["settings"]["offset_db"] == {}
    assert result["in_words"] == ["vocals frozen"]
    of_offset, of_range, *_ = result["warnings"]
    assert "--offset has no effect on vocals" in of_offset
    assert of_range.endswith("(kept for vocals, frozen)")
    later = as_json(faderwise("edit", work, "--offset", "vocals=1", "--json"))
    assert any("--from-prediction" in warning for warning in later["warnings"])
    freed = as_json(faderwise("edit", work, "--from-prediction", "--offset", "vocals=1", "--json"))
    assert not any("--offset" in warning for warning in freed["warnings"])


def test_an_edit_starts_from_the_last_settings_by_default(faderwise: Ran, copy: Path) -> None:
    start = heard_db(read_project(copy))
    faderwise("edit", copy, "--depth", "50")
    half = heard_db(read_project(copy))
    result = as_json(faderwise("edit", copy, "--offset", "vocals=2", "--json"))
    both = heard_db(read_project(copy))
    assert result["in_words"] == ["depth 50 %", "vocals +2.0 dB"]
    np.testing.assert_allclose(both["vocals"], half["vocals"] + 2.0, atol=0.15)
    np.testing.assert_allclose(both["bass"], half["bass"], atol=0.15)
    assert as_json(faderwise("edit", copy, "--from-prediction", "--json"))["in_words"] == []
    np.testing.assert_allclose(between(heard_db(read_project(copy))), between(start), atol=0.25)


def test_points_made_by_hand_survive_repeated_edits_and_are_reported(faderwise: Ran, copy: Path) -> None:
    line = drag(copy, "vocals", "0.12345")
    result = as_json(faderwise("edit", copy, "--depth", "0", "--json"))
    assert line in copy.read_bytes()
    assert [(kept["bus"], kept["n_points"], kept["end_s"]) for kept in result["kept_edits"]] == [("vocals", 1, None)]
    assert [conflict["bus"] for conflict in result["conflicts"]] == ["vocals"]
    ran = faderwise("edit", copy, "--depth", "150")
    assert line in copy.read_bytes()
    (line_on_it,) = [line for line in ran.out.splitlines() if line.startswith("  vocals: ")]
    assert "your point at" in line_on_it and "was kept" in line_on_it


def test_points_that_no_setting_would_change_are_kept_without_a_conflict(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    add_points(out, "vocals,8,-9.5,linear")
    ran = faderwise("edit", out, "--offset", "bass=1")
    assert [line for line in ran.out.splitlines() if line.startswith("  vocals: ")] == [
        "  vocals: your points are kept from 0.5 to 22.5 s"
    ]
    assert as_json(faderwise("edit", out, "--offset", "bass=2", "--json"))["conflicts"] == []


def test_a_frozen_bus_and_points_outside_the_range_do_not_change(faderwise: Ran, copy: Path) -> None:
    before = heard_db(read_project(copy))
    faderwise("edit", copy, "--freeze", "drums", "--range", "5:10", "--offset", "drums=6", "--offset", "bass=-6")
    after = heard_db(read_project(copy))
    np.testing.assert_array_equal(after["drums"], before["drums"])
    tracks = as_json(faderwise("audit", copy, "--no-sound", "--dry-run", "--json"))["tracks"]
    assert [track["bus"] for track in tracks] == list(before)
    inside = (TIMES > 5.03) & (TIMES < 9.97)
    np.testing.assert_allclose(after["bass"][inside], before["bass"][inside] - 6.0, atol=0.25)
    outside = (TIMES < 5.0) | (TIMES > 10.0)
    np.testing.assert_allclose(after["bass"][outside], before["bass"][outside], atol=0.05)


def test_reverting_brings_the_project_back_to_the_byte_at_every_step(faderwise: Ran, work: Path, copy: Path) -> None:
    original, states = (work / "Song.RPP").read_bytes(), [copy.read_bytes()]
    for depth in (50, 150):
        faderwise("edit", copy, "--depth", depth)
        drag(copy, "drums", f"0.{depth}")
        states.append(copy.read_bytes())
    faderwise("edit", copy, "--depth", "0")
    result = as_json(faderwise("revert", copy, "--to", "2", "--json"))
    assert copy.read_bytes() == states[1]  # the hand-made point that run 3 found is there again
    assert (result["taken_back"], result["left"]) == ([3, 4], [1, 2])
    faderwise("revert", copy, "--to", "1")
    assert copy.read_bytes() == states[0]
    assert faderwise("revert", copy).code == 0
    assert copy.read_bytes() == original
    kept = [path.read_bytes() for path in work.glob("Song-faderwise.*.RPP")]
    assert states[0] in kept  # the reverted state is kept next to it


def test_the_sounds_of_a_run_are_found_after_a_later_one_was_reverted(faderwise: Ran, work: Path) -> None:
    faderwise("mix", work / "Song.RPP")
    copy = work / "Song-faderwise.RPP"
    faderwise("mix", copy, "--depth", 50)
    faderwise("revert", copy, "--to", 1)
    result = as_json(faderwise("audit", copy, "--json"))
    assert not any("no players" in warning for warning in result["warnings"])
    assert Path(result["files"]["Song-faderwise-audit.html"]).read_text(encoding="utf-8").count("<audio") == 2


def test_a_moved_fader_is_kept_and_reported(faderwise: Ran, copy: Path) -> None:
    copy.write_bytes(copy.read_bytes().replace(b"VOLPAN 1.9 ", b"VOLPAN 0.95 "))
    ran = faderwise("edit", copy, "--depth", "80")
    assert "track 1 'drums' was moved by -6.0 dB since; this is applied on top" in ran.err


def test_moves_that_a_mix_combined_are_combined_by_an_edit(faderwise: Ran, work: Path) -> None:
    song = work / "Song.RPP"
    content = song.read_bytes().replace(
        b"ACT 0 -1\n      PT 0 0.5 0\n", b"ACT 1 -1\n      PT 4 0.5 0\n      PT 8 0.2 0\n"
    )
    song.write_bytes(content)
    assert faderwise("mix", song, "--existing", "combine").code == 0
    copy = work / "Song-faderwise.RPP"
    before = heard_db(read_project(copy))
    assert np.ptp(before["bass"]) > 7.0
    assert faderwise("edit", copy, "--offset", "bass=-3").code == 0
    np.testing.assert_allclose(heard_db(read_project(copy))["bass"], before["bass"] - 3.0, atol=0.2)
    faderwise("revert", copy)
    assert copy.read_bytes() == content


def test_a_dry_run_writes_nothing(faderwise: Ran, work: Path, copy: Path) -> None:
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    for target in (copy, work / "out"):
        ran = faderwise("edit", target, "--depth", "10", "--dry-run")
        assert (ran.code, "Next:" in ran.out) == (0, False)
    assert faderwise("revert", copy, "--dry-run").code == 0
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before


def csv_rows(out: Path) -> list[list[str]]:
    return [line.split(",") for line in (out / "automation.csv").read_text().splitlines()]


@pytest.mark.parametrize("name", ["automation.csv", "automation.json"])
def test_edits_by_hand_in_a_folder_are_kept_and_reverted(faderwise: Ran, work: Path, name: str) -> None:
    out = work / "out"
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    if name == "automation.csv":
        rows = csv_rows(out)
        place = max(i for i, row in enumerate(rows) if row[0] == "bass")
        rows[place][2] = "-7.125"
        (out / name).write_text("\r\n".join(",".join(row) for row in rows))
    else:
        file = json.loads((out / name).read_text())
        file["buses"]["bass"]["points"][-1] = {"time_s": 23.75, "gain_db": -7.125, "shape": "linear"}
        (out / name).write_text(json.dumps(file))
    by_hand = {path.name: path.read_bytes() for path in out.iterdir()}
    result = as_json(faderwise("edit", out, "--depth", "50", "--json"))
    assert [kept["bus"] for kept in result["kept_edits"]] == ["bass"]
    assert "-7.1250" in [row[2] for row in csv_rows(out)]
    written = json.loads((out / "automation.json").read_text())
    jsonschema.validate(written, json.loads((ROOT / "docs" / "reference" / "automation.schema.json").read_text()))
    assert written["buses"]["bass"]["points"][-1]["gain_db"] == -7.125
    assert any("--render" in warning for warning in result["warnings"])
    assert faderwise("revert", out).code == 0
    for key in ("automation.csv", "automation.json", "curves.npz", "audit.npz"):
        assert (out / key).read_bytes() == by_hand[key]
    runs = json.loads((out / "run.json").read_text())
    assert runs.pop("mixed")  # mix.wav has the points made by hand, which are there again
    assert runs == json.loads(whole["run.json"])
    if name == "automation.csv":
        check_mix(out)


def add_points(out: Path, *rows: str) -> None:
    path = out / "automation.csv"
    path.write_text(path.read_text() + "".join(f"{row}\n" for row in rows))


def check_mix(out: Path) -> None:
    """Check that mix.wav has the gains of automation.csv."""
    mix, rate = soundfile.read(out / "mix.wav")
    time_s = np.arange(len(mix)) / rate
    rows = csv_rows(out)[1:]
    rebuilt = np.zeros_like(mix)
    for role in ROLES:
        pairs = np.array([(float(row[1]), float(row[2])) for row in rows if row[0] == role])
        stem, _ = soundfile.read(STEMS / f"{role}.flac")
        rebuilt[: len(stem)] += stem * (10 ** (np.interp(time_s[: len(stem)], *pairs.T) / 20))[:, None]
    gain = np.vdot(mix, rebuilt) / np.vdot(rebuilt, rebuilt)
    assert gain <= 1.001
    np.testing.assert_allclose(mix, gain * rebuilt, atol=2e-3)


def sounds_of_whole(page: Path) -> tuple[int, int]:
    """Return how many players of a page play mix.wav, and how many notes it has about a later state."""
    text = page.read_text(encoding="utf-8")
    return len(re.findall(r'<audio[^>]{0,99} data-whole="mix.wav"', text)), text.count('<div class="notes" id="since">')


def test_a_rendered_edit_has_the_gains_of_its_points(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    result = as_json(faderwise("edit", out, "--depth", "0", "--offset", "vocals=-24", "--render", "--json"))
    assert result["files"]["mix.wav"] == str(out / "mix.wav")
    check_mix(out)


def test_a_revert_renders_the_mix_of_the_restored_automation(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    for depth in ("0", "50"):
        faderwise("edit", out, "--depth", depth, "--offset", "vocals=-24", "--render")
    check_mix(out)
    second = (out / "mix.wav").read_bytes()
    result = as_json(faderwise("revert", out, "--to", 2, "--json"))
    assert (result["files"]["mix.wav"], result["warnings"]) == (str(out / "mix.wav"), [])
    assert second in [path.read_bytes() for path in out.glob("mix.*.wav")]  # the replaced mix is kept
    check_mix(out)
    faderwise("revert", out)
    check_mix(out)
    restored = {name: (out / name).read_bytes() for name in first}
    mixes = [soundfile.read(io.BytesIO(files.pop("mix.wav")))[0] for files in (first, restored)]
    assert restored == first
    np.testing.assert_allclose(*mixes, atol=2e-5)


def test_a_mix_that_has_the_restored_automation_is_not_rendered(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    warned = as_json(faderwise("edit", out, "--depth", 20, "--json"))["warnings"]
    assert warned == ["mix.wav is from before this edit; --render renders it again"]
    result = as_json(faderwise("revert", out, "--json"))
    assert ("mix.wav" in result["files"], result["warnings"]) == (False, [])
    assert {name: (out / name).read_bytes() for name in first} == first


def test_the_mix_of_a_folder_that_an_earlier_version_edited_is_rendered_by_a_revert(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    faderwise("edit", out, "--depth", 20, "--render")
    record = json.loads((out / "run.json").read_text())
    del record["mixed"]
    (out / "run.json").write_text(json.dumps(record))
    assert "mix.wav" in as_json(faderwise("revert", out, "--json"))["files"]
    check_mix(out)


def test_a_revert_without_rendering_names_what_does_it(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    faderwise("edit", out, "--depth", 20, "--render")
    edited = (out / "mix.wav").read_bytes()
    (warning,) = as_json(faderwise("revert", out, "--no-render", "--json"))["warnings"]
    assert warning == f"mix.wav is from before this revert; faderwise edit {out} --render renders it again"
    assert (out / "mix.wav").read_bytes() == edited
    assert sounds_of_whole(out / "report.html") == (0, 1)
    faderwise("audit", out)
    assert sounds_of_whole(out / "audit.html") == (0, 0)
    assert faderwise("edit", out, "--render").code == 0
    check_mix(out)


def test_a_revert_without_stems_restores_the_automation(faderwise: Ran, tmp_path: Path) -> None:
    song, out = tmp_path / "song", tmp_path / "out"
    shutil.copytree(STEMS, song)
    faderwise("mix", song, "--out", out)
    automation = (out / "automation.csv").read_bytes()
    faderwise("edit", out, "--depth", 20, "--render")
    edited = (out / "mix.wav").read_bytes()
    (song / "bass.flac").rename(tmp_path / "bass.flac")
    (warning,) = as_json(faderwise("revert", out, "--json"))["warnings"]
    assert f"{song / 'bass.flac'}, a stem of its mix, no longer exists" in warning
    assert "--render" in warning
    assert ((out / "automation.csv").read_bytes(), (out / "mix.wav").read_bytes()) == (automation, edited)


def test_a_folder_without_a_mix_gets_none(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    (out / "mix.wav").unlink()
    assert as_json(faderwise("edit", out, "--depth", 20, "--json"))["warnings"] == []
    assert as_json(faderwise("revert", out, "--json"))["warnings"] == []
    assert not (out / "mix.wav").exists()


def test_a_mix_with_a_target_has_its_loudness_again(faderwise: Ran, tmp_path: Path) -> None:
    out = tmp_path / "out"
    faderwise("mix", STEMS, "--out", out, "--range", "5:15", "--target-lufs", "-30")
    first, _ = soundfile.read(out / "mix.wav")
    faderwise("edit", out, "--offset", "bass=6", "--render")
    faderwise("revert", out)
    np.testing.assert_allclose(soundfile.read(out / "mix.wav")[0], first, atol=2e-5)


def test_pages_do_not_play_another_mix_and_note_that_they_are_old(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    faderwise("audit", out)
    pages = [out / "report.html", out / "audit.html"]
    assert [sounds_of_whole(page) for page in pages] == [(1, 0), (1, 0)]
    faderwise("edit", out, "--depth", 50)
    assert [sounds_of_whole(page) for page in pages] == [(1, 1), (1, 1)]  # mix.wav is still that of the pages
    faderwise("edit", out, "--depth", 20, "--render")
    assert [sounds_of_whole(page) for page in pages] == [(0, 1), (0, 1)]
    faderwise("audit", out)
    faderwise("revert", out)
    assert [sounds_of_whole(page) for page in pages] == [(1, 0), (0, 1)]


def test_the_folder_of_a_projects_run_names_the_project(faderwise: Ran, work: Path) -> None:
    faderwise("mix", work / "Song.RPP")
    run = Path("Song-faderwise")
    for words in (("audit", run), ("edit", run, "--depth", 50), ("revert", run), ("compare", run, work / "out")):
        ran = faderwise(*words)
        assert (ran.code, len(ran.err_lines)) == (2, 1)
        assert "in the project; give the project" in ran.err
    Path("Song-faderwise.RPP").write_bytes((work / "Song-faderwise.RPP").read_bytes())
    assert "; give Song-faderwise.RPP" in faderwise("edit", run, "--depth", 50).err
    faderwise("mix", work / "Song.RPP", "--depth", 50)
    Path("Song-faderwise.RPP").rename("Song-faderwise.20260101-120000.RPP")
    shutil.copy(work / "Song-faderwise.RPP", "Song-faderwise.RPP")
    assert "; give Song-faderwise.20260101-120000.RPP" in faderwise("audit", run / "runs" / "1").err


def test_files_that_were_both_edited_and_differ_are_refused(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    rows = csv_rows(out)
    rows[1][2] = "-20"
    (out / "automation.csv").write_text("\n".join(",".join(row) for row in rows))
    text = (out / "automation.json").read_text()
    (out / "automation.json").write_text(re.sub(r'"time_s": 0\.5,', '"time_s": 0.75,', text))
    ran = faderwise("edit", out, "--depth", "50")
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert "were both edited, and differ; move one of them away" in ran.err


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (lambda text: text.replace("gain_db", "gain", 1), "has no columns bus, time_s and gain_db"),
        (lambda text: text.replace("0.500000", "early", 1), "line 2: 'early' is not a number"),
        (lambda text: text.replace("0.500000", "-1", 1), "before 0 s"),
    ],
)
def test_a_file_damaged_by_hand_is_reported_in_one_line(faderwise: Ran, work: Path, change: Any, fact: str) -> None:
    path = work / "out" / "automation.csv"
    path.write_text(change(path.read_text()))
    ran = faderwise("edit", work / "out", "--depth", "50")
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert fact in ran.err


@pytest.mark.parametrize("kind", ["folder", "project"])
def test_offsets_shift_the_run_s_own_points_exactly(faderwise: Ran, work: Path, copy: Path, kind: str) -> None:
    target = copy if kind == "project" else work / "out"
    for offset_db in (-1.0, -2.0):
        result = as_json(faderwise("edit", target, "--offset", f"drums={offset_db:g}", "--json"))["buses"]
        changes_db = {bus: gain["after_db"] - gain["before_db"] for bus, gain in result.items()}
        assert changes_db == pytest.approx({"drums": -1.0, "bass": 0.0, "melody": 0.0, "vocals": 0.0}, abs=1e-5)


def test_an_offset_in_a_range_changes_its_bus_by_exactly_that(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    faderwise("edit", out, "--depth", "80")
    words = ("edit", out, "--range", "5:10", "--offset", "vocals=3")
    changed = as_json(faderwise(*words, "--dry-run", "--json"))["buses"]
    changes_db = {bus: gain["after_db"] - gain["before_db"] for bus, gain in changed.items()}
    assert changes_db == pytest.approx({"drums": 0.0, "bass": 0.0, "melody": 0.0, "vocals": 3.0}, abs=0.005)
    assert "gain from 5 to 10 s" in faderwise(*words).out


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_file_that_a_european_spreadsheet_saved_is_read(faderwise: Ran, work: Path, separator: str) -> None:
    out = work / "out"
    add_points(out, "vocals,8,-9.5,linear")
    plain = as_json(faderwise("audit", out, "--no-sound", "--dry-run", "--json"))
    path = out / "automation.csv"
    path.write_text("\ufeff" + path.read_text().replace(",", separator).replace(".", ","), encoding="utf-8")
    assert as_json(faderwise("audit", out, "--no-sound", "--dry-run", "--json")) == plain


def test_an_empty_file_names_the_other_one_and_a_gain_out_of_range_its_line(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    path = out / "automation.csv"
    n_lines = len(path.read_text().splitlines())
    add_points(out, "vocals,8,90,linear")
    ran = faderwise("audit", out)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert f"{path}, line {n_lines + 1}: gain_db 90 is above 60 dB" in ran.err
    path.write_text("\n")
    ran = faderwise("audit", out)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert "delete it, so that automation.json is used" in ran.err
    path.unlink()
    assert faderwise("audit", out, "--no-sound", "--dry-run").code == 0


@pytest.mark.parametrize("verb", ["audit", "edit"])
def test_a_bus_that_the_run_does_not_have_is_refused_with_its_line(faderwise: Ran, work: Path, verb: str) -> None:
    path = work / "out" / "automation.csv"
    add_points(work / "out", "vocls,8,-9.5,linear")
    ran = faderwise(verb, work / "out", *(("--depth", "20") if verb == "edit" else ()))
    line = len(path.read_text().splitlines())
    assert ran.code == 2
    assert f"{path}, line {line}: no bus 'vocls'; did you mean vocals?" in ran.err


def test_a_curve_deleted_by_hand_is_reported_and_not_changed(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    path = out / "automation.csv"
    path.write_text("".join(row for row in path.read_text().splitlines(True) if not row.startswith("vocals")))
    audited = as_json(faderwise("audit", out, "--no-sound", "--json"))
    (vocals,) = [track for track in audited["tracks"] if track["bus"] == "vocals"]
    assert audited["is_edited"] and vocals["edits"][0]["gone"] and vocals["gain_now_db"] == 0.0
    edited = as_json(faderwise("edit", out, "--depth", "20", "--json"))
    assert [warning for warning in edited["warnings"] if "all points of vocals were deleted" in warning]
    assert not [row for row in csv_rows(out) if row[0] == "vocals"]


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("edit", "Song.RPP", "--depth", "50"), "Song.RPP: "),
        (("revert", "Song.RPP"), "Song.RPP: "),
        (("edit", ".", "--depth", "50"), "run.json"),
        (("edit", "missing", "--depth", "50"), "no such folder"),
        (("edit", "out"), "--depth"),
        (("edit", "Song-faderwise.RPP"), "--offset"),
        (("edit", "gone.RPP"), "gone.RPP: "),
        (("edit", "out", "--depth", "300"), "--depth 300: "),
        (("edit", "out", "--depth", "much"), "--depth: "),
        (("edit", "out", "--offset", "vocals"), "ROLE=DB"),
        (("edit", "out", "--offset", "horns=1"), "drums, bass, melody, vocals"),
        (("edit", "Song-faderwise.RPP", "--render"), "--render: "),
        (("edit", "out", "--depth", "50", "--out", "x"), "--out: "),
        (("revert", "out"), "run 1"),
        (("revert", "out", "--to", "0"), "run 1"),
        (("revert", "Song-faderwise.RPP", "--to", "7"), "run 7"),
        (("revert", "out", "--to", "x"), "--to: "),
        (("edit", "out", "--ignore", "1:10-1:25"), "--ignore: 70 s to 85 s"),
        (("revert", "Song-faderwise.RPP", "--to", "1"), "run 1"),
    ],
)
def test_bad_usage_is_one_line(
    faderwise: Ran, work: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], fact: str
) -> None:
    monkeypatch.chdir(work)
    ran = faderwise(*words)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert fact in ran.err


def test_a_deleted_envelope_is_not_changed_and_reported(faderwise: Ran, copy: Path) -> None:
    content = copy.read_bytes()
    copy.write_bytes(re.sub(rb"(NAME melody.*?)    <VOLENV2.*?\n    >\n", rb"\1", content, count=1, flags=re.DOTALL))
    ran = faderwise("edit", copy, "--depth", "50")
    assert ran.code == 0
    assert "track 3 'melody' no longer has a volume envelope, so it was not changed" in ran.err


def test_both_pages_are_valid_again_after_the_audited_state_is_restored(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    faderwise("edit", out, "--offset", "bass=-2", "--render")
    faderwise("audit", out)
    for words in (("edit", out, "--depth", "50", "--render"), ("revert", out, "--to", 2)):
        faderwise(*words)
        is_audited = words[0] == "revert"
        assert ("was changed after" in (out / "audit.html").read_text(encoding="utf-8")) is not is_audited
    assert "was changed after" in (out / "report.html").read_text(encoding="utf-8")
    faderwise("revert", out)
    faderwise("audit", out)
    whole = [sounds_of_whole(out / page) for page in ("report.html", "audit.html")]
    faderwise("edit", out, "--depth", "50", "--render")
    assert [sounds_of_whole(out / page)[1] for page in ("report.html", "audit.html")] == [1, 1]
    faderwise("revert", out)
    assert [sounds_of_whole(out / page) for page in ("report.html", "audit.html")] == whole


def test_dated_copies_of_a_folder_are_reported_listed_and_cleared(faderwise: Ran, work: Path) -> None:
    out = work / "out"
    first = {path.name for path in out.iterdir()}
    assert "Earlier: 1 dated file of" in faderwise("edit", out, "--depth", "50", "--render").out
    assert "Earlier: " in faderwise("revert", out).out
    copies = sorted(str(path) for path in out.iterdir() if path.name not in first)
    assert len(copies) > 3
    assert sorted(as_json(faderwise("runs", "list", out, "--json"))["copies"]) == copies
    assert f"{len(copies)} dated files" in faderwise("runs", "list", out).out
    assert as_json(faderwise("runs", "clear", out, "--yes", "--json"))["copies"] == []
    (out / "mix.20200101-000000.txt").touch()  # not a file of Faderwise
    cleared = as_json(faderwise("runs", "clear", out, "--older-than", "0", "--yes", "--json"))
    assert sorted(cleared["copies"]) == copies
    assert cleared["bytes"] > 1e6
    assert {path.name for path in out.iterdir()} == {*first, "mix.20200101-000000.txt"}


def test_an_edit_without_an_effect_has_a_note(faderwise: Ran, work: Path, copy: Path) -> None:
    for target in (work / "out", copy):
        assert "no gain" not in "".join(as_json(faderwise("edit", target, "--depth", "50", "--json"))["notes"])
        assert as_json(faderwise("edit", target, "--depth", "50", "--json"))["notes"] == ["the edit changes no gain"]
    assert as_json(faderwise("edit", work / "out", "--render", "--json"))["notes"] == []


@pytest.mark.parametrize(("depth", "suggested"), [(100, "--depth 50 "), (50, "--depth 25 "), (0, "--depth 50 ")])
def test_the_depth_suggested_after_a_mix_is_half_of_its_depth(
    faderwise: Ran, tmp_path: Path, depth: int, suggested: str
) -> None:
    printed = faderwise("mix", STEMS, "--depth", depth, "--out", tmp_path / "out").out
    assert suggested in printed
    assert ("half as strong" in printed) is (depth > 0)
