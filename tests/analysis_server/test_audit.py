"""`faderwise audit`: what was written, why, what was changed since; as a page and as JSON."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server.cli import main
from tests.analysis_server.outcomes import as_json

ROOT = Path(__file__).resolve().parents[2]
STEMS = ROOT / "examples" / "caesium"
ROLES = ["drums", "bass", "melody", "vocals"]
Ran = Callable[..., Any]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stems and `out`, what mixing them wrote. Copy it, do not write to it."""
    folder = tmp_path_factory.mktemp("mixed")
    shutil.copytree(STEMS, folder / "stems")
    assert main(["mix", str(folder / "stems"), "--out", str(folder / "out"), "--json"]) == 0
    return folder


@pytest.fixture
def out(mixed: Path, tmp_path: Path) -> Path:
    """A copy of `mixed`'s outcome to work on."""
    return Path(shutil.copytree(mixed / "out", tmp_path / "out"))


def edit_by_hand(out: Path) -> None:
    """Put two points into the vocals."""
    path = out / "automation.csv"
    path.write_text(path.read_text() + "vocals,8,-9.5,linear\nvocals,10,-9,linear\n")


def players(page: str) -> list[np.ndarray]:
    """Return the sounds of a page, each padded so that sample 0 is the song's start."""
    sounds = re.findall(r'data-start="([\d.]+)"[^>]*src="data:audio/flac;base64,([^"]+)"', page)
    decoded = [(float(start), soundfile.read(io.BytesIO(base64.b64decode(sound)))[0]) for start, sound in sounds]
    return [np.pad(samples, ((round(start * 44_100), 0), (0, 0))) for start, samples in decoded]


def gains_in(mix: np.ndarray) -> np.ndarray:
    """Return the linear gain of each stem in a mix, from 8 to 10 s."""
    here = slice(8 * 44_100, 10 * 44_100)
    stems = [soundfile.read(STEMS / f"{role}.flac", always_2d=True)[0][here].ravel() for role in ROLES]
    return np.linalg.lstsq(np.stack(stems, axis=1), mix[here].ravel(), rcond=None)[0]


def test_an_audit_shows_exactly_the_edits_and_hears_them(faderwise: Ran, out: Path) -> None:
    edit_by_hand(out)
    result = as_json(faderwise("audit", out, "--difference", "--curves", "--json"))
    edits = {track["bus"]: track["edits"] for track in result["tracks"]}
    assert [role for role, found in edits.items() if found] == ["vocals"]
    (edit,) = edits["vocals"]
    assert (edit["points"], edit["gone"]) == ([[8.0, -9.5], [10.0, -9.0]], [])
    assert result["is_edited"]
    printed = faderwise("audit", out, "--no-sound", "--dry-run").out.splitlines()
    assert [line for line in printed if line.startswith("  vocals: ")] == [
        "  vocals: 2 points edited by hand, at 8.0, 10.0 s"
    ]
    assert "edited by hand since: vocals" in result["summary"]
    page = Path(result["files"]["audit.html"]).read_text(encoding="utf-8")
    assert page.count('<path class="edited"') == 2  # the vocals' chart and the key
    before, now, difference = players(page)
    assert len(before) == len(now) == len(difference)
    plain, moved = gains_in(before), gains_in(now)
    np.testing.assert_allclose(np.ptp(20 * np.log10(plain)), 0.0, atol=0.5)
    assert 20 * np.log10(moved[3] / moved[0]) == pytest.approx(
        -9.25 - result["curves"]["tracks"][0]["now_db"][34], abs=0.5
    )
    assert 0.0 < np.std(difference) < np.std(before)
    assert [spectrum["label"] for spectrum in result["curves"]["spectra"]] == ["Before", "Now"]


def test_the_json_contains_what_the_page_shows(faderwise: Ran, out: Path) -> None:
    result = as_json(faderwise("audit", out, "--json", "--no-sound", "--curves"))
    curves = result["curves"]
    page = Path(result["files"]["audit.html"]).read_text(encoding="utf-8")
    shown = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    for track, bus in zip(curves["tracks"], shown["buses"], strict=True):
        assert bus["time"] == [round(100 * time_s) for time_s in curves["time_s"]]
        for name, key in (("gain", "predicted_db"), ("written", "written_db"), ("now", "now_db")):
            np.testing.assert_allclose(np.array(bus[name]) / 100, track[key], atol=0.006)
        total = np.sum(list(track["terms_db"].values()), axis=0)
        np.testing.assert_allclose(total, track["predicted_db"], atol=0.31)
    assert [track["bus"] for track in result["tracks"]] == list(result["buses"]) == ROLES
    assert [run["action"] for run in result["runs"]] == ["mix"]
    assert "Nothing was edited by hand." in page
    assert "<audio" not in page
    for bus in ROLES:
        assert f">{bus}</h3>" in page


