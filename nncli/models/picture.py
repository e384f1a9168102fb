"""The check of `input_shape` by every net for pictures before anything is built."""

from nncli.errors import NnError


def picture(model: str, input_shape: list[int], least: int = 1, otherwise: str = "model=lenet5 takes any") -> list[int]:
    """Height and width of `input_shape`, channels first; `least` is the smallest side that the net accepts."""
    if len(input_shape) != 3:
        raise NnError(f"model={model} takes pictures (channels, height, width), not input_shape {input_shape}")
    if min(input_shape[1:]) < least:
        raise NnError(
            f"model={model} needs pictures of {least}x{least} or more, not input_shape {input_shape}; {otherwise}"
        )
    return input_shape[1:]
