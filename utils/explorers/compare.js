// Two maps of attention and the map of their difference, with curves over the layers or rows. Data from compare.py.

function build({ header, arrays }) {
  const { maps, apart, places, over, along, equal, most } = header; // of the maps, the third is the difference
  const sides = maps.slice(0, 2);
  const difference = maps[2];
  const rows = range(most[0]);
  const chosen = sides.map(({ start }) => start); // of each side the place of its layer, and its head from 1, 0: the mean
  const read = {};
  let shown; // what weightsOf gives for each side
  let pointed = null; // {side, row, column}, the column null for a whole row
  let pinned = null;
  let cursor = { row: 0, column: 0 };
  let curves; // at each place, a layer or a row, both entropies and the divergence
  const voice = announcer();
  const name = (text) => element("bdi", { dir: "auto" }, text);
  const at = (side, layer, head) => (read[[side, layer, head]] ??= weightsOf(sides[side], arrays[sides[side].stored],
    arrays[`shut${side}`], layer, head ? [head - 1] : range(sides[side].heads)));

  // --- the controls
  const choices = sides.map(({ choices: lists }, side) => lists.map((texts, which) => element("select", {
    "aria-label": which ? "Head" : "Layer",
    onchange: ({ target }) => move(side, which, target.selectedIndex),
  }, ...texts.map((text) => element("option", {}, text)))));
  const together = element("input", {
    type: "checkbox", disabled: !equal.includes(true), onchange: () => move(0, 0, chosen[0][0]),
  });
  together.checked = header.together;
  const both = element("label", {}, together, " move together");

  // --- the maps and the charts
  maps.forEach((map, side) => {
    const under = (event) => {
      const cell = cellAt(event, map.canvas, map.box, map.from.length, map.to.length);
      return cell && { side, ...cell };
    };
    map.value = element("output");
    map.canvas = element("canvas", {
      tabindex: side && difference ? -1 : 0,
      role: "application",
      "aria-label": `Heat map: ${map.name}`,
      onkeydown: (event) => walk(event, side),
      onfocus: (event) => walk(event, side),
      onblur: () => point(null),
      onmousemove: (event) => point(under(event)),
      onmouseleave: () => point(null),
      onclick: (event) => pin(under(event)),
    });
    map.figure = element("figure", {}, element("figcaption", {}, name(map.name), map.value),
      element("p", {}, ...(choices[side] ?? [both])), map.canvas);
  });
  const charts = maps.slice(1).map(() => element("div", { class: "chart" }));
  const slider = element("input", {
    type: "range", max: (over ? choices[1][0] : places).length - 1, "aria-label": along, oninput: () => take(Number(slider.value)),
  });
  const detail = element("p", { class: "detail" });
  const table = element("table");
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "The most changed links"),
    element("div", { class: "scroll" }, table));

  // --- the reader's actions
  function move(side, which, to) {
    chosen[side][which] = to;
    if (together.checked) chosen[1 - side] = chosen[1 - side].map((own, each) => (equal[each] ? chosen[side][each] : own));
    renew();
  }
  function point(place) {
    pointed = place;
    show();
    if (place) voice.say(detail.textContent);
  }
  function pin(place) {
    pinned = place;
    if (place) cursor = { row: place.row, column: place.column ?? 0 };
    show();
  }
  // Of the curves over the layers go to that one, of those over the rows pin it.
  function take(place) {
    if (over) move(choices[1][0][place] ? 1 : 0, 0, place);
    else pin({ side: sides[0].from[place] ? 0 : 1, row: place, column: null });
  }
  // A focus has no key: it goes to where the keyboard was, or as near as this map allows.
  function walk(event, side) {
    const { from, to } = maps[side];
    const end = to.length - 1;
    const [down, across] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], Home: [0, -end],
      End: [0, end], undefined: [0, 0] }[event.key] ?? [];
    if (event.key === "Enter" && !event.shiftKey) pin({ side, ...cursor });
    else if (down === undefined) return;
    else {
      const { row, column } = cursor;
      cursor = { row: max(0, min(from.length - 1, row + down)), column: max(0, min(end, column + across)) };
    }
    event.preventDefault();
    point({ side, ...cursor });
  }

  // --- showing it
  function renew() {
    shown = chosen.map(([layer, head], side) => at(side, layer, head));
    shown.forEach(({ map }, side) => { sides[side].map = map; });
    if (difference) difference.map = shown[1].map.map((weight, cell) => weight - shown[0].map[cell]);
    choices.flat().forEach((choice, place) => { choice.selectedIndex = chosen[place >> 1][place & 1]; });
    // Over the layers, the divergence is that of the same layer on both sides if they move together, else from the first's.
    curves = places.map((_, place) => {
      const pair = over ? chosen.map(([, head], side) => at(side, place, head)) : shown;
      const from = over && !together.checked ? shown[0] : pair[0];
      const among = over ? rows : [place];
      return [compared(...pair, among)[0], ...compared(from, pair[1], among).slice(1)];
    });
    showTable();
    show();
  }
  function show() {
    const focus = pointed ?? pinned;
    detail.replaceChildren(...(focus ? sentence(focus) : [
      `Mean of the rows: ${said(rows)}Point at a cell or use arrow keys; Enter pins, Esc clears.`,
    ]));
    slider.value = over ? chosen[1][0] : cursor.row;
    slider.ariaValueText = detail.textContent;
    const space = maps[0].figure.clientWidth;
    if (!space) return;
    const line = (which, text) => ({ name: text, colour: PALETTE[which], values: curves.map((each) => each[which]) });
    const from = over && !together.checked ? ` from ${sides[0].name}, layer ${places[chosen[0][0]]}` : "";
    charts.forEach((chart, number) => {
      const { under } = drawChart(chart, 230, {
        title: (number ? `Divergence${from}` : "Entropy") + " (bits)",
        label: along,
        x: range(places.length),
        lines: number ? [line(2, "")] : sides.map((side, which) => line(which, side.name)),
        ticks: [...places.entries()],
        marked: over ? chosen.map(([layer]) => layer) : pinned ? [pinned.row] : [],
        pointed: (over ? null : pointed?.row) ?? null,
      });
      chart.onclick = (event) => take(under(event));
    });
    const room = min(0.3 * space, 110, 9 * header.longest + 14);
    const cell = min(44, (space - room - 3) / most[1], 620 / most[0]);
    mixColours(getComputedStyle(view).backgroundColor.match(/[0-9.]+/g).map(Number));
    maps.forEach((map, side) => {
      const seen = focus && (difference || focus.side === side) ? focus : {};
      map.value.textContent = real(seen.column) ? written(side, seen.row * map.to.length + seen.column) : "";
      map.box = drawMap(map, side < 2 ? 0 : 511, room, cell, seen);
    });
  }
  function written(side, cell) {
    const value = maps[side].map[cell];
    return real(value) ? (side < 2 ? "" : value < 0 ? "−" : "+") + digits(abs(value)) : "masked";
  }
  const said = (among) => {
    const [one, other, far, varied] = compared(...shown, among).map(digits);
    return `entropy ${one} → ${other} bits${
      apart ? "" : `, Jensen–Shannon divergence ${far} bits, total variation ${varied}`}. `;
  };
  function sentence({ side, row, column }) {
    const { from, to } = maps[difference ? 2 : side];
    return [name(`“${from[row]}”`), ...(column === null ? [] : [" → ", name(`“${to[column]}”`)]), ": this row’s ",
      apart ? `entropy ${digits(bits(shown[side].rows[row]))} bits.` : said([row])];
  }
  function showTable() {
    if (!details.open) return;
    const line = (tag, ...cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    const { from, to, map } = difference;
    const order = range(map.length).filter((cell) => real(map[cell]))
      .sort((one, other) => abs(map[other]) - abs(map[one])).slice(0, 20);
    table.replaceChildren(line("th", "looks", "looked at", ...maps.map((each) => name(each.name))),
      ...order.map((cell) => line("td", name(from[floor(cell / to.length)]), name(to[cell % to.length]),
        ...maps.map((_, side) => written(side, cell)))));
  }

  const ramp = (kind) => element("i", { class: kind });
  const view = element("div", {
    class: "view",
    role: "group",
    "aria-label": "Comparison",
    onkeydown: ({ key }) => {
      if (key !== "Escape") return;
      pointed = null;
      pin(null);
    },
  }, element("div", {}, detail, // which stays in sight as far as this part goes
    element("div", { class: "maps" }, ...maps.map(({ figure }) => figure), difference ? "" : element("p", {}, apart, both)),
    element("p", { class: "key" }, "weight 0", ramp("ramp"), "1 · ",
      ...(difference ? ["difference −1", ramp("change"), "+1 · "] : []), "hatched: masked"),
    element("div", { class: "charts" }, ...charts), slider), difference ? details : "", voice.region);
  renew();
  redrawing(view, maps.map(({ canvas }) => canvas), show);
  return view;
}

start("compare", build);
