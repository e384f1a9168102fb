"""Finding and reading a model of the `transformers` library: on the hub, or in a folder. No code, no pickle."""

import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from nncli.errors import NnError
from nncli.files import home, named, peculiar, straying_link
from nncli.network import no_network

INSTALL = "model=pretrained needs Hugging Face's library: pip install 'nncli[transformers]'"
# of a model's description: what is about files, code and classes, not about the net
BESIDE = (
    *("auto_map", "dtype", "id2label", "label2id", "output_attentions", "output_hidden_states"),
    *("problem_type", "return_dict", "torch_dtype", "transformers_version", "use_return_dict"),
    *("attn_implementation", "experts_implementation"),  # may name code on the hub
    *("checkpoint_path", "quantization_config"),  # a pickle that timm would load; how to round what is loaded
    *("transformers_weights", "names_file"),  # names of files
)
HEADS = {"pictures": "AutoModelForImageClassification", "texts": "AutoModelForSequenceClassification"}
INDEX, ADAPTER = "model.safetensors.index.json", "adapter_config.json"
ELSEWHERE = re.compile(
    r"(?:hf[-_]hub|local-dir|https?|file|s3):", re.IGNORECASE
)  # addresses that timm and others follow
PATIENCE = 10.0  # seconds that the hub may take to name a commit
NO_PICKLE = (
    "model.name={name} has no safetensors. Those as pickle (.bin) can hold code and are not read; if you trust them:\n"
    '  python -c "from transformers import AutoModel as A; A.from_pretrained({name!r}).save_pretrained({new!r})"\n'
    "  and then model.name=./{new}"
)
HINT = (
    "a model on the hub needs a network the first time, and its exact name, such as google/vit-base-patch16-224; "
    "with its files at hand, say model.name=FOLDER"
)

HERE = "look at its files: config.json and model.safetensors must be as save_pretrained wrote them"


def library() -> Any:
    """`transformers`, quiet, without telling anybody what is loaded, and asking nobody to convert a model."""
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "true")
    try:
        import transformers
        from huggingface_hub import constants
        from huggingface_hub.utils import disable_progress_bars
    except ImportError as problem:
        raise NnError(INSTALL) from problem
    constants.HF_HUB_DISABLE_TELEMETRY = (
        True  # here, as its variable is read long before: Lightning's metrics import it
    )
    transformers.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    transformers.logging.disable_progress_bar()
    if not sys.stderr.isatty():
        disable_progress_bars()  # those of downloads
    return transformers


def place(name: str | None) -> Path | str:
    """The folder that a name means, or the name as one of the hub."""
    if name is None:
        raise NnError("model.name is not given; say model.name=google/vit-base-patch16-224 or another, or a folder")
    folder = home(name)
    if why := peculiar(folder):
        raise NnError(f"model.name={named(name)} {why}; give a folder that save_pretrained wrote")
    if folder.is_dir():
        if link := straying_link(folder):
            raise NnError(
                f"model.name={name} has a link that leads out of its folder, {link.name}; put the file in its place"
            )
        if not (folder / "config.json").is_file():
            raise NnError(f"model.name={name} is a folder without config.json; give one that save_pretrained wrote")
        return folder
    if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        what = "is no folder" if folder.exists() else "is not there"
        raise NnError(f"model.name={named(name)} {what}, and no name on the hub, such as google/vit-base-patch16-224")
    return name


def pinned(name: str | None) -> str | None:
    """The commit of the hub's repository that is loaded; nothing for a folder, or where only the cache is at hand."""
    if isinstance(place(name), Path):
        return None
    library()
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        return None
    with told(name):
        try:
            return HfApi().model_info(str(name), timeout=PATIENCE).sha
        except HfHubHTTPError:  # the hub's own answer
            raise
        except Exception:  # no network: a client of many kinds of them, and no common class
            constants.HF_HUB_OFFLINE = True  # else every file is asked for six times in half a minute
            return None


