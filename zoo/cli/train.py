"""python -m zoo.train MODEL: train a model on a dataset, into a run directory, or resume an interrupted run."""

from zoo.cli import common, training_command, training_parser

PROG = "python -m zoo.train"
EXAMPLES = ("lenet5", "resnet34 --dataset cifar10 --gpu 0 --epochs 30 --label-smoothing 0.1",
            "resnet18 --dataset pets/ --weights cifar10 --head-layers 64,dropout=0.5")


def build_parser():
    return training_parser.build_training_parser(PROG, "Train a model on a dataset, into a run directory.",
                                                 EXAMPLES, "none", "digits")


def execute_train(argv):
    return training_command.execute_training(argv, PROG, build_parser())


def main(argv=None):
    return common.run_command(execute_train, argv)
