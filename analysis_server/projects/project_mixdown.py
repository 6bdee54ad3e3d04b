"""The mixdown of a project: where it was rendered to, or beside it."""

from __future__ import annotations

from pathlib import Path

from core import roles
from core.audio.reading import EXTENSIONS, AudioFile, inspect
from core.rpp.project import Project


def find_mixdown(project: Project, chosen: str | None) -> AudioFile | None:
    """Return the mixdown: the chosen one, else where the project was rendered to, else a mix beside it."""
    named = named_file(project, chosen)
    if named is not None:
        return inspect(named)
    rendered = project.folder / project.render_file.replace("\\", "/")
    folders = [rendered, project.folder] if project.render_file else [project.folder]
    found = [rendered] if rendered.suffix.lower() in EXTENSIONS and rendered.is_file() else []
    for folder in folders:
        found += [path for path in _audio_in(folder) if _is_mix_of(project, path)]
    return inspect(found[0]) if found else None


def named_file(project: Project, chosen: str | None) -> Path | None:
    """Return the file that was chosen, from the project's folder where it lies there."""
    if chosen is None:
        return None
    beside = project.folder / chosen
    return beside if beside.is_file() else Path(chosen)


def _audio_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS and path.is_file()]


def _is_mix_of(project: Project, path: Path) -> bool:
    return path.stem == project.path.stem or roles.is_mixdown(path.stem)