def described(name: str | None, revision: str | None) -> dict[str, Any]:
    """A model's config with every value there is to it, in plain values; nothing in it names code."""
    where = place(name)
    transformers = library()
    with told(name), alone(f"model.name={name}") if isinstance(where, Path) else nullcontext():
        given, _ = transformers.PreTrainedConfig.get_config_dict(str(where), revision=revision or "main")
        kind = given.get("model_type")
        known = kind in transformers.CONFIG_MAPPING
    if not known:
        if "auto_map" in given:
            raise NnError(f"model.name={name} brings code of its own, which is not run; take a model without")
        raise NnError(
            f"model.name={name} is of the kind {kind}, unknown to transformers {transformers.__version__}; "
            "a newer one may know it: pip install -U transformers"
        )
    if "quantization_config" in given:
        raise NnError(f"model.name={name} has rounded (quantized) weights, which cannot be trained; take the full ones")
    with told(name):
        return _clean(json.loads(config_of(given).to_json_string(use_diff=False)))


def config_of(values: dict[str, Any]) -> Any:
    """A config of the library's own class for this kind of model."""
    transformers, kind = library(), values["model_type"]
    if not any(
        transformers.CONFIG_MAPPING[kind] in getattr(transformers, head)._model_mapping for head in HEADS.values()
    ):
        raise NnError(f"a model of the kind {kind} has no form that tells classes; take one that does")
    plain = _clean(values)
    if address := next((text for text in _texts(plain) if ELSEWHERE.match(text)), None):
        raise NnError(f"the model's description names {named(address)}; nothing but its own files is read")
    with alone("the model's description"):
        config = transformers.CONFIG_MAPPING[kind].from_dict(plain)
    config.architectures = config.architectures or []  # of the library's own classes the one that was saved, if it fits
    return config


def _clean(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _clean(v) for k, v in values.items() if k not in BESIDE and not k.startswith("_")}
    return [_clean(value) for value in values] if isinstance(values, list) else values


def fact(config: Any, name: str) -> Any:
    """A number of a model's config; of one with several parts, that of the part which reads."""
    parts = (config, *(getattr(config, part, None) for part in ("vision_config", "text_config")))
    return next((value for part in parts if (value := getattr(part, name, None)) is not None), None)


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _texts(value)
    elif isinstance(values, str):
        yield values


@contextmanager
def offline() -> Iterator[None]:
    """Ask the hub for nothing, whatever a description names."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Ask nobody for anything, whatever is named in what is read."""
    with offline(), no_network(what):
        yield


def check_files(name: str | None, revision: str | None) -> None:
    """Refuse weights that are no safetensors, that name files elsewhere, or that belong to another model."""
    folder = place(name)
    if _file(folder, ADAPTER, revision):
        raise NnError(
            f"model.name={name} holds {ADAPTER}: it is an adapter, which names another model to load; merge the two "
            "once (merge_and_unload of the peft library), save the result and give its folder"
        )
    if index := _file(folder, INDEX, revision):
        _check_index(name, index)
    if isinstance(folder, str) or any(folder.glob("*.safetensors")):
        return
    if not any(folder.glob("*.bin")):
        raise NnError(f"model.name={name} has no weights; give a folder with model.safetensors, or model.weights=false")
    raise NnError(NO_PICKLE.format(name=name, new="converted"))


def _file(where: Path | str, name: str, revision: str | None) -> Path | None:
    """A file of a folder, or of the hub's repository; None where there is none, or nobody knows."""
    if isinstance(where, Path):
        return where / name if (where / name).is_file() else None
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(where, name, revision=revision))
    except Exception:  # none there, or no network: then the library, which asks for it again, gets no further either
        return None


def _check_index(name: str | None, index: Path) -> None:
    """The parts that weights are in must be safetensors beside the index."""
    try:
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise NnError(f"model.name={name} has a broken {INDEX}; fetch it again") from problem
    for part in parts:
        if not isinstance(part, str) or not re.fullmatch(r"[\w.-]+\.safetensors", part):
            raise NnError(f"model.name={name}: {INDEX} names {named(str(part))}; only safetensors beside it are read")


@contextmanager
def told(name: str | None, hint: str = "") -> Iterator[None]:
    """Whatever the library raises, as one message for a person; its warnings are not for them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except NnError:
        raise
    except Exception as problem:  # a network client and a hundred kinds of models: no common class
        why = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
        if "safetensors" in why:
            raise NnError(NO_PICKLE.format(name=name, new="converted")) from problem
        hint = hint or (HERE if name is not None and home(name).is_dir() else HINT)
        raise NnError(f"model.name={name} could not be loaded: {type(problem).__name__}: {why}\n  {hint}") from problem
