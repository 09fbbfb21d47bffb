
"use strict";
// Everything a server says becomes text of a node; nothing is parsed as HTML.
const EVERY = 2000, KEEP = 90, PATIENCE = 5000, DAYS_WARN = 30;
const of = (id) => document.getElementById(id);

function node(name, kind, ...inside) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...inside.map((part) => (part instanceof Node ? part : String(part ?? ""))));
  return made;
}

function drawing(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  return made;
}

// 1234567 as 1.23M; with 1024 as 1.18 Mi.
function short(value, unit = 1000) {
  if (!Number.isFinite(value)) return "–";
  const names = unit === 1024 ? ["", " Ki", " Mi", " Gi", " Ti", " Pi"] : ["", "k", "M", "G", "T", "P"];
  let step = 0;
  while (Math.abs(value) >= unit && step < names.length - 1) { value /= unit; step += 1; }
  const digits = step === 0 && Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toFixed(digits) + names[step];
}
const bytes = (value) => short(value, 1024) + "B";

let token = "";
const away = new Error("credentials");

async function ask(endpoint) {
  const link = [...document.querySelectorAll("nav a")].find((a) => a.pathname.endsWith(endpoint));
  if (!link) throw new Error("no link to " + endpoint);
  const options = { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) };
  if (token) options.headers = { Authorization: "Bearer " + token };
  const answer = await fetch(link.href, options);
  if (answer.status === 401 || answer.status === 403) throw away;
  if (!answer.ok) throw new Error(endpoint + " answers " + answer.status);
  return answer.json();
}

function say(text, kind) {
  of("state").textContent = text;
  of("state").className = "pill " + kind;
}

function about(varz) {
  of("name").textContent = varz.server_name;
  document.title = varz.server_name + " – natssl";
  const parts = ["natssl " + varz.natssl, "nats-server " + varz.version, "up " + varz.uptime];
  of("about").textContent = parts.join(" · ");
}

function alarms(list) {
  of("alarms").replaceChildren(...list.map((alarm) =>
    node("li", "", node("b", "", alarm.kind.replaceAll("_", " ")), alarm.text,
      node("time", "", "since " + alarm.since.slice(0, 19).replace("T", " ") + "Z"))));
}

function tiles(varz) {
  const slow = varz.slow_consumers + (varz.stale_connections || 0);
  const all = [
    [short(varz.connections), "connections"], [short(varz.total_connections), "in total"],
    [short(varz.subscriptions), "subscriptions"], [short(varz.in_msgs), "messages in"],
    [short(varz.out_msgs), "messages out"], [varz.cpu + " %", "CPU"], [bytes(varz.mem), "memory"],
    [short(slow), "slow or stale clients", slow > 0 ? "bad" : ""],
  ];
  of("tiles").replaceChildren(...all.map(([value, name, kind]) =>
    node("div", "tile", node("b", kind || "", value), node("span", "", name))));
}

const history = [];

function remember(varz) {
  const now = { at: Date.parse(varz.now), start: varz.start };
  for (const key of ["in_msgs", "out_msgs", "in_bytes", "out_bytes"]) now[key] = varz[key];
  // Another process counts from 0.
  if (history.length && history[0].start !== now.start) history.length = 0;
  history.push(now);
  if (history.length > KEEP + 1) history.shift();
}

function rates(key) {
  return history.slice(1).map((now, i) => {
    const seconds = (now.at - history[i].at) / 1000;
    return seconds > 0 ? Math.max(0, now[key] - history[i][key]) / seconds : 0;
  });
}