def test_an_audit_has_curves_only_where_they_are_asked_for(faderwise: Ran, out: Path) -> None:
    words = ("audit", out, "--no-sound", "--dry-run", "--json")
    without, with_curves = faderwise(*words).out, faderwise(*words, "--curves").out
    assert json.loads(without) == {**json.loads(with_curves), "curves": None}
    assert len(without) < 6_000
    assert len(with_curves.splitlines()) < len(without.splitlines()) + 400


def test_an_audit_names_the_latest_edit(faderwise: Ran, out: Path) -> None:
    assert as_json(faderwise("audit", out, "--no-sound", "--dry-run", "--json"))["edit"] is None
    faderwise("edit", out, "--depth", 50)
    faderwise("edit", out, "--offset", "vocals=1")
    result = as_json(faderwise("audit", out, "--no-sound", "--json"))
    edit = result["edit"]
    assert (edit["number"], edit["settings"]) == (3, ["depth 50 %", "vocals +1.0 dB"])
    assert edit == result["runs"][-1]
    made_at = edit["made_at"][:16].replace("T", " ")
    page = Path(result["files"]["audit.html"]).read_text(encoding="utf-8")
    for text in (faderwise("audit", out, "--no-sound", "--dry-run").out.splitlines()[0], page.split("<table")[0]):
        assert f"run 3, {made_at} UTC" in text.replace("\N{NON-BREAKING HYPHEN}", "-")
        assert "depth 50 %, vocals +1.0 dB" in text


