"""How the house is built: imports go one way, one error tree, one place that prints, nothing dangerous."""

from __future__ import annotations

import ast
import inspect
import re
import statistics
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

from core import errors
from tests.public_names import PAGE, public_names

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("core", "analysis_server", "reaper_scripts")
SOURCES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
HOUSE = [*SOURCES, *(path for part in ("benchmarks", "tests") for path in sorted((ROOT / part).rglob("*.py")))]
HOUSE += [ROOT / "install.py"]
PRINTS = {
    "analysis_server/command_line/terminal.py",
    "analysis_server/command_line/grammar.py",
    "analysis_server/environment.py",
}
"""The terminal; the parser, which ends with one line, and the installer: both before there is a terminal."""
STOREYS = {
    "core": (
        ("errors", "progress", "decibels", "decoding"),
        ("files", "roles", "smoothing"),
        ("curves",),
        ("audio",),
        ("measuring",),
        ("estimating", "modelling", "automating"),
        ("rpp",),
        ("history",),
        ("revising",),
    ),
    "analysis_server": (
        ("carried", "home", "telling", "song_folder", "environment"),
        ("examples", "model_store", "presets", "report"),
        ("showing",),
        ("figures", "runs"),
        ("projects",),
        ("teaching",),
        ("verbs", "reaper_setup"),
        ("server",),
        ("client",),
        ("examining",),
        ("bridge", "command_line"),
    ),
}
"""What each part is built of, from the ground up: a package imports from the storeys below it alone."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def imported(path: Path) -> Iterator[str]:
    """Give the full name of every module that `path` imports, anywhere in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative imports hide where they go"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_imported(path: Path, modules: Set[str]) -> set[str]:
    """Return which of `modules` `path` imports; a package counts where a name of its own is taken from it."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else str(node.module) for name in full}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules


def forbidden(folder: str, *targets: str) -> list[str]:
    """Return which modules in `folder` import which of `targets`."""
    return [
        f"{name_of(path)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imported(path)
        if any(name == target or name.startswith(f"{target}.") for target in targets)
    ]


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Give every function in `path`, also those in classes and in other functions."""
    yield from (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef))


def n_lines_of(node: ast.FunctionDef, *, with_docstring: bool = True) -> int:
    """Return how many lines a function has, with its first one, without its decorators."""
    n_lines = (node.end_lineno or 0) - node.lineno + 1
    if with_docstring or ast.get_docstring(node) is None:
        return n_lines
    return n_lines - ((node.body[0].end_lineno or 0) - node.body[0].lineno + 1)


def is_in(path: Path, part: str) -> bool:
    return name_of(path).startswith(f"{part}/")


def public(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give the public functions of `path` and the public methods of its public classes, by name."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = (inner for inner in node.body if isinstance(inner, ast.FunctionDef))
            yield from ((f"{node.name}.{inner.name}", inner) for inner in methods if not inner.name.startswith("_"))


def handles_arrays(node: ast.FunctionDef) -> bool:
    """Tell whether a function takes or gives arrays."""
    types = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
    return re.search(r"FloatArray|NDArray|Samples|ArrayLike", types) is not None


def tells_shapes(node: ast.FunctionDef) -> bool:
    """Tell whether a docstring says what shape something has."""
    return re.search(r"shape|axis|\((n|k)[_ ,)]|\(\d|\(\.\.\.", ast.get_docstring(node) or "") is not None


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Give every call in `path` with the name it is called by."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_there_is_something_to_look_at() -> None:
    assert {name_of(path).split("/")[0] for path in SOURCES} >= {"core", "analysis_server"}
    assert len(SOURCES) > 40


def test_core_knows_neither_the_server_nor_reaper() -> None:
    assert forbidden("core", "analysis_server", "reaper_scripts", "reapy", "zmq", "tqdm", "platformdirs") == []


def test_the_server_knows_no_reaper() -> None:
    assert forbidden("analysis_server", "reaper_scripts", "reapy", "reaper_python") == []


def test_reapers_scripts_know_the_others_by_files_alone() -> None:
    assert forbidden("reaper_scripts", "core", "analysis_server", "numpy", "scipy", "soundfile", "zmq", "msgspec") == []


def test_every_package_stands_on_those_below_it() -> None:
    upward = []
    for layer, storeys in STOREYS.items():
        height = {name: number for number, names in enumerate(storeys) for name in names}
        for path in (path for path in SOURCES if is_in(path, layer) and "." in module_of(path)):
            home = module_of(path).split(".")[1]
            targets = {name.split(".")[1] for name in imported(path) if name.startswith(f"{layer}.")}
            upward += [
                f"{name_of(path)} imports {target}"
                for target in targets & height.keys() - {home}
                if height[target] >= height[home]
            ]
    assert upward == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {module_of(path): path for path in SOURCES}
    arrows = {name: modules_imported(path, modules.keys()) - {name} for name, path in modules.items()}
    while leaves := {name for name, targets in arrows.items() if not targets}:
        arrows = {name: targets - leaves for name, targets in arrows.items() if name not in leaves}
    assert sorted(arrows) == []


def test_a_report_knows_no_verbs() -> None:
    verbs = ("verbs", "command_line", "runs", "showing", "server")
    assert forbidden("analysis_server/report", *(f"analysis_server.{name}" for name in verbs)) == []


def test_a_verb_knows_no_command_line_and_no_terminal() -> None:
    targets = ("analysis_server.command_line", "argparse", "tqdm", "sys")
    assert forbidden("analysis_server/verbs", *targets) == []


@pytest.mark.parametrize("path", HOUSE, ids=name_of)
def test_no_module_is_longer_than_a_reader_enjoys(path: Path) -> None:
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= 300


@pytest.mark.parametrize("path", HOUSE, ids=name_of)
def test_no_function_is_longer_than_a_page(path: Path) -> None:
    assert [node.name for node in functions(path) if n_lines_of(node) > 60] == []


@pytest.mark.parametrize("part", ["core", "analysis_server", "reaper_scripts", "benchmarks", "tests"])
def test_half_of_all_functions_are_within_six_lines(part: str) -> None:
    lengths = [
        n_lines_of(node, with_docstring=False) for path in HOUSE for node in functions(path) if is_in(path, part)
    ]
    assert statistics.median(lengths) <= 6


def test_every_module_says_what_it_is_for() -> None:
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if is_in(path, "core")], ids=name_of)
def test_what_takes_or_gives_arrays_tells_their_shape(path: Path) -> None:
    arrays = [(name, node) for name, node in public(path) if handles_arrays(node)]
    assert [name for name, node in arrays if not tells_shapes(node)] == []


