"""External loggers in addition to the run directory's own files: TensorBoard, Weights & Biases, MLflow.

TensorBoard and Weights & Biases have callbacks for Keras, MLflow is called directly. `check_loggers` imports nothing;
`log_training` imports the package.
"""

import contextlib
import hashlib
from importlib.util import find_spec

from zoo.env import get_wandb_project
from zoo.errors import UserError, unknown_name_error
from zoo.training.finetuning import FIRST_STAGE_DIR

LOGGER_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}  # logger: required package


def check_loggers(names):
    """Raise UserError for an unknown logger, or one whose package is not installed."""
    for name in names:
        if name not in LOGGER_PACKAGES:
            raise unknown_name_error("logger", name, LOGGER_PACKAGES)
        package = LOGGER_PACKAGES[name]
        if not find_spec(package):
            raise UserError(f"the logger {name} needs the package {package}: pip install {package}")


@contextlib.contextmanager
def log_training(names, run, config):
    """Yield the Keras callbacks of loggers, and end what they started with the block, however that ends.

    Args:
        names: logger names, checked, such as ("tensorboard",).
        run: Path of the run directory. TensorBoard's events are written to `run/tensorboard`; the other loggers name
            their run after the directory.
        config: dict, the recipe, model and dataset from run.json; shown beside the curves if the logger supports it.

    Yields:
        A list of Keras callbacks.

    Raises:
        UserError: a logger cannot start, such as for an unreachable server.
    """
    makers = {"tensorboard": make_tensorboard_callbacks, "wandb": make_wandb_callbacks, "mlflow": make_mlflow_callbacks}
    callbacks = []
    with contextlib.ExitStack() as stack:
        for name in names:
            try:
                callbacks += makers[name](run, config, stack)
            except Exception as error:  # each package has its own errors
                message = " ".join(str(error).split()) or type(error).__name__
                raise UserError(f"the logger {name} cannot start: {message}; correct that, or leave out "
                                f"log={name!r}") from error
        yield callbacks


def get_logged_name(run):
    """Return the name under which a run directory is logged; that of a first stage contains the name of the run."""
    return f"{run.parent.name}-{run.name}" if run.name == FIRST_STAGE_DIR else run.name


def make_tensorboard_callbacks(run, config, stack):
    import keras

    return [keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False)]


def make_wandb_callbacks(run, config, stack):
    """Log to the user's active run of Weights & Biases, or to a new one, which ends with `stack`.

    The id is that of its path, under which it is resumed: runs in other folders can have the same name.
    """
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    if not wandb.run:
        run_id = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:16]
        active = wandb.init(project=get_wandb_project(), name=get_logged_name(run), id=run_id, resume="allow",
                            dir=run, config=config)
        stack.push(lambda error_type, *_: active.finish(exit_code=int(error_type is not None)))
    return [WandbMetricsLogger()]


def make_mlflow_callbacks(run, config, stack):
    """Log to the user's active run of MLflow, or to a new one, which ends with `stack`.

    Not by MLflow's own callback, which fails in training and logs no metrics (MLflow 3.17 with Keras 3).
    """
    import keras
    import mlflow

    active = mlflow.active_run()
    if active is None:
        active = mlflow.start_run(run_name=get_logged_name(run))  # in the user's experiment, or MLflow's default
        stack.push(lambda error_type, *_: mlflow.end_run("FAILED" if error_type else "FINISHED"))
    run_id = active.info.run_id
    client = mlflow.MlflowClient()
    known = client.get_run(run_id).data.params  # which cannot be changed
    for name, value in config.items():
        if name not in known:
            client.log_param(run_id, name, value)

    def log_epoch(epoch, logs):
        mlflow.log_metrics({name: float(value) for name, value in logs.items()}, step=epoch + 1, run_id=run_id)

    return [keras.callbacks.LambdaCallback(on_epoch_end=log_epoch)]
