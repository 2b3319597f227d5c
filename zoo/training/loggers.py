"""External loggers in addition to the run directory's own files: TensorBoard, Weights & Biases, MLflow.

Each is the callback provided by Keras or by the logger's package. `check_loggers` imports nothing;
`make_logger_callbacks` imports the package.
"""

from importlib.util import find_spec

from zoo.errors import UserError, unknown_name_error

LOGGER_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}  # logger: required package


def check_loggers(names):
    """Raise UserError for an unknown logger, or one whose package is not installed."""
    for name in names:
        if name not in LOGGER_PACKAGES:
            raise unknown_name_error("logger", name, LOGGER_PACKAGES)
        package = LOGGER_PACKAGES[name]
        if not find_spec(package):
            raise UserError(f"the logger {name} needs the package {package}: pip install {package}")


def make_logger_callbacks(names, run, config):
    """Return a Keras callback for each logger.

    Args:
        names: logger names, checked, such as ("tensorboard",).
        run: Path of the run directory. TensorBoard's events are written to `run/tensorboard`; the other loggers name
            their run after the directory.
        config: dict, the recipe, model and data set from run.json; shown beside the curves if the logger supports it.

    Returns:
        A list of Keras callbacks.
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
