#!/usr/bin/env python3
"""Time against counted MACs, and the largest feasible networks: event RNN and EGRU over sizes and sparsities.

    python3 scripts/bench_grid.py            # needs only Python; draws results/grid.svg if matplotlib is installed

Writes results/grid.csv and results/grid.md: microseconds per step and nanoseconds per MAC over n, ω̃ and the share of live units (single
precision, one thread, a gradient at every step), and the largest n at 1,000 and at 100 exact steps per second and in 8 GiB.
"""
import argparse
import csv
import datetime
import json
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEED = ROOT / "target" / "release" / "speed"
GIB = 2**30


def processor():
    return subprocess.run([str(ROOT / "scripts" / "processor.sh")], check=True, capture_output=True, text=True).stdout.strip()


def run(cell, n, kept, live, rule="rtrl", threads=1, seconds=0.5, repetitions=3):
    """The fastest repetition; each takes about `seconds`."""
    flags = [str(SPEED), "--cell", cell, "--units", str(n), "--inputs", "2" if cell == "event-rnn" else "32", "--rule", rule]
    flags += ["--param-sparsity", str(round(1 - kept, 6)), "--live", str(live), "--threads", str(threads)]

    def once(steps, repetitions):
        lines = subprocess.run(flags + ["--steps", str(steps), "--repetitions", str(repetitions)], check=True, capture_output=True, text=True).stdout
        return min(map(json.loads, lines.splitlines()), key=lambda r: r["microseconds"])

    # Whole blocks.
    unit = 128 if "blocked" in rule else 8
    first = once(unit, 1)
    return once(unit * max(1, round(seconds * 1e6 / first["microseconds"] / unit)), repetitions)


def grid(args):
    rows = []
    for cell in ("event-rnn", "egru"):
        for n in map(int, args.sizes.split(",")):
            for kept in (1.0, 0.5, 0.2, 0.1):
                for live in (1.0, 0.5, 0.3):
                    if n**3 * kept * (3 if cell == "egru" else 1) * 4 > args.memory * GIB:
                        continue
                    r = run(cell, n, kept, live, seconds=args.seconds)
                    rows.append({
                        "cell": cell, "units": n, "kept": kept, "live_asked": live, "live": round(r["live_measured"], 3),
                        "parameters": r["parameters"], "microseconds": round(r["microseconds"], 3), "macs": round(r["macs"]),
                        "nanoseconds_a_mac": round(1e3 * r["microseconds"] / r["macs"], 5),
                    })
                    print(rows[-1], flush=True)
    return rows


def largest(cell, rule, threads, fits, sizes):
    """The largest size that fits, by bisection over measured sizes."""
    low, high, known = 0, len(sizes), None
    while low < high:
        middle = (low + high) // 2
        result = fits(cell, sizes[middle], rule, threads)
        if result is None:
            high = middle
        else:
            low, known = middle + 1, (sizes[middle], result)
    return known


def at_rate(rate):
    def fits(cell, n, rule, threads):
        r = run(cell, n, 0.1, 0.3, rule, threads, seconds=1.0, repetitions=2)
        return f"{1e6 / r['microseconds']:,.0f} steps per second" if r["microseconds"] <= 1e6 / rate else None

    return fits


def in_memory(cell, n, rule, threads):
    """Runs a few steps in a process limited to 8 GiB of memory."""
    flags = [str(SPEED), "--cell", cell, "--units", str(n), "--inputs", "2" if cell == "event-rnn" else "32", "--rule", rule]
    flags += ["--steps", "12", "--repetitions", "1", "--threads", str(threads), "--live", "0.3", "--quick"]

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (8 * GIB, 8 * GIB))

    done = subprocess.run(flags, capture_output=True, text=True, preexec_fn=limit)
    if done.returncode != 0:
        return None
    r = json.loads(done.stdout.splitlines()[-1])
    return f"{r['bytes'] / GIB:.1f} GiB of influence in use, {1e-6 * r['microseconds']:.2f} s per step"


