"""What keraser top costs: processor time of its screen, and time to the first one.

    ./dev bench top         or        python bench/top.py [--seconds 20]

Processes that listen are stand-ins (tests/c/fake_listener.c): what is measured is the
command line, not what it asks. Printed for each size: the share of one core that top
took at its usual interval, without keys and with one a second, and milliseconds from
its start to the first whole screen, median and most of 20 starts.
"""

import argparse
import os
import pty
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests/python"))

from listeners import KERASER, House, build_fake

SIZES = [(20, 5), (200, 50)]


def start(house):
    pid, master = pty.fork()
    if pid == 0:
        os.execve(KERASER, [KERASER, "top", *map(str, house.pids)], house.environment)
    return pid, master


def read(master, seconds, until=b""):
    """All bytes of so many seconds, or up to `until`."""
    data, end = b"", time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        if select.select([master], [], [], left)[0]:
            data += os.read(master, 65536)
            if until and until in data:
                break
    return data


def stop(pid, master):
    os.write(master, b"q")
    read(master, 5, b"\33[?1049l")
    os.waitpid(pid, 0)
    os.close(master)


def cpu(pid):
    """Nanoseconds on a processor so far."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0])


def share(house, seconds, key):
    pid, master = start(house)
    read(master, 3)
    before, began = cpu(pid), time.perf_counter()
    for i in range(seconds):
        read(master, 1)
        if key:
            os.write(master, b"jk"[i % 2 : i % 2 + 1])
    used = (cpu(pid) - before) / (time.perf_counter() - began) / 1e9
    stop(pid, master)
    return 100 * used


def first_screens(house, starts=20):
    times = []
    for _ in range(starts):
        began = time.perf_counter()
        pid, master = start(house)
        screen = read(master, 5, b"q quit")
        times.append(1000 * (time.perf_counter() - began))
        assert str(house.pids[0]).encode() in screen or len(house.pids) > 20
        stop(pid, master)
    return statistics.median(times), max(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        fake = build_fake(Path(folder))
        for processes, models in SIZES:
            house = House(Path(folder) / f"run{processes}", fake)
            try:
                for _ in range(processes):
                    house.start("models", models)
                idle, keys = (share(house, seconds, key) for key in (False, True))
                median, most = first_screens(house)
            finally:
                house.close()
            print(
                f"{processes} processes of {models} models: "
                f"{idle:.2f} % of a core, {keys:.2f} % with a key a second; "
                f"first screen after {median:.1f} ms, at most {most:.1f} ms"
            )


if __name__ == "__main__":
    main()
