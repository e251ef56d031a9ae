"use strict";
// The page's data, and what several scripts need. Texts go into the page as text only.

const pageData = JSON.parse(document.getElementById("page-data").textContent);

/** An element with a class and a text. */
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** 0.12345 as "12.35%"; a dash for what is undefined. */
function percent(share, places = 2) {
  return share === null ? "–" : `${(100 * share).toFixed(places)}%`;
}

/** 12345 as "12,345". */
function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A share; null of nothing. */
function shareOf(part, whole) {
  return whole ? part / whole : null;
}

/** Wilson's 95% score interval of a proportion (Wilson 1927), [low, high]; null without trials. */
function wilsonInterval(successes, trials) {
  if (!trials) return null;
  const z = 1.959963984540054;
  const share = successes / trials;
  const scale = 1 + (z * z) / trials;
  const centre = (share + (z * z) / (2 * trials)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** Show a block that is of no use without scripts. */
function showControls(block) {
  block.hidden = false;
  block.dataset.ready = "";
}
