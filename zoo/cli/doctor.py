"""python -m zoo doctor: what this machine has, how fast it is, and what is missing."""

import platform
import shutil
import sys
import time
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec

import zoo
from zoo import devices, env
from zoo.cli import common, help_text
from zoo.errors import UserError
from zoo.utils.io import expand_user

BENCHMARK_SECONDS = 3.0  # of products for each device and precision
BENCHMARK_ROUNDS = 6  # in which each precision has its turn, so that another load on the machine meets both
MATRIX_SIZES = {False: 1024,
                True: 8192}  # of the matrices, on the CPU and on a GPU: so large that the start does not count
PRECISIONS = ("float32", "bfloat16")
MIN_SPEEDUP = 1.2  # times float32's speed: less is not worth the rounding
MIN_FREE_GIB = 1.0  # GiB that runs should find
ONEDNN_STATES = {"1": "on", "true": "on", "0": "off", "false": "off"}  # what TensorFlow understands


def build_parser():
    made = common.Parser(prog="python -m zoo doctor",
                         description="Check this machine: print its GPUs, backends and data folders, measure the speed "
                                     "of matrix products in float32 and bfloat16, and say what is missing.",
                         epilog=help_text.format_help_table("exit status",
                                                            [("0", "ready"), ("1", "something is to be done")]),
                         examples=("", "--gpu all", "--gpu none --backend jax"))
    common.add_gpu(made, "several GPUs, such as 0,1, which are all measured", "all GPUs")
    made.add_argument("--output-dir", metavar="DIR", default="runs",
                      help="folder for run directories, which is checked to be writable and to have space; default: "
                           "runs")
    return made


def format_backends(backend):
    """Return words for the three backends: their versions, which one is used, how to get the others."""
    said = []
    for name in env.BACKENDS:
        if find_spec(name):
            said.append(f"{name} {get_version(name)}{', which is used' if name == backend else ''}")
        else:
            said.append(f"{name} is not installed (pip install 'cnn-zoo{'' if name == 'tensorflow' else f'[{name}]'}')")
    return "; ".join(said)


def get_version(module):
    """Return the version of what provides a module, with its name where that is another: tensorflow_cpu, tf_nightly."""
    try:
        return version(module)
    except PackageNotFoundError:
        by = packages_distributions().get(module)  # 0.15 s
        return f"{version(by[0])} ({by[0]})" if by else "of unknown version"


def format_onednn():
    """Return the text that says whether TensorFlow computes with oneDNN on the CPU, and who decided it."""
    value, set_by = env.get_onednn_setting()
    if set_by == "default":
        return f"TensorFlow's default for this CPU; {env.ONEDNN_ENV_VAR}=1 in the environment switches it on"
    state = ONEDNN_STATES.get(value.lower())
    if state is None:
        return f"TensorFlow's default for this CPU: it ignores {env.ONEDNN_ENV_VAR}={value} in your environment"
    return f"{state}, {'set by zoo' if set_by == 'zoo' else 'set in your environment'}: {env.ONEDNN_ENV_VAR}={value}"


def check_drivers(gpus):
    """Return rows about the driver, the GPUs and CUDA's libraries, and what is to be done."""
    number, wrong = devices.check_nvidia_driver()
    rows, todo = [("driver", f"NVIDIA {number}" if number else "none for NVIDIA GPUs")], [wrong] if wrong else []
    rows += [("gpu", str(gpu)) for gpu in gpus] or [("gpu", "none")]
    if gpus:
        missing = devices.find_missing_cuda_libraries()
        rows.append(("cuda", f"missing: {', '.join(missing)}" if missing else "its libraries are all there"))
    return rows, todo


def check_folders(output_dir):
    """Return rows about where data and runs live, and what is to be done."""
    from zoo.data import dataset_info, file_layouts  # NumPy

    rows, todo = [], []
    given = env.get_data_dir()
    if given is not None and not given.is_dir():
        todo.append(f"ZOO_DATA names {given}, which is no folder: make it, or unset ZOO_DATA")
    folders = [folder for folder in (given, env.get_keras_datasets_dir()) if folder is not None]
    for folder in folders:
        found = [name for name in dataset_info.DATASETS if name in file_layouts.FILE_LAYOUTS
                 and file_layouts.find_layout(folder, name)]
        rows.append(("data", f"{folder}: {', '.join(found) or 'no data set yet'}"))
    rows.append(("data", "digits, 5,000 images, is part of zoo"))
    folder = expand_user(output_dir).absolute()
    try:
        from zoo.training import run_directory

        run_directory.check_output_dir(output_dir, None)
        there = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(there).free / 2**30
        rows.append(("runs", f"{folder}, {free:.0f} GiB free"))
        if free < MIN_FREE_GIB:
            todo.append(f"only {free:.1f} GiB are free for runs at {folder}: make room, or give --output-dir")
    except UserError as error:
        rows.append(("runs", f"{folder}, which cannot be written"))
        todo.append(str(error))
    return rows, todo


