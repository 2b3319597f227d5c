"""Several hosts that train one network: they meet, agree, notice when one is lost, and leave together.

Host 0 listens at the first address, and the others stay connected to it. Standard library only; the numbers of the
training go another way, through JAX, at the next port.
"""

import json
import os
import queue
import socket
import sys
import threading
import time

from zoo.errors import UserError
from zoo.training import provenance, run_config as plans
from zoo.training.stopping import Stopper

CONNECT_TIMEOUT = 120.0  # seconds for all hosts to come
NOTICE_AFTER = 2.0  # seconds until a host that waits says so
HEARTBEAT_INTERVAL = 5.0  # seconds between signs of life
HEARTBEAT_TIMEOUT = 30.0  # seconds without one: the host is lost
EXIT_HOST_LOST = 8  # exit status


class HostGroup:
    """What connects host number `index` with the others; `addresses` are HOST:PORT of all. Made by `connect_hosts`."""

    def __init__(self, addresses, index, peers):
        self.addresses, self.index, self.peers = addresses, index, peers  # {host: socket}
        self.value_queue, self.stop_event, self.close_event = queue.Queue(), threading.Event(), threading.Event()
        self.disconnected_hosts, self.lock = set(), threading.Lock()
        for host, peer in peers.items():
            threading.Thread(target=self._listen, args=(host, peer), daemon=True).start()
        threading.Thread(target=self._send_heartbeats, daemon=True).start()

    def broadcast(self, function):
        """Return what `function` returns on host 0, where alone it is called; it must be plain JSON.

        All hosts call this in the same order.
        """
        if self.index:
            return self.value_queue.get()
        value = function()
        self._send({"value": value})
        return value

    def request_stop(self):
        """Let host 0 know that this host was told to end."""
        self.stop_event.set()
        self._send({"leave": True})

    def close(self):
        """Say farewell: from now on nobody is missed."""
        self.close_event.set()
        self._send({"bye": True})

    def _send(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self.lock:
            for host, peer in self.peers.items():
                if host not in self.disconnected_hosts:
                    try:
                        peer.sendall(line)
                    except OSError:  # who listens to it finds out
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
        """Leave at once, since the others wait for the lost host inside the backend, where no exception reaches."""
        if self.close_event.is_set():
            return
        self._send({"lost": host})
        print(f"error: host {host}, {self.addresses[host]}, is lost; start all hosts again with the same command to go "
              "on from the last epoch", file=sys.stderr, flush=True)
        os._exit(EXIT_HOST_LOST)


class MultihostStopper(Stopper):
    """A Leave that comes to the same answer on all hosts: host 0's, which hears from the others."""

    def __init__(self, host_group, deadline=float("inf")):
        super().__init__(deadline)
        self.host_group = host_group

    def should_stop(self, seconds):
        def decided():
            if self.host_group.stop_event.is_set():
                return "interrupted"
            return "out of time" if time.monotonic() + seconds > self.deadline else None

        self.reason = self.reason or self.host_group.broadcast(decided)
        return self.reason is not None

    def handle_signal(self, number, frame):
        super().handle_signal(number, frame)
        self.reason = None  # until all hosts know
        threading.Thread(target=self.host_group.request_stop).start()  # its lock may be held by who was interrupted


def collect_shared_settings(run_config, dataset):
    """Return what must be the same on all hosts: {what: value}, plain JSON."""
    versions = {f"version of {name}": each for name, each in provenance.get_package_versions(run_config.backend).items()
                if name != "python"}
    counts = {f"pictures for {name}": len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    return json.loads(json.dumps({**versions, **plans.flatten_run_config(run_config), **counts}))


def connect_hosts(addresses, index, settings, timeout=CONNECT_TIMEOUT):
    """Return the Link of host number `index` once all have come.

    facts: {what: value}, plain JSON, which must be the same on all hosts. UserError for who does not come within `wait`
    seconds, and for what differs.
    """
    until = time.monotonic() + timeout
    awaited = [0] if index else range(1, len(addresses))
    others = f"host {awaited[0]}, {addresses[awaited[0]]}" if len(awaited) == 1 else f"{len(awaited)} other hosts"
    waiting = threading.Timer(NOTICE_AFTER, print, [f"{'waiting':8} for {others}, up to {timeout:.0f} s"],
                              {"flush": True})
    waiting.start()
    try:
        peers = connect_to_coordinator(addresses, index, settings, until,
                                       timeout) if index else accept_hosts(addresses, settings, until, timeout)
    finally:
        waiting.cancel()
    return HostGroup(addresses, index, peers)


def accept_hosts(addresses, settings, deadline, timeout):
    """On host 0: return {host: socket} of the others."""
    peers, wrong = {}, ""
    try:
        server = socket.create_server(("", parse_port(addresses[0])), backlog=len(addresses))
    except OSError as error:
        port = parse_port(addresses[0])
        raise UserError(f"cannot listen at port {port}: {error.strerror}; choose another port") from None
    with server:
        while len(peers) < len(addresses) - 1 and not wrong:
            server.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                peer, _ = server.accept()
                peer.settimeout(HEARTBEAT_TIMEOUT)
                hello = json.loads(next(read_lines(peer)))
            except TimeoutError:
                missing = [f"host {host}, {addresses[host]}" for host in range(1, len(addresses)) if host not in peers]
                wrong = (f"{'; '.join(missing)}: not here after {timeout:.0f} s; start the same command there, with "
                         "--host-index")
                break
            except (OSError, ValueError, StopIteration):  # somebody else knocked
                continue
            host = hello.get("host")
            if host in peers or host not in range(1, len(addresses)):
                wrong = f"two hosts say that they are host {host}; give each its own --host-index"
            wrong = wrong or describe_mismatch(settings, hello["facts"], f"host {host}, {addresses[host]},")
            peers[host] = peer
    for peer in peers.values():
        peer.sendall(json.dumps({"refused": wrong} if wrong else {"welcome": True}).encode() + b"\n")
    if wrong:
        raise UserError(wrong)
    return peers


def connect_to_coordinator(addresses, index, settings, deadline, timeout):
    """On another host: return {0: socket}."""
    host = addresses[0].rpartition(":")[0]
    while True:
        try:
            peer = socket.create_connection((host, parse_port(addresses[0])), timeout=HEARTBEAT_TIMEOUT)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(f"host 0, {addresses[0]}, does not answer after {timeout:.0f} s ({error}); start the same "
                                "command there, with --host-index 0") from None
            time.sleep(0.2)
    peer.sendall(json.dumps({"host": index, "facts": settings}).encode() + b"\n")
    peer.settimeout(timeout + HEARTBEAT_TIMEOUT)
    try:
        answer = json.loads(next(read_lines(peer)))
    except (OSError, ValueError, StopIteration):
        raise UserError(f"host 0, {addresses[0]}, has ended before all hosts came") from None
    if "refused" in answer:
        raise UserError(answer["refused"])
    return {0: peer}


def describe_mismatch(mine, other, who):
    """Return words for the first of the facts that another host has otherwise, or ""."""
    for what in mine:
        if mine[what] != other.get(what):
            return f"{who} has {what} {other.get(what)}, host 0 has {mine[what]}; give all hosts the same"
    return ""


def read_lines(peer):
    """Yield the lines that a socket brings, until it ends; TimeoutError after its silence."""
    rest = b""
    while data := peer.recv(65536):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def parse_port(address):
    return int(address.rpartition(":")[2])


def get_coordinator_address(address):
    """Return the address at which JAX's own service is to listen: the next port."""
    return f"{address.rpartition(':')[0]}:{parse_port(address) + 1}"
