/* What `keraser.widget()` shows: one file of plain JavaScript, as every front end runs it.
 *
 * The kernel sends figures and text as custom messages; nothing is kept in traits, so
 * nothing of it is saved with the notebook. Names of models are the user's, or somebody
 * else's: they come into the page by textContent alone. Sent to the kernel:
 *   {do: "look"}                          the figures, please: answered by a "state"
 *   {do: VERB, id, name, class}           a button: answered by an "answer"
 *   {do: "gone"}                          the last view is gone from the notebook */

const PERIOD = 2000; // ms between two questions, while the widget can be seen
const PATIENCE = 60000; // ms until a question without an answer is asked again
const BOREDOM = 600000; // ms without a cell or a hand, then questions end: a kernel that
// is asked for ever is never idle for those who stop idle kernels
const GRACE = 500; // ms until a view that is gone is not one that was moved
const KINDS = ["weights", "optimizer", "metrics"];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function bytes(size) {
  let unit = 0;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${unit ? size.toFixed(1) : size} ${UNITS[unit]}`;
}

/* An element with a class and text; what `more` has is set as attributes. */
function make(tag, name, text, more = {}) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(more)) element.setAttribute(key, value);
  return element;
}

function draw(tag, more, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(more)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- one model -------------------------------------------------------------------

/* A row, and below it the row of its holders. It lives as long as the model does, so
 * that whoever is at one of its buttons stays there when figures change. */
class Row {
  constructor(model, ask) {
    this.model = model;
    this.row = make("tr", "keraser-model");
    this.name = make("bdi", "keraser-name", model.name, { title: model.name });
    const head = make("th", "", undefined, { scope: "row" });
    head.append(this.name);
    this.kind = make("bdi", "keraser-class", model.class, { title: model.class });
    const kind = make("td");
    kind.append(this.kind);
    this.bar = make("div", "keraser-bar", undefined, { role: "img" });
    this.parts = KINDS.map((kind) => make("span", `keraser-${kind}`));
    this.bar.append(...this.parts);
    const bar = make("td", "keraser-wide");
    bar.append(this.bar);
    this.total = make("td", "keraser-number");
    const buttons = make("td", "keraser-buttons");
    this.why = this.button("why", ask);
    this.why.setAttribute("aria-expanded", "false");
    this.park = this.button("park", ask);
    this.clear = this.button("clear", ask);
    buttons.append(this.why, this.park, this.clear);
    this.row.append(head, kind, bar, this.total, buttons);
    this.below = make("tr", "keraser-holders");
    this.holders = make("td", "", undefined, { colspan: 5 });
    this.below.append(this.holders);
    this.below.hidden = true;
  }

  button(verb, ask) {
    const button = make("button", `keraser-${verb}`, verb, { type: "button" });
    button.dataset.verb = verb;
    button.setAttribute("aria-label", `${verb} model ${this.model.name}`);
    button.addEventListener("click", () => {
      if (verb === "why" && !this.below.hidden) this.fold();
      else ask(button.dataset.verb, this.model);
    });
    return button;
  }

  show(model, largest) {
    this.model = model;
    KINDS.forEach((kind, i) => {
      const share = largest ? (100 * model[kind]) / largest : 0;
      this.parts[i].style.width = `${share}%`;
    });
    const told = KINDS.map((kind) => `${kind} ${bytes(model[kind])}`).join(", ");
    this.bar.setAttribute("aria-label", told);
    this.bar.title = told;
    const total = KINDS.reduce((sum, kind) => sum + model[kind], 0);
    set(this.total, model.parked ? "parked" : bytes(total));
    this.row.classList.toggle("keraser-parked", model.parked);
    const verb = model.parked ? "unpark" : "park";
    if (this.park.dataset.verb !== verb) {
      this.park.dataset.verb = verb;
      this.park.textContent = model.parked ? "back" : "park";
      this.park.setAttribute("aria-label", `${verb} model ${model.name}`);
    }
  }

  wait(verb) {
    for (const button of [this.why, this.park, this.clear])
      button.classList.toggle("keraser-waiting", button.dataset.verb === verb);
  }

  unfold(answer) {
    this.holders.replaceChildren(make("p", "", answer.headline));
    const list = make("ol");
    for (const holder of answer.holders) {
      const item = make("li");
      item.append(make("bdi", "", holder.text));
      if (holder.fix) item.append(make("code", "", holder.fix));
      list.append(item);
    }
    if (answer.holders.length) this.holders.append(list);
    this.below.hidden = false;
    this.why.setAttribute("aria-expanded", "true");
  }

  fold() {
    this.below.hidden = true;
    this.why.setAttribute("aria-expanded", "false");
  }
}

// ---- the curve -------------------------------------------------------------------

const LEFT = 4, RIGHT = 4, FOOT = 18; // of the drawing, px

/* Lines below each other, each on a scale of its own, over the same samples: one at the
 * end of each cell, others where something changed in between. */
class Curve {
  constructor() {
    this.box = make("figure", "keraser-curve");
    this.svg = draw("svg", { role: "img" });
    this.caption = make("figcaption");
    this.box.append(this.svg, this.caption);
    this.points = [];
    this.svg.addEventListener("pointermove", (event) => this.tell(event));
    this.svg.addEventListener("pointerleave", () => this.rest());
  }

  lines() {
    const found = [["resident set", 64, (p) => p.rss]];
    if (this.points.some((p) => p.pool)) found.push(["TensorFlow pool", 36, (p) => p.pool]);
    const gpus = Math.max(0, ...this.points.map((p) => p.gpus.length));
    for (let i = 0; i < gpus; i++) found.push([`GPU ${i}`, 36, (p) => p.gpus[i]?.used ?? 0]);
    return found;
  }

  show(points) {
    this.points = points;
    this.redraw();
  }

  redraw() {
    const width = this.box.clientWidth;
    if (!width || !this.points.length) return;
    this.width = width;
    const children = [];
    let top = 0;
    for (const [name, height, read] of this.lines()) {
      children.push(...this.line(name, top, height, read));
      top += height;
    }
    children.unshift(...this.marks(top));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${top + FOOT}`);
    this.svg.setAttribute("height", top + FOOT);
    this.svg.replaceChildren(...children);
    this.rest();
  }

  x(index) {
    const room = this.width - LEFT - RIGHT;
    return LEFT + (room * (index + 1)) / Math.max(this.points.length, 12);
  }

  line(name, top, height, read) {
    const values = this.points.map(read);
    const low = Math.min(...values), high = Math.max(...values);
    const span = Math.max(high - low, high / 50, 1); // what hardly changes looks so
    const base = top + height - 5, room = height - 20;
    const y = (value) => base - (room * (value - low)) / span;
    const path = values.map((value, i) => `${this.x(i).toFixed(1)},${y(value).toFixed(1)}`);
    const range = low === high ? bytes(low) : `${bytes(low)} to ${bytes(high)}`;
    const color = name.split(" ")[0].toLowerCase();
    const line = values.length > 1
      ? draw("polyline", { points: path.join(" "), class: `keraser-line keraser-${color}` })
      : draw("circle", { cx: this.x(0), cy: y(values[0]), r: 2, class: "keraser-dot" });
    return [draw("text", { x: LEFT, y: top + 10 }, `${name}: ${range}`), line];
  }

  /* A line for each cell; its number where the numbers do not overlap. */
  marks(height) {
    const found = [];
    let free = 0;
    this.points.forEach((point, i) => {
      if (!point.cell) return;
      const x = this.x(i), text = `[${point.cell}]`;
      found.push(draw("line", { x1: x, x2: x, y1: 14, y2: height, class: "keraser-mark" }));
      const half = text.length * 3.5;
      if (x - half < free || x + half > this.width) return;
      found.push(draw("text", { x, y: height + 12, "text-anchor": "middle" }, text));
      free = x + half + 4;
    });
    return found;
  }

  say(point) {
    const told = [`resident set ${bytes(point.rss)}`];
    if (point.pool) told.push(`TensorFlow pool ${bytes(point.pool)}`);
    for (const gpu of point.gpus) told.push(`GPU ${gpu.device} ${bytes(gpu.used)}`);
    return `${point.cell ? `after [${point.cell}]` : "between cells"}: ${told.join(", ")}`;
  }

  tell(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT);
    const index = Math.round(share * Math.max(this.points.length, 12)) - 1;
    const point = this.points[Math.min(Math.max(index, 0), this.points.length - 1)];
    set(this.caption, this.say(point));
  }

  rest() {
    const cells = this.points.filter((p) => p.cell).length;
    const last = this.points[this.points.length - 1];
    this.svg.setAttribute("aria-label", `memory over ${cells} cells; ${this.say(last)}`);
    set(this.caption, this.say(last));
  }
}

