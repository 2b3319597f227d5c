"""python -m zoo doctor: check the hardware, software and speed of this machine, and print what is missing."""

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
from zoo.utils.flag_names import translate_keywords
from zoo.utils.io import expand_user

BENCHMARK_SECONDS = 3.0  # of matrix products for each device and precision
BENCHMARK_ROUNDS = 6  # alternating between the precisions, so that other load on the machine affects both
MATRIX_SIZES = {False: 1024, True: 8192}  # on the CPU and on a GPU: large enough to make launch overhead negligible
PRECISIONS = ("float32", "bfloat16")
MIN_SPEEDUP = 1.2  # over float32: less is not worth the loss of precision
MIN_FREE_GIB = 1.0  # of disk space for runs: less is reported as a problem
ONEDNN_STATES = {"1": "on", "true": "on", "0": "off", "false": "off"}  # the values that TensorFlow understands


def build_parser():
    parser = common.Parser(prog="python -m zoo doctor",
                           description="Check this machine: print its GPUs, backends and data folders, measure the "
                                       "speed of matrix products in float32 and bfloat16, and report what is missing.",
                           epilog=help_text.format_help_table("exit status", [("0", "ready"),
                                                                              ("1", "something is to be fixed")]),
                           examples=("", "--gpu all", "--gpu none --backend jax"))
    common.add_gpu(parser, "several GPUs, such as 0,1, which are all measured", "all GPUs")
    parser.add_argument("--output-dir", metavar="DIR", default="runs",
                        help="folder for run directories, checked for write access and free space; default: runs")
    return parser


def format_backends(backend):
    """Return a description of the three backends: versions, which one is used, how to install the others."""
    descriptions = []
    for name in env.BACKENDS:
        if find_spec(name):
            descriptions.append(f"{name} {get_version(name)}{', which is used' if name == backend else ''}")
        else:
            descriptions.append(f"{name} is not installed (pip install "
                                f"'cnn-zoo{'' if name == 'tensorflow' else f'[{name}]'}')")
    return "; ".join(descriptions)


def get_version(module):
    """Return the version of the package that provides a module, with its name if different, such as tensorflow_cpu."""
    try:
        return version(module)
    except PackageNotFoundError:
        packages = packages_distributions().get(module)  # 0.15 s
        return f"{version(packages[0])} ({packages[0]})" if packages else "of unknown version"


def format_onednn():
    """Return whether TensorFlow uses oneDNN on the CPU, and what has decided it, as text."""
    value, set_by = env.get_onednn_setting()
    if set_by == "default":
        return f"TensorFlow's default for this CPU; {env.ONEDNN_ENV_VAR}=1 in the environment enables it"
    state = ONEDNN_STATES.get(value.lower())
    if state is None:
        return f"TensorFlow's default for this CPU: it ignores {env.ONEDNN_ENV_VAR}={value} in your environment"
    return f"{state}, {'set by zoo' if set_by == 'zoo' else 'set in your environment'}: {env.ONEDNN_ENV_VAR}={value}"


def check_drivers(gpus):
    """Return (rows about the driver, the GPUs and the CUDA libraries; list of problems to fix)."""
    driver_version, problem = devices.check_nvidia_driver()
    rows = [("driver", f"NVIDIA {driver_version}" if driver_version else "no NVIDIA driver")]
    todo = [problem] if problem else []
    rows += [("gpu", str(gpu)) for gpu in gpus] or [("gpu", "none")]
    if gpus:
        missing = devices.find_missing_cuda_libraries()
        rows.append(("cuda", f"missing: {', '.join(missing)}" if missing else "all libraries found"))
    return rows, todo


def check_folders(output_dir):
    """Return (rows about the folders of data and runs; list of problems to fix)."""
    from zoo.data import dataset_info, file_layouts  # NumPy

    rows, todo = [], []
    data_dir = env.get_data_dir()
    if data_dir is not None and not data_dir.is_dir():
        todo.append(f"ZOO_DATA is {data_dir}, which is not a folder: create it, or unset ZOO_DATA")
    folders = [folder for folder in (data_dir, env.get_keras_datasets_dir()) if folder is not None]
    for folder in folders:
        dataset_names = [name for name in dataset_info.DATASETS if name in file_layouts.FILE_LAYOUTS
                         and file_layouts.find_layout(folder, name)]
        rows.append(("data", f"{folder}: {', '.join(dataset_names) or 'no datasets yet'}"))
    rows.append(("data", "digits, 5,000 images, is included in zoo"))
    folder = expand_user(output_dir).absolute()
    try:
        from zoo.training import run_directory

        run_directory.check_output_dir(output_dir, None)
        existing_folder = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing_folder).free / 2**30
        rows.append(("runs", f"{folder}, {free:.0f} GiB free"))
        if free < MIN_FREE_GIB:
            todo.append(f"only {free:.1f} GiB are free for runs at {folder}: free some space, or give --output-dir")
    except UserError as error:
        rows.append(("runs", f"{folder}, which is not writable"))
        todo.append(translate_keywords(str(error)))
    return rows, todo


