"""The checks of ReaPack's reader, to find out whether it would accept a repository."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

SECTIONS = {"main", "midi_editor", "midi_inlineeditor", "midi_eventlisteditor", "mediaexplorer", "crossfade_editor"}


def problems_of(folder: Path, url: str) -> list[str]:
    """Return why ReaPack would refuse the repository in `folder`, which will be published at `url`."""
    try:
        root = ElementTree.fromstring((folder / "index.xml").read_bytes())  # noqa: S314 - made by the test
    except (OSError, ElementTree.ParseError) as error:
        return [f"index.xml: {error}"]
    return list(_problems(root, folder, url.rstrip("/") + "/"))


def _problems(root: ElementTree.Element, folder: Path, url: str) -> Iterator[str]:
    if root.tag != "index" or root.get("version") != "1" or not _is_plain(root.get("name", "")):
        yield 'the root is not <index version="1" name="...">'
    versions = list(root.iterfind("category/reapack/version"))
    if not versions:
        yield "no package has a version"
    for category in root.iterfind("category"):
        if not category.get("name"):
            yield "a category has no name"
        for package in category.iterfind("reapack"):
            if not package.get("name") or package.get("type") != "script":
                yield f"{package.get('name')!r} is not a script with a name"
    for version in versions:
        yield from _version_problems(version)
        yield from _source_problems(version, folder, url)


def _version_problems(version: ElementTree.Element) -> Iterator[str]:
    name = version.get("name", "")
    if not re.match(r"\d", name):
        yield f"version {name!r} does not begin with a number"
    try:
        time.strptime(version.get("time", ""), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        yield f"version {name}: its time is not like 2025-01-31T12:00:00Z"
    sections = " ".join(source.get("main", "") for source in version.iterfind("source")).split()
    if not sections:
        yield f"version {name} has no action"
    yield from (f"version {name}: {section!r} is not a section" for section in sorted(set(sections) - SECTIONS))


def _source_problems(version: ElementTree.Element, folder: Path, url: str) -> Iterator[str]:
    seen = set()
    for source in version.iterfind("source"):
        file, address = source.get("file", ""), source.text or ""
        if not file or file in seen or ".." in file.split("/") or file.startswith("/"):
            yield f"{file!r} is not a unique path below the category"
        seen.add(file)
        if not address.startswith(url):
            yield f"{file}: {address!r} is not below {url}"
            continue
        place = folder / unquote(address.removeprefix(url))
        if not place.is_file():
            yield f"{file}: {place} does not exist"
        elif source.get("hash") != "1220" + hashlib.sha256(place.read_bytes()).hexdigest():
            yield f"{file}: {place} has another hash"


def _is_plain(name: str) -> bool:
    return bool(name) and not re.search(r"[/\\]|\.\.", name)
