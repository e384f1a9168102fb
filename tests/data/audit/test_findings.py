"""What nn data check looks for, planted and found; and what is fine, left alone."""

import time

import numpy as np
import torch
from torch import Tensor

from nncli.data.audit.columns import column_findings, distance, tells, unseen_categories
from nncli.data.audit.copies import fingerprints, twins_between, twins_within
from nncli.data.audit.findings import Audit, Finding
from nncli.data.rows import InMemory, Mapped, Ragged, Rows, Windows


def pictures(count: int, seed: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 5, 5), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def audited(kind: str = "image", num_classes: int | None = 10, gaps: bool = False, **parts: Rows) -> list[Finding]:
    return Audit(parts, kind, num_classes, place, gaps=gaps).findings()


def place(part: str, row: int) -> str:
    return f"{part}:{row}"


def named(found: list[Finding], what: str) -> list[Finding]:
    return [finding for finding in found if finding.what == what]


def labels(count: int) -> Tensor:
    return torch.arange(count) % 10


def test_sound_data_gives_no_finding() -> None:
    train, val, test = (InMemory(pictures(200, seed), labels(200)) for seed in range(3))
    assert audited(train=train, val=val, test=test) == []


def test_pictures_that_stand_in_two_parts_are_named() -> None:
    x, test = pictures(300, 0), pictures(50, 1)
    test[[7, 9]] = x[[250, 3]]
    test[11] = x[4]
    test[11, 0, 4, 4] ^= 1  # nearly equal is not equal
    (leak,) = audited(train=InMemory(x, labels(300)), test=InMemory(test, labels(50)))[:1]
    assert (leak.severity, leak.what, leak.count) == ("wrong", "leak", 2)
    assert leak.where == ["test:7 = train:250", "test:9 = train:3"]


def test_duplicates_and_equal_pictures_with_other_labels_are_told_apart() -> None:
    x, y = pictures(100, 0), labels(100)
    x[50], x[61] = x[10], x[10]  # 10 and 50 are both of class 0, 61 is not
    found = audited(train=InMemory(x, y))
    (copies,) = named(found, "duplicate")
    (noise,) = named(found, "labels differ")
    assert (copies.severity, copies.count) == ("look", 2)
    assert (noise.severity, noise.count, noise.where) == ("wrong", 1, ["train:61 = train:10"])


def test_equal_rows_across_parts_with_other_labels_are_found() -> None:
    x = pictures(40, 0)
    found = audited(train=InMemory(x, labels(40)), test=InMemory(x[:20], (labels(20) + 1) % 10))
    (noise,) = named(found, "labels differ")
    assert noise.count == 20


def test_a_few_equal_rows_of_a_table_may_be_chance_and_many_may_not() -> None:
    x = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
    for shared, severity in ((5, "look"), (50, "wrong")):
        test = torch.cat([x[:shared], torch.rand(500 - shared, 4)])
        found = audited("table", train=InMemory(x, labels(1000)), test=InMemory(test, labels(500)))
        (leak,) = named(found, "leak")
        assert (leak.severity, leak.count) == (severity, shared)


def test_labels_out_of_range_and_values_that_are_no_number_are_counted_with_their_places() -> None:
    x, y = torch.rand(60, 3), labels(60)
    x[5, 1], x[40, 2] = float("nan"), float("inf")
    y[[12, 30, 31]] = torch.tensor([10, -1, 99])
    found = audited("table", train=InMemory(x, y))
    (bad,) = named(found, "label out of range")
    assert (bad.count, bad.where) == (3, ["train:12", "train:30", "train:31"])
    assert "-1, 10, 99" in bad.text
    assert bad.bound == "0 to 9, since data.num_classes is 10"
    (nan,) = named(found, "not finite")
    assert (nan.severity, nan.where) == ("wrong", ["train:5", "train:40"])
    (infinite,) = named(audited("table", gaps=True, train=InMemory(x, y)), "not finite")
    assert infinite.where == ["train:40"], "NaN may stand for a missing value, infinity for nothing"


def test_rare_absent_and_unseen_classes_are_named() -> None:
    train = torch.cat([torch.zeros(110), torch.ones(10), torch.full((30,), 2)]).long()
    val = torch.tensor([0, 0, 1, 3])
    found = audited("image", 5, train=InMemory(pictures(150, 0), train), val=InMemory(pictures(4, 1), val))
    texts = [finding.text for finding in found]
    assert "classes of the val part never occur in training: 3" in texts
    assert "classes of the train part do not occur in the val part: 2" in texts
    assert "classes that occur nowhere: 4" in texts
    assert "class 1 is 11 times rarer than 0 in the train part" in texts
    (one,) = named(audited(train=InMemory(pictures(9, 0), torch.zeros(9).long())), "one class")
    assert one.severity == "wrong"


def test_texts_of_any_length_and_mapped_files_are_compared() -> None:
    rows = [[5, 6, 7], [5, 6], [5, 6, 7], [8], [5, 6, 9, 2]]
    lengths = torch.tensor([len(row) for row in rows])
    flat = torch.tensor([token for row in rows for token in row])
    train = Ragged(flat, lengths.cumsum(0) - lengths, lengths, torch.arange(5))
    test = Ragged(torch.tensor([8, 5, 6, 9]), torch.tensor([0, 1]), torch.tensor([1, 3]), torch.tensor([3, 0]))
    within = twins_within(fingerprints(train))
    assert (within.first.tolist(), within.second.tolist()) == ([0], [2])
    between = twins_between(fingerprints(train), fingerprints(test))
    assert (between.first.tolist(), between.second.tolist()) == ([3], [0])
    x = pictures(30, 0).numpy()
    whole, mapped = InMemory(torch.from_numpy(x), labels(30)), Mapped(x, labels(30), torch.arange(10))
    twins = twins_between(fingerprints(whole), fingerprints(mapped))
    assert twins.first.tolist() == list(range(10))


