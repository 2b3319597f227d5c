"""The parser of zoo visualize: its flags in groups, with their help. No backend, no NumPy."""

from zoo.cli import common, help_text

PLOT_DESCRIPTIONS = {"feature-maps": "feature maps of each layer", "filters": "filters of the first layer",
                     "hypercolumn": "feature maps of all layers, upsampled and averaged",
                     "gradcam": "Grad-CAM heatmaps of the target classes",
                     "saliency": "gradient of the class score by pixel",
                     "occlusion": "how much hiding each part of the image lowers the class probability",
                     "prediction": "the most probable classes"}
LAYER_PLOTS = ("feature-maps", "hypercolumn", "gradcam")  # that support --layers
CLASS_PLOTS = ("gradcam", "saliency", "occlusion")  # that support --target-classes
PAGE_FILE = "look.html"
NUM_MAPS, MAX_MAPS = 8, 1024  # of each layer


def build_parser():
    parser = common.Parser(
        prog="python -m zoo visualize", usage="%(prog)s RUN|FILE.keras|MODEL --image|--text FILE [OPTION ...]",
        description="Look inside a model: write an HTML page with its feature maps, filters, Grad-CAM, saliency, "
                    "occlusion and prediction for one image, or only one of these as a figure (--plot).",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_model_options(),
                                       help_text.format_help_table("figures (--plot)", [*PLOT_DESCRIPTIONS.items()])),
        examples=("runs/mine --image cat.png", "resnet18 --weights cifar10 --image cat.png --plot gradcam -o cam.png",
                  "vgg16 --image-size 64 --image cat.png --layers pool1,pool3 --num-maps 16 -o look/"))
    parser.add_argument("network", metavar="RUN|FILE.keras|MODEL",
                        help="model to look into; RUN: a run directory; FILE.keras: a Keras model that takes raw "
                             "pixels (0 to 255); MODEL: the name of a model, with random weights unless --weights is "
                             "given")
    parser.add_argument("--image", "--text", metavar="FILE", required=True, dest="image",
                        help="image file of any size and common format; for a run on texts a UTF-8 text file, for "
                             "which the page shows the n-grams that activate each filter most; required")
    content = parser.add_argument_group("content and output")
    content.add_argument("--plot", metavar="|".join(PLOT_DESCRIPTIONS),
                         help="write only this figure, see below; default: an HTML page with all of them")
    content.add_argument("--layers", metavar="A,B|all|stages",
                         help="layers to show as feature-maps, hypercolumn or gradcam; A,B: names with commas between "
                              "them, such as pool1,pool3 of vgg16 (python -m zoo diagram MODEL --detail layers shows "
                              "them); all: all layers; stages: "
                              "the last layer of each stage; default: stages, or with --plot gradcam the last layer "
                              "with feature maps")
    content.add_argument("--target-classes", metavar="A,B",
                         help="classes to explain with gradcam, saliency and occlusion: class names or labels with "
                              "commas between them; default: the three most probable classes")
    content.add_argument("--num-maps", metavar="N",
                         help="number of feature maps to show of each layer, on the page and with --plot feature-maps: "
                              f"1 to {MAX_MAPS}; default: {NUM_MAPS}")
    content.add_argument("-o", "--output", metavar="FILE|FOLDER",
                         help="file to write: .html for the page, .png, .pdf or .svg with --plot; a folder gets the "
                         f"page and all figures, or the one of --plot; default: {PAGE_FILE}, or MODEL-PLOT.png with "
                         "--plot")
    weights = parser.add_argument_group("weights")
    weights.add_argument("--weights", metavar="imagenet|cifar10|mnist|FILE",
                         help="weights for MODEL; imagenet, cifar10, mnist: published or bundled weights (python -m "
                              "zoo list shows which models have them); FILE: a weights file, see docs/weights.md; "
                              "default: random weights")
    common.add_preprocessing(weights)
    common.add_checkpoint(weights)
    common.add_model_options(parser.add_argument_group("model",
                                                       "how MODEL is built; a run and a .keras file are built already "
                                                       "(--image-size goes with a .keras file that takes images of any "
                                                       "size)"), aux=False)
    common.add_gpu(parser.add_argument_group("device"))
    return parser
