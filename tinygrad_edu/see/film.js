// The film of a training. What is seen at moment i is a pure function of the film and i: going back is i - 1.
(() => {
const { $, text, make, show, shapeText, scale, cells, tiles, legend, transport } = page;
const { film, grid } = page.data;
const { moments, layers, plane } = film;
const isNumber = (v) => typeof v === "number";
const size = ({ numbers: { mean, std } }) => mean === undefined ? NaN : Math.hypot(mean, std);  // the root of the mean square

const short = (name) => [...name].length > 20 ? `${[...name].slice(0, 9).join("")}…${[...name].slice(-10).join("")}` : name;

// -- one scale for each kind of number, over the whole film -----------------------------------------------------------------
const largest = (kept) => Math.max(0, ...kept.flatMap(({ numbers: { min, max } }) => [min, max]).filter(isNumber).map(Math.abs)) || 1;
scale.value = largest(moments.flatMap((moment) => Object.values(moment.weights)));
scale.gradient = largest(moments.flatMap((moment) => Object.values(moment.gradients)));
scale.output = largest(moments.flatMap((moment) => Object.values(moment.outputs)));
legend([["value", "weight"], ["gradient", "gradient"], ["output", "output"]].slice(0, Object.keys(moments[0].outputs).length ? 3 : 2));

// -- curves -----------------------------------------------------------------------------------------------------------------
const lastStep = moments.at(-1).step || 1;
class Chart {
  // Curves in `home`: each {name, look, values}, a value for each moment.
  constructor(home, title, curves) {
    this.home = home; this.curves = curves;
    home.hidden = !curves.length;
    home.innerHTML = `<h3></h3><ul class="names">${curves.map(({ name, look }) => `<li class="${look}"><i></i><span>${text(short(name))}</span><b></b></li>`).join("")}</ul>`;
    this.svg = make("svg", { role: "img" });
    home.append(this.svg);
    const found = curves.flatMap((curve) => curve.values).filter(isNumber);
    let low = Math.min(...found), high = Math.max(...found);
    this.log = low > 0 && high / low > 100;
    if (!found.length) [low, high] = [0, 1];
    if (!this.log && low >= 0 && low < high / 2) low = 0;
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    this.low = low; this.high = high;
    home.querySelector("h3").textContent = title + (this.log ? ", log" : "");
  }
  place(v) {
    const t = this.log ? Math.log(v / this.low) / Math.log(this.high / this.low) : (v - this.low) / (this.high - this.low);
    return this.bottom - t * (this.bottom - 6);
  }
  // the step below, axes and whole curves; only the window's size changes them
  fit() {
    const width = this.width = this.svg.clientWidth || 260, height = this.height = this.svg.clientHeight || 180;
    this.left = 42; this.right = width - 8; this.bottom = height - 18;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const clip = `past-${this.home.id}`;
    const between = this.log ? Math.sqrt(this.low * this.high) : (this.low + this.high) / 2;
    const levels = [this.low, between, this.high], digits = [2, 3, 4, 5].find((n) => new Set(levels.map((v) => show(v, n))).size === 3) ?? 6;
    const lines = levels.map((v) => `<path class="axis" d="M${this.left} ${this.place(v).toFixed(1)}H${this.right}"/><text x="${this.left - 5}" y="${(this.place(v) + 3).toFixed(1)}" text-anchor="end">${show(v, digits)}</text>`).join("");
    const drawn = this.curves.map(({ look, values, faint }) => {
      let d = "", pen = "M";
      values.forEach((v, i) => {
        if (!isNumber(v)) { pen = "M"; return; }
        d += `${pen}${this.across(i).toFixed(1)} ${this.place(v).toFixed(1)}`;
        pen = "L";
      });
      return `<g class="${look}"><path class="curve ahead ${faint ? "faint" : ""}" d="${d}"/><path class="curve ${faint ? "faint" : ""}" clip-path="url(#${clip})" d="${d}"/></g>`;
    }).join("");
    this.svg.innerHTML = `<defs><clipPath id="${clip}"><rect x="0" y="-10" height="${height + 20}"/></clipPath></defs>${lines}${drawn}` +
      `<text x="${this.left}" y="${height - 4}">step 0</text><text x="${this.right}" y="${height - 4}" text-anchor="end">${lastStep}</text><g class="marks"></g>`;
  }
  across(i) { return this.left + (this.right - this.left) * moments[i].step / lastStep; }
  paint(i) {
    const x = this.across(i).toFixed(1);
    this.svg.querySelector("clipPath rect").setAttribute("width", x);
    this.svg.querySelector(".marks").innerHTML = `<path class="here" d="M${x} 0V${this.bottom}"/>` + this.curves.map(({ look, values }) => isNumber(values[i]) ? `<circle class="dot ${look}" cx="${x}" cy="${this.place(values[i]).toFixed(1)}" r="4"/>` : "").join("");
    const said = this.curves.map(({ values }) => show(values[i] ?? undefined, 3));
    [...this.home.querySelectorAll("b")].forEach((b, k) => { b.textContent = said[k]; });
    this.svg.setAttribute("aria-label", `${this.home.querySelector("h3").textContent} at step ${moments[i].step}: ${this.curves.map(({ name }, k) => `${name} ${said[k]}`).join(", ")}`);
  }
}

const measured = [...new Set(moments.flatMap((moment) => Object.keys(moment.measures)))];
const isLoss = (name) => name.endsWith("loss");
const measure = (name, k) => ({ name, look: `hue${k % 10}`, values: moments.map((moment) => moment.measures[name]) });
// the gradient of each layer's first parameter; of many layers, some
const weights = layers.flatMap((layer) => Object.keys(layer.parameters).slice(0, 1));
const chosen = weights.length > 6 ? [0, 1, 2, 3, 4, 5].map((k) => weights[Math.round(k * (weights.length - 1) / 5)]) : weights;
const charts = [
  new Chart($("losses"), "Loss", [
    { name: "batch", look: "loss", faint: true, values: moments.map((moment) => moment.loss) },
    { name: "smoothed", look: "trend", values: moments.map((moment) => moment.trend) },
    ...measured.filter(isLoss).map(measure),
  ]),
  new Chart($("measures"), "Measures", measured.filter((name) => !isLoss(name)).map(measure)),
  new Chart($("sizes"), "Size of the gradients", chosen.map((name, k) => ({ name, look: `hue${k}`, values: moments.map((moment) => moment.gradients[name] && size(moment.gradients[name])).map((v) => v > 0 ? v : undefined) }))),
].filter((chart) => chart.curves.length);

// -- the plane ----------------------------------------------------------------------------------------------------------------
const n = grid, SIDE = 100, inPlane = plane && moments.some((moment) => moment.cells);
const several = inPlane && plane.outputs > 1;
const all = inPlane && !several ? moments.flatMap((moment) => moment.cells).filter(isNumber) : [];
const middle = all.some((v) => v < 0) ? 0 : 0.5, reach = all.reduce((most, v) => Math.max(most, Math.abs(v - middle)), 0) || 1;
const classOf = (label) => several ? label : Number(label > middle);
// what a cell says: which class, and how far it is from saying another one (0 to 1)
function says(cell) {
  if (!isNumber(cell) || cell === -1 && several) return [-1, 0];
  if (!several) return [classOf(cell), Math.abs(cell - middle) / reach];
  return [Math.floor(cell / 100), Math.max(0.01, (cell % 100 / 100 - 1 / plane.outputs) / (1 - 1 / plane.outputs))];
}
const x = (column) => column / (n - 1) * SIDE, y = (row) => SIDE - row / (n - 1) * SIDE;
const shapes = ["M-1.3 0a1.3 1.3 0 1 0 2.6 0a1.3 1.3 0 1 0-2.6 0z", "M-1.1-1.1h2.2v2.2h-2.2z", "M0-1.5L1.4 1.1H-1.4z", "M0-1.6L1.6 0L0 1.6L-1.6 0z"];
const sample = (k) => `class="sample hue${k % 10}" d="${shapes[k % shapes.length]}"`;

function regions(known) {
  const paths = new Map(), step = SIDE / (n - 1);
  for (let row = 0; row < n; row += 1) {
    for (let from = 0, to; from < n; from = to) {
      const look = ([k, t]) => k < 0 ? `none"` : `hue${k % 10}" style="--t:${Math.round(8 + Math.min(1, t) * 10 * 4.6)}%"`;
      const mine = look(known[row * n + from].map((v, j) => j ? Math.round(v * 10) / 10 : v));
      for (to = from + 1; to < n && look(known[row * n + to].map((v, j) => j ? Math.round(v * 10) / 10 : v)) === mine;) to += 1;
      paths.set(mine, `${paths.get(mine) ?? ""}M${(x(from) - step / 2).toFixed(1)} ${(y(row) - step / 2).toFixed(1)}h${((to - from) * step).toFixed(1)}v${step.toFixed(1)}h-${((to - from) * step).toFixed(1)}z`);
    }
  }
  return [...paths].map(([look, d]) => `<path class="${look} d="${d}"/>`).join("");
}
// Where a class begins: through each square of four points, the line on which "how much it is this class" is nothing (marching squares).
function boundary(known) {
  let d = "";
  const classes = [...new Set(known.map(([k]) => k))].filter((k) => k >= 0).sort((a, b) => a - b).slice(1);
  for (const k of classes) {
    const field = known.map(([own, t]) => own === k ? t : -t);
    for (let row = 0; row + 1 < n; row += 1) for (let column = 0; column + 1 < n; column += 1) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]], crossed = [];
      corners.forEach(([c, r], i) => {
        const [c2, r2] = corners[(i + 1) % 4], a = field[r * n + c], b = field[r2 * n + c2];
        if (a > 0 === b > 0) return;
        const t = a / (a - b);
        crossed.push(`${x(c + t * (c2 - c)).toFixed(2)} ${y(r + t * (r2 - r)).toFixed(2)}`);
      });
      for (let i = 0; i + 1 < crossed.length; i += 2) d += `M${crossed[i]}L${crossed[i + 1]}`;
    }
  }
  return d;
}
const planes = new Map();
function paintPlane(i) {
  if (!planes.has(i)) {
    const known = moments[i].cells.map(says);
    planes.set(i, [regions(known), boundary(known)]);
  }
  const [inside, line] = planes.get(i);
  $("plane").querySelector(".cells").innerHTML = inside;
  $("plane").querySelector(".boundary").setAttribute("d", line);
}
if (inPlane) {
  const home = $("plane"), wide = plane.across[1] - plane.across[0], high = plane.up[1] - plane.up[0];
  const labels = [...new Set(plane.labels.map(classOf))].sort((a, b) => a - b);
  const points = plane.points.map(([a, b], i) => `<path ${sample(classOf(plane.labels[i]))} transform="translate(${((a - plane.across[0]) / wide * SIDE).toFixed(2)} ${((plane.up[1] - b) / high * SIDE).toFixed(2)})"/>`);
  home.hidden = false;
  home.innerHTML = `<h3>What the model says</h3><ul class="names">${labels.slice(0, 10).map((k) => `<li><svg viewBox="-2 -2 4 4" aria-hidden="true"><path ${sample(k)}/></svg>${text(film.classes[k] ?? `class ${k}`)}</li>`).join("")}</ul>`;
  home.append(make("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", "aria-label": "The samples, and around them the class that the model gives to each point" },
    `<defs><clipPath id="whole"><rect width="${SIDE}" height="${SIDE}" rx="2"/></clipPath></defs><g clip-path="url(#whole)"><g class="cells"></g><path class="boundary"/></g>${points.join("")}`));
}

