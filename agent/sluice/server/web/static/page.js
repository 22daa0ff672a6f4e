// What every page has: dialogs as modal ones, the choice of colours, filters that act at once, times that stay true.

const announce = (text) => {
  const place = document.getElementById("announce");
  if (place) place.textContent = text;
};

/** Let buttons open their dialogs as modal ones: the focus stays inside, Escape and Cancel close them. */
export function prepareDialogs(root = document) {
  for (const dialog of root.querySelectorAll("dialog[popover]")) {
    dialog.removeAttribute("popover");
    if ("open" in dialog.dataset && !dialog.open) dialog.showModal();
  }
  for (const button of root.querySelectorAll("button[popovertarget]")) button.removeAttribute("popovertarget");
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (dialog?.showModal && !dialog.open) {
      dialog.showModal();
      dialog.querySelector("[autofocus]")?.focus();
    }
    return;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) document.getElementById(closer.dataset.close)?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
});

// A button that sends something sends it once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post") {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 4000);
  }
});
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) delete form.dataset.sent;
});

const themes = ["", "light", "dark"];
const themeNames = { "": "as the system has them", light: "light", dark: "dark" };
function prepareTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const show = () => {
    const label = `Colours: ${themeNames[document.documentElement.dataset.theme ?? ""]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const next = themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    try {
      if (next) localStorage.setItem("theme", next);
      else localStorage.removeItem("theme");
    } catch { /* not kept, then */ }
    show();
    announce(button.title);
  });
}

/** Hide what does not hold the text that is typed: `data-filters` names the list, its children have `data-text`. */
function prepareFilters() {
  for (const input of document.querySelectorAll("input[data-filters]")) {
    const list = document.getElementById(input.dataset.filters);
    const none = document.getElementById(`${input.dataset.filters}-none`);
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of list.querySelectorAll("[data-text]")) {
        const text = one.dataset.text.toLowerCase();
        one.hidden = !words.every((word) => text.includes(word));
        shown += one.hidden ? 0 : 1;
      }
      if (none) none.hidden = shown > 0;
      announce(`${shown} found`);
    };
    input.addEventListener("input", apply);
    if (input.value) apply();
  }
  for (const select of document.querySelectorAll("select[data-submits]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  for (const button of document.querySelectorAll("[data-needs-no-script]")) button.hidden = true;
}

/** Seconds as people say them: the same words as the server's. */
export function ago(seconds) {
  if (seconds < 45) return seconds < 5 ? "just now" : `${Math.round(seconds)} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.round(hours / 24);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

export function elapsed(seconds) {
  if (seconds < 9.95) return `${Math.max(seconds, 0).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} m ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

export function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[datetime]")) {
    const past = (now - Date.parse(time.dateTime)) / 1000;
    if (past >= 0 && past < 30 * 86400) time.textContent = ago(past);
  }
  for (const running of document.querySelectorAll("[data-since]")) {
    running.textContent = elapsed(now / 1000 - Number(running.dataset.since));
  }
}

prepareDialogs();
prepareTheme();
prepareFilters();
document.querySelector(".nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
setInterval(tick, 1000);
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = new Date(time.dateTime).toLocaleString();
}
