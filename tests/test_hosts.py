"""Several hosts train one network: real processes, and real sockets on loopback."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from pathlib import Path

import numpy as np
import pytest
from helpers import check_message, check_text

from zoo import env
from zoo.errors import UserError
from zoo.training import run_files
from zoo.training.distribution import rendezvous, multihost
from zoo.training.npz_file import read_arrays
from zoo.training.stopping import catch_signals

ROOT = Path(__file__).resolve().parents[1]
HERE = "127.0.0.1"

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="pip install '.[jax]'")


def find_free_ports(count):
    """Return numbers of ports, each of which is free, as is the next one."""
    found = []
    while len(found) < count:
        with socket.create_server((HERE, 0)) as one:
            port = one.getsockname()[1]
            try:
                socket.create_server((HERE, port + 1)).close()
                found.append(port)
            except OSError:
                continue
    return found


def make_addresses(count=2):
    return [f"{HERE}:{port}" for port in find_free_ports(count)]


# The meeting

def connect_in_threads(settings, addresses=None, indices=None, wait=5.0):
    """Let hosts with these facts meet, each in a thread; return what each got: a Link, or the words of its refusal."""
    addresses = addresses or make_addresses(len(settings))
    indices = indices or range(len(settings))
    found = [None] * len(settings)

    def one(number, index):
        try:
            found[number] = multihost.connect_hosts(addresses, index, settings[number], wait)
        except UserError as error:
            found[number] = str(error)

    threads = [threading.Thread(target=one, args=each) for each in enumerate(indices)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found, addresses


def test_all_are_connected():
    links, _ = connect_in_threads([{"seed": 0}] * 3)
    assert [sorted(link.connections) for link in links] == [[1, 2], [0], [0]]
    for link in links:
        link.close()


class FakeHostGroup:
    """In place of a HostGroup: what JAX gathers is this host's number and `others`."""

    def __init__(self, index, *others):
        self.index, self.others, self.sent = index, others, []

    def gather(self, number):
        self.sent.append(number)
        return [number, *self.others]


def test_a_signal_to_any_host_stops_all(capsys):
    here, quiet = FakeHostGroup(1, 0), FakeHostGroup(0, 0)
    signalled = multihost.MultihostStopper(here)
    assert signalled.should_stop(0) is False
    with catch_signals(signalled):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signalled.reason is None  # until all agree
    assert signalled.should_stop(0) is True and signalled.reason == "interrupted"
    assert multihost.MultihostStopper(quiet).should_stop(0) is False
    quiet.others = here.sent[-1:]
    other = multihost.MultihostStopper(quiet)
    assert other.should_stop(0) is True and other.reason == "interrupted"


def test_out_of_time_is_decided_by_host_0():
    soon, late = FakeHostGroup(0, 0), FakeHostGroup(1, 0)
    stopper = multihost.MultihostStopper(soon, time.monotonic() + 10)
    assert stopper.should_stop(1) is False and stopper.should_stop(20) is True and stopper.reason == "out of time"
    other = multihost.MultihostStopper(late, time.monotonic() + 10)
    assert other.should_stop(20) is False
    late.others = soon.sent[-1:]
    assert other.should_stop(1) is True and other.reason == "out of time"


def test_a_signal_after_all_agreed_changes_nothing(capsys):
    stopper = multihost.MultihostStopper(FakeHostGroup(0, 0), time.monotonic())
    assert stopper.should_stop(1) is True
    with catch_signals(stopper):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopper.should_stop(1) is True and stopper.reason == "out of time"


# What does not belong to the run

STRAYS = (b"", b"[]\n", b'{"host": 1}\n', b'{"host": 1, "facts"', b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" * 100,
          b"x" * 10_000_000, b"\0\0\0\2[]", b"\x7f\xff\xff\xff" + b"x" * 1000)  # the last two: framed, too long


