#!/usr/bin/env python3
"""Compares the speed of exact RTRL in this crate, NumPy, SciPy and JAX on the same networks, inputs and gradients.

    python3 -m venv venv && venv/bin/pip install -r scripts/bench_peers.requirements.txt
    venv/bin/python scripts/bench_peers.py

Every other program is optimised as a skilled user would: compilation, compacted columns, compacted rows, a fast BLAS, the same precision
(single), one thread, and subnormal numbers flushed to zero. All exact gradients are first compared with ours. Programs alternate; the best round of each counts.
Writes results/speed.csv and results/speed.md, and results/speed.svg.
"""
import argparse
import csv
import ctypes
import datetime
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEED = ROOT / "target" / "release" / "speed"


def single_threaded():
    """One thread, for every library here, before any of them is loaded."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # A machine may be set up for another core type; its own is what a user has.
    if "--numpy-worker" not in sys.argv:
        os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"


single_threaded()
CORES = os.sched_getaffinity(0)
os.sched_setaffinity(0, {min(CORES)})
import numpy as np  # noqa: E402
import scipy.sparse  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

STEPS_CHECKED = 20


def flush_subnormals():
    """Enables flush-to-zero mode for this thread, for NumPy and SciPy. XLA enables it itself; this crate flushes numbers when it stores them."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "mode.c", Path(folder) / "mode.so"
        source.write_text(
            "#if defined(__x86_64__)\n#include <xmmintrin.h>\nvoid on(void) { _mm_setcsr(_mm_getcsr() | 0x8040); }\n"
            "#elif defined(__aarch64__)\nvoid on(void) { unsigned long r; __asm__ volatile(\"mrs %0, fpcr\" : \"=r\"(r));"
            "__asm__ volatile(\"msr fpcr, %0\" :: \"r\"(r | 1ul << 24)); }\n#endif\n"
        )
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        ctypes.CDLL(str(library)).on()
    assert np.float32(1e-38) * np.float32(0.1) == 0, "the mode is on"


def processor():
    return subprocess.run([str(ROOT / "scripts" / "processor.sh")], check=True, capture_output=True, text=True).stdout.strip()


class Net:
    """A network dumped by the `speed` program: dense weights, masks, and our gradients."""

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


def slope(v, gamma, epsilon):
    return gamma * jnp.maximum(0.0, 1.0 - jnp.abs(v) / epsilon)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def event(v, gamma, epsilon):
    """H(v), with the pseudo-derivative for automatic differentiation."""
    return (v > 0).astype(jnp.float32)


@event.defjvp
def event_jvp(gamma, epsilon, primals, tangents):
    return event(primals[0], gamma, epsilon), slope(primals[0], gamma, epsilon) * tangents[0]


def event_rnn_forward(net):
    """The event RNN: (weights, state, x) -> (new state, A, d, e, gains, φ, Ē). The state is the emission."""

    def forward(b, a, x):
        v = b["w"] @ a + b["u"] @ x + b["b"][:, 0] - b["theta"][:, 0]
        e = slope(v, net.gamma, net.epsilon)
        one = jnp.ones(net.n, jnp.float32)
        phi = jnp.concatenate([one[:1], x, a])
        return event(v, net.gamma, net.epsilon), b["w"], jnp.zeros(net.n), e, jnp.concatenate([one, -one]), phi, None

    kinds = {"w": (0, "recurrent"), "u": (0, "input"), "b": (0, "bias"), "theta": (1, "bias")}
    return forward, jnp.zeros(net.n), kinds.__getitem__


def egru_forward(net):
    """The EGRU with the reset gate after the product and the reset by the output. The state is c."""

    def forward(b, c, x):
        theta = b["theta"][:, 0]
        y = c * event(c - theta, net.gamma, net.epsilon)
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
    """(state, x) -> ... with the network's weights, the first state, and what its blocks read."""
    forward, start, kinds = event_rnn_forward(net) if net.setting["cell"] == "event-rnn" else egru_forward(net)
    b = {k: jnp.array(v) for k, v in net.blocks.items()}
    return functools.partial(forward, b), start, kinds


