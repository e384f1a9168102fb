"""What a classifier is judged by: counts that add up over batches and ranks. B samples, C classes.

Nothing here asks the device for a number before the whole part is seen. Precision, recall and F1 are means over the
classes that are there or were answered (macro), as scikit-learn's are.

The area under the ROC curve is taken of two histograms for each class, of its own samples' scores and of the others'.
A score is z = log(p / (1 - p)), which keeps the order of the probabilities; the 4,096 bins are equally wide in
asinh(z), so that they part the confident ones too. Scores in one bin count as equal: z = 0 and 0.005, or 10 and 10.05.
That moved the area by less than 0.001 in all that was tried. It is taken of at most 100 classes.
"""

import math
from typing import Any

import torch
from torch import Tensor

TOP = 5
CONFIDENCES = 15  # bins of the calibration error, equally wide (Guo et al. 2017, arXiv:1706.04599)
SCORES, REACH = 4096, 10.0  # bins of the ROC curve, over asinh(z) from -10 to 10, which is z from -11,013 to 11,013
MOST_CURVES = 100  # classes up to which there are histograms: 6 MB then


def counted(index: Tensor, size: int, weight: Tensor | None = None) -> Tensor:
    """How often each index is there. Unlike torch.bincount it does not wait for the device."""
    weight = torch.ones_like(index, dtype=torch.float32) if weight is None else weight
    return torch.zeros(size, device=index.device).index_add_(0, index, weight)


def per_class(guess_B: Tensor, y_B: Tensor, classes: int) -> Tensor:
    """Missed samples, samples that were found, and answers of each class (3 C)."""
    found_B = torch.add(y_B, guess_B == y_B, alpha=classes)
    return counted(torch.cat([found_B, guess_B + 2 * classes]), 3 * classes)


def everything(logits_BC: Tensor, y_B: Tensor) -> Tensor:
    """The confusion matrix (C C), right ones among the first five (1), calibration (3 15), scores (2 C 4096)."""
    classes = logits_BC.shape[1]
    log_p_BC = logits_BC.log_softmax(dim=1)
    sure_B, guess_B = log_p_BC.exp().max(dim=1)
    confusion = counted(y_B * classes + guess_B, classes * classes)
    among = (logits_BC.topk(min(TOP, classes), dim=1).indices == y_B[:, None]).any(dim=1).sum()[None].float()
    place = (sure_B * CONFIDENCES).ceil().long().sub(1).clamp(0, CONFIDENCES - 1)  # bins are open below, as Guo's
    calibration = [counted(place, CONFIDENCES, w) for w in (torch.ones_like(sure_B), sure_B, (guess_B == y_B).float())]
    curves = [_histograms(log_p_BC, y_B)] if classes <= MOST_CURVES else []
    return torch.cat([confusion, among, *calibration, *curves])


def _histograms(log_p_BC: Tensor, y_B: Tensor) -> Tensor:
    classes = log_p_BC.shape[1]
    top_B1 = log_p_BC.argmax(dim=1, keepdim=True)
    rest_B1 = log_p_BC.scatter(1, top_B1, -math.inf).logsumexp(dim=1, keepdim=True)  # 1 - p without its rounding
    z_BC = (log_p_BC - torch.log(-torch.expm1(log_p_BC))).scatter(1, top_B1, log_p_BC.gather(1, top_B1) - rest_B1)
    bin_BC = ((z_BC.asinh() + REACH) * (SCORES / (2 * REACH))).nan_to_num(0.0).clamp(0, SCORES - 1).long()
    class_C = torch.arange(classes, device=y_B.device)
    row_BC = class_C + classes * (y_B[:, None] == class_C)
    return counted((row_BC * SCORES + bin_BC).flatten(), 2 * classes * SCORES)


def brief(found: Tensor) -> dict[str, float]:
    """The sum of `per_class` as metrics."""
    missed_C, right_C, answers_C = found.view(3, -1)
    samples_C = missed_C + right_C
    return {"accuracy": float(right_C.sum() / samples_C.sum()), "f1": _f1(right_C, answers_C + samples_C)}


def _f1(right_C: Tensor, both_C: Tensor) -> float:
    """The mean over classes of 2 right / (answers + samples)."""
    return _mean(2 * right_C, both_C, both_C > 0)


def judge(found: Tensor, classes: int) -> tuple[dict[str, float], dict[str, Any]]:
    """The sum of `everything` as metrics, and as the rows of a table and a confusion matrix (truth, answer)."""
    sizes = [classes * classes, 1, 3 * CONFIDENCES]
    confusion, among, calibration, curves = found.split([*sizes, len(found) - sum(sizes)])
    confusion = confusion.view(classes, classes)
    right_C, answers_C, samples_C = confusion.diagonal(), confusion.sum(0), confusion.sum(1)
    there_C = answers_C + samples_C > 0
    many_15, sure_15, right_15 = calibration.view(3, CONFIDENCES)
    metrics = {
        "accuracy": float(right_C.sum() / samples_C.sum()),
        "f1": _f1(right_C, answers_C + samples_C),
        "precision": _mean(right_C, answers_C, there_C),
        "recall": _mean(right_C, samples_C, there_C),
        "ece": float((sure_15 - right_15).abs().sum() / many_15.sum()),
    }
    if classes > TOP:
        metrics["top5"] = float(among / samples_C.sum())
    if len(curves):
        metrics["roc_auc"] = _area(curves.view(2, classes, SCORES))
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


def _mean(above: Tensor, below: Tensor, there: Tensor) -> float:
    """The mean quotient over the classes that are there; nothing out of nothing is 0."""
    return float((above / below.clamp(min=1))[there].mean())


def _area(others_own_CS: Tensor) -> float:
    """How often a class's own sample scores above another's, equal scores counting half; the mean over classes."""
    others_CS, own_CS = others_own_CS
    below_CS = others_CS.cumsum(1) - others_CS / 2
    pairs_C = others_CS.sum(1) * own_CS.sum(1)
    areas_C = (own_CS * below_CS).sum(1) / pairs_C
    return float(areas_C[pairs_C > 0].mean()) if bool((pairs_C > 0).any()) else math.nan