def connect_stray(port, data):
    """Connect, send, and stay connected; return the socket."""
    connection = socket.create_connection((HERE, port), timeout=10)
    connection.settimeout(0.5)
    with contextlib.suppress(OSError):  # closed from the other side
        connection.sendall(data)
    return connection


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_stray_connections_do_not_disturb_the_hosts():
    """They come first, and stay."""
    addresses, found = make_addresses(), []
    port = int(addresses[0].rpartition(":")[2])
    thread = threading.Thread(target=lambda: found.append(multihost.connect_hosts(addresses, 0, {"a": 1}, 20.0)))
    thread.start()
    while True:
        try:
            strays = [connect_stray(port, data) for data in STRAYS]
            break
        except ConnectionRefusedError:  # not listening yet
            time.sleep(0.02)
    with pytest.raises(AuthenticationError):
        Client((HERE, port), authkey=b"another")
    for message in (b"[]", b"[" * 100_000, b'{"host": Infinity, "settings": {}}', b'{"host": 1}', b"\xff"):
        with Client((HERE, port), authkey=b"zoo") as knows_the_token:
            knows_the_token.send_bytes(message)
    assert thread.is_alive()
    links = [multihost.connect_hosts(addresses, 1, {"a": 1}, 20.0)]
    thread.join(20)
    links += found
    assert [sorted(link.connections) for link in links] == [[0], [1]]
    for link in links:
        link.close()
    for connection in strays:
        connection.close()


def test_host_0_listens_at_its_address_alone():
    address = make_addresses(1)[0]
    port = int(address.rpartition(":")[2])
    with rendezvous.listen(address):
        connect_stray(port, b"").close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=1)


def test_another_token(monkeypatch):
    monkeypatch.setenv("ZOO_HOSTS_TOKEN", "ours")
    address = make_addresses(1)[0]
    host, _, port = address.rpartition(":")
    with Listener((host, int(port)), authkey=b"theirs") as server:
        def refuse():
            with contextlib.suppress(AuthenticationError, EOFError):
                server.accept()

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(UserError) as error:
            multihost.connect_hosts([address, f"{HERE}:1"], 1, {}, 5.0)
    check_message(error.value, address, 0, "ZOO_HOSTS_TOKEN")


def test_a_name_of_host_0_that_only_itself_can_reach(monkeypatch):
    """Debian gives a host's own name the address 127.0.1.1."""
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "127.0.1.1")
    with pytest.raises(UserError) as error:
        rendezvous.listen("node0:9000")
    check_message(error.value, "node0", "127.0.1.1", 0, "ZOO_HOSTS_BIND")


def test_an_address_of_another_machine(monkeypatch):
    monkeypatch.setenv("ZOO_HOSTS_BIND", "192.0.2.1")  # of documentation alone, RFC 5737
    with pytest.raises(UserError) as error:
        rendezvous.listen("node0:9000")
    check_message(error.value, "192.0.2.1", 0, "ZOO_HOSTS_BIND")


def test_a_host_that_does_not_connect():
    addresses = make_addresses(3)
    (refused, there), _ = connect_in_threads([{}, {}], addresses, wait=1.0)
    assert refused == there
    check_message(refused, 2, addresses[2], 1, "host_index=...")


def test_host_0_does_not_answer():
    (refused,), addresses = connect_in_threads([{}], make_addresses(2), [1], wait=1.0)
    check_message(refused, addresses[0], 1, "host_index=0")


@pytest.mark.parametrize("mine, other, parts", [
    ({"version of zoo": "0.1.0"}, {"version of zoo": "0.2.0"}, ["version of zoo", "0.2.0", 0, "0.1.0"]),
    ({"seed": 0, "batch_size": 32}, {"seed": 0, "batch_size": 64}, ["batch_size", 64, 0, 32]),
])
def test_two_hosts_that_differ(mine, other, parts):
    (refused, there), addresses = connect_in_threads([mine, other])
    assert refused == there
    check_message(refused, 1, addresses[1], *parts)


