"""Keyword arguments of other libraries, and what to type here instead, for functions that take **keywords.

Here are those for which that is more than another name, see zoo.utils.synonyms. The flags of the command line have a
table of their own, zoo.cli.flag_hints.
"""

import re

from zoo.errors import UserError
from zoo.utils.synonyms import find_keyword, normalize

AUGMENTATION_LIST = "augmentation lists what is applied, such as augmentation='flip crop=4'; omit it there"

# (keywords, reply, reply to None, False and 0 if it differs, what True is here). Underscores and case are ignored. A
# reply with `=` is what to type instead, for functions that have this keyword, {} stands for the user's value and
# {WEIGHTS} for weights that the model has; any other reply is a sentence. The first reply that applies is given.
HINTS = (
    # Data
    ("data train_data data_path data_root x x_train", "dataset={}"),
    ("y y_train", "images and labels are given as a pair: dataset=(x_train, y_train)"),
    ("validation_split val_split val_ratio valid_pct val_fraction test_size test_split",
     "a tenth of the training images is split off for validation, the same in every run; omit it, or give "
     "validation_data=(images, labels)"),
    ("num_classes nb_classes n_classes nclasses nc classes", "the number of classes is that of the dataset; omit it"),
    ("img_size imgsz image_size input_size target_size size resolution in_chans in_channels num_channels channels",
     "input_shape=(height, width, channels)"),
    ("shuffle", "the training images are shuffled in every epoch, in an order that seed determines; omit it"),
    ("workers num_workers pin_memory prefetch use_multiprocessing max_queue_size persistent_workers",
     "batches are prefetched automatically; omit it"),
    # Epochs, batches, optimizer and learning rate
    ("max_steps steps num_steps iterations max_iter steps_per_epoch limit_train_batches",
     "the length of training is given in epochs: epochs=N; limit=N uses fewer images"),
    ("initial_epoch start_epoch resume resume_from checkpoint ckpt ckpt_path load_from restore",
     "the same call with the same name resumes a run, and so does zoo.Run('runs/mine').resume(); weights='runs/mine' "
     "starts from its weights"),
    ("scheduler lr_scheduler sched schedule lr_policy", "lr_schedule={}", "lr_schedule='constant'"),
    ("lr_decay lr_gamma decay_rate lr_decay_rate decay lr_factor factor",
     "gamma={}, with lr_schedule='step' and milestones='82 123', or with lr_schedule='plateau'"),
    ("step_size lr_step_size decay_epochs lr_drop", "milestones='every {}', with lr_schedule='step'"),
    ("lr_steps lr_milestones decay_milestones", "milestones='82 123', with lr_schedule='step'"),
    ("warmup_steps num_warmup_steps warmup_ratio", "the warm-up is given in epochs: warmup_epochs=1"),
    ("patience early_stop early_stopping", "early_stopping_patience={}", "early_stopping_patience=0", "5"),
    ("betas beta_1 beta_2 beta1 beta2", "adam and adamw use Keras's 0.9 and 0.999; omit it"),
    ("nesterov", "optimizer='nesterov'", "momentum without Nesterov's is optimizer='sgd'; omit it"),
    ("loss_fn criterion loss_function", "loss='cross_entropy'"),
    ("metrics", "loss and accuracy are computed, on training and validation data; omit it"),
    # Regularization and augmentation
    ("ema use_ema model_ema", "ema_momentum=0.999", "ema_momentum=0.0"),
    *((name, f"augmentation='{name}={{}}'", AUGMENTATION_LIST, example)
      for name, example in (("mixup", "0.2"), ("cutmix", "1"), ("cutout", "8"), ("rotation", "15"))),
    ("flip hflip horizontal_flip random_crop", "augmentation='flip crop=4'", AUGMENTATION_LIST),
    ("augment aug augmentations data_augmentation transform transforms", "augmentation='flip crop=4'",
     "augmentation=''"),
    ("class_weights balanced sample_weight", "class_weight='balanced'", "class_weight=None"),
    ("aux aux_logits aux_heads", "aux_loss_weights='0.3'", "aux_loss_weights=''"),
    # Pretrained weights
    ("pretrained imagenet transfer_learning pretrained_weights load_weights", "weights={}", "weights=None",
     "{WEIGHTS}"),
    ("freeze_backbone freeze_base linear_probe", "freeze='all'", "freeze='none'"),
    ("freeze_layers freeze_until", "freeze={}", "freeze='none'", "'all'"),
    ("include_top", "with weights the top is replaced by a new head, without them the model has its own; omit it"),
    # Device
    ("gpus num_gpus n_gpus ngpus devices", "gpu={}, the index or indices, or gpu='all'"),
    ("device gpu_id gpu_ids device_id device_ids accelerator cuda", "gpu={}"),
    ("use_gpu use_cuda", "gpu=0", "gpu='none'"),
    ("cpu no_cuda use_cpu", "gpu='none'", "a GPU is used if there is one; omit it"),
    ("amp use_amp mixed_precision fp16 bf16 half", "precision='bfloat16'", "precision='float32'"),
    ("dtype", "precision={}", "precision='float32'"),
    # Output
    ("max_time timeout time_limit time", "max_seconds={}"),
    ("progress progress_bar verbosity", "verbose=True", "verbose=False"),
    ("quiet", "verbose=False", "verbose=True"),
)
UNKNOWN_DEVICE = "gpu selects NVIDIA GPUs, such as gpu=0, or gpu='none' for the CPU; omit it"


