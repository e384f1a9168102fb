"""The seed of all random choices."""

from typing import Annotated

from annotated_types import Interval

Seed = Annotated[int, Interval(ge=0, le=2**63 - 1)]  # the largest that torch's generators accept
