"""Downloads, from a real server on this machine."""

import hashlib
import http.server
import os
import pty
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from helpers import check_message, check_text
from small_sets import CIFAR10, files10, python2_batch, write_archive, write_idx, write_npz

from zoo.data.dataset_info import Download, get_dataset_info
from zoo.data.datasets import load_dataset
from zoo.errors import UserError


class Server:
    """Serves `files`, {path: bytes}; `requests` are the requested paths; it answers while `open` is set."""

    def __init__(self):
        self.files, self.requests, self.open, self.extra_length = {}, [], threading.Event(), 0
        self.open.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                data = outer.files.get(self.path)
                if data is None:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(data) + outer.extra_length))
                self.end_headers()
                outer.open.wait(20)
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.open.set()
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "keras-home" / "datasets"


def serve_files(server, name, files, algorithm="sha256"):
    """Return the info of `name` with its downloads {file below the cache: bytes} served by `server`."""
    server.files |= {f"/{file}": data for file, data in files.items()}
    return replace(get_dataset_info(name), downloads=tuple(
        Download(f"{server.url}/{file}", file, f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")
        for file, data in files.items()))


@pytest.fixture
def mnist(server, tmp_path):
    write_npz(tmp_path / "offered.npz")
    return serve_files(server, "mnist", {"mnist.npz": (tmp_path / "offered.npz").read_bytes()})


def test_a_download_is_cached(mnist, server, cache, capfd):
    for _ in range(2):
        data = load_dataset(mnist)
        assert len(data.train) == 92 and data.source == f"{cache}/mnist.npz"
    assert server.requests == ["/mnist.npz"]
    output = capfd.readouterr()
    assert output.out == ""
    check_text(output.err, f"{server.url}/mnist.npz", "0.1 MB")
    assert len(output.err.splitlines()) <= 5


def test_four_files_with_md5(server, cache, tmp_path):
    write_idx(tmp_path / "offered", ending=".gz")
    files = {f"fashion-mnist/{path.name}": path.read_bytes() for path in (tmp_path / "offered").iterdir()}
    info = serve_files(server, "fashion_mnist", files, "md5")
    assert len(files) == 4 and len(load_dataset(info).test) == 30
    assert sorted(path.name for path in (cache / "fashion-mnist").glob("*.gz")) == [
        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
        "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]


def test_an_archive_is_read_as_it_comes(server, cache, tmp_path):
    write_archive(tmp_path / "offered", "cifar-10-batches-py", files10(python2_batch))
    name = get_dataset_info("cifar10").downloads[0].file
    data = load_dataset(serve_files(server, "cifar10", {name: (tmp_path / "offered").read_bytes()}))
    assert len(data.test) == len(CIFAR10["test"][0])
    assert sorted(os.listdir(cache)) == [f".{name}.lock", name]


def test_a_wrong_hash(mnist, server, cache):
    expected = mnist.downloads[0].hash
    server.files["/mnist.npz"] += b"and more"
    actual = "sha256:" + hashlib.sha256(server.files["/mnist.npz"]).hexdigest()
    with pytest.raises(UserError) as error:
        load_dataset(mnist)
    check_message(error.value, f"{server.url}/mnist.npz", expected, actual)
    assert os.listdir(cache) == [".mnist.npz.lock"]


def test_a_connection_that_ends_early(mnist, server, cache):
    server.extra_length, size = 1_000, len(server.files["/mnist.npz"])
    with pytest.raises(UserError) as error:
        load_dataset(mnist)
    check_message(error.value, "mnist", f"{size:,}", f"{size + 1_000:,}", f"{server.url}/mnist.npz", "--data-dir")
    assert os.listdir(cache) == [".mnist.npz.lock"]


def test_a_missing_url(mnist, server, cache):
    server.files.clear()
    with pytest.raises(UserError) as error:
        load_dataset(mnist)
    check_message(error.value, "mnist", 404, f"{server.url}/mnist.npz", "--data-dir")


def test_no_server(mnist, server, cache):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UserError) as error:
        load_dataset(mnist)
    check_message(error.value, "mnist", "Connection refused", f"{server.url}/mnist.npz", "--data-dir")
    assert os.listdir(cache) == [".mnist.npz.lock"]


IN_A_PROCESS = """
import sys
from dataclasses import replace
from zoo.data.dataset_info import Download, get_dataset_info
from zoo.data.datasets import load_dataset
info = replace(get_dataset_info("mnist"), downloads=(Download(*sys.argv[1:]),))
print(len(load_dataset(info).train))
"""


def start_process(mnist, **streams):
    download = mnist.downloads[0]
    return subprocess.Popen([sys.executable, "-c", IN_A_PROCESS, download.url, download.file, download.hash],
                            stdout=subprocess.PIPE, text=True, **streams)


def test_two_processes_download_once(mnist, server, cache):
    """The server delays its answer until the second process reports the file that it is waiting for."""
    server.open.clear()
    processes = [start_process(mnist, stderr=subprocess.PIPE) for _ in range(2)]
    waits, awaited = threading.Event(), str(cache / "mnist.npz")
    outputs = [[], []]

    def listen(process, lines):
        for line in process.stderr:
            lines.append(line)
            if awaited in line:
                waits.set()

    listeners = [threading.Thread(target=listen, args=pair) for pair in zip(processes, outputs)]
    for listener in listeners:
        listener.start()
    assert waits.wait(20)
    server.open.set()
    assert [process.stdout.read().strip() for process in processes] == ["92", "92"]
    assert [process.wait(20) for process in processes] == [0, 0]
    for listener in listeners:
        listener.join()
    assert server.requests == ["/mnist.npz"]
    assert sorted(any(awaited in line for line in lines) for lines in outputs) == [False, True]


def test_the_lock_of_a_dead_process_blocks_nobody(mnist, server, cache):
    server.open.clear()
    process = start_process(mnist, stderr=subprocess.PIPE)
    check_message(process.stderr.readline(), mnist.downloads[0].url)
    process.kill()
    process.wait(20)
    server.open.set()
    [scratch] = cache.glob(f".{process.pid}-*")
    other = scratch.with_name(f".{process.pid}-00000000-other.npz")  # of another file: its lock is not held
    other.touch()
    assert len(load_dataset(mnist).train) == 92 and not scratch.exists() and other.exists()


def test_one_line_on_a_terminal(mnist):
    terminal, other_end = pty.openpty()
    process = start_process(mnist, stderr=other_end)
    assert process.stdout.read().strip() == "92" and process.wait(20) == 0
    os.close(other_end)
    text = os.read(terminal, 10_000).decode()
    os.close(terminal)
    check_text(text, mnist.downloads[0].url)
    assert "\r" in text and text.count("\n") == 1 and text.endswith("MB\r\n")
