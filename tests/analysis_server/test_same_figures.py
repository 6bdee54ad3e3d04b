"""Every command shows the same figures of a run: in the terminal, as JSON and on pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.analysis_server.conftest import ROLES, ROOT, STEMS
from tests.analysis_server.outcomes import Faderwise, as_json

SESSION = ROOT / "examples" / "caesium-session.RPP"
EDITS: dict[str, tuple[object, ...]] = {
    "twice the depth": ("--depth", 200, "--moves", 50),
    "a limit and an offset": ("--limit", 1, "--offset", "vocals=-1.5"),
    "gains above the top of an envelope": ("--from-prediction", "--offset", "drums=24", "--offset", "bass=-24"),
    "a part": ("--from-prediction", "--range", "5:12", "--offset", "melody=3"),
}
Row = list[float]


def numbers(text: str) -> Row:
    return [float(found) for found in re.findall(r"[+-]?\d+\.\d+", text.replace("\N{MINUS SIGN}", "-"))]


def rows(out: str) -> dict[str, Row]:
    """Return the numbers in each bus's row of a table in the terminal."""
    found = {line.split()[0]: numbers(line) for line in out.splitlines() if numbers(line)}
    return {bus: found[bus] for bus in ROLES}


def overview(page: Path) -> dict[str, Row]:
    """Return the gain, or both of a comparison, and the band of each bus in a page's overview."""
    found = re.findall(r'href="#bus-\d+">([^<]+)</a></th>(.*?)</tbody>', page.read_text(encoding="utf-8"), re.DOTALL)
    return {bus: numbers(" ".join(re.findall(r'<td class="value[^>]*>([^<]*)', cells))) for bus, cells in found}


def loudness(page: Path) -> dict[str, Row]:
    """Return each bus's loudness before and after the fader in the panels of a page."""
    found = re.findall(r'class="bus-name"[^>]*>([^<]+)</h3>(.*?)</dl>', page.read_text(encoding="utf-8"), re.DOTALL)
    return {bus: numbers(" ".join(re.findall(r"<dd>([^<]* LUFS)", values))) for bus, values in found}


def near(values: Row) -> Any:
    return pytest.approx(values, abs=0.1)


def shown(*values: float) -> Any:
    """Return values as one decimal shows them."""
    return pytest.approx(values, abs=0.0501)


@pytest.fixture(params=["folder", "project"])
def mixed(request: pytest.FixtureRequest, faderwise: Faderwise, tmp_path: Path) -> tuple[str, Path, dict[str, Any]]:
    """What was mixed from the bundled song, the target for further commands, and the result of the mix."""
    song, target = STEMS, Path("caesium-faderwise")
    if request.param == "project":
        shutil.copytree(STEMS, tmp_path / "song" / STEMS.name)
        song = Path(shutil.copy(SESSION, tmp_path / "song"))
        target = song.with_name("caesium-session-faderwise.RPP")
    printed = rows(faderwise("mix", song, "--out", tmp_path / "dry run", "--dry-run").out)
    result = as_json(faderwise("mix", song, "--json"))
    for bus, row in printed.items():
        found = result["buses"][bus]
        assert row == shown(*(found[key] for key in RESULT))
    report = Path(result["files"]["report.html"])
    for bus, found in result["buses"].items():
        assert overview(report)[bus] == shown(found["gain_db"], found["band_db"])
        assert loudness(report)[bus] == shown(found["loudness_before_lufs"], found["loudness_after_lufs"])
    return request.param, target, result


RESULT = ("gain_db", "band_db", "loudness_before_lufs", "loudness_after_lufs")


def check(faderwise: Faderwise, target: Path, mix: dict[str, Any], gains_db: dict[str, float], n_runs: int) -> None:
    """Check that audit and compare show `gains_db` as the present gains of a target, everywhere."""
    result = as_json(faderwise("audit", target, "--json"))
    printed = rows(faderwise("audit", target, "--no-sound", "--dry-run").out)
    (page,) = map(Path, result["files"].values())
    for track in result["tracks"]:
        bus = track["bus"]
        assert track["gain_now_db"] == near(gains_db[bus])
        before, now = track["loudness_before_lufs"], track["loudness_now_lufs"]
        assert printed[bus] == shown(track["gain_now_db"], before, now)
        assert overview(page)[bus] == shown(track["gain_now_db"], mix["buses"][bus]["band_db"])
        assert loudness(page)[bus] == shown(before, now)
        assert before == near(mix["buses"][bus]["loudness_before_lufs"])
    words = ("compare", f"{target}#1", target)
    compared, printed = as_json(faderwise(*words, "--out", "page", "--json")), rows(faderwise(*words).out)
    for one in compared["buses"].values():
        second_db = one["second_db"] - compared["common_db"]
        assert one["first_db"] == near(mix["buses"][one["bus"]]["gain_db"])
        assert one["second_db"] == near(gains_db[one["bus"]])
        assert printed[one["bus"]][:3] == shown(one["first_db"], second_db, one["difference_db"])
        assert overview(Path("page/compare.html"))[one["bus"]] == shown(one["first_db"], second_db)
    assert [run["number"] for run in result["runs"]] == list(range(1, n_runs + 1))


def test_mix_audit_edit_and_compare_show_the_same_figures_of_the_bundled_song(
    faderwise: Faderwise, mixed: tuple[str, Path, dict[str, Any]]
) -> None:
    kind, target, mix = mixed
    gains_db = {bus: found["gain_db"] for bus, found in mix["buses"].items()}
    check(faderwise, target, mix, gains_db, 1)
    for number, (name, settings) in enumerate(EDITS.items(), start=2):
        printed = rows(faderwise("edit", target, *settings, "--dry-run").out)
        edited = as_json(faderwise("edit", target, *settings, "--json"))
        for bus, found in edited["buses"].items():
            assert printed[bus] == shown(found["before_db"], found["after_db"])
            if name != "a part":  # whose figures are those of the part
                assert found["before_db"] == near(gains_db[bus])
        is_lowered = any("lowered" in warning for warning in edited["warnings"])
        assert is_lowered == (kind == "project" and "above the top" in name)
        if name == "a part":
            break
        gains_db = {bus: found["after_db"] for bus, found in edited["buses"].items()}
        check(faderwise, target, mix, gains_db, number)
    if kind == "folder":
        path = target / "automation.csv"
        path.write_text(re.sub(r"(?m)^bass,.*\n", "", path.read_text()) + "bass,0,-90,linear\n")
        audited = {track["bus"]: track for track in as_json(faderwise("audit", target, "--json"))["tracks"]}
        assert audited["bass"]["gain_now_db"] == near(-60.0)
        assert rows(faderwise("audit", target, "--no-sound", "--dry-run").out)["bass"][1] == -60.0
