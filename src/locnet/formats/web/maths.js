"use strict";
// The crop's maths, as in locnet.calibration.conformal: tested against it.

// By how much a box must grow to hold the whole object with this probability.
function cropMargin({ count, scores }, coverage) {
  const rank = Math.ceil((count + 1) * coverage - 1e-9);
  if (rank > count) return Infinity;
  let index = Math.ceil((rank * scores.length) / count);
  while (index > 1 && Math.ceil(((index - 1) * count) / scores.length) >= rank) index -= 1;
  return scores[index - 1];
}

// A box [left, top, right, bottom] in fractions of the image, grown, and inside the image.
function growBox(box, margin, offset) {
  return box.map((edge, i) => {
    const unit = Math.max(box[2 + (i % 2)] - box[i % 2], 0) + offset;
    const middle = (box[i % 2] + box[2 + (i % 2)]) / 2;
    const moved = margin === Infinity ? (i < 2 ? 0 : 1) : edge + (i < 2 ? -margin : margin) * unit;
    return Math.min(Math.max(i < 2 ? Math.min(moved, middle) : Math.max(moved, middle), 0), 1);
  });
}
