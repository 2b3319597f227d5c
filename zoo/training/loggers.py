"""Loggers of other programs beside the run directory's own files: TensorBoard, Weights & Biases, MLflow.

Each is the callback that Keras or the program itself has. `check_loggers` loads nothing; `make_logger_callbacks` loads
the program.
"""

from importlib.util import find_spec

from zoo.errors import UserError, unknown_name_error

LOGGER_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}  # name: what must be installed


def check_loggers(names):
    """Raise UserError for a logger that is not known, or whose package is not installed."""
    for name in names:
        if name not in LOGGER_PACKAGES:
            raise unknown_name_error("logger", name, LOGGER_PACKAGES)
        if not find_spec(LOGGER_PACKAGES[name]):
            raise UserError(f"the logger {name} needs the package {LOGGER_PACKAGES[name]}: pip install {LOGGER_PACKAGES[name]}")


def make_logger_callbacks(names, run, config):
    """Return a Keras callback for each logger.

    Args:
        names: such as ("tensorboard",), checked.
        run: Path of the run directory. TensorBoard's events go into `run/tensorboard`; the others name their run as it
            is called.
        config: dict, what run.json says of recipe, network and data set; shown beside the curves where the program has
            a place for it.
    """
    makers = {"tensorboard": make_tensorboard_callback, "wandb": make_wandb_callback, "mlflow": make_mlflow_callback}
    return [makers[name](run, config) for name in names]


def make_tensorboard_callback(run, config):
    import keras

    return keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False)


def make_wandb_callback(run, config):
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    wandb.init(project="zoo", name=run.name, id=run.name, resume="allow", dir=run, config=config)
    return WandbMetricsLogger()


def make_mlflow_callback(run, config):
    import mlflow
    from mlflow.keras import MlflowCallback

    mlflow.set_experiment("zoo")
    active = mlflow.active_run() or mlflow.start_run(run_name=run.name)
    return MlflowCallback(run_id=active.info.run_id)
