"""Measure what each thing gives that makes zoo fast on TensorFlow's CPU, or was tried to; write ablation.csv.

    python benchmarks/ablation.py             all of it, ten minutes and more; leave the machine alone meanwhile
    python benchmarks/ablation.py inference   one kind of work; the rows of the others stay
    python benchmarks/ablation.py --table     the table of docs/speed.md

A way is zoo with one thing put back or tried. It stands in one process beside zoo as it is, and they work in turns,
ROUNDS times; a row is the median of its turns, with the slowest and the fastest. Of training and of inference it is the
compiled step on one batch that is on the device, of `fit` two whole epochs, of which the second counts, of `predict` a
whole split as validation, test and zoo evaluate go through it, in seconds of processor time, so that another load on
the machine counts little.
"""

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import csv_rows

ROOT = Path(__file__).resolve().parents[1]
CSV_PATH = Path(__file__).with_name("ablation.csv")
FIELDS = ("network", "what", "way", "batch", "median", "lowest", "highest", "turns", "processor", "versions")
ROUNDS = 7
BASELINE = "as it is"
TRAINING_BATCHES, ONE_BATCH = "batches as in training", "all images in one batch"
SEVERAL_STEPS, ONE_FUNCTION = "batches as in training, several in one call", "one tf.function over the split"

#         network, batch, steps of a turn, arguments of zoo.build
LENET = ("lenet5", 128, 80, {})
VGG = ("vgg16", 32, 4, {"options": {"batch_norm": True}})
RESNET = ("resnet34", 32, 3, {})
INCEPTION = ("inception_resnet_v2", 32, 3, {"width": 1 / 8})

#        network    what        ways
CASES = ((LENET,     "training", ("one step a call", "XLA")),
         (LENET,     "fit",      ("the PyDataset given to Keras", "batches made beforehand")),
         (VGG,       "training", ("Keras's normalisation", "the penalty worked out")),
         (RESNET,    "training", ("Keras's normalisation", "layers of zeros", "XLA")),
         (INCEPTION, "training", ("Keras's normalisation",)),
         (VGG,       "inference", ("Keras's normalisation", "weights as constants", "XLA")),
         (RESNET,    "inference", ("Keras's normalisation", "weights as constants", "XLA")),
         (INCEPTION, "inference", ("Keras's normalisation", "weights as constants")),
         (LENET,     "predict", (TRAINING_BATCHES, ONE_BATCH, SEVERAL_STEPS, ONE_FUNCTION)))


def apply_variant(variant):
    """Return a context in which zoo is built and works in the way of that name."""
    import keras

    from zoo.models import resnet
    from zoo.training import cpu_kernels, evaluation, optimizers, prefetch, trainer
    from zoo.training.batches import TrainingBatches

    prepare, make = trainer.compile_model, TrainingBatches.__getitem__

    def compiled(model, *rest):
        metrics = prepare(model, *rest)
        model.jit_compile = True
        return metrics

    def with_zeros(x, filters, kernel, stride=1, *, name):
        if kernel > 1:
            x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        return keras.layers.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)

    @functools.cache
    def beforehand(batches):
        return make(batches, 0)

    #                                what is put back or tried, where
    changes = {"Keras's normalisation": (cpu_kernels, "use_fast_kernels", lambda network, sharing: None),
               "layers of zeros": (resnet, "conv_no_bias", with_zeros),
               "the penalty worked out": (optimizers, "CoupledWeightDecay",
                                          lambda rate: keras.regularizers.L2(rate / 2)),
               "one step a call": (trainer, "compute_steps_per_execution", lambda *_: 1),
               "XLA": (trainer, "compile_model", compiled),
               "the PyDataset given to Keras": (prefetch, "prefetch_batches", lambda batches: batches),
               TRAINING_BATCHES: (evaluation, "compute_inference_batch_size", lambda model, batch_size: batch_size),
               SEVERAL_STEPS: (evaluation, "compute_inference_batch_size", lambda model, batch_size: batch_size),
               ONE_BATCH: (evaluation, "compute_inference_batch_size", lambda model, batch_size: 10 ** 6),
               "batches made beforehand": (TrainingBatches, "__getitem__", lambda batches, index: beforehand(batches))}
    return mock.patch.object(*changes[variant]) if variant in changes else contextlib.nullcontext()


def measure_case(case):
    """Return {way: pictures a second of each turn} of one of CASES."""
    from implementations import prepare_bare, prepare_zoo

    (name, batch, steps, more), what, ways = case
    prepare = {"training": prepare_bare, "fit": prepare_zoo, "inference": prepare_inference,
               "predict": prepare_prediction}[what]
    works, speeds = {}, {}
    for way in (BASELINE, *ways):
        with apply_variant(way):
            works[way] = prepare(name, batch, more, batch * steps, way)["training" if what == "fit" else what]
            works[way]()  # compiles
    for _ in range(ROUNDS):
        for way, work in works.items():
            with apply_variant(way):
                pictures, seconds = work()
            speeds.setdefault(way, []).append(pictures / seconds)
    return speeds


