"""The names of arguments in other libraries and programs, from which zoo's names differ and nothing else does.

They come from Keras, PyTorch, torchvision, timm, Lightning, fastai, Ultralytics and many scripts. Unknown keywords
(zoo.utils.keyword_hints) and unknown flags (zoo.cli.unknown_flags) are looked up here. Habits with more to say than
another name have tables of their own: zoo.utils.keyword_hints and zoo.cli.flag_hints.
"""

SYNONYMS = {  # zoo's keyword: the names that others give to it; underscores, dashes and case are ignored
    # Data
    "dataset": "dataset_name ds dset train_ds train_dataset train_loader",
    "data_dir": "root dataset_dir dataset_path cache_dir download_dir",
    "validation_data": "val_data valid_data val validation val_ds val_dataset val_loader valid",
    "test_data": "test test_ds test_dataset test_loader",
    "classes": "num_classes nb_classes n_classes nc",
    "class_names": "names labels_names target_names categories",
    "channels": "in_chans in_channels num_channels input_channels",
    "image_size": "img_size imgsz img input_size input_shape target_size size resolution resize train_crop_size "
                  "crop_size",
    "sequence_length": "max_len max_length max_seq_length max_sequence_length seq_len seq_length "
                       "input_length output_sequence_length",
    "vocabulary": "vocab vocab_size vocabulary_size num_words max_words max_features max_tokens",
    "limit": "max_samples max_train_samples num_samples n_samples subset subset_size",
    # Epochs, batches, optimizer and learning rate
    "epochs": "num_epochs n_epochs n_epoch nb_epoch nb_epochs epoch max_epochs total_epochs train_epochs "
              "num_train_epochs",
    "batch_size": "batch bs batch_sz train_batch_size per_device_train_batch_size mini_batch_size "
                  "n_batch",
    "learning_rate": "lr base_lr init_lr initial_lr initial_learning_rate lr0 l_rate blr max_lr peak_lr eta",
    "optimizer": "opt optim optimiser solver",
    "weight_decay": "wd l2 weight_reg",
    "epsilon": "eps opt_eps adam_epsilon",
    "warmup_epochs": "warmup num_warmup_epochs lr_warmup_epochs",
    "lr_patience": "patience_epochs plateau_patience",
    "early_stopping_patience": "early_stop_patience es_patience stop_patience",
    "early_stopping_min_delta": "min_delta early_stopping_delta",
    # Regularization, weights and architecture
    "global_clipnorm": "clip_norm grad_clip clip_grad clip_grad_norm max_grad_norm gradient_clip "
                       "gradient_clip_val",
    "ema_momentum": "ema_decay model_ema_decay",
    "label_smoothing": "smoothing ls lbl_smooth",
    "dropout": "drop drop_rate dropout_rate p_dropout",
    "initializer": "init weight_init init_method kernel_initializer",
    "width": "width_mult width_multiplier alpha depth_multiplier",
    "head_layers": "head classifier_layers fc hidden_units hidden_layers",
    "backbone_learning_rate": "backbone_lr lr_backbone body_lr base_model_lr",
    # Device and output
    "backend": "framework engine",
    "seed": "random_state random_seed manual_seed rng_seed",
    "name": "run_name exp_name experiment experiment_name exp",
    "output_dir": "out out_dir output save_dir save_path save_to log_dir project results_dir "
                  "checkpoint_dir work_dir default_root_dir o",
    "to_file": "filename file outfile output_file",
    "log": "logger loggers report_to",
}


def normalize(name):
    """Return the form of a keyword or flag in which numEpochs, num_epochs and --num-epochs are the same."""
    return name.replace("_", "").replace("-", "").replace(".", "").lower()


KEYWORDS_BY_SYNONYM = {normalize(name): keyword for keyword, names in SYNONYMS.items() for name in names.split()}


def find_keyword(name, valid_names):
    """Return the keyword among `valid_names` that `name` is a spelling or a synonym of; None if there is none."""
    spellings = {normalize(valid_name): valid_name for valid_name in valid_names}
    keyword = spellings.get(normalize(name)) or KEYWORDS_BY_SYNONYM.get(normalize(name))
    return keyword if keyword in valid_names else None
