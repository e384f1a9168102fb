"""ETT (Zhou et al. 2021): oil temperature and loads of two transformers over two years."""

from pathlib import Path
from typing import Literal, Unpack

from nncli.data.files.download import cache_dir, download
from nncli.data.files.paths import located
from nncli.data.series.measures import Measures, read
from nncli.data.series.series import Series, Windowed
from nncli.data.split import Ordered
from nncli.errors import DataError

URL = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
MD5 = {
    "ETTh1": "8381763947c85f4be6ac456c508460d6",
    "ETTh2": "51a229a3fc13579dd939364fefe9c7ab",
    "ETTm1": "82d6bd89109c63d075d99c1077b33f38",
    "ETTm2": "7687e47825335860bf58bccb31be0c56",
}
HOURS = 30 * 24  # of a month, as published


class ETT(Series):
    """The published split: 12, 4 and 4 months of 30 days; later months are not used.

    `path` is the CSV file or a folder that contains it; null downloads it.
    """

    def __init__(
        self,
        name: Literal["ETTh1", "ETTh2", "ETTm1", "ETTm2"],
        path: str | None,
        target: str | list[str],
        exogenous: list[str],
        **shared: Unpack[Windowed],
    ) -> None:
        month = HOURS * (4 if name.startswith("ETTm") else 1)
        super().__init__(
            path=path,
            target=target,
            exogenous=exogenous,
            time="date",
            borders=[12 * month, 16 * month, 20 * month],
            gaps=0,
            split=Ordered(0.2, 0.2, None),  # without effect, since there are borders
            **shared,
        )
        self.published = name

    def prepare_data(self) -> None:
        """Download the file if no path is given."""
        if self.path is not None:
            return
        file = f"{self.published}.csv"
        try:
            download(f"{URL}/{file}", self._file(), MD5[self.published])
        except DataError as problem:
            raise DataError(f"{problem}\nif you have the file, set data.path={file}") from problem

    def measures(self) -> Measures:
        return read(self._file(), self._targets(), self.exogenous, self.time)

    def _file(self) -> Path:
        given = cache_dir("ett") if self.path is None else located("path", self.path)
        return given / f"{self.published}.csv" if self.path is None or given.is_dir() else given
