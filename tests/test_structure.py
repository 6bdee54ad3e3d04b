"""Layering, import cycles, printing, dangerous calls and the exception hierarchy."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

import pytest

from core import errors

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("core", "analysis_server", "reaper_scripts")
SOURCES = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]
MAY_PRINT = {
    "analysis_server/terminal.py",
    "analysis_server/commands/options.py",
    "analysis_server/environment.py",
}
"""The terminal; the argument parser and the installer, which run before there is a terminal."""
LAYERS = {
    "core": (
        ("errors", "progress", "decibels", "wording", "fft", "files", "roles", "matching"),
        ("audio",),
        ("analysis",),
        ("gains",),
        ("models", "automation"),
        ("rpp",),
        ("runs",),
    ),
    "analysis_server": (
        ("paths", "environment", "models", "presets", "terminal"),
        ("sources", "runs", "report", "reaper_setup", "server"),
        ("training", "outputs", "doctor"),
        ("verbs",),
        ("commands", "reaper"),
        ("cli",),
    ),
}
"""Packages and modules from the bottom up. Each imports only from the layers below it; in the lowest layer also from
its neighbours."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree_of(path)))


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module that `path` imports, at any level of nesting."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: use absolute imports"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_imported(path: Path, modules: Set[str]) -> set[str]:
    """Return which of `modules` are imported by `path`."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else str(node.module) for name in full}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules


def forbidden(folder: str, *targets: str) -> list[str]:
    """Return the imports of any of `targets` in `folder`."""
    return [
        f"{name_of(path)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imported(path)
        if any(name == target or name.startswith(f"{target}.") for target in targets)
    ]


def public(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the public functions of `path` and the public methods of its public classes, with their names."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = (inner for inner in node.body if isinstance(inner, ast.FunctionDef))
            yield from ((f"{node.name}.{inner.name}", inner) for inner in methods if not inner.name.startswith("_"))


def undocumented_parameters(node: ast.FunctionDef) -> list[str]:
    """Return the parameters of a function with three or more that its Parameters section does not name."""
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    names = [one.arg for one in arguments if one.arg not in ("self", "cls", "progress") and not one.arg.startswith("_")]
    section = (ast.get_docstring(node) or "").partition("Parameters\n---")[2]
    return [name for name in names if len(names) >= 3 and not re.search(rf"\b{name}\b", section)]


def handles_arrays(node: ast.FunctionDef) -> bool:
    types = ast.unparse(node.args) + (ast.unparse(node.returns) if node.returns else "")
    return re.search(r"FloatArray|NDArray|Samples|ArrayLike", types) is not None


def documents_shapes(node: ast.FunctionDef) -> bool:
    return re.search(r"shape|axis|\((n|k)[_ ,)]|\(\d|\(\.\.\.", ast.get_docstring(node) or "") is not None


@cache
def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Return every call in `path` with the name of the function."""
    return [(ast.unparse(node.func), node) for node in nodes_of(path) if isinstance(node, ast.Call)]


def raised(path: Path) -> Iterator[str]:
    """Yield the name of every exception that `path` raises."""
    for node in nodes_of(path):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)


def test_the_sources_are_found() -> None:
    assert {name_of(path).split("/")[0] for path in SOURCES} == set(PARTS)
    assert len(SOURCES) > 40


def test_core_imports_neither_the_server_nor_reaper() -> None:
    assert forbidden("core", "analysis_server", "reaper_scripts", "reapy", "zmq", "tqdm", "platformdirs") == []


def test_the_server_does_not_import_reaper() -> None:
    assert forbidden("analysis_server", "reaper_scripts", "reapy", "reaper_python") == []


def test_reaper_scripts_import_neither_the_application_nor_its_libraries() -> None:
    assert forbidden("reaper_scripts", "core", "analysis_server", "numpy", "scipy", "soundfile", "zmq", "msgspec") == []


@pytest.mark.parametrize("part", LAYERS)
def test_packages_import_only_from_lower_layers(part: str) -> None:
    level = {name: number for number, names in enumerate(LAYERS[part]) for name in names}
    modules = [path for path in SOURCES if name_of(path).startswith(f"{part}/") and "." in module_of(path)]
    assert {module_of(path).split(".")[1] for path in modules} == level.keys()
    not_below = []
    for path in modules:
        package = module_of(path).split(".")[1]
        targets = {name.split(".")[1] for name in imported(path) if name.startswith(f"{part}.")} - {package}
        not_below += [
            f"{name_of(path)} imports {name}"
            for name in targets & level.keys()
            if level[name] > level[package] or 0 < level[name] == level[package]
        ]
    assert not_below == []


def test_no_import_cycles() -> None:
    modules = {module_of(path): path for path in SOURCES}
    arrows = {name: modules_imported(path, modules.keys()) - {name} for name, path in modules.items()}
    while leaves := {name for name, targets in arrows.items() if not targets}:
        arrows = {name: targets - leaves for name, targets in arrows.items() if name not in leaves}
    assert sorted(arrows) == []


def test_verbs_do_not_use_the_terminal() -> None:
    targets = ("analysis_server.commands", "analysis_server.terminal", "argparse", "tqdm", "sys")
    assert forbidden("analysis_server/verbs", *targets) == []


def test_every_module_has_a_docstring() -> None:
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path).startswith("core/")], ids=name_of)
def test_docstrings_of_array_functions_give_shapes(path: Path) -> None:
    arrays = [(name, node) for name, node in public(path) if handles_arrays(node)]
    assert [name for name, node in arrays if not documents_shapes(node)] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if name_of(path).startswith("core/")], ids=name_of)
def test_docstrings_describe_three_or_more_parameters(path: Path) -> None:
    found = {name: undocumented_parameters(node) for name, node in public(path)}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_only_the_terminal_prints() -> None:
    printing = {name_of(path) for path in SOURCES for name, _ in calls(path) if name == "print"}
    assert printing <= MAY_PRINT


def test_nothing_is_unpickled_evaluated_or_passed_to_a_shell() -> None:
    found = [
        f"{name_of(path)}: {name}"
        for path in SOURCES
        for name, call in calls(path)
        if name in ("eval", "exec", "compile", "os.system", "os.popen", "__import__")
        or any(word.arg in ("shell", "allow_pickle") and ast.unparse(word.value) != "False" for word in call.keywords)
    ]
    assert found == []
    dangerous = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
    assert [found for part in ("core", "analysis_server") for found in forbidden(part, *dangerous)] == []


def test_only_input_errors_are_value_errors() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)]
    assert all(issubclass(kind, errors.FaderwiseError) for kind in kinds)
    assert {kind.__name__ for kind in kinds if issubclass(kind, ValueError)} == {"InputError", "ModelError"}


def test_modules_raise_only_errors_of_the_hierarchy_or_their_own() -> None:
    known = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    known |= {"ValueError", "argparse.ArgumentTypeError", "KeyboardInterrupt", "SystemExit", "NotImplementedError"}
    unknown = {
        f"{name_of(path)}: {what}"
        for path in SOURCES
        if not name_of(path).startswith("reaper_scripts/")
        for what in raised(path)
        if what[:1].isupper() and what not in known | own_classes(path)
    }
    assert unknown == set()


def own_classes(path: Path) -> set[str]:
    return {node.name for node in nodes_of(path) if isinstance(node, ast.ClassDef)}
