"""`zoo.fit`, and resuming a run, from Python. No backend is loaded when this is imported."""

import sys
import time
from dataclasses import dataclass, replace

from zoo import devices, env, registry
from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.reports.missing import draw_missing
from zoo.runs.data import check_same_data, reload_dataset
from zoo.runs.progress_display import progress_display
from zoo.runs.run import Run
from zoo.runs.session import Session
from zoo.runs.stages import finished_result
from zoo.training import class_weights, loggers, plan as plans, recipe as recipes, run_directory, run_files
from zoo.training.planning import default_shape, find_origin, make_custom_plan, make_plan, resolve_preset
from zoo.utils.io import expanded


@dataclass(frozen=True)
class Attended:
    """What `attend` hands back from a session: the run directory and why training stopped early, or None."""

    run: object
    reason: str | None


def attend(work, run, recipe, leave, resume, link):
    """Let errors pass, as exceptions of their kind; see `zoo.runs.session.Session`."""
    from zoo.training import failures

    try:
        work()
    except (FloatingPointError, MemoryError, OSError) as error:
        _, words = failures.explained(error, recipe)
        raise type(error)(f"{words}; {run} keeps what was saved") from error
    return Attended(run, leave and leave.reason)


def fit(model, dataset, *, recipe, seed, name, output_dir, limit, labels, data_dir, image_size, validation_data,
        test_data, class_names, labels_from, invalid_images, preset, width, stem, options, asked, class_weight, gpu,
        backend, precision, deterministic, max_seconds, callbacks, log, verbose, fields):
    """See `zoo.fit`, whose arguments these are.

    asked: a FineTuning, or None; `options` and `fields` are what `zoo.fit` takes as further keywords.
    """
    until = time.monotonic() + max_seconds if max_seconds is not None else float("inf")
    if not isinstance(model, str):
        return fit_custom(
            model, dataset, until, recipe=recipe, seed=seed, name=name, output_dir=output_dir, limit=limit,
            labels=labels, data_dir=data_dir, image_size=image_size, validation_data=validation_data,
            test_data=test_data, class_names=class_names, labels_from=labels_from, invalid_images=invalid_images,
            class_weight=class_weight, gpu=gpu, backend=backend, precision=precision, deterministic=deterministic,
            callbacks=callbacks, log=log, verbose=verbose, fields={**options, **fields},
            catalogue={"preset": preset, "width": width, "stem": None if stem == "auto" else stem,
                       "weights": asked and "what is pretrained"})
    spec = registry.find(model)
    width, options = resolve_preset(spec, preset, width, options)
    origin = find_origin(spec, asked, width, stem, options)
    data = load_data(dataset, data_dir=data_dir, limit=limit, labels=labels, image_size=image_size,
                     shape=default_shape(spec, origin), validation_data=validation_data, test_data=test_data,
                     class_names=class_names, labels_from=labels_from, invalid_images=invalid_images)
    plan = make_plan(spec, data.info, recipe=recipe, fields=fields, seed=seed, limit=limit, width=width, stem=stem,
                     options=options, backend=backend, precision=precision, deterministic=deterministic, asked=asked,
                     origin=origin)
    return train(plan, data, until, f"zoo.fit({model!r}, ...)", class_weight=class_weight, gpu=gpu, name=name,
                 output_dir=output_dir, callbacks=callbacks, log=log, verbose=verbose, asked=asked, origin=origin)


def fit_custom(model, dataset, until, *, recipe, seed, name, output_dir, limit, labels, data_dir, image_size,
               validation_data, test_data, class_names, labels_from, invalid_images, class_weight, gpu, backend,
               precision, deterministic, callbacks, log, verbose, fields, catalogue):
    """See `zoo.fit`, for a Keras model of the user's own; `catalogue`: arguments for the models of the catalogue."""
    from zoo.training import custom_model

    custom_model.check(model)
    for argument, value in catalogue.items():
        if value is not None:
            raise UserError(f"{argument} is for a model of the catalogue, by its name, and the model given is your "
                            "own; leave it out")
    data = load_data(dataset, data_dir=data_dir, limit=limit, labels=labels, image_size=image_size,
                     shape=custom_model.image_shape(model), validation_data=validation_data, test_data=test_data,
                     class_names=class_names, labels_from=labels_from, invalid_images=invalid_images)
    plan = make_custom_plan(custom_model.describe(model, data.info), data.info, recipe=recipe, fields=fields, seed=seed,
                            limit=limit, backend=backend, precision=precision, deterministic=deterministic)
    return train(plan, data, until, f"zoo.fit(<{plan.model_name}>, ...)", class_weight=class_weight, gpu=gpu, name=name,
                 output_dir=output_dir, callbacks=callbacks, log=log, verbose=verbose, model=model)