def test_two_hosts_with_the_same_index():
    found, _ = connect_in_threads([{}, {}, {}], make_addresses(3), [0, 1, 1])
    check_message(found[0], 1, "host_index=...")


@pytest.mark.parametrize("before", [0, 1])
def test_a_port_that_is_taken(before):
    """Its own, or the next one, which is JAX's."""
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError) as error:
            multihost.connect_hosts([f"{HERE}:{port - before}", f"{HERE}:1"], 0, {}, 1.0)
        check_message(error.value, port, 0, HERE)


@pytest.mark.parametrize("index", [1, 2])  # host 0 counts two hosts, and does not know the address of the third
def test_another_number_of_hosts(index):
    addresses, found = make_addresses(3), []
    thread = threading.Thread(target=lambda: found.append(connect_in_threads([{}], addresses[:2], [0])[0][0]))
    thread.start()
    with pytest.raises(UserError) as error:
        multihost.connect_hosts(addresses, index, {}, 5.0)
    thread.join(20)
    assert found == [str(error.value)]
    check_message(error.value, index, "number of hosts", 3, 0, 2)
    assert "two hosts" not in str(error.value)


def test_a_waiting_host_names_the_missing_ones(monkeypatch, capsys):
    monkeypatch.setattr(rendezvous, "NOTICE_AFTER", 0.05)
    addresses = make_addresses(3)
    for hosts_asked, index in ((addresses, 0), (addresses[:2], 0), (addresses, 2)):
        with pytest.raises(UserError, match="host_index="):
            multihost.connect_hosts(hosts_asked, index, {}, 0.6)
    several, one, first = capsys.readouterr().out.splitlines()
    check_message(several, 2, 1)
    check_message(one, addresses[1], 1)
    check_message(first, addresses[0], 0, 1)


ALIVE = """
import sys, time
from zoo.training.distribution import rendezvous, multihost
multihost.HEARTBEAT_INTERVAL, rendezvous.HEARTBEAT_TIMEOUT, rendezvous.NOTICE_AFTER = 0.2, 2.0, 60.0
link = multihost.connect_hosts(sys.argv[2].split(","), int(sys.argv[1]), {}, 30.0)
print("met", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("lost, how", [(1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGSTOP)])
def test_the_other_hosts_notice_which_is_lost(lost, how):
    """Killed, or silent as behind a cable that was pulled."""
    addresses = make_addresses(3)
    processes = [subprocess.Popen([sys.executable, "-c", ALIVE, str(index), ",".join(addresses)], cwd=ROOT, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for index in range(3)]
    try:
        assert [process.stdout.readline() for process in processes] == ["met\n"] * 3
        processes[lost].send_signal(how)
        for index, process in enumerate(processes):
            if index != lost:
                assert process.wait(30) == multihost.EXIT_HOST_LOST == 8
                check_message(process.stderr.read(), lost, addresses[lost])
    finally:
        for process in processes:
            process.kill()


FAILING = """
import sys, time
from types import SimpleNamespace
from zoo.errors import RunLocked, UserError
from zoo.training.distribution import rendezvous, multihost
multihost.HEARTBEAT_INTERVAL, rendezvous.HEARTBEAT_TIMEOUT, multihost.OWN_ERROR_SECONDS = 0.2, 3.0, 2.0
index, addresses = int(sys.argv[1]), sys.argv[2].split(",")
group = multihost.connect_hosts(addresses, index, {}, 30.0)

@multihost.leave_hosts
def train(session):
    if index in map(int, sys.argv[3].split(",")):
        time.sleep(index * 0.5)  # where both fail, the other learns of it first
        raise eval(sys.argv[4])("what is wrong")
    time.sleep(60)

