"use strict";
// The error browser: lists of reviews, filtered, searched and sorted; some at a time, so that a phone keeps up.
{
  const PAGE = 20;
  const data = pageData.errors;
  const byId = (id) => document.getElementById(id);
  const form = byId("error-filters");
  const results = byId("error-results");
  const more = byId("error-more");
  const lengths = data.slicings.findIndex((slicing) => slicing.name === "length");
  const folded = new Map();

  const confidenceOf = (review) => Math.max(review.probability, 1 - review.probability);
  const valueOf = (id) => byId(id)?.value ?? "";
  const numberOf = (id, otherwise) => (valueOf(id).trim() === "" ? otherwise : Number(valueOf(id)));

  function foldedText(review) {
    if (!folded.has(review)) folded.set(review, foldedCase(review.text));
    return folded.get(review);
  }

  /** The tests that a review has to pass. */
  function wantedTests(query) {
    const [truth, outcome, length, group] = ["truth", "outcome", "length", "group"].map((name) => valueOf(`filter-${name}`));
    const [low, high] = [numberOf("filter-confidence-low", 0.5), numberOf("filter-confidence-high", 1)];
    const [slicing, wanted] = group.split(":");
    const cut = data.slicings.findIndex((each) => each.name === slicing);
    const tests = [(review) => confidenceOf(review) >= low && confidenceOf(review) <= high];
    if (truth) tests.push((review) => CLASSES[review.truth] === truth);
    if (outcome) tests.push((review) => (review.truth === review.predicted) === (outcome === "right"));
    if (length) tests.push((review) => review.groups[lengths] === Number(length));
    if (group) tests.push((review) => review.groups[cut] === Number(wanted));
    if (query) tests.push((review) => foldedText(review).includes(query));
    return tests;
  }

  const ORDERS = {
    confident: (a, b) => confidenceOf(b) - confidenceOf(a),
    uncertain: (a, b) => confidenceOf(a) - confidenceOf(b),
    long: (a, b) => b.words - a.words,
    short: (a, b) => a.words - b.words,
    row: (a, b) => a.row - b.row,
  };

  let matching = [];
  let query = "";
  let total = 0;

  function showCount() {
    const shown = results.childElementCount;
    const count = byId("error-count");
    Object.assign(count.dataset, { matching: matching.length, shown, total });
    const all = `${total} ${total === 1 ? "review" : "reviews"}`;
    const reviews = matching.length === total ? all : `${matching.length} of ${all} ${matching.length === 1 ? "matches" : "match"}`;
    if (total === 0) count.textContent = "This list is empty.";
    else if (matching.length === 0) count.textContent = `None of the ${all} matches; clear the search and the filters to see all.`;
    else count.textContent = `${reviews}; ${shown === matching.length ? "all shown" : `the first ${shown} shown`}.`;
    more.hidden = shown >= matching.length;
    more.textContent = `Show ${Math.min(PAGE, matching.length - shown)} more`;
  }

  function showMore() {
    const from = results.childElementCount;
    const cards = matching.slice(from, from + PAGE).map((review, i) =>
      reviewCard(review, from + i + 1, matchesOf(query, query ? foldedText(review) : ""), data),
    );
    results.append(...cards);
    showCount();
    return cards[0];
  }

  function update() {
    const chosen = form.elements["error-list"].value;
    const list = data.lists.find((each) => each.name === chosen);
    query = foldedCase(valueOf("filter-search")).trim().replace(/ {2,}/g, " ");
    const tests = wantedTests(query);
    total = list.reviews.length;
    matching = list.reviews.map((place) => data.reviews[place]).filter((review) => tests.every((test) => test(review)));
    const order = ORDERS[valueOf("sort-order")];
    if (order) matching.sort(order);
    results.replaceChildren();
    showMore();
  }

  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 150);
  });
  form.addEventListener("reset", () => {
    const chosen = form.elements["error-list"].value;
    setTimeout(() => {
      byId(`list-${chosen}`).checked = true;
      update();
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => showMore().querySelector("h3").focus());
  if (window.matchMedia("(min-width: 36rem)").matches) byId("more-filters").open = true;
  update();
  showControls(byId("error-browser"));
}
