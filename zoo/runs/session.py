"""A training session: from a plan and a data set to a run directory. zoo train, zoo finetune and zoo.fit share it.

No backend is loaded when this is imported: devices are chosen before.
"""

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from zoo import devices
from zoo.data.load import Dataset
from zoo.errors import UserError
from zoo.runs.data import check_same_data
from zoo.runs.stages import (
    aux_loss_weights,
    build,
    count_parameters,
    finished_result,
    is_done,
    restore_best,
    stages_of,
)
from zoo.training import finetuning, plan as plans, run_directory, run_files
from zoo.training.distribution import hosts
from zoo.training.origins import Origin, of_plan
from zoo.utils.io import expanded


@dataclass(frozen=True)
class Session:
    """What one process contributes to a run.

    Attributes:
        plan: the run's Plan; while `asked` is given, the layers that are meant and the rates are still to be found.
        dataset: the Dataset that it is trained on.
        chosen: the `devices.Device`, already prepared.
        attend: called as `attend(work, run, recipe, leave, resume, link)`; calls `work()`, which trains and returns
            (Progress or None, result or None), and decides what becomes of errors. What it returns, `begin` and
            `resume` return. A result without Progress: the run was finished already.
        until: on time.monotonic's clock, when to save and leave.
        hosts: ([HOST:PORT, ...], this host's index), or None for a single host; link: the connection to the others.
        callbacks: Keras callbacks of the user's; loggers: names of zoo.training.loggers, which are added to them.
        model: a Keras model of the user's own, where the plan is for one.
        asked: a FineTuning that a command or call asks for, or None; origin: the Origin of its weights.
        display: what shows the progress, see `zoo.runs.progress_display`; None: text on stdout.
    """

    plan: plans.Plan
    dataset: Dataset
    chosen: devices.Device
    attend: Callable
    until: float = float("inf")
    hosts: tuple | None = None
    link: object = None
    callbacks: tuple = ()
    loggers: tuple = ()
    model: object = None
    asked: finetuning.FineTuning | None = None
    origin: Origin | None = None
    display: object = None

    def begin(self, output_dir, name, command):
        """Build the model, make a new run directory and train; `command` is what run.json says of how it was begun."""
        where, sharing = self._load()

        from zoo.training import header

        with sharing.scope():
            plan = self._resolved()
            first = stages_of(plan, Path())[0].plan
            with self._model_file() as model_file:
                built = build(first, model_file)  # refuses what cannot be, before there is a run
                lines = self._fill(built, first)
                run = expanded(sharing.first(lambda: self._create(output_dir, name)))
                if model_file and sharing.host == 0:
                    shutil.copyfile(model_file, run / model_file.name)
            with hold(run, sharing):
                parameters = count_parameters(built)
                if sharing.host == 0:
                    run_files.write_config(run, header.facts(plan, self.dataset, parameters, where, command))
                if self.asked and self.asked.strategy:
                    reason = finetuning.STRATEGIES[self.asked.strategy].reason
                    lines.append(f"{'strategy':8} {self.asked.strategy}: {reason}")
                self._print([*header.lines(plan, self.dataset, parameters, where, run), *lines])
                return self._train(plan, built, run, where, sharing)

    def resume(self, run):
        """Train on from where the run directory `run` stands."""
        with run_directory.lock_run(run) if not (self.hosts and self.hosts[1]) else contextlib.nullcontext():
            check_same_data(run, self.dataset)
            where, sharing = self._load()

            from zoo.training import checkpoints, header

            with sharing.scope():
                facts = run_files.read_config(run)
                plan = self._resolved()
                plan = plans.going_on(run, plans.of_run(run, facts), plan)  # another command may have changed it
                if self.asked:
                    result = finished_result(run, plan.recipe.epochs)
                    if result:
                        return self.attend(lambda: (None, result), run, plan.recipe, None, "", None)
                stages = stages_of(plan, run)
                current = next((stage for stage in stages[:-1] if not is_done(stage)), stages[-1])
                built = build(current.plan, run / plans.MODEL_FILE)
                lines = []
                if not (current.directory / "checkpoints" / "last.npz").exists():  # nothing of it has been trained
                    if current is stages[0]:
                        lines = self._fill(built, current.plan)
                    else:
                        restore_best(built, stages[0], sharing)
                progress = checkpoints.Progress(
                    **sharing.first(lambda: asdict(checkpoints.progress_of(current.directory))))
                if sharing.host == 0:
                    run_files.write_config(run, {**facts, **plans.as_json(plan)})  # perhaps more epochs
                    (run / "result.json").unlink(missing_ok=True)
                lines = [*header.lines(plan, self.dataset, count_parameters(built), where, run), *lines,
                         *header.resumed(progress, facts, where, plan.backend)]
                self._print(lines)
                return self._train(plan, built, run, where, sharing, current)

    @property
    def is_custom(self):
        return isinstance(self.plan.blueprint, plans.CustomModel)

    @contextlib.contextmanager
    def _model_file(self):
        """Give the Path of a file with the user's own model, as long as the block lasts; None for another model."""
        if self.model is None:
            yield None
            return
        from zoo.training import custom_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / plans.MODEL_FILE
            custom_model.save(self.model, path)
            yield path

    def _resolved(self):
        """Return the plan with what of fine-tuning only the model can tell: which layers are meant, and the rates."""
        if self.asked is None:
            return self.plan
        from zoo.training import finetuned_model

        config, head_recipe, recipe = finetuned_model.resolve(
            self.plan.blueprint, self.plan.finetuning, self.asked, self.plan.recipe, self.plan.dataset.shape,
            self.plan.dataset.classes)
        return replace(self.plan, finetuning=config, head_recipe=head_recipe, recipe=recipe)

    def _fill(self, built, plan):
        """Give the backbone of a fine-tuning its weights; return the lines that say what was done."""
        if plan.finetuning is None:
            return []
        origin = self.origin or of_plan(plan)
        return origin.here().fill(built[1], plan.blueprint)

    def _print(self, lines):
        """Print lines, or hand them to what shows the progress."""
        if self.display:
            self.display.write(lines)
        else:
            print("\n".join(lines), flush=True)

    def _create(self, output_dir, name):
        """Make the run directory and return its path: in full where hosts that stand in other folders need it."""
        run = run_directory.create_run(output_dir, name, self.plan.model_name, self.plan.dataset.name)
        return str(run.absolute() if self.link else run)

    def _load(self):
        """Load the backend, connected with the other hosts; return the description of the devices, and the Sharing."""
        plan, chosen = self.plan, self.chosen

        def connect():
            import keras

            keras.utils.set_random_seed(plan.seed)
            addresses, index = self.hosts
            keras.distribution.initialize(hosts.engine_address(addresses[0]), len(addresses), index)

        from zoo.training.backend import load_backend

        where = load_backend(plan.backend, chosen, connect if self.link else None)
        if plan.precision == "float16" and where.startswith("CPU"):
            raise UserError("float16 is for GPUs, and this is the CPU; give --precision bfloat16, or float32")

        from zoo.training.distribution import parallel

        if self.link:
            sharing = parallel.across(self.link, self.hosts[1], len(self.hosts[0]))
        else:
            sharing = parallel.over(plan.backend, len(chosen.gpus))
        plans.check_devices(plan, sharing.devices)
        if self.link:
            return f"{where}, one of {sharing.hosts} hosts with {sharing.devices} devices in all", sharing
        return f"{where}, as {sharing.devices} devices" if sharing.devices > 1 and not chosen.gpus else where, sharing

    def _train(self, plan, built, run, where, sharing, current=None):
        """Train, test and draw; return what `attend` returns.

        built: what `build` gave for the stage `current`, the first one if that is None.
        """
        from zoo.plots import fonts
        from zoo.reports.run_outputs import draw_model, draw_run  # matplotlib
        from zoo.training import failures, fit, header
        from zoo.training.leaving import Leave

        link = sharing.link
        leave = hosts.Together(link, self.until) if link else Leave(self.until)
        stages = stages_of(plan, run)
        left = stages[stages.index(current):] if current else stages

        def work():
            nonlocal built
            if sharing.host == 0:
                (run / "plots").mkdir(exist_ok=True)
            anatomy = draw_model(built[0] if plan.finetuning or self.is_custom else plan.blueprint,
                                 run / "plots" / "architecture.svg" if sharing.host == 0 else None)
            if sharing.host == 0:
                warning = where.startswith("CPU") and failures.foreseen(anatomy.memory, plan.recipe,
                                                                        failures.free_memory())
                if warning:
                    self._print([f"{'note':8} {warning}"])
            for stage in left:
                if stage is not left[0]:
                    built = build(stage.plan, run / plans.MODEL_FILE)
                    restore_best(built, stages[stages.index(stage) - 1], sharing)
                progress = self._train_stage(built, stage, stages, sharing, leave)
                if leave.reason:
                    return progress, None
                if progress.epoch < stage.plan.recipe.epochs and sharing.host == 0:
                    self._print([header.early_stop(stage.plan.recipe, progress)])
            result = None
            if not leave.asked(fit.seconds_to_test(progress, self.dataset)):
                result = fit.test(built[0], self.dataset, plan.recipe, run, progress, sharing)
            if sharing.host == 0:
                draw_run(run)
                if note := fonts.note_undrawable(map(str, self.dataset.facts.label_names)):
                    self._print([f"{'note':8} {note}"])
            if self.display:
                self.display.show(run)
            if link:
                link.close()
            return progress, result

        words = ["python", "-m", "zoo.train", "--resume", str(run)]
        if link:
            words += ["--hosts", ",".join(link.addresses), "--host-index", str(sharing.host)]
        resume = f"to go on{', on all hosts' if link else ''}: {shlex.join(words)}"
        return self.attend(work, run, plan.recipe, leave, resume, link)

    def _train_stage(self, built, stage, stages, sharing, leave):
        """Train one stage from where its directory stands; return its Progress."""
        from zoo.training import finetuned_model, fit, header, loggers

        (network, backbone), plan = built, stage.plan
        if plan.finetuning:
            last = finetuned_model.last_frozen(backbone, plan.finetuning.frozen_until or "none")
            config = replace(plan.finetuning, frozen_until=last)
            finetuned_model.freeze(backbone, last)
            if sharing.host == 0:
                self._print(header.stage_lines(stages.index(stage) + 1, len(stages), network, backbone, config,
                                               plan.recipe))
                if stage is not stages[-1]:  # a run directory of its own, below the whole one
                    (stage.directory / "checkpoints").mkdir(parents=True, exist_ok=True)
                    facts = run_files.read_config(stages[-1].directory)
                    run_files.write_config(stage.directory,
                                           {**facts, **plans.as_json(replace(plan, finetuning=config))})
        logging = loggers.make_callbacks(self.loggers, stage.directory, plans.flat(plan)) if sharing.host == 0 else []
        showing = self.display.callbacks(stage.directory) if self.display else []
        return fit.train(network, self.dataset, plan.recipe, plan.seed, stage.directory, leave, aux_loss_weights(plan),
                         sharing, (*self.callbacks, *logging, *showing), plan.class_weight, bar=not self.display)


def hold(run, sharing):
    """Lock the run where this host writes it; where another one does, see that it can be read."""
    if sharing.host == 0:
        return run_directory.lock_new_run(run)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"this host does not see {run}, which host 0 has made; give an --output-dir that all "
                        "hosts share")
    return contextlib.nullcontext()