function chart(id, incoming, outgoing, shown) {
  const top = Math.max(1, ...incoming, ...outgoing);
  const line = (values, kind) => {
    const from = KEEP - values.length;
    const points = values.map((v, i) => from + i + "," + (94 - 90 * v / top).toFixed(2)).join(" ");
    return drawing("polyline", { points, class: kind });
  };
  const svg = drawing("svg", {
    viewBox: "0 0 " + (KEEP - 1) + " 96", preserveAspectRatio: "none", role: "img", "aria-label": "the last minutes",
  });
  svg.append(drawing("line", { x1: 0, x2: KEEP, y1: 95, y2: 95, class: "base" }),
    line(incoming, "in"), line(outgoing, "out"));
  const last = (values) => shown(values.length ? values[values.length - 1] : 0);
  of(id).replaceChildren(
    node("div", "legend", node("span", "in", node("i"), "in " + last(incoming)),
      node("span", "out", node("i"), "out " + last(outgoing)), node("span", "top", "peak " + shown(top))),
    svg);
}

function bars(title, counts, kind) {
  const list = Object.entries(counts).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  const sum = list.reduce((sum, [, count]) => sum + count, 0);
  const rows = list.map(([name, count]) => {
    const full = node("i");
    full.style.width = (100 * count / sum).toFixed(1) + "%";
    return node("div", "bar", node("span", "", name), node("b", "", short(count)), node("div", "", full));
  });
  if (!rows.length) rows.push(node("p", "quiet", "none"));
  return node("div", kind || "", node("h3", "", title), ...rows);
}

function handshakes(listeners) {
  const sums = { version: {}, cipher_suite: {}, group: {}, signature: {}, failures: {} };
  let done = 0, resumed = 0, failed = 0;
  for (const { handshakes } of listeners) {
    done += handshakes.completed; resumed += handshakes.resumed; failed += handshakes.failed;
    for (const key in sums) {
      const counts = handshakes[key === "failures" ? key : "by_" + key];
      for (const name in counts) {
        const shown = key === "version" ? "TLS " + name : key === "failures" ? name.replaceAll("_", " ") : name;
        sums[key][shown] = (sums[key][shown] || 0) + counts[name];
      }
    }
  }
  of("handshakes").textContent =
    short(done) + " done, " + short(resumed) + " of them resumed, " + short(failed) + " failed";
  of("mix").replaceChildren(bars("Version", sums.version), bars("Cipher suite", sums.cipher_suite),
    bars("Key exchange", sums.group), bars("Signature", sums.signature), bars("Failures", sums.failures, "failed"));
}

function certificates(listeners) {
  const found = new Map();
  for (const { listener, profiles } of listeners) {
    for (const profile of profiles) {
      let leaf = -1;
      for (const certificate of profile.certificates) {
        if (certificate.depth === 0) leaf += 1;
        const staple = certificate.depth === 0 ? profile.staples[leaf] : undefined;
        const row = found.get(certificate.sha256) || { certificate, listeners: new Set(), names: new Set() };
        row.listeners.add(listener);
        for (const name of profile.names) row.names.add(name);
        row.staple = row.staple || staple;
        found.set(certificate.sha256, row);
      }
    }
  }
  const rows = [...found.values()].sort((a, b) => a.certificate.days_left - b.certificate.days_left);
  of("certificates").replaceChildren(...rows.map(({ certificate, listeners, names, staple }) => {
    const days = certificate.days_left;
    const kind = days < 0 ? "bad" : days <= DAYS_WARN ? "warn" : "good";
    const short = node("code", "", certificate.sha256.slice(0, 16) + "…");
    short.title = certificate.sha256;
    const end = node("td", "number " + kind, days < 0 ? "ended" : days);
    end.title = certificate.not_after;
    const status = staple ? staple.status || (staple.must_staple ? "missing" : "–") : "–";
    const bad = status !== "good" && status !== "–";
    return node("tr", "", node("td", "", certificate.subject || "(no subject)"), node("td", "", [...listeners].join(", ")),
      node("td", "", [...names].join(", ") || "all"), node("td", "", short), node("td", bad ? "bad" : "", status), end);
  }));
  if (!rows.length) of("certificates").append(node("tr", "", node("td", "quiet", "No listener has TLS.")));
}

