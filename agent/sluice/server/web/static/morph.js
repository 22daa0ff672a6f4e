// Brings a part of the page to what the server says it is now, and leaves alone what did not change: the focus, what is
// folded, what is scrolled, and whatever is marked `data-keep`.

const KEPT = new Set(["open"]);

export function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || from.id !== to.id) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from instanceof HTMLDialogElement && from.open) return;
  attributes(from, to);
  if ("keep" in from.dataset && "keep" in to.dataset) return;
  if ("since" in from.dataset && "since" in to.dataset) return; // it counts on its own
  children(from, to);
}

function attributes(from, to) {
  const details = from instanceof HTMLDetailsElement;
  for (const { name, value } of to.attributes) {
    if (!(details && KEPT.has(name)) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(details && KEPT.has(name))) from.removeAttribute(name);
  }
}

function children(from, to) {
  const byId = new Map();
  for (const child of from.children) if (child.id) byId.set(child.id, child);
  let here = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = wanted.id ? byId.get(wanted.id) : null;
    if (known) {
      if (known !== here) from.insertBefore(known, here);
      here = known.nextSibling;
      morph(known, wanted);
    } else if (here && !here.id && here.nodeName === wanted.nodeName) {
      const next = here.nextSibling;
      morph(here, wanted);
      here = next;
    } else {
      from.insertBefore(wanted, here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}