def prepare_inference(name, batch_size, model_options, num_images, variant):
    """Be a subject, as those of implementations.py are: the network's answers to one batch, over and over."""
    import tensorflow as tf
    from implementations import build_model, make_images

    from zoo.training import cpu_kernels
    from zoo.training.distribution import data_parallel

    network, images = build_model(name, model_options), tf.constant(make_images(batch_size)[0])
    cpu_kernels.use_fast_kernels(network, data_parallel.SINGLE_DEVICE)
    values = [[variable.numpy() for variable in each]
              for each in (network.trainable_variables, network.non_trainable_variables)]

    @tf.function(jit_compile=variant == "XLA")
    def answers(images):
        if variant != "weights as constants":
            return network(images, training=False)
        return network.stateless_call(*([tf.constant(value) for value in each] for each in values), images,
                                      training=False)[0]

    def ask():
        began = time.perf_counter()
        for _ in range(num_images // batch_size):
            answers(images).numpy()
        return num_images, time.perf_counter() - began

    return {"inference": ask}


def prepare_prediction(name, batch_size, model_options, num_images, variant):
    """Be a subject, as those of implementations.py are: the predictions for a split of `count` images."""
    import keras
    import numpy as np
    import tensorflow as tf
    from implementations import build_model, make_images

    from zoo.data.splits import Split
    from zoo.training import cpu_kernels, evaluation
    from zoo.training.distribution import data_parallel

    (images, labels), model = make_images(num_images), build_model(name, model_options)
    split = Split(images, labels, np.arange(num_images))
    if variant == SEVERAL_STEPS:
        model.steps_per_execution = min(8, num_images // batch_size)
    if variant == ONE_FUNCTION:
        cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)

    @tf.function
    def over_all(images):
        logits = tf.TensorArray(tf.float32, num_images // batch_size)
        for step in tf.range(num_images // batch_size):
            logits = logits.write(step, model(images[step * batch_size:(step + 1) * batch_size], training=False))
        return logits.concat()

    def predict():
        began = time.process_time()
        if variant == ONE_FUNCTION:
            keras.ops.convert_to_numpy(over_all(tf.constant(images)))
        else:
            evaluation.predict_logits(model, split, batch_size)
        return num_images, time.process_time() - began

    return {"predict": predict}


def make_rows(case, speeds, metadata):
    (name, batch, *_), what, _ = case
    return [{"network": name, "what": what, "way": way, "batch": batch, "median": round(statistics.median(each), 1),
             "lowest": round(min(each), 1), "highest": round(max(each), 1), "turns": len(each), **metadata}
            for way, each in speeds.items()]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def format_markdown_table():
    """Return the lines of the table: pictures a second of each way, and its share of zoo as it is."""
    lines = ["| network, batch | | | pictures/s | of zoo as it is |", "| --- | --- | --- | ---: | ---: |"]
    for row in read_rows():
        if row["way"] == BASELINE:
            whole = float(row["median"])
        lines.append(f"| {row['network']}, {row['batch']} | {row['what']} | {row['way']} | {float(row['median']):,.0f} "
                     f"({float(row['lowest']):,.0f} to {float(row['highest']):,.0f}) | "
                     f"{float(row['median']) / whole:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("training", "fit", "inference", "predict"),
                        help="default: all of them")
    parser.add_argument("--table", action="store_true", help="print the table of docs/speed.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT)]
    if arguments.one is not None:
        print(json.dumps(measure_case(CASES[arguments.one])))
        return
    if not arguments.table:
        from zoo.training import provenance

        versions = provenance.get_package_versions("tensorflow")
        told = {"processor": provenance.get_cpu_name(),
                "versions": " ".join(f"{package} {version}" for package, version in versions.items())}
        rows, environment = [], {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        for number, case in enumerate(CASES):  # each in a process of its own
            network, what = case[0][0], case[1]
            if arguments.plot not in (None, what):
                rows += [row for row in read_rows() if (row["network"], row["what"]) == (network, what)]
                continue
            done = subprocess.run([sys.executable, __file__, "--one", str(number)], env=environment, text=True,
                                  capture_output=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            rows += make_rows(case, json.loads(done.stdout.splitlines()[-1]), told)
            print(f"{network}, {what}: done", file=sys.stderr, flush=True)
        write_rows(rows)
    print("\n".join(format_markdown_table()))


if __name__ == "__main__":
    main()
