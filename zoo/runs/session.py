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
from zoo.data.datasets import Dataset
from zoo.errors import UserError
from zoo.runs.data import check_same_data
from zoo.runs.stages import (
    get_aux_loss_weights,
    build_stage_model,
    count_model_parameters,
    read_finished_result,
    is_stage_finished,
    load_best_weights,
    make_stages,
)
from zoo.training import finetuning, run_config as plans, run_directory, run_files
from zoo.training.distribution import multihost as hosts
from zoo.training.pretrained_backbone import BackboneWeights, find_weights_to_resume
from zoo.utils.io import expand_user


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
        asked: a FineTuneOptions that a command or call asks for, or None; origin: the BackboneWeights of its weights.
        display: what shows the progress, see `zoo.runs.progress_display`; None: text on stdout.
    """

    run_config: plans.RunConfig
    dataset: Dataset
    device: devices.Device
    run_work: Callable
    deadline: float = float("inf")
    hosts: tuple | None = None
    host_group: object = None
    callbacks: tuple = ()
    loggers: tuple = ()
    model: object = None
    finetune_options: finetuning.FineTuneOptions | None = None
    backbone_weights: BackboneWeights | None = None
    display: object = None

    def start(self, output_dir, name, command):
        """Build the model, make a new run directory and train; `command` is what run.json says of how it was begun."""
        where, sharing = self._load_backend()

        from zoo.training import header

        with sharing.scope():
            plan = self._resolve_run_config()
            first = make_stages(plan, Path())[0].run_config
            with self._model_file() as model_file:
                built = build_stage_model(first, model_file)  # refuses what cannot be, before there is a run
                lines = self._load_backbone_weights(built, first)
                run = expand_user(sharing.broadcast(lambda: self._create_run_dir(output_dir, name)))
                if model_file and sharing.host == 0:
                    shutil.copyfile(model_file, run / model_file.name)
            with lock_run_on_first_host(run, sharing):
                parameters = count_model_parameters(built)
                if sharing.host == 0:
                    run_files.write_config(run,
                                           header.make_run_metadata(plan, self.dataset, parameters, where, command))
                if self.finetune_options and self.finetune_options.strategy:
                    reason = finetuning.FINETUNE_STRATEGIES[self.finetune_options.strategy].reason
                    lines.append(f"{'strategy':8} {self.finetune_options.strategy}: {reason}")
                self._print([*header.format_header(plan, self.dataset, parameters, where, run), *lines])
                return self._train(plan, built, run, where, sharing)

    def resume(self, run):
        """Train on from where the run directory `run` stands."""
        with run_directory.lock_run(run) if not (self.hosts and self.hosts[1]) else contextlib.nullcontext():
            check_same_data(run, self.dataset)
            where, sharing = self._load_backend()

            from zoo.training import checkpoints, header

            with sharing.scope():
                facts = run_files.read_config(run)
                plan = self._resolve_run_config()
                plan = plans.resume_run_config(run, plans.get_run_config(run, facts),
                                               plan)  # another command may have changed it
                if self.finetune_options:
                    result = read_finished_result(run, plan.recipe.epochs)
                    if result:
                        return self.run_work(lambda: (None, result), run, plan.recipe, None, "", None)
                stages = make_stages(plan, run)
                current = next((stage for stage in stages[:-1] if not is_stage_finished(stage)), stages[-1])
                built = build_stage_model(current.run_config, run / plans.MODEL_FILE)
                lines = []
                if not (current.directory / "checkpoints" / "last.npz").exists():  # nothing of it has been trained
                    if current is stages[0]:
                        lines = self._load_backbone_weights(built, current.run_config)
                    else:
                        load_best_weights(built, stages[0], sharing)
                progress = checkpoints.Progress(
                    **sharing.broadcast(lambda: asdict(checkpoints.recover_progress(current.directory))))
                if sharing.host == 0:
                    run_files.write_config(run, {**facts, **plans.serialize_run_config(plan)})  # perhaps more epochs
                    (run / "result.json").unlink(missing_ok=True)
                lines = [*header.format_header(plan, self.dataset, count_model_parameters(built), where, run), *lines,
                         *header.format_resume(progress, facts, where, plan.backend)]
                self._print(lines)
                return self._train(plan, built, run, where, sharing, current)

    @property
    def is_custom(self):
        return isinstance(self.run_config.model_config, plans.CustomModelConfig)

    @contextlib.contextmanager
    def _model_file(self):
        """Give the Path of a file with the user's own model, as long as the block lasts; None for another model."""
        if self.model is None:
            yield None
            return
        from zoo.training import custom_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / plans.MODEL_FILE
            custom_model.save_custom_model(self.model, path)
            yield path

    def _resolve_run_config(self):
        """Return the plan with what of fine-tuning only the model can tell: which layers are meant, and the rates."""
        if self.finetune_options is None:
            return self.run_config
        from zoo.training import finetuned_model

        config, head_recipe, recipe = finetuned_model.resolve_finetuning(self.run_config.model_config,
                                                                         self.run_config.finetuning,
                                                                         self.finetune_options, self.run_config.recipe,
                                                                         self.run_config.dataset.shape,
                                                                         self.run_config.dataset.classes)
        return replace(self.run_config, finetuning=config, head_recipe=head_recipe, recipe=recipe)

    def _load_backbone_weights(self, models, run_config):
        """Give the backbone of a fine-tuning its weights; return the lines that say what was done."""
        if run_config.finetuning is None:
            return []
        origin = self.backbone_weights or find_weights_to_resume(run_config)
        return origin.ensure_local().load_into(models[1], run_config.model_config)

    def _print(self, lines):
        """Print lines, or hand them to what shows the progress."""
        if self.display:
            self.display.write(lines)
        else:
            print("\n".join(lines), flush=True)

    def _create_run_dir(self, output_dir, name):
        """Make the run directory and return its path: in full where hosts that stand in other folders need it."""
        run = run_directory.create_run(output_dir, name, self.run_config.model_name, self.run_config.dataset.name)
        return str(run.absolute() if self.host_group else run)

    def _load_backend(self):
        """Load the backend, connected with the other hosts; return the description of the devices, and the
        DataParallel.
        """
        plan, chosen = self.run_config, self.device

        def connect():
            import keras

            keras.utils.set_random_seed(plan.seed)
            addresses, index = self.hosts
            keras.distribution.initialize(hosts.get_coordinator_address(addresses[0]), len(addresses), index)

        from zoo.training.backend import load_backend

        where = load_backend(plan.backend, chosen, connect if self.host_group else None)
        if plan.precision == "float16" and where.startswith("CPU"):
            raise UserError("float16 is for GPUs, and this is the CPU; give --precision bfloat16, or float32")

        from zoo.training.distribution import data_parallel

        if self.host_group:
            sharing = data_parallel.distribute_over_hosts(self.host_group, self.hosts[1], len(self.hosts[0]))
        else:
            sharing = data_parallel.distribute_over_devices(plan.backend, len(chosen.gpus))
        plans.check_devices(plan, sharing.devices)
        if self.host_group:
            return f"{where}, one of {sharing.hosts} hosts with {sharing.devices} devices in all", sharing
        return f"{where}, as {sharing.devices} devices" if sharing.devices > 1 and not chosen.gpus else where, sharing

    def _train(self, run_config, models, run, device_description, distribution, current_stage=None):
        """Train, test and draw; return what `attend` returns.

        built: what `build` gave for the stage `current`, the first one if that is None.
        """
        from zoo.plots import fonts
        from zoo.reports.run_outputs import draw_model, draw_run  # matplotlib
        from zoo.training import failures, header, trainer
        from zoo.training.stopping import Stopper

        link = distribution.host_group
        leave = hosts.MultihostStopper(link, self.deadline) if link else Stopper(self.deadline)
        stages = make_stages(run_config, run)
        left = stages[stages.index(current_stage):] if current_stage else stages

        def work():
            nonlocal models
            if distribution.host == 0:
                (run / "plots").mkdir(exist_ok=True)
            anatomy = draw_model(models[0] if run_config.finetuning or self.is_custom else run_config.model_config,
                                 run / "plots" / "architecture.svg" if distribution.host == 0 else None)
            if distribution.host == 0:
                warning = device_description.startswith("CPU") and failures.predict_out_of_memory(anatomy.memory, run_config.recipe,
                                                                                                  failures.get_free_memory())
                if warning:
                    self._print([f"{'note':8} {warning}"])
            for stage in left:
                if stage is not left[0]:
                    models = build_stage_model(stage.run_config, run / plans.MODEL_FILE)
                    load_best_weights(models, stages[stages.index(stage) - 1], distribution)
                progress = self._train_stage(models, stage, stages, distribution, leave)
                if leave.reason:
                    return progress, None
                if progress.epoch < stage.run_config.recipe.epochs and distribution.host == 0:
                    self._print([header.format_early_stop(stage.run_config.recipe, progress)])
            result = None
            if not leave.should_stop(trainer.estimate_test_seconds(progress, self.dataset)):
                result = trainer.evaluate_trained_model(models[0], self.dataset, run_config.recipe, run, progress,
                                                        distribution)
            if distribution.host == 0:
                draw_run(run)
                if note := fonts.format_undrawable_note(map(str, self.dataset.info.class_names)):
                    self._print([f"{'note':8} {note}"])
            if self.display:
                self.display.show(run)
            if link:
                link.close()
            return progress, result

        words = ["python", "-m", "zoo.train", "--resume", str(run)]
        if link:
            words += ["--hosts", ",".join(link.addresses), "--host-index", str(distribution.host)]
        resume = f"to go on{', on all hosts' if link else ''}: {shlex.join(words)}"
        return self.run_work(work, run, run_config.recipe, leave, resume, link)

    def _train_stage(self, models, stage, stages, distribution, stopper):
        """Train one stage from where its directory stands; return its Progress."""
        from zoo.training import finetuned_model, header, loggers, trainer

        (network, backbone), plan = models, stage.run_config
        if plan.finetuning:
            last = finetuned_model.find_freeze_boundary(backbone, plan.finetuning.frozen_until or "none")
            config = replace(plan.finetuning, frozen_until=last)
            finetuned_model.freeze_layers(backbone, last)
            if distribution.host == 0:
                self._print(header.format_stage(stages.index(stage) + 1, len(stages), network, backbone, config,
                                                plan.recipe))
                if stage is not stages[-1]:  # a run directory of its own, below the whole one
                    (stage.directory / "checkpoints").mkdir(parents=True, exist_ok=True)
                    facts = run_files.read_config(stages[-1].directory)
                    run_files.write_config(stage.directory,
                                           {**facts, **plans.serialize_run_config(replace(plan, finetuning=config))})
        logging = loggers.make_logger_callbacks(self.loggers, stage.directory,
                                                plans.flatten_run_config(plan)) if distribution.host == 0 else []
        showing = self.display.callbacks(stage.directory) if self.display else []
        return trainer.train_model(network, self.dataset, plan.recipe, plan.seed, stage.directory, stopper,
                                   get_aux_loss_weights(plan), distribution, (*self.callbacks, *logging, *showing),
                                   plan.class_weight, verbose=not self.display)


def lock_run_on_first_host(run, distribution):
    """Lock the run where this host writes it; where another one does, see that it can be read."""
    if distribution.host == 0:
        return run_directory.lock_new_run(run)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"this host does not see {run}, which host 0 has made; give an --output-dir that all "
                        "hosts share")
    return contextlib.nullcontext()
