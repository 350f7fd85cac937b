// Measured curves of some models over one x, and their difference from one of them. Data from CompareView.curves.

const HINT = "Point at the chart, or walk along it with the arrow keys; Enter pins, Esc clears.";

function build({ header, arrays }) {
  const { names, baseline, x_label: across, y_label: upward } = header;
  const x = [...arrays.x].map((value) => Number(value.toPrecision(7)));
  const cut = (array) => names.map((_, curve) => array.slice(curve * x.length, (curve + 1) * x.length));
  const values = cut(arrays.values);
  const bands = arrays.low ? { low: cut(arrays.low), high: cut(arrays.high) } : null;
  const shown = names.map(() => true);
  let pointed = null;
  let pinned = null;
  let cursor = 0;
  const voice = announcer();
  const name = (text) => element("bdi", { dir: "auto" }, text);
  const change = (curve, place) => values[curve][place] - values[baseline][place];
  const signed = (value) => (value > 0 ? "+" : "") + brief(value);

  // --- the parts
  const buttons = names.map((text, curve) => element("button", {
    type: "button", "aria-pressed": true, onclick: () => toggle(curve),
  }, element("i", { style: `background: ${PALETTE[curve]}` }), name(text)));
  const minus = element("input", { type: "checkbox", onchange: show });
  const minusLabel = element("label", {}, minus, " difference from ", name(names[baseline]));
  const chart = element("div", {
    class: "chart",
    tabindex: 0,
    role: "slider",
    "aria-label": `${upward} by ${across}`,
    "aria-valuemin": x[0],
    "aria-valuemax": x[x.length - 1],
    onkeydown: walk,
    onfocus: () => point(pinned ?? cursor),
    onblur: () => point(null),
    onmousemove: (event) => point(chart.drawn.under(event)),
    onmouseleave: () => point(null),
    onclick: (event) => pin(chart.drawn.under(event)),
  });
  const detail = element("p", { class: "detail" });
  const table = element("table");
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "All numbers as a table"),
    element("div", { class: "scroll" }, table));

  // --- the reader's actions
  function toggle(curve) {
    shown[curve] = !shown[curve];
    buttons[curve].setAttribute("aria-pressed", shown[curve]);
    show();
  }
  function point(place) {
    pointed = place;
    show();
    if (place !== null) voice.say(detail.textContent);
  }
  function pin(place) {
    pinned = cursor = place;
    show();
  }
  function walk(event) {
    const goal = { ArrowRight: cursor + 1, ArrowUp: cursor + 1, ArrowLeft: cursor - 1, ArrowDown: cursor - 1, Home: 0,
      End: x.length - 1 }[event.key];
    if (goal !== undefined) point(cursor = max(0, min(x.length - 1, goal)));
    else if (event.key === " " || (event.key === "Enter" && !event.shiftKey)) pin(cursor);
    else return;
    event.preventDefault();
  }
  const release = (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    point(null);
  };

  // --- showing it
  function show() {
    const place = pointed ?? pinned;
    const curves = names.map((_, curve) => curve).filter((curve) => shown[curve]);
    detail.replaceChildren(...(place === null ? [HINT] : sentence(place, curves)));
    chart.setAttribute("aria-valuenow", x[place ?? cursor]);
    chart.setAttribute("aria-valuetext", detail.textContent);
    if (!chart.clientWidth) return;
    const lines = curves.map((curve) => ({
      name: names[curve],
      colour: PALETTE[curve],
      values: minus.checked ? x.map((_, number) => change(curve, number)) : values[curve],
    }));
    // A difference of intervals is no interval of the difference.
    const shaded = minus.checked || !bands ? [] : curves;
    const ticks = (x.length > 1 ? roundTicks(x[0], x[x.length - 1]) : x)
      .filter((value) => value >= x[0] && value <= x[x.length - 1]).map((value) => [value, brief(value)]);
    chart.drawn = drawChart(chart, 380, {
      title: minus.checked ? `${upward}: difference from ${names[baseline]}` : upward,
      label: across, x, ticks, lines, marked: pinned === null ? [] : [pinned], pointed,
      reach: shaded.flatMap((curve) => [...bands.low[curve], ...bands.high[curve]]),
    });
    lines.forEach(({ colour, values: [...row] }) => {
      if (real(row[pointed])) chart.drawn.path(`M${chart.drawn.point(pointed, row[pointed])}h0`, "dots large", colour);
    });
    shaded.forEach((curve) => drawBand(bands.low[curve], bands.high[curve], PALETTE[curve]));
  }
  function drawBand(low, high, colour) {
    const { point, path } = chart.drawn;
    const parts = x.map((_, place) => (place && real(low[place] + low[place - 1] + high[place] + high[place - 1])
      ? `M${point(place - 1, low[place - 1])}L${point(place, low[place])}L${point(place, high[place])}`
        + `L${point(place - 1, high[place - 1])}Z` : ""));
    path(parts.join(""), "band", "", colour);
  }
  function sentence(place, curves) {
    const said = [`${across} `, element("b", {}, brief(x[place])), ": "];
    for (const curve of curves) {
      const value = values[curve][place];
      const band = bands && real(bands.low[curve][place])
        ? ` (${brief(bands.low[curve][place])} to ${brief(bands.high[curve][place])})` : "";
      said.push(name(names[curve]), " ", element("b", {}, real(value) ? brief(value) : "not measured"), band);
      if (curve !== baseline && real(change(curve, place))) said.push(`, ${signed(change(curve, place))}`);
      said.push(" · ");
    }
    return said.slice(0, -1);
  }
  function showTable() {
    if (!details.open || table.firstChild) return;
    const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    const number = (value) => (real(value) ? brief(value) : "–");
    const others = names.map((_, curve) => curve).filter((curve) => curve !== baseline);
    const ends = names.map((_, curve) => curve)
      .filter((curve) => bands && bands.low[curve].some(real));
    table.append(
      line("th", [across, ...names.map(name), ...ends.flatMap((curve) => [`${names[curve]}: low`, `${names[curve]}: high`]),
        ...others.map((curve) => `${names[curve]} − ${names[baseline]}`)]),
      ...x.map((value, place) => line("td", [brief(value), ...values.map((curve) => number(curve[place])),
        ...ends.flatMap((curve) => [number(bands.low[curve][place]), number(bands.high[curve][place])]),
        ...others.map((curve) => number(change(curve, place)))])),
    );
  }

  const view = element("div", { class: "view", role: "group", "aria-label": "Measured curves", onkeydown: release },
    element("div", { class: "controls" }, ...(names.length > 1 ? [...buttons, minusLabel] : [])), chart, detail, details,
    voice.region);
  new ResizeObserver(show).observe(view);
  show();
  return view;
}

start("curves", build);