class Columns:
    """The columns of the influence matrix: of kept parameters, or of every parameter of the dense network."""

    def __init__(self, net, kinds, every):
        names, rows, sources = net.names, net.rows, net.sources
        self.keep = np.arange(net.p)
        if every:
            blocks = [(k, *np.unravel_index(np.arange(b.size), b.shape)) for k, b in net.blocks.items()]
            offsets = dict(zip(net.blocks, np.cumsum([0] + [b.size for b in net.blocks.values()])))
            self.keep = np.array([offsets[k] + i * net.blocks[k].shape[1] + j for k, i, j in zip(names, rows, sources)])
            names = np.concatenate([np.full(len(i), k) for k, i, _ in blocks])
            rows, sources = np.concatenate([i for _, i, _ in blocks]), np.concatenate([j for _, _, j in blocks])
        start = {"bias": 0, "input": 1, "recurrent": 1 + net.m}
        gates, kind = zip(*map(kinds, names))
        self.p = len(names)
        self.rows = jnp.array(rows)
        self.gain = jnp.array(np.array(gates) * net.n + rows)
        self.source = jnp.array([start[k] + (j if k != "bias" else 0) for k, j in zip(kind, sources)])
        theta = np.zeros(net.n, np.int32)
        theta[rows[names == "theta"]] = np.flatnonzero(names == "theta")
        self.theta = jnp.array(theta)
        self.all = jnp.arange(self.p)


def jax_event_rnn(net, every, capacity):
    """A compiled scan over all rows, or over live rows gathered into a fixed number of places. M̄ is selected, not scattered."""
    forward, start, kinds = model(net)
    at, credit, n = Columns(net, kinds, every), jnp.array(net.credit), net.n
    w = jnp.array(net.blocks["w"])

    def dense(carry, x):
        a, y, total = carry
        a, _, _, e, gains, phi, _ = forward(a, x)
        m_bar = gains[at.gain] * phi[at.source]
        y = e[:, None] * (w @ y + jnp.where(at.rows[None] == jnp.arange(n)[:, None], m_bar[None], 0))
        return (a, y, total + credit @ y), None

    def gathered(carry, x):
        a, y, before, total = carry
        a, _, _, e, gains, phi, _ = forward(a, x)
        m_bar = gains[at.gain] * phi[at.source]
        live = jnp.nonzero(e != 0, size=capacity, fill_value=n)[0]
        e_live = e.at[live].get(mode="fill", fill_value=0)
        a_live = w.at[live].get(mode="fill", fill_value=0).at[:, before].get(mode="fill", fill_value=0)
        y = (a_live * e_live[:, None]) @ y
        y = y + jnp.where(at.rows[None] == live[:, None], m_bar[None] * e_live[:, None], 0)
        return (a, y, live, total + credit.at[live].get(mode="fill", fill_value=0) @ y), None

    zeros = jnp.zeros((capacity or n, at.p))
    if capacity is None:
        run = jax.jit(lambda xs: jax.lax.scan(dense, (start, zeros, jnp.zeros(at.p)), xs)[0][2])
    else:
        first = (start, zeros, jnp.full(capacity, n), jnp.zeros(at.p))
        run = jax.jit(lambda xs: jax.lax.scan(gathered, first, xs)[0][3])
    return lambda xs: np.asarray(run(jnp.array(xs)))[at.keep]


