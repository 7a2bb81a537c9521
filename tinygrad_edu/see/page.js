"use strict";
// What all pages share: numbers and their colours, little pictures of tensors, the bar of steps, and the keyboard.
var page = (() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// -- text and elements ------------------------------------------------------------------------------------------------
const text = (s) => s.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const cut = (s, n) => [...s].length > n ? [...s].slice(0, n - 1).join("") + "…" : s;
const SVG = "http://www.w3.org/2000/svg";
function make(tag, attributes = {}, inside = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.innerHTML = inside;
  return element;
}

// -- numbers ----------------------------------------------------------------------------------------------------------
const signed = (text) => text.replaceAll("-", "−");
function show(v, digits = Math.abs(v) < 0.1 ? 2 : 3) {
  if (v === undefined) return "–";  // of an empty tensor
  if (typeof v === "string") return signed(v === "nan" ? "NaN" : v.replace("inf", "∞"));
  if (typeof v === "boolean") return v ? "1" : "0";
  if (Number.isInteger(v) && Math.abs(v) < 1e5) return signed(String(v));
  const size = Math.abs(v);
  if (size >= 1e4 || size < 1e-3) return signed(v.toExponential(1).replace("e+", "e"));
  return signed(String(Number(v.toPrecision(digits))));
}

// A tensor as a matrix: its last dim across, all others down. `rows` and `cols` are the ones that are shown, of `height` and `width`.
const MOST = 8;
function matrix(numbers, most = MOST) {
  const shape = numbers.shape;
  const width = shape.length ? shape[shape.length - 1] : 1;
  const size = shape.reduce((a, b) => a * b, 1);
  const height = width ? size / width : 0;
  const { data, sample } = numbers;
  const ofWhole = Math.max(most, MOST);
  const rows = sample ? sample.rows.slice(0, most) : some(height, ofWhole), cols = sample ? sample.cols.slice(0, most) : some(width, ofWhole);
  const at = (k) => {
    if (data) return data[k];
    const r = sample.rows.indexOf(Math.floor(k / width)), c = sample.cols.indexOf(k % width);
    return r < 0 || c < 0 ? undefined : sample.data[r * sample.cols.length + c];
  };
  return { width, height, rows, cols, at, whole: Boolean(data), size };
}
const some = (n, most) => n <= most ? [...Array(n).keys()] : [...new Set(Array.from({ length: most }, (_, i) => Math.floor(i * (n - 1) / (most - 1))))];
const shapeText = (shape) => shape.length ? shape.join("×") : "scalar";

// Class and strength of a number's colour. Each kind of number has one scale for the whole page, which whoever draws sets.
// Colour goes with the root of the size: a hundredth of the largest is still a tenth of the colour.
const scale = {};
function colour(v, kind) {
  if (typeof v === "string" || v === undefined || v === null) return ["odd", 0];
  const t = Math.min(1, Math.sqrt(Math.abs(v) / scale[kind]));
  return t < 0.02 ? ["nought", 0] : [`${kind} ${v < 0 ? "minus" : "plus"}`, Math.round(t * 100)];
}

// The heatmap of a tensor within a box, with cells no larger than `side`: one path per colour. The numbers are written into cells
// as wide as `side.text`.
function cells(numbers, kind, box, side = { width: 18, height: 15, text: 26 }) {
  const m = matrix(numbers, 2 * MOST);  // colours need less room than numbers
  const w = Math.min(m.cols.length === 1 ? box.width : side.width, box.width / m.cols.length), h = Math.min(m.rows.length === 1 ? 22 : side.height, box.height / m.rows.length);
  const left = box.x + (box.width - w * m.cols.length) / 2, top = box.y + (box.height - h * m.rows.length) / 2;
  const gap = Math.min(1, w / 8, h / 8), paths = new Map();
  let written = "";
  m.rows.forEach((r, i) => m.cols.forEach((c, j) => {
    const v = m.at(r * m.width + c);
    const [name, t] = colour(v, kind);
    const level = `${name}" style="--t:${Math.min(100, Math.round(t / 6) * 6)}%`;
    const x = left + j * w + gap, y = top + i * h + gap;
    paths.set(level, `${paths.get(level) ?? ""}M${x.toFixed(1)} ${y.toFixed(1)}h${(w - 2 * gap).toFixed(1)}v${(h - 2 * gap).toFixed(1)}h-${(w - 2 * gap).toFixed(1)}z`);
    if (w >= side.text && h >= 12) written += `<text class="number${name === "odd" ? " nan" : ""}" x="${(left + (j + 0.5) * w).toFixed(1)}" y="${(top + (i + 0.5) * h).toFixed(1)}">${text(show(v))}</text>`;
  }));
  return [...paths].map(([level, d]) => `<path class="${level}" d="${d}"/>`).join("") + written;
}

// Small matrices, n×rows×columns, in up to two lines.
function tiles({ shape: [n, rows, cols], data }, kind, box) {
  const lines = n > 2 ? 2 : 1, across = Math.ceil(n / lines), width = box.width / across, height = box.height / lines;
  const side = Math.min((width - 4) / cols, (height - 3) / rows), cell = { width: side, height: side, text: Infinity };
  return Array.from({ length: n }, (_, i) => cells({ shape: [rows, cols], data: data.slice(i * rows * cols, (i + 1) * rows * cols) }, kind,
    { x: box.x + (i % across) * width, y: box.y + Math.floor(i / across) * height, width: width - 4, height: height - 3 }, cell)).join("");
}

// What the colours mean, in the header: [kind, what it is called].
function legend(kinds) {
  $("legend").innerHTML = kinds.map(([kind, name]) => `<div><dt>${text(name)}</dt><dd>−${show(scale[kind])}</dd><dd class="ramp ${kind}"></dd><dd>+${show(scale[kind])}</dd></div>`).join("");
}

// -- the bar of steps, and hands on it ----------------------------------------------------------------------------------
// last(): the number of the last step. paint(): shows the step `at`. rows(): for each row of ticks, [class, half its height] of each step.
// beat: milliseconds from step to step when playing. arrive(): before a step is painted. keys: more keys and what they do.
// resized(): before everything is painted for another size of the window.
function transport({ last, paint, rows, beat, keys = {}, arrive = () => {}, resized = () => {} }) {
  let barWidth = 600;  // measured when it changes, not at every step: that would have the page laid out in between
  const state = {
    at: 0, timer: null, last,
    go(i) {
      state.at = Math.max(0, Math.min(last(), i));
      arrive();
      state.paint();
    },
    play() {
      if (state.timer) return state.stop();
      if (state.at === last()) state.at = 0;
      state.timer = setInterval(() => (state.at < last() ? state.go(state.at + 1) : state.stop()), beat / Number($("speed").value));
      return state.paint();
    },
    stop() {
      if (!state.timer) return;
      clearInterval(state.timer);
      state.timer = null;
      state.paint();
    },
    // Those ahead are pale.
    ticks() {
      const width = barWidth = $("ticks").clientWidth || 600, height = 38, inset = 6, all = rows();
      const gap = (width - 2 * inset) / (last() || 1), thick = Math.max(1, Math.min(9, gap * 0.62));
      let html = "";
      all.forEach((steps, row) => {
        const middle = all.length === 1 ? height / 2 : height * (row ? 0.74 : 0.26), shrink = all.length === 1 ? 1 : 0.55;
        for (const name of new Set(steps.map(([own]) => own))) {
          const d = steps.map(([own, half], i) => own === name ? `M${(inset + i * gap).toFixed(1)} ${(middle - (half - thick / 2) * shrink).toFixed(1)}v${Math.max(0.1, (2 * half - thick) * shrink).toFixed(1)}` : "").join("");
          html += `<path class="tick ${name} ahead" stroke-width="${thick.toFixed(1)}" d="${d}"/><path class="tick ${name}" clip-path="url(#past)" stroke-width="${thick.toFixed(1)}" d="${d}"/>`;
        }
      });
      $("ticks").innerHTML = `<defs><clipPath id="past"><rect id="pastbox" x="-10" y="-5" width="0" height="${height + 10}"/></clipPath></defs>${html}`;
      $("slider").max = last();
    },
    paint() {
      paint();
      const button = document.querySelector("[data-go=play]");
      $("slider").value = state.at;
      $("slider").setAttribute("aria-valuetext", `${state.at + 1} of ${last() + 1}: ${$("headline").textContent}`);
      $("count").textContent = `${state.at + 1} / ${last() + 1}`;
      $("pastbox").setAttribute("width", 10 + 6 + (state.at + 0.5) * (barWidth - 12) / (last() || 1));
      button.classList.toggle("playing", Boolean(state.timer));
      button.setAttribute("aria-label", state.timer ? "Pause" : "Play");
    },
  };
  const actions = {
    first: () => state.go(0), back: () => state.go(state.at - 1), next: () => state.go(state.at + 1), last: () => state.go(last()), play: () => state.play(),
  };
  for (const button of document.querySelectorAll("[data-go]")) {
    button.onclick = () => { if (button.dataset.go !== "play") state.stop(); actions[button.dataset.go](); };
  }
  $("slider").oninput = () => { state.stop(); state.go(Number($("slider").value)); };
  $("speed").onchange = () => { if (state.timer) { state.stop(); state.play(); } };
  const known = {
    ArrowRight: actions.next, ArrowLeft: actions.back, Home: actions.first, End: actions.last, " ": actions.play, d: () => $("theme").click(), ...keys,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.localName === "select") return;
    if (event.key === " " && event.target.localName === "button") return;
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = (event.shiftKey && known[`shift ${name}`]) || known[name];
    if (!action) return;
    event.preventDefault();
    if (event.key !== " ") state.stop();
    action();
  });
  addEventListener("resize", () => { state.ticks(); resized(); state.paint(); });
  return state;
}

$("theme").onclick = () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.style.colorScheme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.style.colorScheme = dark ? "light" : "dark";
};

// In a notebook the page runs in a frame below a still picture, which it replaces. It is dark or light as the notebook is, whose theme
// may be another than the browser's: that shows in the ground around the frame.
try {
  const frame = window.frameElement, picture = frame?.previousElementSibling;
  if (picture?.localName === "img") picture.hidden = true, picture.style.display = "none";
  for (let around = frame; around; around = around.parentElement) {
    const [r, g, b, opacity = 1] = getComputedStyle(around).backgroundColor.match(/^rgba?\((.*)\)$/)?.[1].split(",").map(Number) ?? [];
    if (r === undefined || opacity < 0.5) continue;
    document.documentElement.style.colorScheme = 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light";
    break;
  }
} catch { /* another origin: the picture stays, and the browser's scheme */ }

return { data, $, text, cut, make, show, MOST, matrix, shapeText, scale, colour, cells, tiles, legend, transport };
})();