// -- the layers ---------------------------------------------------------------------------------------------------------------
const HEAT = { x: 0, y: 1, width: 132, height: 58 }, SHAPE = { width: 150, height: 62 };
// The ends of the axis on which a tensor's histograms lie: the same at every moment. Gradients have outliers, which would leave no room
// for the others: theirs ends where nine of ten moments do, and what is farther out is drawn at the end.
function ends(kept, kind) {
  const found = kept.filter((k) => k?.histogram).map((k) => k.histogram);
  if (!found.length) return [0, 1];
  const usual = (values) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * (kind === "gradient" ? 0.9 : 1))];
  const [low, high] = [-usual(found.map((h) => -h.low)), usual(found.map((h) => h.high))];
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}
function histogram(kept, [low, high], kind) {
  const { width, height } = SHAPE, base = height - 13, at = (v) => Math.max(0, Math.min(1, (v - low) / (high - low))) * width;
  const axis = `<path class="axis" d="M0 ${base + 0.5}H${width}${low < 0 && high > 0 ? `M${at(0).toFixed(1)} 2V${base + 3}` : ""}"/><text x="0" y="${height - 1}">${show(low, 2)}</text><text x="${width}" y="${height - 1}" text-anchor="end">${show(high, 2)}</text>`;
  if (!kept?.histogram) return axis;
  const { low: from, high: to, counts } = kept.histogram, most = Math.max(...counts);
  const edge = (k) => at(from + (to - from) * k / counts.length);
  const bar = (count, k) => {
    const left = Math.min(edge(k), width - 1), right = Math.max(edge(k + 1), left + 1);
    return `M${left.toFixed(1)} ${base}v-${(count / most * (base - 4)).toFixed(1)}H${right.toFixed(1)}V${base}z`;
  };
  const d = counts.map((count, k) => count ? bar(count, k) : "").join("");
  return `<path class="histogram ${kind}" d="${d}"/>${axis}`;
}
function spoken(kept) {
  if (!kept) return "none";
  const { min, max, mean, std, nonfinite } = kept.numbers;
  return (min === undefined ? "no finite number" : `${show(min, 3)} to ${show(max, 3)}, mean ${show(mean, 3)}, deviation ${show(std, 3)}`) + (nonfinite ? `, ${nonfinite} not finite` : "");
}
// Two cells of the table: a tensor as a heatmap and as a histogram.
function pair(find, kind, what) {
  const axis = ends(moments.map(find), kind);
  const few = Math.min(1, ...moments.map(find).filter(Boolean).map(({ numbers: { shape } }) => shape.length > 1 ? 1 : 0.45)), box = { ...HEAT, height: HEAT.height * few };
  const row = document.createDocumentFragment(), places = ["heat", "shape"].map(() => row.appendChild(document.createElement("td")));
  const heat = places[0].appendChild(make("svg", { width: HEAT.width, height: HEAT.height, role: "img" }));
  const shape = places[1].appendChild(make("svg", { width: SHAPE.width, height: SHAPE.height, role: "img" }));
  const paint = (i, inSight) => {
    const kept = find(moments[i]), said = spoken(kept);
    heat.setAttribute("aria-label", `${what}: ${said}`);
    shape.setAttribute("aria-label", `Histogram of ${what}: ${said}`);
    if (!inSight) { heat.replaceChildren(); shape.replaceChildren(); return; }
    heat.innerHTML = kept?.filters ? tiles(kept.filters, kind, box) : kept ? cells(kept.numbers, kind, box, { width: 44, height: 19, text: 42 }) : "";
    shape.innerHTML = histogram(kept, axis, kind);
    for (const svg of [heat, shape]) svg.append(make("title", {}, text(said)));
  };
  return { row, paint, places };
}
// Which filters of a convolution are seen: some of them, for one channel.
function ofFilters(name) {
  const n = moments[0].weights[name].filters?.shape[0], [all, channels] = layers.flatMap((layer) => layer.parameters[name] ?? []);
  return n && (n < all || channels > 1) ? `,<br>${n} of ${all}` + (channels > 1 ? ", first channel" : "") : "";
}
const painters = [];  // of each layer: the part of the table, and what paints it
function layerRows(layer) {
  const body = document.createElement("tbody"), names = Object.keys(layer.parameters), rows = Math.max(1, names.length);
  const given = moments.some((moment) => moment.outputs[layer.path]);
  if (!names.length && !given) return body;
  const pairs = [];
  painters.push([body, pairs]);
  for (let k = 0; k < rows; k += 1) {
    const tr = body.appendChild(document.createElement("tr")), name = names[k], th = tr.appendChild(document.createElement("th"));
    th.scope = "row";
    const own = name?.split(".").at(-1);
    th.innerHTML = (k ? "" : `${text(layer.path || layer.kind)}${layer.path ? `<small>${text(layer.kind)}</small>` : ""}`) + (name ? `<small>${text(own)} ${shapeText(layer.parameters[name])}${ofFilters(name)}</small>` : "");
    const add = (pair) => { pairs.push(pair); tr.append(pair.row); return pair; };
    if (name) {
      add(pair((moment) => moment.weights[name], "value", name));
      add(pair((moment) => moment.gradients[name], "gradient", `the gradient of ${name}`));
    } else tr.insertAdjacentHTML("beforeend", `<td colspan="4"></td>`);
    if (k) continue;
    if (given) for (const place of add(pair((moment) => moment.outputs[layer.path], "output", `what ${layer.path || layer.kind} gives`)).places) place.rowSpan = rows;
  }
  return body;
}
$("layers").innerHTML = `<caption class="unseen">Each layer's parameters, their gradients and what it gives</caption><thead><tr><th scope="col">Layer</th><th scope="col" colspan="2">Weights</th><th scope="col" colspan="2">Gradients</th>` +
  (Object.keys(moments[0].outputs).length ? `<th scope="col" colspan="2">Outputs <small>a row for each of some samples</small></th>` : "") + "</tr></thead>";
