"""A published model's files name others: only safetensors in its folder are read, and nobody is asked for more."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")

from huggingface_hub import constants

from nncli.data.text.pretrained_tokenizer import pretrained_tokenizer
from nncli.errors import DataError, NnError
from nncli.models import hub
from nncli.models.hub import check_files, config_of, library
from nncli.models.pretrained import Pretrained
from tests.outside import nothing_of

SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
BERT = SMALL | {"vocab_size": 40, "max_position_embeddings": 16, "model_type": "bert"}


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the model's; a network would be asked, if anybody tried."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    transformers = library()
    torch.manual_seed(0)
    config = transformers.BertConfig(**BERT)
    transformers.BertForSequenceClassification(config).save_pretrained("net", max_shard_size="4KB")
    shutil.copytree("net", "outside")
    return tmp_path / "outside"


def load() -> Pretrained:
    net = Pretrained("./net", None, True, "auto", [12], 2)
    net.load_first()
    return net


def refused(outside: Path, match: str) -> None:
    with nothing_of(outside), pytest.raises(NnError, match=match):
        load()


def test_weights_in_several_parts_are_read_and_nobody_is_asked(outside: Path) -> None:
    with nothing_of(outside):
        assert "of 1" not in load().notes[0]
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize(
    "name",
    [
        "../outside/model.safetensors",
        "{outside}/x.safetensors",
        "pytorch_model.bin",
        "x.pt",
        "a/b.safetensors",
        3,
        None,
    ],
)
def test_an_index_that_names_what_is_elsewhere_or_no_safetensors(outside: Path, name: Any) -> None:
    index = Path("net/model.safetensors.index.json")
    said = json.loads(index.read_text())
    said["weight_map"]["bert.pooler.dense.weight"] = name.format(outside=outside) if isinstance(name, str) else name
    index.write_text(json.dumps(said))
    refused(outside, r"model\.safetensors\.index\.json names .*; only safetensors beside it are read")


@pytest.mark.parametrize("text", ["{}", "[]", '{"weight_map": []}', "[" * 100_000, "\xff"])
def test_a_broken_index(outside: Path, text: str) -> None:
    Path("net/model.safetensors.index.json").write_bytes(text.encode("latin-1"))
    refused(outside, r"has a broken model\.safetensors\.index\.json")


@pytest.mark.parametrize("base", ["../outside", "nobody/nothing", "{outside}"])
def test_an_adapter_to_another_model(outside: Path, base: str) -> None:
    said = {"peft_type": "LORA", "base_model_name_or_path": base.format(outside=outside)}
    Path("net/adapter_config.json").write_text(json.dumps(said))
    refused(outside, r"contains adapter_config\.json: it is an adapter.*merge_and_unload")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "more/x"])
def test_a_link_that_leads_out(outside: Path, file: str) -> None:
    place = Path("net") / file
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(outside / "config.json")
    refused(outside, r"has a link that leads out of its folder")


@pytest.mark.parametrize(
    "changed",
    [
        {"transformers_weights": "../outside/model.safetensors"},
        {"transformers_weights": "../outside/model.safetensors.index.json"},
        {"_name_or_path": "../outside"},
        {"backbone": "nobody/nothing", "use_pretrained_backbone": True},
        {"attn_implementation": "nobody/nothing"},
    ],
)
def test_a_description_that_names_files_is_not_heeded(outside: Path, changed: dict[str, Any]) -> None:
    config = Path("net/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | changed))
    with nothing_of(outside):
        load()


@pytest.mark.parametrize("kind", ["detr", "dpt", "mask2former", "upernet"])
def test_a_kind_whose_description_fetches_another_is_refused_first(outside: Path, kind: str) -> None:
    with (
        nothing_of(outside),
        pytest.raises(NnError, match=f"no classifier for the model type {kind}"),
    ):
        config_of({"model_type": kind, "backbone": "nobody/nothing", "use_timm_backbone": False})


@pytest.mark.parametrize("name", ["hf-hub:nobody/nothing", "hf_hub:a/b", "local-dir:../outside", "https://127.0.0.1/x"])
def test_a_description_that_names_an_address(outside: Path, name: str) -> None:
    with (
        nothing_of(outside),
        pytest.raises(NnError, match=r"the model's config names .*; only the model's own files"),
    ):
        config_of({"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"x": [name]}})


def test_a_model_of_the_hub_is_held_to_the_same(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda name, file, **_: f"net/{file}")
    Path("net/adapter_config.json").write_text("{}")
    with pytest.raises(NnError, match=r"nobody/net contains adapter_config\.json"):
        check_files("nobody/net", "main")
    monkeypatch.setattr(hub, "ADAPTER", "none")
    monkeypatch.setattr(hub, "_file", lambda where, name, revision: Path("net") / name if name != "none" else None)
    index = Path("net/model.safetensors.index.json")
    index.write_text(json.dumps({"weight_map": {"x": "pytorch_model.bin"}}))
    with pytest.raises(NnError, match=r"names pytorch_model\.bin"):
        check_files("nobody/net", "main")


def test_tokens_from_a_folder_with_a_link_that_leads_out(outside: Path) -> None:
    (outside / "tokenizer.json").write_text("CANARY")
    Path("net/tokenizer.json").symlink_to(outside / "tokenizer.json")
    with nothing_of(outside), pytest.raises(DataError, match=r"a link that leads out of it, tokenizer\.json"):
        pretrained_tokenizer("./net")
    Path("net/tokenizer.json").unlink()
    Path("net/tokenizer.json").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"whose tokenizer\.json cannot be read"):
        pretrained_tokenizer("./net")


def test_a_folder_is_loaded_offline_and_behind_the_fence(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library would do for a description that nobody here has thought of."""
    seen: list[bool] = []

    def asks(*_: Any, **__: Any) -> None:
        seen.append(constants.HF_HUB_OFFLINE)
        socket.create_connection(("127.0.0.1", 9))

    monkeypatch.setattr(library().AutoModelForSequenceClassification, "from_pretrained", asks)
    with pytest.raises(NnError, match=r"model\.name=\./net leads to 127\.0\.0\.1.*only its own files are read"):
        load()
    assert seen == [True]


def test_a_broken_folder_is_not_blamed_on_the_network(outside: Path) -> None:
    Path("net/config.json").write_text("{")
    with pytest.raises(NnError, match=r"could not be loaded: .*\n.*check its files") as said:
        load()
    assert "network" not in str(said.value)
