"""The public names of core and of the analysis server, each with its parameters: `python -m tests.public_names`.

Whoever changes one on purpose writes the list anew with `--write`, and the change is seen for what it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "tests" / "golden" / "public_names.txt"
PACKAGES = ("core", "analysis_server")


def public_names() -> list[str]:
    """Return one line a public class, function and method, sorted by module."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [line for path in paths for line in _of_module(path)]


def _of_module(path: Path) -> Iterator[str]:
    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            yield from _of(node, f"{module}.{node.name}")


def _of(node: ast.ClassDef | ast.FunctionDef, name: str) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        yield f"{name}({', '.join(one.arg for one in named if one.arg not in ('self', 'cls'))})"
        return
    yield f"{name}({', '.join(ast.unparse(base) for base in node.bases)})"
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
            yield from _of(inner, f"{name}.{inner.name}")


if __name__ == "__main__":
    text = "\n".join(public_names()) + "\n"
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
