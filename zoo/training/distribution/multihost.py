"""Several hosts that train one model: they meet, agree on every step, and end together when one of them is lost.

JAX exchanges tensors, values and requests to stop. Where a host is lost it aborts the process, or waits; so the
connections of zoo.training.distribution.rendezvous stay, and the first to end is reported.
"""

import collections
import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import threading
import time
import traceback

from zoo import env
from zoo.data.dataset_info import SPLITS
from zoo.errors import UserError
from zoo.training import provenance
from zoo.training.distribution import rendezvous
from zoo.training.run_config import get_comparable_settings
from zoo.training.stopping import Stopper
from zoo.utils.flag_names import translate_keywords

HEARTBEAT_INTERVAL = 5.0  # seconds between heartbeats
OWN_ERROR_SECONDS = 1.0  # how long after the loss of a host this one may report an error of its own instead
EXIT_HOST_LOST = 8  # exit status


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
        host, port = rendezvous.split_address(self.addresses[0])
        jax.distributed.initialize(f"{host}:{port + 1}", len(self.addresses), self.index,
                                   cluster_detection_method="deactivate",
                                   coordinator_bind_address=f"{env.get_bind_address(host)}:{port + 1}")
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))  # JAX's handler would swallow the signal
        counts = collections.Counter(device.process_index for device in jax.devices())
        if len(set(counts.values())) > 1:
            text = ", ".join(f"host {host} has {counts[host]}" for host in sorted(counts))
            raise UserError(f"all hosts must train on the same number of devices, but {text}; select them with gpu=...")

    def delay_backend_messages(self):
        """Let what C++ code writes to stderr appear two seconds later, and so not at all when a host is lost."""
        def forward():
            while data := os.read(reader, 65536):
                time.sleep(2 * OWN_ERROR_SECONDS)
                os.write(self.stderr, data)

        reader, writer = os.pipe()
        sys.stderr = os.fdopen(os.dup(self.stderr), "w", buffering=1, errors="replace")
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
                    rendezvous.send(connection, message)

    def _send_heartbeats(self):
        while not self.closed.wait(HEARTBEAT_INTERVAL):
            self._send("alive")

    def _watch(self, host, connection):
        """Read the messages of a host: "alive", "closed", or the index of a host that is lost."""
        lost_host = host
        with contextlib.suppress(*rendezvous.BROKEN_CONNECTION):
            while (message := rendezvous.receive(connection)) == "alive":
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


def leave_hosts(method):
    """Decorate a method of a Session: with several hosts, close their connections; on an error exit immediately.

    Otherwise JAX would wait at exit for the other hosts, and they for this one. A lost host is an error in the main
    thread too; it is reported by another, within HEARTBEAT_TIMEOUT.
    """
    @functools.wraps(method)
    def wrapper(session, *args):
        if session.host_group is None:
            return method(session, *args)
        try:
            result = method(session, *args)
            session.host_group.close()
            return result
        except (UserError, OSError) as error:  # as zoo.cli.common.run_command
            status, message = getattr(error, "exit_status", 4), f"error: {translate_keywords(str(error))}"
        except KeyboardInterrupt:
            status, message = 130, "\ninterrupted"
        except Exception:
            time.sleep(rendezvous.HEARTBEAT_TIMEOUT)
            status, message = 1, traceback.format_exc().rstrip()
        session.host_group.closed.set()
        print(message, file=sys.stderr, flush=True)
        os._exit(status)

    return wrapper


class MultihostStopper(Stopper):
    """A Stopper with the same decision on all hosts: they stop for the signal of any, and for host 0's deadline."""

    REASONS = (None, "out of time", "interrupted")

    def __init__(self, host_group, deadline=float("inf"), checkpoint_seconds=float("inf")):
        super().__init__(deadline, checkpoint_seconds)
        self.host_group, self.signal_received = host_group, False

    def should_stop(self, seconds):
        if self.reason is None:
            out_of_time = self.host_group.index == 0 and time.monotonic() + seconds > self.deadline
            self.reason = self.REASONS[max(self.host_group.gather(2 if self.signal_received else int(out_of_time)))]
        return self.reason is not None

    def should_save(self):
        return bool(self.host_group.gather(int(super().should_save()))[0])  # host 0's timer

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


def connect_hosts(addresses, index, settings, timeout=rendezvous.CONNECT_TIMEOUT):
    """Return the HostGroup of host `index` once all hosts are connected; see `rendezvous.meet`."""
    return HostGroup(addresses, index, rendezvous.meet(addresses, index, settings, timeout))


def collect_shared_settings(run_config, dataset):
    """Return the settings that must be the same on all hosts: {name: value}, JSON-serializable."""
    versions = {f"version of {name}": version for name, version
                in provenance.get_package_versions(run_config.backend).items() if name != "python"}
    counts = {f"images for {name}": len(getattr(dataset, name)) for name in SPLITS}
    return json.loads(json.dumps({**versions, **get_comparable_settings(run_config), **counts}))
