"""Damaged input is used or refused with one line, a few trials of each kind by default and hundreds in the slow tests.

`python benchmarks/fuzz.py` runs any number of trials and repeats a single one.
"""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from tests.fuzz import material, messages
from tests.fuzz.campaign import run
from tests.fuzz.kinds import KINDS
from tests.server.conftest import Running, running
from tests.server.raw_client import RawClient

SEED = 20
FEW, MANY = 6, 250


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_is_used_or_refused(kind: str, tmp_path: Path) -> None:
    outcome = run(kind, SEED, range(FEW), tmp_path)
    assert outcome.problems == {}
    assert outcome.count == FEW


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_much_damaged_input_is_used_or_refused(kind: str, tmp_path: Path) -> None:
    outcome = run(kind, SEED + 1, range(MANY), tmp_path)
    assert outcome.problems == {}
    assert outcome.count == MANY
    assert outcome.results["refused"] > 0


def test_a_process_without_progress_is_reported_as_hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.campaign.HANG_CPU_S", -1.0)
    outcome = run("models", SEED, [0], tmp_path)
    assert outcome.results["hang"] == 1
    assert outcome.problems


def test_the_undamaged_messages_are_answered_without_errors(tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server:
        for title, gain in {"song": 1.0, "other": 0.8}.items():
            material.write_song(tmp_path / "songs" / title, gain)
        valid = messages.requests(str(tmp_path / "songs"))
        answers = [_answer(server, messages.whole(each, f"{n:024}")) for n, each in enumerate(valid)]
    assert [answer for answer in answers if answer.get("code") not in (None, "unknown_job")] == []


def _answer(server: Running, request: dict[str, object]) -> dict[str, object]:
    with RawClient(server.folder) as client:
        client.socket.send(msgpack.packb(request))
        return messages.last_answer(client)
