// The steps of attention: four stages, each a table of numbers with the arithmetic of every cell. Its data come from
// steps.py; everything else is computed here.

const STAGES = [
  { name: "Scores", now: [1], title: "Scores QKᵀ ÷ √d", left: "Query Q", top: "Key, turned: Kᵀ" },
  { name: "Mask", now: [2], title: "Masked scores", left: "Scores" },
  { name: "Softmax", now: [0, 3], title: "Weights", left: "Masked scores" },
  { name: "Context", now: [4], title: "Contexts", left: "Weights", top: "Value V" },
];
const HINT = "Point at a number, or walk with the arrow keys, to see where it comes from; Enter pins it, Esc lets go, "
  + "Page Up and Page Down change the step.";

// At most six characters, so that eight columns fit a narrow page.
function rounded(value) {
  const size = Math.abs(value);
  if (size >= 999.5) return value.toExponential(1).replace("e+", "e");
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}
const signed = (text) => text.replace(/^-(?=[0.]+$)/, "").replace("-", "−");
const number = (value) => (value === -Infinity ? "−∞" : signed(rounded(value)));
const near = (value, text) => Math.abs(value - Number(text)) <= 1e-6 * Math.max(1, Math.abs(value));
const precise = (value) => value === -Infinity || near(value, rounded(value));
// "= 0.60" where that is the whole truth, "≈ 0.6013" where a number was rounded.
function equals(value, ...from) {
  const fine = precise(value) || Math.abs(value) >= 100 ? rounded(value) : value.toFixed(4);
  return `${from.every(precise) && near(value, fine) ? "=" : "≈"} ${signed(fine)}`;
}
const factor = (value) => number(value).replace(/^−.*/, "($&)");
const products = (left, right) => left.map((value, place) => `${number(value)}·${factor(right[place])}`).join(" + ");
const dot = (left, right) => left.reduce((total, value, place) => total + value * right[place], 0);

// The place of a weight in the ramp that the style sheet lays behind it, and the ink that is easier to read there.
const shade = (share) => `background-position: ${100 * share}%; color: ${share < 0.45 ? "#fff" : "#000"}`;

