// The numbers and the pictures of the comparison: weights of one layer and head, how far apart rows are, the maps.

const [BLUE, ORANGE] = [[0, 114, 178], [213, 94, 0]]; // of a difference: less, more
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const mean = (numbers) => {
  const known = numbers.filter(real);
  return sum(known) / known.length;
};
const digits = (value) => (real(value) ? value.toFixed(4) : "–");

// The entropy of a distribution in bits, NaN where there is none.
const bits = (row) => (row ? -sum(row.map((part) => (part && part * log2(part)))) : NaN);

// Jensen–Shannon divergence in bits and total variation of two distributions, NaN where there are no two.
function distances(one, other) {
  if (!one || !other) return [NaN, NaN];
  const middle = one.map((part, place) => (part + other[place]) / 2);
  return [max(0, bits(middle) - (bits(one) + bits(other)) / 2), sum(one.map((part, place) => abs(part - other[place]))) / 2];
}

// Mean over `among` the rows of two maps: both entropies, the divergence, the total variation.
function compared(one, other, among) {
  return [...[one, other].map(({ rows }) => mean(among.map((row) => bits(rows[row])))),
    ...[0, 1].map((which) => mean(among.map((row) => distances(one.rows[row], other.rows[row])[which])))];
}

// Of one layer the mean over `among` its heads: the weights, NaN where masked, and as rows of distributions.
function weightsOf({ choices, heads, from, to }, stored, shut, layer, among) {
  if (!choices[0][layer]) return { map: [], rows: [] };
  const [size, wide] = [from.length * to.length, to.length];
  const map = range(size).map((cell) => (shut[cell] ? NaN
    : sum(among.map((head) => (stored[(layer * heads + head) * size + cell] / 255) ** 2)) / among.length));
  const rows = from.map((_, row) => {
    const weights = map.slice(row * wide, (row + 1) * wide).map((weight) => weight || 0);
    const total = sum(weights);
    if (!total) map.fill(NaN, row * wide, (row + 1) * wide); // this token looks at nothing
    return total ? weights.map((weight) => weight / total) : null;
  });
  return { map, rows };
}

// Behind the 256 colours of the weights, at 511 less or more 255, those of a difference; at 511 that of the paper.
function mixColours(paper) {
  for (let by = -255; by < 256; by++) {
    const end = by < 0 ? BLUE : ORANGE;
    COLOURS[511 + by] = paper.map((part, place) => part + ((end[place] - part) * abs(by)) / 255);
  }
}

// One map with its tokens, those of the cell or row in focus bold; `zero` is where its colours start. Returns its box.
function drawMap({ canvas, from, to, map }, zero, room, cell, { row, column }) {
  const box = { left: room, top: room, width: cell * to.length, height: cell * from.length };
  const pen = sharp(canvas, room + box.width + 3, room + box.height + 3);
  paintHeat(pen, heatImage(from.length, to.length, (y, x) => {
    const value = map[y * to.length + x];
    return real(value) ? zero + sign(value) * 255 * sqrt(min(1, abs(value))) : null;
  }), box);
  const [x, width] = column === null ? [0, box.width] : [cell * column, cell];
  for (const [colour, thick] of row === undefined ? [] : [["#fff", 4], ["#000", 2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.strokeRect(room + x, room + cell * row, width, cell);
  }
  pen.textBaseline = "middle";
  const size = max(12, min(15, cell - 3));
  const write = (words, strong, at) => words.forEach((word, place) => {
    const far = abs(place - (strong ?? Infinity));
    if (far && (place % ceil((size + 1) / cell) || far * cell < size)) return;
    pen.font = `${far ? "" : "bold "}${size}px system-ui, sans-serif`;
    label(pen, word, at, room + (place + 0.5) * cell, room - 8);
  });
  pen.textAlign = "right";
  write(from, row, room - 6);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "left";
  write(to, column, 6 - room);
  return box;
}
