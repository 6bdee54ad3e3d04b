"""A few dozen of the trials that `python benchmarks/fuzz.py` makes by the thousand."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest

from tests.fuzz import material, messages
from tests.fuzz.campaign import run
from tests.fuzz.kinds import KINDS
from tests.server.conftest import Running, running
from tests.server.raw_client import RawClient

COUNT = int(os.environ.get("FADERWISE_FUZZ_COUNT", "25"))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_is_used_or_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    outcome = run(kind, 20, range(COUNT), tmp_path)
    assert outcome.problems == {}
    assert outcome.count == COUNT
    assert outcome.ends["refused"] > 0


def test_a_watched_process_that_tells_nothing_is_called_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.campaign.HANG_S", 0.0)
    outcome = run("models", 20, [0], tmp_path)
    assert outcome.ends["hang"] == 1
    assert outcome.problems


def test_the_material_is_sound_before_it_is_damaged(tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server:
        for title in ("song", "other"):
            material.write_song(tmp_path / "songs" / title)
        sound = messages.requests(str(tmp_path / "songs"))
        answers = [_answer(server, messages.whole(each, f"{n:024}")) for n, each in enumerate(sound)]
    assert [answer for answer in answers if answer.get("code") not in (None, "unknown_job", "upload")] == []


def _answer(server: Running, request: dict[str, object]) -> dict[str, object]:
    with RawClient(server.folder) as client:
        client.socket.send(msgpack.packb(request))
        return messages.last_answer(client)
