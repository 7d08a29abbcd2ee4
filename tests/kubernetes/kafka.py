"""Reads what is in Kafka: SAL text in the input topics, records in the output topics, and dead letters."""

import io
import json
import re
import time

import confluent_kafka
import fastavro
from confluent_kafka.admin import AdminClient, OffsetSpec

from . import database
from .common import Failure, services
from .ledger import Name, parse
from .services import BOOTSTRAP, REGISTRY_URL

INPUT = re.compile(r"^\w+_(telemetry|logevent|event|events|command|commands)$")
OUTPUT = re.compile(r"^lsst\.sal\.")
DEAD = re.compile(r"\.dead-letter$")
PATIENCE = 120  # seconds for reading what is new


class Reader:
    """Follows all topics, and enters what it reads into the ledger."""

    def __init__(self, ledger):
        self.ledger = ledger
        settings = {"bootstrap.servers": BOOTSTRAP, "log_level": 2}
        of_reader = {"group.id": "test-kubernetes", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        self.consumer = confluent_kafka.Consumer({**settings, **of_reader})
        self.admin = AdminClient(settings)
        self.next = {}  # (topic, partition) -> the offset to read next
        self.schemas = {}

    def ends(self):
        """The end of each partition that is of interest."""
        partitions = [
            confluent_kafka.TopicPartition(name, number)
            for name, topic in self.consumer.list_topics(timeout=30).topics.items()
            if any(kind.search(name) for kind in (INPUT, OUTPUT, DEAD))
            for number in topic.partitions
        ]
        if not partitions:
            return {}
        latest = self.admin.list_offsets({partition: OffsetSpec.latest() for partition in partitions}, request_timeout=30)
        return {(place.topic, place.partition): found.result().offset for place, found in latest.items()}

    def catch_up(self):
        """Reads everything up to what is in Kafka now."""
        ends = self.ends()
        fresh = [confluent_kafka.TopicPartition(*place, 0) for place in ends if place not in self.next]
        if fresh:
            self.consumer.incremental_assign(fresh)
            self.next.update({(partition.topic, partition.partition): 0 for partition in fresh})
        deadline = time.monotonic() + PATIENCE
        dead_letters = []
        while any(self.next[place] < end for place, end in ends.items()):
            if time.monotonic() > deadline:
                behind = [place for place, end in ends.items() if self.next[place] < end]
                raise Failure(f"reading {len(behind)} partitions takes more than {PATIENCE} s: {behind[:3]}")
            for message in self.consumer.consume(num_messages=1000, timeout=0.5):
                if message.error():
                    raise Failure(f"reading Kafka: {message.error()}")
                self.next[message.topic(), message.partition()] = message.offset() + 1
                if DEAD.search(message.topic()):
                    dead_letters.append(message)  # after the messages that they name
                else:
                    self.enter(message)
            # Markers at the end of a partition are offsets without a message.
            for place in self.consumer.position([confluent_kafka.TopicPartition(*place) for place in ends]):
                if place.offset >= 0:
                    self.next[place.topic, place.partition] = place.offset
        for message in dead_letters:
            headers = {name: (value or b"").decode() for name, value in message.headers() or []}
            self.ledger.dead_letter((headers["topic"], int(headers["partition"]), int(headers["offset"])))

    def enter(self, message):
        origin = (message.topic(), message.partition(), message.offset())
        if INPUT.search(message.topic()):
            self.ledger.sent(parse(message.value()), origin, message.timestamp()[1])
        else:
            self.ledger.record(self.name_of(message.value()), origin)

    def name_of(self, value):
        """The name of the message in a Confluent-framed record."""
        number = int.from_bytes(value[1:5], "big")
        if number not in self.schemas:
            answer = json.loads(services.http(f"{REGISTRY_URL}/schemas/ids/{number}"))
            self.schemas[number] = fastavro.parse_schema(json.loads(answer["schema"]))
        schema = self.schemas[number]
        record = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
        created = record["sal_created"]
        stamp = created.timestamp() if hasattr(created, "timestamp") else created
        topic = schema["name"].removeprefix(database.PREFIX)
        return Name(topic, record[database.SEQUENCE], round(stamp * 1000))
