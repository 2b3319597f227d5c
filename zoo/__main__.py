"""`zoo COMMAND ...`, the same program as `python -m zoo COMMAND ...`."""

import importlib
import sys

from zoo.cli import common
from zoo.errors import UserError, unknown

COMMANDS = {
    "train": "train a network on a data set, into a run directory",
    "lr-find": "find a learning rate: a short training while it rises",
    "recipes": "tell how a network is trained on a data set",
    "list": "list the networks",
    "info": "tell what a network consists of, stage by stage",
    "draw": "draw the architecture of a network",
    "show": "look inside a network: what its layers make of a picture",
    "evaluate": "measure the network of a run again",
    "finetune": "put a new head on a trained network and train it on pictures of your own",
    "extract": "write what a network makes of pictures, before its top",
    "predict": "say what is in pictures of your own",
    "export": "write the network of a run for other programs",
    "compare": "set runs side by side, with the spread over seeds",
    "plot": "draw the pictures of a run again, and its report",
    "doctor": "say what this machine has, how fast it is, and what is missing",
    "selftest": "see whether every network learns, and reads back what was saved of it",
}


def command(argv):
    """Hand over to the command named first; without one, say which there are."""
    if not argv:
        raise UserError(f"which command? one of {', '.join(COMMANDS)}; see zoo --help")
    if argv[0] in ("-h", "--help"):
        print("usage: zoo COMMAND ...\n")
        print("\n".join(f"  {name:10}{words}" for name, words in COMMANDS.items()))
        print("\nzoo COMMAND --help says more; python -m zoo COMMAND is the same program.")
        return 0
    if argv[0] not in COMMANDS:
        raise unknown("command", argv[0], COMMANDS)
    return importlib.import_module(f"zoo.cli.{argv[0].replace('-', '_')}").main(argv[1:])


def main(argv=None):
    return common.run(command, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
