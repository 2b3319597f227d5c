"""python -m zoo.train NET: train a network on a data set, into a run directory."""

import argparse
import shlex
import sys

from zoo import catalog, cli, device, settings
from zoo.datasets import facts as datasets
from zoo.errors import UserError
from zoo.training import recipes
from zoo.values import assignments, parsed

SHORTCUTS = {"--epochs": "epochs", "--batch-size": "batch_size", "--lr": "learning_rate"}  # flag: field of the recipe


def parser():
    made = cli.Parser(prog="python -m zoo.train", formatter_class=argparse.RawDescriptionHelpFormatter,
                      description="Train a network on a data set, into a run directory.",
                      epilog=f"networks: {', '.join(catalog.SPECS)}\ndata sets: {', '.join(datasets.DATASETS)}\n"
                             f"recipe fields: {', '.join(recipes.as_dict(recipes.BASE))}\n"
                             f"options: {'; '.join(told_options())}")
    made.add_argument("network", metavar="NET", nargs="?", help="the network's name, see below")
    made.add_argument("--dataset", metavar="NAME", default="digits",
                      help="default: digits, 5,000 pictures of MNIST that need no download")
    made.add_argument("--labels", metavar="fine|coarse", default="fine", help="of cifar100: 100 classes or 20")
    made.add_argument("--gpu", metavar="N", help="the GPU to use as nvidia-smi counts them, or none for the CPU; "
                                                 "default: the first one, or the CPU")
    for flags, what in ((("--epochs",), "passes over the training split"),
                        (("-b", "--batch-size"), "pictures a step"), (("--lr",), "the highest learning rate")):
        made.add_argument(*flags, metavar="N" if flags != ("--lr",) else "X", dest=SHORTCUTS[flags[-1]],
                          help=f"{what}; default: the recipe's")
    made.add_argument("--seed", metavar="N", default="0", help="of the weights and of the order of the pictures")
    made.add_argument("--data-dir", metavar="DIR", help="where the data set's files are")
    made.add_argument("--output-dir", metavar="DIR", default="runs", help="where the run directory goes; default: runs")
    made.add_argument("--name", metavar="NAME", help="of the run directory; default: network, data set, date and time")
    made.add_argument("--limit", metavar="N", help="at most N pictures for each of training, validation and test")
    made.add_argument("--width", metavar="W", default="1.0", help="times every hidden width of the network")
    made.add_argument("--stem", metavar="auto|paper|small", default="auto",
                      help="the network's first layers; auto: small for small pictures")
    made.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the network")
    made.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[], help="a field of the recipe")
    return made


def told_options():
    """Return for each network with options its name and they with their defaults."""
    return [f"{spec.name} {', '.join(f'{name}={str(value).lower()}' for name, value in spec.options.items())}"
            for spec in catalog.SPECS.values() if spec.options]


def recipe_of(arguments):
    """Return the recipe for the network and data set with what the command line changes."""
    recipe = recipes.find(arguments.network, arguments.dataset)
    defaults = recipes.as_dict(recipe)
    changes = assignments("--set", arguments.set, defaults)
    for flag, field in SHORTCUTS.items():
        text = getattr(arguments, field)
        if text is not None and field in changes:
            raise UserError(f"{flag} {text} and --set {field}={changes[field]} are the same field; give one of them")
        if text is not None:
            changes[field] = parsed(flag, text, defaults[field])
    return recipes.overridden(recipe, changes)


def blueprint_of(arguments, facts):
    """Return the Blueprint of the network for the data set's pictures and classes."""
    options = assignments("--option", arguments.option, catalog.find(arguments.network).options)
    return catalog.blueprint(arguments.network, facts.shape, facts.classes,
                             parsed("--width", arguments.width, 1.0), arguments.stem, options)


def header(blueprint, dataset, recipe, model, where, backend, run, seed):
    """Return the lines that say what is about to happen."""
    facts, (height, width, channels) = dataset.facts, blueprint.input_shape
    said = [blueprint.spec.name, *([f"{blueprint.stem} stem"] if blueprint.spec.small_below else []),
            *([f"width {blueprint.width:g}"] if blueprint.width != 1 else []),
            *(f"{name} {value}" for name, value in blueprint.options.items())]
    rows = {
        "network": f"{', '.join(said)}: {height}x{width}x{channels} to {facts.classes} classes, "
                   f"{model.count_params():,} parameters",
        "data": f"{facts.name}: {len(dataset.train):,} to train, {len(dataset.validation):,} to validate, "
                f"{len(dataset.test):,} to test, from {dataset.source}",
        "device": f"{where}, {backend}",
        "recipe": recipes.described(recipe),
        "run": f"{run}, seed {seed}",
    }
    notes = list(dataset.notes)
    if blueprint.options.get("batch_norm") is False:
        notes.append(f"without --option batch_norm=true {blueprint.spec.name} hardly trains from scratch")
    return [f"{name:8} {words}" for name, words in rows.items()] + [f"{'note':8} {note}" for note in notes]


