"""A training session: from a run config and a dataset to a run directory. Used by zoo train, zoo finetune and zoo.fit.

Importing this module loads no backend: devices are selected first.
"""

import contextlib
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from zoo import devices
from zoo.data.datasets import Dataset
from zoo.errors import UserError
from zoo.reports.missing_outputs import draw_missing_outputs
from zoo.runs.backend import load_run_backend
from zoo.runs.data import check_same_data
from zoo.runs.stages import (
    build_stage_model,
    count_model_parameters,
    get_aux_loss_weights,
    is_stage_finished,
    load_best_weights,
    make_stages,
    read_finished_result,
    write_model_file,
)
from zoo.training import finetuning, run_directory, run_files
from zoo.training.backend import announce_loading
from zoo.training.distribution import multihost
from zoo.training.pretrained_backbone import BackboneWeights, find_weights_to_resume
from zoo.training.run_config import (
    MODEL_FILE,
    CustomModelConfig,
    RunConfig,
    flatten_run_config,
    get_run_config,
    resume_run_config,
    serialize_run_config,
)
from zoo.training.stopping import DEFAULT_CHECKPOINT_MINUTES, Stopper
from zoo.utils.io import expand_user
from zoo.utils.process_memory import get_free_memory
from zoo.utils.text import escape_unprintable


