"""What `nn data show` prints and draws."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nncli.config.compose import Config
    from nncli.insight.source import Data

CLASSES = 20  # that are printed
COLUMNS = 60  # of a table that are printed
WIDE = 8  # columns of the first rows that are printed
LONG = 200  # characters of a value that are too many to print
CELL = 40  # characters of a name or value in a table
BAR = 30  # characters of the longest bar


def draw(
    config: "Config", data: "Data", told: dict[str, Any], out: str, augmented: bool, screen: "Console"
) -> "tuple[Path | None, Text | None]":
    """The file that the pictures were saved in, and the pictures in characters where a terminal can show them."""
    from nncli.errors import NnError
    from nncli.insight.data_pictures import drawing
    from nncli.insight.pictures import half_blocks
    from nncli.insight.png import save

    sheet, pictures = drawing(config, data, told["part"], told["kind"], augmented)
    if sheet is None and (augmented or out):
        what = "--augmented" if augmented else "--out"
        raise NnError(f"{what} is for images and series; the kind of this data is {told['kind']}")
    if sheet is None:
        return None, None
    strip = half_blocks(pictures, screen.width) if pictures and screen.is_terminal else None
    path = Path(out).expanduser() if out else Path("data_show") / f"{told['name']}{'-augmented' * augmented}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NnError(f"{path} cannot be written: {error.strerror or error}") from error
    save(sheet, path)
    return path, strip


def tell(told: dict[str, Any], screen: "Console", data: "Data", strip: "Text | None") -> None:
    """Print all of it."""
    from nncli.config.origin import spelled

    screen.print(f"{told['name']} · {told['kind']}", style="bold")
    _parts(told["parts"], screen)
    found = {key: value for key, value in told["found"].items() if len(str(value)) < LONG}
    if found:
        words = ", ".join(f"data.{key}={spelled(value)}" for key, value in found.items())
        screen.print(f"found {words}", soft_wrap=True)
    _classes(told["parts"], screen)
    if "rows" in told:
        _columns(told["columns"], screen)
        _rows(told["rows"], screen)
    elif "columns" in told:
        _ranges(told["columns"], screen, data)
    if "texts" in told:
        _texts(told, screen)
    if strip is not None:
        screen.print(strip, end="")
    if "picture" in told:
        screen.print("picture", told["picture"], soft_wrap=True)


def _parts(parts: dict[str, Any], screen: "Console") -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, part in parts.items():
        x, y = ([*part[side]["shape"], part[side]["type"]] for side in ("input", "target"))
        shapes = [" ".join([" × ".join(map(str, shape[:-1])), shape[-1]]).strip() for shape in (x, y)]
        rests = f"{in_bytes(part['bytes'])} in {part['rests']}"
        table.add_row(f"  {name}", f"{part['samples']:,} samples", f"{shapes[0]} → {shapes[1]}", rests)
        if "mean" in part["target"]:
            span = {key: f"{part['target'][key]:.4g}" for key in ("min", "mean", "max")}
            table.add_row("", "", "target " + ", ".join(f"{key} {text}" for key, text in span.items()), "")
    screen.print(table)


def _classes(parts: dict[str, Any], screen: "Console") -> None:
    """How often each class occurs in each part, and a bar for the first part."""
    from rich.table import Table

    counts = {name: part["classes"] for name, part in parts.items() if "classes" in part}
    if not counts:
        return
    names = list(dict.fromkeys(label for classes in counts.values() for label in classes))
    first = next(iter(counts.values()))
    most = max(first.values())
    table = Table.grid(padding=(0, 2))
    table.add_row("  class", *counts, "")
    for label in names[:CLASSES]:
        cells = [f"{classes.get(label, 0):,}" for classes in counts.values()]
        table.add_row(_cell(f"  {label}"), *cells, "█" * round(BAR * first.get(label, 0) / most))
    screen.print(table)
    if len(names) > CLASSES:
        screen.print(f"  and {len(names) - CLASSES} more classes")


def _columns(columns: list[dict[str, Any]], screen: "Console") -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("  column", "kind", "missing", "distinct", "min", "mean", "max", "most frequent")
    for column in columns[:COLUMNS]:
        span = [f"{column[key]:.4g}" if key in column else "" for key in ("min", "mean", "max")]
        often = f"{column['most']} ({column['times']:,} times)" if "most" in column else ""
        counts = (f"{column['missing']:,}", f"{column['distinct']:,}")
        table.add_row(_cell(f"  {column['name']}"), column["kind"], *counts, *span, _cell(often))
    screen.print(table)
    if len(columns) > COLUMNS:
        screen.print(f"  and {len(columns) - COLUMNS} more columns")


def _rows(rows: list[dict[str, Any]], screen: "Console") -> None:
    from rich.table import Table

    names = list(rows[0])
    some = [*names[: WIDE - 1], *(["…"] if len(names) > WIDE else []), names[-1]] if len(names) > WIDE else names
    table = Table.grid(padding=(0, 2))
    for values in ({name: name for name in some}, *rows):
        cells = (values.get(name, "…") for name in some)
        table.add_row("", *map(_cell, cells))
    screen.print(table)


def _ranges(columns: list[dict[str, Any]], screen: "Console", data: "Data") -> None:
    """Each column of a series as a line of characters, and its range."""
    from rich.table import Table

    from nncli.insight.data_pictures import spark

    table = Table.grid(padding=(0, 2))
    for place, column in enumerate(columns[:COLUMNS]):
        span = ", ".join(f"{key} {column[key]:.4g}" for key in ("min", "mean", "max"))
        table.add_row(_cell(f"  {column['name']}"), spark(data, place, 2 * BAR), span)
    screen.print(table)


def _texts(told: dict[str, Any], screen: "Console") -> None:
    from rich.text import Text

    if "tokens" in told:
        screen.print(f"  vocabulary of {told['tokens']:,} tokens")
    if "lengths" in told:
        low, quarter, middle, more, high = told["lengths"]
        screen.print(f"  {low} to {high} tokens, half of them {quarter} to {more}, median {middle}")
    for sample in told["texts"]:
        plain = [printable(sample[k], lines=False) for k in sample]
        screen.print(Text(f"  {plain[0]}").append(f"  → {plain[1]}", style="bold"))


def _cell(text: str) -> "Text":
    from rich.text import Text

    text = printable(text, lines=False)
    return Text(text if len(text) <= CELL else text[: CELL - 1] + "…")


def in_bytes(size: float) -> str:
    """A size with its unit."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if size >= 10 or unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
