"""The common program of zoo.train and zoo finetune, after zoo.cli.training_parser. No backend, no NumPy."""

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from zoo import devices, env, registry
from zoo.cli import common, dataset_args, multi_seed, reporting, train_args
from zoo.data.dataset_info import DATASETS
from zoo.errors import UserError
from zoo.training import finetuning, loggers, run_config_factory, stopping
from zoo.training.run_config import check_devices
from zoo.utils.flag_names import translate_note
from zoo.utils.io import expand_user
from zoo.utils.validation import parse_value


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
        raise UserError("no images are specified; give --dataset NAME, FOLDER, FILE.npz or FILE.csv")
    dataset_args.check_images(arguments)
    host_address = parse_hosts(arguments, env.select_backend(arguments.backend))
    if arguments.runs is not None:
        return multi_seed.train_seeds(arguments, command_line, times["deadline"])
    class_weight = parse_class_weight(arguments.class_weight)
    request = parse_model_request(arguments)
    finetune_options, backbone_weights = request["finetune_options"], request["backbone_weights"]
    config = parse_run_config(arguments, request=request) if arguments.dataset in DATASETS else None
    device = devices.select_installed_gpus(arguments.gpu)

    from zoo.runs.stages import read_resumed_config  # NumPy, no backend
    from zoo.training import class_weights, run_directory

    existing_run = find_existing_run(arguments)
    if existing_run is None:
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
    elif config and not finetune_options and not class_weight:
        config = read_resumed_config(existing_run, config)
        if reporting.report_if_finished(existing_run, config.recipe.epochs):  # before the data is read
            return 0
    from zoo.runs.data import check_same_data, get_data_option

    dataset = dataset_args.load_images(
        arguments, dataset_args.parse_limit(arguments),
        run_config_factory.get_source_arguments(model_info, backbone_weights, request["options"]))
    config = config or parse_run_config(arguments, dataset.info, request)
    if class_weight is not None:
        config = replace(config, class_weight=class_weights.resolve_class_weight(class_weight, dataset))
    if existing_run:
        check_same_data(existing_run, dataset, get_data_option(dataset))
    if existing_run and not finetune_options:
        config = read_resumed_config(existing_run, config)
        if reporting.report_if_finished(existing_run, config.recipe.epochs):
            return 0
    session = create_session(config, dataset, device, host_address, finetune_options=finetune_options,
                             backbone_weights=backbone_weights, loggers=tuple(arguments.log), **times)
    if existing_run:
        return session.resume(existing_run)
    return session.start(arguments.output_dir, arguments.name, shlex.join([*prog.split(), *command_line]))


def parse_model_request(arguments):
    """Return the arguments of `make_run_config` that the model and its recipe determine, {name: value}."""
    model_info = registry.get_model_info(arguments.network)
    finetune_options = parse_finetuning(arguments)
    width, options, fields = train_args.parse_model_and_recipe(arguments, model_info)
    backbone_weights = run_config_factory.resolve_backbone_weights(model_info, finetune_options, width, arguments.stem,
                                                                   options)
    return {"finetune_options": finetune_options, "backbone_weights": backbone_weights, "overrides": fields,
            "width": width, "options": options}


def parse_run_config(arguments, dataset_info=None, request=None):
    """Return the RunConfig that the command line requests.

    dataset_info: by default that of the named dataset. request: by default what `parse_model_request` returns.
    """
    return run_config_factory.make_run_config(registry.get_model_info(arguments.network),
                                              dataset_info or dataset_args.get_named_dataset_info(arguments),
                                              recipe=arguments.recipe, limit=dataset_args.parse_limit(arguments),
                                              stem=arguments.stem,
                                              seed=common.parse_int("--seed", arguments.seed, 0, 2**32 - 1),
                                              backend=arguments.backend, precision=arguments.precision,
                                              deterministic=arguments.deterministic,
                                              **(request or parse_model_request(arguments)))


def parse_class_weight(text):
    """Return the value of --class-weight: "balanced", {class: weight}, or None if it is not given."""
    if text is None or text == "balanced":
        return text
    weights = {}
    for pair in text.split(","):
        name, equals, weight = pair.rpartition("=")
        if not equals or not name.strip():
            raise UserError(f"--class-weight must be balanced, or CLASS=W,CLASS=W; got {text!r}")
        if name.strip() in weights:
            raise UserError(f"--class-weight has the class {name.strip()} twice; give one weight")
        weights[name.strip()] = parse_value(f"--class-weight {name.strip()}", weight, 1.0)
    return weights


def resume_from_args(parser, arguments, argv, times):
    """Resume the run of --resume; times: the deadline and checkpoint_seconds of its Session; return the exit status."""
    run, config = train_args.parse_resume(parser, arguments, argv)
    device = devices.select_installed_gpus(arguments.gpu)
    host_address = parse_hosts(arguments, config.backend)
    if reporting.report_if_finished(run, config.recipe.epochs):
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
    return Session(run_config, dataset, device, reporting.run_and_report, host_group=host_group,
                   format_line=translate_note, **session_options)


def parse_hosts(arguments, backend):
    """Return ([HOST:PORT, ...], index of this host) of --hosts, None without it."""
    host_address = env.resolve_hosts(arguments.hosts, arguments.host_index)
    if host_address and (backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts can train only one run, with JAX: give --backend jax, and --seed instead of "
                        "--runs")
    return host_address


def find_existing_run(arguments):
    """Return the existing run directory of --name; None if there is none."""
    run = arguments.name and expand_user(Path(arguments.output_dir) / arguments.name)
    return run if run and (run / "run.json").exists() else None
