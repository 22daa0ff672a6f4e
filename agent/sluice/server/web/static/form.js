// Forms that a plugin's declaration made: what is wrong is said where it is, and keys may come from files.

const form = document.getElementById("connection") ?? document.querySelector("form[data-checked]");

/** Show the fields that go with the values of others, as the plugin declares; what is hidden is not sent. */
function arrange() {
  const values = new Map();
  for (const input of form.querySelectorAll("[name^='f.']")) {
    values.set(input.name.slice(2).toLowerCase(), (input.type === "checkbox" ? String(input.checked) : input.value).toLowerCase());
  }
  for (const field of form.querySelectorAll("[data-when]")) {
    const value = values.get(field.dataset.when) ?? "";
    const fits = field.dataset.is !== undefined ? field.dataset.is.split("\n").includes(value) : !field.dataset.not.split("\n").includes(value);
    field.hidden = !fits;
    for (const input of field.querySelectorAll("input, select, textarea")) input.disabled = !fits;
  }
}
form?.addEventListener("change", arrange);
if (form) arrange();

function told(input) {
  if (input.disabled) return "";
  const value = input.value.trim();
  if (input.dataset.required && !value && !reference(input)) return "This is required.";
  if (input.dataset.pattern && value) {
    try {
      if (!new RegExp(`^(?:${input.dataset.pattern})$`, "u").test(value)) return input.dataset.told || "It does not have the form that is expected.";
    } catch { /* a pattern that this side does not read: the server says it */ }
  }
  return "";
}

function reference(input) {
  return form.elements[`r.${input.name.slice(2)}`]?.value.trim() ?? "";
}

function say(input, text) {
  const id = `${input.id}-wrong`;
  let place = document.getElementById(id);
  const described = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one && one !== id);
  if (!text) {
    place?.remove();
    input.removeAttribute("aria-invalid");
  } else {
    if (!place) {
      place = document.createElement("p");
      place.id = id;
      place.className = "wrong";
      input.after(place);
    }
    place.textContent = text;
    input.setAttribute("aria-invalid", "true");
    described.push(id);
  }
  if (described.length) input.setAttribute("aria-describedby", described.join(" "));
}

form?.addEventListener("focusout", (event) => {
  if (event.target.matches("[data-required], [data-pattern]") && event.target.value) say(event.target, told(event.target));
});
form?.addEventListener("input", (event) => {
  if (event.target.getAttribute("aria-invalid") && !told(event.target)) say(event.target, "");
});
form?.addEventListener("submit", (event) => {
  const wrong = [];
  for (const input of form.querySelectorAll("[data-required], [data-pattern]")) {
    // a name is not needed to try whether it works
    const text = input.name === "name" && event.submitter?.value === "verify" ? "" : told(input);
    say(input, text);
    if (text) wrong.push(input);
  }
  if (wrong.length) {
    event.preventDefault();
    event.stopImmediatePropagation();
    wrong[0].focus();
    document.getElementById("announce").textContent = `${wrong.length} fields need another look`;
    return;
  }
  if (form.id === "connection") {
    event.preventDefault();
    event.stopImmediatePropagation();
    send(event.submitter);
  }
}, true);

/** Send the form and show what is said of it, without losing the secrets that were typed: no page ever brings them back. */
async function send(submitter) {
  const buttons = form.querySelectorAll("button[name=action]");
  const text = submitter.textContent;
  for (const one of buttons) one.disabled = true;
  if (submitter.value !== "save") submitter.textContent = "Verifying …";
  const data = new FormData(form);
  data.set("action", submitter.value);
  try {
    const response = await fetch(location.href, { method: "POST", body: data });
    if (response.redirected) {
      location.assign(response.url);
      return;
    }
    show(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    const note = document.createElement("div");
    note.className = "note s-bad";
    note.setAttribute("role", "alert");
    note.textContent = "The server does not answer. Nothing was stored: try again.";
    show({ notes: [note] });
  } finally {
    submitter.textContent = text;
    for (const one of buttons) one.disabled = false;
  }
}

function show(fresh) {
  const main = document.getElementById("main");
  for (const old of main.querySelectorAll(":scope > .note")) old.remove();
  document.getElementById("trust")?.remove();
  const notes = fresh.notes ?? [...fresh.querySelectorAll("main > .note")];
  main.prepend(...notes);
  const trust = fresh.getElementById?.("trust");
  if (trust) form.prepend(trust);
  // what was found out about the far side has a field of its own by now
  for (const field of fresh.querySelectorAll?.("#connection .field") ?? []) {
    const control = field.querySelector("[id^='field-']");
    if (control && !document.getElementById(control.id)) form.querySelector(".card-in.form").append(field);
  }
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const wrong of fresh.querySelectorAll?.("form [aria-invalid]") ?? []) {
    document.getElementById(wrong.id)?.setAttribute("aria-invalid", "true");
  }
  const first = trust ?? notes[0];
  if (first) {
    first.tabIndex = -1;
    first.focus();
    first.scrollIntoView({ block: "center" });
  }
}

for (const area of document.querySelectorAll("textarea[data-takes-file]")) {
  const input = document.createElement("input");
  input.type = "file";
  input.hidden = true;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "linkish small";
  button.textContent = "From a file";
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (file && file.size <= 1 << 20) area.value = await file.text();
    area.dispatchEvent(new Event("input", { bubbles: true }));
    input.value = "";
  });
  area.after(button, input);
}
