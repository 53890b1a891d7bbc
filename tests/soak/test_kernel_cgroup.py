"""Limits by cgroup v2 on a kernel that has it, whatever this machine has: a virtual one
is booted, whose first process is kernel_cgroup.c. 10 s, all of it emulated: KVM within
a virtual machine is there and hangs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    "tests/soak/kernel_cgroup.c",
    *(f"src/base/{name}.c" for name in ("array", "status")),
    *(f"src/proc/{name}.c" for name in ("cgroup", "cgroup_find", "cgroup_place")),
    *(f"src/proc/{name}.c" for name in ("fields", "footprint", "process", "text")),
    *(f"src/server/{name}.c" for name in ("readers", "watch", "watch_memory")),
    "src/gpu/nvml.c",
]


def kernel():
    """A kernel of x86-64 with all it needs built in, as distributions have them."""
    named = os.environ.get("KERASER_VMLINUZ")
    found = [Path(named)] if named else sorted(Path("/boot").glob("vmlinuz-*"))
    readable = [path for path in found if os.access(path, os.R_OK)]
    return readable[-1] if readable else None


def archive(name, content):
    """A cpio archive (newc) of one executable file: an initramfs."""

    def entry(name, mode, content):
        fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        head = "070701" + "".join(f"{field:08x}" for field in fields) + name + "\0"
        return padded(head.encode()) + padded(content)

    def padded(block):
        return block + b"\0" * (-len(block) % 4)

    return entry(name, 0o100755, content) + entry("TRAILER!!!", 0, b"")


def test_the_kernel_keeps_limits_and_places_are_found_or_refused(tmp_path, capfd):
    qemu, compiler = shutil.which("qemu-system-x86_64"), shutil.which("gcc")
    if not (qemu and compiler and kernel()):
        pytest.skip(
            "needs qemu-system-x86_64, gcc and a readable kernel (KERASER_VMLINUZ)"
        )
    init, initramfs = tmp_path / "init", tmp_path / "initramfs"
    build = ["-O2", "-static", "-std=c11", "-Iinclude", "-Isrc", "-o"]
    subprocess.run(
        [compiler, *build, init, *SOURCES],
        cwd=ROOT,
        check=True,
        capture_output=True,  # the linker warns of dlopen() in what is static
    )
    initramfs.write_bytes(archive("init", init.read_bytes()))
    machine = ["-accel", "tcg", "-m", "768", "-nographic", "-no-reboot"]
    boot = ["-kernel", kernel(), "-initrd", initramfs]
    boot += ["-append", "console=ttyS0 loglevel=1 panic=-1"]
    done = subprocess.run(
        [qemu, *machine, *boot],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=240,
        check=False,
    )

    lines = done.stdout.replace("\r", "").splitlines()
    with capfd.disabled():
        print("", *(line for line in lines if line.startswith("hog")), sep="\n")
    assert "end" in lines, done.stdout[-4000:] + done.stderr
    assert [line for line in lines if line.startswith("wrong")] == []
