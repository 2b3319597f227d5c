"""Ablation: measure the effect of each optimization that zoo has or has tried on TensorFlow's CPU; write ablation.csv.

    python benchmarks/ablation.py             all tasks, more than ten minutes; leave the machine idle meanwhile
    python benchmarks/ablation.py inference   one task; the rows of the other tasks are kept
    python benchmarks/ablation.py --table     print the table of docs/speed.md

A variant is zoo with one optimization removed or one alternative added. It runs in the same process as the unmodified
baseline, and they alternate for ROUNDS rounds; a row has the median, minimum and maximum of its rounds. `training` and
`inference` measure the compiled step on one batch that is already on the device; `fit` measures the second of two whole
epochs; `predict` measures a whole split, as validation, test and zoo evaluate process it, in seconds of CPU time, so
that other load on the machine has little influence.
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
FIELDS = ("model", "task", "variant", "batch_size", "median", "min", "max", "rounds", "cpu", "versions")
ROUNDS = 7
BASELINE = "baseline"
TRAINING_BATCHES, ONE_BATCH = "training batch size", "whole split in one batch"
SEVERAL_STEPS, ONE_FUNCTION = "training batch size, several steps per call", "one tf.function over the split"

#         model, batch size, steps per round, arguments of zoo.build
LENET = ("lenet5", 128, 80, {})
VGG = ("vgg16", 32, 4, {"options": {"batch_norm": True}})
RESNET = ("resnet34", 32, 3, {})
INCEPTION = ("inception_resnet_v2", 32, 3, {"width": 1 / 8})

#        model      task        variants
CASES = ((LENET,     "training", ("one step per call", "XLA")),
         (LENET,     "fit",      ("PyDataset passed to fit", "precomputed batches")),
         (VGG,       "training", ("Keras BatchNormalization", "L2 penalty in the loss")),
         (RESNET,    "training", ("Keras BatchNormalization", "ZeroPadding2D layers", "XLA")),
         (INCEPTION, "training", ("Keras BatchNormalization",)),
         (VGG,       "inference", ("Keras BatchNormalization", "weights as constants", "XLA")),
         (RESNET,    "inference", ("Keras BatchNormalization", "weights as constants", "XLA")),
         (INCEPTION, "inference", ("Keras BatchNormalization", "weights as constants")),
         (LENET,     "predict", (TRAINING_BATCHES, ONE_BATCH, SEVERAL_STEPS, ONE_FUNCTION)))


def apply_variant(variant):
    """Return a context manager in which models are built and run as in `variant`."""
    import keras

    from zoo.models import resnet
    from zoo.training import cpu_kernels, evaluation, optimizers, prefetch, trainer
    from zoo.training.batches import TrainingBatches

    compile_model, get_batch = trainer.compile_model, TrainingBatches.__getitem__

    def compile_with_xla(model, *arguments):
        metrics = compile_model(model, *arguments)
        model.jit_compile = True
        return metrics

    def conv_with_zero_padding(x, filters, kernel, stride=1, *, name):
        if kernel > 1:
            x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        return keras.layers.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)

    @functools.cache
    def get_precomputed_batch(batches):
        return get_batch(batches, 0)

    #          variant                     target, attribute, replacement
    patches = {"Keras BatchNormalization": (cpu_kernels, "use_fast_kernels", lambda network, sharing: None),
               "ZeroPadding2D layers": (resnet, "conv_no_bias", conv_with_zero_padding),
               "L2 penalty in the loss": (optimizers, "CoupledWeightDecay",
                                          lambda rate: keras.regularizers.L2(rate / 2)),
               "one step per call": (trainer, "compute_steps_per_execution", lambda *_: 1),
               "XLA": (trainer, "compile_model", compile_with_xla),
               "PyDataset passed to fit": (prefetch, "prefetch_batches", lambda batches: batches),
               TRAINING_BATCHES: (evaluation, "compute_inference_batch_size", lambda model, batch_size: batch_size),
               SEVERAL_STEPS: (evaluation, "compute_inference_batch_size", lambda model, batch_size: batch_size),
               ONE_BATCH: (evaluation, "compute_inference_batch_size", lambda model, batch_size: 10 ** 6),
               "precomputed batches": (TrainingBatches, "__getitem__",
                                       lambda batches, index: get_precomputed_batch(batches))}
    return mock.patch.object(*patches[variant]) if variant in patches else contextlib.nullcontext()


def measure_case(case):
    """Return {variant: images per second in each round} for one of CASES."""
    from implementations import prepare_bare, prepare_zoo

    (name, batch_size, steps, model_options), task, variants = case
    prepare = {"training": prepare_bare, "fit": prepare_zoo, "inference": prepare_inference,
               "predict": prepare_prediction}[task]
    functions, speeds = {}, {}
    for variant in (BASELINE, *variants):
        with apply_variant(variant):
            functions[variant] = prepare(name, batch_size, model_options, batch_size * steps,
                                         variant)["training" if task == "fit" else task]
            functions[variant]()  # compiles
    for _ in range(ROUNDS):
        for variant, function in functions.items():
            with apply_variant(variant):
                num_images, seconds = function()
            speeds.setdefault(variant, []).append(num_images / seconds)
    return speeds


def prepare_inference(name, batch_size, model_options, num_images, variant):
    """Return {task: function} as in implementations.py: inference on one batch, repeatedly."""
    import tensorflow as tf
    from implementations import build_model, make_images

    from zoo.training import cpu_kernels
    from zoo.training.distribution import data_parallel

    model, images = build_model(name, model_options), tf.constant(make_images(batch_size)[0])
    cpu_kernels.use_fast_kernels(model, data_parallel.SINGLE_DEVICE)
    arrays = [[variable.numpy() for variable in variables]
              for variables in (model.trainable_variables, model.non_trainable_variables)]

    @tf.function(jit_compile=variant == "XLA")
    def compute_logits(images):
        if variant != "weights as constants":
            return model(images, training=False)
        return model.stateless_call(*([tf.constant(array) for array in group] for group in arrays), images,
                                    training=False)[0]

    def run_inference():
        start = time.perf_counter()
        for _ in range(num_images // batch_size):
            compute_logits(images).numpy()
        return num_images, time.perf_counter() - start

    return {"inference": run_inference}


def prepare_prediction(name, batch_size, model_options, num_images, variant):
    """Return {task: function} as in implementations.py: predictions for a split of `num_images` images."""
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
    def compute_all_logits(images):
        logits = tf.TensorArray(tf.float32, num_images // batch_size)
        for step in tf.range(num_images // batch_size):
            logits = logits.write(step, model(images[step * batch_size:(step + 1) * batch_size], training=False))
        return logits.concat()

    def predict():
        start = time.process_time()
        if variant == ONE_FUNCTION:
            keras.ops.convert_to_numpy(compute_all_logits(tf.constant(images)))
        else:
            evaluation.predict_logits(model, split, batch_size)
        return num_images, time.process_time() - start

    return {"predict": predict}


def make_rows(case, speeds, metadata):
    """Return the rows of ablation.csv for what `measure_case` returned."""
    (name, batch_size, *_), task, _ = case
    return [{"model": name, "task": task, "variant": variant, "batch_size": batch_size,
             "median": round(statistics.median(values), 1), "min": round(min(values), 1), "max": round(max(values), 1),
             "rounds": len(values), **metadata}
            for variant, values in speeds.items()]


def read_rows():
    return csv_rows.read_rows(CSV_PATH)


def write_rows(rows):
    csv_rows.write_rows(CSV_PATH, FIELDS, rows)


def format_markdown_table():
    """Return the lines of the table: images per second of each variant, and its speed relative to the baseline."""
    lines = ["| model, batch size | task | variant | images/s (min to max) | relative to baseline |",
             "| --- | --- | --- | ---: | ---: |"]
    for row in read_rows():
        if row["variant"] == BASELINE:
            baseline = float(row["median"])
        lines.append(f"| {row['model']}, {row['batch_size']} | {row['task']} | {row['variant']} | "
                     f"{float(row['median']):,.0f} ({float(row['min']):,.0f} to {float(row['max']):,.0f}) | "
                     f"{float(row['median']) / baseline:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=("training", "fit", "inference", "predict"),
                        help="default: all tasks")
    parser.add_argument("--table", action="store_true", help="only print the table of docs/speed.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT)]
    if arguments.one is not None:
        print(json.dumps(measure_case(CASES[arguments.one])))
        return
    if not arguments.table:
        metadata = csv_rows.describe_machine("tensorflow")
        rows, environment = [], {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        for index, case in enumerate(CASES):  # each in a process of its own
            model, task = case[0][0], case[1]
            if arguments.task not in (None, task):
                rows += [row for row in read_rows() if (row["model"], row["task"]) == (model, task)]
                continue
            run = subprocess.run([sys.executable, __file__, "--one", str(index)], env=environment, text=True,
                                 capture_output=True)
            if run.returncode:
                raise SystemExit(run.stderr)
            rows += make_rows(case, json.loads(run.stdout.splitlines()[-1]), metadata)
            print(f"{model}, {task}: done", file=sys.stderr, flush=True)
        write_rows(rows)
    print("\n".join(format_markdown_table()))


if __name__ == "__main__":
    main()
