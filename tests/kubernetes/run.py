"""The test: starts everything, does one action after the other, and accounts for every message after each."""

import time

from . import database, images, metrics
from .cluster import start
from .common import Failure, say
from .kafka import Reader
from .ledger import Ledger
from .pipeline import NEW_TOPICS, STAGES, Pipeline, Watch
from .report import Report, Row
from .services import Services

SETTLE_WITHIN = 300  # seconds; the machine may be busy
LAG_WITHIN = 60  # seconds until Prometheus has seen that nothing waits
FLOWS_FOR = 5  # seconds of load before and after an action
AROUND_MS = 60_000  # messages are older than Kafka's time of them by less than this


def now_ms():
    return int(time.time() * 1000)


class Account:
    """What is known about all messages, and the looks at Kafka and the database that find out more."""

    def __init__(self, ledger, token):
        self.ledger, self.token, self.reader = ledger, token, Reader(ledger)

    def look(self, since_ms):
        self.reader.catch_up()
        self.ledger.stored(database.points(self.token, since_ms), since_ms)

    def settle(self, until_ms, since_ms):
        """Waits until every message sent up to a time is in the database or a dead letter; what is missing is the loss."""
        deadline = time.monotonic() + SETTLE_WITHIN
        while True:
            self.look(since_ms)
            missing = self.ledger.outstanding(until_ms)
            if not missing or time.monotonic() > deadline:
                return missing
            time.sleep(1)


def one_action(name, action, pipeline, account, watch):
    """An action and its account: its row without the counts, and what was wrong."""
    say(f"{name} …")
    begin, complaints = now_ms(), []
    pipeline.begin_load()
    watch.flow(begin)
    time.sleep(FLOWS_FOR)
    since = time.monotonic()
    try:
        action(pipeline)
    except Failure as failure:
        complaints.append(f"{name}: {failure}")
    seconds = time.monotonic() - since
    time.sleep(FLOWS_FOR)
    # While messages flow, so that the stop is that of a stage which had its work to do.
    oldest = min((message.time_ms for message in account.ledger.outstanding(now_ms())), default=begin)
    account.settle(now_ms(), min(oldest, begin) - AROUND_MS)
    stop = watch.rest()
    return begin, seconds, stop, complaints + [f"{name}: {text}" for text in at_rest(pipeline, account, begin - AROUND_MS)]


def at_rest(pipeline, account, since_ms):
    """Ends the load; returns what is wrong with the account and with the counts of the pods when nothing moves."""
    pipeline.end_load()
    missing = account.settle(now_ms(), since_ms)
    complaints = [f"{len(missing)} messages have not arrived, such as {missing[0]}"] if missing else []
    return complaints + pipeline.discrepancies()


def measure(pipeline, account, chosen):
    """All actions, and the account of all messages at the end."""
    watch = Watch(pipeline)
    watch.start()
    first = now_ms()
    spans, complaints = [], []
    for name, action in chosen:
        begin, seconds, stop, found = one_action(name, action, pipeline, account, watch)
        spans.append((name, begin, seconds, stop))
        complaints += found
        for text in found:
            say(f"WRONG: {text}")
        say(f"{name}: {account.ledger.tally(begin, now_ms())}, longest stop {stop:.1f} s")
    complaints += finish(account)
    if not watch.is_alive():
        complaints.append("the thread that measures stops has ended; its error is above")
    watch.ended.set()
    watch.join()
    complaints += [f"{name} was restarted {count} times" for name, count in watch.restarts.items() if count]
    begins = [begin for _, begin, _, _ in spans] + [now_ms()]
    rows = [
        Row(name, seconds, account.ledger.tally(begin, end), stop)
        for (name, _, seconds, stop), begin, end in zip(spans, begins, begins[1:])
    ]
    strangers = account.ledger.strangers()
    complaints += [f"nobody has sent {stranger}" for stranger in strangers[:10]]
    say(f"{(now_ms() - first) / 1000:.0f} s of actions")
    return Report(rows, len(watch.pods), len(strangers), complaints)


def finish(account):
    """Accounts for everything that the run has sent, and asks Prometheus."""
    missing = account.settle(now_ms(), 0)
    complaints = [f"at the end: {len(missing)} messages have not arrived, such as {missing[0]}"] if missing else []
    deadline = time.monotonic() + LAG_WITHIN
    while lags := {stage: lag for stage in STAGES if (lag := metrics.prometheus(f'sum(kafka_consumer_lag{{job="{stage}"}})'))}:
        if time.monotonic() > deadline:
            return [*complaints, f"at the end: according to Prometheus messages are waiting: {lags}"]
        time.sleep(1)
    return complaints


def test(instance, archive, chosen, topics):
    """Runs the actions in a cluster of the instance's own."""
    cluster = start(instance, [images.pause_archive(), archive])
    since = time.monotonic()
    services = Services(instance, cluster)
    say(f"Kafka, the registry, InfluxDB and Prometheus are ready after {time.monotonic() - since:.0f} s")
    pipeline = Pipeline(cluster, services, Ledger(), topics)
    pipeline.ledger.hold(NEW_TOPICS)
    pipeline.start()
    account = Account(pipeline.ledger, services.token)
    say("the pipeline runs")
    return measure(pipeline, account, chosen)
