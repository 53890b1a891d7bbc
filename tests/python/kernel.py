"""A real Jupyter kernel: cells go in, what they put out comes back."""

import os
from dataclasses import dataclass, field
from queue import Empty

from jupyter_client.manager import start_new_kernel

PATIENCE = 90


@dataclass
class Output:
    """What a cell put out: streams, what it displayed by MIME type, what went over
    comms, its error."""

    text: str = ""
    shown: list = field(default_factory=list)
    comms: list = field(default_factory=list)
    error: str = ""

    @property
    def plain(self):
        """What was displayed, as a terminal would show it."""
        return "\n".join(data["text/plain"] for data in self.shown)


class Kernel:
    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def run(self, code, typed=()):
        """Runs a cell; `typed` answers what it asks."""
        request = self.client.execute(code, allow_stdin=bool(typed))
        return self._gather(request, list(typed))

    def tell(self, comm, content):
        """Sends a custom message to a widget, as its view would; what came of it."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)
        return self._gather(message["header"]["msg_id"], [])

    def _gather(self, request, answers):
        output = Output()
        while True:
            if answers and self._asks():
                self.client.input(answers.pop(0))
            try:
                message = self.client.get_iopub_msg(
                    timeout=0.05 if answers else PATIENCE
                )
            except Empty:
                if answers:
                    continue
                raise
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                output.text += content["text"]
            elif kind in ("display_data", "execute_result"):
                output.shown.append(content["data"])
            elif kind in ("comm_open", "comm_msg", "comm_close"):
                output.comms.append((kind, content["comm_id"], content.get("data")))
            elif kind == "error":
                output.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return output

    def _asks(self):
        try:
            self.client.get_stdin_msg(timeout=0.05)
        except Empty:
            return False
        return True

    def value(self, expression):
        """What an expression is worth, read without a result in Out."""
        output = self.run(f"print(repr({expression}))")
        assert not output.error, output.error
        return eval(output.text.splitlines()[-1])

    def resident(self):
        """Its resident set, in bytes."""
        with open(f"/proc/{self.manager.provisioner.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def complete(self, line):
        """What may follow."""
        request = self.client.complete(line, len(line))
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]["matches"]

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
