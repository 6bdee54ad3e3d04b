"""Stages process the items in order, regardless of the threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from core.audio.blocks import InTurn

N_THREADS = 4


def taken_by_threads(turns: InTurn[int]) -> list[int]:
    """What several threads are given, all together."""
    with ThreadPoolExecutor(N_THREADS) as pool:
        return sorted(chain.from_iterable(pool.map(list, [turns] * N_THREADS)))


def test_every_stage_gets_every_item_once_and_in_order() -> None:
    seen: list[list[int]] = [[], [], []]
    turns = InTurn(range(200), [of_stage.append for of_stage in seen])
    assert taken_by_threads(turns) == list(range(200))
    assert seen == [list(range(200))] * 3


def test_a_stage_takes_one_item_at_a_time_while_others_work() -> None:
    at_work = [0, 0]
    most_at_work = [0, 0]
    together: set[tuple[int, int]] = set()

    def stage(number: int) -> None:
        at_work[number] += 1
        most_at_work[number] = max(most_at_work[number], at_work[number])
        together.add((at_work[0], at_work[1]))
        time.sleep(2e-3)
        at_work[number] -= 1

    taken_by_threads(InTurn(range(40), [lambda _: stage(0), lambda _: stage(1)]))
    assert most_at_work == [1, 1]
    assert (1, 1) in together


def test_a_failure_in_one_stage_ends_all() -> None:
    def stage(item: int) -> None:
        if item == 3:
            raise ValueError("the third")

    turns = InTurn(range(100), [stage, lambda _: None])
    with ThreadPoolExecutor(N_THREADS) as pool:
        asked = [pool.submit(list, turns) for _ in range(N_THREADS)]
    assert [str(future.exception()) for future in asked] == ["the third"] * N_THREADS


def test_nothing_is_yielded_after_the_end() -> None:
    turns = InTurn(range(10))
    assert next(turns) == 0
    turns.end()
    assert list(turns) == []


def test_an_item_in_flight_is_yielded_after_the_end() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def stage(_item: int) -> None:
        entered.set()
        assert go_on.wait(300.0)

    turns = InTurn(range(10), [stage])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(next, turns)
        assert entered.wait(300.0)
        turns.end()
        go_on.set()
    assert first.result() == 0
    assert list(turns) == []


def test_an_error_of_the_source_is_raised() -> None:
    def items():
        yield 1
        raise OSError("unplugged")

    turns = InTurn(items())
    with pytest.raises(OSError, match="unplugged"):
        list(turns)
    with pytest.raises(OSError, match="unplugged"):
        next(turns)
