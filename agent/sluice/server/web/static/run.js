// A run while it goes on: server-sent events say that something changed, the page is brought up to date in place.

import { LogView } from "./log.js";
import { morph } from "./morph.js";
import { prepareDialogs, tick } from "./page.js";

const root = document.getElementById("run");
const announceAt = document.getElementById("announce");
const announce = (text) => (announceAt.textContent = text);
const wanted = new URL(location.href).searchParams;
let chosen = wanted.get("s") ?? ""; // '': whichever is worth looking at
let attempt = wanted.get("attempt") ?? "";
let log = null;
let events = null;
let connected = true;
let refreshing = false;
let again = false;

function openLog() {
  const bar = document.getElementById("log-bar");
  const step = bar?.dataset.step ?? "";
  const running = Boolean(bar?.dataset.running);
  if (!step) return;
  if (log && log.step === step && log.running === running) return;
  if (log && log.step === step) {
    if (running) reopen(step, running);
    else log.ended();
  } else reopen(step, running);
  connect(step, running);
}

function reopen(step, running) {
  log?.destroy();
  log = new LogView({
    place: document.getElementById("log-place"),
    tools: document.getElementById("log-tools"),
    source: root.dataset.log,
    step,
    running,
    announce,
  });
}

function connect(step, running) {
  const address = `${root.dataset.live}${running ? `&step=${encodeURIComponent(step)}` : ""}`;
  if (events?.url.endsWith(address) && events.readyState !== EventSource.CLOSED) return;
  events?.close();
  const stream = new EventSource(address);
  events = stream;
  stream.addEventListener("run", (event) => {
    const { mark } = JSON.parse(event.data);
    if (mark !== root.dataset.mark) {
      root.dataset.mark = mark;
      refresh();
    }
  });
  stream.addEventListener("log", (event) => log?.news(JSON.parse(event.data)));
  stream.addEventListener("open", () => {
    if (!connected) announce("Connected again");
    connected = true;
    document.getElementById("lost")?.remove();
  });
  stream.addEventListener("error", () => {
    if (connected) lost();
    connected = false;
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => events === stream && connect(step, running), 2000);
  });
}

function lost() {
  const note = document.createElement("div");
  note.id = "lost";
  note.className = "note s-warn";
  note.setAttribute("role", "status");
  note.textContent = "The server does not answer. This page goes on by itself as soon as it does; nothing is lost.";
  root.before(note);
}

function address() {
  const url = new URL(root.dataset.base, location.href);
  if (chosen) url.searchParams.set("s", chosen);
  if (attempt) url.searchParams.set("attempt", attempt);
  return url;
}

/** Bring the page up to date; one time after the other, at most some times a second. */
async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  do {
    again = false;
    const begun = performance.now();
    await bringUpToDate();
    const took = performance.now() - begun;
    await new Promise((go) => setTimeout(go, Math.max(250, took)));
  } while (again);
  refreshing = false;
}

async function bringUpToDate() {
  if (document.querySelector("dialog[open]")) {
    again = true; // what a person is about to decide does not change under their hands
    return;
  }
  let text;
  try {
    const response = await fetch(address(), { headers: { accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    text = await response.text();
  } catch {
    return; // the next event comes with the next connection
  }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const next = fresh.getElementById("run");
  if (!next || document.querySelector("dialog[open]")) return;
  next.dataset.mark = root.dataset.mark;
  const before = document.querySelector("#run-head .pill")?.textContent;
  const tools = document.getElementById("log-tools");
  const used = tools ? [...tools.childNodes] : [];
  morph(root, next);
  const now = document.getElementById("log-tools");
  if (now && !now.childNodes.length && used.length) now.append(...used);
  document.title = fresh.title;
  prepareDialogs(root);
  tick();
  draw();
  openLog();
  const after = document.querySelector("#run-head .pill")?.textContent;
  if (after !== before) announce(`The run: ${after}`);
}

/** The lines between stages. */
function draw() {
  const graph = document.getElementById("graph");
  if (!graph) return;
  graph.querySelector(":scope > svg")?.remove();
  const stages = new Map([...graph.querySelectorAll(".stage")].map((one) => [one.dataset.stage, one]));
  const box = graph.getBoundingClientRect();
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  for (const stage of stages.values()) {
    for (const name of stage.dataset.after.split(" ").filter(Boolean)) {
      const from = stages.get(name)?.getBoundingClientRect();
      if (!from) continue;
      const to = stage.getBoundingClientRect();
      const [x1, y1] = [from.right - box.left, from.top + from.height / 2 - box.top];
      const [x2, y2] = [to.left - box.left, to.top + to.height / 2 - box.top];
      const bend = Math.min(24, (x2 - x1) / 2);
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`);
      svg.append(path);
    }
  }
  graph.append(svg);
}

root.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-step]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const go = new URL(link.href);
  chosen = link.dataset.step;
  attempt = "";
  history.pushState({}, "", go);
  log?.destroy();
  log = null;
  bringUpToDate().then(() => document.getElementById("log")?.scrollIntoView({ block: "nearest" }));
});

addEventListener("popstate", () => {
  const asked = new URL(location.href).searchParams;
  chosen = asked.get("s") ?? "";
  attempt = asked.get("attempt") ?? "";
  log?.destroy();
  log = null;
  bringUpToDate();
});
addEventListener("hashchange", () => {
  const line = log?.lineInAddress();
  if (line) log.show(line, true);
});
addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && log) {
    event.preventDefault();
    log.search.focus();
  } else if (event.key === "j" || event.key === "k") {
    const steps = [...document.querySelectorAll("#tree a[data-step]")];
    const at = steps.findIndex((one) => one.ariaCurrent);
    steps[at + (event.key === "j" ? 1 : -1)]?.click();
  }
});
document.addEventListener("close", (event) => event.target instanceof HTMLDialogElement && refresh(), true);
addEventListener("resize", draw);
addEventListener("pagehide", () => events?.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());

draw();
openLog();
if (!log) connect("", false);
