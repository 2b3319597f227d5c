"""The data set of a run, loaded again as the run had it. No backend is loaded."""

from pathlib import Path

from zoo.data.loading import load_data
from zoo.errors import UserError
from zoo.runs.session import check_same_data
from zoo.training.reopened import dataset_of, split_of


def reload_dataset(run, config, data_dir=None):
    """Return the Dataset of a run directory whose run.json holds `config`.

    UserError where it cannot be found, is not what the run had, or was arrays in memory.
    """
    info, limit = config["dataset"], config.get("limit")
    source = Path(info.get("source") or "")
    if info.get("kind") == "arrays":
        raise UserError(f"{run} was trained on arrays, which are not kept in it; give them again with dataset=")
    if info.get("kind") == "npz":
        dataset = load_data(data_dir or source, limit=limit)
    else:
        dataset = dataset_of(run, config, data_dir)
    check_same_data(run, dataset)
    return dataset


def reload_split(run, config, name, data_dir=None):
    """Return one split of `reload_dataset`; the test split is compared with the labels that the run was tested on."""
    if name not in ("train", "validation", "test"):
        raise UserError(f"split is 'train', 'validation' or 'test'; given {name!r}")
    if name != "train" and config["dataset"].get("kind") not in ("npz", "arrays"):
        return split_of(run, config, name, data_dir)
    return getattr(reload_dataset(run, config, data_dir), name)
