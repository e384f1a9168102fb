"""What `nn data check` reports: the audit of rows and columns, and the errors of loading itself."""

from collections.abc import Iterator

from nncli.data.audit.columns import column_findings, unseen_categories
from nncli.data.audit.findings import Audit, Finding
from nncli.data.base import Data
from nncli.data.rows import Rows
from nncli.errors import DataError
from nncli.insight.source import column_names, complaint, kind_of, unchecked

IMPLIED = {"not finite": "finite number", "label out of range": "data.num_classes", "empty part": "has no samples"}


def findings(data: Data, decode: bool) -> tuple[list[Finding], dict[str, Rows]]:
    """All findings, errors first, and the parts that were audited."""
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
    except DataError as error:  # a file that is decoded only now
        found = [Finding("wrong", "cannot be read", str(error), "", 1)]
    if kind == "table" and len(train):
        found += _columns(data, parts)
    what = {finding.what for finding in found}
    error = complaint(data, parts)
    if error and not any(name in what and text in error for name, text in IMPLIED.items()):
        found.append(Finding("wrong", "cannot be trained on", error, "", 1))
    return sorted(found, key=lambda finding: finding.severity != "wrong"), parts


def _columns(data: Data, parts: dict[str, Rows]) -> Iterator[Finding]:
    """The findings about columns, including those that the source leaves out because they are empty or constant."""
    for name, kind in data.kinds.items():
        if kind in ("constant", "empty"):
            yield Finding("look", "constant column", f"{name} is {kind} and was left out", "2 values or more", 1)
    x, _ = parts["train"].span(0, 1)
    if x.dim() == 2:
        names = column_names(data, x.shape[1])
        yield from column_findings(parts, lambda place: names[place])
        codes = [place for place, name in enumerate(names) if name in data.facts.get("categories", {})]
        yield from unseen_categories(parts, codes, lambda place: names[place], data.where)
