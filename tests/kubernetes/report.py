"""The results: a table for people, JSON, one line, and a section of docs/reliability.md."""

import dataclasses
from pathlib import Path

from .common import Failure
from .ledger import Tally

BEGIN, END = "<!-- measured kubernetes: begin -->", "<!-- measured kubernetes: end -->"
COLUMNS = ["action", "seconds", "sent", "arrived", "dead letters", "lost", "duplicated", "longest stop"]


@dataclasses.dataclass
class Row:
    """One action, and the messages that were sent from its beginning to the next action."""

    action: str
    seconds: float
    tally: Tally
    stop: float

    def cells(self):
        tally = self.tally
        numbers = [f"{number:,}" for number in (tally.sent, tally.arrived, tally.dead, tally.lost, tally.duplicated)]
        return [self.action, f"{self.seconds:.0f}", *numbers, f"{self.stop:.1f} s"]


class Report:
    """All rows, and what else was found."""

    def __init__(self, rows, pods, strangers, complaints):
        self.rows, self.pods, self.strangers, self.complaints = rows, pods, strangers, complaints
        self.total = sum((row.tally for row in rows), Tally())

    def duplicated(self):
        """Points of messages that nobody sent count as duplicates."""
        return self.total.duplicated + self.strangers

    def succeeded(self):
        return not (self.total.lost or self.duplicated() or self.complaints) and self.total.sent > 0

    def line(self):
        lost, duplicated = self.total.lost, self.duplicated()
        return f"KUBERNETES actions={len(self.rows)} pods={self.pods} lost={lost} duplicated={duplicated}"

    def table(self):
        """Aligned Markdown, which people can read as well."""
        longest = max((row.stop for row in self.rows), default=0.0)
        everything = Row("all", sum(row.seconds for row in self.rows), self.total, longest)
        lines = [COLUMNS, *(row.cells() for row in [*self.rows, everything])]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]

        def text(cells):
            first, *others = (cell.ljust(width) if not n else cell.rjust(width) for n, (cell, width) in enumerate(
                zip(cells, widths)))  # fmt: skip
            return "| " + " | ".join([first, *others]) + " |"

        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return "\n".join([text(lines[0]), text(rule), *map(text, lines[1:])])

    def json(self):
        rows = [{"action": r.action, "seconds": round(r.seconds, 1), "longest_stop_seconds": round(r.stop, 1),
                 **dataclasses.asdict(r.tally)} for r in self.rows]  # fmt: skip
        return {
            "actions": rows, "pods": self.pods, "lost": self.total.lost, "duplicated": self.duplicated(),
            "complaints": self.complaints,
        }  # fmt: skip


def around_the_marks(path):
    """The text of a document before and after its measurements."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise Failure(f"cannot read the report's document: {error}") from error
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{path} must have {BEGIN} and then {END}, each on a line of its own")
    return head, tail


def write(path, report, intro):
    """Replaces the measurements in a document."""
    head, tail = around_the_marks(path)
    body = f"{intro}\n\n{report.table()}\n\n```text\n{report.line()}\n```"
    Path(path).write_text(f"{head}{BEGIN}\n{body}\n{END}{tail}")
