"""The parser of zoo.train and zoo finetune: their flags in groups, with their help. No backend, no NumPy."""

from zoo.cli import common, dataset_args, help_text, train_args
from zoo.training import finetuning, loggers, stopping
from zoo.training.run_config import PRECISIONS

EXIT_STATUSES = (
    ("0", "done"), ("2", "mistake in the command"), ("3", "loss not finite"), ("4", "disk full, or a file failed"),
    ("5", "out of memory"), ("6", "another process uses the run directory"),
    ("7", "time limit of --max-seconds reached"), ("8", "another host was lost"), ("130", "interrupted"))


def build_training_parser(prog, description, examples, weights, dataset):
    """Return the Parser; weights, dataset: defaults of --weights and --dataset."""
    parser = common.Parser(
        prog=prog, usage="%(prog)s MODEL [--dataset NAME|FOLDER|FILE.npz|FILE.csv] [--gpu N] [OPTION ...]\n"
                         "       %(prog)s --resume RUN [--epochs N] [OPTION ...]",
        examples=examples,
        description=f"{description}\nThe same command with the same --name resumes a run that was interrupted.",
        epilog=help_text.join_sections(
            help_text.format_models(), help_text.format_datasets(), help_text.format_model_options(),
            help_text.format_help_table(
                "fine-tuning strategies (--strategy), by the size of the dataset and its similarity to that of the "
                "weights", [(name, strategy.reason) for name, strategy in finetuning.FINETUNE_STRATEGIES.items()]),
            help_text.format_help_table("exit status", EXIT_STATUSES)))
    parser.add_argument("network", metavar="MODEL", nargs="?", help="name of the model; all names are listed below")
    parser.add_argument("--resume", metavar="RUN",
                        help="resume the run in this directory, of zoo.train or zoo finetune, exactly where it "
                             "stopped, without MODEL and --dataset; "
                             f"only {format_flags(train_args.RESUME_ARGUMENTS)} are allowed beside it; a finished run "
                             "is resumed with a higher --epochs, if its --lr-schedule is constant, step or plateau "
                             "(that of the modern recipe is cosine, which ends at 0)")
    add_model(parser.add_argument_group("model"), weights)
    add_data(parser.add_argument_group("data"), dataset)
    train_args.add_recipe(parser, "finetune with --weights, or else modern")
    add_device(parser.add_argument_group("device"))
    add_output(parser.add_argument_group("output"))
    return parser


