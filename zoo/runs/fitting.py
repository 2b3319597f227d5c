"""`zoo.fit`, and going on with a run, from Python. No backend is loaded when this is imported."""

import sys
import time
from dataclasses import dataclass

from zoo import devices, env, registry
from zoo.data.loading import load_data
from zoo.errors import UserError, unknown
from zoo.reports.missing import draw_missing
from zoo.runs.data import reload_dataset
from zoo.runs.run import Run
from zoo.runs.session import Session
from zoo.training import augmentation, plan as plans, recipe as recipes, recipes as table, run_directory, run_files
from zoo.utils.io import expanded
from zoo.utils.validation import checked


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
    return Attended(run, leave.reason)


def fit(model, dataset, *, recipe, seed, name, output_dir, limit, labels, data_dir, image_size, validation_data,
        test_data, class_names, preset, width, stem, options, gpu, backend, precision, deterministic, max_seconds,
        callbacks, fields):
    """See `zoo.fit`, whose arguments these are; `options` and `fields` are what it takes as further keywords."""
    until = time.monotonic() + max_seconds if max_seconds is not None else float("inf")
    spec = registry.find(model)
    data = load_data(dataset, data_dir=data_dir, limit=limit, labels=labels, image_size=image_size,
                     shape=registry.default_image_shape(spec), validation_data=validation_data, test_data=test_data,
                     class_names=class_names)
    plan = make_plan(spec, data.info, recipe=recipe, fields=fields, seed=seed, limit=limit, preset=preset, width=width,
                     stem=stem, options=options, backend=backend, precision=precision, deterministic=deterministic)
    chosen = choose_device(gpu, plan)
    run = None if name is None else expanded(output_dir) / name
    if run is not None and (run / "run.json").exists():
        plan = plans.going_on(run, plans.of_run(run, run_files.read_config(run)), plan)
        if (run / "result.json").exists() and plan.recipe.epochs <= run_files.read_result(run).get(
                "asked_epochs", plan.recipe.epochs):
            return finished_run(run)
        return run_of(session(plan, data, chosen, until, callbacks).resume(run))
    run_directory.check_output_dir(output_dir, name)
    command = f"zoo.fit({model!r}, ...)"
    return run_of(session(plan, data, chosen, until, callbacks).begin(output_dir, name, command))


def resume(run, *, epochs, dataset, data_dir, gpu, max_seconds, callbacks):
    """See `Run.resume`."""
    until = time.monotonic() + max_seconds if max_seconds is not None else float("inf")
    if "transfer" in run.config:
        raise UserError(f"{run.path} was made by zoo finetune; give that command again, with --name {run.name}")
    plan = plans.of_run(run.path, run.config)
    if epochs is not None:
        plan = plans.longer(run.path, plan, recipes.overridden(plan.recipe, {"epochs": epochs}).epochs)
    if (run.path / "result.json").exists() and plan.recipe.epochs <= run.result.get("asked_epochs", plan.recipe.epochs):
        return finished_run(run.path)
    chosen = choose_device(gpu, plan)
    data = reload_dataset(run.path, run.config, data_dir) if dataset is None else load_data(
        dataset, limit=plan.limit, shape=tuple(run.config["dataset"]["shape"]))
    return run_of(session(plan, data, chosen, until, callbacks).resume(run.path))


def session(plan, data, chosen, until, callbacks):
    return Session(plan, data, chosen, attend, until, callbacks=tuple(callbacks or ()))


def run_of(attended):
    return Run(attended.run, attended.reason)


def finished_run(run):
    """Return the Run of a directory that has its result; draw what a kill between result and report has left out."""
    draw_missing(run)
    return Run(run)


def make_plan(spec, info, *, recipe, fields, seed, limit, preset, width, stem, options, backend, precision,
              deterministic):
    """Return the Plan of a training from scratch; UserError for what makes no sense."""
    base = table.find(spec.name, info.name, recipe)
    known = recipes.as_dict(base)
    for field, value in fields.items():
        if field not in known:
            raise unknown("argument of fit, recipe field or model option", field, [*known, *spec.options])
        checked(field, value, known[field])
    base = recipes.overridden(base, fields)
    recipes.side_weights(base, spec)
    if precision not in plans.PRECISIONS:
        raise unknown("precision", precision, plans.PRECISIONS)
    augmentation.check(augmentation.parse(base.augment), info.shape)
    if preset is not None:
        small = registry.preset(spec, preset)
        if width is not None and width != small.width:
            raise UserError(f"the preset {preset} has width {small.width:g}; leave out width, or preset")
        width, options = small.width, {**small.options, **options}
    blueprint = registry.blueprint(spec.name, info.shape, info.classes, width, stem, options)
    return plans.Plan(blueprint, info, base, seed, limit, env.backend(backend), deterministic, precision)


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
    chosen = devices.choose(requested, devices.list_gpus(), devices.visible_now())
    if "keras" not in sys.modules:
        devices.prepare(chosen, deterministic)
        return chosen
    import keras

    if keras.backend.backend() != backend:
        raise UserError(f"Keras is loaded with {keras.backend.backend()}, and {backend} is asked for: choose with "
                        "zoo.set_device(backend=...) before Keras is imported, or in a new process")
    if gpu is not None and not devices.is_prepared(chosen):
        raise UserError(f"Keras is loaded already, and sees other devices than gpu={gpu!r}: choose with "
                        "zoo.set_device(gpu) before Keras is imported, or in a new process")
    return chosen
