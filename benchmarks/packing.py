"""Pack the best weights of a small preset's run into the file that comes with zoo, zoo/weights/MODEL-DATASET.npz.

    python benchmarks/packing.py runs/accuracy/resnet18-preset-small-cifar10-epochs-12-seed-0 --data-dir data

The file is written only if the packed weights, loaded as bundled weights are, reach the run's test accuracy.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from zoo import devices, registry  # noqa: E402
from zoo.errors import UserError  # noqa: E402
from zoo.weights import pretrained  # noqa: E402

STATISTICS = ("moving_mean", "moving_variance")  # float32, because a variance can be outside the range of float16
MAX_DIFFERENCE = 0.001  # of the test accuracy: ten images of 10,000
BATCH_SIZE = 250


def pack_weights(run, to_file):
    """Write the weights of the best checkpoint of `run`, without auxiliary classifiers, to `to_file`, an .npz file.

    The arrays are named LAYER/VARIABLE; they are float16, except those of STATISTICS, which are float32.
    """
    import numpy as np

    with devices.suppress_stderr():  # silences TensorFlow's startup log messages
        import keras

        from zoo.training import evaluation, run_files

    model = evaluation.load_logits_model(Path(run), run_files.read_config(run), "best")
    arrays = {}
    for variable in model.weights:
        array = keras.ops.convert_to_numpy(variable)
        with np.errstate(over="ignore"):  # an overflow is refused below
            packed = array.astype(np.float32 if variable.path.endswith(STATISTICS) else np.float16)
        if not np.isfinite(packed).all():
            raise UserError(f"{variable.path} of {run} does not fit float16: its largest absolute value is "
                            f"{np.abs(array).max()}")
        arrays[variable.path] = packed
    np.savez_compressed(to_file, **arrays)


def find_bundled_for_run(run):
    """Return the bundled weights that a run is for; UserError if the run is not of a small preset."""
    from zoo.training import run_files

    config = run_files.read_config(run)
    bundled = pretrained.find_bundled_weights(config["model"])
    if (registry.resolve_model_config(**config["model_config"]),
        config["dataset"]["name"]) != (bundled.model_config, bundled.dataset):
        raise UserError(f"{run} is not a run of the preset small of {config['model']} on {bundled.dataset}")
    return bundled


def measure_accuracy(bundled, file, data_dir=None, limit=None):
    """Return the test accuracy, a fraction, of the packed weights in `file`, loaded as bundled weights are."""
    from zoo.data.datasets import load_dataset_by_name
    from zoo.training import evaluation, finetuned_model
    from zoo.weights import sources

    source = replace(sources.make_bundled_source(bundled), path=Path(file))
    model = finetuned_model.build_pretrained_classifier(source.resolve_model_config(), source, None)
    test = load_dataset_by_name(bundled.dataset, data_dir=data_dir, limit=limit).test
    return evaluation.compute_accuracy(evaluation.predict_probabilities(model, test, BATCH_SIZE), test.labels)


def bundle_weights(run, to_file=None, data_dir=None):
    """Pack a run, check the test accuracy of the packed weights, and write them to `to_file`; return (path, accuracy).

    to_file: default: their path in the package. If the accuracies differ, raises UserError and writes nothing.
    """
    from zoo.training import run_files

    run, bundled = Path(run), find_bundled_for_run(run)
    result, config = run_files.read_result(run), run_files.read_config(run)
    path = Path(to_file or bundled.path)
    scratch = path.with_name(f".{path.name}")
    try:
        pack_weights(run, scratch)
        accuracy = measure_accuracy(bundled, scratch, data_dir, config["limit"])
        if abs(accuracy - result["test_accuracy_best"]) > MAX_DIFFERENCE:
            raise UserError(f"{run} has a test accuracy of {result['test_accuracy_best']:.4f}, its packed weights of "
                            f"{accuracy:.4f}; {path} was not written")
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
    return path, accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory of a small preset")
    parser.add_argument("--data-dir", help="directory of the datasets")
    arguments = parser.parse_args()
    try:
        path, accuracy = bundle_weights(arguments.run, data_dir=arguments.data_dir)
    except UserError as error:
        parser.error(str(error))
    print(f"{path}: {path.stat().st_size:,} bytes, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
