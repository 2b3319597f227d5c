"""Processes for benchmarks: each prepares one subject of implementations.py and then works when it is asked, so that
subjects
take turns on one machine. `python workers.py JSON` is such a process.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class WorkerTimeout(Exception):
    """An answer did not come in time; the process has been ended."""


class Worker:
    def __init__(self, case, subject, backend, precision, clock="wall", **environment):
        """Start the process; case: name, batch size, steps of a turn, arguments of zoo.build.

        clock: "wall", or "cpu" for seconds of the processor's time, all threads together: what else the machine does
        counts little then, and a second thread gains nothing.
        """
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps([clock, subject, precision, *case])], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.stderr, text=True,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})

    def request(self, task, timeout=None):
        """Return the answer to `what`, see `run_task`; WorkerTimeout when it takes longer than `seconds`."""
        print(task, file=self.process.stdin, flush=True)
        if timeout is not None and not select.select([self.process.stdout], [], [], max(0.0, timeout))[0]:
            self.process.kill()
            self.close()
            raise WorkerTimeout
        line = self.process.stdout.readline()
        if not line:
            self.stderr.seek(0)
            raise SystemExit(f"{self.stderr.read()}error: a subject ended: {self.process.args}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()


def run_task(tasks, task):
    """Return what one line asks for: images per second of a kind of work, None where the subject has none such; the
    "memory" used at most, in MiB; the seconds of a "step" in training, at its first call with its compilation.
    """
    if task == "memory":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if task not in tasks:
        return None
    began = time.perf_counter()
    result = tasks[task]()
    if task == "step":
        return (time.perf_counter() - began) / result
    return result[0] / result[1]


def main(clock, subject, precision, name, batch_size, steps, model_options):
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    answers, sys.stdout = sys.stdout, sys.stderr
    if clock == "cpu":
        time.perf_counter = time.process_time  # of the subjects, and of zoo's own timings
    import keras
    from implementations import PREPARE_FUNCTIONS

    if precision == "bfloat16" and subject != "pytorch":
        keras.config.set_dtype_policy("mixed_bfloat16")
    prepared = PREPARE_FUNCTIONS[subject](name, batch_size, model_options, batch_size * steps, precision)
    for line in sys.stdin:
        print(json.dumps(run_task(prepared, line.strip())), file=answers, flush=True)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
