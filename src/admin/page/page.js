"use strict";
/* The page is drawn from /status, /metrics.json, /events and /history, every two seconds while it is
 * looked at. Whatever comes from there is text (textContent): names, keys and types are rows' own
 * words, and nobody's markup. Attributes are set to numbers and to words that stand here. */

const POLL_MS = 2000;
const WINDOW_MS = 15 * 60 * 1000;
const WINDOW_MIN_MS = 2 * 60 * 1000;
const SVG = "http://www.w3.org/2000/svg";

const IGNORED = {
  no_route: "no route takes the table, or the prefix of the message",
  update_or_delete: "the route of the table does not take this operation",
  non_transactional_message: "a logical message outside of a transaction",
  own_message: "a message of walferry itself",
};
const ROUTE_COUNTERS = [
  ["Events", "walferry_events_total"],
  ["Dead letters", "walferry_dead_letters_total"],
  ["Held", "walferry_changes_held_total"],
  ["Skipped", "walferry_skipped_total"],
  ["Truncated", "walferry_truncated_total"],
  ["Claims", "walferry_claims_total"],
  ["As text", "walferry_values_as_text_total"],
];

const by = (id) => document.getElementById(id);

/* ---- Elements ---- */

/* parts: texts and elements; null is left out. */
function element(name, classes, ...parts) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  for (const part of parts) if (part !== null && part !== undefined) made.append(part);
  return made;
}

function fill(id, children) {
  by(id).replaceChildren(...children);
}

function say(id, text) {
  const at = by(id);
  if (at.textContent !== text) at.textContent = text;
}

/* columns: [heading, classes]; rows: arrays of texts or elements. */
function table(id, columns, rows, none) {
  const at = by(id);
  if (!at.tHead) {
    at.createTHead().append(element("tr", "", ...columns.map(([heading, classes]) => {
      const th = element("th", classes, heading);
      th.scope = "col";
      return th;
    })));
    at.append(document.createElement("tbody"));
  }
  const lines = rows.map((cells) => element("tr", "", ...cells.map((cell, i) => {
    const td = element("td", columns[i][1], cell);
    td.dataset.label = columns[i][0];
    return td;
  })));
  if (rows.length === 0) {
    const td = element("td", "none muted", none);
    td.colSpan = columns.length;
    lines.push(element("tr", "", td));
  }
  at.tBodies[0].replaceChildren(...lines);
}

/* ---- Words ---- */

const UNKNOWN = "not known";

function count(n) {
  return n === null || n === undefined ? UNKNOWN : n.toLocaleString("en");
}

function bytes(n) {
  if (n === null || n === undefined) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at++; }
  return (at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + units[at];
}

function rate(n) {
  if (n === null || n === undefined) return "–";
  return (n > 0 && n < 10 ? n.toFixed(1) : count(Math.round(n))) + "/s";
}

function seconds(s) {
  if (s === null || s === undefined) return UNKNOWN;
  if (s < 0) s = 0;
  if (s < 90) return Math.round(s) + " s";
  if (s < 90 * 60) return Math.round(s / 60) + " min";
  if (s < 48 * 3600) return Math.round(s / 3600) + " h";
  return Math.round(s / 86400) + " days";
}

function millis(ms) {
  if (ms === null) return "–";
  return ms < 1000 ? (ms < 10 ? ms.toFixed(1) : Math.round(ms)) + " ms" : (ms / 1000).toFixed(1) + " s";
}

const ago = (at) => at === null ? "never" : seconds((Date.now() - Date.parse(at)) / 1000) + " ago";

function clock(at) {
  if (at === null) return "–";
  const when = new Date(at);
  const time = element("time", "", when.toLocaleTimeString("en-GB"));
  time.dateTime = when.toISOString();
  time.title = when.toISOString();
  return time;
}

/* ---- Rates ---- */

let before = null; /* {at, metrics}: of the last answer but one */
let now = null;

function total(metrics, name) {
  const value = metrics && metrics[name];
  if (typeof value === "number") return value;
  return Object.values(value || {}).reduce((sum, n) => sum + n, 0);
}

/* of: the number of one answer. Null where it is not known yet, or the process is another one. */
function perSecond(of) {
  if (!before || !now) return null;
  const change = of(now.metrics) - of(before.metrics);
  const over = (now.at - before.at) / 1000;
  return change < 0 || over <= 0 ? null : change / over;
}

