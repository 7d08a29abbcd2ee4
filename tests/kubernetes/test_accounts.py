"""Tests of the account: the arithmetic of the ledger, the report, and the counts of the pods. No cluster is needed."""

import tempfile
import unittest
from pathlib import Path

from . import database, document, metrics, report, services
from .common import Failure
from .ledger import Ledger, Name, NotSal, Stops, Tally, parse

TEXT = b"Test_telemetry Test_scalars:( 'd7bf9a83' , 1556000000.125999 , 1556000000.127185 , 17 , 4321 , 77 , 1 )"
NAME = Name("Test_scalars", 17, 1_556_000_000_125)


def name(sequence, topic="Test_scalars"):
    return Name(topic, sequence, 1000 * sequence)


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger()
        for sequence in (1, 2, 3):
            self.ledger.sent(name(sequence), ("Test_telemetry", 0, sequence), 1000 * sequence)

    def test_a_message_is_known_by_topic_number_and_time(self):
        self.assertEqual(parse(TEXT), NAME)
        with self.assertRaises(NotSal):
            parse(b"Test_scalars: 1, 2")

    def test_what_is_nowhere_is_lost(self):
        self.ledger.stored([name(1), name(3)], 0)
        self.assertEqual(self.ledger.outstanding(2999), [name(2)])
        self.assertEqual(self.ledger.tally(0, 4000), Tally(sent=3, arrived=2, lost=1))
        self.assertEqual(self.ledger.tally(0, 2000), Tally(sent=1, arrived=1))

    def test_a_dead_letter_of_either_stage_is_not_a_loss(self):
        self.ledger.record(name(2), ("lsst.sal.Test_scalars", 1, 7))
        self.ledger.dead_letter(("Test_telemetry", 0, 1))
        self.ledger.dead_letter(("lsst.sal.Test_scalars", 1, 7))
        self.ledger.stored([name(3)], 0)
        self.assertEqual(self.ledger.tally(0, 4000), Tally(sent=3, arrived=1, dead=2))
        self.assertEqual(self.ledger.strangers(), [])

    def test_two_points_or_a_point_and_a_dead_letter_are_duplicates(self):
        self.ledger.stored([name(1), name(1), name(2), name(3)], 0)
        self.ledger.dead_letter(("Test_telemetry", 0, 3))
        self.assertEqual(self.ledger.tally(0, 4000), Tally(sent=3, arrived=3, dead=1, duplicated=2))

    def test_a_second_look_replaces_the_first(self):
        self.ledger.stored([name(1), name(2)], 0)
        self.ledger.stored([name(2), name(3)], 2000)
        self.assertEqual(self.ledger.tally(0, 4000), Tally(sent=3, arrived=3))

    def test_points_and_dead_letters_that_nobody_sent_are_found(self):
        self.ledger.stored([name(1), name(9)], 0)
        self.ledger.dead_letter(("Test_telemetry", 0, 99))
        self.assertEqual(self.ledger.strangers(), [name(9), ("Test_telemetry", 0, 99)])

    def test_a_message_that_was_sent_twice_is_refused(self):
        with self.assertRaises(NotSal):
            self.ledger.sent(name(1), ("Test_telemetry", 0, 4), 4000)

    def test_a_second_record_in_kafka_is_counted(self):
        for offset in (1, 2):
            self.ledger.record(name(1), ("lsst.sal.Test_scalars", 0, offset))
        self.ledger.stored([name(1), name(2), name(3)], 0)
        self.assertEqual(self.ledger.tally(0, 4000), Tally(sent=3, arrived=3, repeated=1))

    def test_held_messages_count_from_their_release(self):
        self.ledger.hold("ATDome_")
        self.ledger.sent(name(1, "ATDome_position"), ("ATDome_telemetry", 0, 0), 1000)
        self.assertEqual(self.ledger.tally(0, 9000).sent, 3)
        self.ledger.release("ATDome_", 8000)
        self.assertEqual(self.ledger.tally(8000, 9000), Tally(sent=1, lost=1))


class StopsTest(unittest.TestCase):
    def test_the_longest_stop_is_that_of_the_topic_furthest_behind(self):
        stops = Stops()
        stops.sample(10_000, {"a": 9_000, "b": 9_500})
        stops.sample(13_000, {"a": 12_500})
        self.assertEqual(stops.reset(), 3.5)
        stops.sample(94_000, {"a": 93_500, "b": 93_900})
        self.assertEqual(stops.reset(), 0.5)

    def test_without_an_answer_of_the_database_the_stop_lasts(self):
        stops = Stops()
        stops.sample(10_000, {"a": 9_000})
        stops.sample(70_000, {})
        self.assertEqual(stops.longest, 61.0)

    def test_the_backlog_of_a_new_topic_is_not_a_stop(self):
        stops = Stops()
        stops.sample(100_000, {"new": 1_000})
        self.assertEqual(stops.longest, 0.0)
        stops.sample(101_000, {"new": 100_000})
        self.assertEqual(stops.longest, 1.0)


