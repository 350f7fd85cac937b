// The steps of a translation: the encoder reads a word at a step, hands over a vector, the decoder writes a word at a
// step. Its data come from translation.py.

const ENCODER = "#0072B2";
const DECODER = "#D55E00";
const PAUSE = 1200; // milliseconds from step to step

function build({ header, arrays }) {
  const { sources, names, sizes, cells, directions, attends, notes } = header;
  const [read, written] = [header.read, header.written].map((places) => places.map((place) => names[place]));
  const [words, steps, bars] = [sources.length, read.length, header.top[0].length];
  const last = words + steps; // the steps: each source word from 0, the vector, each written word
  const own = header.read.map((place, at) => !at || place === header.written[at - 1]);
  const rowsOf = (array, width) => Array.from({ length: array.length / width }, (_, row) => (
    array.slice(row * width, (row + 1) * width)));
  // For each source word one state, or two where it is read both ways.
  const encoder = rowsOf(rowsOf(arrays.encoder, cells[0]), directions);
  const [moved, away] = [arrays.moved, arrays.away].map((array) => rowsOf([...array], directions));
  const [first, decoder] = [arrays.first, arrays.decoder].map((array) => rowsOf(array, cells[1]));
  const weight = (at, word) => (arrays.weights[at * words + word] / 255) ** 2;
  let [step, timer, place] = [0, null, 0];
  let states; // those of this step, drawn large
  const voice = announcer();
  const name = (text) => element("bdi", { dir: "auto" }, text);
  const said = (text) => name(`“${text}”`);
  const button = (text, onclick) => element("button", { type: "button", onclick }, text);

  // --- the parts
  const caption = element("b");
  const slider = element("input", {
    type: "range", min: 0, max: last, "aria-label": "Step", oninput: () => go(Number(slider.value)),
  });
  const [back, next] = [["‹ Back", -1], ["Next ›", 1]].map(([text, by]) => button(text, () => go(step + by)));
  const play = button("▶ Play", toggle);
  const sentence = element("p", { class: "sentence" });
  const canvases = ["Encoder", "Decoder"].map((kind, lower) => element("canvas", {
    role: "img",
    "aria-label": `${kind} states as coloured cells`,
    onclick: (event) => {
      const { left } = event.target.getBoundingClientRect();
      const column = Math.floor((event.clientX - left) / event.target.pitch);
      if (column < (lower ? steps + 1 : words)) go(column + lower * words);
    },
  }));
  const detail = element("p", { class: "detail" });
  const number = element("p");
  const large = element("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label": "This state, number by number",
    onkeydown: walk,
    onfocus: () => point(place),
    onblur: () => point(null),
    onmousemove: (event) => {
      const count = states[0].length;
      const cell = cellAt(event, large, large.box, states.length, count);
      point(cell && cell.row * count + cell.column);
    },
    onmouseleave: () => point(null),
  });
  const lines = Array.from({ length: bars + 1 }, () => {
    const [word, bar, share] = [name(""), element("i"), element("span")];
    return { word, bar, share, line: element("div", { class: "row" }, word, element("span", {}, bar), share) };
  });
  const list = element("div", {}, ...lines.map(({ line }) => line));
  const table = element("div", { class: "scroll" });
  const details = element("details", { ontoggle: showTable }, element("summary", {}, "All steps as tables"), table);

  // --- the reader's actions
  function move(to) {
    step = Math.max(0, Math.min(last, to));
    show();
    voice.say(detail.textContent);
  }
  function go(to) {
    stop();
    move(to);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
  }
  function toggle() {
    if (timer) return stop();
    move(step === last ? 0 : step + 1);
    play.textContent = "❚❚ Pause";
    timer = setInterval(() => {
      if (step === last || !view.isConnected) stop();
      else move(step + 1);
    }, PAUSE);
  }
  // Arrows go from step to step, but on the large state from number to number.
  function turn(event) {
    if (event.key === "Escape") stop();
    const goal = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: last }[event.key];
    if (goal === undefined || [slider, large].includes(event.target)) return;
    go(goal);
    event.preventDefault();
  }
  function walk(event) {
    const count = states[0].length;
    const end = count * states.length - 1;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: count, ArrowUp: -count, Home: -place, End: end - place }[event.key];
    if (by === undefined) return;
    if (place + by >= 0 && place + by <= end) point(place += by);
    event.preventDefault();
  }
  // Say one number of the large states, counted through all of them.
  function point(at) {
    const lower = step < words ? 0 : 1;
    if (at === null) return number.replaceChildren(notes.shown[lower]);
    const [count, size] = [cells[lower], sizes[lower]];
    const row = Math.floor(at / count);
    const which = states.length > 1 ? `${lower ? `layer ${row + 1}` : ["forward", "backward"][row]}, ` : "";
    number.textContent = `${which}number ${Math.floor(((at % count) * size) / count) + 1} of ${size}: `
      + signed(value(states[row][at % count]));
    return voice.say(number.textContent);
  }

  // --- showing it
  function show() {
    const at = step - words - 1; // of the decoder's steps
    caption.textContent = at >= 0 ? `Decoder: step ${at + 1} of ${steps}` : step < words
      ? `Encoder: step ${step + 1} of ${words}` : "The vector handed over";
    slider.value = step;
    slider.setAttribute("aria-valuetext", caption.textContent);
    // Not disabled in earnest: a button in focus would then swallow the arrow keys.
    [back.ariaDisabled, next.ariaDisabled] = [step === 0, step === last];
    const opposite = words - 1 - step; // where the backward reader is
    states = at >= 0 ? [decoder[at]] : step < words ? encoder[step].map((_, row) => encoder[row ? opposite : step][row]) : first;
    sentence.replaceChildren(...(at < 0 ? ["…"] : written.slice(0, at + 1).flatMap((word, place) => [
      element(place === at ? "mark" : "span", { class: own[place + 1] === false && "off" }, name(word)), " "])));
    detail.replaceChildren(...(at >= 0 ? writing(at) : step < words ? reading(step, opposite) : [notes.handed]));
    showMachines(at, opposite);
    list.hidden = at < 0; // then the state has their room too
    showLarge();
    if (at >= 0) showBars(at);
  }

  function reading(at, opposite) {
    const after = `moves the state by ${signed(moved[at][0])}`;
    if (directions < 2) return ["The encoder reads ", said(sources[at]), `, which ${after}.`];
    return ["Forward, the encoder reads ", said(sources[at]), `, which ${after}; backward it reads `,
      said(sources[opposite]), `, which moves that state by ${signed(moved[opposite][1])}.`];
  }
  function writing(at) {
    const look = sources.map((_, word) => (attends ? weight(at, word) : 0));
    const most = Math.max(...look);
    return ["The decoder reads ", said(read[at]), ...(at === 0 ? [" to begin,"] : own[at] ? [", its own last word,"]
      : [" instead of its own word ", said(written[at - 1]), ","]),
    ...(most ? [" looks most at ", said(sources[look.indexOf(most)]), ` (${percent(most)})`]
      : attends ? [" may look at nothing"] : []),
    " and writes ", said(written[at]), ` (${percent(arrays.chosen[at])}).`];
  }

  function showMachines(at, opposite) {
    const looks = attends && at >= 0;
    machine(canvases[0], sources.map((head, word) => {
      const reached = [word <= step, word >= opposite]; // forward, backward
      const look = looks ? [weight(at, word)] : [];
      return {
        head,
        strips: encoder[word].map((state, row) => (
          { state: reached[row] && state, now: step < words && word === (row ? opposite : step) })),
        measures: looks ? look : (step < words ? moved : away)[word].map((size, row) => (reached[row] ? size : null)),
        looked: look[0],
        pale: at >= 0 && !attends,
      };
    }), {
      title: looks ? notes.looks : step < words ? notes.moved : notes.away,
      colour: ENCODER,
      shares: looks,
    });
    const vector = { state: step >= words && first[first.length - 1], now: step === words };
    machine(canvases[1], [{ head: "vector", strips: [vector], measures: [] }, ...decoder.map((state, column) => {
      const there = column <= at;
      return {
        head: there ? `${own[column] ? "" : "≠ "}${read[column]}` : "",
        strips: [{ state: there && state, now: column === at }],
        measures: [there ? arrays.steps[column] : null],
        foot: there ? written[column] : "",
        share: arrays.chosen[column],
      };
    })], { title: notes.moved, colour: DECODER, feet: true });
  }

  function showLarge() {
    const [width, tall] = [large.parentNode.clientWidth, step === words ? 72 : 44];
    const pen = sharp(large, width, tall * states.length);
    large.box = { left: 0, top: 0, width, height: tall * states.length };
    states.forEach((state, row) => strip(pen, state, [0, tall * row, width, tall - 4], true));
    place = Math.min(place, states.length * states[0].length - 1);
    point(null);
  }

  function showBars(at) {
    const chosen = header.written[at];
    const ranked = header.top[at].includes(chosen) ? header.top[at] : [...header.top[at], chosen];
    lines.forEach(({ word, bar, share, line }, rank) => {
      const size = rank < bars ? arrays.shares[at * bars + rank] : arrays.chosen[at];
      line.hidden = rank >= ranked.length;
      line.classList.toggle("chosen", ranked[rank] === chosen);
      line.dataset.share = size.toFixed(6);
      word.textContent = names[ranked[rank]];
      bar.style.width = `${100 * size}%`;
      share.textContent = percent(size);
    });
  }

  function showTable() {
    if (!details.open || table.firstChild) return;
    const line = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
    const list = (sizes) => sizes.map(signed).join(" / ");
    table.append(
      element("table", {}, line("th", notes.source),
        ...sources.map((word, at) => line("td", [at + 1, name(word), list(moved[at]), list(away[at])]))),
      element("table", {}, line("th", notes.target),
        ...read.map((word, at) => line("td", [at + 1, name(`${own[at] ? "" : "≠ "}${word}`),
          // Isolated, so that a word written from right to left keeps its place.
          header.top[at].map((place, rank) => `\u2068${names[place]}\u2069 ${
            arrays.shares[at * bars + rank].toFixed(4)}`).join(" · "),
          name(written[at]), arrays.chosen[at].toFixed(4), signed(arrays.steps[at])]))),
    );
  }

  const key = element("p", { class: "soft" }, "−1 ", element("i"), notes.key);
  const view = element("div", { class: "view", role: "group", "aria-label": "Steps of a translation", onkeydown: turn },
    element("div", { class: "stepper" }, back, play, element("label", {}, caption, slider), next),
    sentence, element("p", { class: "soft" }, name(notes.reference)),
    element("h4", {}, notes.encoder), element("div", {}, canvases[0]),
    element("h4", { class: "decoder" }, notes.decoder), element("div", {}, canvases[1]), detail,
    element("div", { class: "columns" }, element("div", {}, large, number, key), list), details, voice.region);
  redrawing(view, [...canvases, large], show);
  return view;
}

start("translation", build);
