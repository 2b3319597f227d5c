"""Weights of others: their files, read without executing anything in them, and the names of their layers in ours.

    pretrained.py     what authors have published: addresses, hashes, preprocessing
    hdf5.py safetensors.py state_dict.py npz.py     file formats: {layer: arrays that are still on the disk}
    pickled.py        the pickles in PyTorch's
    names.py torchvision.py     which of our layers a layer of theirs is
    load.py           into a model, whole or not at all, with a report
    sources.py        from what a person says, "imagenet" or a path, to all that
"""