def test_a_bus_that_was_closed_by_hand_is_silent_now(
    faderwise: Ran, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = out / "automation.csv"
    others = [line for line in path.read_text().splitlines() if not line.startswith("bass,")]
    path.write_text("\n".join([*others, "bass,0,-60,linear"]) + "\n")
    assert main(["audit", str(out), "--no-sound"]) == 0
    assert re.search(r"bass .*→ -60\.0 dB .* LUFS → silent", capsys.readouterr().out)


def test_an_edit_command_does_not_count_as_an_edit_by_hand(faderwise: Ran, out: Path) -> None:
    faderwise("edit", out, "--depth", "50", "--offset", "bass=-2")
    result = as_json(faderwise("audit", out, "--json", "--no-sound", "--curves"))
    assert not result["is_edited"]
    assert result["settings"] == ["depth 50 %", "bass -2.0 dB"]
    bass = result["curves"]["tracks"][1]
    assert np.median(np.array(bass["predicted_db"]) - bass["written_db"]) > 2.0


def headline_in(page: Path) -> str:
    found = re.search(r'class="headline">([^<]*)', page.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_an_edited_passage_is_named_and_its_moves_are_at_its_edges(faderwise: Ran, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    faderwise("mix", STEMS, "--depth", 5, "--out", out)
    faderwise("edit", out, "--range", "0:05-0:10", "--offset", "vocals=6")
    result = as_json(faderwise("audit", out, "--no-sound", "--json"))
    assert "but vocals +5.9 dB from 0:05 to 0:10" in headline_in(out / "audit.html")
    up, down = result["moves"]
    assert (up["start_s"], down["start_s"]) == pytest.approx((5.0, 10.0), abs=0.05)
    assert (up["end_s"], down["end_s"]) == pytest.approx((5.0, 10.0), abs=0.05)
    assert [up["end_db"], down["end_db"]] == pytest.approx([5.9, -0.1], abs=0.06)
    assert "vocals, 5.0 s: -0.1 → +5.9 dB" in faderwise("audit", out, "--no-sound", "--dry-run").out
    faderwise("edit", out, "--offset", "vocals=0")
    faderwise("audit", out, "--no-sound")
    assert "0:05" not in headline_in(out / "audit.html")


def test_a_passage_that_was_edited_by_hand_is_named(faderwise: Ran, out: Path) -> None:
    path = out / "automation.csv"
    rows = [f"vocals,{time_s},{gain_db},linear\n" for time_s, gain_db in ((8, -2.1), (8.1, 4), (12, 4), (12.1, -2.1))]
    path.write_text(path.read_text() + "".join(rows))
    faderwise("audit", out, "--no-sound")
    assert "vocals +4.0 dB from 0:08 to 0:12" in headline_in(out / "audit.html")


def test_changes_by_hand_stay_visible_after_an_edit(faderwise: Ran, out: Path) -> None:
    path = out / "automation.csv"
    rows = [row.split(",") for row in path.read_text().splitlines()]
    lifted = [[*row[:2], f"{float(row[2]) + 3:.4f}", row[3]] if row[0] == "vocals" else row for row in rows]
    path.write_text("".join(",".join(row) + "\n" for row in lifted))
    assert "vocals: the whole curve was moved by hand by +3.0 dB" in faderwise("audit", out, "--no-sound").out
    faderwise("edit", out, "--offset", "drums=1")
    gains = as_json(faderwise("audit", out, "--no-sound", "--json"))["buses"]["vocals"]
    assert gains["gain_now_db"] - gains["gain_written_db"] == pytest.approx(3.0, abs=0.02)
    assert "vocals   -2.1 dB → +0.9 dB" in faderwise("audit", out, "--no-sound").out


def test_a_constant_gain_changes_the_loudness_by_exactly_that(faderwise: Ran, out: Path) -> None:
    path = out / "automation.csv"
    others = [row for row in path.read_text().splitlines(True) if not row.startswith(("vocals", "bass"))]
    path.write_text("".join([*others, "bass,0,-4.5,linear\n"]))
    buses = as_json(faderwise("audit", out, "--no-sound", "--json"))["buses"]
    for bus, gain_db in (("vocals", 0.0), ("bass", -4.5)):
        change_lu = buses[bus]["loudness_now_lufs"] - buses[bus]["loudness_before_lufs"]
        assert change_lu == pytest.approx(gain_db, abs=0.002)


def test_an_audit_replaces_its_page_and_keeps_a_file_that_is_not_one(faderwise: Ran, out: Path) -> None:
    page = out / "audit.html"
    page.write_text("<title>My notes</title>")
    faderwise("audit", out, "--no-sound")
    [kept] = out.glob("audit.*.html")
    assert kept.read_text() == "<title>My notes</title>"
    faderwise("edit", out, "--depth", 50)
    faderwise("audit", out, "--no-sound")
    faderwise("edit", out, "--depth", 60)
    faderwise("audit", out)
    assert sorted(out.glob("audit*.html")) == sorted([kept, page])


def test_points_made_by_hand_are_still_reported_after_an_edit(faderwise: Ran, out: Path) -> None:
    edit_by_hand(out)
    faderwise("edit", out, "--depth", "50")
    result = as_json(faderwise("audit", out, "--json", "--no-sound"))
    found = {track["bus"]: [edit["points"] for edit in track["edits"]] for track in result["tracks"]}
    assert found == {"drums": [], "bass": [], "melody": [], "vocals": [[[8.0, -9.5], [10.0, -9.0]]]}


def test_without_stems_the_mix_is_played_as_written_with_a_warning(faderwise: Ran, mixed: Path, tmp_path: Path) -> None:
    stems, out = shutil.copytree(STEMS, tmp_path / "stems"), tmp_path / "out"
    faderwise("mix", stems, "--out", out)
    shutil.rmtree(stems)
    edit_by_hand(out)
    result = as_json(faderwise("audit", out, "--json"))
    assert any("the sounds are of the mix as written" in warning for warning in result["warnings"])
    assert len(players(Path(result["files"]["audit.html"]).read_text(encoding="utf-8"))) == 2
    (out / "audit.npz").write_bytes(b"damaged")
    result = as_json(faderwise("audit", out, "--json"))
    assert any("no longer contains the sounds of run 1" in warning for warning in result["warnings"])


def test_little_fit_and_clipping_are_reported(faderwise: Ran, tiny_song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    faderwise("match", tiny_song, "--out", out)
    earlier = re.sub(r'"relation":"[^"]*",', "", (out / "run.json").read_text())  # as earlier versions wrote it
    (out / "run.json").write_text(re.sub(r'"fit":[\d.]+', '"fit":0.41', earlier))
    rows = ["bus,time_s,gain_db,shape", "drums,0,30,linear", "bass,0,30,linear"]
    (out / "automation.csv").write_text("\n".join(rows))
    result = as_json(faderwise("audit", out, "--json"))
    warnings = "\n".join(result["warnings"])
    assert result["notes"] == []  # match did not miss a melody either
    assert "explain only 41 % of the mixdown" in warnings
    assert "true peak is +" in warnings


def test_match_audit_and_the_list_of_runs_have_the_same_sentence_on_the_fit(
    faderwise: Ran, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = as_json(faderwise("match", tiny_song, "--out", out, "--json"))
    assert "the gains explain" in found["reason"]
    sentence = f"{found['reason'][:1].upper()}{found['reason'][1:]}."
    assert sentence in faderwise("match", tiny_song, "--out", out).out
    audited = as_json(faderwise("audit", out, "--no-sound", "--json"))
    assert audited["summary"].endswith(sentence)
    assert sentence in faderwise("audit", out, "--no-sound").out
    assert sentence in Path(audited["files"]["audit.html"]).read_text(encoding="utf-8")
    faderwise("mix", tiny_song, "--out", out)
    assert f"1  match of tiny song, {found['reason']}" in faderwise("runs", "list", out).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("audit", "."), "has no run.json"),
        (("audit", "x.RPP"), "no such file"),
        (("audit", "out", "--stems", "x"), "x"),
    ],
)
def test_bad_usage_is_one_line(
    faderwise: Ran, out: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(out.parent)
    ran = faderwise(*words)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert says in ran.err
