"""The names of metrics in a PromQL expression, without a parser: what remains when everything else is taken away."""

import re

TAKEN_AWAY = [
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"\{[^}]*\}"),
    re.compile(r"\[[^\]]*\]"),
    re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"),
]
NAMED = re.compile(r'__name__\s*=~?\s*"([^"]+)"')
NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")
KEYWORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring"}


def metrics(expr, known=()):
    """The metrics of an expression; a selector by a regular expression has those of `known` that match."""
    found = {name for pattern in NAMED.findall(expr) for name in known if re.fullmatch(pattern, name)}
    for pattern in TAKEN_AWAY:
        expr = pattern.sub(" ", expr)
    return found | {name for name in NAME.findall(expr) if name not in KEYWORDS}


def family(name):
    """The metric of a histogram's series."""
    return re.sub(r"_(bucket|sum|count)$", "", name)
