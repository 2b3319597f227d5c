"""python -m zoo.train NET: train a network on a data set, into a run directory; go on with one that was ended."""

import argparse
import contextlib
import json
import shlex
import sys
import time
from dataclasses import asdict

from zoo import devices, env, registry
from zoo.cli import asked, attended, common
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import plan as plans, recipe as recipes, recipes as table, repeat
from zoo.utils.io import expanded

STATUSES = """exit status: 0 done, 2 a mistake in the command, 3 the loss is not finite, 4 the disk is full, 5 out of
memory, 6 another process has the run, 7 out of --max-seconds, 8 another host is lost, 130 interrupted"""


def parser():
    made = common.Parser(prog="python -m zoo.train", usage="%(prog)s NET [--dataset NAME] [--gpu N] [OPTION ...]",
                         formatter_class=argparse.RawDescriptionHelpFormatter,
                         description="Train a network on a data set, into a run directory.\nThe same command with the "
                                  "same --name goes on with a run that was ended.",
                         epilog=f"networks: {', '.join(registry.SPECS)}\ndata sets: {', '.join(datasets.DATASETS)}\n"
                             f"options: {'; '.join(told_options())}\n{STATUSES}")
    made.add_argument("network", metavar="NET", nargs="?", help="the network's name, see below")
    made.add_argument("--dataset", metavar="NAME", default="digits",
                      help="default: digits, 5,000 pictures of MNIST that need no download")
    made.add_argument("--labels", metavar="fine|coarse", default="fine", help="of cifar100: 100 classes or 20")
    common.add_gpu(made, ", or several, with commas between, that share each batch; all: all")
    made.add_argument("--recipe", metavar="|".join(table.KINDS), default="modern",
                      help="how it is trained; see python -m zoo recipes; default: modern")
    made.add_argument("--seed", metavar="N", default="0", help="of the weights and of the order of the pictures")
    made.add_argument("--runs", metavar="N", help="train with N seeds, one after the other; tells mean and deviation")
    made.add_argument("--data-dir", metavar="DIR", help="where the data set's files are")
    made.add_argument("--output-dir", metavar="DIR", default="runs", help="where the run directory goes; default: runs")
    made.add_argument("--name", metavar="NAME", help="of the run directory; default: network, data set, date and time")
    made.add_argument("--resume", metavar="RUN", help="go on with this run, exactly where it was; no NET is needed")
    made.add_argument("--max-seconds", metavar="N",
                      help="save and leave before so many seconds are over, to be resumed")
    made.add_argument("--precision", metavar="|".join(plans.PRECISIONS), default="float32",
                      help="in which the network computes; python -m zoo doctor tells what this machine is fast at")
    made.add_argument("--deterministic", action="store_true",
                      help="the same numbers each time on a GPU too, which may be slower; on the CPU they always are")
    made.add_argument("--hosts", metavar="HOST:PORT,...",
                      help="train on several hosts with JAX; the same command on each; "
                      "slurm: those of srun; see docs/scaling.md")
    made.add_argument("--host-index", metavar="N", help="which of --hosts this one is, from 0, which writes the run")
    made.add_argument("--limit", metavar="N", help="at most N pictures for each of training, validation and test")
    common.add_preset(made)
    made.add_argument("--width", metavar="W", help="times every hidden width of the network; default: 1")
    made.add_argument("--stem", metavar="auto|paper|small", default="auto",
                      help="the network's first layers; auto: small for small pictures")
    made.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the network")
    asked.add_recipe(made)
    return made


def told_options():
    """Return for each network with options its name and they with their defaults."""
    return [f"{spec.name} {', '.join(f'{name}={str(value).lower()}' for name, value in spec.options.items())}"
            for spec in registry.SPECS.values() if spec.options]


