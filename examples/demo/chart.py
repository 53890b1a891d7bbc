"""The sweep's curve in the terminal: dots of braille, an axis that starts at 0."""

from itertools import pairwise

from rich.text import Text

#: Bit of each dot in a braille character, by column and row.
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
BRAILLE = 0x2800


class Chart:
    """Curves over trials on a canvas of `width` x `height` characters."""

    def __init__(self, width, height, top, trials):
        self.width, self.height, self.top, self.trials = width, height, top, trials
        self.cells = {}  # (column, row) -> (bits, colour of the last curve there)

    def curve(self, values, colour):
        points = [self._dot(i, v) for i, v in enumerate(values)]
        for (x0, y0), (x1, y1) in pairwise(points):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for i in range(steps + 1):
                x = x0 + round((x1 - x0) * i / steps)
                self._set(x, y0 + round((y1 - y0) * i / steps), colour)

    def _dot(self, index, value):
        """Position in dots, counted from the left and from the top."""
        right, bottom = self.width * 2 - 1, self.height * 4 - 1
        share = index / max(self.trials - 1, 1)
        return round(share * right), round((1 - value / self.top) * bottom)

    def _set(self, x, y, colour):
        cell = (x // 2, y // 4)
        bits = self.cells.get(cell, (0, colour))[0] | DOTS[x % 2][y % 4]
        self.cells[cell] = (bits, colour)

    def lines(self, label):
        """The rows from the top, as rich texts; `label` turns a value into text."""
        ticks = {0: label(self.top), self.height // 2: label(self.top / 2)}
        ticks[self.height - 1] = "0"
        margin = max(map(len, ticks.values()))
        for row in range(self.height):
            line = Text(f"{ticks.get(row, ''):>{margin}} │")
            for column in range(self.width):
                bits, colour = self.cells.get((column, row), (0, ""))
                line.append(chr(BRAILLE + bits) if bits else " ", colour)
            yield line
        yield Text(" " * margin + " └" + "─" * self.width)
        yield Text(" " * margin + f"  1{'trial ' + str(self.trials):>{self.width - 1}}")
