import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

# before a test imports Keras: TensorFlow logs many messages at startup
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

gc.set_threshold(50_000, 20, 20)  # instead of Python's 700, 10, 10: Keras creates millions of objects

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "unpack.py"


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """Return a folder with the real MNIST, CIFAR-10 and CIFAR-100."""
    if not REAL.exists():
        pytest.skip("the real images are not here: no ../shared/data/unpack.py")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "real"
    with filelock.FileLock(f"{folder}.lock"):  # the first of several workers unpacks
        if not folder.exists():
            process = subprocess.run([sys.executable, REAL, f"{folder}-new"], capture_output=True, text=True)
            assert process.returncode == 0, process.stderr
            os.rename(f"{folder}-new", folder)
    return folder


@pytest.fixture
def alarm():
    """Fail a test that waits for 10 s, as one that opens a pipe would; not by an exception, which a test can expect."""
    def fail(number, frame):
        pytest.fail("no answer within 10 s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, 10)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def restore_environment():
    """Restore os.environ after each test: commands that run in this process set variables for their backend."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def freeze_garbage():
    """Collect garbage after each module and exclude what remains, mostly cached models, from later collections."""
    yield
    gc.collect()
    gc.freeze()
