// The player. What is seen at step i is frame(run, i), a pure function of the data: going back a step is i - 1.
// Elements are made once per picture and filled again where the frame says something else than before.
(() => {
const { $, text, cut, make, show, MOST, matrix, shapeText, scale, colour, cells } = page;
const { maths, rightCode, zooms, closed } = page.data;

// -- the scene: the graph that is played ------------------------------------------------------------------------------
// The whole computation, or one operation of it opened into operations on single numbers. That is a trace of its own; `outer` is the
// scene that it was opened in, `node` what was opened there, and `at` the step to go on with.
let scene, trace, views, orders, nodes, edges, lossName, main, firstBackward, backwardSteps, naive;
function setScene(next) {
  scene = next;
  ({ trace, views, orders } = next);
  nodes = new Map(trace.nodes.map((node) => [node.id, node]));
  edges = new Map(trace.edges.map((edge) => [edge.id, edge]));
  const { name } = nodes.get(trace.loss);
  if (!next.outer) lossName = name.length > 5 || name === trace.loss ? "L" : name;
  main = makeRun(trace.steps, trace.tensors);
  const backward = trace.steps.findIndex((step) => step.phase !== "forward");
  firstBackward = backward < 0 ? trace.steps.length : backward;
  backwardSteps = trace.steps.slice(firstBackward);
  naive = orders.map((order) => Object.assign(makeRun(order.steps, order.tensors), { name: order.name }));
  drawn.clear();
}
const drawn = new Map();  // heatmaps that were drawn before

async function unpack(packed) {
  const bytes = new Blob([Uint8Array.from(atob(packed), (c) => c.charCodeAt(0))]);
  return new Response(bytes.stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

// -- what is there at a step ------------------------------------------------------------------------------------------
// A run is a list of steps, with the moments at which something came to be: so a frame is found by looking up, not by replaying.
function makeRun(steps, tensors) {
  const run = { steps, tensors, values: new Map(), gradients: new Map(), sent: new Map() };
  steps.forEach((step, at) => {
    if (step.kind === "op") run.values.set(step.node, at);
    if (step.kind === "done" || step.after === undefined) return;
    const id = step.to ?? step.node;
    const uses = step.uses ?? nodes.get(id).uses;
    const got = step.kind === "seed" ? uses : step.got;
    if (!run.gradients.has(id)) run.gradients.set(id, []);
    run.gradients.get(id).push({ at, ref: step.after, got, uses, complete: got >= uses, early: step.kind === "visit" && got < uses });
    if (step.edge && !run.sent.has(step.edge)) run.sent.set(step.edge, at);
  });
  return run;
}

const isLeaf = (id) => !nodes.get(id).op;

// The gradient of a node at step i: the last of its moments that is not later.
function gradientAt(run, id, i) {
  const moments = run.gradients.get(id) ?? [];
  let low = 0, high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle].at <= i) low = middle + 1; else high = middle;
  }
  return low ? moments[low - 1] : null;
}

function frame(run, i) {
  return {
    step: run.steps[i],
    known: (id) => isLeaf(id) || !run.values.has(id) || run.values.get(id) <= i,
    gradient: (id) => gradientAt(run, id, i),
    sent: (edge) => run.sent.has(edge) && run.sent.get(edge) <= i,
  };
}

// -- numbers ----------------------------------------------------------------------------------------------------------
const inBrackets = (v) => (v < 0 ? `(${show(v)})` : show(v));

// One scale for all values and one for all gradients of the whole trace, so that a vanishing gradient looks vanishing.
const largest = (tables) => {
  let most = 0;
  for (const { tensors, refs } of tables) {
    for (const ref of refs) {
      const t = tensors[ref];
      if (t.dtype.startsWith("float") && t.max !== undefined) most = Math.max(most, Math.abs(t.min), Math.abs(t.max));
    }
  }
  return most || 1;
};
setScene({ trace: page.data.trace, views: page.data.views, orders: page.data.orders });
const gradientRefs = (steps) => steps.flatMap((s) => [s.raw, s.reduced, s.after].filter((ref) => ref !== undefined));
scale.value = largest([{ tensors: trace.tensors, refs: trace.nodes.map((node) => node.value) }]);
scale.gradient = largest([{ tensors: trace.tensors, refs: gradientRefs(trace.steps) }]);

// -- maths ------------------------------------------------------------------------------------------------------------
// A letter with an index: w1, b_2, W_x, h_new. Other names, such as 0.weight, stay as they are in the program (as in style.py); only
// in a formula, where 2.weight would read as 2 times something, is the layer an index of it.
const parted = (name) => { const p = /^(?:([A-Za-zα-ω]{1,2})_?(\d+)|([A-Za-zα-ω])_([A-Za-z0-9]+))$/.exec(name); return p && [p[1] ?? p[3], p[2] ?? p[4]]; };
const nameHtml = (id) => { const p = parted(nodes.get(id).name); return p ? `<i>${text(p[0])}</i><sub>${p[1]}</sub>` : `<i>${text(nodes.get(id).name)}</i>`; };
const pathed = (name) => { const p = /^(.+)\.(\w+)$/.exec(name); return p && [p[2], p[1]]; };
const nameMath = (name) => {
  const p = parted(name) ?? pathed(name);
  return p ? `<msub><mi>${text(p[0])}</mi>${/^\d+$/.test(p[1]) ? `<mn>${p[1]}</mn>` : `<mi>${text(p[1])}</mi>`}</msub>` : `<mi>${text(name)}</mi>`;
};
// A name in so much room of a card: smaller where it is long, and cut where it would be too small.
function ruler(font) {  // how wide words are
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${font} system-ui, sans-serif`;
  return (words) => pen.measureText(words).width;
}
const nameWidth = ruler("700 12.5px"), symbolWidth = ruler("11px");
function nameSvg(name, room) {
  const p = parted(name), full = nameWidth(name), size = Math.max(9.5, Math.min(12.5, 12.5 * room / full));
  const shown = p ? `${text(p[0])}<tspan class="index" dy="3">${p[1]}</tspan>` : text(cut(name, Math.max(4, Math.floor(name.length * room / full * 12.5 / size))));
  return `<tspan style="font-size:${size.toFixed(1)}px">${shown}</tspan>`;
}
// An expression on two lines of so many characters: the first ends with a sign, if there is one.
function twoLines(words, first, second) {
  if (words.length <= first) return [words, ""];
  const signs = [...words.slice(0, first).matchAll(/[-+*/@,(\s]/g)];
  const end = signs.length ? signs.at(-1).index + 1 : first;
  return [words.slice(0, end), cut(words.slice(end), second)];
}
const nodeMath = (id) => nameMath(nodes.get(id).name);
const gradMath = (id) => `<mfrac><mrow><mo>∂</mo>${nameMath(lossName)}</mrow><mrow><mo>∂</mo>${nodeMath(id)}</mrow></mfrac>`;
const math = (inner) => `<math>${inner}</math>`;
const SUMS = new Set(["add", "sub"]);

// An operation's formula with the names of the tensors at hand in place of x, y, z and g.
function fill(template, node, to) {
  const holder = document.createElement("div");
  holder.innerHTML = template;
  const inputs = trace.rules[node.op]?.inputs ?? [];
  const one = inputs.length === 1 && node.inputs.length > 1;  // any number of inputs: cat(*xs)
  for (const mark of holder.querySelectorAll("[data-is]")) {
    const what = mark.dataset.is, k = Number(what.slice(1));
    const id = one ? to : node.inputs[k];
    let filled = null;
    if (what === "z") filled = nodeMath(node.id);
    else if (what === "g") filled = gradMath(node.id);
    else if (what[0] === "d" && id) filled = gradMath(id);
    else if (what[0] === "x" && id) filled = nodeMath(id);
    else if (what[0] === "x" && typeof node.attrs?.[inputs[k]] === "number") filled = `<mn>${inBrackets(node.attrs[inputs[k]])}</mn>`;
    if (filled === null) continue;
    const power = mark.parentElement.localName === "msup" && mark.parentElement.firstElementChild === mark;
    mark.outerHTML = power && filled.startsWith("<mfrac") ? `<mrow><mo>(</mo>${filled}<mo>)</mo></mrow>` : filled;
  }
  for (const remark of holder.querySelectorAll("mrow:has(> mtext):not(:has(mi))")) {  // (0 where n = 0), when n is 2
    const [left, right] = [...remark.querySelectorAll("mo")].filter((mo) => mo.textContent === "=").map((mo) => [mo.previousElementSibling, mo.nextElementSibling])[0] ?? [];
    if (left && left.textContent !== right.textContent) remark.remove();
  }
  // lines can break between formulas: before a sign of the outermost level, behind a comma, and at words, which become text;
  // one that is wider than a line, before a factor
  let html = "", formula = "", factors = "";
  const endFactor = () => { factors += formula && math(formula); formula = ""; };
  const end = () => { endFactor(); html += factors && `<span class="part">${factors}</span>`; factors = ""; };
  for (const child of holder.firstElementChild.children) {
    const sign = child.localName === "mo" && !child.hasAttribute("form") && formula ? child.textContent : "";
    if (child.localName === "mrow" && child.querySelector("mtext") && formula) end();  // a remark in brackets
    if (BREAKS.has(sign) || sign === "·") {
      if (sign === "·") endFactor(); else end();
      child.setAttribute("form", "infix");  // with its space, though nothing stands before it now
    }
    if (child.localName === "mtext") { end(); html += `<span>${text(child.textContent).replaceAll("\u00a0", " ")}</span>`; }
    else formula += child.outerHTML;
    if (sign === ",") end();
  }
  end();
  return html;
}
const BREAKS = new Set(["=", "+=", "+", "−"]);
const ruleOf = (node, step) => maths[node.op]?.rules[step.slot] ?? maths[node.op]?.rules[0];

// -- the picture of the graph -------------------------------------------------------------------------------------------
const write = (element, words) => { if (element.textContent !== words) element.textContent = words; };

const VALUE = { x: 10, y: 27, width: 57, height: 43 }, GRADIENT = { x: 73, y: 27, width: 57, height: 43 };
function heatmap(run, ref, kind, box) {
  const key = `${kind}:${run.tensors === trace.tensors ? "" : run.name}:${ref}`;
  if (!drawn.has(key)) drawn.set(key, cells(run.tensors[ref], kind, box));
  return drawn.get(key);
}

class Stage {
  // A picture in `home` of what `run` does; `view` is which part of the graph it shows.
  constructor(home, run, title) {
    this.home = home; this.run = run; this.title = title;
    this.follow = false;
    home.innerHTML = `<div class="crumbs"></div><div class="camera"><button class="open">open</button><button class="fit" title="The whole picture (F)">fit</button><button class="follow" aria-pressed="false" title="Keep what happens in sight (C)">follow</button></div>`;
    this.svg = make("svg", { role: "group", "aria-label": "Tensors and what flows between them" });
    home.prepend(this.svg);
    home.querySelector(".open").onclick = () => state.zoom();
    home.querySelector(".fit").onclick = () => this.fit();
    home.querySelector(".follow").onclick = () => this.toggleFollow();
    this.listen();
  }

  show(view) {
    this.view = view; this.camera = null;
    this.of = new Map();  // what stands for each node
    for (const id of nodes.keys()) if (view.cards[id]) this.of.set(id, id);
    for (const [group, inside] of Object.entries(view.folded)) for (const id of inside) this.of.set(id, group);
    this.svg.innerHTML = `<defs><marker id="tip-${this.home.id}" class="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>`;
    this.world = make("g");
    this.svg.append(this.world);
    for (const [path, box] of Object.entries(view.groups).sort(([a], [b]) => a.length - b.length)) {
      const kind = trace.modules.find((group) => group.path === path).kind, whole = ["group", path].includes(kind) ? path : `${path} · ${kind}`;
      const label = 6.5 * whole.length < box.width - 12 ? whole : path;
      this.world.append(make("g", { class: "frame" }, `<rect rx="10" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}"/><text x="${box.x + 9}" y="${box.y + 16}">${text(label)}</text>`));
    }
    this.lines = view.lines.map((line) => {
      const path = make("path", { d: line.path, "marker-end": `url(#tip-${this.home.id})` });
      this.world.append(path);
      return { line, path };
    });
    this.cards = Object.entries(view.cards).map(([id, box]) => {
      const card = view.folded[id] ? this.groupCard(id, box) : this.nodeCard(id, box);
      this.world.append(card.element);
      return card;
    });
    this.crumbs();
    if (this.fit() < 0.5) { this.follow = true; this.mark(); }  // too small to be read as a whole
  }

  nodeCard(id, box) {
    const node = nodes.get(id);
    const symbol = node.symbol ?? (node.requires_grad ? "leaf" : "input");
    const about = shapeText(node.shape) + (node.expr ? " " + node.expr : ""), right = canOpen(id) ? 18 : 10;
    const room = box.width - 16 - right - symbolWidth(cut(symbol, 9));
    const element = make("g", { class: "card", transform: `translate(${box.x} ${box.y})`, tabindex: 0, role: "button", "data-id": id },
      `<rect class="body" rx="11" width="${box.width}" height="${box.height}"/>` +
      `<text class="name" x="10" y="18">${nameSvg(node.name, room)}</text>` +
      `<text class="symbol" x="${box.width - right}" y="18" text-anchor="end">${text(cut(symbol, 9))}</text>` +
      `<g class="v">${heatmap({ tensors: trace.tensors }, node.value, "value", VALUE)}</g>${empty(VALUE, "v")}<g class="g"></g>${empty(GRADIENT, "g")}<text class="shape" x="10" y="83"></text><text class="shape" x="10" y="95"></text><text class="count" x="${box.width - 9}" y="83"></text>` +
      (canOpen(id) ? `<g class="open" transform="translate(${box.width - 4} 4)"><circle r="9"/><path d="M-4 0h8M0-4v8"/><title>Open ${text(node.op)} into its numbers (Z)</title></g>` : "") +
      `<title>${text(`${node.name}  ${shapeText(node.shape)} ${node.dtype}` + (node.expr ? `\n${node.expr}` : ""))}</title>`);
    const gradient = element.querySelector("g.g"), final = this.run.gradients.get(id)?.at(-1).ref, count = element.querySelector(".count"), lines = element.querySelectorAll(".shape");
    let before = "", drawn;
    const draw = (ref) => { if (ref !== drawn) gradient.innerHTML = heatmap(this.run, drawn = ref, "gradient", GRADIENT); };
    const paint = (now, marks) => {
      const known = now.known(id), g = now.gradient(id);
      const key = `${known}|${g?.ref}|${g?.got}|${g?.early}|${marks}`;
      if (key === before) return;
      before = key;
      const state = !g ? "" : g.early ? "early" : g.complete ? "complete" : "partial";
      element.setAttribute("class", `card ${known ? "known" : ""} ${state} ${marks}`);
      draw(g?.ref ?? final);  // before it arrives it is there, but not to be seen: showing it then costs next to nothing
      write(count, g && (g.uses > 1 || !g.complete || g.got > g.uses) ? `${g.got}/${g.uses} in` : "");
      twoLines(about, count.textContent ? 13 : 20, 20).forEach((line, k) => write(lines[k], line));
      const says = g ? (g.complete ? "gradient complete" : `gradient waiting, ${g.got} of ${g.uses} parts in`) : "no gradient yet";
      element.setAttribute("aria-label", `${node.name}, ${node.op ?? symbol}, ${shapeText(node.shape)}, ${known ? says : "not computed yet"}`);
    };
    return { id, element, paint };
  }

  groupCard(path, box) {
    const inside = this.view.folded[path], waiting = inside.filter((id) => this.run.gradients.has(id));
    const kind = trace.modules.find((group) => group.path === path).kind;
    const element = make("g", { class: "card group", transform: `translate(${box.x} ${box.y})`, tabindex: 0, role: "button", "data-group": path },
      `<rect class="body" rx="11" x="4" y="4" width="${box.width}" height="${box.height}"/><rect class="body" rx="11" width="${box.width}" height="${box.height}"/>` +
      `<text class="name" x="10" y="18">${text(cut(path, 18))}</text><text x="10" y="36">${text(cut(kind, 20))}</text>` +
      `<text class="symbol" x="10" y="52">${inside.length} tensors: open</text><rect class="bar" x="10" y="60" rx="3" width="120" height="7"/><rect class="full" x="10" y="60" rx="3" height="7"/>` +
      `<text class="shape" x="10" y="82"></text>`);
    const bar = element.querySelector(".full"), words = element.querySelector(".shape");
    let before = "";
    const paint = (now, marks) => {
      const done = waiting.filter((id) => now.gradient(id)?.complete).length;
      const known = inside.some((id) => !isLeaf(id) && now.known(id));
      const key = `${done}|${known}|${marks}`;
      if (key === before) return;
      before = key;
      element.setAttribute("class", `card group ${known ? "known" : ""} ${done ? (done === waiting.length ? "complete" : "partial") : ""} ${marks}`);
      bar.setAttribute("width", waiting.length ? 120 * done / waiting.length : 0);
      words.textContent = `${done} of ${waiting.length} gradients`;
      element.setAttribute("aria-label", `${path}, ${kind}, ${inside.length} tensors folded, ${words.textContent}; open`);
    };
    return { id: path, element, paint };
  }

  paint(i) {
    const now = frame(this.run, i), step = now.step;
    this.now = i;
    const here = this.of.get(step.node), there = step.to && this.of.get(step.to);
    for (const card of this.cards) {
      const marks = [card.id === here ? "here" : "", card.id === there && there !== here ? "there" : "", this.view.beside.includes(card.id) ? "beside" : ""];
      card.paint(now, marks.join(" ").trim());
    }
    for (const { line, path } of this.lines) {
      const sent = line.edges.some(now.sent);
      const active = step.kind === "op" ? step.node === edges.get(line.edges[0]).dst || line.edges.some((e) => edges.get(e).dst === step.node) : line.edges.includes(step.edge);
      const known = line.edges.some((e) => now.known(edges.get(e).dst));
      const name = `wire ${known ? "known" : ""} ${sent ? "sent" : ""} ${active ? "now" : ""}`;
      if (path.getAttribute("class") !== name) path.setAttribute("class", name);
    }
    if (this.follow) this.lookAt([there ?? here, ...(step.kind === "op" ? nodes.get(step.node).inputs.map((x) => this.of.get(x)) : [here])]);
  }
  // the step of its run that belongs to the position on the bar: with two orders side by side, both begin at the loss
  place() {
    if (this.run !== main) return Math.min(state.at, this.run.steps.length - 1);
    return state.order === null ? state.at : firstBackward + Math.min(state.at, backwardSteps.length - 1);
  }
  shows(i) {
    const { node, to } = this.run.steps[i];
    return this.of.has(node) || this.of.has(to);
  }

  // -- the camera: which part of the picture is in sight
  aim(camera) {
    this.camera = camera;
    const frame = `0 0 ${camera.width} ${camera.height}`;  // another one has every text measured again, another place has not
    if (this.svg.getAttribute("viewBox") !== frame) this.svg.setAttribute("viewBox", frame);
    this.world.setAttribute("transform", `translate(${-camera.x} ${-camera.y})`);
  }
  measure() { this.size = { width: this.svg.clientWidth || 900, height: this.svg.clientHeight || 350 }; }
  fit() {
    this.follow = false;
    this.mark();
    this.measure();
    const { width, height } = this.size, pad = 14, more = this.home.querySelector(".crumbs").textContent ? 24 : 0;
    const zoom = Math.min(width / (this.view.width + 2 * pad), height / (this.view.height + 2 * pad + more), 1.5);
    this.aim({ x: this.view.width / 2 - width / zoom / 2, y: (this.view.height - more) / 2 - height / zoom / 2, width: width / zoom, height: height / zoom });
    return zoom;
  }
  toggleFollow() {
    if (this.follow) { this.fit(); return; }
    this.follow = true;
    this.mark();
    this.paint(this.now);
  }
  mark() { this.home.querySelector(".follow").setAttribute("aria-pressed", this.follow); }
  // All of these cards in sight, smaller if they need it; the first in the middle, if they are too far apart for that. What is
  // beyond the picture's edge is not shown while there is a part of the picture to show.
  lookAt(cards) {
    const boxes = cards.map((card) => this.view.cards[card]).filter(Boolean), { width, height } = this.size, pad = 14, top = 40;  // below the buttons
    if (!boxes.length) return;
    const around = (some) => {
      const x = Math.min(...some.map((box) => box.x)), y = Math.min(...some.map((box) => box.y));
      return { x, y, width: Math.max(...some.map((box) => box.x + box.width)) - x, height: Math.max(...some.map((box) => box.y + box.height)) - y };
    };
    const fits = (box) => Math.min(width / (box.width + 2 * pad), (height - top) / (box.height + pad));
    const all = around(boxes), box = fits(all) >= 0.4 ? all : boxes[0];
    const zoom = Math.min(Math.max(width / this.camera.width, 0.8), fits(box));
    const along = (middle, room, whole, before) => (whole + before + pad < room ? (whole + pad - before - room) / 2 : Math.max(-before, Math.min(middle - room / 2, whole + pad - room)));
    this.aim({
      x: along(box.x + box.width / 2, width / zoom, this.view.width, pad), width: width / zoom,
      y: along(box.y + box.height / 2 - top / zoom / 2, height / zoom, this.view.height, top / zoom), height: height / zoom,
    });
  }
  zoom(factor, x, y) {
    const c = this.camera, f = Math.max(0.15, Math.min(factor, (this.view.width + 400) / c.width));
    this.aim({ x: x - (x - c.x) * f, y: y - (y - c.y) * f, width: c.width * f, height: c.height * f });
  }
  listen() {
    let from = null, moved = false;
    const point = (event) => { const r = this.svg.getBoundingClientRect(); return [this.camera.x + (event.clientX - r.x) / r.width * this.camera.width, this.camera.y + (event.clientY - r.y) / r.height * this.camera.height]; };
    this.svg.onpointerdown = (event) => { from = point(event); moved = false; };
    this.svg.onpointermove = (event) => {
      if (!from || !event.buttons) return;
      const [x, y] = point(event);
      if (!moved && Math.hypot(x - from[0], y - from[1]) < 4) return;
      if (!moved) this.svg.setPointerCapture(event.pointerId);
      moved = true;
      this.aim({ ...this.camera, x: this.camera.x + from[0] - x, y: this.camera.y + from[1] - y });
    };
    this.svg.onpointerup = () => { from = null; };
    this.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;  // plain turning scrolls the page
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY / 300), ...point(event));
    }, { passive: false });
    const choose = (target) => {
      const card = target.closest?.(".card");
      if (!card) return false;
      if (card.dataset.group !== undefined) state.open(card.dataset.group);
      else if (target.closest(".open")) state.zoom(card.dataset.id);
      else state.goTo(card.dataset.id, this.run);
      return true;
    };
    this.svg.onclick = (event) => { if (!moved) choose(event.target); };
    this.svg.onkeydown = (event) => { if (event.key === "Enter" && choose(event.target)) event.preventDefault(); };
  }
  crumbs() {
    const place = this.home.querySelector(".crumbs");
    place.innerHTML = this.title ? `<span>${text(this.title)}</span>` : "";
    if (this.view.path || scene.outer) {
      const up = document.createElement("button");
      up.textContent = "↑";
      up.title = up.ariaLabel = "Up to the graph around it (Backspace)";
      up.onclick = () => state.up();
      place.append(up);
    }
    if (scene.outer) place.insertAdjacentHTML("beforeend", `<span title="${text(trace.title)}">${text(trace.title)}</span>`);
    if (views.length === 1) return;
    const select = document.createElement("select");
    select.setAttribute("aria-label", "Part of the graph");
    select.innerHTML = views.map((view) => `<option value="${text(view.path)}">${text(view.path || "the whole graph")}</option>`).join("");
    select.value = this.view.path;
    select.onchange = () => state.open(select.value);
    place.append(select);
  }
}
const canOpen = (id) => !scene.outer && zooms[id] !== undefined;
// why a tensor's card does not open
function whyClosed(id) {
  const node = nodes.get(id);
  if (!node.op) return `No operation made ${node.name}: there is nothing to open.`;
  return (!scene.outer && closed[id]) || `The numbers inside ${node.name} are not on this page.`;
}
const empty = (box, name) => `<rect class="empty ${name}" rx="4" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}"/>`;

