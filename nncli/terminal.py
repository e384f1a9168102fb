"""rich's console, for tables, bars and colours around text from any source."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from nncli.errors import printable
from nncli.output import writable


class Terminal(Console):
    """A console on which only rich itself moves the cursor; text is shown literally, never parsed as markup."""

    def __init__(self, **settings: Any) -> None:
        plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
        super().__init__(**plain | settings)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else writable(printable(segment.text), self.file)
            yield segment if text == segment.text else segment._replace(text=text)
