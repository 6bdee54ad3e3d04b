"""The server: one socket and one loop, which never waits for anything but messages."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zmq
from zmq.auth.thread import ThreadAuthenticator

from analysis_server.paths import fingerprint, home, private_folder
from analysis_server.server.jobs import Jobs, Log
from analysis_server.server.protocol import (
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    VERBS,
    Answer,
    Cancel,
    Done,
    Failure,
    GetState,
    Hello,
    Limits,
    Request,
    Run,
    ServerState,
    Shutdown,
    Welcome,
    error,
    failure_of,
)
from analysis_server.server.security import (
    AuthorizedKeys,
    Connection,
    ServerLock,
    authorized_keys,
    remove_connection,
    server_keys,
    write_connection,
)
from analysis_server.server.worker import Workers
from core import __version__
from core.errors import FaderwiseError, InputError, ServerError

_DOMAIN = b"faderwise"
_HANDSHAKE_MS = 3_000
_PING_MS, _PING_TIMEOUT_MS = 10_000, 30_000
_BACKLOG = 256
_WAITING_MESSAGES = 1_000
_POLL_MS = 50
_MESSAGES_PER_TURN = 100
_KEYS_CHECK_S = 1.0
_REBIND_S = 2.0


def _default_workers() -> int:
    return max(2, (os.cpu_count() or 1) // 2)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A server's settings.

    Attributes
    ----------
    folder : the data folder; keys, connection file, lock and log are stored in it.
    host, port : the loopback address to listen at; port 0 takes a free one.
    n_workers : how many jobs run at once.
    idle_s : stop after this time without a request or a job; 0 never.
    queued_jobs : how many jobs may wait.
    kept_results, result_age_s : how many finished jobs are kept, and for how long.
    """

    folder: Path = field(default_factory=home)
    host: str = "127.0.0.1"
    port: int = 0
    n_workers: int = field(default_factory=_default_workers)
    idle_s: float = 30 * 60.0
    queued_jobs: int = 128
    kept_results: int = 1000
    result_age_s: float = 3600.0

    @property
    def limits(self) -> Limits:
        """The limits that clients are sent."""
        return Limits(
            message_bytes=MAX_MESSAGE_BYTES,
            queued_jobs=self.queued_jobs,
            kept_results=self.kept_results,
            result_age_s=self.result_age_s,
        )

    @property
    def spool(self) -> Path:
        """The workers' temporary files; emptied when a server starts."""
        return self.folder / "server" / "spool"


def serve(settings: Settings, on_start: Callable[[Connection], None], should_stop: Callable[[], bool]) -> bool:
    """Serve until a client stops the server, it was idle for `idle_s`, or `should_stop` returns True.

    Parameters
    ----------
    settings : where to listen, and the limits.
    on_start : called when clients can connect.
    should_stop : called several times a second.

    Returns
    -------
    False if another server of this data folder is running.

    Raises
    ------
    InputError
        The address is not a loopback address.
    ServerError
        The address cannot be used, or a key file is damaged or not private.
    """
    if not is_loopback(settings.host):
        raise InputError("not a loopback address", option="--bind", remedy="use 127.0.0.1 or [::1]")
    lock = ServerLock(settings.folder)
    if not lock.take():
        return False
    try:
        shutil.rmtree(settings.spool, ignore_errors=True)
        private_folder(settings.folder, "server", "spool")
        _Server(settings).run(on_start, should_stop)
    finally:
        shutil.rmtree(settings.spool, ignore_errors=True)
        lock.release()
    return True


