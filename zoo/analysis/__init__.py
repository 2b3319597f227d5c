"""Models as data: their graph, a summary, multiply-adds, receptive fields, memory, modules and stages, features.

Nothing here draws or needs matplotlib.
"""
