"""Measure how many pictures a second networks train on and are asked for, side by side; write throughput.csv.

    python benchmarks/throughput.py                   all of it: 20 minutes on a machine with nothing else to do
    python benchmarks/throughput.py lenet5 resnet34   some networks; the rows of the others stay
    python benchmarks/throughput.py start             only what stands before the first step
    python benchmarks/throughput.py --table | --readme

For each network these stand beside each other, each in a process of its own, and work in turns, ROUNDS times; a row is
the median of its turns, with the slowest and the fastest:

    zoo       what zoo.train does in an epoch, its batches, changes of the pictures, metrics and progress among it, and
              its files left out; the second epoch of two, for the first has the start of `fit` in it
    bare      the same compiled step, over and over on one batch that is on the device: the limit (TensorFlow)
    tutorial  model.fit on NumPy arrays with Keras's random layers in front, as a tutorial writes it, in float32
    pytorch   an eager PyTorch loop over a DataLoader, channels last, the same network, changes and precision
    product   one product of large matrices: the peak, in 10^9 multiply-adds a second

One step of each comes first. What is too slow for its part of --minutes, such as bfloat16 where the CPU has none, is
left out, with a row that says so; where time is short there are fewer rounds.
The pictures are mirrored, turned by up to 25 degrees and shifted by up to a tenth, as the recipe `notes` does. It needs
jax and torch beside what the README installs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("throughput.csv")
FIELDS = ("network", "what", "subject", "backend", "precision", "batch", "median", "lowest", "highest", "unit", "turns",
          "multiply_adds", "processor", "versions")
ROUNDS, MIN_ROUNDS, START_SECONDS = 3, 1, 120  # START: seconds for what stands before the first step
# Training steps that a step of a turn costs: two epochs, and a third of a step for its inference, rounded up
STEPS_PER_TURN_STEP = 3
TRAINING_MACS_FACTOR = 3  # times the multiply-adds of a picture: forward, to the weights and to the inputs

#        network                batch steps  arguments of zoo.build
CASES = (("lenet5",              128,  80, {}),
         ("vgg16",                32,   3, {"options": {"batch_norm": True}}),
         ("resnet34",             32,   2, {}),
         ("googlenet",            32,   2, {}),
         ("inception_resnet_v2",  32,   2, {"width": 1 / 8}))

#           subject     backend       precision
IMPLEMENTATIONS = (("zoo",      "tensorflow", "float32"),
                   ("zoo",      "tensorflow", "bfloat16"),
                   ("bare",     "tensorflow", "float32"),
                   ("tutorial", "tensorflow", "float32"),
                   ("pytorch",  "torch",      "float32"),
                   ("pytorch",  "torch",      "bfloat16"))
OTHER_BACKENDS = (("zoo", "jax", "float32"), ("zoo", "torch", "float32"))
OTHER_BACKEND_MODELS = ("lenet5", "resnet34")  # JAX and PyTorch are slower here, and the whole has its limit of time

KERAS_APPLICATIONS = (("vgg16", "VGG16"), ("inception_v3", "InceptionV3"),
                      ("xception", "Xception"))  # and in keras.applications


def get_implementations(name):
    return (*IMPLEMENTATIONS, *(OTHER_BACKENDS if name in OTHER_BACKEND_MODELS else ()))


def measure_case(case, rounds, seconds, max_seconds):
    """Yield the rows of one model: about `seconds` for more rounds than MIN_ROUNDS, never much more than `limit`.

    A subject for which the limit is too short has a row "left out" instead: the seconds of one of its steps, or those
    after which its first step, with the import and the compilation, was given up.
    """
    from workers import WorkerTimeout, Worker

    (name, batch, steps, _), subjects = case, get_implementations(case[0])
    began, promised, workers, values = time.monotonic(), 0.0, {}, {}
    for index, subject in enumerate(subjects):  # one after the other, for each compiles on all cores
        started = time.monotonic()
        left = began + max_seconds - started - promised  # of which one may take twice its part, for they differ
        share = max(0.0, left * min(1, 2 / (len(subjects) - index)))
        worker = Worker(case, *subject)
        try:
            worker.request("step", share)
            step = worker.request("step",
                                  share - (time.monotonic() - started))  # without the import and the compilation
        except WorkerTimeout:
            values["left out", "s", subject] = [share]
            continue
        turn = step * steps * STEPS_PER_TURN_STEP
        if time.monotonic() - started + turn * (1 + MIN_ROUNDS) > share:
            values["left out", "s a step", subject] = [step]
            worker.close()
            continue
        worker.request("training")
        if subject[0] == "zoo":
            values["first turn", "s", subject] = [time.monotonic() - started]
        worker.request("inference")
        workers[subject], promised = worker, promised + turn * MIN_ROUNDS
    for turn in range(1, rounds + 1):
        turn_began = time.monotonic()
        for what in ("training", "inference"):
            for subject, worker in workers.items():
                speed = worker.request(what)
                if speed is not None:
                    values.setdefault((what, "pictures/s", subject), []).append(speed)
        print(f"{name}: turn {turn} of {rounds}", file=sys.stderr, flush=True)
        if turn >= MIN_ROUNDS and 2 * time.monotonic() - turn_began > began + seconds:  # another would end too late
            break
    for subject, worker in workers.items():
        values["memory", "MiB", subject] = [worker.request("memory")]
        worker.close()
    products = count_multiply_adds(case)
    for (what, unit, (subject, backend, precision)), each in values.items():
        yield make_row(each, unit, network=name, what=what, subject=subject, backend=backend, precision=precision,
                       batch=batch, multiply_adds=products)


def make_row(values, unit, **columns):
    digits = 1 if unit in ("pictures/s", "MiB") else 3
    return {**columns, "median": round(statistics.median(values), digits), "lowest": round(min(values), digits),
            "highest": round(max(values), digits), "unit": unit, "turns": len(values)}


def count_multiply_adds(case):
    """Return those of one picture, forward."""
    from zoo import registry
    from zoo.analysis import summary

    return summary.summarize_model_config(registry.resolve_model_config(case[0], (32, 32, 3), 10,
                                                                        **case[3])).multiply_adds


def measure_peaks():
    """Return a row for each precision: the 10^9 multiply-adds a second of a product of two square matrices."""
    import torch

    side, rows = 2048, []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.rand(side, side).to(dtype) for _ in range(2))
        speeds = []
        for _ in range(20):
            began = time.perf_counter()
            a @ b
            speeds.append(side ** 3 / (time.perf_counter() - began) / 1e9)
        rows.append(make_row(speeds, "10^9/s", what="peak", subject="product", backend="torch", precision=precision))
    return rows


def measure_start():
    """Yield rows of what stands before the first step: seconds."""
    commands = {"nothing at all": ["-c", ""], "import zoo": ["-c", "import zoo"],
                "zoo.train --help": ["-m", "zoo.train", "--help"],
                "zoo.train resnet43": ["-m", "zoo.train", "resnet43"]}
    taken = {name: [] for name in commands}
    for _ in range(7):
        for name, words in commands.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    for name, seconds in taken.items():
        yield make_row(seconds, "s", what="start", subject=name)
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras

    import zoo

    for ours, theirs in KERAS_APPLICATIONS:
        taken = {"zoo.build": [], "keras.applications": []}
        for _ in range(4):
            for name, build in (("zoo.build", lambda: zoo.build(ours)),
                                ("keras.applications", lambda: getattr(keras.applications, theirs)(weights=None))):
                keras.utils.clear_session()
                began = time.perf_counter()
                build()
                taken[name].append(time.perf_counter() - began)
        for name, seconds in taken.items():
            yield make_row(seconds[1:], "s", network=ours, what="build", subject=name, backend="tensorflow")


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def replace_rows(new_rows, is_replaced):
    """Put `new_rows` in the place of the rows for which `is_replaced` is true."""
    csv_rows.write_rows(CSV_PATH, FIELDS, [row for row in read_rows() if not is_replaced(row)] + new_rows)


def read_medians():
    """Return {(network, what, subject, backend, precision): the row}, with numbers for what numbers are."""
    return {tuple(each[field] for field in FIELDS[:5]): {**each, "median": float(each["median"])}
            for each in read_rows()}


def format_ratio(rows, network, task, *other, ours):
    found = rows.get((network, task, *other))
    return f"{ours / found['median']:.2f}" if found else ""


def format_markdown_table():
    """Return the lines of the whole table: pictures a second, and zoo's share of each other."""
    rows = read_medians()
    lines = ["| network, batch | | backend, precision | zoo, pictures/s | of bare | of tutorial | of PyTorch | of peak |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for (network, what, subject, backend, precision), each in rows.items():
        if subject == "zoo" and what == "left out":
            lines.append(f"| {network}, {each['batch']} | | {backend}, {precision} | left out: {format_reason(each)} | "
                         "| | | |")
        if subject != "zoo" or what not in ("training", "inference"):
            continue
        ours = each["median"]
        bare = format_ratio(rows, network, what, "bare", backend, precision, ours=ours)
        tutorial = format_ratio(rows, network, what, "tutorial", "tensorflow", "float32", ours=ours)
        pytorch = format_ratio(rows, network, what, "pytorch", "torch", precision, ours=ours)
        done = ours * int(each["multiply_adds"]) * (TRAINING_MACS_FACTOR if what == "training" else 1)
        peak = done / 1e9 / float(rows["", "peak", "product", "torch", precision]["highest"])
        lines.append(f"| {network}, {each['batch']} | {what} | {backend}, {precision} | {ours:,.0f} "
                     f"({float(each['lowest']):,.0f} to {float(each['highest']):,.0f}) | {bare} | {tutorial} | "
                     f"{pytorch} | {peak:.0%} |")
    return lines


def format_reason(row):
    """Return the text that says why the subject of a row was left out."""
    words = "no time for steps of" if row["unit"] == "s a step" else "no two steps in"
    return f"{words} {row['median']:.3g} s"


def format_start_table():
    """Return the lines of the table of what stands before the first step."""
    rows = read_medians()
    lines = ["| | seconds |", "| --- | ---: |"]
    lines += [f"| `{subject}` | {each['median']:.2f} |" for (_, what, subject, *_), each in rows.items()
              if what == "start" and subject != "nothing at all"]
    lines += [f"| `zoo.build(\"{network}\")`, of `keras.applications` | {each['median']:.2f}, "
              f"{format_ratio(rows, network, what, 'keras.applications', backend, precision, ours=each['median'])} |"
              for (network, what, subject, backend, precision), each in rows.items() if subject == "zoo.build"]
    lines += [f"| {network}, {backend}, {precision}: from nothing to the end of the first turn; peak memory | "
              f"{each['median']:.1f}; {rows[network, 'memory', subject, backend, precision]['median']:,.0f} MiB |"
              for (network, what, subject, backend, precision), each in rows.items() if what == "first turn"]
    return lines


def format_readme_table():
    """Return the lines of the README's table: training in float32 on TensorFlow."""
    rows = read_medians()
    lines = ["| network | batch | pictures/s | of the bare step | of a tutorial's `fit` | of eager PyTorch |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for (network, what, *subject), each in rows.items():
        if what == "training" and tuple(subject) == IMPLEMENTATIONS[0]:
            shares = " | ".join(format_ratio(rows, network, what, *other, ours=each["median"])
                                for other in IMPLEMENTATIONS[2:5])
            lines.append(f"| {network} | {each['batch']} | {each['median']:,.0f} | {shares} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help=f"{', '.join(case[0] for case in CASES)}, start; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--minutes", type=float, default=20, help="that all of it may take; default: 20")
    parser.add_argument("--table", action="store_true", help="print the tables of docs/speed.md")
    parser.add_argument("--readme", action="store_true", help="print the table of the README")
    parser.add_argument("--peaks", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peaks:
        print(json.dumps(measure_peaks()))
        return
    if arguments.table or arguments.readme:
        print("\n".join(format_readme_table() if arguments.readme
                        else [*format_markdown_table(), "", *format_start_table()]))
        return
    sys.path[:0] = [str(ROOT)]
    from zoo.training import provenance

    asked = arguments.networks or [case[0] for case in CASES] + ["start"]
    unknown = set(asked) - {case[0] for case in CASES} - {"start"}
    if unknown:
        parser.error(f"not measured here: {', '.join(sorted(unknown))}")
    versions = {**provenance.get_package_versions("tensorflow"), **provenance.get_package_versions("jax"),
                **provenance.get_package_versions("torch")}
    told = {"processor": provenance.get_cpu_name(),
            "versions": " ".join(f"{package} {version}" for package, version in versions.items())}
    end, cases = time.monotonic() + arguments.minutes * 60, [case for case in CASES if case[0] in asked]
    for index, case in enumerate(cases):  # measured in processes of their own, before this one loads a backend
        left = max(0.0, end - time.monotonic() - (START_SECONDS if "start" in asked else 0))
        seconds = left / (len(cases) - index)
        rows = [{**each, **told} for each in measure_case(case, arguments.rounds, seconds, min(left, 2 * seconds))]
        replace_rows(rows, lambda each, case=case: each["network"] == case[0] and each["what"] != "build")
    if "start" in asked:
        alone = subprocess.run([sys.executable, __file__, "--peaks"], capture_output=True, text=True, check=True)
        rows = [{**each, **told} for each in [*json.loads(alone.stdout), *measure_start()]]
        replace_rows(rows, lambda each: each["what"] in ("start", "build", "peak"))
    print("\n".join([*format_markdown_table(), "", *format_start_table()]))


if __name__ == "__main__":
    main()
