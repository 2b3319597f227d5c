"""Worker processes of the benchmarks: each prepares one of implementations.py and then runs tasks on request, so that
implementations can alternate on one machine. `python workers.py JSON` is such a process.
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
    """A task did not finish in time; the process has been killed."""


class Worker:
    def __init__(self, case, implementation, backend, precision, clock="wall", **environment):
        """Start the process; case: model name, batch size, steps per round, arguments of zoo.build.

        clock: "wall", or "cpu" for CPU time, summed over all threads: other load on the machine then has little
        influence, and a second thread gains nothing.
        """
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps([clock, implementation, precision, *case])], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.stderr, text=True,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})

    def request(self, task, timeout=None):
        """Return the result of `task`, see `run_task`; WorkerTimeout if it takes longer than `timeout` seconds."""
        print(task, file=self.process.stdin, flush=True)
        if timeout is not None and not select.select([self.process.stdout], [], [], max(0.0, timeout))[0]:
            self.process.kill()
            self.close()
            raise WorkerTimeout
        line = self.process.stdout.readline()
        if not line:
            self.stderr.seek(0)
            raise SystemExit(f"{self.stderr.read()}error: a worker process exited: {self.process.args}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()


def run_task(tasks, task):
    """Return the result of one task: images per second, None if the implementation does not have the task; for
    "memory" the peak memory in MiB; for "step" the seconds per training step, on the first call with compilation.
    """
    if task == "memory":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if task not in tasks:
        return None
    start = time.perf_counter()
    result = tasks[task]()
    if task == "step":
        return (time.perf_counter() - start) / result
    num_images, seconds = result
    return num_images / seconds


def main(clock, implementation, precision, name, batch_size, steps, model_options):
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
    results, sys.stdout = sys.stdout, sys.stderr
    if clock == "cpu":
        time.perf_counter = time.process_time  # for the implementations and for zoo's own timings
    import keras
    from implementations import PREPARE_FUNCTIONS

    if precision == "bfloat16" and implementation != "pytorch":
        keras.config.set_dtype_policy("mixed_bfloat16")
    tasks = PREPARE_FUNCTIONS[implementation](name, batch_size, model_options, batch_size * steps, precision)
    for line in sys.stdin:
        print(json.dumps(run_task(tasks, line.strip())), file=results, flush=True)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
