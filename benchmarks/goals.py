"""The figures of benchmarks and their goals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A measured figure and its goal."""

    name: str
    value: float
    goal: float
    at_least: bool
    unit: str = "x"

    @property
    def is_met(self) -> bool:
        """Whether the figure meets its goal."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        verdict = "met" if self.is_met else "missed"
        return f"{self.name:58} {self.value:9.3g} {self.unit:2}  goal: {bound} {self.goal:g}  {verdict}"
