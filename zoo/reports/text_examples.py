"""Texts in the report of a run: the misclassified ones with the highest confidence, with their words."""

from zoo.data.vocabulary import read_vocabulary
from zoo.utils.text import format_class_name

NUM_TEXTS = 24  # texts shown


def make_text_examples(run, files):
    """Return the arguments of `run.render_run_page` that show texts of a run.

    files: the files of the run, with `config`, its run.json, `predictions`, (labels, probabilities) of the test split,
    and `misclassified`, (token ids, indices) of the most confident errors.
    """
    if not files.misclassified:
        return {}
    labels, probabilities = files.predictions
    names = [format_class_name(name) for name in files.config["dataset"]["class_names"]]
    vocabulary, texts = read_vocabulary(run), []
    for tokens, index in zip(*(array[:NUM_TEXTS] for array in files.misclassified), strict=True):
        predicted = int(probabilities[index].argmax())
        texts.append({"index": int(index), "label": names[labels[index]], "predicted": names[predicted],
                      "confidence": float(probabilities[index, predicted]), "words": vocabulary.decode(tokens)})
    return {"misclassified_texts": texts}
