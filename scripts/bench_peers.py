#!/usr/bin/env python3
"""Exact RTRL here and elsewhere: the same networks, the same steps, the same gradients, one after another in one session.

    python3 -m venv venv && venv/bin/pip install -r scripts/bench_peers.requirements.txt
    venv/bin/python scripts/bench_peers.py

Every rival is given what a skilled user would give it: compilation, compacted columns, compacted rows, a good BLAS, the same precision
(single) and one thread. All gradients are held against ours first. Programs take turns, and the best of their rounds counts.
Writes results/speed.csv and results/speed.md, and results/speed.svg.
"""
import argparse
import csv
import datetime
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEED = ROOT / "target" / "release" / "examples" / "speed"


def single_threaded():
    """One thread, for every library here, before any of them is loaded."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"


single_threaded()
import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

STEPS_CHECKED = 20


class Net:
    """A network as the `speed` example dumps it: dense weights, masks as what is there, and our gradients."""

    def __init__(self, path):
        self.path = str(path)
        dump = json.loads(Path(path).read_text())
        self.setting = dump["setting"]
        self.n, self.m = self.setting["units"], self.setting["inputs"]
        self.gamma, self.epsilon = np.float32(dump["gamma"]), np.float32(dump["epsilon"])
        self.inputs = np.array(dump["inputs"], np.float32).reshape(-1, self.m)
        self.credit = np.array(dump["credit"], np.float32)
        self.gradients = np.array(dump["gradients"], np.float32)
        self.blocks, self.rows, self.sources, self.names = {}, [], [], []
        for block in dump["blocks"]:
            name = block["name"].split(".")[1]
            dense = np.zeros(block["shape"], np.float32)
            for i, j, w in block["entries"]:
                dense[i, j] = w
                self.rows.append(i)
                self.sources.append(j)
                self.names.append(name)
            self.blocks[name] = dense
        self.rows, self.sources = np.array(self.rows), np.array(self.sources)
        self.p = len(self.rows)
        self.names = np.array(self.names)

    def column_maps(self, of):
        """For every kept parameter, the index of its gain and of its source in two long vectors; `of` tells a block's."""
        gain = np.zeros(self.p, np.int32)
        source = np.zeros(self.p, np.int32)
        for name in self.blocks:
            here = self.names == name
            gate, kind = of(name)
            gain[here] = gate * self.n + self.rows[here]
            start = {"bias": 0, "input": 1, "recurrent": 1 + self.m, "gated": 1 + self.m + self.n}[kind]
            source[here] = start + (self.sources[here] if kind != "bias" else 0)
        return jnp.array(gain), jnp.array(source)


def slope(v, gamma, epsilon):
    return gamma * jnp.maximum(0.0, 1.0 - jnp.abs(v) / epsilon)


def event_rnn_forward(net):
    """The event RNN: (state, x) -> (new state, A, e, gains, φ). The state is the emission."""
    b = {k: jnp.array(v) for k, v in net.blocks.items()}

    def forward(a, x):
        v = b["w"] @ a + b["u"] @ x + b["b"][:, 0] - b["theta"][:, 0]
        e = slope(v, net.gamma, net.epsilon)
        one = jnp.ones(net.n, jnp.float32)
        phi = jnp.concatenate([one[:1], x, a])
        return (v > 0).astype(jnp.float32), b["w"], jnp.zeros(net.n), e, jnp.concatenate([one, -one]), phi, None

    kinds = {"w": (0, "recurrent"), "u": (0, "input"), "b": (0, "bias"), "theta": (1, "bias")}
    return forward, jnp.zeros(net.n), kinds.__getitem__