def test_only_the_terminal_prints() -> None:
    printing = {name_of(path) for path in SOURCES for name, _ in calls(path) if name == "print"}
    assert printing <= PRINTS


def test_decibels_are_converted_in_one_place() -> None:
    by_hand = re.compile(r"10(\.0)? \*\* \(?[^)\n]*/ ?[12]0|[12]0(\.0)? \* (np|math)\.log10")
    elsewhere = [path for path in SOURCES if not re.match(r"core/(decibels|measuring/)|reaper_scripts/", name_of(path))]
    assert [name_of(path) for path in elsewhere if by_hand.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell() -> None:
    found = [
        f"{name_of(path)}: {name}"
        for path in SOURCES
        for name, call in calls(path)
        if name in ("eval", "exec", "compile", "os.system", "os.popen", "__import__")
        or any(word.arg in ("shell", "allow_pickle") and ast.unparse(word.value) != "False" for word in call.keywords)
    ]
    assert found == []
    dangerous = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
    assert [found for layer in ("core", "analysis_server") for found in forbidden(layer, *dangerous)] == []


def test_the_public_names_are_those_on_the_list() -> None:
    listed = PAGE.read_text(encoding="utf-8").splitlines()
    changed = sorted(set(listed).symmetric_difference(public_names()))
    assert changed == [], "meant to change? then `python -m tests.public_names --write`"


def test_the_error_tree_is_what_its_module_draws() -> None:
    classes = {
        name: {base.__name__ for base in thing.__mro__[1:]} & {"FaderwiseError", "InputError", "ValueError"}
        for name, thing in inspect.getmembers(errors, inspect.isclass)
        if issubclass(thing, BaseException)
    }
    assert classes == {
        "FaderwiseError": set(),
        "InputError": {"FaderwiseError", "ValueError"},
        "ModelError": {"FaderwiseError", "InputError", "ValueError"},
        "DiskFullError": {"FaderwiseError", "InputError", "ValueError"},
        "ServerError": {"FaderwiseError"},
        "Cancelled": {"FaderwiseError"},
    }


def test_every_error_that_leaves_a_module_is_of_that_tree() -> None:
    of_tree = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    of_python = {"ValueError", "argparse.ArgumentTypeError", "KeyboardInterrupt", "SystemExit", "NotImplementedError"}
    strangers = {
        f"{name_of(path)}: {what}"
        for layer in ("core", "analysis_server")
        for path in sorted((ROOT / layer).rglob("*.py"))
        for what in raised(path)
        if what[:1].isupper() and what not in of_tree | of_python | own_classes(path)
    }
    assert strangers == set()


def raised(path: Path) -> Iterator[str]:
    """Give what `path` raises, by name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)


def own_classes(path: Path) -> set[str]:
    """Return the classes `path` defines: an error of its own may pass between its functions."""
    return {node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)}
