"""`zoo COMMAND ...`, the same program as `python -m zoo COMMAND ...`."""

import importlib
import sys

from zoo import __version__
from zoo.cli import common, help_text
from zoo.errors import UserError, unknown_name_error

COMMANDS = {
    "train": "train a model on a dataset or your own images",
    "lr-find": "find a good learning rate with a short range test",
    "recipes": "print the training recipe of a model for a dataset",
    "list": "list the models, their papers, sizes and pretrained weights",
    "summary": "print a model summary by stage (shapes, parameters, multiply-adds)",
    "diagram": "draw the architecture diagram of a model",
    "visualize": "visualize feature maps, filters and Grad-CAM for an image",
    "evaluate": "evaluate a trained run on its own data or other images",
    "finetune": "fine-tune a pretrained model on your own images",
    "extract-features": "extract image features with a pretrained model",
    "predict": "classify image files with a trained model",
    "export": "export a trained model (Keras, ONNX, SavedModel, LiteRT)",
    "compare": "compare runs; mean and standard deviation over seeds",
    "report": "redraw the plots and the report of a run",
    "doctor": "check this machine: GPUs, backends, data folders and speed",
    "selftest": "test that each model can be trained, saved and loaded",
}
SHOW_COMMANDS = "summary for the layers of a model, or python -m zoo visualize for what it computes for an image"
COMMAND_HABITS = {  # what people try first: the command here
    "fit": "train", "tune": "finetune", "fine-tune": "finetune", "test": "evaluate", "eval": "evaluate",
    "validate": "evaluate", "classify": "predict", "inference": "predict", "models": "list", "list-models": "list",
    "info": SHOW_COMMANDS, "describe": "summary", "draw": "diagram", "plot-model": "diagram", "show": SHOW_COMMANDS,
    "explain": "visualize", "inspect": SHOW_COMMANDS, "plot": "report", "features": "extract-features",
    "extract": "extract-features", "lr-finder": "lr-find", "benchmark": "doctor", "recipe": "recipes",
}
USAGE_EXAMPLES = ("train lenet5", "train resnet34 --dataset cifar10 --gpu 0",
                  "predict lenet5 --weights mnist three.png")


def dispatch_command(argv):
    """Run the command that the first argument names, and return its exit status."""
    if not argv:
        raise UserError(f"no command is given; choose from: {', '.join(COMMANDS)}; see zoo --help")
    if argv[0] in ("-h", "--help"):
        print("usage: python -m zoo COMMAND ...\n\nClassic image-classification networks: train them, look inside, "
              "fine-tune and export.\n")
        print(help_text.format_help_table("commands", COMMANDS.items()))
        print("\npython -m zoo COMMAND --help explains a command; zoo COMMAND is the same program.\n")
        print(help_text.format_examples("python -m zoo", USAGE_EXAMPLES), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"cnn-zoo {__version__}")
        return 0
    if argv[0] in COMMAND_HABITS:
        raise UserError(f"unknown command {argv[0]!r}; type python -m zoo {COMMAND_HABITS[argv[0]]}")
    if argv[0] not in COMMANDS:
        raise unknown_name_error("command", argv[0], COMMANDS)
    return importlib.import_module(f"zoo.cli.{argv[0].replace('-', '_')}").main(argv[1:])


def main(argv=None):
    """Run the command line and return the exit status."""
    return common.run_command(dispatch_command, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
