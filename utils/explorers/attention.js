// The attention explorer: small maps of all heads, the chosen one as a heat map and as lines. Data from attention.py.

const bold = (text) => element("b", {}, element("bdi", { dir: "auto" }, text));

function build({ header, arrays }) {
  let shown; // the kind of attention: from and to are its sequences, layer and head the chosen ones
  let rows, columns; // which queries and keys are in sight
  let high, wide; // how many they are
  let grid; // of each layer, for each head, then for their mean and maximum: {rank, button, said}
  let map, image, links; // of the chosen head
  let box; // where the heat map lies on its canvas
  let ladder; // how far apart the lines' ends are
  let pointed = null; // {row, column}, of which one may be null
  let pinned = null;
  let current; // where the keyboard is
  const voice = announcer();

  // --- the parts
  const choice = element("select", { "aria-label": "Attention", onchange: () => show(choice.selectedIndex) },
    ...header.attentions.map(({ kind }) => element("option", {}, kind)));
  const tick = (said, onchange) => {
    const input = element("input", { type: "checkbox", onchange });
    return [input, element("label", {}, input, said)];
  };
  const [hide, hideLabel] = tick(" hide special tokens, renormalise", renew);
  const [sort, sortLabel] = tick(" sort heads by entropy", showGrid);
  const title = element("h3");
  const heads = element("div", { class: "heads", role: "radiogroup", "aria-label": "Heads", onkeydown: walkHeads });
  const pointing = (place) => ({
    onmousemove: (event) => point(place(event)),
    onmouseleave: () => point(null),
    onclick: (event) => pin(place(event)),
  });
  const heat = element("canvas", pointing((event) => cellAt(event, heat, box, high, wide)));
  const list = element("div", { role: "listbox", "aria-label": "Tokens", onkeydown: walk });
  const lines = element("canvas", pointing(beside));
  const detail = element("p", { class: "detail" });
  const blocks = element("p");
  const table = element("table");
  const details = element("details", { ontoggle: showTable },
    element("summary", {}, "The strongest links"), element("div", { class: "scroll" }, table));

  // --- the reader's actions
  function show(number) {
    const { sequences, attentions } = header;
    const each = attentions[number];
    shown = { ...each, bytes: arrays[`weights${number}`], from: sequences[each.queries], to: sequences[each.keys] };
    [shown.layer, shown.head] = each.start;
    view.style.setProperty("--accent", each.colour);
    hideLabel.hidden = ![...shown.from.special, ...shown.to.special].includes(1);
    renew();
  }
  function renew() {
    const inSight = ({ tokens, special }) => range(tokens.length).filter((place) => !hide.checked || !special[place]);
    [rows, columns] = [inSight(shown.from), inSight(shown.to)];
    [high, wide] = [rows.length, columns.length];
    current = {};
    pointed = pinned = null;
    list.replaceChildren(...rows.map((_, row) => element("div", {
      ...pointing(() => ({ row, column: null })),
      role: "option",
      tabindex: row ? -1 : 0,
      "aria-label": query(row),
      onfocus: () => {
        if (current.row !== row) current = { row, column: null };
        point(current);
      },
      onblur: () => point(null),
    })));
    grid = shown.layers.map((name, layer) => mapsOf(shown, layer, rows, columns, hide.checked).map((weights, head) => {
      const bits = entropy(weights, wide);
      const short = [head, "avg", "max"][max(0, head - shown.heads + 1)];
      const said = `layer ${name}, head ${short}${short === "max" ? "" : `: entropy ${bits.toFixed(2)} bits`}`;
      const button = element("button", {
        role: "radio",
        "aria-label": said,
        style: `--bits: ${(100 * bits) / log2(wide + 1)}%`,
        onclick: () => choose(layer, head),
      }, picture(weights, high, wide, SMALL), short);
      return { rank: short === head ? bits : 99 + head, button, said };
    }));
    showGrid();
    choose(shown.layer, shown.head);
  }
  function choose(layer, head) {
    Object.assign(shown, { layer, head });
    map = heat.weights = mapsOf(shown, layer, rows, columns, hide.checked)[head];
    image = picture(map, high, wide, Infinity);
    // More lines than this would be a blot.
    links = range(map.length).filter((place) => map[place] * wide > 0.5).sort((one, other) => map[other] - map[one])
      .slice(0, 600).map((place) => linkOf(floor(place / wide), place % wide));
    const { said } = grid[layer][head];
    grid.flat().forEach((each) => {
      each.button.tabIndex = each.said === said ? 0 : -1;
      each.button.setAttribute("aria-checked", each.said === said);
    });
    title.textContent = said;
    voice.say(said);
    showBlocks();
    showTable();
    draw();
  }
  function walkHeads(event) {
    const all = [...heads.querySelectorAll("button")];
    const across = grid[0].length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    const goal = all[all.indexOf(event.target) + step];
    if (step) event.preventDefault();
    goal?.click();
    goal?.focus();
  }
  function walk(event) {
    const { row, column } = current;
    const move = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], Home: [-high, 0],
      End: [high, 0] }[event.key];
    if (move) {
      const along = min(wide - 1, (column ?? -1) + move[1]);
      current = { row: max(0, min(high - 1, row + move[0])), column: along < 0 ? null : along };
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === " ") pin(current);
    else return;
    event.preventDefault();
    list.children[row].tabIndex = -1;
    list.children[current.row].tabIndex = 0;
    list.children[current.row].focus();
    point(current);
    voice.say(detail.textContent);
  }
  function point(place) {
    pointed = place;
    draw();
  }
  function pin(place) {
    pinned = place;
    draw();
  }
  function beside(event) {
    const right = 2 * event.offsetX > lines.clientWidth;
    const place = floor((event.offsetY - 24) / ladder);
    if (place >= 0 && place < (right ? wide : high)) return { row: right ? null : place, column: right ? place : null };
    return null;
  }

  // --- showing it
  const query = (row) => shown.from.tokens[rows[row]];
  const key = (column) => shown.to.tokens[columns[column]];
  const linkOf = (row, column) => ({ row, column, weight: map[row * wide + column] });

  function showGrid() {
    const inOrder = (layer) => (sort.checked ? [...layer].sort((one, other) => one.rank - other.rank) : layer);
    heads.style.setProperty("--count", grid[0].length);
    heads.hidden = grid.flat().length < 2;
    heads.replaceChildren(...grid.flatMap((layer, place) => [
      element("span", {}, shown.layers[place]), ...inOrder(layer).map(({ button }) => button)]));
  }
  function draw() {
    const focus = pointed ?? pinned;
    const down = focus?.row === null;
    const near = range(focus ? (down ? high : wide) : 0)
      .map((place) => (down ? linkOf(place, focus.column) : linkOf(focus.row, place)))
      .filter(({ weight }) => weight > 0.001).sort((one, other) => other.weight - one.weight);
    // The tokens whose labels matter now: those in focus, and where their strongest links lead.
    const strong = (which) => (focus ? [focus, ...near.slice(0, 6)] : []).map((link) => link[which])
      .filter((place) => place !== null);
    if (heat.parentNode.clientWidth) {
      const names = [rows.map((_, row) => query(row)), columns.map((_, column) => key(column))];
      const { from, to, colour } = shown;
      const { segments } = from;
      const breaks = range(from === to ? high : 0).filter((row) => segments[rows[row]] !== segments[rows[row - 1] ?? 0]);
      box = drawHeat(heat, image, names, focus, strong, breaks);
      list.style = `top: ${box.top}px; width: ${box.left}px; height: ${box.height}px`;
      ladder = drawLines(lines, box, names, colour, strong, links, near);
    }
    [...list.children].forEach((option, row) => option.setAttribute("aria-selected", pinned?.row === row));
    const said = focus ? [] : ["Point at a token or cell, or use the arrow keys; Enter pins, Esc clears."];
    if (focus) {
      const { row, column } = focus;
      const { weight } = linkOf(row, column);
      if (!down && column !== null) {
        said.push(bold(query(row)), " → ", bold(key(column)), ` ${weight >= 0 ? weight.toFixed(4) : "masked"} · `);
      }
      said.push(bold(down ? key(column) : query(row)), down ? " is looked at by" : " looks at",
        near.length ? "" : " nothing");
      for (const link of near.slice(0, 5)) {
        said.push(" ", bold(down ? query(link.row) : key(link.column)), ` ${percent(link.weight)}`);
      }
    }
    detail.replaceChildren(...said);
  }
  // Of two sentences, how much of each one's attention stays and how much crosses over.
  function showBlocks() {
    const { segments } = shown.from;
    const [sums, totals] = [{}, {}];
    if (shown.from === shown.to && new Set(segments).size > 1) {
      map.forEach((weight, place) => {
        const from = segments[rows[floor(place / wide)]];
        const pair = `${from} → ${segments[columns[place % wide]]}`;
        sums[pair] = (sums[pair] ?? 0) + (weight || 0);
        totals[from] = (totals[from] ?? 0) + (weight || 0);
      });
    }
    blocks.textContent = Object.entries(sums).map(([pair, sum]) => (
      `sentence ${pair} ${percent(sum / totals[pair[0]])}`)).join(" · ");
  }
  function showTable() {
    if (!details.open) return;
    const line = (tag, ...cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    table.replaceChildren(line("th", "weight", "looks", "looked at"), ...links.slice(0, 20).map((link) => (
      line("td", link.weight.toFixed(4), bold(query(link.row)), bold(key(link.column))))));
  }

  const release = (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    point(null);
  };
  const panels = element("div", { class: "panels" },
    element("div", {}, heads, "Rows: layers; columns: heads; bars: entropy."),
    element("div", { class: "map" }, heat, list), element("div", {}, lines));
  const view = element("div", { class: "view", role: "group", "aria-label": "Attention explorer", onkeydown: release },
    element("div", { class: "controls" }, header.attentions.length > 1 ? choice : "", hideLabel, sortLabel),
    title, detail, panels, blocks, details, voice.region);
  redrawing(panels, [heat], draw);
  show(0);
  return view;
}

start("attention", build);
