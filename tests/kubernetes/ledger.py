"""The account of all messages: what was sent, and where each of them is now. Nothing here does any input or output.

A SAL message is identified by its topic, its sequence number and its time, which it keeps through every stage. Its place in
Kafka (topic, partition, offset) links it to a dead letter of saltransform, and its record's place to one of influxsink.
"""

import dataclasses
import re
from collections import Counter

KEPT_UP_MS = 5_000

# The prefix is the component and the kind. Of the values that all topics begin with, the second is the time and the fourth
# the sequence number.
MESSAGE = re.compile(rb"(?:\S+ )?(\w+):\( '[^']*' , (\d+)\.(\d{3})\d* , \d+\.\d+ , (\d+) , ")


class NotSal(Exception):
    """A message that is not in SAL's text format."""


@dataclasses.dataclass(frozen=True)
class Name:
    """What identifies a message in the input topics, the output topics and the database."""

    topic: str
    sequence: int
    time_ms: int


def parse(text):
    """The name of a SAL message. Its time is UTC, as salmock has it unless told otherwise; a record has its milliseconds."""
    found = MESSAGE.match(text)
    if found is None:
        raise NotSal(f"not a SAL message: {text[:80]!r}")
    topic, seconds, thousandths, sequence = found.groups()
    return Name(topic.decode(), int(sequence), int(seconds) * 1000 + int(thousandths))


@dataclasses.dataclass
class Tally:
    """The messages of one span of time."""

    sent: int = 0
    arrived: int = 0
    dead: int = 0
    lost: int = 0
    duplicated: int = 0
    repeated: int = 0

    def __add__(self, other):
        return Tally(*(ours + theirs for ours, theirs in zip(dataclasses.astuple(self), dataclasses.astuple(other))))


class Ledger:
    """Every message, and every place where it was found."""

    def __init__(self):
        self.sent_ms = {}  # Name -> Kafka's time of the message
        self.origins = {}  # its place in an input topic, and its record's place in an output topic -> Name
        self.records = Counter()  # how often it is in the output topics
        self.points = Counter()  # how often it is in the database
        self.letters = Counter()  # how many dead letters name it
        self.unknown = []  # dead letters that name a place where no message is
        self.held = {}  # prefix -> messages of topics that nothing reads yet

    def sent(self, name, origin, kafka_ms):
        """A message in an input topic. The same name in two places is sent twice, and can have one point only."""
        if name in self.sent_ms:
            raise NotSal(f"{name} was sent twice; it is at {origin} as well")
        self.origins[origin] = name
        held = [messages for prefix, messages in self.held.items() if name.topic.startswith(prefix)]
        if held:
            held[0].append(name)
        else:
            self.sent_ms[name] = kafka_ms

    def hold(self, prefix):
        """Messages of topics with this prefix are not expected anywhere before `release`."""
        self.held[prefix] = []

    def release(self, prefix, now_ms):
        """What was held counts as sent now."""
        self.sent_ms.update({name: now_ms for name in self.held.pop(prefix)})

    def record(self, name, origin):
        """A record in an output topic."""
        self.records[name] += 1
        self.origins[origin] = name

    def dead_letter(self, origin):
        """A dead letter, by the place that it names."""
        name = self.origins.get(origin)
        if name is None:
            self.unknown.append(origin)
        else:
            self.letters[name] += 1

    def stored(self, names, since_ms):
        """All points of the database from a time on, which replaces what was known about that time."""
        for name in [name for name in self.points if name.time_ms >= since_ms]:
            del self.points[name]
        self.points.update(names)

    def outstanding(self, until_ms):
        """The messages sent up to a time that are neither in the database nor a dead letter."""
        return [
            name for name, at in self.sent_ms.items()
            if at <= until_ms and not self.points[name] and not self.letters[name]
        ]  # fmt: skip

    def tally(self, from_ms, until_ms):
        """The account of the messages sent from a time on and before another."""
        tally = Tally()
        for name, at in self.sent_ms.items():
            if not from_ms <= at < until_ms:
                continue
            points, letters = self.points[name], self.letters[name]
            tally.sent += 1
            tally.arrived += points > 0
            tally.dead += letters > 0
            tally.lost += not points and not letters
            # Twice in the database, or in the database and a dead letter as well. Two dead letters are one at least.
            tally.duplicated += points > 1 or bool(points and letters)
            tally.repeated += max(self.records[name] - 1, 0)
        return tally

    def strangers(self):
        """Points and dead letters of messages that nobody sent: they are duplicates of others, or made up."""
        return [name for name in self.points if name not in self.sent_ms] + self.unknown


class Stops:
    """The longest time by which a topic's newest point was behind the clock, sampled while messages flow.

    A topic counts once it has kept up: the backlog of a new subsystem is not a stop.
    """

    def __init__(self):
        self.longest, self.newest = 0.0, {}

    def sample(self, now_ms, found):
        """`found`: the time of each topic's newest point, if the database could say."""
        for topic, at in found.items():
            if topic in self.newest or now_ms - at <= KEPT_UP_MS:
                self.newest[topic] = at
        for at in self.newest.values():
            self.longest = max(self.longest, (now_ms - at) / 1000)

    def reset(self):
        """Returns the longest stop since the last call, and forgets all topics: the load begins anew."""
        longest = self.longest
        self.longest, self.newest = 0.0, {}
        return longest