def test_samples_that_differ_in_one_bit_or_in_their_order_are_no_twins() -> None:
    one = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    near = one.repeat(64 * 8, 1, 1, 1)
    bits = torch.arange(64 * 8)
    near.view(len(near), -1)[bits, bits // 8] ^= (1 << bits % 8).byte()
    turned = torch.cat([one.flip(2), one.flip(3), one.transpose(2, 3), 255 - one, torch.zeros_like(one)])
    rows = InMemory(torch.cat([one, near, turned]), labels(1 + len(near) + len(turned)))
    prints = fingerprints(rows)
    assert {len(one) for one in prints} == {16}
    assert len(twins_within(prints)) == 0
    assert len(twins_between(prints[:1], prints[1:])) == 0


def test_zeros_of_a_sample_count_and_those_that_fill_up_a_text_do_not() -> None:
    x = torch.tensor([[1.0, 0.0, 0.0], [1.0, -0.0, 0.0], [1.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    assert twins_within(fingerprints(InMemory(x, labels(4)))).second.tolist() == [1]
    tokens, lengths = torch.tensor([256, 1, 256, 1, 1, 1]), torch.tensor([2, 2, 1, 1])
    rows = Ragged(tokens, lengths.cumsum(0) - lengths, lengths, labels(4))
    assert twins_within(fingerprints(rows)).second.tolist() == [1, 3]


def test_windows_may_overlap_in_what_they_see_but_not_in_what_they_are_judged_on() -> None:
    values = torch.arange(100.0)[:, None]

    def part(low: int, high: int) -> Windows:
        return Windows(values, torch.arange(low, high), 10, offset=10, ahead=2)

    assert audited("series", None, train=part(0, 49), val=part(50, 80)) == []
    (leak,) = audited("series", None, train=part(0, 49), val=part(47, 80))
    assert (leak.severity, leak.count) == ("wrong", 3)
    assert leak.where == ["val:0", "val:1", "val:2"]


def test_decoded_samples_are_left_alone_unless_asked_for() -> None:
    rows = InMemory(pictures(5, 0).repeat(2, 1, 1, 1), labels(10))
    rows.decodes = True
    parts: dict[str, Rows] = {"train": rows}
    assert Audit(parts, "image", 10, place).findings() == []
    assert Audit(parts, "image", 10, place, decode=True).findings()


def test_columns_that_are_constant_tell_the_answer_drift_or_are_mostly_missing_are_named() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (600,), generator=generator)
    x = torch.randn(600, 5, generator=generator)
    x[:, 1] = 3.0
    x[:, 2] = y * 7.0 + torch.rand(600, generator=generator)
    x[:400, 3] = float("nan")
    test = torch.randn(300, 5, generator=generator)
    test[:, 4] += 1.5
    parts = {"train": InMemory(x, y), "test": InMemory(test, y[:300])}
    found = [(finding.what, finding.text[:8]) for finding in column_findings(parts, lambda column: f"column {column}")]
    kinds = {what: text for what, text in found if text != "column 2" or what != "drift"}
    assert kinds == {
        "constant column": "column 1",
        "tells the target": "column 2",
        "mostly missing": "column 3",
        "drift": "column 4",
    }


def test_what_tells_nothing_is_not_suspected() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 500)
    assert tells(generator.normal(size=500), y) == ""
    assert tells(generator.integers(0, 2, 500).astype(float), y) == ""
    assert tells(np.arange(500.0), y) == "", "what is different in every row has only been learned by heart"
    assert tells(generator.permutation(500).astype(float), (y > 2).astype(int)) == "", "one class is no answer"
    target = generator.normal(size=500)
    assert "correlation 1.0000" in tells(2 * target + 1, target)
    assert tells(target + generator.normal(size=500), target) == ""
    assert distance(target, generator.normal(size=400)) == 0
    assert distance(target[:5], target[:5] + 10) == 0, "five rows prove nothing"


def test_categories_that_training_never_saw_are_counted() -> None:
    train = torch.tensor([[1.0, 1], [2, 0], [1, 2]])
    test = torch.tensor([[0.0, 0], [2, 0]])
    parts = {"train": InMemory(train, torch.zeros(3)), "test": InMemory(test, torch.zeros(2))}
    (found,) = unseen_categories(parts, [0, 1], lambda column: "ab"[column], place)
    assert found.text.startswith("a is missing in the test part, or has values that never occur")
    assert found.where == ["test:0"]


def test_sixty_thousand_pictures_take_less_than_two_seconds() -> None:
    x = torch.randint(0, 256, (60_000, 1, 28, 28), dtype=torch.uint8)
    y = torch.arange(60_000) % 10
    began = time.perf_counter()
    found = audited(train=InMemory(x[:50_000], y[:50_000]), test=InMemory(x[50_000:], y[50_000:]))
    assert time.perf_counter() - began < 2
    assert found == []
