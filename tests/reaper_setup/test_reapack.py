"""The ReaPack repository: written, read as ReaPack reads it, and checked for errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from analysis_server.cli import main
from analysis_server.reaper_setup.install import content_of
from analysis_server.reaper_setup.reapack import write_repository
from analysis_server.reaper_setup.scripts import actions_in, bundled_scripts
from core import __version__
from tests.expected_errors import raises_error
from tests.reaper_setup.reapack_reader import problems_of

URL = "https://example.org/my reapack/"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    content = content_of(None)
    content = replace(content, files={**content.files, "Faderwise/vendor/a b/ü#%.py": b"x"})
    write_repository(tmp_path, content, URL, "First <words> & more")
    return tmp_path


def sources(repository: Path) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring((repository / "index.xml").read_bytes())  # noqa: S314 - made by the test
    return {source.get("file", ""): source for source in root.iter("source")}


def test_the_index_names_every_file_and_every_file_exists(repository: Path) -> None:
    assert problems_of(repository, URL) == []
    named = {unquote(source.text or "").removeprefix(URL) for source in sources(repository).values()}
    files = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    assert named | {"index.xml"} == files


def test_only_the_actions_are_added_to_the_action_list(repository: Path) -> None:
    actions = {file for file, source in sources(repository).items() if source.get("main") == "main"}
    assert actions == {action.file for action in actions_in(bundled_scripts())}


def test_icons_are_data_and_the_toolbar_is_not_published(repository: Path) -> None:
    found = sources(repository)
    data = {file for file, source in found.items() if source.get("type") == "data"}
    names = [f"{action.file[:-3]}.png" for action in actions_in(bundled_scripts())]
    assert data == {f"toolbar_icons/{scale}{name}" for name in names for scale in ("", "150/", "200/")}
    assert not any("ReaperMenu" in file for file in found)


def test_addresses_are_quoted(repository: Path) -> None:
    address = sources(repository)["vendor/a b/ü#%.py"].text
    assert address == f"{URL}{__version__}/vendor/a%20b/%C3%BC%23%25.py"


def test_the_index_has_the_elements_that_reapack_reads(repository: Path) -> None:
    root = ElementTree.fromstring((repository / "index.xml").read_bytes())  # noqa: S314 - made by the test
    package = root.find("category/reapack")
    assert (root.get("version"), root.get("name")) == ("1", "Faderwise")
    assert package is not None
    assert package.get("type") == "script"
    assert package.findtext("version/changelog") == "First <words> & more"
    assert (package.findtext("metadata/description") or "").startswith(r"{\rtf1")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'<index version="1"', b'<index version="2"', "the root is not"),
        (b'name="Mixing"', b'name=""', "a category has no name"),
        (b'type="script"', b'type="theme"', "is not a script"),
        (b'<version name="', b'<version name="v', "does not begin with a number"),
        (b'Z">', b'">', "its time is not"),
        (b'main="main"', b'main="mian"', "'mian' is not a section"),
        (b'main="main"', b"", "has no action"),
        (b'file="faderwise_settings.py"', b'file="../faderwise_settings.py"', "is not a unique path"),
        (b'file="faderwise_settings.py"', b'file="faderwise_match_buses.py"', "is not a unique path"),
        (b"faderwise_settings.py</source>", b"faderwise_nothing.py</source>", "does not exist"),
        (b'hash="1220', b'hash="1320', "another hash"),
        (b"https://example.org", b"https://example.com", "is not below"),
        (b"</index>", b"", "index.xml: "),
    ],
)
def test_each_problem_is_found(old: bytes, new: bytes, problem: str, repository: Path) -> None:
    index = repository / "index.xml"
    content = index.read_bytes()
    assert old in content
    index.write_bytes(content.replace(old, new))
    assert any(problem in found for found in problems_of(repository, URL))


def test_a_changed_file_is_found(repository: Path) -> None:
    (repository / __version__ / "faderwise_settings.py").write_text("# other\n", "utf-8")
    (found,) = problems_of(repository, URL)
    assert found.startswith("faderwise_settings.py: ")
    assert found.endswith("has another hash")


def test_an_invalid_address_is_an_error(tmp_path: Path) -> None:
    with raises_error(facts=("example.org",)):
        write_repository(tmp_path, content_of(None), "example.org")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_one_with_the_packages(
    downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(downloaded))
    changes = tmp_path / "CHANGELOG.md"
    changes.write_text(f"# Changes\n\n## {__version__}\n\nThe first.\n\n## 0.0.1\n\nOlder.\n", "utf-8")
    out = tmp_path / "out"
    words = ["reaper", "index", "--url", URL, "--out", str(out), "--changelog", str(changes), "--json"]
    assert main(words) == 0
    assert str(out / "index.xml") in json.loads(capsys.readouterr().out)["files"].values()
    assert problems_of(out, URL) == []
    assert {"vendor/reapy/__init__.py", "vendor/typing_extensions.py"} <= set(sources(out))
    root = ElementTree.fromstring((out / "index.xml").read_bytes())  # noqa: S314 - made by the test
    assert root.findtext("category/reapack/version/changelog") == "The first."
