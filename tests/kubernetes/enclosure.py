"""Namespaces that hold the whole cluster, so that nothing of it is left behind however the test ends.

The test runs again inside of its own network, mount and process-id namespaces. When the first process in there ends, also
when it is killed, the kernel ends all others (containers included) and removes mounts, interfaces and addresses. What is
left are empty cgroups and a folder of data, which the process outside removes, or else the next run does.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from .common import LOGS, ROOT, RUN, Failure, services

CGROUPS = Path("/sys/fs/cgroup")
# The kubelet sets these for the whole machine. In the mount namespace they look as if it had.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}  # fmt: skip


def hierarchies():
    """The mount points of cgroup v1's controllers, and of v2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [path for path in sorted(CGROUPS.iterdir()) if path.is_dir() and not path.is_symlink()]


def make_cgroups(name):
    """A cgroup of the run's own in each hierarchy, below which the kubelet makes those of the pods."""
    for hierarchy in hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new cgroup of v1, which then takes no process
            if (folder / setting).exists() and hierarchy.name == "cpuset":
                (folder / setting).write_text((hierarchy / setting).read_text())
        if hierarchy.name == "cpu":  # what the kubelet gives to the pods of a whole node
            (folder / "cpu.shares").write_text(str(1024 * os.cpu_count()))


def remove_cgroups(name):
    """Ends what is in the run's cgroups, and removes them."""
    for hierarchy in hierarchies():
        folders = [Path(path) for path, _, _ in os.walk(hierarchy / name, topdown=False)]
        for folder in folders:
            for _attempt in range(50):
                with contextlib.suppress(FileNotFoundError):
                    for pid in (folder / "cgroup.procs").read_text().split():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(int(pid), signal.SIGKILL)
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:  # the kernel has not finished with its processes yet
                    time.sleep(0.1)
            else:
                raise Failure(f"cannot remove {folder}: it still has processes")


class Instance:
    """A run's name, data folder, log folder, and the lock that shows that it lives."""

    def __init__(self, name):
        self.name, self.folder, self.logs = name, RUN / name, LOGS / name
        self.lock = RUN / f"{name}.lock"

    def hold(self):
        """Takes the lock, which the kernel releases when the process ends; False if another process has it."""
        RUN.mkdir(parents=True, exist_ok=True)
        self.held = self.lock.open("w")
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def remove(self):
        remove_cgroups(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.unlink(missing_ok=True)


def sweep():
    """Removes what runs that were killed have left."""
    for lock in RUN.glob("*.lock"):
        instance = Instance(lock.stem)
        if instance.hold():
            instance.remove()


def run_inside(arguments):
    """Runs this package again with these arguments inside of namespaces; returns its exit code."""
    if os.geteuid() != 0:
        raise Failure("namespaces, mounts and cgroups need root")
    sweep()
    instance = Instance(f"kafka-efd-kubernetes-{os.getpid()}")
    instance.hold()
    try:
        instance.folder.mkdir()
        shutil.rmtree(instance.logs, ignore_errors=True)
        instance.logs.mkdir(parents=True)
        make_cgroups(instance.name)
        python = services.VENV / "bin" / "python"  # it has the packages to read Kafka
        inside = [python, "-m", "tests.kubernetes", "inside", instance.name, *arguments]
        unshare = ["unshare", "--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=SIGKILL"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*unshare, "--mount-proc", "--", *map(str, inside)]
        child = subprocess.Popen(command, cwd=ROOT, env=env, preexec_fn=die_with_parent)
        return wait(child)
    finally:
        instance.remove()


def die_with_parent():
    """The kernel kills this process when its parent ends, also when the parent is killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def wait(child):
    """Waits for `unshare`. Ctrl-C reaches everything by itself; SIGTERM is passed on to the first process inside."""

    def pass_on(number, _frame):
        for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split():
            os.kill(int(pid), number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, pass_on)
    try:
        code = child.wait()
    finally:
        child.kill()  # with --kill-child: also what is inside
        child.wait()
    return code if code >= 0 else 128 - code


def be_first(work):
    """As the first process of the namespace: runs `work`, which returns an exit code, in a second process, passes signals on
    to it, and reaps orphans."""
    prepare()
    second = os.fork()
    if second == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        sys.exit(work())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second process has it from the terminal
    signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(second, number))
    while True:
        pid, status = os.wait()
        if pid == second:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def prepare():
    """Mounts what the cluster would otherwise write to the machine's own folders."""

    def mount(*words):
        subprocess.run(["mount", *map(str, words)], check=True)

    for folder in ("/run", "/var/lib/cni", "/var/log/containers"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", "tmpfs", folder)
    settings = Path("/run/kernel-settings")
    settings.mkdir()
    for name, value in KERNEL_SETTINGS.items():
        (settings / name.replace("/", ".")).write_text(f"{value}\n")
        mount("--bind", settings / name.replace("/", "."), Path("/proc/sys") / name)
