"""The common parser and program of zoo.train and zoo finetune. No backend, no NumPy."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from zoo import devices, env, registry
from zoo.cli import common, help_text, reporting, train_args
from zoo.data.dataset_info import DATASETS, get_dataset_info, select_label_set
from zoo.errors import UserError
from zoo.training import finetuning, loggers, multi_seed, run_config_factory, stopping
from zoo.training.run_config import PRECISIONS, check_devices, get_run_config, resume_run_config
from zoo.utils.io import expand_user
from zoo.utils.validation import parse_value

EXIT_STATUSES = (
    ("0", "done"), ("2", "mistake in the command"), ("3", "loss not finite"), ("4", "disk full, or a file failed"),
    ("5", "out of memory"), ("6", "another process uses the run directory"),
    ("7", "time limit of --max-seconds reached"), ("8", "another host was lost"), ("130", "interrupted"))


def build_training_parser(prog, description, examples, weights, dataset):
    """Return the Parser; weights, dataset: defaults of --weights and --dataset."""
    parser = common.Parser(
        prog=prog, usage="%(prog)s MODEL [--dataset NAME|FOLDER|FILE.npz] [--gpu N] [OPTION ...]", examples=examples,
        description=f"{description}\nThe same command with the same --name resumes a run that was interrupted.",
        epilog=help_text.join_sections(
            help_text.format_models(), f"data sets:\n  {', '.join(DATASETS)}", help_text.format_model_options(),
            help_text.format_help_table(
                "fine-tuning strategies (--strategy), by the size of the data set and its similarity to that of the "
                "weights", [(name, strategy.reason) for name, strategy in finetuning.FINETUNE_STRATEGIES.items()]),
            help_text.format_help_table("exit status", EXIT_STATUSES)))
    parser.add_argument("network", metavar="MODEL", nargs="?", help="name of the network; all names are listed below")
    parser.add_argument("--resume", metavar="RUN",
                        help="resume the run in this directory exactly where it stopped, without MODEL and --dataset; "
                             f"only {format_flags(train_args.RESUME_ARGUMENTS)} are allowed beside it; with a higher "
                             "--epochs, a finished run too, unless its --lr-schedule is cosine or one_cycle")
    add_model(parser.add_argument_group("model"), weights)
    add_data(parser.add_argument_group("data"), dataset)
    train_args.add_recipe(parser)
    add_device(parser.add_argument_group("device"))
    add_output(parser.add_argument_group("output"))
    return parser


def format_flags(names):
    """Return the flags of arguments, separated by commas, except --resume."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names if name != "resume")


def add_model(group, weights):
    common.add_preset(group)
    common.add_architecture(group, "1, or that of --preset or of the weights")
    group.add_argument("--weights", metavar="imagenet|cifar10|mnist|none|RUN|FILE", default=weights,
                       help="pretrained weights of the backbone, which gets a new head; imagenet, cifar10, mnist: "
                            "published or bundled weights (python -m zoo list shows which networks have them); RUN: "
                            "the directory of a run; FILE: a .keras, .h5, .safetensors, .pt or .npz file (see "
                            f"docs/weights.md); none: train from scratch; default: {weights}")
    common.add_preprocessing(group)
    group.add_argument("--freeze", metavar="all|none|LAYER|N",
                       help="layers of the pretrained backbone that are not trained; all: every layer; none: no layer; "
                            "LAYER: the layers up to and including the one of this name (python -m zoo diagram MODEL "
                            "--detail layers shows the names); N: the first N of model.layers of zoo.build(MODEL, "
                            "include_top=False); default: all, with --two-stage none")
    group.add_argument("--head-layers", metavar="LAYERS",
                       help="hidden layers of the new head, in front of its classifier, with commas between them: a "
                            "number of units, or dropout=FRACTION, such as 1024,dropout=0.5; default: none")
    group.add_argument("--pooling", metavar="|".join(finetuning.HEAD_POOLINGS),
                       help="how the new head turns feature maps into a vector; avg: global average pooling; max: "
                            "global max pooling; flatten: all values; default: avg")
    group.add_argument("--feature-layer", metavar="LAYER", help="name of the backbone's layer whose output the new "
                                                                "head takes; default: the last layer")
    group.add_argument("--two-stage", action="store_true",
                       help="train only the new head first, and then also the backbone: all of it, or the layers after "
                            "those of --freeze LAYER or N")
    group.add_argument("--head-epochs", metavar="N",
                       help="number of epochs of the first stage of --two-stage, before the --epochs of the second; "
                            "default: half of --epochs")
    group.add_argument("--backbone-lr", metavar="X",
                       help="learning rate while layers of the pretrained backbone are trained, such as 1e-4; default: "
                            "a tenth of --learning-rate")
    group.add_argument("--strategy", metavar="|".join(finetuning.FINETUNE_STRATEGIES),
                       help="fine-tuning strategy, in place of --freeze, --feature-layer and --two-stage; the four are "
                            "explained below; default: none")