@dataclass(frozen=True)
class Session:
    """What one process contributes to a run.

    Attributes:
        run_config: the RunConfig; with `finetune_options`, its frozen layers and learning rates are not resolved yet.
        dataset: the Dataset to train on.
        device: the `devices.Device`, already prepared.
        run_work: called as `run_work(work, run, recipe, stopper, resume_hint, host_group)`; calls `work()`, which
            trains and returns (Progress or None, result or None), and handles errors. `start` and `resume` return what
            it returns. A result without Progress: the run was already finished.
        deadline: on time.monotonic's clock, when to save and stop.
        checkpoint_seconds: the maximum time between two checkpoints, also in the middle of an epoch.
        host_group: the connection to the other hosts; None for a single host.
        callbacks: the user's Keras callbacks.
        loggers: names of zoo.training.loggers, whose callbacks are added to them.
        model: the user's own Keras model, where the run config is for one.
        finetune_options: the requested FineTuneOptions, or None.
        backbone_weights: the BackboneWeights of their weights.
        display: the progress display, see `zoo.runs.progress_display`; None: text on stdout.
        format_line: called with each line of that text; the command line shows options as flags.
    """

    run_config: RunConfig
    dataset: Dataset
    device: devices.Device
    run_work: Callable
    deadline: float = float("inf")
    checkpoint_seconds: float = 60 * DEFAULT_CHECKPOINT_MINUTES
    host_group: object = None
    callbacks: tuple = ()
    loggers: tuple = ()
    model: object = None
    finetune_options: finetuning.FineTuneOptions | None = None
    backbone_weights: BackboneWeights | None = None
    display: object = None
    format_line: Callable = str

    @multihost.leave_hosts
    def start(self, output_dir, name, command):
        """Build the model, create a new run directory and train; run.json records `command` as how it was started."""
        device_description, distribution = self._load_backend()

        from zoo.training import header

        with distribution.scope(), contextlib.ExitStack() as lock:
            run_config = self._resolve_run_config()
            first_config = make_stages(run_config, Path())[0].run_config
            with write_model_file(self.model) as model_file:
                models = build_stage_model(first_config, model_file)  # rejects invalid configs before the run exists
                lines = self._load_backbone_weights(models, first_config)
                run = expand_user(distribution.broadcast(lambda: self._create_run_dir(output_dir, name)))
                lock.enter_context(lock_run_on_first_host(run, distribution))
                if model_file and distribution.host == 0:
                    shutil.copyfile(model_file, run / model_file.name)
            parameters = count_model_parameters(models)
            if distribution.host == 0:
                run_files.write_config(run, header.make_run_metadata(run_config, self.dataset, parameters,
                                                                     device_description, command))
                run_files.write_dataset_files(run, self.dataset)
            if self.finetune_options and self.finetune_options.strategy:
                reason = finetuning.FINETUNE_STRATEGIES[self.finetune_options.strategy].reason
                lines.append(f"{'strategy':8} {self.finetune_options.strategy}: {reason}")
            self._print([*header.format_header(run_config, self.dataset, parameters, device_description, run), *lines])
            return self._train(run_config, models, run, device_description, distribution)

    @multihost.leave_hosts
    def resume(self, run):
        """Resume training from the last checkpoint of the run directory `run`."""
        is_first_host = self.host_group is None or self.host_group.index == 0
        with run_directory.lock_run(run) if is_first_host else contextlib.nullcontext():
            check_same_data(run, self.dataset)
            device_description, distribution = self._load_backend()

            from zoo.training import checkpoints, header

            with distribution.scope():
                config = run_files.read_config(run)
                run_config = self._resolve_run_config()
                # another command may have changed it
                run_config = resume_run_config(run, get_run_config(run, config), run_config)
                if self.finetune_options:
                    result = read_finished_result(run, run_config.recipe.epochs)
                    if result:
                        if distribution.host == 0:
                            draw_missing_outputs(run)
                        return self.run_work(lambda: (None, result), run, run_config.recipe, None, "", None)
                stages = make_stages(run_config, run)
                current_stage = next((stage for stage in stages[:-1] if not is_stage_finished(stage)), stages[-1])
                models = build_stage_model(current_stage.run_config, run / MODEL_FILE)
                lines = []
                if not (current_stage.directory / "checkpoints" / "last.npz").exists():  # not trained at all yet
                    if current_stage is stages[0]:
                        lines = self._load_backbone_weights(models, current_stage.run_config)
                    else:
                        load_best_weights(models, stages[0], distribution)
                progress = checkpoints.Progress(
                    **distribution.broadcast(lambda: asdict(checkpoints.recover_progress(current_stage.directory))))
                if distribution.host == 0:
                    config.pop("stop_reason", None)
                    run_files.write_config(run, {**config, **serialize_run_config(run_config)})  # maybe more epochs
                    run_files.write_dataset_files(run, self.dataset)  # killed before they were written
                    (run / "result.json").unlink(missing_ok=True)
                parameters = count_model_parameters(models)
                lines = [*header.format_header(run_config, self.dataset, parameters, device_description, run), *lines,
                         *header.format_resume(progress, config, device_description, run_config.backend)]
                self._print(lines)
                return self._train(run_config, models, run, device_description, distribution, current_stage)

    def _load_backend(self):
        """Load the backend; see `zoo.runs.backend.load_run_backend`."""
        if not self.display:
            announce_loading(self.run_config.backend)
        return load_run_backend(self.run_config, self.device, self.host_group)

    def _resolve_run_config(self):
        """Return the run config with the fine-tuning layers and learning rates that only the model determines."""
        if self.finetune_options is None:
            return self.run_config
        from zoo.training import finetuned_model

        run_config = self.run_config
        finetune_config, head_recipe, recipe = finetuned_model.resolve_finetuning(
            run_config.model_config, run_config.finetuning, self.finetune_options, run_config.recipe,
            run_config.dataset.shape, run_config.dataset.classes)
        return replace(run_config, finetuning=finetune_config, head_recipe=head_recipe, recipe=recipe)

    def _load_backbone_weights(self, models, run_config):
        """Load the pretrained weights into the backbone when fine-tuning; return lines of text that report it."""
        if run_config.finetuning is None:
            return []
        backbone_weights = self.backbone_weights or find_weights_to_resume(run_config)
        return backbone_weights.ensure_local().load_into(models[1], run_config.model_config)

    def _print(self, lines):
        """Print the lines, with visible control characters, or pass them to the progress display."""
        lines = [*map(escape_unprintable, lines)]
        if self.display:
            self.display.write(lines)
        else:
            print("\n".join(map(self.format_line, lines)), flush=True)

    def _create_run_dir(self, output_dir, name):
        """Create the run directory and return its path: absolute for hosts whose working directories may differ."""
        run = run_directory.create_run(output_dir, name, self.run_config.model_name, self.run_config.dataset.name)
        return str(run.absolute() if self.host_group else run)

    def _train(self, run_config, models, run, device_description, distribution, current_stage=None):
        """Train, test and draw the outputs; return what `self.run_work` returns.

        models: what `build_stage_model` returned for `current_stage`, or for the first stage if that is None.
        """
        from zoo.plots import fonts
        from zoo.reports.run_outputs import draw_model, draw_run  # matplotlib
        from zoo.training import failures, header, trainer

        host_group = distribution.host_group
        times = self.deadline, self.checkpoint_seconds
        stopper = multihost.MultihostStopper(host_group, *times) if host_group else Stopper(*times)
        stages = make_stages(run_config, run)
        remaining = stages[stages.index(current_stage):] if current_stage else stages

        def work():
            nonlocal models
            if distribution.host == 0:
                (run / "plots").mkdir(exist_ok=True)
            architecture_path = run / "plots" / "architecture.svg" if distribution.host == 0 else None
            is_custom = isinstance(run_config.model_config, CustomModelConfig)
            source = models[0] if run_config.finetuning or is_custom else run_config.model_config
            model_summary = draw_model(source, architecture_path)
            if distribution.host == 0 and device_description.startswith("CPU"):
                warning = failures.predict_out_of_memory(model_summary.memory, run_config.recipe,
                                                         get_free_memory())
                if warning:
                    self._print([f"{'note':8} {warning}"])
            for stage in remaining:
                if stage is not remaining[0]:
                    models = build_stage_model(stage.run_config, run / MODEL_FILE)
                    load_best_weights(models, stages[stages.index(stage) - 1], distribution)
                progress = self._train_stage(models, stage, stages, distribution, stopper)
                if stopper.reason:
                    self._record_stop(run, stopper.reason, distribution)
                    return progress, None
                if progress.epoch < stage.run_config.recipe.epochs and distribution.host == 0:
                    self._print([header.format_early_stop(stage.run_config.recipe, progress)])
            result = None
            if not stopper.should_stop(trainer.estimate_test_seconds(progress, self.dataset)):
                if not self.display and sys.stdout.isatty():
                    print("testing ...", end="\r", flush=True)  # the closing line is written over it
                result = trainer.evaluate_trained_model(models[0], self.dataset, run_config.recipe, run, progress,
                                                        distribution)
            else:
                self._record_stop(run, stopper.reason, distribution)
            if distribution.host == 0:
                draw_run(run)
                if note := fonts.format_undrawable_note(map(str, self.dataset.info.class_names)):
                    self._print([f"{'note':8} {note}"])
            if self.display:
                self.display.show(run)
            return progress, result

        command = ["python", "-m", "zoo.train", "--resume", str(run)]
        if host_group:
            command += ["--hosts", ",".join(host_group.addresses), "--host-index", str(distribution.host)]
        resume_hint = f"to resume{', on all hosts' if host_group else ''}: {shlex.join(command)}"

        def work_and_record_failure():
            handled = sys.exc_info()[1]
            try:
                return work()
            except Exception as error:
                if not (run / "result.json").exists():
                    with contextlib.suppress(OSError, MemoryError, UserError):  # `error` is the one to report
                        self._record_stop(run, failures.describe_stop(error, handled), distribution)
                raise

        return self.run_work(work_and_record_failure, run, run_config.recipe, stopper, resume_hint, host_group)

    def _record_stop(self, run, reason, distribution):
        """Write into run.json why training stopped."""
        if distribution.host == 0:
            run_files.write_config(run, {**run_files.read_config(run), "stop_reason": reason})

    def _train_stage(self, models, stage, stages, distribution, stopper):
        """Train one stage from its last checkpoint; return its Progress."""
        from zoo.training import finetuned_model, header, loggers, trainer

        (model, backbone), run_config = models, stage.run_config
        if run_config.finetuning:
            frozen_until = finetuned_model.find_freeze_boundary(backbone, run_config.finetuning.frozen_until or "none")
            finetune_config = replace(run_config.finetuning, frozen_until=frozen_until)
            finetuned_model.freeze_layers(backbone, frozen_until)
            if distribution.host == 0:
                self._print(header.format_stage(stages.index(stage) + 1, len(stages), model, backbone, finetune_config,
                                                run_config.recipe))
                if stage is not stages[-1]:  # a run directory of its own, inside that of the whole run
                    (stage.directory / "checkpoints").mkdir(parents=True, exist_ok=True)
                    config = run_files.read_config(stages[-1].directory)
                    stage_config = replace(run_config, finetuning=finetune_config)
                    run_files.write_config(stage.directory, {**config, **serialize_run_config(stage_config)})
        logger_names = self.loggers if distribution.host == 0 else ()
        display_callbacks = self.display.callbacks(stage.directory) if self.display else []
        with loggers.log_training(logger_names, stage.directory, flatten_run_config(run_config)) as logger_callbacks:
            return trainer.train_model(model, self.dataset, run_config.recipe, run_config.seed, stage.directory,
                                       stopper, get_aux_loss_weights(run_config), distribution,
                                       (*self.callbacks, *logger_callbacks, *display_callbacks),
                                       run_config.class_weight, verbose=not self.display)


def lock_run_on_first_host(run, distribution):
    """Lock the run if this is host 0, which writes it; on another host, check that the run directory is visible."""
    if distribution.host == 0:
        return run_directory.lock_new_run(run)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"{run}, which host 0 created, is not found on this host; give an output_dir=... that all "
                        "hosts share")
    return contextlib.nullcontext()
