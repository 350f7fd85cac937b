// What every explorer shares: reading the payload, building elements, and coming alive in place of the picture.
// delivery.py puts this file, the style (as STYLE) and one explorer's own file into a single scope.

const DTYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

// The reverse of delivery.pack: a JSON header and named arrays from one compressed text.
async function unpack(text) {
  const raw = atob(text);
  // Uint8Array.from would walk through millions of letters ten times as slowly.
  const packed = new Uint8Array(raw.length).map((_, at) => raw.charCodeAt(at));
  const data = await new Response(
    new Response(packed).body.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  let offset = 4 + new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(data.slice(4, offset)));
  const arrays = {};
  for (const [name, dtype, shape] of header.arrays) {
    const size = shape.reduce((product, length) => product * length, 1) * DTYPES[dtype].BYTES_PER_ELEMENT;
    arrays[name] = new DTYPES[dtype](data.slice(offset, offset + size));
    offset += size;
  }
  return { header, arrays };
}

// One element: attributes by name, listeners as functions (onclick), children as elements or text. Text stays text.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function percent(share) {
  if (share === 0) return "0%";
  if (share < 0.0005) return "<0.1%";
  return `${(100 * share).toFixed(1)}%`;
}

// Says a sentence to screen readers once the reader's hand rests, not at every step of a slider.
function announcer() {
  const region = element("p", { class: "hidden", "aria-live": "polite" });
  let waiting;
  return {
    region,
    say(sentence) {
      clearTimeout(waiting);
      waiting = setTimeout(() => { region.textContent = sentence; }, 400);
    },
  };
}

// Bring the explorer around this script to life. The view lives in a shadow root: the page's style and typesetting
// (a formula in a token!) stay out, and ours stays in. If anything fails, the picture remains, with a sentence.
async function start(kind, build) {
  const root = document.currentScript?.closest(".course-explorer")
    ?? document.querySelector(`.course-explorer[data-kind="${kind}"]:not([data-state])`);
  if (!root || root.dataset.state) return;
  root.dataset.state = "starting";
  try {
    const view = build(await unpack(root.dataset.payload));
    // The keys used here must not also turn a slide or move to another cell. Shift+Enter is the notebook's: JupyterLab
    // does not look into shadow roots, so its cell is told.
    root.addEventListener("keydown", (event) => {
      if (!/^(Arrow|Page|Home|End|Enter|Escape| )/.test(event.key)) return;
      event.stopPropagation();
      const cell = root.closest(".jp-Cell");
      if (event.key !== "Enter" || !cell || !(event.shiftKey || event.ctrlKey || event.altKey)) return;
      event.preventDefault();
      cell.focus();
      cell.dispatchEvent(new KeyboardEvent("keydown", event));
    });
    const host = element("div");
    host.attachShadow({ mode: "open" }).append(element("style", {}, STYLE), view);
    root.append(host);
    root.querySelector("img").hidden = true;
    root.dataset.state = "live";
  } catch (error) {
    root.dataset.state = "failed";
    root.append(element("p", {}, `This browser shows the picture only (${error.message}).`));
  }
}
