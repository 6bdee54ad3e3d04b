"""How good the matching of names is: `python benchmarks/names.py [--errors] [FILE...]`.

For each file of labelled names (all in tests/names, or those given) it prints the share of all names and of the
certain names that are labelled right, and the share of the returned buses that are right, with 95 % Wilson intervals.
`--errors` adds the names that are labelled wrong. Every name is matched alone, without the others of its session.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.matching import Match, match_name

NAMES = Path(__file__).resolve().parents[1] / "tests" / "names"


@dataclass(frozen=True)
class Labelled:
    """A name with the bus (or `not a bus`, `unknown`) that a person and the matcher gave it."""

    row: dict[str, str]
    match: Match

    @property
    def given(self) -> str:
        """The matcher's label."""
        return label_of(self.match)

    @property
    def is_right(self) -> bool:
        """Whether the matcher gave the person's label."""
        return self.given == self.row["bus"]


@dataclass(frozen=True)
class Share:
    """A share with its 95 % Wilson interval."""

    right: int
    of: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.right / self.of

    def __str__(self) -> str:
        z = 1.96
        middle = self.value + z * z / 2 / self.of
        half = z * math.sqrt(self.value * (1 - self.value) / self.of + z * z / 4 / self.of**2)
        low, high = (100 * (middle + sign * half) / (1 + z * z / self.of) for sign in (-1, 1))
        return f"{self.right:4}/{self.of:<4} {100 * self.value:5.1f} % ({low:.1f} to {high:.1f})"


def label_of(match: Match) -> str:
    """Return the match in the terms of the files: a bus, `unknown` or `not a bus`."""
    return match.bus or ("unknown" if match.bar == "unknown" else "not a bus")


def labelled(path: Path) -> list[Labelled]:
    """Match every name of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Labelled(row, match_name(row["name"], kind=row["kind"], context=row["context"] or None)) for row in rows]


def shares(names: list[Labelled]) -> dict[str, Share]:
    """Return the shares of names and buses that are right."""
    groups = {
        "all names": names,
        "certain names": [name for name in names if name.row["certain"] == "yes"],
        "returned buses": [name for name in names if name.match.bus],
    }
    return {name: Share(sum(one.is_right for one in group), len(group)) for name, group in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--errors", action="store_true", help="print the names that are labelled wrong")
    arguments = parser.parse_args()
    for path in arguments.files or sorted(NAMES.glob("*.tsv")):
        names = labelled(path)
        for group, share in shares(names).items():
            print(f"{path.name:14} {group:15} {share}")
        for name in names if arguments.errors else ():
            if not name.is_right:
                row = name.row
                print(f"  {row['name']} [{row['context']}]: {name.given}, not {row['bus']} (certain: {row['certain']})")


if __name__ == "__main__":
    main()
