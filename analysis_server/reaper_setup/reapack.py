"""Write and check a ReaPack repository: a folder for a web server with an index.xml that ReaPack reads.

ReaPack installs a script's file as `Scripts/<index name>/<category>/<file>` and a source of type `data` as
`Data/<file>`. It reads the sections of REAPER's action list from `main`, and refuses a file whose SHA-256 is not the
multihash (1220...) in `hash`. Format: ReaPack's wiki, Index Format, and its reader (src/index_v1.cpp, src/source.cpp,
src/version.cpp).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from analysis_server.reaper_setup.scripts import FOLDER, Action
from core.errors import InputError
from core.files import replacing

INDEX = "index.xml"
_CATEGORY, _PACKAGE = "Mixing", "Faderwise"
_DESCRIPTION = "Faderwise: bus automation"
_AUTHOR = "Faderwise contributors"
_ABOUT = (
    r"{\rtf1 Learns how you set your faders and writes them as automation.\par "
    r"These scripts need the application: run python3 install.py --no-reaper of Faderwise once.\par "
    r"REAPER needs Python 3.8 or newer: Preferences, Plug-ins, ReaScript.}"
)
_SHA256_MARK = "1220"
_SECTIONS = {"main", "midi_editor", "midi_inlineeditor", "midi_eventlisteditor", "mediaexplorer", "crossfade_editor"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Release:
    """A version to publish: its files by their path in REAPER's Scripts folder, and the address of the repository."""

    version: str
    files: Mapping[str, bytes]
    actions: Sequence[Action]
    url: str
    changelog: str = ""

    @property
    def published(self) -> Mapping[str, bytes]:
        """The files that ReaPack can install: scripts, and icons as data; not the toolbar."""
        return {name: content for name, content in self.files.items() if not name.startswith("MenuSets/")}


def write_repository(folder: Path, release: Release) -> list[Path]:
    """Write the files and the index into `folder`, and return their paths. An earlier index is kept under another name.

    Raises
    ------
    InputError
        The address is not a web address, or the folder cannot be written to.
    """
    if urlsplit(release.url).scheme not in ("http", "https"):
        raise InputError(
            f"{release.url!r} is not a web address", remedy="give the https:// address of the published folder"
        )
    written = [folder / release.version / _below(name) for name in release.published]
    for path, content in zip(written, release.published.values(), strict=True):
        with replacing(path, keep_old=False) as temporary:
            temporary.write_bytes(content)
    with replacing(folder / INDEX) as temporary:
        temporary.write_bytes(index_of(release))
    return [folder / INDEX, *written]


def index_of(release: Release) -> bytes:
    """Return index.xml."""
    root = ElementTree.Element("index", version="1", name=FOLDER)
    category = ElementTree.SubElement(root, "category", name=_CATEGORY)
    package = ElementTree.SubElement(category, "reapack", name=_PACKAGE, type="script", desc=_DESCRIPTION)
    metadata = ElementTree.SubElement(package, "metadata")
    ElementTree.SubElement(metadata, "description").text = _ABOUT
    now = time.strftime(_TIME, time.gmtime())
    version = ElementTree.SubElement(package, "version", name=release.version, author=_AUTHOR, time=now)
    if release.changelog:
        ElementTree.SubElement(version, "changelog").text = release.changelog
    main = {f"{FOLDER}/{action.file}" for action in release.actions}
    for name, content in release.published.items():
        source = ElementTree.SubElement(version, "source", file=_below(name), hash=multihash(content))
        if name in main:
            source.set("main", "main")
        elif name.startswith("Data/"):
            source.set("type", "data")
        source.text = f"{release.url.rstrip('/')}/{quote(f'{release.version}/{_below(name)}')}"
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def multihash(content: bytes) -> str:
    """Return the SHA-256 of a content in ReaPack's form."""
    return _SHA256_MARK + hashlib.sha256(content).hexdigest()


def problems_of(folder: Path, url: str) -> list[str]:
    """Return why ReaPack would refuse the repository in `folder`, which will be published at `url`."""
    try:
        root = ElementTree.fromstring((folder / INDEX).read_bytes())  # noqa: S314 - our own file
    except (OSError, ElementTree.ParseError) as error:
        return [f"{INDEX}: {error}"]
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
        time.strptime(version.get("time", ""), _TIME)
    except ValueError:
        yield f"version {name}: its time is not like 2025-01-31T12:00:00Z"
    sections = " ".join(source.get("main", "") for source in version.iterfind("source")).split()
    if not sections:
        yield f"version {name} has no action"
    yield from (f"version {name}: {section!r} is not a section" for section in sorted(set(sections) - _SECTIONS))


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
        elif source.get("hash") != multihash(place.read_bytes()):
            yield f"{file}: {place} has another hash"


def _below(name: str) -> str:
    return name.removeprefix(f"{FOLDER}/").removeprefix("Data/")


def _is_plain(name: str) -> bool:
    return bool(name) and not re.search(r"[/\\]|\.\.", name)
