// The explorer: what is asked is in the address, so that a link shows the same.

import { $, details, element, machine, options, say, step, tape, verdicts } from "./view.js";

const DEFAULTS = { source: "(11)*", construction: "", arithmetic: "bfloat16", word: "", at: "0" };
const JUDGED = ["exact", "float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2"];
const PACE = 700;

let asked = { ...DEFAULTS };
let run = null;
let judged = [];
let turn = 0;
let reading = 0;
let timer = null;

async function ask(question, names) {
  const query = new URLSearchParams(names.map((name) => [name, asked[name]]));
  const response = await fetch(`api/${question}?${query}`);
  const answer = await response.json().catch(() => ({ error: "The explorer's answer was cut off." }));
  if (!response.ok) throw new Error(answer.error ?? `The explorer answered ${response.status}.`);
  return answer;
}

function remember() {
  const query = new URLSearchParams(Object.entries(asked).filter(([name, value]) => value !== DEFAULTS[name] || name === "source"));
  history.replaceState(null, "", `?${query}`);
}

// -------------------------------------------------------------------- a machine

async function show({ keepWord = false } = {}) {
  stop();
  const mine = ++turn;
  const stale = () => mine !== turn;
  remember();
  fill();
  say("Computing…");
  $("main").classList.add("stale");
  try {
    const found = await ask("machine", ["source", "construction"]);
    if (stale()) return;
    if (!keepWord || !asked.word) asked = { ...asked, word: found.word, at: "0" };
    machine(found);
    choices([found.construction]);
    $("main").hidden = false;
    $("main").classList.remove("stale");
    judged = [...new Set([...JUDGED, asked.arithmetic])].map((name) => ({ name, found: null }));
    table();
    say("");
    $("word").value = asked.word;
    await read();
    if (stale()) return;
    await judge(stale);
    if (stale()) return;
    const more = await ask("details", ["source", "construction"]);
    if (stale()) return;
    details(more);
    choices(more.constructions);
  } catch (error) {
    if (!stale()) say(error.message, true);
  }
}

function choices(keys) {
  const chosen = asked.construction;
  const all = [...new Set(["", ...keys, chosen])];
  $("construction").replaceChildren(...all.map((key) => element("option", { value: key }, key || "cheapest")));
  $("construction").value = chosen;
}

async function judge(stale) {
  for (const entry of judged) {
    if (entry.found) continue;
    try {
      const query = new URLSearchParams({ source: asked.source, construction: asked.construction, arithmetic: entry.name });
      const response = await fetch(`api/verdict?${query}`);
      entry.found = await response.json();
    } catch {
      entry.found = { error: "The explorer does not answer." };
    }
    if (stale()) return;
    table();
  }
}

function table() {
  verdicts(judged, asked.arithmetic, choose, (name, word) => {
    asked = { ...asked, arithmetic: name, word };
    $("word").value = word;
    read().then(() => run && move(run.wrong ?? run.word.length));
  });
}

function choose(name) {
  asked.arithmetic = name.trim();
  if (!judged.some((entry) => entry.name === asked.arithmetic)) judged.push({ name: asked.arithmetic, found: null });
  const mine = turn;
  table();
  read().then(() => judge(() => mine !== turn));
}

// -------------------------------------------------------------------- a word

async function read() {
  stop();
  const mine = ++reading;
  fill();
  try {
    const found = await ask("run", ["source", "construction", "arithmetic", "word"]);
    if (mine !== reading) return;
    run = found;
    table();
    tape(run, move);
    $("position").max = run.word.length;
    move(Math.min(Number(asked.at) || 0, run.word.length));
    say("");
  } catch (error) {
    if (mine === reading) say(error.message, true);
  }
}

function move(at) {
  if (!run) return;
  const place = Math.max(0, Math.min(at, run.word.length));
  asked.at = String(place);
  $("position").value = place;
  $("position").setAttribute("aria-valuetext", `after ${place} of ${run.word.length} letters`);
  for (const id of ["first", "back"]) $(id).disabled = place === 0;
  for (const id of ["forward", "last"]) $(id).disabled = place === run.word.length;
  step(run, place);
  remember();
}

const here = () => Number(asked.at);

function play() {
  if (timer) return stop();
  if (here() >= run.word.length) move(0);
  label(true);
  timer = setInterval(() => {
    move(here() + 1);
    if (here() >= run.word.length) stop();
  }, PACE);
}

function stop() {
  clearInterval(timer);
  timer = null;
  label(false);
}

function label(playing) {
  $("play").textContent = playing ? "Pause" : "Play";
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  $("play").setAttribute("aria-pressed", String(playing));
}

// -------------------------------------------------------------------- controls

function fill() {
  $("source").value = asked.source;
  $("arithmetic").value = asked.arithmetic;
  $("word").value = asked.word;
}

async function share() {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is copied; it works on this machine, while the explorer runs.");
  } catch {
    say(`The link: ${location.href}`);
  }
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  for (const name of Object.keys(DEFAULTS)) asked[name] = query.get(name) ?? DEFAULTS[name];
  return show({ keepWord: query.has("word") });
}

function submit(event) {
  event.preventDefault();
  const source = $("source").value;
  const construction = source === asked.source ? $("construction").value : "";
  const same = source === asked.source;
  asked = { ...asked, source, construction, arithmetic: $("arithmetic").value.trim() || DEFAULTS.arithmetic };
  if (!same) asked = { ...asked, word: "", at: "0" };
  show({ keepWord: same });
}

$("question").addEventListener("submit", submit);
$("construction").addEventListener("change", () => $("question").requestSubmit());
$("arithmetic").addEventListener("change", () => choose($("arithmetic").value || DEFAULTS.arithmetic));
$("share").addEventListener("click", share);
$("word").addEventListener("input", () => {
  asked = { ...asked, word: $("word").value, at: $("word").value.length ? String(1e6) : "0" };
  read();
});
$("position").addEventListener("input", () => { stop(); move(Number($("position").value)); });
for (const [id, to] of [["first", () => 0], ["back", () => here() - 1], ["forward", () => here() + 1], ["last", () => Infinity]]) {
  $(id).addEventListener("click", () => { stop(); move(to()); });
}
$("play").addEventListener("click", () => run && play());

fetch("api/machines").then((response) => response.json()).then(({ machines, arithmetics }) => {
  options($("machines"), machines);
  options($("arithmetics"), arithmetics);
});
fromAddress();
