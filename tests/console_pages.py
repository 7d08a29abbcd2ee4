"""The console's pages as a person opens them, for the tests that run it in containers: `tests.compose`, `tests.kubernetes`."""

import csv
import io
import re
import urllib.error
import urllib.parse
import urllib.request

VERDICT = re.compile(r'<p class="word">.*?</span>(.*?)</p>')
TROUBLE = re.compile(r"<li>(.*?)</li>")
ADDS_UP = "adds up</td>"
STAGES = ("saltransform", "influxsink")


def page(url, path):
    """The text of a page."""
    with urllib.request.urlopen(f"{url}/{path}", timeout=30) as answer:
        return answer.read().decode()


def words(markup):
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def missing(url, topic, field):
    """What the pages do not show of a pipeline on which all is well; empty if nothing is missing.

    All is well on the Overview, the counts of each stage add up, and a field has values of the last minute.
    """
    try:
        overview = page(url, "")
        verdict = VERDICT.search(overview)
        if verdict is None or words(verdict[1]) != "All is well":
            return f"the Overview says: {words(verdict[1] if verdict else overview)} {TROUBLE.findall(overview)[:3]}"
        if (found := overview.count(ADDS_UP)) != len(STAGES):
            return f"the counts of {found} stages add up, not those of {' and '.join(STAGES)}"
        query = urllib.parse.urlencode({"f": f"{topic}:{field}", "last": "1m"})
        rows = list(csv.DictReader(io.StringIO(page(url, f"telemetry.csv?{query}"))))
        if not any(row["topic"] == topic and row["value"] for row in rows):
            return f"{field} of {topic} has no values of the last minute"
    except (urllib.error.URLError, OSError) as error:
        return f"the console does not answer: {error}"
    return ""
