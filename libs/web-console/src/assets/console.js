// The page without this script is complete; with it, parts move, plots answer to the pointer and searches to each key.
"use strict";

// Parts that the server sends again: the first line names the element, the rest is what it holds.
function show(id, html) {
  const part = document.getElementById(id);
  if (!part) return;
  const able = () => [...part.querySelectorAll("a, button, input, select, summary, [tabindex]")];
  const focused = able().indexOf(document.activeElement);
  part.innerHTML = html;
  if (focused >= 0) able()[focused]?.focus();
  part.dispatchEvent(new Event("shown"));
}

function listen(address) {
  const state = document.getElementById("live-state");
  let source;
  const say = (text) => { if (state && state.textContent !== text) state.textContent = text; };
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.onopen = () => say("live");
    source.onerror = () => say("not connected");
    source.onmessage = (event) => {
      const end = event.data.indexOf("\n");
      show(event.data.slice(0, end), event.data.slice(end + 1));
    };
  };
  const close = () => { source?.close(); source = undefined; };
  // A browser has few connections to a server; a page that nobody sees needs none.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}

// A search that goes on: what it finds is added below, until it has ended or is stopped.
function search(section) {
  const source = new EventSource(section.dataset.search);
  const stop = section.querySelector(".stop");
  const end = () => { source.close(); stop.hidden = true; };
  const say = (text) => { section.querySelector("progress")?.remove(); document.getElementById("searched").append(text); };
  stop.hidden = false;
  stop.addEventListener("click", () => { end(); say(" Stopped."); });
  source.onerror = () => { end(); say(" The search has broken off."); };
  source.onmessage = (event) => {
    const split = event.data.indexOf("\n"), id = event.data.slice(0, split), html = event.data.slice(split + 1);
    if (id === "end") end();
    else if (id.endsWith("+")) document.getElementById(id.slice(0, -1))?.insertAdjacentHTML("beforeend", html);
    else show(id, html);
  };
  window.addEventListener("pagehide", end);
}

// Searches with each key, in place of the button.
function find(input) {
  const target = document.getElementById(input.dataset.target || "found");
  let timer, asking;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      asking?.abort();
      asking = new AbortController();
      const query = new URLSearchParams(new FormData(input.form));
      try {
        const answer = await fetch(`${input.dataset.find}?${query}`, { signal: asking.signal });
        if (answer.ok && target) target.innerHTML = await answer.text();
      } catch { /* the next key asks again */ }
    }, 120);
  });
}