def list_device_names(backend, device, on_gpu):
    """Return the Keras names of the devices, such as cpu:0."""
    import keras

    if not on_gpu:
        return ["cpu:0"]
    if backend == "torch":
        return [f"cuda:{index}" for index in range(len(device.gpus) or 1)]
    return keras.distribution.list_devices()


def measure_speeds(name, size):
    """Return {precision: operations per second} of a device for square matrix products: the best round of each."""
    import keras
    import numpy as np

    best = dict.fromkeys(PRECISIONS, 0.0)
    values = np.random.default_rng(0).normal(0, size ** -0.5, (size, size)).astype("float32")  # products keep the norm
    with keras.device(name):
        matrices = {precision: keras.ops.cast(keras.ops.convert_to_tensor(values), precision)
                    for precision in PRECISIONS}
        for matrix in matrices.values():
            measure_matmul(matrix, 0.0)  # warm-up: the first products are slow
        for _ in range(BENCHMARK_ROUNDS):
            for precision, matrix in matrices.items():
                best[precision] = max(best[precision],
                                      2 * size**3 * measure_matmul(matrix, BENCHMARK_SECONDS / BENCHMARK_ROUNDS))
    return best


def measure_matmul(matrix, seconds):
    """Return the matrix products per second, measured for at least `seconds`."""
    import keras

    product, count, start = matrix, 0, time.perf_counter()
    while True:
        for _ in range(4):
            product = keras.ops.matmul(product, matrix)
        count += 4
        keras.ops.convert_to_numpy(keras.ops.cast(product[0, 0], "float32"))  # waits for the asynchronous device
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return count / elapsed


def benchmark_devices(backend, device, keras_device):
    """Return rows with the speed of each device, and with the --precision to use."""
    on_gpu, rows, best = any(kind in keras_device.lower() for kind in ("gpu", "cuda")), [], "float32"
    for index, name in enumerate(list_device_names(backend, device, on_gpu)):
        is_listed = on_gpu and index < len(device.gpus)
        label = f"GPU {device.gpus[index].index}" if is_listed else name.partition(":")[0].upper()
        speeds = measure_speeds(name, MATRIX_SIZES[on_gpu])
        rows.append(("speed", f"{label}: " + ", ".join(
            f"{precision} {speeds[precision] / 1e12:.3f} TFLOP/s" for precision in speeds)))
        if index == 0 and speeds["bfloat16"] >= MIN_SPEEDUP * speeds["float32"]:
            best = "bfloat16"
            rows.append(("advice", "--precision bfloat16: matrix products take "
                                   f"{speeds['float32'] / speeds['bfloat16']:.0%} of float32's time here"))
    if best == "float32":
        rows.append(("advice", "--precision float32, the default: bfloat16 is not faster here"))
    return rows


def print_rows(rows):
    common.print_lines(*(f"{label:9} {text}" for label, text in rows))


def execute_doctor(argv):
    arguments = build_parser().parse_args(argv)
    backend = env.select_backend(arguments.backend)
    gpus = devices.list_gpus()
    requested = arguments.gpu or ("all" if gpus and devices.get_cuda_visible_devices() is None else None)
    device = devices.select_gpus(requested, gpus, devices.get_cuda_visible_devices())
    print_rows([("python", f"{platform.python_version()}, {sys.executable}"), ("zoo", zoo.__version__),
                ("backends", format_backends(backend))])
    if backend == "tensorflow":
        print_rows([("onednn", format_onednn())])
    driver_rows, todo = check_drivers(gpus)
    print_rows(driver_rows)
    rows, folder_problems = check_folders(arguments.output_dir)
    print_rows(rows)
    todo += folder_problems
    devices.set_device_environment(device)
    env.export_backend(backend)
    try:
        with devices.suppress_stderr():
            import keras

            keras_device = str(keras.ops.zeros(1).device)
    except Exception as error:  # whatever a broken installation raises
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        todo.append(f"Keras cannot be loaded with {backend}: {first_line}; pip install --force-reinstall keras "
                    f"{backend}")
    else:
        description = devices.describe_device(clear_explicit_choice(device), keras_device, backend)
        print_rows([("keras", f"{keras.__version__}, computes on {description}")])
        print_rows(benchmark_devices(backend, device, keras_device))
        if device.gpus and not any(kind in keras_device.lower() for kind in ("gpu", "cuda")):
            todo.append(f"{backend} does not use the GPUs: {devices.INSTALL_HINTS[backend]}")
    if todo:
        common.print_lines("to do:", *(f"- {problem}" for problem in todo))
        return 1
    print("ready: python -m zoo.train lenet5")
    return 0


def clear_explicit_choice(device):
    """Return the Device as if it had not been requested: what the backend cannot use is reported, not refused."""
    return devices.Device(device.gpus, False, device.environment)


def main(argv=None):
    return common.run_command(execute_doctor, argv)