// ---- all of it -------------------------------------------------------------------

class View {
  constructor(model, el) {
    this.model = model;
    this.rows = new Map();
    this.asked = 0; // when a question was asked that is not answered yet
    this.stirred = Date.now();
    this.seen = false;
    this.root = make("section", "keraser", undefined, {
      "aria-label": "keraser: memory of this kernel",
    });
    this.figures = make("span", "keraser-figures");
    const title = make("div", "keraser-title");
    title.append(make("strong", "", "Memory of this kernel"), this.figures);
    const table = make("table");
    table.append(this.header(), (this.body = make("tbody")));
    this.empty = make("p", "keraser-empty", "no answer from the kernel yet");
    this.curve = new Curve();
    this.answer = make("div", "keraser-answer", undefined, { role: "status", tabindex: -1 });
    this.root.append(title, table, this.empty, this.curve.box, this.answer);
    el.append(this.root);
    this.watch(el);
    this.ask({ do: "look" });
  }

  header() {
    const head = make("thead"), row = make("tr");
    for (const text of ["model", "class"]) row.append(make("th", "", text, { scope: "col" }));
    const legend = make("th", "keraser-wide", undefined, { scope: "col" });
    for (const kind of KINDS) legend.append(make("span", `keraser-key keraser-${kind}`, kind));
    row.append(legend, make("th", "keraser-number", "bytes", { scope: "col" }));
    row.append(make("td"));
    head.append(row);
    return head;
  }

