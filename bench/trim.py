"""What keraser.trim() costs, beside plain madvise() of as much memory.

    ./dev bench trim         or        python bench/trim.py [--rounds 7] [--json]

In one process with TensorFlow's default settings on the CPU, in turn, round by round: a
tensor is made, filled and dropped, and the pool trimmed; then as many bytes are mapped,
filled and given back by one madvise(MADV_DONTNEED), which is all that a trim could
save of its time. The first round is left out. Times are medians on the clock; the ratio
is that of the medians, its range that of the ratios of the single rounds.

`scattered`: as many bytes in tensors of 1 MiB, every second one of which lives on, so
that each free block is one to be taken by itself. `nothing`: the same call right after,
with nothing to give: what clear() pays for trimming where it is needless.
"""

import argparse
import ctypes
import json
import mmap
import os
import platform
import statistics
import time
from importlib import metadata

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

MIB = 1 << 20
SIZES = (64, 256, 1024)


def seconds_of(call):
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def trim():
    import keraser

    return keraser.trim()


def whole(mib):
    import tensorflow as tf

    tf.fill((mib * MIB // 4,), 1.0)
    return None


def scattered(mib):
    """The tensors that live on."""
    import tensorflow as tf

    tensors = [tf.fill((MIB // 4,), 1.0) for _ in range(2 * mib)]
    return tensors[::2]


def plain(mib):
    """Seconds of one madvise() over as much memory, mapped and filled before."""
    block = mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(block)), 1, mib * MIB)
    return seconds_of(lambda: block.madvise(mmap.MADV_DONTNEED))[0]


def measure(make, mib, rounds):
    row = {"way": make.__name__, "mib": mib, "trim": [], "madvise": [], "nothing": []}
    for number in range(rounds + 1):
        trim()
        living = make(mib)
        seconds, done = seconds_of(trim)
        idle, nothing = seconds_of(trim)
        pool = done.pools[0]
        if (
            pool.refused
            or pool.returned < 0.97 * mib * MIB
            or nothing.pools[0].returned
        ):
            raise SystemExit(f"not what was to be measured:\n{done!r}\n{nothing!r}")
        del living
        if number:
            row["returned"] = pool.returned
            row["trim"].append(seconds)
            row["nothing"].append(idle)
            row["madvise"].append(plain(mib))
        else:
            plain(mib)
    return row


def summary(row):
    ratios = [t / m for t, m in zip(row["trim"], row["madvise"], strict=True)]
    medians = {
        f"{name}_median": statistics.median(row[name])
        for name in ("trim", "madvise", "nothing")
    }
    return {
        **row,
        **medians,
        "ratio": medians["trim_median"] / medians["madvise_median"],
        "ratio_range": [min(ratios), max(ratios)],
        "gigabytes_per_second": row["returned"] / medians["trim_median"] / 1e9,
    }


HEADS = ("", "MiB", "trim, ms", "GB/s", "madvise, ms", "ratio", "range", "nothing, ms")
COLUMNS = "{:<10}{:>6}{:>11}{:>8}{:>13}{:>8}{:>16}{:>13}"


def show(row):
    low, high = row["ratio_range"]
    print(
        COLUMNS.format(
            row["way"],
            row["mib"],
            f"{row['trim_median'] * 1e3:.1f}",
            f"{row['gigabytes_per_second']:.1f}",
            f"{row['madvise_median'] * 1e3:.1f}",
            f"{row['ratio']:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{row['nothing_median'] * 1e3:.2f}",
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description="What keraser.trim() costs.")
    parser.add_argument("--rounds", type=int, default=7, help="rounds a row (7)")
    parser.add_argument("--json", action="store_true", help="times in seconds as JSON")
    options = parser.parse_args()
    rows = []
    if not options.json:
        names = ", ".join(
            f"{n} {metadata.version(n)}" for n in ("keraser", "tensorflow")
        )
        print(f"Python {platform.python_version()}, {names}, {os.cpu_count()} CPUs")
        print(COLUMNS.format(*HEADS))
    for make in (whole, scattered):
        for mib in SIZES:
            rows.append(summary(measure(make, mib, options.rounds)))
            if not options.json:
                show(rows[-1])
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