def is_loopback(host: str) -> bool:
    """Return whether `host` is an address that only this machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = server_keys(settings.folder)
        self._authorized = authorized_keys(settings.folder)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._log = Log(settings.folder)
        self._decoder = msgspec.msgpack.Decoder(Request)
        self._stop_when: str | None = None
        self._started_s = self._busy_s = time.monotonic()
        self._next_keys_check_s = 0.0
        self._reported_keys: set[str] = set()

    def run(self, on_start: Callable[[Connection], None], should_stop: Callable[[], bool]) -> None:
        authenticator = ThreadAuthenticator(self._context)
        authenticator.configure_curve_callback(_DOMAIN.decode(), AuthorizedKeys(self._settings.folder))
        authenticator.start()
        self._workers = Workers(self._settings.folder, self._settings.n_workers, self._context)
        self._jobs = Jobs(self._settings.limits, self._send, workers=self._workers, log=self._log)
        self._socket = self._context.socket(zmq.ROUTER)
        try:
            host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
            self._bind(f"tcp://{host}:{self._settings.port or '*'}")
            self._address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
            connection = Connection(
                protocol=PROTOCOL_VERSION,
                address=self._address,
                public_key=self._keys.public,
                pid=os.getpid(),
                program=__version__,
            )
            self._workers.start_missing()
            write_connection(self._settings.folder, connection)
            self._log.write("started", pid=connection.pid, address=connection.address, program=connection.program)
            on_start(connection)
            gc.freeze()
            self._loop(should_stop)
            self._jobs.stop()
        finally:
            remove_connection(self._settings.folder, os.getpid())
            self._workers.close()
            self._socket.close(linger=500)
            authenticator.stop()
            self._context.term()
            self._log.write("stopped", pid=os.getpid())
            self._log.close()

    def _bind(self, address: str) -> None:
        """Configure the socket's security and limits, and listen."""
        socket = self._socket
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = self._keys.public.encode(), self._keys.secret.encode()
        socket.zap_domain = _DOMAIN
        socket.maxmsgsize = MAX_MESSAGE_BYTES
        socket.handshake_ivl = _HANDSHAKE_MS
        socket.backlog = _BACKLOG
        socket.rcvhwm = socket.sndhwm = _WAITING_MESSAGES
        socket.heartbeat_ivl, socket.heartbeat_timeout = _PING_MS, _PING_TIMEOUT_MS
        socket.ipv6 = "[" in address
        try:
            socket.bind(address)
        except zmq.ZMQError as problem:
            raise ServerError(f"cannot listen at {address} ({problem})", remedy="choose another address") from problem

    def _loop(self, should_stop: Callable[[], bool]) -> None:
        next_upkeep_s = 0.0
        while not should_stop() and not self._is_over():
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(self._workers.socket, zmq.POLLIN)
            ready = dict(poller.poll(_POLL_MS))
            while self._workers.socket in ready and self._workers.socket.poll(0):
                message = self._workers.receive()
                if message is not None:
                    self._jobs.take(message)
            if self._socket in ready:
                self._read_requests()
            if time.monotonic() >= next_upkeep_s:
                next_upkeep_s = time.monotonic() + _POLL_MS / 1000.0
                self._workers.start_missing()
                self._jobs.discard_old()
                self._check_keys()
            self._jobs.start_waiting()

    def _is_over(self) -> bool:
        n_open = self._jobs.count("running") + self._jobs.count("queued")
        if n_open:
            self._busy_s = time.monotonic()
        if self._stop_when is not None:
            return self._stop_when == "now" or not n_open
        return bool(self._settings.idle_s) and time.monotonic() - self._busy_s > self._settings.idle_s

    def _check_keys(self) -> None:
        """Close all connections when a key is no longer authorized; the other clients connect again by themselves."""
        if time.monotonic() < self._next_keys_check_s:
            return
        self._next_keys_check_s = time.monotonic() + _KEYS_CHECK_S
        try:
            authorized = authorized_keys(self._settings.folder, self._report_key)
        except (OSError, ServerError) as problem:
            self._log.write("keys not read", reason=str(problem))
            return
        is_revoked, self._authorized = bool(self._authorized - authorized), authorized
        if not is_revoked:
            return
        self._log.write("keys revoked")
        self._socket.close(linger=0)
        self._jobs.detach_all()
        give_up_s = time.monotonic() + _REBIND_S
        while True:
            self._socket = self._context.socket(zmq.ROUTER)
            try:
                self._bind(self._address)
                return
            except ServerError:
                self._socket.close(linger=0)
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(0.02)  # until the old socket has let go of the port

    def _report_key(self, problem: ServerError) -> None:
        if str(problem) not in self._reported_keys:
            self._reported_keys.add(str(problem))
            self._log.write("key ignored", reason=str(problem))

    def _read_requests(self) -> None:
        for _ in range(_MESSAGES_PER_TURN):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._busy_s = time.monotonic()
            self._handle(parts[0], parts[1] if len(parts) == 2 else b"")

    def _handle(self, peer: bytes, content: bytes) -> None:
        try:
            request = self._decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            failure = Failure(code="malformed", problem=f"the message is not a valid request: {problem}")
            self._send(peer, error(_id_in(content), failure))
            return
        try:
            self._answer(peer, request)
        except ServerError as problem:
            self._send(peer, error(request.id, failure_of(problem), getattr(request, "job", None)))

    def _answer(self, peer: bytes, request: Request) -> None:
        version = getattr(request, "version", None)
        if version is not None and version != PROTOCOL_VERSION:
            problem = f"the request uses protocol version {version}, this server supports {PROTOCOL_VERSION}"
            raise ServerError(problem, "version")
        match request:
            case Hello():
                self._send(peer, self._welcome(request))
            case Run():
                if request.verb not in VERBS:
                    raise ServerError(f"unknown verb {request.verb!r}", "request")
                if not Path(request.folder).is_absolute():
                    raise ServerError("`folder` is not an absolute path", "request")
                self._jobs.run(peer, request, is_stopping=self._stop_when is not None)
            case Cancel():
                self._jobs.cancel(request.job, peer, request.id)
            case GetState(job=None):
                self._send(peer, self._state(request.id))
            case GetState(job=job):
                assert job is not None  # noqa: S101 - the case above
                self._jobs.attach(job, peer, request.id)
            case Shutdown():
                self._stop_when = "now" if self._stop_when == "now" else request.when
                self._send(peer, Done(id=request.id))

    def _welcome(self, request: Hello) -> Welcome:
        if PROTOCOL_VERSION not in request.versions:
            theirs = ", ".join(map(str, request.versions)) or "none"
            problem = f"this server (Faderwise {__version__}) supports protocol version {PROTOCOL_VERSION}"
            raise ServerError(f"{problem}, the client {theirs}", "version")
        return Welcome(
            id=request.id,
            version=PROTOCOL_VERSION,
            program=__version__,
            fingerprint=fingerprint(),
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started_s,
            verbs=list(VERBS),
            limits=self._settings.limits,
        )

    def _state(self, request_id: str) -> ServerState:
        return ServerState(
            id=request_id,
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started_s,
            workers=self._workers.n_ready,
            running=self._jobs.count("running"),
            queued=self._jobs.count("queued"),
            finished=self._jobs.count("finished"),
        )

    def _send(self, peer: bytes, answer: Answer) -> None:
        try:
            self._socket.send_multipart([peer, msgspec.msgpack.encode(answer)], zmq.NOBLOCK)
        except zmq.ZMQError as problem:
            self._log.write("not sent", reason=str(problem))


class _IdOnly(msgspec.Struct):
    id: str


def _id_in(content: bytes) -> str:
    """Return the id of a request that is otherwise invalid, or an empty text."""
    try:
        return msgspec.msgpack.decode(content, type=_IdOnly).id[:64]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def main() -> int:
    """Run a server in the background, as a client starts it; return 0 also when another one is running."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    settings = Settings()
    try:
        serve(settings, lambda _connection: None, stopped.is_set)
    except FaderwiseError as problem:
        log = Log(settings.folder)
        log.write("not started", reason=str(problem))
        log.close()
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