/* ---- Sections ---- */

function drawHead(status) {
  const badge = by("ready");
  const failed = status.checks.filter((check) => !check.ok).map((check) => check.name);
  say("ready", status.ready ? "ready" : "not ready" + (failed.length > 0 ? ": " + failed.join(", ") : ""));
  badge.className = "badge " + (status.ready ? "good" : "bad");
  say("relay", status.relay);
  say("since", status.state + (status.since ? " for " + seconds((Date.now() - Date.parse(status.since)) / 1000) : ""));
  document.title = (status.ready ? "" : "✗ ") + status.relay + " · walferry";
  say("identity", "walferry " + status.version + ", pid " + status.pid +
    (status.instance ? ", instance " + status.instance : ""));
}

function drawChecks(status) {
  fill("checks", status.checks.map((check) => {
    const mark = element("span", "mark", check.ok ? "✓" : "✗");
    mark.setAttribute("aria-hidden", "true");
    return element("li", check.ok ? "good" : "bad", mark,
      element("b", "", check.name + (check.ok ? "" : ": failed")), element("span", "", check.text));
  }));
}

function stage(title, figure, lines, list, bad) {
  return element("li", bad ? "bad" : "", element("h3", "", title), element("div", "figure", figure),
    ...lines.map((line) => element("p", "muted", line)),
    list && list.length > 0 ? element("ul", "", ...list.map(([name, value]) =>
      element("li", "", element("span", "", name), element("span", "muted", value)))) : null);
}

function routesOf(metrics) {
  return Object.keys(metrics.walferry_events_total || {});
}

function topicsOf(events) {
  const topics = new Map();
  for (const event of events)
    if (!topics.has(event.topic)) topics.set(event.topic, event);
  return [...topics.values()].slice(0, 5);
}

function drawPipeline(status, metrics, events) {
  const failed = (name) => status.checks.some((check) => check.name === name && !check.ok);
  const eventRate = perSecond((m) => total(m, "walferry_events_total"));
  const transactions = (kind) => (m) => m.walferry_transactions_total[kind];
  const routes = routesOf(metrics)
    .map((name) => [name, perSecond((m) => m.walferry_events_total[name] || 0)])
    .sort((a, b) => b[1] - a[1]).slice(0, 5);
  fill("pipeline", [
    stage("PostgreSQL", rate(perSecond(transactions("postgres"))),
      ["transactions", "slot " + (status.slot || UNKNOWN), "answered " + ago(status.source_up_at)], null,
      failed("session") || failed("slot_state")),
    stage("Routes", rate(eventRate), ["events"], routes.map(([name, r]) => [name, rate(r)]), false),
    stage("Kafka transactions", rate(perSecond(transactions("kafka"))),
      [(status.guarantee || "").replace("_", " "), metrics.walferry_batches_in_flight + (metrics.walferry_batches_in_flight === 1 ? " batch" : " batches") + " under way",
        "committed " + ago(status.last_commit_at)], null, failed("progress")),
    stage("Topics", rate(perSecond((m) => total(m, "walferry_event_bytes_total"))).replace(/^[\d,.]+/,
      (n) => bytes(Number(n.replace(/,/g, "")))),
      ["Kafka answered " + ago(status.publisher_up_at)],
      topicsOf(events).map((e) => [e.topic, e.offset === null ? "" : e.partition + ":" + count(e.offset)]),
      failed("broker")),
  ]);
}

