"""The data set of a run that is over, loaded again as the run had it. No backend is loaded."""

from pathlib import Path

import numpy as np

from zoo.data import image_folder, info as datasets
from zoo.data.file_layouts import find_in
from zoo.data.load import load_facts
from zoo.errors import UserError
from zoo.training import plan as plans, run_files


def place_of(told):
    """Return the folder that the run's data came from, or None where it does not hold them any more."""
    source = Path(told.get("source") or "")
    folder = source.parent if source.is_file() else source
    return folder if folder.is_absolute() and folder.is_dir() and find_in(folder, told["name"]) else None


def dataset_of(run, facts, data_dir=None):
    """Return the Dataset of a run, whose run.json holds `facts`, with the run's --limit: a data set or a folder.

    data_dir: the folder of the data; None: where the run had them, else as in training. UserError when they cannot be
    found.
    """
    told, limit = facts["dataset"], facts.get("limit")
    try:
        if "named" in told:  # pictures in folders
            if data_dir is None and not Path(told["source"]).is_dir():
                raise UserError(f"{run} was trained on pictures in {told['source']}, which is not there any more; put "
                                "it back, or say with --data-dir where it is now")
            left_out = any(note.startswith(image_folder.LEFT_OUT) for note in told.get("notes", ()))
            return image_folder.load(told["source"] if data_dir is None else data_dir, told["shape"],
                                     named=told["named"], limit=limit, broken="skip" if left_out else "refuse")
        datasets.find(told["name"])  # names the nearest one, where there is none
        data_dir = place_of(told) if data_dir is None else data_dir
        return load_facts(plans.dataset_of(told), data_dir=data_dir, limit=limit)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{run / 'run.json'} is damaged: {error}") from None


def split_of(run, facts, name, data_dir=None):
    """Return the split "test" or "validation" of a run, whose run.json holds `facts`, with the run's --limit.

    data_dir: the folder of the data; None: where the run had them, else as in training. UserError when they cannot be
    found, or are not those that the run had.
    """
    told, dataset = facts["dataset"], dataset_of(run, facts, data_dir)
    split = getattr(dataset, name)
    if list(dataset.facts.label_names) != told["label_names"] or len(split) != told.get(name):
        raise UserError(f"{dataset.source} has {len(split):,} pictures in its {name} split, and the run had "
                        f"{told.get(name)}, of {len(told['label_names'])} classes; give its data with --data-dir")
    if name == "test":
        tested = run_files.read_predictions(Path(run), len(told["label_names"]))
        if tested and not np.array_equal(tested[0], split.labels):
            raise UserError(f"the test split of {dataset.source} is not the one that {run} was tested on; give its "
                            "data with --data-dir")
    return split