function build({ header, arrays }) {
  const { tokens, keys, size, allowed, causal } = header;
  const [query, key, value] = [["query", tokens], ["key", keys], ["value", keys]].map(([each, names]) => {
    const width = arrays[each].length / names.length;
    return names.map((_, row) => Array.from(arrays[each].subarray(row * width, (row + 1) * width)));
  });
  const turned = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));
  const dimensions = (count) => Array.from({ length: count }, (_, place) => `d${place + 1}`);
  const dots = query.map((asking) => key.map((asked) => dot(asking, asked)));
  const scores = dots.map((row) => row.map((product) => product / Math.sqrt(size)));
  const masked = scores.map((row, i) => row.map((score, j) => (allowed[i][j] ? score : -Infinity)));
  // Far from zero, exp would overflow: then the row's highest score is taken off first, which changes no weight.
  const offsets = masked.map((row) => Math.max(...row)).map((highest) => (
    Math.abs(highest) > 20 && highest > -Infinity ? highest : 0));
  const powers = masked.map((row, i) => row.map((score) => Math.exp(score - offsets[i])));
  const sums = powers.map((row) => row.reduce((total, power) => total + power, 0));
  const weights = powers.map((row, i) => row.map((power) => (sums[i] ? power / sums[i] : 0)));
  const context = weights.map((row) => turned(value).map((column) => dot(row, column)));
  const results = [scores, masked, weights, context];

  let stage = 0;
  let [place, pinned, pointed, shown] = [[0, 0], null, null, null];
  const voice = announcer();
  const name = (text) => element("bdi", { dir: "auto" }, text);
  const said = (text) => name(`“${text}”`);

  // --- what each stage says
  const intentions = [
    `Each query meets each key: their dot product says how well they match. Dividing by √d, here √${size} `
      + `${equals(Math.sqrt(size))}, keeps it from growing with the number of dimensions.`,
    allowed.flat().includes(false)
      ? `Where a query may not look, −∞ takes the place of the score${causal ? ": here, at all that comes later" : ""}.`
      : "Nothing is masked here: every query may look at every key, and the scores stay as they are.",
    "Each row becomes shares of one: exp makes every score positive (and −∞ zero), and dividing by the row’s sum makes "
      + "the row add up to 1.",
    "Each context is a weighted sum of the value rows. Their shading shows how much of each.",
  ];

  function arithmetic(i, j) {
    const [asking, asked, score] = [said(tokens[i]), stage < 3 && said(keys[j]), number(scores[i][j])];
    if (stage === 0) {
      const [whole, scaled] = [dots, scores].map((each) => equals(each[i][j], ...query[i], ...key[j]));
      return [asking, " · ", asked, `: ${products(query[i], key[j])} ${whole}, ÷ √${size} ${scaled}`];
    }
    if (stage === 1) {
      if (allowed[i][j]) return [asking, " may look at ", asked, `: ${score} + 0 = ${score}`];
      const why = causal && j > i ? `which stands later (${j + 1} > ${i + 1})` : "which the mask forbids";
      return [asking, " may not look at ", asked, `, ${why}: ${score} + (−∞) = −∞`];
    }
    if (stage === 2) {
      if (!sums[i]) return [asking, " may look at nothing, so there is nothing to share out: all its weights are 0"];
      const power = (each) => `exp(${number(each - offsets[i])})`;
      const taken = offsets[i] ? ` (the row’s highest, ${number(offsets[i])}, taken off each score first)` : "";
      return [asking, " → ", asked, `: ${power(masked[i][j])} ÷ (${masked[i].map(power).join(" + ")}) ≈ `
        + `${number(powers[i][j])} ÷ (${powers[i].map(number).join(" + ")}) ${equals(weights[i][j], ...powers[i])}${taken}`];
    }
    const parts = weights[i].flatMap((weight, k) => (
      weight ? [" + ", `${number(weight)} × value of `, said(keys[k])] : [])).slice(1);
    const column = turned(value)[j];
    return ["Context of ", asking, " = ", ...(parts.length ? parts : ["nothing: all is masked"]), element("br"),
      `d${j + 1}: ${products(weights[i], column)} ${equals(context[i][j], ...weights[i], ...column)}`];
  }

  // --- the tables
  function matrix(title, values, names, columns, { live = false, shaded = false } = {}) {
    const cells = values.map((row, i) => row.map((each, j) => {
      const shut = each === -Infinity || (shaded && !allowed[i][j]);
      const cell = element("span", {
        role: live ? "gridcell" : "cell",
        class: `cell ${shut ? "shut" : shaded ? "heat" : ""}`,
        style: shaded && !shut && shade(each),
      }, number(each));
      if (!live) return cell;
      cell.dataset.value = each.toFixed(6);
      cell.onfocus = () => { reach([i, j]); point([i, j]); };
      // Not on entering: a table may also come to lie under a pointer at rest, while somebody walks with the keys.
      cell.onmousemove = () => String(pointed) !== String([i, j]) && point([i, j]);
      cell.onblur = cell.onmouseleave = () => point(null);
      cell.onclick = () => pin([i, j]);
      return cell;
    }));
    const head = (role, text) => element("span", { role, title: text }, name(text));
    const total = (text, role = "cell") => (live && shaded ? [element("b", { role }, text)] : []);
    const line = (...parts) => element("div", { role: "row" }, ...parts);
    const style = `--columns: ${columns.length + (live && shaded)}`;
    const heads = ["", ...columns].map((text) => head("columnheader", text));
    const grid = element("div", { class: "grid", role: live ? "grid" : "table", "aria-label": title, style },
      line(...heads, ...total("sum", "columnheader")), ...values.map((row, i) => (
        line(head("rowheader", names[i]), ...cells[i], ...total(number(row.reduce((all, each) => all + each)))))));
    if (live) grid.onkeydown = walk;
    return { cells, box: element("div", { class: "matrix" }, element("h4", {}, title), grid) };
  }

  const tabs = STAGES.map((each, at) => element("button", { type: "button", role: "tab", onclick: () => go(at) },
    element("b", {}, `${at + 1} `), each.name));
  const [back, next] = [["‹ Back", -1], ["Next ›", 1]].map(([label, by]) => (
    element("button", { type: "button", onclick: () => go(stage + by) }, label)));
  const formula = ["softmax(", "QKᵀ ÷ √d", " + mask", ")", " · V"].map((part) => element("span", {}, part));
  const [intention, product] = [element("p", { class: "intention" }), element("div", { class: "product" })];
  const [detail, fitting] = [element("p", { class: "detail" }), element("style")];
  const [table, summary] = [element("div", { class: "scroll" }), element("summary", {}, "All numbers as a table")];
  const details = element("details", { ontoggle: showTable }, summary, table);

  // --- the reader's actions
  function go(to, focus = false) {
    if (!STAGES[to]) return;
    [stage, pointed] = [to, null];
    show();
    if (focus) shown.result.cells[place[0]][place[1]].focus();
    voice.say(`${STAGES[stage].name}. ${intention.textContent}`);
  }
  function walk(event) {
    const [i, j] = place;
    const [down, across] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], Home: [0, -j],
      End: [0, results[stage][0].length - 1 - j] }[event.key] ?? [];
    const by = { PageDown: 1, PageUp: -1 }[event.key];
    if (down !== undefined) shown.result.cells[i + down]?.[j + across]?.focus();
    else if (by) go(stage + by, true);
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === " ") pin(place);
    else return;
    event.preventDefault();
  }
  function turn(event) {
    const goal = { ArrowRight: stage + 1, ArrowLeft: stage - 1, Home: 0, End: STAGES.length - 1 }[event.key];
    tabs[goal]?.click();
    tabs[goal]?.focus();
    if (tabs[goal]) event.preventDefault();
  }
  function point(cell) {
    pointed = cell;
    showDetail();
    if (cell) voice.say(detail.textContent);
  }
  function pin(cell) {
    pinned = String(pinned) === String(cell) ? null : cell;
    reach(cell);
    showDetail();
  }
  // The one cell that the Tab key reaches.
  function reach([i, j]) {
    const { cells } = shown.result;
    cells.flat().forEach((cell) => { cell.tabIndex = -1; });
    cells[i][j].tabIndex = 0;
    place = [i, j];
  }

  // --- showing it
  function show() {
    const { title, left, top, now } = STAGES[stage];
    const [columns, names] = [stage ? keys : dimensions(size), stage === 3 ? dimensions(value[0].length) : keys];
    shown = {
      left: matrix(left, [query, scores, masked, weights][stage], tokens, columns, { shaded: stage === 3 }),
      top: top && matrix(top, stage ? value : turned(key), columns, names),
      result: matrix(title, results[stage], tokens, names, { live: true, shaded: stage === 2 }),
    };
    ["left", "result"].forEach((part) => shown[part].box.classList.add(part));
    product.replaceChildren(...Object.values(shown).flatMap((part) => part?.box ?? []));
    // Side by side needs room for both widths; where there is less, one table stands under the other. Where there is
    // more than enough, the numbers grow, to be read from the back of a room.
    const room = (label, cell) => 58 + 2 * label + cell * (columns.length + names.length + (stage === 2));
    fitting.textContent = `@container (min-width: ${room(92, 70)}px) {
      .view { --label: 90px; --cell: 68px; --row: 36px; --size: 19px } }
      @container (max-width: ${room(58, 48)}px) { .product { display: block } }`;
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", at === stage);
      tab.tabIndex = at === stage ? 0 : -1;
    });
    [back.disabled, next.disabled] = [stage === 0, stage === 3];
    formula.forEach((span, at) => span.classList.toggle("now", now.includes(at)));
    intention.textContent = intentions[stage];
    reach([place[0], Math.min(place[1], names.length - 1)]);
    showDetail();
  }

  function showDetail() {
    const chosen = pointed ?? pinned;
    const { left, top, result } = shown;
    [left, top, result].flatMap((each) => each?.cells.flat() ?? []).forEach((cell) => {
      cell.classList.remove("lit");
      cell.style.removeProperty("--share");
    });
    if (chosen === null) return detail.replaceChildren(HINT);
    const [i, j] = [chosen[0], Math.min(chosen[1], result.cells[0].length - 1)];
    result.cells[i][j].classList.add("lit");
    (stage === 1 ? [left.cells[i][j]] : left.cells[i]).forEach((cell) => cell.classList.add("lit"));
    top?.cells.forEach((row, k) => {
      row[j].classList.add("lit");
      if (stage === 3) row.forEach((cell) => cell.style.setProperty("--share", `${60 * weights[i][k]}%`));
    });
    return detail.replaceChildren(...arithmetic(i, j));
  }

  function showTable() {
    if (!details.open || table.firstChild) return;
    const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    const long = (each) => (each === -Infinity ? "−∞" : signed(each.toFixed(4)));
    table.append(
      element("table", {}, line("th", ["query", "key", "q·k", "÷ √d", "masked", "weight"]),
        ...tokens.flatMap((token, i) => keys.map((asked, j) => line("td", [
          name(token), name(asked), ...[dots, scores, masked, weights].map((each) => long(each[i][j]))])))),
      element("table", {}, line("th", ["context", "", ...dimensions(value[0].length)]),
        ...tokens.map((token, i) => line("td", [name(token), "", ...context[i].map(long)]))),
    );
  }

  const release = (event) => event.key === "Escape" && point(pinned = null);
  const view = element("div", { class: "view", role: "group", "aria-label": "Attention step by step", onkeydown: release },
    fitting, element("p", { class: "formula" }, ...formula),
    element("div", { class: "stepper" },
      element("div", { role: "tablist", "aria-label": "Steps", onkeydown: turn }, ...tabs), back, next),
    intention, element("div", { class: "scroll" }, product), detail, details, voice.region);
  show();
  return view;
}

start("steps", build);