class MetricsTest(unittest.TestCase):
    TEXT = (
        "# HELP x y\nsaltransform_consumed_total 10\nsaltransform_produced_total 6\n"
        'saltransform_skipped_total{reason="empty"} 1\nsaltransform_skipped_total{reason="tombstone"} 2\n'
        "kafka_in_flight_messages 1\n"
    )

    def test_counts_add_up(self):
        counts = metrics.sums(self.TEXT)
        self.assertEqual(counts["saltransform_skipped_total"], 3)
        self.assertIsNone(metrics.discrepancy("saltransform", counts))

    def test_a_lost_message_is_noticed_and_one_that_was_released_is_not(self):
        counts = metrics.sums(self.TEXT.replace("produced_total 6", "produced_total 5"))
        self.assertIn("accounted for 9", metrics.discrepancy("saltransform", counts))
        counts["kafka_released_total"] = 1
        self.assertIsNone(metrics.discrepancy("saltransform", counts))

    def test_more_results_than_messages_are_noticed(self):
        counts = metrics.sums(self.TEXT.replace("produced_total 6", "produced_total 7"))
        self.assertIsNotNone(metrics.discrepancy("saltransform", counts))


class ServicesTest(unittest.TestCase):
    def test_prometheus_scrapes_running_pods_that_ask_for_it(self):
        annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9464", "prometheus.io/path": "/metrics"}
        labels = {"app.kubernetes.io/name": "influxsink"}
        pod = {
            "metadata": {"name": "p", "namespace": "n", "annotations": annotations, "labels": labels},
            "status": {"podIP": "10.244.0.7", "phase": "Running"},
        }
        starting = {**pod, "status": {"phase": "Pending"}}
        silent = {**pod, "metadata": {**pod["metadata"], "annotations": {}}}
        (target,) = services.targets([pod, starting, silent])
        self.assertEqual(target["targets"], ["10.244.0.7:9464"])
        self.assertEqual(target["labels"]["job"], "influxsink")

    def test_times_of_the_database(self):
        self.assertEqual(database.milliseconds("1970-01-01T00:00:00Z"), 0)
        self.assertEqual(database.milliseconds("2026-11-21T17:03:05.25Z"), 1_795_280_585_250)
        self.assertEqual(database.milliseconds("2026-11-21T17:03:05.250999Z"), 1_795_280_585_250)


class DocumentTest(unittest.TestCase):
    def test_the_steps_of_the_document_are_found(self):
        self.assertEqual(document.steps("a\n```sh\nx\ny\n```\nb\n```text\nz\n```\n```sh\nw\n```\n"), ["x\ny\n", "w\n"])
        self.assertGreaterEqual(len(document.steps(document.DOCUMENT.read_text())), 6)


class ReportTest(unittest.TestCase):
    def report(self, strangers=0, complaints=(), **counts):
        tally = Tally(**{"sent": 1200, "arrived": 1200, **counts})
        return report.Report([report.Row("roll", 31.4, tally, 2.25)], 9, strangers, list(complaints))

    def test_the_line_and_the_exit_follow_from_the_rows(self):
        good = self.report()
        self.assertEqual(good.line(), "KUBERNETES actions=1 pods=9 lost=0 duplicated=0")
        self.assertTrue(good.succeeded())
        for bad in (
            self.report(arrived=1199, lost=1), self.report(duplicated=1), self.report(strangers=1),
            self.report(complaints=["x"]), self.report(sent=0, arrived=0),
        ):  # fmt: skip
            self.assertFalse(bad.succeeded())
        self.assertEqual(self.report(strangers=2).line(), "KUBERNETES actions=1 pods=9 lost=0 duplicated=2")

    def test_the_table_has_a_row_for_each_action_and_one_for_all(self):
        lines = self.report().table().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual(len({len(line) for line in lines}), 1)
        self.assertIn("1,200", lines[2])
        self.assertTrue(lines[3].startswith("| all"))

    def test_the_document_keeps_what_is_around_the_marks(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "r.md"
            path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
            report.write(path, self.report(), "Intro.")
            text = path.read_text()
            self.assertTrue(text.startswith(f"before\n{report.BEGIN}\nIntro.\n\n| action"))
            self.assertTrue(text.endswith(f"```\n{report.END}\nafter\n"))
            self.assertNotIn("old", text)
            path.write_text("no marks")
            with self.assertRaises(Failure):
                report.write(path, self.report(), "")


if __name__ == "__main__":
    unittest.main()