def jax_egru(net, every, capacity, scatter=False):
    """The same for the EGRU, whose rows carry: every row is a destination, live ones are sources. Only S is kept. M̄ and Ē are selected
    in all entries, or scattered to those where they are."""
    forward, start, kinds = model(net)
    at, credit, n = Columns(net, kinds, every), jnp.array(net.credit), net.n
    k = capacity or n

    def step(carry, x):
        state, s, live, e_live, e_bar_live, total = carry
        y = e_live[:, None] * (s if capacity is None else s[live])
        if scatter:
            y = y.at[jnp.arange(k), at.theta[live]].add(e_bar_live)
        else:
            y = y + jnp.where(at.all[None] == at.theta[live][:, None], e_bar_live[:, None], 0)
        state, a, d, e, gains, phi, e_bar = forward(state, x)
        m_bar = gains[at.gain] * phi[at.source]
        s = (a if capacity is None else a[:, live]) @ y + d[:, None] * s
        if scatter:
            s = s.at[at.rows, at.all].add(m_bar)
        else:
            s = s + jnp.where(at.rows[None] == jnp.arange(n)[:, None], m_bar[None], 0)
        if capacity is None:
            e_live, e_bar_live = e, e_bar
        else:
            live = jnp.nonzero(e != 0, size=k, fill_value=0)[0]
            there = jnp.arange(k) < jnp.sum(e != 0)
            e_live, e_bar_live = jnp.where(there, e[live], 0), jnp.where(there, e_bar[live], 0)
        gradient = ((credit * e) @ s).at[at.theta].add(credit * e_bar)
        return (state, s, live, e_live, e_bar_live, total + gradient), None

    live = jnp.arange(n) if capacity is None else jnp.zeros(k, jnp.int32)
    first = (start, jnp.zeros((n, at.p)), live, jnp.zeros(k), jnp.zeros(k), jnp.zeros(at.p))
    run = jax.jit(lambda xs: jax.lax.scan(step, first, xs)[0][5])
    return lambda xs: np.asarray(run(jnp.array(xs)))[at.keep]


def jax_tbptt(net, window):
    """Truncated BPTT over a window at every step: reverse-mode differentiation of a compiled scan by all dense weights. Not exact."""
    forward, start, _ = event_rnn_forward(net) if net.setting["cell"] == "event-rnn" else egru_forward(net)
    weights = {k: jnp.array(v) for k, v in net.blocks.items()}
    credit = jnp.array(net.credit)

    def loss(b, state, xs):
        c = jax.lax.scan(lambda c, x: (forward(b, c, x)[0], None), state, xs)[0]
        emission = c if net.setting["cell"] == "event-rnn" else c * event(c - b["theta"][:, 0], net.gamma, net.epsilon)
        return jnp.sum(credit * emission)

    def every(carry, k):
        state, total, xs = carry
        gradient = jax.grad(loss)(weights, state, jax.lax.dynamic_slice(xs, (k, 0), (window, net.m)))
        return (forward(weights, state, xs[k])[0], jax.tree.map(jnp.add, total, gradient), xs), None

    def run(xs):
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return jax.lax.scan(every, (start, zeros, xs), jnp.arange(xs.shape[0] - window))[0][1]

    compiled = jax.jit(run)
    return lambda xs: jax.block_until_ready(compiled(jnp.array(np.concatenate([xs, xs[:window]]))))


