"use strict";
// A link to a section lands at its heading: scripts and pictures above it make the page grow after the browser's jump.
{
  const target = document.getElementById(window.location.hash.slice(1));
  let moved = performance.getEntriesByType("navigation")[0]?.type !== "navigate"; // a reload stays where the reader was
  const land = () => {
    if (target && !moved) target.scrollIntoView({ behavior: "instant" });
  };
  for (const gesture of ["wheel", "touchstart", "keydown", "pointerdown"]) {
    window.addEventListener(gesture, () => { moved = true; }, { once: true, passive: true });
  }
  land();
  window.addEventListener("load", () => requestAnimationFrame(land));
}
