"""What writes a file or fills a folder never writes over, through or away what nn did not make."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from nncli.cli.main import app
from nncli.cli.options import may_write
from nncli.data.files import download as downloads
from nncli.data.files.download import download
from nncli.data.files.lock import alone
from nncli.data.images.pictures import Wish, gather
from nncli.errors import DataError, NnError
from nncli.insight.png import save
from nncli.run import folder
from tests.data.pictures import picture
from tests.trees import made_run, tree

BODY = b"body" * 100
MD5 = hashlib.md5(BODY).hexdigest()
Make = Callable[[Path], object]


def text(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")


def photo(path: Path) -> None:
    Image.new("RGB", (2, 2)).save(path, "PNG")


def full(path: Path) -> None:
    text(path / "mine.txt")


def link(path: Path, to: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(to)


def to_text(path: Path) -> None:
    text(path.with_name("target.txt"))
    link(path, "target.txt")


def to_full(path: Path) -> None:
    full(path.with_name("target"))
    link(path, "target")


def to_nowhere(path: Path) -> None:
    link(path, "nowhere")


def to_itself(path: Path) -> None:
    link(path, path.name)


THINGS: dict[str, Make] = {
    "a file": text,
    "a full folder": full,
    "a link to a file": to_text,
    "a link to a full folder": to_full,
    "a link to nowhere": to_nowhere,
    "a link to itself": to_itself,
    "a pipe": lambda path: (path.parent.mkdir(exist_ok=True), os.mkfifo(path)),
}


@pytest.fixture(params=THINGS)
def thing(request: pytest.FixtureRequest) -> Make:
    return THINGS[request.param]


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, NnError), (done.output, done.exception)
    return str(done.exception)


# -- recipes cp


def test_a_copied_recipe_takes_nobody_s_place(tmp_path: Path, thing: Make) -> None:
    thing(tmp_path / "recipes" / "mine.yaml")
    before = tree(tmp_path)
    assert "exists already" in refused("recipes", "cp", "wine_mlp", "mine")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", [kind for kind in THINGS if "folder" not in kind])
def test_recipes_that_is_no_folder_stays(tmp_path: Path, name: str) -> None:
    THINGS[name](tmp_path / "recipes")
    before = tree(tmp_path)
    assert "recipes is not a folder" in refused("recipes", "cp", "wine_mlp")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["../mine", "a/b", "/tmp/x", ".", "..", "a b", "mine.yaml", "~", "a\0b", "\udcff"])
def test_a_recipe_s_name_is_no_path(tmp_path: Path, name: str) -> None:
    assert "cannot be the name of a recipe" in refused("recipes", "cp", "wine_mlp", name)
    assert tree(tmp_path) == {}


def test_a_recipe_goes_into_a_linked_folder_beside_what_is_there(tmp_path: Path) -> None:
    to_full(tmp_path / "recipes")
    assert CliRunner().invoke(app, ["recipes", "cp", "wine_mlp", "mine"]).exit_code == 0
    assert sorted(os.listdir(tmp_path / "target")) == ["mine.txt", "mine.yaml"]


def test_of_many_that_copy_one_recipe_at_once_one_does(tmp_path: Path) -> None:
    from nncli.cli.recipes import cp

    def copy(name: str) -> bool:
        try:
            cp(name, "mine")
        except NnError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(copy, ["wine_mlp", "digits_mlp"] * 8)) == 1
    assert os.listdir(tmp_path / "recipes") == ["mine.yaml"]


# -- init


def test_init_fills_new_and_empty_folders_only(tmp_path: Path, thing: Make) -> None:
    thing(tmp_path / "mine")
    before = tree(tmp_path)
    assert "mine is not empty" in refused("init", "mine")
    assert tree(tmp_path) == before


def test_init_without_a_name_is_not_this_folder(tmp_path: Path) -> None:
    assert "empty" in refused("init", "")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["a file", "a link to a file", "a link to nowhere"])
def test_what_comes_in_while_init_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from nncli.run import files

    write_new, target = files.write_new, tmp_path / "mine" / "recipes" / "mine.yaml"

    def late(path: Path, content: bytes) -> None:
        if path.name == "mine.yaml" and not os.path.lexists(target):
            THINGS[name](target)
            monkeypatch.setattr(files, "write_new", write_new)
        write_new(path, content)

    monkeypatch.setattr(files, "write_new", late)
    before = refused("init", "mine")
    assert "exists already and was kept" in before
    assert target.is_symlink() or target.read_text() == "mine"
    assert not (tmp_path / "mine" / "recipes" / "nowhere").exists()


# -- run_dir


def test_run_dir_is_new_or_empty(tmp_path: Path, thing: Make) -> None:
    thing(tmp_path / "mine")
    before = tree(tmp_path)
    with pytest.raises(NnError, match="run_dir = mine: "):
        folder.make("x", "mine")
    assert tree(tmp_path) == before


def test_a_run_in_run_dir_is_told_how_to_go_on(tmp_path: Path) -> None:
    made_run(tmp_path / "mine")
    before = tree(tmp_path)
    with pytest.raises(NnError, match=r"not empty\. Continue it with nn resume mine"):
        folder.make("x", "mine")
    assert tree(tmp_path) == before


def test_of_many_runs_with_one_run_dir_one_begins(tmp_path: Path) -> None:
    def make(_: int) -> bool:
        try:
            folder.make("x", "mine")
        except NnError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(16))) == 1


def test_what_comes_into_run_dir_while_it_is_made_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = folder.mark

    def late(run: folder.RunFolder) -> None:
        text(run.path / "words.txt")
        mark(run)

    monkeypatch.setattr(folder, "mark", late)
    with pytest.raises(NnError, match="not empty"):
        folder.make("x", "mine")
    assert tree(tmp_path / "mine") == {str(tmp_path / "mine" / "words.txt"): b"mine"}


# -- pictures


@pytest.mark.parametrize("verb", ["may_write", "save"])
@pytest.mark.parametrize("name", [*THINGS, "a photo", "a link to a picture of ours"])
def test_a_picture_takes_nobody_s_place(tmp_path: Path, name: str, verb: str) -> None:
    out, image = tmp_path / "lr.png", Image.new("RGB", (9, 9))
    if name == "a link to a picture of ours":
        save(image, tmp_path / "ours.png")
        out.symlink_to("ours.png")
    else:
        THINGS.get(name, photo)(out)
    before = tree(tmp_path)
    with pytest.raises(NnError, match=r"not drawn by nn|it is a folder"):
        may_write(out) if verb == "may_write" else save(image, out)
    assert tree(tmp_path) == before


def test_a_picture_of_ours_is_drawn_anew(tmp_path: Path) -> None:
    out = tmp_path / "lr.png"
    for shade in (0, 255):
        may_write(out)
        save(Image.new("L", (9, 9), shade), out)
        with Image.open(out) as image:
            assert image.getpixel((0, 0)) == shade
    assert os.listdir(tmp_path) == ["lr.png"]


@pytest.mark.parametrize(
    "words",
    [
        ["data", "show", "digits", "--out", "mine.png"],
        ["config", "show", "--lr", "--out", "mine.png"],
        ["tune", "lr", "--out", "mine.png"],
    ],
    ids=lambda words: words[0],
)
def test_every_verb_that_draws_asks_first(tmp_path: Path, words: list[str]) -> None:
    photo(tmp_path / "mine.png")
    before = tree(tmp_path)
    assert "not drawn by nn" in refused(*words)
    assert tree(tmp_path) == before


def test_the_picture_that_data_show_names_itself_takes_nobody_s_place(tmp_path: Path) -> None:
    to_text(tmp_path / "data_show" / "digits.png")
    before = tree(tmp_path)
    assert "not drawn by nn" in refused("data", "show", "digits")
    assert tree(tmp_path) == before


# -- what is fetched, locked and kept


class Site:
    """An opener that answers with BODY, or the half of it."""

    def __init__(self, body: bytes = BODY, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.body, self.meanwhile = body, meanwhile

    def __call__(self, _url: str, part: Path, _loopback: bool) -> None:
        part.write_bytes(self.body)
        self.meanwhile()


@pytest.mark.parametrize("name", ["data.gz.part", "data.gz.lock", ".data.gz.nn-lock", "data.gz~", "data"])
@pytest.mark.parametrize("body", [BODY, b"something else"])
def test_a_download_leaves_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: bytes
) -> None:
    monkeypatch.setattr(downloads, "_fetch", Site(body))
    text(tmp_path / name)
    if body == BODY:
        download("https://a.b/data.gz", tmp_path / "data.gz", MD5)
        assert (tmp_path / "data.gz").read_bytes() == BODY
    else:
        with pytest.raises(DataError, match="another file or a broken one"):
            download("https://a.b/data.gz", tmp_path / "data.gz", MD5)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["data.gz", f"data.gz.{MD5[:16]}.part", ".data.gz.nn-lock"])
def test_a_download_follows_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(downloads, "_fetch", Site())
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(DataError, match=name):
        download("https://a.b/data.gz", tmp_path / "data.gz", MD5)
    assert os.readlink(tmp_path / name) == "nowhere"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_comes_during_a_download_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def none(*_: Any) -> None:
        raise OSError(1, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", none)
    monkeypatch.setattr(downloads, "_fetch", Site())
    download("https://a.b/other.gz", tmp_path / "other.gz", MD5)
    assert os.listdir(tmp_path) == ["other.gz"]
    monkeypatch.setattr(downloads, "_fetch", Site(meanwhile=lambda: text(tmp_path / "data.gz")))
    with pytest.raises(DataError, match="is kept"):
        download("https://a.b/data.gz", tmp_path / "data.gz", MD5)
    assert (tmp_path / "data.gz").read_text() == "mine"


@pytest.mark.parametrize("name", ["x.lock", ".x.nn-lock", "x"])
def test_a_lock_takes_nobody_s_file_away(tmp_path: Path, name: str) -> None:
    text(tmp_path / name)
    with alone(tmp_path / "x", "making it"):
        pass
    assert tree(tmp_path) == {str(tmp_path / name): b"mine"}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of decoded pictures in a cache that is a person's folder, after one of the pictures has changed."""
    monkeypatch.setenv("NN_CACHE", str(tmp_path))
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        (tmp_path / "photos" / name).write_bytes(picture(1, 8, 8, mode="L"))
    place = gather(tmp_path / "photos", Wish((8, 8), 1)).kept
    assert place is not None
    (tmp_path / "photos" / "a" / "1.png").write_bytes(picture(2, 8, 8, mode="L"))
    return place


