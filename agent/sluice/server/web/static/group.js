// A new row appears as soon as the last one is used; the value of a secret is not shown while it is typed.
const body = document.querySelector("#variables tbody");
body?.addEventListener("input", (event) => {
  const last = body.lastElementChild;
  if (last.contains(event.target)) {
    const number = Number(/\d+$/.exec(last.querySelector("input").id)[0]);
    const fresh = last.cloneNode(true);
    for (const one of fresh.querySelectorAll("[id], [for]")) {
      for (const name of ["id", "name", "for"]) {
        const value = one.getAttribute(name);
        if (value) one.setAttribute(name, value.replace(/\d+$/, String(number + 1)));
      }
      if (one instanceof HTMLInputElement) one.value = "";
    }
    body.append(fresh);
  }
});
body?.addEventListener("change", (event) => {
  if (event.target.matches("select")) {
    const value = event.target.closest("tr").querySelectorAll("input")[1];
    value.type = event.target.value === "secret" ? "password" : "text";
    if (event.target.value === "secret") value.placeholder = "value";
  }
});
