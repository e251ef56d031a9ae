"use strict";
// A review's text with its words shaded by their push and the matches of a search marked.

/** Upper and lower case made equal, unit by unit, so that places stay what they are. */
function foldedCase(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return Array.from(text, (character) => {
    const folded = character.toLowerCase();
    return folded.length === character.length ? folded : character;
  }).join("");
}

/** Where a folded query stands in a folded text, as [start, end] pairs that do not overlap. */
function matchesOf(query, text) {
  const found = [];
  if (!query) return found;
  for (let at = text.indexOf(query); at !== -1; at = text.indexOf(query, at + query.length)) {
    found.push([at, at + query.length]);
  }
  return found;
}

/** How strong a shade is, 1 to 4, by the size of a push on the logit. */
function shadeOf(push) {
  return 1 + [0.25, 0.5, 1].filter((bound) => Math.abs(push) >= bound).length;
}

/** Unpack [units since the last word, units of the word, push in steps] to [start, end, push]. */
function unpackedSpans(coded, pushSteps) {
  const spans = [];
  let place = 0;
  for (let i = 0; i < coded.length; i += 3) {
    const start = place + coded[i];
    place = start + coded[i + 1];
    spans.push([start, place, coded[i + 2] / pushSteps]);
  }
  return spans;
}

/** The text from start to end as nodes, what lies in a match inside a <mark>. */
function markedNodes(text, start, end, matches) {
  const nodes = [];
  let place = start;
  for (const [from, to] of matches) {
    if (to <= place || from >= end) continue;
    if (from > place) nodes.push(document.createTextNode(text.slice(place, from)));
    const until = Math.min(to, end);
    nodes.push(element("mark", "", text.slice(Math.max(from, place), until)));
    place = until;
  }
  if (place < end) nodes.push(document.createTextNode(text.slice(place, end)));
  return nodes;
}

/** All of a review's text as nodes; a note stands where its middle was left out. */
function reviewNodes(review, pushSteps, matches) {
  const { text, cut } = review;
  const fragment = document.createDocumentFragment();
  let noted = cut === null;
  let place = 0;
  const plain = (end) => {
    if (!noted && cut[0] <= end) {
      fragment.append(...markedNodes(text, place, cut[0], matches));
      fragment.append(element("em", "left-out", ` [${grouped(cut[1])} characters left out] `));
      noted = true;
      place = cut[0];
    }
    fragment.append(...markedNodes(text, place, end, matches));
    place = end;
  };
  for (const [start, end, push] of unpackedSpans(review.spans, pushSteps)) {
    plain(start);
    const word = element("span", `${push > 0 ? "push-up" : "push-down"}-${shadeOf(push)}`);
    word.append(...markedNodes(text, start, end, matches));
    fragment.append(word);
    place = end;
  }
  plain(text.length);
  return fragment;
}
