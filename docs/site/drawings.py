"""The drawings of docs/how-it-works.md: `python docs/site/drawings.py` writes them into docs/images."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "images"

INK, QUIET, LINE = "#263238", "#607d8b", "#90a4ae"
EVENT, WRITES, MOVE, ROW, SEGMENT, SHARED = "#e8eaf6", "#e0f2f1", "#ffe0b2", "#f5f5f5", "#f8bbd0", "#ffffff"
BOX, HIGH = 92, 44


@dataclass
class Drawing:
    """A drawing that is put together from boxes, texts and arrows.

    Attributes:
        width: Its width.
        height: Its height.
        title: The words for whoever cannot see it.
    """

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(
        self, x: int, y: int, label: str, below: str = "", fill: str = EVENT, width: int = BOX, dashed: bool = False
    ) -> None:
        """A box with a label, and a line below that."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{HIGH}" rx="5" fill="{fill}" stroke="{LINE}"{dash}/>'
        )
        self.text(x + width // 2, y + (19 if below else 27), label, bold=True)
        if below:
            self.text(x + width // 2, y + 35, below, small=True)

    def text(
        self, x: int, y: int, text: str, small: bool = False, bold: bool = False, left: bool = False, fill: str = INK
    ) -> None:
        """A line of text, in the middle of `x` or from there."""
        anchor, weight, size = "start" if left else "middle", "600" if bold else "400", 11 if small else 13
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'fill="{fill}">{escape(text)}</text>'
        )

    def arrow(self, *points: tuple[int, int], dashed: bool = False) -> None:
        """An arrow through some points."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        path = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{QUIET}" stroke-width="1.4"{dash} marker-end="url(#end)"/>'
        )

    def __str__(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="system-ui, sans-serif">'
        )
        marker = (
            '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="{QUIET}"/></marker></defs>'
        )
        ground = f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>'
        return "\n".join([head, f"<title>{escape(self.title)}</title>", marker, ground, *self.parts, "</svg>", ""])


def log() -> Drawing:
    """The stream of a thread, the rows that are made of it, and the feed."""
    drawing = Drawing(760, 350, "A stream of six events, chained; rows of checkpoints and writes lead into it")
    events = [("saved", EVENT, "input"), ("writes", WRITES, "__start__"), ("saved", EVENT, "step 0")]
    events += [("writes", WRITES, "model"), ("saved", EVENT, "step 1"), ("pruned", MOVE, "by carol")]
    drawing.text(20, 30, "The stream of thread-1: what happened, in the order of arrival", bold=True, left=True)
    for number, (label, fill, below) in enumerate(events):
        x = 20 + number * 122
        drawing.box(x, 50, f"{number + 1}  {label}", below, fill)
        if number:
            drawing.arrow((x, 72), (x - 28, 72))
    drawing.text(470, 118, "Each hash covers the event and the hash before it.", small=True, left=True, fill=QUIET)
    drawing.box(20, 160, "checkpoints", "id → version", ROW, 150)
    drawing.box(200, 160, "writes", "task → version", ROW, 150)
    drawing.box(380, 160, "branches, reflog", "what is shown", ROW, 150)
    drawing.box(560, 160, "audit", "follows the feed", ROW, 150)
    drawing.arrow((66, 160), (66, 96))
    drawing.arrow((124, 160), (124, 128), (310, 128), (310, 96))
    drawing.arrow((275, 160), (275, 142), (432, 142), (432, 96))
    drawing.text(20, 226, "Projections: where to look, and no content; made anew from the log", bold=True, left=True)
    drawing.text(20, 278, "The feed: all events of all streams, numbered without gaps", bold=True, left=True)
    for number, name in enumerate(["thread-1", "thread-2", "thread-1", "thread-1", "thread-3", "thread-2"]):
        drawing.box(20 + number * 122, 294, f"{number + 1}", name, SHARED, 112)
    return drawing


def deltas() -> Drawing:
    """A value that grows: changes, and the segment that merges them."""
    drawing = Drawing(760, 300, "A value is recorded whole once, then as changes; a segment merges 32 of them")
    drawing.text(20, 30, "The channel messages, at each checkpoint that changed it", bold=True, left=True)
    changes = [("1  whole", "2 messages"), ("3  delta", "keep 2, +1"), ("5  delta", "keep 3, +1")]
    changes += [("…", ""), ("63  delta", "keep 32, +1"), ("65  delta", "keep 33, +1")]
    for number, (label, below) in enumerate(changes):
        x = 20 + number * 122
        drawing.box(x, 50, label, below, EVENT)
        if number:
            drawing.arrow((x, 72), (x - 28, 72))
    drawing.text(
        20, 116, "A delta names its base and carries the checksum of what comes out.", True, left=True, fill=QUIET
    )
    drawing.box(20, 150, "segment", "32 changes as one, to version 63", SEGMENT, 580)
    drawing.arrow((554, 94), (554, 150), dashed=True)
    drawing.text(620, 176, "a projection: it may be", True, left=True, fill=QUIET)
    drawing.text(620, 190, "dropped, and made anew", True, left=True, fill=QUIET)
    drawing.box(20, 232, "read version 65", "", ROW, 150)
    drawing.arrow((170, 254), (230, 254))
    drawing.box(230, 232, "event 65", "the last change", EVENT, 130)
    drawing.arrow((360, 254), (420, 254))
    drawing.box(420, 232, "its segment", "all before", SEGMENT, 130)
    drawing.text(570, 259, "O(log n) rows, not n", left=True)
    return drawing


def fork() -> Drawing:
    """A fork, which shares its parent's past."""
    drawing = Drawing(760, 250, "A fork begins at version 4 of its parent, and reads versions 1 to 4 through it")
    drawing.text(20, 62, "thread-1", bold=True, left=True)
    drawing.text(20, 172, "what-if", bold=True, left=True)
    for number in range(6):
        x = 110 + number * 106
        drawing.box(x, 36, str(number + 1), "", EVENT, 80)
        if number:
            drawing.arrow((x, 58), (x - 24, 58))
    for number in range(4):
        drawing.box(110 + number * 106, 146, str(number + 1), "read above", SHARED, 80, dashed=True)
        drawing.arrow((150 + number * 106, 146), (150 + number * 106, 82), dashed=True)
    drawing.box(534, 146, "5", "forked", MOVE, 80)
    drawing.box(640, 146, "6", "", EVENT, 80)
    drawing.arrow((534, 168), (508, 168))
    drawing.arrow((640, 168), (616, 168))
    drawing.text(
        110, 220, "Nothing is copied. Event 5 of the fork follows the hash of event 4 of its parent,", True, left=True
    )
    drawing.text(
        110, 236, "so version 3 means the same event in both, and the chain holds through the fork.", True, left=True
    )
    return drawing


def rollback() -> Drawing:
    """A rollback, which is an event, and puts the thread on another branch."""
    drawing = Drawing(760, 290, "Event 6 rolls the thread back to event 3; what follows stands on a second branch")
    drawing.text(20, 30, "The log: nothing is taken away", bold=True, left=True)
    labels = ["1", "2", "3", "4", "5", "6  back to 3", "7", "8"]
    at = [20, 96, 172, 248, 324, 400, 526, 602]
    for label, x in zip(labels, at, strict=True):
        wide = 110 if len(label) > 1 else 60
        drawing.box(x, 46, label, "", MOVE if wide == 110 else EVENT, wide)
        if x > 20:
            drawing.arrow((x, 68), (x - 16, 68))
    drawing.text(20, 130, "What is shown", bold=True, left=True)
    drawing.text(20, 172, "branch 1", small=True, left=True)
    drawing.text(20, 246, "branch 2", small=True, left=True)
    for number, label in enumerate(["1", "2", "3", "4", "5"]):
        x = 96 + number * 96
        drawing.box(x, 146, label, "" if number < 3 else "unreachable", EVENT if number < 3 else SHARED, 80, number > 2)
        if number:
            drawing.arrow((x, 168), (x - 16, 168))
    for number, label in enumerate(["7", "8"]):
        drawing.box(384 + number * 96, 220, label, "", EVENT, 80)
    drawing.arrow((384, 242), (328, 242), (328, 190))
    drawing.arrow((480, 242), (464, 242))
    drawing.text(576, 238, "HEAD is here, since event 6.", True, left=True)
    drawing.text(576, 254, "undo or switch lead back to 5.", True, left=True)
    return drawing


DRAWINGS = {"how-log.svg": log, "how-deltas.svg": deltas, "how-fork.svg": fork, "how-rollback.svg": rollback}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (IMAGES / name).write_text(str(draw()), encoding="utf-8")
