"""Flags of other programs, and what to type here instead, where that is more than another name: see zoo.utils.synonyms.

They come from timm's and torchvision's train.py, Keras, Ultralytics, PyTorch Lightning and many scripts.
zoo.cli.unknown_flags looks them up. Standard library only.
"""

from typing import NamedTuple


class Hint(NamedTuple):
    """The reply to some unknown flags.

    flags: without leading dashes; dashes, underscores and case are ignored. reply: if it begins with `--`, what to type
    instead, for commands that have these flags; otherwise a sentence, for `commands`, or for all commands. {N} in it
    stands for the user's value, or for N without one; {PROG} and {FIRST} for the command and its first argument,
    {WEIGHTS} for the weights that the model has, or FILE.
    example: a typical value; "": none. value_pattern: a regular expression of the values that the hint applies to,
    default: all; if it has a group, {N} stands for the group.
    """

    flags: str
    reply: str
    example: str = ""
    value_pattern: str = ""
    commands: str = ""


TRAINING_COMMANDS = "train finetune"
CPU_COMMANDS = "list summary diagram compare report recipes selftest"
NUMBER_PATTERN = r"\d+"
DATASET_PATTERN = "digits|mnist|fashion_mnist|cifar10|cifar100"

HINTS = (
    # Model and data
    Hint("model model-name arch a net network architecture "
         "backbone", "it is the first argument, without a flag: {PROG} {FIRST}",
         "resnet34", commands="train finetune diagram visualize summary extract-features recipes selftest predict"),
    Hint("run run-dir model model-path model-dir checkpoint-path experiment-dir weights ckpt load source",
         "the run is the first argument, without a flag: {PROG} {FIRST}", "runs/mine",
         commands="evaluate export report"),
    Hint("data d", "--dataset {NAME}", "cifar10", rf"({DATASET_PATTERN})(?:\.yaml)?"),
    Hint("data-path train-dir train-path train-data img-dir image-dir image-folder images", "--data {FOLDER}", "pets"),
    Hint("val-dir val-path val-data test-dir test-data valid-dir", "it is read from FOLDER/val and FOLDER/test beside "
         "FOLDER/train; give --data FOLDER", "pets/val", commands="train finetune extract-features"),
    Hint("data-root", "--data-dir {DIR}", "~/data"),
    Hint("download", "a missing dataset is downloaded automatically; omit it",
         commands="train finetune extract-features"),
    Hint("num-classes classes nc n-classes nb-classes", "the number of classes is that of the dataset; omit it",
         "10", commands="train finetune"),
    Hint("fast-dev-run dry-run smoke-test debug quick", "--limit 200 --epochs 1"),
    Hint("val-split validation-split val-ratio valid-pct test-size val-fraction", "part of the training images is "
         "split off for validation, the same in every run; omit it", "0.1", commands=TRAINING_COMMANDS),
    Hint("validation-data val val-loader", "each dataset has its own validation split; omit it",
         commands=TRAINING_COMMANDS),

    # Epochs, batches, optimizer and learning rate
    Hint("e", "--epochs {N}", "5", NUMBER_PATTERN),
    Hint("max-steps steps iterations num-iterations max-iter train-steps steps-per-epoch limit-train-batches",
         "the length of training is given in epochs: --epochs N; --limit N uses fewer images", "1000",
         commands=TRAINING_COMMANDS),
    Hint("initial-epoch start-epoch", "the same command with the same --name resumes a run where it stopped", "5",
         commands=TRAINING_COMMANDS),
    Hint("val-batch-size eval-batch-size test-batch-size validation-batch-size", "validation and test choose "
         "their own batch size; omit it", "64", commands=TRAINING_COMMANDS),
    Hint("grad-accum accum-steps gradient-accumulation-steps accumulate-grad-batches accumulate nbs",
         "gradient accumulation is not supported; choose a --batch-size N that fits into memory", "4",
         commands=TRAINING_COMMANDS),
    Hint("lrf final-lr eta-min end-lr", "the final learning rate of cosine and one_cycle is fixed; --min-lr "
         "{X} is the minimum of --lr-schedule plateau", "1e-5", commands=TRAINING_COMMANDS),
    Hint("nesterov", "--optimizer nesterov"),
    Hint("betas opt-betas beta1 beta2 adam-beta1 adam-beta2", "adam and adamw use Keras's 0.9 and 0.999; omit it",
         "0.9", commands=TRAINING_COMMANDS),
    Hint("norm-weight-decay bias-weight-decay", "weight decay applies to kernels only; omit it", "0",
         commands=TRAINING_COMMANDS),
    Hint("sched schedule scheduler lr-scheduler lr-policy", "--lr-schedule cosine", "cosineannealinglr", "(?i)cos.*"),
    Hint("cos-lr", "--lr-schedule cosine"),
    Hint("sched schedule scheduler lr-scheduler lr-policy", "--lr-schedule plateau", "plateau", "(?i).*plateau"),
    Hint("sched schedule scheduler lr-scheduler lr-policy", "--lr-schedule one_cycle", "onecycle", "(?i)one.?cycle.*"),
    Hint("sched schedule scheduler lr-scheduler lr-policy", "--lr-schedule step --milestones '82 123'", "multistep",
         "(?i)(?:multi)?.?step.*"),
    Hint("sched schedule scheduler lr-scheduler lr-policy", "--lr-schedule {NAME}", "constant"),
    Hint("lr-step-size step-size lr-drop decay-epochs lr-decay-epochs", "--lr-schedule step --milestones 'every {N}'",
         "30", NUMBER_PATTERN),
    Hint("lr-steps lr-milestones decay-milestones "
         "drops", "separate the epochs with spaces: --lr-schedule step --milestones "
         "'82 123'", "82,123", commands=TRAINING_COMMANDS),
    Hint("lr-gamma lr-decay decay-rate lr-decay-rate factor", "--gamma {X}", "0.1"),
    Hint("warmup-steps warmup-lr lr-warmup-decay warmup-ratio lr-warmup-method warmup-bias-lr",
         "the warmup is given in epochs, --warmup-epochs N, in which the learning rate rises from 0", "500",
         commands=TRAINING_COMMANDS),
    Hint("early-stopping early-stop es", "--early-stopping-patience {N}", "5", NUMBER_PATTERN),
    Hint("early-stopping early-stop es", "type --early-stopping-patience N, which stops training after N epochs "
         "without a lower validation loss", commands=TRAINING_COMMANDS),
    Hint("patience",
         "for early stopping type --early-stopping-patience {N}; --lr-patience {N} is for --lr-schedule plateau",
         "5", commands=TRAINING_COMMANDS),

    # Regularization, augmentation, losses
    Hint("criterion loss-fn", "--loss cross_entropy", "cross_entropy", "(?i)(?:cross.?entropy|ce)(?:.?loss)?"),
    Hint("drop-path drop-path-rate stochastic-depth", "no model of zoo has stochastic depth; omit it", "0.1",
         commands=TRAINING_COMMANDS),
    Hint("clipvalue clip-value "
         "clip-mode", "gradients are clipped by their global norm only: --global-clipnorm X", "1.0",
         commands=TRAINING_COMMANDS),
    Hint("ema model-ema use-ema", "type the decay of the moving average, such as --ema-momentum 0.999",
         commands=TRAINING_COMMANDS),
    Hint("mixup mixup-alpha", "it is a part of --augmentation, such as --augmentation 'flip crop=4 mixup={0.2}'", "0.2",
         commands=TRAINING_COMMANDS),
    Hint("cutmix cutmix-alpha", "it is a part of --augmentation, such as --augmentation 'flip crop=4 cutmix={1}'",
         "1.0", commands=TRAINING_COMMANDS),
    Hint("cutout cutout-length", "it is a part of --augmentation, such as --augmentation 'flip crop=4 cutout={8}'", "8",
         commands=TRAINING_COMMANDS),
    Hint("hflip fliplr horizontal-flip random-flip flip",
         "it is a part of --augmentation, such as --augmentation 'flip crop=4'", "0.5", commands=TRAINING_COMMANDS),
    Hint("degrees rotation rotation-range translate width-shift-range height-shift-range random-crop padding",
         "type --augmentation with rotation=DEGREES, shift=FRACTION and crop=PIXELS, such as --augmentation "
         "'rotation=10 shift=0.1'",
         "10", commands=TRAINING_COMMANDS),
    Hint("aa auto-augment autoaugment randaugment ra-magnitude trivial-augment color-jitter vflip flipud reprob "
         "random-erase random-erasing erasing remode recount hsv-h mosaic",
         "it is not supported; --augmentation has flip, crop, rotation, shift, cutout, mixup and cutmix, such as "
         "--augmentation 'flip crop=4 cutout=8'", "0.25", commands=TRAINING_COMMANDS),
    Hint("augment aug transforms", "type --augmentation with a list, such as --augmentation 'flip crop=4'",
         commands=TRAINING_COMMANDS),
    Hint("no-aug no-augment no-augmentation", "--augmentation ''"),
    Hint("aux aux-loss aux-logits auxiliary aux-heads", "--aux-loss-weights 0.3"),
    Hint("aux-weight aux-loss-weight auxiliary-weight", "--aux-loss-weights {X}", "0.4"),
    Hint("class-weights sample-weight balanced", "--class-weight balanced"),
    Hint("metrics monitor eval-metric", "loss and accuracy are computed, on training and validation data; omit it",
         "accuracy", commands=TRAINING_COMMANDS),
    Hint("sync-bn", "batch normalization is synchronized over all GPUs; omit it", commands=TRAINING_COMMANDS),
    Hint("bn batch-norm use-bn batchnorm", "--model-option batch_norm=true"),
    Hint("vocabulary vocab vocab-size vocabulary-size num-words max-words max-features max-tokens",
         "--model-option vocabulary={N}", "10000", NUMBER_PATTERN),

    # Pretrained weights and checkpoints
    Hint("pretrained", "--weights {FILE}", "runs/mine", r"runs/\S+|\S+\.(?:pth?|h5|keras|npz|safetensors)"),
    Hint("pretrained finetune fine-tune transfer transfer-learning imagenet", "--weights {WEIGHTS}"),
    Hint("checkpoint ckpt load ckpt-path checkpoint-path load-from from-checkpoint restore load-weights",
         "to resume a run: --resume {RUN}; to start from its weights: --weights {RUN}", "runs/mine",
         commands=TRAINING_COMMANDS),
    Hint("ckpt which-checkpoint", "--checkpoint {best}", "last", "best|last"),
    Hint("checkpoint ckpt load ckpt-path load-from from-checkpoint initial-checkpoint pretrained-weights load-weights "
         "model-path", "--weights {RUN}", "runs/mine"),
    Hint("continue auto-resume resume-from resume-from-checkpoint continue-from", "--resume {RUN}", "runs/mine"),
    Hint("stages two-stages warmup-head", "--two-stage"),
    Hint("freeze-backbone freeze-base linear-probe train-only-classifier", "--freeze all"),
    Hint("unfreeze no-freeze", "--freeze none"),
    Hint("freeze-layers freeze-until", "--freeze {N}", "10"),
    Hint("include-top no-top notop", "with --weights the top is replaced by a new head, without it the model has "
         "its own; omit it", commands=TRAINING_COMMANDS),

    # Devices, precision and hosts
    Hint("device devices accelerator d", "--gpu none", "cpu", "(?i)cpu"),
    Hint("device gpu-id gpu-ids gpu-index device-id device-ids gpus cuda-device devices cuda cuda-visible-devices",
         "--gpu {N}", "0,1", r"(?i)(?:cuda:|gpu:)?(\d+(?:,\d+)+)"),
    Hint("device gpu-id gpu-ids gpu-index device-id device-ids cuda-device cuda d", "--gpu {N}", "cuda:1",
         r"(?i)(?:cuda:|gpu:)?(\d+)"),
    Hint("device accelerator d", "--gpu 0", "cuda", "(?i)cuda|gpu"),
    Hint("device accelerator", "zoo runs on NVIDIA GPUs, --gpu N, and on the CPU, --gpu none", "mps",
         commands="train finetune evaluate predict export visualize extract-features doctor"),
    Hint("gpus devices num-gpus n-gpus ngpus ngpu nproc-per-node multi-gpu data-parallel", "list the GPUs instead of "
         "their number: --gpu 0,1, or --gpu all", "2", commands=TRAINING_COMMANDS),
    Hint("gpus devices num-gpus n-gpus", "type the index of one GPU, such as --gpu 0", "1",
         commands="evaluate predict export visualize extract-features"),
    Hint("cuda use-gpu use-cuda", "--gpu 0"),
    Hint("cpu no-cuda no-gpu disable-cuda use-cpu cpu-only", "--gpu none"),
    Hint("device gpu cuda cpu no-cuda gpus gpu-id", "this command needs no GPU; omit it", "cpu", commands=CPU_COMMANDS),
    Hint("workers num-workers j n-workers dataloader-num-workers prefetch pin-memory pin-mem no-pin-mem cache "
         "persistent-workers use-multiprocessing max-queue-size prefetch-factor",
         "batches are prefetched automatically; omit it", "8"),
    Hint("amp mixed-precision use-amp", "type --precision bfloat16, or --precision float16",
         commands=TRAINING_COMMANDS),
    Hint("fp16 half float16", "--precision float16"),
    Hint("bf16 bfloat16", "--precision bfloat16"),
    Hint("fp32 float32 no-amp", "--precision float32"),
    Hint("dtype amp-dtype policy", "--precision {P}", "float16"),
    Hint("precision amp fp16 half bf16 mixed-precision dtype",
         "python -m zoo.train has --precision; omit it here"),
    Hint("dist distributed ddp world-size rank local-rank dist-url dist-backend num-nodes nodes nnodes node-rank "
         "master-addr strategy multiprocessing-distributed", "several GPUs: --gpu 0,1; several hosts: --hosts "
         "HOST:PORT,... with --host-index N; see docs/scaling.md", "2", commands=TRAINING_COMMANDS),
    Hint("torchcompile compile jit jit-compile torchscript xla channels-last", "it is chosen "
         "automatically; omit it", commands=TRAINING_COMMANDS),
    Hint("cudnn-deterministic use-deterministic-algorithms deterministic-ops", "--deterministic"),
    Hint("repeats num-runs n-runs num-seeds n-seeds trials", "--runs {N}", "3"),
    Hint("time max-time timeout time-limit", "the time limit is given in seconds, such as --max-seconds 3600", "1",
         commands=TRAINING_COMMANDS),

    # Output, and other commands
    Hint("out save-dir output-dir out-file output-file outfile save save-path to-file", "--output {FILE}", "out"),
    Hint("exist-ok overwrite force", "the same --name resumes the existing run; omit it",
         commands=TRAINING_COMMANDS),
    Hint("tensorboard use-tensorboard tb", "--log tensorboard"),
    Hint("wandb log-wandb use-wandb", "--log wandb"),
    Hint("mlflow use-mlflow", "--log mlflow"),
    Hint("callbacks csv-log", "history.csv and report.html are written into the run directory; omit it",
         commands=TRAINING_COMMANDS),
    Hint("log-interval print-freq log-every log-every-n-steps logging-steps p",
         "one line is printed for each epoch; omit it", "50", commands=TRAINING_COMMANDS),
    Hint("save-model save-best save-best-only save-freq save-period save-every checkpoint-hist "
         "checkpoint-freq save-every-n", "the checkpoints of the best and the last epoch are kept; omit it", "1",
         commands=TRAINING_COMMANDS),
    Hint("plots plot no-plots figures", "the plots of a run are drawn at its end; omit it",
         commands=TRAINING_COMMANDS),
    Hint("verbose v quiet q progress", "the verbosity cannot be changed; omit it", "1"),
    Hint("shuffle no-shuffle", "training images are shuffled, in an order that --seed determines; omit it",
         commands=TRAINING_COMMANDS),
    Hint("config cfg c hparams", "--recipe {modern}", "paper", "modern|paper|notes"),
    Hint("config cfg c hparams", "training is configured by a recipe and flags, such as --recipe modern --epochs 30",
         "my.yaml", commands="train"),
    Hint("e eval evaluate test test-only eval-only validate do-eval validation", "type python -m zoo evaluate RUN",
         commands=TRAINING_COMMANDS),
    Hint("predict infer inference", "type python -m zoo predict RUN IMAGE", commands=TRAINING_COMMANDS),
    Hint("export onnx saved-model tflite savedmodel format export-onnx", "type python -m zoo export RUN --format onnx",
         commands=TRAINING_COMMANDS),
    Hint("onnx", "--format onnx"),
    Hint("saved-model savedmodel tf", "--format saved_model"),
    Hint("tflite litert", "--format litert"),
    Hint("keras", "--format keras"),
    Hint("opset dynamic simplify half int8 optimize quantize",
         "there are no options beside --format; omit it", "17", commands="export"),
    Hint("topk top k num-predictions max-det", "--top-k {N}", "5"),
    Hint("image images img input source i path "
         "file", "images are the last arguments, without a flag: python -m zoo predict RUN "
         "{IMAGE}", "cat.png", commands="predict"),
    Hint("img input source i picture img-path image-path", "--image {FILE}", "cat.png"),
    Hint("cam gradcam grad-cam", "--plot gradcam"),
    Hint("direction flow", "--rankdir TB", "down", "(?i)down|vertical"),
    Hint("direction flow", "--rankdir LR", "right", "(?i)right|horizontal"),
    Hint("direction flow orientation", "--rankdir {TB}", "LR"),
    Hint("target class target-class class-index class-name", "--target-classes {NAMES}", "cat", commands="visualize"),
    Hint("layer target-layer layer-name target-layers", "--layers {NAME}", "conv1"),
    Hint("what figure kind", "--plot {NAME}", "gradcam"),
    Hint("maps n-maps channels-shown", "--num-maps {N}", "16"),
    Hint("memory gpu-memory max-memory", "--memory-limit {GIB}", "24"),
    Hint("labels coarse label-type", "--label-mode {NAME}", "coarse"),
    Hint("option model-kwargs model-args kwargs opt", "--model-option {NAME=VALUE}", "dropout=0.3"),
    Hint("list list-models models summary", "type python -m zoo list, and python -m zoo summary MODEL",
         commands=TRAINING_COMMANDS),
)
