// Keeps the inbox fresh: asks once a second whether something changed, and takes over the server's own rendering if so.
// Texts are never put together here, so nothing in a message can become markup.
"use strict";

(() => {
  const EVERY_MS = 1000;
  const AFTER_FAILURE_MS = 3000;
  const status = document.getElementById("status");
  let timer;

  const live = () => document.getElementById("live");

  async function refresh() {
    const query = new URLSearchParams({ seen: live().dataset.revision });
    if (live().dataset.to) query.set("to", live().dataset.to);
    const response = await fetch(`/inbox/fragment?${query}`, { cache: "no-store" });
    if (response.status === 204) return;
    if (!response.ok) throw new Error(`status ${response.status}`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
    if (!fresh) throw new Error("not the inbox");
    const focused = document.activeElement && document.activeElement.id;
    live().replaceWith(document.importNode(fresh, true));
    if (focused) document.getElementById(focused)?.focus();
  }

  // Read out by screen readers, so it is only touched when the words change.
  function say(text) {
    if (status.textContent !== text) status.textContent = text;
  }

  async function tick() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      await refresh();
      say(live().dataset.status);
      timer = setTimeout(tick, EVERY_MS);
    } catch {
      say("The server does not answer; trying again.");
      timer = setTimeout(tick, AFTER_FAILURE_MS);
    }
  }

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  async function copy(button) {
    const code = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      // Browsers keep the clipboard from pages over plain HTTP that are not on this machine.
      select(code);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copies]");
    if (button) copy(button);
  });
  document.addEventListener("visibilitychange", tick);
  document.documentElement.classList.add("live");
  timer = setTimeout(tick, EVERY_MS);
})();
