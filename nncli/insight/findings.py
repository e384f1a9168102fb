"""What `nn data check` finds in a person's data: the audit of its rows and columns, and what loading itself says."""

from collections.abc import Iterator

from nncli.data.audit.columns import column_findings, unseen_categories
from nncli.data.audit.findings import Audit, Finding
from nncli.data.base import Data
from nncli.data.rows import Rows
from nncli.errors import DataError
from nncli.insight.source import column_names, complaint, kind_of, unchecked

TOLD = {"not finite": "finite number", "label out of range": "data.num_classes", "empty part": "has no samples"}


def findings(data: Data, decode: bool) -> tuple[list[Finding], dict[str, Rows]]:
    """Everything found, what is wrong first, and the parts that were looked at."""
    try:
        parts = unchecked(data)
    except DataError as error:
        return [Finding("wrong", "cannot be loaded", str(error), "", 1)], {}
    train = parts["train"]
    kind = kind_of(data, train)
    classes = data.facts.get("classes")
    stated = data.num_classes if isinstance(data.num_classes, int) else None
    top = stated or (len(classes) if classes else None)
    audit = Audit(parts, kind, top, data.where, classes, decode, gaps="missing" in data.facts)
    try:
        found = audit.findings()
    except DataError as error:  # a file that is only now decoded
        found = [Finding("wrong", "cannot be read", str(error), "", 1)]
    if kind == "table" and len(train):
        found += _columns(data, parts)
    what = {finding.what for finding in found}
    said = complaint(data, parts)
    if said and not any(name in what and text in said for name, text in TOLD.items()):
        found.append(Finding("wrong", "cannot be trained on", said, "", 1))
    return sorted(found, key=lambda finding: finding.severity != "wrong"), parts


def _columns(data: Data, parts: dict[str, Rows]) -> Iterator[Finding]:
    """What the columns show, and those that the source itself leaves out because they hold nothing, or one thing."""
    for name, kind in data.kinds.items():
        if kind in ("constant", "empty"):
            yield Finding("look", "constant column", f"{name} is {kind} and was left out", "2 values or more", 1)
    x, _ = parts["train"].span(0, 1)
    if x.dim() == 2:
        names = column_names(data, x.shape[1])
        yield from column_findings(parts, lambda place: names[place])
        codes = [place for place, name in enumerate(names) if name in data.facts.get("categories", {})]
        yield from unseen_categories(parts, codes, lambda place: names[place], data.where)
