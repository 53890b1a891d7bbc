"""Help, man pages and completions say the same; `python -m keraser` is `keraser`."""

import os
import re
import shutil
import subprocess
import sys

import listeners
import pytest

VERBS = ["top", "why", "clear", "trim", "doctor", "run"]


def options(text, pattern):
    return set(re.findall(pattern, text, re.MULTILINE))


@pytest.fixture
def texts():
    """Options of a verb by help, man page, bash and zsh."""
    root = listeners.REPOSITORY

    def read(verb, house):
        said = house.call(verb, "--help")
        assert (said.returncode, said.stderr) == (0, "")
        page = (root / f"man/keraser-{verb}.1").read_text().replace(r"\-", "-")
        bash = (root / "completions/keraser.bash").read_text()
        bash = re.search(
            rf"^    (?:\w+ \| )*{verb}(?: \| \w+)*\) echo '(.*)'", bash, re.M
        )
        zsh = (root / "completions/_keraser").read_text()
        block = re.search(
            rf"^    (?:\w+ \| )*{verb}(?: \| \w+)*\)\n(.*?);;", zsh, re.M | re.S
        )
        parts = block[1]
        for name in ("json", "wait"):
            if f"${name}" in parts:
                parts += re.search(rf"^    {name}='.*", zsh, re.M)[0]
        return {
            "help": options(said.stdout, r"^  (--[a-z-]+)") | {"--help"},
            "man": options(page, r"^\.BI? (--[a-z-]+)"),
            "bash": set(bash[1].split()),
            "zsh": options(parts, r"'(--[a-z-]+)\["),
        }

    return read


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_options_everywhere(verb, house, texts):
    found = texts(verb, house)
    assert len(found["help"]) >= 3
    assert found["man"] == found["help"]
    assert found["bash"] == found["help"]
    assert found["zsh"] == found["help"]


def test_each_verb_is_everywhere(house):
    root = listeners.REPOSITORY
    listed = options(house.call("--help").stdout, r"^  (\w+) ")
    assert listed == set(VERBS)
    page = (root / "man/keraser.1").read_text()
    assert options(page, r"^\.BR keraser\\-(\w+)") == listed
    zsh = (root / "completions/_keraser").read_text()
    assert options(zsh, r"^            '([a-z]+):") == listed
    bash = (root / "completions/keraser.bash").read_text()
    assert listed <= set(re.search("_keraser_words '(top.*)'", bash)[1].split())


def test_the_man_page_has_the_exit_statuses():
    root = listeners.REPOSITORY
    page = (root / "man/keraser.1").read_text()
    header = (root / "cli/verbs.h").read_text()
    ours = {int(n) for n in re.findall(r"KRS_EXIT_\w+ = (\d+)", header)} - {126, 127}
    assert {int(n) for n in re.findall(r"^\.B (\d+)", page, re.M)} == ours


def complete(house, line):
    """What bash offers for the last word of `line`."""
    script = f"""
        PATH={os.path.dirname(listeners.KERASER)}:$PATH
        source {listeners.REPOSITORY}/completions/keraser.bash
        COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _keraser; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], env=house.environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_verbs_processes_and_models(house):
    pid = house.start("models", 2).pid
    assert complete(house, "keraser t") == ["top", "trim"]
    assert complete(house, "keraser clear --f") == ["--force"]
    assert complete(house, f"keraser why {str(pid)[:-1]}").count(str(pid))
    assert complete(house, f"keraser why {pid} ''") == ["model_1", "model_0"]
    line = f"keraser clear --held cut {pid} model_0"
    assert complete(house, line) == ["model_0"]
    assert complete(house, "keraser clear 1 m --held c") == ["cut"]


#: What the completion system of zsh does with choices, and the choices printed.
ZSH = """
_describe() { print -rl -- "${(@P)@[-1]}" }
_arguments() { print -rl -- "$@" }
words=(keraser ''); CURRENT=2
source $COMPLETION
words=(keraser clear ''); CURRENT=3
_keraser
words=(why $PID ''); CURRENT=3
_keraser_pids
_keraser_models
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_completes_verbs_options_processes_and_models(house):
    pid = house.start("models", 2).pid
    done = subprocess.run(
        ["zsh", "-fc", ZSH],
        env={
            **house.environment,
            "PATH": f"{os.path.dirname(listeners.KERASER)}:{os.environ['PATH']}",
            "COMPLETION": str(listeners.REPOSITORY / "completions/_keraser"),
            "PID": str(pid),
        },
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:6]] == VERBS
    assert "--force[also one in use]" in lines
    assert f"{pid}:{house.fake} models 2" in lines
    assert lines[-2:] == ["model_1", "model_0"]


def module(house, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "keraser", *map(str, arguments)],
        env=house.environment,
        capture_output=True,
        text=True,
    )


def test_python_m_keraser_is_keraser(house):
    pid = house.start().pid
    for arguments in (["--version"], ["trim", pid], ["trim", "x"], ["why", 4194000]):
        by_module, by_name = module(house, *arguments), house.call(*arguments)
        assert by_module.returncode == by_name.returncode
        assert by_module.stdout == by_name.stdout
        assert by_module.stderr == by_name.stderr


def test_python_m_keraser_without_the_program_says_so(tmp_path):
    code = (
        "import sys, sysconfig, runpy\n"
        "sysconfig.get_path = lambda *_: sys.argv[1]\n"
        "sys.executable = sys.argv[1] + '/python'\n"
        "runpy.run_module('keraser', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 127
    assert "there is no program keraser" in done.stderr
    assert "pip install" in done.stderr