def egru_forward(net):
    """The EGRU with the reset gate after the product and the reset by the output. The state is c."""
    b = {k: jnp.array(v) for k, v in net.blocks.items()}
    theta = b["theta"][:, 0]

    def forward(c, x):
        h = (c > theta).astype(jnp.float32)
        y = c * h
        u = jax.nn.sigmoid(b["wu_x"] @ x + b["wu_y"] @ y + b["bu"][:, 0])
        r = jax.nn.sigmoid(b["wr_x"] @ x + b["wr_y"] @ y + b["br"][:, 0])
        q = b["wz_y"] @ y + b["bz_rec"][:, 0]
        z = jnp.tanh(b["wz_x"] @ x + b["bz"][:, 0] + r * q)
        new = u * z + (1 - u) * c - y
        gu, gz = (z - c) * u * (1 - u), u * (1 - z * z)
        gr, gq = gz * q * r * (1 - r), gz * r
        a = gu[:, None] * b["wu_y"] + gr[:, None] * b["wr_y"] + gq[:, None] * b["wz_y"] - jnp.eye(net.n)
        v = new - theta
        s = slope(v, net.gamma, net.epsilon)
        e = (v > 0).astype(jnp.float32) + new * s
        phi = jnp.concatenate([jnp.ones(1), x, y])
        return new, a, 1 - u, e, jnp.concatenate([gu, gr, gz, gq, jnp.zeros(net.n)]), phi, -new * s

    kinds = {
        "wu_x": (0, "input"), "wu_y": (0, "recurrent"), "bu": (0, "bias"),
        "wr_x": (1, "input"), "wr_y": (1, "recurrent"), "br": (1, "bias"),
        "wz_x": (2, "input"), "wz_y": (3, "recurrent"), "bz": (2, "bias"), "bz_rec": (3, "bias"),
        "theta": (4, "bias"),
    }
    return forward, jnp.zeros(net.n), kinds.__getitem__


def model(net):
    return event_rnn_forward(net) if net.setting["cell"] == "event-rnn" else egru_forward(net)


def jax_rtrl(net, columns, capacity):
    """RTRL as a compiled scan: over all columns (columns=False) or those of kept parameters; with live rows gathered into a fixed
    capacity, if there is one. Returns (steps -> a function over inputs giving the last gradient and the sum of all)."""
    forward, start, kinds = model(net)
    carries = net.setting["cell"] != "event-rnn"
    gain_at, source_at = net.column_maps(kinds)
    rows, theta = np.array(net.rows), np.flatnonzero(net.names == "theta")
    if columns:
        place, p = np.arange(net.p), net.p
    else:  # every parameter of the dense network has a column; kept ones lie where the dense block has them
        offsets, p = {}, 0
        for name, block in net.blocks.items():
            offsets[name], p = p, p + block.size
        wide = {name: block.shape[1] for name, block in net.blocks.items()}
        place = np.array([offsets[k] + i * wide[k] + j for k, i, j in zip(net.names, net.rows, net.sources)])
        full_rows = np.concatenate([np.repeat(np.arange(net.n), b.shape[1]) for b in net.blocks.values()])
        full_sources, full_gains = [], []
        for name, block in net.blocks.items():
            gate, kind = kinds(name)
            start_of = {"bias": 0, "input": 1, "recurrent": 1 + net.m}[kind]
            full_sources.append(np.tile(start_of + np.arange(block.shape[1]), net.n))
            full_gains.append(gate * net.n + np.repeat(np.arange(net.n), block.shape[1]))
        rows = full_rows
        gain_at, source_at = jnp.array(np.concatenate(full_gains)), jnp.array(np.concatenate(full_sources))
        theta = place[theta]
    rows, place, theta_place = jnp.array(rows), jnp.array(place), jnp.array(theta)
    theta_rows = jnp.array(net.rows[net.names == "theta"])
    credit, all_columns = jnp.array(net.credit), jnp.arange(p)

    def step(carry, x):
        state, y_influence, s_influence, total = carry
        state, a, d, e, gains, phi, e_bar = forward(state, x)
        m_bar = gains[gain_at] * phi[source_at]
        if capacity is None or carries:
            if capacity is None:
                s = a @ y_influence
            else:  # sources that are live, gathered; every row of an EGRU is a destination
                live = jnp.nonzero(jnp.any(y_influence != 0, axis=1), size=capacity, fill_value=0)[0]
                mask = (jnp.arange(capacity) < jnp.sum(jnp.any(y_influence != 0, axis=1))).astype(jnp.float32)
                s = (a[:, live] * mask) @ y_influence[live]
            if carries:
                s = s + d[:, None] * s_influence
            s = s.at[rows, all_columns].add(m_bar)
            y = e[:, None] * s
            if e_bar is not None:
                y = y.at[theta_rows, theta_place].add(e_bar)
            gradient = credit @ y
            new = (state, y, s if carries else s_influence, total + gradient)
        else:  # only live rows exist, in a fixed number of places
            before, rows_before = y_influence
            count = jnp.sum(e != 0)
            live = jnp.nonzero(e != 0, size=capacity, fill_value=0)[0]
            mask = (jnp.arange(capacity) < count).astype(jnp.float32)
            slot = jnp.full(net.n, capacity).at[live[::-1]].set(jnp.arange(capacity)[::-1])
            s = a[live][:, rows_before] @ before
            s = jnp.concatenate([s, jnp.zeros((1, p), jnp.float32)]).at[slot[rows], all_columns].add(m_bar)[:-1]
            y = (e[live] * mask)[:, None] * s
            gradient = credit[live] @ y
            new = (state, (y, live), s_influence, total + gradient)
        return new, gradient[place] if p < 4000 and net.checking else None

    zeros = jnp.zeros((net.n, p), jnp.float32)
    influence = zeros
    if capacity is not None and not carries:
        influence = (jnp.zeros((capacity, p), jnp.float32), jnp.zeros(capacity, jnp.int32))
    first = (start, influence, zeros if carries else jnp.zeros(()), jnp.zeros(p, jnp.float32))
    return jax.jit(lambda xs: jax.lax.scan(step, first, xs)), place


