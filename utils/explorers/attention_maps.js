// The numbers behind the attention explorer: each head's weights between the tokens in sight, and what they amount to.

const SMALL = 32; // cells of a small map at most
const { floor, log2, max, min, sqrt } = Math;
const WEIGHTS = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255) ** 2);
const range = (length) => Array.from({ length }, (_, number) => number);

// Each head's weights between the tokens in sight, row after row, NaN where a mask forbids; then mean and maximum.
function mapsOf({ causal, heads, from, to, bytes }, layer, rows, columns, renormalise) {
  const wide = columns.length;
  const cells = rows.length * wide;
  const keys = to.tokens.length;
  const before = (query) => (causal ? (query * (query + 1)) / 2 : query * keys);
  const size = before(from.tokens.length);
  const blank = () => new Float32Array(cells);
  const [mean, most] = [blank(), blank()];
  const maps = range(heads).map((head) => {
    let place = 0;
    const found = blank();
    for (const query of rows) {
      const start = (layer * heads + head) * size + before(query);
      let total = 0;
      for (const key of columns) {
        const forbidden = from.padding[query] || to.padding[key] || (causal && key > query);
        found[place] = forbidden ? NaN : WEIGHTS[bytes[start + key]];
        total += found[place++] || 0;
      }
      if (renormalise && total) for (let back = 1; back <= wide; back++) found[place - back] /= total;
    }
    for (let cell = 0; cell < cells; cell++) {
      mean[cell] += found[cell] / heads;
      most[cell] = max(most[cell], found[cell]);
    }
    return found;
  });
  return heads > 1 ? [...maps, mean, most] : maps;
}

// The mean over the rows of their entropy, in bits.
function entropy(weights, wide) {
  let [sum, counted] = [0, 0];
  for (let start = 0; start < weights.length; start += wide) {
    let [total, bits] = [0, 0];
    for (let place = start; place < start + wide; place++) {
      const weight = weights[place];
      if (weight > 0) {
        total += weight;
        bits -= weight * log2(weight);
      }
    }
    if (!total) continue;
    sum += log2(total) + bits / total;
    counted++;
  }
  return sum / (counted || 1);
}

// A heat map of all cells, or of blocks of them where that would be more than `most` on a side: the greatest of each.
function picture(weights, high, wide, most) {
  const [tall, broad] = [min(high, most), min(wide, most)];
  return heatImage(tall, broad, (row, column) => {
    let best = null;
    for (let y = floor((row * high) / tall); y < ((row + 1) * high) / tall; y++) {
      for (let x = floor((column * wide) / broad); x < ((column + 1) * wide) / broad; x++) {
        if (weights[y * wide + x] >= best) best = weights[y * wide + x];
      }
    }
    return best === null ? null : 255 * sqrt(min(1, best));
  });
}
