"""Write a ReaPack repository: a folder for a web server with an index.xml that ReaPack reads.

ReaPack installs a script's file as `Scripts/<index name>/<category>/<file>` and a source of type `data` as
`Data/<file>`. It reads the sections of REAPER's action list from `main`, and refuses a file whose SHA-256 is not the
multihash (1220...) in `hash`. Format: ReaPack's wiki, Index Format, and its reader (src/index_v1.cpp, src/source.cpp,
src/version.cpp).
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from analysis_server.reaper_setup.install import Content
from analysis_server.reaper_setup.scripts import FOLDER
from core import __version__
from core.errors import InputError
from core.files import replacing

INDEX = "index.xml"
_ABOUT = (
    r"{\rtf1 Learns how you set your faders and writes them as automation.\par "
    r"These scripts need the application: run python3 install.py --no-reaper of Faderwise once.\par "
    r"REAPER needs Python 3.8 or newer: Preferences, Plug-ins, ReaScript.}"
)
_SHA256_MULTIHASH = "1220"


def write_repository(folder: Path, content: Content, url: str, changelog: str = "") -> list[Path]:
    """Write the files and the index into `folder`, and return their paths. An earlier index is kept under another name.

    Parameters
    ----------
    folder : the folder to write to.
    content : what ReaPack installs: scripts, and icons as data; not the toolbar.
    url : the address at which the folder will be published.
    changelog : what is new in this version.

    Raises
    ------
    InputError
        The address is not a web address, or the folder cannot be written to.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url!r} is not a web address", remedy="give the https:// address of the published folder")
    root = ElementTree.Element("index", version="1", name=FOLDER)
    category = ElementTree.SubElement(root, "category", name="Mixing")
    package = ElementTree.SubElement(
        category, "reapack", name="Faderwise", type="script", desc="Faderwise: bus automation"
    )
    ElementTree.SubElement(ElementTree.SubElement(package, "metadata"), "description").text = _ABOUT
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    version = ElementTree.SubElement(package, "version", name=__version__, author="Faderwise contributors", time=now)
    if changelog:
        ElementTree.SubElement(version, "changelog").text = changelog
    actions = {f"{FOLDER}/{action.file}" for action in content.actions}
    written = []
    for name, data in content.files.items():
        if name.startswith("MenuSets/"):
            continue
        file = name.removeprefix(f"{FOLDER}/").removeprefix("Data/")
        digest = _SHA256_MULTIHASH + hashlib.sha256(data).hexdigest()
        source = ElementTree.SubElement(version, "source", file=file, hash=digest)
        if name in actions:
            source.set("main", "main")
        elif name.startswith("Data/"):
            source.set("type", "data")
        source.text = f"{url.rstrip('/')}/{quote(f'{__version__}/{file}')}"
        written.append(folder / __version__ / file)
        with replacing(written[-1], keep_old=False) as temporary:
            temporary.write_bytes(data)
    ElementTree.indent(root, " ")
    with replacing(folder / INDEX) as temporary:
        temporary.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return [folder / INDEX, *written]