function ago(seconds) {
  const [size, unit] = seconds < 120 ? [1, "s"] : seconds < 7200 ? [60, "min"] : [3600, "h"];
  return Math.floor(seconds / size) + " " + unit + " old";
}

function facts(id, list) {
  of(id).replaceChildren(...list.flatMap(([name, value, kind]) => [node("dt", "", name), node("dd", kind || "", value)]));
}

function listeners(list) {
  const rows = [];
  for (const { listener, profiles, ticket_key_age_seconds: age, handshakes } of list) {
    const all = profiles[0];
    if (!all) continue;
    const range = all.min_version === all.max_version ? all.min_version : all.min_version + " to " + all.max_version;
    rows.push([listener, "TLS " + range + (all.verify ? ", client certificates required" : "")]);
    rows.push(["", all.groups.join(", ")]);
    if (all.session_tickets) rows.push(["", "keys of session tickets: " + ago(age)]);
    const lists = all.revocation_lists;
    if (lists) {
      const old = lists.out_of_date > 0;
      rows.push(["", lists.lists + " CRLs, " + lists.revoked_certificates + " revoked" +
        (old ? ", " + lists.out_of_date + " out of date" : ", next " + (lists.next_update || "–")), old ? "bad" : ""]);
    }
    if (handshakes.outside_policy) rows.push(["", handshakes.outside_policy + " handshakes outside of the policy", "bad"]);
  }
  if (!rows.length) rows.push(["", "No listener has TLS."]);
  facts("listeners", rows);
}

function fips(fipsz) {
  const { evidence, proofs } = fipsz;
  const provider = evidence.providers.find((one) => one.name === "fips");
  const rows = [["State", fipsz.fips ? "in force" : fipsz.level === "off" ? "off" : "not proven", fipsz.fips ? "good" : ""],
    ["Library", evidence.library]];
  if (fipsz.level !== "off") rows.push(["Level", fipsz.level]);
  if (provider) rows.push(["Module", provider.label + " " + provider.version]);
  if (fipsz.level !== "off") {
    rows.push(["Within policy", fipsz.within_policy ? "yes" : "no", fipsz.within_policy ? "good" : "bad"]);
    rows.push(["Proofs", proofs.runs + " since the start, " + proofs.failures + " failed", proofs.failures ? "bad" : ""]);
    if (proofs.last) rows.push(["Last proof", proofs.last]);
  }
  for (const text of fipsz.outside) rows.push(["Outside", text]);
  facts("fips", rows);
}

let turn = 0;

async function refresh() {
  try {
    const [varz, tlsz] = await Promise.all([ask("/varz"), ask("/tlsz")]);
    if (turn % 5 === 0) fips(await ask("/fipsz"));
    turn += 1;
    about(varz); alarms(tlsz.alarms); tiles(varz); remember(varz);
    chart("messages", rates("in_msgs"), rates("out_msgs"), (rate) => short(Math.round(rate)));
    chart("bytes", rates("in_bytes"), rates("out_bytes"), (rate) => bytes(Math.round(rate)));
    handshakes(tlsz.listeners); certificates(tlsz.listeners); listeners(tlsz.listeners);
    of("live").hidden = false;
    of("login").hidden = true;
    const count = tlsz.alarms.length;
    say(count ? count + (count === 1 ? " alarm" : " alarms") : "all is well", count ? "bad" : "good");
  } catch (error) {
    of("login").hidden = error !== away;
    say(error === away ? "credentials needed" : "no answer", "bad");
    if (error === away) of("live").hidden = true;
  }
  setTimeout(next, EVERY);
}

// A page nobody looks at asks nothing.
function next() {
  if (!document.hidden) return void refresh();
  document.addEventListener("visibilitychange", next, { once: true });
}

of("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = of("token").value.trim();
  of("token").value = "";
});
refresh();
