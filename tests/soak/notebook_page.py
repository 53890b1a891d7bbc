"""A JupyterLab or Notebook 7 of its own, and a Chromium that looks at it."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

#: Milliseconds until what is waited for must be there. TensorFlow is imported once.
PATIENCE = 60_000

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium():
    """The system's: Playwright's own would be a download."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise AssertionError(
        "no Chromium on this machine: apt-get install -y --no-install-recommends "
        "chromium (./dev soak does so as root)"
    )


class Server:
    """One Jupyter server with the notebooks of a folder."""

    def __init__(self, folder, front_end):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.front_end = front_end
        self.address = f"http://127.0.0.1:{port}"
        module = {"lab": "jupyterlab", "notebooks": "notebook"}[front_end]
        self.log = open(folder / "server.log", "w")  # noqa: SIM115
        home = {
            f"JUPYTER_{kind}_DIR": str(folder / kind.lower())
            for kind in ("CONFIG", "DATA", "RUNTIME")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--no-browser", "--allow-root",
             f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1",
             "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
             f"--ServerApp.root_dir={folder}",
             f"--LabApp.user_settings_dir={folder}/settings",
             f"--LabApp.workspaces_dir={folder}/workspaces"],
            env={**os.environ, **home, "IPYTHONDIR": str(folder / "ipython")},
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        self._await()

    def _await(self):
        for _ in range(240):
            assert self.process.poll() is None, "the server ended: see server.log"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.address}/api/status").close()
                return
            time.sleep(0.25)
        raise AssertionError("the server does not answer")

    def url(self, name):
        where = "lab/tree" if self.front_end == "lab" else "notebooks"
        return f"{self.address}/{where}/{name}"

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Book:
    """A notebook in a page, as a user has it: by what is seen and pressed."""

    def __init__(self, page, url):
        page.set_default_timeout(PATIENCE)
        self.page = page
        self.errors = []
        page.on("pageerror", self.note)
        page.goto(url)
        self.ready()

    def note(self, error):
        """Errors of the widget, whose module is a blob; front ends have their own."""
        if "blob:" in (error.stack or ""):
            self.errors.append(str(error))

    def ready(self):
        """Until the notebook has a kernel: what is run before asks for one."""
        self.page.wait_for_selector(".jp-CodeCell")
        kernel = self.page.locator(".jp-NotebookPanel-toolbar, #top-panel, #menu-panel")
        kernel.get_by_text("Python 3 (ipykernel)").first.wait_for()
        self.page.wait_for_timeout(1000)

    def cell(self, number):
        """A code cell, the first is 0."""
        return self.page.locator(".jp-NotebookPanel .jp-CodeCell").nth(number)

    def prompt(self, number):
        return self.cell(number).locator(".jp-InputPrompt").first.inner_text()

    def start(self, number):
        self.cell(number).scroll_into_view_if_needed()
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def run(self, number, error=False):
        """Runs a cell, and waits until it has a new number. What is run while a kernel
        is connecting is dropped without a word: again, then."""
        before = self.prompt(number)
        deadline = time.monotonic() + PATIENCE / 1000
        self.start(number)
        waited = 0
        while not re.search(r"\[\d+\]", now := self.prompt(number)) or now == before:
            assert time.monotonic() < deadline, f"cell {number} does not end: {now}"
            time.sleep(0.1)
            waited = 0 if "*" in now else waited + 1
            if waited == 20:
                self.start(number)
                waited = 0
        found = self.cell(number).locator(
            '[data-mime-type="application/vnd.jupyter.error"],'
            '[data-mime-type="application/vnd.jupyter.stderr"]'
        )
        text = "\n".join(found.all_inner_texts())
        assert error == ("Traceback" in text), text
        return text

    def write(self, number, code):
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)

    def output(self, number):
        return self.cell(number).locator(".jp-OutputArea-output").last.inner_text()

    @property
    def widget(self):
        return self.page.locator(".keraser")

    def models(self):
        return self.widget.locator(".keraser-name").all_text_contents()

    def await_models(self, *names):
        deadline = time.monotonic() + PATIENCE / 1000
        while sorted(found := self.models()) != sorted(names):
            assert time.monotonic() < deadline, (found, names)
            time.sleep(0.1)

    def button(self, verb, model):
        return self.widget.get_by_role(
            "button", name=f"{verb} model {model}", exact=True
        )