function drawSlot(status) {
  const risk = { none: ["none", "good-text"], filling: ["filling", "warn-text"],
    at_risk: ["at risk of being lost", "bad-text"], lost: ["lost", "bad-text"] }[status.slot_risk];
  const pairs = [
    ["Slot", status.slot || UNKNOWN],
    ["WAL status", status.slot_wal_status || UNKNOWN],
    ["Risk", risk ? element("span", risk[1], risk[0]) : UNKNOWN],
    ["Lag", bytes(status.slot_lag_bytes)],
    ["Retained", bytes(status.slot_retained_bytes)],
    ["Room", status.slot_wal_status === null ? UNKNOWN : status.slot_room_bytes === null ? "no limit" : bytes(status.slot_room_bytes)],
    ["Time left", status.slot_seconds_left === null ? "no end is in sight, or it is too early to tell" : seconds(status.slot_seconds_left)],
    ["Position", element("span", "mono", status.position || UNKNOWN)],
    ["Confirmed", element("span", "mono", status.confirmed_lsn || UNKNOWN)],
    ["Received", element("span", "mono", status.received_lsn || UNKNOWN)],
    ["Publication", status.publication || UNKNOWN],
    ["Split transaction", status.in_partial === null ? UNKNOWN : status.in_partial ? "inside of one" : "no"],
  ];
  fill("slot", pairs.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

function drawProblems(history) {
  const lines = history.problems.map((p) => element("li", p.level === "error" ? "error" : "",
    element("b", "", p.reason || p.event), " ",
    element("span", "muted small", p.reason ? p.event + ", " : "", p.times > 1 ? count(p.times) + " times, last " : "", clock(p.last_at)),
    element("p", "", p.text), p.hint ? element("p", "muted", "→ " + p.hint) : null));
  fill("problems", lines.length > 0 ? lines : [element("li", "none muted", "none since the start")]);
}

function place(event) {
  if (event.offset === null) return "lsn " + (event.lsn || UNKNOWN);
  return event.partition + " : " + count(event.offset);
}

function cut(text, whole) {
  return text === null ? "null" : text + (!text.startsWith("\\x") && new TextEncoder().encode(text).length < whole ? "…" : "");
}

function drawEvents(events) {
  by("events").classList.add("cards");
  table("events", [["Time", "time"], ["Topic", "topic"], ["Key", "key"], ["Type", "type"], ["Partition : offset", "place"], ["LSN", "lsn"]],
    events.map((e) => {
      const key = element("span", "mono", cut(e.key, e.key_bytes));
      const type = element("span", "", e.type === null ? "–" : e.type);
      if (e.dead_letter) type.append(" ", element("span", "tag", "dead letter"));
      if ("payload" in e) key.append(element("span", "payload", cut(e.payload, e.payload_bytes)));
      return [clock(e.committed_at), e.topic, key, type, place(e), element("span", "mono", e.lsn || "–")];
    }), "none since the start");
}

function drawRoutes(metrics) {
  by("routes").classList.add("cards");
  const shown = ROUTE_COUNTERS.filter(([, name], i) => i === 0 || total(metrics, name) > 0);
  const head = by("routes").tHead;
  if (head && head.rows[0].cells.length !== shown.length + 3) by("routes").replaceChildren();
  table("routes", [["Route", ""], ["Rate", "number"], ...shown.map(([heading]) => [heading, "number"]), ["Bytes", "number"]],
    routesOf(metrics).map((route) => [route,
      rate(perSecond((m) => m.walferry_events_total[route] || 0)),
      ...shown.map(([, name]) => count((metrics[name] || {})[route] || 0)),
      bytes(metrics.walferry_event_bytes_total[route] || 0)]), "none");
}

function drawIgnored(metrics) {
  const reasons = Object.entries(metrics.walferry_changes_ignored_total || {});
  table("ignored", [["Why", ""], ["Changes", "number"]], reasons.map(([reason, n]) =>
    [element("span", "", element("code", "", reason), element("span", "muted small", " " + (IGNORED[reason] || ""))), count(n)]),
  "none");
}

function drawEpochs(history) {
  by("epochs").classList.add("cards");
  table("epochs", [["Epoch", "number"], ["Generation", "number"], ["Opened", "time"], ["Closed", "time"], ["Why", ""]],
    history.epochs.map((e) => [count(e.number), count(e.generation), clock(e.opened_at), clock(e.closed_at),
      e.closed_at === null ? "open" : e.reason || ""]), "none has been open yet");
}

/* ---- Charts ---- */

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/* points: [ms, value or null], rising. Straight lines between what is known, gaps elsewhere. */
function runs(points) {
  const found = [];
  let open = null;
  for (const [at, value] of points) {
    if (value === null) { open = null; continue; }
    if (open === null) found.push(open = []);
    open.push([at, value]);
  }
  return found;
}

/* window: how many milliseconds it shows, to now. */
function chart(title, format, points, window) {
  const end = Date.now(), width = 300, height = 80;
  const known = points.filter(([at, value]) => value !== null && at >= end - window);
  const top = Math.max(...known.map(([, value]) => value), 0) || 1;
  const x = (at) => (Math.max(0, 1 - (end - at) / window) * width).toFixed(1);
  const y = (value) => (height - 2 - value / top * (height - 8)).toFixed(1);
  const last = known.length > 0 ? known[known.length - 1][1] : null;
  const most = known.length > 0 ? Math.max(...known.map(([, value]) => value)) : null;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "chart", role: "img" });
  const label = title + ": " + (last === null ? "nothing yet" : "now " + format(last) + ", at most " + format(most));
  picture.setAttribute("aria-label", label);
  picture.append(svg("line", { class: "grid", x1: 0, x2: width, y1: y(top / 2), y2: y(top / 2) }));
  for (const run of runs(points.filter(([at]) => at >= end - window))) {
    const line = run.map(([at, value]) => x(at) + "," + y(value)).join(" ");
    picture.append(svg("polygon", { class: "area", points: `${x(run[0][0])},${height} ${line} ${x(run[run.length - 1][0])},${height}` }));
    picture.append(svg("polyline", { class: "line", points: line }));
  }
  return element("figure", "", element("figcaption", "", element("span", "", title), element("b", "", last === null ? "–" : format(last))),
    picture, element("div", "axis", element("span", "", seconds(window / 1000) + " ago"),
      element("span", "most", most === null ? "" : "at most " + format(most)), element("span", "", "now")));
}

