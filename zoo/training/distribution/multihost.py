"""Several hosts that train one model: they meet, agree on every step, and end together when one of them is lost.

JAX exchanges tensors, values and requests to stop. To a host that is missing, started twice or lost, and to a port that
is taken, it answers with an abort of the process; so the hosts first meet here, at the address of host 0, where each
proves that it knows the token, and stay connected, which shows when one is lost.
"""

import collections
import contextlib
import ctypes
import functools
import json
import os
import queue
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from zoo import env
from zoo.errors import UserError
from zoo.training import provenance
from zoo.training.run_config import flatten_run_config
from zoo.training.stopping import Stopper

CONNECT_TIMEOUT = 120.0  # seconds for all hosts to connect
NOTICE_AFTER = 2.0  # seconds until a waiting host prints a notice
HEARTBEAT_INTERVAL = 5.0  # seconds between heartbeats
HEARTBEAT_TIMEOUT = 30.0  # seconds of silence after which a host is lost; less than JAX's, which aborts
MAX_MESSAGE_BYTES = 2 ** 20
OWN_ERROR_SECONDS = 1.0  # how long after the loss of a host this one may report an error of its own instead
EXIT_HOST_LOST = 8  # exit status
BROKEN_CONNECTION = (OSError, EOFError, ValueError, KeyError, TypeError, AuthenticationError)


class HostGroup:
    """The connections of host `index` to the others, made by `connect_hosts`; `addresses`: HOST:PORT of all hosts."""

    def __init__(self, addresses, index, connections):
        self.addresses, self.index, self.connections = addresses, index, connections  # {host: Connection}
        self.closed, self.lock, self.exit_lock = threading.Event(), threading.Lock(), threading.Lock()
        self.stderr = os.dup(2)  # fd 2 is redirected
        for host, connection in connections.items():
            threading.Thread(target=self._watch, args=(host, connection), daemon=True).start()
        threading.Thread(target=self._send_heartbeats, daemon=True).start()

    def initialize_jax(self):
        """Start JAX's own service, at the port after that of host 0, on all hosts; before any device is used."""
        import jax

        delay_abort()
        host, port = split_address(self.addresses[0])
        jax.distributed.initialize(f"{host}:{port + 1}", len(self.addresses), self.index,
                                   cluster_detection_method="deactivate",
                                   coordinator_bind_address=f"{env.get_bind_address(host)}:{port + 1}")
        counts = collections.Counter(device.process_index for device in jax.devices())
        if len(set(counts.values())) > 1:
            text = ", ".join(f"host {host} has {counts[host]}" for host in sorted(counts))
            raise UserError(f"all hosts must train on the same number of devices, but {text}; select them with --gpu")

    def delay_backend_messages(self):
        """Let what C++ code writes to stderr appear two seconds later, and so not at all when a host is lost."""
        def forward():
            while data := os.read(reader, 65536):
                time.sleep(2 * OWN_ERROR_SECONDS)
                os.write(self.stderr, data)

        reader, writer = os.pipe()
        sys.stderr = os.fdopen(os.dup(self.stderr), "w", buffering=1)
        os.dup2(writer, 2)
        threading.Thread(target=forward, daemon=True).start()

    def gather(self, number):
        """Return the array of the integers `number` of all hosts, which must make these calls in the same order."""
        import numpy as np
        from jax.experimental import multihost_utils

        return multihost_utils.process_allgather(np.int32(number))

    def broadcast(self, function):
        """Return the result of `function`, which is called on host 0 only; it must be JSON-serializable.

        All hosts must make these calls in the same order.
        """
        import numpy as np
        from jax.experimental import multihost_utils

        data = json.dumps(function()).encode() if self.index == 0 else b""
        size = self.gather(len(data))[0]
        array = np.frombuffer(data.ljust(size), np.uint8)
        return json.loads(bytes(multihost_utils.broadcast_one_to_all(array)))

    def close(self):
        """Announce the exit of this host: from now on, lost connections are ignored."""
        self.closed.set()
        self._send("closed")

    def _send(self, message):
        with self.lock:
            for connection in self.connections.values():
                with contextlib.suppress(OSError):  # the watching thread detects it
                    send(connection, message)

    def _send_heartbeats(self):
        while not self.closed.wait(HEARTBEAT_INTERVAL):
            self._send("alive")

    def _watch(self, host, connection):
        """Read the messages of a host: "alive", "closed", or the index of a host that is lost."""
        lost_host = host
        with contextlib.suppress(*BROKEN_CONNECTION):
            while (message := receive(connection)) == "alive":
                pass
            if message == "closed":
                return
            lost_host = int(message)
        if not self.closed.is_set():
            self._send(lost_host)
        # an error of this host's own may be what ended the other, too; the first of several threads reports
        if not self.closed.wait(OWN_ERROR_SECONDS) and self.exit_lock.acquire(blocking=False):
            self._exit_host_lost(lost_host)

    def _exit_host_lost(self, host):
        """Exit immediately, since the main thread waits inside the backend, where no exception reaches it."""
        os.write(self.stderr, f"error: host {host}, {self.addresses[host]}, is lost; start all hosts again with the "
                              "same command to resume from the last epoch\n".encode())
        os._exit(EXIT_HOST_LOST)


