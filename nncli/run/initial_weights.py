"""Initial weights that are not random: from an earlier run, or from a file of tensors."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from nncli.config.build import build
from nncli.config.compose import Config, load_frozen
from nncli.config.origin import source
from nncli.config.slots import FIRST, is_net, parameters, target_class
from nncli.contracts import Derived, Published
from nncli.errors import CheckpointError, NnError, Problem
from nncli.files import ABSENT, home, named, refusal
from nncli.run import folder
from nncli.run.checkpoint import weights
from nncli.run.folder import RunFolder
from nncli.run.identity import read

FILE = ".safetensors"
PREFIXES = ("net.", "model.", "module.", "_orig_mod.")  # that other programs add to the names of a net's tensors
LISTED = 6  # tensors named in a message
WHOLE = "net"  # an argument of a net that is made from another one
FOLLOWS = {"num_outputs": "num_classes", "input_shape": "input_shape"}  # arguments that are facts of the data
NUMBERED = {"classes": "classes", "tokenizer": "tokens", "columns": "columns"}  # facts that a net knows by number


def resolve_init_from(config: Config) -> Config:
    """Each `init_from` as an absolute path; where a section lacks the net, it is that of the run that it names."""
    tree, problems, origins = config.tree.copy(), list(config.problems), dict(config.origins)
    reported = {problem.key for problem in problems}
    for slot, section in tree.items():
        key = f"{slot}.{FIRST}"
        if not (is_net(str(slot)) and isinstance(section, DictConfig) and FIRST in section) or key in reported:
            continue
        try:
            if section[FIRST] is None and _lacks_net(section):
                raise NnError(f"the net is that of an earlier run; name the run: {key}=RUN")
            if isinstance(section[FIRST], str):
                tree[slot] = _begun(section, config, follows=slot == "model")
                moved = {f"{slot}.{name}": f"{slot}.{WHOLE}.{name}" for name in section.keys() - tree[slot].keys()}
                origins |= {new: origins.pop(old) for old, new in moved.items() if old in origins}
        except NnError as error:
            origin = source(config.origins, key if section[FIRST] else str(slot))
            where, value = origin.where if origin else "", named(section[FIRST] or "")
            problems.append(Problem(key, value, where, "unusable-weights", str(error)))
            if section.get(WHOLE, "") is None:
                tree[slot]["_target_"] = "torch.nn.Identity"  # takes any argument, so that nothing else is reported
    return replace(config, tree=tree, problems=tuple(problems), origins=origins)


def _lacks_net(section: DictConfig) -> bool:
    """Whether a section is to describe the net of a run: without a _target_, or with null as the net inside."""
    return "_target_" not in section or (WHOLE in section and section[WHOLE] is None)


def _begun(section: DictConfig, config: Config, *, follows: bool) -> dict[str, Any]:
    """A net's section with an absolute path, and with the run's net if it has none of its own, changed as it says."""
    place, own = _place(section[FIRST]), cast(dict[str, Any], OmegaConf.to_container(section))
    if not _lacks_net(section):
        return own | {FIRST: str(place)}
    net = _net_of(place, config, follows=follows)
    net.pop(FIRST, None)
    if "_target_" in section:
        cls = target_class(own["_target_"], config.trust)
        takes = parameters(cls) if isinstance(cls, type) else own
        net = {key: own.pop(key) for key in list(own) if key == "_target_" or key in takes} | {WHOLE: net}
    for key, value in own.items():
        inside = net
        while key not in inside and isinstance(inside.get(WHOLE), dict):
            inside = inside[WHOLE]
        (inside if key in inside else net)[key] = value
    return net | {FIRST: str(place)}


def _place(name: str) -> Path:
    """The file or the run's folder of a name."""
    if not name.endswith(FILE):
        return folder.find(name).path.absolute()
    path = home(name).absolute()
    if why := refusal(path):
        raise NnError(f"the file {named(name)} does not exist" if why == ABSENT else f"{named(name)} {why}")
    return path


def _net_of(place: Path, config: Config, *, follows: bool) -> dict[str, Any]:
    """The model section of a run. With `follows`, arguments that depend on the data refer to the new data."""
    if place.suffix == FILE:
        raise NnError("a file of tensors does not describe its net; choose one, such as model=resnet")
    there = load_frozen(RunFolder(place).config, trust=config.trust).tree
    model = OmegaConf.select(there, "model")
    if not isinstance(model, DictConfig) or "_target_" not in model:
        raise NnError(
            f"the config of {RunFolder(place).name} describes no net under model; choose one, such as model=resnet"
        )
    net = inside = cast(dict[str, Any], OmegaConf.to_container(model, resolve=True))
    while follows and isinstance(inside, dict):
        for argument, fact in FOLLOWS.items():
            if argument in inside and inside[argument] == OmegaConf.select(there, f"data.{fact}"):
                inside[argument] = f"${{data.{fact}}}"
        inside = inside.get(WHOLE)
    return net


