"use strict";
// Draws the page from openapi.json; text is only ever set as text, so that nothing in it can become markup.

function add(parent, tag, text) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function name(schema) {
  return (schema && (schema.$ref || "").split("/").pop()) || (schema && schema.type) || "";
}

function table(parent, rows) {
  const body = add(parent, "table");
  for (const cells of rows) {
    const row = add(body, "tr");
    cells.forEach((cell, index) => add(row, index ? "td" : "th", cell));
  }
}

async function draw() {
  const api = await (await fetch("openapi.json")).json();
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const routes = document.getElementById("routes");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const section = add(routes, "section");
      add(add(section, "h3"), "code", `${method.toUpperCase()} ${path}`);
      add(section, "p", about.description || "");
      if (about.requestBody) add(section, "p", `Body: ${Object.keys(about.requestBody.content).join(", ")}`);
      table(section, Object.entries(about.responses).map(([status, response]) => {
        const content = Object.values(response.content || {})[0];
        return [status, response.description, content ? name(content.schema) : ""];
      }));
    }
  }
  for (const [title, schema] of Object.entries(api.components.schemas)) {
    const section = add(routes, "section");
    add(add(section, "h3"), "code", title);
    table(section, Object.entries(schema.properties || {}).map(([field, kind]) => [field, name(kind) || "number or null"]));
  }
}

document.getElementById("file").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const answer = document.getElementById("answer");
  answer.replaceChildren();
  add(answer, "img").src = URL.createObjectURL(file);
  const key = document.getElementById("key").value;
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  if (key) headers["X-API-Key"] = key;
  const response = await fetch("predict", { method: "POST", body: file, headers });
  add(answer, "pre", JSON.stringify(await response.json(), null, 2));
});

draw();
