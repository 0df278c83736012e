#!/usr/bin/env python3
"""Measures restoring dependencies against the real `helm dependency build`, in one run.

    deps.py WINDLASS HELM [DEPENDENCIES [LATENCY_MS [RUNS]]]
    deps.py WINDLASS HELM index [CHARTS [VERSIONS [RUNS]]]

An umbrella of so many archives of about 40 kB each comes from a server on this machine that answers each request after
the latency. Besides the two programs a bare client gets the same files, eight at a time, and does nothing else. Prints
a table of medians, and fails when the two programs do not put the same archives into charts/.

With `index`, one chart of a repository of so many charts, each in so many versions, is shown instead; helm does it once.
"""
import concurrent.futures, hashlib, http.client, http.server, io, multiprocessing, os, pathlib, random
import shutil, statistics, subprocess, sys, tarfile, tempfile, time

PARALLEL = 8


def package(name):
    rng = random.Random(name)
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
        "values.yaml": "replicas: 1\n",
        "templates/a.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n",
        "README.md": "".join(f"{rng.getrandbits(64):x}\n" for _ in range(5000)),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def serve(folder, latency, port):
    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def do_GET(self):
            time.sleep(latency)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    port.send(server.server_address[1])
    server.serve_forever()


def bare(port, names):
    """Gets the index, then the archives over as many connections as windlass has."""
    def get(paths):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for path in paths:
            connection.request("GET", path)
            # What this process holds at once counts for the programs that it starts.
            response = connection.getresponse()
            while response.read(1 << 16):
                pass

    began = time.monotonic()
    get(["/index.yaml"])
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(get, [[f"/{n}-1.0.0.tgz" for n in names[i::PARALLEL]] for i in range(PARALLEL)]))
    return time.monotonic() - began


def run(command, env):
    began = time.monotonic()
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    if status:
        sys.exit(f"{' '.join(command)} failed: {errors.decode()}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def started(folder, latency):
    """Starts a server; gives its port."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(str(folder), latency, theirs), daemon=True).start()
    return ours.recv()


def index(windlass, helm, charts="10000", versions="20", runs="5"):
    name = f"chart-{int(charts) // 2:05}"
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        (top / f"{name}-1.0.0.tgz").write_bytes(package(name))
        digest = hashlib.sha256((top / f"{name}-1.0.0.tgz").read_bytes()).hexdigest()
        change = "        - kind: fixed\n          description: what was wrong with it in the version\n"
        with (top / "index.yaml").open("w") as file:
            file.write("apiVersion: v1\nentries:\n")
            for chart in range(int(charts)):
                file.write(f"  chart-{chart:05}:\n")
                for version in reversed(range(int(versions))):
                    file.write(
                        f"  - annotations:\n      artifacthub.io/changes: |\n{change * 8}    apiVersion: v2\n"
                        f"    created: \"2026-11-21T00:00:00Z\"\n    description: A chart of many\n    digest: {digest}\n"
                        f"    name: chart-{chart:05}\n    urls:\n    - chart-{chart:05}-1.{version}.0.tgz\n"
                        f"    version: 1.{version}.0\n"
                    )
            file.write('generated: "2026-11-21T00:00:00Z"\n')
        port = started(top, 0)
        began = time.monotonic()
        size = os.path.getsize(top / "index.yaml") / 1e6
        bare(port, [])
        print(f"{charts} charts, {versions} versions each, {size:.0f} MB\n")
        print("| program | wall s | processor s | memory MiB |\n|---|---|---|---|")
        print(f"| bare client | {time.monotonic() - began:.2f} | | |")
        env, url = {"HOME": str(top), "PATH": os.environ["PATH"]}, f"http://127.0.0.1:{port}"
        ours = [windlass, "chart", "show", f"{url}/{name}", "--version", "1.0.0"]
        theirs = [helm, "show", "chart", name, "--repo", url, "--version", "1.0.0"]
        for program, command, times in (("windlass", ours, int(runs)), ("helm", theirs, 1)):
            found = [run(command, env) for _ in range(times)]
            wall, used, memory = (statistics.median(column) for column in zip(*found))
            print(f"| {program} | {wall:.2f} | {used:.2f} | {memory:.0f} |")


def main(windlass, helm, dependencies="60", latency="20", runs="5"):
    names = [f"chart-{n:03}" for n in range(int(dependencies))]
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        (top / "repo").mkdir()
        index = "apiVersion: v1\nentries:\n"
        for name in names:
            archive = package(name)
            (top / f"repo/{name}-1.0.0.tgz").write_bytes(archive)
            index += f"  {name}:\n  - apiVersion: v2\n    name: {name}\n    version: 1.0.0\n    urls:\n"
            index += f"    - {name}-1.0.0.tgz\n    digest: {hashlib.sha256(archive).hexdigest()}\n"
        (top / "repo/index.yaml").write_text(index)
        size = sum(file.stat().st_size for file in (top / "repo").iterdir()) / 1e6
        port = started(top / "repo", float(latency) / 1000)
        url = f"http://127.0.0.1:{port}"
        env = {"HOME": str(top), "PATH": os.environ["PATH"]}
        head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n"
        lines = (f"- {{name: {n}, version: 1.0.0, repository: '{url}'}}\n" for n in names)
        chart = head + "".join(lines)
        commands = {}
        for program in (windlass, helm):
            path = str(pathlib.Path(program).resolve())
            is_helm = program == helm
            folder = top / ("helm" if is_helm else "windlass")
            folder.mkdir()
            (folder / "Chart.yaml").write_text(chart)
            if is_helm:
                run([path, "repo", "add", "own", url], env)
            commands["helm" if is_helm else "windlass"] = (
                [path, *(["dependency"] if is_helm else ["deps"]), "build", str(folder)],
                folder,
                [top / ".cache" / ("helm" if is_helm else "windlass")],
            )
        table = {}

        def measure(what, name, forget):
            command, folder, caches = commands[name]
            found = []
            for _ in range(int(runs)):
                if forget:
                    shutil.rmtree(folder / "charts", ignore_errors=True)
                if forget == "all":
                    for cache in caches:
                        shutil.rmtree(cache, ignore_errors=True)
                found.append(run(command, env))
            table[what, name] = [statistics.median(column) for column in zip(*found)]

        for name in commands:
            run(commands[name][0], env)
        for what, forget in (("cold", "all"), ("charts/ is empty", "charts"), ("all is there", None)):
            for name in commands:
                measure(what, name, forget)
        client = statistics.median(bare(port, names) for _ in range(int(runs)))
        print(f"{dependencies} archives, {size:.1f} MB, {latency} ms a request\n")
        print("| what | program | wall ms | processor ms | memory MiB |\n|---|---|---|---|---|")
        print(f"| cold | bare client | {client * 1000:.0f} | | |")
        for (what, name), (wall, used, memory) in table.items():
            print(f"| {what} | {name} | {wall * 1000:.0f} | {used * 1000:.0f} | {memory:.0f} |")
        for what in dict.fromkeys(what for what, _ in table):
            ratio = table[what, "helm"][0] / table[what, "windlass"][0]
            print(f"\nhelm takes {ratio:.1f} times as long: {what}", end="")
        print()
        held = [sorted((f.name, f.read_bytes()) for f in (c[1] / "charts").iterdir()) for c in commands.values()]
        if held[0] != held[1]:
            sys.exit("the two put different archives into charts/")


if __name__ == "__main__":
    if sys.argv[3:4] == ["index"]:
        index(*sys.argv[1:3], *sys.argv[4:])
    else:
        main(*sys.argv[1:])
