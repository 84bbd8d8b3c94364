"""A flow chart: a number of calls splits into their outcomes, drawn as wide as their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ringback.reporting.html.charts.picture import Picture, Table, is_narrow, make_picture
from ringback.reporting.html.charts.sheet import ColorRole, Sheet, px
from ringback.reporting.model.figures import count, percent, share
from ringback.reporting.model.safe import one_line

__all__ = ["Branch", "draw_flow"]

_BAR, _THINNEST = 12, 2.0
_TALLEST = 190
_EDGE = 8
_NAME = 26


@dataclass(frozen=True, slots=True)
class Branch:
    """A number of calls with one outcome, and how they split further."""

    name: str
    count: int
    role: ColorRole
    children: tuple[Branch, ...] = field(default=())


@dataclass(slots=True)
class _Node:
    branch: Branch
    parent: _Node | None
    height: float = 0.0
    top: float = 0.0
    spent: float = 0.0
    """Height of its right side that bands already use."""


def draw_flow(root: Branch, *, key: str, title: str, caption: str) -> Picture | None:
    """The flow from `root` to its descendants; None if the root is 0. Branches of 0 are left out."""
    if root.count <= 0:
        return None

    return make_picture(
        lambda width: _draw(width, root), key=key, title=title, caption=caption, legend=(), table=_table(root)
    )


def _columns(root: Branch) -> list[list[_Node]]:
    columns = [[_Node(root, None)]]
    while True:
        below = [_Node(b, node) for node in columns[-1] for b in node.branch.children if b.count > 0]
        if not below:
            return columns
        columns.append(below)


def _draw(width: int, root: Branch) -> Sheet:
    narrow = is_narrow(width)
    columns = _columns(root)
    slot = 34.0 if narrow else 24.0
    for column in columns:
        for node in column:
            node.height = max(_THINNEST, node.branch.count / root.count * _TALLEST)
    total = max(sum(_slot(node, slot) for node in column) for column in columns)
    head = 26
    sheet = Sheet(width, round(total) + head + 2 * _EDGE)
    lefts = _lefts(len(columns), narrow)
    for column in columns:
        top = head + _EDGE + (total - sum(_slot(node, slot) for node in column)) / 2
        for node in column:
            node.top = top + (_slot(node, slot) - node.height) / 2
            top += _slot(node, slot)
    for depth, column in enumerate(columns[1:], 1):
        for node in column:
            _band(sheet, node, lefts[depth - 1] + _BAR, lefts[depth])
    for left, column in zip(lefts, columns, strict=True):
        for node in column:
            sheet.rectangle(left, node.top, _BAR, node.height, node.branch.role)
            if node.parent is None:
                sheet.text(0, head - 8, f"{root.name} {count(root.count)}", ColorRole.INK, bold=True)
            else:
                _label(sheet, node, left + _BAR + 7, root.count, narrow)
    return sheet


def _slot(node: _Node, least: float) -> float:
    return max(node.height + 6, least)


def _lefts(columns: int, narrow: bool) -> Sequence[float]:
    if narrow:
        return (0, 78, 190)[:columns] if columns > 2 else (0, 150)[:columns]
    return (0, 380, 760)[:columns]


def _band(sheet: Sheet, node: _Node, left: float, right: float) -> None:
    parent = node.parent
    if parent is None:
        return
    broad = node.branch.count / parent.branch.count * parent.height
    top = parent.top + parent.spent
    parent.spent += broad
    middle = (left + right) / 2
    bottom = top + max(broad, 1.0)
    upper = f"M{px(left)} {px(top)}C{px(middle)} {px(top)} {px(middle)} {px(node.top)} {px(right)} {px(node.top)}"
    end = node.top + node.height
    lower = f"V{px(end)}C{px(middle)} {px(end)} {px(middle)} {px(bottom)} {px(left)} {px(bottom)}Z"
    sheet.outline(upper + lower, node.branch.role, opacity=0.22)


def _label(sheet: Sheet, node: _Node, left: float, whole: int, narrow: bool) -> None:
    middle = node.top + node.height / 2
    numbers = f"{count(node.branch.count)} ({percent(share(node.branch.count, whole))})"
    name = one_line(node.branch.name, _NAME)
    if narrow:
        sheet.text(left, middle - 2, name, ColorRole.INK, size=11.5)
        sheet.text(left, middle + 12, numbers, size=11)
    else:
        sheet.text(left, middle + 4, f"{name}  {numbers}", ColorRole.INK)


def _table(root: Branch) -> Table:
    rows = [
        (one_line(name, 60), count(branch.count), percent(share(branch.count, root.count)))
        for name, branch in [(root.name, root), *_below(root, "")]
    ]
    return Table(("what", "number", f"of {root.name}"), tuple(rows))


def _below(branch: Branch, under: str) -> Iterator[tuple[str, Branch]]:
    for child in branch.children:
        yield f"{under}{child.name}", child
        yield from _below(child, f"{under}{child.name}: ")