// -- the inspector: one step in words and numbers -----------------------------------------------------------------------
const factsOf = (node) => Object.entries(node.attrs ?? {}).map(([name, value]) => `${name}=${Array.isArray(value) ? `(${value.join(", ")})` : value}`).join(", ");

function headline(step) {
  const node = nodes.get(step.node), op = node.op ? `<i>${text(node.op)}</i>` : "";
  if (step.kind === "op") return `${op} makes ${nameHtml(node.id)}`;
  if (step.kind === "seed") return `Backward starts at ${nameHtml(node.id)}`;
  if (step.kind === "visit") return `The gradient of ${nameHtml(node.id)} is complete`;
  if (step.kind === "contribute") return `${op} sends a gradient to ${nameHtml(step.to)}`;
  return "Every gradient is there";
}

function words(step) {
  const node = nodes.get(step.node), says = maths[step.rule ?? node.op], hint = says?.hints[step.slot];
  let html = `<p>${text(step.sentence)}</p>` + (hint ? `<p>${text(hint)}</p>` : "");
  const rule = step.kind === "op" ? says?.forward : step.kind === "contribute" ? ruleOf(node, step) : null;
  if (rule) html += `<div class="rule ${step.phase}"><h3>${step.kind === "op" ? "Formula" : "Local rule"}</h3>${fill(rule, node, step.to)}</div>`;
  else if (step.kind === "seed" && node.shape.length === 0 && T(step.after).data[0] === 1) html += `<div class="rule"><h3>Start</h3>${math(`${gradMath(node.id)}<mo>=</mo><mn>1</mn>`)}</div>`;
  else if (step.kind === "visit" && step.parts.length > 1) html += `<div class="rule"><h3>Sum of the parts</h3>${math(`${gradMath(node.id)}<mo>=</mo><mo>∑</mo><mtext>\u00a0of ${step.parts.length} parts</mtext>`)}</div>`;
  const facts = factsOf(node);
  return html + (facts && step.kind !== "done" ? `<p class="facts">${text(facts)}</p>` : "");
}