train(SimpleNamespace(host_group=group))
"""


@pytest.mark.parametrize("failing, error, status, text", [
    ([0, 1], "UserError", 2, "error: what is wrong\n"), ([1], "RunLocked", 6, "error: what is wrong\n"),
    ([0], "OSError", 4, "error: what is wrong\n"), ([0], "KeyboardInterrupt", 130, "\ninterrupted\n"),
    ([1], "KeyError", 1, "KeyError: 'what is wrong'\n")])
def test_an_error_of_one_host_ends_all(failing, error, status, text):
    """At once, though JAX's own exit would wait for the others; and one line a host, even when both fail."""
    addresses = make_addresses()
    processes = [subprocess.Popen([sys.executable, "-c", FAILING, str(index), ",".join(addresses),
                                   ",".join(map(str, failing)), error], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) for index in range(2)]
    for index, (code, _, stderr) in enumerate(wait_for_hosts(processes, 30)):
        if index in failing:
            assert code == status and stderr.endswith(text) and ("Traceback" in stderr) == (status == 1)
        else:
            assert code == 8
            check_message(stderr, failing[0], addresses[failing[0]])


EXCHANGING = """
import sys, time
from types import SimpleNamespace
from zoo.training.distribution import rendezvous, multihost
multihost.HEARTBEAT_INTERVAL, rendezvous.HEARTBEAT_TIMEOUT = 0.2, 6.0
index, addresses = int(sys.argv[1]), sys.argv[2].split(",")
group = multihost.connect_hosts(addresses, index, {}, 60.0)

@multihost.leave_hosts
def exchange(session):
    group.initialize_jax()
    group.delay_backend_messages()
    asked = []
    for value in ({"a": [1, 0.1], "b": "\u00fc"}, None, "x" * 1000):
        assert group.broadcast(lambda: asked.append(1) or value) == value
    assert len(asked) == (3 if index == 0 else 0)
    assert [*group.gather(7 + index)] == [7, 8]
    stopper = multihost.MultihostStopper(group, time.monotonic() + (3600 if index else 1800))
    assert not stopper.should_stop(2700 if index else 900)  # host 1's own limit would be too short
    print("exchanged", flush=True)
    while not stopper.should_stop(0):
        group.broadcast(lambda: "a step")

exchange(SimpleNamespace(host_group=group))
"""


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize("lost, how", [(1, signal.SIGTERM), (0, signal.SIGKILL), (0, signal.SIGSTOP)])
def test_jax_exchanges_what_hosts_agree_on_until_one_is_lost(lost, how):
    """What JAX says of it, with the stack of its C++ code, is not shown; strays at its port change nothing."""
    addresses = make_addresses(2)
    kept = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    processes = [subprocess.Popen([sys.executable, "-c", EXCHANGING, str(index), ",".join(addresses)], cwd=ROOT,
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env={**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"})
                 for index in range(2)]
    survivor = processes[1 - lost]
    try:
        for process in processes:
            while "exchanged" not in (line := process.stdout.readline()):
                assert line, process.stderr.read()
        port = int(addresses[0].rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):  # the meeting is over
            connect_stray(port, b"[]")
        strays = [connect_stray(port + 1, data) for data in STRAYS]
        time.sleep(1)
        assert [process.poll() for process in processes] == [None, None]
        processes[lost].send_signal(how)
        assert survivor.wait(60) == 8
        check_message(survivor.stderr.read(), lost, addresses[lost])
        for connection in strays:
            connection.close()
    finally:
        for process in processes:
            process.kill()


# What the command line and the environment say

@pytest.fixture(autouse=True)
def clear_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("KERAS_DISTRIBUTION_", "SLURM_")):
            monkeypatch.delenv(name)


def test_which_hosts(monkeypatch):
    assert env.resolve_hosts(None, None) is None
    assert env.resolve_hosts("a:1,b:2", "1") == (["a:1", "b:2"], 1)
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "c:3,d:4")
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "0")
    assert env.resolve_hosts(None, None) == (["c:3", "d:4"], 0)
    assert env.resolve_hosts("a:1,b:2", "1") == (["a:1", "b:2"], 1)