$("layers").append(...layers.map(layerRows));
// Only what is in sight is painted: a model may have hundreds of layers.
let printing = false;
function paintLayers(i) {
  const seen = painters.map(([body]) => { const { top, bottom } = body.getBoundingClientRect(); return printing || bottom > -200 && top < innerHeight + 200; });
  painters.forEach(([, pairs], k) => { for (const pair of pairs) pair.paint(i, seen[k]); });
}
for (const place of [window, document.querySelector(".layers")]) place.addEventListener("scroll", () => paintLayers(state.at), { passive: true });
addEventListener("beforeprint", () => { printing = true; paintLayers(state.at); });
addEventListener("afterprint", () => { printing = false; });

// -- the moment ---------------------------------------------------------------------------------------------------------------
const state = transport({
  last: () => moments.length - 1, paint, beat: 200,
  rows: () => [moments.map((moment, i) => ["moment", i && moment.epoch === moments[i - 1].epoch ? 4.5 : 11])],  // tall where an epoch begins
  resized: () => charts.forEach((chart) => chart.fit()),
  keys: { "shift ArrowRight": () => jump(1), "shift ArrowLeft": () => jump(-1) },
});
// to the next moment, in a direction, with which an epoch begins
function jump(direction) {
  let i = state.at + direction;
  while (i > 0 && i < moments.length - 1 && moments[i].epoch === moments[i - 1].epoch) i += direction;
  state.go(i);
}
function paint() {
  const i = state.at, moment = moments[i], steps = `${moment.step} step${moment.step === 1 ? "" : "s"}`;
  $("momentno").textContent = `Moment ${i + 1} of ${moments.length}`;
  $("headline").textContent = i ? `After ${steps}` : moment.step ? `At step ${moment.step}` : "Before the first step";
  const sizes = Object.values(moment.gradients).map(({ numbers }) => [numbers.shape.reduce((a, b) => a * b, 1), size({ numbers })]);
  const facts = [["whole epochs", moment.epoch], ["loss of this batch", moment.loss], ["smoothed", moment.trend], ...Object.entries(moment.measures),
    ["gradient length", sizes.length ? Math.sqrt(sizes.reduce((sum, [count, rms]) => sum + count * rms * rms, 0)) : undefined]];
  $("facts").innerHTML = facts.filter(([, v]) => v !== undefined).map(([name, v]) => `<dt>${text(name)}</dt><dd>${text(show(v, 3))}</dd>`).join("");
  $("told").textContent = moment.loss === undefined ? "Training is over: there is no further batch, and no gradient." : "";
  if (inPlane) paintPlane(i);
  for (const chart of charts) chart.paint(i);
  paintLayers(i);
}
state.ticks();
for (const chart of charts) chart.fit();
state.go(0);

// For tests and for whoever asks.
window.player = { state, film };
})();
