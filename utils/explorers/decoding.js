// The sampling explorer: sliders, bars and draws over stored next-token logits. Its data come from decoding.py.

function build({ header, arrays }) {
  const contexts = header.contexts.map((context, number) => {
    const below = distances(arrays[`steps${number}`], header.step);
    const names = Array.from(arrays[`names${number}`], (place) => header.names[place]);
    return { ...context, below, names, own: softmax(below, 1) };
  });
  const initial = { temperature: header.temperature, topK: header.top_k, topP: header.top_p };
  const ks = stops(Math.max(...contexts.map(({ below }) => below.length)), initial.topK);
  let settings = { ...initial };
  let context = contexts[0];
  let result, random, draws, last;
  let pinned = null;
  let pointed = null;
  let current = 0;
  const voice = announcer();

  // --- the controls
  const slider = (label, min, max, step, change) => {
    const value = element("b");
    const input = element("input", { type: "range", min, max, step, oninput: () => {
      change(Number(input.value));
      renew();
    } });
    return { input, value, box: element("label", { class: "slider" }, element("span", {}, label, value), input) };
  };
  const button = (label, onclick) => element("button", { type: "button", onclick }, label);
  const [coolest, hottest] = header.temperatures;
  const temperature = slider("Temperature", Math.log10(coolest), 0.48, 0.01, (position) => {
    settings.temperature = Math.min(hottest, Number((10 ** position).toFixed(2)));
  });
  const topK = slider("then top-k", 0, ks.length - 1, 1, (position) => {
    settings.topK = ks[position];
  });
  const topP = slider("then top-p", 0.01, 1, 0.01, (position) => {
    settings.topP = position < 1 ? position : null;
  });
  const options = contexts.map(({ text }) => {
    const letters = [...text]; // whole characters, where slices of a text could begin within one
    return element("option", {}, letters.length > 60 ? `…${letters.slice(-60).join("")}` : text);
  });
  const choice = element("select", { "aria-label": "Context", onchange: () => {
    context = contexts[choice.selectedIndex];
    renew();
  } }, ...options);
  const reset = button("Reset", () => {
    settings = { ...initial };
    renew();
  });

  // --- the bars
  const rows = Array.from({ length: header.top }, (_, rank) => {
    const bar = (name) => element("i", { class: `bar ${name}` });
    const parts = { after: bar("after"), before: bar("before"), tick: bar("tick"), count: element("small") };
    const row = { ...parts, name: element("bdi", { dir: "auto" }), value: element("span") };
    row.line = element("div", {
      class: "row",
      role: "option",
      tabindex: rank ? -1 : 0,
      onclick: () => pin(rank),
      onfocus: () => point(rank),
      onblur: () => point(null),
      onmouseenter: () => point(rank),
      onmouseleave: () => point(null),
    }, row.name, element("span", { class: "track" }, ...Object.values(parts)), row.value);
    return row;
  });
  const list = element("div", {
    role: "listbox",
    "aria-label": "Candidate tokens, the most probable first",
    onkeydown: walk,
  }, ...rows.map(({ line }) => line));
  // The tokens below the bars: together they may outweigh every bar, so they have numbers only.
  const more = { name: element("span"), count: element("small"), value: element("span") };
  const moreTrack = element("span", { class: "track" }, more.count);
  more.line = element("div", { class: "row more" }, more.name, moreTrack, more.value);

  // --- what is read off
  const readouts = ["entropy", "tokens kept", "probability kept"].map((name) => ({ name, value: element("dd") }));
  const text = element("span");
  const drawn = element("mark");
  const code = element("code");
  const detail = element("p", { class: "detail" });
  const ends = [0, 0.5, 1].map((part) => ({ part, label: element("span") }));
  const table = element("table");
  const details = element("details", { ontoggle: () => showTable() },
    element("summary", {}, "These numbers as a table"), element("div", { class: "scroll" }, table));

  // --- the reader's actions
  function walk(event) {
    const lowest = Math.min(rows.length, context.below.length) - 1;
    const goal = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: lowest }[event.key];
    if (goal !== undefined) focusOn(Math.max(0, Math.min(lowest, goal)));
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === " ") pin(current);
    else return;
    event.preventDefault();
  }
  function focusOn(rank) {
    rows[current].line.tabIndex = -1;
    current = rank;
    rows[rank].line.tabIndex = 0;
    rows[rank].line.focus();
  }
  function pin(rank) {
    pinned = pinned === rank ? null : rank;
    showDetail();
    if (pinned !== null) voice.say(detail.textContent);
  }
  function point(rank) {
    pointed = rank;
    showDetail();
  }
  function draw(times) {
    for (let time = 0; time < times; time++) {
      last = drawRank(result.shares, random);
      draws.set(last, (draws.get(last) ?? 0) + 1);
    }
    show();
    voice.say(`Drawn: ${nameOf(last)}`);
  }
  // Draws of another distribution would be no measure of the new one, so they begin again.
  function renew() {
    result = sampling(context.below, settings);
    random = randomNumbers(1);
    draws = new Map();
    last = null;
    show();
    const [entropy, count, mass] = readouts.map(({ value }) => value.textContent);
    voice.say(`${count} tokens kept, ${mass} of the probability, entropy ${entropy}.`);
  }

  // --- showing it
  const nameOf = (rank) => context.names[rank] ?? `the token of rank ${grouped(rank + 1)}`;
  const after = (rank) => result.shares[rank] ?? 0;
  const logit = (rank) => (context.highest - context.below[rank]).toFixed(3).replace("-", "−");
  const verdict = (rank) => (rank < result.kept ? "" : rank < result.afterK ? "cut by top-p" : "cut by top-k");

  function show() {
    const set = (control, position, said) => {
      control.input.value = position;
      control.value.textContent = said;
      control.input.setAttribute("aria-valuetext", said);
    };
    const { temperature: heat, topK: k, topP: p } = settings;
    set(temperature, Math.log10(heat), heat.toFixed(2));
    set(topK, ks.indexOf(k), k === null ? "off" : grouped(k));
    set(topP, p ?? 1, p === null ? "off" : p.toFixed(2));
    const cuts = `${k ? `, top_k=${k}` : ""}${p ? `, top_p=${p}` : ""}`;
    code.textContent = `sampling_probabilities(logits, temperature=${heat}${cuts})`;
    const size = context.below.length;
    const read = [`${result.entropy.toFixed(2)} bits`, `${grouped(result.kept)} of ${grouped(size + context.excluded)}`,
      percent(result.mass)];
    readouts.forEach(({ value }, place) => { value.textContent = read[place]; });
    text.textContent = context.text ? `${context.text} ` : "";
    drawn.textContent = last === null ? "?" : nameOf(last);
    showBars(Math.min(rows.length, size), size);
    showDetail();
    showTable();
  }

  function showBars(shown, size) {
    const total = sum([...draws.values()]);
    const steady = total >= 20; // fewer draws say little about shares: they are counted, not drawn
    const share = (rank) => (steady ? (draws.get(rank) ?? 0) / total : 0);
    const longest = Math.max(...rows.slice(0, shown).map((_, rank) => (
      Math.max(context.own[rank], result.warmed[rank], after(rank), share(rank)))));
    const limit = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8].find((end) => end >= longest) ?? 1;
    const width = (length) => `${(100 * length) / limit}%`;
    ends.forEach(({ part, label }) => { label.textContent = `${Number((100 * part * limit).toFixed(1))}%`; });
    const times = (count) => (count ? `×${count}` : "");
    rows.forEach((row, rank) => {
      row.line.hidden = rank >= shown;
      if (row.line.hidden) return;
      const cut = verdict(rank);
      row.line.classList.toggle("cut", cut !== "");
      row.line.dataset.after = after(rank).toFixed(6);
      row.name.textContent = nameOf(rank);
      row.value.textContent = cut || `${percent(context.own[rank])} → ${percent(after(rank))}`;
      row.before.style.width = width(context.own[rank]);
      row.after.style.width = width(cut ? result.warmed[rank] : after(rank));
      row.tick.style.left = width(share(rank));
      row.tick.hidden = !share(rank);
      row.count.textContent = times(draws.get(rank));
    });
    more.line.hidden = size === shown;
    more.name.textContent = `${grouped(size - shown)} more`;
    const [own, now] = [context.own, result.shares].map((shares) => percent(sum(shares.subarray(shown))));
    more.value.textContent = `${own} → ${now}`;
    more.count.textContent = times(sum([...draws].map(([rank, count]) => (rank < shown ? 0 : count))));
  }

  function showDetail() {
    rows.forEach((row, rank) => {
      row.line.setAttribute("aria-selected", pinned === rank);
      row.line.setAttribute("aria-label", `${row.name.textContent}: ${row.value.textContent}`);
    });
    const rank = pointed ?? pinned;
    if (rank === null || rank >= context.below.length) {
      detail.textContent = "Point at a bar, or walk with the arrow keys; Enter pins its numbers, Esc lets go.";
      return;
    }
    const bits = (-Math.log2(after(rank))).toFixed(2);
    const fate = verdict(rank) || `drawn with ${percent(after(rank))}, ${bits} bits`;
    detail.replaceChildren(element("bdi", { dir: "auto" }, nameOf(rank)),
      ` · rank ${rank + 1} · logit ${logit(rank)} · the model's own ${percent(context.own[rank])}`
      + ` · after temperature ${percent(result.warmed[rank])} · ${fate}`);
  }

  function showTable() {
    if (!details.open) return;
    const line = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
    const heads = ["rank", "token", "logit", "the model's own", "after temperature", "drawn with", "cut"];
    const body = rows.slice(0, context.below.length).map((_, rank) => line("td", [
      rank + 1, element("bdi", { dir: "auto" }, nameOf(rank)), logit(rank), context.own[rank].toFixed(4),
      result.warmed[rank].toFixed(4), after(rank).toFixed(4), verdict(rank)]));
    table.replaceChildren(line("th", heads), ...body);
  }

  const key = { before: "the model's own", after: "with these settings", cut: "cut", tick: "share of draws" };
  const release = (event) => {
    if (event.key !== "Escape") return;
    pinned = null;
    point(null);
  };
  const view = element("div", { class: "view", role: "group", "aria-label": "Sampling explorer", onkeydown: release },
  contexts.length > 1 ? choice : "",
  element("p", { class: "sentence" }, text, drawn),
  element("div", { class: "columns" },
    element("div", { class: "controls" }, temperature.box, topK.box, topP.box,
      element("dl", {}, ...readouts.map(({ name, value }) => element("div", {}, element("dt", {}, name), value))),
      element("div", { class: "buttons" },
        button("Draw a token", () => draw(1)), button("Draw 100", () => draw(100)), reset),
      code),
    element("div", {},
      element("p", { class: "key" },
        ...Object.entries(key).map(([name, said]) => element("span", {}, element("i", { class: name }), said))),
      element("div", { class: "row axis", "aria-hidden": "true" }, element("span"),
        element("span", { class: "ends" }, ...ends.map(({ label }) => label))),
      list, more.line)),
  detail, details, voice.region);
  renew();
  return view;
}

start("decoding", build);