def several(arguments, argv, until):
    """Train with the seeds of --runs, and tell the mean of their accuracies; return the exit status."""
    from zoo.training import run as runs

    count, first = (common.whole_number(flag, text, least, 2**32 - 1) for flag, text, least in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    name = arguments.name or runs.new_name(arguments.network, arguments.dataset)
    words = asked.without(sys.argv[1:] if argv is None else argv, ("--runs", "--seed", "--name", "--max-seconds"))
    seeds = range(first, first + count)
    status = repeat.each_seed(seeds, words, name, until)
    if status:
        return status
    paths = [expanded(arguments.output_dir) / f"{name}-seed{seed}" / "result.json" for seed in seeds]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    best, last = (repeat.spread([each[f"test_accuracy_{which}"] for each in results]) for which in ("best", "last"))
    print(f"test accuracy {best}, n = {len(results)}, with the best epochs by validation; {last}, with the last")
    return 0


def command(argv):
    began = time.monotonic()
    arguments = parser().parse_args(argv)
    if arguments.network is None and arguments.resume is None:
        raise UserError(f"which network? one of {', '.join(registry.SPECS)}; see python -m zoo.train --help")
    seconds = arguments.max_seconds and common.whole_number("--max-seconds", arguments.max_seconds, 1)
    until = began + seconds if seconds else float("inf")
    if arguments.resume is not None:
        run, plan = asked.resumed(parser(), arguments, argv)
    else:
        run, plan = None, asked.plan_of(arguments)
    chosen = devices.choose(arguments.gpu, devices.list_gpus(), devices.visible_now())
    plans.check_devices(plan, len(chosen.gpus))

    from zoo.training import hosts, run as runs  # NumPy, no backend

    place = env.hosts(arguments.hosts, arguments.host_index)
    if place and (plan.backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts train one run, with JAX: give --backend jax, and --seed instead of --runs")
    if arguments.runs is not None:
        runs.check_place(arguments.output_dir, None)
        return several(arguments, argv, until)
    if run is None and arguments.name and (expanded(arguments.output_dir) / arguments.name / "run.json").exists():
        run = expanded(arguments.output_dir) / arguments.name
        plan = plans.going_on(run, plans.of_run(run, runs.read_facts(run)), plan)
    if run is not None and attended.is_over(run, plan.recipe.epochs):
        return 0
    if run is None:
        runs.check_place(arguments.output_dir, arguments.name)
    devices.prepare(chosen, plan.deterministic)

    from zoo.data.load import load_facts

    dataset = load_facts(plan.dataset, data_dir=arguments.data_dir, limit=plan.limit)
    link = hosts.meet(*place, hosts.facts(plan, dataset)) if place else None
    if run is None:
        where, sharing = load(plan, chosen, place, link)

        from zoo.training import trainee

        with sharing.scope():
            network = trainee.build(plan)  # refuses what cannot be, before there is a run
            run = expanded(sharing.first(lambda: created(arguments, plan, bool(link))))
            with held(run, sharing):
                words = shlex.join(["python", "-m", "zoo.train", *(sys.argv[1:] if argv is None else argv)])
                return begin(network, plan, dataset, where, run, words, until, sharing)
    with runs.held(run) if not (place and place[1]) else contextlib.nullcontext():
        same_data(run, dataset)
        where, sharing = load(plan, chosen, place, link)
        with sharing.scope():
            return go_on(plan, dataset, where, run, until, sharing)


def created(arguments, plan, several):
    """Make the run directory and return its path: in full where hosts that stand in other folders need it."""
    from zoo.training import run as runs

    run = runs.create(arguments.output_dir, arguments.name, plan.blueprint.spec.name, plan.dataset.name)
    return str(run.absolute() if several else run)


def load(plan, chosen, place, link):
    """Load the backend, connected with the other hosts; return the header's words for the devices, and the Sharing."""
    def connect():
        import keras

        from zoo.training import hosts

        keras.utils.set_random_seed(plan.seed)
        addresses, index = place
        keras.distribution.initialize(hosts.engine_address(addresses[0]), len(addresses), index)

    where = common.load(plan.backend, chosen, connect if link else None)
    if plan.precision == "float16" and where.startswith("CPU"):
        raise UserError("float16 is for GPUs, and this is the CPU; give --precision bfloat16, or float32")

    from zoo.training import parallel

    sharing = parallel.across(link, place[1], len(place[0])) if link else parallel.over(plan.backend, len(chosen.gpus))
    plans.check_devices(plan, sharing.devices)
    if link:
        return f"{where}, one of {sharing.hosts} hosts with {sharing.devices} devices in all", sharing
    return f"{where}, as {sharing.devices} devices" if sharing.devices > 1 and not chosen.gpus else where, sharing


def held(run, sharing):
    """Hold the run where this host writes it; where another one does, see that it can be read."""
    from zoo.training import run as runs

    if sharing.host == 0:
        return runs.held(run)
    if not (run / "checkpoints").is_dir():
        raise UserError(f"this host does not see {run}, which host 0 has made; give an --output-dir that all "
                        "hosts share")
    return contextlib.nullcontext()


def begin(network, plan, dataset, where, run, words, until, sharing):
    """Write what a new run is, say it, and train; return the exit status."""
    from zoo.training import header, run as runs, trainee

    parameters = trainee.main(network).count_params()
    if sharing.host == 0:
        runs.write_json(run / "run.json", header.facts(plan, dataset, parameters, where, words))
    print("\n".join(header.lines(plan, dataset, parameters, where, run)), flush=True)
    return carry_out(network, plan, dataset, run, until, where.startswith("CPU"), sharing)


def go_on(plan, dataset, where, run, until, sharing):
    """Say where a run stands, and train on; return the exit status."""
    from zoo.training import checkpoints, header, run as runs, trainee

    network = trainee.build(plan)
    progress = checkpoints.Progress(**sharing.first(lambda: asdict(checkpoints.progress_of(run))))
    facts = runs.read_facts(run)
    if sharing.host == 0:
        runs.write_json(run / "run.json", {**facts, **plans.as_json(plan)})  # perhaps more epochs
        (run / "result.json").unlink(missing_ok=True)
    print("\n".join(header.lines(plan, dataset, trainee.main(network).count_params(), where, run)
                    + header.resumed(progress, facts, where, plan.backend)), flush=True)
    return carry_out(network, plan, dataset, run, until, where.startswith("CPU"), sharing)


def same_data(run, dataset):
    """Raise UserError unless the splits have as many pictures as those that the run was begun with."""
    from zoo.training import run as runs

    told = runs.read_facts(run)["dataset"]
    for name in ("train", "validation", "test"):
        if len(getattr(dataset, name)) != told.get(name):
            raise UserError(f"{run} was begun with {told.get(name)} pictures for {name}, {dataset.source} has "
                            f"{len(getattr(dataset, name))}; give the same files with --data-dir")


def carry_out(network, plan, dataset, run, until, on_cpu, sharing):
    """Train, test, draw and say what came out; return the exit status."""
    from zoo.diagrams import diagram  # matplotlib
    from zoo.reports.run_outputs import draw_run
    from zoo.training import failures, fit, hosts
    from zoo.training.leaving import Leave

    leave = hosts.Together(sharing.link, until) if sharing.link else Leave(until)

    def work():
        subject = diagram.of_blueprint(plan.blueprint)
        if sharing.host == 0:
            (run / "plots").mkdir(exist_ok=True)
            diagram.diagram(subject, run / "plots" / "architecture.svg")
        warning = on_cpu and failures.foreseen(subject.anatomy.memory, plan.recipe, failures.free_memory())
        if warning:
            print(f"{'note':8} {warning}", flush=True)
        progress = fit.train(network, dataset, plan.recipe, plan.seed, run, leave,
                             recipes.side_weights(plan.recipe, plan.blueprint.spec), sharing)
        result = None
        if not leave.asked(fit.seconds_to_test(progress, dataset)):
            result = fit.test(network, dataset, plan.recipe, run, progress, sharing)
        if sharing.host == 0:
            draw_run(run)
        if sharing.link:
            sharing.link.close()
        return progress, result

    words = ["python", "-m", "zoo.train", "--resume", str(run)]
    if sharing.link:
        words += ["--hosts", ",".join(sharing.link.addresses), "--host-index", str(sharing.host)]
    again = f"to go on{', on all hosts' if sharing.link else ''}: {shlex.join(words)}"
    return attended.to_the_end(work, run, plan.recipe, leave, again, sharing.link)


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
