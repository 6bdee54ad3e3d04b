"""Short work beside the socket loop, and the way back into it.

Threads never touch the loop's sockets: they post what is to be done, and the loop does it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import zmq

Given = TypeVar("Given")
_ADDRESS = "inproc://inbox"
_N_THREADS = 2


class Inbox:
    """What other threads want done in the loop; `socket` becomes readable when there is something."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.PULL)
        self.socket.bind(_ADDRESS)
        self._bell = context.socket(zmq.PUSH)
        self._bell.linger = 0
        self._bell.connect(_ADDRESS)
        self._lock = threading.Lock()
        self._posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def post(self, action: Callable[[], None]) -> None:
        """Have the loop call `action`; may be called from any thread, until `close`."""
        with self._lock:
            self._posted.put(action)
            if not self._bell.closed:
                self._ring()

    def _ring(self) -> None:
        try:
            self._bell.send(b"", zmq.NOBLOCK)
        except zmq.Again:  # it has been ringing for a while
            return

    def do_posted(self) -> None:
        """Call everything that was posted."""
        while self.socket.poll(0):
            self.socket.recv()
        while not self._posted.empty():
            self._posted.get()()

    def close(self) -> None:
        """Close the sockets; what is posted later is never done."""
        with self._lock:
            self._bell.close()
        self.socket.close()


class Desk:
    """Does short work, such as looking into the cache, on a few threads of its own."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._threads = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="desk")

    def ask(self, work: Callable[[], Given], on_done: Callable[[Given | BaseException], None]) -> None:
        """Do `work` on a thread, then have the loop call `on_done` with what it gave or raised."""

        def back(future: Future[Given]) -> None:
            error = future.exception()
            outcome = error if error is not None else future.result()
            self._inbox.post(lambda: on_done(outcome))

        self._threads.submit(work).add_done_callback(back)

    def close(self) -> None:
        """Take no more work, and wait for what is being done."""
        self._threads.shutdown(cancel_futures=True)