def add_data(group, dataset):
    common.add_images(
        group, "images to train on; NAME: a data set, see below (digits: 5,000 images of MNIST that come with zoo; "
               "others are downloaded); FOLDER: your own images in a folder for each class, or train, val and test "
               "folders with a folder for each class in them (of a folder without them, a tenth of the images is "
               "held out for validation and a tenth for test); FILE.npz: arrays x_train, y_train, x_test, y_test as "
               "Keras names them, or train_images, train_labels, val_images, ... as MedMNIST does; default: "
               f"{dataset or 'none, it must be given'}", dataset)
    group.add_argument("--label-mode", metavar="fine|coarse", default="fine",
                       help="label set of CIFAR-100: fine (100 classes) or coarse (20 superclasses); default: fine")
    group.add_argument("--limit", metavar="N",
                       help="maximum number of images in each of the training, validation and test splits, for quick "
                            "trials; default: all")
    group.add_argument("--class-weight", metavar="balanced|CLASS=W,...",
                       help="weights of the classes in the training loss; balanced: in inverse proportion to their "
                            "numbers of images; CLASS=W,...: such as cat=2,dog=0.5, other classes 1; default: 1 for "
                            "each class")


def add_device(group):
    common.add_gpu(group, "several GPUs, such as 0,1, that share each batch")
    group.add_argument("--precision", metavar="|".join(PRECISIONS), default="float32",
                       help="number format of the computation; with bfloat16 and float16 the weights stay float32 "
                            "(mixed precision); python -m zoo doctor measures their speeds; default: float32")
    group.add_argument("--deterministic", action="store_true",
                       help="use deterministic GPU operations, which can be slower; CPU runs are always deterministic")
    group.add_argument("--hosts", metavar="HOST:PORT,...",
                       help="addresses of all hosts that train this run together, with --backend jax; type the same "
                            "command on each; slurm: the hosts of the SLURM job step, started by srun; see "
                            "docs/scaling.md; default: this host alone")
    group.add_argument("--host-index", metavar="N",
                       help="position of this host in --hosts, from 0; host 0 writes the run directory")


def add_output(group):
    group.add_argument("--seed", metavar="N", default="0",
                       help="random seed of the initial weights, the order of the images and their augmentation; "
                            "default: 0")
    group.add_argument("--runs", "--seeds", metavar="N",
                       help="train N times, with the seeds from --seed on, into NAME-seed0, NAME-seed1, ..., and print "
                            "mean and standard deviation of the test accuracy; default: train once")
    group.add_argument("--output-dir", metavar="DIR", default="runs",
                       help="folder in which the run directory is created; default: runs")
    group.add_argument("--name", metavar="NAME",
                       help="name of the run directory; default: MODEL-DATASET-TIMESTAMP")
    group.add_argument("--log", metavar="|".join(loggers.LOGGER_PACKAGES), action="append", default=[],
                       help="experiment logger to use as well; can be repeated; tensorboard: event files in "
                            "RUN/tensorboard; default: none")
    group.add_argument("--max-seconds", metavar="N",
                       help="time limit in seconds, such as 3600: the run saves a checkpoint and stops before the "
                            "limit, and can be resumed; default: none")
    group.add_argument("--checkpoint-minutes", metavar="N", default=f"{stopping.DEFAULT_CHECKPOINT_MINUTES:g}",
                       help="maximum time between two checkpoints in minutes, such as 0.5: in a long epoch, one is "
                            "saved between two steps, so that a killed run loses at most that; does not change the "
                            f"result; default: {stopping.DEFAULT_CHECKPOINT_MINUTES:g}")