def first_weights(config: Config, task: nn.Module) -> list[str]:
    """Load the named weights into the task's nets; returns lines that say what was loaded from where."""
    notes: list[str] = []
    for slot, section in config.tree.items():
        if not (is_net(str(slot)) and isinstance(section, DictConfig)):
            continue
        nets = _nets(config, task, str(slot))
        if isinstance(section.get(FIRST), str):
            if not nets:
                raise NnError(f"{slot}.{FIRST} needs an argument of the task that is ${{{slot}}}, and there is none")
            place = Path(section[FIRST])
            tensors, where, facts = tensors_of(place)
            for net in nets:
                filled = _filled(net, section, config, tensors, f"{slot}.{FIRST} = {place}")
                other = _other_data(net, facts, cast(Any, task).facts, f"{slot}.{FIRST} = {place}")
                notes.append(f"{slot} starts from {where}: {filled}{other}")
        else:
            _require_trained(slot, nets)
            notes += [
                note for net in nets if isinstance(net, Published) for note in net.load_first(cast(Any, task).facts)
            ]
    return notes


def _filled(net: nn.Module, section: DictConfig, config: Config, tensors: dict[str, Tensor], asked: str) -> str:
    """Load the tensors into a net, or into the whole net that it is made from; returns a line about it."""
    if not isinstance(net, Derived) or tensors.keys() & net.state_dict().keys():
        return fill(net, tensors, asked)
    whole = build(section[WHOLE], config=config)
    return f"{fill(whole, tensors, asked)}; {net.derive(whole)}"


def _require_trained(slot: Any, nets: list[nn.Module]) -> None:
    """Raise NnError for a net that is not trained and has only random weights."""
    for net in nets:
        weights = list(net.parameters())
        if weights and not any(weight.requires_grad for weight in weights) and not isinstance(net, Published):
            raise NnError(f"the net under {slot} is not trained, so it needs trained weights: {slot}.{FIRST}=RUN")


def _other_data(net: nn.Module, there: dict[str, Any], here: dict[str, Any], asked: str) -> str:
    """A note on facts of the net's data that differ from those of the new data; a frozen net is refused."""
    odd = [what for fact, what in NUMBERED.items() if fact in there.keys() & here and there[fact] != here[fact]]
    if not odd:
        return ""
    if any(weight.requires_grad for weight in net.parameters()):
        return f"; it was trained with other {' and '.join(odd)}"
    raise NnError(
        f"{asked}: it was trained with other {' and '.join(odd)} than this data's, so its outputs mean something else"
    )


def _nets(config: Config, task: nn.Module, slot: str) -> list[nn.Module]:
    """The nets of the task that a section describes."""
    arguments = cast(dict[str, Any], OmegaConf.to_container(config.tree.task, resolve=False))
    names = [name for name, value in arguments.items() if value == f"${{{slot}}}"]
    if missing := [name for name in names if not isinstance(getattr(task, name, None), nn.Module)]:
        kind = type(task).__name__
        raise NnError(
            f"{kind} stores its argument {missing[0]} under another name; write self.{missing[0]} = {missing[0]}"
        )
    return [getattr(task, name) for name in names]


def tensors_of(place: Path) -> tuple[dict[str, Tensor], str, dict[str, Any]]:
    """The net's tensors in a run's best weights or in a file, a description, and the facts of that run's data."""
    if not place.exists():
        raise CheckpointError(f"{place} no longer exists, but the initial weights are to be loaded from it")
    if place.suffix == FILE:
        return _from_file(place), place.name, {}
    run = RunFolder(place)
    file = next((f for name in ("best", "last") if (f := run.checkpoints / f"{name}.ckpt").is_file()), None)
    if file is None:
        raise CheckpointError(f"{run.name} has no weights yet. Train it: nn resume {run.name}")
    state = read(file, run)
    net = {name.removeprefix("net."): value for name, value in weights(state).items() if name.startswith("net.")}
    return _tensors(net), f"the {file.stem} weights of {run.name}", state.get("facts", {})


def _tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """Only the tensors of a module's state."""
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}


def _from_file(place: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(place)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{place} cannot be read: {str(error).splitlines()[0]}") from error


def fill(net: nn.Module, tensors: dict[str, Tensor], asked: str) -> str:
    """Copy each tensor that fits by name and shape; returns a line that says what was copied and what was not."""
    own = _tensors(net.state_dict())
    renamed = _named_as(own, tensors)
    fits = {name: tensor for name, tensor in renamed.items() if name in own and own[name].shape == tensor.shape}
    if not any(tensor.is_floating_point() and tensor.ndim > 1 for tensor in fits.values()):
        raise NnError(
            f"{asked}: none of its weights fits this net ({type(net).__name__}): it has {_few(tensors)}, "
            f"the net has {_few(own)}. To use the net of a run, choose model=earlier"
        )
    net.load_state_dict(fits, strict=False)
    anew = [f"{name} {_size(own[name])}{_there(renamed, name)}" for name in own if name not in fits]
    begins = f"; newly initialized: {_listed(anew)}" if anew else ""
    unused = [name for name in renamed if name not in own]
    return f"{len(fits)} of {len(own)} tensors{begins}" + (f"; unused: {_listed(unused)}" if unused else "")


def _named_as(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without a prefix that all their names share and the net's do not."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors) and not any(name.startswith(prefix) for name in own):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _there(tensors: dict[str, Tensor], name: str) -> str:
    return f" (there {_size(tensors[name])})" if name in tensors else ""


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "1"


def _few(tensors: dict[str, Tensor]) -> str:
    return _listed([f"{name} {_size(tensor)}" for name, tensor in tensors.items()], 2)


def _listed(names: list[str], most: int = LISTED) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
