"""A Parquet file, read in pieces, with typed columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

STRETCH = 1 << 15  # rows at a time
MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class ParquetFile:
    """A Parquet file with the interface of CsvFile: in batches, columns are called "0", "1" …"""

    separator = spelled = encoding = "auto"
    header = None

    def __init__(self, path: Path, names: list[str] | None = None) -> None:
        import polars as pl

        self.path = path
        try:
            self.frame = pl.scan_parquet(path, glob=False)
            self.names = list(self.frame.collect_schema())
            self.count = int(self.frame.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as problem:
            raise DataError(f"{path} cannot be read as Parquet: {str(problem).splitlines()[0]}") from problem
        if names and len(names) != len(self.names):
            raise DataError(f"data.names has {len(names)} names, {path} has {len(self.names)} columns")
        self.names = names or self.names
        if not self.count or not self.names:
            raise DataError(f"{path} has no rows")

    def __len__(self) -> int:
        return self.count

    def batches(self) -> Iterator["pl.DataFrame"]:
        import polars as pl

        try:
            for batch in self.frame.collect_batches(chunk_size=STRETCH, engine="streaming", maintain_order=True):
                batch.columns = [str(place) for place in range(batch.width)]
                yield batch
        except (pl.exceptions.PolarsError, OSError) as problem:
            raise DataError(f"{self.path} cannot be read as Parquet: {str(problem).splitlines()[0]}") from problem

    def place(self, row: int) -> str:
        return f"{self.path}, row {row + 1}"
