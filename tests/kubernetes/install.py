"""Installs what the cluster needs under target/kubernetes/, one folder PART-VERSION a part.

Kubernetes is one Go program that acts as the API server, the controller manager, the scheduler, the kubelet or kubectl,
depending on the name that it is called by. etcd, containerd, runc, the CNI plugins and Prometheus are Debian's packages,
unpacked and not installed: nothing outside of target/ changes, and no service is started. A folder gets its final name
only when it is complete (scripts/services, `Part`).
"""

import concurrent.futures
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .common import BASE, LOGS, Failure, say, services

SOURCES = Path(__file__).resolve().parent / "go"
KUBERNETES, STAGING = "v1.34.1", "v0.34.1"
PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"]
PACKAGES = ["etcd-server", "containerd", "runc", "containernetworking-plugins", "prometheus"]


class Part(services.Part):
    """A part in target/kubernetes/."""

    base, logs = BASE, LOGS


def go_program(source, requires, replaces, sums, output, log, ldflags=""):
    """Builds a Go program of this package as a module that requires exactly these versions."""
    with tempfile.TemporaryDirectory(prefix="go-", dir=BASE) as folder:
        work = Path(folder)
        shutil.copy(SOURCES / source / "main.go", work)
        lines = ["module program", "go 1.24.0", "godebug default=go1.24"]
        lines += [f"require {module} {version}" for module, version in requires.items()]
        lines += [f"replace {module} => {module} {version}" for module, version in replaces.items()]
        (work / "go.mod").write_text("\n".join(lines) + "\n")
        (work / "go.sum").write_bytes(sums)
        env = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=mod"}
        services.logged([services.go(), "build", "-ldflags", f"-s -w {ldflags}", "-o", output, "."], log, cwd=work, env=env)


def build_kubernetes(folder, version, log):
    """The control plane, the kubelet and kubectl in one program, with the names as links to it."""
    source = services.go_source("k8s.io/kubernetes", f"v{version}")
    # Its own go.mod replaces these modules by folders that a published module does not have.
    staging = re.findall(r"^\s+(k8s\.io/\S+) => \./staging/", (source / "go.mod").read_text(), re.MULTILINE)
    used = ["k8s.io/component-base", "k8s.io/kubectl"]
    package = "k8s.io/component-base/version"
    major, minor, _ = version.split(".")
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    go_program(
        "kubernetes", {"k8s.io/kubernetes": f"v{version}", **{module: STAGING for module in used}},
        {module: STAGING for module in staging}, (source / "go.sum").read_bytes(), folder / "kubernetes", log,
        ldflags=" ".join(f"-X {package}.{name}={value}" for name, value in stamps.items()),
    )  # fmt: skip
    for name in PROGRAMS:
        (folder / name).symlink_to("kubernetes")
    services.expect_version([folder / "kubelet", "--version"], version)


def build_coredns(folder, version, log):
    """The cluster's DNS server, with the few plugins that it needs here."""
    module = "github.com/coredns/coredns"
    sums = (services.go_source(module, f"v{version}") / "go.sum").read_bytes()
    go_program("coredns", {module: f"v{version}"}, {}, sums, folder / "coredns", log)
    services.expect_version([folder / "coredns", "-version"], version)


def build_kustomize(folder, version, log):
    major = version.partition(".")[0]
    services.go_install(f"sigs.k8s.io/kustomize/kustomize/v{major}@v{version}", folder, log)


def build_debian(folder, _version, log):
    """etcd, containerd, runc, the CNI plugins and Prometheus, unpacked from Debian's packages."""
    services.logged(["apt-get", "-q", "update"], log)
    services.logged(["apt-get", "-q", "download", *PACKAGES], log, cwd=folder)
    for package in sorted(folder.glob("*.deb")):
        services.logged(["dpkg-deb", "--extract", package, folder], log)
        package.unlink()
    for program in ["usr/bin/etcd", "usr/bin/containerd", "usr/sbin/runc", "usr/bin/prometheus"]:
        try:
            subprocess.run([folder / program, "--version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Failure(f"{program} of Debian's package does not run here: {error}; see {log}") from error


def build_pause(folder, _version, log):
    """The process that holds a pod's namespaces: it waits, and ends at a signal."""
    source = Path(__file__).resolve().parent / "pause.c"
    services.logged(["cc", "-Os", "-static", "-Wall", "-Werror", "-o", folder / "pause", source], log)


def tools(*names):
    return lambda installed: {name: installed or shutil.which(name) for name in names}


KUBERNETES_PART = Part("kubernetes", KUBERNETES[1:], "Kubernetes", services.go_tools, build_kubernetes)
COREDNS = Part("coredns", "1.13.1", "cluster DNS", services.go_tools, build_coredns)
KUSTOMIZE = Part("kustomize", "5.8.1", "kustomize", services.go_tools, build_kustomize)
DEBIAN = Part("debian", "bookworm", "etcd, containerd, Prometheus", tools("apt-get", "dpkg-deb"), build_debian)
PAUSE = Part("pause", "1", "the pause image", tools("cc"), build_pause)
PARTS = [KUBERNETES_PART, COREDNS, KUSTOMIZE, DEBIAN, PAUSE]


def program(name):
    """The path of an installed program."""
    folders = {
        **{name: KUBERNETES_PART.folder for name in PROGRAMS},
        "coredns": COREDNS.folder, "kustomize": KUSTOMIZE.folder, "pause": PAUSE.folder,
        "runc": DEBIAN.folder / "usr" / "sbin",
    }  # fmt: skip
    return folders.get(name, DEBIAN.folder / "usr" / "bin") / name


def install():
    """Installs absent parts, two at a time, and the services that the pipeline needs."""
    LOGS.mkdir(parents=True, exist_ok=True)
    services.LOGS.mkdir(parents=True, exist_ok=True)
    of_services = [part for part in services.PARTS if part.name in ("kafka", "registry", "influxdb2", "python", "kcat")]
    wanted = [part for part in [*PARTS, *of_services] if not part.installed()]
    missing = {tool for part in wanted for tool in part.missing_tools()}
    missing |= {tool for tool in ("unshare", "mount", "openssl", "java") if not shutil.which(tool)}
    if missing:
        raise Failure(f"not found, and needed: {', '.join(sorted(missing))}")
    if not shutil.which("ip"):
        services.logged(["apt-get", "-q", "-y", "install", "--no-install-recommends", "iproute2"], LOGS / "install-ip.log")

    def one(part):
        since = time.monotonic()
        say(f"installing {part.name} {part.version}")
        part.install()
        say(f"{part.name} {part.version}: installed in {time.monotonic() - since:.0f} s")

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, wanted))
