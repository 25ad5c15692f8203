"use strict";
// The front page. Everything is asked of the REST API by relative addresses, so that it works below
// any prefix of a reverse proxy; all text of DICOM files goes through textContent.

const API = "../";
const PAGE = 50;

const LEVELS = {
  patients: {
    one: "Patient", order: ["PatientName", "ASC"], child: "studies",
    search: [["PatientName", "Name"], ["PatientID", "ID"]],
    columns: [["PatientName", "Name"], ["PatientID", "ID"], ["PatientBirthDate", "Born"], ["PatientSex", "Sex"]],
    count: ["Studies", "Studies"],
  },
  studies: {
    one: "Study", order: ["StudyDate", "DESC"], parent: "ParentPatient", above: "patients", child: "series",
    search: [["PatientName", "Patient"], ["PatientID", "Patient ID"], ["StudyDescription", "Description"], ["StudyDate", "Date or range"], ["AccessionNumber", "Accession"], ["ModalitiesInStudy", "Modality"]],
    columns: [["PatientName", "Patient"], ["PatientID", "Patient ID"], ["StudyDate", "Date"], ["ModalitiesInStudy", "Modality"], ["StudyDescription", "Description"], ["AccessionNumber", "Accession"]],
    count: ["Series", "Series"],
  },
  series: {
    one: "Series", parent: "ParentStudy", above: "studies", child: "instances",
    search: [["SeriesDescription", "Description"], ["Modality", "Modality"], ["SeriesInstanceUID", "UID"]],
    columns: [["SeriesNumber", "Number"], ["Modality", "Modality"], ["SeriesDescription", "Description"], ["BodyPartExamined", "Body part"], ["SeriesDate", "Date"]],
    count: ["Instances", "Instances"],
  },
  instances: {
    one: "Instance", parent: "ParentSeries", above: "series",
    search: [["SOPInstanceUID", "UID"], ["InstanceNumber", "Number"]],
    columns: [["InstanceNumber", "Number"], ["NumberOfFrames", "Frames"], ["SOPInstanceUID", "UID"]],
  },
};
const UP = ["instances", "series", "studies", "patients"];
const WILDCARDS = new Set(["PatientName", "PatientID", "StudyDescription", "AccessionNumber", "SeriesDescription"]);

const main = document.getElementById("main");
const progress = document.getElementById("progress");

/** An element with properties, and with children that are elements or text. */
function el(tag, properties = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in found && name !== "list") found[name] = value;
    else found.setAttribute(name, value);
  }
  found.append(...children.filter((child) => child !== null));
  return found;
}

async function ask(path, options = {}) {
  const answer = await fetch(API + path, options);
  if (!answer.ok) {
    let text = `${answer.status} ${answer.statusText}`;
    try {
      const said = await answer.json();
      text = [said.Message, said.Details].filter(Boolean).join(": ") || text;
    } catch { /* an answer without description */ }
    throw new Error(text);
  }
  return answer;
}

const json = async (path, options) => (await ask(path, options)).json();
const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });

// The address of the OHIF viewer, null where there is none.
const ohif = json("plugins")
  .then(async (names) => (names.includes("ohif") ? (await json("plugins/ohif")).RootUri : null))
  .catch(() => null);

function date(text) {
  return /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text;
}

/** The value of a tag as it is shown: dates with hyphens, names without carets. */
function shown(tag, value) {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (tag.endsWith("Date")) return date(text);
  return tag.endsWith("Name") ? text.replace(/\^+/g, " ").replace(/ *=+ */g, " = ").replace(/^[ =]+|[ =]+$/g, "") : text.replaceAll("\\", ", ");
}

const tagsOf = (resource) =>
  ({ ...resource.PatientMainDicomTags, ...resource.MainDicomTags, ...resource.RequestedTags });

function title(level, resource) {
  const tags = tagsOf(resource);
  const candidates = {
    patients: ["PatientName", "PatientID"],
    studies: ["StudyDescription", "StudyDate", "StudyInstanceUID"],
    series: ["SeriesDescription", "Modality", "SeriesInstanceUID"],
    instances: ["InstanceNumber", "SOPInstanceUID"],
  }[level];
  const tag = candidates.find((name) => tags[name]);
  return `${LEVELS[level].one} ${tag ? shown(tag, tags[tag]) : "without name"}`;
}

