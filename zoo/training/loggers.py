"""Loggers of other programs beside the run directory's own files: TensorBoard, Weights & Biases, MLflow.

Each is the callback that Keras or the program itself has. `check` loads nothing; `make_callbacks` loads the program.
"""

from importlib.util import find_spec

from zoo.errors import UserError, unknown

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}  # name: what must be installed


def check(names):
    """Raise UserError for a logger that is not known, or whose package is not installed."""
    for name in names:
        if name not in PACKAGES:
            raise unknown("logger", name, PACKAGES)
        if not find_spec(PACKAGES[name]):
            raise UserError(f"the logger {name} needs the package {PACKAGES[name]}: pip install {PACKAGES[name]}")


def make_callbacks(names, run, config):
    """Return a Keras callback for each logger.

    Args:
        names: such as ("tensorboard",), checked.
        run: Path of the run directory. TensorBoard's events go into `run/tensorboard`; the others name their run as it
            is called.
        config: dict, what run.json says of recipe, network and data set; shown beside the curves where the program has
            a place for it.
    """
    makers = {"tensorboard": make_tensorboard, "wandb": make_wandb, "mlflow": make_mlflow}
    return [makers[name](run, config) for name in names]


def make_tensorboard(run, config):
    import keras

    return keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False)


def make_wandb(run, config):
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    wandb.init(project="zoo", name=run.name, id=run.name, resume="allow", dir=run, config=config)
    return WandbMetricsLogger()


def make_mlflow(run, config):
    import mlflow
    from mlflow.keras import MlflowCallback

    mlflow.set_experiment("zoo")
    active = mlflow.active_run() or mlflow.start_run(run_name=run.name)
    return MlflowCallback(run_id=active.info.run_id)
