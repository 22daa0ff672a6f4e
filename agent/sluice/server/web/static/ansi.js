// Colours of terminals. Whatever a log holds becomes text: nothing of it is ever read as HTML, no sequence does anything.

const sequence = /\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[PX^_][^\x1b]*(?:\x1b\\|$)|[ -/]*[0-~]?)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const plainStyle = () => ({ f: "", b: "", bold: false, dim: false, italic: false, under: false, strike: false, swap: false });

/** A text as pieces: `[{text, style}]`; `style` goes on from the line's beginning only. */
export function pieces(line) {
  const found = [];
  let style = plainStyle();
  let from = 0;
  const add = (to) => {
    if (to > from) found.push({ text: line.slice(from, to), style });
  };
  sequence.lastIndex = 0;
  for (let match; (match = sequence.exec(line)); ) {
    add(match.index);
    from = sequence.lastIndex;
    if (match[2] === "m") style = styled(style, match[1]);
    else if (match[0] === "\r" && from < line.length) found.length = 0; // what a progress bar wrote before
    if (sequence.lastIndex === match.index) sequence.lastIndex++;
  }
  add(line.length);
  return found;
}

/** The text alone. */
export function bare(line) {
  return pieces(line).map((one) => one.text).join("");
}

function styled(before, parameters) {
  const style = { ...before };
  const codes = parameters.split(/[;:]/).map((text) => (text === "" ? 0 : Number(text)));
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) Object.assign(style, plainStyle());
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.under = true;
    else if (code === 7) style.swap = true;
    else if (code === 9) style.strike = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.under = false;
    else if (code === 27) style.swap = false;
    else if (code === 29) style.strike = false;
    else if (code >= 30 && code <= 37) style.f = code - 30;
    else if (code === 39) style.f = "";
    else if (code >= 40 && code <= 47) style.b = code - 40;
    else if (code === 49) style.b = "";
    else if (code >= 90 && code <= 97) style.f = code - 82;
    else if (code >= 100 && code <= 107) style.b = code - 100;
    else if (code === 38 || code === 48) {
      const [colour, used] = extended(codes, at + 1);
      style[code === 38 ? "f" : "b"] = colour;
      at += used;
    }
  }
  return style;
}

/** One of 256 colours, or one by its parts: as the nearest of the sixteen, which are readable in both themes. */
function extended(codes, at) {
  if (codes[at] === 5) {
    const colour = codes[at + 1] ?? 0;
    if (colour < 16) return [colour, 2];
    if (colour > 231) return [nearest((colour - 232) * 10 + 8, (colour - 232) * 10 + 8, (colour - 232) * 10 + 8), 2];
    const step = (part) => (part ? part * 40 + 55 : 0);
    const index = colour - 16;
    return [nearest(step(Math.floor(index / 36)), step(Math.floor(index / 6) % 6), step(index % 6)), 2];
  }
  if (codes[at] === 2) return [nearest(codes[at + 1] ?? 0, codes[at + 2] ?? 0, codes[at + 3] ?? 0), 4];
  return ["", 0];
}

function nearest(red, green, blue) {
  const high = Math.max(red, green, blue);
  if (high < 60) return 8;
  const bit = (part) => (part > high * 0.6 ? 1 : 0);
  return bit(red) + 2 * bit(green) + 4 * bit(blue) + (high > 200 ? 8 : 0);
}

/** Write pieces into an element; `marked` are ranges of the bare text that are highlighted. */
export function write(element, found, wanted, isNow) {
  let offset = 0;
  const text = wanted ? found.map((one) => one.text).join("").toLowerCase() : "";
  const ranges = [];
  for (let at = wanted ? text.indexOf(wanted) : -1; at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    ranges.push([at, at + wanted.length]);
    if (ranges.length > 200) break;
  }
  for (const piece of found) {
    let at = 0;
    while (at < piece.text.length) {
      const here = offset + at;
      const range = ranges.find(([start, end]) => end > here && start < offset + piece.text.length);
      const until = !range ? piece.text.length : (range[0] > here ? range[0] : Math.min(range[1], offset + piece.text.length)) - offset;
      const inside = range && range[0] <= here;
      element.append(node(piece.text.slice(at, until), piece.style, inside, isNow));
      at = until;
    }
    offset += piece.text.length;
  }
}

function node(text, style, marked, isNow) {
  const classes = [];
  const [front, back] = style.swap ? [style.b === "" ? 7 : style.b, style.f === "" ? 7 : style.f % 8] : [style.f, style.b];
  if (front !== "") classes.push(`f${front}`);
  if (back !== "") classes.push(`b${back}`);
  if (style.bold) classes.push("a-b");
  if (style.dim) classes.push("a-d");
  if (style.italic) classes.push("a-i");
  if (style.under) classes.push("a-u");
  if (style.strike) classes.push("a-s");
  if (!classes.length && !marked) return document.createTextNode(text);
  const made = document.createElement(marked ? "mark" : "span");
  made.className = marked && isNow ? `now ${classes.join(" ")}` : classes.join(" ");
  made.textContent = text;
  return made;
}
