// The two drawings of one head: the heat map with its tokens, and the lines from token to token.

const TYPE = "px system-ui, sans-serif";

// Labels along a line of cells: the `first` ones strongly, then others where there is room.
function write(pen, names, first, step, room, at, align) {
  const size = Math.round(max(11, min(16, step - 3)));
  const taken = [];
  pen.textAlign = align;
  pen.textBaseline = "middle";
  for (const place of [...first, ...range(names.length)]) {
    if (taken.some((other) => Math.abs(other - place) * step < 10)) continue;
    taken.push(place);
    const strong = first.includes(place);
    pen.globalAlpha = strong || !first.length ? 1 : 0.5;
    pen.font = (strong ? "bold " : "") + size + TYPE;
    label(pen, names[place], ...at((place + 0.5) * step), room - 8);
  }
  pen.globalAlpha = 1;
}

// Returns where the cells lie. `focus` and what `strong` gives are rows and columns; after `breaks` a sentence begins.
function drawHeat(canvas, image, [rows, columns], focus, strong, breaks) {
  const space = canvas.parentNode.clientWidth;
  const room = min(0.3 * space, 120, 11 * max(...[...rows, ...columns].map(({ length }) => length)) + 14);
  const step = min(40, (space - room - 4) / columns.length, 640 / rows.length);
  const [width, height] = [step * columns.length, step * rows.length];
  const box = { left: room, top: room, width, height, step };
  const pen = sharp(canvas, space, room + height + 36);
  paintHeat(pen, image, box);
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  for (const row of breaks) {
    pen.strokeRect(room, room, width, row * step);
    pen.strokeRect(room, room, row * step, height);
  }
  pen.lineWidth = 1.5;
  if (focus && focus.row !== null) pen.strokeRect(room, room + focus.row * step - 1, width, step + 2);
  if (focus && focus.column !== null) pen.strokeRect(room + focus.column * step - 1, room, step + 2, height);
  write(pen, rows, strong("row"), step, room, (y) => [room - 6, room + y], "right");
  pen.rotate(-Math.PI / 2);
  write(pen, columns, strong("column"), step, room, (x) => [6 - room, room + x], "left");
  pen.rotate(Math.PI / 2);
  const ramp = { left: room, top: room + height + 10, width: 180, height: 8 };
  paintHeat(pen, heatImage(1, 256, (_, byte) => byte), ramp);
  pen.font = 12 + TYPE;
  pen.textAlign = "center";
  for (const share of [0, 0.1, 0.5, 1]) pen.fillText(share, room + 180 * sqrt(share), ramp.top + 18);
  return box;
}

// Queries on the left, keys on the right, a line for each link: the wider, the more weight. Returns the lines' distance.
function drawLines(canvas, box, [rows, columns], colour, strong, links, near) {
  const space = canvas.parentNode.clientWidth;
  const most = max(rows.length, columns.length);
  const step = min(30, max(box.step, 16), 640 / most);
  const room = min(0.36 * space, box.left);
  const pen = sharp(canvas, space, 28 + step * most);
  const side = (title, names, first, x, align) => {
    write(pen, names, first, step, room, (y) => [x, 24 + y], align);
    pen.font = 12 + TYPE;
    pen.fillText(title, x, 10);
  };
  side("looks", rows, strong("row"), room - 6, "right");
  side("looked at", columns, strong("column"), space - room + 6, "left");
  pen.strokeStyle = colour;
  const line = ({ row, column, weight }, strength) => {
    const [from, to] = [row, column].map((place) => 24 + (place + 0.5) * step);
    pen.globalAlpha = min(1, (0.08 + weight) * strength);
    pen.lineWidth = 0.5 + min(8, 0.4 * step) * weight;
    pen.beginPath();
    pen.moveTo(room, from);
    pen.bezierCurveTo(space / 2, from, space / 2, to, space - room, to);
    pen.stroke();
  };
  links.forEach((link) => line(link, near.length ? 0.12 : 1));
  near.forEach((link) => line(link, 2));
  return step;
}
