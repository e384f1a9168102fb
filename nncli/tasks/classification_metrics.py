"""The metrics of a classifier. B or N samples, C classes.

While training, counts that add up over batches and ranks, for which nobody waits for the device. When a part is
evaluated, pure functions over all of its scores. Precision, recall and F1 are means over the classes that occur or
were answered (macro), as scikit-learn's are.
"""

import math
from typing import Any

import torch
from torch import Tensor

TOP = 5
CONFIDENCES = 15  # bins of the calibration error, equally wide (Guo et al. 2017, arXiv:1706.04599)
MOST_CURVES = 100  # classes up to which the area under the ROC curve is computed
PIECE = 65_536  # samples that are looked at together: what is computed of them is larger than they are


def counted(index: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """How often each index occurs. Unlike torch.bincount it does not wait for the device."""
    weight = torch.ones_like(index, dtype=torch.float32) if weight is None else weight
    return torch.zeros(size, device=index.device, dtype=weight.dtype).index_add_(0, index, weight)


def per_class(guess_B: Tensor, y_B: Tensor, classes: int) -> Tensor:
    """Missed samples, samples that were found, and answers of each class (3 C)."""
    found_B = torch.add(y_B, guess_B == y_B, alpha=classes)
    return counted(torch.cat([found_B, guess_B + 2 * classes]), 3 * classes)


def brief(sums: Tensor) -> dict[str, float]:
    """The sum of `per_class` as metrics."""
    missed_C, right_C, answers_C = sums.view(3, -1)
    samples_C = missed_C + right_C
    return {"accuracy": float(right_C.sum() / samples_C.sum()), "f1": _f1(right_C, answers_C + samples_C)}


def _f1(right_C: Tensor, both_C: Tensor) -> float:
    """The mean over classes of 2 right / (answers + samples)."""
    return _mean(2 * right_C, both_C, both_C > 0)


def _mean(above: Tensor, below: Tensor, there: Tensor) -> float:
    """The mean quotient over the classes that occur; nothing out of nothing is 0."""
    return float((above / below.clamp(min=1))[there].mean())


def everything(scores_NC: Tensor, y_N: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
    """All metrics of a part, and the rows of a table of classes and of the confusion matrix (truth, answer)."""
    samples, classes = scores_NC.shape
    confusion = torch.zeros(classes * classes, dtype=torch.float64)
    calibration = torch.zeros(3 * CONFIDENCES, dtype=torch.float64)
    among = torch.zeros((), dtype=torch.float64)
    for at in range(0, samples, PIECE):
        some, y = scores_NC[at : at + PIECE].double(), y_N[at : at + PIECE]
        sure, guess = some.softmax(dim=1).max(dim=1)
        confusion += counted(y * classes + guess, classes * classes).double()
        among += (some.topk(min(TOP, classes), dim=1).indices == y[:, None]).any(dim=1).sum()
        calibration += _calibration(sure, guess == y)
    confusion = confusion.view(classes, classes)
    right_C, answers_C, samples_C = confusion.diagonal(), confusion.sum(0), confusion.sum(1)
    there_C = answers_C + samples_C > 0
    many, confidence, right = calibration.view(3, CONFIDENCES)
    metrics = {
        "accuracy": float(right_C.sum() / samples),
        "f1": _f1(right_C, answers_C + samples_C),
        "precision": _mean(right_C, answers_C, there_C),
        "recall": _mean(right_C, samples_C, there_C),
        "ece": float((confidence - right).abs().sum() / many.sum()),
    }
    if classes > TOP:
        metrics["top5"] = float(among / samples)
    if classes <= MOST_CURVES:
        metrics["roc_auc"] = roc_auc(scores_NC, y_N)
    columns = {
        "precision": right_C / answers_C.clamp(min=1),
        "recall": right_C / samples_C.clamp(min=1),
        "f1": 2 * right_C / (answers_C + samples_C).clamp(min=1),
        "support": samples_C.long(),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return metrics, {
        "classes": [dict(zip(columns, row, strict=True)) for row in rows],
        "confusion": confusion.long().tolist(),
    }


def _calibration(sure_B: Tensor, right_B: Tensor) -> Tensor:
    """Samples, confidence and right answers in each bin; bins are open below, as Guo's are."""
    place = (sure_B * CONFIDENCES).ceil().long().sub(1).clamp(0, CONFIDENCES - 1)
    return torch.cat([counted(place, CONFIDENCES, w) for w in (torch.ones_like(sure_B), sure_B, right_B.double())])


def roc_auc(scores_NC: Tensor, y_N: Tensor) -> float:
    """The area under the ROC curve of each class against the others, the mean over classes that have both."""
    areas = [
        area(log_odds(scores_NC, c), own)
        for c in range(scores_NC.shape[1])
        if bool((own := y_N == c).any()) and not own.all()
    ]
    return sum(areas) / len(areas) if areas else math.nan


def log_odds(scores_NC: Tensor, c: int) -> Tensor:
    """log p - log(1 - p) of a class, which keeps the order of probabilities that are rounded to 1."""
    pieces = []
    for some in scores_NC.split(PIECE):
        some = some.double()
        own = some[:, c].clone()
        some[:, c] = -math.inf
        pieces.append(own - some.logsumexp(dim=1))
    return torch.cat(pieces)


def area(score_N: Tensor, own_N: Tensor) -> float:
    """How often one of its own scores above another, equal scores counting half (the statistic of Mann and Whitney)."""
    sorted_N, order = score_N.sort()
    _, ties = torch.unique_consecutive(sorted_N, return_counts=True)
    rank = ties.cumsum(0).double() - (ties - 1) / 2  # of equal scores the mean
    own = own_N[order]
    many = float(own.sum())
    others = len(own) - many
    return (float(rank.repeat_interleave(ties)[own].sum()) - many * (many + 1) / 2) / (many * others)
