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
from zoo.training import plan as plans, provenance
from zoo.training.leaving import Leave

WAIT = 120.0  # seconds for all hosts to come
SOON = 2.0  # seconds until a host that waits says so
BEAT = 5.0  # seconds between signs of life
SILENCE = 30.0  # seconds without one: the host is lost
LOST = 8  # exit status


class Link:
    """What connects host number `index` with the others; `addresses` are HOST:PORT of all. Made by `meet`."""

    def __init__(self, addresses, index, peers):
        self.addresses, self.index, self.peers = addresses, index, peers  # {host: socket}
        self.values, self.leaving, self.over = queue.Queue(), threading.Event(), threading.Event()
        self.gone, self.lock = set(), threading.Lock()
        for host, peer in peers.items():
            threading.Thread(target=self._listen, args=(host, peer), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def first(self, function):
        """Return what `function` returns on host 0, where alone it is called; it must be plain JSON.

        All hosts call this in the same order.
        """
        if self.index:
            return self.values.get()
        value = function()
        self._tell({"value": value})
        return value

    def ask_to_leave(self):
        """Let host 0 know that this host was told to end."""
        self.leaving.set()
        self._tell({"leave": True})

    def close(self):
        """Say farewell: from now on nobody is missed."""
        self.over.set()
        self._tell({"bye": True})

    def _tell(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self.lock:
            for host, peer in self.peers.items():
                if host not in self.gone:
                    try:
                        peer.sendall(line)
                    except OSError:  # who listens to it finds out
                        self.gone.add(host)

    def _beat(self):
        while not self.over.wait(BEAT):
            self._tell({"beat": True})

    def _listen(self, host, peer):
        peer.settimeout(SILENCE)
        try:
            for line in lines(peer):
                message = json.loads(line)
                if "value" in message:
                    self.values.put(message["value"])
                elif "leave" in message:
                    self.leaving.set()
                elif "lost" in message:
                    self._end(message["lost"])
                elif "bye" in message:
                    self.gone.add(host)
                    return
        except (OSError, ValueError):
            pass
        self._end(host)

    def _end(self, host):
        """Leave at once, since the others wait for the lost host inside the backend, where no exception reaches."""
        if self.over.is_set():
            return
        self._tell({"lost": host})
        print(f"error: host {host}, {self.addresses[host]}, is lost; start all hosts again with the same command to go "
              "on from the last epoch", file=sys.stderr, flush=True)
        os._exit(LOST)


class Together(Leave):
    """A Leave that comes to the same answer on all hosts: host 0's, which hears from the others."""

    def __init__(self, link, until=float("inf")):
        super().__init__(until)
        self.link = link

    def asked(self, seconds):
        def decided():
            if self.link.leaving.is_set():
                return "interrupted"
            return "out of time" if time.monotonic() + seconds > self.until else None

        self.reason = self.reason or self.link.first(decided)
        return self.reason is not None

    def signalled(self, number, frame):
        super().signalled(number, frame)
        self.reason = None  # until all hosts know
        threading.Thread(target=self.link.ask_to_leave).start()  # its lock may be held by who was interrupted


def facts(plan, dataset):
    """Return what must be the same on all hosts: {what: value}, plain JSON."""
    versions = {f"version of {name}": each for name, each in provenance.versions(plan.backend).items()
                if name != "python"}
    counts = {f"pictures for {name}": len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    return json.loads(json.dumps({**versions, **plans.flat(plan), **counts}))


def meet(addresses, index, facts, wait=WAIT):
    """Return the Link of host number `index` once all have come.

    facts: {what: value}, plain JSON, which must be the same on all hosts. UserError for who does not come within `wait`
    seconds, and for what differs.
    """
    until = time.monotonic() + wait
    awaited = [0] if index else range(1, len(addresses))
    others = f"host {awaited[0]}, {addresses[awaited[0]]}" if len(awaited) == 1 else f"{len(awaited)} other hosts"
    waiting = threading.Timer(SOON, print, [f"{'waiting':8} for {others}, up to {wait:.0f} s"], {"flush": True})
    waiting.start()
    try:
        peers = call(addresses, index, facts, until, wait) if index else gather(addresses, facts, until, wait)
    finally:
        waiting.cancel()
    return Link(addresses, index, peers)


def gather(addresses, facts, until, wait):
    """On host 0: return {host: socket} of the others."""
    peers, wrong = {}, ""
    try:
        server = socket.create_server(("", port_of(addresses[0])), backlog=len(addresses))
    except OSError as error:
        port = port_of(addresses[0])
        raise UserError(f"cannot listen at port {port}: {error.strerror}; choose another port") from None
    with server:
        while len(peers) < len(addresses) - 1 and not wrong:
            server.settimeout(max(0.01, until - time.monotonic()))
            try:
                peer, _ = server.accept()
                peer.settimeout(SILENCE)
                hello = json.loads(next(lines(peer)))
            except TimeoutError:
                missing = [f"host {host}, {addresses[host]}" for host in range(1, len(addresses)) if host not in peers]
                wrong = (f"{'; '.join(missing)}: not here after {wait:.0f} s; start the same command there, with "
                         "--host-index")
                break
            except (OSError, ValueError, StopIteration):  # somebody else knocked
                continue
            host = hello.get("host")
            if host in peers or host not in range(1, len(addresses)):
                wrong = f"two hosts say that they are host {host}; give each its own --host-index"
            wrong = wrong or difference(facts, hello["facts"], f"host {host}, {addresses[host]},")
            peers[host] = peer
    for peer in peers.values():
        peer.sendall(json.dumps({"refused": wrong} if wrong else {"welcome": True}).encode() + b"\n")
    if wrong:
        raise UserError(wrong)
    return peers


def call(addresses, index, facts, until, wait):
    """On another host: return {0: socket}."""
    host = addresses[0].rpartition(":")[0]
    while True:
        try:
            peer = socket.create_connection((host, port_of(addresses[0])), timeout=SILENCE)
            break
        except OSError as error:
            if time.monotonic() > until:
                raise UserError(f"host 0, {addresses[0]}, does not answer after {wait:.0f} s ({error}); start the same "
                                "command there, with --host-index 0") from None
            time.sleep(0.2)
    peer.sendall(json.dumps({"host": index, "facts": facts}).encode() + b"\n")
    peer.settimeout(wait + SILENCE)
    try:
        answer = json.loads(next(lines(peer)))
    except (OSError, ValueError, StopIteration):
        raise UserError(f"host 0, {addresses[0]}, has ended before all hosts came") from None
    if "refused" in answer:
        raise UserError(answer["refused"])
    return {0: peer}


def difference(mine, other, who):
    """Return words for the first of the facts that another host has otherwise, or ""."""
    for what in mine:
        if mine[what] != other.get(what):
            return f"{who} has {what} {other.get(what)}, host 0 has {mine[what]}; give all hosts the same"
    return ""


def lines(peer):
    """Yield the lines that a socket brings, until it ends; TimeoutError after its silence."""
    rest = b""
    while data := peer.recv(65536):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def port_of(address):
    return int(address.rpartition(":")[2])


def engine_address(address):
    """Return the address at which JAX's own service is to listen: the next port."""
    return f"{address.rpartition(':')[0]}:{port_of(address) + 1}"