// A tensor with its numbers, of a sample at most so many rows and columns; `used` are cells (by position) to frame, `made` one that is the result.
function figure(numbers, kind, caption, { used = [], made = -1, role = "", pick = "", tight = false, most = MOST } = {}) {
  const m = matrix(numbers, most);
  if (!m.size) return `<figure><div class="say">no elements</div><figcaption>${caption} <small>${shapeText(numbers.shape)}</small></figcaption></figure>`;
  const compact = tight || m.rows.length > 5 || m.cols.length > 5;
  const matrixOf = (r) => Math.floor(r / (numbers.shape.at(-2) ?? 1));  // of a tensor of more than two dims: a gap between its matrices
  let html = "";
  m.rows.forEach((r, i) => m.cols.forEach((c) => {
    const k = r * m.width + c, v = m.at(k), [name, t] = colour(v, kind);
    const mark = (k === made ? "made" : used.includes(k) ? "used" : "") + (i && matrixOf(r) !== matrixOf(m.rows[i - 1]) ? " first" : "");
    html += `<div class="num ${name} ${mark}" style="--t:${t}%" data-k="${k}"${pick ? ` data-pick="${pick}"` : ""} title="${placeOf(k, numbers.shape)}${text(String(v))}">${text(show(v, compact ? 2 : 3))}</div>`;
  }));
  const left = m.rows.length < m.height || m.cols.length < m.width ? `, ${m.rows.length}×${m.cols.length} of it` : "";
  return `<figure class="${role}"><div class="grid ${compact ? "compact" : ""}" style="grid-template-columns:repeat(${m.cols.length},auto)">${html}</div><figcaption>${caption} <small>${shapeText(numbers.shape)}${left}</small></figcaption></figure>`;
}
const sign = (s) => `<span class="sign">${s}</span>`;
const worked = (html) => html.includes("–") ? "" : `<div class="worked"><span>One cell, worked</span>${html}</div>`;
const T = (ref) => trace.tensors[ref];
const strides = (shape) => shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));