function table(level, resources) {
  const { columns, count } = LEVELS[level];
  const head = columns.map(([, name]) => el("th", { scope: "col" }, name));
  if (count) head.push(el("th", { scope: "col", className: "number" }, count[1]));
  const rows = resources.map((resource) => {
    const tags = tagsOf(resource);
    const cells = columns.map(([tag], number) => {
      const text = shown(tag, tags[tag]);
      const link = () => el("a", { href: `#/${level}/${resource.ID}` }, text || "(none)");
      const className = /Date$|^Modality$|^PatientSex$/.test(tag) ? "whole" : "";
      return el("td", { className }, number === 0 ? link() : text);
    });
    if (count) cells.push(el("td", { className: "number" }, String((resource[count[0]] || []).length)));
    return el("tr", {}, ...cells);
  });
  return el("div", { className: "scroll" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)));
}

// --- Lists ---------------------------------------------------------------------------------------

function searchForm(level, asked) {
  const fields = LEVELS[level].search.map(([tag, name]) =>
    el("label", {}, name, el("input", { name: tag, value: asked.get(tag) || "", type: "search", autocomplete: "off" })));
  const form = el("form", { className: "search", role: "search" }, ...fields,
    el("button", { className: "primary" }, "Search"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value.trim());
    location.hash = `#/${level}?${new URLSearchParams(given)}`;
  });
  return form;
}

function query(level, asked) {
  const found = {};
  for (const [tag] of LEVELS[level].search) {
    const text = (asked.get(tag) || "").trim();
    if (!text) continue;
    // Typed words are looked for anywhere, as one expects of a search field.
    const exact = !WILDCARDS.has(tag) || /[*?]/.test(text);
    // Names are shown with spaces where carets stand.
    found[tag] = exact ? text : `*${tag === "PatientName" ? text.replace(/\s+/g, "*") : text}*`;
    if (tag.endsWith("Date")) found[tag] = text.replace(/(\d{4})-(\d\d)-(\d\d)/g, "$1$2$3").replace(/\s+/g, "");
  }
  return found;
}

async function list(level, asked) {
  const since = Math.max(0, Number(asked.get("since")) || 0);
  const order = LEVELS[level].order;
  const answer = await post("tools/find", {
    ...(order ? { OrderBy: [{ Type: "DicomTag", Key: order[0], Direction: order[1] }] } : {}),
    Level: LEVELS[level].one, Query: query(level, asked), Expand: true,
    Limit: PAGE + 1, ...(since ? { Since: since } : {}),
    RequestedTags: level === "studies" ? ["ModalitiesInStudy"] : [],
  });
  const found = await answer.json();
  const page = found.slice(0, PAGE);
  const total = answer.headers.get("X-Total-Count");
  const turn = (to) => {
    const next = new URLSearchParams(asked);
    next.set("since", to);
    location.hash = `#/${level}?${next}`;
  };
  const summary = page.length ? `${since + 1} to ${since + page.length}${total ? ` of ${total}` : ""}` : "";
  return [
    searchForm(level, asked),
    page.length ? table(level, page) : el("p", { className: "note" },
      asked.size ? "Nothing matches." : "Nothing is stored yet: drop DICOM files on this page."),
    el("div", { className: "pager" },
      el("button", { disabled: since === 0, onclick: () => turn(Math.max(0, since - PAGE)) }, "Previous"),
      el("span", { className: "quiet" }, summary),
      el("button", { disabled: found.length <= PAGE, onclick: () => turn(since + PAGE) }, "Next")),
  ];
}

// --- One resource --------------------------------------------------------------------------------

async function path(level, resource) {
  const links = [];
  let [at, below] = [level, resource];
  while (LEVELS[at].parent) {
    const above = LEVELS[at].above;
    below = await json(`${above}/${below[LEVELS[at].parent]}`);
    at = above;
    links.unshift(el("a", { href: `#/${at}/${below.ID}` }, title(at, below)), "›");
  }
  return el("nav", { className: "path", "aria-label": "Parents" }, ...links, title(level, resource));
}

