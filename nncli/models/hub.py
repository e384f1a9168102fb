"""Find and read a model of the `transformers` library on the hub or in a folder, without running code or pickle."""

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
# keys of a model's config about files, code and classes, not about the net
BESIDE = (
    *("auto_map", "dtype", "id2label", "label2id", "output_attentions", "output_hidden_states"),
    *("problem_type", "return_dict", "torch_dtype", "transformers_version", "use_return_dict"),
    *("attn_implementation", "experts_implementation"),  # may name code on the hub
    *("checkpoint_path", "quantization_config"),  # a pickle that timm would load; how to quantize what is loaded
    *("transformers_weights", "names_file"),  # names of files
)
HEADS = {"pictures": "AutoModelForImageClassification", "texts": "AutoModelForSequenceClassification"}
INDEX, ADAPTER = "model.safetensors.index.json", "adapter_config.json"
ELSEWHERE = re.compile(r"(?:hf[-_]hub|local-dir|https?|file|s3):", re.IGNORECASE)  # addresses that timm and others open
PATIENCE = 10.0  # seconds that the hub has to name a commit
NO_PICKLE = (
    "model.name={name} has no safetensors. Pickled weights (.bin) can run code and are not read; if you trust them:\n"
    '  python -c "from transformers import AutoModel as A; A.from_pretrained({name!r}).save_pretrained({new!r})"\n'
    "  and then set model.name=./{new}"
)
HINT = (
    "a model on the hub needs a network the first time, and its exact name, such as google/vit-base-patch16-224; "
    "if you have its files, set model.name=FOLDER"
)

HERE = "check its files: config.json and model.safetensors must be as save_pretrained wrote them"


def library() -> Any:
    """`transformers`, without output, telemetry, or requests to the hub to convert a model."""
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
    for name in ("huggingface_hub", "torchao", "torch.utils._pytree"):  # torchao, if installed, complains of CPUs
        logging.getLogger(name).setLevel(logging.ERROR)
    transformers.logging.disable_progress_bar()
    if not sys.stderr.isatty():
        disable_progress_bars()  # those of downloads
    return transformers


def place(name: str | None) -> Path | str:
    """The folder that a name refers to, or the name itself if it is one on the hub."""
    if name is None:
        raise NnError("model.name is null; set model.name=google/vit-base-patch16-224 or another model, or a folder")
    folder = home(name)
    if why := peculiar(folder):
        raise NnError(f"model.name={named(name)} {why}; name a folder that save_pretrained wrote")
    if folder.is_dir():
        if link := straying_link(folder):
            raise NnError(
                f"model.name={name} has a link that leads out of its folder, {link.name}; replace it by the file"
            )
        if not (folder / "config.json").is_file():
            raise NnError(f"model.name={name} is a folder without config.json; name one that save_pretrained wrote")
        return folder
    if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        what = "is not a folder" if folder.exists() else "does not exist"
        raise NnError(f"model.name={named(name)} {what}, nor is it a name such as google/vit-base-patch16-224")
    return name


def pinned(name: str | None) -> str | None:
    """The commit of the hub's repository that is loaded; None for a folder, or if only the cache is available."""
    if isinstance(place(name), Path):
        return None
    library()
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        return None
    with loading(name):
        try:
            return HfApi().model_info(str(name), timeout=PATIENCE).sha
        except HfHubHTTPError:  # an answer of the hub itself
            raise
        except Exception:  # no network: the errors of many clients have no common class
            constants.HF_HUB_OFFLINE = True  # otherwise every file is requested six times within half a minute
            return None


