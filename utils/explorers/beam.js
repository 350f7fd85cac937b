// The beam tree: at each width, what beam search kept, pruned and finished, growing step by step. Its numbers come from
// beam_tree.js, its sentences from beam_words.js.

const LISTED = 8;
const HINT = "Point at a word, or walk with the arrow keys: ← back, → on, ↑ ↓ to its rivals, End to the best text. Enter "
  + "pins it, Esc lets go.";

function build({ header, arrays }) {
  const { widths, penalty: searched } = header;
  const nodes = merged(header, arrays);
  const trees = widths.map((_, place) => treeOf(nodes, place));
  const greedy = searched === 0 && widths[0] === 1 ? trees[0].ended[0] : null;
  const widest = widths.length - 1;
  const now = { place: widest, step: trees[widest].last, penalty: searched };
  const { fate, ranked, measure, sentence, finding } = wording(header, trees, greedy, now);
  let [cursor, pinned, pointed] = [nodes[0], null, null];
  let timer, drawn;
  const voice = announcer();

  // --- the controls
  const button = (label, onclick) => element("button", { type: "button", onclick }, label);
  const slider = (label, max, by, change) => {
    const value = element("b");
    const oninput = () => change(Number(input.value));
    const input = element("input", { type: "range", min: 0, max, step: by, oninput });
    return { input, value, box: element("label", { class: "slider" }, element("span", {}, label, value), input) };
  };
  const width = slider("Beam width", widest, 1, (to) => {
    const whole = now.step === trees[now.place].last;
    now.place = to;
    go(whole ? trees[to].last : now.step);
  });
  const leap = (to) => {
    pause();
    go(to);
  };
  const stepper = slider("Step", 0, 1, leap);
  const length = slider("Length penalty (re-ranks only)", Math.max(2, searched), 0.05, (to) => {
    now.penalty = to;
    show();
    voice.say(found.textContent);
  });
  const back = button("‹ Back", () => leap(now.step - 1));
  const play = button("", () => (timer ? pause() : run()));
  const next = button("Next ›", () => leap(now.step + 1));

  // --- the parts
  const [found, detail, rest] = ["finding", "detail", "rest"].map((kind) => element("p", { class: kind }));
  const [list, table] = ["ol", "table"].map((tag) => element(tag));
  const canopy = element("div", { class: "tree", role: "tree", "aria-label": "Beam tree", onkeydown: walk });
  const box = element("div", { class: "scroll" }, canopy);
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "The best texts as a table"),
    element("div", { class: "scroll" }, table));

  // A node's elements are made when it is first shown, and moved from then on.
  function dressed(node) {
    if (node.box) return node;
    node.edge = node.parent && element("i");
    node.box = element("div", {
      role: "treeitem",
      "aria-level": node.depth + 1,
      title: node.name,
      "data-numbers": node.parent ? `${signed(node.own)} Σ ${signed(node.total)}` : "",
      onclick: () => pin(node),
      onfocus: () => { reach(node); point(node); },
      onblur: () => point(null),
      // Not on entering: a node may also come to lie under a pointer at rest, while somebody walks with the keys.
      onmousemove: () => pointed !== node && point(node),
      onmouseleave: () => point(null),
    }, name(node.name));
    return node;
  }

  // --- the reader's actions
  function go(to) {
    now.step = Math.max(0, Math.min(trees[now.place].last, to));
    pointed = null;
    show();
    box.scrollLeft = ACROSS * (now.step + 1) - box.clientWidth; // so that the newest words are in sight
    voice.say(found.textContent);
  }
  function run() {
    if (now.step === trees[now.place].last) go(0);
    timer = setInterval(() => {
      if (!view.isConnected || now.step === trees[now.place].last) pause();
      else go(now.step + 1);
    }, 1200);
    play.textContent = "❚❚ Pause";
  }
  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
  }
  function walk(event) {
    const { columns } = trees[now.place];
    const column = (depth) => (depth <= now.step ? [...columns[depth].upper, ...columns[depth].lower] : []);
    const rival = (by) => column(cursor.depth)[column(cursor.depth).indexOf(cursor) + by];
    const goals = {
      ArrowLeft: () => cursor.parent,
      ArrowRight: () => column(cursor.depth + 1).filter(({ parent }) => parent === cursor).sort((a, b) => b.total - a.total)[0],
      ArrowUp: () => rival(-1),
      ArrowDown: () => rival(1),
      Home: () => nodes[0],
      End: () => ranked(now.place, now.step)[0] ?? column(now.step)[0],
    };
    if (goals[event.key]) goals[event.key]()?.box.focus();
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === " ") pin(cursor);
    else return;
    event.preventDefault();
  }
  function pin(node) {
    pinned = pinned === node ? null : node;
    reach(node);
    showDetail();
    if (pinned) voice.say(detail.textContent);
  }
  function point(node) {
    pointed = node;
    showDetail();
    if (node) voice.say(detail.textContent);
  }
  // The one node that the Tab key reaches.
  function reach(node) {
    cursor.box.tabIndex = -1;
    cursor = node;
    cursor.box.tabIndex = 0;
  }

  // --- showing it
  function show() {
    const { shown, last, columns, tops, height } = trees[now.place];
    const { place, step, penalty } = now;
    const set = ({ input, value }, at, text, max = input.max) => {
      Object.assign(input, { max, value: at });
      value.textContent = text;
      input.setAttribute("aria-valuetext", text);
    };
    set(width, place, `${widths[place]}${greedy && !place ? ": greedy search" : ""}`);
    set(stepper, step, `${step} of ${last}`, last);
    set(length, penalty, penalty.toFixed(2));
    [back.disabled, next.disabled] = [step === 0, step === last];
    const seen = shown.filter(({ depth }) => depth <= step).map(dressed);
    if (drawn !== `${place} ${step}`) {
      const lines = columns.slice(0, step + 1).map(({ upper, lower }, depth) => (lower.length ? element("div", {
        class: "cut",
        style: `left: ${6 + ACROSS * (depth - 0.5) + WIDE / 2}px; top: ${DOWN * upper.length + 2}px; width: ${ACROSS}px`,
      }, "✂ pruned") : ""));
      canopy.replaceChildren(...lines, ...seen.map(({ edge }) => edge ?? ""), ...seen.map((node) => node.box));
      drawn = `${place} ${step}`;
    }
    Object.assign(canopy.style, { width: `${ACROSS * last + WIDE + 12}px`, height: `${height}px` });

    const order = ranked(place, step);
    const [won, led] = [step === last ? order[0] : null, greedy].map((node) => new Set(node ? path(node) : []));
    // What still lives at this step, with all that it continues.
    const lives = (node) => fate(node) === "finished" || (node.depth === step && !/pruned|aband/.test(fate(node)));
    const alive = new Set(seen.filter(lives).flatMap(path));
    seen.forEach((node) => {
      node.past = !alive.has(node);
      const classes = { past: node.past, won: won.has(node), led: led.has(node) };
      const kind = [fate(node), ...Object.keys(classes).filter((each) => classes[each])].join(" ");
      node.box.className = `node ${node.parent ? kind : "root"}`;
      node.box.setAttribute("aria-label", [node.name, node.box.dataset.numbers, fate(node)].join(", "));
      Object.assign(node.box.style, { left: `${6 + ACROSS * node.depth}px`, top: `${tops.get(node)}px` });
      node.box.tabIndex = -1;
      if (node.parent) showEdge(node, kind, tops);
    });
    while (cursor.depth > step || !fate(cursor)) cursor = cursor.parent;
    cursor.box.tabIndex = 0;
    if (pinned && (pinned.depth > step || !fate(pinned))) pinned = null;
    found.replaceChildren(...finding());
    const open = (node) => (fate(node) === "finished" ? "" : " · unfinished");
    list.replaceChildren(...order.slice(0, LISTED).map((node) => (
      element("li", {}, said(node), ` ${measure(node)}${open(node)}`))));
    const more = order.length - LISTED;
    rest.textContent = more > 0 ? `and ${more} more` : "";
    showDetail();
    showTable();
  }

  function showEdge(node, kind, tops) {
    const [across, down] = [ACROSS - WIDE, tops.get(node) - tops.get(node.parent)];
    const thick = 1 + 9 * Math.exp(node.own);
    const top = tops.get(node.parent) + (HIGH - thick) / 2;
    node.edge.className = `edge ${kind}`;
    Object.assign(node.edge.style, { left: `${6 + ACROSS * node.depth - across}px`, top: `${top}px`,
      height: `${thick}px`, width: `${Math.hypot(across, down)}px`, transform: `rotate(${Math.atan2(down, across)}rad)` });
  }

  function showDetail() {
    const node = pointed ?? pinned;
    const lit = new Set(node ? path(node) : []);
    trees[now.place].shown.filter((each) => each.box).forEach((each) => {
      [each.box, each.edge].forEach((part) => part?.classList.toggle("on", lit.has(each)));
      each.box.setAttribute("aria-selected", each === pinned);
    });
    detail.replaceChildren(...(node ? sentence(node) : [HINT]));
  }

  function showTable() {
    if (!details.open) return;
    const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    const best = (place) => ranked(place, header.limit).slice(0, widths[place]);
    const cells = (place, node) => (
      [widths[place], said(node), signed(node.total, 4), node.depth, signed(node.total / node.depth ** now.penalty, 4)]);
    table.replaceChildren(line("th", ["width", "text", "log-probability", "tokens", "score"]),
      ...trees.flatMap((_, place) => best(place).map((node) => line("td", cells(place, node)))));
  }

  const key = { kept: "went on", pruned: "✂ pruned", finished: "■ finished", won: "the best text" };
  if (greedy) key.led = "greedy search’s text";
  const release = (event) => event.key === "Escape" && point(pinned = null);
  const view = element("div", { class: "view", role: "group", "aria-label": "Beam tree", onkeydown: release },
    element("div", { class: "controls" }, width.box, stepper.box, length.box),
    element("div", { class: "buttons" }, back, play, next), found, box,
    element("p", { class: "key" }, ...Object.entries(key).map(([kind, text]) => (
      element("span", {}, element("i", { class: kind }), text))), "thicker line: more probable word"),
    detail, element("p", { class: "rest" }, "Texts that have ended, by score"), list, rest, details, voice.region);
  pause();
  show();
  return view;
}

start("beam", build);