// Where the element at position k stands: [0, 2].
const placeOf = (k, shape) => shape.length ? `[${strides(shape).map((step, i) => Math.floor(k / step) % shape[i]).join(", ")}] = ` : "";

// The position in a tensor of shape `small` that is broadcast to position k of one of shape `large`.
function broadcastFrom(k, large, small) {
  const steps = strides(large), to = strides(small), shift = large.length - small.length;
  return small.reduce((sum, n, i) => sum + (n === 1 ? 0 : Math.floor(k / steps[i + shift]) % large[i + shift]) * to[i], 0);
}

const shownCells = (m) => m.rows.flatMap((r) => m.cols.map((c) => r * m.width + c));

// The cell to work through: the learner's choice if it is there, else the largest.
function choose(numbers, most) {
  const m = matrix(numbers, most);
  const shown = shownCells(m);
  if (shown.includes(state.cell)) return state.cell;
  return shown.reduce((best, k) => (Math.abs(m.at(k)) > Math.abs(m.at(best)) ? k : best), shown[0] ?? 0);
}

const several = (terms) => terms.length > 9 ? [...terms.slice(0, 7), "…", terms.at(-1)] : terms;
const sumOf = (numbers) => several(numbers.map(inBrackets)).join(" + ");

// (rows, inner) @ (inner, columns), as the positions of the two factors that make cell k of the product. A vector on the right is a
// column, if that fits, else a row.
function productCells(a, b, k) {
  const inner = a.shape.at(-1) ?? 1;
  const cols = b.shape.length === 1 && b.shape[0] === inner ? 1 : b.shape.at(-1) ?? 1;
  const row = Math.floor(k / cols), col = k % cols;
  return { left: [...Array(inner).keys()].map((j) => row * inner + j), right: [...Array(inner).keys()].map((j) => j * cols + col) };
}
function workedProduct(a, b, cells, result) {
  const A = matrix(a), B = matrix(b);
  const pairs = cells.left.map((p, j) => [A.at(p), B.at(cells.right[j])]).filter((pair) => !pair.includes(undefined));  // of a sample, not all
  const terms = pairs.map((pair) => pair.map(inBrackets).join("·"));
  const shown = terms.length > 6 || terms.length < cells.left.length ? [...terms.slice(0, 5), "…", terms.at(-1)] : terms;
  return worked(`${shown.join(" + ")} = <b>${show(result)}</b>`);
}

