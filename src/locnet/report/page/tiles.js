"use strict";
// The table of answers, and an image with its boxes. Names reach the page as text, never as HTML.
const D = JSON.parse(document.getElementById("data").textContent);
const ARRAYS = { f8: Float64Array, f4: Float32Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array };

function decoded({ type, data }) {
  const text = atob(data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new ARRAYS[type](bytes.buffer);
}

const T = Object.fromEntries(Object.entries(D.columns).map(([name, column]) => [name, decoded(column)]));
const N = D.files.length, FULL = 65535;
const RIGHT = 0, FALSE_POSITIVE = 1, MISSED = 2, WRONG_CLASS = 3, BOX_OFF = 4;
const KIND_WORDS = ["right", "false positive", "missed", "wrong class", "box off"];
const verdict = (i, t) => (T.p_c[i] < t ? -1 : T.best[i]);
const className = (label) => (label < 0 ? "background" : D.classes[label]);

function kind(i, t) {
  const truth = T.label[i], said = verdict(i, t);
  if (truth < 0) return said < 0 ? RIGHT : FALSE_POSITIVE;
  if (said < 0) return MISSED;
  if (said !== truth) return WRONG_CLASS;
  return T.iou[i] < D.goodIou ? BOX_OFF : RIGHT;
}

// Low for bad answers: IoU, to which a right verdict adds 0.5; see locnet.report.grid.worst_first.
function quality(i, t) {
  const right = verdict(i, t) === T.label[i];
  const iou = T.label[i] < 0 ? +right : T.iou[i] || 0;
  return (D.hasBoxes ? iou : 0) + 0.5 * right;
}

// Among equals the surer mistake and the less sure success come first.
function certainty(i, t) {
  const sure = verdict(i, t) < 0 ? 1 - T.p_c[i] : T.p_c[i];
  return verdict(i, t) === T.label[i] ? sure : -sure;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function rectangle(boxes, i, name) {
  const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4);
  return ["halo", name].map((look) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const place = { class: look, x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
    for (const [key, value] of Object.entries(place)) rect.setAttribute(key, value);
    return rect;
  });
}

function address(i) {
  if (D.link === null) return null;
  try {
    return D.link + D.files[i].split("/").map(encodeURIComponent).join("/");
  } catch {
    return null; // a name that no URL can hold
  }
}

function tile(i, t) {
  const truth = T.label[i], said = verdict(i, t), what = KIND_WORDS[kind(i, t)];
  const view = element("div", { class: "view", style: `--ratio:${T.size[2 * i + 1] / T.size[2 * i]}` });
  const picture = D.pictures[i], original = address(i);
  const words = `${D.files[i]}: truth ${className(truth)}, answer ${className(said)}`;
  if (picture || original) {
    const src = picture ? `data:image/jpeg;base64,${picture}` : original;
    const image = element("img", { src, alt: words, loading: "lazy" });
    image.addEventListener("error", () => image.replaceWith(element("div", { class: "absent" }, "cannot be read")));
    view.append(image);
  } else {
    view.append(element("div", { class: "absent" }, "no picture"));
  }
  const boxes = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  boxes.setAttribute("viewBox", `0 0 ${FULL} ${FULL}`);
  boxes.setAttribute("preserveAspectRatio", "none");
  boxes.setAttribute("aria-hidden", "true");
  if (truth >= 0 && Number.isFinite(T.iou[i])) boxes.append(...rectangle(T.box, i, "truth"));
  if (D.hasBoxes && (said >= 0 || truth >= 0)) boxes.append(...rectangle(T.found, i, "found"));
  view.append(boxes);
  const frame = element("div", { class: "frame" }, original ? element("a", { href: original, target: "_blank" }, view) : view);
  const iou = truth >= 0 && Number.isFinite(T.iou[i]) ? `, IoU ${T.iou[i].toFixed(2)}` : "";
  const answer = said < 0 ? "background" : `${className(said)} ${T.score[i].toFixed(2)}`;
  return element(
    "figure", { class: "tile", "data-row": i }, frame,
    element("figcaption", {},
      element("div", {}, element("b", { class: what === "right" ? "good" : "bad" }, what)),
      element("div", {}, `p_c ${T.p_c[i].toFixed(2)}${iou}`),
      element("div", {}, `truth: ${className(truth)}`),
      element("div", {}, `answer: ${answer}`),
      element("div", { class: "file" }, D.files[i])));
}
