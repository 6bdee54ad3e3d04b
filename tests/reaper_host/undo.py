"""The undo history of one project: whole states, a block at a time. [b: N782]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reaper_host.undo_flags import left_out

if TYPE_CHECKING:
    from tests.reaper_host.project_state import Project

LEFT_OPEN = "ReaScript: Run"
"""What REAPER calls a block that a defer cycle left open. [b: N782]"""


@dataclass(frozen=True)
class Step:
    """A state and what led to it."""

    name: str
    content: bytes


class History:
    """The states a project was in; `open_blocks` counts blocks that were started and not ended."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.steps = [Step("", project.to_bytes())]
        self._at = 0
        self.open_blocks = 0

    def begin(self) -> None:
        """Begin a block."""
        self.open_blocks += 1

    def end(self, name: str) -> None:
        """End a block; the outermost adds a step, and so does one that was not started. [INF]"""
        self.open_blocks = max(self.open_blocks - 1, 0)
        if self.open_blocks == 0:
            self.record(name)

    def left_out(self, flags: int) -> list[str]:
        """Return what changed since the last step and is not in `flags`."""
        return left_out(self.steps[self._at].content, self._project.to_bytes(), flags)

    def close_left_open(self) -> bool:
        """Close a block that is still open at the end of a cycle; return whether there was one. [b: N782]"""
        was_open = self.open_blocks > 0
        if was_open:
            self.open_blocks = 0
            self.record(LEFT_OPEN)
        return was_open

    def record(self, name: str) -> None:
        """Add a step if the project differs from the last one; an empty block adds none. [b: N782]"""
        content = self._project.to_bytes()
        self._project.state_count += 1
        if content != self.steps[self._at].content:
            del self.steps[self._at + 1 :]
            self.steps.append(Step(name, content))
            self._at += 1
            self._project.is_dirty = True

    @property
    def can_undo(self) -> str | None:
        """The name of the step that would be undone."""
        return self.steps[self._at].name if self._at > 0 else None

    @property
    def can_redo(self) -> str | None:
        """The name of the step that would be redone."""
        return self.steps[self._at + 1].name if self._at + 1 < len(self.steps) else None

    def undo(self, keeps_stored: bool = False) -> bool:
        """Go back to the whole state before the last step; what was not recorded is lost too. [b: N782]

        With `keeps_stored`, the data that scripts stored in the project is kept.
        """
        return self._go(-1, keeps_stored) if self.can_undo is not None else False

    def redo(self, keeps_stored: bool = False) -> bool:
        """Go forward again."""
        return self._go(1, keeps_stored) if self.can_redo is not None else False

    def _go(self, by: int, keeps_stored: bool) -> bool:
        stored = self._project.ext_state
        self._at += by
        self._project.restore(self.steps[self._at].content)
        if keeps_stored:
            self._project.ext_state = stored
        self._project.state_count += 1
        return True
