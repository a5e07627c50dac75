"use strict";
// One picture at a time through the network, and the answer beside it. All state is in `shown` and `camera`.
(() => {
  const about = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const view = at("view"), pen = view.getContext("2d"), slider = at("coverage");
  const LARGEST = 1600; // pixels of a side: more changes nothing for a network of a few hundred
  const SHARP = 1000; // pixels of a side at least, for lines on small pictures
  const BOX = "#e69f00", CROP = "#35c79b"; // over photos, so the same in light and dark
  let session = null, shown = null, camera = null, turn = 0;

  ort.env.wasm.wasmPaths = new URL("runtime/", location.href).href;
  ort.env.wasm.numThreads = 1; // several would need headers that a plain file server does not send

  // Pixels of a picture, video frame or canvas, RGB, upright, and what to paint under the answer.
  function grab(source, width, height) {
    const scale = Math.min(1, LARGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(Math.round(width * scale), 1);
    canvas.height = Math.max(Math.round(height * scale), 1);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // as locnet lays transparency over white
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  function rgb(canvas) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint8Array((data.length / 4) * 3);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      pixels[to++] = data[from];
      pixels[to++] = data[from + 1];
      pixels[to++] = data[from + 2];
    }
    return new ort.Tensor("uint8", pixels, [1, canvas.height, canvas.width, 3]);
  }

  async function answer(canvas) {
    const started = performance.now();
    const out = await session.run({ images: rgb(canvas) });
    const box = out.box ? Array.from(out.box.data) : null;
    return {
      canvas,
      p_c: out.p_c.data[0],
      label: Number(out.label.data[0]),
      scores: Array.from(out.scores.data),
      box,
      milliseconds: performance.now() - started,
    };
  }

  function show() {
    if (!shown) return;
    const { canvas, p_c, label, scores, box } = shown, present = p_c >= about.threshold;
    at("hint").hidden = true;
    const zoom = Math.max(1, SHARP / Math.max(canvas.width, canvas.height));
    view.width = canvas.width * zoom;
    view.height = canvas.height * zoom;
    pen.drawImage(canvas, 0, 0, view.width, view.height);
    pen.setTransform(zoom, 0, 0, zoom, 0, 0);
    const crop = present && box ? cropOf(box, canvas.width, canvas.height) : null;
    if (crop) outline(crop, CROP, [8, 6]);
    if (present && box) outline(box, BOX, []);
    at("verdict").textContent = present ? about.classes[label] : "background";
    at("verdict").className = present ? "present" : "background";
    at("p_c").value = p_c;
    at("p_c_text").textContent = p_c.toFixed(3);
    scores.forEach((score, i) => {
      const [meter, text] = rows[i];
      meter.value = Math.min(Math.max(score, 0), 1);
      text.textContent = score.toFixed(3);
    });
    const edges = (some) => some.map((edge) => edge.toFixed(0)).join(", ");
    at("box_text").textContent =
      present && box ? `box ${edges(box)}${crop ? `, crop ${edges(crop)}` : ""} of ${canvas.width} x ${canvas.height}` : "";
    at("time").textContent = `${shown.milliseconds.toFixed(0)} ms`;
    document.body.dataset.answer = JSON.stringify({ ...shown, canvas: [canvas.width, canvas.height], crop, present });
    document.body.dataset.count = String(Number(document.body.dataset.count || 0) + 1);
  }

  function cropOf(box, width, height) {
    const coverage = asked();
    if (!coverage || !about.conformal) return null;
    const sides = [width, height, width, height];
    const margin = cropMargin(about.conformal, coverage);
    return growBox(box.map((edge, i) => edge / sides[i]), margin, about.conformal.offset).map((edge, i) => edge * sides[i]);
  }

  function outline([left, top, right, bottom], colour, dashes) {
    const unit = Math.max(shown.canvas.width, shown.canvas.height) / 400;
    for (const [style, width] of [["#000a", 5], [colour, 3]]) {
      pen.strokeStyle = style;
      pen.lineWidth = width * unit;
      pen.setLineDash(dashes.map((dash) => dash * unit));
      pen.strokeRect(left, top, right - left, bottom - top);
    }
  }

  const asked = () => (Number(slider.value) > Number(slider.min) ? Number(slider.value) / 100 : 0);

  async function look(canvas) {
    const mine = ++turn;
    const found = await answer(canvas);
    if (mine === turn) {
      shown = found;
      show();
    }
  }

  async function open(blob) {
    stop();
    try {
      const picture = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
      await look(grab(picture, picture.width, picture.height));
    } catch (error) {
      say("this is not a picture that the browser can read");
    }
  }

  function say(text) {
    at("verdict").textContent = text;
    at("verdict").className = "background";
  }

  function stop() {
    if (!camera) return;
    camera.getTracks().forEach((track) => track.stop());
    camera = null;
    at("camera").setAttribute("aria-pressed", "false");
  }

  async function film() {
    if (camera) return stop();
    try {
      camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      return say(`no camera: ${error.message}`);
    }
    at("camera").setAttribute("aria-pressed", "true");
    const video = document.createElement("video"), mine = camera;
    video.srcObject = camera;
    video.playsInline = video.muted = true;
    await video.play();
    while (camera === mine) {
      await look(grab(video, video.videoWidth, video.videoHeight));
      await new Promise(requestAnimationFrame);
    }
  }

  const rows = about.classes.map((name) => {
    const row = at("scores").insertRow(), head = document.createElement("th");
    const meter = document.createElement("meter");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().append(meter);
    const text = row.insertCell();
    text.className = "n";
    return [meter, text];
  });
  about.samples.forEach((file, i) => {
    const button = document.createElement("button"), image = new Image();
    button.type = "button";
    image.src = file;
    image.alt = `sample ${i + 1}`;
    button.append(image);
    button.addEventListener("click", async () => open(await (await fetch(file)).blob()));
    at("samples").append(button);
  });
  at("coverage_row").hidden = !about.conformal;
  slider.addEventListener("input", () => {
    at("coverage_text").textContent = asked() ? `${slider.value} %` : "off";
    show();
  });
  at("choose").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => {
    const [file] = at("file").files;
    at("file").value = ""; // so that the same one may be chosen again
    if (file) open(file);
  });
  at("camera").addEventListener("click", film);
  for (const name of ["dragover", "dragleave", "drop"])
    addEventListener(name, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", name === "dragover");
      const file = name === "drop" && event.dataTransfer.files[0];
      if (file && session) open(file);
    });
  addEventListener("paste", (event) => {
    const file = event.clipboardData.files[0];
    if (file && session) open(file);
  });

  for (const button of document.querySelectorAll(".tools button, .samples button")) button.disabled = true;
  ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] })
    .then((made) => {
      session = made;
      for (const button of document.querySelectorAll(".tools button, .samples button")) button.disabled = false;
      say("choose a picture");
      document.body.dataset.ready = "yes";
      const first = document.querySelector(".samples button");
      if (first) first.click();
    })
    .catch((error) => say(`the model cannot be loaded: ${error.message}`));
})();