def jax_total(net, columns, capacity):
    run, place = jax_rtrl(net, columns, capacity)

    def steps(xs):
        return np.asarray(run(jnp.array(xs))[0][3])[np.asarray(place)]

    return steps


def jax_tbptt(net, window):
    """Truncated BPTT over a window at every step, by reverse-mode differentiation of a compiled scan: for scale, not exact."""
    forward, start, _ = model(net)
    credit = jnp.array(net.credit)

    def loss(inputs, state, xs):
        def step(c, x):
            return forward(c, x)[0], None
        return jnp.sum(credit * jax.lax.scan(step, state + inputs, xs)[0])

    grad = jax.grad(loss)

    def every(carry, k):
        state, total, xs = carry
        window_of = jax.lax.dynamic_slice(xs, (k, 0), (window, net.m))
        g = grad(jnp.zeros(net.n), state, window_of)
        return (forward(state, xs[k])[0], total + g, xs), None

    def run(xs):
        ks = jnp.arange(xs.shape[0] - window)
        return jax.lax.scan(every, (start, jnp.zeros(net.n), xs), ks)[0][1]

    compiled = jax.jit(run)
    return lambda xs: np.asarray(compiled(jnp.array(np.concatenate([xs, xs[:window]]))))


def numpy_rtrl(net, use_scipy=False):
    """Rows and columns compacted, BLAS on what is left (or CSR times dense): the event RNN only."""
    b, n, p = net.blocks, net.n, net.p
    sign = np.where(net.names == "theta", -1.0, 1.0).astype(np.float32)
    kind = np.array([{"w": 1 + net.m, "u": 1, "b": 0, "theta": 0}[k] for k in net.names])
    source = kind + np.where(kind > 0, net.sources, 0)
    of_row = [np.flatnonzero(net.rows == i) for i in range(n)]
    csr = scipy.sparse.csr_matrix(b["w"])

    def steps(xs):
        a, live, y = np.zeros(n, np.float32), np.zeros(0, int), np.zeros((0, p), np.float32)
        total = np.zeros(p, np.float32)
        for x in xs:
            v = b["w"] @ a + b["u"] @ x + b["b"][:, 0] - b["theta"][:, 0]
            e = net.gamma * np.maximum(0, 1 - np.abs(v) / net.epsilon)
            phi = np.concatenate([np.ones(1, np.float32), x, a])[source] * sign
            new = np.flatnonzero(e)
            if use_scipy:
                s = csr[new][:, live] @ y if len(live) else np.zeros((len(new), p), np.float32)
            else:
                s = b["w"][np.ix_(new, live)] @ y
            for k, i in enumerate(new):
                s[k, of_row[i]] += phi[of_row[i]]
            y = s * e[new, None]
            total += net.credit[new] @ y
            a, live = (v > 0).astype(np.float32), new
        return total

    return steps


