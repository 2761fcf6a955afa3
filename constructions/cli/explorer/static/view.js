// Puts answers of the server on the page.  Text goes in as text; pictures are the server's own SVG.

export const $ = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function options(list, names) {
  list.replaceChildren(...names.map((name) => element("option", { value: name })));
}

export function picture(place, drawn) {
  if (drawn.missing) {
    place.replaceChildren(element("p", { class: "soft" }, `No picture: ${drawn.missing}`));
    return;
  }
  const svg = new DOMParser().parseFromString(drawn.svg, "image/svg+xml").documentElement;
  const caption = element("p", { class: "soft" }, drawn.title);
  place.style.setProperty("--least", `${drawn.least}pt`);
  place.replaceChildren(document.importNode(svg, true), caption);
}

export function say(text, wrong = false) {
  const place = $("message");
  place.textContent = text;
  place.classList.toggle("wrong", wrong);
}

const count = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;

function rows(table, list) {
  table.tBodies[0].replaceChildren(...list);
}

export function machine(found) {
  $("summary").textContent = found.summary;
  $("network").textContent = `${found.network}; computed exactly ${found.exact}`;
  $("statement").replaceChildren(
    element("strong", {}, element("code", {}, found.construction)),
    `: ${found.statement} `,
    element("span", { class: "soft" }, `[${found.citation}] Why this one: ${found.reason}.`),
  );
  picture($("automaton"), found.picture);
  table(found);
  $("weights").replaceChildren(...found.weights.map(layer));
}

function table(found) {
  $("table-box").hidden = !found.table;
  if (!found.table) return;
  const { delta, outputs, answers } = found.table;
  const head = ["state", ...found.letters, ...(answers ? ["answer"] : [])];
  const body = delta.map((row, q) =>
    element(
      "tr",
      { "data-state": q },
      element("th", { scope: "row" }, String(q)),
      ...row.map((to, a) => element("td", {}, outputs ? `${to} / ${outputs[q][a]}` : String(to))),
      ...(answers ? [element("td", {}, answers[q])] : []),
    ),
  );
  const top = head.map((name) => element("th", { scope: "col" }, name === " " ? "␣" : name));
  $("table").replaceChildren(
    element("table", {}, element("thead", {}, element("tr", {}, ...top)), element("tbody", {}, ...body)),
  );
}

function matrix(caption, entries, attributes = {}) {
  const line = (row) =>
    element("tr", {}, ...row.map((x) => element("td", x === "0" ? { class: "zero" } : {}, x)));
  const inner = element("table", {}, element("caption", {}, caption), element("tbody", {}, ...entries.map(line)));
  return element("div", { class: "matrix", tabindex: 0, role: "group", "aria-label": caption, ...attributes }, inner);
}

function layer(facts, i) {
  const size = `n = ${facts.n}` + (facts.d === 1 ? "" : `, d = ${facts.d}`);
  const factors = facts.factors === null ? "" : `, at most ${count(facts.factors, "factor")}`;
  const [low, high] = facts.spectrum ?? [];
  const range = !facts.spectrum ? "" : low === high ? ` with eigenvalue ${low}` : ` with eigenvalues from ${low} to ${high}`;
  const actions = facts.actions === null ? "a layer of the tail" : `${count(facts.actions, "action")}, ${facts.kind}`;
  const box = element(
    "div",
    { class: "layer" },
    element("h3", {}, `Layer ${i + 1}: ${size}`),
    element("p", { class: "soft" }, `${actions}${factors}${range}; it passes on the ${facts.reads} coordinate`),
  );
  if (!facts.matrices) return box;
  const shown = element("div", { class: "matrices" }, matrix("H₀", facts.initial));
  facts.matrices.forEach((entries, a) => {
    const letters = facts.letters ? `: ${facts.letters[a].join(" ")}` : "";
    const name = `A of action ${a}${letters}`;
    const action = element("div", { class: "action" }, matrix(name, entries, { "data-layer": i, "data-action": a }));
    if (facts.inputs[a].some((row) => row.some((x) => x !== "0"))) action.append(matrix("B", facts.inputs[a]));
    shown.append(action);
  });
  box.append(shown);
  return box;
}

export function details(found) {
  picture($("spectrum"), found.spectrum);
  picture($("cascade"), found.cascade);
  const fact = ([name, value]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value));
  rows($("profile"), found.profile.map(fact));
  const cell = (name, { answer, why }) =>
    element("td", { "data-name": name }, element("span", { class: answer }, answer), why ? `: ${why}` : "");
  const architecture = (row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, row.matrices),
      element("td", {}, row.models),
      cell("one layer", row.one),
      cell("some layers", row.layers),
    );
  rows($("architectures"), found.architectures.map(architecture));
}

