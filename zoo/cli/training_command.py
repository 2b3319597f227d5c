"""What zoo.train and zoo finetune are: one parser, one way from the command line to a run. No backend, no NumPy."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from zoo import devices, env, registry
from zoo.cli import asked, attended, common, help_text
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import finetuning, loggers, plan as plans, planning, repeat
from zoo.utils.io import expanded
from zoo.utils.validation import parsed

STATUSES = (
    ("0", "done"), ("2", "mistake in the command"), ("3", "loss not finite"), ("4", "disk full, or a file failed"),
    ("5", "out of memory"), ("6", "another process uses the run directory"),
    ("7", "time limit of --max-seconds reached"), ("8", "another host was lost"), ("130", "interrupted"))


def parser(prog, description, examples, weights, dataset):
    """Return the Parser; `weights` and `dataset`: what --weights and --dataset are by default."""
    made = common.Parser(
        prog=prog, usage="%(prog)s NET [--dataset NAME|FOLDER|FILE.npz] [--gpu N] [OPTION ...]", examples=examples,
        description=f"{description}\nThe same command with the same --name resumes a run that was interrupted.",
        epilog=help_text.sections(
            help_text.networks(), f"data sets:\n  {', '.join(datasets.DATASETS)}", help_text.model_options(),
            help_text.table("strategies of fine-tuning (--strategy), by the size of the data set and its similarity to "
                            "that of the weights", [(name, each.reason) for name, each in
                                                    finetuning.STRATEGIES.items()]),
            help_text.table("exit status", STATUSES)))
    made.add_argument("network", metavar="NET", nargs="?", help="name of the network; all names are listed below")
    made.add_argument("--resume", metavar="RUN",
                      help="resume the run in this directory exactly where it stopped, without NET and --dataset; only "
                           f"{listed_flags(asked.RESUMED)} can be given beside it; --epochs can be more "
                           "than before, unless the schedule is cosine or one_cycle")
    add_model(made.add_argument_group("model"), weights)
    add_data(made.add_argument_group("data"), dataset)
    asked.add_recipe(made)
    add_device(made.add_argument_group("device"))
    add_output(made.add_argument_group("output"))
    return made


def listed_flags(names):
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
    group.add_argument("--pooling", metavar="|".join(finetuning.POOLINGS),
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
    group.add_argument("--strategy", metavar="|".join(finetuning.STRATEGIES),
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
    group.add_argument("--log", metavar="|".join(loggers.PACKAGES), action="append", default=[],
                       help="experiment logger to use as well; can be repeated; tensorboard: event files in "
                            "RUN/tensorboard; default: none")
    group.add_argument("--max-seconds", metavar="N",
                       help="time limit in seconds, such as 3600: the run is saved and stops before, and can be "
                            "resumed; default: none")


def requested(arguments):
    """Return the FineTuning that the command line asks for, or None for a training from scratch."""
    number = None if arguments.head_epochs is None else common.whole_number("--head-epochs", arguments.head_epochs, 1)
    return finetuning.request(
        weights=None if arguments.weights == "none" else arguments.weights, freeze=arguments.freeze,
        head_layers=finetuning.parse_head_layers(arguments.head_layers or ""), pooling=arguments.pooling,
        feature_layer=arguments.feature_layer, two_stage=arguments.two_stage, head_epochs=number,
        strategy=arguments.strategy, preprocessing=arguments.preprocessing,
        backbone_learning_rate=None if arguments.backbone_lr is None else parsed(
            "--backbone-lr", arguments.backbone_lr, 1.0))


def command(argv, prog, made):
    """Train as the words `argv` say, which the Parser `made` reads; return the exit status."""
    began = time.monotonic()
    arguments = made.parse_args(argv)
    words = sys.argv[1:] if argv is None else [*argv]
    if arguments.network is None and arguments.resume is None:
        raise UserError(f"which network? one of {', '.join(registry.SPECS)}; see {prog} --help")
    loggers.check(arguments.log)
    seconds = arguments.max_seconds and common.whole_number("--max-seconds", arguments.max_seconds, 1)
    until = began + seconds if seconds else float("inf")
    if arguments.resume is not None:
        return resume(made, arguments, argv, until)
    spec = registry.find(arguments.network)
    if arguments.dataset is None:
        raise UserError("which images? give --dataset NAME, FOLDER or FILE.npz")
    common.check_images(arguments)
    if arguments.runs is not None:
        return several_seeds(arguments, words, until)
    class_weight = parse_class_weight(arguments.class_weight)
    request, origin, _ = form_of(arguments)
    known = arguments.dataset in datasets.DATASETS
    plan = plan_of(arguments) if known else None
    chosen = devices.choose(arguments.gpu, devices.list_gpus(), devices.visible_now())
    place = place_of(arguments, env.backend(arguments.backend))

    from zoo.training import class_weights, run_directory, run_files  # NumPy, no backend

    begun = begun_run(arguments)
    if begun is None:
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
    elif plan and not request and not class_weight:
        plan = plans.going_on(begun, plans.of_run(begun, run_files.read_config(begun)), plan)
        if attended.is_over(begun, plan.recipe.epochs):  # which needs no data any more
            return 0
    from zoo.runs.data import check_same_data

    dataset = common.load_images(arguments, limit_of(arguments), planning.default_shape(spec, origin))
    plan = plan or plan_of(arguments, dataset.info)
    if class_weight is not None:
        plan = replace(plan, class_weight=class_weights.resolve(class_weight, dataset))
    if begun:
        check_same_data(begun, dataset)
    if begun and not request:
        plan = plans.going_on(begun, plans.of_run(begun, run_files.read_config(begun)), plan)
        if attended.is_over(begun, plan.recipe.epochs):
            return 0
    session = session_of(plan, dataset, chosen, until, place, asked=request, origin=origin,
                         loggers=tuple(arguments.log))
    if begun:
        return session.resume(begun)
    return session.begin(arguments.output_dir, arguments.name, shlex.join([*prog.split(), *words]))


def form_of(arguments):
    """Return (FineTuning or None, Origin of its weights or None, {argument of make_plan: value}) of a command line."""
    spec, fields, request = registry.find(arguments.network), asked.fields_of(arguments), requested(arguments)
    width, options = asked.form_of(arguments, spec, fields)
    origin = planning.find_origin(spec, request, width, arguments.stem, options)
    return request, origin, {"fields": fields, "width": width, "options": options}


def plan_of(arguments, info=None):
    """Return the Plan that the command line asks for; `info`: of the images, where they are no named data set."""
    info = info or datasets.with_labels(datasets.find(arguments.dataset), arguments.labels)
    request, origin, form = form_of(arguments)
    return planning.make_plan(
        registry.find(arguments.network), info, recipe=arguments.recipe, limit=limit_of(arguments), stem=arguments.stem,
        seed=common.whole_number("--seed", arguments.seed, 0, 2**32 - 1), backend=arguments.backend,
        precision=arguments.precision, deterministic=arguments.deterministic, asked=request, origin=origin, **form)


def limit_of(arguments):
    """Return the number that --limit gives, or None."""
    return None if arguments.limit is None else common.whole_number("--limit", arguments.limit, 1)


def parse_class_weight(text):
    """Return what --class-weight says, "balanced" or {class: weight}, None where it is not given."""
    if text is None or text == "balanced":
        return text
    found = {}
    for word in text.split(","):
        name, equals, number = word.rpartition("=")
        if not equals or not name.strip():
            raise UserError(f"--class-weight is balanced, or CLASS=W,CLASS=W; given {text!r}")
        found[name.strip()] = parsed(f"--class-weight {name.strip()}", number, 1.0)
    return found


def resume(made, arguments, argv, until):
    """Resume the run of --resume; return the exit status."""
    run, plan = asked.resumed(made, arguments, argv)
    chosen = devices.choose(arguments.gpu, devices.list_gpus(), devices.visible_now())
    place = place_of(arguments, plan.backend)
    if attended.is_over(run, plan.recipe.epochs):
        return 0

    from zoo.runs.data import reload_dataset
    from zoo.training import run_files

    dataset = reload_dataset(run, run_files.read_config(run), arguments.data_dir)
    return session_of(plan, dataset, chosen, until, place, loggers=tuple(arguments.log)).resume(run)


def session_of(plan, dataset, chosen, until, place, **session):
    """Return the Session of a Plan on the chosen Device, prepared; with other hosts, once they have met."""
    plans.check_devices(plan, len(chosen.gpus))
    devices.prepare(chosen, plan.deterministic)

    from zoo.runs.session import Session
    from zoo.training.distribution import hosts

    link = hosts.meet(*place, hosts.facts(plan, dataset)) if place else None
    return Session(plan, dataset, chosen, attended.to_the_end, until, place, link, **session)


def place_of(arguments, backend):
    """Return ([HOST:PORT, ...], this host's index) of --hosts, or None."""
    place = env.hosts(arguments.hosts, arguments.host_index)
    if place and (backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts train one run, with JAX: give --backend jax, and --seed instead of --runs")
    return place


def begun_run(arguments):
    """Return the run directory that --name names, where there is one already; None otherwise."""
    run = arguments.name and expanded(arguments.output_dir) / arguments.name
    return run if run and (run / "run.json").exists() else None


def several_seeds(arguments, words, until):
    """Train with the seeds of --runs, one after the other, and print the mean of their accuracies.

    Return the exit status.
    """
    from zoo.training import run_directory, run_files

    run_directory.check_output_dir(arguments.output_dir, None)
    count, first = (common.whole_number(flag, text, least, 2**32 - 1) for flag, text, least in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    name = arguments.name or run_directory.default_name(arguments.network, Path(arguments.dataset).stem)
    words = asked.without(words, ("--runs", "--seeds", "--seed", "--name", "--max-seconds"))
    if "--weights" not in {word.partition("=")[0] for word in words}:
        words += ["--weights", arguments.weights]  # each is trained by zoo.train, which has another default
    numbers = range(first, first + count)
    status = repeat.each_seed(numbers, words, name, until)
    if status:
        return status
    results = [run_files.read_result(expanded(arguments.output_dir) / f"{name}-seed{seed}") for seed in numbers]
    best, last = (repeat.spread([each[f"test_accuracy_{which}"] for each in results]) for which in ("best", "last"))
    print(f"test accuracy {best}, n = {len(results)}, with the best epochs by validation; {last}, with the last")
    return 0
