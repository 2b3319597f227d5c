"""What zoo.train and zoo finetune are: one parser, one way from the command line to a run. No backend, no NumPy."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from zoo import devices, env, registry
from zoo.cli import common, help_text, reporting, train_args
from zoo.data import dataset_info as datasets
from zoo.errors import UserError
from zoo.training import finetuning, loggers, multi_seed, run_config as plans, run_config_factory
from zoo.utils.io import expand_user
from zoo.utils.validation import parse_value

EXIT_STATUSES = (
    ("0", "done"), ("2", "mistake in the command"), ("3", "loss not finite"), ("4", "disk full, or a file failed"),
    ("5", "out of memory"), ("6", "another process uses the run directory"),
    ("7", "time limit of --max-seconds reached"), ("8", "another host was lost"), ("130", "interrupted"))


def build_training_parser(prog, description, examples, weights, dataset):
    """Return the Parser; `weights` and `dataset`: what --weights and --dataset are by default."""
    made = common.Parser(
        prog=prog, usage="%(prog)s NET [--dataset NAME|FOLDER|FILE.npz] [--gpu N] [OPTION ...]", examples=examples,
        description=f"{description}\nThe same command with the same --name resumes a run that was interrupted.",
        epilog=help_text.join_sections(
            help_text.format_models(), f"data sets:\n  {', '.join(datasets.DATASETS)}", help_text.format_model_options(),
            help_text.format_help_table("strategies of fine-tuning (--strategy), by the size of the data set and its similarity to "
                                        "that of the weights", [(name, each.reason) for name, each in
                                                                finetuning.FINETUNE_STRATEGIES.items()]),
            help_text.format_help_table("exit status", EXIT_STATUSES)))
    made.add_argument("network", metavar="NET", nargs="?", help="name of the network; all names are listed below")
    made.add_argument("--resume", metavar="RUN",
                      help="resume the run in this directory exactly where it stopped, without NET and --dataset; only "
                           f"{format_flags(train_args.RESUME_ARGUMENTS)} can be given beside it; --epochs can be more "
                           "than before, unless the schedule is cosine or one_cycle")
    add_model(made.add_argument_group("model"), weights)
    add_data(made.add_argument_group("data"), dataset)
    train_args.add_recipe(made)
    add_device(made.add_argument_group("device"))
    add_output(made.add_argument_group("output"))
    return made


def format_flags(names):
    """Return the flags of arguments, all but --resume."""
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
                            "LAYER: the layers up to and including the one of this name (python -m zoo draw NET "
                            "--detail layers shows the names); N: the first N of model.layers of zoo.build(NET, "
                            "include_top=False); default: all")
    group.add_argument("--head-layers", metavar="LAYERS",
                       help="hidden layers of the new head, in front of its classifier, with commas between them: a "
                            "number of units, or dropout=FRACTION; such as 1024,dropout=0.5; default: none")
    group.add_argument("--pooling", metavar="|".join(finetuning.HEAD_POOLINGS),
                       help="how the new head turns feature maps into a vector; avg: global average pooling; max: "
                            "global max pooling; flatten: all values; default: avg")
    group.add_argument("--feature-layer", metavar="LAYER", help="name of the backbone's layer whose output the new "
                                                                "head takes; default: the last layer")
    group.add_argument("--two-stage", action="store_true",
                       help="train the new head alone first, and then also the backbone: all of it with --freeze none, "
                            "or the layers after those of --freeze LAYER or N")
    group.add_argument("--head-epochs", metavar="N",
                       help="number of epochs of the first stage of --two-stage; default: half of --epochs")
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
               "folders with a folder for each class in them (if there are none, a tenth of the images each is held "
               "out for validation and test); FILE.npz: arrays x_train, y_train, x_test, y_test as "
               "Keras names them, or train_images, train_labels, val_images, ... as MedMNIST does; default: "
               f"{dataset or 'none, it must be given'}", dataset)
    group.add_argument("--labels", metavar="fine|coarse", default="fine",
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
    group.add_argument("--precision", metavar="|".join(plans.PRECISIONS), default="float32",
                       help="number format of the computation; with bfloat16 and float16 the weights stay float32 "
                            "(mixed precision); python -m zoo doctor measures their speeds; default: float32")
    group.add_argument("--deterministic", action="store_true",
                       help="compute the same numbers each time on a GPU too, perhaps more slowly; on the CPU they "
                            "always are the same")
    group.add_argument("--hosts", metavar="HOST:PORT,...",
                       help="addresses of all hosts that train this run together, with --backend jax; type the same "
                            "command on each; slurm in place of addresses: the hosts of srun; see docs/scaling.md; "
                            "default: this host alone")
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
                       help="folder in which the run directory is made; default: runs")
    group.add_argument("--name", metavar="NAME",
                       help="name of the run directory; default: made of network, data set, date and time")
    group.add_argument("--log", metavar="|".join(loggers.LOGGER_PACKAGES), action="append", default=[],
                       help="experiment logger to use as well; can be repeated; tensorboard: event files in "
                            "RUN/tensorboard; default: none")
    group.add_argument("--max-seconds", metavar="N",
                       help="time limit in seconds, such as 3600: the run is saved and stops before, and can be "
                            "resumed; default: none")


def parse_finetuning(arguments):
    """Return the FineTuneOptions that the command line asks for, or None for a training from scratch."""
    number = None if arguments.head_epochs is None else common.parse_int("--head-epochs", arguments.head_epochs, 1)
    return finetuning.make_finetune_options(
        weights=None if arguments.weights == "none" else arguments.weights, freeze=arguments.freeze,
        head_layers=finetuning.parse_head_layers(arguments.head_layers or ""), pooling=arguments.pooling,
        feature_layer=arguments.feature_layer, two_stage=arguments.two_stage, head_epochs=number,
        strategy=arguments.strategy, preprocessing=arguments.preprocessing,
        backbone_learning_rate=None if arguments.backbone_lr is None else parse_value(
            "--backbone-lr", arguments.backbone_lr, 1.0))


def execute_training(argv, prog, parser):
    """Train as the words `argv` say, which the Parser `made` reads; return the exit status."""
    began = time.monotonic()
    arguments = parser.parse_args(argv)
    words = sys.argv[1:] if argv is None else [*argv]
    if arguments.network is None and arguments.resume is None:
        raise UserError(f"which network? one of {', '.join(registry.MODELS)}; see {prog} --help")
    loggers.check_loggers(arguments.log)
    seconds = arguments.max_seconds and common.parse_int("--max-seconds", arguments.max_seconds, 1)
    until = began + seconds if seconds else float("inf")
    if arguments.resume is not None:
        return resume_from_args(parser, arguments, argv, until)
    spec = registry.get_model_info(arguments.network)
    if arguments.dataset is None:
        raise UserError("which images? give --dataset NAME, FOLDER or FILE.npz")
    common.check_images(arguments)
    if arguments.runs is not None:
        return train_seeds(arguments, words, until)
    class_weight = parse_class_weight(arguments.class_weight)
    request, origin, _ = parse_model_request(arguments)
    known = arguments.dataset in datasets.DATASETS
    plan = parse_run_config(arguments) if known else None
    chosen = devices.select_gpus(arguments.gpu, devices.list_gpus(), devices.get_cuda_visible_devices())
    place = parse_hosts(arguments, env.select_backend(arguments.backend))

    from zoo.training import class_weights, run_directory, run_files  # NumPy, no backend

    begun = find_existing_run(arguments)
    if begun is None:
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
    elif plan and not request and not class_weight:
        plan = plans.resume_run_config(begun, plans.get_run_config(begun, run_files.read_config(begun)), plan)
        if reporting.is_finished(begun, plan.recipe.epochs):  # which needs no data any more
            return 0
    from zoo.runs.data import check_same_data

    dataset = common.load_images(arguments, parse_limit(arguments),
                                 run_config_factory.get_folder_image_shape(spec, origin))
    plan = plan or parse_run_config(arguments, dataset.info)
    if class_weight is not None:
        plan = replace(plan, class_weight=class_weights.resolve_class_weight(class_weight, dataset))
    if begun:
        check_same_data(begun, dataset)
    if begun and not request:
        plan = plans.resume_run_config(begun, plans.get_run_config(begun, run_files.read_config(begun)), plan)
        if reporting.is_finished(begun, plan.recipe.epochs):
            return 0
    session = create_session(plan, dataset, chosen, until, place, finetune_options=request, backbone_weights=origin,
                             loggers=tuple(arguments.log))
    if begun:
        return session.resume(begun)
    return session.start(arguments.output_dir, arguments.name, shlex.join([*prog.split(), *words]))


def parse_model_request(arguments):
    """Return (FineTuneOptions or None, BackboneWeights of its weights or None, {argument of make_plan: value}) of a
    command line.
    """
    spec, fields, request = registry.get_model_info(arguments.network), train_args.parse_recipe_fields(arguments), parse_finetuning(arguments)
    width, options = train_args.parse_width_and_options(arguments, spec, fields)
    origin = run_config_factory.resolve_backbone_weights(spec, request, width, arguments.stem, options)
    return request, origin, {"overrides": fields, "width": width, "options": options}


def parse_run_config(arguments, dataset_info=None):
    """Return the Plan that the command line asks for; `info`: of the images, where they are no named data set."""
    dataset_info = dataset_info or datasets.select_label_set(datasets.get_dataset_info(arguments.dataset),
                                                             arguments.labels)
    request, origin, form = parse_model_request(arguments)
    return run_config_factory.make_run_config(registry.get_model_info(arguments.network), dataset_info,
                                              recipe=arguments.recipe, limit=parse_limit(arguments),
                                              stem=arguments.stem,
                                              seed=common.parse_int("--seed", arguments.seed, 0, 2**32 - 1),
                                              backend=arguments.backend, precision=arguments.precision,
                                              deterministic=arguments.deterministic, finetune_options=request,
                                              backbone_weights=origin, **form)


def parse_limit(arguments):
    """Return the number that --limit gives, or None."""
    return None if arguments.limit is None else common.parse_int("--limit", arguments.limit, 1)


def parse_class_weight(text):
    """Return what --class-weight says, "balanced" or {class: weight}, None where it is not given."""
    if text is None or text == "balanced":
        return text
    found = {}
    for word in text.split(","):
        name, equals, number = word.rpartition("=")
        if not equals or not name.strip():
            raise UserError(f"--class-weight is balanced, or CLASS=W,CLASS=W; given {text!r}")
        found[name.strip()] = parse_value(f"--class-weight {name.strip()}", number, 1.0)
    return found


def resume_from_args(parser, arguments, argv, deadline):
    """Resume the run of --resume; return the exit status."""
    run, plan = train_args.parse_resume(parser, arguments, argv)
    chosen = devices.select_gpus(arguments.gpu, devices.list_gpus(), devices.get_cuda_visible_devices())
    place = parse_hosts(arguments, plan.backend)
    if reporting.is_finished(run, plan.recipe.epochs):
        return 0

    from zoo.runs.data import reload_run_dataset
    from zoo.training import run_files

    dataset = reload_run_dataset(run, run_files.read_config(run), arguments.data_dir)
    return create_session(plan, dataset, chosen, deadline, place, loggers=tuple(arguments.log)).resume(run)


def create_session(run_config, dataset, device, deadline, host_address, **session_options):
    """Return the Session of a Plan on the chosen Device, prepared; with other hosts, once they have met."""
    plans.check_devices(run_config, len(device.gpus))
    devices.set_device_environment(device, run_config.deterministic)

    from zoo.runs.session import Session
    from zoo.training.distribution import multihost

    link = multihost.connect_hosts(*host_address,
                                   multihost.collect_shared_settings(run_config, dataset)) if host_address else None
    return Session(run_config, dataset, device, reporting.run_and_report, deadline, host_address, link,
                   **session_options)


def parse_hosts(arguments, backend):
    """Return ([HOST:PORT, ...], this host's index) of --hosts, or None."""
    place = env.resolve_hosts(arguments.hosts, arguments.host_index)
    if place and (backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts train one run, with JAX: give --backend jax, and --seed instead of --runs")
    return place


def find_existing_run(arguments):
    """Return the run directory that --name names, where there is one already; None otherwise."""
    run = arguments.name and expand_user(arguments.output_dir) / arguments.name
    return run if run and (run / "run.json").exists() else None


def train_seeds(arguments, command_line, deadline):
    """Train with the seeds of --runs, one after the other, and print the mean of their accuracies.

    Return the exit status.
    """
    from zoo.training import run_directory, run_files

    run_directory.check_output_dir(arguments.output_dir, None)
    count, first = (common.parse_int(flag, text, least, 2**32 - 1) for flag, text, least in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    name = arguments.name or run_directory.make_run_name(arguments.network, Path(arguments.dataset).stem)
    command_line = train_args.strip_flags(command_line, ("--runs", "--seeds", "--seed", "--name", "--max-seconds"))
    if "--weights" not in {word.partition("=")[0] for word in command_line}:
        command_line += ["--weights", arguments.weights]  # each is trained by zoo.train, which has another default
    numbers = range(first, first + count)
    status = multi_seed.train_each_seed(numbers, command_line, name, deadline)
    if status:
        return status
    results = [run_files.read_result(expand_user(arguments.output_dir) / f"{name}-seed{seed}") for seed in numbers]
    best, last = (multi_seed.format_mean_std([each[f"test_accuracy_{which}"] for each in results])
                  for which in ("best", "last"))
    print(f"test accuracy {best}, n = {len(results)}, with the best epochs by validation; {last}, with the last")
    return 0