def check_keywords(function, keywords, valid_names, weights_names=()):
    """Raise UserError for the first of {keyword: value} that a hint says what to type instead of.

    function: name of the called function, such as "zoo.fit". valid_names: the keywords that it has; other unknown ones
    are for the caller to refuse. weights_names: the names of weights that the model has.
    """
    valid_names = [*valid_names]
    for name, value in keywords.items():
        if name in valid_names:
            continue
        reply = find_reply(name, value, valid_names, weights_names)
        if reply:
            raise UserError(f"{function} has no argument {name}={format_value(value)}{reply}")


def find_reply(name, value, valid_names, weights_names=()):
    """Return what to type instead of name=value, None if there is no hint."""
    keyword = find_keyword(name, valid_names)  # batchsize, maxNorm, num_epochs
    if keyword:
        return f"; give {keyword}={format_value(value)}"
    is_off = isinstance(value, (int, float, type(None))) and not value
    for names, reply, *others in HINTS:
        if normalize(name) not in map(normalize, names.split()):
            continue
        off_reply, true_text = (*others, None, None)[:2]
        keyword = find_reply_keyword(reply)
        if keyword is not None and keyword not in valid_names:
            continue
        reply = off_reply if is_off and off_reply else reply
        if find_reply_keyword(reply) is None:
            return f": {reply}"
        text = true_text if value is True and true_text else format_translated_value(reply, value)
        if text is None:
            return f": {UNKNOWN_DEVICE}"
        weights = repr(weights_names[0]) if weights_names else "..."
        return f"; give {reply.replace('{}', text).replace('{WEIGHTS}', weights)}"
    return None


def find_reply_keyword(reply):
    """Return the keyword in a reply that is what to type instead; None for a sentence."""
    keyword, equals, _ = reply.partition("=")
    return keyword if equals and " " not in keyword else None


def format_translated_value(reply, value):
    """Return the user's value as it is typed in a reply, in the form that it has here; None for an unknown device."""
    if reply.startswith("gpu={}, ") and isinstance(value, int):  # their number, -1 for all
        value = "all" if value < 0 else [*range(value)] if value > 1 else 0 if value else "none"
    elif reply.startswith("gpu={}") and value is not None:
        value = parse_device(value)
        if value is None:
            return None
    elif reply == "precision={}":
        value = next((name for name in ("bfloat16", "float16", "float32") if name in str(value)), value)
    text = format_value(value)
    return text.strip("'") if "'every {}'" in reply else text


def parse_device(value):
    """Return the value of `gpu` for a device of PyTorch, TensorFlow or Lightning, such as "cuda:1"; None for another
    kind of device, such as "mps".
    """
    text = str(value).lower().lstrip("/")
    if text in ("cpu", "-1", "false") or text.startswith("cpu:"):
        return "none"
    if isinstance(value, (list, tuple)):
        return value
    prefix, _, index = text.rpartition(":")
    if prefix in ("", "cuda", "gpu", "device:gpu") and index.isdecimal():
        return int(index)
    if text in ("cuda", "gpu", "true"):
        return 0
    return value if text in ("all", "auto", "none") or re.fullmatch(r"[\d,]+|(gpu|mig)-.+", text) else None


def format_value(value):
    """Return a value as it is typed, shortened where it is an object or an array."""
    is_plain = isinstance(value, (bool, int, float, str, type(None), list, tuple)) and len(repr(value)) <= 60
    return repr(value) if is_plain else "..."
