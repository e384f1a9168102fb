"""A difference is called real about as rarely as the level says where there is none, and nearly always where one is."""

import numpy as np
import pytest

from nncli.insight.paired import Paired, holm, paired

REPEATS = 50


def right(rng: np.random.Generator, share: float, count: int) -> np.ndarray:
    return (rng.random(count) < share).astype(float)


def repeated(first: float, other: float, count: int) -> list[Paired]:
    """Repeats of two models that are right with these probabilities, independently of each other."""
    rng = np.random.default_rng(0)
    return [paired(right(rng, other, count) - right(rng, first, count)) for _ in range(REPEATS)]


@pytest.mark.parametrize("count", [270, 10_000])
def test_equally_good_models_rarely_differ(count: int) -> None:
    found = repeated(0.9, 0.9, count)
    assert sum(one.p < 0.05 for one in found) <= 6, "2.5 of 50 are expected; 7 or more have a chance of 1%"
    assert sum(one.low <= 0 <= one.high for one in found) >= 44


def test_a_planted_gain_of_two_points_is_real() -> None:
    found = repeated(0.90, 0.92, 10_000)
    assert sum(one.p < 0.05 and one.difference > 0 for one in found) >= 49
    assert sum(one.low <= 0.02 <= one.high for one in found) >= 44


def test_few_samples_do_not_show_it() -> None:
    assert sum(one.p < 0.05 for one in repeated(0.90, 0.92, 270)) < 25


def test_the_p_value_of_few_differences_is_that_of_all_their_signs() -> None:
    differences = np.array([3.0, 1.0, 2.0, -1.5, 4.0, 2.5, 0.5])
    signs = 1 - 2 * ((np.arange(2**7)[:, None] >> np.arange(7)) & 1)
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()))
    assert paired(differences).p == pytest.approx(exact, abs=0.01)
    assert paired(-differences).p == pytest.approx(exact, abs=0.01)
    assert paired(np.zeros(20)).p == 1


def test_many_distinct_differences_keep_their_mean_and_their_spread() -> None:
    differences = np.random.default_rng(1).standard_t(4, 20_000)
    found, error = paired(differences), differences.std() / np.sqrt(len(differences))
    assert found.difference == pytest.approx(differences.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_overlapping_windows_count_as_few() -> None:
    """Errors of 24 steps, averaged in windows that start at every step, say little more than every 24th window."""
    rng, length = np.random.default_rng(0), 24
    real = {1: 0, length: 0}
    for _ in range(REPEATS):
        first, other = (np.convolve(e**2, np.ones(length) / length, "valid") for e in rng.standard_normal((2, 203)))
        for overlap in real:
            real[overlap] += paired(other - first, overlap=overlap).p < 0.05
    assert real[1] > 20, "taken as independent, they seem to differ"
    assert real[length] <= 6
    assert paired(np.zeros(180), overlap=length).blocks == 4


def test_holm_corrects_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []
