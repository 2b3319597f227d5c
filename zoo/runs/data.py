"""The data set of a run, loaded again as the run had it. No backend is loaded."""

from pathlib import Path

from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.runs.session import check_same_data
from zoo.training.reopened import check_split, dataset_of
from zoo.utils.io import expanded


def reload_dataset(run, config, data_dir=None):
    """Return the Dataset of a run directory whose run.json holds `config`.

    UserError where it cannot be found, is not what the run had, or was arrays in memory.
    """
    dataset = find_dataset(run, config, data_dir)
    check_same_data(run, dataset)
    return dataset


def find_dataset(run, config, data_dir=None):
    """Return the Dataset from where a run had it, or from `data_dir`, whatever it holds now."""
    info, limit = config["dataset"], config.get("limit")
    if info.get("kind") == "arrays":
        raise UserError(f"{run} was trained on arrays, which are not kept in it; give them again: resume(dataset=...), "
                        "evaluate((images, labels))")
    if info.get("kind") == "npz":
        path = Path(info.get("source") or "")
        if data_dir is not None:  # the file, or the folder that it is in
            place = expanded(data_dir)
            path = place / path.name if place.is_dir() else place
        return load_data(path, limit=limit, class_names=info["label_names"])
    return dataset_of(run, config, data_dir)


def reload_split(run, config, name, data_dir=None):
    """Return one split of the run's data; UserError where it is not what the run had: see `check_split`."""
    if name not in ("train", "validation", "test"):
        raise UserError(f"split is 'train', 'validation' or 'test'; given {name!r}")
    return check_split(run, config, name, find_dataset(run, config, data_dir))
