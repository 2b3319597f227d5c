"""Model analysis: graph, summary, multiply-adds, receptive fields, memory, modules and stages, features.

Nothing here draws or needs matplotlib.
"""
