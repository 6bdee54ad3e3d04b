"""A throw-away checkout; stand-ins for the step that needs the network, and for REAPER's set-up."""

from pathlib import Path

import pytest

from tests.installing.script import install, setup

MODULES = ("core", "analysis_server", "numpy", "scipy", "soundfile")


class Pip:
    """Replacement of the pip step: record the requested extras and create dummy packages."""

    def __init__(self):
        self.calls = []
        self.error = None
        self.leaves_out = ()
        self.script = "#!/bin/sh\nexit 0\n"

    def install_packages(self, environment, extras):
        self.calls.append((environment.folder, extras))
        if self.error:
            raise self.error
        site = next(environment.folder.rglob("site-packages"))
        tools = [tool for extra in extras for tool in setup.TOOLS[extra]]
        for name in {*MODULES, *tools}.difference(self.leaves_out):
            (site / f"{name}.py").write_text("", "utf-8")
        command = Path(environment.program("faderwise"))
        command.write_text(self.script, "utf-8")
        command.chmod(0o755)


class Reaper:
    """What REAPER's set-up was asked for."""

    def __init__(self):
        self.calls = []
        self.error = None
        self.folders = [Path("resource")]

    def install_actions(self, application, prompter, *, dry_run):
        self.calls.append(("set up", application.python, application.home, dry_run))
        return self._ask(prompter, dry_run)

    def uninstall_actions(self, home, prompter, *, dry_run=False):
        self.calls.append(("take back", home, dry_run))
        return self._ask(prompter, dry_run)

    def _ask(self, prompter, dry_run):
        if self.error:
            raise self.error
        if self.folders and not dry_run and (prompter.ask is None or prompter.ask("Make these changes?")):
            prompter.say("REAPER is changed")
        return self.folders


@pytest.fixture
def pip(monkeypatch):
    stand_in = Pip()

    def install_packages(environment, extras):
        stand_in.install_packages(environment, extras)

    monkeypatch.setattr(setup.Environment, "install_packages", install_packages)
    return stand_in


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    root = tmp_path / "check out ü"
    (root / "core").mkdir(parents=True)
    (root / "core" / "__init__.py").write_text("", "utf-8")
    (root / "pyproject.toml").write_text("[project]\nname = 'faderwise'\n", "utf-8")
    monkeypatch.setattr(setup, "ROOT", root)
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "my data"))
    monkeypatch.setattr(install, "link_path", lambda: tmp_path / "bin" / "faderwise")
    return root


@pytest.fixture(autouse=True)
def reaper(monkeypatch):
    """Replacement of the REAPER set-up (tested in tests/reaper_setup): record the calls, and fail on request."""
    stand_in = Reaper()
    monkeypatch.setattr(install, "install_actions", stand_in.install_actions)
    monkeypatch.setattr(install, "uninstall_actions", stand_in.uninstall_actions)
    return stand_in


@pytest.fixture
def data(tmp_path, checkout):
    return tmp_path / "my data"
