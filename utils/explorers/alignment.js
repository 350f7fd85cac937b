// The alignment view: one generated word after another, the source words it looked at, and the gold links. Its data
// come from alignment.py.

const HINT = "Point at a generated word or at the map, or walk there with the arrow keys; Enter goes to that word, Esc "
  + "back to the whole sentence.";
const FAINT = 0.05; // weights below get no line while the whole sentence is shown
const ACCENT = "#D55E00";
const VERDICTS = ["no link", "possible link", "sure link"];

function build({ header, arrays }) {
  const { sources, targets, path, judged } = header;
  const [rows, columns] = [targets.length, sources.length];
  const byte = (row, column) => arrays.weights[row * columns + column];
  const weight = (row, column) => (byte(row, column) / 255) ** 2;
  const gold = (row, column) => arrays.gold[row * columns + column];
  // From 0, a word each; the step after the last word is the whole sentence.
  let step = rows;
  let pointed = null; // {row, column}, no column where it is a word that is pointed at
  let cursor = { row: 0, column: 0 };
  let box;
  const voice = announcer();
  const name = (text) => element("bdi", { dir: "auto" }, text);
  const said = (text) => name(`“${text}”`);

  // --- the parts
  const caption = element("b");
  const slider = element("input", {
    type: "range", min: 0, max: rows, "aria-label": "Generated word", oninput: () => go(Number(slider.value)),
  });
  const [back, next] = [["‹ Back", -1], ["Next ›", 1]].map(([text, by]) => (
    element("button", { type: "button", onclick: () => go(step + by) }, text)));
  const lines = element("canvas", { "aria-hidden": true });
  const above = sources.map((token) => element("span", { class: "word", title: token }, name(token)));
  const below = targets.map((token, row) => element("span", {
    class: "word target",
    role: "option",
    title: token,
    onclick: () => go(row),
    onfocus: () => { cursor.row = row; point({ row }); },
    onblur: () => point(null),
    // Not on entering: words may also come to lie under a pointer at rest, while somebody walks with the keys.
    onmousemove: () => pointed?.row !== row && point({ row }),
    onmouseleave: () => point(null),
  }, name(token)));
  const list = element("div", { role: "listbox", "aria-label": "Generated words", onkeydown: walk }, ...below);
  const words = element("div", { class: "words" }, lines, ...above, list);
  const map = element("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label": "Heat map: generated words down, source words across",
    onkeydown: walk,
    onfocus: () => point(cursor),
    onblur: () => point(null),
    onmousemove: (event) => point(cellAt(event, map, box, rows, columns)),
    onmouseleave: () => point(null),
    onclick: () => pointed && go(pointed.row),
  });
  const image = heatImage(rows, columns, (row, column) => (path[row] === null ? null : byte(row, column)));
  const holder = element("div", { class: "scroll" }, map);
  const detail = element("p", { class: "detail" });
  const table = element("table");
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "The strongest links as a table"),
    element("div", { class: "scroll" }, table));
  const key = { ramp: "weight 0 to 1", dot: "strongest" };
  if (judged) Object.assign(key, { sure: "gold: sure", possible: "gold: possible" });

  // --- the reader's actions
  function go(to) {
    step = Math.max(0, Math.min(rows, to));
    if (step < rows) cursor = { row: step, column: path[step] ?? 0 };
    pointed = null;
    show();
    voice.say(`${caption.textContent}. ${detail.textContent}`);
  }
  function point(place) {
    pointed = place;
    show();
    if (place) voice.say(detail.textContent);
  }
  // Among the words every arrow goes to the next or the last one; on the map each goes its way.
  function walk(event) {
    const onMap = event.currentTarget === map;
    const { row, column } = cursor;
    const [down, across] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
    const end = { Home: 0, End: (onMap ? columns : rows) - 1 }[event.key];
    if (down === undefined && end === undefined) {
      if (!(event.key === " " || (event.key === "Enter" && !event.shiftKey))) return;
      go(row);
    } else if (!onMap) below[end ?? row + down + across]?.focus();
    else {
      const goal = { row: row + (down ?? 0), column: end ?? column + across };
      if (targets[goal.row] !== undefined && sources[goal.column] !== undefined) point(cursor = goal);
    }
    event.preventDefault();
  }
  const release = (event) => event.key === "Escape" && go(rows);

  // --- where the words stand: two sentences above each other where they fit, else two columns
  function place() {
    const pen = map.getContext("2d");
    pen.font = "18px system-ui, sans-serif";
    const room = words.clientWidth;
    const wide = (tokens) => tokens.map((token) => Math.min(160, Math.max(28, pen.measureText(token).width + 22)));
    const sum = (widths) => widths.reduce((total, width) => total + width, 0);
    const both = [wide(sources), wide(targets)];
    const across = Math.max(...both.map(sum)) <= room;
    words.classList.toggle("across", across);
    const longest = Math.max(rows, columns);
    const dense = !across && longest > 20;
    words.classList.toggle("dense", dense);
    const pitch = dense ? 19 : 30;
    [above, below].forEach((all, lower) => {
      let x = (room - sum(both[lower])) / 2;
      all.forEach((word, number) => {
        const width = across ? both[lower][number] : 0.37 * room;
        const [left, top] = across ? [x, 132 * lower] : [0.63 * room * lower, pitch * number];
        Object.assign(word.style, { left: `${left}px`, top: `${top}px`, width: `${width}px` });
        word.end = across ? [x + width / 2, lower ? 132 : 34] : [lower ? left : width, top + pitch / 2 + 2];
        x += width;
      });
    });
    words.style.height = `${across ? 166 : pitch * longest + 4}px`;
  }

  // --- showing it
  function show() {
    const whole = step === rows;
    slider.value = step;
    caption.replaceChildren(...(whole ? ["Whole sentence"] : [`Word ${step + 1} of ${rows}: `, said(targets[step])]));
    slider.setAttribute("aria-valuetext", caption.textContent);
    back.disabled = step === 0;
    next.disabled = whole;
    const row = pointed?.row ?? (whole ? null : step);
    showLines(row);
    showMap(row);
    detail.replaceChildren(...(row === null ? [HINT] : sentence(row, pointed?.column)));
    below.forEach((word, number) => {
      word.setAttribute("aria-selected", number === step);
      word.tabIndex = number === cursor.row ? 0 : -1;
      word.classList.toggle("later", number > step);
      word.classList.toggle("on", number === row);
    });
    above.forEach((word, column) => word.classList.toggle("on", row !== null && path[row] === column));
  }

  function showLines(only) {
    const pen = sharp(lines, words.clientWidth, words.clientHeight);
    // The strongest come last, to lie on top.
    for (const strongest of [false, true]) {
      pen.strokeStyle = strongest ? ACCENT : "#009E73";
      pen.globalAlpha = strongest ? 1 : 0.6;
      targets.forEach((_, row) => above.forEach((word, column) => {
        const share = weight(row, column);
        if (strongest !== (path[row] === column)) return;
        if (only === null ? share < FAINT && !strongest : row !== only) return;
        const [[x1, y1], [x2, y2]] = [word.end, below[row].end];
        const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
        pen.beginPath();
        pen.moveTo(x1, y1);
        pen.bezierCurveTo(...(words.classList.contains("across") ? [x1, y, x2, y] : [x, y1, x, y2]), x2, y2);
        pen.lineWidth = 0.3 + 9 * share;
        pen.stroke();
      }));
    }
  }

  function showMap(chosen) {
    const room = holder.clientWidth;
    const left = Math.min(120, 0.28 * room);
    const cell = Math.max(6, Math.min(36, (room - left - 4) / columns));
    const tall = Math.max(16, cell);
    const top = 104;
    box = { left, top, width: cell * columns, height: tall * rows };
    const pen = sharp(map, left + box.width + 2, top + box.height + 2);
    const seen = Math.min(rows, step + 1);
    paintHeat(pen, image, box);
    // What has not been generated yet is not there yet.
    pen.clearRect(left, top + tall * seen, box.width, box.height);
    pen.font = `${Math.min(14, Math.max(10, cell - 2))}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    targets.forEach((token, row) => {
      pen.globalAlpha = row < seen ? 1 : 0.5;
      label(pen, token, left - 6, top + tall * (row + 0.5), left - 8);
    });
    pen.globalAlpha = 1;
    pen.textAlign = "left";
    const every = Math.ceil(11 / cell);
    sources.forEach((token, column) => {
      if (column % every) return;
      pen.save();
      pen.translate(left + cell * (column + 0.5), top - 6);
      pen.rotate(-Math.PI / 2);
      label(pen, token, 0, 0, top - 8);
      pen.restore();
    });
    const edge = (row, column, size, dash) => [["#fff", 4, []], ["#000", 2, dash]].forEach(([colour, width, gaps]) => {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.setLineDash(gaps);
      const [w, h] = [cell * size, tall * size];
      pen.strokeRect(left + cell * (column + 0.5) - w / 2, top + tall * (row + 0.5) - h / 2, w, h);
    });
    for (let row = 0; row < seen; row++) {
      sources.forEach((_, column) => gold(row, column) && edge(row, column, 0.8, gold(row, column) > 1 ? [] : [4, 3]));
    }
    pen.setLineDash([]);
    pen.strokeStyle = "#fff";
    pen.fillStyle = ACCENT;
    path.slice(0, seen).forEach((column, row) => {
      if (column === null) return;
      pen.beginPath();
      pen.arc(left + cell * (column + 0.5), top + tall * (row + 0.5), Math.max(2, 0.19 * cell), 0, 7);
      pen.fill();
      pen.stroke();
    });
    if (chosen === null) return;
    pen.strokeStyle = ACCENT;
    pen.strokeRect(left, top + tall * chosen, box.width, tall);
    if (pointed?.column !== undefined) edge(chosen, pointed.column, 1, []);
  }

  const linked = (row, column) => (judged ? ` (gold: ${VERDICTS[gold(row, column)]})` : "");
  function sentence(row, column) {
    if (path[row] === null) return [said(targets[row]), " may look at nothing."];
    const ranked = sources.map((_, number) => number).sort((one, two) => weight(row, two) - weight(row, one)).slice(0, 3);
    return [said(targets[row]), " looks at ", ...(column === undefined ? ranked : [column]).flatMap((number) => [
      said(sources[number]), ` with ${percent(weight(row, number))}${linked(row, number)}`, ", "]).slice(0, -1)];
  }
  function showTable() {
    if (!details.open || table.firstChild) return;
    const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    table.append(line("th", ["generated word", "looks most at", "weight", judged ? "gold" : ""]),
      ...targets.map((token, row) => line("td", [name(token), ...(path[row] === null ? ["nothing"]
        : [name(sources[path[row]]), weight(row, path[row]).toFixed(4), judged ? VERDICTS[gold(row, path[row])] : ""])])));
  }

  const view = element("div", { class: "view", role: "group", "aria-label": "Alignment view", onkeydown: release },
    element("div", { class: "stepper" }, back, element("label", {}, caption, slider), next), words,
    element("div", { class: "columns" }, holder, element("div", {}, detail,
      ...header.notes.map((note) => element("p", { class: "note" }, note)),
      element("p", { class: "key" },
        ...Object.entries(key).map(([kind, text]) => element("span", {}, element("i", { class: kind }), text))))),
    details, voice.region);
  redrawing(view, [map], () => { place(); show(); });
  return view;
}

start("alignment", build);
