"use strict";
// The threshold, and the gallery that follows it.
(() => {
  const PAGE = 24;
  const id = (name) => document.getElementById(name);
  const suspects = new Set(D.suspects);
  const groups = Object.values(D.groups).map((group) => decoded(group.codes));
  const state = { t: D.threshold, kind: "all", page: 0, only: null };
  const kinds = new Uint8Array(N);
  const shuffled = Float64Array.from({ length: N }, Math.random);

  // ---- the threshold

  function numbers() {
    const n = { tp: 0, fp: 0, fn: 0, tn: 0, right: 0, located: 0 };
    const side = D.classes.length + 1, matrix = new Uint32Array(side * side), counts = new Uint32Array(5);
    for (let i = 0; i < N; i++) {
      const truth = T.label[i], said = verdict(i, state.t);
      kinds[i] = kind(i, state.t);
      counts[kinds[i]]++;
      // a p_c that is no number is not below the threshold; precision and recall are those of p_c alone
      if (truth >= 0) said >= 0 ? n.tp++ : n.fn++;
      else said >= 0 ? n.fp++ : n.tn++;
      if (truth === said) {
        n.right++;
        if (truth >= 0 && T.iou[i] >= D.goodIou) n.located++;
      }
      matrix[((truth + side) % side) * side + ((said + side) % side)]++;
    }
    return { ...n, side, matrix, counts };
  }

  const share = (part, whole) => (whole ? (part / whole).toFixed(3) : "\u2013");

  function showThreshold() {
    const n = numbers(), objects = n.tp + n.fn;
    const shown = {
      precision: share(n.tp, n.tp + n.fp), recall: share(n.tp, objects), accuracy: share(n.right, N),
      top1_loc: D.hasBoxes ? share(n.located, objects) : "\u2013",
      true_positives: n.tp, false_positives: n.fp, false_negatives: n.fn, true_negatives: n.tn,
    };
    for (const [name, value] of Object.entries(shown)) id(`at-${name}`).textContent = value.toLocaleString("en");
    for (const button of document.querySelectorAll(".confusion button")) {
      const [truth, said] = [button.dataset.truth, button.dataset.verdict].map((x) => (+x + n.side) % n.side);
      const row = n.matrix.subarray(truth * n.side, (truth + 1) * n.side), count = row[said];
      const total = row.reduce((sum, value) => sum + value, 0);
      button.textContent = count.toLocaleString("en");
      button.style.setProperty("--share", total ? count / total : 0);
      button.setAttribute("aria-label", `${count} images: truth ${className(+button.dataset.truth)}, answer ${className(+button.dataset.verdict)}`);
    }
    const wrong = N - n.counts[RIGHT];
    const totals = { all: N, wrong, right: n.counts[0], false_positive: n.counts[1], missed: n.counts[2],
      wrong_class: n.counts[3], box_off: n.counts[4], suspect: suspects.size };
    for (const button of document.querySelectorAll("[data-kind]"))
      button.querySelector(".count").textContent = totals[button.dataset.kind].toLocaleString("en");
    const marker = id("marker");
    if (marker) {
      const { zero, one } = marker.ownerSVGElement.dataset, x = +zero + state.t * (one - zero);
      marker.setAttribute("x1", x);
      marker.setAttribute("x2", x);
    }
    id("said").textContent = `At ${state.t.toFixed(3)}: precision ${shown.precision}, recall ${shown.recall}, accuracy ${shown.accuracy}.`;
  }

  let waiting = 0;
  function setThreshold(t, from) {
    if (!Number.isFinite(t)) return;
    state.t = Math.min(Math.max(t, 0), 1);
    if (from !== "threshold") id("threshold").value = state.t;
    if (from !== "exact") id("exact").value = +state.t.toFixed(4);
    cancelAnimationFrame(waiting); // a slider moves faster than a page is drawn
    waiting = requestAnimationFrame(() => { showThreshold(); state.page = 0; showGallery(); });
  }
  id("threshold").addEventListener("input", (event) => setThreshold(+event.target.value, "threshold"));
  id("exact").addEventListener("change", (event) => setThreshold(+event.target.value, "exact"));
  id("reset").addEventListener("click", () => setThreshold(D.threshold));

  // ---- the gallery

  const KINDS = { right: RIGHT, false_positive: FALSE_POSITIVE, missed: MISSED, wrong_class: WRONG_CLASS, box_off: BOX_OFF };
  const value = (name, otherwise) => { const input = id(name); return input && input.value !== "" ? +input.value : otherwise; };

  function chosen() {
    if (state.only !== null) return [state.only];
    const truth = value("truth", null), said = value("verdict", null), low = value("low", 0), high = value("high", 1);
    const wanted = groups.map((_, number) => value(`group${number}`, null));
    const every = state.kind === "all", wrong = state.kind === "wrong", suspect = state.kind === "suspect";
    const rows = [];
    for (let i = 0; i < N; i++) {
      if (!every && (suspect ? !suspects.has(i) : wrong ? kinds[i] === RIGHT : kinds[i] !== KINDS[state.kind])) continue;
      if (truth !== null && T.label[i] !== truth) continue;
      if (said !== null && verdict(i, state.t) !== said) continue;
      if ((low > 0 || high < 1) && !(T.iou[i] >= low && T.iou[i] <= high)) continue; // background has no IoU
      if (wanted.some((code, number) => code !== null && groups[number][i] !== code)) continue;
      if (id("pictured").checked && !(i in D.pictures)) continue;
      rows.push(i);
    }
    return sorted(rows, id("order").value);
  }

  function sorted(rows, order) {
    if (order === "file") return rows;
    const nan = (x, end) => (Number.isNaN(x) ? end : x);
    const first = {
      worst: (i) => quality(i, state.t), low_iou: (i) => nan(T.iou[i], 2), high_p_c: (i) => -nan(T.p_c[i], -1),
      low_p_c: (i) => nan(T.p_c[i], 2), random: (i) => shuffled[i],
    }[order];
    const one = new Float64Array(N), other = new Float64Array(N);
    for (const i of rows) { one[i] = first(i); other[i] = order === "worst" ? nan(certainty(i, state.t), 0) : 0; }
    return rows.sort((a, b) => one[a] - one[b] || other[a] - other[b] || a - b);
  }

  function showGallery() {
    const rows = chosen(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const shown = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
    id("tiles").replaceChildren(...shown.map((i) => tile(i, state.t)));
    const words = rows.length === 1 ? "1 image" : `${rows.length.toLocaleString("en")} images`;
    id("place").textContent = rows.length ? `${words}, page ${state.page + 1} of ${pages}` : "no image is like that";
    id("before").disabled = state.page === 0;
    id("after").disabled = state.page >= pages - 1;
    for (const button of document.querySelectorAll("[data-kind]"))
      button.setAttribute("aria-pressed", state.only === null && button.dataset.kind === state.kind);
  }

  const again = () => { state.page = 0; state.only = null; showGallery(); };
  const turn = (pages) => { state.page += pages; showGallery(); };
  id("before").addEventListener("click", () => turn(-1));
  id("after").addEventListener("click", () => turn(1));
  for (const button of document.querySelectorAll("[data-kind]"))
    button.addEventListener("click", () => { state.kind = button.dataset.kind; again(); });
  for (const input of document.querySelectorAll(".filters select, .filters input")) input.addEventListener("change", again);
  for (const button of document.querySelectorAll(".confusion button"))
    button.addEventListener("click", () => {
      state.kind = "all";
      id("truth").value = button.dataset.truth;
      id("verdict").value = button.dataset.verdict;
      again();
      id("images").scrollIntoView();
    });
  for (const button of document.querySelectorAll("[data-row].link"))
    button.addEventListener("click", () => {
      state.only = +button.dataset.row;
      state.page = 0;
      showGallery();
      id("images").scrollIntoView();
    });

  showThreshold();
  id("worst-tiles").replaceChildren(...sorted(Array.from({ length: N }, (_, i) => i), "worst").slice(0, 12).map((i) => tile(i, state.t)));
  showGallery();
})();