def numpy_rtrl(net, use_scipy=False):
    """Rows and columns compacted, BLAS on what is left (or CSR times dense): the event RNN only. Everything else is vectorised, and
    products go into buffers that are kept."""
    b, n, p = net.blocks, net.n, net.p
    order = np.argsort(net.rows, kind="stable")
    rows, back = net.rows[order], np.argsort(order)
    kind = np.array([{"w": 1 + net.m, "u": 1, "b": 0, "theta": 0}[k] for k in net.names])
    source = (kind + np.where(kind > 0, net.sources, 0))[order]
    sign = np.where(net.names == "theta", -1.0, 1.0).astype(np.float32)[order]
    w, bias, csr = b["w"], b["b"][:, 0] - b["theta"][:, 0], scipy.sparse.csr_matrix(b["w"])
    buffers = [np.zeros((n, p), np.float32), np.zeros((n, p), np.float32)]

    def steps(xs):
        a, live, y = np.zeros(n, np.float32), np.zeros(0, int), np.zeros((0, p), np.float32)
        total, slot = np.zeros(p, np.float32), np.full(n, -1)
        phi = np.zeros(1 + net.m + n, np.float32)
        phi[0] = 1
        for t, x in enumerate(xs):
            v = w @ a + b["u"] @ x + bias
            e = net.gamma * np.maximum(0, 1 - np.abs(v) / net.epsilon)
            phi[1 : 1 + net.m], phi[1 + net.m :] = x, a
            new = np.flatnonzero(e)
            s, e_new = buffers[t % 2][: len(new)], e[new]
            if use_scipy:
                s[:] = csr[new][:, live].multiply(e_new[:, None]).tocsr() @ y if len(live) else 0
            else:
                np.matmul(w[new][:, live] * e_new[:, None], y, out=s)
            slot.fill(-1)
            slot[new] = np.arange(len(new))
            place = slot[rows]
            there = np.flatnonzero(place >= 0)
            place = place[there]
            s.reshape(-1)[place * p + there] += (phi[source] * sign)[there] * e_new[place]
            y = s
            total += net.credit[new] @ y
            a, live = (v > 0).astype(np.float32), new
        return total[back]

    return steps


AVX512 = {"OPENBLAS_CORETYPE": "SKYLAKEX"}


