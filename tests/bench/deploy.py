#!/usr/bin/env python3
"""Measures deploy, no-op deploy, a change of one object in a hundred, and delete on the running testbed.

    . TESTBED/env; deploy.py WINDLASS [OBJECTS...]

Beside each first deploy stands the time of a bare client (bare.go), which sends the same number of
server-side applies, 32 at a time, and does nothing else. Requests are counted in the audit log of
the API server. With CRDS=n, n definitions are created at last and the no-op is measured again.
"""
import json, os, pathlib, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).parent
KUBECONFIG = os.environ["KUBECONFIG"]
AUDIT = os.environ["WINDLASS_TEST_AUDIT_LOG"]
OBJECTS = {
    "ConfigMap": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: object-{n}}}\ndata: {{key: "value {value}"}}\n',
    "Secret": 'apiVersion: v1\nkind: Secret\nmetadata: {{name: object-{n}}}\nstringData: {{key: "value {value}"}}\n',
    "ServiceAccount": 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: object-{n}, annotations: {{key: "value {value}"}}}}\n',
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
}


def manifests(count, kinds, changed=0):
    def one(n):
        return OBJECTS[kinds[n % len(kinds)]].format(n=n, value=f"{n} again" if n < changed else n)
    return "---\n".join(one(n) for n in range(count))


def measure(command):
    """Wall seconds, processor seconds, MiB at the peak, and the requests that the server saw."""
    before = os.path.getsize(AUDIT)
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{output.decode()}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024, "requests": requests(before)}


def requests(since):
    time.sleep(0.2)  # the log is written after the answer
    with open(AUDIT) as log:
        log.seek(since)
        entries = [json.loads(line) for line in log if line.endswith("}\n")]
    mine = [entry for entry in entries if entry.get("userAgent", "").startswith("windlass")]
    writes = [entry for entry in mine if entry["verb"] not in ("get", "list", "watch") and "dryRun" not in entry["requestURI"]]
    return len(mine), len(writes)


def row(name, best):
    reads, writes = best["requests"]
    print(f"| {name} | {best['wall']:.3f} | {best['cpu']:.3f} | {best['memory']:.0f} | {reads} | {writes} |", flush=True)


def median(runs):
    return sorted(runs, key=lambda run: run["wall"])[len(runs) // 2]


def scenario(windlass, bare, folder, kinds, count):
    """Deploys `count` objects of `kinds`; gives back the command of the no-op, for later."""
    name = f"bench-{'-'.join(kind.lower() for kind in kinds)}-{count}-{os.getpid()}"
    file = folder / f"{name}.yaml"
    deploy = [windlass, "deploy", name, "-n", name, "-m", str(file), "--create-namespace", "--yes"]
    file.write_text(manifests(count, kinds))
    if kinds == ["ConfigMap"]:
        took = subprocess.run([bare, KUBECONFIG, name + "-bare", str(count)], capture_output=True, text=True, check=True)
        print(f"| {count} {'+'.join(kinds)}: bare client | {took.stdout.strip()} | | | {count} | {count} |", flush=True)
    title = f"{count} {'+'.join(kinds)}"
    row(f"{title}: first", measure(deploy))
    row(f"{title}: no-op", median([measure(deploy) for _ in range(5)]))
    file.write_text(manifests(count, kinds, changed=count // 100))
    row(f"{title}: 1 % changed", measure(deploy))
    return deploy, name


def define(count):
    for start in range(0, count, 100):
        items = [definition(n) for n in range(start, min(start + 100, count))]
        yield "\n---\n".join(json.dumps(item) for item in items)


def definition(n):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": f"things{n}", "kind": f"Thing{n}"}
    spec = {"group": f"group{n % 50}.bench.example", "names": names, "scope": "Namespaced", "versions": [version]}
    return DEFINITION | {"metadata": {"name": f"things{n}.{spec['group']}"}, "spec": spec}


def main(windlass, *counts):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        bare = str(folder / "bare")
        # Go keeps its own cache where the user has it, not where this run puts windlass's.
        subprocess.run(["go", "build", "-o", bare, str(HERE / "bare.go")], check=True, env=os.environ | {"GOCACHE": os.path.expanduser("~/.cache/go-build")})
        print("| what | wall s | processor s | MiB | requests | writes |\n|---|---|---|---|---|---|")
        apps = []
        for count in map(int, counts or ["1000"]):
            apps.append(scenario(windlass, bare, folder, ["ConfigMap"], count))
            apps.append(scenario(windlass, bare, folder, list(OBJECTS), count))
        if definitions := int(os.environ.get("CRDS", "0")):
            file = folder / "definitions.yaml"
            crds = f"bench-crds-{os.getpid()}"
            file.write_text("\n---\n".join(define(definitions)))
            apply = [windlass, "deploy", crds, "-n", crds, "-m", str(file), "--create-namespace", "--yes"]
            row(f"{definitions} CRDs: first", measure(apply))
            time.sleep(5)  # until the server's list of kinds is at rest
            measure(apps[0][0])
            row(f"no-op of {apps[0][1]} among {definitions} CRDs", median([measure(apps[0][0]) for _ in range(5)]))
            apps.append((apply, crds))
        for _, name in apps:
            row(f"delete {name}", measure([windlass, "delete", name, "-n", name, "--yes", "--wait=false"]))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