def exit_on_error(method):
    """Decorate a method of a Session: with several hosts an error ends the process immediately.

    Otherwise JAX would wait at exit for the other hosts, and they for this one. A lost host is an error in the main
    thread too; it is reported by another, within HEARTBEAT_TIMEOUT.
    """
    @functools.wraps(method)
    def wrapper(session, *args):
        if session.host_group is None:
            return method(session, *args)
        try:
            return method(session, *args)
        except (UserError, OSError) as error:  # as zoo.cli.common.run_command
            status, message = getattr(error, "exit_status", 4), f"error: {error}"
        except KeyboardInterrupt:
            status, message = 130, "\ninterrupted"
        except Exception:
            time.sleep(HEARTBEAT_TIMEOUT)
            status, message = 1, traceback.format_exc().rstrip()
        session.host_group.closed.set()
        print(message, file=sys.stderr, flush=True)
        os._exit(status)

    return wrapper


class MultihostStopper(Stopper):
    """A Stopper with the same decision on all hosts: they stop for the signal of any, and for host 0's deadline."""

    REASONS = (None, "out of time", "interrupted")

    def __init__(self, host_group, deadline=float("inf")):
        super().__init__(deadline)
        self.host_group, self.signal_received = host_group, False

    def should_stop(self, seconds):
        if self.reason is None:
            out_of_time = self.host_group.index == 0 and time.monotonic() + seconds > self.deadline
            self.reason = self.REASONS[max(self.host_group.gather(2 if self.signal_received else int(out_of_time)))]
        return self.reason is not None

    def handle_signal(self, number, frame):
        agreed_reason = self.reason
        super().handle_signal(number, frame)
        self.reason, self.signal_received = agreed_reason, True  # the others learn of it in the next should_stop


def delay_abort():
    """Let a process that aborts live on for six seconds.

    JAX aborts when its connection to host 0 ends; until then `HostGroup._watch` has noticed, printed its line and
    exited. The handler is C's sleep(), which may be called there; its argument is the number of the signal, 6.
    """
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    library.signal(signal.SIGABRT, ctypes.cast(library.sleep, ctypes.c_void_p))


