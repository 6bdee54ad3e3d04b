"""Process items on several threads and return the results in order.

A block of audio must be read from every file after the block before it, but while one thread reads the second file,
another may read the next block from the first. One lock for the whole of reading would have the threads wait for
each other at every block, and fall into step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class InTurn(Generic[Item]):
    """Gives each of `items` once, after it has passed every stage, to whichever thread asks.

    A stage sees one item at a time, and the items in their order. Once anything has failed, it fails for all.

    Parameters
    ----------
    items : what is given.
    stages : called one after the other with an item, by the thread that asked for it.
    """

    def __init__(self, items: Iterable[Item], stages: Sequence[Callable[[Item], object]] = ()) -> None:
        self._items = iter(items)
        self._stages = stages
        self._turns = [threading.Lock() for _ in range(len(stages) + 1)]
        self._failure: BaseException | None = None

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        turn = self._turns[0]
        turn.acquire()
        try:
            self._fail_with_others()
            item = next(self._items)
            for stage, following in zip(self._stages, self._turns[1:], strict=True):
                following.acquire()  # before the turn is passed on, so that nobody overtakes
                turn.release()
                turn = following
                self._fail_with_others()
                stage(item)
        except StopIteration:
            raise
        except BaseException as error:
            self._failure = error
            raise
        else:
            return item
        finally:
            turn.release()

    def end(self) -> None:
        """Begin no more items; those on their way are given."""
        self._items = iter(())

    def _fail_with_others(self) -> None:
        if self._failure is not None:
            raise self._failure
