"""Links in the documentation refer to existing files and headings, and its commands can be pasted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from analysis_server.cli import parse

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = ("*.md", "docs/**/*.md", "tests/**/*.md", "examples/**/*.md")
PAGES = sorted(page for pattern in PATTERNS for page in ROOT.glob(pattern))
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE_FILE = re.compile(r"`((?:core|analysis_server|reaper_scripts|tests|benchmarks|docs|examples)/[\w./-]+)`")
"""A path in backquotes."""


def headings(page: Path) -> set[str]:
    """Return the anchors of the page's headings, as GitHub forms them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [path for path in SOURCE_FILE.findall(text) if not (ROOT / path).exists()]
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))], ids=lambda page: page.name
)
def test_commands_can_be_pasted(page: Path) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in [line for kind, block in blocks if not kind for line in block.splitlines()]:
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
        # an interactive zsh has no comments: it reads them as arguments
        assert not re.search(r"""(^|\s)#|['"();&|<>*?!`]""", unquoted), line
        words = shlex.split(line)
        if words[:1] == ["faderwise"]:
            parse(words[1:])
        for word in words:
            is_bundled = word.startswith("examples/") and "-faderwise" not in word
            assert not is_bundled or (ROOT / word).exists(), word
