// The log of a step. Only the rows in sight exist: a million lines scroll like a hundred, and memory stays flat.
// Lines come in pieces from the server; what is told live is the newest of them, the rest is asked for when it is seen.

import { bare, pieces, write } from "./ansi.js";

const ROW = 20; // pixels: style.css says the same
const PIECE = 500; // lines that are asked for at once
const KEPT = 80; // pieces that are kept
const HIGHEST = 8_000_000; // pixels: browsers do not scroll higher things well
const STAMP = 29; // characters of a line's time

const COMMANDS = [
  [/^##\[error\]/i, "x-error"],
  [/^##\[warning\]/i, "x-warning"],
  [/^##\[section\]/i, "x-section"],
  [/^##\[command\]|^\[command\]/i, "x-command"],
  [/^##\[debug\]/i, "x-debug"],
];

function make(tag, classes, text) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function button(name, label, act, pressed) {
  const made = make("button", name ? "icon-only quiet" : "quiet");
  made.type = "button";
  if (name) {
    made.append(icon(name));
    made.setAttribute("aria-label", label);
    made.title = label;
  } else made.textContent = label;
  if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
  made.addEventListener("click", act);
  return made;
}

export class LogView {
  constructor({ place, tools, source, step, running, announce }) {
    Object.assign(this, { place, tools, source, step, running, announce });
    this.total = 0;
    this.pieces = new Map(); // number of the piece -> its lines; the one that was used last stands last
    this.asked = new Set();
    this.folds = []; // groups: {start, end, open}, in order
    this.hits = [];
    this.hit = -1;
    this.wanted = "";
    this.marked = 0;
    this.following = running;
    this.frame = 0;
    this.over = new AbortController();
    this.build();
    this.start();
  }

  build() {
    this.view = make("div", "log-view");
    this.view.tabIndex = 0;
    this.view.setAttribute("role", "region");
    this.view.setAttribute("aria-label", "Log");
    this.space = make("div", "log-space");
    this.rows = make("div", "log-rows");
    this.space.append(this.rows);
    this.view.append(this.space);
    this.place.replaceChildren(this.view);
    this.view.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.view.addEventListener("click", (event) => this.clicked(event));
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.view);

    this.search = make("input");
    this.search.type = "search";
    this.search.placeholder = "Search the log";
    this.search.setAttribute("aria-label", "Search the log");
    this.search.autocomplete = "off";
    let timer;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.find(), 200);
    });
    this.search.addEventListener("search", () => this.search.value || this.find()); // the cross in it
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        if (this.wanted !== this.search.value.toLowerCase()) this.find();
        else this.go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape") {
        this.search.value = "";
        this.find();
        this.view.focus();
      }
    });
    this.found = make("span", "log-hits");
    this.found.setAttribute("role", "status");
    this.times = button("", "Times", () => this.toggleTimes(), false);
    this.follow = button("", "Follow", () => this.setFollowing(!this.following, true), this.following);
    this.follow.hidden = !this.running;
    this.tools.replaceChildren(
      this.search,
      this.found,
      button("up", "Previous match", () => this.go(-1)),
      button("next", "Next match", () => this.go(1)),
      this.times,
      this.follow,
    );
    this.toggleTimes(localStorage.getItem("times") === "1");
  }

  destroy() {
    this.over.abort();
    this.resize.disconnect();
    cancelAnimationFrame(this.frame);
  }

  async start() {
    const wanted = this.lineInAddress();
    const first = wanted ? Math.max(1, wanted - 200) : 0;
    const found = await this.ask(`&from=${first}&count=${PIECE}`);
    if (!found) return;
    this.take(found);
    if (wanted) this.show(wanted, true);
    else this.toEnd();
    this.draw();
    this.view.dataset.ready = "1";
    performance.mark("log-shown");
    await this.readGroups();
  }

  lineInAddress() {
    const match = /^#L(\d{1,10})$/.exec(location.hash);
    return match ? Number(match[1]) : 0;
  }

  async ask(rest, path = "") {
    try {
      const [before, query] = this.source.split("?");
      const response = await fetch(`${before}${path}?${query}&step=${encodeURIComponent(this.step)}${rest}`, {
        signal: this.over.signal,
        headers: { accept: "application/json" },
      });
      return response.ok ? await response.json() : null;
    } catch {
      return null; // the server is away, or somebody looks at another log; it is asked for again when it is seen
    }
  }

  /** Take lines in: `first` is the number of the first of them. */
  take({ first, lines, total }) {
    this.total = Math.max(this.total, total);
    lines.forEach((text, index) => {
      const number = Math.floor((first + index - 1) / PIECE);
      let piece = this.pieces.get(number);
      if (!piece) this.pieces.set(number, (piece = new Array(PIECE)));
      piece[(first + index - 1) % PIECE] = text;
    });
    while (this.pieces.size > KEPT) this.pieces.delete(this.pieces.keys().next().value);
  }

  line(number) {
    const key = Math.floor((number - 1) / PIECE);
    const piece = this.pieces.get(key);
    const text = piece?.[(number - 1) % PIECE];
    if (text === undefined) this.want(key);
    else if (piece && !this.asked.has(key)) {
      this.pieces.delete(key);
      this.pieces.set(key, piece);
    }
    return text;
  }

  async want(key) {
    if (this.asked.has(key)) return;
    this.asked.add(key);
    const found = await this.ask(`&from=${key * PIECE + 1}&count=${PIECE}`);
    this.asked.delete(key);
    if (found) {
      this.take(found);
      this.plan();
    }
  }

  async readGroups() {
    const found = await this.ask("", "/groups");
    if (!found) return;
    const { seen, height, factor } = this.heights();
    const atEnd = this.view.scrollTop >= height - seen - ROW;
    const top = this.lineOf(Math.floor((this.view.scrollTop * factor) / ROW));
    const known = new Map(this.folds.map((fold) => [fold.start, fold.open]));
    this.folds = found.groups
      .filter(([start, end]) => end > start)
      .map(([start, end]) => ({ start, end, open: known.get(start) ?? this.holds(start, end) }));
    // what is folded away must not move what is looked at
    if (this.marked) this.center(this.marked);
    else if (atEnd) this.toEnd();
    else this.view.scrollTop = (this.rowOf(top) * ROW) / this.heights().factor;
    this.plan();
  }

  /** Whether a group is better left open: the line of the address is in it. */
  holds(start, end) {
    const line = this.marked || this.lineInAddress();
    return line > start && line <= end;
  }

  /** The rows that there are once groups are folded, and which line is which row. */
  hiddenBefore(line) {
    let hidden = 0;
    for (const fold of this.folds) {
      if (fold.start >= line) break;
      if (!fold.open) hidden += Math.min(fold.end, line - 1) - fold.start;
    }
    return hidden;
  }

  rowCount() {
    return this.total - this.folds.reduce((sum, fold) => sum + (fold.open ? 0 : Math.min(fold.end, this.total) - fold.start), 0);
  }

  rowOf(line) {
    return line - 1 - this.hiddenBefore(line);
  }

  lineOf(row) {
    let line = row + 1;
    for (const fold of this.folds) {
      if (fold.start >= line) break;
      if (!fold.open) line += fold.end - fold.start;
    }
    return line;
  }

  foldAt(line) {
    let low = 0;
    let high = this.folds.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const fold = this.folds[middle];
      if (line < fold.start) high = middle - 1;
      else if (line > fold.end) low = middle + 1;
      else return fold;
    }
    return null;
  }

  heights() {
    const seen = this.view.clientHeight;
    const whole = this.rowCount() * ROW + 8;
    const height = Math.min(whole, HIGHEST);
    return { seen, whole, height, factor: height > seen ? (whole - seen) / (height - seen) : 1 };
  }

  plan() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { seen, height, factor } = this.heights();
    this.space.style.height = `${height}px`;
    if (this.following) this.view.scrollTop = height;
    const top = this.view.scrollTop * factor;
    const first = Math.max(0, Math.floor(top / ROW) - 5);
    const last = Math.min(this.rowCount(), first + Math.ceil(seen / ROW) + 11);
    const made = document.createDocumentFragment();
    for (let row = first; row < last; row++) made.append(this.row(this.lineOf(row)));
    this.rows.style.transform = `translateY(${first * ROW - top}px)`;
    this.rows.replaceChildren(made);
    this.drawn = this.view.scrollTop;
  }

  row(line) {
    const element = make("div", "ln");
    const number = make("a", "no", String(line));
    number.href = `#L${line}`;
    number.dataset.line = line;
    number.setAttribute("aria-label", `Line ${line}`);
    const text = make("span", "tx");
    const raw = this.line(line);
    if (raw === undefined) text.append(make("span", "log-more", "…"));
    else this.write(text, raw, line, element);
    const at = make("span", "at", raw?.slice(11, 23) ?? "");
    element.append(number, at, text);
    if (line === this.marked) element.classList.add("at-line");
    return element;
  }

  write(element, raw, line, row) {
    let text = raw.slice(STAMP);
    const fold = this.foldAt(line);
    const isNow = this.hits[this.hit] === line;
    for (const [pattern, name] of COMMANDS) {
      if (pattern.test(text)) {
        row.classList.add(name);
        text = text.replace(/^##\[[a-z]+\]|^\[command\]/i, "");
        break;
      }
    }
    if (fold && fold.start === line) {
      const toggle = make("button", "tw");
      toggle.type = "button";
      toggle.dataset.fold = line;
      toggle.setAttribute("aria-expanded", String(fold.open));
      toggle.append(icon("chev"));
      const title = make("span");
      write(title, pieces(text.replace(/^##\[group\]/i, "") || "Group"), this.wanted, isNow);
      toggle.append(title);
      element.append(toggle);
      return;
    }
    if (fold) row.classList.add("deep");
    text = text.replace(/^##\[(?:end)?group\]/i, "");
    write(element, pieces(text), this.wanted, isNow);
  }

  clicked(event) {
    const toggle = event.target.closest("[data-fold]");
    if (toggle) {
      const fold = this.foldAt(Number(toggle.dataset.fold));
      fold.open = !fold.open;
      this.setFollowing(false);
      this.draw();
      this.rows.querySelector(`[data-fold="${fold.start}"]`)?.focus();
      return;
    }
    const link = event.target.closest("a.no");
    if (link) {
      event.preventDefault();
      const address = new URL(location.href);
      address.searchParams.set("s", this.step);
      address.hash = link.hash;
      history.replaceState(history.state, "", address);
      this.show(Number(link.dataset.line), false);
      navigator.clipboard?.writeText(address.href).then(() => this.announce("The address of this line is copied"), () => {});
    }
  }

  /** Bring a line into sight, and mark it. */
  show(line, center) {
    this.marked = Math.min(line, this.total);
    const fold = this.foldAt(this.marked);
    if (fold && fold.start !== this.marked) fold.open = true;
    this.setFollowing(false);
    if (center) this.center(this.marked);
    this.draw();
  }

  center(line) {
    const { seen, height, factor } = this.heights();
    this.space.style.height = `${height}px`;
    this.view.scrollTop = Math.max(0, this.rowOf(line) * ROW - seen / 2) / factor;
  }

  toEnd() {
    const { height } = this.heights();
    this.space.style.height = `${height}px`;
    this.view.scrollTop = height;
    this.drawn = this.view.scrollTop;
  }

  scrolled() {
    // as it is drawn: lines that came since have no height yet, and nobody scrolled away from them
    const atEnd = this.view.scrollTop >= this.view.scrollHeight - this.view.clientHeight - ROW;
    if (this.running && this.view.scrollTop !== this.drawn) this.setFollowing(atEnd);
    this.plan();
  }

  setFollowing(on, asked = false) {
    this.following = on && this.running;
    this.follow.setAttribute("aria-pressed", String(this.following));
    if (asked && on) this.draw();
  }

  toggleTimes(on = !this.view.classList.contains("times")) {
    this.view.classList.toggle("times", on);
    this.times.setAttribute("aria-pressed", String(on));
    localStorage.setItem("times", on ? "1" : "0");
  }

  async find() {
    const text = this.search.value;
    this.wanted = text.toLowerCase();
    this.hits = [];
    this.hit = -1;
    if (!text) {
      this.found.textContent = "";
      this.draw();
      return;
    }
    this.found.textContent = "…";
    const found = await this.ask(`&text=${encodeURIComponent(text)}`, "/find");
    if (!found || this.search.value !== text) return;
    this.hits = found.lines;
    this.more = found.complete ? "" : "+";
    if (!this.hits.length) {
      this.found.textContent = "none";
      this.draw();
      return;
    }
    const { factor } = this.heights();
    const here = this.lineOf(Math.floor((this.view.scrollTop * factor) / ROW));
    this.hit = Math.max(0, this.hits.findIndex((line) => line >= here)) - 1;
    this.go(1);
  }

  go(step) {
    if (!this.hits.length) return;
    this.hit = (this.hit + step + this.hits.length) % this.hits.length;
    this.found.textContent = `${this.hit + 1}/${this.hits.length}${this.more}`;
    this.show(this.hits[this.hit], true);
  }

  /** The newest lines, as they come. */
  news(found) {
    const before = this.total;
    this.take(found);
    if (this.total !== before) this.plan();
  }

  /** The step is over: what is still missing comes now. */
  async ended() {
    if (!this.running) return;
    const found = await this.ask(`&from=0&count=${PIECE}`);
    if (found) this.take(found);
    this.draw();
    this.running = false;
    this.follow.hidden = true;
    await this.readGroups();
  }
}

export { bare };