def collect_shared_settings(run_config, dataset):
    """Return the settings that must be the same on all hosts: {name: value}, JSON-serializable."""
    versions = {f"version of {name}": version for name, version
                in provenance.get_package_versions(run_config.backend).items() if name != "python"}
    counts = {f"images for {name}": len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    return json.loads(json.dumps({**versions, **flatten_run_config(run_config), **counts}))


def connect_hosts(addresses, index, settings, timeout=CONNECT_TIMEOUT):
    """Return the HostGroup of host `index` once all hosts are connected.

    settings: {name: value}, JSON-serializable, which must be the same on all hosts. UserError for hosts that do not
    connect within `timeout` seconds, and for settings that differ.
    """
    settings = {"number of hosts": len(addresses), **settings}
    missing = [0] if index else range(1, len(addresses))
    others = f"host {missing[0]}, {addresses[missing[0]]}" if len(missing) == 1 else f"{len(missing)} other hosts"
    notice = threading.Timer(NOTICE_AFTER, print, [f"{'waiting':8} for {others}, up to {timeout:.0f} s"],
                             {"flush": True})
    notice.start()
    try:
        connections = (connect_to_first_host if index else accept_hosts)(addresses, index, settings, timeout)
    finally:
        notice.cancel()
    return HostGroup(addresses, index, connections)


def accept_hosts(addresses, index, settings, timeout):
    """Wait on host 0 for the other hosts and return {host: Connection}; UserError where one is missing or differs."""
    deadline, connections, arrivals, error_message = time.monotonic() + timeout, {}, queue.Queue(), ""
    with listen(addresses[0]) as server:
        server.settimeout(0.1)
        while len(connections) < len(addresses) - 1 and not error_message:
            with contextlib.suppress(OSError):  # none within 0.1 s, or gone already
                threading.Thread(target=receive_hello, args=(server.accept()[0], arrivals), daemon=True).start()
            while not arrivals.empty() and not error_message:
                host, other_settings, connection = arrivals.get()
                if host in connections or host not in range(1, len(addresses)):
                    error_message = f"two hosts were started as host {host}; give each its own --host-index"
                else:
                    error_message = describe_mismatch(settings, other_settings, f"host {host}, {addresses[host]},")
                connections[host] = connection
            missing = [f"host {host}, {addresses[host]}" for host in range(1, len(addresses)) if host not in connections]
            if missing and not error_message and time.monotonic() > deadline:
                error_message = (f"{'; '.join(missing)}: not connected after {timeout:.0f} s; start the same command "
                                 "there with --host-index")
    for connection in connections.values():
        with contextlib.suppress(OSError):  # lost in the meantime: its HostGroup will say so
            send(connection, error_message)
    if error_message:
        raise UserError(error_message)
    return connections


def listen(address):
    """Return a server socket at one address of this host, whose next port is free for JAX."""
    host, port = split_address(address)
    bind_address = env.get_bind_address(host)
    try:
        ip_address = socket.gethostbyname(bind_address)
    except OSError as error:
        raise UserError(f"{bind_address}, the address of host 0, is unknown: {error.strerror}; give another") from None
    if ip_address.startswith("127.") and bind_address != "localhost" and not bind_address.startswith("127."):
        raise UserError(f"{bind_address} is {ip_address} on host 0, where no other host can connect; give its address "
                        f"in the network, in --hosts or as {env.BIND_ENV_VAR}")
    for free_port in (port + 1, port):  # JAX crashes where its port is taken
        try:
            server = socket.create_server((ip_address, free_port), backlog=128)
        except OSError as error:
            raise UserError(f"host 0 cannot listen at port {free_port} of {bind_address}: {error.strerror}; choose "
                            f"another port, or set {env.BIND_ENV_VAR} to an address of this host") from None
        if free_port != port:
            server.close()
    return server


def receive_hello(peer, arrivals):
    """Put (index of the host, its settings, Connection) into the queue; drop what is not a host of this run."""
    connection = make_connection(peer)
    try:
        deliver_challenge(connection, env.get_hosts_token())
        answer_challenge(connection, env.get_hosts_token())
        hello = receive(connection)
        arrivals.put((int(hello["host"]), dict(hello["settings"]), connection))
    except BROKEN_CONNECTION:
        connection.close()


def connect_to_first_host(addresses, index, settings, timeout):
    """Connect another host to host 0 and return {0: Connection}."""
    deadline, first_host = time.monotonic() + timeout, f"host 0, {addresses[0]},"
    while True:
        try:
            connection = make_connection(socket.create_connection(split_address(addresses[0]), HEARTBEAT_TIMEOUT))
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(f"{first_host} does not respond after {timeout:.0f} s ({error}); start the same command "
                                "there with --host-index 0") from None
            time.sleep(0.2)
    try:
        answer_challenge(connection, env.get_hosts_token())
        deliver_challenge(connection, env.get_hosts_token())
        send(connection, {"host": index, "settings": settings})
        connection.poll(timeout)  # until all hosts are connected
        error_message = receive(connection)
    except AuthenticationError:
        raise UserError(f"{first_host} has another token; set the same {env.TOKEN_ENV_VAR} on all hosts") from None
    except BROKEN_CONNECTION:
        raise UserError(f"{first_host} exited before all hosts were connected") from None
    if error_message:
        raise UserError(error_message)
    return {0: connection}


def describe_mismatch(mine, other, who):
    """Return a message for the first setting that differs on another host, or ""."""
    for name in mine:
        if mine[name] != other.get(name):
            return f"{who} has {name} {other.get(name)}, host 0 has {mine[name]}; give all hosts the same"
    return ""


def make_connection(peer):
    """Return the Connection of a socket, which it takes over; it fails after HEARTBEAT_TIMEOUT of silence."""
    peer.settimeout(None)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        peer.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(HEARTBEAT_TIMEOUT), 0))
    return Connection(peer.detach())


def send(connection, message):
    connection.send_bytes(json.dumps(message).encode())


def receive(connection):
    return json.loads(connection.recv_bytes(MAX_MESSAGE_BYTES))


def split_address(address):
    host, _, port = address.rpartition(":")
    return host, int(port)