def described_data(dataset):
    """Return what run.json says of the data set: enough for the pictures and for zoo.load."""
    facts = dataset.facts
    return {"name": facts.name, "title": facts.title, "shape": facts.shape, "classes": facts.classes,
            "mean": facts.mean, "std": facts.std, "label_names": facts.label_names, "source": dataset.source,
            "train": len(dataset.train), "validation": len(dataset.validation), "test": len(dataset.test),
            "notes": dataset.notes}


def load_backend(backend, chosen):
    """Load Keras with its backend, which sees what device.prepare left to see; return the header's words for the device."""
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the header is written over it
    with device.quiet():
        import keras

        used = str(keras.ops.zeros(1).device)
    return device.describe(chosen, used, backend)


def carry_out(model, blueprint, dataset, recipe, seed, run):
    """Train, test, draw and say what came out; return the exit status."""
    from zoo.pictures import diagram  # matplotlib
    from zoo.pictures.plots import draw_run
    from zoo.training import fit

    try:
        (run / "plots").mkdir()
        diagram.diagram(diagram.of_blueprint(blueprint), run / "plots" / "architecture.svg")
        result = fit.run(model, dataset, recipe, seed, run)
        draw_run(run)
    except BrokenPipeError:  # of the terminal, not of a file
        raise
    except OSError as error:
        print(f"error: cannot write the run: {error}; {run} keeps the epochs before it", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        print(f"\ninterrupted: {run} keeps the epochs that were finished", file=sys.stderr)
        return 130
    except FloatingPointError as error:
        print(f"error: {error}; a lower --lr may help; {run} keeps the epochs before it", file=sys.stderr)
        return 3

    print(f"test accuracy {result['test_accuracy_best']:.2%} with the weights of epoch {result['best_epoch']}, the best "
          f"by validation, {result['test_accuracy_last']:.2%} with the last; in {run}")
    return 0


def command(argv):
    arguments = parser().parse_args(argv)
    if arguments.network is None:
        raise UserError(f"which network? one of {', '.join(catalog.SPECS)}; see python -m zoo.train --help")
    catalog.find(arguments.network)
    facts = datasets.with_labels(datasets.find(arguments.dataset), arguments.labels)
    blueprint, recipe = blueprint_of(arguments, facts), recipe_of(arguments)
    seed = cli.whole_number("--seed", arguments.seed, 0, 2**32 - 1)
    limit = None if arguments.limit is None else cli.whole_number("--limit", arguments.limit, 1)
    backend = settings.backend()
    chosen = device.choose(arguments.gpu, device.list_gpus(), device.visible_now())
    device.prepare(chosen)

    from zoo.datasets.load import load  # NumPy, no backend
    from zoo.training import run as runs

    runs.check_place(arguments.output_dir, arguments.name)
    dataset = load(arguments.dataset, data_dir=arguments.data_dir, limit=limit, labels=arguments.labels)
    where = load_backend(backend, chosen)

    import keras
    from zoo.training import fit, provenance, saved

    keras.utils.set_random_seed(seed)
    model = saved.on_pixels(blueprint, facts.mean, facts.std, None)
    fit.limit_norms(model, recipe.max_norm)  # refuses a layer that is not there, before there is a run
    run = runs.create(arguments.output_dir, arguments.name, arguments.network, arguments.dataset)
    asked = sys.argv[1:] if argv is None else argv
    runs.write_json(run / "run.json", {
        "command": shlex.join(["python", "-m", "zoo.train", *asked]),
        "network": blueprint.spec.name, "blueprint": catalog.as_json(blueprint), "parameters": model.count_params(),
        "dataset": described_data(dataset), "recipe": recipes.as_dict(recipe), "seed": seed, "limit": limit,
        "device": where, "processor": provenance.processor(), "backend": backend,
        "versions": provenance.versions(backend), "commit": provenance.commit()})
    print("\n".join(header(blueprint, dataset, recipe, model, where, backend, run, seed)), flush=True)
    return carry_out(model, blueprint, dataset, recipe, seed, run)


def main(argv=None):
    return cli.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