def train(plan, data, until, command, *, class_weight, gpu, name, output_dir, callbacks, log, verbose, **session):
    """Begin a run, or resume the one called `name`; return the Run."""
    if class_weight is not None:
        plan = replace(plan, class_weight=class_weights.resolve(class_weight, data))
    names = logger_names(log)
    chosen = choose_device(gpu, plan)
    made = Session(plan, data, chosen, attend, until, callbacks=tuple(callbacks or ()), loggers=names,
                   display=progress_display(verbose), **session)
    run = None if name is None else expanded(output_dir) / name
    if run is not None and (run / "run.json").exists():
        check_same_data(run, data)
        if not made.asked:
            plan = plans.going_on(run, plans.of_run(run, run_files.read_config(run)), plan)
            if finished_result(run, plan.recipe.epochs):
                return finished_run(run)
        return run_of(replace(made, plan=plan).resume(run))
    run_directory.check_output_dir(output_dir, name)
    return run_of(made.begin(output_dir, name, command))


def logger_names(log):
    """Return the checked names of loggers that `log` gives: None, a name or several."""
    names = () if log is None else (log,) if isinstance(log, str) else tuple(log)
    loggers.check(names)
    return names


def resume(run, *, epochs, dataset, data_dir, gpu, max_seconds, callbacks, log=None, verbose=True):
    """See `Run.resume`."""
    until = time.monotonic() + max_seconds if max_seconds is not None else float("inf")
    plan = plans.of_run(run.path, run.config)
    if epochs is not None:
        plan = plans.longer(run.path, plan, recipes.overridden(plan.recipe, {"epochs": epochs}).epochs)
    if finished_result(run.path, plan.recipe.epochs):
        return finished_run(run.path)
    chosen = choose_device(gpu, plan)
    data = reload_dataset(run.path, run.config, data_dir) if dataset is None else load_data(
        dataset, limit=plan.limit, shape=tuple(run.config["dataset"]["shape"]))
    return run_of(Session(plan, data, chosen, attend, until, callbacks=tuple(callbacks or ()),
                          loggers=logger_names(log), display=progress_display(verbose)).resume(run.path))


def run_of(attended):
    return Run(attended.run, attended.reason)


def finished_run(run):
    """Return the Run of a directory that has its result; draw what a kill between result and report has left out."""
    draw_missing(run)
    return Run(run)


def set_device(gpu, backend):
    """See `zoo.set_device`."""
    prepare_device(gpu, env.backend(backend), False)


def choose_device(gpu, plan):
    """Return the Device for `gpu` and a Plan, prepared; see `prepare_device`."""
    chosen = prepare_device(gpu, plan.backend, plan.deterministic)
    plans.check_devices(plan, len(chosen.gpus))
    return chosen


def prepare_device(gpu, backend, deterministic):
    """Return the Device for `gpu`, prepared; UserError where Keras is loaded already with another one."""
    requested = None if gpu is None else ",".join(map(str, gpu)) if isinstance(gpu, (list, tuple)) else str(gpu)
    installed = devices.list_gpus()
    chosen = devices.choose(requested, installed, devices.visible_now())
    if "keras" not in sys.modules:
        devices.prepare(chosen, deterministic)
        return chosen
    import keras

    if keras.backend.backend() != backend:
        raise UserError(f"Keras is loaded with {keras.backend.backend()}, and {backend} is asked for: choose with "
                        "zoo.set_device(backend=...) before Keras is imported, or in a new process")
    if gpu is not None and (chosen.gpus or installed) and not devices.is_prepared(chosen):
        raise UserError(f"Keras is loaded already, and sees other devices than gpu={gpu!r}: choose with "
                        "zoo.set_device(gpu) before Keras is imported, or in a new process")
    return chosen
