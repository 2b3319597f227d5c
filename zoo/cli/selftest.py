"""python -m zoo selftest: overfit 32 random images with every model on the CPU, and load it in another process."""

import sys
import time

from zoo import devices, registry
from zoo.cli import common, help_text


def build_parser():
    parser = common.Parser(prog="python -m zoo selftest",
                           description="Test models on the CPU: the small preset of each must overfit 32 random "
                                       "images, or texts, to a tenth of its initial loss. It is saved as .keras and as "
                                       ".weights.h5, and another process that reads both must predict the same.",
                           epilog=help_text.join_sections(
                               help_text.format_models(), help_text.format_help_table("exit status", [
                                   ("0", "all models passed"), ("1", "a model failed")])),
                           examples=("", "lenet5", "resnet18 vgg16 googlenet"))
    parser.add_argument("networks", metavar="MODEL", nargs="*", help="names of the models to test; default: all")
    return parser


def execute_selftest(argv):
    names = list(dict.fromkeys(build_parser().parse_args(argv).networks)) or [*registry.MODELS]
    for name in names:
        registry.get_model_info(name)
    start = time.perf_counter()
    backend = common.load_keras_on_cpu()
    with devices.suppress_stderr():
        import keras

        keras.utils.set_random_seed(0)  # it loads TensorFlow, if installed, beside another backend
        from zoo.training import selftest
        from zoo.training.progress_bar import format_duration

    outcomes = selftest.run_selftest(names)
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        print(f"error: {len(failed)} of {len(outcomes)} failed: "
              f"{'; '.join(f'{outcome.name}: {outcome.error}' for outcome in failed)}", file=sys.stderr, flush=True)
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} models passed in "
          f"{format_duration(time.perf_counter() - start)}, {backend}")
    return 1 if failed else 0


def main(argv=None):
    return common.run_command(execute_selftest, argv)