// Of an equation of kind "weighted": how much each element of the first term counts in cell k, and which count at all. (Of "largest"
// and "smallest": which it is chosen from.)
function weightsOf(term, k, first) {
  const size = matrix(first).size, data = T(term.tensor).data.slice(k * size, (k + 1) * size);
  return { numbers: { shape: first.shape, dtype: first.dtype, data }, used: [...data.keys()].filter((j) => data[j] !== 0) };
}
function workedSum(first, { numbers, used }, rest, result) {
  if (used.length > 12) used = used.filter((j) => first.data[j] !== 0);  // of many terms, those that count
  if (used.length === 1 && numbers.data[used[0]] === 1 && !rest) return "";  // one number, handed on
  const products = used.map((j) => inBrackets(first.data[j]) + (numbers.data[j] === 1 ? "" : `·${inBrackets(numbers.data[j])}`));
  const shown = products.length > 12 ? [...products.slice(0, 11), "…", products.at(-1)] : products;
  if (rest) shown.push(inBrackets(rest));
  return worked(`${shown.join(" + ") || "0"} = <b>${show(result)}</b>`);
}

function contribution(step) {
  const { terms = [], kind } = step.equation ?? {};
  const raw = T(step.raw), reduced = T(step.reduced);
  const width = [raw, ...terms.map((term) => T(term.tensor))].reduce((sum, numbers) => sum + matrix(numbers).cols.length, 0);
  const room = { tight: width > 9, most: width > 12 ? MOST / 2 : MOST };  // so that an equation stays in sight
  const figureOf = (numbers, kind, caption, options) => figure(numbers, kind, caption, { ...room, ...options });
  const made = choose(raw, room.most), R = matrix(raw), result = R.at(made);
  const node = nodes.get(step.node);
  const caption = (term) => term.role === "gradient" ? math(term.transposed ? `<msup><mrow><mo>(</mo>${gradMath(node.id)}<mo>)</mo></mrow><mo>⊤</mo></msup>` : gradMath(node.id))
    : term.node ? math(term.transposed ? `<msup>${nodeMath(term.node)}<mo>⊤</mo></msup>` : nodeMath(term.node)) : "local derivative";
  const part = (term, used) => figureOf(T(term.tensor), term.role === "gradient" ? "gradient" : "value", caption(term), { used, role: term.role === "gradient" ? "" : "local" });
  const out = figureOf(raw, "gradient", "contribution", { made, pick: "raw" });
  let html = `<h3>Incoming gradient, local derivative, contribution</h3>`;
  if (kind === "same") {
    html = `<h3>Handed on unchanged</h3><div class="terms">${part(terms[0], [made])}${sign("=")}${out}</div>`;
  } else if (kind === "times") {
    const [g, local] = terms.map((term) => matrix(T(term.tensor)));
    const a = g.size === 1 ? 0 : made, b = local.size === 1 ? 0 : made;
    html += `<div class="terms">${part(terms[0], [a])}${sign("⊙")}${part(terms[1], [b])}${sign("=")}${out}</div>` + worked(`${inBrackets(g.at(a))} · ${inBrackets(local.at(b))} = <b>${show(result)}</b>`);
  } else if (kind === "matmul") {
    const [a, b] = terms.map((term) => T(term.tensor)), cells = productCells(a, b, made);
    html += `<div class="terms">${part(terms[0], cells.left)}${sign("@")}${part(terms[1], cells.right)}${sign("=")}${out}</div>` + workedProduct(a, b, cells, result);
  } else {
    const g = gradientAt(main, node.id, state.at), parts = summed(T(g.ref), raw, made);
    const weights = kind === "weighted" && weightsOf(terms[1], made, T(g.ref));
    if (parts) {
      html = `<h3>Incoming gradient, summed</h3><div class="terms">${figureOf(T(g.ref), "gradient", math(gradMath(node.id)), { used: parts })}${sign("→ Σ →")}${out}</div>` + worked(`${sumOf(parts.map(matrix(T(g.ref)).at))} = <b>${show(result)}</b>`);
    } else if (weights) {
      const local = figureOf(weights.numbers, "value", "local derivatives", { used: weights.used, role: "local" });
      html = `<h3>Incoming gradient, local derivatives, contribution</h3><div class="terms">${figureOf(T(g.ref), "gradient", math(gradMath(node.id)), { used: weights.used })}${sign("⊙")}${local}${sign("→ Σ →")}${out}</div>` + workedSum(T(g.ref), weights, 0, result);
    } else if (kind === "sum") html = `<h3>Incoming gradient, summed</h3><div class="terms">${figureOf(T(g.ref), "gradient", math(gradMath(node.id)))}${sign("→ Σ →")}${out}</div>`;
    else html = `<h3>Incoming gradient, contribution</h3><div class="terms">${figureOf(T(g.ref), "gradient", math(gradMath(node.id)))}${sign(`<i>${text(node.op)}</i> →`)}${out}</div>`;
  }
  let cell = made;
  if (step.reduced_axes?.length) {
    cell = broadcastFrom(made, raw.shape, reduced.shape);
    const parts = shownCells(R).filter((k) => broadcastFrom(k, raw.shape, reduced.shape) === cell);
    html += `<hr><h3>Broadcasting undone: summed over ${step.reduced_axes.length === 1 ? "axis" : "axes"} ${step.reduced_axes.join(", ")}</h3><div class="terms">${figureOf(raw, "gradient", "contribution", { used: parts })}${sign("→ Σ →")}${figureOf(reduced, "gradient", math(gradMath(step.to)), { made: cell })}</div>`;
    if (parts.length > 1) html += worked(`${sumOf(parts.map(R.at))}${R.whole ? "" : " + …"} = <b>${show(matrix(reduced).at(cell))}</b>`);
  }
  const to = math(gradMath(step.to)), name = nameHtml(step.to);
  if (step.uses === 1) return `${html}<hr><p class="say">${name} has this one consumer, so ${to} is already <b>final</b>.</p>`;
  html += `<hr><h3>Accumulate into ${to}: ${step.got} of ${step.uses} parts in</h3>`;
  const after = figureOf(T(step.after), "gradient", step.got === step.uses ? "<b>final</b>" : "so far", { made: cell });
  if (step.before === undefined) return `${html}<div class="terms">${sign("0 +")}${figureOf(reduced, "gradient", "this part", { used: [cell] })}${sign("=")}${after}</div>`;
  html += `<div class="terms">${figureOf(T(step.before), "gradient", "so far", { used: [cell] })}${sign("+")}${figureOf(reduced, "gradient", "this part", { used: [cell] })}${sign("=")}${after}</div>`;
  const [b, r, a] = [step.before, step.reduced, step.after].map((ref) => matrix(T(ref)).at(cell));
  return html + worked(`${inBrackets(b)} + ${inBrackets(r)} = <b>${show(a)}</b>`);
}