@pytest.mark.parametrize("nodes, first", [("gpu7", "gpu7"), ("gpu[03-07,9],big1", "gpu03"), ("a1,b2", "a1"),
                                          ("n[12]-ib,n13-ib", "n12-ib"), ("r[1-2]n[3-4]", "r1n3"),
                                          ("rack[02,4-5]-n[007]x,other", "rack02-n007x")])
def test_the_hosts_of_slurm(monkeypatch, nodes, first):
    for name, value in (("STEP_NODELIST", nodes), ("STEP_NUM_TASKS", "3"), ("PROCID", "2"), ("JOB_ID", "20017")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert env.resolve_hosts("slurm", None) == ([f"{first}:20034"] * 3, 2)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert env.resolve_hosts("slurm", None) is None


@pytest.mark.parametrize("name, value", [("STEP_NUM_TASKS", "two"), ("PROCID", "-1"), ("PROCID", "3"),
                                         ("JOB_ID", "7_1")])
def test_variables_of_slurm_that_srun_does_not_set(monkeypatch, name, value):
    for variable, usual in (("STEP_NODELIST", "a[1-3]"), ("STEP_NUM_TASKS", "3"), ("PROCID", "0"), ("JOB_ID", "17")):
        monkeypatch.setenv(f"SLURM_{variable}", value if variable == name else usual)
    with pytest.raises(UserError) as error:
        env.resolve_hosts("slurm", None)
    check_message(error.value, f"SLURM_{name}", value)


@pytest.mark.parametrize("addresses, index, parts", [
    ("a,b:1", "0", ["--hosts", "'a'"]), ("a:1,,b:2", "0", ["--hosts", "''"]),
    ("a:1,b:99999", "0", ["--hosts", "'b:99999'"]), ("a:1,b:0", "0", ["--hosts", "'b:0'"]),
    ("a:1", "0", ["--hosts", "'a:1'"]), ("a:1,a:1", "0", ["--hosts", "'a:1,a:1'"]),
    ("a:1,b:2", None, ["--host-index", 0, 1]), ("a:1,b:2", "2", ["--host-index", 0, 1, 2]),
    ("a:1,b:2", "-1", ["--host-index", 0, 1, "-1"]), ("a:1,b:2", 5000 * "9", ["--host-index", 0, 1]),
    (None, "1", ["--host-index", "--hosts"]),
    ("slurm", None, ["--hosts slurm", "SLURM_STEP_NODELIST"]),
])
def test_invalid_hosts(addresses, index, parts):
    with pytest.raises(UserError) as caught:
        env.resolve_hosts(addresses, index)
    check_message(caught.value, *parts)


# Training

def start_host(folder, name, index, addresses, *arguments):
    """Start one host; with addresses None the only one."""
    several = ["--hosts", ",".join(addresses), "--host-index", str(index)] if addresses else []
    kept = {key: value for key, value in os.environ.items() if key not in ("KERAS_BACKEND", "XLA_FLAGS", "ZOO_DATA")}
    return subprocess.Popen(
        [sys.executable, "-m", "zoo.train", "lenet5", "--dataset", "digits", "--backend", "jax", "--gpu", "none",
         "--batch-size", "32", "--name", name, "--output-dir", str(folder), *arguments, *several], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**kept, "TF_CPP_MIN_LOG_LEVEL": "3"})


def wait_for_hosts(processes, seconds=500):
    """Return (exit status, stdout, stderr) of each."""
    try:
        stdout = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:  # where one took too long
            process.kill()
    return [(process.returncode, *each) for process, each in zip(processes, stdout, strict=True)]


def start_two_hosts(folder, name, *arguments):
    addresses = make_addresses()
    return [start_host(folder, name, index, addresses, *arguments) for index in (0, 1)], addresses


