"""Pictures of one's own: what is found in them, what is kept, and what is told when they are wrong."""

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nncli.config.suits import suits
from nncli.data.images import decode_pool, listing, pictures
from nncli.data.images.decode import Form, decode
from nncli.data.images.folder import Folder
from nncli.data.rows import InMemory, Mapped
from nncli.errors import DataError
from tests.data.choices import chosen
from tests.data.pictures import lay, noise, pack, picture

SHADES = {"cat": 50, "dog": 200}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path / "cache"))


def animals(each: int, part: str = "", **more: Any) -> dict[str, bytes]:
    return {f"{part}{name}/{i}.png": picture(shade, **more) for name, shade in SHADES.items() for i in range(each)}


def folder(path: Path, **words: Any) -> Folder:
    split = {"val": 0.2, "test": 0.2} | words.pop("split", {})
    return chosen("folder", path=str(path), split=split, **{"batch_size": 2} | words)


def ready(path: Path, **words: Any) -> Folder:
    data = folder(path, **words)
    data.prepare_data()
    data.setup()
    return data


def check(data: Folder, sizes: tuple[int, int, int]) -> None:
    for (name, rows), size in zip(data.parts.items(), sizes, strict=True):
        x, y = rows.take(torch.arange(len(rows)))
        assert len(rows) == size, name
        assert y.bincount().tolist() == [size // 2] * 2, f"{name} has both classes alike"
        assert torch.equal(x[:, 0, 3, 3].long(), torch.tensor([50, 200])[y]), "the shade tells the class"


def test_class_folders_are_split_and_all_is_found(tmp_path: Path) -> None:
    data = ready(lay(tmp_path / "photos", animals(10)))
    check(data, (12, 4, 4))
    assert data.facts["classes"] == ["cat", "dog"]
    assert data.inferred() == {"input_shape": [3, 32, 32], "num_classes": 2, "size": [32, 32], "channels": 3}
    assert suits(data.traits())["model"] == "cnn"
    _, y = data.parts["val"].span(0, 1)
    assert data.where("val", 0).endswith(".png")
    assert f"{data.facts['classes'][int(y[0])]}/" in data.where("val", 0)


@pytest.mark.parametrize("above", ["", "photos/", "a/b/"])
def test_a_zip_with_parts_above_the_classes(tmp_path: Path, above: str) -> None:
    files = animals(4, f"{above}Train/") | animals(1, f"{above}validation/") | animals(2, f"{above}test/")
    check(ready(pack(tmp_path / "a.zip", files)), (8, 2, 4))


def test_a_second_path_is_the_test_part(tmp_path: Path) -> None:
    data = ready(lay(tmp_path / "a", animals(5)), test_path=str(pack(tmp_path / "b.zip", animals(3))))
    assert {name: len(rows) for name, rows in data.parts.items()} == {"train": 8, "val": 2, "test": 6}
    assert data.where("test", 0) == f"{tmp_path / 'b.zip'}: cat/0.png"


def test_the_second_start_decodes_nothing_and_a_changed_picture_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay(tmp_path / "photos", animals(10))
    ready(root)
    with monkeypatch.context() as patch:
        patch.setattr(decode_pool, "fill", lambda *_: pytest.fail("decoded again"))
        patch.setattr(pictures, "_looked", lambda *_: pytest.fail("looked at again"))
        check(ready(root), (12, 4, 4))
    lay(root, {"cat/0.png": picture(51)})
    os.utime(root / "cat/0.png", ns=(0, time.time_ns() + 10**9))
    shades = {int(v) for rows in ready(root).parts.values() for v in rows.take(torch.arange(len(rows)))[0][:, 0, 0, 0]}
    assert shades == {50, 51, 200}
    kept = [path.name for path in (tmp_path / "cache/data/images").iterdir() if path.is_dir()]
    assert len(kept) == 1, "what was decoded of the earlier state is gone"


def test_a_broken_cache_is_made_again(tmp_path: Path) -> None:
    root = lay(tmp_path / "photos", animals(10))
    ready(root)
    (kept,) = (tmp_path / "cache/data/images").glob("*/x.npy")
    kept.write_bytes(kept.read_bytes()[:500])
    check(ready(root), (12, 4, 4))


@pytest.mark.parametrize(
    ("words", "kind"), [({}, InMemory), ({"memory": 1e-6}, Mapped), ({"cache": False}, pictures.Files)]
)
def test_pictures_are_the_same_wherever_they_rest(tmp_path: Path, words: dict[str, Any], kind: type) -> None:
    files = {f"{name}/{i}.jpg": noise(i, 20 + i) for name in SHADES for i in range(10)}
    root = lay(tmp_path / "photos", files)
    data, plain = ready(root, **words, size=[16, 12]), ready(root, size=[16, 12])
    for part, rows in data.parts.items():
        assert type(rows) is kind
        which = torch.tensor([1, 0, 1])
        for mine, its in zip(rows.take(which), plain.parts[part].take(which), strict=True):
            assert torch.equal(mine, its)
    assert data.parts["train"].span(0, 1)[0].shape == (1, 3, 16, 12)


def test_a_turned_photograph_is_not_decoded_smaller_than_it_is_wanted() -> None:
    """A JPEG may be decoded at a part of its size, if that is enough for the width and height once upright."""
    lines = np.repeat(np.arange(800) % 16 < 8, 1600).reshape(800, 1600)
    turned = Image.Exif()
    turned[0x0112] = 6  # upright it is 800 wide and 1600 high, the lines stand
    data = io.BytesIO()
    Image.fromarray((lines * 255).astype(np.uint8)).save(data, "JPEG", exif=turned, quality=95)
    found = decode(data.getvalue(), Form(1, 100, 800, False))
    upright = Image.fromarray((lines.T[:, ::-1] * 255).astype(np.uint8)).resize((800, 100), Image.Resampling.BILINEAR)
    assert np.abs(found[0].astype(int) - np.asarray(upright).astype(int)).mean() < 10


def test_statistics_of_files_come_from_some_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MEASURED", 5)
    rows = ready(lay(tmp_path / "photos", animals(10)), cache=False).parts["train"]
    assert sum(len(x) for x in rows.inputs()) == 5


def test_many_pictures_are_shared_out_to_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pack(tmp_path / "a.zip", {f"{n}/{i}.jpg": noise(i, 8) for n in SHADES for i in range(20)})
    alone = pictures.gather(root, pictures.Wish((8, 8), 3), keep=False)
    monkeypatch.setattr(decode_pool, "FEW", 0)
    monkeypatch.setattr(decode_pool, "JOB", 7)
    monkeypatch.setattr(decode_pool, "cores", lambda: 2)
    crowded = pictures.gather(root, pictures.Wish((8, 8), 3))
    every = torch.arange(40)
    for in_memory in (True, False):
        rows = crowded.rows(every, crowded.y, in_memory)
        assert torch.equal(rows.take(every)[0], alone.rows(every, alone.y, True).take(every)[0])


def test_sizes_that_differ_become_one_near_the_middle(tmp_path: Path) -> None:
    files = {f"{n}/{i}.png": picture(s, 30 + i, 50 + i, mode="L") for n, s in SHADES.items() for i in range(9)}
    data = ready(lay(tmp_path / "photos", files))
    assert data.inferred()["input_shape"] == [1, 40, 40]
    large = ready(lay(tmp_path / "large", animals(3, height=300, width=400)))
    assert large.inferred()["size"] == [224, 224]


def test_a_picture_taken_on_its_side_is_turned(tmp_path: Path) -> None:
    import io

    from PIL import Image

    image = Image.new("L", (4, 2))
    image.putdata([255, 255, 0, 0] * 2)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned to the right
    data = io.BytesIO()
    image.save(data, "PNG", exif=exif)
    root = lay(tmp_path / "photos", {f"{name}/{i}.png": data.getvalue() for name in SHADES for i in range(5)})
    x, _ = ready(root).parts["train"].span(0, 1)
    assert x.shape == (1, 1, 4, 2)
    assert x[0, 0, 0].tolist() == [255, 255]
    assert x[0, 0, 3].tolist() == [0, 0]


def test_corrupt_pictures_are_named_with_their_count(tmp_path: Path) -> None:
    files = animals(10)
    for i in range(8):
        files[f"cat/{i}.png"] = files[f"cat/{i}.png"][:60] if i else b"text"
    root = lay(tmp_path / "photos", files)
    with pytest.raises(DataError) as told:
        ready(root)
    lines = str(told.value).splitlines()
    assert lines[0].startswith(f"{root}: cat/0.png cannot be read: it is not a picture")
    assert lines[1].startswith(f"{root}: cat/1.png cannot be read: ")
    assert lines[-1] == "and 3 more of 20 pictures; fix or remove them"
    assert not list((tmp_path / "cache/data/images").glob("*/")), "nothing half decoded stays"


def test_a_corrupt_picture_met_by_a_worker_is_named(tmp_path: Path) -> None:
    root = lay(tmp_path / "photos", animals(10))
    data = ready(root, cache=False)
    lay(root, {"cat/0.png": b"text"})
    data.place(seed=0, rank=0, world=1, accumulate=1, limit=None, overfit=0, workers=1)
    (part,) = (part for part, rows in data.parts.items() for i in range(len(rows)) if "cat/0" in data.where(part, i))
    with pytest.raises(DataError, match=r"cat/0\.png cannot be read"):
        list(data.evaluation(part))


@pytest.mark.parametrize(("part", "other"), [("train", "test"), ("test", "train")])
def test_a_class_in_one_part_only_is_named(tmp_path: Path, part: str, other: str) -> None:
    files = animals(5, "train/") | animals(5, "test/") | {f"{part}/bird/0.png": picture(1)}
    with pytest.raises(DataError, match=f"class 'bird' is in the {part} part and not in the {other} part"):
        ready(lay(tmp_path / "photos", files))


def test_one_class_no_pictures_and_no_class_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has the one class 'cat'"):
        ready(lay(tmp_path / "one", {f"cat/{i}.png": picture(1) for i in range(9)}))
    with pytest.raises(DataError, match="holds no pictures"):
        ready(lay(tmp_path / "none", {"cat/readme.txt": b"?"}))
    with pytest.raises(DataError, match=r"in no class folder: stray\.png"):
        ready(lay(tmp_path / "stray", animals(5) | {"stray.png": picture(1)}))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        ready(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is no folder and cannot be opened as a zip"):
        ready(lay(tmp_path / "x", {"a.zip": b"no"}) / "a.zip")
    with pytest.raises(DataError, match=r"data\.size is \[3\]"):
        ready(tmp_path / "one", size=[3])


def test_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    photos = lay(tmp_path / "photos", animals(10))
    (photos / "cat" / "up").symlink_to(photos, target_is_directory=True)
    check(ready(photos), (12, 4, 4))


def test_files_that_are_no_pictures_are_told_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = animals(10) | {"cat/notes.txt": b"?", "cat/.DS_Store": b"?", "Thumbs.db": b"?"}
    check(ready(lay(tmp_path / "photos", files)), (12, 4, 4))
    told = capsys.readouterr().err
    assert not told.startswith("\n"), "a bar that was never shown left a line"
    assert "cat/notes.txt: no picture, left out" in told
    assert ".DS_Store" not in told


def test_classes_of_an_earlier_run_keep_their_numbers(tmp_path: Path) -> None:
    data = folder(lay(tmp_path / "photos", animals(5)))
    data.facts = {"classes": ["ant", "dog", "cat"]}
    data.setup()
    x, y = data.parts["train"].take(torch.arange(6))
    assert torch.equal(y, torch.where(x[:, 0, 0, 0] == 50, 2, 1))
    data = folder(tmp_path / "photos")
    data.facts = {"classes": ["ant", "cat"]}
    with pytest.raises(DataError, match="class 'dog' is none of those"):
        data.setup()


def test_folds_take_turns_and_need_one_part(tmp_path: Path) -> None:
    root = lay(tmp_path / "photos", animals(10))
    tests = [ready(root, split={"fold": [i, 2]}) for i in range(2)]
    names = [{data.where("test", i) for i in range(len(data.parts["test"]))} for data in tests]
    assert len(names[0] | names[1]) == 20
    with pytest.raises(DataError, match=r"data\.split\.fold is set"):
        ready(root, split={"fold": [0, 2]}, test_path=str(root))


def test_links_and_dots_in_a_zip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"was refused: \.\./cat/9\.png"):
        listing.listing(pack(tmp_path / "a.zip", animals(2) | {"../cat/9.png": picture(1)}))


@pytest.mark.parametrize("method", ["grouped", "ordered"])
def test_a_method_that_pictures_have_nothing_for_is_refused(tmp_path: Path, method: str) -> None:
    with pytest.raises(DataError, match=r"data\.split\.(method|group)"):
        ready(lay(tmp_path / "photos", animals(10)), split={"method": method})
