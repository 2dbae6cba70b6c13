// Pictures and controls that say nothing to whoever does not see them.
[...document.querySelectorAll('img, svg, video, button, a, input, select')].filter((node) => {
  if (!node.checkVisibility()) return false;
  const name = node.getAttribute('alt') || node.getAttribute('aria-label') || node.textContent.trim()
    || (node.labels && node.labels.length && node.labels[0].textContent.trim());
  return !name;
}).map((node) => node.outerHTML.slice(0, 100))