def assert_equal_runs(one, two, **tolerance):
    for row, same in zip(*(run_files.read_history_rows(run) for run in (one, two)), strict=True):
        assert row == pytest.approx(same, **tolerance)
    arrays, others = (read_arrays(run / "checkpoints" / "last.npz") for run in (one, two))
    assert [*arrays] == [*others]
    for name in arrays:
        if name != "progress/seconds":
            np.testing.assert_allclose(arrays[name], others[name], rtol=tolerance["rel"], atol=tolerance["abs"])


@needs_jax
@pytest.mark.slow
def test_two_hosts_train_as_one(tmp_path):
    """203 images: the last batch, of 11, does not divide over two."""
    arguments = ("--limit", "203", "--epochs", "2")
    ((status, stdout, stderr),) = wait_for_hosts([start_host(tmp_path, "one", 0, None, *arguments)])
    assert status == 0, stderr
    (first, second), _ = start_two_hosts(tmp_path, "two", *arguments)
    (status, stdout, stderr), (other, reduced, missing) = wait_for_hosts([first, second])
    assert (status, other) == (0, 0), stderr + missing
    check_text(stdout, "2 hosts", "2 devices", "epoch 2/2")
    assert "epoch 2/2" not in reduced
    assert_equal_runs(tmp_path / "one", tmp_path / "two", rel=1e-3, abs=1e-4)
    names = [sorted(str(path.relative_to(tmp_path / run)) for path in (tmp_path / run).rglob("*"))
             for run in ("one", "two")]
    assert names[0] == names[1] and "result.json" in names[0]


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_host_ends_the_other_and_both_resume(lost, tmp_path):
    arguments = ("--limit", "1000", "--epochs", "8")
    assert [each[0] for each in wait_for_hosts(start_two_hosts(tmp_path, "whole", *arguments)[0])] == [0, 0]
    pair, addresses = start_two_hosts(tmp_path, "parts", *arguments)
    history = tmp_path / "parts" / "history.csv"
    while not history.exists() or len(history.read_text().splitlines()) < 4:
        assert pair[0].poll() is None
        time.sleep(0.02)
    pair[lost].send_signal(signal.SIGKILL)
    status, _, stderr = wait_for_hosts([pair[1 - lost]], 60)[0]
    assert status == 8 and "Traceback" not in stderr
    check_text(stderr, addresses[lost])
    pair[lost].communicate()
    assert not (tmp_path / "parts" / "result.json").exists()
    assert [each[0] for each in wait_for_hosts(start_two_hosts(tmp_path, "parts", *arguments)[0])] == [0, 0]
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts", rel=0, abs=0)


@needs_jax
@pytest.mark.slow
def test_a_signal_to_either_host_saves_the_step_for_both(tmp_path):
    arguments = ("--limit", "1000", "--epochs", "8")
    pair, _ = start_two_hosts(tmp_path, "x", *arguments)
    while not (tmp_path / "x" / "history.csv").exists():
        assert pair[0].poll() is None
        time.sleep(0.02)
    pair[1].send_signal(signal.SIGTERM)
    (status, _, stderr), (other, _, _) = wait_for_hosts(pair)
    assert (status, other) == (130, 130)
    assert f"python -m zoo.train --resume {tmp_path / 'x'} --hosts " in stderr
    assert stderr.rstrip().endswith(" --host-index 0")
    assert [each[0] for each in wait_for_hosts(start_two_hosts(tmp_path, "x", *arguments)[0])] == [0, 0]


@needs_jax
@pytest.mark.parametrize("arguments", [("--backend", "tensorflow"), ("--backend", "jax", "--runs", "3")])
def test_several_hosts_train_one_run_with_jax(arguments, tmp_path):
    done = subprocess.run([sys.executable, "-m", "zoo.train", "lenet5", "--hosts", "a:1,b:2", "--host-index", "0",
                           *arguments, "--output-dir", str(tmp_path)],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    check_message(done.stderr, "--backend jax", "--seed", "--runs")