def list_device_names(backend, device, on_gpu):
    """Return the names of the devices that Keras computes on."""
    import keras

    if not on_gpu:
        return ["cpu:0"]
    if backend == "torch":
        return [f"cuda:{number}" for number in range(len(device.gpus) or 1)]
    return keras.distribution.list_devices()


def measure_speeds(name, size):
    """Return {precision: operations a second} of a device in products of square matrices: the best slice of each."""
    import keras
    import numpy as np

    best = dict.fromkeys(PRECISIONS, 0.0)
    numbers = np.random.default_rng(0).normal(0, size ** -0.5, (size, size)).astype("float32")  # keeps lengths
    with keras.device(name):
        fixed = {each: keras.ops.cast(keras.ops.convert_to_tensor(numbers), each) for each in PRECISIONS}
        for each in fixed.values():
            measure_matmul(each, 0.0)  # the first ones are slow
        for _ in range(BENCHMARK_ROUNDS):
            for precision, each in fixed.items():
                best[precision] = max(best[precision],
                                      2 * size**3 * measure_matmul(each, BENCHMARK_SECONDS / BENCHMARK_ROUNDS))
    return best


def measure_matmul(matrix, seconds):
    """Return how many times a second a matrix is multiplied with itself, for at least so many seconds."""
    import keras

    product, count, began = matrix, 0, time.perf_counter()
    while True:
        for _ in range(4):
            product = keras.ops.matmul(product, matrix)
        count += 4
        keras.ops.convert_to_numpy(keras.ops.cast(product[0, 0], "float32"))  # devices work on their own: wait for them
        past = time.perf_counter() - began
        if past >= seconds:
            return count / past


def benchmark_devices(backend, device, keras_device):
    """Return rows about the speed of each device, and the name of the precision that they are fast at."""
    on_gpu, rows, best = any(word in keras_device.lower() for word in ("gpu", "cuda")), [], "float32"
    for number, name in enumerate(list_device_names(backend, device, on_gpu)):
        listed = on_gpu and number < len(device.gpus)
        what = f"GPU {device.gpus[number].index}" if listed else name.partition(":")[0].upper()
        found = measure_speeds(name, MATRIX_SIZES[on_gpu])
        rows.append(("speed", f"{what}: " + ", ".join(f"{each} {found[each] / 1e12:.3f} TFLOP/s" for each in found)))
        if number == 0 and found["bfloat16"] >= MIN_SPEEDUP * found["float32"]:
            best = "bfloat16"
            rows.append(("advice", f"--precision bfloat16: products take {found['float32'] / found['bfloat16']:.0%} of "
                                   "float32's time here"))
    if best == "float32":
        rows.append(("advice", "--precision float32, the default: bfloat16 is not faster here"))
    return rows


def print_rows(rows):
    print("\n".join(f"{what:9} {words}" for what, words in rows), flush=True)


def execute_doctor(argv):
    arguments = build_parser().parse_args(argv)
    backend = env.select_backend(arguments.backend)
    gpus = devices.list_gpus()
    asked = arguments.gpu or ("all" if gpus and devices.get_cuda_visible_devices() is None else None)
    chosen = devices.select_gpus(asked, gpus, devices.get_cuda_visible_devices())
    print_rows([("python", f"{platform.python_version()}, {sys.executable}"), ("zoo", zoo.__version__),
                ("backends", format_backends(backend))])
    if backend == "tensorflow":
        print_rows([("onednn", format_onednn())])
    about_driver, todo = check_drivers(gpus)
    print_rows(about_driver)
    rows, more = check_folders(arguments.output_dir)
    print_rows(rows)
    todo += more
    devices.set_device_environment(chosen)
    try:
        with devices.suppress_stderr():
            import keras

            used = str(keras.ops.zeros(1).device)
    except Exception as error:  # whatever a broken installation raises
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        todo.append(f"Keras cannot be loaded with {backend}: {first}; pip install --force-reinstall keras {backend}")
    else:
        print_rows([("keras", f"{keras.__version__}, computes on {devices.describe_device(clear_explicit_choice(chosen), used, backend)}")])
        print_rows(benchmark_devices(backend, chosen, used))
        if chosen.gpus and not any(word in used.lower() for word in ("gpu", "cuda")):
            todo.append(f"{backend} does not use the GPUs: {devices.INSTALL_HINTS[backend]}")
    if todo:
        print("\n".join(["to do:", *(f"- {each}" for each in todo)]))
        return 1
    print("ready: python -m zoo.train lenet5")
    return 0


def clear_explicit_choice(device):
    """Return the Device as if nobody had asked for it: what the backend cannot use is told, not refused."""
    return devices.Device(device.gpus, False, device.environment)


def main(argv=None):
    return common.run_command(execute_doctor, argv)


if __name__ == "__main__":
    sys.exit(main())
