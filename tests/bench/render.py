"""The measuring of render.sh: makes the charts, runs both programs by turns, prints a table."""

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

COPIES = (1, 10, 50, 100, 200)
PACKAGES = "config-repository/packages"
GNU_TIME = "/usr/bin/time"
SINK = [
    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
]


def run(command):
    """Runs a command without its output: seconds on the clock, and of processors."""
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=SINK)
    _, status, usage = os.wait4(child, 0)
    passed = time.perf_counter() - began
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with status {status}")
    return passed, usage.ru_utime + usage.ru_stime


def memory(command):
    """KiB of memory at the peak. GNU time asks, because a child inherits the peak of who started it,
    and that of an interpreter is higher than that of windlass."""
    with tempfile.NamedTemporaryFile("r") as told:
        run([GNU_TIME, "-f", "%M", "-o", told.name, *command])
        return int(told.read())


def medians(commands, runs):
    """Median time, median processor time and peak memory of each command; they take turns."""
    for command in commands:
        run(command)
    samples = [[] for _ in commands]
    for _ in range(runs):
        for found, command in zip(samples, commands):
            found.append(run(command))
    peaks = map(memory, commands)
    return [
        (*map(statistics.median, zip(*found)), peak) for found, peak in zip(samples, peaks)
    ]


def umbrella(folder, copies):
    """Writes a chart that has so many copies of the cache, each under a name of its own."""
    chart = os.path.join(folder, f"umbrella-{copies}")
    head = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n"
    for n in range(copies):
        copy = os.path.join(chart, "charts", f"cache-{n}")
        shutil.copytree(os.path.join(PACKAGES, "cache"), copy)
        described = os.path.join(copy, "Chart.yaml")
        with open(described, encoding="utf-8") as file:
            text = file.read().replace("name: cache\n", f"name: cache-{n}\n", 1)
        with open(described, "w", encoding="utf-8") as file:
            file.write(text)
        head += f"  - {{name: cache-{n}, version: 1.2.0}}\n"
    with open(os.path.join(chart, "Chart.yaml"), "w", encoding="utf-8") as file:
        file.write(head)
    return chart


def exponent(times):
    """The slope of the logarithms: 1 is growth in proportion to n."""
    points = [(math.log(n), math.log(t)) for n, t in times]
    x, y = (statistics.mean(axis) for axis in zip(*points))
    above = sum((a - x) * (b - y) for a, b in points)
    return above / sum((a - x) ** 2 for a, _ in points)


def outputs(commands):
    """How what two commands print differs: nothing, or in how many lines."""
    texts = [
        subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        for command in commands
    ]
    one, other = (text.splitlines() for text in texts)
    if texts[0] == texts[1]:
        return "same bytes"
    lines = sum(a != b for a, b in zip(one, other)) + abs(len(one) - len(other))
    return f"{lines} lines differ"


def main():
    """Prints the table."""
    windlass, helm = os.environ["WINDLASS"], os.environ["HELM"]
    runs, given = int(sys.argv[1]), sys.argv[2:]
    if not os.path.exists(GNU_TIME):
        sys.exit(f"{GNU_TIME} is missing: install GNU time")
    with tempfile.TemporaryDirectory() as folder:
        if given:
            charts = [(os.path.basename(os.path.normpath(path)), path) for path in given]
        else:
            charts = [("demo chart", "config-repository/umbrella-chart")]
            charts += [(f"{n} copies", umbrella(folder, n)) for n in COPIES]
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, medians of {runs} runs\n")
        head = ("chart", "windlass", "helm", "faster", "processor time")
        head += ("windlass memory", "helm memory", "part", "output")
        print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
        grown = []
        for name, chart in charts:
            commands = [
                [windlass, "render", "demo", chart, "--no-locks"],
                [helm, "template", "demo", chart, "--include-crds"],
            ]
            compared = outputs(commands)
            rows = medians(commands, runs)
            (a, a_cpu, a_kib), (b, b_cpu, b_kib) = rows
            print(
                f"| {name} | {a * 1e3:.1f} ms | {b * 1e3:.1f} ms | {b / a:.1f}× | {b_cpu / a_cpu:.1f}×"
                f" | {a_kib / 1024:.1f} MiB | {b_kib / 1024:.1f} MiB | 1/{b_kib / a_kib:.1f} | {compared} |",
                flush=True,
            )
            grown.append((a, a_cpu, b, b_cpu))
        (start, _, _), (helm_start, _, _) = medians([[windlass, "--version"], [helm, "version"]], runs)
    print(f"\nstart (`--version`): windlass {start * 1e3:.1f} ms, helm {helm_start * 1e3:.1f} ms")
    if given:
        return
    for name, column in (("windlass", 0), ("helm", 2)):
        clock, cpu = (
            exponent([(n, row[column + k]) for n, row in list(zip(COPIES, grown[1:]))[1:]])
            for k in (0, 1)
        )
        print(f"growth from 10 to 200 copies: {name} n^{clock:.2f} (processor time n^{cpu:.2f})")


main()
