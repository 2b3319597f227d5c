"""Coordination of several hosts that train one model: they connect, agree, detect lost hosts and stop together.

Host 0 listens at the first address, and the others stay connected to it. Standard library only; tensors are exchanged
separately, by JAX, at the next port.
"""

import json
import os
import queue
import socket
import sys
import threading
import time

from zoo.errors import UserError
from zoo.training import provenance
from zoo.training.run_config import flatten_run_config
from zoo.training.stopping import Stopper

CONNECT_TIMEOUT = 120.0  # seconds for all hosts to connect
NOTICE_AFTER = 2.0  # seconds until a waiting host prints a notice
HEARTBEAT_INTERVAL = 5.0  # seconds between heartbeats
HEARTBEAT_TIMEOUT = 30.0  # seconds without a heartbeat after which a host is lost
EXIT_HOST_LOST = 8  # exit status


class HostGroup:
    """The connections of host `index` to the others, made by `connect_hosts`; `addresses`: HOST:PORT of all hosts."""

    def __init__(self, addresses, index, peers):
        self.addresses, self.index, self.peers = addresses, index, peers  # {host: socket}
        self.value_queue, self.stop_event, self.close_event = queue.Queue(), threading.Event(), threading.Event()
        self.disconnected_hosts, self.lock = set(), threading.Lock()
        for host, peer in peers.items():
            threading.Thread(target=self._listen, args=(host, peer), daemon=True).start()
        threading.Thread(target=self._send_heartbeats, daemon=True).start()

    def broadcast(self, function):
        """Return the result of `function`, which is called on host 0 only; it must be JSON-serializable.

        All hosts must make these calls in the same order.
        """
        if self.index:
            return self.value_queue.get()
        value = function()
        self._send({"value": value})
        return value

    def request_stop(self):
        """Tell host 0 that this host received a signal to stop."""
        self.stop_event.set()
        self._send({"leave": True})

    def close(self):
        """Announce the exit of this host: from now on, lost connections are ignored."""
        self.close_event.set()
        self._send({"bye": True})

    def _send(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self.lock:
            for host, peer in self.peers.items():
                if host not in self.disconnected_hosts:
                    try:
                        peer.sendall(line)
                    except OSError:  # the listening thread detects it
                        self.disconnected_hosts.add(host)

    def _send_heartbeats(self):
        while not self.close_event.wait(HEARTBEAT_INTERVAL):
            self._send({"beat": True})

    def _listen(self, host, peer):
        peer.settimeout(HEARTBEAT_TIMEOUT)
        try:
            for line in read_lines(peer):
                message = json.loads(line)
                if "value" in message:
                    self.value_queue.put(message["value"])
                elif "leave" in message:
                    self.stop_event.set()
                elif "lost" in message:
                    self._exit_host_lost(message["lost"])
                elif "bye" in message:
                    self.disconnected_hosts.add(host)
                    return
        except (OSError, ValueError):
            pass
        self._exit_host_lost(host)

    def _exit_host_lost(self, host):
        """Exit immediately, since the main thread waits inside the backend, where no exception reaches it."""
        if self.close_event.is_set():
            return
        self._send({"lost": host})
        print(f"error: host {host}, {self.addresses[host]}, is lost; start all hosts again with the same command to "
              "resume from the last epoch", file=sys.stderr, flush=True)
        os._exit(EXIT_HOST_LOST)


class MultihostStopper(Stopper):
    """A Stopper with the same decision on all hosts: that of host 0, which the others notify of their signals."""

    def __init__(self, host_group, deadline=float("inf"), checkpoint_seconds=float("inf")):
        super().__init__(deadline, checkpoint_seconds)
        self.host_group = host_group

    def should_stop(self, seconds):
        def decide():
            if self.host_group.stop_event.is_set():
                return "interrupted"
            return "out of time" if time.monotonic() + seconds > self.deadline else None

        self.reason = self.reason or self.host_group.broadcast(decide)
        return self.reason is not None

    def should_save(self):
        return self.host_group.broadcast(super().should_save)

    def handle_signal(self, number, frame):
        super().handle_signal(number, frame)
        self.reason = None  # until all hosts agree
        threading.Thread(target=self.host_group.request_stop).start()  # the interrupted code may hold its lock


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
    deadline = time.monotonic() + timeout
    missing = [0] if index else range(1, len(addresses))
    others = f"host {missing[0]}, {addresses[missing[0]]}" if len(missing) == 1 else f"{len(missing)} other hosts"
    notice = threading.Timer(NOTICE_AFTER, print, [f"{'waiting':8} for {others}, up to {timeout:.0f} s"],
                             {"flush": True})
    notice.start()
    try:
        peers = (connect_to_coordinator(addresses, index, settings, deadline, timeout) if index
                 else accept_hosts(addresses, settings, deadline, timeout))
    finally:
        notice.cancel()
    return HostGroup(addresses, index, peers)


def accept_hosts(addresses, settings, deadline, timeout):
    """Wait on host 0 for the other hosts and return {host: socket}; UserError where one is missing or differs."""
    peers, error_message = {}, ""
    try:
        server = socket.create_server(("", parse_port(addresses[0])), backlog=len(addresses))
    except OSError as error:
        port = parse_port(addresses[0])
        raise UserError(f"cannot listen at port {port}: {error.strerror}; choose another port") from None
    with server:
        while len(peers) < len(addresses) - 1 and not error_message:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                peer, _ = server.accept()
                peer.settimeout(HEARTBEAT_TIMEOUT)
                hello = json.loads(next(read_lines(peer)))
            except TimeoutError:
                missing = [f"host {host}, {addresses[host]}" for host in range(1, len(addresses)) if host not in peers]
                error_message = (f"{'; '.join(missing)}: not connected after {timeout:.0f} s; start the same command "
                                 "there with --host-index")
                break
            except (OSError, ValueError, StopIteration):  # not a host of this run
                continue
            host = hello.get("host")
            if host in peers or host not in range(1, len(addresses)):
                error_message = f"two hosts were started as host {host}; give each its own --host-index"
            error_message = error_message or describe_mismatch(settings, hello["facts"],
                                                               f"host {host}, {addresses[host]},")
            peers[host] = peer
    for peer in peers.values():
        peer.sendall(json.dumps({"refused": error_message} if error_message else {"welcome": True}).encode() + b"\n")
    if error_message:
        raise UserError(error_message)
    return peers


def connect_to_coordinator(addresses, index, settings, deadline, timeout):
    """Connect another host to host 0 and return {0: socket}."""
    host = addresses[0].rpartition(":")[0]
    while True:
        try:
            peer = socket.create_connection((host, parse_port(addresses[0])), timeout=HEARTBEAT_TIMEOUT)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(f"host 0, {addresses[0]}, does not respond after {timeout:.0f} s ({error}); start the "
                                "same command there with --host-index 0") from None
            time.sleep(0.2)
    peer.sendall(json.dumps({"host": index, "facts": settings}).encode() + b"\n")
    peer.settimeout(timeout + HEARTBEAT_TIMEOUT)
    try:
        answer = json.loads(next(read_lines(peer)))
    except (OSError, ValueError, StopIteration):
        raise UserError(f"host 0, {addresses[0]}, exited before all hosts were connected") from None
    if "refused" in answer:
        raise UserError(answer["refused"])
    return {0: peer}


def describe_mismatch(mine, other, who):
    """Return a message for the first setting that differs on another host, or ""."""
    for name in mine:
        if mine[name] != other.get(name):
            return f"{who} has {name} {other.get(name)}, host 0 has {mine[name]}; give all hosts the same"
    return ""


def read_lines(peer):
    """Yield the lines received from a socket until it closes; TimeoutError when its timeout expires."""
    remainder = b""
    while data := peer.recv(65536):
        *lines, remainder = (remainder + data).split(b"\n")
        yield from lines


def parse_port(address):
    return int(address.rpartition(":")[2])


def get_coordinator_address(address):
    """Return the address of JAX's own coordination service: the next port."""
    return f"{address.rpartition(':')[0]}:{parse_port(address) + 1}"