function facts(rows) {
  const parts = rows.filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return el("dl", { className: "facts" },
    ...parts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function words(keyword) {
  return keyword.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
}

async function one(level, id) {
  const resource = await json(`${level}/${id}`);
  const actions = el("div", { className: "actions" });
  if (level === "instances")
    actions.append(el("a", { className: "button", href: `${API}instances/${id}/file`, download: `${id}.dcm` }, "Download"));
  if (level === "studies" && (await ohif) !== null) {
    const study = encodeURIComponent(resource.MainDicomTags.StudyInstanceUID);
    actions.append(el("a", { className: "button", href: `${await ohif}viewer?StudyInstanceUIDs=${study}` }, "Open in OHIF"));
  }
  actions.append(el("button", { className: "danger", onclick: () => remove(level, resource) }, "Delete…"));
  const rows = Object.entries(tagsOf(resource)).map(([tag, value]) => [words(tag), shown(tag, value)]);
  rows.push(["Labels", (resource.Labels || []).join(", ")], ["Last update", resource.LastUpdate],
    ["Identifier", resource.ID], ["File size", resource.FileSize && `${resource.FileSize.toLocaleString()} bytes`]);
  const parts = [await path(level, resource), el("h2", {}, title(level, resource)), actions];
  if (level === "instances") {
    const [picture, tags] = [preview(resource), await tagTable(id)];
    return [...parts, el("div", { className: "columns" }, el("div", {}, picture, facts(rows)), tags)];
  }
  const child = LEVELS[level].child;
  const asked = child === "studies" ? "?requested-tags=ModalitiesInStudy" : "";
  const children = await json(`${level}/${id}/${child}${asked}`);
  const key = { instances: (c) => Number(c.IndexInSeries) || 0, series: (c) => Number(c.MainDicomTags.SeriesNumber) || 0 }[child];
  if (key) children.sort((a, b) => key(a) - key(b));
  return [...parts, facts(rows), el("h3", {}, `${children.length} ${child}`), ...pagedTable(child, children)];
}

/** A table that shows more rows when asked: a series may have thousands of instances. */
function pagedTable(level, resources) {
  let size = PAGE;
  const holder = el("div");
  const draw = () => {
    const more = resources.length > size
      ? el("div", { className: "pager" }, el("button", { onclick: () => { size *= 4; draw(); } }, "Show more"))
      : null;
    holder.replaceChildren(table(level, resources.slice(0, size)), ...(more ? [more] : []));
  };
  draw();
  return [holder];
}

function preview(resource) {
  const frames = Number(resource.MainDicomTags.NumberOfFrames) || 1;
  const picture = el("img", { alt: "Preview of the pixel data" });
  const show = (frame) => {
    picture.src = frames > 1 ? `${API}instances/${resource.ID}/frames/${frame}/preview` : `${API}instances/${resource.ID}/preview`;
  };
  picture.addEventListener("error", () => {
    if (!picture.src.endsWith("unsupported.png")) picture.src = "images/unsupported.png";
    picture.alt = "There is no preview";
  });
  show(0);
  const figure = el("figure", {}, picture);
  if (frames > 1) {
    const text = el("output", {}, `1 of ${frames}`);
    const range = el("input", { type: "range", min: 0, max: frames - 1, value: 0, "aria-label": "Frame" });
    range.addEventListener("input", () => { show(range.value); text.value = `${Number(range.value) + 1} of ${frames}`; });
    figure.append(el("figcaption", {}, range, text));
  }
  return figure;
}

async function tagTable(id) {
  const tags = await json(`instances/${id}/tags`);
  const body = el("tbody");
  const add = (set, depth) => {
    for (const [tag, { Name, Type, Value }] of Object.entries(set)) {
      const nested = Type === "Sequence" && Array.isArray(Value);
      const text = nested ? `${Value.length} item${Value.length === 1 ? "" : "s"}` : Value ?? "";
      const name = el("td", {}, Name);
      name.style.paddingLeft = `${12 + 18 * depth}px`;
      body.append(el("tr", {}, el("td", { className: "whole" }, tag), name, el("td", {}, String(text))));
      if (nested) for (const item of Value) add(item, depth + 1);
    }
  };
  add(tags, 0);
  const filter = el("input", { type: "search", placeholder: "Filter tags", "aria-label": "Filter tags" });
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  const head = ["Tag", "Name", "Value"].map((name) => el("th", { scope: "col" }, name));
  return el("div", {}, el("p", {}, filter),
    el("div", { className: "scroll" }, el("table", { className: "tags" }, el("thead", {}, el("tr", {}, ...head)), body)));
}

// --- Changes -------------------------------------------------------------------------------------

async function remove(level, resource) {
  const dialog = document.getElementById("confirm");
  document.getElementById("question").textContent =
    `Delete ${title(level, resource)} and everything below it? This cannot be undone.`;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "yes") return;
  try {
    const { RemainingAncestor: left } = await json(`${level}/${resource.ID}`, { method: "DELETE" });
    location.hash = left ? `#${left.Path}` : `#/${level}`;
    counts();
  } catch (error) { say(error.message, true); }
}

function say(text, isError = false) {
  progress.replaceChildren(el("span", { className: isError ? "error" : "" }, text));
}

/** Four files at a time; what is refused is named at the end. */
async function upload(files) {
  if (!files.length) return;
  const bar = el("progress", { max: files.length, value: 0 });
  const text = el("span");
  progress.replaceChildren(bar, text);
  const refused = [];
  let [next, done] = [0, 0];
  const work = async () => {
    while (next < files.length) {
      const file = files[next++];
      try { await ask("instances", { method: "POST", body: file }); } catch (error) { refused.push(`${file.name}: ${error.message}`); }
      bar.value = ++done;
      text.textContent = `${done} of ${files.length} files`;
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  say(`${files.length - refused.length} of ${files.length} files stored.`);
  if (refused.length) {
    const shownOnes = refused.slice(0, 20).map((line) => el("li", {}, line));
    progress.append(el("details", {}, el("summary", { className: "error" }, `${refused.length} refused`), el("ul", {}, ...shownOnes)));
  }
  counts();
  route();
}

/** The files of what was dropped, those in folders included. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  const visit = async (entry) => {
    if (entry.isFile) found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    if (!entry.isDirectory) return;
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const each of part) await visit(each);
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}

// --- The page itself -----------------------------------------------------------------------------

async function counts() {
  const all = await json("statistics");
  document.getElementById("counts").textContent =
    `${all.CountStudies.toLocaleString()} studies, ${all.CountInstances.toLocaleString()} instances, ${all.TotalDiskSizeMB.toLocaleString()} MB`;
}

let shownLast = 0;

async function route() {
  const [where, asked = ""] = location.hash.slice(2).split("?");
  const [level = "studies", id] = where.split("/");
  const turn = ++shownLast;
  if (!(level in LEVELS)) return void (location.hash = "#/studies");
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.hash === `#/${level}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.setAttribute("aria-busy", "true");
  let parts;
  try {
    parts = id ? await one(level, id) : await list(level, new URLSearchParams(asked));
  } catch (error) {
    parts = [el("p", { className: "note error", role: "alert" }, error.message || String(error))];
    if (!id) parts.unshift(searchForm(level, new URLSearchParams(asked)));
  }
  if (turn !== shownLast) return; // something else was asked for meanwhile
  main.replaceChildren(...parts);
  main.removeAttribute("aria-busy");
}

// As a link it would change the address, which says what is shown.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => { route().then(() => main.focus()); });
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const field = main.querySelector("input[type=search]");
  if (field) { event.preventDefault(); field.focus(); }
});

let depth = 0;
addEventListener("dragenter", () => { depth++; document.body.classList.add("dragging"); });
addEventListener("dragleave", () => { if (--depth <= 0) { depth = 0; document.body.classList.remove("dragging"); } });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", async (event) => {
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  upload(await dropped(event.dataTransfer));
});
document.getElementById("files").addEventListener("change", (event) => {
  upload([...event.target.files]);
  event.target.value = "";
});

json("system").then(({ Name }) => {
  document.getElementById("name").textContent = Name;
  document.title = Name;
}).catch(() => {});
counts().catch(() => {});
if (!location.hash) history.replaceState(null, "", "#/studies");
route();