// The positions in g whose sum is element k of raw, where a rule adds up along dims (the gradient of a bias, say); else null.
function summed(g, raw, k) {
  const G = matrix(g), R = matrix(raw), shift = g.shape.length - raw.shape.length;
  if (!G.whole || !R.whole || G.size === R.size || shift < 0 || raw.shape.some((n, i) => n !== 1 && n !== g.shape[i + shift])) return null;
  const parts = [...Array(G.size).keys()].filter((p) => broadcastFrom(p, g.shape, raw.shape) === k);
  const total = parts.reduce((sum, p) => sum + G.at(p), 0);
  return Math.abs(total - R.at(k)) < 1e-4 * (Math.abs(total) + 1e-3) ? parts : null;
}

const INFIX = { add: "+", sub: "−", mul: "⊙", div: "÷", matmul: "@" };
const COMPUTE = { add: "+", sub: "−", mul: "·", div: "/" };
function computation(step) {
  const node = nodes.get(step.node), out = T(node.value), made = choose(out), whole = matrix(out).whole && matrix(out).size > 0;
  const inputs = node.inputs.map((id, k) => {
    if (id) return { id, caption: math(nodeMath(id)), numbers: T(nodes.get(id).value) };
    const plain = node.attrs?.[trace.rules[node.op]?.inputs[k]];
    return typeof plain === "number" ? { plain } : null;
  }).filter(Boolean);
  const numbersOf = (x) => x.numbers ?? { shape: [], dtype: "float64", data: [x.plain] };
  const result = show(matrix(out).at(made));
  const tight = [...inputs.map(numbersOf), out].reduce((sum, numbers) => sum + matrix(numbers).cols.length + 2, 0) > 17;  // so that all of it stays in sight
  const z = figure(out, "value", math(nodeMath(node.id)), { made, pick: "value", tight });
  const all = inputs.every((x) => matrix(numbersOf(x)).whole) && whole;
  const draw = (used = []) => inputs.map((x, k) => x.numbers ? figure(x.numbers, "value", x.caption, { used: used[k] ?? [], tight }) : sign(inBrackets(x.plain)));
  if (INFIX[node.op] && inputs.length === 2) {
    const [a, b] = inputs.map(numbersOf);
    let used = [], line = "";
    if (all && node.op === "matmul" && a.shape.length <= 2 && b.shape.length <= 2) {
      const cells = productCells(a, b, made);
      used = [cells.left, cells.right]; line = workedProduct(a, b, cells, matrix(out).at(made));
    } else if (all && COMPUTE[node.op]) {
      const [p, q] = [a, b].map((x) => broadcastFrom(made, out.shape, x.shape));
      used = [[p], [q]]; line = worked(`${inBrackets(a.data[p])} ${COMPUTE[node.op]} ${inBrackets(b.data[q])} = <b>${result}</b>`);
    }
    return `<h3>Computed</h3><div class="terms">${draw(used).join(sign(INFIX[node.op]))}${sign("=")}${z}</div>${line}`;
  }
  if (step.equation) {  // each cell adds up cells of the first input, or is one of them
    const x = numbersOf(inputs[0]), weights = weightsOf(step.equation.terms[1], made, x), total = matrix(out).at(made);
    const others = new Map(step.equation.terms.slice(2).map((term) => [term.node, term]));
    const used = inputs.map((input, k) => k === 0 ? weights.used : others.has(input.id) ? weightsOf(others.get(input.id), made, input.numbers).used : []);
    const choice = { largest: "max", smallest: "min" }[step.equation.kind];
    if (choice) return `<h3>Computed</h3><div class="terms">${sign(`<i>${text(node.op)}</i>`)}${draw(used).join(sign(","))}${sign("=")}${z}</div>` + worked(`${choice}(${several(weights.used.map((j) => show(x.data[j]))).join(", ")}) = <b>${result}</b>`);
    const rest = total - weights.used.reduce((sum, j) => sum + x.data[j] * weights.numbers.data[j], 0);
    const line = workedSum(x, weights, Math.abs(rest) > 1e-5 * Math.max(...x.data.map(Math.abs), Math.abs(total)) ? rest : 0, total);
    return `<h3>Computed</h3><div class="terms">${sign(`<i>${text(node.op)}</i>`)}${draw(used).join(sign(","))}${sign("=")}${z}</div>${line}`;
  }
  const each = maths[node.op]?.elementwise && all && inputs.every((x) => numbersOf(x).shape.length <= out.shape.length);
  const places = each ? inputs.map((x) => [broadcastFrom(made, out.shape, numbersOf(x).shape)]) : [];
  const line = each && inputs.length ? worked(`${text(node.op)}(${inputs.map((x, k) => show(numbersOf(x).data[places[k][0]])).join(", ")}) = <b>${result}</b>`) : "";
  return `<h3>Computed</h3><div class="terms">${sign(`<i>${text(node.op)}</i>`)}${draw(places).join(sign(","))}${sign("=")}${z}</div>${line}`;
}

function arrival(step) {
  const total = T(step.after), made = choose(total);
  const grad = math(gradMath(step.node)), out = figure(total, "gradient", grad, { made, pick: "total" });
  if (step.parts.length < 2) return `<h3>Complete</h3><div class="terms">${out}</div><p class="say">Now it is handed on to ${receivers(step.node)}.</p>`;
  const parts = step.parts.map((part) => figure(T(part.tensor), "gradient", `<span>from ${nameHtml(edges.get(part.edge).dst)}</span>`, { used: [made] }));
  const numbers = step.parts.map((part) => matrix(T(part.tensor)).at(made));
  return `<h3>All ${step.parts.length} parts are in</h3><div class="terms">${parts.join(sign("+"))}${sign("=")}${out}</div>` +
    worked(`${sumOf(numbers)} = <b>${show(matrix(total).at(made))}</b>`) + `<p class="say">Now it is handed on to ${receivers(step.node)}.</p>`;
}
const receivers = (id) => {
  const names = trace.edges.filter((e) => e.dst === id && main.sent.has(e.id)).map((e) => nameHtml(e.src));
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0] ?? "nobody";
};

