// What views that draw on a canvas share: sharp pixels, the cell under the pointer, labels, and drawing anew.

// Make `canvas` this large (CSS pixels), sharp on every screen and empty; the ink is the view's.
function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style = `width: ${width}px; height: ${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = pen.strokeStyle = getComputedStyle(canvas.closest(".view")).color;
  return pen;
}

// The cell of that box under the pointer, {row, column}, or null.
function cellAt(event, canvas, { left, top, width, height }, rows, columns) {
  const place = canvas.getBoundingClientRect();
  const row = Math.floor(((event.clientY - place.top - top) * rows) / height);
  const column = Math.floor(((event.clientX - place.left - left) * columns) / width);
  return row >= 0 && row < rows && column >= 0 && column < columns ? { row, column } : null;
}

// Draw a token as text of at most `width` pixels, "…" for what is left out, no character cut in half; the context's font
// and alignment hold.
function label(pen, token, x, y, width) {
  const letters = [...token].slice(0, 60);
  let shown = token;
  while (pen.measureText(shown).width > width && letters.pop()) shown = `${letters.join("")}…`;
  pen.fillText(shown, x, y);
}

// Call `draw` when the canvases' width or the theme changes. For the second, the canvases have a CSS transition of their
// colour, too short to be seen, whose beginning tells. JupyterLab changes its theme while all is hidden, of width 0,
// where there are no transitions; then it is the width that comes back.
function redrawing(box, canvases, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth === width) return;
    width = box.clientWidth;
    if (width) draw();
  }).observe(box);
  for (const canvas of canvases) canvas.ontransitionrun = draw;
}
