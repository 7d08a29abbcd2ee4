"""python3 -m tests.kubernetes: installs Kubernetes, runs the pipeline on it, disturbs it, and accounts for every message."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from . import actions, cluster, document, enclosure, images, install, report
from .common import IMAGE, Failure, say

INTRO = """Kubernetes 1.34.1 with one node, three brokers, 100 topics at 1 Hz. A row has the messages that were sent from its
action to the next one. *longest stop*: the longest time by which the newest point of any topic was behind the clock, of
which one second is the load's period."""


def arguments():
    parser = argparse.ArgumentParser(prog="python3 -m tests.kubernetes", description=__doc__)
    commands = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    commands.add_parser("install", help="install what the cluster needs under target/kubernetes/")
    bare = commands.add_parser("cluster", help="run a command with KUBECONFIG set, in an empty cluster without a way out")
    bare.add_argument("command", nargs="+", metavar="COMMAND", help="after `--`: the command and its arguments")
    test = commands.add_parser("test", help="run the pipeline, disturb it, and account for every message")
    test.add_argument("--quick", action="store_true", help=f"{len(actions.QUICK)} of the {len(actions.ALL)} actions")
    test.add_argument("--only", metavar="WORD", help="the actions whose name contains it")
    test.add_argument("--image", metavar="TAR", type=Path, help=f"an archive of {IMAGE}, instead of building it")
    test.add_argument("--topics", metavar="N", type=int, help="fewer topics than the load's 100, on a busy machine")
    test.add_argument("--json", metavar="FILE", type=Path, help="also write the results as JSON")
    test.add_argument("--report", metavar="FILE", type=Path, help="also write the table into a document, between its marks")
    follow = commands.add_parser("follow", help="run the commands of docs/kubernetes.md, step by step")
    follow.add_argument("--image", metavar="TAR", type=Path, help=f"an archive of {IMAGE}, instead of building it")
    inside = commands.add_parser("inside")  # how this program runs itself in the namespaces
    inside.add_argument("name")
    inside.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def run_test(args, instance):
    """The test, in the namespaces; returns the exit code."""
    from . import run  # it needs the Python packages that the environment inside has

    chosen = [one for one in (actions.QUICK if args.quick else actions.ALL) if not args.only or args.only in one[0]]
    results = run.test(instance, args.image or images.ARCHIVE, chosen, args.topics)
    print(results.table())
    for complaint in results.complaints:
        print(f"WRONG: {complaint}")
    print(results.line())
    if args.json:
        args.json.write_text(json.dumps(results.json(), indent=2) + "\n")
    if args.report and results.succeeded():
        report.write(args.report, results, INTRO)
    return 0 if results.succeeded() else 1


def inside(name, words):
    """The work in the namespaces; returns the exit code."""
    args = arguments().parse_args(words)
    instance = enclosure.Instance(name)
    try:
        if args.verb == "test":
            return run_test(args, instance)
        if args.verb == "follow":
            document.follow(instance, [images.pause_archive(), args.image or images.ARCHIVE])
            return 0
        return cluster.run_command(cluster.start(instance, [images.pause_archive()]), args.command)
    except (Failure, OSError) as failure:
        say(f"{failure}\nThe logs are in {instance.logs}")
        return 1
    except KeyboardInterrupt:
        return 130


def prepare(args):
    """What needs the machine's own network, before the namespaces."""
    install.install()
    if args.verb == "test" and args.report:
        if args.quick or args.only or args.topics:
            raise Failure("--report is for a whole run: without --quick, --only and --topics")
        report.around_the_marks(args.report)  # known before, and not after, half an hour
    if args.verb in ("test", "follow") and args.image is None:
        images.build()


def main():
    args = arguments().parse_args()
    if args.verb == "inside":
        enclosure.be_first(lambda: inside(args.name, args.arguments))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    try:
        prepare(args)
        if args.verb != "install":
            sys.exit(enclosure.run_inside(sys.argv[1:]))
    except (Failure, OSError) as failure:
        sys.exit(f"kubernetes: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
