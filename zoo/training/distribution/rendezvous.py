"""How several hosts meet before they train one model: at the address of host 0, where each proves to know the token.

JAX's own service, which starts afterwards, would abort the process when a host is missing or started twice, and when
the port is taken; here these are errors of one line. The connections stay, and show when a host is lost.
"""

import contextlib
import json
import queue
import socket
import struct
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from zoo import env
from zoo.errors import UserError

CONNECT_TIMEOUT = 120.0  # seconds for all hosts to connect
NOTICE_AFTER = 2.0  # seconds until a waiting host prints a notice
HEARTBEAT_TIMEOUT = 30.0  # seconds of silence after which a host is lost; less than JAX's, which aborts
MAX_MESSAGE_BYTES = 2 ** 24
BROKEN_CONNECTION = (OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, RecursionError,
                     AuthenticationError)


def meet(addresses, index, settings, timeout=CONNECT_TIMEOUT):
    """Return the connections of host `index` to the others, {host: Connection}, once all are connected.

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
        return (connect_to_first_host if index else accept_hosts)(addresses, index, settings, timeout)
    finally:
        notice.cancel()


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
                address = f", {addresses[host]}," if host in range(len(addresses)) else ""
                error_message = describe_mismatch(settings, other_settings, f"host {host}{address}")
                if not error_message and (host in connections or host not in range(1, len(addresses))):
                    error_message = f"two hosts were started as host {host}; give each its own host_index=..."
                connections[host] = connection
            missing = [f"host {host}, {address}" for host, address in enumerate(addresses)
                       if host and host not in connections]
            if missing and not error_message and time.monotonic() > deadline:
                error_message = (f"{'; '.join(missing)}: not connected after {timeout:.0f} s; start the same command "
                                 "there with its host_index=...")
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
                        f"in the network, in hosts=... or as {env.BIND_ENV_VAR}")
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
                raise UserError(f"{first_host} does not respond after {timeout:.0f} s ({error}); start the same "
                                "command there with host_index=0") from None
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