def format_flags(names):
    """Return the flags of arguments, separated by commas, except --resume."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names if name != "resume")


def add_model(group, weights):
    common.add_preset(group)
    common.add_architecture(group, "1, or that of --preset or of the weights")
    group.add_argument("--weights", metavar="imagenet|cifar10|mnist|none|RUN|FILE", default=weights,
                       help="pretrained weights of the backbone, which gets a new head; imagenet, cifar10, mnist: "
                            "published or bundled weights (python -m zoo list shows which models have them); RUN: "
                            "the directory of a run; FILE: a .keras, .h5, .safetensors, .pt or .npz file (see "
                            f"docs/weights.md); none: train from scratch; default: {weights}")
    common.add_preprocessing(group)
    group.add_argument("--freeze", metavar="all|none|LAYER|N",
                       help="layers of the pretrained backbone that are not trained; all: every layer; none: no layer; "
                            "LAYER: the layers up to and including the one of this name (python -m zoo diagram MODEL "
                            "--detail layers shows the names); N: the first N of model.layers of zoo.build(MODEL, "
                            "include_top=False); default: all; if --two-stage is given: none")
    group.add_argument("--head-layers", metavar="LAYERS",
                       help="hidden layers of the new head, in front of its classifier, with commas between them: a "
                            "number of units, or dropout=FRACTION, such as 1024,dropout=0.5; default: none")
    group.add_argument("--pooling", metavar="|".join(finetuning.HEAD_POOLINGS),
                       help="how the new head turns feature maps into a vector; avg: global average pooling; max: "
                            "global max pooling; flatten: all values; default: avg")
    group.add_argument("--feature-layer", metavar="LAYER", help="name of the backbone's layer whose output the new "
                                                                "head takes; default: the last layer")
    group.add_argument("--two-stage", action="store_true",
                       help="train only the new head first, and then also the backbone: all of it, or the layers after "
                            "those of --freeze LAYER or N")
    group.add_argument("--head-epochs", metavar="N",
                       help="number of epochs of the first stage of --two-stage, before the --epochs of the second; "
                            "default: half of --epochs")
    group.add_argument("--backbone-lr", metavar="X",
                       help="learning rate while layers of the pretrained backbone are trained, such as 1e-4; default: "
                            "a tenth of --learning-rate")
    group.add_argument("--strategy", metavar="|".join(finetuning.FINETUNE_STRATEGIES),
                       help="fine-tuning strategy, in place of --freeze, --feature-layer and --two-stage; the four are "
                            "explained below; default: none")


def add_data(group, dataset):
    dataset_args.add_images(
        group, "images to train on; NAME: a dataset, see below (digits: 5,000 images of MNIST that come with zoo; "
               "others are downloaded); FOLDER: your own images in a folder for each class, or train, val and test "
               "folders with a folder for each class in them (of a folder without them, a tenth of the images is "
               "held out for validation and a tenth for test); FILE.npz: arrays x_train, y_train, x_test, y_test as "
               "Keras names them, or train_images, train_labels, val_images, ... as MedMNIST does; "
               "for text_cnn and text_cnn_kim, texts: imdb, such a FOLDER of .txt files, or FILE.csv with the columns "
               "text and label (see docs/text.md); default: "
               f"{dataset or 'none, it must be given'}", dataset)
    group.add_argument("--label-mode", metavar="fine|coarse", default="fine",
                       help="label set of CIFAR-100: fine (100 classes) or coarse (20 superclasses); default: fine")
    group.add_argument("--limit", metavar="N",
                       help="maximum number of images in each of the training, validation and test splits, for quick "
                            "trials; default: all")
    group.add_argument("--class-weight", metavar="balanced|CLASS=W,...",
                       help="weights of the classes in the training loss; balanced: in inverse proportion to their "
                            "numbers of images; CLASS=W,...: such as cat=2,dog=0.5, other classes 1; default: 1 for "
                            "each class")


def add_device(group):
    common.add_gpu(group, "several GPUs, such as 0,1, that share each batch")
    group.add_argument("--precision", metavar="|".join(PRECISIONS), default="float32",
                       help="number format of the computation; with bfloat16 and float16 the weights stay float32 "
                            "(mixed precision); python -m zoo doctor measures float32 and bfloat16; default: float32")
    group.add_argument("--deterministic", action="store_true",
                       help="use deterministic GPU operations, which can be slower; CPU runs are always deterministic")
    group.add_argument("--hosts", metavar="HOST:PORT,...",
                       help="addresses of all hosts that train this run together, with --backend jax; type the same "
                            "command on each; slurm: the hosts of the SLURM job step, started by srun; see "
                            "docs/scaling.md; default: this host alone")
    group.add_argument("--host-index", metavar="N",
                       help="position of this host in --hosts, from 0; host 0 writes the run directory")


def add_output(group):
    group.add_argument("--seed", metavar="N", default="0",
                       help="random seed of the initial weights, the order of the images and their augmentation; "
                            "default: 0")
    group.add_argument("--runs", "--seeds", metavar="N",
                       help="train N times, with the seeds from --seed on, into NAME-seed0, NAME-seed1, ..., and print "
                            "mean and standard deviation of the test accuracy; default: train once")
    group.add_argument("--output-dir", metavar="DIR", default="runs",
                       help="folder in which the run directory is created; default: runs")
    group.add_argument("--name", metavar="NAME",
                       help="name of the run directory; default: MODEL-DATASET-TIMESTAMP")
    group.add_argument("--log", metavar="|".join(loggers.LOGGER_PACKAGES), action="append", default=[],
                       help="experiment logger to use as well; can be repeated; tensorboard: event files in "
                            "RUN/tensorboard; default: none")
    group.add_argument("--max-seconds", metavar="N",
                       help="time limit in seconds, such as 3600: the run saves a checkpoint and stops before the "
                            "limit, and can be resumed; default: none")
    group.add_argument("--checkpoint-minutes", metavar="N", default=f"{stopping.DEFAULT_CHECKPOINT_MINUTES:g}",
                       help="maximum time between two checkpoints in minutes, such as 0.5: in a long epoch, one is "
                            "saved between two steps, so that a killed run loses at most that; does not change the "
                            f"result; default: {stopping.DEFAULT_CHECKPOINT_MINUTES:g}")
