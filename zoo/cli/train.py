"""python -m zoo.train NET: train a network on a data set, into a run directory; go on with one that was ended."""

import argparse
import shlex
import sys
import time

from zoo import devices, env, registry
from zoo.cli import asked, attended, common
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import plan as plans, recipes as table, repeat
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
    made.add_argument("--dataset", "--data", metavar="NAME|FOLDER|FILE.npz", default="digits",
                      help=f"{', '.join(datasets.DATASETS)}; or images of your own: a folder with a folder for each "
                           "class (or train, val and test folders of such), or an .npz file with x_train, y_train, "
                           "... or train_images, train_labels, ...; default: digits, 5,000 images of MNIST that need "
                           "no download")
    made.add_argument("--size", metavar="N|HxW", help="to which a folder's images are resized; default: 32 where the "
                                                      "model has a small stem, else the paper's size")
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
    from zoo.training import run_directory, run_files

    count, first = (common.whole_number(flag, text, least, 2**32 - 1) for flag, text, least in (
        ("--runs", arguments.runs, 1), ("--seed", arguments.seed, 0)))
    name = arguments.name or run_directory.default_name(arguments.network, arguments.dataset)
    words = asked.without(sys.argv[1:] if argv is None else argv, ("--runs", "--seed", "--name", "--max-seconds"))
    seeds = range(first, first + count)
    status = repeat.each_seed(seeds, words, name, until)
    if status:
        return status
    paths = [expanded(arguments.output_dir) / f"{name}-seed{seed}" for seed in seeds]
    results = [run_files.read_result(path) for path in paths]
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
    dataset = None
    if arguments.resume is not None:
        run, plan = asked.resumed(parser(), arguments, argv)
    else:
        dataset = asked.own_images(arguments)
        run, plan = None, asked.plan_of(arguments, dataset and dataset.info)
    chosen = devices.choose(arguments.gpu, devices.list_gpus(), devices.visible_now())
    plans.check_devices(plan, len(chosen.gpus))

    from zoo.training import run_directory, run_files
    from zoo.training.distribution import hosts  # NumPy, no backend

    place = env.hosts(arguments.hosts, arguments.host_index)
    if place and (plan.backend != "jax" or arguments.runs is not None):
        raise UserError("several hosts train one run, with JAX: give --backend jax, and --seed instead of --runs")
    if arguments.runs is not None:
        run_directory.check_output_dir(arguments.output_dir, None)
        return several(arguments, argv, until)
    if run is None and arguments.name and (expanded(arguments.output_dir) / arguments.name / "run.json").exists():
        run = expanded(arguments.output_dir) / arguments.name
        plan = plans.going_on(run, plans.of_run(run, run_files.read_config(run)), plan)
    if run is not None and attended.is_over(run, plan.recipe.epochs):
        return 0
    if run is None:
        run_directory.check_output_dir(arguments.output_dir, arguments.name)
    devices.prepare(chosen, plan.deterministic)

    from zoo.data.load import load_facts
    from zoo.runs.data import reload_dataset
    from zoo.runs.session import Session

    if run is not None and dataset is None:
        dataset = reload_dataset(run, run_files.read_config(run), arguments.data_dir)
    elif dataset is None:
        dataset = load_facts(plan.dataset, data_dir=arguments.data_dir, limit=plan.limit)
    link = hosts.meet(*place, hosts.facts(plan, dataset)) if place else None
    session = Session(plan, dataset, chosen, attended.to_the_end, until, place, link)
    if run is not None:
        return session.resume(run)
    words = shlex.join(["python", "-m", "zoo.train", *(sys.argv[1:] if argv is None else argv)])
    return session.begin(arguments.output_dir, arguments.name, words)


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