  /* Asks while it can be seen, and until nobody has done anything for a while. */
  watch(el) {
    const stir = () => (this.stirred = Date.now());
    for (const kind of ["pointermove", "focusin", "keydown"])
      this.root.addEventListener(kind, stir);
    this.hear = (message) => this.receive(message);
    this.model.on("msg:custom", this.hear);
    this.eye = new IntersectionObserver((found) => {
      this.seen = found[found.length - 1].isIntersecting;
      if (this.seen) this.tick();
    });
    this.eye.observe(this.root);
    this.ruler = new ResizeObserver(() => this.curve.redraw());
    this.ruler.observe(this.curve.box);
    this.clock = setInterval(() => this.tick(), PERIOD);
  }

  tick() {
    const now = Date.now();
    const waiting = this.asked && now - this.asked < PATIENCE;
    const bored = now - this.stirred > BOREDOM;
    if (this.seen && !document.hidden && !waiting && !bored) this.ask({ do: "look" });
  }

  ask(request) {
    this.asked = Date.now();
    try {
      this.model.send(request);
    } catch {
      // closed, or no kernel any more: the front end says so by itself
    }
  }

  press(verb, model) {
    this.stirred = Date.now();
    this.rows.get(key(model)).wait(verb);
    this.root.classList.add("keraser-asking");
    this.ask({ do: verb, id: model.id, name: model.name, class: model.class });
  }

  receive(message) {
    if (message.kind === "state") this.show(message);
    else if (message.kind === "answer") this.tell(message);
  }

  show(state) {
    this.asked = 0;
    const cells = state.curve.map((point) => point.cell).join();
    if (cells !== this.cells) this.stirred = Date.now();
    this.cells = cells;
    this.showFigures(state);
    this.showModels(state.models);
    set(this.empty, state.note || "no living model");
    this.empty.hidden = state.models.length > 0 && !state.note;
    this.curve.show(state.curve);
  }

  showFigures(state) {
    const { rss, pool, gpus } = state.now;
    const told = [`resident set ${bytes(rss)}`];
    if (pool) told.push(`TensorFlow pool ${bytes(pool)}`);
    for (const gpu of gpus)
      told.push(`GPU ${gpu.device}: ${bytes(gpu.used)} of ${bytes(gpu.total)}`);
    if (state.running) told.push("a cell is running");
    set(this.figures, told.join(" · "));
  }

  showModels(models) {
    const size = (model) => KINDS.reduce((sum, kind) => sum + model[kind], 0);
    const largest = Math.max(0, ...models.map(size));
    const living = new Set(models.map(key));
    for (const [id, row] of this.rows) {
      if (living.has(id)) continue;
      if (row.row.contains(document.activeElement)) this.answer.focus();
      row.row.remove();
      row.below.remove();
      this.rows.delete(id);
    }
    for (const model of models) {
      let row = this.rows.get(key(model));
      if (!row) {
        row = new Row(model, (verb, asked) => this.press(verb, asked));
        this.rows.set(key(model), row);
        this.body.append(row.row, row.below);
      }
      row.show(model, largest);
    }
  }

  tell(answer) {
    this.root.classList.remove("keraser-asking");
    const row = this.rows.get(key(answer));
    row?.wait("");
    if (answer.do === "why" && answer.good) {
      row?.unfold(answer);
      return;
    }
    const parts = [make("p", answer.good ? "" : "keraser-refused", answer.headline)];
    if (answer.text) parts.push(make("pre", "", answer.text));
    this.answer.replaceChildren(...parts);
  }

  end() {
    clearInterval(this.clock);
    this.eye.disconnect();
    this.ruler.disconnect();
    this.model.off("msg:custom", this.hear);
  }
}

const key = (model) => `${model.id} ${model.class} ${model.name}`;

/* The views of one widget in this page. When the last is gone from a notebook that is
 * still there (its output was cleared, its cell deleted), the kernel is told to end it.
 * When the notebook itself has gone, by a reload or a closed tab, it may come back. */
export default () => {
  const views = new Set();
  return {
    render({ model, el }) {
      const view = new View(model, el);
      views.add(view);
      let home = null;
      const settle = setTimeout(() => {
        home = el.closest(".jp-NotebookPanel, .jp-Notebook") ?? document.body;
      });
      return () => {
        clearTimeout(settle);
        view.end();
        views.delete(view);
        setTimeout(() => {
          if (views.size === 0 && home?.isConnected) view.ask({ do: "gone" });
        }, GRACE);
      };
    },
  };
};
