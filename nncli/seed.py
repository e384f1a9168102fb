"""What every random choice begins with."""

from typing import Annotated

from annotated_types import Interval

Seed = Annotated[int, Interval(ge=0, le=2**63 - 1)]  # torch's generators take no larger one
