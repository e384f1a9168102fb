"""A net of the `transformers` library from the hub or a folder, with an output layer of the size of the task.

B batch, C channels, H W size, T tokens.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from nncli.errors import NnError
from nncli.models.hub import HEADS, alone, check_files, config_of, described, fact, library, loading, pinned, place

PAD = 0  # the id that pads short rows
SPARE = 4  # the most positions of a text that nets reserve for themselves
SHORT = 8  # tokens of a dummy text
LISTED = 6  # weights named in a note


class Pretrained(nn.Module):
    """Pictures (B, C, H, W) or token ids (B, T) to scores (B, num_outputs), by the net that `architecture` describes.

    It is built with random weights; `load_first` replaces them by the published ones, except in an output layer of
    another size. A run can therefore be resumed without the model's folder and without a network. Only safetensors are
    read, and no code of a model's authors is run.

    Id 0 pads short rows and is swapped with the padding id of the net, as in the ids of `data.tokenizer.tokens=NAME`. A
    grey picture is repeated in each channel of the net.
    """

    def __init__(
        self,
        name: str | None,
        revision: str | None,
        weights: bool,
        architecture: dict[str, Any] | Literal["auto"],
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
    ) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.revision = None if revision == "auto" else revision
        self.notes: list[str] = []  # about the initial weights, for the user
        self.input_shape = list(input_shape)
        self.reads = "pictures" if len(input_shape) == 3 else "texts"
        if architecture == "auto":
            architecture = described(name, self.revision)
        self.order = InOrder()
        with loading(name, "model.architecture=auto reads the model's own config.json"):
            self.net = self._built(architecture, num_outputs)
        self.fill = _fill(self.net.config) if self.reads == "texts" else PAD
        self.options: dict[str, Any] = {}  # further arguments of the net's forward
        self.channels = fact(self.net.config, "num_channels")
        self._check_picture() if self.reads == "pictures" else self._check_length()
        self.order.take(self.net)

    @staticmethod
    def inferred(*, name: str | None, revision: str | None, architecture: Any, **_: Any) -> dict[str, Any]:
        """The values of the arguments that are `auto`, for this model."""
        values: dict[str, Any] = {}
        if revision == "auto":
            revision = pinned(name)
            values |= {"revision": revision} if revision else {}
        if architecture == "auto":
            values["architecture"] = described(name, revision)
        return values

    def load_first(self, facts: Mapping[str, Any] | None = None) -> list[str]:
        """Load the published weights for a new run, whose data has the given `facts`. Returns `notes`."""
        if self.reads == "texts" and facts is not None:
            self._check_tokens(facts)
        if not self.weights:
            return self.notes
        check_files(self.name, self.revision)
        where = place(self.name)
        with loading(self.name), alone(f"model.name={self.name}") if isinstance(where, Path) else nullcontext():
            published, info = self._auto().from_pretrained(
                str(where),
                config=copy.deepcopy(self.net.config),
                revision=self.revision or "main",
                use_safetensors=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
        self._take(
            published.state_dict(), set(info["missing_keys"]), {row[0]: row[1] for row in info["mismatched_keys"]}
        )
        return self.notes

    def forward(self, x: Tensor) -> Tensor:
        if self.reads == "pictures":
            if x.shape[1] == 1 and self.channels:
                x = x.expand(-1, self.channels, -1, -1)
            return self.net(pixel_values=x, **self.options).logits
        there_BT = x != PAD
        if self.fill != PAD:
            x = torch.where(there_BT, torch.where(x == self.fill, PAD, x), self.fill)
        return self.net(input_ids=x, attention_mask=there_BT.long()).logits

    def _auto(self) -> Any:
        return getattr(library(), HEADS[self.reads])

    def _built(self, architecture: dict[str, Any], num_outputs: int) -> Any:
        config = config_of(architecture)
        config.num_labels = num_outputs
        if type(config) not in self._auto()._model_mapping:
            other = "texts" if self.reads == "pictures" else "pictures"
            raise NnError(
                f"model.name={self.name} has the model type {config.model_type}, which reads {other}; "
                f"the data's input_shape {self.input_shape} needs a classifier of {self.reads}"
            )
        with alone(f"model.name={self.name}"):
            return self._auto().from_config(config)

    def _take(self, published: dict[str, Tensor], missing: set[str], sizes: dict[str, Any]) -> None:
        """Copy the weights that fit, and note which are newly initialized."""
        own = self.net.state_dict()
        fits = {key: w for key, w in published.items() if key in own and key not in missing and key not in sizes}
        if not any(tensor.is_floating_point() and tensor.ndim > 1 for tensor in fits.values()):
            raise NnError(
                f"none of the weights of model.name={self.name} fits the net that model.architecture describes; "
                "set model.architecture=auto, or model.weights=false to train from scratch"
            )
        self.net.load_state_dict(fits, strict=False)
        anew = [f"{key} {_size(own[key].shape)}{_there(sizes, key)}" for key in own if key not in fits]
        more = f" and {len(anew) - LISTED} more" if len(anew) > LISTED else ""
        begins = f"; newly initialized: {', '.join(anew[:LISTED])}{more}" if anew else ""
        self.notes.append(f"model starts from {self.name}: {len(fits)} of {len(own)} tensors{begins}")

    def _check_picture(self) -> None:
        channels, *size = self.input_shape
        if self.channels not in (None, channels) and channels != 1:
            raise NnError(
                f"model.name={self.name} takes pictures of {self.channels} channels, not of {channels}; "
                f"set data.channels={self.channels} if the data has this key"
            )
        stated = fact(self.net.config, "image_size")
        made_for = [stated, stated] if isinstance(stated, int) else list(stated or size)
        if made_for != size and "interpolate_pos_encoding" in signature(self.net.forward).parameters:
            self.options = {"interpolate_pos_encoding": True}
            self.notes.append(f"model was made for pictures of {_size(made_for)}: its positions are interpolated")
        other = f"set data.size={str(made_for).replace(' ', '')}" if made_for != size else "set a larger data.size"
        self._try(
            torch.zeros(1, *self.input_shape),
            f"does not accept pictures of {_size(size)}; {other} if the data has this key, or use another model",
        )

    def _check_length(self) -> None:
        length, most = self.input_shape[0], fact(self.net.config, "max_position_embeddings")
        if most is None or length <= most - SPARE:
            self._try(torch.ones(1, min(length, SHORT), dtype=torch.long), "cannot be used to classify texts")
            return
        self._try(
            torch.ones(1, length, dtype=torch.long),
            f"has positions for {most} tokens, and data.tokenizer.max_length is {length}; "
            f"set data.tokenizer.max_length={most // 16 * 16}",
        )

    def _try(self, x: Tensor, otherwise: str) -> None:
        """A dummy sample forward and backward: whether the net accepts it, and which weights are not used.

        Several devices would wait for the gradients of unused weights, such as those of mask tokens.
        """
        self.net.eval()
        try:
            with torch.enable_grad():
                self(x).sum().backward()
        except Exception as error:  # the errors of a hundred model types have no common class
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise NnError(f"model.name={self.name} {otherwise} ({why})") from error
        finally:
            self.net.train()
        for weight in self.net.parameters():
            weight.requires_grad_(weight.grad is not None)
            weight.grad = None

    def _check_tokens(self, facts: Mapping[str, Any]) -> None:
        """Token ids must mean what they meant when the weights were trained."""
        if "tokenizer" not in facts:
            raise NnError("model=pretrained reads pictures or texts, and this data has neither; set model=mlp")
        tokenizer = json.loads(facts["tokenizer"])
        padding = tokenizer.get("padding")  # only the tokenizer of a model defines its padding
        if self.weights and padding is None:
            raise NnError(
                f"model.name={self.name} was trained with its own token ids, and data.tokenizer.tokens makes others; "
                f"set data.tokenizer.tokens={self.name}, or model.weights=false to train from scratch"
            )
        if padding is not None and padding["pad_id"] != self.fill:
            raise NnError(
                f"data.tokenizer.tokens pads with {padding['pad_id']}, model.name={self.name} with {self.fill}: "
                f"they do not belong together; set data.tokenizer.tokens={self.name}"
            )
        count, most = len(tokenizer["model"]["vocab"]), fact(self.net.config, "vocab_size")
        if most is not None and count > most:
            raise NnError(
                f"the data has {count} tokens, model.name={self.name} knows {most}; "
                f"set data.tokenizer.tokens={self.name}, or data.tokenizer.vocab_size={most} with model.weights=false"
            )


class InOrder(nn.ModuleList):
    """The layers of a net in their order, for reading; the net itself owns them."""

    def __init__(self) -> None:
        super().__init__()
        self._layers: tuple[nn.Module, ...] = ()  # a tuple, so that torch does not register them

    def take(self, net: nn.Module) -> None:
        """Set the layers with trainable weights, preceded by all other weights."""
        learning = [layer for layer in layers(net) if any(weight.requires_grad for weight in layer.parameters())]
        inside = {id(weight) for layer in learning for weight in layer.parameters()}
        loose = [weight for weight in net.parameters() if id(weight) not in inside]
        self._layers = (*([nn.ParameterList(loose)] if loose else []), *learning)

    def children(self) -> Iterator[nn.Module]:
        return iter(self._layers)


def layers(module: nn.Module, lists: int = 0) -> list[nn.Module]:
    """Layers and blocks in their order. Modules that contain a list of blocks are opened, and so are its stages."""
    base = getattr(module, "base_model", None)  # some nets define their output layer before it
    found: list[nn.Module] = []
    for child in sorted(module.children(), key=lambda child: child is not base):
        inside = child.modules() if lists == 0 else (child, *child.children()) if lists == 1 else ()
        found += layers(child, lists + _of_blocks(child)) if any(map(_of_blocks, inside)) else [child]
    return found


def _of_blocks(module: nn.Module) -> bool:
    plain = isinstance(module, nn.ModuleList | nn.Sequential)
    return plain and any(True for item in module.children() for _ in item.children())


def _fill(config: Any) -> int:
    """The id that pads short rows; for a net without one, the id that ends a text."""
    for name in ("pad_token_id", "eos_token_id"):
        token = fact(config, name)
        token = token[0] if isinstance(token, list) and token else token
        if isinstance(token, int) and token >= 0:  # some have -1 for none
            config.pad_token_id = token
            return token
    raise NnError(f"the model type {config.model_type} has no token that pads short rows; use another model")


def _size(shape: Any) -> str:
    return "×".join(map(str, shape)) or "1"


def _there(sizes: dict[str, Any], key: str) -> str:
    return f" (there {_size(sizes[key])})" if key in sizes else ""
