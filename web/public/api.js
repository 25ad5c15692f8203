"use strict";
// Shows what openapi.json describes, and lets one try each route against this server.

const API = "../";
const main = document.getElementById("main");
const LARGEST = 200_000; // characters of an answer that are shown

function el(tag, properties = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in found) found[name] = value;
    else found.setAttribute(name, value);
  }
  found.append(...children);
  return found;
}

function fields(operation) {
  const form = el("form", { className: "fields" });
  for (const each of operation.parameters || []) {
    const input = el("input", { name: `${each.in} ${each.name}`, required: each.required === true });
    form.append(el("label", {}, `${each.name}${each.in === "path" ? "" : ` (${each.in})`}`, input));
  }
  const content = operation.requestBody?.content;
  if (content) {
    const [kind] = Object.keys(content);
    const binary = kind === "application/dicom" || kind === "application/octet-stream";
    const input = binary ? el("input", { type: "file", name: "file" }) : el("textarea", { name: "body" });
    form.append(el("label", {}, `Body (${kind})`, input));
  }
  form.append(el("div", {}, el("button", { className: "primary" }, "Send")));
  return form;
}

async function send(method, path, form, output) {
  let target = path;
  const query = new URLSearchParams();
  let body;
  for (const [name, value] of new FormData(form)) {
    const [where, field] = name.split(" ");
    if (where === "path") target = target.replace(`{${field}}`, value.split("/").map(encodeURIComponent).join("/"));
    else if (where === "query" && value !== "") query.set(field, value);
    else if (where === "body" || where === "file") body = value;
  }
  const address = `${API}${target.slice(1)}${query.size ? `?${query}` : ""}`;
  output.replaceChildren(el("p", { className: "quiet" }, "…"));
  try {
    const answer = await fetch(address, { method, body });
    output.replaceChildren(el("p", {}, `${answer.status} ${answer.statusText}, ${answer.headers.get("content-type") || "no content"}`), await content(answer));
  } catch (error) {
    output.replaceChildren(el("p", { className: "error" }, error.message));
  }
}

async function content(answer) {
  const kind = answer.headers.get("content-type") || "";
  if (kind.startsWith("image/")) return el("img", { src: URL.createObjectURL(await answer.blob()), alt: "Answer" });
  if (!/^(text|application\/(json|xml|javascript|dicom\+json))/.test(kind)) {
    const blob = await answer.blob();
    return el("a", { className: "button", href: URL.createObjectURL(blob), download: "answer" }, `Save ${blob.size.toLocaleString()} bytes`);
  }
  let text = await answer.text();
  try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* no JSON */ }
  return el("pre", {}, text.length > LARGEST ? `${text.slice(0, LARGEST)}\n…` : text);
}

function row(path, method, operation) {
  const details = el("details", { className: "operation" },
    el("summary", {}, el("span", { className: "method" }, method.toUpperCase()), el("span", { className: "route" }, path),
      el("span", { className: "quiet" }, operation.summary || "")));
  // What is inside is made when it is opened: there are hundreds of routes.
  details.addEventListener("toggle", () => {
    const form = fields(operation);
    const output = el("div", { role: "status" });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (method !== "delete" || confirm(`Really delete?`)) send(method.toUpperCase(), path, form, output);
    });
    details.append(el("div", {}, el("p", {}, operation.description || ""), form, output));
  }, { once: true });
  return details;
}

async function start() {
  const description = await (await fetch(`${API}openapi.json`)).json();
  const families = new Map();
  let number = 0;
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const family = operation.tags?.[0] || "other";
      if (!families.has(family)) families.set(family, []);
      families.get(family).push(row(path, method, operation));
      number++;
    }
  }
  main.replaceChildren(...[...families].map(([family, rows]) => el("section", {}, el("h3", {}, family), ...rows)));
  main.removeAttribute("aria-busy");
  document.getElementById("summary").textContent = `${number} routes, version ${description.info.version}`;
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const section of main.children) {
      let some = false;
      for (const each of section.querySelectorAll("details")) {
        each.hidden = !each.querySelector("summary").textContent.toLowerCase().includes(wanted);
        some ||= !each.hidden;
      }
      section.hidden = !some;
    }
  });
}

start().catch((error) => {
  main.replaceChildren(el("p", { className: "note error", role: "alert" }, error.message));
});
