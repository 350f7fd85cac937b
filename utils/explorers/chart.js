// A line chart with direct labels, as SVG: so its colours follow the theme by themselves. Shared by the comparisons.

const { abs, ceil, floor, log10, log2, max, min, sign, sqrt } = Math;
const real = Number.isFinite;
const range = (length) => Array.from({ length }, (_, number) => number);
// The namespace is an address that nobody visits; the scripts hold none, so the browser is asked for it.
const SVG = document.createRange().createContextualFragment("<svg>").firstChild.namespaceURI;
const PALETTE = "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #7F7F7F".split(" ");

// Round numbers, the first at or below `low`, the last at or above `high`.
function roundTicks(low, high) {
  const spread = high > low ? high - low : abs(low) || 1;
  if (high <= low) [low, high] = [low - spread / 2, low + spread / 2];
  const power = 10 ** floor(log10(spread / 5));
  const size = power * [1, 2, 5, 10].find((each) => power * each > spread / 5.001);
  const first = floor(low / size + 1e-9);
  return range(ceil(high / size - 1e-9) - first + 1).map((number) => Number(((first + number) * size).toPrecision(12)));
}

// A number as people write it, four digits.
function brief(value) {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

// Draw into `box` (`height` in pixels): {title, label, x, ticks: [[x, text]], lines: [{name, colour, values}], marked: places
// in x, pointed: one, or null, reach: more values to find room for}. NaN leaves a gap. Returns under (the place in x of a
// pointer's event), point (where a place and a value stand) and path (to draw more).
function drawChart(box, height, { title, label: below, x, ticks, lines, marked, pointed, reach = [] }) {
  const width = box.clientWidth;
  const all = [...reach, ...lines.flatMap(({ values }) => [...values])].filter(real);
  const down = roundTicks(...(all.length ? [min(...all), max(...all)] : [0, 1]));
  const last = x.length - 1;
  const left = 14 + 8 * max(...down.map((value) => brief(value).length));
  const fit = floor(min(0.03 * width, max(0, ...lines.map(({ name }) => name.length))));
  const right = width - 22 - 9 * fit;
  const [top, lower] = [30, height - 40];
  const along = (value) => left + (last ? (value - x[0]) / (x[last] - x[0]) : 0.5) * (right - left);
  const across = (place) => along(x[place]);
  const up = (value) => lower - ((value - down[0]) / (down[down.length - 1] - down[0])) * (lower - top);
  const made = (tag, attributes, ...children) => {
    const node = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.append(...children);
    return node;
  };
  const image = made("svg", { width, height, "aria-hidden": true });
  const text = (said, at, y, anchor = "middle", kind = "soft") => image.append(made("text", { x: at, y, "text-anchor": anchor, class: kind }, said));
  const path = (d, kind, stroke = "", fill = "none") => image.append(made("path", { d, class: kind, stroke, fill }));
  text(title, 0, 16, "start", "title");
  text(below, (left + right) / 2, height - 4);
  for (const value of down) {
    path(`M${left} ${up(value)}H${right}`, value ? "grid" : "zero");
    text(brief(value), left - 6, up(value) + 5, "end");
  }
  let taken = 0;
  for (const [value, said] of ticks) {
    const at = along(value);
    if (at - 4 * said.length < taken) continue;
    taken = at + 4 * said.length + 6;
    text(said, at, lower + 18);
  }
  const upright = (place, kind) => path(`M${across(place)} ${top}V${lower}`, kind);
  marked.forEach((place) => upright(place, "marked"));
  if (pointed !== null) upright(pointed, "pointed");
  const point = (place, value) => `${across(place)} ${up(value)}`;
  const ends = lines.map(({ name, colour, values }) => {
    let [line, dots, end] = ["", "", NaN];
    values.forEach((value, place) => {
      if (!real(value)) return;
      end = up(value);
      line += (real(values[place - 1]) ? "L" : "M") + point(place, value);
      dots += `M${point(place, value)}h0`;
    });
    path(line, "line", colour);
    path(dots, "dots", colour);
    return { name, colour, end };
  });
  ends.sort((one, other) => one.end - other.end).reduce((lowest, { name, colour, end }) => {
    if (!name || !real(end)) return lowest;
    const y = max(end, lowest + 17);
    path(`M${right + 5} ${y}h8`, "line", colour);
    text(name.length > fit ? `${[...name].slice(0, fit - 1).join("")}…` : name, right + 17, y + 5, "start", "name");
    return y;
  }, 0);
  box.replaceChildren(image);
  const under = ({ clientX }) => {
    const far = (place) => abs(across(place) + box.getBoundingClientRect().left - clientX);
    return x.reduce((best, _, place) => (far(place) < far(best) ? place : best), 0);
  };
  return { under, point, path };
}