def parse_finetuning(arguments):
    """Return the FineTuneOptions of the command line, or None for training from scratch."""
    head_epochs = None if arguments.head_epochs is None else common.parse_int("--head-epochs", arguments.head_epochs, 1)
    return finetuning.make_finetune_options(
        weights=None if arguments.weights == "none" else arguments.weights, freeze=arguments.freeze,
        head_layers=finetuning.parse_head_layers(arguments.head_layers or ""), pooling=arguments.pooling,
        feature_layer=arguments.feature_layer, two_stage=arguments.two_stage, head_epochs=head_epochs,
        strategy=arguments.strategy, preprocessing=arguments.preprocessing,
        backbone_learning_rate=None if arguments.backbone_lr is None else parse_value(
            "--backbone-lr", arguments.backbone_lr, 1.0))


def execute_training(argv, prog, parser):
    """Train as requested by `argv`, which `parser` parses; return the exit status."""
    start = time.monotonic()
    arguments = parser.parse_args(argv)
    command_line = sys.argv[1:] if argv is None else [*argv]
    if arguments.network is None and arguments.resume is None:
        raise UserError(f"missing argument MODEL; choose from {', '.join(registry.MODELS)}; see {prog} --help")
    loggers.check_loggers(arguments.log)
    seconds = arguments.max_seconds and common.parse_int("--max-seconds", arguments.max_seconds, 1)
    times = {"deadline": start + seconds if seconds else float("inf"),
             "checkpoint_seconds": stopping.convert_checkpoint_minutes(
                 parse_value("--checkpoint-minutes", arguments.checkpoint_minutes, 1.0), "--checkpoint-minutes")}
    if arguments.resume is not None:
        return resume_from_args(parser, arguments, argv, times)
    model_info = registry.get_model_info(arguments.network)
    if arguments.dataset is None:
        raise UserError("no images are specified; give --dataset NAME, FOLDER or FILE.npz")
    common.check_images(arguments)
    if arguments.runs is not None:
        return train_seeds(arguments, command_line, times["deadline"])
    class_weight = parse_class_weight(arguments.class_weight)
    finetune_options, backbone_weights, _ = parse_model_request(arguments)
    is_named = arguments.dataset in DATASETS
    config = parse_run_config(arguments) if is_named else None
    device = devices.select_gpus(arguments.gpu, devices.list_gpus(), devices.get_cuda_visible_devices())
    host_address = parse_hosts(arguments, env.select_backend(arguments.backend))

    from zoo.training import class_weights, run_directory, run_files  # NumPy, no backend

    existing_run = find_existing_run(arguments)
    if existing_run is None:
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
    elif config and not finetune_options and not class_weight:
        saved_config = get_run_config(existing_run, run_files.read_config(existing_run))
        config = resume_run_config(existing_run, saved_config, config)
        if reporting.is_finished(existing_run, config.recipe.epochs):  # before the data is read
            return 0
    from zoo.runs.data import check_same_data

    dataset = common.load_images(arguments, parse_limit(arguments),
                                 run_config_factory.get_folder_image_shape(model_info, backbone_weights))
    config = config or parse_run_config(arguments, dataset.info)
    if class_weight is not None:
        config = replace(config, class_weight=class_weights.resolve_class_weight(class_weight, dataset))
    if existing_run:
        check_same_data(existing_run, dataset)
    if existing_run and not finetune_options:
        saved_config = get_run_config(existing_run, run_files.read_config(existing_run))
        config = resume_run_config(existing_run, saved_config, config)
        if reporting.is_finished(existing_run, config.recipe.epochs):
            return 0
    session = create_session(config, dataset, device, host_address, finetune_options=finetune_options,
                             backbone_weights=backbone_weights, loggers=tuple(arguments.log), **times)
    if existing_run:
        return session.resume(existing_run)
    return session.start(arguments.output_dir, arguments.name, shlex.join([*prog.split(), *command_line]))


def parse_model_request(arguments):
    """Return (FineTuneOptions or None, their BackboneWeights or None, {argument of make_run_config: value})."""
    model_info, fields = registry.get_model_info(arguments.network), train_args.parse_recipe_fields(arguments)
    finetune_options = parse_finetuning(arguments)
    width, options = train_args.parse_width_and_options(arguments, model_info, fields)
    backbone_weights = run_config_factory.resolve_backbone_weights(model_info, finetune_options, width, arguments.stem,
                                                                   options)
    return finetune_options, backbone_weights, {"overrides": fields, "width": width, "options": options}


