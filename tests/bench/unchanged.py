#!/usr/bin/env python3
"""Deploys what charts render three times on the running testbed: from the second on nothing may change.

    . TESTBED/env; unchanged.py WINDLASS CHART...

Each chart, a folder or an archive, is rendered once with its own values, since many make passwords of
their own; the manifests are deployed into a namespace of the chart's own. What is written is counted in
the audit log of the API server. After the first deploy controllers get SECONDS_BETWEEN (5 without the variable)
for what they write into objects. The second deploy may write one object, the record, to keep what dry
runs told. Charts that do not come to be deployed are told and left out; the exit status is 1 when one
of the others changes.
"""
import json, os, pathlib, re, subprocess, sys, tempfile, time

AUDIT = os.environ["WINDLASS_TEST_AUDIT_LOG"]


def run(*command):
    """The exit status and what was printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def changes(since):
    """How many dry runs and writes the server saw."""
    time.sleep(0.3)  # the log is written after the answer
    with open(AUDIT) as log:
        log.seek(since)
        entries = [json.loads(line) for line in log if line.endswith("}\n")]
    mine = [entry for entry in entries if entry.get("userAgent", "").startswith("windlass")]
    mine = [entry["requestURI"] for entry in mine if entry["verb"] not in ("get", "list", "watch")]
    mine = [uri for uri in mine if "/apis/authorization.k8s.io/" not in uri]
    dry = sum("dryRun" in uri for uri in mine)
    return dry, len(mine) - dry


def check(windlass, chart, folder):
    """Deploys a chart; says whether it stayed as it was, `None` where it could not be deployed."""
    label = pathlib.Path(chart).name
    name = "again-" + re.sub("[^a-z0-9]+", "-", label.lower())[:30].strip("-")
    manifests = str(folder / f"{name}.yaml")
    told = []

    def deploy():
        before = os.path.getsize(AUDIT)
        code, text = run(windlass, "deploy", name, "-m", manifests, "-n", name, "--create-namespace", "--yes", "--wait=false")
        told.append(text)
        return code, *changes(before)

    code, text = run(windlass, "render", name, chart, "-n", name, "-o", manifests)
    if code:
        print(f"| {label} | does not render: {text.strip().splitlines()[-1][:150]} | | | |", flush=True)
        return None
    try:
        code, _, writes = deploy()
        if code:
            print(f"| {label} | is not deployed: {told[0].strip().splitlines()[-1][:150]} | | | |", flush=True)
            return None
        time.sleep(float(os.environ.get("SECONDS_BETWEEN", "5")))
        second, third = deploy(), deploy()
        print(f"| {label} | {writes} | {second[1]} | {second[2]} | {third[2]} |", flush=True)
        stays = second[0] == third[0] == 0 and second[2] <= 1 and third[1:] == (0, 0)
        if not stays:
            print(told[1] + told[2], file=sys.stderr, flush=True)
        return stays
    finally:
        run(windlass, "delete", name, "-n", name, "--yes", "--wait=false", "--allow-delete", "all", "--ignore-not-found")


def main(windlass, *charts):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        print("| chart | writes of the first | dry runs of the second | its writes | writes of the third |\n|---|---|---|---|---|")
        results = [check(windlass, chart, pathlib.Path(folder)) for chart in charts]
    deployed = [stays for stays in results if stays is not None]
    print(f"\n{len(charts)} charts, {len(deployed)} deployed, {sum(deployed)} unchanged")
    sys.exit(not all(deployed))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
