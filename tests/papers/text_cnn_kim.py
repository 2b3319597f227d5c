"""Kim 2014, section 3.1: filter windows of 3, 4 and 5 words with 100 feature maps each; embeddings of 300 numbers."""

from papers.facts import Facts


def count(vocabulary, embedding=300, maps=100, classes=2):
    return vocabulary * embedding + sum((window * embedding + 1) * maps for window in (3, 4, 5)) \
        + (3 * maps + 1) * classes


def multiply_adds(length):
    return sum((length - window + 1) * window * 300 * 100 for window in (3, 4, 5)) + 600


assert (count(20_000), multiply_adds(100)) == (6_360_902, 34_860_600)

FACTS = {"text_cnn_kim": Facts(
    (100,), 2, (6_360_902, 6_360_902), 34_860_600,
    {"embedding": (100, 300), "windows_conv3": (98, 100), "windows_pool3": (100,), "windows_conv4": (97, 100),
     "windows_pool4": (100,), "windows_conv5": (96, 100), "windows_pool5": (100,), "windows_concat": (300,),
     "fc": (2,)}, "windows_concat", {}, 300,
    {0.5: count(20_000, 150, 50, 10), 0.01: count(20_000, 3, 1, 10)}, narrow_shape=(100,), stems={},
    options={"vocabulary": 20_000, "dropout": 0.5},
    # 18,765: the vocabulary of the paper's movie reviews, table 1
    variants=(({"input_shape": (56,), "vocabulary": 18_765}, (5_990_402, 5_990_402)),))}
