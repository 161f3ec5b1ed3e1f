// The form works without this file. It counts the wait before "Send the code again" and puts the cursor where it belongs.
"use strict";

const resend = document.getElementById("resend");
const label = resend.textContent;
const until = performance.now() + 1000 * Number(resend.dataset.seconds);

function show() {
  const left = Math.ceil((until - performance.now()) / 1000);
  resend.disabled = left > 0;
  if (left <= 0) {
    resend.textContent = label;
    return;
  }
  const seconds = String(left % 60).padStart(2, "0");
  resend.textContent = `${label} in ${Math.floor(left / 60)}:${seconds}`;
  setTimeout(show, 250);
}

show();

for (const input of document.querySelectorAll("input")) {
  if (input.checkVisibility()) {
    input.select();
    break;
  }
}
