"""python -m zoo lr-find NET --dataset D: the learning rate range test, with the model and recipe of zoo.train."""

import sys

from zoo import registry
from zoo.cli import asked, common, help_text
from zoo.data import info as datasets
from zoo.errors import UserError
from zoo.training import plan as plans, planning
from zoo.utils.validation import parsed

# that a test of a few steps, with a rate of its own, does not use
UNUSED = ("learning_rate", "schedule", "warmup", "drops", "factor", "patience", "floor", "stop_patience", "stop_delta",
          "epochs", "ema")


def parser():
    made = common.Parser(
        prog="python -m zoo lr-find", usage="%(prog)s NET [--dataset NAME|FOLDER|FILE.npz] [--gpu N] [OPTION ...]",
        description="Find a learning rate: train for a few steps while the learning rate rises exponentially, and "
                    "suggest the one at which the loss falls fastest (Smith 2017, arXiv:1506.01186). No run directory "
                    "is made.",
        epilog=help_text.sections(help_text.networks(), f"data sets:\n  {', '.join(datasets.DATASETS)}",
                                  help_text.model_options()),
        examples=("lenet5", "resnet34 --dataset cifar10 --gpu 0 --batch-size 256",
                  "resnet18 --dataset pets/ --optimizer adam --max-lr 1 --steps 200 -o rates.png"))
    made.add_argument("network", metavar="NET", help="name of the network; all names are listed below")
    made.set_defaults(weights="none")
    test = made.add_argument_group("test")
    test.add_argument("--min-lr", metavar="X", default="1e-5", help="learning rate of the first step; default: 1e-5")
    test.add_argument("--max-lr", metavar="X", default="10", help="learning rate of the last step; default: 10")
    test.add_argument("--steps", metavar="N", default="100",
                      help="number of training steps, at least 10; default: 100")
    test.add_argument("-o", "--output", metavar="FILE.png", default="lr-find.png",
                      help="file to draw the loss over the learning rate in; default: lr-find.png")
    data = made.add_argument_group("data")
    common.add_images(data, "images to train on; NAME: a data set, see below; FOLDER: your own images in a folder for "
                            "each class; FILE.npz: arrays x_train, y_train, ... or train_images, train_labels, ...; "
                            "default: digits", "digits")
    data.add_argument("--labels", metavar="fine|coarse", default="fine",
                      help="label set of CIFAR-100: fine (100 classes) or coarse (20 superclasses); default: fine")
    data.add_argument("--limit", metavar="N", help="maximum number of images in each split; default: all")
    model = made.add_argument_group("model")
    common.add_preset(model)
    common.add_architecture(model, "1, or that of --preset")
    device = made.add_argument_group("device")
    common.add_gpu(device)
    device.add_argument("--precision", metavar="|".join(plans.PRECISIONS), default="float32",
                        help="number format of the computation; default: float32")
    device.add_argument("--seed", metavar="N", default="0",
                        help="random seed of the initial weights and the order of the images; default: 0")
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
