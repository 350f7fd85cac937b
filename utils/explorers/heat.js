// A heat map on a canvas: cividis for the weights, hatching where a mask forbids. Shared by the views of attention.

// Every sixteenth of cividis, six digits for each colour.
const RAMP = "00224e002e6a1a386f32436d434e6c535a6d61656f6f70737d7c788c88789b9476aba072bcae6ccdbb63dec958f0d846fee838";

// The colour at `share` (0 to 1) of the ramp, as [red, green, blue].
function colourAt(share) {
  const low = Math.min(15, Math.floor(16 * share));
  return [0, 2, 4].map((part) => {
    const [from, to] = [0, 6].map((next) => parseInt(RAMP.substr(6 * low + part + next, 2), 16));
    return Math.round(from + (16 * share - low) * (to - from));
  });
}

// What 0 to 255 of a stored byte look like; bytes are square roots of weights, so small weights can be told apart.
const COLOURS = Array.from({ length: 256 }, (_, byte) => colourAt(byte / 255));

// The cells as a picture of one pixel each: byteAt(row, column) is 0 to 255, or null where the mask forbids.
function heatImage(rows, columns, byteAt) {
  const image = element("canvas", { width: columns, height: rows });
  const pen = image.getContext("2d");
  const pixels = pen.createImageData(columns, rows);
  for (let row = 0, place = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, place += 4) {
      const byte = byteAt(row, column);
      if (byte === null) continue;
      const colour = COLOURS[Math.round(byte)];
      for (let part = 0; part < 3; part++) pixels.data[place + part] = colour[part];
      pixels.data[place + 3] = 255;
    }
  }
  pen.putImageData(pixels, 0, 0);
  return image;
}

// Draw what heatImage made into a box; cells without a colour show the hatching behind them.
function paintHeat(pen, image, { left, top, width, height }) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.globalAlpha = 0.35;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = left - height; x < left + width; x += 5) {
    pen.moveTo(x, top + height);
    pen.lineTo(x + height, top);
  }
  pen.stroke();
  pen.globalAlpha = 1;
  // Larger, cells have sharp edges; smaller, they run into one another.
  pen.imageSmoothingEnabled = image.width > width;
  pen.drawImage(image, left, top, width, height);
  pen.restore();
}