AVX512 = {"OPENBLAS_CORETYPE": "SKYLAKEX"}


def other_blas(net):
    """The same numpy program in a process whose OpenBLAS is told to use its AVX-512 kernels; it times itself."""

    def steps(xs):
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "xs.npy", xs)
            command = [sys.executable, __file__, "--numpy-worker", net.path, str(Path(folder) / "xs.npy")]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | AVX512).stdout)
        steps.seconds = result["seconds"]
        return np.array(result["gradient"], np.float32)

    return steps


def numpy_worker(path, inputs):
    net, xs = Net(path), np.load(inputs)
    run = numpy_rtrl(net)
    run(xs)
    started = time.perf_counter()
    gradient = run(xs)
    print(json.dumps({"seconds": time.perf_counter() - started, "gradient": gradient.tolist()}))


def ours(setting, rule, threads, steps, credit_every=1, rounds=1):
    flags = [str(SPEED), "--cell", setting["cell"], "--units", str(setting["units"]), "--inputs", str(setting["inputs"])]
    flags += ["--param-sparsity", str(setting["sparsity"]), "--live", str(setting["live"]), "--rule", rule]
    flags += ["--threads", str(threads), "--steps", str(steps), "--repetitions", str(rounds)]
    flags += ["--credit-every", str(credit_every)] + (["--one-mask"] if setting.get("one_mask") else [])
    flags += ["--reset-before"] if setting.get("reset_before") else []
    lines = subprocess.run(flags, check=True, capture_output=True, text=True).stdout.splitlines()
    return min((json.loads(line) for line in lines), key=lambda r: r["microseconds"])


def dump(setting, folder):
    path = Path(folder) / f"{setting['cell']}-{setting['units']}.json"
    flags = [str(SPEED), "--cell", setting["cell"], "--units", str(setting["units"]), "--inputs", str(setting["inputs"])]
    flags += ["--param-sparsity", str(setting["sparsity"]), "--live", str(setting["live"])]
    flags += ["--one-mask"] if setting.get("one_mask") else []
    subprocess.run(flags + ["--dump", str(path), "--dump-steps", str(STEPS_CHECKED)], check=True)
    return Net(path)


def peaks():
    """GFLOP/s of a large single-precision product, and GB/s of reading a large array, on one thread."""
    x = np.random.rand(1536, 1536).astype(np.float32)
    big = np.ones(1 << 26, np.float32)
    flops, bytes_read = 0.0, 0.0
    for _ in range(5):
        t = time.perf_counter()
        x @ x
        flops = max(flops, 2 * 1536**3 / (time.perf_counter() - t) / 1e9)
        t = time.perf_counter()
        big.sum()
        bytes_read = max(bytes_read, big.nbytes / (time.perf_counter() - t) / 1e9)
    return flops, bytes_read


def most_live(net, steps=3000):
    """The most units that are live at once in a long stretch of random input: what a fixed capacity must hold."""
    forward, start, _ = model(net)

    def step(state, x):
        state, _, _, e, *_ = forward(state, x)
        return state, jnp.sum(e != 0)

    xs = np.random.default_rng(1).standard_normal((steps, net.m)).astype(np.float32)
    xs = np.concatenate([net.inputs, xs])
    return int(jax.jit(lambda xs: jax.lax.scan(step, start, xs)[1])(jnp.array(xs)).max())


