// What the beam tree says: of one node, and of the text that won. `now` holds what is shown: place (of the width), step
// and penalty.

const path = (node) => (node.parent ? [...path(node.parent), node] : []);
const signed = (value, places = 2) => value.toFixed(places).replace(/^-(?=[0.]+$)/, "").replace("-", "−");
const name = (text) => element("bdi", { dir: "auto" }, text);
// A text as the words of its path, each left to its own direction.
const said = (node) => element("bdi", {}, "“", ...path(node).flatMap((each) => [" ", name(each.name)]).slice(1), "”");

function wording({ limit, widths, prompt }, trees, greedy, now) {
  const fate = (node) => node.fates[now.place];
  const score = (node) => node.total / node.depth ** now.penalty;
  // The texts that a width has ended until some step, the best first, of equal ones the one found first.
  const ranked = (place, until) => trees[place].ended.filter(({ depth }) => depth <= until)
    .sort((one, two) => score(two) - score(one) || one.depth - two.depth);
  const measure = (node) => {
    const power = now.penalty ? `${signed(node.total)} ÷ ${node.depth}^${now.penalty.toFixed(2)} = ` : "";
    return `${power}${signed(score(node))} · ${node.depth} token${node.depth > 1 ? "s" : ""}`;
  };
  const chance = (node) => percent(Math.exp(node.total));

  function verdict(node) {
    const { here, upper } = trees[now.place].columns[node.depth];
    const width = widths[now.place];
    const rank = `number ${here.indexOf(node) + 1} of ${here.length} at step ${node.depth}`;
    const lost = (start, rival, by) => [start, said(rival), `, is ahead by ${signed(by(rival) - by(node))}.`];
    const total = (each) => each.total;
    if (fate(node) === "pruned") {
      const last = upper.filter((each) => fate(each) !== "finished")[width - 1];
      if (last && last.total >= node.total) {
        return lost(`✂ Pruned, ${rank}: the last of the ${width} that went on, `, last, total);
      }
      const start = `✂ Pruned, ${rank}: an end counts only among the ${width} best of its step; the last of these, `;
      return lost(start, here[width - 1], total);
    }
    if (/finished/.test(fate(node))) {
      const order = ranked(now.place, now.step);
      const how = fate(node) === "finished" ? "■ Finished" : `Unfinished at the limit of ${limit} tokens`;
      const start = `${how}, number ${order.indexOf(node) + 1} of ${order.length} by score: ${measure(node)}`;
      return node === order[0] ? [`${start}.`] : lost(`${start}; the best, `, order[0], score);
    }
    if (fate(node) === "abandoned") return [`Kept, ${rank}; left when the search stopped, as it could win no more.`];
    return [`Kept, ${rank}.`, node.past ? ` None of its continuations lives at step ${now.step}.` : ""];
  }

  function sentence(node) {
    if (!node.parent) return [name(prompt), ": every text starts here."];
    const terms = path(node).map(({ own }) => Math.abs(own).toFixed(2)); // a log-probability is never above 0
    const rounded = terms.reduce((all, term) => all - Number(term), 0).toFixed(2);
    const sum = `−${terms.join(" − ")} ${rounded === node.total.toFixed(2) ? "=" : "≈"} ${signed(node.total)}`;
    return [said(node), `: ${sum}, probability ${chance(node)}. `, ...verdict(node)];
  }

  function finding() {
    const { place, step } = now;
    const width = widths[place];
    if (step < trees[place].last) return [`Step ${step} of width ${width}: dark frames go on, pale ones fell behind.`];
    const [best] = ranked(place, step);
    const first = greedy && !place ? ", greedy search," : "";
    const start = [`Width ${width}${first} finds `, said(best),
      `: log-probability ${signed(best.total)}, probability ${chance(best)}.`];
    const times = (one, two) => {
      const ratio = Number(Math.exp(one.total - two.total).toPrecision(3)).toLocaleString("en");
      return `${ratio} times as probable.`;
    };
    if (!greedy) return start;
    if (best === greedy && place) return [...start, " So does greedy search (width 1)."];
    if (place) {
      const other = [" Greedy search (width 1) finds ", said(greedy), ` with ${signed(greedy.total)}: `];
      return [...start, ...other, best.total > greedy.total ? `the beam’s is ${times(best, greedy)}`
        : `that is ${times(greedy, best)}`];
    }
    const rivals = trees.map((_, other) => ranked(other, limit)[0]);
    const at = rivals.findIndex((rival) => rival.total > best.total + 1e-6);
    return [...start, at < 0 ? " No other width here finds a more probable text."
      : ` Width ${widths[at]} finds one that is ${times(rivals[at], best)}`];
  }
  return { fate, score, ranked, measure, sentence, finding };
}
