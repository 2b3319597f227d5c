"""A training session: from a plan and a data set to a run directory. `zoo train` and `zoo.fit` share it.

No backend is loaded when this is imported: devices are chosen before.
"""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass

from zoo import devices
from zoo.data.load import Dataset
from zoo.errors import UserError
from zoo.training import plan as plans, recipe as recipes, run_directory, run_files
from zoo.training.distribution import hosts
from zoo.utils.io import expanded

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Session:
    """What one process contributes to a run.

    Attributes:
        plan: the run's Plan.
        dataset: the Dataset that it is trained on.
        chosen: the `devices.Device`, already prepared.
        attend: called as `attend(work, run, recipe, leave, resume, link)`; calls `work()`, which trains and returns
            (Progress, result or None), and decides what becomes of errors. What it returns, `begin` and `resume` return.
        until: on time.monotonic's clock, when to save and leave.
        hosts: ([HOST:PORT, ...], this host's index), or None for a single host; link: the connection to the others.
        callbacks: Keras callbacks of the user's.
    """

    plan: plans.Plan
    dataset: Dataset
    chosen: devices.Device
    attend: Callable
    until: float = float("inf")
    hosts: tuple | None = None
    link: object = None
    callbacks: tuple = ()

    def begin(self, output_dir, name, command):
        """Build the model, make a new run directory and train; `command` is what run.json says of how it was begun."""
        where, sharing = self._load()

        from zoo.training import header, trainee

        with sharing.scope():
            network = trainee.build(self.plan)  # refuses what cannot be, before there is a run
            run = expanded(sharing.first(lambda: self._create(output_dir, name)))
            with hold(run, sharing):
                parameters = trainee.main(network).count_params()
                if sharing.host == 0:
                    run_files.write_config(run, header.facts(self.plan, self.dataset, parameters, where, command))
                print("\n".join(header.lines(self.plan, self.dataset, parameters, where, run)), flush=True)
                return self._train(network, run, where, sharing)

    def resume(self, run):
        """Train on from where the run directory `run` stands."""
        with run_directory.lock_run(run) if not (self.hosts and self.hosts[1]) else contextlib.nullcontext():
            check_same_data(run, self.dataset)
            where, sharing = self._load()

            from zoo.training import checkpoints, header, trainee

            with sharing.scope():
                network = trainee.build(self.plan)
                progress = checkpoints.Progress(**sharing.first(lambda: asdict(checkpoints.progress_of(run))))
                facts = run_files.read_config(run)
                plans.going_on(run, plans.of_run(run, facts), self.plan)  # another command may have changed it
                if sharing.host == 0:
                    run_files.write_config(run, {**facts, **plans.as_json(self.plan)})  # perhaps more epochs
                    (run / "result.json").unlink(missing_ok=True)
                parameters = trainee.main(network).count_params()
                print("\n".join(header.lines(self.plan, self.dataset, parameters, where, run)
                                + header.resumed(progress, facts, where, self.plan.backend)), flush=True)
                return self._train(network, run, where, sharing)

    def _create(self, output_dir, name):
        """Make the run directory and return its path: in full where hosts that stand in other folders need it."""
        run = run_directory.create_run(output_dir, name, self.plan.blueprint.spec.name, self.plan.dataset.name)
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

    def _train(self, network, run, where, sharing):
        """Train, test and draw; return what `attend` returns."""
        from zoo.reports.run_outputs import draw_model, draw_run  # matplotlib
        from zoo.training import failures, fit
        from zoo.training.leaving import Leave

        plan, link = self.plan, sharing.link
        leave = hosts.Together(link, self.until) if link else Leave(self.until)

        def work():
            if sharing.host == 0:
                (run / "plots").mkdir(exist_ok=True)
            anatomy = draw_model(plan.blueprint, run / "plots" / "architecture.svg" if sharing.host == 0 else None)
            warning = where.startswith("CPU") and failures.foreseen(anatomy.memory, plan.recipe, failures.free_memory())
            if warning:
                print(f"{'note':8} {warning}", flush=True)
            progress = fit.train(network, self.dataset, plan.recipe, plan.seed, run, leave,
                                 recipes.side_weights(plan.recipe, plan.blueprint.spec), sharing, self.callbacks)
            result = None
            if not leave.asked(fit.seconds_to_test(progress, self.dataset)):
                result = fit.test(network, self.dataset, plan.recipe, run, progress, sharing)
            if sharing.host == 0:
                draw_run(run)
            if link:
                link.close()
            return progress, result

        words = ["python", "-m", "zoo.train", "--resume", str(run)]
        if link:
            words += ["--hosts", ",".join(link.addresses), "--host-index", str(sharing.host)]
        resume = f"to go on{', on all hosts' if link else ''}: {shlex.join(words)}"
        return self.attend(work, run, plan.recipe, leave, resume, link)


def hold(run, sharing):
    """Lock the run where this host writes it; where another one does, see that it can be read."""
    if sharing.host == 0:
        return run_directory.lock_new_run(run)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"this host does not see {run}, which host 0 has made; give an --output-dir that all "
                        "hosts share")
    return contextlib.nullcontext()


def check_same_data(run, dataset):
    """Raise UserError unless the splits have as many images as those that the run was begun with."""
    config = run_files.read_config(run)["dataset"]
    for name in SPLITS:
        if len(getattr(dataset, name)) != config.get(name):
            raise UserError(f"{run} was begun with {config.get(name)} pictures for {name}, {dataset.source} has "
                            f"{len(getattr(dataset, name))}; give the same files with --data-dir")