// The values of a plot at a time.
function plot(figure) {
  const SVG = "http://www.w3.org/2000/svg";
  // As plots are drawn: what exceeds the usual distance of two points by this factor is a gap.
  const GAP = 3.5;
  // A point that stands alone is met within this distance in the drawing.
  const NEAR = 8;
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  let time, drag;
  const drawing = () => [...figure.querySelectorAll("svg")].find((svg) => svg.getBoundingClientRect().width > 0);
  const numbers = (text) => (text ? text.split(" ").map(Number) : []);
  const scale = (svg) => {
    const { from, to, left, right } = svg.dataset;
    const [a, b, l, r] = [from, to, left, right].map(Number);
    return {
      x: (t) => l + ((t - a) / (b - a)) * (r - l),
      t: (x) => a + ((Math.min(Math.max(x, l), r) - l) / (r - l)) * (b - a),
      from: a, to: b, left: l, right: r,
    };
  };
  const place = (svg, event) => {
    const box = svg.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
  };
  const clear = () => {
    figure.querySelectorAll(".cursor, .zoom").forEach((mark) => mark.remove());
    tip.hidden = true;
  };
  const mark = (svg, name, values) => {
    const element = document.createElementNS(SVG, name);
    for (const key in values) element.setAttribute(key, values[key]);
    svg.append(element);
  };
  const extent = (svg) => {
    const panels = [...svg.querySelectorAll(".panel")];
    return [Number(panels[0].dataset.top), Number(panels.at(-1).dataset.bottom)];
  };
  // How far from its points a series still has a value; an enumeration holds its names.
  const reach = (series, times) => {
    if (series.dataset.names) return Infinity;
    const distances = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
    return GAP * (distances[distances.length >> 1] ?? 0);
  };
  function read() {
    const svg = drawing();
    clear();
    if (!svg || time === undefined || !svg.querySelector(".panel")) return;
    const axis = scale(svg);
    const near = axis.t(axis.left + NEAR) - axis.from;
    const lines = [];
    let nearest;
    svg.querySelectorAll(".series").forEach((series) => {
      const times = numbers(series.dataset.t), values = numbers(series.dataset.v);
      let best = -1;
      times.forEach((t, i) => {
        if (best < 0 || Math.abs(t + axis.from - time) < Math.abs(times[best] + axis.from - time)) best = i;
      });
      const at = times[best] + axis.from;
      if (best < 0 || Math.abs(at - time) > Math.max(reach(series, times), near)) {
        lines.push([series.classList[1], series.dataset.name, "–"]);
        return;
      }
      if (nearest === undefined || Math.abs(at - time) < Math.abs(nearest - time)) nearest = at;
      const panel = series.closest(".panel").dataset;
      const [top, bottom, low, high] = [panel.top, panel.bottom, panel.low, panel.high].map(Number);
      mark(svg, "circle", { cx: axis.x(at), cy: bottom - ((values[best] - low) / (high - low)) * (bottom - top), r: 4, class: `cursor ${series.classList[1]}` });
      lines.push([series.classList[1], series.dataset.name, series.dataset.names?.split(" ")[values[best]] ?? Number(values[best].toPrecision(7)), series.dataset.unit]);
    });
    nearest ??= time;
    const [top, bottom] = extent(svg);
    mark(svg, "line", { x1: axis.x(nearest), x2: axis.x(nearest), y1: top, y2: bottom, class: "cursor" });
    tip.replaceChildren();
    const head = document.createElement("p");
    head.textContent = `${new Date(nearest).toISOString().replace("T", " ").slice(0, 23)} UTC`;
    tip.append(head);
    for (const [colour, name, value, unit] of lines) {
      const line = document.createElement("p"), swatch = document.createElement("span"), number = document.createElement("b");
      swatch.className = `swatch ${colour}`;
      number.textContent = ` ${value} ${unit || ""}`;
      line.append(swatch, name, number);
      tip.append(line);
    }
    tip.hidden = false;
    figure.append(tip);
    const share = axis.x(nearest) / svg.viewBox.baseVal.width, room = figure.clientWidth;
    tip.style.left = `${share > 0.5 ? Math.max(0, share * room - tip.offsetWidth - 14) : Math.min(share * room + 14, room - tip.offsetWidth)}px`;
    tip.style.top = "34px";
  }
  function zoom(from, to) {
    const query = new URLSearchParams(figure.dataset.telemetry);
    query.set("from", new Date(Math.round(from)).toISOString());
    query.set("to", new Date(Math.round(to)).toISOString());
    location.href = `telemetry?${query}`;
  }
  figure.addEventListener("pointermove", (event) => {
    const svg = drawing();
    if (!svg) return;
    time = scale(svg).t(place(svg, event));
    read();
    if (drag === undefined || Math.abs(place(svg, event) - drag) < 6) return;
    const [top, bottom] = extent(svg), axis = scale(svg), here = axis.x(time);
    mark(svg, "rect", { x: Math.min(drag, here), width: Math.abs(here - drag), y: top, height: bottom - top, class: "zoom" });
  });
  figure.addEventListener("pointerdown", (event) => {
    const svg = drawing();
    if (svg && event.button === 0 && event.pointerType !== "touch") drag = scale(svg).x(scale(svg).t(place(svg, event)));
  });
  window.addEventListener("pointerup", (event) => {
    const svg = drawing(), start = drag;
    drag = undefined;
    if (!svg || start === undefined) return;
    const axis = scale(svg), end = axis.x(axis.t(place(svg, event)));
    if (Math.abs(end - start) >= 6) zoom(axis.t(Math.min(start, end)), axis.t(Math.max(start, end)));
  });
  figure.addEventListener("pointerleave", () => { time = undefined; if (drag === undefined) clear(); });
  figure.addEventListener("keydown", (event) => {
    const svg = drawing();
    if (!svg || !["ArrowLeft", "ArrowRight", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const axis = scale(svg), step = (axis.to - axis.from) / 100;
    time = event.key === "Escape" ? undefined : Math.min(Math.max((time ?? axis.to) + (event.key === "ArrowLeft" ? -step : step), axis.from), axis.to);
    read();
  });
  figure.addEventListener("shown", () => read());
}

// A picture of a plot, drawn from its file.
function picture(button) {
  const SCALE = 2;
  button.hidden = false;
  button.addEventListener("click", () => {
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth * SCALE;
      canvas.height = image.naturalHeight * SCALE;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = "telemetry.png";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      });
    });
    image.src = button.dataset.png;
  });
}

document.querySelectorAll("input[data-find]").forEach(find);
document.querySelectorAll("figure.plot").forEach(plot);
document.querySelectorAll("[data-png]").forEach(picture);
document.querySelectorAll("[data-search]").forEach(search);
if (document.body.dataset.events) listen(document.body.dataset.events);
