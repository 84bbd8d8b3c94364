"""What became of a number of things, as a flow: each splits into what it turned into, as wide as there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from ringback.reporting.html.charts.color_role import Ink
from ringback.reporting.html.charts.sheet import Picture, Sheet, Table, drawn
from ringback.reporting.model.figures import count, percent, share
from ringback.reporting.model.safe import one_line

__all__ = ["Branch", "draw_flow"]

_BAR, _THINNEST = 12, 2.0
_TALLEST = 190
_EDGE = 8
_NAME = 26


@dataclass(frozen=True, slots=True)
class Branch:
    """A number of things of one kind, and the kinds that they turned into, the largest first or last as it suits."""

    name: str
    count: int
    ink: Ink
    children: tuple[Branch, ...] = field(default=())


@dataclass(slots=True)
class _Node:
    branch: Branch
    parent: _Node | None
    height: float = 0.0
    top: float = 0.0
    spent: float = 0.0
    """How much of its right side has flowed on."""


def draw_flow(root: Branch, *, key: str, title: str, caption: str) -> Picture | None:
    """The flow from `root` to its children and theirs; None if there was nothing. Branches of nothing are left out."""
    if root.count <= 0:
        return None

    def draw(width: int) -> Sheet:
        return _draw(width, root)

    return drawn(draw, key=key, title=title, caption=caption, legend=(), table=_table(root))


def _columns(root: Branch) -> list[list[_Node]]:
    columns = [[_Node(root, None)]]
    while True:
        below = [_Node(b, node) for node in columns[-1] for b in node.branch.children if b.count > 0]
        if not below:
            return columns
        columns.append(below)


def _draw(width: int, root: Branch) -> Sheet:
    narrow = width < 700
    columns = _columns(root)
    slot = 34.0 if narrow else 24.0
    for column in columns:
        for node in column:
            node.height = max(_THINNEST, node.branch.count / root.count * _TALLEST)
    total = max(sum(_slot(node, slot) for node in column) for column in columns)
    head = 26
    sheet = Sheet(width, round(total) + head + 2 * _EDGE)
    axes = sheet.canvas()
    lefts = _lefts(len(columns), narrow)
    for column in columns:
        top = head + _EDGE + (total - sum(_slot(node, slot) for node in column)) / 2
        for node in column:
            node.top = top + (_slot(node, slot) - node.height) / 2
            top += _slot(node, slot)
    for depth, column in enumerate(columns[1:], 1):
        for node in column:
            _band(axes, node, lefts[depth - 1] + _BAR, lefts[depth])
    for left, column in zip(lefts, columns, strict=True):
        for node in column:
            axes.add_patch(Rectangle((left, node.top), _BAR, node.height, color=node.branch.ink, linewidth=0))
            if node.parent is None:
                axes.text(0, head - 8, f"{root.name} {count(root.count)}", color=Ink.INK, weight="bold", va="baseline")
            else:
                _label(axes, node, left + _BAR + 7, root.count, narrow)
    return sheet


def _slot(node: _Node, least: float) -> float:
    return max(node.height + 6, least)


def _lefts(columns: int, narrow: bool) -> Sequence[float]:
    if narrow:
        return (0, 78, 190)[:columns] if columns > 2 else (0, 150)[:columns]
    return (0, 380, 760)[:columns]


def _band(axes: Axes, node: _Node, left: float, right: float) -> None:
    parent = node.parent
    if parent is None:
        return
    broad = node.branch.count / parent.branch.count * parent.height
    top = parent.top + parent.spent
    parent.spent += broad
    middle = (left + right) / 2
    bottom = top + max(broad, 1.0)
    points = [
        (left, top), (middle, top), (middle, node.top), (right, node.top),
        (right, node.top + node.height), (middle, node.top + node.height), (middle, bottom), (left, bottom),
        (left, top),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path(points, codes), facecolor=node.branch.ink, alpha=0.22, linewidth=0))


def _label(axes: Axes, node: _Node, left: float, whole: int, narrow: bool) -> None:
    middle = node.top + node.height / 2
    told = f"{count(node.branch.count)} ({percent(share(node.branch.count, whole))})"
    name = one_line(node.branch.name, _NAME)
    if narrow:
        axes.text(left, middle - 2, name, color=Ink.INK, va="baseline", fontsize=11.5)
        axes.text(left, middle + 12, told, color=Ink.SOFT, va="baseline", fontsize=11)
    else:
        axes.text(left, middle + 4, f"{name}  {told}", color=Ink.INK, va="baseline")


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
