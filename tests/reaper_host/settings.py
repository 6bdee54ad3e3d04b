"""What `SetExtState` stores: in memory, and in reaper-extstate.ini where it is to last. [e: HDR, USFT]"""

from __future__ import annotations

from pathlib import Path


class Settings:
    """Stored values by section and key, matched in any case."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lasting = _read(file)
        self._values = {section: dict(values) for section, values in self._lasting.items()}

    def get(self, section: str, key: str) -> str:
        """Return a value, or nothing."""
        return self._values.get(section.lower(), {}).get(key.lower(), "")

    def has(self, section: str, key: str) -> bool:
        """Return whether it exists."""
        return key.lower() in self._values.get(section.lower(), {})

    def set(self, section: str, key: str, value: str, persist: bool) -> None:
        """Store a value."""
        self._values.setdefault(section.lower(), {})[key.lower()] = value
        if persist:
            self._lasting.setdefault(section.lower(), {})[key.lower()] = value
            self._write()

    def delete(self, section: str, key: str, persist: bool) -> None:
        """Remove a value."""
        self._values.get(section.lower(), {}).pop(key.lower(), None)
        if persist:
            self._lasting.get(section.lower(), {}).pop(key.lower(), None)
            self._write()

    def _write(self) -> None:
        lines = []
        for section, values in self._lasting.items():
            lines.append(f"[{section}]")
            lines += [f"{key}={value}" for key, value in values.items()]
        self._file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read(file: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if line.startswith("["):
            section = line.strip("[]").lower()
        elif "=" in line:
            key, value = line.split("=", 1)
            found.setdefault(section, {})[key.lower()] = value
    return found
