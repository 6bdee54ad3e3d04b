"""The server: one socket, one loop. Whatever takes time happens elsewhere."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import time
from collections.abc import Callable

import msgspec
import zmq

from analysis_server.server.authenticator import DOMAIN, Authenticator
from analysis_server.server.connection import Connection, ServerLock, remove_connection, write_connection
from analysis_server.server.desk import Desk, Inbox
from analysis_server.server.job_runner import JobRunner
from analysis_server.server.keys import private_folder, server_keys
from analysis_server.server.logs import Log
from analysis_server.server.messages import PROTOCOL_VERSION, Answer
from analysis_server.server.pool import Pool
from analysis_server.server.service import Service
from analysis_server.server.settings import LONGEST_MESSAGE_BYTES, Settings
from analysis_server.server.uploads import Uploads
from core import __version__
from core.errors import ServerError

_HANDSHAKE_MS = 3_000
_PING_MS, _GONE_MS = 10_000, 30_000
_BACKLOG = 256
_WAITING_MESSAGES = 1_000
_TICK_MS = 50
_TEND_EVERY_S = 0.05
_MESSAGES_A_TURN = 100


def serve(settings: Settings, on_up: Callable[[Connection], None], stopping: Callable[[], bool]) -> bool:
    """Serve until told to stop, until idle for long, or until `stopping` says so; False if another server is up.

    Raises
    ------
    ServerError
        The address cannot be listened at, or a key file is damaged.
    """
    lock = ServerLock(settings.folder)
    if not lock.take():
        return False
    try:
        shutil.rmtree(settings.spool, ignore_errors=True)
        private_folder(settings.spool)
        private_folder(settings.cache)
        _serve_alone(settings, on_up, stopping)
    finally:
        shutil.rmtree(settings.spool, ignore_errors=True)
        lock.release()
    return True


def _serve_alone(settings: Settings, on_up: Callable[[Connection], None], stopping: Callable[[], bool]) -> None:
    context = zmq.Context()
    log = Log(settings.logs)
    authenticator = Authenticator(context, settings.folder)
    inbox = Inbox(context)
    desk, pool = Desk(inbox), Pool(settings, inbox)
    socket = context.socket(zmq.ROUTER)
    try:
        connection = _bound(socket, settings)
        loop = _Loop(settings, socket, inbox=inbox, desk=desk, pool=pool, log=log)
        pool.tend()
        write_connection(settings.folder, connection)
        log.write("started", pid=connection.pid, address=connection.address, program=connection.program)
        on_up(connection)
        loop.run(stopping)
    finally:
        remove_connection(settings.folder, os.getpid())
        pool.close()
        desk.close()
        socket.close(linger=500)
        inbox.close()
        authenticator.close()
        context.term()
        log.write("stopped", pid=os.getpid())
        log.close()


def _bound(socket: zmq.Socket[bytes], settings: Settings) -> Connection:
    """Set the socket's limits, bind it, and return how to reach it."""
    keys = server_keys(settings.folder)
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
    socket.zap_domain = DOMAIN
    socket.maxmsgsize = LONGEST_MESSAGE_BYTES
    socket.handshake_ivl = _HANDSHAKE_MS
    socket.backlog = _BACKLOG
    socket.rcvhwm = socket.sndhwm = _WAITING_MESSAGES
    socket.heartbeat_ivl, socket.heartbeat_timeout = _PING_MS, _GONE_MS
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    socket.ipv6 = ":" in settings.host
    try:
        socket.bind(f"tcp://{host}:{settings.port or '*'}")
    except zmq.ZMQError as error:
        raise ServerError(
            f"{settings.host}:{settings.port}: cannot be listened at ({error}); choose another"
        ) from error
    return Connection(
        protocol=PROTOCOL_VERSION,
        address=socket.getsockopt_string(zmq.LAST_ENDPOINT),
        public_key=keys.public,
        pid=os.getpid(),
        program=__version__,
    )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server that listens at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Loop:
    """Reads requests, posted work and the clock, in turn."""

    def __init__(
        self, settings: Settings, socket: zmq.Socket[bytes], *, inbox: Inbox, desk: Desk, pool: Pool, log: Log
    ) -> None:
        self._settings, self._socket, self._inbox, self._pool, self._log = settings, socket, inbox, pool, log
        uploads = Uploads(settings.spool / "uploads", settings.upload_bytes, settings.upload_age_s)
        self._runner = JobRunner(settings, self._send, pool=pool, desk=desk, uploads=uploads, log=log)
        self._service = Service(settings, self._send, runner=self._runner, desk=desk, uploads=uploads)
        self._busy_s = time.monotonic()
        self._tend_at_s = 0.0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Go round until it is time to stop, then end what runs."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._inbox.socket, zmq.POLLIN)
        gc.freeze()
        while not stopping() and not self._is_over():
            ready = dict(poller.poll(_TICK_MS))
            if self._inbox.socket in ready:
                self._inbox.do_posted()
            if self._socket in ready:
                self._read()
            self._tend()
        self._runner.stop()

    def _read(self) -> None:
        for _ in range(_MESSAGES_A_TURN):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._busy_s = time.monotonic()
            self._service.take(parts[0], parts[1] if len(parts) == 2 else b"")

    def _tend(self) -> None:
        now = time.monotonic()
        if now >= self._tend_at_s:
            self._tend_at_s = now + _TEND_EVERY_S
            self._pool.tend()
            self._runner.tend()
            self._runner.start_waiting()

    def _is_over(self) -> bool:
        n_open = self._runner.book.count("running") + self._runner.book.count("queued")
        if n_open:
            self._busy_s = time.monotonic()
        if self._service.stop is not None:
            return self._service.stop == "now" or not n_open
        idle_s = time.monotonic() - self._busy_s
        return bool(self._settings.idle_s) and idle_s > self._settings.idle_s

    def _send(self, peer: bytes, answer: Answer) -> None:
        try:
            self._socket.send_multipart([peer, msgspec.msgpack.encode(answer)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            self._log.write("not sent", reason=str(error))
