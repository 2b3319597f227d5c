import pytest


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    from zoo.data.datasets import load_dataset_by_name
    return load_dataset_by_name("digits", data_dir=tmp_path_factory.mktemp("empty"))


@pytest.fixture(autouse=True)
def isolate_from_machine(monkeypatch, tmp_path):
    """Hide the user's own datasets from the tests, and bypass proxies."""
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras-home"))
    monkeypatch.setenv("no_proxy", "*")
