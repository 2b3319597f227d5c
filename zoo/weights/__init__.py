"""External weights: read from files without executing any code in them, and mapped to zoo's layer names.

    pretrained.py     published weights: URLs, hashes, preprocessing
    files.py          detects the file format: {layer: arrays that are still on disk} (lazy_array.py)
    hdf5.py safetensors.py state_dict.py npz.py     the file formats
    torch_pickle.py   the pickles in PyTorch files
    layer_names.py torchvision.py     map external layer names to zoo's
    loading.py        loads weights into a model, all or nothing, with a report
    sources.py        resolves what the user gives, "imagenet" or a path, to all of this
"""
