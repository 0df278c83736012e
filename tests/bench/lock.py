#!/usr/bin/env python3
"""Measures locking against the real kbld, on one preresolved lock, in one run.

    lock.py WINDLASS KBLD [DOCUMENTS [OVERRIDES]]

Two of five documents are Deployments with a locked image. Prints a table of wall time, processor
time and memory, and fails when the two programs do not print the same images.
"""
import hashlib, os, pathlib, subprocess, sys, tempfile, time

DEPLOYMENT = """---
# Source: chart/templates/deployment-{n}.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels: {{app: app-{n}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: app-{n}}}
  template:
    metadata:
      labels: {{app: app-{n}}}
    spec:
      containers:
      - name: app
        image: registry.corp/team/app-{i}:1.{i}
        ports: [{{containerPort: 8080}}]
"""
SERVICE = """---
# Source: chart/templates/service-{n}.yaml
apiVersion: v1
kind: Service
metadata:
  name: svc-{n}
  labels: {{app: app-{n}}}
spec:
  selector: {{app: app-{n}}}
  ports:
  - port: 80
    targetPort: 8080
"""
ENTRY = """- image: registry.corp/team/app-{i}:1.{i}
  newImage: registry.corp/team/app-{i}@sha256:{digits}
  preresolved: true
"""


def write(folder, documents, overrides):
    entries = (ENTRY.format(i=i, digits=hashlib.sha256(b"%d" % i).hexdigest()) for i in range(overrides))
    head = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n"
    (folder / "lock.yml").write_text(head + "".join(entries))
    texts = ((DEPLOYMENT if n % 5 < 2 else SERVICE).format(n=n, i=n % overrides) for n in range(documents))
    (folder / "input.yml").write_text("".join(texts))


def measure(name, command, folder):
    with open(folder / f"{name}.yml", "wb") as output:
        started = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.PIPE)
        errors = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
    if status:
        sys.exit(f"{name} failed: {errors.decode()}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def images(file):
    with open(file) as lines:
        return sorted(line.strip(" -\n") for line in lines if line.strip(" -").startswith("image: "))


def main(windlass, kbld, documents="50000", overrides="2000"):
    programs = {
        "windlass": [windlass, "render", "-m", "input.yml", "--locks", "lock.yml"],
        "kbld": [kbld, "-f", "input.yml", "-f", "lock.yml", "--images-annotation=false"],
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder, int(documents), int(overrides))
        size = (folder / "input.yml").stat().st_size / 1e6
        print(f"{documents} documents, {size:.1f} MB, {overrides} overrides\n")
        print("| program | wall s | processor s | memory MiB |\n|---|---|---|---|")
        walls = {}
        for name, command in programs.items():
            command[0] = str(pathlib.Path(command[0]).resolve())
            wall, used, memory = min(measure(name, command, folder) for _ in range(3))
            walls[name] = wall
            print(f"| {name} | {wall:.2f} | {used:.2f} | {memory:.0f} |")
        print(f"\nkbld takes {walls['kbld'] / walls['windlass']:.1f} times as long.")
        if images(folder / "windlass.yml") != images(folder / "kbld.yml"):
            sys.exit("the two print different images")


main(*sys.argv[1:])