function equation(step) {
  if (step.kind === "op") return computation(step);
  if (step.kind === "contribute") return contribution(step);
  if (step.kind === "visit") return arrival(step);
  if (step.kind === "seed") return `<h3>The gradient to start with</h3><div class="terms">${figure(T(step.after), "gradient", math(gradMath(step.node)), { made: choose(T(step.after)) })}</div>`;
  const found = Object.entries(step.gradients ?? {}).map(([id, ref]) => figure(T(ref), "gradient", math(gradMath(id))));
  return `<h3>The gradients of the leaves</h3><div class="terms">${found.join("")}</div>`;
}

function source(step) {
  // what is inside an operation is written nowhere: then the line that made the whole
  const inner = nodes.get(step.node), inside = scene.outer && !inner.src;
  const node = inside ? scene.node : inner, { sources } = inside ? scene.outer.trace : trace, src = node.src;
  if (!src || !sources[src.source]) return `<h3>${text(node.expr ? "Expression" : "Source")}</h3><pre class="code" tabindex="0">${text(node.expr ?? "not known")}</pre>`;
  const lines = Object.entries(sources[src.source]).map(([n, line]) => [Number(n), line]).filter(([n]) => n >= src.line - 5 && n <= src.end_line + 5);
  const indent = Math.min(...lines.filter(([, line]) => line.trim()).map(([, line]) => line.length - line.trimStart().length));
  const html = lines.map(([n, line]) => {
    const inside = n >= src.line && n <= src.end_line;
    const characters = [...line];
    const from = n === src.line ? src.column : indent, to = n === src.end_line ? src.end_column : characters.length;
    const cutOut = (a, b) => text(characters.slice(a, b).join(""));
    const shown = inside && to > from ? `${cutOut(indent, from)}<mark>${cutOut(from, to)}</mark>${cutOut(to)}` : cutOut(indent);
    return `<div class="${inside ? "line" : ""}"><span class="no">${n}</span><span>${shown || " "}</span></div>`;
  }).join("");
  return `<h3>${text(src.source)}, line ${src.line}</h3><div class="code">${html}</div>`;
}

// -- another order ------------------------------------------------------------------------------------------------------
function naiveWords(order, run, step, i) {
  const node = nodes.get(step.node);
  const right = order.first_wrong === undefined ? "On this graph it happens to be right: whenever a tensor hands on, all its parts are in."
    : i < order.first_wrong ? "So far nothing is wrong." : `It went wrong at step ${order.first_wrong + 1}, where ${nameHtml(order.steps[order.first_wrong].node)} handed on ${order.steps[order.first_wrong].got} of ${order.steps[order.first_wrong].uses} parts.`;
  let now = "";
  if (step.kind === "visit") {
    const times = order.steps.slice(0, i).filter((s) => s.kind === "visit" && s.node === step.node).length;
    if (step.got < step.uses) now = `${nameHtml(node.id)} hands its gradient on although only ${step.got} of ${step.uses} parts are in.`;
    else if (times) now = `${nameHtml(node.id)} hands its whole gradient on again: what it had handed on before is counted ${times === 1 ? "twice" : "once more"}.`;
    else now = `${nameHtml(node.id)} hands its gradient on.`;
  } else if (step.kind === "contribute") now = `${nameHtml(node.id)} sends a part to ${nameHtml(step.to)}.` + (step.got > step.uses ? ` That is part ${step.got}, and there are only ${step.uses}.` : "");
  else now = `It starts at ${nameHtml(node.id)}, as the right order does.`;
  return { now, right };
}

function paintOrder(order, run, i) {
  const step = run.steps[i], { now, right } = naiveWords(order, run, step, i);
  $("stepno").textContent = `Order: ${order.name}, step ${i + 1} of ${run.steps.length}`;
  $("headline").innerHTML = now;
  $("words").innerHTML = `<p>${text(order.idea)}</p><p>${right}</p>` + (order.stopped ? `<p class="off">Stopped after ${run.steps.length} steps: it takes one for every way through the graph. The right order needs ${backwardSteps.length}.</p>` : "") +
    `<p>The right order waits: a tensor hands on when all uses of it have reported.</p>`;
  const rows = [...main.gradients.keys()].filter((id) => nodes.get(id).uses).map((id) => {
    const wrong = order.wrong[id], rightRef = main.gradients.get(id).at(-1).ref;
    const given = gradientAt(run, id, run.steps.length - 1);
    const how = !wrong ? "right" : wrong.given === undefined ? "nothing came" : wrong.times !== undefined ? `× ${show(wrong.times)}` : `off by ${show(wrong.off)}`;
    return { wrong: Boolean(wrong), leaf: isLeaf(id), html: `<tr><td>${math(gradMath(id))}</td><td>${few(T(rightRef))}</td><td>${given ? few(order.tensors[given.ref]) : "–"}</td><td class="${wrong ? "off" : ""}">${how}</td></tr>` };
  }).sort((a, b) => b.leaf - a.leaf || b.wrong - a.wrong);
  const count = Object.keys(order.wrong).length;
  $("equation").innerHTML = `<h3>In the end: ${count ? `${count} of ${rows.length} gradients are wrong` : "all gradients are right"}</h3><table><thead><tr><th>gradient</th><th>right</th><th>${text(order.name)}</th><th>how wrong</th></tr></thead><tbody>${rows.map((row) => row.html).join("")}</tbody></table>`;
  $("source").innerHTML = `<div class="tabs">${orders.map((other, k) => `<button data-order="${k}" aria-pressed="${other === order}">${text(other.name)}</button>`).join("")}</div><h3>${text(order.name)}</h3><pre class="code" tabindex="0">${text(order.code)}</pre><h3 style="margin-top:12px">The right order</h3><pre class="code" tabindex="0">${text(rightCode)}</pre>`;
}
const few = (numbers) => {
  const m = matrix(numbers), shown = m.rows.flatMap((r) => m.cols.map((c) => m.at(r * m.width + c))).slice(0, 4);
  return shown.map((v) => { const [name, t] = colour(v, "gradient"); return `<span class="num ${name}" style="--t:${t}%">${text(show(v))}</span>`; }).join("") + (m.size > 4 ? " …" : "");
};

// -- state: the step, the part of the graph, the cell, the order -----------------------------------------------------------
const stage = new Stage($("stage"), main, "");
let other = null;

