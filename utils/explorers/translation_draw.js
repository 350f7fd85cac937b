// The two machines of a translation on canvases: for each word a column of coloured cells, the state after it.

const MINUS = "#8F5BD6"; // below 0; translation.css has the same two for the key
const PLUS = "#D68A00";
const CROSS = "#009E73"; // attention of the decoder on the encoder
const TALL = 128; // pixels: all strips of a column
const face = (size) => `${size}px system-ui, sans-serif`;
const value = (byte) => byte / 127 - 1;
const signed = (number) => number.toFixed(2).replace("-", "−");

// Draw a state as cells in a box, side by side or one below the other; 0 shows the paper.
function strip(pen, state, [left, top, width, height], across) {
  const alpha = pen.globalAlpha;
  const edge = (at) => Math.round((at * (across ? width : height)) / state.length); // no seams between cells
  state.forEach((byte, at) => {
    const [from, size] = [edge(at), edge(at + 1) - edge(at)];
    pen.fillStyle = byte < 127 ? MINUS : PLUS;
    pen.globalAlpha = alpha * Math.abs(value(byte));
    if (across) pen.fillRect(left + from, top, size, height);
    else pen.fillRect(left, top + from, width, size);
  });
  pen.globalAlpha = alpha;
}

// Draw one machine. A column has a head (the word read), strips ({state, now}), measures (bars below the strips), and, in
// the decoder, a foot (the word written) with its share. What the machine has not come to yet is false, null or empty.
function machine(canvas, columns, { title, colour, shares = false, feet = false }) {
  const room = canvas.parentNode.clientWidth;
  const pitch = Math.min(118, room / columns.length);
  const wide = Math.max(2, 0.88 * pitch - 2);
  const font = face(pitch > 40 ? 16 : Math.max(9, Math.min(14, pitch - 1)));
  let pen = canvas.getContext("2d");
  pen.font = `bold ${font}`;
  const longest = Math.max(...columns.flatMap(({ head, foot = "" }) => (
    [head, foot].map((text) => pen.measureText(text).width))));
  const turned = longest > pitch - 6;
  const words = turned ? Math.min(92, longest + 10) : 26; // pixels: the height of a word's place
  const floor = words + TALL + 48; // where the bars stand
  pen = sharp(canvas, room, floor + 20 + (feet ? words + 18 : 0));
  const ink = pen.fillStyle;
  canvas.pitch = pitch;
  pen.textBaseline = "middle";
  pen.font = face(14);
  pen.fillText(title, 0, words + TALL + 12);
  pen.textAlign = "center";
  const word = (text, x, y, align) => {
    pen.save();
    pen.translate(x, y);
    if (turned) pen.rotate(-Math.PI / 2);
    if (turned) pen.textAlign = align;
    label(pen, text, 0, 0, turned ? words - 6 : pitch - 4);
    pen.restore();
  };
  const isNow = ({ now }) => now;
  const here = columns.findIndex((column) => column.strips.some(isNow));
  const every = Math.ceil(11 / pitch); // of so many words one has room for its name
  const most = shares ? 1 : Math.max(1e-9, ...columns.flatMap(({ measures }) => measures));
  columns.forEach(({ head, strips, measures, foot, share, looked = 0, pale = false }, at) => {
    const left = pitch * at + 1;
    const middle = left + wide / 2;
    pen.fillStyle = CROSS;
    pen.globalAlpha = 0.7 * looked;
    pen.fillRect(left, 0, wide, words - 2);
    strips.forEach(({ state, now }, row) => {
      const height = TALL / strips.length - 4;
      const box = [left, words + row * (height + 4), wide, height];
      pen.globalAlpha = pale ? 0.35 : 1;
      if (state) strip(pen, state, box, false);
      pen.strokeStyle = now ? colour : ink;
      pen.lineWidth = now ? 3 : 1;
      pen.globalAlpha = now ? 1 : 0.25;
      pen.strokeRect(...box);
    });
    pen.globalAlpha = 1;
    pen.font = face(13);
    const each = wide / measures.length;
    measures.forEach((size, row) => {
      if (size === null) return;
      const high = (22 * size) / most;
      pen.fillStyle = shares ? CROSS : colour;
      pen.fillRect(left + row * each, floor - high, each - 1, high);
      pen.fillStyle = ink;
      if (each > 38) pen.fillText(shares ? percent(size) : signed(size), left + (row + 0.5) * each, floor + 10);
    });
    pen.fillStyle = ink;
    if (foot && pitch > 40) pen.fillText(percent(share), middle, floor + words + 28);
    if ((at - here) % every) return;
    pen.font = strips.some(isNow) ? `bold ${font}` : font;
    word(head, middle, turned ? words - 4 : words / 2, "left");
    word(foot ?? "", middle, floor + 20 + (turned ? 2 : words / 2), "right");
  });
}