export function verdicts(list, chosen, choose, load) {
  const line = ({ name, found }) => {
    const pick = element("button", { type: "button", onclick: () => choose(name) }, name);
    if (name === chosen) pick.setAttribute("aria-pressed", "true");
    const how = element("td", { class: "word" }, found ? found.why || found.error || "" : "");
    if (found?.word) {
      how.append(" ", element("button", { type: "button", onclick: () => load(name, found.word) }, "Step through it"));
    }
    const said = found ? found.verdict || "no verdict" : "…";
    const row = element("tr", { "data-arithmetic": name }, element("th", { scope: "row" }, pick),
      element("td", { class: found?.verdict ?? "soft" }, said), how);
    row.classList.toggle("here", name === chosen);
    return row;
  };
  rows($("verdicts"), list.map(line));
}

// -------------------------------------------------------------------- one step

export function tape(run, go) {
  const letter = (name, i) =>
    element("li", {}, element("button", { type: "button", tabindex: -1, "aria-label": `Letter ${i + 1}: ${name}`,
      onclick: () => go(i + 1) }, name === " " ? "␣" : name));
  $("tape").replaceChildren(...run.word.map(letter));
}

export function step(run, at) {
  const state = run.path[at];
  [...$("tape").querySelectorAll("button")].forEach((button, i) => {
    button.classList.toggle("read", i < at);
    button.classList.toggle("wrong", run.answers[i + 1] !== run.expected[i + 1]);
    if (i === at - 1) {
      button.setAttribute("aria-current", "step");
      const box = $("tape");
      if (box.scrollHeight > box.clientHeight) box.scrollTop = button.offsetTop - box.offsetTop - box.clientHeight / 2;
    } else button.removeAttribute("aria-current");
  });
  sentence(run, at, state);
  const node = mark("#automaton .here", `automaton-state_${state}`, "here");
  if (node) reveal($("automaton"), node);
  else if (document.querySelector("#automaton svg")) $("said").append(" This state, a sink, is not drawn.");
  mark("#automaton .taken", at ? `automaton-arrow_${run.path[at - 1]}_${state}` : "", "taken");
  for (const row of document.querySelectorAll("#table tr[data-state]")) {
    row.classList.toggle("here", Number(row.dataset.state) === state);
  }
  for (const box of document.querySelectorAll(".matrix[data-layer]")) {
    const actions = run.actions[Number(box.dataset.layer)];
    box.classList.toggle("here", at > 0 && actions[at - 1] === Number(box.dataset.action));
  }
  vectors(run, at);
}

function sentence(run, at, state) {
  const read = at ? `After ${at} of ${count(run.word.length, "letter")}` : "Before the first letter";
  const [answer, expected] = [run.answers[at], run.expected[at]];
  const place = $("said");
  if (answer === null) {
    place.textContent = `${read}: state ${state}; no output yet.`;
    return;
  }
  const right = answer === expected;
  place.replaceChildren(
    `${read}: state ${state}. The automaton says `, element("strong", {}, expected),
    "; the linear RNN ", element("strong", { class: right ? "proved" : "refuted" }, right ? "agrees" : `says ${answer}`), ".",
  );
  if (right && run.wrong !== null) place.append(` On this word it is first wrong after ${count(run.wrong, "letter")}.`);
}

function mark(old, id, name) {
  for (const item of document.querySelectorAll(old)) item.classList.remove(name);
  const found = id ? document.getElementById(id) : null;
  found?.classList.add(name);
  return found;
}

// Scrolls a wide picture sideways, and not the page.
function reveal(box, node) {
  const [outer, inner] = [box.getBoundingClientRect(), node.getBoundingClientRect()];
  if (inner.left < outer.left || inner.right > outer.right) {
    box.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }
}

function vectors(run, at) {
  const layers = run.states.map((states, i) => {
    const now = states[at];
    const before = at ? states[at - 1] : now;
    const top = Math.max(1, ...now.map((x) => (typeof x === "number" ? Math.abs(x) : 0)));
    const cells = now.map((x, j) => {
      const cell = element("span", { class: "cell" }, String(x));
      if (x !== 0) cell.style.backgroundColor = shade(x, top);
      cell.classList.toggle("filled", x !== 0);
      cell.classList.toggle("changed", x !== before[j]);
      return cell;
    });
    const read = run.coordinates[i] ? `, read as coordinate ${run.coordinates[i][at]}` : "";
    const box = element("div", { class: "layer" }, element("h3", {}, `Layer ${i + 1}${read}`));
    box.append(element("div", { class: "vector", role: "group", "aria-label": `State of layer ${i + 1}` }, ...cells));
    return box;
  });
  $("state").replaceChildren(...(layers.length ? layers : [element("p", {}, "There are no layers: every word has one answer.")]));
}

// Blue for negative numbers, orange for positive ones, and none for 0, as in the pictures.
function shade(x, top) {
  if (typeof x !== "number") return "#CC79A7";
  const part = Math.min(1, Math.abs(x) / top);
  const end = x < 0 ? [86, 180, 233] : [230, 159, 0];
  return `rgb(${end.map((c) => Math.round(247 + (c - 247) * part)).join(" ")})`;
}
