// What all pages share: data by name, elements whose text is text, the theme.
"use strict";

const vlabench = (() => {
  const found = new Map();
  const waiting = new Map();

  // called by the files of data, each with its own name
  function put(name, value) {
    found.set(name, value);
  }

  // the data of that name, from the file data/<name>.js, once
  function load(name) {
    if (!waiting.has(name)) {
      waiting.set(name, new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => done(found.get(name));
        script.onerror = () => fail(new Error(`data/${name}.js cannot be read`));
        document.head.append(script);
      }));
    }
    return waiting.get(name);
  }

  const SVG = "http://www.w3.org/2000/svg";

  function filled(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
    }
    // strings become text nodes, never markup
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function element(tag, attributes = {}, ...children) {
    return filled(document.createElement(tag), attributes, children);
  }

  function drawing(tag, attributes = {}, ...children) {
    return filled(document.createElementNS(SVG, tag), attributes, children);
  }

  // the rows of an index as objects
  function rows(index) {
    return index.rows.map((row, place) => {
      const one = { place };
      index.columns.forEach((name, column) => { one[name] = row[column]; });
      return one;
    });
  }

  const WORDS = {
    success: "success", failure: "failure", policy_error: "policy error", missing: "missing",
    passed: "passed", "not passed": "not passed",
  };

  // what came of an episode: of a diagnostic one, whether it passed
  function outcome(row) {
    if (row.complied === true) return "passed";
    if (row.complied === false && row.status !== "policy_error") return "not passed";
    return row.status;
  }

  function outcomeMark(row) {
    const told = outcome(row);
    const kind = { passed: "success", "not passed": "failure" }[told] || told;
    return element("span", { class: `outcome ${kind}` }, WORDS[told] || told);
  }

  function number(value, digits) {
    return value === null || value === undefined ? "–" : Number(value).toFixed(digits);
  }

  function theme() {
    const button = document.getElementById("theme");
    const root = document.documentElement;
    const dark = () => (root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
    const named = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `${button.textContent} colours`); };
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("vlabench-theme", root.dataset.theme); } catch { /* not kept then */ }
      named();
    });
    named();
  }

  try {
    const kept = localStorage.getItem("vlabench-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* a browser that keeps nothing */ }
  document.addEventListener("DOMContentLoaded", theme);

  // figures that reach beyond the window say so
  function cut() {
    for (const node of document.querySelectorAll(".picture.fixed")) {
      node.toggleAttribute("data-cut", node.scrollWidth > node.clientWidth + 4);
    }
  }
  addEventListener("load", cut);
  addEventListener("resize", cut);

  return { put, load, element, drawing, rows, outcome, outcomeMark, number, WORDS };
})();