def described(name: str | None, revision: str | None) -> dict[str, Any]:
    """A model's config with all of its values, in plain types; nothing in it names code."""
    where = place(name)
    transformers = library()
    with loading(name), alone(f"model.name={name}") if isinstance(where, Path) else nullcontext():
        values, _ = transformers.PreTrainedConfig.get_config_dict(str(where), revision=revision or "main")
        kind = values.get("model_type")
        known = kind in transformers.CONFIG_MAPPING
    if not known:
        if "auto_map" in values:
            raise NnError(f"model.name={name} brings code of its own, which is not run; use a model without")
        raise NnError(
            f"model.name={name} has the model type {kind}, unknown to transformers {transformers.__version__}; "
            "a newer version may know it: pip install -U transformers"
        )
    if "quantization_config" in values:
        raise NnError(f"model.name={name} has quantized weights, which cannot be trained; use the full ones")
    with loading(name):
        return _clean(json.loads(config_of(values).to_json_string(use_diff=False)))


def config_of(values: dict[str, Any]) -> Any:
    """A config of the library's own class for this type of model."""
    transformers, kind = library(), values["model_type"]
    if not any(
        transformers.CONFIG_MAPPING[kind] in getattr(transformers, head)._model_mapping for head in HEADS.values()
    ):
        raise NnError(f"the library has no classifier for the model type {kind}; use another model")
    plain = _clean(values)
    if address := next((text for text in _texts(plain) if ELSEWHERE.match(text)), None):
        raise NnError(f"the model's config names {named(address)}; only the model's own files are read")
    with alone("the model's config"):
        config = transformers.CONFIG_MAPPING[kind].from_dict(plain)
    config.architectures = config.architectures or []  # which of the library's classes was saved
    return config


def _clean(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _clean(v) for k, v in values.items() if k not in BESIDE and not k.startswith("_")}
    return [_clean(value) for value in values] if isinstance(values, list) else values


def fact(config: Any, name: str) -> Any:
    """A value of a model's config, or of the part of it for pictures or texts."""
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
    """Make no requests to the hub, whatever a config names."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Make no network requests, whatever the files that are read name."""
    with offline(), no_network(what):
        yield


def check_files(name: str | None, revision: str | None) -> None:
    """Refuse weights that are not safetensors, that refer to files elsewhere, or that adapt another model."""
    folder = place(name)
    if _file(folder, ADAPTER, revision):
        raise NnError(
            f"model.name={name} contains {ADAPTER}: it is an adapter of another model; merge the two once "
            "(merge_and_unload of the peft library), save the result and name its folder"
        )
    if index := _file(folder, INDEX, revision):
        _check_index(name, index)
    if isinstance(folder, str) or any(folder.glob("*.safetensors")):
        return
    if not any(folder.glob("*.bin")):
        raise NnError(
            f"model.name={name} has no weights; name a folder with model.safetensors, or set model.weights=false"
        )
    raise NnError(NO_PICKLE.format(name=name, new="converted"))


def _file(where: Path | str, name: str, revision: str | None) -> Path | None:
    """A file of a folder, or of the hub's repository; None if it does not exist or the hub cannot be reached."""
    if isinstance(where, Path):
        return where / name if (where / name).is_file() else None
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(where, name, revision=revision))
    except Exception:  # missing, or no network: then the library, which requests it again, fails as well
        return None


def _check_index(name: str | None, index: Path) -> None:
    """The index may only name safetensors files in its own folder."""
    try:
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise NnError(f"model.name={name} has a broken {INDEX}; download it again") from problem
    for part in parts:
        if not isinstance(part, str) or not re.fullmatch(r"[\w.-]+\.safetensors", part):
            raise NnError(f"model.name={name}: {INDEX} names {named(str(part))}; only safetensors beside it are read")


@contextmanager
def loading(name: str | None, hint: str = "") -> Iterator[None]:
    """Turn whatever the library raises into one readable message, and ignore its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except NnError:
        raise
    except Exception as problem:  # the errors of a network client and a hundred model types have no common class
        why = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
        if "safetensors" in why:
            raise NnError(NO_PICKLE.format(name=name, new="converted")) from problem
        hint = hint or (HERE if name is not None and home(name).is_dir() else HINT)
        raise NnError(f"model.name={name} could not be loaded: {type(problem).__name__}: {why}\n  {hint}") from problem