def scale():
    sizes = list(range(64, 1025, 32))
    wide = list(range(512, 4097, 64))
    rows = []
    for cell, rules in (("event-rnn", ["rtrl"]), ("egru", ["rtrl", "rtrl-blocked-64"])):
        for rule in rules:
            limits = [("1,000 steps per second", at_rate(1000), sizes), ("100 steps per second", at_rate(100), sizes)]
            # The memory of the blocked rule depends on K, so only the direct rule is limited to 8 GiB of address space.
            limits += [("8 GiB of address space", in_memory, wide)] if rule == "rtrl" else []
            for what, fits, of in limits:
                found = largest(cell, rule, 2, fits, of)
                rows.append({"cell": cell, "rule": rule, "limit": what, "units": found[0] if found else None, "there": found[1] if found else ""})
                print(rows[-1], flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="128,256,512")
    parser.add_argument("--seconds", type=float, default=0.3, help="seconds per repetition; the best of three counts")
    parser.add_argument("--memory", type=float, default=2, help="GiB that a network of the grid may use at most")
    parser.add_argument("--no-scale", action="store_true", help="do not search for the largest networks")
    parser.add_argument("--out", default=str(ROOT / "results"))
    parser.add_argument("--plot-only", action="store_true", help="draw grid.svg from grid.csv")
    args = parser.parse_args()
    if args.plot_only:
        with open(Path(args.out) / "grid.csv", newline="") as file:
            number = lambda v: v if v in ("event-rnn", "egru") else float(v)  # noqa: E731
            rows = [{k: number(v) for k, v in row.items()} for row in csv.DictReader(file)]
        return plot(rows, Path(args.out) / "grid.svg")
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "sparse-rtrl-studies", "--bin", "speed"], cwd=ROOT, check=True)
    rows = grid(args)
    scales = [] if args.no_scale else scale()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "grid.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    command = " ".join(["python3", "scripts/bench_grid.py"] + sys.argv[1:])
    lines = ["# Time and work", "", f"Made on {datetime.date.today()} with `{command}` on {processor()}. Single precision, a gradient at every step; one thread in the first "
             "table, two in the second. The exact rule `rtrl`, unless stated otherwise.", "",
             "| cell | n | ω̃ | live | µs per step | MACs | ns per MAC |", "|---|---|---|---|---|---|---|"]
    lines += [f"| {r['cell']} | {r['units']} | {r['kept']} | {r['live']} | {r['microseconds']:,.1f} | {r['macs']:.2e} | {r['nanoseconds_a_mac']:.4f} |" for r in rows]
    costs = [r["nanoseconds_a_mac"] for r in rows if r["units"] >= 128]
    lines += ["", f"Time per MAC varies by {max(costs) / min(costs):.1f}× over the grid from 128 units on ({min(costs):.4f} to {max(costs):.4f} ns)."]
    if scales:
        lines += ["", "## Largest networks", "", "ω = 0.9, 30 % of the units live. Each size was measured.", "",
                  "| cell | rule | limit | largest n | measured |", "|---|---|---|---|---|"]
        lines += [f"| {r['cell']} | {r['rule']} | {r['limit']} | {r['units']} | {r['there']} |" for r in scales]
    (out / "grid.md").write_text("\n".join(lines) + "\n")
    plot(rows, out / "grid.svg")


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed; no figure was drawn")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sparse-rtrl"
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 4.8))
    for cell, marker in (("event-rnn", "o"), ("egru", "s")):
        for n in sorted({r["units"] for r in rows}):
            points = [(r["macs"], r["microseconds"]) for r in rows if (r["cell"], r["units"]) == (cell, n)]
            if points:
                ax.plot(*zip(*points), marker, ms=5, label=f"{cell}, {n:.0f} units", mfc="none" if cell == "egru" else None)
    low, high = min(r["macs"] for r in rows), max(r["macs"] for r in rows)
    best = min(r["microseconds"] / r["macs"] for r in rows)
    for factor, style in ((1, "-"), (3, "--")):
        ax.plot([low, high], [factor * best * low, factor * best * high], style, color="grey", lw=1, label=f"{factor} × the fastest MAC")
    ax.set(xscale="log", yscale="log", xlabel="MACs per step, counted", ylabel="µs per step, one thread", title="Time against counted work")
    ax.legend(fontsize=7)
    ax.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
