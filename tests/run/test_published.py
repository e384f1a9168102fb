"""A run that begins with a published model's weights, and goes on without the model's folder."""

import shutil
from pathlib import Path

import pytest
import yaml

from nncli import fit
from nncli.run.eval import judged

transformers = pytest.importorskip("transformers")


def test_a_run_begins_with_the_published_weights_and_needs_them_no_more(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.ViTConfig(**sizes, image_size=8, patch_size=2, num_channels=1, num_labels=10)
    net = transformers.ViTForImageClassification(config)
    net.classifier.bias.data[7] = 1e3
    net.save_pretrained("net")
    words = ["data=digits", "model=pretrained", "model.name=./net", "optimizer.lr=1e-9", "trainer.max_epochs=1"]
    run = fit([*words, "run_dir=r"])
    frozen = yaml.safe_load(run.config.read_text())["model"]
    assert (frozen["architecture"]["model_type"], frozen["architecture"]["hidden_size"]) == ("vit", 32)
    shutil.rmtree("net")
    assert judged([run])["metrics"]["test/recall"] == pytest.approx(0.1)  # every answer is 7, as published
