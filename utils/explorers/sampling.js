// The arithmetic of sampling: the same steps, in the same order, as sampling_probabilities in utils/decoding.py.

// A context's logits as distances below the highest one, the most probable token first.
function distances(steps, step) {
  const size = steps.length / 3;
  const below = new Float64Array(size);
  let depth = 0;
  for (let rank = 0; rank < size; rank++) {
    depth += steps[rank] + 256 * steps[size + rank] + 65536 * steps[2 * size + rank];
    below[rank] = depth * step;
  }
  return below;
}

const sum = (shares) => shares.reduce((total, share) => total + share, 0);

function softmax(below, temperature) {
  const shares = below.map((distance) => Math.exp(-distance / temperature));
  const total = sum(shares);
  return shares.map((share) => share / total);
}

// Temperature, then top-k, then top-p: what the temperature gives, how many tokens stay, and their mass before it is
// made 1 again. A topK or topP of null is off.
function sampling(below, { temperature, topK, topP }) {
  const warmed = softmax(below, temperature);
  const afterK = Math.min(topK ?? warmed.length, warmed.length);
  let kept = afterK;
  let mass = sum(warmed.subarray(0, afterK));
  if (topP !== null && topP < 1) {
    const goal = topP * mass;
    for (kept = 0, mass = 0; kept < afterK && mass < goal; kept++) mass += warmed[kept];
  }
  const shares = warmed.subarray(0, kept).map((share) => share / mass);
  const entropy = -sum(shares.map((share) => (share > 0 ? share * Math.log2(share) : 0)));
  return { warmed, shares, afterK, kept, mass, entropy };
}

// A seeded generator of numbers in [0, 1) (mulberry32), so that the same clicks give the same draws.
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// One token's rank, drawn with the probabilities that are left.
function drawRank(shares, random) {
  let left = random();
  let rank = 0;
  while (rank < shares.length - 1 && left >= shares[rank]) left -= shares[rank++];
  return rank;
}

// Where a top-k slider stops: 1 to 10 one by one, then ever longer steps, and whatever was asked for; null is "off".
function stops(size, asked) {
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, asked];
  for (let ten = 10; ten < size; ten *= 10) {
    for (const factor of [1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10]) all.push(factor * ten);
  }
  return [...new Set(all)].filter((k) => k && k < size).sort((a, b) => a - b).concat([null]);
}

const grouped = (count) => count.toLocaleString("en");