def parse_run_config(arguments, dataset_info=None):
    """Return the RunConfig that the command line requests; dataset_info: by default that of the named data set."""
    dataset_info = dataset_info or select_label_set(get_dataset_info(arguments.dataset), arguments.label_mode)
    finetune_options, backbone_weights, model_settings = parse_model_request(arguments)
    return run_config_factory.make_run_config(registry.get_model_info(arguments.network), dataset_info,
                                              recipe=arguments.recipe, limit=parse_limit(arguments),
                                              stem=arguments.stem,
                                              seed=common.parse_int("--seed", arguments.seed, 0, 2**32 - 1),
                                              backend=arguments.backend, precision=arguments.precision,
                                              deterministic=arguments.deterministic, finetune_options=finetune_options,
                                              backbone_weights=backbone_weights, **model_settings)


def parse_limit(arguments):
    """Return the number of --limit, None without it."""
    return None if arguments.limit is None else common.parse_int("--limit", arguments.limit, 1)


def parse_class_weight(text):
    """Return the value of --class-weight: "balanced", {class: weight}, or None if it is not given."""
    if text is None or text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, equals, weight = pair.rpartition("=")
        if not equals or not name.strip():
            raise UserError(f"--class-weight must be balanced, or CLASS=W,CLASS=W; got {text!r}")
        weights[name.strip()] = parse_value(f"--class-weight {name.strip()}", weight, 1.0)
    return weights


def resume_from_args(parser, arguments, argv, times):
    """Resume the run of --resume; times: the deadline and checkpoint_seconds of its Session; return the exit status."""
    run, config = train_args.parse_resume(parser, arguments, argv)
    device = devices.select_gpus(arguments.gpu, devices.list_gpus(), devices.get_cuda_visible_devices())
    host_address = parse_hosts(arguments, config.backend)
    if reporting.is_finished(run, config.recipe.epochs):
        return 0

    from zoo.runs.data import reload_run_dataset
    from zoo.training import run_files

    dataset = reload_run_dataset(run, run_files.read_config(run), arguments.data_dir)
    return create_session(config, dataset, device, host_address, loggers=tuple(arguments.log), **times).resume(run)


def create_session(run_config, dataset, device, host_address, **session_options):
    """Return the Session of a RunConfig on a Device; with several hosts, after they have connected."""
    check_devices(run_config, len(device.gpus))
    devices.set_device_environment(device, run_config.deterministic)

    from zoo.runs.session import Session
    from zoo.training.distribution import multihost

    host_group = None
    if host_address:
        host_group = multihost.connect_hosts(*host_address, multihost.collect_shared_settings(run_config, dataset))
    return Session(run_config, dataset, device, reporting.run_and_report, hosts=host_address, host_group=host_group,
                   **session_options)


def parse_hosts(arguments, backend):
    """Return ([HOST:PORT, ...], index of this host) of --hosts, None without it."""
    host_address = env.resolve_hosts(arguments.hosts, arguments.host_index)
    if host_address and (backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts can train only one run, with JAX: give --backend jax, and --seed instead of "
                        "--runs")
    return host_address


def find_existing_run(arguments):
    """Return the existing run directory of --name; None if there is none."""
    run = arguments.name and expand_user(arguments.output_dir) / arguments.name
    return run if run and (run / "run.json").exists() else None


def train_seeds(arguments, command_line, deadline):
    """Train with the seeds of --runs, one after the other, and print mean and standard deviation of the accuracy.

    Return the exit status.
    """
    from zoo.training import run_directory, run_files

    run_directory.check_output_dir(arguments.output_dir, None)
    count, first = (common.parse_int(flag, text, min_value, 2**32 - 1) for flag, text, min_value in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    name = arguments.name or run_directory.make_run_name(arguments.network, Path(arguments.dataset).stem)
    command_line = train_args.strip_flags(command_line, ("--runs", "--seeds", "--seed", "--name", "--max-seconds"))
    if "--weights" not in {argument.partition("=")[0] for argument in command_line}:
        command_line += ["--weights", arguments.weights]  # zoo.train, which trains each seed, has another default
    seeds = range(first, first + count)
    status = multi_seed.train_each_seed(seeds, command_line, name, deadline)
    if status:
        return status
    results = [run_files.read_result(expand_user(arguments.output_dir) / f"{name}-seed{seed}") for seed in seeds]
    best, last = (multi_seed.format_mean_std([result[f"test_accuracy_{checkpoint}"] for result in results])
                  for checkpoint in ("best", "last"))
    print(f"test accuracy {best}, n = {len(results)}, with the best epochs by validation; {last}, with the last")
    return 0
