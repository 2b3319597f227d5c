import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before a test imports Keras: TensorFlow's start is loud
