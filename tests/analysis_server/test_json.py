"""The fields of every JSON result are those that docs/reference/json.md lists."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysis_server.cli import COMMANDS as ALL
from tests.analysis_server.conftest import ROLES, STEMS, Ran

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"
Fields = tuple[str, ...]
COMMANDS = (
    ("error", "mix nowhere"),
    ("mix, demo", "demo --out demo"),
    ("mix, demo", "mix song --out run --like like --range 2:20 --keep bass"),
    ("mix, demo", "mix caesium-session.RPP"),
    ("match", "match song --out matched"),
    ("buses", "buses song"),
    ("buses", "buses caesium-session.RPP"),
    ("audit", "audit run --curves"),
    ("edit", "edit run --depth 50 --offset drums=1 --ride bass=10 --range 3:19 --freeze melody --ignore 4:5"),
    ("audit", "audit run --no-sound --dry-run"),
    ("audit", "audit caesium-session-faderwise.RPP"),
    ("edit", "edit caesium-session-faderwise.RPP --depth 50"),
    ("compare", "compare run#1 run --out compared"),
    ("revert", "revert run"),
    ("learn", "learn song --model mine"),
    ("compare", "compare mine default --on song"),
    ("evaluate", "evaluate song --test-on other --out tables"),
    ("estimate", "estimate song --out gains.csv"),
    ("features", "features song --out features.csv"),
    ("models list, models show", "models list"),
    ("models list, models show", "models show mine"),
    ("models remove, models export, models import", "models export mine mine.json"),
    ("models remove, models export, models import", "models import mine.json --name ours"),
    ("models remove, models export, models import", "models remove ours"),
    ("mix, demo", "mix song --out matched"),
    ("runs list", "runs list matched"),
    ("runs clear", "runs clear matched --older-than 0 --yes"),
    ("serve", "serve --status"),
    ("serve", "serve --stop"),
    ("doctor", "doctor"),
    ("reaper install, reaper uninstall", "reaper uninstall --dry-run"),
    ("completion", "completion bash"),
)
"""Each command with the section of the page that describes its result; later ones use the files of earlier ones."""
NOT_RUN = {"reaper index"}  # it downloads packages


def documented() -> dict[str, set[str]]:
    """Return the paths in the table of each section of the page."""
    sections = re.split(r"^### (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        title: {
            path
            for row in re.findall(r"^\| (`.*?`) \| .* \|$", text, re.MULTILINE)
            for path in re.findall(r"`([^`]+)`", row)
        }
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }


def as_fields(path: str) -> Fields:
    return tuple(re.findall(r"\[\]|[^.\[\]]+", path.removesuffix("[]")))


def found_in(value: Any, fields: Fields = ()) -> Iterator[Fields]:
    """Yield the place of every value in a result that has no fields of its own."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from found_in(item, (*fields, name))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from found_in(item, (*fields, "[]"))
    else:
        yield fields


def agrees(documented: Fields, found: Fields) -> bool:
    """Return whether a value is where the page has it, or is null or empty above that place."""
    pairs = list(zip(documented, found, strict=False))
    return len(pairs) == len(found) and all(name == there or name.isupper() for name, there in pairs)


def edit_by_hand(run: Path) -> None:
    rows = (run / "automation.csv").read_text("utf-8").splitlines()
    rows.append("vocals,18.0,-9.5,linear")
    text = "\n".join([rows[0], *sorted(rows[1:], key=_place)])
    (run / "automation.csv").write_text(f"{text}\n", "utf-8")


def _place(row: str) -> tuple[int, float]:
    bus, time_s, *_ = row.split(",")
    return ROLES.index(bus), float(time_s)


def test_results_have_the_documented_fields(faderwise: Callable[..., Ran]) -> None:
    for name in ("song", "like", STEMS.name, "other"):
        shutil.copytree(STEMS, name)
    Path("other", "bass.flac").unlink()
    shutil.copy(STEMS.with_name("caesium-session.RPP"), ".")
    pages = {title: {as_fields(path) for path in paths} for title, paths in documented().items()}
    found: dict[str, set[Fields]] = {title: set() for title in pages}
    for title, command in COMMANDS:
        ran = faderwise(*command.split(), "--json")
        assert ran.code in ((2,) if title == "error" else (0, 1) if title == "doctor" else (0,)), ran.err
        result = json.loads(ran.out)
        if isinstance(result.get("files"), dict):
            assert all(Path(path).is_absolute() and Path(path).exists() for path in result["files"].values()), command
        places = set(found_in(result))
        missing = [place for place in places if not any(agrees(fields, place) for fields in pages[title])]
        assert not missing, f"{command} has fields that the page lacks: {missing}"
        found[title] |= places
        if command.startswith("edit run"):
            edit_by_hand(Path("run"))
    for title in pages.keys() - NOT_RUN:
        stale = [fields for fields in pages[title] if not any(agrees(fields, place) for place in found[title])]
        assert not stale, f"{title}: the page has fields that no result has: {stale}"


def test_every_command_with_a_result_is_documented() -> None:
    names = {name.split()[0] for title in documented() for name in title.split(", ")}
    assert names >= set(ALL) - {"mcp"}