const state = Object.assign(page.transport({
  last: () => (state.order === null ? trace.steps.length : Math.max(backwardSteps.length, naive[state.order].steps.length)) - 1,
  paint, beat: 1100,
  // Forward ticks are of middle height, visits tall, contributions short.
  rows: () => (state.order === null ? [trace.steps] : [backwardSteps, naive[state.order].steps]).map((steps, row) => steps.map(({ kind }) => {
    const [name, half] = kind === "op" ? ["op", 8] : kind === "contribute" ? ["contribute", 4.5] : ["visit", 11];
    return [row ? `${name} naive` : name, half];
  })),
  arrive: () => { if (![stage, other].some((s) => s?.shows(s.place()))) state.open(""); },  // what happens is in no sight: back to the whole graph
  resized: () => { fitRule(); for (const s of [stage, other]) s?.follow ? s.measure() : s?.fit(); },
  keys: {
    "shift ArrowRight": () => state.jump(1), "shift ArrowLeft": () => state.jump(-1),
    f: () => { stage.fit(); other?.fit(); }, c: () => { stage.toggleFollow(); other?.toggleFollow(); },
    o: () => { if (orders.length) $("orders").click(); }, z: () => { const card = document.activeElement.closest(".card:not(.group)"); state.zoom(card?.dataset.id); }, Backspace: () => state.up(),
    Escape: () => { if (state.order !== null) state.showOrder(null); else state.up(); },
  },
}), {
  cell: null, order: null,
  // the next step, in a direction, that is about another tensor
  jump(direction) {
    const starts = this.order === null ? (i) => ["op", "seed", "visit", "done"].includes(trace.steps[i].kind) : (i) => naive[this.order].steps[i]?.kind === "visit";
    let i = this.at + direction;
    while (i > 0 && i < this.last() && !starts(i)) i += direction;
    this.go(i);
  },
  goTo(id, run) {
    this.stop();
    const places = run.steps.flatMap((step, i) => ((step.kind === "visit" || step.kind === "op") && step.node === id) || step.to === id ? [i] : []);
    const shift = run === main && this.order !== null ? firstBackward : 0;
    const wanted = places.map((i) => i - shift).filter((i) => i >= 0);
    if (wanted.length) this.go(wanted.find((i) => i > this.at) ?? wanted[0]);
  },
  open(path) {
    const view = views.find((v) => v.path === path);
    for (const s of [stage, other]) if (s) s.show(view);
    this.paint();
  },
  // the numbers inside a tensor's operation: of the one that is chosen, else of the one that the step is about
  async zoom(id = trace.steps[stage.place()].node) {
    this.stop();
    if (!canOpen(id)) { $("note").textContent = whyClosed(id); return; }
    if (this.order !== null) this.showOrder(null);
    const opened = await unpack(zooms[id]);
    const backward = this.at >= firstBackward;
    scene.at = this.at;
    this.enter({ ...opened, orders: [], outer: scene, node: nodes.get(id) }, opened.trace.loss);
    this.go(backward && backwardSteps.length ? firstBackward : 0);
  },
  // play this graph; where the keyboard was on a card, which is gone then, it comes to the card `id`
  enter(next, id) {
    const held = document.activeElement.closest("#stages .card, .crumbs");
    setScene(next);
    stage.run = main;
    this.cell = null;
    $("orders").hidden = !orders.length;
    this.ticks();
    stage.show(views[0]);
    if (held) $("stage").querySelector(`[data-id=${id}]`)?.focus({ preventScroll: true });
  },
  up() {
    if (!stage.view.path) {
      if (!scene.outer) return;
      const { outer, node } = scene;
      this.enter(outer, node.id);
      this.go(outer.at);
      return;
    }
    const path = trace.modules.find((group) => group.path === stage.view.path)?.parent ?? "";
    this.open(views.some((view) => view.path === path) ? path : "");
  },
  showOrder(k) {
    this.stop();
    const before = this.order;
    this.order = k;
    $("other").hidden = k === null;
    $("stages").classList.toggle("two", k !== null);
    $("orders").setAttribute("aria-pressed", k !== null);
    other = null;
    if (k !== null) {
      other = new Stage($("other"), naive[k], `${orders[k].name}`);
      stage.title = "topological order";
      stage.show(stage.view);
      other.show(stage.view);
      if (before === null) this.at = 0;
    } else {
      stage.title = "";
      stage.show(stage.view);
      this.at = firstBackward;
    }
    this.ticks();
    this.go(this.at);
    if (k !== null) $("source").scrollTo(0, 0);  // to the choice of orders
  },
});

function paint() {
  const i = state.at;
  const inOrder = state.order !== null;
  const at = stage.place();
  stage.paint(at);
  const step = trace.steps[at];
  const open = $("stage").querySelector(".camera .open"), openable = canOpen(step.node);
  open.setAttribute("aria-disabled", !openable);
  open.title = openable ? `The numbers inside ${nodes.get(step.node).name} (Z)` : whyClosed(step.node);
  $("note").textContent = "";
  const forward = !inOrder && step.phase === "forward";
  $("phase").textContent = inOrder ? "Two orders" : { forward: "Forward pass", backward: "Backward pass", done: "Done" }[step.phase];
  $("phase").classList.toggle("forward", forward);
  if (inOrder) {
    const run = naive[state.order], k = other.place();
    other.paint(k);
    paintOrder(orders[state.order], run, k);
  } else {
    const number = forward ? `Forward ${i + 1} of ${firstBackward}` : `Backward ${i - firstBackward + 1} of ${backwardSteps.length}`;
    $("stepno").textContent = number;
    $("headline").innerHTML = headline(step);
    $("words").innerHTML = words(step);
    fitRule();
    $("equation").innerHTML = equation(step);
    $("source").innerHTML = source(step);
    const mark = $("source").querySelector("mark");
    $("source").scrollTop = mark ? mark.offsetTop + mark.offsetHeight / 2 - $("source").clientHeight / 2 : 0;
    if (mark) $("source").scrollLeft = Math.max(0, Math.min(mark.offsetLeft - 60, mark.offsetLeft + mark.offsetWidth + 16 - $("source").clientWidth));
  }
}

// A formula whose parts are wider than the panel is written smaller; those that would be too small break at their products.
function fitRule() {
  const rule = $("words").querySelector(".rule");
  if (!rule) return;
  const room = rule.clientWidth - 2 * parseFloat(getComputedStyle(rule).paddingLeft);
  const fits = (parts) => room / Math.max(room, ...[...rule.querySelectorAll(parts)].map((part) => part.getBoundingClientRect().width));
  rule.classList.toggle("broken", fits(".part") < 0.7);
  rule.style.fontSize = `${Math.max(0.6, fits(rule.matches(".broken") ? "math" : ".part"))}em`;
}

// -- hands --------------------------------------------------------------------------------------------------------------
$("equation").onclick = (event) => {
  const cell = event.target.closest(".num[data-pick]");
  if (!cell) return;
  state.cell = Number(cell.dataset.k);
  state.paint();
};
$("source").onclick = (event) => { const k = event.target.dataset.order; if (k !== undefined) state.showOrder(Number(k)); };
$("orders").onclick = () => state.showOrder(state.order === null ? worst() : null);
const worst = () => Math.max(0, orders.findIndex((order) => order.first_wrong !== undefined));
page.legend([["value", "value"], ["gradient", "gradient"]]);
state.enter(scene);
state.go(0);

// For tests and for whoever asks: the picture of step i as data.
window.player = {
  state,
  get trace() { return trace; },
  frame: (i, run = main) => {
    const now = frame(run, i);
    return Object.fromEntries([...nodes.keys()].map((id) => [id, { known: now.known(id), gradient: now.gradient(id) && run.tensors[now.gradient(id).ref], complete: now.gradient(id)?.complete ?? false }]));
  },
};
})();
