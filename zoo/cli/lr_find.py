"""python -m zoo lr-find MODEL --dataset D: the learning rate range test, with the model and recipe of zoo.train."""

import sys

from zoo import registry
from zoo.cli import asked, common
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import plan as plans, planning
from zoo.utils.validation import parsed

# that a test of a few steps, with a rate of its own, does not use
UNUSED = ("learning_rate", "schedule", "warmup", "drops", "factor", "patience", "floor", "stop_patience", "stop_delta",
          "epochs", "ema")


def parser():
    made = common.Parser(prog="python -m zoo lr-find", description="Find a learning rate: train for a few steps while "
                         "the learning rate rises exponentially, and suggest the one at which the loss falls fastest "
                         "(Smith 2017, arXiv:1506.01186). No run directory is made.")
    made.add_argument("network", metavar="MODEL", help="the model's name; see python -m zoo list")
    made.add_argument("--min-lr", metavar="X", default="1e-5",
                      help="the learning rate of the first step; default: 1e-5")
    made.add_argument("--max-lr", metavar="X", default="10", help="the learning rate of the last step; default: 10")
    made.add_argument("--steps", metavar="N", default="100", help="steps from one to the other; default: 100")
    made.add_argument("-o", "--output", metavar="FILE", default="lr-find.png",
                      help="the loss over the learning rate, .png; default: lr-find.png")
    made.set_defaults(weights="none")
    common.add_images(made, f"{', '.join(datasets.DATASETS)}; a folder with a folder of images for each class; or an "
                            ".npz file; default: digits", "digits")
    made.add_argument("--labels", metavar="fine|coarse", default="fine",
                      help="label set of CIFAR-100: fine (100 classes) or coarse (20 superclasses)")
    made.add_argument("--limit", metavar="N", help="at most N images in each split")
    common.add_gpu(made)
    made.add_argument("--precision", metavar="|".join(plans.PRECISIONS), default="float32",
                      help="in which the model computes; default: float32")
    made.add_argument("--seed", metavar="N", default="0", help="of the initial weights and the order of the images")
    common.add_preset(made)
    made.add_argument("--width", metavar="W", help="width multiplier for all hidden layers; default: 1")
    made.add_argument("--stem", metavar="auto|paper|small", default="auto",
                      help="the model's first layers; auto: small for small images")
    made.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the model")
    asked.add_recipe(made, UNUSED)
    return made


def plan_of(arguments, spec, limit, info):
    """Return the Plan of what the command line asks for, on the data set of `info`."""
    fields = asked.fields_of(arguments)
    width, options = asked.form_of(arguments, spec, fields)
    return planning.make_plan(
        spec, info, recipe=arguments.recipe, fields=fields, limit=limit, width=width, stem=arguments.stem,
        options=options, seed=common.whole_number("--seed", arguments.seed, 0, 2**32 - 1), backend=arguments.backend,
        precision=arguments.precision, deterministic=False)


def command(argv):
    arguments = parser().parse_args(argv)
    min_lr, max_lr = parsed("--min-lr", arguments.min_lr, 1.0), parsed("--max-lr", arguments.max_lr, 1.0)
    steps = common.whole_number("--steps", arguments.steps, 10)
    limit = None if arguments.limit is None else common.whole_number("--limit", arguments.limit, 1)
    spec = registry.find(arguments.network)
    common.check_images(arguments)
    if arguments.dataset in datasets.DATASETS:  # what makes no sense is refused before anything is read
        plan_of(arguments, spec, limit, datasets.with_labels(datasets.find(arguments.dataset), arguments.labels))

    from zoo.runs import learning_rate  # NumPy, no backend

    learning_rate.check_range(min_lr, max_lr, steps)
    path = learning_rate.check_path(arguments.output)
    dataset = common.load_images(arguments, limit, planning.default_shape(spec, None))
    plan = plan_of(arguments, spec, limit, dataset.info)
    _, chosen = common.choose_device(arguments.gpu, arguments.backend)
    try:
        test = learning_rate.run_test(plan, dataset, chosen, min_lr, max_lr, steps)
    except Exception as error:  # each backend has its own for lack of memory
        from zoo.training import failures

        if isinstance(error, UserError) or not failures.is_memory(error):
            raise
        print("error: out of memory; a smaller --batch-size may help", file=sys.stderr)
        return 5
    print(f"{test.title}: {len(test.rates)} steps, learning rate {test.rates[0]:.2g} to {test.rates[-1]:.2g}"
          f"{', where the loss diverged' if test.diverged else ''}\n{test.save(path)}")
    if test.suggestion is None:
        raise UserError(f"the loss did not fall between {min_lr:g} and {max_lr:g}: there is no suggestion; try other "
                        "--min-lr and --max-lr, or more --steps")
    print(f"--lr {test.suggestion:g}")
    return 0


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
