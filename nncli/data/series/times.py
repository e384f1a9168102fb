"""Times of a series as text: their format, their place on one scale, and those that follow."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y-%m",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%Y%m%d",
)
LOOK = 1000  # rows from which the time format is detected


def moment(text: str | int | float, form: str | None) -> float:
    """A time in text form on the scale of `stamps`."""
    import polars as pl

    column = pl.Series([str(text)])
    found = column.cast(pl.Float64, strict=False) if form is None else parsed(column, form)
    if found[0] is None and form is not None:
        found = parsed(column, form_of(column) or form)
    if found[0] is None:
        raise DataError(f"data.borders: {text} is no time")
    return float(found[0])


def form_of(column: "pl.Series") -> str | None:
    """The format that fits most times of a column, and at least half of them.

    Of two formats that fit equally, such as day and month of 3/4/2020, it is the one in which times increase.
    """
    head = column.head(LOOK).drop_nulls()
    tried = [(form, parsed(head, form)) for form in FORMATS]
    fits = [(stamps.null_count(), not stamps.drop_nulls().is_sorted(), form) for form, stamps in tried]
    wrong, _, form = min(fits, key=lambda fit: fit[:2])
    return form if wrong * 2 < len(head) else None


def parsed(column: "pl.Series", form: str) -> "pl.Series":
    """Times in microseconds; null for cells of another format."""
    import polars as pl

    text, form = (column + "-01", f"{form}-%d") if form == "%Y-%m" else (column, form)
    zone: dict[str, Any] = {"time_zone": "UTC"} if form.endswith("%z") else {}
    return text.str.strip_chars().str.to_datetime(form, time_unit="us", strict=False, **zone).cast(pl.Int64)


def following(written: "pl.Series", form: str | None, count: int) -> list[str | None]:
    """The next `count` times after those of a column, which must increase.

    They are None where their steps are not equal, or a cell is no time. `form` is the usual format; times that do not
    have it are tried in others.
    """
    import polars as pl

    if form is None or parsed(written, form).has_nulls():
        form = form_of(written)
    stamps = parsed(written, form) if form else _numbers(written)
    if stamps.has_nulls():
        return [None] * count
    steps = stamps.diff().drop_nulls().to_numpy()
    if len(back := np.flatnonzero(steps <= 0)):
        row = int(back[0])
        raise DataError(
            f"column '{written.name}': {written[row + 1]} does not come after {written[row]}; "
            "the rows must be in the order of time, the newest last"
        )
    if form is None:
        even = len(steps) > 0 and np.allclose(steps, steps[0], atol=0)
        found = [stamps[-1] + steps[0] * k for k in range(1, count + 1)] if even else []
        return [f"{value:.12g}" if stamps.dtype.is_float() else str(value) for value in found] or [None] * count
    zone = "UTC" if form.endswith("%z") else None
    dates = stamps.cast(pl.Datetime("us", zone))
    step = _step(dates, steps)
    if step is None:
        return [None] * count
    ends = step.endswith("mo") and (dates == dates.dt.month_end()).all()
    start = pl.Series([dates[-1]], dtype=dates.dtype)
    start = start.dt.month_start() if ends else start
    found = pl.concat([start.dt.offset_by(f"{k * int(step[:-2])}{step[-2:]}") for k in range(1, count + 1)])
    return (found.dt.month_end() if ends else found).dt.to_string(form).to_list()


def as_written(column: "pl.Series") -> "pl.Series":
    """The cells of a column of times as text; times of a zone in UTC."""
    import polars as pl

    if not column.dtype.is_temporal():
        return column.cast(pl.String)
    return column.cast(pl.Datetime("us")).dt.to_string(FORMATS[0])


def _numbers(written: "pl.Series") -> "pl.Series":
    """Whole numbers exactly, or any numbers."""
    import polars as pl

    cells = written.str.strip_chars()
    whole = cells.cast(pl.Int64, strict=False)
    return cells.cast(pl.Float64, strict=False) if whole.has_nulls() else whole


def _step(dates: "pl.Series", steps: np.ndarray) -> str | None:
    """The step between dates, in microseconds or in months (12us, 3mo); None if it is not always the same."""
    if not len(steps):
        return None
    months = np.diff((dates.dt.year() * 12 + dates.dt.month()).to_numpy())
    days = dates.dt.day().n_unique() == 1 or (dates == dates.dt.month_end()).all()
    if days and months[0] and dates.dt.time().n_unique() == 1 and (months == months[0]).all():
        return f"{int(months[0])}mo"
    return f"{int(steps[0])}us" if (steps == steps[0]).all() else None
