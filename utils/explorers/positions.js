// Position vectors: a map, two dimensions as waves and as a clock, dot products. Data from positions.py.

const signed = (value) => (value < 0 ? "−" : "+") + abs(value);
const fixed = (value) => (real(value) ? value.toFixed(3).replace("-", "−") : "–");

function build({ header, arrays }) {
  const { tables, labels, start } = header;
  let number; // of the table
  let table;
  let chosen = start; // {position, distance, column}
  let pointed = {}; // what the pointer or the keys would choose instead
  const voice = announcer();
  const turnOf = (even) => arrays[`turns${number}`][(even + 1) >> 1];
  // The lowest or highest dot product or cosine of two positions so far apart.
  const bound = (kind, end, far) => arrays[`by_distance${number}`][(2 * kind + end) * table.positions + abs(far)];
  const name = (text) => element("bdi", { dir: "auto" }, text);

  // --- the parts
  const pointing = (read) => ({
    onmousemove: (event) => point(read(event)),
    onmouseleave: () => point({}),
    onclick: (event) => pin(read(event)),
  });
  const choice = (said, texts, onchange) => element("select", { "aria-label": said, onchange },
    ...texts.map((text) => element("option", {}, text)));
  const which = choice("Table", tables.map((each) => each.name), () => open(which.selectedIndex));
  const measure = choice("Likeness", ["dot product", "cosine"], show);
  const sliders = ["position", "distance", "column"].map((part, pair) => {
    const slider = element("input", { type: "range", oninput: () => pin({ [part]: slider.value * (pair > 1 ? 2 : 1) }) });
    return element("label", {}, element("b"), slider);
  });
  const detail = element("div", { class: "detail" });
  const value = element("output");
  const key = element("p", { class: "key" });
  const map = element("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label": "Map: positions by dimensions",
    onkeydown: walk,
    onblur: () => point({}),
    ...pointing((event) => {
      const { row: position, column } = cellAt(event, map, map.box, table.positions, table.size) ?? {};
      return column >= 0 && { position, column };
    }),
  });
  const face = element("figcaption");
  const [clock, row] = ["The hand of a clock", "More clocks"].map((said) => element("canvas", { role: "img", "aria-label": said }));
  const figure = (...parts) => element("figure", {}, ...parts);
  const clocks = figure(element("figcaption", {}, "The same positions on more clocks"), row);
  const [waves, bell] = ["position", "distance"].map((part, far) => {
    const chart = element("div", { class: "chart", ...pointing((event) => (
      { [part]: chart.under(event) - far * chosen.position })) });
    return chart;
  });
  const list = element("table");
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "The numbers as a table"),
    element("div", { class: "scroll" }, list));

  // --- the reader's actions
  function open(to) {
    number = to;
    table = tableOf(tables[to], arrays[`values${to}`], arrays[`largest${to}`]);
    pin({ position: min(chosen.position, table.last), column: min(chosen.column, table.size - 1) });
  }
  function point(instead) {
    pointed = instead;
    show();
    voice.say(detail.textContent);
  }
  function pin(instead) {
    chosen = { ...chosen, ...instead };
    point({});
  }
  function walk(event) {
    const [down, across] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
      Home: [0, -table.size], End: [0, table.size] }[event.key] ?? [];
    const { position, column } = { ...chosen, ...pointed };
    if (event.key === "Enter" && !event.shiftKey) pin(pointed);
    else if (down === undefined) return;
    else point({ position: max(0, min(table.last, position + down)), column: max(0, min(table.size - 1, column + across)) });
    event.preventDefault();
  }

  // --- showing it
  function show() {
    const { position: here, distance, column } = { ...chosen, ...pointed };
    const there = max(0, min(table.last, here + distance));
    const even = min(column - (column % 2), table.size - 2);
    const state = { here, there, even };
    const [far, turn, pair] = [there - here, turnOf(even), `imensions ${even} and ${even + 1}`];
    [[0, table.last, here, `Position p = ${here}`], [-table.last, table.last, far, `Distance k = ${signed(far)}`],
      [0, (table.size - 1) >> 1, (even + 1) >> 1, `D${pair}`]].forEach(([low, high, now, said], place) => {
      const [text, slider] = sliders[place].children;
      Object.assign(slider, { min: low, max: high, value: now, ariaValueText: said });
      text.textContent = said;
    });
    value.textContent = `position ${here}, dimension ${column}: ${fixed(table.at(here, column))}`;
    face.textContent = `D${pair}${real(turn) ? " as the hand of a clock" : ": no clock"}`;
    showTable();
    const width = map.parentNode.clientWidth;
    const way = drawClock(sharp(clock, width, 340), table, turn, state, [width / 2, 170], min(130, max(9, width / 2 - 44)), true);
    const [low, high] = [0, 1].map((end) => bound(0, end, far));
    const [dot, cosine] = table.alike(here, there);
    const [one, other] = [here, there].map((place) => [place, ...(labels ? [" ", name(`“${labels[place]}”`)] : [])]);
    const hands = [here, there].map((place) => `(${table.hand(place, even).map(fixed).join(", ")})`).join(" → ");
    const turns = `D${pair}: ${hands}. ${signed(far)} turns the hand by ${brief((180 * way) / PI)}°`;
    detail.replaceChildren(
      element("p", {}, "Positions ", ...one, " and ", ...other, `: dot product ${fixed(dot)}, cosine ${fixed(cosine)}. `,
        `Any two positions ${abs(far)} apart have `,
        tables[number].alone ? "this dot product." : `a dot product from ${fixed(low)} to ${fixed(high)}.`),
      element("p", {}, turns, real(turn) ? `, wherever it stands: one turn in ${brief(2 * PI / abs(turn))} positions.`
        : " here: it does not turn evenly."),
    );
    if (!width) return;
    map.box = drawMap(map, table, labels, width, state);
    key.replaceChildren(`≤ −${brief(table.scale)}`, element("i"), `≥ +${brief(table.scale)}`,
      table.positions > 316 || table.size > map.box.width ? " · neighbours share a pixel" : "");
    clocks.hidden = !real(turnOf(0));
    const wide = clocks.clientWidth;
    const count = min(table.size >> 1, wide > 440 ? 8 : 5);
    const pen = sharp(row, wide, 92);
    range(count).forEach((place) => {
      const each = 2 * floor(((table.size - 2) / 2) * (place / max(1, count - 1)));
      const x = (wide * (place + 0.5)) / count;
      drawClock(pen, table, turnOf(each), { here, there, even: each }, [x, 36], 32);
      pen.fillText(`${each}, ${each + 1}`, x, 88);
    });

    const x = range(table.positions);
    const chart = (box, title, lines) => {
      const ticks = wholeTicks(table.last).map((place) => [place, `${place}`]);
      box.under = drawChart(box, 240, { title, lines, label: "position", x, ticks, marked: [there], pointed: here }).under;
    };
    chart(waves, `D${pair} as waves`, [0, 1].map((odd) => ({
      name: `${even + odd}`, colour: PALETTE[2 + odd], values: x.map((place) => table.at(place, even + odd)),
    })));
    const kind = measure.selectedIndex;
    const likeness = x.map((place) => table.alike(here, place)[kind]);
    // Of all positions so far apart; a position with itself is left out, for it may be of any length.
    const bounds = ["lowest", "highest"].map((name, end) => ({
      name, colour: "#7F7F7F", values: x.map((place) => (place === here ? likeness[here] : bound(kind, end, place - here))),
    }));
    chart(bell, `${kind ? "Cosine" : "Dot product"} with position ${here}`,
      [...(tables[number].alone ? [] : bounds), { name: "", colour: PALETTE[1], values: likeness }]);
  }
  function showTable() {
    if (!details.open) return;
    const line = (tag, ...cells) => element("tr", {}, ...cells.map((each) => element(tag, {}, each)));
    const { position } = { ...chosen, ...pointed };
    list.replaceChildren(
      line("th", "k", "p + k", "dot product", "lowest at k", "highest", "cosine", "lowest at k", "highest"),
      ...[0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500].filter((far) => position + far <= table.last).map((far) => (
        line("td", far, position + far, ...[0, 1].flatMap((kind) => (
          [table.alike(position, position + far)[kind], bound(kind, 0, far), bound(kind, 1, far)].map(fixed)))))));
  }

  const two = (...parts) => element("div", { class: "two" }, ...parts);
  const view = element("div", {
    class: "view",
    role: "group",
    "aria-label": "Position vectors",
    onkeydown: ({ key: pressed }) => pressed === "Escape" && pin(start),
  }, element("p", {}, tables[1] ? which : name(tables[0].name), " ", measure), two(...sliders), detail,
  two(figure(element("figcaption", {}, "The table", value), map, key), figure(face, clock)), clocks, two(waves, bell), details,
  voice.region);
  open(0);
  redrawing(view, [map, clock, row], show);
  return view;
}

start("positions", build);
