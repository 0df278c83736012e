#!/usr/bin/env python3
"""Measures locking against the real kbld, on one preresolved lock, in one run, and how time and
memory grow with the input.

    lock.py WINDLASS KBLD [DOCUMENTS [OVERRIDES]]

Two of five documents are Deployments with a locked image. Prints tables of wall time, processor
time and memory, and fails when the two programs do not print the same images. Needs GNU time: memory
that is asked of a child is never less than that of this program.
"""
import hashlib, pathlib, subprocess, sys, tempfile

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
    with open(folder / "input.yml", "w") as file:
        file.writelines((DEPLOYMENT if n % 5 < 2 else SERVICE).format(n=n, i=n % overrides) for n in range(documents))


def measure(name, command, folder):
    """Wall and processor seconds and MiB: the run of three with the least time."""
    runs = []
    for _ in range(3):
        with open(folder / f"{name}.yml", "wb") as output:
            timed = ["time", "-q", "-o", "used", "-f", "%e %U %S %M", *command]
            done = subprocess.run(timed, cwd=folder, stdout=output, stderr=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"{name} failed: {done.stderr.decode()}")
        wall, user, system, memory = map(float, (folder / "used").read_text().split())
        runs.append((wall, user + system, memory / 1024))
    return min(runs)


def images(file):
    with open(file) as lines:
        return sorted(line.strip(" -\n") for line in lines if line.strip(" -").startswith("image: "))


def against(programs, folder):
    print("\n| program | wall s | processor s | memory MiB |\n|---|---|---|---|")
    walls = {}
    for name, command in programs.items():
        walls[name], used, memory = measure(name, command, folder)
        print(f"| {name} | {walls[name]:.2f} | {used:.2f} | {memory:.0f} |")
    print(f"\nkbld takes {walls['kbld'] / walls['windlass']:.1f} times as long.")
    if images(folder / "windlass.yml") != images(folder / "kbld.yml"):
        sys.exit("the two print different images")


def growth(command, folder, documents, overrides):
    print("\n| documents | input MiB | wall s | processor s | memory MiB | beyond the input MiB |\n|---|---|---|---|---|---|")
    for part in (0, 1, 2, 4, 8, 16):
        write(folder, documents * part // 8, overrides)
        size = (folder / "input.yml").stat().st_size / 2**20
        wall, used, memory = measure("windlass", command, folder)
        print(f"| {documents * part // 8} | {size:.1f} | {wall:.2f} | {used:.2f} | {memory:.1f} | {memory - size:.1f} |")


def main(windlass, kbld, documents="50000", overrides="2000"):
    documents, overrides = int(documents), int(overrides)
    windlass, kbld = (str(pathlib.Path(program).resolve()) for program in (windlass, kbld))
    programs = {
        "windlass": [windlass, "render", "-m", "input.yml", "--locks", "lock.yml"],
        "kbld": [kbld, "-f", "input.yml", "-f", "lock.yml", "--images-annotation=false"],
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder, documents, overrides)
        size = (folder / "input.yml").stat().st_size / 1e6
        print(f"{documents} documents, {size:.1f} MB, {overrides} overrides")
        against(programs, folder)
        growth(programs["windlass"], folder, documents, overrides)


main(*sys.argv[1:])
