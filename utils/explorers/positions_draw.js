// Position vectors: what is read off a table, its map, and its clocks, on canvases.

const { atan2, hypot, PI } = Math;
const COLOURS = [[0, 114, 178], [213, 94, 0]]; // below 0 and above; positions.css has them for the key
const FACE = "14px system-ui, sans-serif";
const wholeTicks = (last) => roundTicks(0, last).filter((each) => each <= last && each % 1 === 0);

// A table's numbers, and its image: one pixel each, 0 transparent, so that it has the colour of the paper.
function tableOf({ positions, size, scale }, stored, largest) {
  const values = largest ? Float32Array.from(stored, (byte, cell) => ((byte - 128) / 127) * largest[floor(cell / size)])
    : stored;
  const image = element("canvas", { width: size, height: positions });
  const pen = image.getContext("2d");
  const pixels = pen.createImageData(size, positions);
  values.forEach((value, cell) => {
    COLOURS[+(value > 0)].forEach((part, which) => { pixels.data[4 * cell + which] = part; });
    pixels.data[4 * cell + 3] = 255 * min(1, abs(value) / scale);
  });
  pen.putImageData(pixels, 0, 0);
  const at = (place, column) => values[place * size + column];
  const dot = (one, other) => {
    let total = 0;
    for (let column = 0; column < size; column++) total += at(one, column) * at(other, column);
    return total;
  };
  return {
    positions, size, scale, image, at,
    last: positions - 1,
    alike: (one, other) => [dot(one, other), dot(one, other) / sqrt(dot(one, one) * dot(other, other))],
    hand: (place, even) => [at(place, even), at(place, even + 1)],
  };
}

// Draw the map with both positions (the other one dashed) and the pair of dimensions marked. Returns its box.
function drawMap(canvas, { positions, size, image, last }, labels, width, { here, there, even }) {
  const left = labels ? 0.3 * width : 42;
  const box = { left, top: 8, width: width - left - 4, height: 316 };
  const pen = sharp(canvas, width, 350);
  const [row, column] = [box.height / positions, box.width / size];
  // Larger, cells have sharp edges; smaller, they run into one another.
  pen.imageSmoothingEnabled = row < 1 || column < 1;
  pen.drawImage(image, left, 8, box.width, box.height);
  pen.font = FACE;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const place of new Set([here, ...(row < 15 ? wholeTicks(last) : range(positions))])) {
    const y = 8 + row * (place + 0.5);
    if (place !== here && abs(place - here) * row < 15) continue;
    pen.fillText(place, 32, y);
    if (labels) label(pen, labels[place], left - 6, y, left - 42);
  }
  pen.textAlign = "center";
  wholeTicks(size - 1).forEach((place) => pen.fillText(place, left + column * (place + 0.5), 338));
  for (const [colour, thick] of [["#fff", 4], ["#000", 2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.strokeRect(left + column * even, 8, 2 * column, box.height);
    pen.strokeRect(left, 8 + row * here, box.width, max(row, 2));
    if (thick < 4) pen.setLineDash([5]);
    pen.strokeRect(left, 8 + row * there, box.width, max(row, 2));
  }
  return box;
}

// Draw the hands of two positions (the other one dashed) around [x, y]; a hand points to the right and up by its two
// numbers. With `large` also the way between and where all positions point. What turns evenly has the circle of a clock.
// Returns the angle between, clockwise.
function drawClock(pen, table, turn, { here, there, even }, [x, y], radius, large) {
  const hands = range(table.positions).map((place) => table.hand(place, even));
  const reach = max(1e-30, ...hands.map((hand) => hypot(...hand))) / radius;
  const angle = (place) => atan2(...hands[place]);
  const way = real(turn) ? turn * (there - here) : ((angle(there) - angle(here) + 3 * PI) % (2 * PI)) - PI;
  const arc = (at, size, from, to, back) => {
    pen.beginPath();
    pen.arc(...at, size, from, to, back);
  };
  const line = (from, to) => {
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  };
  const end = ([right, up]) => [x + right / reach, y - up / reach];
  const spot = (hand, size) => {
    arc(end(hand), size, 0, 7);
    pen.fill();
  };
  pen.textAlign = "center";
  pen.font = `bold ${FACE}`;
  pen.globalAlpha = 0.4;
  pen.lineWidth = 1;
  arc([x, y], radius, 0, 7);
  if (real(turn)) pen.stroke();
  if (large) {
    line([x - radius, y], [x + radius, y]);
    line([x, y - radius], [x, y + radius]);
    hands.forEach((hand) => spot(hand, 2.5));
  }
  pen.globalAlpha = 1;
  pen.lineWidth = large ? 3 : 2;
  [there, here].forEach((place, solid) => {
    pen.setLineDash(solid ? [] : [4]);
    line([x, y], end(hands[place]));
    spot(hands[place], large ? 6 : 3);
    const far = (radius + 20) / (hypot(...hands[place]) || 1);
    if (large) pen.fillText(place, x + far * hands[place][0], y + 5 - far * hands[place][1]);
  });
  if (large && way) {
    pen.strokeStyle = "#D55E00";
    pen.lineWidth = 5;
    arc([x, y], 0.45 * radius, angle(here) - PI / 2, angle(here) - PI / 2 + way, way < 0);
    pen.stroke();
  }
  return way;
}
