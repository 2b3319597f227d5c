"""python -m zoo finetune MODEL: fine-tune a pretrained model with a new head on your own images.

It is zoo.train with other defaults: ImageNet weights, and a frozen backbone.
"""

from zoo.cli import common, training_command, training_parser

PROG = "python -m zoo finetune"
EXAMPLES = ("vgg16 --data pets/ --head-layers 1024,dropout=0.5", "xception --data pets/ --strategy large-similar",
            "resnet18 --data pets/ --weights cifar10 --freeze conv3_2_add --two-stage --epochs 20")


def build_parser():
    description = "Put a new head on a pretrained model and train it, into a run directory."
    return training_parser.build_training_parser(PROG, description, EXAMPLES, "imagenet", None)


def execute_finetune(argv):
    return training_command.execute_training(argv, PROG, build_parser())


def main(argv=None):
    return common.run_command(execute_finetune, argv)
