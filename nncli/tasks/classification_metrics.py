"""The metrics of a classifier. B or N samples, C classes.

During training they come from counts that add up over batches and ranks, without synchronizing with the device; in a
final evaluation from pure functions of all scores. Precision, recall and F1 are macro averages over the classes that
occur as labels or predictions, as in scikit-learn.
"""

import math
from typing import Any

import torch
from torch import Tensor

TOP = 5
CONFIDENCES = 15  # equally wide bins of the calibration error (Guo et al. 2017, arXiv:1706.04599)
MOST_CURVES = 100  # classes up to which the area under the ROC curve is computed
PIECE = 65_536  # samples processed at a time, since the intermediate results are larger than the scores


def counted(index: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """How often each index occurs. Unlike torch.bincount, it does not synchronize with the device."""
    weight = torch.ones_like(index, dtype=torch.float32) if weight is None else weight
    return torch.zeros(size, device=index.device, dtype=weight.dtype).index_add_(0, index, weight)


def per_class(guess_B: Tensor, y_B: Tensor, classes: int) -> Tensor:
    """For each class its wrongly and its rightly predicted samples, and its predictions (3 C)."""
    outcome_B = torch.add(y_B, guess_B == y_B, alpha=classes)
    return counted(torch.cat([outcome_B, guess_B + 2 * classes]), 3 * classes)


def brief(sums: Tensor) -> dict[str, float]:
    """The metrics from summed `per_class` counts."""
    missed_C, right_C, answers_C = sums.view(3, -1)
    samples_C = missed_C + right_C
    return {"accuracy": float(right_C.sum() / samples_C.sum()), "f1": _f1(right_C, answers_C + samples_C)}


def _f1(right_C: Tensor, both_C: Tensor) -> float:
    """The mean over classes of 2 right / (predictions + samples)."""
    return _mean(2 * right_C, both_C, both_C > 0)


def _mean(above: Tensor, below: Tensor, there: Tensor) -> float:
    """The mean quotient over the classes that occur; 0 / 0 counts as 0."""
    return float((above / below.clamp(min=1))[there].mean())


def everything(scores_NC: Tensor, y_N: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
    """All metrics of a part, and as details a table of classes and the confusion matrix (label, prediction)."""
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
    """Samples, confidence and right predictions in each bin; bins exclude their lower bound, as in Guo et al."""
    place = (sure_B * CONFIDENCES).ceil().long().sub(1).clamp(0, CONFIDENCES - 1)
    return torch.cat([counted(place, CONFIDENCES, w) for w in (torch.ones_like(sure_B), sure_B, right_B.double())])


def roc_auc(scores_NC: Tensor, y_N: Tensor) -> float:
    """The area under the ROC curve of each class against the rest, averaged over the classes where it is defined."""
    areas = [
        area(log_odds(scores_NC, c), own)
        for c in range(scores_NC.shape[1])
        if bool((own := y_N == c).any()) and not own.all()
    ]
    return sum(areas) / len(areas) if areas else math.nan


def log_odds(scores_NC: Tensor, c: int) -> Tensor:
    """log p - log(1 - p) of a class, which preserves the order of probabilities that would round to 1."""
    pieces = []
    for some in scores_NC.split(PIECE):
        some = some.double()
        own = some[:, c].clone()
        some[:, c] = -math.inf
        pieces.append(own - some.logsumexp(dim=1))
    return torch.cat(pieces)


def area(score_N: Tensor, own_N: Tensor) -> float:
    """How often a sample of the class scores above one of another, ties counting half (Mann-Whitney statistic)."""
    sorted_N, order = score_N.sort()
    _, ties = torch.unique_consecutive(sorted_N, return_counts=True)
    rank = ties.cumsum(0).double() - (ties - 1) / 2  # tied scores share their mean rank
    own = own_N[order]
    many = float(own.sum())
    others = len(own) - many
    return (float(rank.repeat_interleave(ties)[own].sum()) - many * (many + 1) / 2) / (many * others)
