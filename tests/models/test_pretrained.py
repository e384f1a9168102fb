"""Published nets: what of them is taken over, in what order they learn, and that a run needs neither folder nor hub."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

pytest.importorskip("transformers")

from huggingface_hub import HfApi, constants
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from nncli.data.text.pretrained_tokenizer import pretrained_tokenizer
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import NnError
from nncli.models.hub import config_of, library
from nncli.models.pretrained import Pretrained
from nncli.optim.groups import Groups, distances, hidden_weights

Samples = tuple[Tensor, Tensor]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TEXT = SMALL | {"vocab_size": 40, "max_position_embeddings": 16}
PICTURE = SMALL | {"image_size": 8, "patch_size": 2, "num_channels": 1}
RESNET = {"num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [2, 1], "layer_type": "basic"}
KINDS: dict[str, tuple[str, dict[str, Any], list[int]]] = {
    "ViT": ("ForImageClassification", PICTURE, [1, 8, 8]),
    "ResNet": ("ForImageClassification", RESNET, [1, 32, 32]),
    "Bert": ("ForSequenceClassification", TEXT, [12]),
    "XLMRoberta": ("ForSequenceClassification", TEXT | {"pad_token_id": 1}, [12]),  # names its output layer first
}


def save(kind: str, **changed: Any) -> Any:
    """A small net of some kind, in the folder net, as a person who published it would have left it."""
    head, sizes, _ = KINDS[kind]
    transformers = library()
    config = getattr(transformers, f"{kind}Config")(**(sizes | changed))
    torch.manual_seed(1)
    net = getattr(transformers, kind + head)(config).eval()
    net.save_pretrained("net")
    return net


def load(shape: list[int], outputs: int = 3, **changed: Any) -> Pretrained:
    stated = {"name": "./net", "revision": "auto", "weights": True, "architecture": "auto"}
    return Pretrained(**(stated | changed), input_shape=shape, num_outputs=outputs)


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_layer_is_as_far_from_the_output_as_it_stands(kind: str) -> None:
    save(kind)
    net = load(KINDS[kind][2])
    away = distances(net)
    of = {name: away[id(weight)] for name, weight in net.named_parameters()}
    head = {name for name in of if "classifier" in name}
    assert {name for name, at in of.items() if at == 0} == head
    assert {"embed" in name for name, at in of.items() if at == max(of.values())} == {True}
    blocks = [at for name, at in of.items() if "layer" in name and ".weight" in name and name not in head]
    assert blocks == sorted(blocks, reverse=True)
    assert len(set(of.values())) >= 4
    assert len(net.state_dict()) == len(net.net.state_dict())  # each weight is kept once
    hidden = {id(weight) for weight in hidden_weights(net)}
    (output,) = (n for n, w in net.named_parameters() if w.ndim > 1 and id(w) not in hidden and n in head)
    assert output.endswith(("classifier.weight", "classifier.1.weight", "out_proj.weight"))
    Groups(False, 1.0, 0.0, train="head").freeze(net)
    assert {name for name, weight in net.named_parameters() if weight.requires_grad} == head


def test_all_but_an_output_layer_of_another_size_is_taken_over_and_said() -> None:
    published = save("ViT", num_labels=7)
    net = load([1, 8, 8]).eval()
    head = net.net.classifier.weight.clone()
    net.load_first()
    assert net.notes == [
        "model starts from ./net: 38 of 40 tensors; newly initialized: classifier.weight 3×32 (there 7×32), "
        "classifier.bias 3 (there 7)"
    ]
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(net.net.vit(x).last_hidden_state, published.vit(x).last_hidden_state)
    assert torch.equal(net.net.classifier.weight, head)  # drawn by the run's seed
    same = load([1, 8, 8], outputs=7).eval()
    same.load_first()
    assert torch.equal(same(x), published(x).logits)
    fresh = load([1, 8, 8], weights=False).eval()
    fresh.load_first()
    assert not torch.equal(fresh.net.vit(x).last_hidden_state, published.vit(x).last_hidden_state)


@pytest.mark.parametrize("kind", ["ViT", "XLMRoberta"])
def test_a_run_is_taken_up_again_without_the_folder(kind: str) -> None:
    save(kind)
    shape = KINDS[kind][2]
    found = Pretrained.inferred(name="./net", revision="auto", architecture="auto", weights=True)
    assert "${" not in json.dumps(found)
    trained = load(shape, **found).eval()
    trained.load_first()
    shutil.rmtree("net")
    again = load(shape, **found).eval()
    again.load_state_dict(trained.state_dict())
    x = torch.randn(2, *shape) if len(shape) == 3 else torch.randint(1, 40, (2, *shape))
    assert torch.equal(again(x), trained(x))


def test_texts_are_scored_as_the_library_scores_them() -> None:
    published = save("XLMRoberta", pad_token_id=1, bos_token_id=0, eos_token_id=2)
    words = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "a", "fine", "film"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    own: Any = library().PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")
    own.save_pretrained("net")
    facts = {"tokenizer": pretrained_tokenizer("./net")}
    net = load([12], outputs=2).eval()
    net.load_first(facts)
    texts = ["a fine film", "film"]
    flat, lengths = Vocabulary.parse(facts["tokenizer"]).encode(texts, 12)
    rows = nn.utils.rnn.pad_sequence(list(torch.from_numpy(flat).long().split(lengths.tolist())), batch_first=True)
    theirs = published(**own(texts, padding=True, return_tensors="pt")).logits
    assert torch.allclose(net(rows), theirs, atol=1e-6)
    assert not torch.allclose(net(rows)[0], net(rows)[1], atol=1e-6)
    with pytest.raises(NnError, match=r"its own token ids.*set data\.tokenizer\.tokens=\./net, or"):
        net.load_first({"tokenizer": Vocabulary.learn(texts, "words", None, 1, True).json()})
    other = json.loads(facts["tokenizer"])
    other["padding"]["pad_id"] = 6
    with pytest.raises(NnError, match=r"data\.tokenizer\.tokens pads with 6, model\.name=\./net with 1"):
        net.load_first({"tokenizer": json.dumps(other)})
    many = Vocabulary.learn([" ".join(f"w{i}" for i in range(99))], "words", None, 1, True)
    with pytest.raises(NnError, match=r"the data has 101 tokens.*data\.tokenizer\.vocab_size=40"):
        load([12], weights=False).load_first({"tokenizer": many.json()})
    with pytest.raises(NnError, match=r"pictures or texts, and this data has neither"):
        net.load_first({})


def test_pictures_of_other_sizes_and_grey_ones() -> None:
    save("ViT", num_channels=3)
    net = load([1, 12, 8])
    assert net.notes == ["model was made for pictures of 8×8: its positions are interpolated"]
    x = torch.randn(2, 1, 12, 8)
    assert torch.equal(net(x), net(x.expand(-1, 3, -1, -1)))
    with pytest.raises(NnError, match=r"takes pictures of 3 channels, not of 4; set data\.channels=3"):
        load([4, 8, 8])


def test_what_takes_no_part_gets_no_gradient_and_is_no_layer() -> None:
    """Several devices would wait for it for ever."""
    transformers = library()
    transformers.Dinov2ForImageClassification(transformers.Dinov2Config(**PICTURE)).save_pretrained("net")
    net = load([1, 8, 8])
    net(torch.randn(2, 1, 8, 8)).sum().backward()
    without = {name for name, weight in net.named_parameters() if weight.grad is None}
    assert without == {"net.dinov2.embeddings.mask_token"}
    assert without == {name for name, weight in net.named_parameters() if not weight.requires_grad}


def trained(net: nn.Module, samples: Samples, steps: int) -> nn.Module:
    """The net after some steps of Adam on batches of 32."""
    torch.manual_seed(0)
    x, y = samples
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(steps):
        rows = torch.randint(len(y), (32,))
        optimizer.zero_grad()
        cross_entropy(net.train()(x[rows]), y[rows]).backward()
        optimizer.step()
    return net.eval()


def accuracies(
    shape: list[int], outputs: int, old: Samples, few: Samples, rest: Samples, steps: tuple[int, int]
) -> list[float]:
    """Of a net that learned something else before, and of one that did not, after few steps on few samples."""
    torch.manual_seed(0)
    net: Any = trained(load(shape, outputs=int(old[1].max()) + 1, weights=False), old, steps[0])
    net.net.save_pretrained("net")
    found = []
    for weights in (True, False):
        torch.manual_seed(0)
        learner = load(shape, outputs=outputs, weights=weights)
        learner.load_first()
        x, y = rest
        found.append(float((trained(learner, few, steps[1])(x).argmax(1) == y).float().mean()))
    return found


def test_a_vision_transformer_learns_new_digits_sooner_after_others() -> None:
    from sklearn.datasets import load_digits

    save("ViT")
    x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
    x = x.float().view(-1, 1, 8, 8) / 6 - 0.8
    known, new = y >= 4, y < 4
    few, rest = (x[new][:40], y[new][:40]), (x[new][40:], y[new][40:])
    after, alone = accuracies([1, 8, 8], 4, (x[known], y[known] - 4), few, rest, (200, 30))
    assert after > 0.7 > 0.5 > alone, (after, alone)


def test_a_text_model_knows_words_that_the_new_texts_lack() -> None:
    """Which of two kinds of words comes first; of each kind three words are in the new texts, the others are not."""
    save("Bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    torch.manual_seed(0)
    kinds = torch.randint(2, (1200, 2))
    kinds[:, 1] = 1 - kinds[:, 0]
    every, some, others = (
        (2 + kinds * 19 + torch.randint(*among, kinds.shape)) for among in ((0, 19), (0, 3), (3, 19))
    )
    old, y = kinds[:, 0], 1 - kinds[:, 0]
    after, alone = accuracies([2], 2, (every, old), (some[:30], y[:30]), (others, y), (120, 30))
    assert after > 0.95 > 0.8 > alone, (after, alone)


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    save("Bert")
    config, weights = tmp_path / "net" / "config.json", tmp_path / "net" / "model.safetensors"
    stated = json.loads(config.read_text())

    def refused(told: str, shape: list[int], name: str | None = "./net", **changed: Any) -> None:
        config.write_text(json.dumps(stated | changed))
        with pytest.raises(NnError, match=told):
            load(shape, name=name).load_first()

    refused(r"model\.name is null; set model\.name=google/vit", [12], name=None)
    refused(r"model\.name=\./gone does not exist", [12], name="./gone")
    refused(r"model type bert, which reads texts; .*input_shape \[1, 8, 8\]", [1, 8, 8])
    refused(
        r"has positions for 16 tokens, and data\.tokenizer\.max_length is 17; set data\.tokenizer\.max_length=16", [17]
    )
    refused(r"brings code of its own, which is not run", [12], model_type="mine", auto_map={"AutoConfig": "x.Y"})
    refused(r"model type mine, unknown to transformers \d", [12], model_type="mine")
    refused(r"quantized weights", [12], quantization_config={"bits": 4})
    refused(r"no classifier for the model type whisper", [12], model_type="whisper")
    refused(r"none of the weights of model\.name=\./net fits", [12], hidden_size=20)
    refused(r"could not be loaded: .*\n.*needs a network", [12], name="nobody/nothing")
    refused(r"could not be loaded: TypeError: unhashable", [12], model_type=["bert"])
    with pytest.raises(NnError, match=r"could not be loaded: KeyError: 'model_type'\n  model\.architecture=auto reads"):
        load([12], architecture={})
    weights.rename(tmp_path / "net" / "pytorch_model.bin")
    refused(r"no safetensors.*not read(.|\n)*save_pretrained\('converted'\)(.|\n)*model\.name=\./converted", [12])
    (tmp_path / "net" / "pytorch_model.bin").unlink()
    refused(r"model\.name=\./net has no weights", [12])
    config.unlink()
    with pytest.raises(NnError, match=r"model\.name=\./net is a folder without config\.json"):
        load([12])


def test_a_description_names_neither_code_nor_files() -> None:
    inner = {"attn_implementation": "kernels-community/x", "auto_map": {"AutoModel": "x.Y"}, "hidden_size": 32}
    outer = {
        "experts_implementation": "a/b",
        "quantization_config": {"bits": 4},
        "model_args": {"checkpoint_path": "x"},
    }
    config = config_of({"model_type": "vit", **PICTURE, **outer, **inner})
    assert config._attn_implementation is None
    assert config.model_args == {}
    assert not any(hasattr(config, name) for name in ("auto_map", "quantization_config"))
    net = Pretrained("x", None, False, {"model_type": "vit", **PICTURE, **outer, **inner}, [1, 8, 8], 3)
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_a_number_below_0_fills_nothing_up() -> None:
    save("XLMRoberta", pad_token_id=-1, eos_token_id=2)
    assert load([12])(torch.tensor([[3, 4] + [0] * 10])).isfinite().all()


def test_without_a_network_the_cache_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", fail)
    with pytest.raises(NnError, match=r"model\.name=a/b could not be loaded: .*\n.*needs a network the first time"):
        Pretrained.inferred(name="a/b", revision="auto", architecture="auto")
    assert constants.HF_HUB_OFFLINE


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    save("ViT")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(NnError, match=r"pip install 'nncli\[transformers\]'"):
        load([1, 8, 8])


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a client asks for: what a commit holds, and its files."""

    folder: Path
    asked: list[str]
    commit = "c" * 40

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/api/models/me/tiny"):
            files = [{"rfilename": path.name} for path in self.folder.iterdir()]
            self._send(
                json.dumps({"id": "me/tiny", "sha": self.commit, "siblings": files}).encode(), "application/json"
            )
        elif (path := self.folder / self.path.rpartition("/")[2]).is_file() and "/me/tiny/resolve/" in self.path:
            self._send(path.read_bytes(), "application/octet-stream")
        else:
            self.send_response(404)
            missing = "EntryNotFound" if "/me/tiny/" in self.path else "RepoNotFound"
            self.send_header("X-Error-Code", missing)
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        for key, value in (("ETag", f'"{len(content)}"'), ("X-Repo-Commit", self.commit), ("Content-Type", kind)):
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    Hub.folder, Hub.asked = tmp_path / "net", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_name_on_the_hub_is_pinned_fetched_and_kept_in_the_cache(tmp_path: Path, site: str) -> None:
    save("ViT")
    (tmp_path / "net" / "pytorch_model.bin").write_bytes(b"never fetched")
    Tokenizer(models.WordLevel({"a": 0, "<pad>": 1}, unk_token="a")).save("net/tokenizer.json")
    (tmp_path / "net" / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    (tmp_path / "try.py").write_text(
        "import warnings; warnings.simplefilter('error')\n"
        "from nncli.models.pretrained import Pretrained\n"
        "stated = {'name': 'me/tiny', 'revision': 'auto', 'architecture': 'auto', 'weights': True}\n"
        "found = stated | Pretrained.inferred(**stated)\n"
        "net = Pretrained(**found, input_shape=[1, 8, 8], num_outputs=3)\n"
        "net.load_first()\n"
        "print(found['revision'], net.notes[0])\n"
        "from nncli.data.text.pretrained_tokenizer import pretrained_tokenizer\n"
        "assert '<pad>' in pretrained_tokenizer('me/tiny')\n"
        "from huggingface_hub import constants\n"
        "constants.HF_HUB_OFFLINE = True\n"
        "Pretrained(**found, input_shape=[1, 8, 8], num_outputs=3).load_first()\n"
    )
    own = {"HF_ENDPOINT": site, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    env = os.environ | own | {"PYTHONPATH": str(Path(__file__).parents[2])}
    first = subprocess.run([sys.executable, "try.py"], env=env, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"{Hub.commit} model starts from me/tiny: 38 of 40 tensors")
    assert any(f"/resolve/{Hub.commit}/model.safetensors" in path for path in Hub.asked)
    assert not any(".bin" in path for path in Hub.asked)
