"""python -m zoo lr-find MODEL --dataset D: the learning rate range test, with the model and recipe of zoo.train."""

from zoo import registry
from zoo.cli import common, dataset_args, help_text, train_args
from zoo.data.dataset_info import DATASETS
from zoo.errors import UserError
from zoo.training import run_config_factory
from zoo.training.run_config import PRECISIONS
from zoo.utils.validation import parse_value


def build_parser():
    parser = common.Parser(
        prog="python -m zoo lr-find",
        usage="%(prog)s MODEL [--dataset NAME|FOLDER|FILE.npz|FILE.csv] [--gpu N] [OPTION ...]",
        description="Find a learning rate: train for a few steps while the learning rate rises exponentially, and "
                    "suggest the one at which the loss falls fastest (Smith 2017, arXiv:1506.01186). No run directory "
                    "is created.",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_datasets(),
                                       help_text.format_model_options()),
        examples=("lenet5", "resnet34 --dataset cifar10 --gpu 0 --batch-size 256",
                  "resnet18 --dataset pets/ --optimizer adam --max-lr 1 --steps 200 -o rates.png"))
    parser.add_argument("network", metavar="MODEL", help="name of the model; all names are listed below")
    parser.set_defaults(weights="none")
    test = parser.add_argument_group("test")
    test.add_argument("--min-lr", metavar="X", default="1e-5", dest="first_lr",
                      help="learning rate of the first step; default: 1e-5")
    test.add_argument("--max-lr", metavar="X", default="10", help="learning rate of the last step; default: 10")
    test.add_argument("--steps", metavar="N", default="100",
                      help="number of training steps, at least 10; default: 100")
    test.add_argument("-o", "--output", metavar="FILE.png", default="lr-find.png",
                      help="file for the plot of the loss over the learning rate; default: lr-find.png")
    data = parser.add_argument_group("data")
    dataset_args.add_images(
        data, "images to train on; NAME: a dataset, see below; FOLDER: your own images in a folder for each class; "
              "FILE.npz: arrays x_train, y_train, ... or train_images, train_labels, ...; FILE.csv: texts, for "
              "text_cnn and text_cnn_kim, as are imdb and a FOLDER of .txt files; default: digits", "digits")
    data.add_argument("--label-mode", metavar="fine|coarse", default="fine",
                      help="label set of CIFAR-100: fine (100 classes) or coarse (20 superclasses); default: fine")
    data.add_argument("--limit", metavar="N", help="maximum number of images in each split; default: all")
    model = parser.add_argument_group("model")
    common.add_preset(model)
    common.add_architecture(model, "1, or that of --preset")
    device = parser.add_argument_group("device")
    common.add_gpu(device)
    device.add_argument("--precision", metavar="|".join(PRECISIONS), default="float32",
                        help="number format of the computation; default: float32")
    device.add_argument("--seed", metavar="N", default="0",
                        help="random seed of the initial weights and the order of the images; default: 0")
    train_args.add_recipe(parser, "modern", run_config_factory.FIELDS_OF_TRAINING)
    return parser


def parse_test_config(arguments, model_info, limit, dataset_info):
    """Return the RunConfig that the command line requests, on the dataset of `dataset_info`."""
    width, options, fields = train_args.parse_model_and_recipe(arguments, model_info)
    run_config_factory.refuse_fields_of_training(fields)
    return run_config_factory.make_run_config(model_info, dataset_info, recipe=arguments.recipe, overrides=fields,
                                              limit=limit, width=width, stem=arguments.stem, options=options,
                                              seed=common.parse_int("--seed", arguments.seed, 0, 2**32 - 1),
                                              backend=arguments.backend, precision=arguments.precision,
                                              deterministic=False)


def execute_lr_find(argv):
    arguments = build_parser().parse_args(argv)
    min_lr, max_lr = parse_value("--min-lr", arguments.first_lr, 1.0), parse_value("--max-lr", arguments.max_lr, 1.0)
    steps = common.parse_int("--steps", arguments.steps, 10)
    limit = dataset_args.parse_limit(arguments)
    model_info = registry.get_model_info(arguments.network)
    dataset_args.check_images(arguments)
    if arguments.dataset in DATASETS:  # refuse mistakes before any file is read
        parse_test_config(arguments, model_info, limit, dataset_args.get_named_dataset_info(arguments))

    from zoo.runs import learning_rate  # NumPy, no backend
    from zoo.training.backend import announce_loading

    learning_rate.check_lr_range(min_lr, max_lr, steps)
    path = learning_rate.check_figure_path(arguments.output)
    _, options, _ = train_args.parse_model_and_recipe(arguments, model_info)
    dataset = dataset_args.load_images(arguments, limit,
                                       run_config_factory.get_source_arguments(model_info, None, options))
    config = parse_test_config(arguments, model_info, limit, dataset.info)
    backend, device = common.select_device(arguments.gpu, arguments.backend)
    announce_loading(backend)
    with common.convert_out_of_memory("a smaller --batch-size may help"):
        test = learning_rate.run_learning_rate_test(config, dataset, device, min_lr, max_lr, steps)
    common.print_lines(f"{test.title}: {len(test.learning_rates)} steps, learning rate {test.learning_rates[0]:.2g} to "
                       f"{test.learning_rates[-1]:.2g}{', where the loss diverged' if test.has_diverged else ''}",
                       test.save(path))
    if test.suggestion is None:
        raise UserError(f"the loss did not fall between {min_lr:g} and {max_lr:g}: there is no suggestion; try other "
                        "--min-lr and --max-lr, or more --steps")
    print(f"--lr {test.suggestion:g}")
    return 0


def main(argv=None):
    return common.run_command(execute_lr_find, argv)
