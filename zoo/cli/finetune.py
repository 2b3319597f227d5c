"""python -m zoo finetune NET: put a new head on a pretrained network and train it on images of your own.

It is zoo.train with other defaults: ImageNet's weights, and a backbone that is frozen.
"""

import sys

from zoo.cli import common, training_command

PROG = "python -m zoo finetune"
EXAMPLES = ("vgg16 --data pets/ --head-layers 1024,dropout=0.5", "xception --data pets/ --strategy large-similar",
            "resnet18 --data pets/ --weights cifar10 --freeze conv3_2_add --two-stage --epochs 20")


def build_parser():
    return training_command.build_training_parser(PROG, "Put a new head on a pretrained network and train it, into a run directory.",
                                                  EXAMPLES, "imagenet", None)


def execute_finetune(argv):
    return training_command.execute_training(argv, PROG, build_parser())


def main(argv=None):
    return common.run_command(execute_finetune, argv)


if __name__ == "__main__":
    sys.exit(main())
