"""Checks that the commands in docs/runbooks.md are accepted: each subcommand and each flag is in the binary's own help."""

import functools
import re
import shlex

from . import ROOT, tools

RUNBOOKS = ROOT / "docs" / "runbooks.md"
BINARIES = ("kafkaefd", "saltransform", "influxsink", "salmock")
COMMAND = re.compile(rf"(?<![\w-])(?:{'|'.join(BINARIES)}) [^`|#\n]+")


def commands():
    """The commands of the document: between backticks, also across lines, and in blocks of code."""
    text = RUNBOOKS.read_text()
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    blocks = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return sorted({found.strip() for span in [*spans, *blocks] for found in COMMAND.findall(span)})


@functools.cache
def help_of(binary, words):
    """The help of the subcommand that `words` begin with; none if a word that is left should be one of its commands."""
    for number in range(len(words), 0, -1):
        code, text = tools.said([binary, *words[:number], "--help"])
        if code == 0:
            return None if number < len(words) and "\nCommands:\n" in text else text
    return None


def problems(binaries):
    for command in commands():
        name, *rest = shlex.split(command)
        words = []
        while rest and re.fullmatch(r"[a-z-]+", rest[0]) and not rest[0].startswith("-"):
            words.append(rest.pop(0))
        text = help_of(binaries / name, tuple(words))
        if text is None:
            yield f"{RUNBOOKS.name}: {command}: there is no such command"
            continue
        for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", " ".join(rest)):
            if not re.search(rf"(?<![\w-]){flag}\b", text):
                yield f"{RUNBOOKS.name}: {command}: {name} {' '.join(words)} has no {flag}"


def check(binaries):
    return f"{len(commands())} commands in the runbooks", list(problems(binaries.resolve()))