@pytest.mark.parametrize(
    "name", ["../mine.txt", "../draft/mine.txt", "mine.txt", "sub/x.npy", "../0123456789abcdef-mine/x.npy"]
)
def test_pictures_that_are_decoded_anew_take_away_only_what_was_decoded(kept: Path, tmp_path: Path, name: str) -> None:
    mine = Path(os.path.normpath(kept / name))
    text(mine)
    anew = gather(tmp_path / "photos", Wish((8, 8), 1)).kept
    assert anew is not None
    assert anew != kept
    assert mine.read_text() == "mine"
    assert not (kept / "x.npy").exists()


def test_a_folder_in_the_place_of_decoded_pictures_stays(kept: Path, tmp_path: Path) -> None:
    place = gather(tmp_path / "photos", Wish((8, 8), 1)).kept
    assert place is not None
    (place / "x.npy").write_bytes(b"broken")
    text(place / "mine.txt")
    with pytest.raises(DataError, match="cannot be kept"):
        gather(tmp_path / "photos", Wish((8, 8), 1))
    assert (place / "mine.txt").read_text() == "mine"


def test_a_link_in_the_place_of_decoded_pictures_is_not_followed(kept: Path, tmp_path: Path) -> None:
    os.rename(kept, tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert gather(tmp_path / "photos", Wish((8, 8), 1)).kept
    assert kept.is_symlink()
    assert (tmp_path / "elsewhere" / "x.npy").is_file()


@pytest.mark.parametrize("said", ["5", "null", '{"a": 1}', "[1]", "[[8, 8], 1, 2]", "mine", ""])
def test_what_was_remembered_of_pictures_may_be_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a" / "1.png").write_bytes(picture(1, 8, 8, mode="L"))
    wish = Wish(None, None)
    gather(tmp_path / "photos", wish, keep=False)
    (memory,) = (tmp_path / "cache").rglob("look-*.json")
    memory.write_text(said)
    assert gather(tmp_path / "photos", wish, keep=False).form[:3] == (1, 8, 8)
    assert json.loads(memory.read_text()) == [[8, 8], 1]
