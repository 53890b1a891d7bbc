"""./dev setup on a machine that lacks something: one line that says what to do.

The machine is simulated: a copy of the entry and its scripts, and a PATH on which
stand only the programs that this machine is to have.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = (
    *("bash", "cat", "cmp", "cp", "dirname", "env", "find", "flock", "grep", "head"),
    *("mkdir", "mktemp", "mv", "readlink", "rm", "sed", "tail", "touch"),
)
PYTHON = os.path.realpath(sys.executable)


class Machine:
    def __init__(self, root):
        self.root, self.bin = root / "repository", root / "bin"
        self.bin.mkdir()
        self.site = root / "site"
        self.site.mkdir()
        self.root.mkdir()
        for name in ("dev", "tools", "pyproject.toml"):
            copy = shutil.copytree if name == "tools" else shutil.copy
            copy(REPOSITORY / name, self.root / name)
        for name in PROGRAMS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)

    def program(self, name, text):
        file = self.bin / name
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)

    def compiler(self):
        """One that finds every header."""
        for name in ("cc", "gcc", "c++"):
            self.program(name, "exit 0")

    def user(self, number):
        self.program("id", f"echo {number}")

    def apt_get(self, text="exit 0"):
        self.program("apt-get", f'echo "$*" >>{self.root}/apt\n{text}')

    def apt_calls(self):
        return (self.root / "apt").read_text().splitlines()

    def python(self, site="", place="/opt/python"):
        """The Python of this test, as if it stood at `place`; `site` starts it."""
        realpath = f"import os.path; os.path.realpath = lambda *_: {place!r}"
        (self.site / "sitecustomize.py").write_text(f"{realpath}\n{site}\n")
        self.program("python3", f'PYTHONPATH={self.site} exec {PYTHON} "$@"')

    def dev(self, *arguments, **environment):
        environment = {"PATH": str(self.bin), "HOME": str(self.root), **environment}
        command = [self.bin / "bash", "dev", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True
        )


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.user(1000)
    machine.apt_get()
    machine.compiler()
    machine.python()
    return machine


def says_one_line(result, *parts):
    assert result.returncode == 1, result.stdout + result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    for part in parts:
        assert part in lines[0]
    return lines[0]


def test_a_user_without_compiler_gets_the_line_to_paste(machine):
    machine.program("cc", "exit 1")
    line = says_one_line(machine.dev("setup"), "sudo apt-get install -y", "gcc")
    assert "libc6-dev" in line
    assert not (machine.root / "apt").exists()


def test_a_user_without_cmocka_gets_the_line_to_paste(machine):
    machine.program("cc", "! grep -q cmocka")
    line = says_one_line(
        machine.dev("test"), "sudo apt-get install -y", "libcmocka-dev"
    )
    assert "gcc" not in line


def test_all_that_is_missing_stands_in_the_same_line(machine):
    (machine.bin / "c++").unlink()
    machine.program("cc", "exit 1")
    says_one_line(machine.dev("setup"), "gcc", "libcmocka-dev", "g++")


def test_root_installs_what_is_missing(machine):
    machine.user(0)
    machine.program("cc", f"[ -e {machine.root}/apt ]")
    result = machine.dev("setup", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    assert machine.apt_calls()[0].split()[0] == "install"
    assert "gcc" in machine.apt_calls()[0].split()
    assert "missing" not in result.stderr


def test_root_updates_the_package_lists_when_the_install_fails(machine):
    machine.user(0)
    machine.program("cc", "exit 1")
    machine.apt_get("[ $1 = update ]")
    says_one_line(machine.dev("setup"), "apt-get cannot install gcc", "network")
    assert [call.split()[0] for call in machine.apt_calls()] == [
        "install",
        "update",
        "install",
    ]


def test_an_install_that_did_not_help_is_said(machine):
    machine.user(0)
    machine.program("cc", "exit 1")
    says_one_line(machine.dev("setup"), "still missing", "gcc")


def test_a_system_without_apt_gets_the_names(machine):
    (machine.bin / "apt-get").unlink()
    machine.program("cc", "exit 1")
    says_one_line(machine.dev("setup"), "gcc", "package manager")


def test_no_python_stands_in_the_same_line_with_all_its_parts(machine):
    (machine.bin / "python3").unlink()
    machine.program("cc", "exit 1")
    parts = ("sudo apt-get", "python3-dev", "python3-venv", "gcc")
    says_one_line(machine.dev("setup"), *parts)


def test_a_system_whose_only_python_is_too_new_is_told_what_to_set(machine):
    machine.python("import sys; sys.version_info = (3, 99, 0)")
    says_one_line(machine.dev("setup"), "3.10 to 3.13", "set PYTHON=")


def test_a_python_that_tensorflow_has_no_wheels_for_is_refused(machine):
    machine.python("import sys; sys.version_info = (3, 9, 0)")
    says_one_line(machine.dev("setup", PYTHON="python3"), "PYTHON=python3", "3.10")


@pytest.mark.parametrize(
    ("site", "package", "what"),
    [
        ("import sys; sys.modules['ensurepip'] = None", "venv", "ensurepip"),
        (
            "import sysconfig; sysconfig.get_path = lambda *_: '/nonexistent'",
            "dev",
            "Python.h",
        ),
    ],
)
def test_a_python_without_a_part_names_it(machine, site, package, what):
    machine.python(site, "/opt/python")
    says_one_line(machine.dev("demo"), what, "/opt/python")

    machine.python(site, "/usr/bin/python3")
    version = "{}.{}".format(*sys.version_info)
    says_one_line(
        machine.dev("demo"),
        f"sudo apt-get install -y --no-install-recommends python{version}-{package}",
    )


def test_a_registry_out_of_reach_is_named(machine):
    result = machine.dev("setup", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0")
    says_one_line(result, "no package registry", "http://127.0.0.1:9/", "PIP_INDEX_URL")


def test_a_venv_of_another_python_is_left_alone(machine):
    (machine.root / ".venv/bin").mkdir(parents=True)
    old = machine.root / ".venv/bin/python"
    old.write_text("#!/bin/bash\necho 3.9\n")
    old.chmod(0o755)
    says_one_line(machine.dev("setup", PYTHON="python3"), "VENV=.venv-3.")
    assert old.exists()


def test_an_unknown_verb_points_to_help(machine):
    says_one_line(machine.dev("tset"), "no verb 'tset'", "./dev help")


def test_help_lists_every_verb(machine):
    listed = machine.dev("help").stdout
    verbs = [
        line.split("_", 1)[1].split("(")[0]
        for line in (REPOSITORY / "dev").read_text().splitlines()
        if line.startswith("verb_") and line.endswith("() {")
    ]
    assert len(verbs) >= 10
    for verb in verbs:
        assert f"\n  {verb} " in listed