/* of(a, b): a value of two samples, the later one second; null where it is not known. */
function between(samples, of) {
  return samples.slice(1).map((b, i) => {
    const a = samples[i];
    return [b.at_ms, b.at_ms > a.at_ms && b.at_ms - a.at_ms < 30000 ? of(a, b) : null];
  });
}

function drawCharts(history, status) {
  const s = history.samples;
  const rates = between(s, (a, b) => b.events < a.events ? null : (b.events - a.events) * 1000 / (b.at_ms - a.at_ms));
  const latency = between(s, (a, b) => b.visible_count > a.visible_count
    ? (b.visible_us - a.visible_us) / (b.visible_count - a.visible_count) / 1000 : null);
  const known = s.length > 0 ? Date.now() - s[0].at_ms : 0;
  const window = Math.min(WINDOW_MS, Math.max(WINDOW_MIN_MS, Math.ceil(known / 60000) * 60000));
  const drawn = (title, format, points) => chart(title, format, points, window);
  fill("charts", [
    drawn("Events a second", rate, [...rates, [Date.now(), perSecond((m) => total(m, "walferry_events_total"))]]),
    drawn("Lag of the slot", bytes, [...s.map((p) => [p.at_ms, p.lag_bytes]), [Date.now(), status.slot_lag_bytes]]),
    drawn("WAL retained", bytes, [...s.map((p) => [p.at_ms, p.retained_bytes]), [Date.now(), status.slot_retained_bytes]]),
    drawn("Commit to visible, mean", millis, latency),
  ]);
}

/* ---- Asking ---- */

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (answer.status === 401) throw new Error("the port asks for a token: load the page anew");
  if (!answer.ok) throw new Error(path + " says " + answer.status);
  return answer;
}

const askJson = async (path) => (await ask(path)).json();

function lost(error) {
  const banner = by("banner");
  banner.textContent = "walferry does not answer (" + error.message + "). What stands here is as it was.";
  banner.hidden = false;
  document.body.classList.add("stale");
  by("ready").className = "badge bad";
  say("ready", "no answer");
}

async function look() {
  try {
    const [status, metrics, events, history] = await Promise.all(
      ["/status", "/metrics.json", "/events", "/history"].map(askJson));
    before = now && now.pid === status.pid ? now : null;
    now = { at: performance.now(), pid: status.pid, metrics };
    by("banner").hidden = true;
    document.body.classList.remove("stale");
    drawHead(status);
    drawChecks(status);
    drawPipeline(status, metrics, events.events);
    drawCharts(history, status);
    drawSlot(status);
    drawProblems(history);
    drawEvents(events.events);
    drawRoutes(metrics);
    drawIgnored(metrics);
    drawEpochs(history);
  } catch (error) {
    lost(error);
  }
}

async function showConfig() {
  if (!by("config").open) return;
  try {
    by("config-text").textContent = await (await ask("/config")).text();
  } catch (error) {
    by("config-text").textContent = error.message;
  }
}

let paused = false;

async function run() {
  for (;;) {
    if (!paused && !document.hidden) await look();
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").textContent = paused ? "Go on" : "Pause";
});
by("config").addEventListener("toggle", showConfig);
run();