def has_avx512():
    """Whether this processor can run OpenBLAS's AVX-512 kernels."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "avx512f" in cpuinfo.read_text().split()


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
    flush_subnormals()
    net, xs = Net(path), np.load(inputs)
    run = numpy_rtrl(net)
    run(xs)
    started = time.perf_counter()
    gradient = run(xs)
    print(json.dumps({"seconds": time.perf_counter() - started, "gradient": gradient.tolist()}))


def pinned(threads):
    """Pins one thread to one core, more threads to all cores."""
    if not shutil.which("taskset"):
        return []
    return ["taskset", "-c", ",".join(map(str, sorted(CORES if threads > 1 else {min(CORES)})))]


def ours(setting, rule, threads, steps, credit_every=1, rounds=1):
    flags = [str(SPEED), "--cell", setting["cell"], "--units", str(setting["units"]), "--inputs", str(setting["inputs"])]
    flags += ["--param-sparsity", str(setting["sparsity"]), "--live", str(setting["live"]), "--rule", rule]
    flags += ["--threads", str(threads), "--steps", str(steps), "--repetitions", str(rounds)]
    flags += ["--credit-every", str(credit_every)] + (["--one-mask"] if setting.get("one_mask") else [])
    flags += ["--reset-before"] if setting.get("reset_before") else []
    lines = subprocess.run(pinned(threads) + flags, check=True, capture_output=True, text=True).stdout.splitlines()
    return min((json.loads(line) for line in lines), key=lambda r: r["microseconds"])


def dump(setting, folder):
    path = Path(folder) / f"{setting['cell']}-{setting['units']}.json"
    flags = [str(SPEED), "--cell", setting["cell"], "--units", str(setting["units"]), "--inputs", str(setting["inputs"])]
    flags += ["--param-sparsity", str(setting["sparsity"]), "--live", str(setting["live"])]
    flags += ["--one-mask"] if setting.get("one_mask") else []
    subprocess.run(flags + ["--dump", str(path), "--dump-steps", str(STEPS_CHECKED)], check=True)
    return Net(path)


def peaks():
    """Peak rates of the machine: BLAS on one thread, our loops on one and two threads."""
    x = np.random.rand(1536, 1536).astype(np.float32)
    flops = 0.0
    for _ in range(5):
        t = time.perf_counter()
        x @ x
        flops = max(flops, 2 * 1536**3 / (time.perf_counter() - t) / 1e9)
    own = []
    for threads in (1, 2):
        output = subprocess.run(pinned(threads) + [str(SPEED), "--peaks", "--threads", str(threads)], check=True, capture_output=True, text=True).stdout
        own.append(json.loads(output))
    return flops, *own


def peaks_table(highest):
    blas, *own = highest
    lines = ["| peak rate | one thread | two threads |", "|---|---|---|", f"| product of dense matrices, BLAS | {blas:.0f} GFLOP/s | |"]
    for name, key, unit in (("product of dense matrices, our loop, in the first-level cache", "dense_gflops", "GFLOP/s"),
                            ("sparse sums, our loop, in the first-level cache", "sparse_gflops", "GFLOP/s"),
                            ("repeated reads of 50 MB, our loop", "read_gbytes", "GB/s")):
        lines.append(f"| {name} | " + " | ".join(f"{peak[key]:.0f} {unit}" for peak in own) + " |")
    return lines


def most_live(net, steps=3000):
    """The largest number of units live at once over a long random input, which a fixed capacity must hold."""
    forward, start, _ = model(net)

    def step(state, x):
        state, _, _, e, *_ = forward(state, x)
        return state, jnp.sum(e != 0)

    xs = np.random.default_rng(1).standard_normal((steps, net.m)).astype(np.float32)
    xs = np.concatenate([net.inputs, xs])
    return int(jax.jit(lambda xs: jax.lax.scan(step, start, xs)[1])(jnp.array(xs)).max())


def other_programs(net):
    """Name, bytes of influence a step reads and writes (none if it is not exact), and a function from inputs to the sum of all gradients."""
    capacity = min(net.n, most_live(net) + 2)
    is_event_rnn = net.setting["cell"] == "event-rnn"
    rtrl = jax_event_rnn if is_event_rnn else jax_egru
    every = sum(b.size for b in net.blocks.values())
    once = lambda rows, columns: 2 * 4 * rows * columns
    # The event RNN keeps live rows only; rows of the EGRU carry.
    rows = capacity if is_event_rnn else net.n
    yield "JAX, dense scan", once(net.n, every), rtrl(net, True, None)
    yield "JAX, gathered columns", once(net.n, net.p), rtrl(net, False, None)
    yield f"JAX, gathered columns and rows ({capacity})", once(rows, net.p), rtrl(net, False, capacity)
    if is_event_rnn:
        rows = net.setting["live"] * net.n
        yield "numpy, rows and columns compacted", once(rows, net.p), numpy_rtrl(net)
        if has_avx512():
            yield "numpy, rows and columns compacted, AVX-512 BLAS", once(rows, net.p), other_blas(net)
        yield "scipy CSR, rows and columns compacted", once(rows, net.p), numpy_rtrl(net, use_scipy=True)
    else:
        yield "JAX, gathered columns, M̄ scattered", once(net.n, net.p), rtrl(net, False, None, scatter=True)
        yield f"JAX, gathered columns and rows ({capacity}), M̄ scattered", once(net.n, net.p), rtrl(net, False, capacity, scatter=True)
    yield "JAX, truncated BPTT over 32 steps (not exact)", None, jax_tbptt(net, 32)


def own_traffic(rule, counted):
    """Bytes of the influence matrix that our step reads and writes: all of it, or in blocks the anchor influence once per K steps."""
    n, p = counted["units"], counted["parameters"]
    if rule.startswith("rtrl-blocked-"):
        return 4 * n * p * (1 + 2 / int(rule.rsplit("-", 1)[1]))
    return 2 * 4 * n * p * (counted["live_measured"] if counted["cell"] == "event-rnn" else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--event-rnn", default="16,64,128,256", help="sizes of the event RNN, comma-separated")
    parser.add_argument("--egru", default="64,128,256", help="sizes of the EGRU, comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the programs alternate")
    parser.add_argument("--seconds", type=float, default=1.0, help="shortest time of a measurement, in seconds")
    parser.add_argument("--out", default=str(ROOT / "results"), help="folder for speed.csv, speed.md and speed.svg")
    parser.add_argument("--numpy-worker", nargs=2, metavar=("NET", "INPUTS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.numpy_worker:
        return numpy_worker(*args.numpy_worker)
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "sparse-rtrl-studies", "--bin", "speed"], cwd=ROOT, check=True)
    flush_subnormals()
    highest = peaks()
    print("\n".join(peaks_table(highest)))
    with tempfile.TemporaryDirectory() as folder:
        compare(args, folder, highest)


def compare(args, folder, highest):
    settings = []
    for cell, sizes, inputs in (("event-rnn", args.event_rnn, 2), ("egru", args.egru, 32)):
        for n in filter(None, sizes.split(",")):
            settings.append({"cell": cell, "units": int(n), "inputs": inputs, "sparsity": 0.9, "live": 0.3})
    table = []
    for setting in settings:
        table += measure(setting, args, folder)
    for name in ("one_mask", "reset_before"):
        largest = max((setting for setting in settings if setting["cell"] == "egru"), key=lambda s: s["units"], default=None)
        table += measure_own(largest | {name: True}, args) if largest else []
    write(table, highest, modes(settings), args)


def modes(settings):
    """Our times with the processor's flush-to-zero mode off and on, alternating; they should agree."""
    rows = []
    for setting in settings:
        rules = ["rtrl", "snap-1", "uoro"] + (["rtrl-blocked-32"] if setting["cell"] == "egru" else [])
        for rule in rules:
            flags = [str(SPEED), "--cell", setting["cell"], "--units", str(setting["units"]), "--inputs", str(setting["inputs"])]
            steps = max(200, min(20000, 60_000_000 // setting["units"] ** 2 // 10))
            flags += ["--rule", rule, "--both-modes", "--steps", str(steps), "--repetitions", "5"]
            output = subprocess.run(pinned(1) + flags, check=True, capture_output=True, text=True).stdout
            lines = sorted((json.loads(line) for line in output.splitlines()), key=lambda r: r["ratio"])
            rows.append(lines[len(lines) // 2])
            print(f"{setting['cell']:>9} n={setting['units']:<4} {rule:<16} {rows[-1]['ratio']:.3f}")
    return rows


def modes_table(rows):
    lines = ["## The processor's flush-to-zero mode", "", "µs per step of this crate with the mode off (default) and on, alternating; the "
             "repetition with the median ratio of five (`speed --both-modes`).", "",
             "| cell | units | rule | µs, off | µs, on | off / on |", "|---|---|---|---|---|---|"]
    lines += [f"| {r['cell']} | {r['units']} | {r['rule']} | {r['microseconds']:.2f} | {r['microseconds_flush_mode']:.2f} | {r['ratio']:.3f} |" for r in rows]
    return lines + [""]


def measure_own(setting, args):
    """A variant measured for this crate only: blocks on one and two threads."""
    cell = setting["cell"] + (", one mask for all gates" if setting.get("one_mask") else ", reset gate before the product")
    best, longest = {}, {}
    for _ in range(args.rounds):
        for rule in ("rtrl-blocked-32", "rtrl-blocked-64", "rtrl-blocked-96"):
            for threads in (1, 2):
                key = rule, threads
                steps = 192 * max(1, round(args.seconds * 1e6 / best[key]["microseconds"] / 192)) if key in best else 384
                result = ours(setting, rule, threads, steps)
                longest[key] = min(longest.get(key, math.inf), result["slowest_microseconds"])
                best[key] = min(best.get(key, result), result, key=lambda r: r["microseconds"])
    rows = []
    for (rule, threads), r in best.items():
        rows.append(row(setting, f"sparse-rtrl {rule}", threads, r["microseconds"], own_traffic(rule, r), r, longest=longest[rule, threads]) | {"cell": cell})
    for r in rows:
        r["ratio_to_ours"] = round(r["microseconds"] / rows[0]["microseconds"], 2)
        print(f"{r['cell']} n={r['units']:<4} {r['program']:<30} {r['threads']} thread(s) {r['microseconds']:>12.2f} µs")
    return rows


def measure(setting, args, folder):
    net = dump(setting, folder)
    rng = np.random.default_rng(0)
    programs = list(other_programs(net))
    for name, traffic, run in programs:
        for steps in (1, 5, STEPS_CHECKED) if traffic else ():
            own_sum, their_sum = net.gradients[:steps].sum(axis=0), run(net.inputs[:steps])
            for block in net.blocks:
                here = net.names == block
                error = np.linalg.norm(their_sum[here] - own_sum[here]) / (np.linalg.norm(own_sum[here]) or 1)
                assert error < 1e-3, f"{name} on {setting}: {block} is {error:.1e} away from ours after {steps} steps"
    rules = ["rtrl"] + (["rtrl-blocked-32", "rtrl-blocked-64", "rtrl-blocked-96"] if setting["cell"] == "egru" else [])
    best = {name: math.inf for name, *_ in programs}
    sizes, own, longest, dense = {}, {}, {}, None
    lengths = {}
    for _ in range(args.rounds):
        for rule in rules:
            for threads in (1, 2):
                if (rule, threads) not in lengths:
                    first = ours(setting, rule, threads, 128)
                    lengths[rule, threads] = 64 * max(2, round(args.seconds * 1e6 / first["microseconds"] / 64))
                # One repetition of as many seconds as a rival gets, after one to warm up; whole blocks.
                result = ours(setting, rule, threads, lengths[rule, threads])
                known = own.get((rule, threads))
                # The longest step is that of the quietest round: others have met a busy machine.
                longest[rule, threads] = min(longest.get((rule, threads), math.inf), result["slowest_microseconds"])
                own[rule, threads] = min((r for r in (known, result) if r), key=lambda r: r["microseconds"])
        n = setting["units"]
        result = ours(setting | {"sparsity": 0.0, "live": 1.0}, "rtrl", 1, max(64, int(args.seconds * 1e9 / n**3 / 3)))
        dense = result if dense is None or result["microseconds"] < dense["microseconds"] else dense
        for name, _, run in programs:
            if name not in sizes:
                seconds = timed(run, rng, STEPS_CHECKED, net.m)
                sizes[name] = max(STEPS_CHECKED, min(20000, int(args.seconds * STEPS_CHECKED / max(seconds, 1e-6))))
            best[name] = min(best[name], 1e6 * timed(run, rng, sizes[name], net.m) / sizes[name])
    rows = []
    for (rule, threads), r in own.items():
        rows.append(row(setting, f"sparse-rtrl {rule}", threads, r["microseconds"], own_traffic(rule, r), r, dense, longest[rule, threads]))
    for name, traffic, _ in programs:
        rows.append(row(setting, name, 1, best[name], traffic))
    base = rows[0]["microseconds"]
    for r in rows:
        r["ratio_to_ours"] = round(r["microseconds"] / base, 2)
        print(f"{r['cell']:>9} n={r['units']:<4} {r['program']:<66} {r['threads']} thread(s) {r['microseconds']:>12.2f} µs  {r['ratio_to_ours']:>8}×")
    return rows


def timed(run, rng, steps, inputs):
    """Seconds of a run over `steps` steps, after compilation."""
    xs = rng.standard_normal((steps, inputs)).astype(np.float32)
    run(xs)
    started = time.perf_counter()
    run(xs)
    return getattr(run, "seconds", None) or time.perf_counter() - started


def row(setting, program, threads, microseconds, traffic, counted=None, dense=None, longest=None):
    ideal = None
    if dense and setting["cell"] == "event-rnn" and threads == 1:
        kept, live = 1 - setting["sparsity"], counted["live_measured"]
        ideal = round(dense["microseconds"] * kept**2 * live**2 / microseconds, 3)
    return {
        "cell": setting["cell"], "units": setting["units"], "inputs": setting["inputs"], "sparsity": setting["sparsity"],
        "live": setting["live"], "program": program, "threads": threads, "exact": traffic is not None, "microseconds": round(microseconds, 3),
        "longest_microseconds": round(longest, 1) if longest else None,
        "gflops": round(2 * counted["macs"] / microseconds / 1e3, 2) if counted else None,
        "gbytes_per_second": round(traffic / microseconds / 1e3, 2) if traffic else None,
        "bytes": counted["bytes"] if counted else None,
        "dense_microseconds": round(dense["microseconds"], 2) if dense else None,
        "share_of_ideal": ideal,
    }


def write(table, highest, by_mode, args):
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "speed.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)
    command = " ".join(["python", "scripts/bench_peers.py"] + sys.argv[1:])
    lines = ["# Speed", "", f"Made on {datetime.date.today()} with `{command}`, on {processor()}, one thread unless stated "
             "otherwise. Single precision, batch 1, ω = 0.9, 30 % of the units live, a gradient at every step. All programs flush subnormal numbers. "
             "The programs alternate; the best of several rounds counts. All exact gradients agree with ours in every parameter block. Share of the ideal: "
             "the measured speed-up over our dense update, divided by 1/(ω̃²β̃²). GB/s: traffic of the influence matrix, read and written once per step "
             "(live rows only for cells without carry; in blocks of K steps read once per step and rewritten once per K). Longest step: the lowest maximum over rounds.", "",
             *peaks_table(highest), ""]
    for cell in dict.fromkeys(r["cell"] for r in table):
        for n in dict.fromkeys(r["units"] for r in table if r["cell"] == cell):
            lines += [f"## {cell}, {n} units", "", "| program | threads | µs per step | longest step | × ours | GFLOP/s | GB/s | share of the ideal |",
                      "|---|---|---|---|---|---|---|---|"]
            for r in (r for r in table if (r["cell"], r["units"]) == (cell, n)):
                show = lambda x, digits: "" if x is None else f"{x:.{digits}f}"
                lines.append(f"| {r['program']} | {r['threads']} | {r['microseconds']:.2f} | {show(r['longest_microseconds'], 0)} | {r['ratio_to_ours']} "
                             f"| {show(r['gflops'], 1)} | {show(r['gbytes_per_second'], 1)} | {show(r['share_of_ideal'], 2)} |")
            lines.append("")
    lines += modes_table(by_mode)
    (out / "speed.md").write_text("\n".join(lines))
    plot(table, out / "speed.svg")


def plot(table, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sparse-rtrl"
    import matplotlib.pyplot as plt

    cells = [cell for cell in dict.fromkeys(r["cell"] for r in table) if cell in ("event-rnn", "egru")]
    figure, axes = plt.subplots(1, len(cells), figsize=(6.2 * len(cells), 4.6), squeeze=False)
    for ax, cell in zip(axes[0], cells):
        names = list(dict.fromkeys(r["program"].split(" (")[0] for r in table if r["cell"] == cell and r["threads"] == 1))
        for k, name in enumerate(names):
            points = [(r["units"], r["microseconds"]) for r in table
                      if r["cell"] == cell and r["threads"] == 1 and r["program"].split(" (")[0] == name]
            style = {"linewidth": 2.5 if name.startswith("sparse-rtrl") else 1.2, "marker": "osv^D*x+"[k % 8]}
            ax.plot(*zip(*points), label=name, color=plt.cm.viridis(k / max(1, len(names))), **style)
        ax.set(xscale="log", yscale="log", title=cell, xlabel="units", ylabel="µs per step, one thread")
        ax.legend(fontsize=7)
        ax.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
