// The numbers of the beam tree: its nodes, and where each stands at each width. They come from beam.py.

const FATES = ["", "kept", "pruned", "finished", "unfinished", "abandoned"];
const [WIDE, HIGH, ACROSS, DOWN, CUT] = [130, 48, 164, 56, 26]; // pixels: a node, from node to node, the line of the cut

function merged({ names, widths, prompt }, { parents, tokens, own, totals, fates }) {
  const nodes = [];
  parents.forEach((above, at) => {
    const parent = at ? nodes[above] : null;
    const fate = (place) => (at ? FATES[fates[place * parents.length + at]] : "kept");
    nodes.push({
      parent,
      depth: parent ? parent.depth + 1 : 0,
      name: at ? names[tokens[at]] : prompt,
      own: own[at],
      total: totals[at],
      fates: widths.map((_, place) => fate(place)),
    });
  });
  return nodes;
}

// Columns, one for each step: above what went on or finished, below what was pruned, the most probable first.
function treeOf(nodes, place) {
  const shown = nodes.filter((node) => node.fates[place]).sort((one, two) => two.total - one.total);
  const last = Math.max(...shown.map(({ depth }) => depth));
  const cut = (node) => node.fates[place] === "pruned";
  const columns = Array.from({ length: last + 1 }, (_, depth) => {
    const here = shown.filter((node) => node.depth === depth);
    return { here, upper: here.filter((node) => !cut(node)), lower: here.filter(cut) };
  });
  const tops = new Map();
  columns.forEach(({ upper, lower }) => {
    upper.forEach((node, row) => tops.set(node, 4 + DOWN * row));
    lower.forEach((node, row) => tops.set(node, 4 + DOWN * (upper.length + row) + CUT));
  });
  // The prompt stands before the middle of the first words that went on.
  tops.set(nodes[0], 4 + (DOWN * (columns[1].upper.length - 1)) / 2);
  const ended = shown.filter((node) => /finished/.test(node.fates[place]));
  return { shown, last, columns, tops, ended, height: Math.max(...tops.values()) + DOWN };
}