def rivals(net):
    """Name, exactness, and a function from inputs to the sum of all gradients."""
    n = net.n
    capacity = min(n, most_live(net) + 2)
    yield "JAX, dense scan", True, jax_total(net, False, None)
    yield "JAX, gathered columns", True, jax_total(net, True, None)
    yield f"JAX, gathered columns and rows ({capacity})", True, jax_total(net, True, capacity)
    if net.setting["cell"] == "event-rnn":
        yield "numpy, rows and columns compacted", True, numpy_rtrl(net)
        yield "numpy, rows and columns compacted, AVX-512 BLAS", True, other_blas(net)
        yield "scipy CSR, rows and columns compacted", True, numpy_rtrl(net, use_scipy=True)
    yield "JAX, truncated BPTT over 32 steps (not exact, gradient of the state only)", False, jax_tbptt(net, 32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--event-rnn", default="16,64,128,256", help="sizes of the event RNN, comma-separated")
    parser.add_argument("--egru", default="64,128", help="sizes of the EGRU, comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which programs take turns")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of a measurement")
    parser.add_argument("--out", default=str(ROOT / "results"), help="folder for speed.csv, speed.md and speed.svg")
    parser.add_argument("--numpy-worker", nargs=2, metavar=("NET", "INPUTS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.numpy_worker:
        return numpy_worker(*args.numpy_worker)
    subprocess.run(["cargo", "build", "--release", "--quiet", "--example", "speed"], cwd=ROOT, check=True)
    flops, read = peaks()
    print(f"one thread: {flops:.0f} GFLOP/s in a product of matrices, {read:.1f} GB/s read from memory")
    with tempfile.TemporaryDirectory() as folder:
        compare(args, folder, flops, read)


def compare(args, folder, flops, read):
    settings = []
    for cell, sizes, inputs in (("event-rnn", args.event_rnn, 2), ("egru", args.egru, 32)):
        for n in filter(None, sizes.split(",")):
            settings.append({"cell": cell, "units": int(n), "inputs": inputs, "sparsity": 0.9, "live": 0.3})
    table = []
    for setting in settings:
        table += measure(setting, args, folder)
    write(table, flops, read, args)


def measure(setting, args, folder):
    net = dump(setting, folder)
    net.checking = False
    rng = np.random.default_rng(0)
    contestants = [(name, exact, run, {}) for name, exact, run in rivals(net)]
    expected = net.gradients.sum(axis=0)
    for name, exact, run, _ in contestants:
        if exact:
            error = np.linalg.norm(run(net.inputs) - expected) / np.linalg.norm(expected)
            assert error < 1e-3, f"{name} on {setting}: its gradient is {error:.1e} away from ours"
    rules = ["rtrl"] + (["rtrl-blocked-32", "rtrl-blocked-64"] if setting["cell"] == "egru" else [])
    best = {name: math.inf for name, *_ in contestants}
    sizes, own = {}, {}
    for _ in range(args.rounds):
        for rule in rules:
            for threads in (1, 2):
                steps = own.get((rule, threads), {}).get("steps", 50)
                result = ours(setting, rule, threads, steps, rounds=3)
                result["steps"] = max(50, int(args.seconds / 3 * 1e6 / result["microseconds"]))
                known = own.get((rule, threads))
                own[rule, threads] = result if known is None or result["microseconds"] < known["microseconds"] else known | {"steps": result["steps"]}
        for name, _, run, _ in contestants:
            if name not in sizes:
                seconds = timed(run, rng, STEPS_CHECKED, net.m)
                sizes[name] = max(STEPS_CHECKED, min(20000, int(args.seconds * STEPS_CHECKED / max(seconds, 1e-6))))
            best[name] = min(best[name], 1e6 * timed(run, rng, sizes[name], net.m) / sizes[name])
    dense = ours(setting | {"sparsity": 0.0, "live": 1.0}, "rtrl", 1, 20 if setting["units"] > 64 else 200, rounds=2)
    rows = []
    for (rule, threads), r in own.items():
        rows.append(row(setting, f"sparse-rtrl {rule}", threads, True, r["microseconds"], r, dense))
    for name, exact, _, _ in contestants:
        rows.append(row(setting, name, 1, exact, best[name], None, None))
    base = rows[0]["microseconds"]
    for r in rows:
        r["ratio_to_ours"] = round(r["microseconds"] / base, 2)
        print(f"{r['cell']:>9} n={r['units']:<4} {r['program']:<66} {r['threads']} thread(s) {r['microseconds']:>12.2f} µs  {r['ratio_to_ours']:>8}×")
    return rows


def timed(run, rng, steps, inputs):
    """Seconds of a run over that many steps, once it has been compiled for them."""
    xs = rng.standard_normal((steps, inputs)).astype(np.float32)
    run(xs)
    started = time.perf_counter()
    run(xs)
    return getattr(run, "seconds", None) or time.perf_counter() - started


def row(setting, program, threads, exact, microseconds, counted, dense):
    ideal = None
    if dense and setting["cell"] == "event-rnn" and threads == 1:
        kept, live = 1 - setting["sparsity"], counted["live_measured"]
        ideal = round(dense["microseconds"] * kept**2 * live**2 / microseconds, 3)
    return {
        "cell": setting["cell"], "units": setting["units"], "inputs": setting["inputs"], "sparsity": setting["sparsity"],
        "live": setting["live"], "program": program, "threads": threads, "exact": exact, "microseconds": round(microseconds, 3),
        "gflops": round(2 * counted["macs"] / microseconds / 1e3, 2) if counted else None,
        "bytes": counted["bytes"] if counted else None,
        "dense_microseconds": round(dense["microseconds"], 2) if dense else None,
        "share_of_ideal": ideal,
    }


def write(table, flops, read, args):
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "speed.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)
    command = " ".join(["python", "scripts/bench_peers.py"] + sys.argv[1:])
    lines = ["# Speed", "", f"Made on {datetime.date.today()} with `{command}`, on one machine with {os.cpu_count()} cores, one thread unless said "
             f"otherwise; its peaks, measured in the same run: {flops:.0f} GFLOP/s in a product of matrices, {read:.1f} GB/s read from memory. ω = 0.9, three units in ten live, "
             "single precision, batch 1, a gradient at every step. The best of several rounds in which programs took turns; all exact gradients agree with "
             "ours. Share of the ideal: of the speed-up 1/(ω̃²β̃²) over our own dense update.", ""]
    for cell in dict.fromkeys(r["cell"] for r in table):
        for n in dict.fromkeys(r["units"] for r in table if r["cell"] == cell):
            lines += [f"## {cell}, {n} units", "", "| program | threads | µs a step | × ours | GFLOP/s | share of the ideal |", "|---|---|---|---|---|---|"]
            for r in (r for r in table if (r["cell"], r["units"]) == (cell, n)):
                show = lambda x, digits: "" if x is None else f"{x:.{digits}f}"
                lines.append(f"| {r['program']} | {r['threads']} | {r['microseconds']:.2f} | {r['ratio_to_ours']} | {show(r['gflops'], 1)} | {show(r['share_of_ideal'], 2)} |")
            lines.append("")
    (out / "speed.md").write_text("\n".join(lines))
    plot(table, out / "speed.svg")


def plot(table, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sparse-rtrl"
    import matplotlib.pyplot as plt

    cells = list(dict.fromkeys(r["cell"] for r in table))
    figure, axes = plt.subplots(1, len(cells), figsize=(6.2 * len(cells), 4.6), squeeze=False)
    for ax, cell in zip(axes[0], cells):
        names = list(dict.fromkeys(r["program"].split(" (")[0] for r in table if r["cell"] == cell and r["threads"] == 1))
        for k, name in enumerate(names):
            points = [(r["units"], r["microseconds"]) for r in table
                      if r["cell"] == cell and r["threads"] == 1 and r["program"].split(" (")[0] == name]
            style = {"linewidth": 2.5 if name.startswith("sparse-rtrl") else 1.2, "marker": "osv^D*x+"[k % 8]}
            ax.plot(*zip(*points), label=name, color=plt.cm.viridis(k / max(1, len(names))), **style)
        ax.set(xscale="log", yscale="log", title=cell, xlabel="units", ylabel="µs a step, one thread")
        ax.legend(fontsize=7)
        ax.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
